//! Bytes, rate and time left, on standard error.

use std::fs;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::traffic::Input;

/// Shows how much of all inputs has been read; nothing unless standard error is a terminal. Gone
/// when dropped.
#[derive(Debug)]
pub(super) struct Progress {
    bar: ProgressBar,
}

impl Progress {
    pub(super) fn new(inputs: &[Input], is_shown: bool) -> Self {
        Self { bar: if is_shown { bar(bytes_of(inputs)) } else { ProgressBar::hidden() } }
    }

    /// Takes the bytes read of all inputs so far; called from any thread.
    pub(super) fn set(&self, bytes_read: u64) {
        self.bar.set_position(bytes_read);
    }

    /// Runs what writes to standard error itself, without the bar in its way.
    pub(super) fn suspend(&self, say: impl FnOnce()) {
        self.bar.suspend(say);
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

fn bar(bytes: Option<u64>) -> ProgressBar {
    const KNOWN: &str =
        "{bar:30} {binary_bytes}/{binary_total_bytes}  {binary_bytes_per_sec}  {eta} left";
    const UNKNOWN: &str = "{spinner} {binary_bytes}  {binary_bytes_per_sec}  {elapsed}";
    let style = |template| ProgressStyle::with_template(template).expect("a template of ours");
    // Standard error, five times a second; hidden by the crate itself where it is no terminal.
    let target = ProgressDrawTarget::stderr_with_hz(5);
    match bytes {
        Some(bytes) => ProgressBar::with_draw_target(Some(bytes), target).with_style(style(KNOWN)),
        None => {
            let bar = ProgressBar::with_draw_target(None, target).with_style(style(UNKNOWN));
            bar.enable_steady_tick(Duration::from_millis(200));
            bar
        }
    }
}

/// Returns the size of all inputs; `None` if one of them, a pipe say, does not tell its own.
fn bytes_of(inputs: &[Input]) -> Option<u64> {
    inputs
        .iter()
        .map(|input| {
            let metadata = fs::metadata(input.path.as_ref()?).ok()?;
            metadata.is_file().then_some(metadata.len())
        })
        .try_fold(0, |sum: u64, bytes| sum.checked_add(bytes?))
}
