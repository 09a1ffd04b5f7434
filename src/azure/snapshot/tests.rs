//! Folders as people have them, one idea a test.

use std::error::Error;
use std::fs;
use std::path::Path;

use proptest::prelude::*;
use tempfile::TempDir;

use super::*;
use crate::azure::RouteDestination;

const TABLE: &str = "\
Source   State   Address Prefix  Next Hop Type  Next Hop IP
-------  ------  --------------  -------------  -----------
Default  Active  10.1.0.0/16     VnetLocal
";

const VNETS: &str = r#"[{"id":"/subscriptions/s/resourceGroups/g/providers/Microsoft.Network/virtualNetworks/v",
    "name":"v","addressSpace":{"addressPrefixes":["10.1.0.0/16"]},"subnets":[{"name":"a","addressPrefix":"10.1.1.0/24"}]}]"#;

/// The smallest service tag file, with made-up prefixes.
const TAG_FILE: &str = r#"{"changeNumber": 7, "cloud": "Public", "values": [
    {"name": "Storage", "id": "Storage", "properties": {"changeNumber": 1, "region": "",
     "systemService": "AzureStorage", "addressPrefixes": ["20.0.0.0/24", "20.0.1.0/24", "20.0.2.0/24"]}},
    {"name": "Storage.EastUS", "id": "Storage.EastUS", "properties": {"changeNumber": 1, "region": "eastus",
     "systemService": "AzureStorage", "addressPrefixes": ["20.0.1.0/24", "20.0.2.0/24"]}}]}"#;

fn folder(files: &[(&str, &str)]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, content) in files {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }
    folder
}

fn load(files: &[(&str, &str)]) -> Snapshot {
    load_snapshot(folder(files).path()).unwrap_or_else(|error| panic!("{}", whole(&error)))
}

fn error(files: &[(&str, &str)]) -> String {
    whole(&load_snapshot(folder(files).path()).unwrap_err())
}

/// The message and its causes, without the folder that changes from run to run.
fn whole(error: &SnapshotError) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(&format!(": {error}"));
        cause = error.source();
    }
    text
}

fn names(snapshot: &Snapshot) -> Vec<&str> {
    snapshot.tables.iter().map(|table| table.name.as_str()).collect()
}

#[test]
fn files_are_told_by_content_and_listed() {
    let snapshot = load(&[
        (
            "spokes/vm1 nic.json",
            r#"{"value":[{"addressPrefix":["10.0.0.0/8"],"nextHopType":"None","state":"Active","source":"Default"}]}"#,
        ),
        ("vm2.routes.txt", TABLE),
        ("A.csv", "Source,State,Address Prefix,Next Hop Type\nUser,Active,10.0.0.0/8,None\n"),
        ("README.md", "# Taken on Friday\n"),
        ("empty", ""),
        ("capture.txt", "\u{0}\u{1}"),
        (
            "flows/PT1H.json",
            r#"{"records":[{"time":"2026-11-20T10:00:00Z","category":"FlowLogFlowEvent"}]}"#,
        ),
        ("fw.json", r#"{"category": "AZFWNetworkRule", "time": "x"}"#),
        ("vnets.json", VNETS),
        (
            "mixed.json",
            r#"[{"type":"Microsoft.Network/loadBalancers","name":"lb"},{"type":"Microsoft.Compute/disks"},
                {"type":"microsoft.compute/disks"},{"type":"Microsoft.Web/serverFarms"}]"#,
        ),
        ("none.json", "[]"),
        (".git/config", TABLE),
        (".hidden.txt", TABLE),
    ]);
    let files: Vec<_> = snapshot.tables.iter().map(|table| table.file.as_str()).collect();
    assert_eq!(files, ["A.csv", "spokes/vm1 nic.json", "vm2.routes.txt"]);
    assert_eq!(names(&snapshot), ["A", "vm1 nic", "vm2"]);
    let ignored: Vec<_> =
        snapshot.ignored.iter().map(|file| (file.file.as_str(), file.reason.as_str())).collect();
    assert_eq!(
        ignored,
        [
            ("README.md", "text without the columns of an effective route table"),
            ("capture.txt", "not text"),
            ("empty", "empty"),
            ("flows/PT1H.json", "a flow log"),
            ("fw.json", "a firewall log"),
            ("mixed.json", "not used: 2 Microsoft.Compute/disks, 1 Microsoft.Web/serverFarms"),
            ("none.json", "an empty JSON list"),
        ]
    );
    assert_eq!(snapshot.resources.virtual_networks.len(), 1);
    assert_eq!(snapshot.resources.load_balancers.len(), 1);
    assert_eq!(snapshot.warnings, []);
    assert!(!snapshot.is_single_file);
    assert_eq!(snapshot.settings, Settings::default());
}

#[test]
fn a_single_file_is_a_snapshot_without_settings() {
    let folder = folder(&[("vm1.json.routes.txt", TABLE), (SETTINGS_FILE, "broken")]);
    let path = folder.path().join("vm1.json.routes.txt");
    let snapshot = load_snapshot(&path).unwrap();
    assert!(snapshot.is_single_file);
    assert_eq!(snapshot.tables[0].file, path.to_string_lossy());
    assert_eq!(names(&snapshot), ["vm1.json"]);
}

#[test]
fn nothing_to_read_says_what_was_there() {
    let missing = load_snapshot(Path::new("/no/such/snapshot")).unwrap_err();
    assert_eq!(missing.to_string(), "/no/such/snapshot: no such file or folder");
    assert!(error(&[]).ends_with(": no effective route table: there is no file"));
    assert!(error(&[("README.md", "hello"), ("b", "")]).ends_with(
        ": no effective route table; found README.md (text without the columns of an effective \
         route table), b (empty)"
    ));
    let many: Vec<(String, &str)> = (10..25).map(|number| (format!("{number}"), "")).collect();
    let many: Vec<(&str, &str)> = many.iter().map(|(name, text)| (name.as_str(), *text)).collect();
    assert!(error(&many).ends_with("19 (empty), and 5 more"));
    assert!(error(&many[..10]).ends_with("18 (empty), 19 (empty)"));
}

#[test]
fn what_is_recognised_and_broken_is_an_error_with_its_place() {
    let broken = TABLE.replace("/16", "/61");
    let text = error(&[("a.txt", TABLE), ("sub/b.txt", &broken)]);
    assert!(text.contains("sub/b.txt: line 3, column `Address Prefix`: "), "{text}");
    let text = error(&[("cut.json", r#"{"value":[{"addressPrefix":["10.0.0.0/8"],"nextHopType""#)]);
    assert!(text.contains("cut.json: line 1, column 55: not valid JSON"), "{text}");
    let text = error(&[(
        "hub.json",
        r#"[{"addressPrefixes":["10.0.0.0/8"],"nextHops":[],"nextHopType":"Remote Hub"}]"#,
    )]);
    assert!(text.contains("hub.json: effective routes of a virtual hub"), "{text}");
    let text = error(&[("a.txt", TABLE), (SETTINGS_FILE, "a = 1")]);
    assert!(text.contains("nexthop.toml: line 1, column 1: unknown field `a`"), "{text}");
    let text =
        error(&[("a.txt", TABLE), ("tags.json", &TAG_FILE.replace("20.0.1.0/24", "20.0.1/24"))]);
    assert!(
        text.contains("tags.json: $.values[0].properties.addressPrefixes[1]: `20.0.1/24`"),
        "{text}"
    );
}

#[test]
fn resources_alone_are_a_snapshot() {
    let snapshot = load(&[("net/vnets.json", VNETS), ("README.md", "Taken on Friday.")]);
    assert_eq!(snapshot.tables.len(), 0);
    assert_eq!(snapshot.resources.virtual_networks[0].subnets[0].header.name, "a");
    assert_eq!(snapshot.ignored.len(), 1);
    // What decides no routes is no snapshot.
    let text = error(&[("nsg.json", r#"{"type":"Microsoft.Network/networkSecurityGroups"}"#)]);
    let want = ": no effective route table; found nsg.json (not used: 1 \
                Microsoft.Network/networkSecurityGroups)";
    assert!(text.ends_with(want), "{text}");
}

#[test]
fn broken_resources_are_an_error_with_their_place() {
    let broken = VNETS.replace("/24", "/42");
    let text = error(&[("a.txt", TABLE), ("sub/vnets.json", &broken)]);
    assert!(text.contains("sub/vnets.json: $[0].subnets[0].addressPrefix: "), "{text}");
    let text = error(&[("a.txt", TABLE), ("vnets.json", &VNETS[..VNETS.len() - 2])]);
    assert!(text.contains("vnets.json: line 2, column "), "{text}");
    let deep = VNETS.replace("\"10.1.1.0/24\"", &"[".repeat(10_000));
    let text = error(&[("a.txt", TABLE), ("vnets.json", &deep)]);
    assert!(text.contains("not valid JSON: recursion limit exceeded"), "{text}");
    // A log of JSON Lines that speaks of resources is no export of them.
    let line = r#"{"id":"/subscriptions/s/x","level":"Information"}"#;
    let snapshot = load(&[("a.txt", TABLE), ("activity.json", &format!("{line}\n{line}\n"))]);
    assert_eq!(snapshot.ignored.len(), 1);
}

#[test]
fn settings_say_what_no_export_of_a_site_does() {
    let sites = r#"[{"id":"/subscriptions/s/resourceGroups/g/providers/Microsoft.Web/sites/Shop","vnetRouteAllEnabled":true},
        {"id":"/subscriptions/s/resourceGroups/g/providers/Microsoft.Web/sites/other"}]"#;
    let settings = "[[site]]\nname = \"SHOP\"\nroute_all = false\n\
                    [[site]]\nname = \"gone\"\nroute_all = true\n";
    let snapshot = load(&[("sites.json", sites), (SETTINGS_FILE, settings)]);
    let told: Vec<_> =
        snapshot.resources.sites.iter().map(|site| (&*site.header.name, site.route_all)).collect();
    assert_eq!(told, [("Shop", Some(false)), ("other", None)]);
    assert_eq!(snapshot.warnings[0].file, SETTINGS_FILE);
    assert_eq!(snapshot.warnings[0].message, "no export holds the site `gone`");
}

#[test]
fn service_tags_of_settings_go_before_those_of_a_file() {
    // What `az network list-service-tags` prints: the number is a text.
    let listed = TAG_FILE.replace("\"changeNumber\": 7", "\"changeNumber\": \"9\"");
    let flat = listed.replace("\"properties\": {", "\"x\": 1, ").replace("]}}", "]}");
    for file in [TAG_FILE, &listed, &flat] {
        let settings = "[service_tags]\nStorage = [\"20.8.0.0/24\"]\n";
        let files = [("v.json", VNETS), ("tags.json", file), (SETTINGS_FILE, settings)];
        let tags = load(&files).service_tags;
        let count = |name| tags.get(name).map(std::collections::BTreeSet::len);
        assert_eq!(
            [count("storage"), count("Storage.EastUS"), count("Sql")],
            [Some(1), Some(2), None]
        );
    }
    let newest = load(&[("v.json", VNETS), ("a.json", TAG_FILE), ("b.json", &listed)]);
    assert_eq!(newest.ignored[0].file, "a.json");
}

#[test]
fn settings_name_tables_by_file_stem_or_path() {
    for wanted in [
        "x/VM1.routes.TXT",
        "vm1.routes.txt",
        "VM1.routes",
        "vm1",
        "./x/vm1.routes.txt",
        "X\\vm1.routes.txt",
    ] {
        let settings =
            format!("[[table]]\nfile = '{wanted}'\nname = \"gateway\"\nsources = [\"nic:n\"]\n");
        let snapshot =
            load(&[("x/vm1.routes.txt", TABLE), ("vm2.txt", TABLE), (SETTINGS_FILE, &settings)]);
        assert_eq!(names(&snapshot), ["vm2", "gateway"], "{wanted}");
        assert_eq!(snapshot.tables[1].sources, [TableSource::Nic("n".to_owned())], "{wanted}");
    }
    let by_name = "[[table]]\nname = \"VM2\"\nsources = [\"10.0.0.0/8\"]\n";
    let snapshot = load(&[("vm1.txt", TABLE), ("vm2.txt", TABLE), (SETTINGS_FILE, by_name)]);
    assert_eq!(snapshot.tables[1].sources.len(), 1);
    assert!(snapshot.tables[0].sources.is_empty());
}

#[test]
fn tables_that_cannot_be_told_apart_are_errors() {
    let table = |file: &str| format!("[[table]]\nfile = \"{file}\"\n");
    let two = [("a/vm1.txt", TABLE), ("b/VM1.json.txt", TABLE), ("b/vm1.txt", TABLE)];
    assert_eq!(
        error(&two),
        "two tables are named `vm1`: a/vm1.txt and b/vm1.txt; name one of them in a [[table]] of \
         nexthop.toml"
    );
    assert_eq!(
        error(&[two[0], two[2], (SETTINGS_FILE, &table("vm1"))]),
        "nexthop.toml: `vm1` is more than one table: a/vm1.txt, b/vm1.txt"
    );
    assert_eq!(
        error(&[two[0], (SETTINGS_FILE, &table("vm2"))]),
        "nexthop.toml: no table is `vm2`; there are: a/vm1.txt"
    );
    let twice = format!("{}{}", table("vm1"), table("a/vm1.txt"));
    assert_eq!(
        error(&[two[0], (SETTINGS_FILE, &twice)]),
        "nexthop.toml: two [[table]] are for a/vm1.txt"
    );
    // The same name in another case is the same name.
    assert!(error(&[("vm1.txt", TABLE), ("x/VM1.txt", TABLE)]).contains("two tables are named"));
}

/// User routes to the tags and prefixes of each row, with hops counted from .1.
fn routes_to(rows: &[&str]) -> String {
    let rows = rows.iter().enumerate().map(|(index, prefixes)| {
        format!("User,Active,\"{prefixes}\",VirtualAppliance,10.0.0.{}\n", index + 1)
    });
    format!("Source,State,Address Prefix,Next Hop Type,Next Hop IP\n{}", rows.collect::<String>())
}

fn destinations(snapshot: &Snapshot) -> Vec<String> {
    let row = |route: &EffectiveRoute| {
        let list: Vec<_> = route.destinations.iter().map(ToString::to_string).collect();
        format!("{} {}", route.next_hop_ips[0], list.join(" "))
    };
    snapshot.tables[0].routes.iter().map(row).collect()
}

/// Source: Microsoft, "Virtual network traffic routing": at an exact prefix an explicit route goes
/// before a regional tag, and that before the tag of the whole service.
#[test]
fn at_one_prefix_the_most_specific_tag_wins() {
    let table = routes_to(&["Storage", "storage.eastus", "20.0.2.0/24", "20.0.0.0/16"]);
    let snapshot = load(&[("t.csv", &table), ("tags.json", TAG_FILE)]);
    assert_eq!(
        destinations(&snapshot),
        [
            "10.0.0.1 20.0.0.0/24",
            "10.0.0.2 20.0.1.0/24",
            "10.0.0.3 20.0.2.0/24",
            "10.0.0.4 20.0.0.0/16"
        ]
    );
    assert_eq!(snapshot.ignored, []);
    assert_eq!(snapshot.warnings, []);
    // A row of another state does not compete.
    let invalid = table.replace("User,Active,\"20.0.2", "User,Invalid,\"20.0.2");
    let snapshot = load(&[("t.csv", &invalid), ("tags.json", TAG_FILE)]);
    assert_eq!(destinations(&snapshot)[1], "10.0.0.2 20.0.1.0/24 20.0.2.0/24");
}

#[test]
fn a_tag_that_lost_every_prefix_is_told() {
    let table = routes_to(&["Storage.EastUS", "20.0.1.0/24 20.0.2.0/24"]);
    let snapshot = load(&[("t.csv", &table), ("tags.json", TAG_FILE)]);
    assert_eq!(destinations(&snapshot), ["10.0.0.2 20.0.1.0/24 20.0.2.0/24"]);
    assert_eq!(snapshot.warnings.len(), 1);
}

#[test]
fn the_prefixes_of_tags_come_from_settings_first() {
    let own = r#"[{"addressPrefix":["Storage"],"nextHopType":"VirtualAppliance","nextHopIpAddress":["10.0.0.1"],
        "source":"User","state":"Active","tagMap":{"Storage":["20.9.0.0/24"]}}]"#;
    let settings = "[service_tags]\nSTORAGE = [\"20.8.0.0/24\"]\n";
    let newer = TAG_FILE
        .replace("\"changeNumber\": 7", "\"changeNumber\": 8")
        .replace("20.0.0.0/24", "20.7.0.0/24");
    let bare =
        own.replace("20.9.0.0/24", "").replace("\"tagMap\":{\"Storage\":[\"\"]}", "\"tagMap\":{}");
    for (files, want) in [
        (vec![("t.json", own), ("tags.json", TAG_FILE), (SETTINGS_FILE, settings)], "20.8.0.0/24"),
        (vec![("t.json", own), ("tags.json", TAG_FILE)], "20.9.0.0/24"),
        (vec![("t.json", &bare), ("tags.json", TAG_FILE)], "20.0.0.0/24 20.0.1.0/24 20.0.2.0/24"),
        (
            vec![("t.json", &bare), ("tags1.json", &newer), ("tags2.json", TAG_FILE)],
            "20.0.1.0/24 20.0.2.0/24 20.7.0.0/24",
        ),
    ] {
        assert_eq!(destinations(&load(&files)), [format!("10.0.0.1 {want}")]);
    }
    let snapshot = load(&[("t.json", &bare), ("tags1.json", &newer), ("tags2.json", TAG_FILE)]);
    assert_eq!(snapshot.ignored[0].file, "tags2.json");
    let snapshot = load(&[("t.json", &bare)]);
    let tag = RouteDestination::ServiceTag("Storage".to_owned());
    assert_eq!(snapshot.tables[0].routes[0].destinations, [tag]);
    assert_eq!(snapshot.warnings[0].message, "the prefixes of service tag `Storage` are not known");
}

#[cfg(unix)]
#[test]
fn links_are_followed_once() {
    let folder = folder(&[("a/vm1.txt", TABLE), ("b/vm2.txt", TABLE)]);
    let link = |target: &Path, name: &str| {
        std::os::unix::fs::symlink(target, folder.path().join(name)).unwrap();
    };
    link(folder.path(), "a/loop");
    link(&folder.path().join("b"), "c");
    link(Path::new("/no/such/file"), "dangling");
    let snapshot = load_snapshot(folder.path()).unwrap();
    assert_eq!(names(&snapshot), ["vm1", "vm2"]);
    assert_eq!(snapshot.ignored[0].file, "dangling");
    assert_eq!(snapshot.ignored[0].reason, "a broken link, or neither a file nor a folder");
}

#[cfg(unix)]
#[test]
fn a_pipe_is_read_once() {
    // Longer than the beginning that the recognisers see.
    let rows = "Default  Active  10.1.0.0/16     VnetLocal\n".repeat(5_000);
    let folder = folder(&[]);
    let path = folder.path().join("vm1");
    let made = std::process::Command::new("mkfifo").arg(&path).status();
    if !made.is_ok_and(|status| status.success()) {
        eprintln!("SKIPPED: there is no mkfifo");
        return;
    }
    let writer = std::thread::spawn({
        let path = path.clone();
        move || fs::write(path, format!("{TABLE}{rows}")).unwrap()
    });
    let snapshot = load_snapshot(&path).unwrap();
    writer.join().unwrap();
    assert_eq!(snapshot.tables[0].routes.len(), 5_001);
}

#[test]
fn published_tables_make_a_snapshot() {
    let Some(corpus) = std::env::var_os("NEXTHOP_CORPUS") else {
        eprintln!("SKIPPED: NEXTHOP_CORPUS does not name the folder of published tables");
        return;
    };
    let source = Path::new(&corpus).join("routes");
    let hub = load_snapshot(&source).unwrap_err();
    assert!(
        matches!(hub, SnapshotError::Routes { source, .. } if matches!(*source, RouteFileError::VirtualHub))
    );
    let folder = tempfile::tempdir().unwrap();
    for entry in fs::read_dir(source).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap();
        if !name.to_string_lossy().starts_with("vhub") {
            fs::copy(&path, folder.path().join(name)).unwrap();
        }
    }
    let snapshot = load_snapshot(folder.path()).unwrap();
    assert_eq!(snapshot.tables.len(), 16);
    let ignored: Vec<_> = snapshot.ignored.iter().map(|file| file.file.as_str()).collect();
    assert_eq!(ignored, ["cases.jsonl"]);
    assert_eq!(snapshot.resources.backend_health.len(), 3);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_file_is_a_table_ignored_or_an_error(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let folder = folder(&[("a.txt", TABLE)]);
        fs::write(folder.path().join("b"), &bytes).unwrap();
        if let Ok(snapshot) = load_snapshot(folder.path()) {
            prop_assert_eq!(snapshot.tables.len() + snapshot.ignored.len(), 2);
        }
    }

    #[test]
    fn any_settings_are_read_or_refused(text in "[a-z_\\[\\]= \"\n#0-9./:é]{0,80}") {
        let _ = Settings::parse(&text);
    }
}

#[test]
fn a_firewalls_subnets_are_prefixes_or_names_of_exported_subnets() {
    let settings = |subnets: &str| format!("[[firewall]]\nname = \"nva\"\nsubnets = [{subnets}]\n");
    for subnets in [
        r#""10.1.1.0/24""#,
        r#""v/a""#,
        r#""V/A""#,
        r#""subnet:v/a""#,
        r#""g/v/a""#,
        r#""/subscriptions/s/resourceGroups/G/providers/Microsoft.Network/virtualNetworks/v/subnets/a""#,
    ] {
        let vnets = VNETS.replace(
            r#"{"name":"a""#,
            r#"{"id":"/subscriptions/s/resourceGroups/g/providers/Microsoft.Network/virtualNetworks/v/subnets/a","name":"a""#,
        );
        let snapshot = load(&[("vnets.json", &vnets), ("nexthop.toml", &settings(subnets))]);
        let firewall = &snapshot.settings.firewalls[0];
        assert_eq!(firewall.subnets, ["10.1.1.0/24".parse().unwrap()], "{subnets}");
        assert!(firewall.subnet_names.is_empty());
    }
    let missing = error(&[("vnets.json", VNETS), ("nexthop.toml", &settings(r#""v/b""#))]);
    assert!(missing.contains("no export holds the firewall's subnet `v/b`"), "{missing}");
    let twice = VNETS.replace("/resourceGroups/g/", "/resourceGroups/h/");
    let files = [("a.json", VNETS), ("b.json", &twice), ("nexthop.toml", &settings(r#""v/a""#))];
    assert!(error(&files).contains("several subnets are the firewall's `v/a`"));
}
