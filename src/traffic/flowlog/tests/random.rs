//! Random logs against the model, at every cut and in every piece size; and bytes at random.

use proptest::prelude::*;

use super::model::{Choices, Record, RowModel, Style};
use super::{Outcome, Pieces, read, read_in, read_in_parts};

/// A log as written, and its rows.
fn draw(seed: u64, is_plain: bool) -> (String, Vec<RowModel>) {
    let mut choices = Choices::new(seed);
    let records: Vec<Record> = (0..choices.below(4)).map(|_| Record::draw(&mut choices)).collect();
    let rows = records.iter().flat_map(Record::rows).collect();
    (Style { choices: &mut choices, is_plain }.log(&records), rows)
}

fn rows(outcome: &Outcome) -> Vec<RowModel> {
    let shown = outcome.rows.iter().map(|seen| {
        let seen = seen.clone();
        (seen.row, [seen.mac, seen.acl_group, seen.acl_rule, seen.target, seen.flow_log])
    });
    shown.collect()
}

proptest! {
    #[test]
    fn a_log_means_the_same_however_it_is_written(seed: u64, is_plain: bool) {
        let (text, expected) = draw(seed, is_plain);
        let outcome = read(text.as_bytes());
        prop_assert_eq!(outcome.damages(), vec![], "{}", text);
        prop_assert_eq!(rows(&outcome), expected, "{}", text);
    }

    #[test]
    fn pieces_and_chunks_make_no_difference(
        seed: u64,
        size in 1_usize..50,
        chunk_bytes in 0_usize..5000,
        cut in 0_usize..100_000,
    ) {
        let (text, _) = draw(seed, false);
        let bytes = &text.as_bytes()[..text.len().min(cut)];
        let outcome = read_in(Pieces::new(bytes, size), chunk_bytes);
        prop_assert_eq!(outcome, read(bytes), "{}", text);
    }

    #[test]
    fn the_parts_of_a_chunk_make_the_chunk(
        seed: u64,
        part_count in 1_usize..12,
        chunk_bytes in 0_usize..5000,
        place: prop::sample::Index,
        value: Option<u8>,
    ) {
        let (text, _) = draw(seed, false);
        let mut bytes = text.into_bytes();
        if let (Some(value), false) = (value, bytes.is_empty()) {
            let place = place.index(bytes.len());
            bytes[place] = value;
        }
        let pieces = Pieces::new(&bytes, usize::MAX);
        prop_assert_eq!(read_in_parts(pieces, chunk_bytes, part_count), read(&bytes));
    }

    #[test]
    fn any_bytes_balance(bytes: Vec<u8>) {
        read(&bytes);
    }

    #[test]
    fn any_text_of_json_signs_balances(text in r#"[\[\]{},:"\\ a0]{0,60}|(\{"records":\[|\]\}|\{"a":\["x"\]\}|,|"|\{){0,12}"#) {
        let outcome = read(text.as_bytes());
        let pieces = read_in(Pieces::new(text.as_bytes(), 1), 1);
        prop_assert_eq!(outcome, pieces);
    }

    #[test]
    fn a_flipped_byte_balances(seed: u64, place: prop::sample::Index, value: u8) {
        let (text, _) = draw(seed, false);
        let mut bytes = text.into_bytes();
        if !bytes.is_empty() {
            let place = place.index(bytes.len());
            bytes[place] = value;
        }
        let outcome = read(&bytes);
        prop_assert_eq!(read_in(Pieces::new(&bytes, 3), 7), outcome);
    }
}

#[test]
fn a_log_cut_anywhere_gives_a_prefix_and_at_most_one_damage() {
    for seed in 0..if cfg!(miri) { 1 } else { 60 } {
        let (text, _) = draw(seed, seed % 3 == 0);
        let full = read(text.as_bytes());
        for cut in 0..text.len() {
            let prefix = read(&text.as_bytes()[..cut]);
            assert!(prefix.tally.damaged_total() <= 1, "seed {seed} cut {cut}: {prefix:?}");
            assert!(prefix.rows.len() <= full.rows.len(), "seed {seed} cut {cut}");
            for (less, more) in prefix.rows.iter().zip(&full.rows) {
                assert!(less.is_less_told(more), "seed {seed} cut {cut}: {less:?} of {more:?}");
            }
        }
    }
}
