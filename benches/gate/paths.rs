//! The hot paths, each over a fixed amount of generated work, with its answer checked.

use std::error::Error;
use std::fs::{self, File};
use std::io::Cursor;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::Path;

use nexthop::classify::{Classifier, ClassifyOptions, NoRows};
use nexthop::fib::{Fib, SnapshotTables};
use nexthop::generate::{CaptureShape, FlowLogShape, NaiveRouter, SnapshotShape};
use nexthop::lpm::sample::{self, Stream, checksum};
use nexthop::lpm::{LpmForest, LpmKind, LpmTable, RangeTable, Route};
use nexthop::net::AddressPrefix;
use nexthop::report::write_classify_json;
use nexthop::traffic::{
    Chunk, DecodeOptions, Decoder, FlowBatch, InputName, ReadOptions, Tally, TrafficReader,
};
use serde_json::Value;
use tempfile::TempDir;

use crate::hot;

/// Every path that is counted.
pub const PATHS: &[&str] = &[
    "lookup dir16_8_8",
    "lookup dir24_8",
    "lookup poptrie",
    "lookup range_tree",
    "lookup forest",
    "capture to flows",
    "flow log to rows",
    "flow log to sums",
];

const SEED: u64 = 20_250_120;
const LOOKUP_COUNT: usize = 1 << 15;
const BURST: usize = 256;
const PACKETS: u64 = 40_000;
const TUPLES: u64 = 40_000;

/// A snapshot, a capture and a flow log in a folder, each with what must be found in it.
pub struct Traffic {
    folder: TempDir,
}

impl Traffic {
    /// Writes them, outside what is counted.
    pub fn generate() -> Result<Self, Box<dyn Error>> {
        let folder = tempfile::tempdir()?;
        let snapshot = SnapshotShape { nics: 12, routes_per_table: 300 }.generate(SEED);
        for (name, text) in snapshot.files() {
            let path = folder.path().join("snapshot").join(name);
            fs::create_dir_all(path.parent().ok_or("is below the folder")?)?;
            fs::write(path, text)?;
        }
        let mut truth = NaiveRouter::new(&snapshot);
        let shape = CaptureShape {
            packets: PACKETS,
            flows: PACKETS as u32 / 20,
            ..CaptureShape::default()
        };
        let mut capture = Vec::new();
        let expected = shape.write(SEED, &snapshot, &mut truth, &mut capture, None)?;
        fs::write(folder.path().join("capture"), capture)?;
        expected.write(&mut File::create(folder.path().join("capture.json"))?)?;

        let shape = FlowLogShape { tuples: TUPLES, ..FlowLogShape::default() };
        let mut log = Vec::new();
        // Blobs one behind the other are one input.
        let mut blob = |_: &str, json: &[u8]| {
            log.extend_from_slice(json);
            log.push(b'\n');
            Ok(())
        };
        let expected = shape.write(SEED, &snapshot, &mut truth, &mut blob, None)?;
        fs::write(folder.path().join("flow-log"), log)?;
        expected.write(&mut File::create(folder.path().join("flow-log.json"))?)?;
        Ok(Self { folder })
    }

    pub fn folder(&self) -> &Path {
        self.folder.path()
    }
}

/// Runs one path, its work within [`hot`].
pub fn run(path: &str, folder: &Path) -> Result<(), Box<dyn Error>> {
    match path {
        "lookup dir16_8_8" => lookup_v4(LpmKind::Dir16_8_8, &sample::azure_tables(1, SEED)[0]),
        "lookup dir24_8" => lookup_v4(LpmKind::Dir24_8, &sample::internet_routes(10_000, SEED)),
        "lookup poptrie" => lookup_v4(LpmKind::Poptrie, &sample::internet_routes(10_000, SEED)),
        "lookup range_tree" => lookup_v6(&sample::internet_routes_v6(5_000, SEED)),
        "lookup forest" => lookup_forest(&sample::azure_tables(20, SEED)),
        "capture to flows" => sums(folder, "capture"),
        "flow log to rows" => rows(folder),
        "flow log to sums" => sums(folder, "flow-log"),
        _ => Err(format!("{path}: no such path").into()),
    }
}

fn lookup_v4(kind: LpmKind, routes: &[Route]) -> Result<(), Box<dyn Error>> {
    let addresses = Stream::InTable.addresses_v4(routes, LOOKUP_COUNT, SEED);
    let table = LpmTable::compile_as(kind, routes)?;
    let values = bursts(&addresses, |addresses, values| table.lookup_v4_batch(addresses, values));
    check(routes, addresses.iter().map(|&address| Ipv4Addr::from(address).into()), &values)
}

fn lookup_v6(routes: &[Route]) -> Result<(), Box<dyn Error>> {
    let addresses = Stream::InTable.addresses_v6(routes, LOOKUP_COUNT, SEED);
    let table = LpmTable::compile_as(LpmKind::RangeTree, routes)?;
    let values = bursts(&addresses, |addresses, values| table.lookup_v6_batch(addresses, values));
    check(routes, addresses.iter().map(|&address| Ipv6Addr::from(address).into()), &values)
}

fn lookup_forest(tables: &[Vec<Route>]) -> Result<(), Box<dyn Error>> {
    let forest = LpmForest::compile(tables.iter().map(Vec::as_slice))?;
    for (number, routes) in (0u32..).zip(tables).take(4) {
        let addresses = Stream::InTable.addresses_v4(routes, LOOKUP_COUNT / 4, SEED);
        let numbers = [number; BURST];
        let values = bursts(&addresses, |addresses, values| {
            forest.lookup_v4_batch(&numbers[..addresses.len()], addresses, values);
        });
        check(routes, addresses.iter().map(|&address| Ipv4Addr::from(address).into()), &values)?;
    }
    Ok(())
}

fn bursts<A>(addresses: &[A], lookup: impl Fn(&[A], &mut [u16])) -> Vec<u16> {
    let mut values = vec![0; addresses.len()];
    hot(|| {
        for (addresses, values) in addresses.chunks(BURST).zip(values.chunks_mut(BURST)) {
            lookup(addresses, values);
        }
    });
    values
}

fn check(
    routes: &[Route],
    addresses: impl Iterator<Item = IpAddr>,
    values: &[u16],
) -> Result<(), Box<dyn Error>> {
    let wide: Vec<(AddressPrefix, u32)> =
        routes.iter().map(|&(prefix, value)| (prefix, value.into())).collect();
    let oracle = RangeTable::compile(&wide);
    let want: Vec<u16> =
        addresses.map(|address| oracle.lookup(address).unwrap_or(0) as u16).collect();
    match checksum(values) == checksum(&want) {
        true => Ok(()),
        false => Err("other answers than those of a binary search".into()),
    }
}

fn rows(folder: &Path) -> Result<(), Box<dyn Error>> {
    let mut reader = open(fs::read(folder.join("flow-log"))?);
    let mut decoder = Decoder::new(&DecodeOptions::default());
    let (mut chunk, mut batch) = (Chunk::default(), FlowBatch::default());
    let (mut row_count, mut record_count) = (0, 0);
    hot(|| {
        while reader.fill(&mut chunk) {
            batch.clear();
            let mut tally = Tally::default();
            decoder.decode(&chunk, &mut batch, &mut tally);
            row_count += batch.len() as u64;
            record_count += tally.records_read;
        }
    });
    let want = expected(folder, "flow-log")?;
    let left_out = |key: &str| -> u64 {
        let reasons = want[key].as_object().into_iter().flatten();
        reasons.filter_map(|(_, count)| count.as_u64()).sum()
    };
    let want_rows = want["records_read"]
        .as_u64()
        .map(|records| records - left_out("not_applicable") - left_out("damaged"));
    match want["records_read"] == record_count && want_rows == Some(row_count) {
        true => Ok(()),
        false => Err(format!("{row_count} rows of {record_count} records").into()),
    }
}

fn sums(folder: &Path, name: &str) -> Result<(), Box<dyn Error>> {
    let snapshot = nexthop::azure::load_snapshot(&folder.join("snapshot"))?;
    let fib = SnapshotTables::of(&snapshot).compile()?;
    let bytes = fs::read(folder.join(name))?;
    // On this thread, so that all of it lies within what is counted.
    let pool = rayon::ThreadPoolBuilder::new().num_threads(1).use_current_thread().build()?;
    let json = pool.install(|| hot(|| classify(&fib, name, bytes)))?;
    let got: Value = serde_json::from_slice(&json)?;
    let want = expected(folder, name)?;
    match want.as_object().into_iter().flatten().find(|(key, want)| got[*key] != **want) {
        Some((key, want)) => Err(format!("{name}: {key} is {} and not {want}", got[key]).into()),
        None => Ok(()),
    }
}

fn classify(fib: &Fib, name: &str, bytes: Vec<u8>) -> Result<Vec<u8>, std::io::Error> {
    let options = ClassifyOptions {
        per: None,
        memory_bytes_max: 1 << 30,
        threads: 1,
        decode: DecodeOptions::default(),
    };
    let mut classifier = Classifier::new(fib, options, NoRows);
    classifier.classify_input(&InputName::new(name), &mut open(bytes), &|_| ())?;
    let (summary, _) = classifier.finish()?;
    let mut json = Vec::new();
    write_classify_json(&summary, &mut json)?;
    Ok(json)
}

fn open(bytes: Vec<u8>) -> TrafficReader {
    TrafficReader::open(Box::new(Cursor::new(bytes)), ReadOptions::default())
}

fn expected(folder: &Path, name: &str) -> Result<Value, Box<dyn Error>> {
    Ok(serde_json::from_slice(&fs::read(folder.join(name).with_extension("json"))?)?)
}
