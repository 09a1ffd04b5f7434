//! What the program tells its caller.

use std::fmt::Write as _;

use crate::traffic::{Damage, NotApplicable, Unknown};

/// How a run ended.
///
/// Where several apply, the worst is given: 70 over 2 over 4 over 3 over 1.
///
/// # Examples
///
/// ```
/// use nexthop::cli::ExitCode;
///
/// assert_eq!(ExitCode::Damaged.number(), 3);
/// assert_eq!(ExitCode::Damaged.worst(ExitCode::Findings), ExitCode::Damaged);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ExitCode {
    /// Nothing to say.
    Success,
    /// What was asked for was found.
    Findings,
    /// What was typed, or the routes, a policy or the configuration, cannot be used.
    Usage,
    /// More of the input is damaged than was allowed; all the rest is reported.
    Damaged,
    /// Nothing that could be read as recorded traffic.
    NoInput,
    /// A fault of the program, or an output that could not be completed; nothing is published.
    Internal,
}

impl ExitCode {
    /// Every code, by its number.
    pub const ALL: [Self; 6] =
        [Self::Success, Self::Findings, Self::Usage, Self::Damaged, Self::NoInput, Self::Internal];

    /// Returns the number that the process exits with.
    pub fn number(self) -> u8 {
        match self {
            Self::Success => 0,
            Self::Findings => 1,
            Self::Usage => 2,
            Self::Damaged => 3,
            Self::NoInput => 4,
            Self::Internal => 70,
        }
    }

    /// Returns the one that counts where both apply.
    pub fn worst(self, other: Self) -> Self {
        if self.rank() >= other.rank() { self } else { other }
    }

    fn rank(self) -> u8 {
        match self {
            Self::Success => 0,
            Self::Findings => 1,
            Self::Damaged => 2,
            Self::NoInput => 3,
            Self::Usage => 4,
            Self::Internal => 5,
        }
    }

    fn meaning(self) -> &'static str {
        match self {
            Self::Success => "fine; a reader that closes the pipe early is fine too",
            Self::Findings => "findings",
            Self::Usage => "usage, a missing path, or bad routes, policy or configuration",
            Self::Damaged => {
                "input damaged beyond --max-skipped, or at all with --strict; the rest is reported"
            }
            Self::NoInput => "no usable input",
            Self::Internal => {
                "internal, or the output could not be completed; nothing is published"
            }
        }
    }
}

impl From<ExitCode> for std::process::ExitCode {
    fn from(code: ExitCode) -> Self {
        Self::from(code.number())
    }
}

/// Returns the end of `--help`: the exit codes, and every reason for a record without a label.
pub(super) fn help() -> String {
    let mut help = "Exit codes (where several apply: 70 over 2 over 4 over 3 over 1):\n".to_owned();
    for code in ExitCode::ALL {
        writeln!(help, "  {:>2}  {}", code.number(), code.meaning()).expect("a string");
    }
    let lists = [
        ("not applicable (normal)", NotApplicable::ALL.map(NotApplicable::as_str).join(", ")),
        ("damaged (counted by --max-skipped)", Damage::ALL.map(Damage::as_str).join(", ")),
        ("unknown (read, and yet without a label)", Unknown::ALL.map(Unknown::as_str).join(", ")),
    ];
    help.push_str("\nReasons for records without a label:");
    for (kind, reasons) in lists {
        write!(help, "\n  {kind}:\n    {reasons}").expect("a string");
    }
    help
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_the_contract() {
        assert_eq!(ExitCode::ALL.map(ExitCode::number), [0, 1, 2, 3, 4, 70]);
    }

    #[test]
    fn the_worst_is_70_over_2_over_4_over_3_over_1() {
        let order = [
            ExitCode::Internal,
            ExitCode::Usage,
            ExitCode::NoInput,
            ExitCode::Damaged,
            ExitCode::Findings,
            ExitCode::Success,
        ];
        for (index, worse) in order.into_iter().enumerate() {
            for better in &order[index..] {
                assert_eq!(worse.worst(*better), worse);
                assert_eq!(better.worst(worse), worse);
            }
        }
    }

    #[test]
    fn help_names_every_code_and_reason() {
        let help = help();
        for line in ["   0  fine", "   1  ", "   2  usage", "   3  ", "   4  no usable", "  70  "] {
            assert!(help.contains(line), "{line:?}");
        }
        for reason in ["not_ip", "no_data_block", "truncated", "unrecognised_file", "fastpath"] {
            assert!(help.contains(reason), "{reason}");
        }
    }
}
