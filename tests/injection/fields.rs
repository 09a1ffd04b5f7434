//! Every text of a snapshot, a policy, a flow log and firewall logs, found by walking them, and
//! hostile texts put there.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use serde_json::{Map, Value, json};

use super::payloads::PAYLOADS;
use crate::recipes::{azure, private_link, scenarios};

/// What one run of the program reads.
pub struct Estate {
    pub name: &'static str,
    documents: Vec<Document>,
    /// What has no texts to find by walking: tables as a terminal showed them, captures.
    rest: Vec<(String, Vec<u8>)>,
    /// Every text, and every name within an identifier, in lower case: the same text is given the
    /// same payload wherever it stands, so that what names it still does.
    texts: Vec<String>,
    /// Names within identifiers: a payload with a slash would make other identifiers of them.
    names: BTreeSet<String>,
}

/// One text of an estate.
#[derive(Clone)]
pub struct Field {
    /// What it is, whichever resource or record has it.
    pub kind: String,
    document: usize,
    pointer: String,
    /// The separator, and which of the parts between; none for the whole text.
    part: Option<(char, usize)>,
}

/// Where in a field a payload is put.
#[derive(Clone, Copy, Debug)]
pub enum Place {
    End,
    Whole,
}

struct Document {
    path: String,
    format: Format,
    value: Value,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Format {
    Json,
    JsonLines,
    Toml,
    Csv,
}

/// Two payloads a round, and in the end every field had all.
pub const ROUNDS: usize = PAYLOADS.len() / 2;

const POLICY: &str = r#"
[[require]]
name = "everything"
from = ["any"]
to = ["any"]
via = "firewall"
both_ways = true

[[require]]
name = "to backends"
to = ["pool:appgw/claims", "pool:appgw/eligibility", "pool:appgw/documents"]
via = "firewall"

[[exempt]]
from = ["10.99.0.0/16"]
reason = "nothing is there"
"#;

/// Returns scenarios that have every kind of resource, of table and of setting between them, with
/// a policy and with firewall logs.
pub fn estates() -> Vec<Estate> {
    const FOLDERS: [&str; 4] = [
        "endpoints-with-a-broad-route",
        "secured-hub-in-one-vnet",
        "app-service-integration",
        "backend-pools",
    ];
    let mut all = Vec::new();
    for scenario in scenarios::all() {
        if FOLDERS.contains(&scenario.folder) {
            all.push(Estate::new(scenario.folder, scenario.files()));
        }
    }
    // The largest comes last: what another estate has, too, is tried there.
    let private_link =
        private_link::files().into_iter().map(|(path, content)| (path.to_owned(), content));
    all.push(Estate::new("private-link", private_link.collect()));
    all
}

impl Estate {
    fn new(name: &'static str, files: Vec<(String, Vec<u8>)>) -> Self {
        let (mut documents, mut rest) = (Vec::new(), Vec::new());
        for (path, content) in files {
            if path.starts_with("expected") || path == "policy.toml" {
                continue;
            }
            match Format::of(&path) {
                Some(format) => {
                    let value = format.parse(&content);
                    documents.push(Document { path, format, value });
                }
                None => rest.push((path, content)),
            }
        }
        let log = documents.iter().find(|document| document.path.starts_with("traffic/"));
        let lines = firewall_lines(&log.expect("a flow log").value);
        let rows = lines.iter().filter_map(row_of_line).collect();
        for (path, value) in [
            ("evidence/lines.jsonl", Value::Array(lines)),
            ("evidence/rows.csv", Value::Array(rows)),
            ("policy.toml", Format::Toml.parse(POLICY.as_bytes())),
        ] {
            let format = Format::of(path).expect("a format");
            documents.push(Document { path: path.to_owned(), format, value });
        }
        let mut estate = Self { name, documents, rest, texts: Vec::new(), names: BTreeSet::new() };
        let mut texts = BTreeSet::new();
        for field in estate.fields() {
            let text = estate.text_of(&field).to_lowercase();
            let names = names_within(&text);
            estate.names.extend(names.iter().map(|name| (*name).to_owned()));
            texts.extend(names.iter().map(|name| (*name).to_owned()));
            texts.insert(text);
        }
        estate.texts = texts.into_iter().collect();
        estate
    }

    /// Returns every text.
    pub fn fields(&self) -> Vec<Field> {
        let mut fields = Vec::new();
        for (document, Document { path, format, value }) in self.documents.iter().enumerate() {
            let folder = path.split_once('/').map_or("", |(folder, _)| folder);
            let mut add = |kind: String, pointer: &str, text: &str| {
                let separator = match () {
                    () if kind.contains("flowTuples") => Some(','),
                    () if kind.ends_with("/msg") => Some(' '),
                    () => None,
                };
                let parts = separator.into_iter().flat_map(|separator| {
                    (0..text.split(separator).count()).map(move |part| Some((separator, part)))
                });
                for part in parts.chain([None]) {
                    let kind = format!("{folder} {format:?} {kind} {part:?}");
                    fields.push(Field { kind, document, pointer: pointer.to_owned(), part });
                }
            };
            walk(value, "", "", &mut add);
        }
        fields
    }

    /// Returns true for the identifier of a resource, which can carry payloads in its names.
    pub fn is_identifier(&self, field: &Field) -> bool {
        !names_within(self.text_of(field)).is_empty()
    }

    /// Writes the estate with one text in one field.
    pub fn write_with(&self, folder: &Path, field: &Field, payload: &str, place: Place) {
        let values = self.documents.iter().map(|document| document.value.clone());
        let mut values: Vec<Value> = values.collect();
        let text = self.text_of(field);
        let end = match place {
            Place::End => text,
            Place::Whole => "",
        };
        set(&mut values[field.document], field, format!("{end}{payload}"));
        self.write_values(folder, &values);
    }

    /// Writes the estate with a payload before and one behind each field of these, and each name
    /// within those that are identifiers.
    pub fn write_with_all(&self, folder: &Path, fields: &[Field], round: usize) {
        let values = self.documents.iter().map(|document| document.value.clone());
        let mut values: Vec<Value> = values.collect();
        for field in fields {
            let text = self.text_of(field);
            let names = names_within(text);
            let poisoned = if names.is_empty() {
                self.poisoned(text, round)
            } else {
                let parts = text.split_inclusive(['/', ':']).map(|part| {
                    let bare = part.trim_end_matches(['/', ':']);
                    if names.contains(&bare) {
                        self.poisoned(bare, round) + &part[bare.len()..]
                    } else {
                        part.to_owned()
                    }
                });
                parts.collect()
            };
            set(&mut values[field.document], field, poisoned);
        }
        self.write_values(folder, &values);
    }

    /// Writes the estate as it is.
    pub fn write(&self, folder: &Path) {
        self.write_with_all(folder, &[], 0);
    }

    fn poisoned(&self, text: &str, round: usize) -> String {
        /// Names of subnets by which Azure knows what is in them.
        const RESERVED: [&str; 3] = ["gatewaysubnet", "azurefirewallsubnet", "routeserversubnet"];
        let lower = text.to_lowercase();
        if RESERVED.contains(&lower.as_str()) {
            return text.to_owned();
        }
        let number = self.texts.binary_search(&lower).expect("every text was gathered");
        let is_name = self.names.contains(&lower);
        let payload = |number: usize| {
            let mut payloads = PAYLOADS.iter().cycle().skip(number % PAYLOADS.len());
            payloads.find(|payload| !is_name || !payload.contains('/')).expect("one has no slash")
        };
        let first = number + round * 2;
        format!("{}{text}{}", payload(first), payload(first + 1))
    }

    fn text_of(&self, field: &Field) -> &str {
        let value = &self.documents[field.document].value;
        let text = value.pointer(&field.pointer).and_then(Value::as_str).expect("a text");
        match field.part {
            None => text,
            Some((separator, part)) => text.split(separator).nth(part).expect("a part"),
        }
    }

    fn write_values(&self, folder: &Path, values: &[Value]) {
        let documents = self.documents.iter().zip(values);
        let texts = documents
            .map(|(Document { path, format, .. }, value)| (path.as_str(), format.text(value)));
        let rest = self.rest.iter().map(|(path, content)| (path.as_str(), content.clone()));
        for (path, content) in texts.chain(rest) {
            let path = folder.join(path);
            fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
            fs::write(path, content).expect("the folder takes files");
        }
    }
}

impl Format {
    fn of(path: &str) -> Option<Self> {
        match path.rsplit_once('.')?.1 {
            "json" => Some(Self::Json),
            "jsonl" => Some(Self::JsonLines),
            "toml" => Some(Self::Toml),
            "csv" => Some(Self::Csv),
            _ => None,
        }
    }

    fn parse(self, content: &[u8]) -> Value {
        let text = || std::str::from_utf8(content).expect("UTF-8");
        match self {
            Self::Json => serde_json::from_slice(content).expect("JSON"),
            Self::JsonLines => text()
                .lines()
                .map(|line| serde_json::from_str::<Value>(line).expect("JSON"))
                .collect(),
            Self::Toml => toml::from_str(text()).expect("TOML"),
            // Rows as objects, so that a cell's kind is its column.
            Self::Csv => {
                let mut reader = csv::Reader::from_reader(content);
                let header = reader.headers().expect("a header").clone();
                let rows = reader.records().map(|row| {
                    let row = row.expect("a row");
                    let cells = header.iter().zip(&row);
                    cells.map(|(name, cell)| (name.to_owned(), json!(cell))).collect::<Map<_, _>>()
                });
                rows.collect()
            }
        }
    }

    fn text(self, value: &Value) -> Vec<u8> {
        let rows = || value.as_array().expect("rows");
        match self {
            Self::Json => value.to_string().into_bytes(),
            Self::JsonLines => {
                rows().iter().map(|line| format!("{line}\n")).collect::<String>().into_bytes()
            }
            Self::Toml => toml::to_string(value).expect("TOML").into_bytes(),
            Self::Csv => {
                let mut writer = csv::Writer::from_writer(Vec::new());
                let header = rows()[0].as_object().expect("a row").keys();
                writer.write_record(header).expect("a header");
                for row in rows() {
                    let cells = row.as_object().expect("a row").values();
                    writer
                        .write_record(cells.map(|cell| cell.as_str().expect("a text")))
                        .expect("a row");
                }
                writer.into_inner().expect("memory takes all")
            }
        }
    }
}

/// Gives every text below a value: its kind, its pointer, and itself. The kind holds the type of
/// the resource around it.
fn walk(value: &Value, kind: &str, pointer: &str, each: &mut impl FnMut(String, &str, &str)) {
    match value {
        Value::String(text) => each(kind.to_owned(), pointer, text),
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                walk(item, kind, &format!("{pointer}/{index}"), each);
            }
        }
        Value::Object(members) => {
            let kind = members.get("type").and_then(Value::as_str).unwrap_or(kind);
            for (key, item) in members {
                let escaped = key.replace('~', "~0").replace('/', "~1");
                walk(item, &format!("{kind}/{key}"), &format!("{pointer}/{escaped}"), each);
            }
        }
        _ => {}
    }
}

fn set(value: &mut Value, field: &Field, new: String) {
    let place = value.pointer_mut(&field.pointer).expect("the field is there");
    let old = place.as_str().expect("a text");
    let new = match field.part {
        None => new,
        Some((separator, part)) => {
            let mut parts: Vec<&str> = old.split(separator).collect();
            // A payload may have separators, and then what is behind it has moved.
            if let Some(part) = parts.get_mut(part) {
                *part = &new;
            }
            parts.join(&separator.to_string())
        }
    };
    *place = Value::String(new);
}

/// Returns the names within the identifier of a resource, or within a selector of a pool.
fn names_within(text: &str) -> Vec<&str> {
    if let Some(pool) = text.strip_prefix("pool:") {
        return pool.split('/').collect();
    }
    let Some(rest) = text
        .strip_prefix('/')
        .filter(|rest| rest[..rest.len().min(14)].eq_ignore_ascii_case("subscriptions/"))
    else {
        return Vec::new();
    };
    let parts: Vec<&str> = rest.split('/').collect();
    parts
        .chunks_exact(2)
        .filter(|pair| !pair[0].eq_ignore_ascii_case("providers"))
        .map(|pair| pair[1])
        .collect()
}

/// What a firewall would have logged of the first flows: a line of each category in turn.
fn firewall_lines(flow_log: &Value) -> Vec<Value> {
    let firewall = azure::id("azureFirewalls", "azfw").to_uppercase();
    let mut tuples = Vec::new();
    walk(flow_log, "", "", &mut |kind, _, text| {
        if kind.ends_with("/flowTuples") {
            tuples.push(text.to_owned());
        }
    });
    let mut lines = Vec::new();
    for (index, tuple) in tuples.iter().cycle().take(10).enumerate() {
        let cells: Vec<&str> = tuple.split(',').collect();
        let [time, source, destination, source_port, destination_port] = cells[..5] else {
            panic!("{tuple}");
        };
        let time = jiff::Timestamp::from_millisecond(time.parse().expect("a time"));
        let number = |port: &str| port.parse::<u16>().expect("a port");
        let mut properties = json!({
            "Protocol": "TCP", "Action": "Allow", "ActionReason": "reason", "Policy": "policy",
            "RuleCollectionGroup": "group", "RuleCollection": "collection", "Rule": "rule",
            "SourceIp": source, "SourcePort": number(source_port),
            "DestinationIp": destination, "DestinationPort": number(destination_port),
        });
        let (category, more) = match index {
            0 | 1 => ("AZFWNetworkRule", json!({})),
            2 => {
                let more = json!({
                    "Fqdn": "www.example.net", "TargetUrl": "www.example.net/x",
                    "WebCategory": "category",
                });
                ("AZFWApplicationRule", more)
            }
            3 => ("AZFWNatRule", json!({ "TranslatedIp": destination, "TranslatedPort": 443 })),
            4 => ("AZFWThreatIntel", json!({ "ThreatDescription": "a threat" })),
            5 => ("AZFWIdpsSignature", json!({ "SignatureId": "1", "Category": "a category" })),
            6 => ("AZFWFlowTrace", json!({ "Flag": "SYN-ACK" })),
            _ => {
                let request = format!(
                    "TCP request from {source}:{source_port} to {destination}:{destination_port}"
                );
                let rule = "Policy: policy. Rule Collection Group: group. \
                            Rule Collection: collection. Rule: rule";
                let (category, message) = match index {
                    7 => ("NetworkRule", format!("{request}. Action: Allow. {rule}")),
                    8 => ("NatRule", format!("{request} was DNAT'ed to {destination}:443. {rule}")),
                    _ => {
                        let request = request.replace("TCP", "HTTPS");
                        ("ApplicationRule", format!("{request}. Action: Allow. {rule}"))
                    }
                };
                properties = json!({ "msg": message });
                lines.push(json!({
                    "time": time.expect("a time").to_string(),
                    "category": format!("AzureFirewall{}", category.replace("Nat", "Network")),
                    "operationName": format!("AzureFirewall{category}Log"),
                    "resourceId": firewall, "properties": properties,
                }));
                continue;
            }
        };
        azure::merge(&mut properties, &more);
        lines.push(json!({
            "time": time.expect("a time").to_string(),
            "category": category, "resourceId": firewall, "properties": properties,
        }));
    }
    lines
}

/// The same line as a row of a table; none for the legacy ones.
fn row_of_line(line: &Value) -> Option<Value> {
    let properties = &line["properties"];
    let cell = |name: &str| match &properties[name] {
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        number => number.to_string(),
    };
    properties["SourceIp"].as_str()?;
    let mut row = json!({
        "TimeGenerated": line["time"], "Category": line["category"],
        "_ResourceId": line["resourceId"],
    });
    for name in [
        "Protocol",
        "SourceIp",
        "SourcePort",
        "DestinationIp",
        "DestinationPort",
        "Fqdn",
        "Action",
        "Rule",
    ] {
        row[name] = json!(cell(name));
    }
    Some(row)
}
