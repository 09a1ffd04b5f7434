//! Completions and manual pages, from the declaration of the arguments.

use anyhow::{Context, Result};
use clap::CommandFactory;

use super::args::{Cli, CompletionsArgs, ManArgs};
use super::{ExitCode, console};

pub(super) fn completions(args: &CompletionsArgs) -> Result<ExitCode> {
    // Into memory first: the generator panics when a pipe is closed.
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "nexthop", &mut script);
    console::print(&script)?;
    Ok(ExitCode::Success)
}

pub(super) fn man(args: &ManArgs) -> Result<ExitCode> {
    let command = Cli::command();
    if let Some(folder) = &args.output_dir {
        std::fs::create_dir_all(folder)
            .and_then(|()| clap_mangen::generate_to(command, folder))
            .with_context(|| format!("writing manual pages to {}", folder.display()))?;
        return Ok(ExitCode::Success);
    }
    let mut page = Vec::new();
    clap_mangen::Man::new(command).render(&mut page).context("writing the manual page")?;
    console::print(&page)?;
    Ok(ExitCode::Success)
}
