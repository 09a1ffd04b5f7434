//! Placeholder.

use super::args::ExplainArgs;
use super::{Console, ExitCode};

/// Explains.
pub fn run(args: &ExplainArgs, console: &Console) -> anyhow::Result<ExitCode> {
    let _ = (args, console);
    todo!()
}
