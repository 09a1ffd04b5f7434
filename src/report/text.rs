//! The summary of `classify` for people.

use std::io::{self, Write};

use super::display::{bytes, grouped, neutral, percent};
use super::table::{Align, Table};
use crate::classify::{InputSummary, Summary, Totals};
use crate::routing::NextHopClass;
use crate::traffic::{Damage, NotApplicable, Tally, Unknown};

/// How a summary is shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SummaryOptions {
    /// Headings and faults in colour (ANSI escapes).
    pub is_coloured: bool,
    /// Every input and every next hop, however many.
    pub is_complete: bool,
}

/// Writes the summary in aligned tables, made for 80 to 100 columns.
///
/// The classes that need a look come first (unknown, dropped, no route, mixed), then the largest.
/// Sizes are in units of 1,024 bytes. Every text from outside is [neutral](super::display::neutral).
///
/// # Errors
///
/// When `out` cannot be written.
///
/// # Examples
///
/// ```
/// use nexthop::classify::Summary;
/// use nexthop::report::{SummaryOptions, write_classify_text};
///
/// let mut out = Vec::new();
/// write_classify_text(&Summary::default(), SummaryOptions::default(), &mut out)?;
/// let text = String::from_utf8(out)?;
/// assert!(text.contains("0 records read"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn write_classify_text(
    summary: &Summary,
    options: SummaryOptions,
    out: &mut dyn Write,
) -> io::Result<()> {
    let mut page = Page::new(out, options);
    page.inputs(&summary.inputs)?;
    page.classes(summary)?;
    page.next_hops(summary)?;
    page.left_out(summary)?;
    page.books(&summary.total)
}

/// How many lines of inputs and next hops are shown unless all are asked for.
const LINES_MAX: usize = 20;

/// A page of sections, each under a heading.
pub(super) struct Page<'a> {
    pub(super) out: &'a mut dyn Write,
    pub(super) options: SummaryOptions,
    is_empty: bool,
}

impl<'a> Page<'a> {
    pub(super) fn new(out: &'a mut dyn Write, options: SummaryOptions) -> Self {
        Self { out, options, is_empty: true }
    }

    pub(super) fn inputs(&mut self, inputs: &[InputSummary]) -> io::Result<()> {
        let mut table = Table::new([
            ("format", Align::Left),
            ("records", Align::Right),
            ("read", Align::Right),
            ("input", Align::Left),
        ]);
        for input in inputs.iter().take(self.lines_max()) {
            let format = match input.format {
                Some(format) => format.as_str(),
                None if input.is_recognised => "-",
                None => "unrecognised",
            };
            table.line([
                format.to_owned(),
                grouped(input.tally.records_read),
                bytes(input.tally.bytes_read),
                neutral(input.name.as_str()).into_owned(),
            ]);
        }
        self.table(&format!("Inputs: {}", grouped(inputs.len() as u64)), &table)?;
        self.and_more(inputs.len(), "inputs")
    }

    fn classes(&mut self, summary: &Summary) -> io::Result<()> {
        let all = sum(summary.by_class.iter().map(|(_, totals)| *totals));
        let mut classes = summary.by_class.clone();
        classes.sort_by_key(|(class, totals)| {
            (!needs_a_look(*class), std::cmp::Reverse((totals.bytes, totals.flows)))
        });
        let mut table = Table::new([
            ("class", Align::Left),
            ("flows", Align::Right),
            ("packets", Align::Right),
            ("bytes", Align::Right),
            ("bytes %", Align::Right),
        ]);
        for (class, totals) in classes {
            table.line([
                class.as_str().to_owned(),
                grouped(totals.flows),
                grouped(totals.packets),
                bytes(totals.bytes),
                percent(totals.bytes, all.bytes),
            ]);
            if needs_a_look(class) {
                table.mark_last();
            }
        }
        table.line([
            "all".to_owned(),
            grouped(all.flows),
            grouped(all.packets),
            bytes(all.bytes),
            percent(all.bytes, all.bytes),
        ]);
        self.table(&format!("Next-hop classes, % of {}", bytes(all.bytes)), &table)?;
        if summary.has_partial_flows {
            writeln!(
                self.out,
                "  The memory bound wrote flows out early: a flow may count more than once;\n  \
                 packets and bytes are exact."
            )?;
        }
        Ok(())
    }

    fn next_hops(&mut self, summary: &Summary) -> io::Result<()> {
        let all = sum(summary.by_next_hop.iter().map(|(_, totals)| *totals));
        let mut table = Table::new([
            ("flows", Align::Right),
            ("bytes", Align::Right),
            ("bytes %", Align::Right),
            ("class", Align::Left),
            ("next hop type", Align::Left),
            ("addresses and name", Align::Left),
        ]);
        for (next_hop, totals) in summary.by_next_hop.iter().take(self.lines_max()) {
            let mut place: Vec<String> =
                next_hop.next_hop_ips.iter().map(ToString::to_string).collect();
            if let Some(name) = &next_hop.next_hop_name {
                place.push(format!("({})", neutral(name)));
            }
            table.line([
                grouped(totals.flows),
                bytes(totals.bytes),
                percent(totals.bytes, all.bytes),
                next_hop.class.as_str().to_owned(),
                next_hop.next_hop_type.as_deref().map_or("-".into(), neutral).into_owned(),
                place.join(" "),
            ]);
            if needs_a_look(next_hop.class) {
                table.mark_last();
            }
        }
        self.table(&format!("Next hops, % of {}", bytes(all.bytes)), &table)?;
        self.and_more(summary.by_next_hop.len(), "next hops")
    }

    /// Shows what got no label, by reason, and where damage was met first.
    fn left_out(&mut self, summary: &Summary) -> io::Result<()> {
        let reasons = reasons(&summary.total);
        if reasons.is_empty() {
            return Ok(());
        }
        let mut table = Table::new([
            ("records", Align::Right),
            ("%", Align::Right),
            ("what", Align::Left),
            ("reason", Align::Left),
        ]);
        for Reason { what, reason, records } in reasons {
            table.line([
                grouped(records),
                percent(records, summary.total.records_read),
                what.to_owned(),
                reason.to_owned(),
            ]);
            if what == DAMAGED {
                table.mark_last();
            }
        }
        let read = grouped(summary.total.records_read);
        self.table(&format!("Without a label, % of {read} records"), &table)?;
        self.first_damages(&summary.inputs)
    }

    pub(super) fn first_damages(&mut self, inputs: &[InputSummary]) -> io::Result<()> {
        let places = inputs.iter().flat_map(|input| {
            input.tally.first_damages().iter().map(move |place| (&input.name, place))
        });
        let mut is_first = true;
        for (name, place) in places.take(Tally::FIRST_DAMAGES_MAX) {
            if std::mem::take(&mut is_first) {
                self.heading("First damage")?;
            }
            writeln!(
                self.out,
                "  {}: record {}, byte {}: {}: {}",
                neutral(name.as_str()),
                place.record,
                place.byte_offset,
                place.damage.as_str(),
                neutral(&place.detail)
            )?;
        }
        Ok(())
    }

    /// Shows that nothing got lost.
    pub(super) fn books(&mut self, tally: &Tally) -> io::Result<()> {
        let terms = [
            (tally.classified, "classified"),
            (tally.unknown_total(), "unknown"),
            (tally.not_applicable_total(), "not applicable"),
            (tally.damaged_total(), "damaged"),
        ];
        let terms: Vec<String> =
            terms.iter().map(|(records, what)| format!("{} {what}", grouped(*records))).collect();
        let read = grouped(tally.records_read);
        self.heading(&format!("{read} records read = {}", terms.join(" + ")))
    }

    pub(super) fn table<const N: usize>(
        &mut self,
        heading: &str,
        table: &Table<N>,
    ) -> io::Result<()> {
        if table.is_empty() {
            return Ok(());
        }
        self.heading(heading)?;
        table.write(self.out, self.options.is_coloured)
    }

    /// Writes a heading, after an empty line unless it is the first.
    pub(super) fn heading(&mut self, heading: &str) -> io::Result<()> {
        if !std::mem::take(&mut self.is_empty) {
            writeln!(self.out)?;
        }
        if self.options.is_coloured {
            writeln!(self.out, "\u{1b}[1m{heading}\u{1b}[0m")
        } else {
            writeln!(self.out, "{heading}")
        }
    }

    pub(super) fn and_more(&mut self, count: usize, what: &str) -> io::Result<()> {
        match count.saturating_sub(self.lines_max()) {
            0 => Ok(()),
            more => writeln!(self.out, "  … and {} more {what}", grouped(more as u64)),
        }
    }

    pub(super) fn lines_max(&self) -> usize {
        if self.options.is_complete { usize::MAX } else { LINES_MAX }
    }
}

pub(super) const DAMAGED: &str = "damaged";

pub(super) struct Reason {
    pub(super) what: &'static str,
    pub(super) reason: &'static str,
    pub(super) records: u64,
}

/// Returns every reason that occurred: damage first, then what is unknown, then what is normal;
/// within each the most records first.
pub(super) fn reasons(tally: &Tally) -> Vec<Reason> {
    let damaged = Damage::ALL.map(|reason| (reason.as_str(), tally.damaged(reason)));
    let unknown = Unknown::ALL.map(|reason| (reason.as_str(), tally.unknown(reason)));
    let not_applicable =
        NotApplicable::ALL.map(|reason| (reason.as_str(), tally.not_applicable(reason)));
    let mut all = Vec::new();
    for (what, mut counts) in [
        (DAMAGED, damaged.to_vec()),
        ("unknown", unknown.to_vec()),
        ("not applicable", not_applicable.to_vec()),
    ] {
        counts.sort_by_key(|(_, records)| std::cmp::Reverse(*records));
        all.extend(
            counts
                .into_iter()
                .filter(|(_, records)| *records > 0)
                .map(|(reason, records)| Reason { what, reason, records }),
        );
    }
    all
}

fn needs_a_look(class: NextHopClass) -> bool {
    matches!(
        class,
        NextHopClass::Unknown | NextHopClass::Dropped | NextHopClass::NoRoute | NextHopClass::Mixed
    )
}

fn sum(all: impl Iterator<Item = Totals>) -> Totals {
    all.fold(Totals::default(), |mut sum, totals| {
        sum.add(totals);
        sum
    })
}

#[cfg(test)]
pub(super) mod tests {
    use smallvec::smallvec;

    use super::*;
    use crate::azure::NextHopIps;
    use crate::classify::NextHopSummary;
    use crate::traffic::{InputName, SourceFormat};

    /// A run with a little of everything, and hostile names.
    pub(in crate::report) fn sample_summary() -> Summary {
        let mut log = tally(5000, 110, 100);
        log.count_unknown(Unknown::NoRouteTable, 7);
        log.count_not_applicable(NotApplicable::OtherLogCategory, 2);
        log.count_damage(Damage::MalformedTuple, 42, 999, || "port `\u{1b}[2J`".to_owned());
        let mut other = tally(3, 1, 0);
        other.count_damage(Damage::UnrecognisedFile, 1, 0, || "starts with 4D 5A".to_owned());
        let mut total = log.clone();
        total.add_counts(&other);
        total.assert_balanced();
        let totals = |flows, packets, bytes| Totals { flows, packets, bytes };
        let next_hop = |next_hop_type: Option<&str>, ips: NextHopIps, name: Option<&str>, class| {
            NextHopSummary {
                next_hop_type: next_hop_type.map(str::to_owned),
                next_hop_ips: ips,
                next_hop_name: name.map(str::to_owned),
                class,
            }
        };
        let firewall = smallvec!["10.13.76.68".parse().unwrap(), "fd00::44".parse().unwrap()];
        Summary {
            inputs: vec![
                InputSummary {
                    name: InputName::new("logs/PT1H.json"),
                    format: Some(SourceFormat::VnetV4),
                    is_recognised: true,
                    tally: log,
                },
                InputSummary {
                    name: InputName::new("evil\u{1b}[31m.bin"),
                    format: None,
                    is_recognised: false,
                    tally: other,
                },
            ],
            total,
            by_class: vec![
                (NextHopClass::Firewall, totals(90, 900, 3_000_000)),
                (NextHopClass::Dropped, totals(10, 10, 1000)),
                (NextHopClass::Unknown, totals(7, 0, 0)),
            ],
            by_next_hop: vec![
                (
                    next_hop(
                        Some("VirtualAppliance"),
                        firewall,
                        Some("hub-firewall"),
                        NextHopClass::Firewall,
                    ),
                    totals(90, 900, 3_000_000),
                ),
                (
                    next_hop(Some("None"), NextHopIps::new(), None, NextHopClass::Dropped),
                    totals(10, 10, 1000),
                ),
                (next_hop(None, NextHopIps::new(), None, NextHopClass::Unknown), totals(7, 0, 0)),
            ],
            has_partial_flows: false,
        }
    }

    fn tally(bytes_read: u64, records_read: u64, classified: u64) -> Tally {
        let mut tally = Tally::default();
        tally.bytes_read = bytes_read;
        tally.records_read = records_read;
        tally.classified = classified;
        tally
    }

    fn shown(summary: &Summary, options: SummaryOptions) -> String {
        let mut out = Vec::new();
        write_classify_text(summary, options, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn the_page_by_hand() {
        // 5,000 bytes are 4.88 KiB; 3,000,000 are 2.86 MiB, 3,001,000 as well.
        let want = r"Inputs: 2
  format        records     read  input
  vnet_v4           110  4.9 KiB  logs/PT1H.json
  unrecognised        1      3 B  evil\u{1b}[31m.bin

Next-hop classes, % of 2.9 MiB
  class     flows  packets    bytes  bytes %
  dropped      10       10   1000 B   <0.1 %
  unknown       7        0      0 B    0.0 %
  firewall     90      900  2.9 MiB  >99.9 %
  all         107      910  2.9 MiB  100.0 %

Next hops, % of 2.9 MiB
  flows    bytes  bytes %  class     next hop type     addresses and name
     90  2.9 MiB  >99.9 %  firewall  VirtualAppliance  10.13.76.68 fd00::44 (hub-firewall)
     10   1000 B   <0.1 %  dropped   None
      7      0 B    0.0 %  unknown   -

Without a label, % of 111 records
  records      %  what            reason
        1  0.9 %  damaged         malformed_tuple
        1  0.9 %  damaged         unrecognised_file
        7  6.3 %  unknown         no_route_table
        2  1.8 %  not applicable  other_log_category

First damage
  logs/PT1H.json: record 42, byte 999: malformed_tuple: port `\u{1b}[2J`
  evil\u{1b}[31m.bin: record 1, byte 0: unrecognised_file: starts with 4D 5A

111 records read = 100 classified + 7 unknown + 2 not applicable + 2 damaged
";
        let page = shown(&sample_summary(), SummaryOptions::default());
        assert_eq!(page, want);
        assert!(page.lines().all(|line| line.chars().count() <= 100));
    }

    #[test]
    fn nothing_from_outside_steers_the_terminal() {
        let mut summary = sample_summary();
        let hostile = "\u{1b}]0;x\u{7}\u{202e}\n\r\u{9b}";
        for input in &mut summary.inputs {
            input.name = InputName::new(hostile);
            input.tally.count_damage(Damage::Truncated, 1, 1, || hostile.to_owned());
        }
        for (next_hop, _) in &mut summary.by_next_hop {
            next_hop.next_hop_type = Some(hostile.to_owned());
            next_hop.next_hop_name = Some(hostile.to_owned());
        }
        let page = shown(&summary, SummaryOptions::default());
        assert!(page.contains(r"\u{1b}]0;x\u{7}\u{202e}\u{a}\u{d}\u{9b}"));
        for character in page.chars() {
            assert!(character == '\n' || !character.is_control(), "{character:?}");
            assert_ne!(character, '\u{202e}');
        }
    }

    #[test]
    fn colour_changes_nothing_but_colour() {
        let summary = sample_summary();
        let plain = shown(&summary, SummaryOptions::default());
        let coloured =
            shown(&summary, SummaryOptions { is_coloured: true, ..SummaryOptions::default() });
        assert_ne!(plain, coloured);
        let mut stripped = coloured;
        for escape in ["\u{1b}[1m", "\u{1b}[31m", "\u{1b}[2m", "\u{1b}[0m"] {
            stripped = stripped.replace(escape, "");
        }
        assert_eq!(stripped, plain);
    }

    #[test]
    fn long_lists_are_cut_and_say_so() {
        let mut summary = sample_summary();
        let input = summary.inputs[0].clone();
        summary.inputs = vec![input; 25];
        let page = shown(&summary, SummaryOptions::default());
        assert_eq!(page.matches("  vnet_v4").count(), 20);
        assert!(page.contains("  … and 5 more inputs\n"), "{page}");
        let page =
            shown(&summary, SummaryOptions { is_complete: true, ..SummaryOptions::default() });
        assert_eq!(page.matches("  vnet_v4").count(), 25);
        assert!(!page.contains("more inputs"));
    }
}
