//! Batches of lookups in a poptrie, level by level.
//!
//! One address at a time, each level waits for the memory of the one above, and where a lookup ends
//! is a branch that in-table traffic makes unpredictable. Level by level, the reads of a burst
//! overlap, each asks for what the next level reads, and addresses that go deeper are gathered in a
//! list without a branch.

#![expect(unsafe_code, reason = "reads without bounds checks")]

use std::hint::select_unpredictable;

use super::address::Address;
use super::kernel::{Isa, Places, at};
use crate::memory::{HugeSlice, prefetch};

/// Sixty-four slots, for six bits of an address: what every lookup reads of a node.
///
/// ```text
///   byte  0         8       12      16
///         │ leafvec │ base0 │ inner │
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub(super) struct Node {
    pub leafvec: u64,
    pub base0: u32,
    /// The index of its [`Inner`]; that of a node without children is 0.
    pub inner: u32,
}

/// What only the node of a node's children is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub(super) struct Inner {
    pub vector: u64,
    pub base1: u32,
}

const _: () = assert!(size_of::<Node>() == 16 && size_of::<Inner>() == 16);

/// The bits of an address that one node takes.
pub(super) const STRIDE: u32 = 6;

/// A poptrie's arrays, checked: every slot leads inside.
pub(super) struct PoptrieTables<L> {
    direct_bits: u32,
    /// 2^s indices of nodes.
    pub(super) direct: HugeSlice<u32>,
    pub(super) nodes: HugeSlice<Node>,
    pub(super) inners: HugeSlice<Inner>,
    pub(super) leaves: HugeSlice<L>,
}

/// Few enough that what a burst asks for still is in the cache when it is read.
#[cfg(target_arch = "x86_64")]
const BURST: usize = 128;

/// Marks the index of a node among those of leaves.
const DEEPER: u32 = 1 << 31;

impl<L: Copy + Into<u16>> PoptrieTables<L> {
    /// Takes the arrays.
    ///
    /// # Panics
    ///
    /// Panics if a slot leads outside.
    pub(super) fn new(
        direct_bits: u32,
        direct: &[u32],
        nodes: &[Node],
        inners: &[Inner],
        leaves: &[L],
    ) -> Self {
        assert!(nodes.len() < DEEPER as usize && leaves.len() < DEEPER as usize);
        assert!((1..=18).contains(&direct_bits) && direct.len() == 1 << direct_bits);
        assert!(direct.iter().all(|&index| (index as usize) < nodes.len()));
        assert_eq!(inners[0].vector, 0, "stands for all nodes without children");
        let node_ends_inside = |node: &Node| {
            let last_leaf = node.base0 as usize + node.leafvec.count_ones() as usize;
            let vector = inners[node.inner as usize].vector;
            // A slot before the first leaf would have none to its left, unless it leads to a node.
            let before_first_leaf = 1u64
                .checked_shl(node.leafvec.trailing_zeros())
                .map_or(u64::MAX, |first_leaf| first_leaf - 1);
            last_leaf <= leaves.len() && vector & before_first_leaf == before_first_leaf
        };
        assert!(nodes.iter().all(node_ends_inside));
        assert!(inners.iter().all(|inner| {
            inner.base1 as usize + inner.vector.count_ones() as usize <= nodes.len()
        }));
        Self {
            direct_bits,
            direct: HugeSlice::new(direct),
            nodes: HugeSlice::new(nodes),
            inners: HugeSlice::new(inners),
            leaves: HugeSlice::new(leaves),
        }
    }

    #[inline(always)]
    pub(super) fn lookup<A: Address>(&self, address: A) -> u16 {
        let mut index = self.direct[address.top_bits(self.direct_bits)];
        let mut rest = address << self.direct_bits;
        loop {
            let node = &self.nodes[index as usize];
            let inner = &self.inners[node.inner as usize];
            let slot = rest.top_bits(STRIDE);
            if (inner.vector >> slot) & 1 == 0 {
                return self.leaves[node.leaf_index(slot) as usize].into();
            }
            index = inner.child_index(slot);
            rest = rest << STRIDE;
        }
    }

    pub(super) fn lookup_batch<A: Address>(&self, isa: Isa, addresses: &[A], values: &mut [u16]) {
        #[cfg(target_arch = "x86_64")]
        if isa.has_avx2() {
            for (addresses, values) in addresses.chunks(BURST).zip(values.chunks_mut(BURST)) {
                // SAFETY: the machine has what the kernel is compiled for.
                unsafe { self.lookup_burst_popcnt(addresses, values) };
            }
            return;
        }
        let _ = isa;
        for (value, &address) in values.iter_mut().zip(addresses) {
            *value = self.lookup(address);
        }
    }

    pub(super) fn heap_bytes(&self) -> usize {
        size_of_val(&*self.direct)
            + size_of_val(&*self.nodes)
            + size_of_val(&*self.inners)
            + size_of_val(&*self.leaves)
    }

    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx2,bmi1,bmi2,popcnt")]
    fn lookup_burst_popcnt<A: Address>(&self, addresses: &[A], values: &mut [u16]) {
        let count = addresses.len().min(values.len()).min(BURST);
        let addresses = &addresses[..count];
        let mut nodes = [0u32; BURST];
        for (node, &address) in nodes.iter_mut().zip(addresses) {
            // SAFETY: there are 2^s entries: `new` checked it.
            *node = unsafe { at(&self.direct, address.top_bits(self.direct_bits)) };
            prefetch(&self.nodes, *node as usize);
        }

        // Nearly all end at their first node. Whether it has children is asked here, whether this
        // slot leads to one is not.
        let mut offset = self.direct_bits;
        let mut indices = [0u32; BURST];
        let mut inners = [0u32; BURST];
        let of_burst = indices.iter_mut().zip(&mut inners).zip(&nodes);
        for (((index, inner), &node), &address) in of_burst.zip(addresses) {
            // SAFETY: a direct entry is the index of a node.
            let node = unsafe { at(&self.nodes, node as usize) };
            *index = node.leaf_index((address << offset).top_bits(STRIDE));
            *inner = node.inner;
            prefetch(&self.leaves, *index as usize);
        }
        let mut places = Places::not_zero(&inners);
        for &place in places.as_slice() {
            let place = usize::from(place);
            indices[place] = nodes[place];
            self.step(addresses, &mut indices, place, offset);
        }
        while !places.as_slice().is_empty() {
            places = Places::marked(&indices, DEEPER, DEEPER);
            offset += STRIDE;
            for &place in places.as_slice() {
                self.step(addresses, &mut indices, usize::from(place), offset);
            }
        }

        for (value, &index) in values.iter_mut().zip(&indices[..count]) {
            // SAFETY: `step` left the index of a leaf.
            *value = unsafe { at(&self.leaves, index as usize) }.into();
        }
    }

    /// Takes one address from its node to its leaf, or to the next node and marks that.
    #[cfg(target_arch = "x86_64")]
    #[inline(always)]
    fn step<A: Address>(
        &self,
        addresses: &[A],
        indices: &mut [u32; BURST],
        place: usize,
        offset: u32,
    ) {
        debug_assert!(place < addresses.len() && place < BURST);
        // SAFETY: `place` is below the number of addresses, which is at most the burst's. An index
        // from the direct table or from a step before is one of a node, whose parts lead inside:
        // `new` checked it.
        let (slot, node, inner, index) = unsafe {
            let slot = (at(addresses, place) << offset).top_bits(STRIDE);
            let index = indices.get_unchecked_mut(place);
            let node = at(&self.nodes, (*index & !DEEPER) as usize);
            (slot, node, at(&self.inners, node.inner as usize), index)
        };
        let is_deeper = (inner.vector >> slot) & 1 != 0;
        let (leaf, child) = (node.leaf_index(slot), inner.child_index(slot));
        prefetch(&self.leaves, leaf as usize);
        // An `if` becomes a jump here, which in-table traffic makes unpredictable.
        *index = select_unpredictable(is_deeper, child | DEEPER, leaf);
    }
}

impl Node {
    /// Returns the index of the leaf that holds `slot`, a slot without a node.
    #[inline(always)]
    fn leaf_index(&self, slot: usize) -> u32 {
        // The first leaf's bit is set, whatever slots lead to nodes before it, so that the count is
        // not 0 (where the slot leads to a node it may be, and the result is nothing). For slot 63
        // the shift leaves 0, and the mask is all ones.
        let up_to_slot = self.leafvec << (!slot & 63);
        self.base0.wrapping_add(up_to_slot.count_ones()).wrapping_sub(1)
    }
}

impl Inner {
    /// Returns the index of the node that `slot` leads to.
    #[inline(always)]
    fn child_index(&self, slot: usize) -> u32 {
        let before_slot = (1u64 << slot) - 1;
        self.base1 + (self.vector & before_slot).count_ones()
    }
}
