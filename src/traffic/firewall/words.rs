//! A row without its columns: which word stands in which is told by the words' kinds.
//!
//! An address looks like nothing else, nor does a time; a port, a category and an action are known
//! by their looks, too. Words keep the order of the columns, cells may be blank, and every row has
//! a time. Of all ways to put the words into columns the one that leaves the fewest words to
//! columns of free text is taken; of equal ones, that which fills the columns further left.

use std::collections::VecDeque;
use std::net::IpAddr;
use std::ops::Range;

use super::fields::{Column, Field, Fields};
use super::time::time_ns;

/// How many words a row may have, and how many columns.
const WORDS_MAX: usize = 128;
const COLUMNS_MAX: usize = 64;

/// Cuts the rows of a table on one line, from `start` on.
///
/// Between the times of two rows stand the words behind the first time and those before the
/// second; they are cut where they fit best.
pub(super) fn rows(line: &str, start: usize, columns: &[Option<Column>]) -> VecDeque<Range<usize>> {
    let is_time = |column: &Option<Column>| kind(*column) == Kind::Time;
    let Some(time_column) = columns.iter().position(is_time) else { return VecDeque::new() };
    let (before, behind) = (&columns[..time_column], &columns[time_column + 1..]);
    let words = |range: Range<usize>| {
        let offset = range.start;
        ranges(&line[range]).map(move |word| offset + word.start..offset + word.end)
    };
    let mut rows = VecDeque::new();
    let mut row_start = start;
    let mut times = words(start..line.len()).filter(|word| time_ns(&line[word.clone()]).is_some());
    let mut time = times.next();
    while let Some(this) = time {
        time = times.next();
        let next_start = time.as_ref().map_or(line.len(), |next| next.start);
        let between: Vec<_> = words(this.end..next_start).take(WORDS_MAX).collect();
        let split = if behind.is_empty() || columns.len() > COLUMNS_MAX {
            0
        } else if time.is_some() {
            let texts: Vec<&str> = between.iter().map(|word| &line[word.clone()]).collect();
            best_split(&texts, behind, before)
        } else {
            between.len()
        };
        let row_end = split.checked_sub(1).map_or(this.end, |last| between[last].end);
        rows.push_back(row_start..row_end);
        row_start = row_end;
    }
    if !line[row_start..].trim().is_empty() {
        rows.push_back(row_start..line.len());
    }
    rows
}

/// Puts the words of one row into columns; none where they do not fit.
pub(super) fn fields<'l>(row: &'l str, columns: &[Option<Column>]) -> Option<Fields<'l>> {
    let words: Vec<Range<usize>> = ranges(row).take(WORDS_MAX + 1).collect();
    if words.len() > WORDS_MAX || columns.len() > COLUMNS_MAX {
        return None;
    }
    let texts: Vec<&str> = words.iter().map(|word| &row[word.clone()]).collect();
    let placed = Ways::find(&texts, &Slots::of(columns.iter())).columns_of_words()?;
    let mut fields = Fields::default();
    let mut next = 0;
    for cell in placed.chunk_by(|one, other| one == other) {
        let (first, last) = (&words[next], &words[next + cell.len() - 1]);
        next += cell.len();
        if let Some(column) = columns[cell[0]] {
            fields.set_text(column, &row[first.start..last.end]);
        }
    }
    Some(fields)
}

/// Returns true where a cell looks like what its column holds.
pub(super) fn may_hold(column: Option<Column>, cell: &str) -> bool {
    let kind = kind(column);
    kind == Kind::Text || (!cell.contains(' ') && kind.cost(cell).is_some())
}

/// Returns where the words of a text are.
pub(super) fn ranges(text: &str) -> impl Iterator<Item = Range<usize>> {
    text.split_whitespace().map(|word| {
        let start = word.as_ptr().addr() - text.as_ptr().addr();
        start..start + word.len()
    })
}

/// What a column's words look like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Time,
    Address,
    Port,
    Host,
    /// One word of a list.
    Word(Field),
    /// Any number of words.
    Text,
}

fn kind(column: Option<Column>) -> Kind {
    match column.map(|column| column.field) {
        Some(Field::Time | Field::TimeGenerated | Field::LocalTime) => Kind::Time,
        Some(Field::SourceIp | Field::DestinationIp | Field::TranslatedIp) => Kind::Address,
        Some(Field::SourcePort | Field::DestinationPort | Field::TranslatedPort) => Kind::Port,
        Some(Field::Fqdn) => Kind::Host,
        Some(
            field @ (Field::Category
            | Field::Type
            | Field::OperationName
            | Field::Protocol
            | Field::Action
            | Field::Flag),
        ) => Kind::Word(field),
        _ => Kind::Text,
    }
}

impl Kind {
    /// What it costs to put a word here; none where that cannot be.
    fn cost(self, word: &str) -> Option<u32> {
        const UNLIKELY: u32 = 2;
        const FREE_TEXT: u32 = 3;
        let cost = |is_likely: bool| if is_likely { 0 } else { UNLIKELY };
        match self {
            Self::Time => time_ns(word).map(|_| 0),
            Self::Address => word.parse::<IpAddr>().is_ok().then_some(0),
            Self::Port => word.parse::<f64>().is_ok().then_some(0),
            Self::Host => {
                let is_address = word.parse::<IpAddr>().is_ok();
                (!is_address).then_some(cost(word.contains('.')))
            }
            Self::Word(field) => Some(cost(is_word_of(field, word))),
            Self::Text => Some(FREE_TEXT),
        }
    }
}

fn is_word_of(field: Field, word: &str) -> bool {
    let is_any = |words: &[&str]| words.iter().any(|known| known.eq_ignore_ascii_case(word));
    let starts_with =
        |head: &str| word.get(..head.len()).is_some_and(|start| start.eq_ignore_ascii_case(head));
    match field {
        Field::Protocol => is_any(&["TCP", "UDP", "ICMP", "HTTP", "HTTPS", "MSSQL"]),
        Field::Action => is_any(&["Allow", "Deny", "Alert", "Drop", "Log"]),
        Field::Flag => is_any(&["SYN-ACK", "FIN", "FIN-ACK", "RST", "INVALID"]),
        _ => starts_with("AZFW") || starts_with("AzureFirewall") || is_any(&["AzureDiagnostics"]),
    }
}

/// A row to be, of some columns.
struct Slots {
    kinds: Vec<Kind>,
    must_hold: Vec<bool>,
}

impl Slots {
    /// The columns in which a row has a word always are its time and its source.
    fn of<'c>(columns: impl Iterator<Item = &'c Option<Column>>) -> Self {
        let always = |column: &Option<Column>| {
            let field = column.map(|column| column.field);
            matches!(field, Some(Field::Time | Field::TimeGenerated | Field::SourceIp))
        };
        let (kinds, must_hold) = columns.map(|column| (kind(*column), always(column))).unzip();
        Self { kinds, must_hold }
    }
}

/// The cheapest ways to put the words from each one on into the columns from each one on.
struct Ways {
    /// By column, then word; [`NEVER`] where there is no way.
    costs: Vec<Vec<u32>>,
    /// How many words the column takes there.
    taken: Vec<Vec<usize>>,
}

const NEVER: u32 = u32::MAX;

impl Ways {
    /// Cost: O(words × columns) time and space.
    fn find(words: &[&str], slots: &Slots) -> Self {
        let count = slots.kinds.len();
        let width = words.len() + 1;
        let mut costs = vec![vec![NEVER; width]; count + 1];
        let mut taken = vec![vec![0; width]; count];
        costs[count][words.len()] = 0;
        for column in (0..count).rev() {
            let kind = slots.kinds[column];
            for word in (0..width).rev() {
                let blank = if slots.must_hold[column] { NEVER } else { costs[column + 1][word] };
                let (mut best, mut best_taken) = (blank, 0);
                if let Some(cost) = words.get(word).and_then(|word| kind.cost(word)) {
                    let one = costs[column + 1][word + 1].saturating_add(cost);
                    // Free text goes on in the same column, at the same price.
                    let goes_on = kind == Kind::Text && taken[column][word + 1] > 0;
                    let more =
                        if goes_on { costs[column][word + 1].saturating_add(cost) } else { NEVER };
                    let (least, length) =
                        if more < one { (more, taken[column][word + 1] + 1) } else { (one, 1) };
                    if least != NEVER && least <= best {
                        (best, best_taken) = (least, length);
                    }
                }
                (costs[column][word], taken[column][word]) = (best, best_taken);
            }
        }
        Self { costs, taken }
    }

    /// Returns the column of each word; none where the words do not fit.
    fn columns_of_words(&self) -> Option<Vec<usize>> {
        if self.costs[0][0] == NEVER {
            return None;
        }
        let mut columns = Vec::new();
        for (column, taken) in self.taken.iter().enumerate() {
            let length = taken[columns.len()];
            columns.extend(std::iter::repeat_n(column, length));
        }
        Some(columns)
    }
}

/// Finds how many of the words between two times belong to the row before.
fn best_split(words: &[&str], behind: &[Option<Column>], before: &[Option<Column>]) -> usize {
    let heads = Ways::find(words, &Slots::of(before.iter()));
    let backwards: Vec<&str> = words.iter().rev().copied().collect();
    let tails = Ways::find(&backwards, &Slots::of(behind.iter().rev()));
    let cost = |split: usize| {
        let (tail, head) = (tails.costs[0][words.len() - split], heads.costs[0][split]);
        tail.saturating_add(head)
    };
    let best = (0..=words.len()).map(|split| (cost(split), split)).min();
    best.filter(|(cost, _)| *cost != NEVER).map_or(0, |(_, split)| split)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TIME: &str = "2025-01-20T18:18:11.925475Z";

    fn columns(names: &str) -> Vec<Option<Column>> {
        names.split(' ').map(Column::named).collect()
    }

    fn read(row: &str, columns: &[Option<Column>], wanted: &[Field]) -> Vec<String> {
        let fields = fields(row, columns).unwrap_or_else(|| panic!("{row}"));
        let text = |field: &Field| fields.text(*field).unwrap_or("-").to_owned();
        wanted.iter().map(text).collect()
    }

    #[test]
    fn blank_cells_are_found_by_what_words_look_like() {
        let columns =
            columns("Action_s Category DestinationIp_s Fqdn_s SourceIP TableName TimeGenerated");
        let wanted = [Field::DestinationIp, Field::Fqdn, Field::SourceIp];
        for (middle, want) in [
            ("10.1.0.4 10.0.0.4", ["10.1.0.4", "-", "10.0.0.4"]),
            ("www.example.com 10.0.0.4", ["-", "www.example.com", "10.0.0.4"]),
            ("10.1.0.4 www.example.com 10.0.0.4", ["10.1.0.4", "www.example.com", "10.0.0.4"]),
            ("10.0.0.4", ["-", "-", "10.0.0.4"]),
        ] {
            let row = format!("Allow AZFWNetworkRule {middle} PrimaryResult {TIME}");
            assert_eq!(read(&row, &columns, &wanted), want, "{row}");
        }
        for row in ["", TIME, "Allow 10.1.0.4 10.0.0.4 PrimaryResult", "a b c d e f g h"] {
            assert!(fields(row, &columns).is_none(), "{row}");
        }
    }

    #[test]
    fn free_text_takes_what_no_other_column_does() {
        let columns = columns("Category SourceIP Rule_s TimeGenerated Protocol_s");
        let wanted = [Field::Rule, Field::Protocol];
        let row = format!("AZFWNetworkRule 10.0.0.4 Azure to #1/2, HTTP {TIME} TCP");
        assert_eq!(read(&row, &columns, &wanted), ["Azure to #1/2, HTTP", "TCP"]);
    }

    #[test]
    fn rows_on_one_line_end_where_the_words_fit_best() {
        let columns = columns("Action_s SourceIP TimeGenerated TranslatedIp_s TranslatedPort_d");
        let line = format!(
            "x Allow 10.0.0.1 {TIME} 10.0.0.2 443 Deny 10.0.0.3 {TIME} 10.0.0.4 {TIME} 10.0.0.5 80"
        );
        let rows: Vec<&str> =
            rows(&line, 1, &columns).into_iter().map(|row| line[row].trim()).collect();
        assert_eq!(
            rows,
            [
                format!("Allow 10.0.0.1 {TIME} 10.0.0.2 443"),
                format!("Deny 10.0.0.3 {TIME}"),
                format!("10.0.0.4 {TIME} 10.0.0.5 80"),
            ]
        );
    }
}
