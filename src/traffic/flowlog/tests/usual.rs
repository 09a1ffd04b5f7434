//! A record whose tuples are decoded where they stand gives what the same record gives when it is
//! read as JSON throughout.
//!
//! Keys are known whatever their case, but only the spelling that Azure uses is looked for to leave
//! tuples out; so the other spelling, as long to the byte, is the same record read the general way.

use proptest::prelude::*;

use super::read;

const TUPLE: &str = "1733975962447,10.1.0.4,40.119.6.228,123,443,6,O,C,NX,4,360,5,528";

fn record(groups: &str) -> String {
    format!(
        r#"{{"time":"2024-12-12T04:00:24.7Z","flowLogVersion":4,"macAddress":"000D3AF87856","category":"FlowLogFlowEvent","flowLogResourceID":"/FL","targetResourceID":"/vnet","flowRecords":{{"flows":[{{"aclID":"/nsg","flowGroups":[{groups}]}}]}},"more":{{"a":[1]}}}}"#
    )
}

fn group(tuples: &str) -> String {
    format!(r#"{{"rule":"UserRule_a","flowTuples":[{tuples}]}}"#)
}

fn read_as_json(log: &str) -> super::Outcome {
    read(log.replace(r#""flowTuples":["#, r#""FlowTuples":["#).as_bytes())
}

fn logs() -> Vec<String> {
    let denied = TUPLE.replace(",C,NX,4,360,5,528", ",D,X,,,,");
    let v6 = TUPLE.replace("10.1.0.4", "2001:db8::1").replace("40.119.6.228", "fd00::9");
    let many = vec![format!("\"{TUPLE}\""); 9].join(",");
    let mixed = format!(r#""{denied}","{v6}","{TUPLE}","{}""#, TUPLE.replace(",6,O", ",1,O"));
    let escaped = format!(r#""{}""#, TUPLE.replace("NX", "N\\u0058"));
    let groups = [
        group(&many),
        format!("{},{}", group(&mixed), group("")),
        format!("{},{}", group(&escaped), group(&many)),
        // The bracket would end the array too early.
        group(&format!(r#""{TUPLE}","]","{TUPLE}""#)),
        group(&format!(r#""{TUPLE}",["{TUPLE}"]"#)),
        group(&format!(r#""{TUPLE}",17"#)),
        group(&format!(r#""{TUPLE}" , "{TUPLE}""#)),
        group(&format!(r#""{TUPLE}",,"{TUPLE}""#)),
        group(&format!(r#""{TUPLE}","#)),
        group(&format!(r#""{TUPLE},""#)),
        group(r#""""#),
        // Arrays that belong to no group, or to one that has another already.
        format!(r#"{{"rule":"a","x":{{"flowTuples":["{TUPLE}"]}},"FLOWTUPLES":["{TUPLE}"]}}"#),
        format!(r#"{{"rule":"a","x":{{"flowTuples":["{TUPLE}"]}},"FLOWTUPLES":[""]}}"#),
        format!(r#"{{"rule":"a","flowTuples":["{TUPLE}"],"flowTuples":["{TUPLE}"]}}"#),
        format!(r#"{{"rule":"\"flowTuples\":[","flowTuples":["{TUPLE}"]}}"#),
        format!(r#"{{"rule":"a","flowTuples":"x"}},{}"#, group(&many)),
        r#"{"rule":"a"}"#.into(),
    ];
    groups
        .iter()
        .flat_map(|groups| {
            let record = record(groups);
            [format!(r#"{{"records":[{record},{record}]}}"#), record.replace(r#"":4"#, r#"":3"#)]
        })
        .collect()
}

#[test]
fn tuples_decoded_where_they_stand_are_those_of_the_record_read_as_json() {
    for log in logs() {
        assert_eq!(read(log.as_bytes()), read_as_json(&log), "{log}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4_000))]

    #[test]
    fn so_are_those_of_logs_that_were_changed_or_cut(
        log in prop::sample::select(logs()),
        changes in prop::collection::vec(
            (any::<prop::sample::Index>(), prop::sample::select(&b"0,.\"\\[]{}: \nxI\x01"[..])),
            0..3,
        ),
        length in any::<prop::sample::Index>(),
        is_whole in any::<bool>(),
    ) {
        let mut log = log.into_bytes();
        for (index, byte) in changes {
            let at = index.index(log.len());
            log[at] = byte;
        }
        if !is_whole {
            log.truncate(length.index(log.len() + 1));
        }
        let log = String::from_utf8(log).unwrap();
        prop_assert_eq!(read(log.as_bytes()), read_as_json(&log));
    }
}
