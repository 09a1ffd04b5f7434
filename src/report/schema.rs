//! The columns of labelled rows: their names, their order, and what they hold.

use std::fmt;

/// Declares [`Column`] and its facts from one list, in the order of the output.
macro_rules! columns {
    (
        $($(#[$doc:meta])* $name:ident: $kind:ident $nullable:ident,)+
        ---
        $($(#[$verify_doc:meta])* $verify:ident: $verify_kind:ident,)+
        ---
        $($(#[$replay_doc:meta])* $replay:ident: $replay_kind:ident,)+
    ) => {
        /// A column of the output schema, version 1.
        ///
        /// Names are those of the `NTANetAnalytics` table wherever the meaning is the same, so that
        /// queries written for Traffic Analytics go on working.
        ///
        /// Source: Microsoft, "Traffic analytics schema and data aggregation".
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Column {
            $($(#[$doc])* $name,)+
            $($(#[$verify_doc])* $verify,)+
            $($(#[$replay_doc])* $replay,)+
        }

        impl Column {
            /// Every column of a classification, in the order of the output.
            pub const ALL: [Self; [$(Self::$name),+].len()] = [$(Self::$name),+];

            /// Every column of a verification: the same, and what became of the flow.
            pub const OF_VERIFY: [Self; [$(Self::$name,)+ $(Self::$verify),+].len()] =
                [$(Self::$name,)+ $(Self::$verify),+];

            /// Every column of a replay: the same with the label before, and the label after.
            pub const OF_REPLAY: [Self; [$(Self::$name,)+ $(Self::$replay),+].len()] =
                [$(Self::$name,)+ $(Self::$replay),+];

            /// Returns the name that stands in every output.
            pub fn name(self) -> &'static str {
                match self {
                    $(Self::$name => stringify!($name),)+
                    $(Self::$verify => stringify!($verify),)+
                    $(Self::$replay => stringify!($replay),)+
                }
            }

            /// Returns what the column holds.
            pub fn kind(self) -> ColumnKind {
                match self {
                    $(Self::$name => ColumnKind::$kind,)+
                    $(Self::$verify => ColumnKind::$verify_kind,)+
                    $(Self::$replay => ColumnKind::$replay_kind,)+
                }
            }

            /// Returns true for a column that may hold null.
            pub fn is_nullable(self) -> bool {
                match self {
                    $(Self::$name => columns!(@$nullable),)+
                    $(Self::$verify => true,)+
                    $(Self::$replay => true,)+
                }
            }
        }
    };
    (@nullable) => { true };
    (@required) => { false };
}

columns! {
    /// What the row stands for.
    RecordKind: Word required,
    /// The row's own or first time.
    FlowTime: Time required,
    /// The first time.
    FlowStartTime: Time required,
    /// The last time.
    FlowEndTime: Time required,
    /// The initiator, or the sender of a packet.
    SrcIp: Address required,
    /// The responder, or the receiver of a packet.
    DestIp: Address required,
    /// The initiator's port.
    SrcPort: U16 nullable,
    /// The responder's port.
    DestPort: U16 nullable,
    /// IANA's number.
    ProtocolNumber: U8 required,
    /// `T`, `U`, `ICMP`, or the number as text.
    L4Protocol: Word required,
    /// Relative to the NIC that observed the flow.
    FlowDirection: Word nullable,
    /// Of a logged flow.
    FlowState: Word nullable,
    /// What the rule decided.
    FlowStatus: Word nullable,
    /// The log's word.
    FlowEncryption: Text nullable,
    /// Packets from source to destination.
    PacketsSrcToDest: U64 nullable,
    /// Bytes from source to destination.
    BytesSrcToDest: U64 nullable,
    /// Packets from destination to source.
    PacketsDestToSrc: U64 nullable,
    /// Bytes from destination to source.
    BytesDestToSrc: U64 nullable,
    /// How the counters of a merged flow were summed.
    CounterBasis: Word nullable,
    /// The NIC that observed the flow.
    MacAddress: Address nullable,
    /// The log's `aclID`.
    AclGroup: Text nullable,
    /// The log's `rule`.
    AclRule: Text nullable,
    /// The log's `targetResourceID`.
    TargetResourceId: Text nullable,
    /// The log's `flowLogResourceID`.
    FlowLogResourceId: Text nullable,
    /// The format of the input.
    SourceFormat: Word required,
    /// The input.
    SourceFile: Text required,
    /// The record's number in its input, 1-based.
    SourceRecord: U64 required,
    /// True for a flow that was written out early.
    Partial: Bool required,
    /// The table that was looked up.
    RouteTableId: Text nullable,
    /// Where that table comes from; `none` without one.
    RouteTableBasis: Word required,
    /// Which address was looked up.
    LookupIp: Word nullable,
    /// The prefix of the route that won.
    MatchedPrefix: Address nullable,
    /// Azure's word.
    RouteSource: Text nullable,
    /// Azure's word.
    NextHopType: Text nullable,
    /// The addresses of the hop, space-separated.
    NextHopIp: Address nullable,
    /// Who owns them.
    NextHopName: Text nullable,
    /// Our class.
    NextHopClass: Word required,
    /// The class of the hop that the other end uses.
    PeerNextHopClass: Word nullable,
    ---
    /// What the rule asks for whose verdict stands: its `via`.
    Required: Text,
    /// The verdict on the flow.
    Coverage: Word,
    /// The code of a finding, the reason of an exemption, else a word that tells why.
    CoverageReason: Text,
    /// What showed that the flow passed a firewall: a log, or a record made there.
    Evidence: Text,
    /// The row that stands for the same flow, as `SourceFile#SourceRecord`; null where this one does.
    DupOf: Text,
    ---
    /// The destination after the change: another one where the target moves.
    AfterDestIp: Address,
    /// The table that is looked up then.
    AfterRouteTableId: Text,
    /// Where that table comes from; `none` without one.
    AfterRouteTableBasis: Word,
    /// Which address is looked up then.
    AfterLookupIp: Word,
    /// The prefix of the route that wins then.
    AfterMatchedPrefix: Address,
    /// Azure's word.
    AfterRouteSource: Text,
    /// Azure's word.
    AfterNextHopType: Text,
    /// The addresses of the hop, space-separated.
    AfterNextHopIp: Address,
    /// Who owns them then.
    AfterNextHopName: Text,
    /// Our class.
    AfterNextHopClass: Word,
    /// The class of the hop that the other end uses then.
    AfterPeerNextHopClass: Word,
    /// Why the old route does not win any more, as a stable code.
    ChangeReason: Text,
}

/// What a column holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ColumnKind {
    /// One word of a closed list.
    Word,
    /// Free text from outside.
    Text,
    /// Addresses, prefixes and MAC addresses as text.
    Address,
    /// A point in time.
    Time,
    /// A number up to 255.
    U8,
    /// A number up to 65,535.
    U16,
    /// A number.
    U64,
    /// True or false.
    Bool,
}

/// How finely times are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TimeUnit {
    /// Six decimals; what is finer is cut off, towards the past.
    #[default]
    Microseconds,
    /// Nine decimals.
    Nanoseconds,
}

/// Why a list of columns cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ColumnListError {
    /// A name that no column has.
    #[error("there is no column `{name}`{}; the columns are {}", Nearest(.nearest), Names(.known))]
    Unknown {
        /// As given.
        name: String,
        /// The column that was probably meant.
        nearest: Option<Column>,
        /// The columns that there are.
        known: Vec<Column>,
    },
    /// The same column twice.
    #[error("the column `{column}` is named twice")]
    Duplicate {
        /// The column.
        column: Column,
    },
    /// Nothing between two commas, or nothing at all.
    #[error("a column name is empty")]
    Empty,
}

/// Reads a comma-separated list of column names, in any casing; the order is kept.
///
/// # Errors
///
/// [`ColumnListError`] for an unknown, empty or repeated name.
///
/// # Examples
///
/// ```
/// use nexthop::report::{Column, parse_columns};
///
/// assert_eq!(parse_columns("destip, SrcIp")?, [Column::DestIp, Column::SrcIp]);
/// assert!(parse_columns("SrcIp,SRCIP").is_err());
/// let message = parse_columns("NextHop").unwrap_err().to_string();
/// assert!(message.starts_with("there is no column `NextHop` (did you mean NextHopIp?)"));
/// # Ok::<(), nexthop::report::ColumnListError>(())
/// ```
pub fn parse_columns(list: &str) -> Result<Vec<Column>, ColumnListError> {
    parse_columns_among(list, &Column::ALL)
}

/// Reads a list of columns of a verification, as [`parse_columns`] does one of a classification.
///
/// # Errors
///
/// [`ColumnListError`] for an unknown, empty or repeated name.
pub fn parse_verify_columns(list: &str) -> Result<Vec<Column>, ColumnListError> {
    parse_columns_among(list, &Column::OF_VERIFY)
}

/// Reads a list of columns of a replay, as [`parse_columns`] does one of a classification.
///
/// # Errors
///
/// [`ColumnListError`] for an unknown, empty or repeated name.
pub fn parse_replay_columns(list: &str) -> Result<Vec<Column>, ColumnListError> {
    parse_columns_among(list, &Column::OF_REPLAY)
}

fn parse_columns_among(list: &str, known: &[Column]) -> Result<Vec<Column>, ColumnListError> {
    let mut columns = Vec::new();
    for name in list.split(',').map(str::trim) {
        let column = column_named(name, known)?;
        if columns.contains(&column) {
            return Err(ColumnListError::Duplicate { column });
        }
        columns.push(column);
    }
    Ok(columns)
}

impl fmt::Display for Column {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

fn column_named(name: &str, known: &[Column]) -> Result<Column, ColumnListError> {
    if name.is_empty() {
        return Err(ColumnListError::Empty);
    }
    known.iter().copied().find(|column| column.name().eq_ignore_ascii_case(name)).ok_or_else(|| {
        ColumnListError::Unknown {
            name: name.to_owned(),
            nearest: nearest(name, known),
            known: known.to_vec(),
        }
    })
}

/// Returns the column that is at most a third of the longer name's letters away.
fn nearest(name: &str, known: &[Column]) -> Option<Column> {
    let typed = name.to_ascii_lowercase();
    if typed.len() > 64 {
        return None;
    }
    let (distance, column) = known
        .iter()
        .copied()
        .map(|column| (edit_distance(&typed, &column.name().to_ascii_lowercase()), column))
        .min_by_key(|(distance, _)| *distance)?;
    (distance * 3 <= typed.len().max(column.name().len())).then_some(column)
}

/// Counts the letters to insert, remove or replace (Levenshtein), one row of the table at a time.
fn edit_distance(from: &str, to: &str) -> usize {
    let to: Vec<char> = to.chars().collect();
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (line, letter) in from.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = line + 1;
        for (column, other) in to.iter().enumerate() {
            let replaced = diagonal + usize::from(letter != *other);
            diagonal = row[column + 1];
            row[column + 1] = replaced.min(row[column] + 1).min(diagonal + 1);
        }
    }
    row[to.len()]
}

/// Shows the column that was probably meant.
struct Nearest<'a>(&'a Option<Column>);

impl fmt::Display for Nearest<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.map_or(Ok(()), |column| write!(f, " (did you mean {column}?)"))
    }
}

/// Shows the names of columns.
struct Names<'a>(&'a [Column]);

impl fmt::Display for Names<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = self.0.iter().map(|column| column.name()).collect();
        f.write_str(&names.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_order_is_the_contract() {
        let names: Vec<&str> = Column::ALL.into_iter().map(Column::name).collect();
        let contract = "RecordKind FlowTime FlowStartTime FlowEndTime SrcIp DestIp SrcPort DestPort \
            ProtocolNumber L4Protocol FlowDirection FlowState FlowStatus FlowEncryption \
            PacketsSrcToDest BytesSrcToDest PacketsDestToSrc BytesDestToSrc CounterBasis MacAddress \
            AclGroup AclRule TargetResourceId FlowLogResourceId SourceFormat SourceFile \
            SourceRecord Partial RouteTableId RouteTableBasis LookupIp MatchedPrefix RouteSource \
            NextHopType NextHopIp NextHopName NextHopClass PeerNextHopClass";
        assert_eq!(names, contract.split_whitespace().collect::<Vec<_>>());
    }

    #[test]
    fn lists_keep_their_order_and_refuse_what_is_wrong() {
        assert_eq!(parse_columns("l4protocol"), Ok(vec![Column::L4Protocol]));
        assert_eq!(
            parse_columns("Partial,SRCIP , flowtime"),
            Ok(vec![Column::Partial, Column::SrcIp, Column::FlowTime])
        );
        for empty in ["", ",", "SrcIp,", " ,SrcIp"] {
            assert_eq!(parse_columns(empty), Err(ColumnListError::Empty), "{empty:?}");
        }
        assert_eq!(
            parse_columns("SrcIp,DestIp,srcip"),
            Err(ColumnListError::Duplicate { column: Column::SrcIp })
        );
    }

    #[test]
    fn an_unknown_name_brings_the_nearest_and_all() {
        for (typed, want) in [
            ("SourceIp", None),
            ("SrcIP1", Some(Column::SrcIp)),
            ("DstIp", Some(Column::DestIp)),
            ("NextHopClas", Some(Column::NextHopClass)),
            ("zzz", None),
        ] {
            let error = parse_columns(typed).unwrap_err();
            let known = Column::ALL.to_vec();
            assert_eq!(
                error,
                ColumnListError::Unknown { name: typed.into(), nearest: want, known }
            );
            assert!(error.to_string().ends_with("NextHopClass, PeerNextHopClass"), "{error}");
        }
    }

    #[test]
    fn distances_by_hand() {
        for (from, to, want) in
            [("", "", 0), ("", "abc", 3), ("abc", "", 3), ("kitten", "sitting", 3), ("ab", "ba", 2)]
        {
            assert_eq!(edit_distance(from, to), want, "{from} {to}");
        }
    }
}
