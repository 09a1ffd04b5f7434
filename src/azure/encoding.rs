//! Bytes of an exported file → text.
//!
//! Windows PowerShell writes UTF-16 with a byte order mark where one redirects with `>`, and
//! several editors put a mark before UTF-8.
//!
//! Source: Microsoft, "about_Character_Encoding" (read 2026-11-20).

use std::borrow::Cow;

/// The first byte that is not text, in the encoding that the file begins with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct EncodingError {
    pub(super) offset: u64,
    pub(super) encoding: &'static str,
}

/// Decodes UTF-8, with or without a mark, and UTF-16 with one.
pub(super) fn decoded(bytes: &[u8]) -> Result<Cow<'_, str>, EncodingError> {
    match marked(bytes) {
        Marked::Utf8 { rest, mark_length } => {
            std::str::from_utf8(rest).map(Cow::Borrowed).map_err(|error| EncodingError {
                offset: mark_length + error.valid_up_to() as u64,
                encoding: "UTF-8",
            })
        }
        Marked::Utf16 { rest, unit } => utf16(rest, unit).map(Cow::Owned),
    }
}

/// Decodes as [`decoded`] does, with a replacement character for what is not text.
pub(super) fn decoded_lossily(bytes: &[u8]) -> Cow<'_, str> {
    match marked(bytes) {
        Marked::Utf8 { rest, .. } => String::from_utf8_lossy(rest),
        Marked::Utf16 { rest, unit } => {
            let units = rest.as_chunks::<2>().0.iter().map(|pair| unit(*pair));
            let letters = char::decode_utf16(units);
            Cow::Owned(
                letters.map(|letter| letter.unwrap_or(char::REPLACEMENT_CHARACTER)).collect(),
            )
        }
    }
}

/// Bytes after their mark, and what the mark says of them.
enum Marked<'a> {
    Utf8 { rest: &'a [u8], mark_length: u64 },
    Utf16 { rest: &'a [u8], unit: fn([u8; 2]) -> u16 },
}

fn marked(bytes: &[u8]) -> Marked<'_> {
    if let Some(rest) = bytes.strip_prefix(b"\xEF\xBB\xBF") {
        Marked::Utf8 { rest, mark_length: 3 }
    } else if let Some(rest) = bytes.strip_prefix(b"\xFF\xFE") {
        Marked::Utf16 { rest, unit: u16::from_le_bytes }
    } else if let Some(rest) = bytes.strip_prefix(b"\xFE\xFF") {
        Marked::Utf16 { rest, unit: u16::from_be_bytes }
    } else {
        Marked::Utf8 { rest: bytes, mark_length: 0 }
    }
}

fn utf16(bytes: &[u8], unit: fn([u8; 2]) -> u16) -> Result<String, EncodingError> {
    let (pairs, rest) = bytes.as_chunks::<2>();
    let mut text = String::with_capacity(pairs.len());
    let mut offset = 2;
    for decoded in char::decode_utf16(pairs.iter().map(|pair| unit(*pair))) {
        let letter = decoded.map_err(|_| EncodingError { offset, encoding: "UTF-16" })?;
        offset += 2 * letter.len_utf16() as u64;
        text.push(letter);
    }
    if rest.is_empty() { Ok(text) } else { Err(EncodingError { offset, encoding: "UTF-16" }) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_choose_the_encoding() {
        for bytes in [
            b"a\xC3\xA9".as_slice(),
            b"\xEF\xBB\xBFa\xC3\xA9",
            b"\xFF\xFEa\0\xE9\0",
            b"\xFE\xFF\0a\0\xE9",
        ] {
            assert_eq!(decoded(bytes).as_deref(), Ok("aé"), "{bytes:?}");
        }
    }

    #[test]
    fn what_is_not_text_is_placed() {
        for (bytes, offset) in [
            (b"ab\xFFcd".as_slice(), 2),
            (b"\xEF\xBB\xBFa\xFF", 4),
            (b"\xFF\xFEa\0b", 4),
            (b"\xFF\xFEa\0\x00\xD8a\0", 4),
        ] {
            assert_eq!(decoded(bytes).unwrap_err().offset, offset, "{bytes:?}");
        }
    }
}
