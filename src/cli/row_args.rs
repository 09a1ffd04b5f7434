//! How rows are written, as every command that writes some takes it.

use clap::{Args, ValueEnum};

use crate::report::{Column, RowOptions, TimeUnit};

/// Arguments of what writes rows.
#[derive(Args, Debug)]
pub struct RowArgs {
    /// How finely the times of the rows are written.
    #[arg(long, value_enum, default_value_t = TimeUnitName::Us)]
    pub time_unit: TimeUnitName,

    /// Leave texts in CSV as they are that a spreadsheet would take for a formula.
    #[arg(long)]
    pub csv_raw: bool,

    /// Level of Zstandard in Parquet.
    #[arg(long, value_name = "N", default_value_t = 1)]
    #[arg(value_parser = clap::value_parser!(i32).range(1..=22))]
    pub zstd_level: i32,
}

/// The value of `--time-unit`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum TimeUnitName {
    /// Microseconds.
    Us,
    /// Nanoseconds.
    Ns,
}

impl RowArgs {
    /// Returns the options for rows of these columns.
    pub fn options(&self, columns: Vec<Column>) -> RowOptions {
        RowOptions {
            columns,
            time_unit: self.time_unit.into(),
            csv_raw: self.csv_raw,
            zstd_level: self.zstd_level,
        }
    }
}

impl From<TimeUnitName> for TimeUnit {
    fn from(name: TimeUnitName) -> Self {
        match name {
            TimeUnitName::Us => Self::Microseconds,
            TimeUnitName::Ns => Self::Nanoseconds,
        }
    }
}
