//! Any firewall log → records and the books.

use std::fmt;
use std::io::{self, Cursor, ErrorKind, Read};

use super::delimited::Delimited;
use super::document::Document;
use super::fields::Fields;
use super::interpret::{Interpreter, Reading};
use super::json_lines::JsonLines;
use super::recognise::{Form, form_of};
use super::record::FirewallRecord;
use super::tables::Tables;
use super::text_table::TextTable;
use crate::traffic::input::{ByteCount, open_text};
use crate::traffic::{Damage, NotApplicable, Tally};

/// Reads the log of one or several firewalls.
///
/// Gzip and Zstandard are unpacked, UTF-16 is read, and the form is recognised, all by content and
/// never by name. Reading cannot fail: what is damaged goes to the books, and reading goes on
/// behind it wherever the form allows.
///
/// Memory is flat at any size: buffers, and the longest line (at most 16 MiB) or, within brackets,
/// the longest record (at most 64 MiB). In JSON and in separated values a record allocates nothing
/// once its rule, its firewall and its destination's name were met before.
///
/// # Examples
///
/// ```
/// use nexthop::traffic::Tally;
/// use nexthop::traffic::firewall::{FirewallAction, FirewallCategory, FirewallLogReader};
///
/// let log = r#"{"time":"2025-11-26T14:17:22.259698+00:00","category":"AZFWNetworkRule","properties":
/// {"Protocol":"TCP","SourceIp":"10.0.0.4","SourcePort":50306,"DestinationIp":"10.1.0.4",
/// "DestinationPort":443,"Action":"Allow"}}"#;
/// let log = log.replace('\n', "") + "\n{\"category\":\"AZFWDnsQuery\"}\n";
/// let mut reader = FirewallLogReader::open(Box::new(std::io::Cursor::new(log)));
///
/// let (mut records, mut tally) = (Vec::new(), Tally::default());
/// while reader.read(&mut records, 1000, &mut tally) {
///     for record in &records {
///         assert_eq!(record.category, Some(FirewallCategory::NetworkRule));
///         assert_eq!(record.action, Some(FirewallAction::Allow));
///         assert_eq!((record.source_port, record.destination_port), (Some(50306), Some(443)));
///     }
///     tally.classified += records.len() as u64;
/// }
/// tally.assert_balanced();
/// assert_eq!((tally.classified, tally.records_read), (1, 2));
/// ```
pub struct FirewallLogReader {
    source: Source,
    source_bytes: ByteCount,
    interpreter: Interpreter,
    records_read: u64,
}

impl FirewallLogReader {
    /// Recognises an input and stands before its first record.
    ///
    /// An input that has none of a log's forms gives one record, which is damaged
    /// (`unrecognised_file`). JSON always is a log; what is no record in it is told in the books.
    pub fn open(input: Box<dyn Read + Send>) -> Self {
        let (text, source_bytes) = open_text(input);
        let source = match text {
            Ok(text) => Source::of_text(text),
            Err(error) => Source::unreadable(&error),
        };
        Self { source, source_bytes, interpreter: Interpreter::default(), records_read: 0 }
    }

    /// Returns false for an input that has none of a log's forms.
    pub fn is_recognised(&self) -> bool {
        !matches!(self.source, Source::Unrecognised { .. })
    }

    /// Replaces `records` by the records that follow, at most `records_max` of them, and adds
    /// what was read to `tally`: records read, not applicable, damaged. Returns false at the end,
    /// with nothing read.
    ///
    /// The rows of `records` are for the caller to count, as classified. Nothing else of the books
    /// is left open, so that they balance then. There may be none though more follow, where what
    /// was read is no flow.
    ///
    /// # Panics
    ///
    /// Where `records_max` is 0.
    pub fn read(
        &mut self,
        records: &mut Vec<FirewallRecord>,
        records_max: usize,
        tally: &mut Tally,
    ) -> bool {
        assert!(records_max > 0, "no records are asked for");
        records.clear();
        let Self { source, interpreter, records_read, .. } = self;
        let mut output = Output { interpreter, records_read, records, tally };
        let mut is_any = false;
        // Each turn reads one record, a row or not: so the work of a call is bounded, too.
        for _ in 0..records_max {
            if !source.next(&mut output) {
                break;
            }
            is_any = true;
        }
        is_any
    }

    /// Returns the bytes taken from the input so far, before decompression.
    pub fn bytes_read(&self) -> u64 {
        self.source_bytes.get()
    }

    /// Returns true once a record showed that the log is a firewall's: a packet or a connection, or
    /// the name of one of its categories or resources.
    pub fn is_of_firewall(&self) -> bool {
        self.interpreter.is_of_firewall()
    }

    /// Returns true once a row of Log Analytics named its category: such a result may hold every
    /// category, where any other log holds only those that it shows.
    pub fn has_category_column(&self) -> bool {
        self.interpreter.has_category_column()
    }
}

impl fmt::Debug for FirewallLogReader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FirewallLogReader")
            .field("records_read", &self.records_read)
            .finish_non_exhaustive()
    }
}

/// Tells whether an input is a firewall's log, by its first records, and gives it back unread.
///
/// Captures and flow logs are not, nor is a file that shows no firewall near its beginning: no
/// record of one, no resource, and no columns with a time and a source.
///
/// Cost: reads at most 256 KiB.
///
/// # Examples
///
/// ```
/// use std::io::{Cursor, Read};
///
/// use nexthop::traffic::firewall::looks_like_firewall_log;
///
/// let table = "TimeGenerated,SourceIP,DestinationIp_s\n2025-01-20T18:18:11Z,10.0.0.4,10.1.0.4\n";
/// let (is_log, mut input) = looks_like_firewall_log(Box::new(Cursor::new(table)));
/// assert!(is_log);
/// let mut text = String::new();
/// input.read_to_string(&mut text)?;
/// assert_eq!(text, table);
///
/// let flow_log = r#"{"records":[{"category":"FlowLogFlowEvent"}]}"#;
/// assert!(!looks_like_firewall_log(Box::new(Cursor::new(flow_log))).0);
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn looks_like_firewall_log(input: Box<dyn Read + Send>) -> (bool, Box<dyn Read + Send>) {
    /// A block of Zstandard has up to 128 KiB, and gives nothing before it is whole.
    const PACKED_HEAD_BYTES: usize = 256 << 10;
    const RECORDS_MAX: usize = 1000;

    let (head, whole) = peek(input, PACKED_HEAD_BYTES);
    let (text, _) = open_text(Box::new(Cursor::new(head)));
    let Ok(text) = text else { return (false, whole) };
    // Only the head of what is inside, too, and without the error of its being cut.
    let (head, _) = peek(text, HEAD_BYTES);
    let source = Source::of_text(Box::new(Cursor::new(head)));
    let is_table = matches!(source, Source::Delimited(_) | Source::TextTable(_));
    let mut reader = FirewallLogReader {
        source,
        source_bytes: ByteCount::default(),
        interpreter: Interpreter::default(),
        records_read: 0,
    };
    let is_any = reader.read(&mut Vec::new(), RECORDS_MAX, &mut Tally::default());
    // Columns alone are enough, where no row says otherwise.
    (reader.interpreter.is_of_firewall() || is_table && !is_any, whole)
}

/// Where records go.
pub(super) struct Output<'o> {
    interpreter: &'o mut Interpreter,
    records_read: &'o mut u64,
    records: &'o mut Vec<FirewallRecord>,
    tally: &'o mut Tally,
}

/// Where a row stands.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    pub(super) offset: u64,
    pub(super) line: Option<u64>,
    /// At an end of the input that may be a cut.
    pub(super) is_cut: bool,
}

impl Output<'_> {
    /// Takes a row. One at the cut end of the input that cannot be read counts as cut.
    pub(super) fn row(&mut self, fields: &Fields<'_>, place: Place) {
        let record = self.begin();
        match self.interpreter.read(fields, record) {
            Reading::Record(record) => self.records.push(record),
            Reading::OtherCategory => {
                self.tally.count_not_applicable(NotApplicable::OtherLogCategory, 1);
            }
            Reading::Fault(fault) => {
                let damage = if place.is_cut { Damage::Truncated } else { Damage::MalformedRecord };
                self.tally.count_damage(damage, record, place.offset, || match place.line {
                    Some(line) => format!("line {line}: {fault}"),
                    None => fault.to_string(),
                });
            }
        }
    }

    /// Takes a stretch of the input that is no row.
    pub(super) fn damage(&mut self, damage: Damage, offset: u64, detail: impl FnOnce() -> String) {
        let record = self.begin();
        self.tally.count_damage(damage, record, offset, detail);
    }

    fn begin(&mut self) -> u64 {
        *self.records_read += 1;
        self.tally.records_read += 1;
        *self.records_read
    }
}

/// A log in one of its forms.
enum Source {
    JsonLines(JsonLines),
    Document(Document),
    Tables(Tables),
    Delimited(Delimited),
    TextTable(TextTable),
    Unrecognised { detail: Option<String> },
}

/// How much of a log is looked at to tell its form.
const HEAD_BYTES: usize = 64 << 10;

impl Source {
    fn of_text(text: Box<dyn Read + Send>) -> Self {
        let (head, text) = peek(text, HEAD_BYTES);
        match form_of(&head) {
            Ok(Form::JsonLines) => Self::JsonLines(JsonLines::new(text)),
            Ok(Form::Document) => Self::Document(Document::new(text)),
            Ok(Form::Tables) => Self::Tables(Tables::new(text)),
            Ok(Form::Delimited { delimiter }) => Self::Delimited(Delimited::new(text, delimiter)),
            Ok(Form::TextTable) => Self::TextTable(TextTable::new(text)),
            Err(detail) => Self::Unrecognised { detail: Some(detail) },
        }
    }

    fn unreadable(error: &io::Error) -> Self {
        Self::Unrecognised { detail: Some(format!("its first bytes cannot be read: {error}")) }
    }

    /// Reads one record, a row or not; false at the end.
    fn next(&mut self, output: &mut Output<'_>) -> bool {
        match self {
            Self::JsonLines(source) => source.next(output),
            Self::Document(source) => source.next(output),
            Self::Tables(source) => source.next(output),
            Self::Delimited(source) => source.next(output),
            Self::TextTable(source) => source.next(output),
            Self::Unrecognised { detail } => match detail.take() {
                None => false,
                Some(detail) => {
                    output.damage(Damage::UnrecognisedFile, 0, || detail);
                    true
                }
            },
        }
    }
}

/// Returns the first bytes, and a stream that starts with them again. An error behind them is met
/// again, too.
fn peek(mut stream: Box<dyn Read + Send>, length: usize) -> (Vec<u8>, Box<dyn Read + Send>) {
    let mut head = Vec::new();
    let error = loop {
        let room = (length - head.len()) as u64;
        if room == 0 {
            break None;
        }
        // Reads into what is there already before it fails.
        match stream.by_ref().take(room).read_to_end(&mut head) {
            Ok(0) => break None,
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => break Some(error),
        }
    };
    let start = Cursor::new(head.clone());
    let whole: Box<dyn Read + Send> = match error {
        None => Box::new(start.chain(stream)),
        Some(error) => Box::new(start.chain(Failing(Some(error)))),
    };
    (head, whole)
}

/// Fails once, and ends.
struct Failing(Option<io::Error>);

impl Read for Failing {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        self.0.take().map_or(Ok(0), Err)
    }
}
