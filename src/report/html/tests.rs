//! The page as a browser parses it.

use html5ever::tendril::TendrilSink;
use markup5ever_rcdom::{Handle, NodeData, RcDom};

use super::*;
use crate::coverage::{FindingCode, Way};
use crate::report::coverage_sample::{finding, hostile_texts, sample, totals};

/// An element of a page.
struct Element {
    name: String,
    attributes: Vec<(String, String)>,
    /// All text below it.
    text: String,
}

impl Element {
    fn attribute(&self, name: &str) -> Option<&str> {
        let found = self.attributes.iter().find(|(other, _)| other == name);
        found.map(|(_, value)| value.as_str())
    }
}

fn written(report: &CoverageReport) -> String {
    let mut out = Vec::new();
    write_coverage_html(report, &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

/// Parses a page as a browser does, and returns its elements in their order.
fn elements(page: &str) -> Vec<Element> {
    let document = html5ever::parse_document(RcDom::default(), Default::default()).one(page);
    let errors = document.errors.borrow();
    assert!(errors.is_empty(), "{errors:?}");
    let mut elements = Vec::new();
    collect(&document.document, &mut elements);
    elements
}

/// Collects the elements at and below a node, and returns its text.
fn collect(node: &Handle, elements: &mut Vec<Element>) -> String {
    let mut place = None;
    if let NodeData::Element { name, attrs, .. } = &node.data {
        let attributes = attrs.borrow();
        let attributes = attributes
            .iter()
            .map(|attribute| (attribute.name.local.to_string(), attribute.value.to_string()));
        place = Some(elements.len());
        elements.push(Element {
            name: name.local.to_string(),
            attributes: attributes.collect(),
            text: String::new(),
        });
    }
    let mut text = match &node.data {
        NodeData::Text { contents } => contents.borrow().to_string(),
        NodeData::Comment { contents } => panic!("the page has no comments: {contents}"),
        _ => String::new(),
    };
    for child in node.children.borrow().iter() {
        text.push_str(&collect(child, elements));
    }
    if let Some(place) = place {
        elements[place].text.clone_from(&text);
    }
    text
}

/// Returns the text of the page as it is read, without the style sheet.
fn body_text(page: &str) -> String {
    let body = elements(page).into_iter().find(|element| element.name == "body");
    body.expect("every page has a body").text
}

/// Checks that nothing on the page runs, loads or leads away.
fn assert_inert(page: &str, about: &str) {
    for element in elements(page) {
        let known = [
            "html", "head", "meta", "title", "style", "body", "header", "main", "footer",
            "section", "article", "h1", "h2", "h3", "p", "a", "b", "span", "code", "ul", "li",
            "dl", "div", "dt", "dd", "details", "summary", "table", "thead", "tbody", "tr", "th",
            "td", "svg", "defs", "pattern", "g", "rect", "path", "text",
        ];
        assert!(known.contains(&element.name.as_str()), "{about}: <{}>", element.name);
        for (attribute, value) in &element.attributes {
            assert!(!attribute.starts_with("on"), "{about}: {attribute}");
            assert_ne!(attribute, "style", "{about}");
            // An attribute with a prefix, such as `xlink:href`, has its local name here.
            let leads = ["href", "src", "srcset", "srcdoc", "action", "data", "formaction"];
            if leads.contains(&attribute.as_str()) {
                assert!(value.starts_with('#'), "{about}: {attribute}={value}");
            }
            if value.contains("url(") {
                assert_eq!((attribute.as_str(), value.as_str()), ("fill", "url(#hatch)"));
            }
            if attribute == "http-equiv" {
                assert_eq!(value, "Content-Security-Policy", "{about}");
            }
        }
    }
}

#[test]
fn nothing_from_outside_becomes_markup() {
    let shape = |page: &str| {
        let names = elements(page).into_iter().map(|element| element.name);
        names.collect::<Vec<_>>()
    };
    let texts = hostile_texts();
    assert!(texts.len() >= 60);
    // Names decide which ways are one place of the diagram, so that the shape is that of any text
    // that is the same everywhere.
    let want = shape(&written(&sample(|_| "a".to_owned())));
    for hostile in texts {
        let page = written(&sample(|_| hostile.clone()));
        assert_inert(&page, &hostile);
        assert_eq!(shape(&page), want, "{hostile:?}");
        let steering = |c: char| c.is_control() && c != '\n';
        assert!(!page.contains(steering), "{hostile:?}");
    }
}

#[test]
fn every_text_from_outside_is_shown() {
    let mut given = Vec::new();
    let page = written(&sample(|text| {
        given.push(format!("«{text}»"));
        format!("«{text}»")
    }));
    let shown = body_text(&page);
    for text in given {
        // The second place of evidence stands in the JSON alone.
        if text != "«logs/firewall.json»" {
            assert!(shown.contains(&text), "{text}");
        }
    }
}

#[test]
fn the_page_forbids_what_it_does_not_have() {
    let page = written(&sample(str::to_owned));
    assert_inert(&page, "sample");
    let policies: Vec<String> = elements(&page)
        .iter()
        .filter(|element| element.attribute("http-equiv").is_some())
        .map(|element| element.attribute("content").unwrap_or_default().to_owned())
        .collect();
    assert_eq!(policies, ["default-src 'none'; style-src 'unsafe-inline'"]);
    assert!(!STYLE.contains("url(") && !STYLE.contains("@import") && !STYLE.contains('<'));
}

#[test]
fn identifiers_are_unique_and_references_point_at_them() {
    let page = written(&sample(str::to_owned));
    let elements = elements(&page);
    let mut ids: Vec<&str> =
        elements.iter().filter_map(|element| element.attribute("id")).collect();
    let count = ids.len();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), count);
    for element in &elements {
        let label = element.attribute("aria-labelledby");
        let target = element.attribute("href").and_then(|href| href.strip_prefix('#'));
        for id in label.into_iter().chain(target) {
            assert!(ids.contains(&id), "{id}");
        }
        let is_drawing = element.name == "svg";
        let is_named = element.attribute("aria-label").is_some();
        assert!(!is_drawing || is_named || element.attribute("aria-hidden") == Some("true"));
    }
}

#[test]
fn a_withheld_percentage_stands_nowhere() {
    let texts = |report: &CoverageReport| {
        let page = written(report);
        let elements = elements(&page);
        let labels = elements.iter().filter_map(|element| element.attribute("aria-label"));
        body_text(&page) + &labels.collect::<String>()
    };
    let mut report = sample(str::to_owned);
    assert!(texts(&report).contains("63.6 %"));
    report.shows_percentages = false;
    let shown = texts(&report);
    assert!(!shown.contains('%'), "{shown}");
    assert!(shown.contains("Percentages are withheld: 2 of 2,010 records were damaged"));
    let page = written(&report);
    assert!(elements(&page).iter().all(|element| element.attribute("class") != Some("bar")));
}

#[test]
fn ten_thousand_findings_are_counted_and_not_listed() {
    let mut report = sample(str::to_owned);
    let one = finding(FindingCode::PeeringBypass, "a rule", "one", "10.0.0.0/8", 5);
    report.findings = vec![one; 6000];
    report.findings.extend((0..4000).map(|table| {
        finding(FindingCode::PeeringBypass, "a rule", &format!("t{table}"), "10.0.0.0/8", 5)
    }));
    let page = written(&report);
    assert!(page.len() < 300_000, "{}", page.len());
    for text in [
        "10,000 findings of 4,001 causes",
        "6,000 pairs, 6,000 flows, 29.3 KiB",
        "… and 5,990 more pairs; the full list is in the JSON.",
        "… and 3,986 more causes; the full list is in the JSON.",
    ] {
        assert!(page.contains(text), "{text}");
    }
}

/// Every code, with more causes than are shown, each with more pairs than are shown: 15 causes of
/// 10 pairs of each code.
#[test]
fn ten_thousand_findings_of_every_code_are_no_more_rows_than_are_shown_of_each() {
    let mut report = sample(str::to_owned);
    let codes = FindingCode::ALL;
    report.findings = (0..10_000)
        .map(|n| {
            let table = format!("t{}", n / codes.len() % 40);
            finding(codes[n % codes.len()], "a rule", &table, "10.0.0.0/8", 5)
        })
        .collect();
    let page = written(&report);
    let elements = elements(&page);
    let sources =
        elements.iter().filter(|element| element.attribute("data-label") == Some("Source"));
    // The table of evidence has one more.
    assert_eq!(sources.count(), codes.len() * 15 * 10 + 1);
    let is_open = |element: &&Element| element.attribute("open").is_some();
    assert_eq!(elements.iter().filter(is_open).count(), codes.len() * 3);
    assert!(page.len() < 1_000_000, "{}", page.len());
    assert!(page.contains("10,000 findings of 480 causes"));
    assert_eq!(page.matches("… and 25 more causes; the full list is in the JSON.").count(), 12);
}

#[test]
fn the_size_has_a_bound_in_every_list() {
    let mut report = sample(str::to_owned);
    report.by_rule = vec![report.by_rule[0].clone(); 3000];
    report.warnings = vec![report.warnings[0].clone(); 3000];
    report.unobservable = vec![report.unobservable[0].clone(); 3000];
    report.evidence_sources = vec![report.evidence_sources[0].clone(); 3000];
    report.inputs = vec![report.inputs[0].clone(); 3000];
    report.hashes = (0..3000).map(|n| (format!("file-{n}"), "ab".repeat(32))).collect();
    let way = report.by_way[0].0.clone();
    report.by_way = (0..3000)
        .map(|n| (Way { source_group: format!("group-{n}"), ..way.clone() }, totals(1, 1, 1)))
        .collect();
    report.timeline = (0..3000).map(|n| (n, Verdict::Covered, totals(1, 1, 1))).collect();
    report.timeline_step_ns = 1;
    let page = written(&report);
    assert!(page.len() < 1_000_000, "{}", page.len());
}

#[test]
fn the_same_report_gives_the_same_bytes() {
    assert_eq!(written(&sample(str::to_owned)), written(&sample(str::to_owned)));
}

#[test]
fn a_report_of_nothing_is_a_page() {
    let page = written(&CoverageReport::default());
    assert_inert(&page, "default");
    assert!(page.contains("Nothing was verified"));
}
