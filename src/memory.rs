//! Memory for tables that are read at random: aligned, on huge pages where the system has them.
//!
//! A lookup in a table of megabytes misses the translation buffer as surely as the cache. On pages
//! of 2 MiB that second miss is gone; no engine's layout buys as much.

#![expect(unsafe_code, reason = "huge pages and prefetching have no safe interface in std")]

use std::alloc::{Layout, alloc, dealloc, handle_alloc_error};
use std::fmt;
use std::mem::MaybeUninit;
use std::ops::{Deref, DerefMut};
use std::ptr::NonNull;

/// Items of a fixed number, in memory that begins a cache line, or whole huge pages if there are
/// enough of them for one.
pub(crate) struct HugeSlice<T> {
    items: NonNull<T>,
    length: usize,
}

/// How much memory a cache holds or lacks as a whole.
pub(crate) const CACHE_LINE_BYTES: usize = 64;
const HUGE_PAGE_BYTES: usize = 2 << 20;

impl<T: Copy> HugeSlice<T> {
    /// Copies the items.
    pub(crate) fn new(items: &[T]) -> Self {
        let slice = Self::allocate(items.len());
        // SAFETY: `allocate` made room for as many items, and nobody else has it.
        unsafe { slice.items.copy_from_nonoverlapping(NonNull::from(items).cast(), items.len()) };
        slice
    }

    /// Repeats an item.
    pub(crate) fn filled(item: T, length: usize) -> Self {
        let slice = Self::allocate(length);
        // SAFETY: `allocate` made room for `length` items, and nobody else has it.
        let room = unsafe { std::slice::from_raw_parts_mut(slice.items.cast().as_ptr(), length) };
        room.fill(MaybeUninit::new(item));
        slice
    }

    /// Makes room that the caller fills before anybody reads it.
    fn allocate(length: usize) -> Self {
        let Some(layout) = layout_of::<T>(length) else {
            return Self { items: NonNull::dangling(), length };
        };
        // SAFETY: a layout is returned for a size above 0 only.
        let memory = unsafe { alloc(layout) };
        let Some(items) = NonNull::new(memory) else { handle_alloc_error(layout) };
        if layout.align() == HUGE_PAGE_BYTES {
            advise_huge_pages(items, layout.size());
        }
        Self { items: items.cast(), length }
    }
}

impl<T> Deref for HugeSlice<T> {
    type Target = [T];

    #[inline(always)]
    fn deref(&self) -> &[T] {
        // SAFETY: the constructors wrote all `length` items before `self` existed.
        unsafe { std::slice::from_raw_parts(self.items.as_ptr(), self.length) }
    }
}

impl<T> DerefMut for HugeSlice<T> {
    fn deref_mut(&mut self) -> &mut [T] {
        // SAFETY: as above, and `self` is borrowed by the caller alone.
        unsafe { std::slice::from_raw_parts_mut(self.items.as_ptr(), self.length) }
    }
}

impl<T> Drop for HugeSlice<T> {
    fn drop(&mut self) {
        if let Some(layout) = layout_of::<T>(self.length) {
            // SAFETY: `allocate` got the memory with this layout. The items are `Copy` and need no
            // drop of their own.
            unsafe { dealloc(self.items.as_ptr().cast(), layout) };
        }
    }
}

impl<T: Copy> From<Vec<T>> for HugeSlice<T> {
    fn from(items: Vec<T>) -> Self {
        Self::new(&items)
    }
}

impl<T: fmt::Debug> fmt::Debug for HugeSlice<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&**self, f)
    }
}

// SAFETY: the memory belongs to the slice alone, as a vector's does.
unsafe impl<T: Send> Send for HugeSlice<T> {}
// SAFETY: shared, it is only read.
unsafe impl<T: Sync> Sync for HugeSlice<T> {}

/// Asks for the cache line at `index`, which may lie outside the slice: then nothing happens.
#[inline(always)]
pub(crate) fn prefetch<T>(items: &[T], index: usize) {
    prefetch_address(items.as_ptr().wrapping_add(index));
}

#[inline(always)]
fn prefetch_address<T>(address: *const T) {
    #[cfg(all(target_arch = "x86_64", not(miri)))]
    // SAFETY: prefetching reads nothing, whatever the address.
    unsafe {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        _mm_prefetch::<_MM_HINT_T0>(address.cast());
    }
    #[cfg(not(all(target_arch = "x86_64", not(miri))))]
    let _ = address;
}

/// Returns how memory for `length` items is asked for, or `None` where they take none.
fn layout_of<T>(length: usize) -> Option<Layout> {
    let bytes = size_of::<T>().checked_mul(length).expect("fits the address space");
    // A huge page that is not wholly the slice's own would not be one.
    let (room, align) = match bytes >= HUGE_PAGE_BYTES {
        true => (bytes.checked_next_multiple_of(HUGE_PAGE_BYTES), HUGE_PAGE_BYTES),
        false => (Some(bytes), CACHE_LINE_BYTES),
    };
    let room = room.expect("fits the address space");
    let layout = Layout::from_size_align(room, align.max(align_of::<T>()));
    (bytes > 0).then(|| layout.expect("fits the address space"))
}

/// Asks for huge pages. Without them everything works as well, only slower.
#[cfg(all(target_os = "linux", not(miri)))]
fn advise_huge_pages(memory: NonNull<u8>, bytes: usize) {
    use std::ffi::{c_int, c_void};
    // Source: linux/mman.h, `MADV_HUGEPAGE`.
    const MADV_HUGEPAGE: c_int = 14;
    unsafe extern "C" {
        fn madvise(address: *mut c_void, length: usize, advice: c_int) -> c_int;
    }
    // SAFETY: the range was just allocated; the advice changes none of its content.
    let _ = unsafe { madvise(memory.as_ptr().cast(), bytes, MADV_HUGEPAGE) };
}

#[cfg(not(all(target_os = "linux", not(miri))))]
fn advise_huge_pages(_: NonNull<u8>, _: usize) {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn items_are_where_they_were_put() {
        for length in [0, 1, 31, 4096, HUGE_PAGE_BYTES / 4 - 1, HUGE_PAGE_BYTES / 4 + 1] {
            let length = if cfg!(miri) { length.min(4097) } else { length };
            let items: Vec<u32> = (0..).take(length).collect();
            let mut slice = HugeSlice::from(items.clone());
            assert!(*slice == *items, "{length}");
            assert!(length == 0 || (slice.as_ptr() as usize).is_multiple_of(CACHE_LINE_BYTES));
            slice.fill(7);
            assert!(*slice == *HugeSlice::filled(7, length), "{length}");
        }
    }

    #[test]
    fn large_slices_begin_a_huge_page() {
        let slice = HugeSlice::filled(0u8, HUGE_PAGE_BYTES);
        assert_eq!(slice.as_ptr() as usize % HUGE_PAGE_BYTES, 0);
    }

    #[test]
    fn prefetching_outside_is_nothing() {
        prefetch(&[1u64, 2], 1);
        prefetch(&[1u64, 2], usize::MAX / 3);
        prefetch::<u64>(&[], 0);
    }
}
