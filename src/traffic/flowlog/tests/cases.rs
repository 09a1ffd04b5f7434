//! Each trap of the format, by hand.

use std::io::ErrorKind;

use super::{Outcome, Pieces, assert_not_applicable, read, read_in};
use crate::traffic::Damage::{
    BadBlock, MalformedRecord, MalformedTuple, NestingTooDeep, RecordTooLarge, Truncated,
    UnsupportedVersion,
};
use crate::traffic::flowlog::framing::MAX_RECORD_BYTES;

const TUPLE: &str = "1733975962447,10.1.0.4,40.119.6.228,123,443,6,O,C,NX,4,360,5,528";
const ROW: &str = "vnet_v4 1733975962447000000 10.1.0.4 40.119.6.228 123>443 6 Outbound Continue \
                   Allowed NX 4,360,5,528";
const NSG_ROW: &str = "nsg_v2 1733975962000000000 10.1.0.4 40.119.6.228 123>443 6 Outbound \
                       Continue Allowed - 4,360,5,528";
const NSG_TUPLE: &str = "1733975962,10.1.0.4,40.119.6.228,123,443,T,O,A,C,4,360,5,528";
const NSG_V1_TUPLE: &str = "1487282421,192.0.2.95,10.1.0.4,51529,5358,T,I,D";
const NSG_V1_ROW: &str =
    "nsg_v1 1487282421000000000 192.0.2.95 10.1.0.4 51529>5358 6 Inbound - Denied - -,-,-,-";

/// A record of one tuple.
fn record() -> String {
    vnet(&format!(r#""{TUPLE}""#))
}

fn vnet(tuples: &str) -> String {
    vnet_of(r#""flowLogVersion":4,"#, tuples)
}

fn vnet_of(version: &str, tuples: &str) -> String {
    format!(
        r#"{{"time":"2024-12-12T04:00:24.7Z",{version}"macAddress":"000D3AF87856","category":"FlowLogFlowEvent","flowLogResourceID":"/FL","targetResourceID":"/vnet","operationName":"FlowLogFlowEvent","flowRecords":{{"flows":[{{"aclID":"/nsg","flowGroups":[{{"rule":"UserRule_a","flowTuples":[{tuples}]}}]}}]}}}}"#
    )
}

fn nsg(version: &str, tuples: &str) -> String {
    format!(
        r#"{{"time":"2018-11-13T12:00:35.3899262Z","systemId":"x","category":"NetworkSecurityGroupFlowEvent","resourceId":"/NSG","operationName":"NetworkSecurityGroupFlowEvents","properties":{{{version}"flows":[{{"rule":"DefaultRule_A","flows":[{{"mac":"000D3AF87856","flowTuples":[{tuples}]}}]}},{{"rule":"UserRule_empty","flows":[]}}]}}}}"#
    )
}

#[track_caller]
fn assert_sound(read: &Outcome, rows: &[&str]) {
    assert_eq!(read.rows(), rows);
    assert_eq!(read.damages(), []);
    assert_eq!(read.tally.records_read, rows.len() as u64);
}

#[track_caller]
fn assert_one_damage(read: &Outcome, rows: usize, damage: crate::traffic::Damage) {
    let damages: Vec<_> = read.damages().iter().map(|(damage, ..)| *damage).collect();
    assert_eq!((read.rows.len(), damages), (rows, vec![damage]), "{:?}", read.damages());
    assert_eq!(read.tally.records_read, rows as u64 + 1);
}

#[test]
fn every_framing_gives_the_same_records() {
    let r = record();
    let pretty = r.replace("{\"", "{\r\n\t \"").replace(":", " : ").replace("},", "}\n,");
    let pretty = pretty.replace("2024-12-12T04 : 00 : 24", "2024-12-12T04:00:24");
    let framings = [
        format!(r#"{{"records":[{r},{r}]}}"#),
        format!("\u{feff}{{\"records\":[{r},{r}]}}"),
        format!("{{ \"Records\" :\n [ {pretty} ,\r\n {pretty} ]\n}}\n"),
        format!(r#"{{"records":[{r},{r}]"#),
        format!(r#"{{"records":[{r},{r}"#),
        format!(r#"{{"records":[{r},{r},"#),
        format!(r#",{r},{r}]}}"#),
        format!(r#"{{"records":[,{r},,{r},]}}"#),
        format!("[{r},{r}]"),
        format!("[[{r}],[{r}]]"),
        format!("{r}\n{r}\n"),
        format!("{r}\r\n{r}"),
        format!("{r}{r}"),
        format!(r#"{{"records":[{r}]}}{{"records":[{r}]}}"#),
        format!("{{\"records\":[{r}]}}\n\u{feff}{{\"records\":[{r}]}}\n"),
        format!("{{\"records\":[{r}]}}\n{{\"records\":[{r}]}}\n{{\"records\":[]}}\n"),
        format!(r#"[{{"records":[{r}]}},{{"records":[{r}]}}]"#),
        format!(r#"{{"records":[{r},{{"records":[{r}]}}]}}"#),
        format!(r#"{{"records":[{{"records":[{{"records":[{r}]}}]}},{r}]}}"#),
        format!(
            r#"{{"next":null,"x":{{"records":[1,{{}}]}},"s":"]}}\"","RECORDS":[{r},{r}],"n":[1,{{"a":"]"}}],"z":1.5e3}}"#
        ),
        format!(r#"{{"records":[{r}],"count":1,"records":[{r}]}}"#),
        format!(r#"{{"records":[{r}]{{"records":[{r}]}}"#),
        format!(r#"{{"records":[{r}],"count":1{{"records":[{r}]}}"#),
        format!(r#"{{"records":[{r}}}{{"records":[{r}]]}}"#),
        format!(r#"[{{"records":[{r}]][{r}]"#),
    ];
    for framing in framings {
        assert_sound(&read(framing.as_bytes()), &[ROW, ROW]);
        for size in [1, 2, 7] {
            for chunk_bytes in [0, 1, 7, 4096, usize::MAX] {
                let pieces = Pieces::new(framing.as_bytes(), size);
                assert_eq!(read_in(pieces, chunk_bytes), read(framing.as_bytes()), "{framing}");
            }
        }
    }
}

#[test]
fn inputs_without_a_record_are_sound() {
    for text in
        ["", " \n", ",", "[", "[]", "]}", r#"{"records":[]}"#, r#"{"records":["#, "\u{feff}"]
    {
        assert_sound(&read(text.as_bytes()), &[]);
    }
    assert_sound(&read(vnet("").as_bytes()), &[]);
    assert_sound(&read(nsg(r#""Version":2,"#, "").as_bytes()), &[]);
}

#[test]
fn bytes_that_frame_nothing_end_the_input() {
    let r = record();
    for (garbage, byte) in
        [("\0\0\0\0", "0x00"), ("null", "0x6e"), ("\u{feff}\"x\"", "0x22"), ("\u{e9}", "0xc3")]
    {
        let text = format!("{r},{garbage}{r}");
        let read = read(text.as_bytes());
        assert_one_damage(&read, 1, MalformedRecord);
        let detail = format!("byte {byte} where a record should start");
        let blank = garbage.len() - garbage.trim_start_matches('\u{feff}').len();
        assert_eq!(read.damages()[0], (MalformedRecord, (r.len() + 1 + blank) as u64, &*detail));
    }
    let half_mark = [r.as_bytes(), b"\xEF\xBB", r.as_bytes()].concat();
    assert_one_damage(&read(&half_mark), 1, MalformedRecord);
    let padded = format!("{{\"records\":[{r}]\0\0\0");
    assert_one_damage(&read(padded.as_bytes()), 1, MalformedRecord);
}

#[test]
fn an_error_of_the_input_is_counted_once() {
    let r = record();
    let between = format!(r#"{{"records":[{r},"#);
    let within = format!(r#"{{"records":[{r},{}"#, &r[..r.len() - 7]);
    for (kind, damage) in
        [(ErrorKind::UnexpectedEof, Truncated), (ErrorKind::InvalidData, BadBlock)]
    {
        for (text, rows) in [(&between, 1), (&within, 2)] {
            let read = read_in(Pieces::failing(text.as_bytes(), kind), 1 << 20);
            assert_one_damage(&read, rows, damage);
            assert_eq!(read.damages()[0].2, "a broken pipe dream");
        }
    }
}

#[test]
fn a_cut_record_keeps_its_complete_tuples_and_what_it_told() {
    let r = vnet(&format!(r#""{TUPLE}","{TUPLE}""#));
    let head = r.find(TUPLE).unwrap();
    let read = read(&r.as_bytes()[..head + 2 * TUPLE.len() + 3]);
    assert_one_damage(&read, 1, Truncated);
    assert_eq!(read.damages()[0], (Truncated, 0, "the input ends inside this record"));
    assert_eq!(read.rows(), [ROW]);
    let seen = &read.rows[0];
    assert_eq!(seen.mac.as_deref(), Some("000D3AF87856"));
    assert_eq!(seen.acl_rule.as_deref(), Some("UserRule_a"));

    let early = format!(r#"{{"flowRecords":{{"flows":[{{"flowGroups":[{{"flowTuples":["{TUPLE}""#);
    let read = super::read(early.as_bytes());
    assert_one_damage(&read, 1, Truncated);
    let seen = &read.rows[0];
    assert_eq!((seen.row.as_str(), &seen.mac, &seen.acl_group), (ROW, &None, &None));
    assert_eq!((&seen.acl_rule, &seen.target, &seen.flow_log), (&None, &None, &None));
}

#[test]
fn a_cut_nsg_record_without_its_version_tells_it_by_its_fields() {
    for (tuple, row) in [(NSG_TUPLE, NSG_ROW), (NSG_V1_TUPLE, NSG_V1_ROW)] {
        let whole = nsg("", &format!(r#""{tuple}""#));
        let cut = &whole[..whole.find("]}]}").unwrap()];
        let read = read(cut.as_bytes());
        assert_one_damage(&read, 1, Truncated);
        assert_eq!(read.rows(), [row]);
        assert_one_damage(&super::read(whole.as_bytes()), 0, UnsupportedVersion);
    }
}

#[test]
fn a_cut_record_of_another_category_is_cut() {
    let text = r#"{"category":"AzureFirewallNetworkRule","properties":{"msg":"TCP req"#;
    assert_one_damage(&read(text.as_bytes()), 0, Truncated);
}

#[test]
fn what_rows_share_is_kept_in_either_layout() {
    let read = read(record().as_bytes());
    let seen = &read.rows[0];
    assert_eq!(seen.mac.as_deref(), Some("000D3AF87856"));
    assert_eq!(seen.acl_group.as_deref(), Some("/nsg"));
    assert_eq!(seen.acl_rule.as_deref(), Some("UserRule_a"));
    assert_eq!(seen.target.as_deref(), Some("/vnet"));
    assert_eq!(seen.flow_log.as_deref(), Some("/FL"));

    for (version, tuple, row) in
        [(r#""Version":2,"#, NSG_TUPLE, NSG_ROW), (r#""version":1,"#, NSG_V1_TUPLE, NSG_V1_ROW)]
    {
        let read = super::read(nsg(version, &format!(r#""{tuple}""#)).as_bytes());
        assert_sound(&read, &[row]);
        let seen = &read.rows[0];
        assert_eq!(seen.mac.as_deref(), Some("000D3AF87856"));
        assert_eq!((&seen.acl_group, &seen.flow_log), (&None, &None));
        assert_eq!(seen.acl_rule.as_deref(), Some("DefaultRule_A"));
        assert_eq!(seen.target.as_deref(), Some("/NSG"));
    }
}

#[test]
fn keys_come_in_any_order_and_letter_case_and_unknown_ones_are_passed_over() {
    let text = format!(
        r#"{{"new":[{{"flowTuples":["x"]}}],"FLOWRECORDS":{{"v":1,"Flows":[{{"FlowGroups":[{{"FlowTuples":["{TUPLE}"],"x":{{}},"RULE":"r1"}},{{"flowTuples":["{TUPLE}"],"rule":"r2"}}],"ACLid":"a"}},{{"flowGroups":[{{"flowTuples":["{TUPLE}"],"rule":null}}],"aclID":"a"}}]}},"TARGETRESOURCEID":"t","MACADDRESS":"00-0d-3a-f8-78-56","FlowLogVersion":"4","CATEGORY":"flowlogflowevent"}}"#
    );
    let read = read(text.as_bytes());
    assert_sound(&read, &[ROW, ROW, ROW]);
    let rules: Vec<_> = read.rows.iter().map(|seen| seen.acl_rule.as_deref()).collect();
    assert_eq!(rules, [Some("r1"), Some("r2"), None]);
    for seen in &read.rows {
        assert_eq!(seen.mac.as_deref(), Some("000D3AF87856"));
        assert_eq!((seen.acl_group.as_deref(), seen.target.as_deref()), (Some("a"), Some("t")));
    }
}

#[test]
fn escapes_are_read_wherever_they_stand() {
    let escaped = record()
        .replace(TUPLE, &TUPLE.replace(',', r"\u002c"))
        .replace("/nsg", r#"\/nsg\u00e9\ud83d\ude00\""#)
        .replace("flowTuples", r"flow\u0054uples");
    let read = read(escaped.as_bytes());
    assert_sound(&read, &[ROW]);
    assert_eq!(read.rows[0].acl_group.as_deref(), Some("/nsgé😀\""));
}

#[test]
fn a_text_that_is_no_mac_address_is_no_observer() {
    let text = record().replace("000D3AF87856", "unspecified");
    let read = read(text.as_bytes());
    assert_sound(&read, &[ROW]);
    assert_eq!(read.rows[0].mac, None);
}

#[test]
fn malformed_tuples_are_counted_one_by_one_with_their_place() {
    let text = format!("\n{}", vnet(&format!(r#""{TUPLE}","","{TUPLE}","{TUPLE},","{TUPLE}""#)))
        .replacen(TUPLE, &TUPLE.replace("443", "65536"), 1);
    let read = read(text.as_bytes());
    assert_eq!(read.rows(), [ROW, ROW]);
    let records: Vec<u64> = read.rows.iter().map(|seen| seen.record).collect();
    assert_eq!(records, [2, 4], "damaged tuples have numbers too");
    let group = "$.flowRecords.flows[0].flowGroups[0]";
    assert_eq!(
        read.damages(),
        [
            (MalformedTuple, 1, &*format!("{group}.flowTuples[0]: destination port \"65536\"")),
            (MalformedTuple, 1, &*format!("{group}.flowTuples[1]: 1 fields instead of 13")),
            (MalformedTuple, 1, &*format!("{group}.flowTuples[3]: 14 fields instead of 13")),
        ]
    );
    let numbers: Vec<u64> = read.tally.first_damages().iter().map(|place| place.record).collect();
    assert_eq!(numbers, [1, 2, 4]);
}

#[test]
fn places_name_the_group_within_its_flow() {
    let group = format!(r#"{{"rule":"r","flowTuples":["{TUPLE}","x"]}}"#);
    let flow = format!(r#"{{"aclID":"a","flowGroups":[{group},{group}]}}"#);
    let text = format!(r#"{{"flowRecords":{{"flows":[{flow},{{"flowGroups":[]}},{flow}]}}}}"#);
    let read = read(text.as_bytes());
    let details: Vec<&str> = read.damages().iter().map(|(_, _, detail)| *detail).collect();
    let path = |flow, group| {
        format!(
            "$.flowRecords.flows[{flow}].flowGroups[{group}].flowTuples[1]: 1 fields instead of 13"
        )
    };
    assert_eq!(details, [path(0, 0), path(0, 1), path(2, 0), path(2, 1)]);
    let nsg = nsg(r#""Version":2,"#, r#""x""#);
    assert!(
        super::read(nsg.as_bytes()).damages()[0]
            .2
            .starts_with("$.properties.flows[0].flows[0].flowTuples[0]: ")
    );
}

#[test]
fn tuples_under_another_name_are_not_lost_without_a_word() {
    let flows = "$.flowRecords.flows";
    for (key, place) in [
        ("flowTuples", format!("{flows}[0].flowGroups[0].flowTuples is missing")),
        ("flowGroups", format!("{flows}[0].flowGroups is missing")),
        ("flows", format!("{flows} is missing")),
    ] {
        let text = record().replace(&format!("\"{key}\""), "\"other\"");
        let renamed = read(text.as_bytes());
        assert_eq!(renamed.rows(), [""; 0]);
        assert_eq!(renamed.damages(), [(MalformedRecord, 0, &*place)]);
    }
    for (key, empty) in [("flowTuples", "[]"), ("flowGroups", "null"), ("flows", "[]")] {
        let text =
            record().replace(&format!("\"{key}\":"), &format!("\"{key}\":{empty},\"other\":"));
        assert_sound(&read(text.as_bytes()), &[]);
    }
}

#[test]
fn an_unknown_version_is_one_damage_whatever_the_record_holds() {
    let tuples = format!(r#""{TUPLE}","{TUPLE}","x""#);
    for version in ["5", "3", "-4", "4.5", "1e999", r#""four""#, "18446744073709551615"] {
        let text = vnet_of(&format!(r#""flowLogVersion":{version},"#), &tuples);
        let read = read(text.as_bytes());
        let damage = if version == "1e999" { MalformedRecord } else { UnsupportedVersion };
        assert_one_damage(&read, 0, damage);
    }
    for version in ["", r#""Version":3,"#, r#""Version":0,"#, r#""Version":null,"#] {
        let text = nsg(version, &format!(r#""{NSG_TUPLE}""#));
        assert_one_damage(&read(text.as_bytes()), 0, UnsupportedVersion);
    }
    let read = read(vnet_of(r#""flowLogVersion":5,"#, &tuples).as_bytes());
    assert_eq!(read.damages(), [(UnsupportedVersion, 0, "flowLogVersion 5")]);
}

#[test]
fn version_4_is_the_only_one_with_flow_records() {
    for version in ["", r#""flowLogVersion":null,"#, r#""flowLogVersion":"4","#] {
        assert_sound(&read(vnet_of(version, &format!(r#""{TUPLE}""#)).as_bytes()), &[ROW]);
    }
}

#[test]
fn the_layout_decides_and_never_the_number_of_fields() {
    let swapped = vnet(&format!(r#""{NSG_TUPLE}""#));
    let read = read(swapped.as_bytes());
    assert_eq!(read.rows.len(), 0);
    assert_eq!(read.damages()[0].0, MalformedTuple);
    assert!(read.damages()[0].2.ends_with("state \"A\""));
}

#[test]
fn other_logs_are_not_applicable_whatever_they_hold() {
    let firewall = r#"{"category":"AZFWNetworkRule","time":"x","resourceId":"/FW","properties":{"Protocol":"TCP","flows":"none"}}"#;
    let late = r#"{"time":"x","properties":"text","macAddress":5,"category":"AppGw"}"#;
    let twice = r#"{"resourceId":"a","resourceID":"b","category":"AppGw"}"#;
    let text = format!("{firewall}\n{late}\n{twice}\n{}\n", record());
    let read = read(text.as_bytes());
    assert_eq!((read.rows(), read.damages()), (vec![ROW], vec![]));
    assert_not_applicable(&read, 3);
    assert_eq!(read.rows[0].record, 3);
}

#[test]
fn json_that_is_no_log_record_is_malformed() {
    let cases = [
        (r#"{"value":[{"addressPrefix":["10.0.0.0/8"]}]}"#, "no log record"),
        ("{}", "no log record"),
        (r#"{"category":"FlowLogFlowEvent"}"#, "no `flowRecords`"),
        (r#"{"category":"FlowLogFlowEvent","properties":{"flows":[]}}"#, "no `flowRecords`"),
        (r#"{"category":"NetworkSecurityGroupFlowEvent"}"#, "no `properties.flows`"),
        (r#"{"flowRecords":{},"properties":{"flows":[]}}"#, "both `flowRecords`"),
        (r#"{"flowRecords":[]}"#, "expected an object at byte "),
        (r#"{"flowRecords":{"flows":[1]}}"#, "expected an object at byte "),
        (r#"{"macAddress":{}}"#, "expected a string at byte "),
        (r#"{"records":{"a":1}}"#, "no log record"),
    ];
    for (text, detail) in cases {
        let read = read(text.as_bytes());
        assert_one_damage(&read, 0, MalformedRecord);
        assert!(read.damages()[0].2.contains(detail), "{text}: {:?}", read.damages());
    }
}

#[test]
fn a_broken_record_keeps_the_tuples_before_the_fault_and_hurts_no_other() {
    let r = record();
    for fault in
        ["1", "nul", "\"a\\x\"", "\"\\ud800\"", "\"\u{1}\"", "{]", "1e999", "[", "}", "null"]
    {
        let broken = vnet(&format!(r#""{TUPLE}",{fault}"#));
        let balanced = match fault {
            "[" => broken.replacen("]}]}]}}", "]]}]}]}}", 1),
            "}" => broken.replacen(r#"{"time""#, r#"{"a":{"time""#, 1),
            _ => broken,
        };
        let text = format!("{balanced}\n{r}");
        let read = read(text.as_bytes());
        let kept = usize::from(fault != "}");
        assert_one_damage(&read, 1 + kept, MalformedRecord);
        let (_, offset, detail) = read.damages()[0];
        assert_eq!(offset, 0);
        assert!(detail.contains(" at byte "), "{fault}: {detail}");
    }
}

#[test]
fn the_place_of_a_fault_counts_from_the_start_of_the_input() {
    let text = format!("{}\n\n {{\"flowRecords\":\n{{ \"flows\" :\n\n x}}}}", record());
    let read = read(text.as_bytes());
    assert_one_damage(&read, 1, MalformedRecord);
    let detail = format!("expected value at byte {}", text.rfind('x').unwrap());
    let start = record().len() as u64 + 3;
    assert_eq!(read.damages()[0], (MalformedRecord, start, &*detail));
}

#[test]
fn invalid_utf_8_is_a_fault_of_its_record() {
    let mut bytes = format!("{0}\n{0}", record()).into_bytes();
    let at = record().find("UserRule").unwrap();
    bytes[at] = 0xFF;
    let read = read(&bytes);
    assert_one_damage(&read, 1, MalformedRecord);
    assert!(read.damages()[0].2.starts_with("invalid unicode"), "{:?}", read.damages());
}

#[test]
fn a_field_that_stands_twice_voids_its_record() {
    let r = record();
    let group = format!(r#""flowTuples":["{TUPLE}"]"#);
    let cases = [
        (r.replace(r#""category""#, r#""MACADDRESS":"x","category""#), "$.macAddress"),
        (
            r.replace(&group, &format!("{group},{group}")),
            "$.flowRecords.flows[0].flowGroups[0].flowTuples",
        ),
        (r.replace(r#""aclID""#, r#""aclID":"a","AclId""#), "$.flowRecords.flows[0].aclID"),
        (r.replace(r#""flows""#, r#""flows":[],"flows""#), "$.flowRecords.flows"),
    ];
    for (text, path) in cases {
        let read = read(format!("{text}{r}").as_bytes());
        assert_one_damage(&read, 1, MalformedRecord);
        assert_eq!(read.damages()[0].2, format!("{path} stands twice"));
    }
    let unknown = r.replace(r#""time""#, r#""x":1,"x":2,"time""#);
    assert_sound(&read(unknown.as_bytes()), &[ROW]);
}

#[test]
fn deep_nesting_is_passed_over() {
    let r = record();
    let nested = |depth: usize| format!(r#"{{"x":{}1{}}}"#, "[".repeat(depth), "]".repeat(depth));
    let deepest = r.replace(r#""time""#, &format!(r#""x":{},"time""#, nested(126)));
    assert_sound(&read(deepest.as_bytes()), &[ROW]);
    let deeper = r.replace(r#""time""#, &format!(r#""x":{},"time""#, nested(127)));
    let read_deeper = read(format!("[{r},{deeper},{r}]").as_bytes());
    assert_one_damage(&read_deeper, 2, NestingTooDeep);
    assert_eq!(read_deeper.damages()[0].1, r.len() as u64 + 2);
    for text in ["[".repeat(10_000), "{\"a\":".repeat(10_000), "{\"records\":[".repeat(10_000)] {
        assert_one_damage(&read(text.as_bytes()), 0, NestingTooDeep);
    }
    let wrapped = |n: usize| format!("{}{r}{}", "{\"records\":[".repeat(n), "]}".repeat(n));
    assert_sound(&read(wrapped(64).as_bytes()), &[ROW]);
    let text = format!("{}{r}", wrapped(65));
    assert_one_damage(&read(text.as_bytes()), 1, NestingTooDeep);
}

#[test]
fn a_record_over_the_limit_is_passed_over_and_one_at_it_is_not() {
    let r = record();
    let padded = |length: u64| {
        let padding = usize::try_from(length).unwrap() - r.len() - 7;
        let text = r.replacen('{', &format!(r#"{{"p":"{}","#, "x".repeat(padding)), 1);
        assert_eq!(text.len() as u64, length);
        format!("{r}{text}{r}")
    };
    assert_sound(&read(padded(MAX_RECORD_BYTES).as_bytes()), &[ROW, ROW, ROW]);
    let read = read(padded(MAX_RECORD_BYTES + 1).as_bytes());
    assert_one_damage(&read, 2, RecordTooLarge);
    assert_eq!(read.damages()[0].1, r.len() as u64);
    let cut = padded(MAX_RECORD_BYTES + 9);
    assert_one_damage(&super::read(&cut.as_bytes()[..cut.len() - r.len() - 2]), 1, RecordTooLarge);
}

#[test]
fn a_text_over_a_mebibyte_is_a_fault() {
    let text = record().replace("/nsg", &"n".repeat((1 << 20) + 1));
    assert_one_damage(&read(text.as_bytes()), 0, MalformedRecord);
    let text = record().replace("/nsg", &"n".repeat(1 << 20));
    assert_sound(&read(text.as_bytes()), &[ROW]);
}
