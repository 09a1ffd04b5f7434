//! `nexthop generate`: a seed in; a snapshot, traffic and its truth out.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::Path;

use anyhow::{Context, Result, ensure};

use super::args::GenerateArgs;
use super::{Console, ExitCode, OutputFailed};
use crate::generate::{
    CaptureContainer, CaptureShape, EstateShape, Expected, FlowLogShape, NaiveRouter, Snapshot,
    SnapshotShape,
};

/// Writes everything into a new folder.
///
/// # Errors
///
/// A folder that holds something already, and what cannot be written.
pub(super) fn run(args: &GenerateArgs, console: Console) -> Result<ExitCode> {
    let folder = &args.output;
    ensure_new(folder)?;
    if args.estate {
        return write_estate(args, folder, console);
    }
    let shape = SnapshotShape { nics: args.nics, routes_per_table: args.routes_per_table };
    let snapshot = shape.generate(args.seed);
    for (name, text) in snapshot.files() {
        write_file(&folder.join("snapshot").join(name), text.as_bytes())?;
    }
    let mut router = NaiveRouter::new(&snapshot);
    if let Some(tuples) = args.tuples {
        write_flow_log(args, tuples, &snapshot, &mut router, &folder.join("flow-log"))?;
    }
    if let Some(packets) = args.packets {
        write_capture(args, packets, &snapshot, &mut router, &folder.join("capture"))?;
    }
    console.note(&format!("{}: complete", folder.display()));
    Ok(ExitCode::Success)
}

/// An estate with a policy, firewall logs, and the verdicts that `verify` must give.
fn write_estate(args: &GenerateArgs, folder: &Path, console: Console) -> Result<ExitCode> {
    let shape =
        EstateShape { tuples: args.tuples.unwrap_or(10_000), log_lines_max: args.log_lines };
    let mut file = |name: &str, content: &[u8]| {
        let path = folder.join(name);
        fs::create_dir_all(path.parent().expect("is below the folder"))?;
        fs::write(path, content)
    };
    let expected =
        shape.write(args.seed, &mut file).map_err(|error| output_failed(folder, error))?;
    console.note(&format!(
        "{}: {} tuples, {} lines of firewall logs",
        folder.display(),
        expected.tuples,
        expected.lines
    ));
    Ok(ExitCode::Success)
}

/// Nothing of an earlier run, and nothing else, may be taken for what this one writes.
fn ensure_new(folder: &Path) -> Result<()> {
    match fs::read_dir(folder) {
        Ok(mut entries) => {
            ensure!(entries.next().is_none(), "{}: is not empty", folder.display());
            Ok(())
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error).with_context(|| folder.display().to_string()),
    }
}

fn write_flow_log(
    args: &GenerateArgs,
    tuples: u64,
    snapshot: &Snapshot,
    router: &mut NaiveRouter,
    folder: &Path,
) -> Result<()> {
    let shape = FlowLogShape { tuples, ipv6_percent: args.ipv6 };
    let blobs = folder.join("blobs");
    with_expected(args, folder, |rows| {
        let mut blob = |name: &str, json: &[u8]| {
            let path = blobs.join(name);
            fs::create_dir_all(path.parent().expect("is below a folder"))?;
            fs::write(path, json)
        };
        shape.write(args.seed, snapshot, router, &mut blob, rows)
    })
}

fn write_capture(
    args: &GenerateArgs,
    packets: u64,
    snapshot: &Snapshot,
    router: &mut NaiveRouter,
    folder: &Path,
) -> Result<()> {
    let (container, name) = match args.pcapng {
        false => (CaptureContainer::Pcap, "traffic.pcap"),
        true => (CaptureContainer::Pcapng, "traffic.pcapng"),
    };
    let shape = CaptureShape {
        packets,
        flows: args.flows.unwrap_or_else(|| flows_of(packets)),
        packet_size: args.packet_size.into(),
        ipv6_percent: args.ipv6,
        container,
    };
    with_expected(args, folder, |rows| {
        let mut out = create(&folder.join(name))?;
        shape.write(args.seed, snapshot, router, &mut out, rows)
    })
}

/// One flow for each 20 packets.
fn flows_of(packets: u64) -> u32 {
    u32::try_from((packets / 20).max(1)).unwrap_or(u32::MAX)
}

/// Writes traffic into a folder, and beside it what must be found in it.
fn with_expected(
    args: &GenerateArgs,
    folder: &Path,
    write: impl FnOnce(Option<&mut dyn Write>) -> io::Result<Expected>,
) -> Result<()> {
    let expected = || -> io::Result<()> {
        fs::create_dir_all(folder)?;
        let mut rows =
            args.expected_rows.then(|| create(&folder.join("expected.csv"))).transpose()?;
        let expected = write(rows.as_mut().map(|rows| rows as &mut dyn Write))?;
        if let Some(mut rows) = rows {
            rows.flush()?;
        }
        let mut out = create(&folder.join("expected.json"))?;
        expected.write(&mut out)?;
        out.flush()
    };
    expected().map_err(|error| output_failed(folder, error))
}

fn create(path: &Path) -> io::Result<BufWriter<File>> {
    /// The default of 8 KiB asks the system for each hundred packets.
    const BUFFER_BYTES: usize = 1 << 18;
    Ok(BufWriter::with_capacity(BUFFER_BYTES, File::create(path)?))
}

fn write_file(path: &Path, bytes: &[u8]) -> Result<()> {
    let write = || {
        fs::create_dir_all(path.parent().expect("is below the folder"))?;
        fs::write(path, bytes)
    };
    write().map_err(|error| output_failed(path, error))
}

fn output_failed(path: &Path, error: io::Error) -> anyhow::Error {
    anyhow::Error::new(error).context(OutputFailed { name: path.display().to_string() })
}
