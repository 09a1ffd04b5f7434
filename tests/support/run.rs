//! Runs of the library over inputs in memory.

use std::fs;
use std::io::Cursor;

use nexthop::azure::load_snapshot;
use nexthop::classify::{Classifier, ClassifyOptions, RecordKind, RowSink, Summary};
use nexthop::fib::{Fib, SnapshotTables};
use nexthop::traffic::{DecodeOptions, InputName, ReadOptions, TrafficReader};

/// An input as it would be in a file.
#[derive(Clone, Debug)]
pub struct Input {
    pub name: String,
    pub bytes: Vec<u8>,
}

/// Everything that may change how a run goes about its work.
#[derive(Clone, Debug)]
pub struct Run {
    pub per: Option<RecordKind>,
    pub threads: usize,
    pub chunk_bytes: usize,
    pub memory_bytes_max: usize,
    pub decode: DecodeOptions,
}

impl Default for Run {
    fn default() -> Self {
        Self {
            per: None,
            threads: 1,
            chunk_bytes: 1 << 20,
            memory_bytes_max: 1 << 30,
            decode: DecodeOptions::default(),
        }
    }
}

impl Run {
    /// Classifies inputs on a pool with as many threads as the run has. The run itself holds the
    /// books to balance.
    pub fn classify<S: RowSink>(&self, fib: &Fib, inputs: &[Input], sink: S) -> (Summary, S) {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(self.threads).build();
        pool.expect("threads start").install(|| self.classify_here(fib, inputs, sink))
    }

    /// Classifies inputs on the pool of the caller.
    pub fn classify_here<S: RowSink>(&self, fib: &Fib, inputs: &[Input], sink: S) -> (Summary, S) {
        let options = ClassifyOptions {
            per: self.per,
            memory_bytes_max: self.memory_bytes_max,
            threads: self.threads,
            decode: self.decode.clone(),
        };
        let mut classifier = Classifier::new(fib, options, sink);
        for input in inputs {
            let bytes = Box::new(Cursor::new(input.bytes.clone()));
            let options = ReadOptions { chunk_bytes: self.chunk_bytes };
            let mut reader = TrafficReader::open(bytes, options);
            let name = InputName::new(&*input.name);
            classifier.classify_input(&name, &mut reader, &|_| {}).expect("memory takes rows");
        }
        classifier.finish().expect("memory takes rows")
    }
}

/// Compiles the text of one export; its table is meant for every source.
pub fn fib(table: &str) -> Fib {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("table.txt");
    fs::write(&path, table).expect("the folder takes files");
    let snapshot = load_snapshot(&path).expect("the table can be read");
    SnapshotTables::of(&snapshot).compile().expect("the table can be compiled")
}

/// A table that tells the addresses of most recorded traffic apart.
pub const SIMPLE_TABLE: &str = "\
Source   State   Address Prefix  Next Hop Type     Next Hop IP
-------  ------  --------------  ----------------  -----------
Default  Active  10.0.0.0/8      VnetLocal
Default  Active  172.16.0.0/12   VNetPeering
User     Active  192.168.0.0/16  VirtualAppliance  10.0.1.4
Default  Active  192.0.0.0/8     None
User     Active  0.0.0.0/1       VirtualAppliance  10.0.1.5
Default  Active  0.0.0.0/0       Internet
Default  Active  2000::/3        Internet
";
