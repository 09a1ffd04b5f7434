//! Every way in which an export is known to be written, as cases; each names its rule.

use std::path::PathBuf;

use proptest::prelude::*;

use super::*;
use crate::azure::RouteDestination;

/// Writes rows as `source state prefixes type ips`, one a line, lists by commas.
fn shown(export: &ParsedExport) -> String {
    let list = |items: Vec<String>| if items.is_empty() { "-".to_owned() } else { items.join(",") };
    let row = |route: &EffectiveRoute| {
        let prefixes = list(route.destinations.iter().map(ToString::to_string).collect());
        let ips = list(route.next_hop_ips.iter().map(ToString::to_string).collect());
        format!("{} {} {prefixes} {} {ips}", route.source, route.state, route.next_hop_type)
    };
    export.routes.iter().map(row).collect::<Vec<_>>().join("\n")
}

fn parsed(text: &str) -> ParsedExport {
    parse(text.as_bytes()).unwrap_or_else(|error| panic!("{error}\n{text}"))
}

fn error(text: &str) -> String {
    parse(text.as_bytes()).unwrap_err().to_string()
}

/// The four rows that most cases below write in their own way.
const FOUR: &str = "\
Default Active 10.1.0.0/16,10.2.0.0/16 VnetLocal -
VirtualNetworkGateway Active 192.168.0.0/24 VirtualNetworkGateway 10.1.0.4,10.1.0.5
Default Invalid 0.0.0.0/0 Internet -
User Active 0.0.0.0/0 VirtualAppliance 10.1.0.9";

fn is_four(text: &str, format: ExportFormat) {
    let export = parsed(text);
    assert_eq!(shown(&export), FOUR, "{text}");
    assert_eq!(export.format, format, "{text}");
    assert!(!export.is_elided, "{text}");
    assert_eq!(export.warnings, Vec::<String>::new(), "{text}");
}

const AZ_TABLE: &str = "\
Source                 State    Address Prefix           Next Hop Type          Next Hop IP
---------------------  -------  -----------------------  ---------------------  -----------------
Default                Active   10.1.0.0/16 10.2.0.0/16  VnetLocal
VirtualNetworkGateway  Active   192.168.0.0/24           VirtualNetworkGateway  10.1.0.4 10.1.0.5
Default                Invalid  0.0.0.0/0                Internet
User                   Active   0.0.0.0/0                VirtualAppliance       10.1.0.9
";

#[test]
fn az_table_in_every_disguise() {
    let without_ruler: Vec<&str> =
        AZ_TABLE.lines().filter(|line| !line.starts_with("--")).collect();
    let squeezed: Vec<String> = without_ruler
        .iter()
        .map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "))
        .collect();
    let one_line = AZ_TABLE.split_whitespace().collect::<Vec<_>>().join(" ");
    for text in [
        AZ_TABLE.to_owned(),
        AZ_TABLE.replace('\n', "\r\n"),
        without_ruler.join("\n"),
        squeezed.join("\n"),
        one_line.clone(),
        format!("❯ az network nic show-effective-route-table -n vm -g $rg -o table {one_line}"),
        format!("❯ az network nic show-effective-route-table -n vm -g $rg -o table\n{AZ_TABLE}"),
        format!("$ az network nic …\n\n{AZ_TABLE}\njose@vm:~$ exit\nlogout\n"),
        format!("# origin: a lab\n{AZ_TABLE}# end\n"),
        AZ_TABLE.lines().map(|line| format!("    {line}\n")).collect(),
        AZ_TABLE.replace("User ", "<b>User ").replace("10.1.0.9", "10.1.0.9</b>"),
        AZ_TABLE.replace("10.1.0.9", "10.1.0.9   => to the NVA, for 10.9.0.0/16"),
        AZ_TABLE.replace("10.1.0.9", "10.1.0.9 <-- here"),
        AZ_TABLE.replace("Internet\n", "Internet   # not used\n"),
        AZ_TABLE
            .replace("Source ", "\u{1b}[1;32mSource\u{1b}[0m ")
            .replace("User", "\u{1b}[31mUser\u{1b}[m"),
        AZ_TABLE.replace(' ', "\u{a0}"),
        AZ_TABLE.replace("Internet\n", "Internet               None\n"),
        // A ruler that does not belong to its header.
        AZ_TABLE.replace("---------------------  -------", "----  ------------------------"),
        AZ_TABLE.replace("Address Prefix", "AddressPrefix ").replace("Next Hop IP", "NextHopIP"),
        // The web page broke the one line into two.
        one_line.replace(" Default Invalid", "\nDefault Invalid"),
        format!("{one_line}\nIn the output above the default route is overridden.\n"),
    ] {
        is_four(&text, ExportFormat::AzTable);
    }
}

#[test]
fn a_query_may_change_the_order_and_add_columns() {
    is_four(
        "\
Source                 Prefix                   State    NextHopType            NextHopIP
---------------------  -----------------------  -------  ---------------------  -----------------
Default                10.1.0.0/16 10.2.0.0/16  Active   VnetLocal
VirtualNetworkGateway  192.168.0.0/24           Active   VirtualNetworkGateway  10.1.0.4 10.1.0.5
Default                0.0.0.0/0                Invalid  Internet
User                   0.0.0.0/0                Active   VirtualAppliance       10.1.0.9
",
        ExportFormat::AzTable,
    );
    let export = parsed(
        "\
Name    Nic   Prefix       NextHopType
------  ----  -----------  ----------------
        vm 1  10.1.0.0/16  VnetLocal
to nva  vm 1  10.0.0.0/8   VirtualAppliance
",
    );
    assert_eq!(
        shown(&export),
        " Active 10.1.0.0/16 VnetLocal -\n Active 10.0.0.0/8 VirtualAppliance -"
    );
    assert_eq!(export.routes[1].name.as_deref(), Some("to nva"));
    assert_eq!(export.warnings, ["2 rows name no state and are taken as Active"]);
}

#[test]
fn rows_without_their_header_may_be_a_part() {
    let rows: String = AZ_TABLE.lines().skip(2).map(|line| format!("{line}\n")).collect();
    let export = parsed(&rows);
    assert_eq!(shown(&export), FOUR);
    assert!(export.is_elided);
    assert_eq!(export.warnings.len(), 1);
    for beside in ["# all that grep found", "$ exit", "PS C:\\Users\\me> exit", "me@host:~$", "❯az"]
    {
        let export = parsed(&format!("{beside}\n{rows}{beside}\n"));
        assert_eq!(shown(&export), FOUR, "{beside}");
    }
    // The portal's words for a source are several.
    assert_eq!(
        shown(&parsed("Virtual network gateway Active 192.168.0.0/24 Virtual network gateway\n")),
        "VirtualNetworkGateway Active 192.168.0.0/24 VirtualNetworkGateway -"
    );
    // One line of something else, and it is prose that speaks of routes.
    assert!(parse(format!("{rows}and so on\n").as_bytes()).is_err());
}

#[test]
fn what_was_left_out_is_noted() {
    for (from, to) in [
        ("Default                Invalid", "[...]\nDefault                Invalid"),
        ("Default                Invalid", "…\nDefault                Invalid"),
        ("Default                Invalid", "...\nDefault                Invalid"),
        ("10.1.0.0/16 10.2.0.0/16 ", "10.1.0.0/16 10.2.0.0/16 ..."),
    ] {
        let text = AZ_TABLE.replace(from, to);
        for text in [text.split_whitespace().collect::<Vec<_>>().join(" "), text] {
            let export = parsed(&text);
            assert!(export.is_elided, "{text}");
            assert_eq!(shown(&export), FOUR, "{text}");
        }
    }
    assert!(parsed(&format!("[...]\n{AZ_TABLE}[...]\n")).is_elided);
}

#[test]
fn broken_rows_are_errors_with_their_place() {
    for (from, to, want) in [
        (
            "0.0.0.0/0                Internet",
            "0.0.0.0/33               Internet",
            "line 5, column `Address Prefix`: the prefix length of `0.0.0.0/33` is not a number from 0 to 32",
        ),
        (
            "10.1.0.9",
            "10.1.0.900",
            "line 6, column `Next Hop IP`: `10.1.0.900` is not an IP address",
        ),
        ("VirtualAppliance       10.1.0.9", "", "line 6, column `Next Hop Type`: missing"),
        (
            "VnetLocal",
            "VnetLo...",
            "line 3, column `Next Hop Type`: `VnetLo...` is cut off; export as JSON, or in a wider console",
        ),
    ] {
        assert!(AZ_TABLE.contains(from));
        assert_eq!(error(&AZ_TABLE.replace(from, to)), want);
    }
    let prose = format!("{AZ_TABLE}As you can see, it works.\n");
    assert!(error(&prose).starts_with("line 7"), "{}", error(&prose));
    let two = format!("{AZ_TABLE}\n{AZ_TABLE}");
    assert_eq!(
        error(&two),
        "line 8: a second table begins, the first is at line 1; give each a file of its own"
    );
}

#[test]
fn tables_of_something_else_are_not_routes_of_a_nic() {
    for text in [
        "AddressPrefix    HasBgpOverride    Name       NextHopIpAddress    NextHopType       ProvisioningState    ResourceGroup
---------------  ----------------  ---------  ------------------  ----------------  -------------------  ---------------
10.13.77.4/32    False             endpoint1  10.13.76.68         VirtualAppliance  Succeeded            plink-azure
",
        "AddressPrefix HasBgpOverride Name NextHopIpAddress NextHopType ProvisioningState ResourceGroup --------------- -- 10.0.0.0/8 False a 10.13.76.68 VirtualAppliance Succeeded plink-azure",
        "Allow AZFWNetworkRule 10.13.77.6 192.168.0.4",
        "hello",
        "",
        "\n\n",
        "{}",
        "[]",
        r#"{"value": [], "nextLink": null}"#,
        r#"{"backendAddressPools": [{"servers": [{"address": "10.0.0.4", "health": "Down"}]}]}"#,
        r#"[{"addressPrefix": "10.0.0.0/8", "nextHopType": "None", "id": "/subscriptions/x", "type": "Microsoft.Network/routeTables/routes"}]"#,
        r#"{"nextHopIpAddress": "10.0.0.4", "nextHopType": "VirtualAppliance", "routeTableId": "System Route"}"#,
        r#"{"value": [{"network": "10.0.0.0/8", "nextHop": "10.0.0.4", "origin": "EBgp", "weight": 1}]}"#,
        r#"{"data": [{"id": "/subscriptions/x", "type": "microsoft.network/virtualnetworks", "properties": {}}], "count": 1}"#,
        r#"{"a": tru"#,
        "{\"a\": 1}\n{\"a\": 2}\n",
    ] {
        let error = parse(text.as_bytes()).unwrap_err();
        assert!(matches!(error, RouteFileError::NotRecognised { .. }), "{text}: {error}");
    }
}

#[test]
fn routes_of_a_virtual_hub_are_refused_by_name() {
    for text in [
        r#"{"value":[{"addressPrefixes":["10.0.0.0/16"],"nextHops":["/subscriptions/x"],"nextHopType":"Remote Hub","routeOrigin":"y"}]}"#,
        r#"{"properties":{"output":{"value":[{"addressPrefixes":["10.0.0.0/16"],"nextHops":[],"nextHopType":"Azure Firewall","asPath":""}]}}}"#,
        "AddressPrefixes    AsPath    NextHopType\n---------------  ------  ----------\n10.0.0.0/8       65001   Azure Firewall\n",
        "AddressPrefixes     NextHopType\n---------------  --------------------------\n10.0.0.0/8       Virtual Network Connection\n",
        "AddressPrefixes,NextHopType,RouteOrigin\n10.0.0.0/8,Azure Firewall,x\n",
    ] {
        let error = parse(text.as_bytes()).unwrap_err();
        assert!(matches!(error, RouteFileError::VirtualHub), "{text}: {error}");
    }
}

const JSON_ROWS: &str = r#"[
 {"addressPrefix":["10.1.0.0/16","10.2.0.0/16"],"nextHopIpAddress":[],"nextHopType":"VnetLocal","source":"Default","state":"Active"},
 {"addressPrefix":["192.168.0.0/24"],"nextHopIpAddress":["10.1.0.4","10.1.0.5"],"nextHopType":"VirtualNetworkGateway","source":"VirtualNetworkGateway","state":"Active"},
 {"addressPrefix":["0.0.0.0/0"],"nextHopIpAddress":[],"nextHopType":"Internet","source":"Default","state":"Invalid"},
 {"addressPrefix":["0.0.0.0/0"],"nextHopIpAddress":["10.1.0.9"],"nextHopType":"VirtualAppliance","source":"User","state":"Active"}
]"#;

#[test]
fn json_in_every_shape() {
    use ExportFormat::{AzCliJson, PowerShellJson, RestJson};
    let pascal = JSON_ROWS
        .replace("addressPrefix", "AddressPrefix")
        .replace("nextHop", "NextHop")
        .replace("source", "Source")
        .replace("state", "State");
    for (text, format) in [
        (JSON_ROWS.to_owned(), AzCliJson),
        (format!("{{\"nextLink\": null, \"value\": {JSON_ROWS}}}"), AzCliJson),
        (format!("{{\"value\": {JSON_ROWS}}}"), RestJson),
        (format!("$ az network nic … -o json\n\n{{\"value\": {JSON_ROWS}}}"), RestJson),
        (format!("{{\"properties\":{{\"output\":{{\"value\": {JSON_ROWS}}}}}}}"), RestJson),
        (JSON_ROWS.replace("{\"addr", "{\"properties\":{\"addr").replace("\"}", "\"}}"), RestJson),
        (JSON_ROWS.replace("[]", "null"), AzCliJson),
        (JSON_ROWS.replace("[\"0.0.0.0/0\"]", "\"0.0.0.0/0\""), AzCliJson),
        (JSON_ROWS.replace("[\"10.1.0.9\"]", "\"10.1.0.9\""), AzCliJson),
        (JSON_ROWS.replace("\"nextHopIpAddress\":[],", ""), AzCliJson),
        (JSON_ROWS.replace("state", "STATE").replace("nextHopType", "NexthopType"), AzCliJson),
        (JSON_ROWS.replace("\"state\"", "\"asOf\":{\"x\":[1e300]},\"state\""), AzCliJson),
        (pascal.clone(), PowerShellJson),
        (format!("{{\"value\": {pascal}, \"Count\": 4}}"), PowerShellJson),
        (
            pascal.replace("[\"10.1.0.0/16\",\"10.2.0.0/16\"]", "\"10.1.0.0/16 10.2.0.0/16\""),
            PowerShellJson,
        ),
        (
            pascal.replace("[\"0.0.0.0/0\"]", "{\"value\":[\"0.0.0.0/0\"],\"Count\":1}"),
            PowerShellJson,
        ),
        (pascal.replace("[]", "{}"), PowerShellJson),
    ] {
        is_four(&text, format);
    }
    let single = r#"{"AddressPrefix":["10.1.0.0/16"],"NextHopType":"VnetLocal","Source":"Default","State":"Active"}"#;
    assert_eq!(shown(&parsed(single)), "Default Active 10.1.0.0/16 VnetLocal -");
    let reshaped = r#"[{"Prefix":"10.1.0.0/16","NextHopType":"VnetLocal","Source":"Default","State":"Active"}]"#;
    assert_eq!(shown(&parsed(reshaped)), "Default Active 10.1.0.0/16 VnetLocal -");
}

#[test]
fn json_without_prefix_and_type_is_not_of_routes() {
    let documents = [
        r#"[{"source":"User","state":"Active"}]"#,
        r#"{"value":[{"state":"Active","name":"vm"}]}"#,
        r#"[{"addressPrefix":["10.0.0.0/8"]}]"#,
    ];
    for document in documents {
        let error = parse(document.as_bytes()).unwrap_err();
        assert!(matches!(error, RouteFileError::NotRecognised { .. }), "{document}: {error}");
    }
}

#[test]
fn fields_stand_in_the_row_or_below_properties_alone() {
    let row = r#"[{"extra":{"source":"User"},"source":"Default","properties":null,"state":"Active",
        "addressPrefix":["10.0.0.0/8"],"nextHopType":"None"}]"#;
    assert_eq!(shown(&parsed(row)), "Default Active 10.0.0.0/8 None -");
}

#[test]
fn every_field_of_a_row_is_kept() {
    let export = parsed(
        r#"{"nextLink":null,"value":[{"addressPrefix":["fd00::/8"],"destinationServiceTags":[],
        "disableBgpRoutePropagation":true,"hasBgpOverride":false,"name":"to nva","tagMap":{},
        "nextHopIpAddress":["fd00::4"],"nextHopType":"VirtualAppliance","source":"User","state":"Active"},
        {"addressPrefix":["10.0.0.0/8"],"nextHopType":"Azure Magic","source":"Unknown","state":"Pending",
         "userDefinedRoute":{"id":"/subscriptions/x/routes/old"}}]}"#,
    );
    let [first, second] = export.routes.as_slice() else { panic!("two rows") };
    assert_eq!(first.name.as_deref(), Some("to nva"));
    assert_eq!(first.disable_bgp_route_propagation, Some(true));
    assert_eq!(first.has_bgp_override, Some(false));
    assert_eq!(
        shown(&export).lines().next(),
        Some("User Active fd00::/8 VirtualAppliance fd00::4")
    );
    assert_eq!(second.name.as_deref(), Some("old"));
    assert_eq!(second.has_bgp_override, None);
    assert_eq!(shown(&export).lines().last(), Some("Unknown Pending 10.0.0.0/8 Azure Magic -"));
}

#[test]
fn broken_json_rows_are_errors_with_their_path() {
    let value = |rows: &str| format!("{{\"value\": {rows}}}");
    for (from, to, want) in [
        (
            "\"192.168.0.0/24\"",
            "\"192.168.0.0/24\",\"192.168.0/24\"",
            "$.value[1].addressPrefix[1]: `192.168.0/24` is not an IP address prefix",
        ),
        (
            "\"10.1.0.5\"",
            "\"10.1.0.x\"",
            "$.value[1].nextHopIpAddress[1]: `10.1.0.x` is not an IP address",
        ),
        ("\"nextHopType\":\"Internet\",", "", "$.value[2].nextHopType: missing"),
        (
            "\"nextHopType\":\"Internet\",",
            "\"nextHopType\":null,",
            "$.value[2].nextHopType: missing",
        ),
        ("\"addressPrefix\":[\"192.168.0.0/24\"],", "", "$.value[1].addressPrefix: missing"),
        (
            "\"addressPrefix\":[\"192.168.0.0/24\"]",
            "\"addressPrefix\":[7]",
            "$.value[1].addressPrefix[0]: not a list of texts",
        ),
        (
            "\"nextHopType\":\"Internet\",",
            "\"nextHopType\":[\"Internet\"],",
            "$.value[2].nextHopType: not a text",
        ),
        (
            "\"source\":\"User\"",
            "\"source\":\"User\",\"source\":\"User\"",
            "$.value[3].source: the key is there twice",
        ),
        (
            "\"source\":\"User\"",
            "\"source\":\"User\",\"x\":{\"y\":1,\"y\":2}",
            "$.value[3].x.y: the key is there twice",
        ),
        (
            "\"source\":\"User\"",
            "\"source\":\"User\",\"Source\":\"User\"",
            "$.value[3].Source: the key is there twice",
        ),
        (
            "\"source\":\"User\"",
            "\"source\":\"User\",\"hasBgpOverride\":\"maybe\"",
            "$.value[3].hasBgpOverride: `maybe` is neither true nor false",
        ),
        (
            "[\"10.1.0.9\"]",
            "[\"10.1.0.9\"",
            "line 6, column 0: not valid JSON: expected `,` or `]`",
        ),
    ] {
        assert!(JSON_ROWS.contains(from), "{from}");
        let error = error(&value(&JSON_ROWS.replace(from, to)));
        if want.starts_with("line") {
            assert!(error.contains("not valid JSON"), "{error}");
        } else {
            assert_eq!(error, want);
        }
    }
    let nested = r#"[{"properties":{"addressPrefix":["10.0.0.0/33"],"nextHopType":"None","state":"Active"}}]"#;
    assert!(error(nested).starts_with("$[0].properties.addressPrefix[0]: "));
    for row in ["7", "\"so on\""] {
        let rows = format!("[{row}, {{\"addressPrefix\":[],\"nextHopType\":\"None\"}}]");
        assert!(error(&value(&rows)).starts_with("$.value[0]: not an object"), "{row}");
    }
}

#[test]
fn rows_without_a_prefix_are_counted() {
    let rows = JSON_ROWS.replace("[\"192.168.0.0/24\"]", "null").replace("[\"0.0.0.0/0\"]", "[]");
    let export = parsed(&rows);
    assert_eq!(export.routes.len(), 1);
    assert_eq!(export.warnings, ["3 rows without an address prefix are left out"]);
    let export = parsed(&AZ_TABLE.replace("192.168.0.0/24", "              "));
    assert_eq!(export.routes.len(), 3);
    assert_eq!(export.warnings.len(), 1);
}

#[test]
fn service_tags_are_kept_by_name() {
    let export = parsed(
        r#"[{"addressPrefix":["Storage.EastUS","10.0.0.0/8"],"nextHopType":"None","state":"Active",
             "tagMap":{"Storage.EastUS":["20.38.98.0/24"]}},
            {"addressPrefix":[],"destinationServiceTags":["Sql"],"nextHopType":"None","state":"Active"}]"#,
    );
    let tag = |name: &str| RouteDestination::ServiceTag(name.to_owned());
    assert_eq!(export.routes[0].destinations[0], tag("Storage.EastUS"));
    assert_eq!(export.routes[1].destinations, [tag("Sql")]);
    assert_eq!(export.service_tags.get("storage.eastus").map(|prefixes| prefixes.len()), Some(1));
    let text = AZ_TABLE.replace(
        "0.0.0.0/0                VirtualAppliance",
        "AzureCloud               VirtualAppliance",
    );
    for text in [text.split_whitespace().collect::<Vec<_>>().join(" "), text] {
        assert_eq!(parsed(&text).routes[3].destinations, [tag("AzureCloud")], "{text}");
    }
}

#[test]
fn power_shell_text() {
    is_four(
        "
Name                       DisableBgpRoutePropagation State   Source                AddressPrefix              NextHopType           NextHopIpAddress
----                       -------------------------- -----   ------                -------------              -----------           ----------------
                                                False Active  Default               {10.1.0.0/16, 10.2.0.0/16} VnetLocal             {}
                                                False Active  VirtualNetworkGateway {192.168.0.0/24}           VirtualNetworkGateway {10.1.0.4, 10.1.0.5}
                                                False Invalid Default               {0.0.0.0/0}                Internet              {}
to-nva                                          False Active  User                  {0.0.0.0/0}                VirtualAppliance      {10.1.0.9}

",
        ExportFormat::PowerShellText,
    );
    is_four(
        "
Source                AddressPrefix   State   NextHopType           NextHopIpAddress
------                -------------   -----   -----------           ----------------
Default               {10.1.0.0/16,   Active  VnetLocal             {}
                      10.2.0.0/16}
VirtualNetworkGateway {192.168.0.0/24 Active  VirtualNetworkGateway {10.1.0.4,
                      }                                             10.1.0.5}
Default               {0.0.0.0/0}     Invalid Internet              {}
User                  {0.0.0.0/0}     Active  VirtualAppliance      {10.1.0.9}
",
        ExportFormat::PowerShellText,
    );
    is_four(
        "
Name             :
State            : Active
Source           : Default
AddressPrefix    : {10.1.0.0/16, 10.2.0.0/16}
NextHopType      : VnetLocal
NextHopIpAddress : {}

State            : Active
Source           : VirtualNetworkGateway
AddressPrefix    : [
                     \"192.168.0.0/24\"
                   ]
NextHopType      : VirtualNetworkGateway
NextHopIpAddress : {10.1.0.4,
                   10.1.0.5}

State            : Invalid
Source           : Default
AddressPrefix    : {0.0.0.0/0}
NextHopType      : Internet
NextHopIpAddress : {}
State            : Active
Source           : User
AddressPrefix    : {0.0.0.0/0}
NextHopType      : VirtualAppliance
NextHopIpAddress : {10.1.0.9}
",
        ExportFormat::PowerShellText,
    );
    // What a resource has, and an effective route has not, makes it another list.
    assert!(
        parse(b"State : Active\nAddressPrefix : 10.0.0.0/8\nNextHopType : None\nEtag : 1\n")
            .is_err()
    );
    let long =
        "State : Active\nAddressPrefix : {10.0.0.0/16, 10.1.0.0/16...}\nNextHopType : VnetLocal\n";
    assert!(parsed(long).is_elided);
    assert_eq!(parsed(long).routes[0].destinations.len(), 2);
    assert_eq!(
        error("State : Active\nAddressPrefix : {10.0.0.0/99}\nNextHopType : None\n"),
        "line 1, column `Address Prefix`: the prefix length of `10.0.0.0/99` is not a number from 0 to 32"
    );
}

#[test]
fn csv_with_every_delimiter_and_alias() {
    for text in [
        "Source,State,Address Prefixes,Next Hop Type,Next Hop IP Address,User Defined Route Name
Default,Active,\"10.1.0.0/16, 10.2.0.0/16\",Virtual network,-,-
Virtual network gateway,Active,192.168.0.0/24,Virtual network gateway,10.1.0.4;10.1.0.5,
Default,Invalid,0.0.0.0/0,Internet,,
User,Active,0.0.0.0/0,Virtual appliance,10.1.0.9,to-nva
",
        "sep=;
SOURCE;state;ADDRESS PREFIX;Next Hop Type;Next Hop Type IP Address
Default;Active;\"10.1.0.0/16;10.2.0.0/16\";VnetLocal;
VirtualNetworkGateway;Active;192.168.0.0/24;VirtualNetworkGateway;10.1.0.4 10.1.0.5
Default;Invalid;0.0.0.0/0;Internet;

User;Active;0.0.0.0/0;VirtualAppliance;10.1.0.9;;
",
        "# copied\nSource\tState\tAddress Prefix\tNext Hop Type\tNext Hop IP
Default\tActive\t10.1.0.0/16 10.2.0.0/16\tVnetLocal
VirtualNetworkGateway\tActive\t192.168.0.0/24\tVirtualNetworkGateway\t10.1.0.4,10.1.0.5
Default\tInvalid\t0.0.0.0/0\tInternet\t
User\tActive\t0.0.0.0/0\tVirtualAppliance\t10.1.0.9
",
        "\"Source\",\"State\",\"AddressPrefix\",\"NextHopType\",\"NextHopIP\"\r
\"Default\",\"Active\",\"10.1.0.0/16\r\n10.2.0.0/16\",\"VnetLocal\",\"\"\r
\"VirtualNetworkGateway\",\"Active\",\"192.168.0.0/24\",\"VirtualNetworkGateway\",\"10.1.0.4 10.1.0.5\"\r
\"Default\",\"Invalid\",\"0.0.0.0/0\",\"Internet\",\"\"\r
\"User\",\"Active\",\"0.0.0.0/0\",\"VirtualAppliance\",\"10.1.0.9\"\r
",
    ] {
        is_four(text, ExportFormat::Csv);
    }
    let unquoted = "Source,State,Address Prefix,Next Hop Type\nDefault,Active,10.1.0.0/16,10.2.0.0/16,VnetLocal\n";
    assert_eq!(error(unquoted), "line 2: more text than columns");
    let broken = "# one\nSource,State,Address Prefix,Next Hop Type\n\nDefault,Active,\"10.1.0.0/16,\n\n10.2.0/16\",VnetLocal\n";
    assert_eq!(
        error(broken),
        "line 4, column `Address Prefix`: `10.2.0/16` is not an IP address prefix"
    );
}

#[test]
fn encodings_of_windows() {
    let utf16 = |mark: [u8; 2], bytes: fn(u16) -> [u8; 2]| {
        mark.into_iter().chain(AZ_TABLE.encode_utf16().flat_map(bytes)).collect::<Vec<u8>>()
    };
    for bytes in [
        [b"\xEF\xBB\xBF", AZ_TABLE.as_bytes()].concat(),
        utf16([0xFF, 0xFE], u16::to_le_bytes),
        utf16([0xFE, 0xFF], u16::to_be_bytes),
    ] {
        assert_eq!(shown(&parse(&bytes).unwrap()), FOUR);
    }
    let mut cut = utf16([0xFF, 0xFE], u16::to_le_bytes);
    cut.pop();
    assert!(matches!(parse(&cut), Err(RouteFileError::Encoding { encoding: "UTF-16", .. })));
    let latin1 = [AZ_TABLE.as_bytes(), b"# caf\xE9\n"].concat();
    let offset = AZ_TABLE.len() as u64 + 5;
    assert!(
        matches!(parse(&latin1), Err(RouteFileError::Encoding { offset: at, .. }) if at == offset)
    );
    assert!(matches!(parse(b"\x00\xFF\x80"), Err(RouteFileError::NotRecognised { .. })));
}

#[test]
fn hostile_input_ends_soon_and_clearly() {
    let deep = format!("{{\"addressPrefix\":\"nextHopType\",\"value\":{}", "[".repeat(10_000));
    assert!(error(&deep).contains("recursion"), "{}", error(&deep));
    let wide = " 10.0.0.0/8".repeat(200_000);
    let started = std::time::Instant::now();
    let one_row = format!(
        "Source State Address Prefix Next Hop Type Next Hop IP\nDefault Active{wide} None\n"
    );
    assert_eq!(parsed(&one_row).routes[0].destinations.len(), 200_000);
    for hostile in [
        "Source ".repeat(200_000),
        "Source State Address Prefix ".repeat(100_000),
        "- ".repeat(500_000),
        "-- --\n".repeat(100_000),
        "Default Active\n".repeat(100_000),
        format!("{AZ_TABLE}{}", "<".repeat(1 << 20)),
        format!("{AZ_TABLE}{}", "\u{1b}[".repeat(1 << 19)),
        "{".repeat(1 << 20),
        "\0".repeat(1 << 20),
        format!("Source,State,Address Prefix,Next Hop Type\n\"{}", "x,".repeat(1 << 19)),
        "AddressPrefix : {\n".repeat(100_000),
    ] {
        if let Err(error) = parse(hostile.as_bytes()) {
            assert!(error.to_string().len() < 1000, "{hostile:.80}");
        }
    }
    assert!(started.elapsed().as_secs() < 60, "{:?}", started.elapsed());
}

/// What a format cannot carry is put to what its reader gives for absent.
fn carried(mut routes: Vec<EffectiveRoute>, format: ExportFormat) -> Vec<EffectiveRoute> {
    for route in &mut routes {
        if format == ExportFormat::AzTable {
            route.name = None;
        }
        match format {
            // az prints a flag that is not set as false.
            ExportFormat::AzCliJson => {
                route.has_bgp_override.get_or_insert(false);
                route.disable_bgp_route_propagation.get_or_insert(false);
            }
            ExportFormat::RestJson | ExportFormat::PowerShellJson => route.has_bgp_override = None,
            _ => {
                route.has_bgp_override = None;
                route.disable_bgp_route_propagation = None;
            }
        }
    }
    routes
}

fn comes_back(routes: &[EffectiveRoute], origin: &str) {
    use ExportFormat::{AzCliJson, AzTable, Csv, PowerShellJson, RestJson};
    for (format, text) in [
        (AzCliJson, render::az_cli_json(routes)),
        (RestJson, render::rest_json(routes)),
        (PowerShellJson, render::power_shell_json(routes)),
        (AzTable, render::az_table(routes)),
        (Csv, render::csv(routes)),
    ] {
        let again = parsed(&text);
        assert_eq!(again.routes, carried(routes.to_vec(), format), "{origin}\n{text}");
        assert_eq!(again.format, format, "{origin}\n{text}");
    }
}

#[test]
fn published_tables_come_back_from_every_format() {
    let Some(corpus) = std::env::var_os("NEXTHOP_CORPUS") else {
        eprintln!("SKIPPED: NEXTHOP_CORPUS does not name the folder of published tables");
        return;
    };
    let mut table_count = 0;
    let mut other = Vec::new();
    for entry in std::fs::read_dir(PathBuf::from(corpus).join("routes")).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        match parse(&std::fs::read(&path).unwrap()) {
            Ok(export) => {
                assert_eq!(export.warnings, Vec::<String>::new(), "{name}");
                comes_back(&export.routes, &name);
                table_count += 1;
            }
            Err(RouteFileError::VirtualHub) => other.push((name, "hub")),
            Err(RouteFileError::NotRecognised { .. }) => other.push((name, "ignored")),
            Err(error) => panic!("{name}: {error}"),
        }
    }
    other.sort();
    let named = |name: &str, what| (name.to_owned(), what);
    assert_eq!(
        other,
        [
            named("appgw-backend-health-cli-shape.json", "ignored"),
            named("appgw-backend-health-rest-example.json", "ignored"),
            named("cases.jsonl", "ignored"),
            named("vhub-effective-routes-rest-example.json", "hub"),
        ]
    );
    assert_eq!(table_count, 16);
}

fn any_route() -> impl Strategy<Value = EffectiveRoute> {
    let destination = prop_oneof![
        (any::<u32>(), 0..=32_u8)
            .prop_map(|(bits, length)| format!("{}/{length}", std::net::Ipv4Addr::from(bits))),
        (any::<u128>(), 0..=128_u8)
            .prop_map(|(bits, length)| format!("{}/{length}", std::net::Ipv6Addr::from(bits))),
        Just("Storage.EastUS".to_owned()),
    ];
    let words =
        prop::sample::select(vec!["Default", "User", "VirtualNetworkGateway", "New Word", ""]);
    let types = prop::sample::select(vec!["VnetLocal", "None", "Virtual appliance", "New Word"]);
    let states = prop::sample::select(vec!["Active", "Invalid", "Pending"]);
    let ips = prop::collection::vec(any::<std::net::IpAddr>(), 0..4);
    let name = prop::option::of("[a-z][a-z0-9._-]{0,20}");
    let flags = (any::<Option<bool>>(), any::<Option<bool>>());
    (prop::collection::vec(destination, 1..5), words, types, states, ips, name, flags).prop_map(
        |(destinations, source, next_hop_type, state, ips, name, flags)| EffectiveRoute {
            source: source.into(),
            state: state.into(),
            destinations: destinations.iter().map(|text| row::destination(text).unwrap()).collect(),
            next_hop_type: next_hop_type.into(),
            next_hop_ips: ips.into_iter().collect(),
            name,
            disable_bgp_route_propagation: flags.0,
            has_bgp_override: flags.1,
        },
    )
}

/// Texts that break off, repeat and mix what the readers look for.
fn mutated() -> impl Strategy<Value = Vec<u8>> {
    let seeds = vec![
        AZ_TABLE.as_bytes().to_vec(),
        JSON_ROWS.as_bytes().to_vec(),
        AZ_TABLE.split_whitespace().collect::<Vec<_>>().join(" ").into_bytes(),
        b"Source;State;Address Prefix;Next Hop Type\nUser;Active;\"10.0.0.0/8\";None\n".to_vec(),
        b"State : Active\nAddressPrefix : {10.0.0.0/16, 10...}\nNextHopType : None\n".to_vec(),
    ];
    let pieces = prop::sample::select(vec![
        "",
        "\0",
        "\n",
        "\r",
        "\t",
        " ",
        "...",
        "[...]",
        "{",
        "}",
        "\"",
        ",",
        ";",
        "é",
        "\u{a0}",
        "<b>",
        "\u{1b}[1m",
        "=>",
        "--",
        "Source State Address Prefix Next Hop Type Next Hop IP",
        "/",
        ":",
        "…",
    ]);
    let edits = prop::collection::vec((any::<prop::sample::Index>(), 0..8_usize, pieces), 1..6);
    (prop::sample::select(seeds), edits).prop_map(|(mut bytes, edits)| {
        for (at, removed, piece) in edits {
            let start = at.index(bytes.len() + 1);
            let end = (start + removed).min(bytes.len());
            bytes.splice(start..end, piece.bytes());
        }
        bytes
    })
}

proptest! {
    #[test]
    fn any_rows_come_back_from_every_format(routes in prop::collection::vec(any_route(), 1..6)) {
        comes_back(&routes, "generated");
    }

    #[test]
    fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let _ = parse(&bytes);
    }

    #[test]
    fn mutated_exports_are_read_or_refused(bytes in mutated()) {
        if let Err(error) = parse(&bytes) {
            prop_assert!(error.to_string().len() < 1000);
        }
    }
}
