//! One front for every format of rows.

use std::io::{self, Write};
use std::path::Path;
use std::sync::Arc;

use super::cell::TimeText;
use super::csv::CsvEncoder;
use super::jsonl::JsonlEncoder;
#[cfg(feature = "parquet")]
use super::parquet::{ParquetEncoder, ParquetWriter};
use super::{Column, TimeUnit};
use crate::classify::{OutputRow, RowBuffer, RowSink};

/// Writes labelled rows in one of the formats.
///
/// Text is formatted in the buffers, on the threads that fill them; appending copies bytes. Parquet
/// collects columns in the buffers and encodes a row group, column by column, on the threads of the
/// current `rayon` pool: [`append`](RowSink::append) must not be called under a lock that other
/// tasks of that pool wait for.
///
/// The bytes written depend on the rows and the options alone, never on how the rows were grouped
/// into buffers.
///
/// # Examples
///
/// ```
/// use nexthop::report::{Column, RowFormat, RowOptions, RowWriter};
///
/// let options =
///     RowOptions { columns: vec![Column::SrcIp, Column::NextHopClass], ..RowOptions::default() };
/// let writer = RowWriter::new(RowFormat::Csv, &options, Vec::new())?;
/// assert_eq!(writer.finish()?, b"SrcIp,NextHopClass\n");
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug)]
pub struct RowWriter<W: Write + Send>(Writer<W>);

/// Rows of one thread on their way into a [`RowWriter`].
#[derive(Debug)]
pub struct RowEncoder(Encoder);

/// A format of rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RowFormat {
    /// RFC 4180, with a header.
    Csv,
    /// One JSON object a line.
    Jsonl,
    /// Apache Parquet; needs the feature `parquet`.
    Parquet,
}

/// How rows are written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RowOptions {
    /// The columns, in this order.
    pub columns: Vec<Column>,
    /// How finely times are written.
    pub time_unit: TimeUnit,
    /// CSV only: leave texts as they are that a spreadsheet would take for a formula.
    pub csv_raw: bool,
    /// Parquet only: the level of Zstandard, 1 to 22.
    pub zstd_level: i32,
}

/// Why the name of a file tells no format.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RowFormatError {
    /// The extension is missing or not one of ours.
    #[error("{path}: rows are written to .csv, .jsonl or .parquet")]
    UnknownExtension {
        /// The file.
        path: String,
    },
    /// The extension names a format that was left out of this program.
    #[error("{path}: this program was built without the feature `parquet`; .csv and .jsonl work")]
    WithoutParquet {
        /// The file.
        path: String,
    },
}

impl<W: Write + Send> RowWriter<W> {
    /// Starts writing: the header of CSV, the first bytes of Parquet.
    ///
    /// # Errors
    ///
    /// When `out` cannot be written; `InvalidInput` for a level of Zstandard outside 1 to 22,
    /// `Unsupported` for Parquet without its feature.
    pub fn new(format: RowFormat, options: &RowOptions, out: W) -> io::Result<Self> {
        let times = TimeText::new(options.time_unit);
        Ok(Self(match format {
            RowFormat::Csv => {
                let columns: Arc<[Column]> = options.columns.as_slice().into();
                Writer::csv(CsvEncoder::new(columns, options.csv_raw, times), out)?
            }
            RowFormat::Jsonl => {
                Writer::Jsonl { encoder: JsonlEncoder::new(&options.columns, times), out }
            }
            #[cfg(feature = "parquet")]
            RowFormat::Parquet => Writer::Parquet(Box::new(ParquetWriter::new(options, out)?)),
            #[cfg(not(feature = "parquet"))]
            RowFormat::Parquet => return Err(io::ErrorKind::Unsupported.into()),
        }))
    }

    /// Writes what is left, the footer of Parquet included, and gives `out` back, flushed.
    ///
    /// # Errors
    ///
    /// When `out` cannot be written.
    pub fn finish(self) -> io::Result<W> {
        let mut out = match self.0 {
            Writer::Csv { out, .. } | Writer::Jsonl { out, .. } => out,
            #[cfg(feature = "parquet")]
            Writer::Parquet(writer) => writer.finish()?,
        };
        out.flush()?;
        Ok(out)
    }
}

impl<W: Write + Send> RowSink for RowWriter<W> {
    type Buffer = RowEncoder;

    fn buffer(&self) -> RowEncoder {
        RowEncoder(match &self.0 {
            Writer::Csv { encoder, .. } => {
                Encoder::Csv { encoder: encoder.clone(), bytes: Vec::new() }
            }
            Writer::Jsonl { encoder, .. } => {
                Encoder::Jsonl { encoder: encoder.clone(), bytes: Vec::new() }
            }
            #[cfg(feature = "parquet")]
            Writer::Parquet(writer) => Encoder::Parquet(writer.encoder()),
        })
    }

    fn append(&mut self, buffer: &mut RowEncoder) -> io::Result<()> {
        match (&mut self.0, &mut buffer.0) {
            (Writer::Csv { out, .. }, Encoder::Csv { bytes, .. })
            | (Writer::Jsonl { out, .. }, Encoder::Jsonl { bytes, .. }) => {
                out.write_all(bytes)?;
                bytes.clear();
                Ok(())
            }
            #[cfg(feature = "parquet")]
            (Writer::Parquet(writer), Encoder::Parquet(encoder)) => writer.append(encoder),
            _ => unreachable!("a buffer goes back to the writer that made it"),
        }
    }
}

impl RowBuffer for RowEncoder {
    fn push(&mut self, row: &OutputRow<'_>) {
        match &mut self.0 {
            Encoder::Csv { encoder, bytes } => encoder.push(bytes, row),
            Encoder::Jsonl { encoder, bytes } => encoder.push(bytes, row),
            #[cfg(feature = "parquet")]
            Encoder::Parquet(encoder) => encoder.push(row),
        }
    }
}

impl RowFormat {
    /// Returns the format that the extension of a file names, in any casing.
    ///
    /// # Errors
    ///
    /// [`RowFormatError`] for an unknown extension, or for `.parquet` without the feature.
    ///
    /// # Examples
    ///
    /// ```
    /// use nexthop::report::RowFormat;
    ///
    /// assert_eq!(RowFormat::of_path("rows.jsonl".as_ref())?, RowFormat::Jsonl);
    /// assert!(RowFormat::of_path("rows.json".as_ref()).is_err());
    /// # Ok::<(), nexthop::report::RowFormatError>(())
    /// ```
    pub fn of_path(path: &Path) -> Result<Self, RowFormatError> {
        let shown = || path.display().to_string();
        let extension = path.extension().map(|extension| extension.to_ascii_lowercase());
        match extension.as_ref().and_then(|extension| extension.to_str()) {
            Some("csv") => Ok(Self::Csv),
            Some("jsonl") => Ok(Self::Jsonl),
            Some("parquet") if cfg!(feature = "parquet") => Ok(Self::Parquet),
            Some("parquet") => Err(RowFormatError::WithoutParquet { path: shown() }),
            _ => Err(RowFormatError::UnknownExtension { path: shown() }),
        }
    }
}

impl Default for RowOptions {
    fn default() -> Self {
        Self {
            columns: Column::ALL.to_vec(),
            time_unit: TimeUnit::Microseconds,
            csv_raw: false,
            zstd_level: 1,
        }
    }
}

#[derive(Debug)]
enum Writer<W: Write + Send> {
    Csv {
        encoder: CsvEncoder,
        out: W,
    },
    Jsonl {
        encoder: JsonlEncoder,
        out: W,
    },
    #[cfg(feature = "parquet")]
    Parquet(Box<ParquetWriter<W>>),
}

#[derive(Debug)]
enum Encoder {
    Csv {
        encoder: CsvEncoder,
        bytes: Vec<u8>,
    },
    Jsonl {
        encoder: JsonlEncoder,
        bytes: Vec<u8>,
    },
    #[cfg(feature = "parquet")]
    Parquet(ParquetEncoder),
}

impl<W: Write + Send> Writer<W> {
    fn csv(encoder: CsvEncoder, mut out: W) -> io::Result<Self> {
        out.write_all(encoder.header().as_bytes())?;
        Ok(Self::Csv { encoder, out })
    }
}

#[cfg(test)]
pub(super) mod tests {
    use std::sync::LazyLock;

    use smallvec::smallvec;

    use super::*;
    use crate::azure::NextHopIps;
    use crate::classify::{CounterBasis, LabelColumns, LookupSide, RecordKind};
    use crate::net::MacAddress;
    use crate::routing::{NextHopClass, RouteTableBasis};
    use crate::traffic::{Counters, FlowDirection, FlowState, FlowStatus, SourceFormat};

    static GATEWAYS: LazyLock<NextHopIps> =
        LazyLock::new(|| smallvec!["10.13.76.4".parse().unwrap(), "10.13.76.5".parse().unwrap()]);

    /// A row with a value in every column.
    pub(in crate::report) fn sample_row() -> OutputRow<'static> {
        OutputRow {
            kind: RecordKind::Tuple,
            // 2025-01-20T18:18:11.925475Z and two seconds later.
            start_time_ns: 1_737_397_091_925_475_000,
            end_time_ns: 1_737_397_093_925_475_000,
            source: "10.0.0.4".parse().unwrap(),
            destination: "2001:db8::1".parse().unwrap(),
            ports: Some((50_123, 443)),
            protocol: 6,
            direction: Some(FlowDirection::Outbound),
            state: Some(FlowState::Continue),
            status: Some(FlowStatus::Allowed),
            encryption: Some("NX"),
            counters: Counters {
                packets_sent: Some(0),
                bytes_sent: Some(u64::MAX),
                packets_received: Some(1),
                bytes_received: Some(1 << 63),
            },
            counter_basis: Some(CounterBasis::RestartCumulative),
            mac: Some(MacAddress::new([0x00, 0x0D, 0x3A, 0xF8, 0x78, 0x56])),
            acl_group: Some("group"),
            acl_rule: Some("rule"),
            target_resource_id: Some("/subscriptions/1/target"),
            flow_log_resource_id: Some("/subscriptions/1/log"),
            source_format: SourceFormat::VnetV4,
            source_file: "logs/PT1H.json",
            source_record: 7,
            input: 0,
            observer: None,
            is_partial: false,
            record_count: 1,
            shows_begin: true,
            label: LabelColumns {
                route_table_id: Some("vnet-hub/subnet-1"),
                route_table_basis: Some(RouteTableBasis::Exported),
                lookup: Some(LookupSide::Destination),
                matched_prefix: Some("2001:db8::/32".parse().unwrap()),
                route_source: Some("User"),
                next_hop_type: Some("VirtualNetworkGateway"),
                next_hop_ips: Some(&GATEWAYS),
                next_hop_name: Some("gateway"),
                next_hop_class: NextHopClass::Gateway,
                peer_next_hop_class: Some(NextHopClass::NoRoute),
            },
            coverage: None,
            replay: None,
        }
    }

    /// A row with null in every column that may hold it.
    pub(in crate::report) fn null_row() -> OutputRow<'static> {
        OutputRow {
            kind: RecordKind::Packet,
            start_time_ns: -1,
            end_time_ns: i64::MIN,
            source: "0.0.0.0".parse().unwrap(),
            destination: "255.255.255.255".parse().unwrap(),
            ports: None,
            protocol: 47,
            direction: None,
            state: None,
            status: None,
            encryption: None,
            counters: Counters::default(),
            counter_basis: None,
            mac: None,
            acl_group: None,
            acl_rule: None,
            target_resource_id: None,
            flow_log_resource_id: None,
            source_format: SourceFormat::Pcapng,
            source_file: "-",
            source_record: 1,
            input: 0,
            observer: None,
            is_partial: true,
            record_count: 1,
            shows_begin: true,
            label: LabelColumns::of_class(NextHopClass::Unknown),
            coverage: None,
            replay: None,
        }
    }

    /// Writes rows through buffers that are handed over after so many rows each, in turn.
    pub(in crate::report) fn written(
        format: RowFormat,
        options: &RowOptions,
        rows: &[OutputRow<'_>],
        buffer_rows: &[usize],
    ) -> Vec<u8> {
        let mut writer = RowWriter::new(format, options, Vec::new()).unwrap();
        let mut buffers = [writer.buffer(), writer.buffer()];
        let mut rest = rows;
        for (turn, count) in buffer_rows.iter().cycle().enumerate() {
            let (now, later) = rest.split_at((*count).min(rest.len()));
            let buffer = &mut buffers[turn % 2];
            now.iter().for_each(|row| buffer.push(row));
            writer.append(buffer).unwrap();
            rest = later;
            if rest.is_empty() {
                break;
            }
        }
        writer.finish().unwrap()
    }

    #[test]
    fn csv_holds_every_column_of_the_sample() {
        let bytes = written(RowFormat::Csv, &RowOptions::default(), &[sample_row()], &[1]);
        let text = String::from_utf8(bytes).unwrap();
        let (header, line) = text.split_once('\n').unwrap();
        assert_eq!(header.split(',').count(), Column::ALL.len());
        assert_eq!(
            line,
            "tuple,2025-01-20T18:18:11.925475Z,2025-01-20T18:18:11.925475Z,\
             2025-01-20T18:18:13.925475Z,10.0.0.4,2001:db8::1,50123,443,6,T,Outbound,Continue,\
             Allowed,NX,0,18446744073709551615,1,9223372036854775808,restart_cumulative,\
             000D3AF87856,group,rule,/subscriptions/1/target,/subscriptions/1/log,vnet_v4,\
             logs/PT1H.json,7,false,vnet-hub/subnet-1,exported,dest,2001:db8::/32,User,\
             VirtualNetworkGateway,10.13.76.4 10.13.76.5,gateway,gateway,no_route\n"
        );
    }

    #[test]
    fn text_formats_do_not_depend_on_the_buffers() {
        let rows = vec![sample_row(), null_row(), null_row(), sample_row(), sample_row()];
        for format in [RowFormat::Csv, RowFormat::Jsonl] {
            let whole = written(format, &RowOptions::default(), &rows, &[5]);
            for buffer_rows in [&[1][..], &[2], &[3, 1], &[0, 4]] {
                assert_eq!(written(format, &RowOptions::default(), &rows, buffer_rows), whole);
            }
        }
    }

    #[test]
    fn the_extension_tells_the_format() {
        for (path, want) in [
            ("a.csv", Some(RowFormat::Csv)),
            ("dir.x/a b.CSV", Some(RowFormat::Csv)),
            ("a.jsonl", Some(RowFormat::Jsonl)),
            ("a.json", None),
            ("a", None),
            (".csv", None),
            ("a.csv.gz", None),
            ("csv", None),
        ] {
            assert_eq!(RowFormat::of_path(path.as_ref()).ok(), want, "{path}");
        }
        assert_eq!(RowFormat::of_path("a.parquet".as_ref()).is_ok(), cfg!(feature = "parquet"));
    }
}
