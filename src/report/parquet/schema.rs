//! The columns as Parquet declares them.

use std::io;
use std::sync::Arc;

use parquet::basic::{
    Compression, LogicalType, Repetition, TimeUnit as ParquetTimeUnit, Type as PhysicalType,
    ZstdLevel,
};
use parquet::file::metadata::KeyValue;
use parquet::file::properties::{EnabledStatistics, WriterProperties, WriterPropertiesPtr};
use parquet::schema::types::{ColumnPath, Type, TypePtr};

use super::TimeUnit;
use crate::report::{Column, ColumnKind};

pub(super) fn message_type(columns: &[Column], time_unit: TimeUnit) -> TypePtr {
    let fields = columns.iter().map(|column| Arc::new(field_type(*column, time_unit))).collect();
    let message = Type::group_type_builder("nexthop").with_fields(fields).build();
    Arc::new(message.expect("a group of columns with names of their own"))
}

/// Statistics are kept for row groups alone: groups are small enough to be read whole, and an index
/// of pages would grow the footer with every page.
pub(super) fn properties(columns: &[Column], zstd_level: i32) -> io::Result<WriterPropertiesPtr> {
    let level = Some(zstd_level)
        .filter(|level| (1..=22).contains(level))
        .and_then(|level| ZstdLevel::try_new(level).ok())
        .ok_or_else(|| {
            let message = format!("the Zstandard level {zstd_level} is not one of 1 to 22");
            io::Error::new(io::ErrorKind::InvalidInput, message)
        })?;
    let mut properties = WriterProperties::builder()
        .set_created_by(concat!("nexthop version ", env!("CARGO_PKG_VERSION")).to_owned())
        .set_key_value_metadata(Some(vec![KeyValue::new(
            "nexthop.schema".to_owned(),
            "1".to_owned(),
        )]))
        .set_compression(Compression::ZSTD(level))
        .set_statistics_enabled(EnabledStatistics::Chunk)
        .set_offset_index_disabled(true);
    for column in columns {
        let path = ColumnPath::from(column.name());
        properties = properties.set_column_dictionary_enabled(path, has_dictionary(*column));
    }
    Ok(Arc::new(properties.build()))
}

fn field_type(column: Column, time_unit: TimeUnit) -> Type {
    let integer = |bit_width| Some(LogicalType::integer(bit_width, false));
    let (physical, logical) = match column.kind() {
        ColumnKind::Word | ColumnKind::Text | ColumnKind::Address => {
            (PhysicalType::BYTE_ARRAY, Some(LogicalType::String))
        }
        ColumnKind::Time => {
            let unit = match time_unit {
                TimeUnit::Microseconds => ParquetTimeUnit::MICROS,
                TimeUnit::Nanoseconds => ParquetTimeUnit::NANOS,
            };
            (PhysicalType::INT64, Some(LogicalType::timestamp(true, unit)))
        }
        ColumnKind::U8 => (PhysicalType::INT32, integer(8)),
        ColumnKind::U16 => (PhysicalType::INT32, integer(16)),
        ColumnKind::U64 => (PhysicalType::INT64, integer(64)),
        ColumnKind::Bool => (PhysicalType::BOOLEAN, None),
    };
    let repetition = if column.is_nullable() { Repetition::OPTIONAL } else { Repetition::REQUIRED };
    Type::primitive_type_builder(column.name(), physical)
        .with_logical_type(logical)
        .with_repetition(repetition)
        .build()
        .expect("the logical types fit their physical types")
}

/// Returns true where rows repeat few values. Times, counters, record numbers and the initiator's
/// port are nearly all different; a dictionary of them would be built and thrown away.
fn has_dictionary(column: Column) -> bool {
    match column.kind() {
        ColumnKind::Word | ColumnKind::Text | ColumnKind::Address | ColumnKind::U8 => true,
        ColumnKind::U16 => column == Column::DestPort,
        ColumnKind::Time | ColumnKind::U64 | ColumnKind::Bool => false,
    }
}
