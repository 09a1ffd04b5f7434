//! A chunk of records → rows and the books.

use super::TupleSink;
use super::framing::{FlowLogChunk, RecordUnit, Unit};
#[cfg(target_arch = "x86_64")]
use super::kernel::Avx2;
use super::record::{self, Layout, LogRecord, RecordFault, Text, Version};
use super::skeleton::{Skeleton, TupleArray};
use super::tuple::{self, Tuple};
use super::usual_tuple::{self, UsualTuple};
use crate::net::MacAddress;
use crate::traffic::{
    ChunkPart, Context, ContextId, Damage, NotApplicable, Row, RowContexts, SourceFormat, Tally,
    TextId,
};

/// Turns records into rows.
///
/// Holds the lists of one record; warm, it allocates nothing per tuple.
#[derive(Debug, Default)]
pub(in crate::traffic) struct Decoder {
    record: LogRecord,
    skeleton: Skeleton,
}

impl Decoder {
    /// Gives the tuples of a part of a chunk to `sink`, and its counts to `tally`.
    ///
    /// Each tuple is a record of the books. So is each object that is no record of a flow log, and
    /// the unreadable rest of one that breaks off.
    pub(in crate::traffic) fn decode<S: TupleSink>(
        &mut self,
        chunk: &FlowLogChunk,
        part: ChunkPart,
        sink: &mut S,
        tally: &mut Tally,
    ) {
        let mut output = Output { sink, tally, encryption: RecentWords::default() };
        for unit in chunk.units_of(part) {
            match unit {
                Unit::Record(unit) => self.decode_record(unit, chunk.bytes_of(unit), &mut output),
                Unit::Damage { damage, offset, detail } => {
                    output.damage(*damage, *offset, || detail.clone());
                }
            }
        }
    }

    fn decode_record<S: TupleSink>(
        &mut self,
        unit: &RecordUnit,
        bytes: &[u8],
        output: &mut Output<'_, S>,
    ) {
        if unit.cut.is_none() {
            let before = output.place();
            if self.decode_usual(unit, bytes, output) {
                return;
            }
            output.go_back(&before);
        }
        let fault = self.record.read(bytes).err();
        let log = Log { record: &self.record, bytes, offset: unit.offset };
        let end = End::of(unit, fault);
        match log.kind(&end) {
            Kind::Tuples { layout, format } => {
                log.emit(layout, format, output);
                if let (End::Whole, Some(path)) = (&end, &log.record.lacking) {
                    output.damage(Damage::MalformedRecord, unit.offset, || {
                        format!("{path} is missing")
                    });
                }
                end.count(unit.offset, output);
            }
            Kind::NotApplicable => output.not_applicable(),
            Kind::Unsupported(detail) => {
                output.damage(Damage::UnsupportedVersion, unit.offset, || detail);
            }
            Kind::Malformed(detail) => match end {
                End::Whole => output.damage(Damage::MalformedRecord, unit.offset, || detail.into()),
                _ => end.count(unit.offset, output),
            },
        }
    }
}

/// Decodes a whole record of version 4 with nothing wrong about it, tuple by tuple where they stand.
/// Returns false where the record is anything else; what was given out must then be taken back.
impl Decoder {
    fn decode_usual<S: TupleSink>(
        &mut self,
        unit: &RecordUnit,
        bytes: &[u8],
        output: &mut Output<'_, S>,
    ) -> bool {
        let Self { record, skeleton } = self;
        if !skeleton.take(bytes) || record.read(skeleton.bytes()).is_err() {
            return false;
        }
        let log = Log { record, bytes: skeleton.bytes(), offset: unit.offset };
        let Kind::Tuples { layout, format: SourceFormat::VnetV4 } = log.kind(&End::Whole) else {
            return false;
        };
        record.lacking.is_none()
            && has_marks_alone(record, skeleton)
            && log.emit_usual(layout, bytes, skeleton, output)
    }
}

/// Returns true where the tuples of a record are the marks of its skeleton, each in its place: then
/// every array that was left out is an array of tuples of the group that its mark is in.
fn has_marks_alone(record: &LogRecord, skeleton: &Skeleton) -> bool {
    let arrays = skeleton.arrays();
    record.tuples.len() == arrays.len()
        && record.tuples.iter().zip(arrays).all(|(tuple, array)| tuple.starts_at(array.mark))
}

/// Where rows and counts go.
struct Output<'o, S> {
    sink: &'o mut S,
    tally: &'o mut Tally,
    encryption: RecentWords,
}

/// The encryptions of the rows before, the first of which nearly all rows have: there are about eight
/// words in all.
#[derive(Default)]
struct RecentWords {
    words: [RecentWord; 4],
    next: usize,
}

#[derive(Clone, Copy, Default)]
struct RecentWord {
    bytes: [u8; 32],
    length: usize,
    id: Option<TextId>,
}

impl RecentWords {
    #[inline(always)]
    fn find(&self, word: &[u8]) -> Option<TextId> {
        self.words.iter().find(|recent| recent.is(word)).and_then(|recent| recent.id)
    }

    fn keep(&mut self, word: &str, id: TextId) {
        let mut bytes = [0; 32];
        if let Some(start) = bytes.get_mut(..word.len()) {
            start.copy_from_slice(word.as_bytes());
            self.words[self.next] = RecentWord { bytes, length: word.len(), id: Some(id) };
            self.next = (self.next + 1) % self.words.len();
        }
    }
}

impl RecentWord {
    /// A word of two letters is compared without a call.
    #[inline(always)]
    fn is(&self, word: &[u8]) -> bool {
        word.len() == self.length
            && match word {
                [first, second] => [*first, *second] == self.bytes[..2],
                _ => *word == self.bytes[..self.length],
            }
    }
}

/// What an output held at some time.
struct OutputPlace<P> {
    tuples: P,
    records_read: u64,
}

impl<S: TupleSink> Output<'_, S> {
    fn place(&mut self) -> OutputPlace<S::Place> {
        OutputPlace { tuples: self.sink.place(), records_read: self.tally.records_read }
    }

    /// Takes back the tuples that came since; their contexts stay, and nothing names them.
    fn go_back(&mut self, place: &OutputPlace<S::Place>) {
        self.sink.go_back(place.tuples);
        self.tally.records_read = place.records_read;
    }

    fn row(&mut self, tuple: &Tuple<'_>, context: ContextId) {
        let encryption = tuple.encryption.map(|word| self.sink.shared().intern_text(word));
        self.push(tuple, encryption, context);
    }

    /// Returns false, and takes nothing, where the encryption is no usual word.
    #[inline(always)]
    fn usual_row(&mut self, usual: &UsualTuple<'_>, context: ContextId) -> bool {
        let encryption = match usual.encryption {
            b"" => None,
            bytes => match self.encryption.find(bytes) {
                Some(id) => Some(id),
                None => match usual_tuple::word(bytes) {
                    Some(word) => {
                        let id = self.sink.shared().intern_text(word);
                        self.encryption.keep(word, id);
                        Some(id)
                    }
                    None => return false,
                },
            },
        };
        self.push(&usual.tuple, encryption, context);
        true
    }

    #[inline(always)]
    fn push(&mut self, tuple: &Tuple<'_>, encryption: Option<TextId>, context: ContextId) {
        let record = u32::try_from(self.tally.records_read).expect("a chunk is far below 4 GiB");
        self.sink.push(&Row {
            record,
            time_ns: tuple.time_ns,
            source: tuple.source,
            destination: tuple.destination,
            ports: tuple.ports,
            protocol: tuple.protocol,
            opens_connection: false,
            counters: tuple.counters,
            direction: Some(tuple.direction),
            state: tuple.state,
            status: Some(tuple.status),
            encryption,
            context,
        });
        self.tally.records_read += 1;
    }

    fn damage(&mut self, damage: Damage, offset: u64, detail: impl FnOnce() -> String) {
        self.tally.records_read += 1;
        self.tally.count_damage(damage, self.tally.records_read, offset, detail);
    }

    fn not_applicable(&mut self) {
        self.tally.records_read += 1;
        self.tally.count_not_applicable(NotApplicable::OtherLogCategory, 1);
    }
}

/// How a record ended.
#[derive(Debug)]
enum End {
    Whole,
    /// The input ended; what was read before is sound.
    Cut {
        damage: Damage,
        detail: String,
    },
    /// The JSON breaks; what was read before is sound.
    Broken {
        damage: Damage,
        detail: String,
    },
    /// The record contradicts itself, and none of it counts.
    Void {
        detail: String,
    },
}

impl End {
    fn of(unit: &RecordUnit, fault: Option<RecordFault>) -> Self {
        match (fault, &unit.cut) {
            (None, None) => Self::Whole,
            (Some(RecordFault::Repeats { path }), _) => {
                Self::Void { detail: format!("{path} stands twice") }
            }
            (Some(RecordFault::Breaks { offset, message }), cut) => {
                // A reader's error ends the input, and says more than what it left behind.
                let damage = cut.as_ref().map_or(Damage::MalformedRecord, |cut| match cut.damage {
                    Damage::Truncated => Damage::MalformedRecord,
                    damage => damage,
                });
                let place = unit.offset + offset as u64;
                Self::Broken { damage, detail: format!("{message} at byte {place}") }
            }
            (_, Some(cut)) => Self::Cut { damage: cut.damage, detail: cut.detail.clone() },
            (Some(RecordFault::Ends), None) => Self::Broken {
                damage: Damage::MalformedRecord,
                detail: "brackets that do not match".into(),
            },
        }
    }

    fn count<S: TupleSink>(self, offset: u64, output: &mut Output<'_, S>) {
        match self {
            Self::Whole => {}
            Self::Cut { damage, detail } | Self::Broken { damage, detail } => {
                output.damage(damage, offset, || detail);
            }
            Self::Void { detail } => output.damage(Damage::MalformedRecord, offset, || detail),
        }
    }
}

/// What a record turned out to be.
enum Kind {
    Tuples {
        layout: Layout,
        format: SourceFormat,
    },
    NotApplicable,
    Unsupported(String),
    /// No record of a flow log, whatever its end.
    Malformed(&'static str),
}

/// A record with its bytes.
#[derive(Clone, Copy)]
struct Log<'r> {
    record: &'r LogRecord,
    bytes: &'r [u8],
    offset: u64,
}

impl Log<'_> {
    fn text(&self, text: Text) -> &str {
        self.record.text(self.bytes, text)
    }

    fn kind(&self, end: &End) -> Kind {
        if self.is_of_another_category(end) {
            return match end {
                End::Cut { .. } => Kind::Malformed("a log of another category"),
                _ => Kind::NotApplicable,
            };
        }
        if matches!(end, End::Void { .. }) {
            return Kind::Malformed("a field stands twice");
        }
        let layout = match self.layout() {
            Ok(layout) => layout,
            Err(detail) => return Kind::Malformed(detail),
        };
        match self.format(layout, matches!(end, End::Whole)) {
            Ok(format) => Kind::Tuples { layout, format },
            Err(detail) => Kind::Unsupported(detail),
        }
    }

    /// Another log may use the same keys for something else, and break off this reading before its
    /// category is reached; so a whole record is asked again for nothing but its category.
    fn is_of_another_category(&self, end: &End) -> bool {
        let is_another = |category: &str| category_layout(category).is_none();
        match end {
            End::Whole | End::Cut { .. } => {
                self.record.category.is_some_and(|category| is_another(self.text(category)))
            }
            End::Broken { .. } | End::Void { .. } => {
                record::category_of(self.bytes).is_some_and(|category| is_another(&category))
            }
        }
    }

    /// Both the category and the content may tell the layout; they must not disagree. The number of
    /// fields of a tuple says nothing.
    fn layout(&self) -> Result<Layout, &'static str> {
        let record = self.record;
        let by_category = record.category.and_then(|category| category_layout(self.text(category)));
        match (by_category, record.has_vnet_flows, record.has_nsg_flows) {
            (_, true, true) => Err("both `flowRecords` and `properties.flows`"),
            (Some(Layout::Vnet) | None, true, false) => Ok(Layout::Vnet),
            (Some(Layout::Nsg) | None, false, true) => Ok(Layout::Nsg),
            (Some(Layout::Vnet), false, _) => {
                Err("category FlowLogFlowEvent, but no `flowRecords`")
            }
            (Some(Layout::Nsg), _, false) => {
                Err("category NetworkSecurityGroupFlowEvent, but no `properties.flows`")
            }
            (None, false, false) => {
                Err("no log record: neither `category` nor `flowRecords` nor `properties.flows`")
            }
        }
    }

    /// The version is taken on trust in two cases only. No version but 4 has `flowRecords`, so its
    /// absence there says nothing new. And where the rest of a record is missing, its version may
    /// stand there: then the number of fields tells versions 1 and 2 of NSG logs apart.
    fn format(&self, layout: Layout, is_whole: bool) -> Result<SourceFormat, String> {
        let (version, key) = match layout {
            Layout::Vnet => (self.record.vnet_version, "flowLogVersion"),
            Layout::Nsg => (self.record.nsg_version, "properties.Version"),
        };
        match (layout, version) {
            (Layout::Vnet, Some(Version::Number(4)) | None) => Ok(SourceFormat::VnetV4),
            (Layout::Nsg, Some(Version::Number(1))) => Ok(SourceFormat::NsgV1),
            (Layout::Nsg, Some(Version::Number(2))) => Ok(SourceFormat::NsgV2),
            (Layout::Nsg, None) if !is_whole => Ok(self.nsg_format_by_fields()),
            (_, Some(Version::Number(version))) => Err(format!("{key} {version}")),
            (_, Some(Version::Other)) => Err(format!("{key} is no whole number")),
            (_, None) => Err(format!("no {key}")),
        }
    }

    fn nsg_format_by_fields(&self) -> SourceFormat {
        let first = self.record.tuples.first().map(|tuple| tuple::count_fields(self.text(*tuple)));
        if first == Some(8) { SourceFormat::NsgV1 } else { SourceFormat::NsgV2 }
    }

    fn emit<S: TupleSink>(&self, layout: Layout, format: SourceFormat, output: &mut Output<'_, S>) {
        let shared = self.shared_context(layout, format, output.sink.shared());
        for group in 0..self.record.groups.len() {
            let tuples = self.record.tuples_of(group);
            if tuples.is_empty() {
                continue;
            }
            let context = self.group_context(layout, group, shared, output.sink.shared());
            let context = output.sink.shared().push_context(context);
            for index in tuples {
                match Tuple::decode(self.text(self.record.tuples[index]), format) {
                    Ok(tuple) => output.row(&tuple, context),
                    Err(fault) => output.damage(Damage::MalformedTuple, self.offset, || {
                        format!("{}: {fault}", self.record.path_of(layout, group, index))
                    }),
                }
            }
        }
    }

    /// Gives out the tuples that a skeleton leaves out. Returns false at the first that the general
    /// decoder must see.
    fn emit_usual<S: TupleSink>(
        &self,
        layout: Layout,
        record: &[u8],
        skeleton: &Skeleton,
        output: &mut Output<'_, S>,
    ) -> bool {
        let shared = self.shared_context(layout, SourceFormat::VnetV4, output.sink.shared());
        for group in 0..self.record.groups.len() {
            let context = self.group_context(layout, group, shared, output.sink.shared());
            let context = output.sink.shared().push_context(context);
            for index in self.record.tuples_of(group) {
                if !emit_array(&skeleton.arrays()[index], record, context, output) {
                    return false;
                }
            }
        }
        true
    }

    /// What all groups of the record have in common.
    fn shared_context(
        &self,
        layout: Layout,
        format: SourceFormat,
        texts: &mut RowContexts,
    ) -> Context {
        let target = match layout {
            Layout::Vnet => self.record.target_resource_id,
            Layout::Nsg => self.record.resource_id,
        };
        Context {
            format,
            mac: self.mac(self.record.mac),
            acl_group: None,
            acl_rule: None,
            target_resource_id: self.intern(target, texts),
            flow_log_resource_id: self.intern(self.record.flow_log_resource_id, texts),
        }
    }

    fn group_context(
        &self,
        layout: Layout,
        group: usize,
        shared: Context,
        texts: &mut RowContexts,
    ) -> Context {
        let group = self.record.groups[group];
        let flow_name = self.intern(self.record.flows[group.flow].name, texts);
        match layout {
            Layout::Vnet => {
                Context { acl_group: flow_name, acl_rule: self.intern(group.name, texts), ..shared }
            }
            Layout::Nsg => {
                Context { acl_rule: flow_name, mac: self.mac(group.name).or(shared.mac), ..shared }
            }
        }
    }

    /// A text that is no MAC address is as good as none: the observer is not known.
    fn mac(&self, text: Option<Text>) -> Option<MacAddress> {
        text.and_then(|text| self.text(text).parse().ok())
    }

    fn intern(&self, text: Option<Text>, texts: &mut RowContexts) -> Option<TextId> {
        text.map(|text| texts.intern_text(self.text(text)))
    }
}

/// Gives out the tuples of an array: texts with commas between them, up to its closing bracket.
fn emit_array<S: TupleSink>(
    array: &TupleArray,
    record: &[u8],
    context: ContextId,
    output: &mut Output<'_, S>,
) -> bool {
    #[cfg(target_arch = "x86_64")]
    if let Some(kernel) = Avx2::of_machine() {
        return kernel.run(
            #[inline(always)]
            || {
                emit_tuples(array, record, context, output, |at| {
                    usual_tuple::decode_v4(kernel, record, at)
                })
            },
        );
    }
    emit_tuples(array, record, context, output, |_| None)
}

/// `first_way` is tried before the others.
#[inline(always)]
fn emit_tuples<'r, S: TupleSink>(
    array: &TupleArray,
    record: &'r [u8],
    context: ContextId,
    output: &mut Output<'_, S>,
    first_way: impl Fn(usize) -> Option<UsualTuple<'r>>,
) -> bool {
    let mut at = array.start;
    if at == array.end {
        return true;
    }
    while record[at] == b'"' {
        let end = match first_way(at + 1) {
            Some(usual) if output.usual_row(&usual, context) => usual.end,
            _ => match emit_other_tuple(record, at + 1, context, output) {
                Some(end) => end,
                None => return false,
            },
        };
        match record.get(end + 1) {
            Some(b',') => at = end + 2,
            Some(b']') => return end + 1 == array.end,
            _ => return false,
        }
    }
    false
}

/// Gives out the tuple whose first byte stands at `at`, unless it has escapes or is wrong. Returns
/// the position of the quote that ends it.
#[inline(never)]
fn emit_other_tuple<S: TupleSink>(
    record: &[u8],
    at: usize,
    context: ContextId,
    output: &mut Output<'_, S>,
) -> Option<usize> {
    match usual_tuple::decode(record, at) {
        Some(usual) if output.usual_row(&usual, context) => Some(usual.end),
        _ => {
            let (tuple, end) = decode_unusual_tuple(record, at)?;
            output.row(&tuple, context);
            Some(end)
        }
    }
}

#[cold]
fn decode_unusual_tuple(record: &[u8], at: usize) -> Option<(Tuple<'_>, usize)> {
    let end = at + memchr::memchr2(b'"', b'\\', record.get(at..)?)?;
    let text = std::str::from_utf8(&record[at..end]).ok()?;
    let is_plain = record[end] == b'"' && !text.bytes().any(|byte| byte.is_ascii_control());
    if !is_plain {
        return None;
    }
    Tuple::decode(text, SourceFormat::VnetV4).ok().map(|tuple| (tuple, end))
}

/// Returns the layout of a category of flow logs.
fn category_layout(category: &str) -> Option<Layout> {
    if category.eq_ignore_ascii_case("FlowLogFlowEvent") {
        Some(Layout::Vnet)
    } else if category.eq_ignore_ascii_case("NetworkSecurityGroupFlowEvent") {
        Some(Layout::Nsg)
    } else {
        None
    }
}
