//! Placeholder.

use super::args::RoutesArgs;
use super::{Console, ExitCode};

/// Routess.
pub fn run(args: &RoutesArgs, console: &Console) -> anyhow::Result<ExitCode> {
    let _ = (args, console);
    todo!()
}
