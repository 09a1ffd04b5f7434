//! Files read back by the `parquet` crate's own readers.

use bytes::Bytes;
use parquet::basic::{LogicalType, Type as PhysicalType};
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::record::Field;

use super::*;
use crate::classify::{OutputRow, RowBuffer};
use crate::report::rows::tests::{null_row, sample_row, written};
use crate::report::{Column, ColumnKind, RowFormat};

fn reader(bytes: Vec<u8>) -> SerializedFileReader<Bytes> {
    SerializedFileReader::new(Bytes::from(bytes)).expect("a whole file")
}

fn fields(bytes: Vec<u8>) -> Vec<Vec<(String, Field)>> {
    reader(bytes)
        .get_row_iter(None)
        .unwrap()
        .map(|row| {
            row.unwrap()
                .get_column_iter()
                .map(|(name, field)| (name.clone(), field.clone()))
                .collect()
        })
        .collect()
}

/// Rows whose texts repeat, change and vanish at different places.
fn many_rows(texts: &[String]) -> Vec<OutputRow<'_>> {
    let text = |index: usize| Some(texts[index % texts.len()].as_str());
    (0..texts.len() * 6)
        .map(|index| {
            let mut row = if index % 7 == 3 { null_row() } else { sample_row() };
            row.source_record = index as u64;
            row.acl_rule = if index % 5 == 0 { None } else { text(index / 4) };
            row.acl_group = text(index);
            row.label.next_hop_name = if index % 3 == 0 { text(index / 9) } else { None };
            row
        })
        .collect()
}

fn grouped(rows: &[OutputRow<'_>], limits: RowGroupLimits, buffer_rows: &[usize]) -> Vec<u8> {
    let mut writer =
        ParquetWriter::with_limits(&RowOptions::default(), Vec::new(), limits).unwrap();
    let mut encoder = writer.encoder();
    let mut rest = rows;
    for count in buffer_rows.iter().cycle() {
        let (now, later) = rest.split_at((*count).min(rest.len()));
        now.iter().for_each(|row| encoder.push(row));
        writer.append(&mut encoder).unwrap();
        rest = later;
        if rest.is_empty() {
            break;
        }
    }
    writer.finish().unwrap()
}

#[test]
fn the_sample_is_read_back() {
    let rows = [sample_row(), null_row()];
    let read = fields(written(RowFormat::Parquet, &RowOptions::default(), &rows, &[2]));
    let names: Vec<&str> = read[0].iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, Column::ALL.map(Column::name));
    let text = |text: &str| Field::Str(text.to_owned());
    let first: Vec<Field> = read[0].iter().map(|(_, field)| field.clone()).collect();
    assert_eq!(
        first,
        [
            text("tuple"),
            Field::TimestampMicros(1_737_397_091_925_475),
            Field::TimestampMicros(1_737_397_091_925_475),
            Field::TimestampMicros(1_737_397_093_925_475),
            text("10.0.0.4"),
            text("2001:db8::1"),
            Field::UShort(50_123),
            Field::UShort(443),
            Field::UByte(6),
            text("T"),
            text("Outbound"),
            text("Continue"),
            text("Allowed"),
            text("NX"),
            Field::ULong(0),
            Field::ULong(u64::MAX),
            Field::ULong(1),
            Field::ULong(1 << 63),
            text("restart_cumulative"),
            text("000D3AF87856"),
            text("group"),
            text("rule"),
            text("/subscriptions/1/target"),
            text("/subscriptions/1/log"),
            text("vnet_v4"),
            text("logs/PT1H.json"),
            Field::ULong(7),
            Field::Bool(false),
            text("vnet-hub/subnet-1"),
            text("exported"),
            text("dest"),
            text("2001:db8::/32"),
            text("User"),
            text("VirtualNetworkGateway"),
            text("10.13.76.4 10.13.76.5"),
            text("gateway"),
            text("gateway"),
            text("no_route"),
        ]
    );
    for ((name, field), column) in read[1].iter().zip(Column::ALL) {
        assert_eq!(*field == Field::Null, column.is_nullable(), "{name}");
    }
    // -1 ns and the earliest time round towards the past.
    assert_eq!(read[1][1].1, Field::TimestampMicros(-1));
    assert_eq!(read[1][3].1, Field::TimestampMicros(-9_223_372_036_854_776));
}

#[test]
fn the_schema_is_declared() {
    let options = RowOptions { time_unit: TimeUnit::Nanoseconds, ..RowOptions::default() };
    let reader = reader(written(RowFormat::Parquet, &options, &[sample_row()], &[1]));
    let metadata = reader.metadata().file_metadata();
    let entries = metadata.key_value_metadata().unwrap();
    assert_eq!(entries.len(), 1);
    assert_eq!(entries[0].key, "nexthop.schema");
    assert_eq!(entries[0].value.as_deref(), Some("1"));
    assert!(metadata.created_by().unwrap().starts_with("nexthop version "));
    for (column, declared) in Column::ALL.into_iter().zip(metadata.schema_descr().columns()) {
        let (physical, logical) = match column.kind() {
            ColumnKind::Time => (
                PhysicalType::INT64,
                Some(LogicalType::timestamp(true, parquet::basic::TimeUnit::NANOS)),
            ),
            ColumnKind::U8 => (PhysicalType::INT32, Some(LogicalType::integer(8, false))),
            ColumnKind::U16 => (PhysicalType::INT32, Some(LogicalType::integer(16, false))),
            ColumnKind::U64 => (PhysicalType::INT64, Some(LogicalType::integer(64, false))),
            ColumnKind::Bool => (PhysicalType::BOOLEAN, None),
            _ => (PhysicalType::BYTE_ARRAY, Some(LogicalType::String)),
        };
        assert_eq!(declared.physical_type(), physical, "{column}");
        assert_eq!(declared.logical_type_ref(), logical.as_ref(), "{column}");
        assert_eq!(declared.max_def_level(), i16::from(column.is_nullable()), "{column}");
    }
}

#[test]
fn bytes_do_not_depend_on_the_buffers_and_no_value_is_lost() {
    let texts: Vec<String> = (0..40).map(|index| "x".repeat(index % 7) + "é").collect();
    let rows = many_rows(&texts);
    for limits in [
        RowGroupLimits { rows: 1_000_000, text_bytes: u64::MAX },
        RowGroupLimits { rows: 64, text_bytes: u64::MAX },
        RowGroupLimits { rows: 7, text_bytes: u64::MAX },
        RowGroupLimits { rows: 1, text_bytes: u64::MAX },
        RowGroupLimits { rows: 1_000_000, text_bytes: 3_000 },
    ] {
        let whole = grouped(&rows, limits, &[rows.len()]);
        for buffer_rows in [&[1][..], &[7], &[64], &[65], &[3, 0, 100, 1]] {
            assert!(grouped(&rows, limits, buffer_rows) == whole, "{limits:?} {buffer_rows:?}");
        }
        let read = fields(whole);
        assert_eq!(read.len(), rows.len());
        for (row, read) in rows.iter().zip(&read) {
            let field = |column: Column| &read[column as usize].1;
            let text =
                |text: Option<&str>| text.map_or(Field::Null, |text| Field::Str(text.to_owned()));
            assert_eq!(*field(Column::SourceRecord), Field::ULong(row.source_record));
            assert_eq!(*field(Column::AclRule), text(row.acl_rule));
            assert_eq!(*field(Column::AclGroup), text(row.acl_group));
            assert_eq!(*field(Column::NextHopName), text(row.label.next_hop_name));
            assert_eq!(*field(Column::MatchedPrefix) == Field::Null, row.ports.is_none());
        }
    }
}

#[test]
fn row_groups_are_cut_by_rows_and_by_text() {
    let rows = vec![sample_row(); 10];
    let group_rows = |limits| -> Vec<i64> {
        let reader = reader(grouped(&rows, limits, &[4]));
        reader.metadata().row_groups().iter().map(|group| group.num_rows()).collect()
    };
    let text_bytes = |row: &OutputRow<'_>| {
        let mut columns = Columns::new(&Column::ALL, TimeUnit::Microseconds);
        columns.push(row);
        columns.text_bytes()
    };
    let each = text_bytes(&sample_row());
    assert_eq!(group_rows(RowGroupLimits { rows: 4, text_bytes: u64::MAX }), [4, 4, 2]);
    assert_eq!(group_rows(RowGroupLimits { rows: 5, text_bytes: u64::MAX }), [5, 5]);
    // The row that reaches the limit is the group's last.
    assert_eq!(group_rows(RowGroupLimits { rows: 100, text_bytes: 3 * each }), [3, 3, 3, 1]);
    assert_eq!(group_rows(RowGroupLimits { rows: 100, text_bytes: 3 * each + 1 }), [4, 4, 2]);
    assert_eq!(group_rows(RowGroupLimits { rows: 100, text_bytes: 1 }), [1; 10]);
}

#[test]
fn no_rows_are_a_whole_file() {
    let reader = reader(written(RowFormat::Parquet, &RowOptions::default(), &[], &[1]));
    assert_eq!(reader.metadata().file_metadata().num_rows(), 0);
    assert_eq!(reader.metadata().num_row_groups(), 0);
    assert_eq!(reader.metadata().file_metadata().schema_descr().num_columns(), Column::ALL.len());
}

#[test]
fn selected_columns_come_in_their_order_and_the_level_is_checked() {
    let columns = vec![Column::NextHopClass, Column::SrcPort, Column::SrcIp];
    let options = RowOptions { columns, zstd_level: 22, ..RowOptions::default() };
    let read = fields(written(RowFormat::Parquet, &options, &[sample_row()], &[1]));
    let names: Vec<&str> = read[0].iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["NextHopClass", "SrcPort", "SrcIp"]);
    for zstd_level in [-1, 0, 23] {
        let options = RowOptions { zstd_level, ..RowOptions::default() };
        let error = ParquetWriter::new(&options, Vec::new()).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidInput, "{zstd_level}");
    }
}

#[test]
fn a_full_disk_reads_as_such() {
    struct Full;
    impl Write for Full {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::ErrorKind::StorageFull.into())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let limits = RowGroupLimits { rows: 20_000, text_bytes: u64::MAX };
    let mut writer = ParquetWriter::with_limits(&RowOptions::default(), Full, limits).unwrap();
    let mut encoder = writer.encoder();
    for record in 0..20_000 {
        encoder.push(&OutputRow { source_record: record * record, ..sample_row() });
    }
    let error = writer.append(&mut encoder).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::StorageFull);
}
