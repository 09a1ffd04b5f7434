//! Records as Azure writes them, read in one step: an envelope with its `properties`, of texts and
//! numbers without escapes and without arrays.
//!
//! The records of a log have the same keys in the same order, or one of a few orders. So the key that
//! followed another one the last time is compared first, and no key is looked up as long as that
//! holds.
//!
//! Whatever is not of that form (and whatever is wrong) is left to [`super::object`], whose answer for
//! the records that are read here is the same; a test holds that.

use super::fields::Fields;
use super::object::Key;

/// The longest record that is read here; one of a firewall has less than a quarter of it.
const RECORD_BYTES_MAX: usize = 4 << 10;

/// How many keys are remembered. A log has some twenty; where they are endless, the general way
/// looks them up.
const KEYS_MAX: usize = 128;

/// Reads records of the usual form, and remembers their keys.
#[derive(Debug)]
pub(super) struct UsualObjects {
    /// The first is the empty one, which stands for the beginning of a record as well.
    keys: Vec<KnownKey>,
}

#[derive(Debug)]
struct KnownKey {
    /// The name, and the quote and the colon behind it.
    text: Box<str>,
    key: Key,
    /// Which one followed the last time.
    next: usize,
}

impl UsualObjects {
    pub(super) fn new() -> Self {
        Self { keys: vec![KnownKey::named("")] }
    }

    /// Reads the object that `json` begins with, and returns its length; `None` leaves it to the
    /// general way, with nothing to be heeded in `fields`.
    pub(super) fn read<'a>(&mut self, json: &'a [u8], fields: &mut Fields<'a>) -> Option<usize> {
        let text = str::from_utf8(&json[..json.len().min(RECORD_BYTES_MAX)]).ok()?;
        let bytes = text.as_bytes();
        let mut is_properties = false;
        let mut last_key = 0;
        let mut at = behind(b'{', bytes, 0)?;
        loop {
            at = behind(b'"', bytes, at)?;
            (last_key, at) = self.key_behind_quote(last_key, text, at)?;
            match self.keys[last_key].key {
                Key::Properties if !is_properties => {
                    is_properties = true;
                    at = behind(b'{', bytes, at)?;
                    continue;
                }
                Key::Column(column) if !(is_properties && column.is_of_envelope()) => {
                    let value;
                    (value, at) = value_at(text, at)?;
                    match value {
                        Value::Text(text) => fields.set_text(column, text),
                        Value::Number(number) => fields.set_number(column, number),
                        Value::Other => {}
                    }
                }
                Key::Column(_) | Key::Properties | Key::Other => (_, at) = value_at(text, at)?,
            }
            loop {
                if let Some(next) = behind(b',', bytes, at) {
                    at = next;
                    break;
                }
                at = behind(b'}', bytes, at)?;
                if !is_properties {
                    return Some(at);
                }
                is_properties = false;
            }
        }
    }

    /// Reads a key and its colon. Returns its place among the known ones, and where it ends.
    fn key_behind_quote(&mut self, last: usize, text: &str, at: usize) -> Option<(usize, usize)> {
        let expected = self.keys[last].next;
        let known = &self.keys[expected];
        if text.as_bytes()[at..].starts_with(known.text.as_bytes()) {
            return Some((expected, at + known.text.len()));
        }
        self.unexpected_key(last, text, at)
    }

    fn unexpected_key(&mut self, last: usize, text: &str, at: usize) -> Option<(usize, usize)> {
        let (name, at) = text_behind_quote(text, at)?;
        let at = behind(b':', text.as_bytes(), at)?;
        let is_same = |known: &KnownKey| known.text.strip_suffix("\":") == Some(name);
        let place = self.keys.iter().position(is_same).or_else(|| {
            let has_room = self.keys.len() < KEYS_MAX;
            has_room.then(|| self.keys.push(KnownKey::named(name)))?;
            Some(self.keys.len() - 1)
        })?;
        self.keys[last].next = place;
        Some((place, at))
    }
}

impl KnownKey {
    fn named(name: &str) -> Self {
        Self { text: format!("{name}\":").into(), key: Key::named(name), next: 0 }
    }
}

enum Value<'a> {
    Text(&'a str),
    Number(f64),
    /// As good as absent.
    Other,
}

/// Reads a value, and returns where it ends.
#[inline(always)]
fn value_at(text: &str, at: usize) -> Option<(Value<'_>, usize)> {
    let bytes = text.as_bytes();
    if let Some(at) = behind(b'"', bytes, at) {
        let (text, at) = text_behind_quote(text, at)?;
        return Some((Value::Text(text), at));
    }
    // White space was passed over for the quote that is not there, and is rare.
    let at = at + bytes[at..].iter().take_while(|byte| is_white_space(**byte)).count();
    let rest = &bytes[at..];
    if let Some((number, length)) = number(rest) {
        return Some((Value::Number(number), at + length));
    }
    let word = [&b"null"[..], b"true", b"false"].into_iter().find(|word| rest.starts_with(word))?;
    Some((Value::Other, at + word.len()))
}

/// Reads digits, as many as a floating-point number holds whatever they are.
fn number(bytes: &[u8]) -> Option<(f64, usize)> {
    const DIGITS_MAX: usize = 15;
    let mut number = 0_u64;
    let mut length = 0;
    while let Some(digit @ b'0'..=b'9') = bytes.get(length) {
        if length == DIGITS_MAX {
            return None;
        }
        number = number * 10 + u64::from(digit - b'0');
        length += 1;
    }
    let is_whole = length == 1 || length > 1 && bytes[0] != b'0';
    is_whole.then_some((number as f64, length))
}

/// Returns the text up to the quote that ends it, and where that one ends.
#[inline(always)]
fn text_behind_quote(text: &str, at: usize) -> Option<(&str, usize)> {
    let end = at + length_of_text(&text.as_bytes()[at..])?;
    Some((text.get(at..end)?, end + 1))
}

/// Returns the place behind a byte that stands here, or after white space.
#[inline]
fn behind(wanted: u8, bytes: &[u8], at: usize) -> Option<usize> {
    let byte = *bytes.get(at)?;
    if byte == wanted {
        return Some(at + 1);
    }
    if !is_white_space(byte) {
        return None;
    }
    let at = at + bytes[at..].iter().position(|byte| !is_white_space(*byte))?;
    (bytes[at] == wanted).then_some(at + 1)
}

fn is_white_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\r' | b'\n')
}

/// Returns where the quote stands that ends a text, unless there is a backslash or a control
/// character before it.
#[inline]
fn length_of_text(bytes: &[u8]) -> Option<usize> {
    let mut at = 0;
    while let Some(word) = bytes[at..].first_chunk() {
        let marks = marks_of_ends(u64::from_le_bytes(*word));
        if marks != 0 {
            at += marks.trailing_zeros() as usize / 8;
            return (bytes[at] == b'"').then_some(at);
        }
        at += 8;
    }
    let is_end = |byte: &u8| matches!(byte, b'"' | b'\\' | 0..b' ');
    at += bytes[at..].iter().position(is_end)?;
    (bytes[at] == b'"').then_some(at)
}

/// Sets the highest bit of each byte that is a quote, a backslash or below a space. A byte above such
/// a one may be marked, too: only the lowest mark counts.
#[inline]
fn marks_of_ends(word: u64) -> u64 {
    const ONES: u64 = 0x0101_0101_0101_0101;
    let below = |word: u64, limit: u64| word.wrapping_sub(ONES * limit) & !word;
    let is = |byte: u8| below(word ^ (ONES * u64::from(byte)), 1);
    (is(b'"') | is(b'\\') | below(word, 0x20)) & (ONES << 7)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::object::read_object;
    use super::*;
    use crate::traffic::flowlog::{Event, Lexer};

    const ENVELOPE: &str = r#""time":"2025-01-20T00:00:01.000000Z","category":"AZFWNetworkRule","resourceId":"/SUBSCRIPTIONS/S/RESOURCEGROUPS/G/PROVIDERS/MICROSOFT.NETWORK/AZUREFIREWALLS/FW01""#;
    const PROPERTIES: &str = r#""Protocol":"TCP","SourceIp":"10.0.0.4","SourcePort":50306,"DestinationIp":"10.1.0.4","DestinationPort":0,"Action":"Allow","IsTlsInspected":false,"TargetUrl":null,"Rule":"Zugänge, #1""#;

    fn usual() -> [String; 6] {
        [
            format!(r#"{{{ENVELOPE},"properties":{{{PROPERTIES}}}}}"#),
            format!(r#"{{"properties":{{{PROPERTIES}}},{ENVELOPE}}}"#),
            format!(
                r#"{{{ENVELOPE},"operationName":"O","properties":{{"msg":"TCP request from 10.0.0.4:1 to 10.1.0.4:2. Action: Deny. "}}}}"#
            ),
            format!("{{ {ENVELOPE} ,\n\t\"properties\" : {{ {PROPERTIES} }}\r\n}}"),
            format!(
                r#"{{{ENVELOPE},{PROPERTIES},"SourceIp":"10.0.0.4","sourceip_s":"10.0.0.5","SourcePort":"50306"}}"#
            ),
            format!(
                r#"{{"PROPERTIES":{{"Category":"Attack","properties":1,{PROPERTIES}}},"":"","é":"é",{ENVELOPE}}}"#
            ),
        ]
    }

    /// Reads the object that some bytes begin with, and holds that the general way gives the same:
    /// for where it ends, and for what is in it. Returns its length, where it was read.
    fn read(objects: &mut UsualObjects, bytes: &[u8]) -> Option<usize> {
        let mut fields = Fields::default();
        let length = objects.read(bytes, &mut fields)?;
        let mut lexer = Lexer::new();
        assert_eq!(lexer.run(&bytes[1..]), (length - 1, Event::Closed));
        assert!(lexer.deepest() <= 2);
        let mut want = Fields::default();
        read_object(&bytes[..length], &mut want).expect("it is an object");
        assert_eq!(fields, want);
        Some(length)
    }

    #[test]
    fn usual_records_are_read_whatever_was_read_before() {
        let mut objects = UsualObjects::new();
        for first in usual() {
            for second in usual() {
                for record in [&first, &second, &first] {
                    assert_eq!(read(&mut objects, record.as_bytes()), Some(record.len()));
                    let followed = format!("{record},{record}");
                    assert_eq!(read(&mut objects, followed.as_bytes()), Some(record.len()));
                }
            }
        }
    }

    #[test]
    fn what_is_unusual_is_left_to_the_general_way() {
        let [record, ..] = usual();
        for (what, instead) in [
            ("AZFW", r"\u0041ZFW"),
            ("AZFW", "\u{1f}"),
            (r#""time""#, r#""t\u0069me""#),
            ("50306", "-1"),
            ("50306", "50306.0"),
            ("50306", "5e4"),
            ("50306", "050306"),
            ("50306", "1234567890123456"),
            ("50306", ""),
            ("50306", "[]"),
            ("50306", "{}"),
            ("false", "falsee"),
            ("null", "nul"),
            (r#""properties":{"#, r#""properties":[{"#),
            (r#""properties":{"#, r#""records":[],"properties":{"#),
            ("}}", "}"),
            ("}}", ",}}"),
            (r#""Protocol":"#, r#""Protocol""#),
            (r#""Protocol":"#, "Protocol:"),
            (r#","Action""#, r#""Action""#),
        ] {
            assert!(record.contains(what), "{what}");
            let unusual = record.replacen(what, instead, 1);
            let mut objects = UsualObjects::new();
            for _ in 0..2 {
                assert_eq!(read(&mut objects, unusual.as_bytes()), None, "{unusual}");
                assert_eq!(read(&mut objects, record.as_bytes()), Some(record.len()));
            }
        }
        let mut objects = UsualObjects::new();
        assert_eq!(read(&mut objects, b""), None);
        assert_eq!(read(&mut objects, b"[]"), None);
        let no_text = record.replace('é', "e").replace('ä', "a").into_bytes();
        let no_text = no_text.iter().map(|byte| if *byte == b'#' { 0xFF } else { *byte });
        assert_eq!(read(&mut objects, &no_text.collect::<Vec<_>>()), None);
    }

    #[test]
    fn endless_keys_and_long_records_are_left_to_the_general_way() {
        let mut objects = UsualObjects::new();
        for number in 0..1000 {
            let record = format!(r#"{{"key{number}":"","time":""}}"#);
            let length = read(&mut objects, record.as_bytes());
            // Two of the known keys are the empty one and the time.
            assert_eq!(length.is_some(), number < KEYS_MAX - 2);
            assert!(objects.keys.len() <= KEYS_MAX);
        }
        let long = format!(r#"{{"a":"{}"}}"#, "x".repeat(RECORD_BYTES_MAX));
        assert_eq!(read(&mut UsualObjects::new(), long.as_bytes()), None);
    }

    #[test]
    fn a_text_ends_at_its_quote_and_nowhere_before() {
        for length in 0..40 {
            for end in 0..=0x7F_u8 {
                let mut bytes = vec![b'\xC3'; length];
                bytes.push(end);
                bytes.extend(b"a\"b");
                let want = match end {
                    b'"' => Some(length),
                    b'\\' | 0..0x20 => None,
                    _ => Some(length + 2),
                };
                assert_eq!(length_of_text(&bytes), want, "{length} {end}");
            }
            assert_eq!(length_of_text(&vec![b'a'; length]), None);
        }
    }

    /// Any member, and now and then one that is none.
    fn member() -> impl Strategy<Value = String> {
        const KEYS: [&str; 16] = [
            "time",
            "TIME",
            "category",
            "Category",
            "resourceId",
            "properties",
            "Properties",
            "SourceIp",
            "sourceip_s",
            "SourcePort",
            "msg",
            "Rule",
            "records",
            "x",
            r"\u0078",
            "é\\\"",
        ];
        const VALUES: [&str; 26] = [
            r#""""#,
            r#""a""#,
            r#""A""#,
            r#""None""#,
            r#"" ""#,
            r#""10.0.0.4""#,
            r#""Zugänge #1, 2""#,
            r#""\n""#,
            r#""\u00e9""#,
            r#""\ud800""#,
            "\"\t\"",
            "0",
            "1",
            "01",
            "65535",
            "1.0",
            "-1",
            "1e3",
            "123456789012345",
            "1234567890123456",
            "null",
            "true",
            "nul",
            "[]",
            "{}",
            r#"{"time":[1]}"#,
        ];
        let blank = || prop::sample::select(&["", "", "", "", " ", "\n", "\t\r"][..]);
        let parts =
            (blank(), prop::sample::select(&KEYS[..]), blank(), prop::sample::select(&VALUES[..]));
        parts.prop_map(|(before, key, behind, value)| {
            format!("{before}\"{key}\"{behind}:{behind}{value}{before}")
        })
    }

    fn object() -> impl Strategy<Value = String> {
        let members =
            || prop::collection::vec(member(), 0..5).prop_map(|members| members.join(","));
        let name = prop::sample::select(&["properties", "PROPERTIES", "x"][..]);
        (members(), name, members(), members()).prop_map(|(before, name, inside, behind)| {
            let parts = [before, format!("\"{name}\":{{{inside}}}"), behind];
            let parts: Vec<String> = parts.into_iter().filter(|part| !part.is_empty()).collect();
            format!("{{{}}}", parts.join(","))
        })
    }

    /// Usual records and others, with a few bytes changed.
    fn damaged() -> impl Strategy<Value = Vec<u8>> {
        let whole = prop_oneof![prop::sample::select(usual().to_vec()), object()];
        let byte = prop::sample::select(&b"\"\"\\{}[]:,, 0127.-e\x00\x1fntf\x80\xC3"[..]);
        let change = (any::<prop::sample::Index>(), byte);
        (whole, prop::collection::vec(change, 0..3)).prop_map(|(whole, changes)| {
            let mut bytes = whole.into_bytes();
            for (index, byte) in changes {
                let at = index.index(bytes.len());
                bytes[at] = byte;
            }
            bytes
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(5_000))]

        #[test]
        fn whatever_is_read_is_what_the_general_way_reads(
            records in prop::collection::vec(damaged(), 1..6),
        ) {
            let mut objects = UsualObjects::new();
            for record in records {
                read(&mut objects, &record);
            }
        }
    }
}
