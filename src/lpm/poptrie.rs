//! Poptrie: a trie of 64-way nodes whose children are counted, not pointed to.
//!
//! The first `s` bits of an address index a direct table. Its entry is a node for the next six
//! bits, whose slots lead to leaves or to nodes for the six after; and so on.
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
//! Two things are not as in the paper. A direct entry always is a node, for a block with one value
//! the one node of that value: no branch asks which. And a node is in two parts, since nearly all
//! lookups end at the first node they meet and never ask for its children: 16 bytes do not straddle
//! cache lines as 24 do. Leaves are of 8 bits where the values are.
//!
//! Nodes are laid out breadth first: the upper levels, which every lookup shares, stay together.
//!
//! Source: H. Asai, Y. Ohara, "Poptrie: A Compressed Trie with Population Count for Fast and
//! Scalable Software IP Routing Table Lookup", SIGCOMM 2015, §3.

use std::collections::HashMap;

use super::address::Address;
use super::blocks::Block;
use super::engine::{Engine, LpmKind};
use super::error::CompileError;
use super::kernel::Isa;
use super::kernel_poptrie::{Inner, Node, PoptrieTables, STRIDE};
use super::ranges::Range;

/// A poptrie with leaves of type `L`.
struct Poptrie<L> {
    tables: PoptrieTables<L>,
}

/// The highest number of nodes, and of leaves. Half of what 32 bits can number, so that a base and
/// the count of 64 slots cannot overflow.
const ITEM_COUNT_MAX: usize = (1 << 31) - 1;

/// Compiles flat ranges.
pub(super) fn compile<A: Address>(
    ranges: &[Range<A, u16>],
) -> Result<Box<dyn Engine<A>>, CompileError> {
    compile_with(ranges, direct_bits_for(ranges.len()), ITEM_COUNT_MAX)
}

fn compile_with<A: Address>(
    ranges: &[Range<A, u16>],
    direct_bits: u32,
    item_count_max: usize,
) -> Result<Box<dyn Engine<A>>, CompileError> {
    let arrays = Arrays::emit(ranges, direct_bits, item_count_max)?;
    let Arrays { direct, nodes, inners, leaves } = &arrays;
    let narrow: Result<Vec<u8>, _> = leaves.iter().map(|&leaf| u8::try_from(leaf)).collect();
    Ok(match narrow {
        Ok(leaves) => Box::new(Poptrie {
            tables: PoptrieTables::new(direct_bits, direct, nodes, inners, &leaves),
        }),
        Err(_) => Box::new(Poptrie {
            tables: PoptrieTables::new(direct_bits, direct, nodes, inners, leaves),
        }),
    })
}

impl<A: Address, L: Copy + Into<u16> + Send + Sync> Engine<A> for Poptrie<L> {
    fn kind(&self) -> LpmKind {
        LpmKind::Poptrie
    }

    fn lookup(&self, address: A) -> u16 {
        self.tables.lookup(address)
    }

    fn lookup_batch(&self, isa: Isa, addresses: &[A], values: &mut [u16]) {
        self.tables.lookup_batch(isa, addresses, values);
    }

    fn memory_bytes(&self) -> usize {
        size_of::<Self>() + self.tables.heap_bytes()
    }
}

/// What the trie is made of.
#[derive(Default)]
struct Arrays {
    direct: Vec<u32>,
    nodes: Vec<Node>,
    inners: Vec<Inner>,
    leaves: Vec<u16>,
}

impl Arrays {
    fn emit<A: Address>(
        ranges: &[Range<A, u16>],
        direct_bits: u32,
        item_count_max: usize,
    ) -> Result<Self, CompileError> {
        let mut arrays = Self::default();
        arrays.inners.push(Inner { vector: 0, base1: 0 });
        // The blocks of the level to come: those that hold more than one range.
        let mut level = Vec::new();
        let mut node_of_value = HashMap::new();
        let Self { direct, nodes, leaves, .. } = &mut arrays;
        Block::all(ranges).for_each_slot(0, direct_bits, |_, block| match block.ranges {
            &[Range { value, .. }] => {
                direct.push(*node_of_value.entry(value).or_insert_with(|| {
                    // At most 2^18 of these and of the blocks: far from the limit.
                    leaves.push(value);
                    nodes.push(Node { leafvec: 1, base0: leaves.len() as u32 - 1, inner: 0 });
                    nodes.len() as u32 - 1
                }))
            }
            _ => {
                direct.push(LEVEL_TO_COME + level.len() as u32);
                level.push(block);
            }
        });
        let first = nodes.len() as u32;
        for entry in direct.iter_mut().filter(|entry| **entry >= LEVEL_TO_COME) {
            *entry = *entry - LEVEL_TO_COME + first;
        }

        let mut offset = direct_bits;
        while !level.is_empty() {
            let mut below = Vec::new();
            let below_index = arrays.nodes.len() + level.len();
            for block in &level {
                checked_index(arrays.leaves.len(), "leaves", item_count_max)?;
                let base1 = checked_index(below_index + below.len(), "nodes", item_count_max)?;
                arrays.emit_node(block, offset, base1, &mut below);
            }
            level = below;
            offset += STRIDE;
        }
        Ok(arrays)
    }

    /// Makes the node of `block`, whose slots begin at bit `offset`. Its children go to `below`;
    /// the first of them will have the index `base1`.
    fn emit_node<'a, A: Address>(
        &mut self,
        block: &Block<'a, A, u16>,
        offset: u32,
        base1: u32,
        below: &mut Vec<Block<'a, A, u16>>,
    ) {
        let mut node = Node { leafvec: 0, base0: self.leaves.len() as u32, inner: 0 };
        let mut vector = 0;
        let mut leaf_before = None;
        block.for_each_slot(offset, STRIDE, |slot, block| match block.ranges {
            [range] => {
                if leaf_before != Some(range.value) {
                    leaf_before = Some(range.value);
                    node.leafvec |= 1 << slot;
                    self.leaves.push(range.value);
                }
            }
            _ => {
                vector |= 1 << slot;
                below.push(block);
            }
        });
        if vector != 0 {
            node.inner = self.inners.len() as u32;
            self.inners.push(Inner { vector, base1 });
        }
        self.nodes.push(node);
    }
}

/// Marks a direct entry whose node has no number yet.
const LEVEL_TO_COME: u32 = 1 << 31;

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
    fn compile_from<A: Address>(direct_bits: u32, routes: &[Route]) -> Box<dyn Engine<A>> {
        compile_with(&flatten(routes, 0), direct_bits, ITEM_COUNT_MAX).expect("few nodes")
    }

    conformance!(ipv4, u32, |routes| compile(&flatten(routes, 0)).unwrap());
    conformance!(ipv6, u128, |routes| compile(&flatten(routes, 0)).unwrap());
    conformance!(ipv4_from_8_bits, u32, |routes| compile_from(8, routes));
    conformance!(ipv4_from_14_bits, u32, |routes| compile_from(14, routes));
    conformance!(ipv4_from_18_bits, u32, |routes| compile_from(18, routes));
    conformance!(ipv6_from_8_bits, u128, |routes| compile_from(8, routes));
    conformance!(ipv6_from_14_bits, u128, |routes| compile_from(14, routes));
    conformance!(ipv6_from_18_bits, u128, |routes| compile_from(18, routes));

    #[test]
    fn a_node_is_laid_out_as_in_the_paper() {
        // Behind 8 direct bits, 10.0.0.0/10 fills slots 0 to 15 of the one node, 10.64.0.0/10
        // slots 16 to 31, and 10.64.0.0/15 leads from slot 16 to a node.
        let routes: Vec<Route> = [("10.0.0.0/10", 1), ("10.64.0.0/10", 2), ("10.64.0.0/15", 3)]
            .map(|(prefix, value)| (prefix.parse().unwrap(), value))
            .into();
        let arrays = Arrays::emit(&flatten::<u32, _>(&routes, 0), 8, ITEM_COUNT_MAX).unwrap();
        let no_route = Node { leafvec: 1, base0: 0, inner: 0 };
        let root = Node { leafvec: 1 | 1 << 17 | 1 << 32, base0: 1, inner: 1 };
        let child = Node { leafvec: 1 | 1 << 32, base0: 4, inner: 0 };
        assert_eq!(arrays.nodes, [no_route, root, child]);
        let childless = Inner { vector: 0, base1: 0 };
        assert_eq!(arrays.inners, [childless, Inner { vector: 1 << 16, base1: 2 }]);
        assert_eq!(arrays.leaves, [0, 1, 2, 0, 3, 2]);
        assert!((0u32..256).all(|index| arrays.direct[index as usize] == u32::from(index == 10)));
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
        let whole = Arrays::emit(&ranges, 8, ITEM_COUNT_MAX).unwrap();
        let (node_count, leaf_count) = (whole.nodes.len(), whole.leaves.len());
        assert!(leaf_count > node_count);
        assert!(Arrays::emit(&ranges, 8, leaf_count).is_ok());
        for (limit, what) in [(node_count, "leaves"), (node_count - 1, "nodes")] {
            let error = Arrays::emit(&ranges, 8, limit).map(|_| ()).unwrap_err();
            assert_eq!(error, CompileError::TooLarge { kind: LpmKind::Poptrie, what, limit });
        }
    }
}
