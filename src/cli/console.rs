//! Where words go: results to standard output, everything about the run to standard error.

use std::io::{self, BufWriter, IsTerminal, Write};

use anyhow::Context;

use super::OutputFailed;
use super::args::{Color, ConsoleArgs};
use crate::report::display::neutral;

/// The terminal as the user asked for it.
#[derive(Clone, Copy, Debug)]
pub struct Console {
    /// Colour on standard output.
    pub is_coloured: bool,
    /// No warnings.
    pub is_quiet: bool,
    /// Complete lists, ignored files, times.
    pub is_verbose: bool,
}

impl Console {
    /// Settles what `--color auto` means here.
    pub fn new(args: ConsoleArgs) -> Self {
        let is_coloured = match args.color {
            Color::Always => true,
            Color::Never => false,
            Color::Auto => is_colour_welcome(),
        };
        Self { is_coloured, is_quiet: args.quiet, is_verbose: args.verbose }
    }

    /// Prints a result to standard output in one piece.
    ///
    /// A reader that closed the pipe has what it wanted: that is no error.
    ///
    /// # Errors
    ///
    /// When standard output cannot be written, a full disk behind it say.
    pub fn print(&self, page: &[u8]) -> anyhow::Result<()> {
        print(page)
    }

    /// Prints what `write` writes as it comes: results that may be larger than memory. A closed pipe
    /// is no error.
    ///
    /// # Errors
    ///
    /// When standard output cannot be written.
    pub fn stream(
        &self,
        write: impl FnOnce(&mut dyn Write) -> io::Result<()>,
    ) -> anyhow::Result<()> {
        let mut out = BufWriter::with_capacity(1 << 16, io::stdout().lock());
        printed(write(&mut out).and_then(|()| out.flush()))
    }

    /// Says what the user should know, unless asked to be quiet.
    pub fn warning(&self, text: &str) {
        if !self.is_quiet {
            say("warning: ", text);
        }
    }

    /// Says what the user may want to know, if asked to.
    pub fn note(&self, text: &str) {
        if self.is_verbose {
            say("", text);
        }
    }

    /// Says why the run fails.
    pub fn error(&self, text: &str) {
        error(text);
    }
}

/// See [`Console::print`].
pub(super) fn print(page: &[u8]) -> anyhow::Result<()> {
    let mut out = io::stdout().lock();
    printed(out.write_all(page).and_then(|()| out.flush()))
}

fn printed(result: io::Result<()>) -> anyhow::Result<()> {
    match result {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        result => result.context(OutputFailed { name: "standard output".to_owned() }),
    }
}

/// Says why the run fails. Nothing in `text` reaches the terminal as a control character.
pub(super) fn error(text: &str) {
    say("error: ", text);
}

/// Returns `text` with its line ends, and each line made neutral.
pub(super) fn neutral_lines(text: &str) -> String {
    text.split('\n').map(neutral).collect::<Vec<_>>().join("\n")
}

/// A standard error that cannot be written leaves nowhere to say so.
fn say(prefix: &str, text: &str) {
    let _ = writeln!(io::stderr().lock(), "{prefix}{}", neutral(text));
}

/// Source: no-color.org.
fn is_colour_welcome() -> bool {
    let is_set = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    io::stdout().is_terminal()
        && !is_set("NO_COLOR")
        && std::env::var_os("TERM").is_none_or(|term| term != "dumb")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn line_ends_stay_and_escapes_do_not() {
        assert_eq!(neutral_lines("a\u{1b}[0m\n\tb\n"), "a\\u{1b}[0m\n\\u{9}b\n");
    }
}
