//! The program; all of it is in [`nexthop::cli`].

#![forbid(unsafe_code)]

use std::process::ExitCode;

fn main() -> ExitCode {
    nexthop::cli::run(std::env::args_os()).into()
}
