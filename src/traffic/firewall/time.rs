//! Times, in every way that firewall logs and the tools that carry them write them.

use std::str::FromStr;

use jiff::civil::{Date, DateTime, Time};
use jiff::tz::Offset;

/// Reads a time as nanoseconds since 1970-01-01 UTC.
///
/// Azure writes RFC 3339 with up to nine digits of a fraction. Agents that pass logs on write
/// `M/d/yyyy h:mm:ss`, with or without AM or PM and an offset, and the portal's download has a
/// comma behind the date. Where no offset is told, the time is in UTC, as all of Azure's logs are.
///
/// `None` for anything else, for days that do not exist, and for years that 64 bits of nanoseconds
/// cannot hold.
pub(super) fn time_ns(text: &str) -> Option<i64> {
    if let Some(time_ns) = usual_time_ns(text.as_bytes()) {
        return Some(time_ns);
    }
    let text = text.trim();
    let (date, rest) = text.split_at(text.find(['T', 't', ' ', ','])?);
    let rest = rest.trim_start_matches([',', 'T', 't']).trim_start();
    let (clock, rest) = rest.split_at(rest.find(is_behind_clock).unwrap_or(rest.len()));
    let (half, offset) = half_of_day(rest.trim_start());
    let date_time = DateTime::from_parts(read_date(date)?, read_clock(clock, half)?);
    let timestamp = read_offset(offset.trim())?.to_timestamp(date_time).ok()?;
    i64::try_from(timestamp.as_nanosecond()).ok()
}

/// Reads the form of nearly all lines by its places, `2025-01-20T18:18:11.925475Z`; what is unusual
/// about a time sends it the general way.
fn usual_time_ns(text: &[u8]) -> Option<i64> {
    let (seconds, fraction) = text.split_first_chunk::<19>()?;
    let [.., b'Z'] = fraction else { return None };
    let digits = match &fraction[..fraction.len() - 1] {
        [] => &[][..],
        [b'.', digits @ ..] if (1..=9).contains(&digits.len()) => digits,
        _ => return None,
    };
    let separators = [seconds[4], seconds[7], seconds[10], seconds[13], seconds[16]];
    if separators != *b"--T::" {
        return None;
    }
    let read = |digits: &[u8]| {
        digits.iter().try_fold(0_i32, |number, digit| {
            digit.is_ascii_digit().then(|| number * 10 + i32::from(digit - b'0'))
        })
    };
    let small = |at: usize| read(&seconds[at..at + 2]).and_then(|number| i8::try_from(number).ok());
    let year = i16::try_from(read(&seconds[..4])?).ok()?;
    let date = Date::new(year, small(5)?, small(8)?).ok()?;
    let nanoseconds = read(digits)? * 10_i32.pow(9 - u32::try_from(digits.len()).ok()?);
    let time = Time::new(small(11)?, small(14)?, small(17)?, nanoseconds).ok()?;
    let timestamp = Offset::UTC.to_timestamp(DateTime::from_parts(date, time)).ok()?;
    i64::try_from(timestamp.as_nanosecond()).ok()
}

#[derive(Clone, Copy)]
enum Half {
    Morning,
    Afternoon,
}

fn is_behind_clock(letter: char) -> bool {
    !(letter.is_ascii_digit() || matches!(letter, ':' | '.'))
}

fn half_of_day(text: &str) -> (Option<Half>, &str) {
    let is_half = |half: &str| text.get(..2).is_some_and(|head| head.eq_ignore_ascii_case(half));
    if is_half("AM") {
        (Some(Half::Morning), &text[2..])
    } else if is_half("PM") {
        (Some(Half::Afternoon), &text[2..])
    } else {
        (None, text)
    }
}

/// `2007-01-09`, or with the month first `1/9/2007`.
fn read_date(text: &str) -> Option<Date> {
    let (year, month, day) = if text.contains('/') {
        let [month, day, year] = parts(text, '/')?;
        (year, month, day)
    } else {
        let [year, month, day] = parts(text, '-')?;
        (year, month, day)
    };
    if year.len() != 4 {
        return None;
    }
    Date::new(number(year, 4)?, number(month, 2)?, number(day, 2)?).ok()
}

/// `9:41`, `09:41:00` or `09:41:00.22`.
fn read_clock(text: &str, half: Option<Half>) -> Option<Time> {
    let (whole, nanoseconds) = match text.split_once('.') {
        None => (text, 0),
        Some((whole, digits)) => {
            let scale = 10_i32.pow(9_u32.checked_sub(u32::try_from(digits.len()).ok()?)?);
            (whole, number::<i32>(digits, 9)? * scale)
        }
    };
    let [hour, minute, second] = parts(whole, ':').or_else(|| {
        let [hour, minute] = parts(whole, ':')?;
        Some([hour, minute, "0"])
    })?;
    let hour = match (number(hour, 2)?, half) {
        (hour, None) => hour,
        (hour @ 1..=12, Some(Half::Morning)) => hour % 12,
        (hour @ 1..=12, Some(Half::Afternoon)) => hour % 12 + 12,
        _ => return None,
    };
    Time::new(hour, number(minute, 2)?, number(second, 2)?, nanoseconds).ok()
}

/// `Z`, `+01:00`, `+0100`, `+01`, or nothing for UTC.
fn read_offset(text: &str) -> Option<Offset> {
    if text.is_empty() || text.eq_ignore_ascii_case("Z") || text.eq_ignore_ascii_case("UTC") {
        return Some(Offset::UTC);
    }
    let (sign, digits) = match text.as_bytes().first()? {
        b'+' => (1, &text[1..]),
        b'-' => (-1, &text[1..]),
        _ => return None,
    };
    let (hours, minutes) = match digits.len() {
        5 => digits.split_once(':')?,
        4 => (digits.get(..2)?, digits.get(2..)?),
        2 => (digits, "0"),
        _ => return None,
    };
    let (hours, minutes) = (number::<i32>(hours, 2)?, number::<i32>(minutes, 2)?);
    let is_sound = minutes < 60;
    is_sound.then(|| Offset::from_seconds(sign * (hours * 3600 + minutes * 60)).ok())?
}

fn parts<const N: usize>(text: &str, separator: char) -> Option<[&str; N]> {
    let mut found = text.split(separator);
    let mut parts = [""; N];
    for part in &mut parts {
        *part = found.next()?;
    }
    found.next().is_none().then_some(parts)
}

/// Decimal digits only, one at least.
fn number<T: FromStr>(text: &str, digits_max: usize) -> Option<T> {
    let is_number =
        (1..=digits_max).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| text.parse().ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2007-01-09 is day 13,522 since 1970: 37 years of 365 days, 9 leap days, and 8 days.
    const DAY_NS: i64 = (37 * 365 + 9 + 8) * 86_400 * 1_000_000_000;
    const NINE_FORTY_ONE_NS: i64 = DAY_NS + (9 * 3600 + 41 * 60) * 1_000_000_000;

    #[test]
    fn the_same_minute_is_read_however_it_is_written() {
        for (text, fraction_ns) in [
            ("01/09/2007 09:41:00", 0),
            ("1/9/2007 09:41:00", 0),
            ("01/09/2007 09:41:00 AM", 0),
            ("1/9/2007 9:41:00 AM", 0),
            ("1/9/2007 10:41:00 AM +01:00", 0),
            ("1/9/2007, 9:41:00.925 AM", 925_000_000),
            ("1/9/2007 9:41 am", 0),
            ("2007-01-09T09:41:00", 0),
            ("2007-01-09 09:41:00", 0),
            ("2007-01-09T09:41:00Z", 0),
            (" 2007-01-09t09:41:00z ", 0),
            ("2007-01-09T09:41:00.2Z", 200_000_000),
            ("2007-01-09T09:41:00.22Z", 220_000_000),
            ("2007-01-09T09:41:00.6816663Z", 681_666_300),
            ("2007-01-09T09:41:00.535404056Z", 535_404_056),
            ("2007-01-09T09:41:00.992099+00:00", 992_099_000),
            ("2007-01-09T11:41:00+02:00", 0),
            ("2007-01-09T04:11:00-05:30", 0),
            ("2007-01-09T04:11:00-0530", 0),
            ("2007-01-09T11:41:00 +02", 0),
        ] {
            assert_eq!(time_ns(text), Some(NINE_FORTY_ONE_NS + fraction_ns), "{text}");
        }
    }

    #[test]
    fn noon_and_midnight_are_twelve_of_their_half_day() {
        let hour_ns = 3_600_000_000_000;
        for (text, hour) in [
            ("1/9/2007 12:00:00 AM", 0),
            ("1/9/2007 1:00:00 AM", 1),
            ("1/9/2007 11:00:00 AM", 11),
            ("1/9/2007 12:00:00 PM", 12),
            ("1/9/2007 1:00:00 PM", 13),
            ("1/9/2007 11:00:00 PM", 23),
        ] {
            assert_eq!(time_ns(text), Some(DAY_NS + hour * hour_ns), "{text}");
        }
    }

    #[test]
    fn what_is_no_time_is_refused() {
        for text in [
            "",
            "2007-01-09",
            "2007-01-09T",
            "2007-01-09T09",
            "2007-02-29T00:00:00Z",
            "13/09/2007 09:41:00",
            "1/9/07 09:41:00",
            "2007-01-09T24:00:00Z",
            "2007-01-09T09:60:00Z",
            "2007-01-09T09:41:60Z",
            "2007-01-09T09:41:00.Z",
            "2007-01-09T09:41:00.1234567890Z",
            "1/9/2007 0:41:00 AM",
            "1/9/2007 13:41:00 PM",
            "2007-01-09T09:41:00+1:00",
            "2007-01-09T09:41:00+01:60",
            "2007-01-09T09:41:00+99:00",
            "2007-01-09T09:41:00 CET",
            "2007-01-09T09:41:00ZZ",
            "2007-01-09T-9:41:00Z",
            "1600-01-01T00:00:00Z",
            "2300-01-01T00:00:00Z",
            "1168335660",
            "é",
        ] {
            assert_eq!(time_ns(text), None, "{text}");
        }
    }
}
