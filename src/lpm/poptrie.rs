//! Poptrie: a trie of 64-way nodes whose children are counted, not pointed to.
//!
//! The first `s` bits of an address index a direct table. Its entry is a value, or a node for the
//! next six bits; and so on, six bits at a time.
//!
//! ```text
//!   address  │ s bits │ 6 bits │ 6 bits │ …
//!                │        │
//!   direct  [ │ │▼│ │ ]   │
//!                └─▶ node ▼
//!                    vector   0 0 1 0 0 1 … 1: the slot leads to a node, 0: to a leaf
//!                    leafvec  1 0 0 1 0 0 … 1: a leaf that differs from the leaf before it
//!
//!                    nodes [base1 + (ones in `vector` before the slot)]
//!                    leaves[base0 + (ones in `leafvec` up to the slot) − 1]
//! ```
//!
//! A node's children stand side by side, as do its leaves, so that two bases and two population
//! counts find any of 64. Equal leaves in a row are stored once. Where fewer than six bits are
//! left, the slot is padded with zeros on the right.
//!
//! Nodes are laid out breadth first: the upper levels, which every lookup shares, stay together.
//!
//! Source: H. Asai, Y. Ohara, "Poptrie: A Compressed Trie with Population Count for Fast and
//! Scalable Software IP Routing Table Lookup", SIGCOMM 2015, §3.

use super::address::Address;
use super::engine::{Engine, LpmKind};
use super::error::CompileError;
use super::ranges::Range;

/// A poptrie over addresses of type `A`.
pub(super) struct Poptrie<A> {
    /// The paper's s: how many bits the direct table takes.
    direct_bits: u32,
    /// 2^s entries: a value with [`LEAF`] set, or the index of a node.
    direct: Box<[u32]>,
    nodes: Box<[Node]>,
    leaves: Box<[u16]>,
    address: std::marker::PhantomData<fn(A)>,
}

/// Sixty-four slots, for six bits of an address.
///
/// ```text
///   byte  0         8         16      20      24
///         │ vector  │ leafvec │ base0 │ base1 │
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
struct Node {
    vector: u64,
    leafvec: u64,
    base0: u32,
    base1: u32,
}

const _: () = {
    assert!(size_of::<Node>() == 24);
    assert!(std::mem::offset_of!(Node, leafvec) == 8);
    assert!(std::mem::offset_of!(Node, base0) == 16);
    assert!(std::mem::offset_of!(Node, base1) == 20);
};

/// The bits of an address that one node takes.
const STRIDE: u32 = 6;

/// Marks a direct entry that is a value.
const LEAF: u32 = 1 << 31;

/// The highest number of nodes, and of leaves. Half of what 32 bits can number, so that a base and
/// the count of 64 slots cannot overflow.
const ITEM_COUNT_MAX: usize = 1 << 31;

impl<A: Address> Poptrie<A> {
    /// Compiles flat ranges.
    pub(super) fn compile(ranges: &[Range<A, u16>]) -> Result<Self, CompileError> {
        Self::compile_with(ranges, direct_bits_for(ranges.len()), ITEM_COUNT_MAX)
    }

    fn compile_with(
        ranges: &[Range<A, u16>],
        direct_bits: u32,
        item_count_max: usize,
    ) -> Result<Self, CompileError> {
        let mut direct = Vec::with_capacity(1 << direct_bits);
        // The blocks of the level to come: those that hold more than one range.
        let mut level = Vec::new();
        for_each_slot(Block { first: A::ZERO, ranges }, 0, direct_bits, |_, block| {
            direct.push(match block.ranges {
                [range] => LEAF | u32::from(range.value),
                // At most 2^18 of them: far from the limit.
                _ => level.len() as u32,
            });
            if block.ranges.len() > 1 {
                level.push(block);
            }
        });

        let mut nodes = Vec::new();
        let mut leaves = Vec::new();
        let mut offset = direct_bits;
        while !level.is_empty() {
            let mut below = Vec::new();
            let below_index = nodes.len() + level.len();
            for block in level {
                let base0 = checked_index(leaves.len(), "leaves", item_count_max)?;
                let base1 = checked_index(below_index + below.len(), "nodes", item_count_max)?;
                nodes.push(Node::emit(block, offset, (base0, base1), &mut leaves, &mut below));
            }
            level = below;
            offset += STRIDE;
        }
        Ok(Self {
            direct_bits,
            direct: direct.into(),
            nodes: nodes.into(),
            leaves: leaves.into(),
            address: std::marker::PhantomData,
        })
    }
}

impl<A: Address> Engine<A> for Poptrie<A> {
    fn kind(&self) -> LpmKind {
        LpmKind::Poptrie
    }

    fn lookup(&self, address: A) -> u16 {
        lookup(self.direct_bits, &self.direct, &self.nodes, &self.leaves, address)
    }

    fn lookup_batch(&self, addresses: &[A], values: &mut [u16]) {
        lookup_batch(self.direct_bits, &self.direct, &self.nodes, &self.leaves, addresses, values);
    }

    fn memory_bytes(&self) -> usize {
        size_of::<Self>()
            + size_of_val(&*self.direct)
            + size_of_val(&*self.nodes)
            + size_of_val(&*self.leaves)
    }
}

fn lookup_batch<A: Address>(
    direct_bits: u32,
    direct: &[u32],
    nodes: &[Node],
    leaves: &[u16],
    addresses: &[A],
    values: &mut [u16],
) {
    for (value, &address) in values.iter_mut().zip(addresses) {
        *value = lookup(direct_bits, direct, nodes, leaves, address);
    }
}

#[inline(always)]
fn lookup<A: Address>(
    direct_bits: u32,
    direct: &[u32],
    nodes: &[Node],
    leaves: &[u16],
    address: A,
) -> u16 {
    let entry = direct[address.top_bits(direct_bits)];
    if entry & LEAF != 0 {
        return entry as u16;
    }
    let mut index = entry as usize;
    let mut rest = address << direct_bits;
    loop {
        let node = &nodes[index];
        let slot = rest.top_bits(STRIDE);
        if (node.vector >> slot) & 1 == 0 {
            return leaves[node.leaf_index(slot)];
        }
        index = node.child_index(slot);
        rest = rest << STRIDE;
    }
}

impl Node {
    /// Makes the node of `block`, whose slots begin at bit `offset`, with its two bases. Its
    /// leaves go to `leaves`, its children to `below`.
    fn emit<'a, A: Address>(
        block: Block<'a, A>,
        offset: u32,
        (base0, base1): (u32, u32),
        leaves: &mut Vec<u16>,
        below: &mut Vec<Block<'a, A>>,
    ) -> Self {
        let mut node = Self { vector: 0, leafvec: 0, base0, base1 };
        let mut leaf_before = None;
        for_each_slot(block, offset, STRIDE, |slot, block| match block.ranges {
            [range] => {
                if leaf_before != Some(range.value) {
                    leaf_before = Some(range.value);
                    node.leafvec |= 1 << slot;
                    leaves.push(range.value);
                }
            }
            _ => {
                node.vector |= 1 << slot;
                below.push(block);
            }
        });
        node
    }

    /// Returns the index of the leaf that holds `slot`, a slot without a node.
    #[inline(always)]
    fn leaf_index(&self, slot: usize) -> usize {
        // The first leaf's bit is set, whatever slots lead to nodes before it, so that the count is
        // not 0. For slot 63 the shift leaves 0, and the mask is all ones.
        let up_to_slot = (2u64 << slot).wrapping_sub(1);
        self.base0 as usize + (self.leafvec & up_to_slot).count_ones() as usize - 1
    }

    /// Returns the index of the node that `slot` leads to.
    #[inline(always)]
    fn child_index(&self, slot: usize) -> usize {
        let before_slot = (1u64 << slot) - 1;
        self.base1 as usize + (self.vector & before_slot).count_ones() as usize
    }
}

/// The addresses that share a slot, from `first` on.
struct Block<'a, A> {
    first: A,
    /// The ranges that reach into the block; the first one may begin before it, the last one may
    /// end behind it.
    ranges: &'a [Range<A, u16>],
}

/// Cuts `block`, whose addresses share their first `offset` bits, by the next `bits` bits.
fn for_each_slot<'a, A: Address>(
    block: Block<'a, A>,
    offset: u32,
    bits: u32,
    mut visit: impl FnMut(usize, Block<'a, A>),
) {
    let ranges = block.ranges;
    let mut start = 0;
    for slot in 0..1 << bits {
        let first = block.first | A::from_slot(slot, offset, bits);
        let last = first.last_of_block(offset + bits);
        // A range that begins with the slot leaves nothing of the one before it.
        if ranges.get(start + 1).is_some_and(|range| range.first <= first) {
            start += 1;
        }
        let mut end = start + 1;
        while ranges.get(end).is_some_and(|range| range.first <= last) {
            end += 1;
        }
        visit(slot, Block { first, ranges: &ranges[start..end] });
        start = end - 1;
    }
}

/// Chooses the paper's s: the most of 2, 8, 14 and 18 bits that costs at most eight entries (32
/// bytes) a range.
///
/// An empty table takes 16 bytes, one of 300 routes takes 1 KiB, one of the Internet's size takes
/// the paper's 18 bits in 1 MiB. From 2, 8 and 14 bits, strides of six end exactly at 32 and 128.
fn direct_bits_for(range_count: usize) -> u32 {
    [18, 14, 8].into_iter().find(|&bits| 1 << bits <= 8 * range_count).unwrap_or(2)
}

fn checked_index(index: usize, what: &'static str, limit: usize) -> Result<u32, CompileError> {
    let too_large = CompileError::TooLarge { kind: LpmKind::Poptrie, what, limit };
    if index > limit {
        return Err(too_large);
    }
    u32::try_from(index).map_err(|_| too_large)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lpm::conformance::conformance;
    use crate::lpm::ranges::flatten;
    use crate::lpm::table::Route;

    /// Every size of the direct table must answer alike, whatever the number of ranges.
    fn compile<A: Address>(routes: &[Route], direct_bits: u32) -> Box<dyn Engine<A>> {
        let trie = Poptrie::compile_with(&flatten(routes, 0), direct_bits, ITEM_COUNT_MAX);
        Box::new(trie.expect("few nodes"))
    }

    conformance!(ipv4, u32, |routes| Box::new(Poptrie::compile(&flatten(routes, 0)).unwrap()));
    conformance!(ipv6, u128, |routes| Box::new(Poptrie::compile(&flatten(routes, 0)).unwrap()));
    conformance!(ipv4_from_8_bits, u32, |routes| compile(routes, 8));
    conformance!(ipv4_from_14_bits, u32, |routes| compile(routes, 14));
    conformance!(ipv4_from_18_bits, u32, |routes| compile(routes, 18));
    conformance!(ipv6_from_8_bits, u128, |routes| compile(routes, 8));
    conformance!(ipv6_from_14_bits, u128, |routes| compile(routes, 14));
    conformance!(ipv6_from_18_bits, u128, |routes| compile(routes, 18));

    fn trie(routes: &[(&str, u16)], direct_bits: u32) -> Poptrie<u32> {
        let routes: Vec<Route> =
            routes.iter().map(|&(prefix, value)| (prefix.parse().expect(prefix), value)).collect();
        Poptrie::compile_with(&flatten(&routes, 0), direct_bits, ITEM_COUNT_MAX).unwrap()
    }

    #[test]
    fn a_node_is_laid_out_as_in_the_paper() {
        // Behind 8 direct bits, 10.0.0.0/10 fills slots 0 to 15 of the one node, 10.64.0.0/10
        // slots 16 to 31, and 10.64.0.0/15 leads from slot 16 to a node.
        let trie = trie(&[("10.0.0.0/10", 1), ("10.64.0.0/10", 2), ("10.64.0.0/15", 3)], 8);
        let root = Node { vector: 1 << 16, leafvec: 1 | 1 << 17 | 1 << 32, base0: 0, base1: 1 };
        let child = Node { vector: 0, leafvec: 1 | 1 << 32, base0: 3, base1: 2 };
        assert_eq!(*trie.nodes, [root, child]);
        assert_eq!(*trie.leaves, [1, 2, 0, 3, 2]);
        assert_eq!(trie.direct[10], 0);
        assert!((0..256).filter(|&index| index != 10).all(|index| trie.direct[index] == LEAF));
    }

    #[test]
    fn the_direct_table_is_in_proportion() {
        for (range_count, direct_bits) in [
            (1, 2),
            (31, 2),
            (32, 8),
            (600, 8),
            (2_047, 8),
            (2_048, 14),
            (32_767, 14),
            (32_768, 18),
            (1_000_000, 18),
        ] {
            assert_eq!(direct_bits_for(range_count), direct_bits, "{range_count}");
        }
    }

    #[test]
    fn too_many_nodes_or_leaves_are_an_error() {
        let routes: Vec<Route> =
            (1..=16).map(|value| (format!("10.0.{value}.1/32").parse().unwrap(), value)).collect();
        let ranges = flatten::<u32, u16>(&routes, 0);
        let whole = Poptrie::compile_with(&ranges, 8, ITEM_COUNT_MAX).unwrap();
        assert!(whole.leaves.len() > whole.nodes.len());
        assert!(Poptrie::compile_with(&ranges, 8, whole.leaves.len()).is_ok());
        for (limit, what) in [(whole.nodes.len(), "leaves"), (whole.nodes.len() - 1, "nodes")] {
            let error = Poptrie::compile_with(&ranges, 8, limit).map(|_| ()).unwrap_err();
            assert_eq!(error, CompileError::TooLarge { kind: LpmKind::Poptrie, what, limit });
        }
    }
}
