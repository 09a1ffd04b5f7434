//! How the tables of a forest are laid out: bases, blocks of their own, lines.
//!
//! ```text
//!   address  │ 8 bits │ 8 bits │ 16 bits │
//!                 │        │        │
//!   handle ─┬─▶ entry ─▶ lead ─▶ line          of the base
//!           └─▶ own ───▶ lead ─▶ line          of the block
//! ```
//!
//! A base has an entry for each /8, which leads to a lead for each /16, which leads to lines: ranges
//! of the last sixteen bits, found by one comparison. Where one line cannot hold them there are as
//! many as tell them apart, by a few more bits; and where those would be too many, since the ranges
//! stand close together, a tree of lines.
//!
//! The first table of its kind makes a base; one that differs from a base in few /16 is of that base.
//! When all tables are there, each /16 of a base becomes what most of its tables have in it: the first
//! one's own block then is a difference like any other's.

use std::collections::hash_map::Entry as MapEntry;

use ahash::AHashMap;

use super::kernel_forest::{Entry, ForestTables, Handle, Lead, Line};
use super::ranges::Range;

/// All bases and what they are made of.
#[derive(Default)]
pub(super) struct Bases {
    contents: Contents,
    bases: Vec<Vec<Run>>,
    /// Bases of tables that were like none of those that are searched.
    alone: AHashMap<Vec<Run>, u32>,
}

/// A table: its base, and the /16 in which it has something else.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct TableOfBase {
    base: u32,
    differences: Vec<Run>,
}

/// What a /16 holds; among those of a base, that is what all hold up to the next one named.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Run {
    slot: u16,
    /// A number of [`Contents`].
    content: u32,
}

/// Different ranges of a /16, with their numbers: where each begins, the first one at 0, and its
/// value.
#[derive(Default)]
struct Contents {
    numbers: AHashMap<Box<[LowRange]>, u32>,
}

type LowRange = (u16, u16);

/// Among so many bases, the one is looked for that a table is like. More would cost more time than
/// they are worth: one base for each hub is what is found in practice.
const BASES_SEARCHED_MAX: usize = 64;

/// A table is of a base where it differs in no more than so many places, each of any length, and in no
/// more /16 than that.
const PLACES_MAX: usize = 8;
const DIFFERENCES_MAX: usize = 512;

/// The number of /16, and of those in a /8.
const SLOTS: usize = 1 << 16;
const SLOTS_OF_ENTRY: usize = 1 << 8;

impl Bases {
    /// Adds a table of flat ranges.
    pub(super) fn add(&mut self, ranges: &[Range<u32, u16>]) -> TableOfBase {
        let runs = self.runs(ranges);
        for (base, of_base) in (0..).zip(self.bases.iter().take(BASES_SEARCHED_MAX)) {
            if let Some(differences) = differences(of_base, &runs) {
                return TableOfBase { base, differences };
            }
        }
        let next = u32::try_from(self.bases.len()).expect("memory ends before");
        let base = match self.bases.len() < BASES_SEARCHED_MAX {
            true => next,
            false => *self.alone.entry(runs.clone()).or_insert(next),
        };
        if base == next {
            self.bases.push(runs);
        }
        TableOfBase { base, differences: Vec::new() }
    }

    /// Cuts ranges into what each /16 holds.
    fn runs(&mut self, ranges: &[Range<u32, u16>]) -> Vec<Run> {
        let mut runs: Vec<Run> = Vec::with_capacity(ranges.len());
        let mut push = |slot: usize, content| {
            if slot < SLOTS && runs.last().is_none_or(|run| run.content != content) {
                runs.push(Run { slot: slot as u16, content });
            }
        };
        let mut content = Vec::new();
        let mut value_before = 0;
        let mut slot_next = 0;
        for starts in ranges.chunk_by(|a, b| slot_of(a) == slot_of(b)) {
            let slot = slot_of(&starts[0]);
            if slot > slot_next {
                push(slot_next, self.contents.number(&[(0, value_before)]));
            }
            content.clear();
            if starts[0].first as u16 != 0 {
                content.push((0, value_before));
            }
            content.extend(starts.iter().map(|range| (range.first as u16, range.value)));
            push(slot, self.contents.number(&content));
            value_before = starts[starts.len() - 1].value;
            slot_next = slot + 1;
        }
        push(slot_next, self.contents.number(&[(0, value_before)]));
        runs
    }

    /// Lays the tables out.
    ///
    /// # Panics
    ///
    /// Panics where there are more than 2^26 lines, 4 GiB.
    pub(super) fn lay_out(mut self, mut tables: Vec<TableOfBase>) -> ForestTables {
        self.take_what_most_have(&mut tables);
        let mut layout = Layout::new(self.contents);
        let bases: Vec<u32> = self.bases.iter().map(|runs| layout.base(runs)).collect();
        let handles: Vec<Handle> = tables
            .iter()
            .map(|table| {
                let index = table.base as usize;
                layout.handle(bases[index], &self.bases[index], &table.differences)
            })
            .collect();
        layout.into_tables(&handles)
    }

    /// Gives each base in each /16 what most of its tables have there.
    fn take_what_most_have(&mut self, tables: &mut [TableOfBase]) {
        let mut table_counts = vec![0usize; self.bases.len()];
        let mut counts: AHashMap<(u32, u16), AHashMap<u32, usize>> = AHashMap::new();
        for table in tables.iter() {
            table_counts[table.base as usize] += 1;
            for run in &table.differences {
                *counts
                    .entry((table.base, run.slot))
                    .or_default()
                    .entry(run.content)
                    .or_default() += 1;
            }
        }
        // For each /16 that changes, what the base had there.
        let mut changes: Vec<Vec<Run>> = vec![Vec::new(); self.bases.len()];
        let mut becomes: Vec<Vec<Run>> = vec![Vec::new(); self.bases.len()];
        for ((base, slot), of_slot) in counts {
            let of_base = table_counts[base as usize] - of_slot.values().sum::<usize>();
            // Of equally many, the content that came first: the same at any time.
            let most = of_slot.iter().max_by_key(|&(&content, &count)| (count, !content));
            if let Some((&content, &count)) = most
                && count > of_base
            {
                let had = content_at(&self.bases[base as usize], slot);
                changes[base as usize].push(Run { slot, content: had });
                becomes[base as usize].push(Run { slot, content });
            }
        }
        for runs in changes.iter_mut().chain(&mut becomes) {
            runs.sort_unstable();
        }
        for (base, becomes) in self.bases.iter_mut().zip(&becomes) {
            *base = replaced(base, becomes);
        }
        for table in tables {
            let changes = &changes[table.base as usize];
            let becomes = &becomes[table.base as usize];
            if changes.is_empty() {
                continue;
            }
            let mut has: Vec<Run> = table.differences.clone();
            let differs = |slot| table.differences.iter().any(|run| run.slot == slot);
            has.extend(changes.iter().filter(|change| !differs(change.slot)));
            has.retain(|run| !becomes.contains(run));
            has.sort_unstable();
            table.differences = has;
        }
    }
}

impl Contents {
    fn number(&mut self, content: &[LowRange]) -> u32 {
        if let Some(&number) = self.numbers.get(content) {
            return number;
        }
        let number = u32::try_from(self.numbers.len()).expect("memory ends before");
        self.numbers.insert(content.into(), number);
        number
    }

    /// Returns the contents in the order of their numbers.
    fn into_list(self) -> Vec<Box<[LowRange]>> {
        let mut list: Vec<_> = self.numbers.into_iter().collect();
        list.sort_unstable_by_key(|&(_, number)| number);
        list.into_iter().map(|(content, _)| content).collect()
    }
}

/// The arrays to be.
struct Layout {
    contents: Vec<Box<[LowRange]>>,
    /// The lead to each content, from when it is needed.
    lead_of_content: Vec<Option<Lead>>,
    entries: Vec<Entry>,
    bases: AHashMap<Vec<Entry>, u32>,
    leads: Vec<Lead>,
    /// Where the leads to contents in a row are, of blocks and of bases.
    leads_of_contents: AHashMap<Vec<u32>, usize>,
    /// Where the lead is to that part of a content in which it differs from another: by the number
    /// of the other, and its own.
    leads_of_parts: AHashMap<(u32, u32), usize>,
    leaves: Vec<Line>,
    /// Trees of lines, behind the leaves when all of those are there.
    trees: Vec<Line>,
}

impl Layout {
    fn new(contents: Contents) -> Self {
        let contents = contents.into_list();
        Self {
            lead_of_content: vec![None; contents.len()],
            contents,
            entries: Vec::new(),
            bases: AHashMap::new(),
            // What a block's entry counts from may lie up to 255 before it.
            leads: vec![Lead::lines(0, 16); SLOTS_OF_ENTRY],
            leads_of_contents: AHashMap::new(),
            leads_of_parts: AHashMap::new(),
            leaves: vec![Line::leaf(&[(u16::MAX, 0)])],
            trees: Vec::new(),
        }
    }

    /// Returns the index of the first entry of a base.
    fn base(&mut self, runs: &[Run]) -> u32 {
        let entries = (0..SLOTS)
            .step_by(SLOTS_OF_ENTRY)
            .map(|slot| self.entry(contents_of(runs, slot, SLOTS_OF_ENTRY)))
            .collect();
        self.entries_of_base(entries)
    }

    fn entries_of_base(&mut self, entries: Vec<Entry>) -> u32 {
        let next =
            u32::try_from(self.entries.len()).expect("a base is a kilobyte, memory ends before");
        match self.bases.entry(entries) {
            MapEntry::Occupied(known) => *known.get(),
            MapEntry::Vacant(new) => {
                self.entries.extend_from_slice(new.key());
                *new.insert(next)
            }
        }
    }

    /// Returns the entry of a /8.
    fn entry(&mut self, contents: Vec<u32>) -> Entry {
        match contents.iter().all(|content| *content == contents[0]) {
            true => Entry::new(self.leads_to(vec![contents[0]]), 24),
            false => Entry::new(self.leads_to(contents), 16),
        }
    }

    /// Returns the index of the first of leads to contents in a row.
    fn leads_to(&mut self, contents: Vec<u32>) -> usize {
        if let Some(&first) = self.leads_of_contents.get(&contents) {
            return first;
        }
        let first = self.leads.len();
        for &content in &contents {
            let lead = self.lead(content);
            self.leads.push(lead);
        }
        self.leads_of_contents.insert(contents, first);
        first
    }

    /// Returns the lead to a content.
    fn lead(&mut self, content: u32) -> Lead {
        let index = content as usize;
        if let Some(lead) = self.lead_of_content[index] {
            return lead;
        }
        let ranges = std::mem::take(&mut self.contents[index]);
        let lead = self.emit(&ranges, 0, 16);
        self.contents[index] = ranges;
        self.lead_of_content[index] = Some(lead);
        lead
    }

    /// Returns the handle of a table of a base.
    fn handle(&mut self, base: u32, runs: &[Run], differences: &[Run]) -> Handle {
        let (Some(first), Some(last)) = (differences.first(), differences.last()) else {
            return Handle::of_base(base);
        };
        if first.slot == last.slot {
            return self.handle_of_part(base, content_at(runs, first.slot), *first);
        }
        let bits = 16 - (first.slot ^ last.slot).leading_zeros() as usize;
        if bits > 8 {
            return self.handle_of_base_alone(base, runs, differences);
        }
        let count = 1usize << bits;
        let slot_first = usize::from(first.slot) & !(count - 1);
        let runs = replaced(runs, differences);
        let leads_first = self.leads_to(contents_of(&runs, slot_first, count));
        let own = Entry::new(leads_first - slot_first % SLOTS_OF_ENTRY, 16);
        let mask = u32::MAX << 16 << bits;
        Handle::with_block(base, (slot_first as u32) << 16, mask, own)
    }

    /// Returns the handle of a table that differs in one /16, which holds `other` in the base: only
    /// the part of the /16 in which it does counts.
    fn handle_of_part(&mut self, base: u32, other: u32, difference: Run) -> Handle {
        let Run { slot, content } = difference;
        let (first, bits) =
            block_that_differs(&self.contents[other as usize], &self.contents[content as usize]);
        let index = match self.leads_of_parts.get(&(other, content)) {
            Some(&index) => index,
            None => {
                let ranges = std::mem::take(&mut self.contents[content as usize]);
                let lead = self.emit(&ranges, first, bits);
                self.contents[content as usize] = ranges;
                self.leads.push(lead);
                self.leads_of_parts.insert((other, content), self.leads.len() - 1);
                self.leads.len() - 1
            }
        };
        let first = u32::from(slot) << 16 | u32::from(first);
        Handle::with_block(base, first, u32::MAX << bits, Entry::new(index, 24))
    }

    /// Returns the handle of a table that differs in several /8: it gets a base of its own.
    fn handle_of_base_alone(&mut self, base: u32, runs: &[Run], differences: &[Run]) -> Handle {
        let of_base = base as usize..base as usize + 256;
        let mut entries = self.entries[of_base].to_vec();
        let runs = replaced(runs, differences);
        for of_entry in differences.chunk_by(|a, b| a.slot >> 8 == b.slot >> 8) {
            let index = usize::from(of_entry[0].slot >> 8);
            let contents = contents_of(&runs, index * SLOTS_OF_ENTRY, SLOTS_OF_ENTRY);
            entries[index] = self.entry(contents);
        }
        Handle::of_base(self.entries_of_base(entries))
    }

    /// Makes the lines of the `2^bits` addresses from `first` on.
    fn emit(&mut self, ranges: &[LowRange], first: u16, bits: u32) -> Lead {
        // The fewest lines that hold the ranges, as long as they are not mostly empty.
        let within = parts(ranges, first, bits, bits).next().unwrap_or(ranges);
        let split_max = (4 * within.len() / Line::LENGTH + 4).ilog2().min(8).min(bits);
        let lines = |split: u32| parts(within, first, bits, bits - split);
        let holds_all = |&split: &u32| lines(split).all(|line| line.len() <= Line::LENGTH);
        let Some(split) = (0..=split_max).find(holds_all) else {
            return self.emit_tree(&with_lasts(within));
        };
        let shift = if split == 0 { 16 } else { bits - split };
        let offset = usize::from(first) >> shift;
        // The lead counts from the start of the /16.
        let blank = self.leaves[0];
        self.leaves.resize(self.leaves.len().max(offset), blank);
        let lead = Lead::lines(self.leaves.len() - offset, shift);
        self.leaves.extend(lines(split).map(|line| Line::leaf(&with_lasts(line))));
        lead
    }

    /// Makes a tree of lines, and a lead to it; where that goes in the end is known later.
    fn emit_tree(&mut self, ranges: &[(u16, u16)]) -> Lead {
        let leaf_count = ranges.len().div_ceil(Line::LENGTH);
        let depth = (1..).find(|&depth| Line::CHILDREN.pow(depth) >= leaf_count).unwrap_or(1);
        let root = self.trees.len();
        self.emit_subtree(ranges, depth);
        Lead::tree(root, depth as usize)
    }

    fn emit_subtree(&mut self, ranges: &[(u16, u16)], depth: u32) {
        if depth == 0 {
            self.trees.push(Line::leaf(ranges));
            return;
        }
        let children = ranges.chunks(Line::LENGTH * Line::CHILDREN.pow(depth - 1));
        let lasts: Vec<u16> =
            children.clone().filter_map(|child| child.last().map(|range| range.0)).collect();
        self.trees.push(Line::inner(&lasts));
        children.for_each(|child| self.emit_subtree(child, depth - 1));
    }

    fn into_tables(mut self, handles: &[Handle]) -> ForestTables {
        // Leads of blocks lead behind their lines for addresses that never meet them.
        let blank = self.leaves[0];
        let leaf_count = self.leads.iter().map(|lead| lead.leaf_count()).max().unwrap_or(0);
        self.leaves.resize(self.leaves.len().max(leaf_count), blank);
        let trees_first = self.leaves.len();
        for lead in &mut self.leads {
            *lead = lead.with_trees_at(trees_first);
        }
        self.leaves.append(&mut self.trees);
        ForestTables::new(handles, &self.entries, &self.leads, &self.leaves)
    }
}

/// Returns the parts of `2^shift` addresses of a block of `2^bits` from `first` on: of each, the ranges
/// that reach into it.
fn parts(
    ranges: &[LowRange],
    first: u16,
    bits: u32,
    shift: u32,
) -> impl Iterator<Item = &[LowRange]> {
    (0..1u32 << (bits - shift)).map(move |part| {
        let first = u32::from(first) + (part << shift);
        let last = first + ((1 << shift) - 1);
        let start = ranges.partition_point(|range| u32::from(range.0) <= first) - 1;
        let end = ranges.partition_point(|range| u32::from(range.0) <= last);
        &ranges[start..end]
    })
}

/// Returns what each of `count` /16 from `slot` on holds.
fn contents_of(runs: &[Run], slot: usize, count: usize) -> Vec<u32> {
    let mut index = runs.partition_point(|run| usize::from(run.slot) <= slot) - 1;
    (slot..slot + count)
        .map(|slot| {
            index +=
                usize::from(runs.get(index + 1).is_some_and(|run| usize::from(run.slot) == slot));
            runs[index].content
        })
        .collect()
}

/// Returns where a table differs from a base, or `None` where that is too much.
fn differences(base: &[Run], table: &[Run]) -> Option<Vec<Run>> {
    let mut differences = Vec::new();
    let mut place_count = 0;
    let mut was_different = false;
    let (mut base_index, mut table_index) = (0, 0);
    let mut slot = 0;
    while slot < SLOTS {
        let end_of = |runs: &[Run], index: usize| {
            runs.get(index + 1).map_or(SLOTS, |run| usize::from(run.slot))
        };
        let (base_end, table_end) = (end_of(base, base_index), end_of(table, table_index));
        let end = base_end.min(table_end);
        let content = table[table_index].content;
        let is_different = content != base[base_index].content;
        if is_different {
            place_count += usize::from(!was_different);
            if place_count > PLACES_MAX || differences.len() + end - slot > DIFFERENCES_MAX {
                return None;
            }
            differences.extend((slot..end).map(|slot| Run { slot: slot as u16, content }));
        }
        was_different = is_different;
        base_index += usize::from(base_end == end);
        table_index += usize::from(table_end == end);
        slot = end;
    }
    Some(differences)
}

/// Returns what a /16 holds.
fn content_at(runs: &[Run], slot: u16) -> u32 {
    runs[runs.partition_point(|run| run.slot <= slot) - 1].content
}

/// Returns the runs with some /16 changed.
fn replaced(runs: &[Run], changes: &[Run]) -> Vec<Run> {
    let mut result: Vec<Run> = Vec::with_capacity(runs.len() + 2 * changes.len());
    let mut push = |run: Run| {
        if result.last().is_none_or(|last| last.content != run.content) {
            result.push(run);
        }
    };
    let mut rest = runs.iter().copied().peekable();
    let mut content = 0;
    for (index, change) in changes.iter().enumerate() {
        while let Some(run) = rest.next_if(|run| run.slot <= change.slot) {
            content = run.content;
            if run.slot < change.slot {
                push(run);
            }
        }
        push(*change);
        let is_next = |run: Option<&Run>| run.is_some_and(|run| run.slot - 1 == change.slot);
        if change.slot < u16::MAX && !is_next(changes.get(index + 1)) && !is_next(rest.peek()) {
            push(Run { slot: change.slot + 1, content });
        }
    }
    rest.for_each(push);
    result
}

/// Returns the smallest block of a /16 in which two contents, which are not equal, differ: its first
/// address, and how many bits it leaves.
fn block_that_differs(one: &[LowRange], other: &[LowRange]) -> (u16, u32) {
    let value_at = |content: &[LowRange], low: u16| {
        content[content.partition_point(|range| range.0 <= low) - 1].1
    };
    let mut starts: Vec<u16> = one.iter().chain(other).map(|range| range.0).collect();
    starts.sort_unstable();
    starts.dedup();
    let is_different = |start: &u16| value_at(one, *start) != value_at(other, *start);
    let first = starts.iter().position(is_different).unwrap_or(0);
    let last = starts.iter().rposition(is_different).unwrap_or(0);
    let last = starts.get(last + 1).map_or(u16::MAX, |next| next - 1);
    let first = starts[first];
    let bits = 16 - (first ^ last).leading_zeros();
    ((u32::from(first) & u32::MAX << bits) as u16, bits)
}

/// Returns the last address of each range, of which the last one ends with the /16, and its value.
fn with_lasts(ranges: &[LowRange]) -> Vec<(u16, u16)> {
    let last = |index: usize| ranges.get(index + 1).map_or(u16::MAX, |next| next.0 - 1);
    ranges.iter().enumerate().map(|(index, range)| (last(index), range.1)).collect()
}

fn slot_of(range: &Range<u32, u16>) -> usize {
    (range.first >> 16) as usize
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;
    use crate::lpm::kernel::Isa;
    use crate::lpm::ranges::flatten;
    use crate::lpm::sample::Random;
    use crate::lpm::{LpmForest, NaiveTable, Route};
    use crate::net::AddressPrefix;

    fn route(address: u32, length: u8, value: u16) -> Route {
        (AddressPrefix::new(Ipv4Addr::from_bits(address).into(), length).unwrap(), value)
    }

    /// Compares every kernel with the naive table at the edges of all prefixes of all tables.
    fn check(tables: &[Vec<Route>]) -> ForestTables {
        let mut bases = Bases::default();
        let of_bases = tables.iter().map(|routes| bases.add(&flatten(routes, 0))).collect();
        let forest = bases.lay_out(of_bases);
        let mut edges: Vec<u32> = tables
            .iter()
            .flatten()
            .flat_map(|(prefix, _)| [prefix.address(), prefix.last_address()])
            .filter_map(crate::lpm::address::Address::of)
            .flat_map(|edge: u32| [edge.wrapping_sub(1), edge, edge.wrapping_add(1)])
            .collect();
        edges.sort_unstable();
        edges.dedup();
        for (number, routes) in (0..).zip(tables) {
            let naive = NaiveTable::compile(routes);
            let want: Vec<u16> = edges
                .iter()
                .map(|&edge| naive.lookup(Ipv4Addr::from_bits(edge).into()).unwrap_or(0))
                .collect();
            let numbers = vec![number; edges.len()];
            for isa in Isa::available() {
                let mut values = vec![0xBEEF; edges.len()];
                forest.lookup_batch(isa, &numbers, &edges, &mut values);
                assert!(values == want, "{isa:?}, table {number}");
            }
        }
        forest
    }

    /// Hosts side by side: too many for a line, too close together for lines side by side.
    #[test]
    fn hosts_side_by_side_make_trees_of_every_depth() {
        // 16 ranges are a line, 512 a tree of one level, 16,384 one of two.
        let counts: &[u32] = if cfg!(miri) { &[17] } else { &[15, 16, 17, 64, 500, 520, 3_000] };
        for &count in counts {
            let hosts = |first: u32| -> Vec<Route> {
                (0..count).map(|host| route(first + host, 32, (host % 3) as u16 + 1)).collect()
            };
            check(&[hosts(0x0A00_0000), hosts(0x0A00_FF00), hosts(0xFFFF_0000), vec![]]);
        }
        let every_address: Vec<(u16, u16)> =
            (0..=u16::MAX).map(|address| (address, address % 7)).collect();
        let mut contents = Contents::default();
        contents.number(&every_address);
        let mut layout = Layout::new(contents);
        layout.leads_to(vec![0]);
        assert_eq!(layout.trees.len(), 1 + 4 * (1 + 32 * 33));
    }

    #[test]
    fn a_table_differs_from_its_base_in_one_block() {
        let hub: Vec<Route> = (0..40).map(|index| route(index << 21, 12, 5)).collect();
        let with = |routes: &[Route]| -> Vec<Route> { [&hub[..], routes].concat() };
        let tables = [
            // The first one's own block is no part of the base in the end.
            with(&[route(0x0A01_4000, 18, 1), route(0x0A01_4100, 24, 2)]),
            with(&[route(0x0A02_4000, 18, 1), route(0x0A02_4107, 32, 2)]),
            with(&[route(0x0A00_0000, 8, 3)]),
            with(&[route(0x0A10_0000, 14, 3)]),
            // Two places in one /8, in two /8, everywhere.
            with(&[route(0x0A03_0000, 16, 4), route(0x0AFF_0000, 16, 4)]),
            with(&[route(0x0A03_0000, 16, 4), route(0xC0A8_0000, 24, 4)]),
            with(&[route(0, 0, 6)]),
            hub.clone(),
            with(&[route(0x0A02_4000, 18, 1), route(0x0A02_4107, 32, 2)]),
            // The whole of the /16, its ends.
            with(&[route(0x0A04_0000, 32, 7), route(0x0A04_FFFF, 32, 8)]),
            with(&[route(u32::MAX, 32, 9)]),
            with(&[route(0, 32, 9)]),
        ];
        check(&tables);
        let forest = LpmForest::compile(tables.iter().map(Vec::as_slice)).unwrap();
        assert_eq!(forest.distinct_table_count(), tables.len() - 1);
    }

    #[test]
    fn tables_that_have_nothing_in_common_have_bases_of_their_own() {
        let mut random = Random::new(4);
        let table_count = if cfg!(miri) { 3 } else { BASES_SEARCHED_MAX + 8 };
        let mut tables: Vec<Vec<Route>> = (0..table_count)
            .map(|_| {
                let mut draw = || (random.next_bits() as u32, 8 + random.below(25) as u8);
                (0..30).map(|_| draw()).map(|(at, length)| route(at, length, 7)).collect()
            })
            .collect();
        // Equal to the last one, which is of no base that is searched.
        tables.push(tables[table_count - 1].clone());
        check(&tables);
        let forest = LpmForest::compile(tables.iter().map(Vec::as_slice)).unwrap();
        assert_eq!(forest.distinct_table_count(), table_count);
    }
}
