//! `nexthop lint`.

use super::args::{LintArgs, LintFormat};
use super::{Console, ExitCode, snapshot};
use crate::report::{write_lint_json, write_lint_text};
use crate::routing::Severity;

/// Shows the faults of a snapshot.
///
/// # Errors
///
/// A bad snapshot.
pub fn run(args: &LintArgs, console: &Console) -> anyhow::Result<ExitCode> {
    let loaded = snapshot::load(&args.routes, None)?;
    loaded.notes.iter().for_each(|note| console.note(note));
    let findings = loaded.tables.lint(&loaded.fib);
    let out = &mut Vec::new();
    match args.format {
        LintFormat::Text => write_lint_text(out, &findings, console.is_coloured)?,
        LintFormat::Json => write_lint_json(out, &findings)?,
    }
    console.print(out)?;
    let has_error = findings.iter().any(|finding| finding.severity == Severity::Error);
    Ok(if has_error { ExitCode::Findings } else { ExitCode::Success })
}
