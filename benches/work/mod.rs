//! Generated work for the benchmarks, with its truth.

use std::io::Cursor;
use std::path::Path;

use nexthop::classify::{Classifier, ClassifyOptions, NoRows, RowSink, Summary};
use nexthop::fib::{Fib, SnapshotTables};
use nexthop::generate::{
    CaptureContainer, CaptureShape, Expected, FlowLogShape, NaiveRouter, Snapshot, SnapshotShape,
};
use nexthop::report::write_classify_json;
use nexthop::traffic::{DecodeOptions, InputName, ReadOptions, TrafficReader};
use serde_json::Value;

use crate::twins::router::Router;

pub const SEED: u64 = 20_250_120;
pub const PACKETS: u64 = 500_000;
pub const TUPLES: u64 = 500_000;
const SNAPSHOT: SnapshotShape = SnapshotShape { nics: 50, routes_per_table: 300 };

/// One snapshot, compiled by the program and by the twins.
pub struct Work {
    pub snapshot: Snapshot,
    pub fib: Fib,
    pub router: Router,
    truth: NaiveRouter,
}

/// Traffic, each input with its bytes, and what must be found in it.
pub struct Traffic {
    pub inputs: Vec<Vec<u8>>,
    expected: Value,
}

impl Work {
    pub fn new() -> Self {
        let snapshot = SNAPSHOT.generate(SEED);
        let folder = tempfile::tempdir().expect("a temporary folder");
        for (name, text) in snapshot.files() {
            let path = folder.path().join(name);
            std::fs::create_dir_all(path.parent().expect("is below the folder")).expect("a folder");
            std::fs::write(path, text).expect("a file");
        }
        Self {
            fib: compile(folder.path()),
            router: Router::load(folder.path()).expect("a snapshot"),
            truth: NaiveRouter::new(&snapshot),
            snapshot,
        }
    }

    pub fn capture(&mut self, container: CaptureContainer) -> Traffic {
        let shape = CaptureShape {
            packets: PACKETS,
            flows: PACKETS as u32 / 20,
            container,
            ..CaptureShape::default()
        };
        let mut bytes = Vec::new();
        let expected = shape
            .write(SEED, &self.snapshot, &mut self.truth, &mut bytes, None)
            .expect("memory takes any bytes");
        Traffic::new(vec![bytes], &expected)
    }

    pub fn flow_log(&mut self) -> Traffic {
        let shape = FlowLogShape { tuples: TUPLES, ..FlowLogShape::default() };
        let mut inputs = Vec::new();
        let mut blob = |_: &str, json: &[u8]| {
            inputs.push(json.to_vec());
            Ok(())
        };
        let expected = shape
            .write(SEED, &self.snapshot, &mut self.truth, &mut blob, None)
            .expect("memory takes any bytes");
        Traffic::new(inputs, &expected)
    }
}

impl Traffic {
    fn new(inputs: Vec<Vec<u8>>, expected: &Expected) -> Self {
        Self { inputs, expected: serde_json::to_value(expected).expect("texts and numbers") }
    }

    pub fn bytes(&self) -> u64 {
        self.inputs.iter().map(|input| input.len() as u64).sum()
    }

    /// Runs the program over all inputs on the threads of the current pool.
    pub fn classify<S: RowSink>(&self, fib: &Fib, threads: usize, sink: S) -> Summary {
        let options = ClassifyOptions {
            per: None,
            memory_bytes_max: 1 << 30,
            threads,
            decode: DecodeOptions::default(),
        };
        let mut classifier = Classifier::new(fib, options, sink);
        for (index, input) in self.inputs.iter().enumerate() {
            // Bytes that live as long as the program are not to be had here; the copy is the same
            // for every variant, and small beside the work.
            let bytes = Box::new(Cursor::new(input.clone()));
            let mut reader = TrafficReader::open(bytes, ReadOptions::default());
            let name = InputName::new(index.to_string());
            classifier.classify_input(&name, &mut reader, &|_| ()).expect("the sink takes rows");
        }
        classifier.finish().expect("the sink takes rows").0
    }

    /// The sums alone.
    pub fn summarise(&self, fib: &Fib, threads: usize) -> Summary {
        self.classify(fib, threads, NoRows)
    }

    pub fn assert_summary(&self, summary: &Summary) {
        let mut json = Vec::new();
        write_classify_json(summary, &mut json).expect("memory takes any bytes");
        self.assert_json(&serde_json::from_slice(&json).expect("JSON"));
    }

    pub fn assert_json(&self, got: &Value) {
        for (key, want) in self.expected.as_object().expect("an object") {
            assert_eq!(got[key], *want, "{key}");
        }
    }
}

pub fn pool(threads: usize) -> rayon::ThreadPool {
    rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("threads start")
}

fn compile(snapshot: &Path) -> Fib {
    let snapshot = nexthop::azure::load_snapshot(snapshot).expect("a snapshot");
    SnapshotTables::of(&snapshot).compile().expect("few next hops")
}
