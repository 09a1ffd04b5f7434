//! Completions and manual pages, from the declaration of the arguments.

use std::io::{self, Write};

use anyhow::{Context, Result};
use clap::CommandFactory;

use super::ExitCode;
use super::args::{Cli, CompletionsArgs, ManArgs};

pub(super) fn completions(args: &CompletionsArgs) -> Result<ExitCode> {
    // Into memory first: the generator panics when the pipe is closed.
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "nexthop", &mut script);
    print(&script)
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
    print(&page)
}

fn print(text: &[u8]) -> Result<ExitCode> {
    let mut out = io::stdout().lock();
    out.write_all(text).and_then(|()| out.flush()).context("writing to standard output")?;
    Ok(ExitCode::Success)
}
