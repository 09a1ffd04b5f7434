//! When a log covers a flow's beginning, and how far a line may be from it.

use std::fs;

use serde_json::Value;

use super::lab::{Flow, Lab, flow};
use super::two_hubs::{BOTH, SPOKE, covering, files, logged_by, policy};

const HOUR: u64 = 3600;

fn at(millisecond: u64) -> Flow {
    Flow { millisecond, ..flow(0, "10.11.0.4", 50_000, "10.12.0.4", 443) }
}

fn lab(flows: &[Flow]) -> Lab {
    Lab::new(&files(None)).policy(&policy("firewall")).flows("spoke", SPOKE, flows)
}

/// Writes a blob of one hour of the day on which every test takes place.
fn blob(lab: &Lab, hour: u64, lines: &[String]) {
    let folder = format!("evidence/resourceId=/AZFW-A/y=2025/m=01/d=20/h={hour:02}/m=00");
    let folder = lab.path().join(folder);
    fs::create_dir_all(&folder).expect("a folder");
    fs::write(folder.join("PT1H.json"), logged_by("azfw-a", lines)).expect("a blob");
}

#[test]
fn the_hours_of_blobs_are_windows_to_the_second_and_gaps_between_them_are_none() {
    for (millisecond, verdict) in [
        (0, "missing"),
        (HOUR * 1000 - 1, "missing"),
        (HOUR * 1000, "covered_unconfirmed"),
        (HOUR * 1500, "covered_unconfirmed"),
        (2 * HOUR * 1000 - 1, "covered_unconfirmed"),
        (2 * HOUR * 1000, "missing"),
        (3 * HOUR * 1000 - 1, "missing"),
        (3 * HOUR * 1000, "covered_unconfirmed"),
    ] {
        let lab = lab(&[at(millisecond)]);
        // 18 and 20 o'clock, of which each line is in the middle.
        blob(&lab, 18, &covering(HOUR / 2, HOUR / 2, &BOTH));
        blob(&lab, 20, &covering(2 * HOUR + HOUR / 2, 2 * HOUR + HOUR / 2, &BOTH));
        let code = i32::from(verdict == "missing");
        println!("{millisecond}");
        lab.verify(&[]).assert(code, &[(verdict, 1)]);
    }
}

#[test]
fn hours_that_follow_each_other_are_one_window() {
    for millisecond in [HOUR * 1000 - 1, HOUR * 1000, HOUR * 1000 + 1] {
        let lab = lab(&[at(millisecond)]);
        for hour in [18, 19] {
            let middle = (hour - 18) * HOUR + HOUR / 2;
            blob(&lab, hour, &covering(middle, middle, &BOTH));
        }
        lab.verify(&[]).assert(1, &[("missing", 1)]);
    }
}

#[test]
fn a_window_is_that_of_each_category() {
    // Network rules of two hours, application rules of the second alone.
    for (second, code, verdict) in
        [(HOUR - 1, 0, "covered_unconfirmed"), (HOUR, 1, "missing"), (2 * HOUR - 1, 1, "missing")]
    {
        let lab = lab(&[at(second * 1000)]);
        blob(&lab, 18, &covering(60, 60, &BOTH[..1]));
        blob(&lab, 19, &covering(HOUR + 60, HOUR + 60, &BOTH));
        lab.verify(&[]).assert(code, &[(verdict, 1)]);
    }
}

#[test]
fn without_an_hour_a_log_covers_from_its_first_to_its_last_line_across_files_that_touch() {
    for (second, code, verdict) in [
        (99, 0, "covered_unconfirmed"),
        (100, 1, "missing"),
        (200, 1, "missing"),
        (201, 1, "missing"),
        (300, 1, "missing"),
        (301, 0, "covered_unconfirmed"),
        (399, 0, "covered_unconfirmed"),
        (400, 1, "missing"),
        (500, 1, "missing"),
        (501, 0, "covered_unconfirmed"),
    ] {
        let mut lab = lab(&[at(second * 1000)]);
        for (from, to) in [(100, 200), (200, 300), (400, 500)] {
            let lines = covering(from, to, &BOTH);
            lab = lab.evidence(&format!("{from}.jsonl"), &logged_by("azfw-a", &lines));
        }
        println!("{second}");
        lab.verify(&[]).assert(code, &[(verdict, 1)]);
    }
}

#[test]
fn a_window_that_is_given_stands_instead_of_every_other() {
    let window = ["--evidence-window", "2025-01-20T18:30:00Z/2025-01-20T18:40:00Z"];
    for (second, code, verdict) in [
        (1799, 0, "covered_unconfirmed"),
        (1800, 1, "missing"),
        (2400, 1, "missing"),
        (2401, 0, "covered_unconfirmed"),
    ] {
        let lab = lab(&[at(second * 1000)]);
        blob(&lab, 18, &covering(60, 60, &BOTH));
        lab.verify(&window).assert(code, &[(verdict, 1)]);
    }
}

#[test]
fn a_line_may_be_as_far_from_its_flow_as_is_said() {
    let run = |flow_at: u64, line_at: u64, more: &[&str]| {
        let mut lines = covering(0, 600, &BOTH);
        lines.push(at(line_at).network_rule());
        lab(&[at(flow_at)]).evidence("a.jsonl", &logged_by("azfw-a", &lines)).verify(more)
    };
    for (option, near, far) in [
        (&[][..], 5000, 5001),
        (&["--time-tolerance", "0"], 0, 1),
        (&["--time-tolerance", "7"], 7000, 7001),
    ] {
        for (flow_at, before, after) in
            [(60_000, 60_000 - near, 60_000 - far), (60_000, 60_000 + near, 60_000 + far)]
        {
            run(flow_at, before, option).assert(0, &[("covered", 1)]);
            run(flow_at, after, option).assert(1, &[("missing", 1)]);
        }
    }
}

#[test]
fn a_connection_that_began_before_the_record_is_never_missing() {
    // Rules log the first packet alone; of this one only the end was recorded.
    let [_, end] = at(60_000).tuples();
    Lab::new(&files(None))
        .policy(&policy("firewall"))
        .tuples("spoke", SPOKE, &[end])
        .evidence("a.jsonl", &logged_by("azfw-a", &covering(0, 600, &BOTH)))
        .verify(&[])
        .assert(0, &[("covered_unconfirmed", 1)]);
}

/// A query's result without ports.
fn query(lines: &[&str]) -> String {
    let mut text = "TimeGenerated,Category,SourceIp,DestinationIp,Protocol,Action\n".to_owned();
    for second in lines {
        text.push_str(&format!(
            "2025-01-20T18:{second}Z,AZFWNetworkRule,10.11.0.4,10.12.0.4,TCP,Allow\n"
        ));
    }
    text
}

const WINDOW: [&str; 2] = ["--evidence-window", "2025-01-20T18:00:00Z/2025-01-20T18:10:00Z"];

#[test]
fn lines_without_ports_show_one_flow_each_the_nearest_and_say_that_they_are_weak() {
    let flows: Vec<Flow> = (0..3)
        .map(|at| flow(60 + 2 * at, "10.11.0.4", 50_000 + at as u16, "10.12.0.4", 443))
        .collect();
    let run = |lines: &[&str]| {
        // Of two firewalls, the file's lines do not tell which; so there is one.
        let lab = one_firewall().flows("spoke", SPOKE, &flows).evidence("query.csv", &query(lines));
        let more = [&WINDOW[..], &["-o", "rows.jsonl"]].concat();
        let verification = lab.verify(&more);
        let rows = fs::read_to_string(lab.path().join("rows.jsonl")).expect("was written");
        let mut rows: Vec<(u64, String, String)> = rows
            .lines()
            .map(|row| {
                let row: Value = serde_json::from_str(row).expect("JSON");
                let text = |key: &str| row[key].as_str().unwrap_or_default().to_owned();
                (row["SrcPort"].as_u64().expect("a port"), text("Coverage"), text("Evidence"))
            })
            .collect();
        rows.sort();
        (verification.code, rows)
    };
    let weak =
        |port| (port, "covered".to_owned(), "evidence/query.csv (addresses alone)".to_owned());
    let missing = |port| (port, "missing".to_owned(), String::new());
    let all = run(&["01:00", "01:02", "01:04"]);
    assert_eq!(all, (0, vec![weak(50_000), weak(50_001), weak(50_002)]));
    assert_eq!(run(&["01:04", "01:00", "01:02"]), all);
    // 18:01:03.5 is nearest to the third flow; what is left over shows the second.
    let two = run(&["01:03.5", "01:02.9"]);
    assert_eq!(two, (1, vec![missing(50_000), weak(50_001), weak(50_002)]));
    assert_eq!(run(&["01:00.9"]), (1, vec![weak(50_000), missing(50_001), missing(50_002)]));
    assert_eq!(run(&["01:01.1"]), (1, vec![missing(50_000), weak(50_001), missing(50_002)]));
}

/// The estate without the second firewall.
fn one_firewall() -> Lab {
    let mut files = files(None);
    super::lab::edit(&mut files, "estate.json", |estate| {
        let resources = estate["value"].as_array_mut().expect("a list");
        resources.retain(|one| one["name"] != "azfw-b");
    });
    Lab::new(&files).policy(&policy("firewall"))
}
