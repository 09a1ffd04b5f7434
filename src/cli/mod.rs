//! The command line: text in, library calls, words and an exit code out.
//!
//! Reads as the program's story: [`Cli`] says what may be typed, [`run`] does it, and [`ExitCode`]
//! says how it ended. Only here are `clap`, `anyhow`, clocks and terminals.

mod args;
mod bench;
mod bench_work;
mod classify;
mod console;
mod evidence;
mod exit_code;
mod explain;
mod generate;
mod generated;
mod input_hashes;
mod lint;
mod policy;
mod progress;
mod reading_args;
mod replay;
mod replay_args;
mod routes;
mod row_args;
mod snapshot;
mod traffic_run;
mod values;
mod verify;
mod verify_args;

use std::any::Any;
use std::backtrace::{Backtrace, BacktraceStatus};
use std::ffi::OsString;
use std::fmt;
use std::io::{self, IsTerminal, Write};
use std::panic::{self, PanicHookInfo};

use clap::Parser;

pub use args::{
    BenchArgs, BenchFormat, ClassifyArgs, ClassifyFormat, Cli, Color, Command, CompletionsArgs,
    ConsoleArgs, ExplainArgs, ExplainFormat, GenerateArgs, LintArgs, LintFormat, ManArgs,
    PacketSizeName, Per, RoutesArgs, RoutesFormat,
};
pub use console::Console;
pub use exit_code::ExitCode;
pub use replay_args::{ReplayArgs, ReplayFormat};
pub use row_args::{RowArgs, TimeUnitName};
pub use values::{
    ColumnList, ExplainDestination, Percent, ReplayColumnList, Size, SkipLimit, TunnelList,
    ValueError,
};
pub use verify_args::{EvidenceWindow, VerifyArgs};

use crate::report::AtomicFileError;

/// Runs the program with its arguments, the program's own name first.
///
/// Never panics: a fault of the program is said on standard error and gives
/// [`ExitCode::Internal`]. Replaces the process's panic hook.
pub fn run(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    panic::set_hook(Box::new(report_panic));
    let result = panic::catch_unwind(panic::AssertUnwindSafe(|| match Cli::try_parse_from(args) {
        Ok(cli) => cli.command.run(),
        Err(message) => Ok(print_message(&message)),
    }));
    match result {
        Ok(Ok(code)) => code,
        Ok(Err(error)) => report_error(&error),
        Err(_) => ExitCode::Internal,
    }
}

impl Command {
    fn run(&self) -> anyhow::Result<ExitCode> {
        match self {
            Self::Classify(args) => classify::run(args, Console::new(args.console)),
            Self::Explain(args) => explain::run(args, &Console::new(args.console)),
            Self::Routes(args) => routes::run(args, &Console::new(args.console)),
            Self::Verify(args) => verify::run(args, Console::new(args.console)),
            Self::Replay(args) => replay::run(args, Console::new(args.console)),
            Self::Generate(args) => generate::run(args, Console::new(args.console)),
            Self::Lint(args) => lint::run(args, &Console::new(args.console)),
            Self::Bench(args) => bench::run(args, &Console::new(args.console)),
            Self::Completions(args) => generated::completions(args),
            Self::Man(args) => generated::man(args),
        }
    }
}

/// Marks an error as one of writing results, not of what was typed.
#[derive(Debug)]
struct OutputFailed {
    /// A path, or `standard output`.
    name: String,
}

impl fmt::Display for OutputFailed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: cannot be written", self.name)
    }
}

/// Says an error once, and returns what it means. A closed pipe is no error: the reader has what it
/// wanted.
fn report_error(error: &anyhow::Error) -> ExitCode {
    if is_broken_pipe(error) {
        return ExitCode::Success;
    }
    console::error(&format!("{error:#}"));
    exit_code_of(error)
}

fn exit_code_of(error: &anyhow::Error) -> ExitCode {
    let is_commit =
        matches!(error.downcast_ref::<AtomicFileError>(), Some(AtomicFileError::Commit { .. }));
    if is_commit || error.downcast_ref::<OutputFailed>().is_some() {
        ExitCode::Internal
    } else {
        ExitCode::Usage
    }
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error
        .chain()
        .filter_map(|cause| cause.downcast_ref::<io::Error>())
        .any(|cause| cause.kind() == io::ErrorKind::BrokenPipe)
}

/// Prints what `clap` has to say: help and version are results, the rest is about what was typed
/// and may repeat it.
fn print_message(message: &clap::Error) -> ExitCode {
    let text = message.render();
    if message.use_stderr() {
        let _ = write!(io::stderr().lock(), "{}", console::neutral_lines(&text.to_string()));
        return ExitCode::Usage;
    }
    let mut out = io::stdout().lock();
    let _ = if out.is_terminal() { write!(out, "{}", text.ansi()) } else { write!(out, "{text}") };
    ExitCode::Success
}

/// Says what a panic says, on one line and neutral; the place helps whoever reports it.
fn report_panic(info: &PanicHookInfo<'_>) {
    let place = info.location().map(|place| format!(" ({place})")).unwrap_or_default();
    let text = payload_text(info.payload());
    console::error(&format!("internal: {text}{place}; nothing was published"));
    let backtrace = Backtrace::capture();
    if backtrace.status() == BacktraceStatus::Captured {
        let _ = writeln!(io::stderr().lock(), "{backtrace}");
    }
}

fn payload_text(payload: &(dyn Any + Send)) -> &str {
    payload
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| payload.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("a panic without a message")
}

#[cfg(test)]
mod tests {
    use anyhow::Context;

    use super::*;

    fn io_error(kind: io::ErrorKind) -> anyhow::Error {
        anyhow::Error::from(io::Error::from(kind))
    }

    #[test]
    fn errors_mean_what_they_are_about() {
        let output = OutputFailed { name: "rows.csv".into() };
        let full = io_error(io::ErrorKind::StorageFull).context(output);
        assert_eq!(exit_code_of(&full), ExitCode::Internal);
        assert!(format!("{full:#}").starts_with("rows.csv: cannot be written: "));
        let commit = AtomicFileError::Commit {
            path: "rows.csv".into(),
            source: io::ErrorKind::StorageFull.into(),
        };
        assert_eq!(exit_code_of(&anyhow::Error::from(commit)), ExitCode::Internal);
        let create = AtomicFileError::Create {
            path: "x/rows.csv".into(),
            source: io::ErrorKind::NotFound.into(),
        };
        assert_eq!(exit_code_of(&anyhow::Error::from(create)), ExitCode::Usage);
        assert_eq!(exit_code_of(&anyhow::anyhow!("no such table")), ExitCode::Usage);
    }

    #[test]
    fn a_closed_pipe_is_found_below_any_context() {
        let pipe = Err::<(), _>(io_error(io::ErrorKind::BrokenPipe));
        let error = pipe.context("outer").context("outermost").unwrap_err();
        assert!(is_broken_pipe(&error));
        assert!(!is_broken_pipe(&io_error(io::ErrorKind::NotFound)));
    }
}
