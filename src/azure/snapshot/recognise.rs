//! What a file of a snapshot is, by its content.
//!
//! Two tables of recognisers are asked in order: [`BY_BEGINNING`] sees the first bytes, so that a
//! capture or a log of gigabytes is never read; [`BY_DOCUMENT`] sees the whole text.

use memchr::memmem;

use super::SnapshotError;
use super::files::{FoundFile, OpenFile};
use super::tags::TagFile;
use crate::azure::effective_routes::{self, Document, ParsedExport, RouteFileError};
use crate::azure::encoding::decoded;
use crate::azure::json::JsonError;
use crate::azure::resources::{ReadFile, ResourceFileError, ResourceReader};

/// What a file is.
pub(super) enum Recognised {
    EffectiveRoutes(ParsedExport),
    ServiceTags(TagFile),
    /// Resources, which the reader has now, and which of them are not used.
    Resources {
        ignored: Option<String>,
    },
    /// Something else, and what.
    Ignored(String),
}

/// How much of a file [`BY_BEGINNING`] sees.
const BEGINNING_BYTES: u64 = 64 << 10;

type ByBeginning = fn(&[u8]) -> Option<&'static str>;

/// Tells what a file is by its first bytes; the first that knows it decides.
const BY_BEGINNING: &[ByBeginning] = &[empty, magic, flow_log, firewall_log, binary];

type Answer = Option<Result<Recognised, SnapshotError>>;
type ByDocument = fn(&FoundFile, &Document<'_>, &mut ResourceReader) -> Answer;

/// Tells what a file is by its whole text; the first that knows it decides.
const BY_DOCUMENT: &[ByDocument] = &[service_tags, resources, effective_routes];

/// Reads a file as far as it takes to know what it is.
pub(super) fn recognise(
    file: &FoundFile,
    reader: &mut ResourceReader,
) -> Result<Recognised, SnapshotError> {
    if !file.is_regular {
        return Ok(Recognised::Ignored("a broken link, or neither a file nor a folder".to_owned()));
    }
    let open = OpenFile::open(&file.path, BEGINNING_BYTES)?;
    if let Some(reason) = BY_BEGINNING.iter().find_map(|recognise| recognise(open.beginning())) {
        return Ok(Recognised::Ignored(reason.to_owned()));
    }
    let bytes = open.whole()?;
    match decoded(&bytes) {
        Ok(text) => {
            let document = Document::new(&text);
            let found = BY_DOCUMENT.iter().find_map(|recognise| recognise(file, &document, reader));
            found.unwrap_or_else(|| Ok(Recognised::Ignored("not recognised".to_owned())))
        }
        Err(_) => routes_or_reason(file, effective_routes::parse(&bytes)),
    }
}

fn empty(beginning: &[u8]) -> Option<&'static str> {
    beginning.is_empty().then_some("empty")
}

/// Knows formats whose files begin with a mark of their own.
///
/// Source: draft-ietf-opsawg-pcap, draft-ietf-opsawg-pcapng; RFC 1952; RFC 8878; the formats' own
/// pages for the others.
fn magic(beginning: &[u8]) -> Option<&'static str> {
    const MARKS: [(&[u8], &str); 15] = [
        (b"\xD4\xC3\xB2\xA1", "a packet capture"),
        (b"\xA1\xB2\xC3\xD4", "a packet capture"),
        (b"\x4D\x3C\xB2\xA1", "a packet capture"),
        (b"\xA1\xB2\x3C\x4D", "a packet capture"),
        (b"\x34\xCD\xB2\xA1", "a packet capture"),
        (b"\xA1\xB2\xCD\x34", "a packet capture"),
        (b"\x0A\x0D\x0D\x0A", "a packet capture"),
        (b"\x1F\x8B", "compressed with gzip"),
        (b"\x28\xB5\x2F\xFD", "compressed with Zstandard"),
        (b"PK\x03\x04", "an archive or office document"),
        (b"PAR1", "a Parquet file"),
        (b"\x89PNG", "an image"),
        (b"\xFF\xD8\xFF", "an image"),
        (b"GIF8", "an image"),
        (b"%PDF", "a PDF document"),
    ];
    MARKS.iter().find(|(mark, _)| beginning.starts_with(mark)).map(|(_, reason)| *reason)
}

fn flow_log(beginning: &[u8]) -> Option<&'static str> {
    let words = ["\"FlowLogFlowEvent\"", "\"NetworkSecurityGroupFlowEvent\""];
    (is_json_like(beginning) && holds_any(beginning, &words)).then_some("a flow log")
}

fn firewall_log(beginning: &[u8]) -> Option<&'static str> {
    let words = ["\"AZFW", "\"AzureFirewallNetworkRule", "\"AzureFirewallApplicationRule"];
    let is_log = holds_any(beginning, &["\"category\"", "\"Category\""]);
    (is_json_like(beginning) && is_log && holds_any(beginning, &words)).then_some("a firewall log")
}

fn binary(beginning: &[u8]) -> Option<&'static str> {
    let is_utf16 = beginning.starts_with(b"\xFF\xFE") || beginning.starts_with(b"\xFE\xFF");
    (!is_utf16 && beginning.contains(&0)).then_some("not text")
}

fn is_json_like(beginning: &[u8]) -> bool {
    let text = beginning.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(beginning).trim_ascii_start();
    matches!(text.first(), Some(b'{' | b'[' | b','))
}

fn holds_any(beginning: &[u8], words: &[&str]) -> bool {
    words.iter().any(|word| memmem::find(beginning, word.as_bytes()).is_some())
}

fn service_tags(file: &FoundFile, document: &Document<'_>, _: &mut ResourceReader) -> Answer {
    let json = document.json.as_ref()?.as_ref().ok()?;
    let tags = TagFile::parse(&file.shown, json)?;
    Some(
        tags.map(Recognised::ServiceTags)
            .map_err(|source| SnapshotError::ServiceTags { path: file.path.clone(), source }),
    )
}

/// Knows resources, also where only the beginning of their export is there: those that it lacks
/// would be missing from every table. What is nested deeper than anything that Azure prints is not
/// read, and could hold anything.
fn resources(file: &FoundFile, document: &Document<'_>, reader: &mut ResourceReader) -> Answer {
    let error = |source| Some(Err(SnapshotError::Resources { path: file.path.clone(), source }));
    match document.json.as_ref()? {
        Ok(json) => match reader.read_document(&file.shown, json) {
            Ok(found) if found == ReadFile::default() => None,
            Ok(found) => Some(Ok(Recognised::Resources { ignored: not_used(&found) })),
            Err(source) => error(source),
        },
        Err(broken) if broken.is_too_deep() || is_about_resources(document.text, broken) => {
            let JsonError { line, column, message } = broken.clone();
            error(ResourceFileError::Json { line, column, message })
        }
        Err(_) => None,
    }
}

/// Names the types of resources that are not used.
fn not_used(found: &ReadFile) -> Option<String> {
    let list: Vec<_> =
        found.ignored_types.iter().map(|(name, count)| format!("{count} {name}")).collect();
    (!list.is_empty()).then(|| format!("not used: {}", list.join(", ")))
}

/// Returns true for JSON that breaks off and has an identifier of a resource in it. JSON Lines, as
/// logs are written, do not break off: there is more after the first document.
fn is_about_resources(text: &str, error: &JsonError) -> bool {
    let is_key = |before: &str| {
        let before = before.trim_end().strip_suffix(':').unwrap_or_default().trim_end();
        let start = before.len().saturating_sub(4);
        before.get(start..).is_some_and(|key| key.eq_ignore_ascii_case("\"id\""))
    };
    !error.message.starts_with("trailing characters")
        && memmem::find_iter(text.as_bytes(), "\"/subscriptions/")
            .any(|at| text.get(..at).is_some_and(is_key))
}

fn effective_routes(file: &FoundFile, document: &Document<'_>, _: &mut ResourceReader) -> Answer {
    Some(routes_or_reason(file, effective_routes::parse_document(document)))
}

fn routes_or_reason(
    file: &FoundFile,
    parsed: Result<ParsedExport, RouteFileError>,
) -> Result<Recognised, SnapshotError> {
    match parsed {
        Ok(export) => Ok(Recognised::EffectiveRoutes(export)),
        Err(RouteFileError::NotRecognised { reason }) => Ok(Recognised::Ignored(reason)),
        Err(error) => {
            Err(SnapshotError::Routes { path: file.path.clone(), source: Box::new(error) })
        }
    }
}
