//! The next hops of two snapshots, told apart across both.

use ahash::AHashMap;

use crate::azure::NextHopIps;
use crate::classify::Label;
use crate::fib::{Fib, NextHopId};
use crate::routing::{NextHop, NextHopClass};

/// Numbers that next hops of two snapshots share where traffic to them goes to the same place.
#[derive(Debug)]
pub(super) struct NextHopNumbers {
    before: Vec<u32>,
    after: Vec<u32>,
}

/// Where packets go, comparable between two snapshots.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Goes {
    /// To a next hop, by its number among those of both snapshots.
    To(u32),
    /// To none that a route names: no route, the platform, or not known, for whatever reason.
    Without(NextHopClass),
}

/// What makes two next hops the same place: our class with the addresses or, without any, with
/// Azure's word and the name. What a snapshot calls the owner of an address, or by which kind of
/// route it is reached, moves no packet.
#[derive(PartialEq, Eq, Hash)]
enum Identity<'h> {
    Addresses(NextHopClass, &'h NextHopIps),
    Kind(NextHopClass, &'h str, Option<&'h str>),
}

impl NextHopNumbers {
    pub(super) fn of(before: &Fib, after: &Fib) -> Self {
        let mut known: AHashMap<Identity<'_>, u32> = AHashMap::new();
        let before = numbers(before, &mut known);
        Self { before, after: numbers(after, &mut known) }
    }

    pub(super) fn before(&self, label: &Label) -> Goes {
        goes(&self.before, label)
    }

    pub(super) fn after(&self, label: &Label) -> Goes {
        goes(&self.after, label)
    }
}

fn numbers<'f>(fib: &'f Fib, known: &mut AHashMap<Identity<'f>, u32>) -> Vec<u32> {
    (0..fib.next_hop_count())
        .map(|index| {
            let id = NextHopId::at(index).expect("is one of the table's");
            let fresh = u32::try_from(known.len()).expect("two times 65,535 at most");
            *known.entry(identity(fib.next_hop(id))).or_insert(fresh)
        })
        .collect()
}

fn identity(hop: &NextHop) -> Identity<'_> {
    match hop.ips.is_empty() {
        false => Identity::Addresses(hop.class, &hop.ips),
        true => Identity::Kind(hop.class, hop.next_hop_type.as_str(), hop.name.as_deref()),
    }
}

fn goes(numbers: &[u32], label: &Label) -> Goes {
    match label.next_hop {
        Some(id) if label.unknown.is_none() => Goes::To(numbers[id.index()]),
        _ => Goes::Without(label.class),
    }
}
