//! Just enough JSON to find the end of a value: strings, escapes and depth.
//!
//! Nothing here judges whether the bytes are JSON; the decoder of a record does. State survives
//! between calls, so that a value may arrive in pieces of any size.

use memchr::memchr2;

/// Follows one object or array from behind its first bracket.
#[derive(Debug)]
pub(in crate::traffic) struct Lexer {
    depth: u64,
    deepest: u64,
    inside: Inside,
    member: Member,
    started_at_name: bool,
}

/// Why [`Lexer::run`] returned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::traffic) enum Event {
    /// Every byte was taken; the value goes on.
    NeedsMore,
    /// The last byte taken closed the value.
    Closed,
    /// The last byte taken opened the array of a member `records` of the outermost object.
    OpenedRecords,
    /// The next byte, not taken, opens a bracket in the outermost object where no value can stand.
    /// Only a lexer that started at a name tells this.
    LacksCloser,
}

impl Lexer {
    /// Starts behind the bracket that opened the value.
    pub(in crate::traffic) fn new() -> Self {
        Self {
            depth: 1,
            deepest: 1,
            inside: Inside::Structure,
            member: Member::Other,
            started_at_name: false,
        }
    }

    /// Starts behind the quote that opened the name of a member of the outermost object.
    pub(in crate::traffic) fn at_name() -> Self {
        Self { inside: Inside::Name { matched: 0 }, started_at_name: true, ..Self::new() }
    }

    /// Returns how deep brackets were nested so far.
    pub(in crate::traffic) fn deepest(&self) -> u64 {
        self.deepest
    }

    /// Takes bytes up to the next event. Returns how many, and the event.
    pub(in crate::traffic) fn run(&mut self, bytes: &[u8]) -> (usize, Event) {
        let mut at = 0;
        while at < bytes.len() {
            match self.inside {
                Inside::String => at = self.skip_string(bytes, at),
                Inside::Structure => match self.take_structure(bytes[at]) {
                    Event::NeedsMore => at += 1,
                    Event::LacksCloser => return (at, Event::LacksCloser),
                    event => return (at + 1, event),
                },
                Inside::Escape => {
                    at += 1;
                    self.inside = Inside::String;
                }
                Inside::Name { matched } => {
                    at += 1;
                    self.take_name(bytes[at - 1], matched);
                }
            }
        }
        (at, Event::NeedsMore)
    }

    /// Goes on inside an array that [`Event::OpenedRecords`] told of, as in any other array.
    pub(in crate::traffic) fn descend(&mut self) {
        self.depth += 1;
        self.deepest = self.deepest.max(self.depth);
        self.member = Member::Other;
    }

    /// Skips the rest of a string, and further strings with nothing but commas between them: tuples
    /// are nine tenths of a log.
    fn skip_string(&mut self, bytes: &[u8], mut at: usize) -> usize {
        loop {
            let Some(length) = memchr2(b'"', b'\\', &bytes[at..]) else { return bytes.len() };
            at += length + 1;
            if bytes[at - 1] == b'\\' {
                self.inside = Inside::Escape;
                return at;
            }
            if self.depth == 1 || bytes.get(at..at + 2) != Some(&b",\""[..]) {
                self.inside = Inside::Structure;
                return at;
            }
            self.member = Member::Other;
            at += 2;
        }
    }

    fn take_structure(&mut self, byte: u8) -> Event {
        match byte {
            b'"' => {
                self.member = Member::Other;
                let may_be_records = self.depth == 1;
                self.inside =
                    if may_be_records { Inside::Name { matched: 0 } } else { Inside::String };
            }
            b'[' if self.member == Member::RecordsColon => return Event::OpenedRecords,
            b'{' | b'[' if self.lacks_closer() => return Event::LacksCloser,
            b'{' | b'[' => self.descend(),
            b'}' | b']' => {
                self.depth -= 1;
                self.member = Member::Other;
                if self.depth == 0 {
                    return Event::Closed;
                }
            }
            b':' if self.member == Member::Records => self.member = Member::RecordsColon,
            b':' => self.member = Member::Colon,
            b' ' | b'\t' | b'\r' | b'\n' => {}
            _ => self.member = Member::Other,
        }
        Event::NeedsMore
    }

    fn lacks_closer(&self) -> bool {
        let may_open = matches!(self.member, Member::Colon | Member::RecordsColon);
        self.started_at_name && self.depth == 1 && !may_open
    }

    /// Compares a string of the outermost object with the name that matters. Names and values
    /// need no telling apart: no colon follows a value.
    fn take_name(&mut self, byte: u8, matched: usize) {
        self.inside = match byte {
            b'"' => {
                let is_records = matched == RECORDS.len();
                self.member = if is_records { Member::Records } else { Member::Other };
                Inside::Structure
            }
            b'\\' => Inside::Escape,
            _ if RECORDS.get(matched) == Some(&byte.to_ascii_lowercase()) => {
                Inside::Name { matched: matched + 1 }
            }
            _ => Inside::String,
        }
    }
}

const RECORDS: &[u8] = b"records";

#[derive(Clone, Copy, Debug)]
enum Inside {
    /// Between strings.
    Structure,
    /// In a string that is not, or no longer, of interest.
    String,
    /// Behind a backslash.
    Escape,
    /// In a string whose first `matched` bytes are those of `records`, and no others.
    Name { matched: usize },
}

/// What was read last in the outermost object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Member {
    Other,
    Records,
    RecordsColon,
    /// The colon behind any other name.
    Colon,
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Runs over everything behind the first bracket, in pieces of `step` bytes.
    fn run(text: &str, step: usize) -> (usize, Event, u64) {
        let mut lexer = Lexer::new();
        let mut taken = 1;
        for piece in text.as_bytes()[1..].chunks(step) {
            let (length, event) = lexer.run(piece);
            taken += length;
            if event != Event::NeedsMore {
                return (taken, event, lexer.deepest());
            }
        }
        (taken, Event::NeedsMore, lexer.deepest())
    }

    #[test]
    fn the_end_is_found_whatever_the_pieces() {
        let cases = [
            ("{}", 2, Event::Closed, 1),
            ("{}{}", 2, Event::Closed, 1),
            (r#"{"a":"}"}x"#, 9, Event::Closed, 1),
            (r#"{"a\"}":"\\"}x"#, 13, Event::Closed, 1),
            (r#"{"a":[[{}]]}x"#, 12, Event::Closed, 4),
            (r#"{"a":[[{}]]"#, 11, Event::NeedsMore, 4),
            (r#"{"a":"}"#, 7, Event::NeedsMore, 1),
            (r#"{"records":[{}]}"#, 12, Event::OpenedRecords, 1),
            (r#"{"time":"x","RECORDS" : [{}]}"#, 25, Event::OpenedRecords, 1),
            ("{\"Records\"\n:\r\n[]}", 15, Event::OpenedRecords, 1),
            (r#"{"a":{"records":[]}}"#, 20, Event::Closed, 3),
            (r#"{"a":"records","b":[]}"#, 22, Event::Closed, 2),
            (r#"{"records":{"b":[]}}"#, 20, Event::Closed, 3),
            (r#"{"records":1,"b":[]}"#, 20, Event::Closed, 2),
            (r#"{"record":[]}"#, 13, Event::Closed, 2),
            (r#"{"recordss":[]}"#, 15, Event::Closed, 2),
            (r#"{"records\"":[]}"#, 16, Event::Closed, 2),
        ];
        for (text, taken, event, deepest) in cases {
            for step in 1..=text.len() {
                assert_eq!(run(text, step), (taken, event, deepest), "{text} by {step}");
            }
        }
    }
}
