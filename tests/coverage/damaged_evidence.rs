//! Firewall logs as people have them: copied by other tools, cut, damaged. What is whole shows what it
//! shows, and what is damaged is counted and named.

use std::fs;
use std::io::Write;

use super::lab::{Flow, Lab, Verification, flow};
use super::two_hubs::{BOTH, SPOKE, covering, files, logged_by, policy};

fn flows() -> Vec<Flow> {
    (0..6).map(|at| flow(60 + 10 * at, "10.11.0.4", 50_000 + at as u16, "10.12.0.4", 443)).collect()
}

/// The lines of all flows but the last, and of a window that covers them all.
fn lines() -> Vec<String> {
    let shown = flows();
    let network = shown[..3].iter().map(Flow::network_rule);
    let application = shown[3..5].iter().map(|flow| flow.application_rule("example.com"));
    let lines: Vec<String> = network.chain(application).chain(covering(0, 600, &BOTH)).collect();
    lines.iter().map(|line| logged_by("azfw-a", std::slice::from_ref(line))).collect()
}

fn verify(name: &str, log: &[u8], more: &[&str]) -> Verification {
    let lab = Lab::new(&files(None)).policy(&policy("firewall")).flows("spoke", SPOKE, &flows());
    fs::write(lab.path().join("evidence").join(name), log).expect("a file");
    lab.verify(more)
}

/// Five flows are shown and one is missing.
fn assert_whole(what: &str, name: &str, log: &[u8]) {
    println!("{what}");
    let verification = verify(name, log, &[]);
    verification.assert(1, &[("covered", 5), ("missing", 1)]);
    assert!(!verification.stderr.contains("damaged"), "{what}: {}", verification.stderr);
}

fn utf16(text: &str, to_bytes: fn(u16) -> [u8; 2]) -> Vec<u8> {
    std::iter::once(0xFEFF).chain(text.encode_utf16()).flat_map(to_bytes).collect()
}

#[test]
fn a_log_shows_the_same_however_it_was_copied() {
    let plain = lines().concat();
    assert_whole("as stored", "a.json", plain.as_bytes());
    assert_whole("byte order mark", "a.json", format!("\u{FEFF}{plain}").as_bytes());
    assert_whole("lines of Windows", "a.json", plain.replace('\n', "\r\n").as_bytes());
    assert_whole("no last line end", "a.json", plain.trim_end().as_bytes());
    assert_whole("blank lines", "a.json", plain.replace('\n', "\n\n").as_bytes());
    assert_whole("UTF-16, little", "a.txt", &utf16(&plain, u16::to_le_bytes));
    assert_whole("UTF-16, big", "a.txt", &utf16(&plain.replace('\n', "\r\n"), u16::to_be_bytes));
    let array = format!("[{}]", lines().join(","));
    assert_whole("an array", "a.json", array.as_bytes());
    assert_whole("Event Hub", "a.json", format!("{{\"records\":{array}}}").as_bytes());
    let value: serde_json::Value = serde_json::from_str(&array).expect("JSON of ours");
    let pretty = serde_json::to_vec_pretty(&value).expect("JSON of ours");
    assert_whole("printed", "a.json", &pretty);
    for (lower, upper) in [
        ("\"category\"", "\"CATEGORY\""),
        ("\"properties\"", "\"Properties\""),
        ("\"SourceIp\"", "\"sourceIP\""),
        ("AZFWNetworkRule", "azfwnetworkrule"),
        ("\"TCP\"", "\"tcp\""),
    ] {
        assert_whole(upper, "a.json", plain.replace(lower, upper).as_bytes());
    }
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(plain.as_bytes()).expect("memory takes it");
    let gzip = gzip.finish().expect("memory takes it");
    assert_whole("gzip", "a.gz", &gzip);
    let middle = lines().len() / 2;
    let halves = [lines()[..middle].concat(), lines()[middle..].concat()];
    let members: Vec<u8> = halves
        .iter()
        .flat_map(|half| {
            let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
            gzip.write_all(half.as_bytes()).expect("memory takes it");
            gzip.finish().expect("memory takes it")
        })
        .collect();
    assert_whole("gzip of two members", "a.json.gz", &members);
    let zstd = zstd::encode_all(plain.as_bytes(), 1).expect("memory takes it");
    assert_whole("Zstandard", "a.json.zst", &zstd);
}

/// The columns that a query may give, by Azure's own names, and their values.
fn columns(flow: &Flow, is_application: bool) -> Vec<(&'static str, String)> {
    let second = flow.millisecond / 1000;
    let time = format!("2025-01-20T18:{:02}:{:02}.000Z", second / 60, second % 60);
    let (category, protocol, to, host) = match is_application {
        true => ("AZFWApplicationRule", "HTTPS", "", "example.com"),
        false => ("AZFWNetworkRule", "TCP", flow.destination.0, ""),
    };
    vec![
        ("TimeGenerated", time),
        ("Category", category.to_owned()),
        ("Protocol", protocol.to_owned()),
        ("SourceIp", flow.source.0.to_owned()),
        ("SourcePort", flow.source.1.to_string()),
        ("DestinationIp", to.to_owned()),
        ("DestinationPort", flow.destination.1.to_string()),
        ("Fqdn", host.to_owned()),
        ("Action", "Allow".to_owned()),
        ("Resource", "AZFW-A".to_owned()),
        ("_Note", "a, \"quoted\" note".to_owned()),
    ]
}

fn query_rows() -> Vec<Vec<(&'static str, String)>> {
    let flows = flows();
    let covers = [0, 599].map(|second| flow(second, "10.99.0.1", 9, "10.99.0.2", 9));
    let network = flows[..3].iter().chain(&covers).map(|flow| columns(flow, false));
    network.chain(flows[3..5].iter().map(|flow| columns(flow, true))).collect()
}

fn separated(rows: &[Vec<(&str, String)>], by: &str) -> String {
    let line = |cells: Vec<String>| {
        let cell = |cell: &String| match cell.contains(['"', ',', ';']) {
            true => format!("\"{}\"", cell.replace('"', "\"\"")),
            false => cell.clone(),
        };
        cells.iter().map(cell).collect::<Vec<_>>().join(by) + "\r\n"
    };
    let header = rows[0].iter().map(|(name, _)| (*name).to_owned()).collect();
    let rows = rows.iter().map(|row| row.iter().map(|(_, value)| value.clone()).collect());
    std::iter::once(header).chain(rows).map(line).collect()
}

#[test]
fn a_querys_result_shows_the_same_whatever_its_columns_are_called_and_in_which_order() {
    let rows = query_rows();
    assert_whole("as the portal saves it", "q.csv", separated(&rows, ",").as_bytes());
    let marked = format!("\u{FEFF}{}", separated(&rows, ";"));
    assert_whole("semicolons and a mark", "q.csv", marked.as_bytes());
    assert_whole("PowerShell", "q.txt", &utf16(&separated(&rows, "\t"), u16::to_le_bytes));
    let reversed: Vec<Vec<_>> =
        rows.iter().map(|row| row.iter().rev().cloned().collect()).collect();
    assert_whole("reversed columns", "q.csv", separated(&reversed, ",").as_bytes());
    let renamed = |names: &[(&str, &'static str)]| -> Vec<Vec<(&'static str, String)>> {
        let name = |old| names.iter().find(|(known, _)| *known == old).map_or(old, |pair| pair.1);
        rows.iter()
            .map(|row| row.iter().map(|(old, value)| (name(*old), value.clone())).collect())
            .collect()
    };
    let diagnostics = renamed(&[
        ("SourceIp", "SourceIP"),
        ("SourcePort", "SourcePort_d"),
        ("DestinationIp", "DestinationIp_s"),
        ("DestinationPort", "DestinationPort_d"),
        ("Protocol", "Protocol_s"),
        ("Action", "Action_s"),
        ("Fqdn", "Fqdn_s"),
    ]);
    assert_whole("AzureDiagnostics", "q.csv", separated(&diagnostics, ",").as_bytes());
    let utc = renamed(&[("TimeGenerated", "TimeGenerated [UTC]")]);
    assert_whole("the portal's time", "q.csv", separated(&utc, ",").as_bytes());
    let lower = renamed(&[("SourceIp", "sourceip"), ("Category", "category")]);
    assert_whole("lower case", "q.csv", separated(&lower, ",").as_bytes());

    let width = 2 + rows
        .iter()
        .flatten()
        .map(|(name, value)| name.len().max(value.len()))
        .max()
        .expect("rows");
    let without_notes = |row: &[(&'static str, String)]| row[..row.len() - 1].to_vec();
    let line = |cells: Vec<String>| {
        let padded: String = cells.iter().map(|cell| format!("{cell:width$}")).collect();
        padded.trim_end().to_owned() + "\n"
    };
    let first = without_notes(&rows[0]);
    let mut table = line(first.iter().map(|(name, _)| (*name).to_owned()).collect());
    table += &line(first.iter().map(|_| "-".repeat(width - 2)).collect());
    for row in &rows {
        table += &line(without_notes(row).into_iter().map(|(_, value)| value).collect());
    }
    assert_whole("-o table", "q.txt", table.as_bytes());
    assert_whole("-o table of PowerShell", "q.txt", &utf16(&table, u16::to_le_bytes));
}

/// A log with damage at the line of a flow, which is then missing.
fn damaged() -> Vec<String> {
    let mut lines = lines();
    lines[1] = "{\"time\":\"2025-01-20T18:01:10Z\",\"category\":\"AZFWNetw\n".to_owned();
    lines
}

#[test]
fn a_damaged_line_shows_nothing_is_named_and_fails_the_run_unless_it_is_allowed() {
    let log = damaged().concat();
    let two_missing = [("covered", 4), ("missing", 2)];
    let verification = verify("a.jsonl", log.as_bytes(), &[]);
    verification.assert(3, &two_missing);
    for words in [
        "evidence/a.jsonl: 1 of 9 records are damaged, and show nothing: record 2: \
         malformed_record: line 2: it ends inside the record",
        "1 of 9 evidence records are damaged, more than --max-skipped allows",
    ] {
        assert!(verification.stderr.contains(words), "{words}\n{}", verification.stderr);
    }
    // The report says it, too.
    let warnings = verification.json["warnings"].to_string();
    assert!(warnings.contains("evidence/a.jsonl: 1 of 9 records are damaged"), "{warnings}");
    for (more, code) in [
        (&["--max-skipped", "1"][..], 1),
        (&["--max-skipped", "12%"], 1),
        (&["--max-skipped", "11%"], 3),
        (&["--max-skipped", "1", "--strict"], 3),
    ] {
        verify("a.jsonl", log.as_bytes(), more).assert(code, &two_missing);
    }
}

#[test]
fn a_log_that_is_cut_at_either_end_shows_the_whole_lines_that_are_left() {
    let whole = lines();
    let text = whole.concat();
    let line_ends: Vec<usize> = text.match_indices('\n').map(|(at, _)| at + 1).collect();
    // Wherever a line may be cut but at its closing brackets, at its end every place.
    let inside = |line: usize| line_ends[line - 1] + 1..line_ends[line] - 3;
    let cuts = inside(1).step_by(41).chain(inside(6).rev().take(25)).chain(inside(4).step_by(67));
    for cut in cuts {
        for (what, left) in [("tail", &text[..cut]), ("head", &text[cut..])] {
            let lines_left = match what {
                "tail" => line_ends.iter().filter(|end| **end <= cut).count(),
                _ => line_ends.iter().filter(|end| **end > cut).count() - 1,
            };
            let verification = verify("a.jsonl", left.as_bytes(), &[]);
            println!("{what} cut at {cut}: {}", verification.stderr);
            assert_eq!(verification.code, 3);
            let said = format!("1 of {} records are damaged", lines_left + 1);
            assert!(verification.stderr.contains(&said), "{said}");
            let covered = verification.json["totals"]["covered"]["flows"].as_u64().unwrap_or(0);
            let want = match what {
                "tail" => lines_left.min(5),
                _ => lines_left.saturating_sub(4),
            };
            assert_eq!(covered, want as u64);
        }
    }
}

#[test]
fn a_compressed_log_that_is_cut_shows_what_is_left() {
    let text = lines().concat();
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::none());
    gzip.write_all(text.as_bytes()).expect("memory takes it");
    let packed = gzip.finish().expect("memory takes it");
    let verification = verify("a.gz", &packed[..packed.len() - 200], &[]);
    assert_eq!(verification.code, 3, "{}", verification.stderr);
    assert!(verification.stderr.contains("truncated"), "{}", verification.stderr);
}

#[test]
fn other_files_of_a_folder_are_passed_over_and_a_named_one_is_refused() {
    let log = lines().concat();
    let lab = || {
        Lab::new(&files(None))
            .policy(&policy("firewall"))
            .flows("spoke", SPOKE, &flows())
            .evidence("a.jsonl", &log)
            .evidence("package.json", "{\"name\": \"x\", \"version\": \"1.0.0\"}")
            .evidence("README.md", "# Logs\n\n{\"time\": 1}\n")
            .evidence("empty.json", "")
    };
    let verification = lab().verify(&["-v"]);
    verification.assert(1, &[("covered", 5), ("missing", 1)]);
    for name in ["package.json", "README.md", "empty.json"] {
        let note = format!("evidence/{name}: ignored: no firewall log, flow log or capture");
        assert!(verification.stderr.contains(&note), "{note}\n{}", verification.stderr);
    }
    let lab = lab();
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_nexthop"))
        .current_dir(lab.path())
        .args(["verify", "--routes", "snapshot", "--policy", "policy.toml", "traffic"])
        .args(["--evidence", "evidence/README.md"])
        .output()
        .expect("the program runs");
    assert_eq!(output.status.code(), Some(2));
}
