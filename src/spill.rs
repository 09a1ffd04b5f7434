//! Records that wait in partitions until all of one key are there: in memory up to a bound, beyond
//! it in files that the caller gives.
//!
//! A hash decides a record's partition, so that all records of one key meet in the same one. What
//! is written is bytes; what they mean is the business of who wrote them. No I/O happens here
//! unless the caller gives files.

mod workers;

pub(crate) use workers::for_each_partition;

use std::fmt;
use std::io::{self, Cursor, Read, Seek, SeekFrom, Write};
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::memory::{CACHE_LINE_BYTES, prefetch};

/// A file that is written, read back, and gone with its last handle.
pub trait SpillFile: Read + Write + Seek + Send + Sync {}

impl<F: Read + Write + Seek + Send + Sync> SpillFile for F {}

/// Where records go that memory does not hold.
///
/// # Examples
///
/// ```
/// use nexthop::spill::SpillRoom;
///
/// let in_files = SpillRoom::new(|| Ok(Box::new(tempfile::tempfile()?)));
/// assert!(in_files.open()?.write(b"x").is_ok());
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone)]
pub struct SpillRoom {
    open: Arc<OpenSpillFile>,
    memory: Arc<SharedMemory>,
}

type OpenSpillFile = dyn Fn() -> io::Result<Box<dyn SpillFile>> + Send + Sync;

/// What all that use a room hold in memory before they go to its files.
struct SharedMemory {
    bytes: AtomicUsize,
    bytes_max: usize,
}

impl SpillRoom {
    /// Takes what opens a new file.
    pub fn new(open: impl Fn() -> io::Result<Box<dyn SpillFile>> + Send + Sync + 'static) -> Self {
        let memory = SharedMemory { bytes: AtomicUsize::new(0), bytes_max: usize::MAX };
        Self { open: Arc::new(open), memory: Arc::new(memory) }
    }

    /// Lets all that use this room from now on hold at most about so many bytes in memory together,
    /// besides what each is told for itself: what one gives up another may take.
    #[must_use]
    pub fn with_memory(self, bytes_max: usize) -> Self {
        let memory = SharedMemory { bytes: AtomicUsize::new(0), bytes_max };
        Self { memory: Arc::new(memory), ..self }
    }

    /// The bound that all who use this room share, where there is one.
    pub(crate) fn memory_bytes_max(&self) -> Option<usize> {
        Some(self.memory.bytes_max).filter(|&bytes_max| bytes_max < usize::MAX)
    }

    /// Opens a new file.
    ///
    /// # Errors
    ///
    /// When there is no room.
    pub fn open(&self) -> io::Result<Box<dyn SpillFile>> {
        (self.open)()
    }
}

/// Memory that counts against the bound of a room, of something that cannot go to its files.
pub(crate) struct HeldMemory {
    room: SpillRoom,
    bytes: usize,
}

impl HeldMemory {
    pub(crate) fn new(room: SpillRoom) -> Self {
        Self { room, bytes: 0 }
    }

    /// Counts so many bytes from now on.
    pub(crate) fn set(&mut self, bytes: usize) {
        let all = &self.room.memory.bytes;
        all.fetch_add(bytes, Ordering::Relaxed);
        all.fetch_sub(self.bytes, Ordering::Relaxed);
        self.bytes = bytes;
    }
}

impl Drop for HeldMemory {
    fn drop(&mut self) {
        self.set(0);
    }
}

/// Room in memory: then nothing bounds it.
impl Default for SpillRoom {
    fn default() -> Self {
        Self::new(|| Ok(Box::new(Cursor::new(Vec::new()))))
    }
}

impl fmt::Debug for SpillRoom {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SpillRoom")
    }
}

/// How many partitions there are. A partition is worked on as a whole, in memory.
pub(crate) const PARTITION_COUNT: usize = 512;

/// Records by partition.
pub(crate) struct Partitions {
    parts: Vec<Part>,
    bytes_in_memory: usize,
    bytes_max: usize,
    room: SpillRoom,
    file: Option<Box<dyn SpillFile>>,
    file_length: u64,
}

/// Records of one thread on their way into [`Partitions`].
///
/// They are gathered in chunks, which are handed over as they are once they are full: what a
/// partition holds is not copied for it to grow.
pub(crate) struct PartitionBuffers {
    open: Vec<Vec<u8>>,
    chunk_bytes: usize,
    /// Full chunks with their partitions.
    full: Vec<(usize, Vec<u8>)>,
}

/// What a partition held, in pieces of whole records.
#[derive(Default)]
pub(crate) struct PartitionBytes(Vec<Vec<u8>>);

#[derive(Default)]
struct Part {
    chunks: Vec<Vec<u8>>,
    /// Start and length in the file.
    segments: Vec<(u64, usize)>,
}

impl Partitions {
    /// Starts with nothing; at most about `bytes_max` stay in memory.
    pub(crate) fn new(bytes_max: usize, room: SpillRoom) -> Self {
        Self {
            parts: (0..PARTITION_COUNT).map(|_| Part::default()).collect(),
            bytes_in_memory: 0,
            bytes_max,
            room,
            file: None,
            file_length: 0,
        }
    }

    /// Lets at most about so many bytes stay in memory from now on.
    pub(crate) fn set_bytes_max(&mut self, bytes_max: usize) -> io::Result<()> {
        self.bytes_max = bytes_max;
        self.hold_bound()
    }

    /// About how much memory the records take.
    pub(crate) fn memory_bytes(&self) -> usize {
        self.bytes_in_memory
    }

    /// Takes the full chunks of a thread, and leaves it the others.
    pub(crate) fn absorb_full(&mut self, buffers: &mut PartitionBuffers) -> io::Result<()> {
        for (partition, chunk) in buffers.full.drain(..) {
            self.count(chunk.capacity());
            self.parts[partition].chunks.push(chunk);
        }
        self.hold_bound()
    }

    /// Takes what a thread has gathered, and leaves its buffers empty.
    pub(crate) fn absorb(&mut self, buffers: &mut PartitionBuffers) -> io::Result<()> {
        self.absorb_full(buffers)?;
        let mut taken_bytes = 0;
        for (part, buffer) in self.parts.iter_mut().zip(&mut buffers.open) {
            if buffer.is_empty() {
                continue;
            }
            match part.chunks.last_mut() {
                Some(last) if last.capacity() - last.len() >= buffer.len() => {
                    last.extend_from_slice(buffer);
                    buffer.clear();
                }
                _ => {
                    taken_bytes += buffer.capacity();
                    part.chunks.push(std::mem::take(buffer));
                }
            }
        }
        self.count(taken_bytes);
        self.hold_bound()
    }

    /// Gives a copy of a partition out.
    pub(crate) fn read(&mut self, partition: usize) -> io::Result<PartitionBytes> {
        let part = &self.parts[partition];
        let mut pieces = read_segments(&mut self.file, &part.segments)?;
        pieces.extend(part.chunks.iter().cloned());
        Ok(PartitionBytes(pieces))
    }

    /// Gives a partition out, and forgets it.
    pub(crate) fn take(&mut self, partition: usize) -> io::Result<PartitionBytes> {
        let part = std::mem::take(&mut self.parts[partition]);
        let mut pieces = read_segments(&mut self.file, &part.segments)?;
        self.discount(part.chunks.iter().map(Vec::capacity).sum());
        pieces.extend(part.chunks);
        Ok(PartitionBytes(pieces))
    }

    fn spill(&mut self) -> io::Result<()> {
        let file = match &mut self.file {
            Some(file) => file,
            None => self.file.insert(self.room.open()?),
        };
        file.seek(SeekFrom::Start(self.file_length))?;
        for part in self.parts.iter_mut().filter(|part| !part.chunks.is_empty()) {
            let start = self.file_length;
            for chunk in part.chunks.drain(..) {
                file.write_all(&chunk)?;
                self.file_length += chunk.len() as u64;
            }
            let length = usize::try_from(self.file_length - start).expect("was in memory");
            part.segments.push((start, length));
        }
        self.discount(self.bytes_in_memory);
        Ok(())
    }

    fn count(&mut self, bytes: usize) {
        self.bytes_in_memory += bytes;
        self.room.memory.bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    fn discount(&mut self, bytes: usize) {
        self.bytes_in_memory -= bytes;
        self.room.memory.bytes.fetch_sub(bytes, Ordering::Relaxed);
    }

    fn hold_bound(&mut self) -> io::Result<()> {
        /// Who holds less of the shared memory lets the others go to the files: what is spilled in
        /// small pieces is slow to read.
        const SMALL_SHARE: usize = 16;
        let shared = &self.room.memory;
        let is_shared_full = shared.bytes.load(Ordering::Relaxed) > shared.bytes_max
            && self.bytes_in_memory > shared.bytes_max / SMALL_SHARE;
        match self.bytes_in_memory > self.bytes_max || is_shared_full {
            true => self.spill(),
            false => Ok(()),
        }
    }
}

fn read_segments(
    file: &mut Option<Box<dyn SpillFile>>,
    segments: &[(u64, usize)],
) -> io::Result<Vec<Vec<u8>>> {
    let mut pieces = Vec::with_capacity(segments.len());
    for &(start, length) in segments {
        let file = file.as_mut().expect("segments are in the file");
        let mut segment = vec![0; length];
        file.seek(SeekFrom::Start(start))?;
        file.read_exact(&mut segment)?;
        pieces.push(segment);
    }
    Ok(pieces)
}

/// What was never given out is given up.
impl Drop for Partitions {
    fn drop(&mut self) {
        self.discount(self.bytes_in_memory);
    }
}

impl PartitionBytes {
    pub(crate) fn of(bytes: Vec<u8>) -> Self {
        Self(vec![bytes])
    }

    #[cfg(test)]
    pub(crate) fn of_pieces(pieces: Vec<Vec<u8>>) -> Self {
        Self(pieces)
    }

    pub(crate) fn len(&self) -> usize {
        self.0.iter().map(Vec::len).sum()
    }

    /// Gives every piece to `each`, and its memory back behind that.
    pub(crate) fn for_each_piece(self, mut each: impl FnMut(&[u8])) {
        self.0.into_iter().for_each(|piece| each(&piece));
    }

    pub(crate) fn pieces(&self) -> &[Vec<u8>] {
        &self.0
    }

    /// Returns all records behind one another.
    pub(crate) fn joined(mut self) -> Vec<u8> {
        match &mut self.0[..] {
            [only] => std::mem::take(only),
            pieces => pieces.concat(),
        }
    }
}

impl PartitionBuffers {
    /// From here on a chunk is full, unless its buffers were told otherwise.
    const CHUNK_BYTES: usize = 4 << 10;

    /// Larger chunks gain nothing more.
    const CHUNK_BYTES_MAX: usize = 16 << 10;

    /// Room behind that for the record that fills it.
    const RECORD_BYTES: usize = 256;

    /// How many bytes of full chunks a thread may hold before they are to be absorbed.
    const FULL_BYTES_MAX: usize = 1 << 20;

    pub(crate) fn new() -> Self {
        Self {
            open: vec![Vec::new(); PARTITION_COUNT],
            chunk_bytes: Self::CHUNK_BYTES,
            full: Vec::new(),
        }
    }

    /// The buffers of one of several threads, which together take but a small part of `bytes_max`.
    pub(crate) fn of_thread(threads: usize, bytes_max: usize) -> Self {
        let share = bytes_max / 16 / PARTITION_COUNT / threads;
        Self { chunk_bytes: share.min(Self::CHUNK_BYTES_MAX), ..Self::new() }
    }

    /// Appends a record, which `write` writes, to the partition of a hash.
    pub(crate) fn push(&mut self, hash: u64, write: impl FnOnce(&mut Vec<u8>)) {
        self.push_to(partition_of(hash), write);
    }

    /// Appends a record to a partition.
    pub(crate) fn push_to(&mut self, partition: usize, write: impl FnOnce(&mut Vec<u8>)) {
        let chunk = &mut self.open[partition];
        if chunk.capacity() == 0 {
            chunk.reserve_exact(self.chunk_bytes + Self::RECORD_BYTES);
        }
        write(chunk);
        if chunk.len() >= self.chunk_bytes {
            self.full.push((partition, std::mem::take(chunk)));
            return;
        }
        // The next record of a partition comes when no cache holds the memory behind this one.
        prefetch(chunk, chunk.len() + CACHE_LINE_BYTES);
        prefetch(chunk, chunk.len() + 2 * CACHE_LINE_BYTES);
    }

    pub(crate) fn is_full(&self) -> bool {
        self.full.len() * self.chunk_bytes.max(1) >= Self::FULL_BYTES_MAX
    }
}

/// Returns the partition of a hash: its highest bits, since hash tables use the lowest.
pub(crate) fn partition_of(hash: u64) -> usize {
    (hash >> (u64::BITS - PARTITION_COUNT.trailing_zeros())) as usize
}

/// The fields of a record that have a bound, written where no room must be asked for: a partition
/// takes them at once.
pub(crate) struct ShortRecord {
    bytes: [u8; Self::BYTES_MAX],
    length: usize,
}

impl ShortRecord {
    /// More than any record needs: two addresses, and a dozen numbers of ten bytes.
    const BYTES_MAX: usize = 192;

    pub(crate) fn new() -> Self {
        Self { bytes: [0; Self::BYTES_MAX], length: 0 }
    }

    pub(crate) fn as_slice(&self) -> &[u8] {
        &self.bytes[..self.length]
    }

    pub(crate) fn put<const N: usize>(&mut self, bytes: [u8; N]) {
        self.bytes[self.length..self.length + N].copy_from_slice(&bytes);
        self.length += N;
    }

    /// Writes a number in seven bits a byte, the lowest first.
    pub(crate) fn put_number(&mut self, mut number: u64) {
        while number >= 0x80 {
            self.put([(number & 0x7F) as u8 | 0x80]);
            number >>= 7;
        }
        self.put([number as u8]);
    }

    /// Writes a time, whose size says nothing.
    pub(crate) fn put_time(&mut self, time_ns: i64) {
        self.put(time_ns.to_le_bytes());
    }

    /// Writes an address without its family.
    pub(crate) fn put_address(&mut self, address: IpAddr) {
        match address {
            IpAddr::V4(address) => self.put(address.octets()),
            IpAddr::V6(address) => self.put(address.octets()),
        }
    }
}

/// Reads records back, in the order in which they were written.
///
/// # Panics
///
/// Every method, where the bytes are not what was written.
pub(crate) struct RecordBytes<'b>(pub(crate) &'b [u8]);

impl<'b> RecordBytes<'b> {
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn byte(&mut self) -> u8 {
        let (&first, rest) = self.0.split_first().expect("a record was written whole");
        self.0 = rest;
        first
    }

    pub(crate) fn array<const N: usize>(&mut self) -> [u8; N] {
        let (first, rest) = self.0.split_first_chunk().expect("a record was written whole");
        self.0 = rest;
        *first
    }

    pub(crate) fn word(&mut self) -> u64 {
        u64::from_le_bytes(self.array())
    }

    pub(crate) fn number(&mut self) -> u64 {
        let mut number = 0;
        let mut shift = 0;
        loop {
            let byte = self.byte();
            number |= u64::from(byte & 0x7F) << shift;
            if byte < 0x80 {
                return number;
            }
            shift += 7;
        }
    }

    pub(crate) fn time(&mut self) -> i64 {
        i64::from_le_bytes(self.array())
    }

    pub(crate) fn number_u32(&mut self) -> u32 {
        u32::try_from(self.number()).expect("was written from a u32")
    }

    pub(crate) fn address(&mut self, is_v6: bool) -> IpAddr {
        if is_v6 { IpAddr::from(self.array::<16>()) } else { IpAddr::from(self.array::<4>()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_back() {
        let numbers = [0, 1, 127, 128, 300, u64::from(u32::MAX), u64::MAX - 1, u64::MAX];
        let times = [0, 1, -1, i64::MAX, i64::MIN];
        let addresses: [IpAddr; 3] =
            ["10.0.0.4", "fd00::1", "::ffff:10.0.0.4"].map(|text| text.parse().unwrap());
        let mut written = ShortRecord::new();
        numbers.iter().for_each(|&number| written.put_number(number));
        times.iter().for_each(|&time| written.put_time(time));
        addresses.iter().for_each(|&address| written.put_address(address));
        let mut record = RecordBytes(written.as_slice());
        assert_eq!(numbers.map(|_| record.number()), numbers);
        assert_eq!(times.map(|_| record.time()), times);
        assert_eq!(addresses.map(|address| record.address(address.is_ipv6())), addresses);
        assert!(record.is_empty());
    }

    #[test]
    fn partitions_give_out_what_they_took_whether_it_was_spilled_or_not() {
        for bytes_max in [0, 1 << 14, usize::MAX] {
            let mut partitions = Partitions::new(bytes_max, SpillRoom::default());
            let mut buffers = PartitionBuffers::new();
            for record in 0..10_000_u64 {
                let hash = record.wrapping_mul(0x9E37_79B9_7F4A_7C15);
                buffers.push(hash, |bytes| bytes.extend(record.to_le_bytes()));
                if record % 1000 == 0 {
                    partitions.absorb(&mut buffers).unwrap();
                }
            }
            partitions.absorb(&mut buffers).unwrap();
            assert_eq!(partitions.file.is_some(), bytes_max != usize::MAX, "{bytes_max}");
            let mut found = Vec::new();
            for partition in 0..PARTITION_COUNT {
                let copy = partitions.read(partition).unwrap().joined();
                let bytes = partitions.take(partition).unwrap().joined();
                assert!(copy == bytes, "{bytes_max}");
                let mut last = None;
                for chunk in bytes.chunks(8) {
                    let record = u64::from_le_bytes(chunk.try_into().unwrap());
                    let hash = record.wrapping_mul(0x9E37_79B9_7F4A_7C15);
                    assert_eq!(partition_of(hash), partition);
                    assert!(last < Some(record), "{bytes_max}: the order is kept");
                    last = Some(record);
                    found.push(record);
                }
            }
            found.sort_unstable();
            assert!(found == (0..10_000).collect::<Vec<_>>(), "{bytes_max}");
        }
    }

    #[test]
    fn what_one_gives_up_of_a_rooms_memory_another_may_take() {
        const BOUND: usize = 1 << 20;
        let room = SpillRoom::default().with_memory(BOUND);
        let [mut first, mut second, mut small] =
            [(); 3].map(|()| Partitions::new(usize::MAX, room.clone()));
        let fill = |partitions: &mut Partitions, bytes: usize| {
            let mut buffers = PartitionBuffers::new();
            for record in 0..bytes / 1024 {
                // Four of them fill a chunk.
                buffers.push_to(record / 4 % PARTITION_COUNT, |bytes| bytes.extend([7; 1024]));
            }
            partitions.absorb(&mut buffers).unwrap();
        };
        fill(&mut first, BOUND * 3 / 4);
        assert!(first.file.is_none(), "below the bound all is in memory");
        fill(&mut small, BOUND / 32);
        fill(&mut second, BOUND / 2);
        assert!(second.file.is_some() && first.file.is_none(), "who goes past the bound spills");
        fill(&mut small, BOUND / 64);
        assert!(small.file.is_none(), "little is not worth a file");
        for partition in 0..PARTITION_COUNT {
            first.take(partition).unwrap();
        }
        let mut third = Partitions::new(usize::MAX, room.clone());
        fill(&mut third, BOUND / 2);
        assert!(third.file.is_none(), "what was given out is free again");
        drop(third);
        let mut held = HeldMemory::new(room.clone());
        held.set(BOUND);
        let mut beside = Partitions::new(usize::MAX, room.clone());
        fill(&mut beside, BOUND / 2);
        assert!(beside.file.is_some(), "what is held elsewhere counts, too");
        drop((held, beside));
        let mut fourth = Partitions::new(usize::MAX, room);
        fill(&mut fourth, BOUND / 2);
        assert!(fourth.file.is_none(), "and so is what was dropped");
    }
}
