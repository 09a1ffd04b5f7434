//! What every command that reads traffic does: all inputs, one after the other, through a
//! classifier.

use std::fs;
use std::io::Read;
use std::num::NonZero;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};

use super::input_hashes::InputHashes;
use super::progress::Progress;
use super::values::SkipLimit;
use super::{Console, ExitCode};
use crate::classify::{Classifier, ClassifyOptions, InputsError, RowSink, Summary, WaitingTuples};
use crate::fib::Fib;
use crate::spill::SpillRoom;
use crate::traffic::{
    Input, InputError, InputName, ReadOptions, Tally, TrafficReader, find_inputs,
};

/// A run over inputs.
pub(super) struct TrafficRun<'a> {
    pub(super) fib: &'a Fib,
    pub(super) inputs: &'a [Input],
    /// Where the hashes of the inputs go.
    pub(super) hashes: Option<InputHashes>,
    pub(super) options: ClassifyOptions,
    /// Where what memory does not hold goes.
    pub(super) room: SpillRoom,
    pub(super) is_progress_shown: bool,
    pub(super) console: Console,
}

/// Why a run over inputs ended early.
pub(super) type TrafficRunError = InputsError<InputError>;

/// The error itself, which decides how the program ends.
pub(super) fn cause_of(error: TrafficRunError) -> anyhow::Error {
    match error {
        TrafficRunError::Open(error) => error.into(),
        TrafficRunError::Rows(error) => error.into(),
    }
}

impl<'f> TrafficRun<'f> {
    /// Classifies every input into `sink`. A file of a folder that is no traffic at first sight is
    /// passed over with a note; a named one is damage.
    pub(super) fn classify<S: RowSink>(&self, sink: S) -> Result<(Summary, S), TrafficRunError> {
        self.read(sink)?.finish().map_err(TrafficRunError::Rows)
    }

    /// As [`classify`](Self::classify), but gives the tuples of logs out as they wait.
    pub(super) fn classify_apart<S: RowSink>(
        &self,
        sink: S,
    ) -> Result<(Summary, S, WaitingTuples<'f>), TrafficRunError> {
        self.read(sink)?.finish_apart().map_err(TrafficRunError::Rows)
    }

    fn read<S: RowSink>(&self, sink: S) -> Result<Classifier<'f, S>, TrafficRunError> {
        let progress = Progress::new(self.inputs, self.is_progress_shown);
        let mut classifier =
            Classifier::new(self.fib, self.options.clone(), sink).with_room(self.room.clone());
        let mut inputs = self.inputs.iter();
        classifier.classify_inputs(|| self.open_next(&mut inputs, &progress), &|bytes_read| {
            progress.set(bytes_read)
        })?;
        Ok(classifier)
    }

    fn open_next<'i>(
        &self,
        inputs: &mut impl Iterator<Item = &'i Input>,
        progress: &Progress,
    ) -> Result<Option<(InputName, TrafficReader)>, InputError> {
        for input in inputs {
            let opened = open(input, self.hashes.as_ref())?;
            let reader = TrafficReader::open(opened, ReadOptions::default());
            if input.is_named || reader.looks_like_traffic() {
                return Ok(Some((input.name.clone(), reader)));
            }
            let name = input.name.as_str();
            let note = format!("{name}: ignored: no capture and no flow log");
            progress.suspend(|| self.console.note(&note));
        }
        Ok(None)
    }
}

/// Lists the inputs. The output of an earlier run in the same folder is none of them.
pub(super) fn find_inputs_beside(
    paths: &[PathBuf],
    output: Option<&Path>,
    console: Console,
) -> Result<Vec<Input>> {
    let mut inputs = find_inputs(paths)?;
    let Some(output) = output.and_then(|path| fs::canonicalize(path).ok()) else {
        return Ok(inputs);
    };
    let is_output = |input: &Input| {
        let path = input.path.as_deref().map(fs::canonicalize);
        matches!(path, Some(Ok(path)) if path == output)
    };
    let named = inputs.iter().find(|input| input.is_named && is_output(input));
    ensure!(named.is_none(), "{}: is an input and the output", output.display());
    inputs.retain(|input| {
        let is_output = is_output(input);
        if is_output {
            console.note(&format!("{}: ignored: it is the output", input.name.as_str()));
        }
        !is_output
    });
    Ok(inputs)
}

/// Opens an input, and has it hashed where that is asked for.
///
/// # Errors
///
/// As [`Input::open`].
pub(super) fn open(
    input: &Input,
    hashes: Option<&InputHashes>,
) -> Result<Box<dyn Read + Send>, InputError> {
    hashes.map_or_else(|| input.open(), |hashes| hashes.open(input))
}

/// Room beyond `--memory`: files in the system's folder for such, which nobody else sees.
pub(super) fn room() -> SpillRoom {
    SpillRoom::new(|| Ok(Box::new(tempfile::tempfile()?)))
}

/// Sets up the threads and returns their number; 0 asks for one on each core.
pub(super) fn use_threads(asked: usize) -> Result<usize> {
    let threads = match asked {
        0 => std::thread::available_parallelism().map_or(1, NonZero::get),
        asked => asked,
    };
    rayon::ThreadPoolBuilder::new()
        .num_threads(threads)
        .build_global()
        .with_context(|| format!("starting {threads} threads"))?;
    Ok(threads)
}

/// # Panics
///
/// When a record was lost or invented: then nothing may be published.
pub(super) fn assert_balanced(summary: &Summary) {
    summary.total.assert_balanced();
    summary.inputs.iter().for_each(|input| input.tally.assert_balanced());
}

/// Says what is wrong with the inputs, and how the run ends for it.
pub(super) fn judge_inputs(
    summary: &Summary,
    max_skipped: SkipLimit,
    is_strict: bool,
    console: Console,
) -> ExitCode {
    let mut code = ExitCode::Success;
    if !summary.inputs.iter().any(|input| input.is_recognised) {
        console.error("no usable input: nothing was recognised as a capture or a flow log");
        code = code.worst(ExitCode::NoInput);
    }
    code.worst(judge_damage(&summary.total, "", max_skipped, is_strict, console))
}

/// Says how much was damaged of what was read, and how the run ends for it; `whose` stands before
/// the word for records.
pub(super) fn judge_damage(
    tally: &Tally,
    whose: &str,
    max_skipped: SkipLimit,
    is_strict: bool,
    console: Console,
) -> ExitCode {
    let (damaged, read) = (tally.damaged_total(), tally.records_read);
    if damaged == 0 {
        return ExitCode::Success;
    }
    let found = format!("{damaged} of {read} {whose}records are damaged");
    if !max_skipped.allows(damaged, read) {
        console.error(&format!("{found}, more than --max-skipped allows"));
        return ExitCode::Damaged;
    }
    if is_strict {
        console.error(&format!("{found}, and --strict allows none"));
        return ExitCode::Damaged;
    }
    console.warning(&format!("{found}, within --max-skipped"));
    ExitCode::Success
}
