//! The work of `nexthop bench`: generated, with answers that a naive way gives.

use std::collections::HashMap;
use std::hint::black_box;
use std::io::{Cursor, Read};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use crate::azure;
use crate::classify::{Classifier, ClassifyOptions, NoRows};
use crate::fib::{Fib, SnapshotTables};
use crate::generate::{CaptureShape, Expected, FlowLogShape, NaiveRouter, SnapshotShape};
use crate::lpm::sample::{self, Stream, checksum};
use crate::lpm::{LpmForest, LpmTable, Route};
use crate::net::AddressPrefix;
use crate::report::write_classify_json;
use crate::traffic::{DecodeOptions, InputName, ReadOptions, TrafficReader};

/// One thing to measure.
pub(super) struct Job<'w> {
    pub name: &'static str,
    /// What is counted.
    pub of: &'static str,
    /// How many of them a pass has.
    pub count: u64,
    /// Of the right answers.
    pub checksum: u64,
    /// How often a round does it.
    pub pass_count: usize,
    /// Does all of it once, and returns how long that took. Panics on a wrong answer.
    pub pass: Box<dyn FnMut() -> Duration + 'w>,
}

/// Everything that is measured, drawn from one seed.
pub(super) struct Work {
    threads: usize,
    internet: Vec<Route>,
    internet_v6: Vec<Route>,
    subnets: Vec<Vec<Route>>,
    lookup_count: usize,
    snapshot: azure::Snapshot,
    fib: Fib,
    pool: rayon::ThreadPool,
    capture: Traffic,
    flow_log: Traffic,
}

/// An input, and what must be found in it.
struct Traffic {
    bytes: Arc<[u8]>,
    record_count: u64,
    expected: Expected,
}

const SEED: u64 = 20_250_120;
const BURST: usize = 256;

/// Passes of a few milliseconds, which fit between what else the machine does; and others.
const SHORT_PASSES: usize = 32;
const LONG_PASSES: usize = 3;

impl Work {
    /// Makes it, so many of a hundred parts of each.
    pub(super) fn generate(percent: u32, threads: usize) -> Result<Self> {
        let part = |count: u64| (count * u64::from(percent) / 100).max(1);
        let shape = SnapshotShape { nics: 50, routes_per_table: 300 };
        let generated = shape.generate(SEED);
        let folder = tempfile::tempdir().context("a temporary folder")?;
        for (name, text) in generated.files() {
            let path = folder.path().join(name);
            let parent = path.parent().expect("is below the folder");
            std::fs::create_dir_all(parent)
                .and_then(|()| std::fs::write(&path, text))
                .with_context(|| path.display().to_string())?;
        }
        let snapshot = azure::load_snapshot(folder.path())?;
        let fib = SnapshotTables::of(&snapshot).compile()?;

        let mut truth = NaiveRouter::new(&generated);
        let packets = part(2_000_000);
        let flows = u32::try_from((packets / 20).max(1)).expect("few flows");
        let mut capture = Vec::new();
        let expected = CaptureShape { packets, flows, ..CaptureShape::default() }.write(
            SEED,
            &generated,
            &mut truth,
            &mut capture,
            None,
        )?;
        let capture = Traffic { bytes: capture.into(), record_count: packets, expected };
        let tuples = part(2_000_000);
        let mut log = Vec::new();
        let expected = FlowLogShape { tuples, ..FlowLogShape::default() }.write(
            SEED,
            &generated,
            &mut truth,
            // Blobs one behind the other are one input.
            &mut |_, json| {
                log.extend_from_slice(json);
                log.push(b'\n');
                Ok(())
            },
            None,
        )?;
        Ok(Self {
            threads,
            internet: sample::internet_routes(part(900_000) as usize, SEED),
            internet_v6: sample::internet_routes_v6(part(160_000) as usize, SEED),
            subnets: sample::azure_tables(part(1_000) as usize, SEED),
            lookup_count: part(1 << 19) as usize,
            snapshot,
            fib,
            pool: rayon::ThreadPoolBuilder::new().num_threads(threads).build()?,
            capture,
            flow_log: Traffic { bytes: log.into(), record_count: tuples, expected },
        })
    }

    /// Returns what there is to measure, answers checked once already.
    pub(super) fn jobs(&self) -> Vec<Job<'_>> {
        vec![
            self.lookup_v4("lookup, Internet IPv4", &self.internet),
            self.lookup_v4("lookup, one subnet", &self.subnets[0]),
            self.lookup_v6("lookup, Internet IPv6", &self.internet_v6),
            self.lookup_subnets("lookup, any of many subnets"),
            self.traffic("capture to sums", "packets", &self.capture),
            self.traffic("flow log to sums", "tuples", &self.flow_log),
            compile("compile, Internet IPv4", self.internet.len(), || {
                LpmTable::compile(&self.internet).expect("values above 0").memory_bytes() as u64
            }),
            compile("compile, many subnets", self.subnets.iter().map(Vec::len).sum(), || {
                let subnets = self.subnets.iter().map(Vec::as_slice);
                LpmForest::compile(subnets).expect("values above 0").memory_bytes() as u64
            }),
            compile("compile, a snapshot", self.snapshot_routes(), || {
                let tables = SnapshotTables::of(&self.snapshot);
                tables.compile().expect("compiled before").next_hop_count() as u64
            }),
        ]
    }

    fn snapshot_routes(&self) -> usize {
        self.snapshot.tables.iter().map(|table| table.routes.len()).sum()
    }

    fn lookup_v4<'w>(&self, name: &'static str, routes: &'w [Route]) -> Job<'w> {
        let addresses = Stream::InTable.addresses_v4(routes, self.lookup_count, SEED);
        let truth = Truth::new(routes);
        let want: Vec<u16> =
            addresses.iter().map(|&address| truth.answer(Ipv4Addr::from(address).into())).collect();
        let compile = || LpmTable::compile(routes).expect("values above 0");
        lookup(name, addresses, &want, compile, |table, addresses, _, values| {
            table.lookup_v4_batch(addresses, values);
        })
    }

    fn lookup_v6<'w>(&self, name: &'static str, routes: &'w [Route]) -> Job<'w> {
        let addresses = Stream::InTable.addresses_v6(routes, self.lookup_count, SEED);
        let truth = Truth::new(routes);
        let want: Vec<u16> =
            addresses.iter().map(|&address| truth.answer(Ipv6Addr::from(address).into())).collect();
        let compile = || LpmTable::compile(routes).expect("values above 0");
        lookup(name, addresses, &want, compile, |table, addresses, _, values| {
            table.lookup_v6_batch(addresses, values);
        })
    }

    fn lookup_subnets(&self, name: &'static str) -> Job<'_> {
        let truths: Vec<_> = self.subnets.iter().map(|routes| Truth::new(routes)).collect();
        let mut random = sample::Random::new(SEED);
        let (numbers, addresses): (Vec<u32>, Vec<u32>) = (0..self.lookup_count)
            .map(|_| {
                let number = random.below(self.subnets.len() as u64) as u32;
                let routes = &self.subnets[number as usize];
                let route = &routes[random.below(routes.len() as u64) as usize..][..1];
                (number, Stream::InTable.addresses_v4(route, 1, random.next_bits())[0])
            })
            .unzip();
        let answer = |(&number, &address): (&u32, &u32)| {
            truths[number as usize].answer(Ipv4Addr::from(address).into())
        };
        let want: Vec<u16> = numbers.iter().zip(&addresses).map(answer).collect();
        let compile =
            || LpmForest::compile(self.subnets.iter().map(Vec::as_slice)).expect("values above 0");
        lookup(name, addresses, &want, compile, move |forest, addresses, first, values| {
            forest.lookup_v4_batch(&numbers[first..first + addresses.len()], addresses, values);
        })
    }

    fn traffic<'w>(
        &'w self,
        name: &'static str,
        of: &'static str,
        traffic: &'w Traffic,
    ) -> Job<'w> {
        let pass = move || {
            let begun = Instant::now();
            let json = self.pool.install(|| self.sums(traffic)).expect("memory takes any bytes");
            let elapsed = begun.elapsed();
            assert_eq!(traffic.expected.difference(&json), None, "{name}");
            elapsed
        };
        let checksum = fold(traffic.expected.to_string().bytes().map(u64::from));
        let count = traffic.record_count;
        Job { name, of, count, checksum, pass_count: LONG_PASSES, pass: Box::new(pass) }
    }

    fn sums(&self, traffic: &Traffic) -> std::io::Result<Vec<u8>> {
        let options = ClassifyOptions {
            per: None,
            memory_bytes_max: 1 << 30,
            threads: self.threads,
            decode: DecodeOptions::default(),
        };
        let mut classifier = Classifier::new(&self.fib, options, NoRows);
        let bytes: Box<dyn Read + Send> = Box::new(Cursor::new(Arc::clone(&traffic.bytes)));
        let mut reader = TrafficReader::open(bytes, ReadOptions::default());
        classifier.classify_input(&InputName::new("generated"), &mut reader, &|_| ())?;
        let mut json = Vec::new();
        write_classify_json(&classifier.finish()?.0, &mut json)?;
        Ok(json)
    }
}

/// Answers without a table: each length is asked for in turn, the longest first.
struct Truth {
    values: HashMap<AddressPrefix, u16>,
    lengths: Vec<u8>,
}

impl Truth {
    fn new(routes: &[Route]) -> Self {
        let mut lengths: Vec<u8> = routes.iter().map(|(prefix, _)| prefix.length()).collect();
        lengths.sort_unstable_by_key(|&length| std::cmp::Reverse(length));
        lengths.dedup();
        Self { values: routes.iter().copied().collect(), lengths }
    }

    fn answer(&self, address: IpAddr) -> u16 {
        let of_length =
            |&length: &u8| self.values.get(&AddressPrefix::new(address, length).ok()?).copied();
        self.lengths.iter().find_map(of_length).unwrap_or(0)
    }
}

/// Measures lookups of bursts: a table, addresses, the place of the first of them, and where the
/// values go.
///
/// Each round has a table compiled anew: which pages of memory one gets decides about as much as
/// 3 % of its speed, and a process that kept its first table would measure its luck.
fn lookup<'w, A: 'w, T: 'w>(
    name: &'static str,
    addresses: Vec<A>,
    want: &[u16],
    compile: impl Fn() -> T + 'w,
    lookup: impl Fn(&T, &[A], usize, &mut [u16]) + 'w,
) -> Job<'w> {
    let mut table = compile();
    let mut values = vec![0; addresses.len()];
    let bursts = addresses.chunks(BURST).zip(values.chunks_mut(BURST));
    for (place, (addresses, values)) in bursts.enumerate() {
        lookup(&table, addresses, place * BURST, values);
    }
    assert!(values == want, "{name}: other answers than those of a naive way");
    let count = addresses.len() as u64;
    let mut passes_left = SHORT_PASSES;
    let pass = move || {
        if passes_left == 0 {
            // The one before is still there, so that this one gets other pages.
            table = compile();
            passes_left = SHORT_PASSES;
        }
        passes_left -= 1;
        let mut values = [0; BURST];
        let begun = Instant::now();
        for (place, addresses) in addresses.chunks(BURST).enumerate() {
            lookup(&table, addresses, place * BURST, &mut values[..addresses.len()]);
            black_box(&mut values);
        }
        begun.elapsed()
    };
    let (checksum, pass_count) = (checksum(want), SHORT_PASSES);
    Job { name, of: "lookups", count, checksum, pass_count, pass: Box::new(pass) }
}

/// Measures compiling; what is compiled is dropped within the pass, too.
fn compile<'w>(name: &'static str, route_count: usize, compile: impl Fn() -> u64 + 'w) -> Job<'w> {
    let want = compile();
    let pass = move || {
        let begun = Instant::now();
        let got = black_box(compile());
        let elapsed = begun.elapsed();
        assert_eq!(got, want, "{name}");
        elapsed
    };
    // What the table answers is checked where it is looked up in.
    let checksum = route_count as u64;
    let (count, pass_count) = (route_count as u64, LONG_PASSES);
    Job { name, of: "routes", count, checksum, pass_count, pass: Box::new(pass) }
}

/// Source: G. Fowler, L. Noll, K.-P. Vo, "FNV hash", draft-eastlake-fnv, §2.
fn fold(numbers: impl Iterator<Item = u64>) -> u64 {
    numbers.fold(0xCBF2_9CE4_8422_2325, |sum, number| {
        (sum ^ number).wrapping_mul(0x0000_0100_0000_01B3)
    })
}
