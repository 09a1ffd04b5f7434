//! Rows as Apache Parquet, without Arrow: the crate's column writers over our own columns.
//!
//! Rows collect in columns until a row group is full; then every column is encoded in one call, so
//! that pages and dictionaries depend on the rows alone, and on the threads of the current `rayon`
//! pool, because encoding is the dearest part of writing.

mod columns;
mod schema;

use std::fmt;
use std::io::{self, Write};
use std::sync::Arc;

use bytes::Bytes;
use parquet::column::writer::{ColumnCloseResult, get_column_writer};
use parquet::errors::ParquetError;
use parquet::file::properties::WriterPropertiesPtr;
use parquet::file::writer::{SerializedFileWriter, SerializedPageWriter, TrackedWrite};
use parquet::schema::types::ColumnDescPtr;
use rayon::prelude::*;

pub(super) use columns::Columns as ParquetEncoder;
use columns::{ColumnBuffer, Columns, Cursor};

use super::{RowOptions, TimeUnit};

/// Writes a Parquet file.
///
/// Memory is that of one row group, about 64 MiB, and the footer's entry for each group written,
/// about 20 KiB.
pub(super) struct ParquetWriter<W: Write + Send> {
    file: SerializedFileWriter<W>,
    properties: WriterPropertiesPtr,
    options: RowOptions,
    limits: RowGroupLimits,
    /// The rows of the row group that is being filled.
    group: Columns,
}

/// When a row group is full. Both limits count rows as given, so that the cut is at the same row
/// however rows come in.
#[derive(Clone, Copy, Debug)]
struct RowGroupLimits {
    rows: usize,
    /// Bytes of text in all columns together; ordinary rows stay far below it, and it bounds the
    /// memory where texts are hostile.
    text_bytes: u64,
}

impl RowGroupLimits {
    const DEFAULT: Self = Self { rows: 128 * 1024, text_bytes: 256 << 20 };
}

impl<W: Write + Send> ParquetWriter<W> {
    pub(super) fn new(options: &RowOptions, out: W) -> io::Result<Self> {
        Self::with_limits(options, out, RowGroupLimits::DEFAULT)
    }

    fn with_limits(options: &RowOptions, out: W, limits: RowGroupLimits) -> io::Result<Self> {
        let properties = schema::properties(&options.columns, options.zstd_level)?;
        let message = schema::message_type(&options.columns, options.time_unit);
        let file = SerializedFileWriter::new(out, message, Arc::clone(&properties))
            .map_err(into_io_error)?;
        let group = Columns::new(&options.columns, options.time_unit);
        Ok(Self { file, properties, options: options.clone(), limits, group })
    }

    pub(super) fn encoder(&self) -> ParquetEncoder {
        Columns::new(&self.options.columns, self.options.time_unit)
    }

    /// Takes the rows of `rows`, and writes every row group that they fill.
    pub(super) fn append(&mut self, rows: &mut Columns) -> io::Result<()> {
        let mut cursor = Cursor::new(rows);
        while cursor.has_rows() {
            let room = self.limits.rows - self.group.row_count();
            let text_room = self.limits.text_bytes.saturating_sub(self.group.text_bytes());
            self.group.take_from(&mut cursor, room, text_room);
            let is_full = self.group.row_count() == self.limits.rows
                || self.group.text_bytes() >= self.limits.text_bytes;
            if is_full {
                self.write_group()?;
            }
        }
        rows.clear();
        Ok(())
    }

    /// Writes the last row group and the footer.
    pub(super) fn finish(mut self) -> io::Result<W> {
        if self.group.row_count() > 0 {
            self.write_group()?;
        }
        self.file.into_inner().map_err(into_io_error)
    }

    fn write_group(&mut self) -> io::Result<()> {
        let descriptor = self.file.schema_descr();
        let columns: Vec<(ColumnDescPtr, &mut ColumnBuffer)> = self
            .group
            .columns_mut()
            .iter_mut()
            .enumerate()
            .map(|(index, column)| (descriptor.column(index), column))
            .collect();
        let chunks: Vec<ColumnChunk> = columns
            .into_par_iter()
            .map(|(descriptor, column)| encode_column(descriptor, &self.properties, column))
            .collect::<Result<_, _>>()
            .map_err(into_io_error)?;
        self.group.clear();
        splice(&mut self.file, chunks).map_err(into_io_error)
    }
}

impl<W: Write + Send> fmt::Debug for ParquetWriter<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ParquetWriter").field("options", &self.options).finish_non_exhaustive()
    }
}

/// One encoded column of one row group.
struct ColumnChunk {
    bytes: Bytes,
    close: ColumnCloseResult,
}

fn encode_column(
    descriptor: ColumnDescPtr,
    properties: &WriterPropertiesPtr,
    column: &mut ColumnBuffer,
) -> Result<ColumnChunk, ParquetError> {
    let mut out = TrackedWrite::new(Vec::new());
    let pages = Box::new(SerializedPageWriter::new(&mut out));
    let mut writer = get_column_writer(descriptor, Arc::clone(properties), pages);
    column.write_to(&mut writer)?;
    let close = writer.close()?;
    Ok(ColumnChunk { bytes: out.into_inner()?.into(), close })
}

fn splice<W: Write + Send>(
    file: &mut SerializedFileWriter<W>,
    chunks: Vec<ColumnChunk>,
) -> Result<(), ParquetError> {
    let mut group = file.next_row_group()?;
    for ColumnChunk { bytes, close } in chunks {
        group.append_column(&bytes, close)?;
    }
    group.close()?;
    Ok(())
}

/// Gives back the error of the file where there was one, so that a full disk reads as such.
fn into_io_error(error: ParquetError) -> io::Error {
    match error {
        ParquetError::External(source) => match source.downcast::<io::Error>() {
            Ok(error) => *error,
            Err(source) => io::Error::other(source),
        },
        error => io::Error::other(error),
    }
}

#[cfg(test)]
mod tests;
