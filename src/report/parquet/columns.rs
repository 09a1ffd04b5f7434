//! Rows as columns in memory, on their way into a row group.

use std::mem;

use bytes::Bytes;
use parquet::column::writer::ColumnWriter;
use parquet::data_type::ByteArray;
use parquet::errors::ParquetError;

use crate::classify::{OutputRow, RowBuffer};
use crate::report::cell::{Cell, TimeText};
use crate::report::{Column, ColumnKind, TimeUnit};

/// Rows, column by column. Clearing keeps the memory.
#[derive(Debug)]
pub(in crate::report) struct Columns {
    columns: Vec<ColumnBuffer>,
    time_unit: TimeUnit,
    /// For each row, the bytes of text in it and all rows before.
    text_ends: Vec<u64>,
    times: TimeText,
}

/// The values of one column.
#[derive(Debug)]
pub(super) struct ColumnBuffer {
    column: Column,
    /// 1 for a value, 0 for null: the definition levels of Parquet. Empty where null cannot be.
    levels: Vec<i16>,
    values: Values,
}

/// Values without the nulls.
#[derive(Debug)]
enum Values {
    Bool(Vec<bool>),
    Int32(Vec<i32>),
    Int64(Vec<i64>),
    Text(Texts),
}

/// Texts end to end, a repetition of the one before stored as a mark: rows of a log share most of
/// their texts with their neighbours, and those are the long ones.
#[derive(Debug, Default)]
struct Texts {
    bytes: Vec<u8>,
    /// The length of each text, or [`Self::REPEATED`].
    lengths: Vec<u32>,
    /// Where the last text that is not a repetition starts.
    last_start: usize,
}

/// A place between two rows, for taking rows in several steps.
#[derive(Debug)]
pub(super) struct Cursor<'a> {
    rows: &'a Columns,
    row: usize,
    /// For each column.
    places: Vec<Place>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Place {
    value: usize,
    /// Where the next text starts.
    byte: usize,
    /// Where the last text starts, which the next one may repeat.
    last_byte: usize,
}

impl Columns {
    pub(super) fn new(columns: &[Column], time_unit: TimeUnit) -> Self {
        Self {
            columns: columns.iter().map(|column| ColumnBuffer::new(*column)).collect(),
            time_unit,
            text_ends: Vec::new(),
            times: TimeText::new(time_unit),
        }
    }

    pub(super) fn row_count(&self) -> usize {
        self.text_ends.len()
    }

    pub(super) fn text_bytes(&self) -> u64 {
        self.text_ends.last().copied().unwrap_or(0)
    }

    pub(super) fn columns_mut(&mut self) -> &mut [ColumnBuffer] {
        &mut self.columns
    }

    pub(super) fn clear(&mut self) {
        self.columns.iter_mut().for_each(ColumnBuffer::clear);
        self.text_ends.clear();
    }

    /// Takes at most `rows_max` rows, and none after those that brought `text_bytes_max`; always at
    /// least one.
    pub(super) fn take_from(
        &mut self,
        cursor: &mut Cursor<'_>,
        rows_max: usize,
        text_bytes_max: u64,
    ) {
        let rest = &cursor.rows.text_ends[cursor.row..];
        let before = cursor.row.checked_sub(1).map_or(0, |row| cursor.rows.text_ends[row]);
        let below_limit = rest.partition_point(|end| end - before < text_bytes_max);
        let rows = rows_max.min(below_limit + 1).min(rest.len());
        let offset = self.text_bytes();
        self.text_ends.extend(rest[..rows].iter().map(|end| end - before + offset));
        let sources = cursor.rows.columns.iter().zip(&mut cursor.places);
        for (column, (source, place)) in self.columns.iter_mut().zip(sources) {
            column.take_from(source, cursor.row, rows, place);
        }
        cursor.row += rows;
    }
}

impl RowBuffer for Columns {
    fn push(&mut self, row: &OutputRow<'_>) {
        let mut text_bytes = self.text_bytes();
        for column in &mut self.columns {
            let cell = Cell::of(column.column, row);
            text_bytes += column.push(cell, self.time_unit, &mut self.times);
        }
        self.text_ends.push(text_bytes);
    }
}

impl<'a> Cursor<'a> {
    pub(super) fn new(rows: &'a Columns) -> Self {
        Self { rows, row: 0, places: vec![Place::default(); rows.columns.len()] }
    }

    pub(super) fn has_rows(&self) -> bool {
        self.row < self.rows.row_count()
    }
}

impl ColumnBuffer {
    fn new(column: Column) -> Self {
        let values = match column.kind() {
            ColumnKind::Word | ColumnKind::Text | ColumnKind::Address => {
                Values::Text(Texts::default())
            }
            ColumnKind::Time | ColumnKind::U64 => Values::Int64(Vec::new()),
            ColumnKind::U8 | ColumnKind::U16 => Values::Int32(Vec::new()),
            ColumnKind::Bool => Values::Bool(Vec::new()),
        };
        Self { column, levels: Vec::new(), values }
    }

    /// Writes every value in one call.
    pub(super) fn write_to(&mut self, writer: &mut ColumnWriter<'_>) -> Result<(), ParquetError> {
        let levels = self.column.is_nullable().then_some(&self.levels[..]);
        match (&mut self.values, writer) {
            (Values::Bool(values), ColumnWriter::BoolColumnWriter(writer)) => {
                writer.write_batch(values, levels, None)?;
            }
            (Values::Int32(values), ColumnWriter::Int32ColumnWriter(writer)) => {
                writer.write_batch(values, levels, None)?;
            }
            (Values::Int64(values), ColumnWriter::Int64ColumnWriter(writer)) => {
                writer.write_batch(values, levels, None)?;
            }
            (Values::Text(texts), ColumnWriter::ByteArrayColumnWriter(writer)) => {
                writer.write_batch(&texts.take(), levels, None)?;
            }
            _ => unreachable!("the schema gives each kind its physical type"),
        }
        Ok(())
    }

    /// Adds a value and returns its bytes of text.
    fn push(&mut self, cell: Cell<'_>, time_unit: TimeUnit, times: &mut TimeText) -> u64 {
        if self.column.is_nullable() {
            let is_null = matches!(cell, Cell::Null);
            self.levels.push(i16::from(!is_null));
            if is_null {
                return 0;
            }
        }
        match (&mut self.values, cell) {
            (Values::Bool(values), Cell::Bool(value)) => values.push(value),
            (Values::Int32(values), Cell::Number(value)) => {
                values.push(value.try_into().expect("8 or 16 bits"));
            }
            // Parquet keeps unsigned numbers in the bits of signed ones.
            (Values::Int64(values), Cell::Number(value)) => values.push(value.cast_signed()),
            (Values::Int64(values), Cell::Time(time_ns)) => values.push(match time_unit {
                TimeUnit::Microseconds => time_ns.div_euclid(1000),
                TimeUnit::Nanoseconds => time_ns,
            }),
            (Values::Text(texts), cell) => {
                return texts.push(|bytes| cell.write_plain(bytes, times));
            }
            (values, cell) => unreachable!("{cell:?} does not go into {values:?}"),
        }
        0
    }

    fn take_from(&mut self, source: &Self, row: usize, rows: usize, place: &mut Place) {
        let mut count = rows;
        if self.column.is_nullable() {
            let levels = &source.levels[row..row + rows];
            self.levels.extend_from_slice(levels);
            count = levels.iter().filter(|level| **level == 1).count();
        }
        let range = place.value..place.value + count;
        match (&mut self.values, &source.values) {
            (Values::Bool(to), Values::Bool(from)) => to.extend_from_slice(&from[range]),
            (Values::Int32(to), Values::Int32(from)) => to.extend_from_slice(&from[range]),
            (Values::Int64(to), Values::Int64(from)) => to.extend_from_slice(&from[range]),
            (Values::Text(to), Values::Text(from)) => to.take_from(from, count, place),
            _ => unreachable!("both have the columns of the same writer"),
        }
        place.value += count;
    }

    fn clear(&mut self) {
        self.levels.clear();
        match &mut self.values {
            Values::Bool(values) => values.clear(),
            Values::Int32(values) => values.clear(),
            Values::Int64(values) => values.clear(),
            Values::Text(texts) => texts.clear(),
        }
    }
}

impl Texts {
    const REPEATED: u32 = u32::MAX;

    /// Adds what `write` appends, and returns its length.
    fn push(&mut self, write: impl FnOnce(&mut Vec<u8>)) -> u64 {
        let start = self.bytes.len();
        write(&mut self.bytes);
        let length = self.bytes.len() - start;
        if !self.lengths.is_empty() && self.bytes[self.last_start..start] == self.bytes[start..] {
            self.bytes.truncate(start);
            self.lengths.push(Self::REPEATED);
        } else {
            self.lengths.push(length_u32(length));
            self.last_start = start;
        }
        length as u64
    }

    fn take_from(&mut self, from: &Self, count: usize, place: &mut Place) {
        let lengths = &from.lengths[place.value..place.value + count];
        let Some(first) = lengths.first() else { return };
        let own = self.lengths.len();
        self.lengths.extend_from_slice(lengths);
        if *first == Self::REPEATED {
            // What it repeats may have gone into another row group, or never came in here.
            let text = &from.bytes[place.last_byte..place.byte];
            self.lengths[own] = length_u32(text.len());
            self.bytes.extend_from_slice(text);
        }
        let start = place.byte;
        for length in lengths.iter().filter(|length| **length != Self::REPEATED) {
            place.last_byte = place.byte;
            place.byte += *length as usize;
        }
        self.bytes.extend_from_slice(&from.bytes[start..place.byte]);
        self.last_start = self.bytes.len() - (place.byte - place.last_byte);
    }

    /// Returns the texts as Parquet wants them, all in one piece of memory, and keeps none.
    fn take(&mut self) -> Vec<ByteArray> {
        let capacity = self.bytes.capacity();
        let bytes = Bytes::from(mem::replace(&mut self.bytes, Vec::with_capacity(capacity)));
        let mut start = 0;
        let mut text = ByteArray::from(Bytes::new());
        let values = self.lengths.iter().map(|length| {
            if *length != Self::REPEATED {
                let end = start + *length as usize;
                text = ByteArray::from(bytes.slice(start..end));
                start = end;
            }
            text.clone()
        });
        values.collect()
    }

    fn clear(&mut self) {
        self.bytes.clear();
        self.lengths.clear();
        self.last_start = 0;
    }
}

fn length_u32(length: usize) -> u32 {
    u32::try_from(length)
        .ok()
        .filter(|length| *length != Texts::REPEATED)
        .expect("a text of a record of at most 64 MiB")
}
