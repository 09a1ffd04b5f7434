//! The flows of all tables and inputs, brought together and put in order.

use std::cmp::Ordering;

use rayon::prelude::*;

use super::entry::Part;
use super::key::{Ends, Key, Seeds};
use super::table::FlowTable;
use super::{InputShare, PacketFlow, PacketFlows};

/// The flows of several tables, each once. No flow is in two tables.
///
/// Flows have numbers from 0; in order, a lower number is an earlier first time, then a lower key.
pub(in crate::classify) struct GatheredFlows<'t> {
    v4: Family<'t, 1>,
    v6: Family<'t, 4>,
    order: Option<Vec<Ordered>>,
}

/// The flows of one family: entries side by side that are parts of one flow.
struct Family<'t, const WORDS: usize> {
    tables: Vec<&'t FlowTable<WORDS>>,
    groups: Groups,
}

enum Groups {
    /// Every entry of every table is a flow; where those of each table end.
    Entries { ends: Vec<usize> },
    /// Places by flow, and where each flow's places begin, with their end at last.
    Places { places: Vec<Place>, starts: Vec<u32> },
}

/// Where an entry stands.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    tag: u32,
    table: u32,
    position: u32,
}

/// A flow in the order that rows have.
#[derive(Clone, Copy)]
struct Ordered {
    first_ns: i64,
    flow: u32,
}

impl<'t> GatheredFlows<'t> {
    /// What bringing together and ordering take for each entry, at most.
    pub(in crate::classify) const BYTES_PER_ENTRY: usize =
        size_of::<Place>() + size_of::<u32>() + size_of::<Ordered>();

    /// Brings the flows of tables with the same seeds together, in order where that is wanted.
    pub(in crate::classify) fn new(tables: &[&'t PacketFlows], wants_order: bool) -> Self {
        let Some(seeds) = tables.first().map(|table| table.seeds) else {
            return Self { v4: Family::empty(), v6: Family::empty(), order: None };
        };
        let v4 = Family::new(tables.iter().map(|table| &table.v4).collect(), &seeds);
        let v6 = Family::new(tables.iter().map(|table| &table.v6).collect(), &seeds);
        let mut flows = Self { v4, v6, order: None };
        flows.order = wants_order.then(|| flows.ordered());
        flows
    }

    /// Returns the number of flows.
    pub(in crate::classify) fn len(&self) -> usize {
        self.v4.len() + self.v6.len()
    }

    /// Returns a flow, and in `shares` the inputs that it occurs in, in their order.
    ///
    /// # Panics
    ///
    /// When there is no such flow.
    pub(in crate::classify) fn flow(
        &self,
        number: usize,
        shares: &mut Vec<InputShare>,
    ) -> PacketFlow {
        let flow = self.order.as_ref().map_or(number, |order| order[number].flow as usize);
        match flow.checked_sub(self.v4.len()) {
            None => self.v4.flow(flow, shares),
            Some(flow) => self.v6.flow(flow, shares),
        }
    }

    fn ordered(&self) -> Vec<Ordered> {
        let first_times = self.v4.first_times().chain(self.v6.first_times());
        let mut order: Vec<Ordered> =
            (0..).zip(first_times).map(|(flow, first_ns)| Ordered { first_ns, flow }).collect();
        order.par_sort_unstable_by(|a, b| {
            a.first_ns.cmp(&b.first_ns).then_with(|| self.order_of_keys(a.flow, b.flow))
        });
        order
    }

    /// IPv4 before IPv6, as addresses are ordered.
    fn order_of_keys(&self, a: u32, b: u32) -> Ordering {
        let (a, b, v4) = (a as usize, b as usize, self.v4.len());
        match (a.checked_sub(v4), b.checked_sub(v4)) {
            (None, None) => self.v4.key(a).order(&self.v4.key(b)),
            (Some(a), Some(b)) => self.v6.key(a).order(&self.v6.key(b)),
            (None, Some(_)) => Ordering::Less,
            (Some(_), None) => Ordering::Greater,
        }
    }
}

impl<'t, const WORDS: usize> Family<'t, WORDS>
where
    Key<WORDS>: Ends,
{
    fn empty() -> Self {
        Self { tables: Vec::new(), groups: Groups::Entries { ends: Vec::new() } }
    }

    fn new(mut tables: Vec<&'t FlowTable<WORDS>>, seeds: &Seeds) -> Self {
        tables.retain(|table| table.len() > 0);
        let groups = match tables.iter().all(|table| table.holds_each_flow_once()) {
            true => Groups::Entries { ends: ends_of(&tables) },
            false => grouped(&tables, seeds),
        };
        Self { tables, groups }
    }

    fn len(&self) -> usize {
        match &self.groups {
            Groups::Entries { ends } => ends.last().copied().unwrap_or(0),
            Groups::Places { starts, .. } => starts.len() - 1,
        }
    }

    fn key(&self, flow: usize) -> Key<WORDS> {
        match &self.groups {
            Groups::Entries { ends } => {
                let (table, position) = entry_of(ends, flow);
                self.tables[table as usize].entry(position).key()
            }
            Groups::Places { places, starts } => self.key_at(&places[starts[flow] as usize]),
        }
    }

    fn key_at(&self, place: &Place) -> Key<WORDS> {
        self.tables[place.table as usize].entry(place.position).key()
    }

    fn first_times(&self) -> impl Iterator<Item = i64> {
        (0..self.len()).map(|flow| match &self.groups {
            Groups::Entries { ends } => {
                let (table, position) = entry_of(ends, flow);
                self.tables[table as usize].entry(position).first_ns()
            }
            Groups::Places { places, starts } => {
                let places = &places[starts[flow] as usize..starts[flow + 1] as usize];
                let first_ns = |place: &Place| {
                    self.tables[place.table as usize].entry(place.position).first_ns()
                };
                places.iter().map(first_ns).min().expect("a flow has an entry")
            }
        })
    }

    fn flow(&self, flow: usize, shares: &mut Vec<InputShare>) -> PacketFlow {
        shares.clear();
        let part = match &self.groups {
            Groups::Entries { ends } => {
                let (table, position) = entry_of(ends, flow);
                self.part(table, position)
            }
            Groups::Places { places, starts } => {
                let places = &places[starts[flow] as usize..starts[flow + 1] as usize];
                let parts = places.iter().map(|place| self.part(place.table, place.position));
                parts
                    .inspect(|part| add_share(shares, part))
                    .reduce(|mut all, part| {
                        all.merge(&part);
                        all
                    })
                    .expect("a flow has an entry")
            }
        };
        if shares.is_empty() {
            add_share(shares, &part);
        }
        PacketFlow::of(&self.key(flow), &part)
    }

    fn part(&self, table: u32, position: u32) -> Part {
        let table = self.tables[table as usize];
        table.entry(position).part(table.input_of(position))
    }
}

fn ends_of<const WORDS: usize>(tables: &[&FlowTable<WORDS>]) -> Vec<usize> {
    tables
        .iter()
        .scan(0, |end, table| {
            *end += table.len();
            Some(*end)
        })
        .collect()
}

/// Returns the table of a flow, and its position there.
fn entry_of(ends: &[usize], flow: usize) -> (u32, u32) {
    let table = ends.iter().take_while(|&&end| end <= flow).count();
    let start = table.checked_sub(1).map_or(0, |before| ends[before]);
    (table as u32, (flow - start) as u32)
}

/// Sorts entries by hash, so that those of one flow are neighbours.
fn grouped<const WORDS: usize>(tables: &[&FlowTable<WORDS>], seeds: &Seeds) -> Groups
where
    Key<WORDS>: Ends,
{
    let key = |place: &Place| tables[place.table as usize].entry(place.position).key();
    let mut places: Vec<Place> = (0u32..)
        .zip(tables)
        .flat_map(|(number, table)| {
            (0u32..).take(table.len()).map(move |position| Place {
                tag: table.entry(position).key().hash(seeds),
                table: number,
                position,
            })
        })
        .collect();
    places.par_sort_unstable_by(|a, b| {
        a.tag.cmp(&b.tag).then_with(|| key(a).order(&key(b))).then_with(|| a.cmp(b))
    });
    let mut starts = Vec::with_capacity(places.len() + 1);
    starts.push(0);
    for (end, pair) in (1u32..).zip(places.windows(2)) {
        if pair[0].tag != pair[1].tag || key(&pair[0]) != key(&pair[1]) {
            starts.push(end);
        }
    }
    starts.push(u32::try_from(places.len()).expect("the memory bound is below 2^32 flows"));
    Groups::Places { places, starts }
}

/// Adds a part to the share of its input. Inputs come one after the other, in each table.
fn add_share(shares: &mut Vec<InputShare>, part: &Part) {
    let packets = part.packets[0] + part.packets[1];
    match shares.binary_search_by_key(&part.input, |share| share.input) {
        Ok(at) => shares[at].packets += packets,
        Err(at) => shares.insert(at, InputShare { input: part.input, packets }),
    }
}
