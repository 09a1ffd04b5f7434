//! Where traffic went: who sent it, by which next hop, to where, with ribbons as wide as the bytes.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use ahash::AHashMap;
use maud::{Markup, html};

use super::and_more;
use super::outside::{Outside, shortened};
use crate::coverage::{CoverageReport, CoverageTotals, Way};
use crate::report::coverage_summary::flows;
use crate::report::display::{bytes, grouped};

/// How many places each column shows; the smallest beyond are one.
const NODES_MAX: usize = 12;

/// How many ways the table shows.
const WAYS_MAX: usize = 50;

const WIDTH: f64 = 960.0;

/// The height of all traffic together, without the gaps.
const TRAFFIC_HEIGHT: f64 = 300.0;

/// Where the three columns begin.
const COLUMN_X: [f64; 3] = [220.0, 480.0, 728.0];

const NODE_WIDTH: f64 = 12.0;

/// Room for two lines of text.
const SLOT_HEIGHT_MIN: f64 = 36.0;

const GAP: f64 = 8.0;

/// As many characters as fit beside each column: two addresses of a gateway in the middle.
const LABEL_CHARACTERS: [usize; 3] = [24, 29, 24];

pub(super) fn section(report: &CoverageReport) -> Markup {
    let ways = &report.by_way;
    if ways.is_empty() {
        return Markup::default();
    }
    let diagram = Diagram::of(ways);
    let mut heaviest: Vec<&(Way, CoverageTotals)> = ways.iter().collect();
    heaviest.sort_by_key(|(way, totals)| (Reverse((totals.bytes, totals.flows)), way));
    html! {
        section aria-labelledby="ways" {
            h2 id="ways" { "Where traffic went" }
            p.note {
                "From the sender's route table, by the first next hop, to the destination; each "
                "is as wide as " (diagram.weight.noun()) "."
            }
            ul.legend {
                li {
                    svg width="16" height="12" aria-hidden="true" focusable="false" {
                        rect.ribbon width="16" height="12" {}
                    }
                    span { "takes the required path, or none is required" }
                }
                li {
                    svg width="16" height="12" aria-hidden="true" focusable="false" {
                        rect.ribbon.failing width="16" height="12" {}
                        rect width="16" height="12" fill="url(#hatch)" {}
                    }
                    span { "fails" }
                }
            }
            (diagram.drawing(ways))
            div.bars { (bars(&heaviest, diagram.weight)) }
            details {
                summary { "The diagram as a table" }
                (table(&heaviest))
                (and_more(ways.len(), WAYS_MAX, "way", "ways"))
            }
        }
    }
}

/// What the widths of ribbons show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Weight {
    Bytes,
    /// Where no record has counters.
    Flows,
}

struct Diagram {
    weight: Weight,
    columns: [Vec<Node>; 3],
    /// From the first column to the second, and from there to the third.
    ribbons: [Vec<Ribbon>; 2],
    height: f64,
}

struct Node {
    name: String,
    totals: CoverageTotals,
    y: f64,
    height: f64,
}

struct Ribbon {
    from: usize,
    to: usize,
    is_finding: bool,
    totals: CoverageTotals,
    from_y: f64,
    to_y: f64,
    height: f64,
}

impl Diagram {
    fn of(ways: &[(Way, CoverageTotals)]) -> Self {
        let has_bytes = ways.iter().any(|(_, totals)| totals.bytes > 0);
        let weight = if has_bytes { Weight::Bytes } else { Weight::Flows };
        let names = ways.iter().map(|(way, _)| {
            [way.source_group.clone(), hop_name(way), way.destination_group.clone()]
        });
        let names: Vec<[String; 3]> = names.collect();
        let mut columns: [Vec<Node>; 3] = Default::default();
        let mut places: [Vec<usize>; 3] = Default::default();
        for column in 0..3 {
            let of_ways = names.iter().zip(ways);
            let named: Vec<(&str, CoverageTotals)> =
                of_ways.map(|(names, (_, totals))| (names[column].as_str(), *totals)).collect();
            (columns[column], places[column]) = nodes(&named, weight);
        }
        let all = ways.iter().map(|(_, totals)| weight.of(*totals) as f64).sum::<f64>();
        let ribbons = [0, 1].map(|left| {
            let mut sums: BTreeMap<(usize, usize, bool), CoverageTotals> = BTreeMap::new();
            for (index, (way, totals)) in ways.iter().enumerate() {
                let ends = (places[left][index], places[left + 1][index], way.is_finding);
                sums.entry(ends).or_default().add(*totals);
            }
            let ribbon = |((from, to, is_finding), totals): (_, CoverageTotals)| {
                // What is there at all is seen.
                let part = weight.of(totals) as f64 / all.max(1.0);
                let height = (part * TRAFFIC_HEIGHT).max(1.5);
                Ribbon { from, to, is_finding, totals, from_y: 0.0, to_y: 0.0, height }
            };
            sums.into_iter().map(ribbon).collect::<Vec<_>>()
        });
        let mut diagram = Self { weight, columns, ribbons, height: 0.0 };
        diagram.stack_nodes();
        diagram.fasten_ribbons();
        diagram
    }

    /// Stacks the nodes of each column, each column in the middle of the height of the highest.
    fn stack_nodes(&mut self) {
        let [left, right] = &self.ribbons;
        let height = |ribbons: &[Ribbon], is_at: &dyn Fn(&Ribbon) -> bool| {
            ribbons.iter().filter(|ribbon| is_at(ribbon)).map(|ribbon| ribbon.height).sum::<f64>()
        };
        let mut column_heights = [0.0; 3];
        for (column, nodes) in self.columns.iter_mut().enumerate() {
            let mut y = 0.0;
            for (index, node) in nodes.iter_mut().enumerate() {
                let ends = |ribbon: &Ribbon| ribbon.to == index;
                let starts = |ribbon: &Ribbon| ribbon.from == index;
                node.height = match column {
                    0 => height(left, &starts),
                    1 => height(left, &ends).max(height(right, &starts)),
                    _ => height(right, &ends),
                };
                let slot = node.height.max(SLOT_HEIGHT_MIN);
                node.y = y + (slot - node.height) / 2.0;
                y += slot + GAP;
            }
            column_heights[column] = y - GAP;
        }
        self.height = column_heights.into_iter().fold(0.0, f64::max);
        for (nodes, column_height) in self.columns.iter_mut().zip(column_heights) {
            let shift = (self.height - column_height) / 2.0;
            nodes.iter_mut().for_each(|node| node.y += shift);
        }
    }

    /// Gives each ribbon its place at both of its nodes: in the order of the nodes at its other
    /// end, so that ribbons of one node do not cross.
    fn fasten_ribbons(&mut self) {
        for (column, ribbons) in self.ribbons.iter_mut().enumerate() {
            let tops = |nodes: &[Node]| nodes.iter().map(|node| node.y).collect::<Vec<f64>>();
            let mut from_y = tops(&self.columns[column]);
            let mut to_y = tops(&self.columns[column + 1]);
            // Sorted by (from, to): at each sender by receiver, and at each receiver by sender.
            for ribbon in ribbons.iter_mut() {
                ribbon.from_y = from_y[ribbon.from];
                ribbon.to_y = to_y[ribbon.to];
                from_y[ribbon.from] += ribbon.height;
                to_y[ribbon.to] += ribbon.height;
            }
        }
    }

    fn drawing(&self, ways: &[(Way, CoverageTotals)]) -> Markup {
        let mut all = CoverageTotals::default();
        let mut failing = CoverageTotals::default();
        for (way, totals) in ways {
            all.add(*totals);
            if way.is_finding {
                failing.add(*totals);
            }
        }
        let label = format!(
            "Flow diagram of {}, {}, of which {}, {}, fail; the table below says the same",
            flows(all.flows),
            bytes(all.bytes),
            grouped(failing.flows),
            bytes(failing.bytes)
        );
        let view_box = format!("0 0 {WIDTH} {:.1}", self.height + 4.0);
        html! {
            svg.flow viewBox=(view_box) role="img" aria-label=(label) {
                // What fails lies on top.
                @for is_finding in [false, true] {
                    @for (column, ribbons) in self.ribbons.iter().enumerate() {
                        @for ribbon in ribbons.iter().filter(|one| one.is_finding == is_finding) {
                            (self.ribbon(column, ribbon))
                        }
                    }
                }
                @for (column, nodes) in self.columns.iter().enumerate() {
                    @for node in nodes { (self.node(column, node)) }
                }
            }
        }
    }

    fn ribbon(&self, column: usize, ribbon: &Ribbon) -> Markup {
        let path = ribbon.path(COLUMN_X[column] + NODE_WIDTH, COLUMN_X[column + 1]);
        let from = &self.columns[column][ribbon.from].name;
        let to = &self.columns[column + 1][ribbon.to].name;
        html! {
            g {
                title {
                    (Outside(from)) " → " (Outside(to)) ": " (flows(ribbon.totals.flows)) ", "
                    (bytes(ribbon.totals.bytes))
                    @if ribbon.is_finding { "; fails" }
                }
                path.ribbon.failing[ribbon.is_finding] d=(path) {}
                @if ribbon.is_finding { path d=(path) fill="url(#hatch)" {} }
            }
        }
    }

    fn node(&self, column: usize, node: &Node) -> Markup {
        let x = COLUMN_X[column];
        let (label_x, anchor) =
            if column == 0 { (x - 8.0, "end") } else { (x + NODE_WIDTH + 8.0, "start") };
        let middle = node.y + node.height / 2.0;
        html! {
            g {
                title {
                    (Outside(&node.name)) ": " (flows(node.totals.flows)) ", "
                    (bytes(node.totals.bytes))
                }
                rect.node x=(x) y=(length(node.y)) width=(NODE_WIDTH)
                    height=(length(node.height)) {}
                text.name x=(label_x) y=(length(middle - 3.0)) text-anchor=(anchor) {
                    (shortened(&node.name, LABEL_CHARACTERS[column]))
                }
                text.amount x=(label_x) y=(length(middle + 12.0)) text-anchor=(anchor) {
                    (self.weight.shown(node.totals))
                }
            }
        }
    }
}

impl Ribbon {
    fn path(&self, from_x: f64, to_x: f64) -> String {
        let middle_x = f64::midpoint(from_x, to_x);
        let (from_top, to_top) = (self.from_y, self.to_y);
        let (from_end, to_end) = (from_top + self.height, to_top + self.height);
        format!(
            "M{from_x:.1} {from_top:.1}C{middle_x:.1} {from_top:.1} {middle_x:.1} {to_top:.1} \
             {to_x:.1} {to_top:.1}V{to_end:.1}C{middle_x:.1} {to_end:.1} {middle_x:.1} \
             {from_end:.1} {from_x:.1} {from_end:.1}Z"
        )
    }
}

impl Weight {
    fn of(self, totals: CoverageTotals) -> u64 {
        match self {
            Self::Bytes => totals.bytes,
            Self::Flows => totals.flows,
        }
    }

    fn noun(self) -> &'static str {
        match self {
            Self::Bytes => "its bytes",
            Self::Flows => "its number of flows, because no record has counters",
        }
    }

    fn shown(self, totals: CoverageTotals) -> String {
        match self {
            Self::Bytes => bytes(totals.bytes),
            Self::Flows => flows(totals.flows),
        }
    }
}

/// Gathers named sums into nodes, the heaviest first, and says for each sum which node it is in.
fn nodes(named: &[(&str, CoverageTotals)], weight: Weight) -> (Vec<Node>, Vec<usize>) {
    let mut sums: AHashMap<&str, CoverageTotals> = AHashMap::new();
    for (name, totals) in named {
        sums.entry(name).or_default().add(*totals);
    }
    let mut sorted: Vec<(&str, CoverageTotals)> = sums.into_iter().collect();
    sorted.sort_by_key(|(name, totals)| (Reverse(weight.of(*totals)), *name));
    let kept = if sorted.len() > NODES_MAX { NODES_MAX - 1 } else { sorted.len() };
    let places: AHashMap<&str, usize> =
        sorted.iter().enumerate().map(|(index, (name, _))| (*name, index.min(kept))).collect();
    let node = |name: String, totals| Node { name, totals, y: 0.0, height: 0.0 };
    let mut nodes: Vec<Node> =
        sorted[..kept].iter().map(|(name, totals)| node((*name).to_owned(), *totals)).collect();
    if let rest @ [_, ..] = &sorted[kept..] {
        let mut totals = CoverageTotals::default();
        rest.iter().for_each(|(_, other)| totals.add(*other));
        nodes.push(node(format!("{} others", grouped(rest.len() as u64)), totals));
    }
    (nodes, named.iter().map(|(name, _)| places[name]).collect())
}

fn hop_name(way: &Way) -> String {
    match &way.next_hop_name {
        Some(name) => format!("{} {name}", way.next_hop_class),
        None => way.next_hop_class.to_string(),
    }
}

fn length(value: f64) -> String {
    format!("{value:.1}")
}

/// The heaviest ways one below the other, for screens that are too narrow for the diagram.
fn bars(ways: &[&(Way, CoverageTotals)], weight: Weight) -> Markup {
    let heaviest = ways.iter().map(|(_, totals)| weight.of(*totals)).max().unwrap_or(0).max(1);
    html! {
        ul.ways {
            @for (way, totals) in ways.iter().take(NODES_MAX) {
                @let part = weight.of(*totals) as f64 * 100.0 / heaviest as f64;
                // What is there at all is seen.
                @let width = format!("{:.1}%", part.max(1.0));
                li {
                    (Outside(&way.source_group)) " → " (Outside(&hop_name(way))) " → "
                    (Outside(&way.destination_group))
                    svg width="100%" height="12" aria-hidden="true" focusable="false" {
                        rect.ribbon.failing[way.is_finding] width=(width) height="12" {}
                        @if way.is_finding {
                            rect width=(width) height="12" fill="url(#hatch)" {}
                        }
                    }
                    span.note { (flows(totals.flows)) ", " (bytes(totals.bytes)) }
                    @if way.is_finding { " " b.failing { "fails" } }
                }
            }
        }
        (and_more(ways.len(), NODES_MAX, "way", "ways"))
    }
}

fn table(ways: &[&(Way, CoverageTotals)]) -> Markup {
    html! {
        table.cards {
            thead { tr {
                th scope="col" { "From" }
                th scope="col" { "Next hop" }
                th scope="col" { "To" }
                th scope="col" { "Fails" }
                th.number scope="col" { "Flows" }
                th.number scope="col" { "Packets" }
                th.number scope="col" { "Bytes" }
            } }
            tbody {
                @for (way, totals) in ways.iter().take(WAYS_MAX) {
                    tr {
                        td data-label="From" { (Outside(&way.source_group)) }
                        td data-label="Next hop" { (Outside(&hop_name(way))) }
                        td data-label="To" { (Outside(&way.destination_group)) }
                        td data-label="Fails" { @if way.is_finding { b.failing { "fails" } } @else { "–" } }
                        td.number data-label="Flows" { (grouped(totals.flows)) }
                        td.number data-label="Packets" { (grouped(totals.packets)) }
                        td.number data-label="Bytes" { (bytes(totals.bytes)) }
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::coverage_sample::totals;
    use crate::routing::NextHopClass;

    fn way(source: &str, destination: &str, is_finding: bool) -> Way {
        Way {
            source_group: source.to_owned(),
            next_hop_class: NextHopClass::Vnet,
            next_hop_name: None,
            destination_group: destination.to_owned(),
            is_finding,
        }
    }

    #[test]
    fn the_smallest_places_are_one() {
        let ways: Vec<_> = (1..=20)
            .map(|size| (way(&format!("s{size:02}"), "d", false), totals(1, 1, size)))
            .collect();
        let diagram = Diagram::of(&ways);
        let [sources, hops, destinations] = &diagram.columns;
        assert_eq!((sources.len(), hops.len(), destinations.len()), (12, 1, 1));
        assert_eq!(sources[0].name, "s20");
        // 20 to 10 are eleven; 9 + 8 + … + 1 = 45 are left.
        let rest = sources.last().unwrap();
        assert_eq!((rest.name.as_str(), rest.totals.bytes), ("9 others", 45));
        assert_eq!(diagram.ribbons[0].len(), 12);
    }

    #[test]
    fn ribbons_stay_inside_their_nodes_and_nodes_do_not_touch() {
        let mut ways = Vec::new();
        for source in 0..7u64 {
            for destination in 0..5u64 {
                let bytes = source * 1000 * destination;
                let way = way(&format!("s{source}"), &format!("d{destination}"), source == 3);
                ways.push((way, totals(1, 1, bytes)));
            }
        }
        let diagram = Diagram::of(&ways);
        for nodes in &diagram.columns {
            for pair in nodes.windows(2) {
                assert!(pair[0].y + pair[0].height < pair[1].y);
            }
            let last = nodes.last().unwrap();
            assert!(nodes[0].y >= 0.0 && last.y + last.height <= diagram.height + 1e-6);
        }
        for (column, ribbons) in diagram.ribbons.iter().enumerate() {
            for ribbon in ribbons {
                let from = &diagram.columns[column][ribbon.from];
                let to = &diagram.columns[column + 1][ribbon.to];
                for (y, node) in [(ribbon.from_y, from), (ribbon.to_y, to)] {
                    assert!(y >= node.y - 1e-6);
                    assert!(y + ribbon.height <= node.y + node.height + 1e-6);
                }
            }
        }
    }

    #[test]
    fn without_counters_flows_are_drawn() {
        let diagram = Diagram::of(&[(way("s", "d", true), totals(3, 0, 0))]);
        assert_eq!(diagram.weight, Weight::Flows);
        let heights = diagram.ribbons.map(|ribbons| ribbons[0].height);
        assert_eq!(heights, [TRAFFIC_HEIGHT; 2]);
    }
}
