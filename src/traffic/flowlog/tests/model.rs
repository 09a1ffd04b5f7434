//! Random logs as values, how they may be written, and the rows that they stand for.
//!
//! Everything is drawn from one seed, so that a failing log can be drawn again.

use std::fmt::Write;

/// A source of choices: splitmix64.
pub(super) struct Choices(u64);

impl Choices {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    pub(super) fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    pub(super) fn one_in(&mut self, bound: u64) -> bool {
        self.below(bound) == 0
    }

    fn of<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.below(choices.len() as u64) as usize]
    }

    fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            items.swap(last, self.below(last as u64 + 1) as usize);
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Version {
    Vnet4,
    Nsg1,
    Nsg2,
}

/// One record: its texts, and its flows of groups of tuples.
#[derive(Clone, Debug)]
pub(super) struct Record {
    version: Version,
    mac: String,
    target: String,
    flow_log: String,
    flows: Vec<Named<Named<TupleModel>>>,
}

/// A tuple as it is written, and the row that it stands for.
#[derive(Clone, Debug)]
struct TupleModel {
    text: String,
    row: String,
}

/// A flow or a group: its name, and what is in it.
type Named<T> = (String, Vec<T>);

/// A row of the model: the row, MAC address, group, rule, target, flow log.
pub(super) type RowModel = (String, [Option<String>; 5]);

impl Record {
    pub(super) fn draw(choices: &mut Choices) -> Self {
        let version = choices.of(&[Version::Vnet4, Version::Vnet4, Version::Nsg1, Version::Nsg2]);
        let flows = (0..choices.below(3))
            .map(|_| {
                let groups = (0..choices.below(3))
                    .map(|_| {
                        let tuples = (0..choices.below(4))
                            .map(|_| TupleModel::draw(version, choices))
                            .collect();
                        (name(choices), tuples)
                    })
                    .collect();
                (name(choices), groups)
            })
            .collect();
        Self {
            version,
            mac: format!("000D3A{:06X}", choices.below(1 << 24)),
            target: name(choices),
            flow_log: name(choices),
            flows,
        }
    }

    pub(super) fn rows(&self) -> Vec<RowModel> {
        let mut rows = Vec::new();
        for (flow, groups) in &self.flows {
            for (group, tuples) in groups {
                let known = |text: &String| Some(text.clone());
                let shared = match self.version {
                    Version::Vnet4 => [
                        known(&self.mac),
                        known(flow),
                        known(group),
                        known(&self.target),
                        known(&self.flow_log),
                    ],
                    _ => [known(&self.mac), None, known(flow), known(&self.target), None],
                };
                rows.extend(tuples.iter().map(|tuple| (tuple.row.clone(), shared.clone())));
            }
        }
        rows
    }

    /// Writes the record with its keys in any order and letter case, and blanks anywhere.
    pub(super) fn write(&self, style: &mut Style<'_>) -> String {
        let payload = self.payload(style);
        let text = |text: &str| format!("{:?}", text);
        let mut members = match self.version {
            Version::Vnet4 => vec![
                ("category", text("FlowLogFlowEvent")),
                ("flowLogVersion", "4".into()),
                ("macAddress", text(&self.mac)),
                ("targetResourceID", text(&self.target)),
                ("flowLogResourceID", text(&self.flow_log)),
                ("flowRecords", payload),
            ],
            _ => vec![
                ("category", text("NetworkSecurityGroupFlowEvent")),
                ("resourceId", text(&self.target)),
                ("properties", payload),
            ],
        };
        members.push(("time", text("2024-12-12T04:03:24.7776580Z")));
        members.push(("unknown", r#"[{"rule":null,"x":["]}\\\""]},-1.5e-3,true]"#.into()));
        style.object(members)
    }

    fn payload(&self, style: &mut Style<'_>) -> String {
        let keys = match self.version {
            Version::Vnet4 => ["aclID", "flowGroups", "rule"],
            _ => ["rule", "flows", "mac"],
        };
        let mut flows = Vec::new();
        for (flow, groups) in &self.flows {
            let mut written = Vec::new();
            for (group, tuples) in groups {
                let tuples = tuples.iter().map(|tuple| format!("{:?}", tuple.text)).collect();
                let tuples = style.array(tuples);
                let name = if self.version == Version::Vnet4 { group } else { &self.mac };
                written.push(
                    style.object(vec![(keys[2], format!("{name:?}")), ("flowTuples", tuples)]),
                );
            }
            let groups = style.array(written);
            flows.push(style.object(vec![(keys[0], format!("{flow:?}")), (keys[1], groups)]));
        }
        let mut members = vec![("flows", style.array(flows))];
        match self.version {
            Version::Vnet4 => {}
            Version::Nsg1 => members.push(("Version", "1".into())),
            Version::Nsg2 => members.push(("Version", "2".into())),
        }
        style.object(members)
    }
}

impl TupleModel {
    /// Draws the fields one by one and writes them down twice: as Azure does, and as a row.
    fn draw(version: Version, choices: &mut Choices) -> Self {
        let is_vnet = version == Version::Vnet4;
        let time = 1_500_000_000_000 + choices.below(400_000_000_000);
        let time = if is_vnet { time } else { time / 1000 };
        let nanoseconds = if is_vnet { time * 1_000_000 } else { time * 1_000_000_000 };
        let address = |choices: &mut Choices| match choices.below(5) {
            0 => format!("2001:db8::{:x}", 1 + choices.below(0xFFFE)),
            _ => format!("10.{}.{}.{}", choices.below(256), choices.below(256), choices.below(256)),
        };
        let (source, destination) = (address(choices), address(choices));
        let ports = format!("{},{}", choices.below(65_536), choices.below(65_536));
        let (protocol_text, protocol) = if is_vnet {
            choices.of(&[("6", 6), ("17", 17)])
        } else {
            choices.of(&[("T", 6), ("U", 17)])
        };
        let (direction_text, direction) = choices.of(&[("I", "Inbound"), ("O", "Outbound")]);
        let counters: [String; 4] = std::array::from_fn(|_| match choices.below(4) {
            0 => String::new(),
            1 => choices.next().to_string(),
            _ => choices.below(2000).to_string(),
        });
        let counted = |counts: bool| {
            let shown = counters.each_ref().map(|counter| match counter.as_str() {
                counter if counts && !counter.is_empty() => counter,
                _ => "-",
            });
            shown.join(",")
        };
        let head =
            format!("{time},{source},{destination},{ports},{protocol_text},{direction_text}");
        let written = counters.join(",");
        let (format, tail, state, status, encryption, counters) = match version {
            Version::Vnet4 => {
                let (letter, state) =
                    choices.of(&[("B", "Begin"), ("C", "Continue"), ("E", "End"), ("D", "Deny")]);
                let status = if letter == "D" { "Denied" } else { "Allowed" };
                let word = choices.of(&["X", "NX", "NX", "NX_FALLBACK", "NX_NEW_WORD"]);
                let counts = letter == "C" || letter == "E";
                let tail = format!("{letter},{word},{written}");
                ("vnet_v4", tail, state, status, word, counted(counts))
            }
            Version::Nsg1 => {
                let (letter, status) = choices.of(&[("A", "Allowed"), ("D", "Denied")]);
                ("nsg_v1", letter.to_owned(), "-", status, "-", counted(false))
            }
            Version::Nsg2 => {
                let (letter, status) = choices.of(&[("A", "Allowed"), ("D", "Denied")]);
                let (state_letter, state) =
                    choices.of(&[("B", "Begin"), ("C", "Continue"), ("E", "End")]);
                let counts = letter == "A" && state_letter != "B";
                let tail = format!("{letter},{state_letter},{written}");
                ("nsg_v2", tail, state, status, "-", counted(counts))
            }
        };
        let shown_ports = ports.replace(',', ">");
        Self {
            text: format!("{head},{tail}"),
            row: format!(
                "{format} {nanoseconds} {source} {destination} {shown_ports} {protocol} \
                 {direction} {state} {status} {encryption} {counters}"
            ),
        }
    }
}

/// How JSON is written: as Azure does, or with any order, letter case and blanks.
pub(super) struct Style<'c> {
    pub(super) choices: &'c mut Choices,
    pub(super) is_plain: bool,
}

impl Style<'_> {
    /// Writes a whole log in one of its framings.
    pub(super) fn log(&mut self, records: &[Record]) -> String {
        let written: Vec<String> = records.iter().map(|record| record.write(self)).collect();
        let framing = if self.is_plain { 0 } else { self.choices.below(8) };
        let joined = written.join(&format!("{},{}", self.blank(), self.blank()));
        match framing {
            1 => format!("[{joined}]"),
            2 => written.iter().fold(String::new(), |all, record| all + record + "\r\n"),
            3 => format!(",{joined}]}}"),
            4 => format!("\u{feff}{{\"Records\" :\n[,{joined}"),
            5 => written.iter().fold(String::new(), |mut all, record| {
                write!(all, "{{\"a\":[{{}}],\"records\":[{record}],\"b\":\"]}}\"}}").unwrap();
                all
            }),
            6 => written
                .iter()
                .rev()
                .fold(String::new(), |inner, record| format!("{{\"records\":[{record},{inner}]}}")),
            _ => format!(r#"{{"records":[{joined}]}}"#),
        }
    }

    fn object(&mut self, mut members: Vec<(&str, String)>) -> String {
        if !self.is_plain {
            self.choices.shuffle(&mut members);
        }
        let members = members
            .into_iter()
            .map(|(key, value)| {
                let (before, after) = (self.blank(), self.blank());
                format!("\"{}\"{before}:{after}{value}", self.key(key))
            })
            .collect::<Vec<_>>();
        format!("{{{}}}", self.list(members))
    }

    fn array(&mut self, elements: Vec<String>) -> String {
        format!("[{}]", self.list(elements))
    }

    fn list(&mut self, items: Vec<String>) -> String {
        let spaced: Vec<String> = items
            .into_iter()
            .map(|item| format!("{}{item}{}", self.blank(), self.blank()))
            .collect();
        if spaced.is_empty() { self.blank().to_owned() } else { spaced.join(",") }
    }

    fn key(&mut self, key: &str) -> String {
        match self.is_plain {
            false if self.choices.one_in(8) => key.to_uppercase(),
            false if self.choices.one_in(8) => format!("\\u{:04x}{}", key.as_bytes()[0], &key[1..]),
            _ => key.to_owned(),
        }
    }

    fn blank(&mut self) -> &'static str {
        if self.is_plain { "" } else { self.choices.of(&["", "", "", " ", "\n", "\r\n\t"]) }
    }
}

fn name(choices: &mut Choices) -> String {
    let names = ["DefaultRule_AllowVnetOutBound", "UserRule_a b", "/subscriptions/x", "ü", ""];
    format!("{}{}", choices.of(&names), choices.below(100))
}
