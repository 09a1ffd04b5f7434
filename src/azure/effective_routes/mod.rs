//! Exported effective routes: bytes of a file → typed rows, and rows → any of the formats.
//!
//! The format is recognised by content, never by name:
//!
//! | format | from |
//! |---|---|
//! | [`AzCliJson`](ExportFormat::AzCliJson) | `az network nic show-effective-route-table -o json` |
//! | [`RestJson`](ExportFormat::RestJson) | `POST …/effectiveRouteTable`, or fields under `properties` |
//! | [`PowerShellJson`](ExportFormat::PowerShellJson) | `Get-AzEffectiveRouteTable … \| ConvertTo-Json` |
//! | [`AzTable`](ExportFormat::AzTable) | `az … -o table`, also through `--query`, `grep` and web pages |
//! | [`PowerShellText`](ExportFormat::PowerShellText) | `… \| Format-Table` and `… \| Format-List` |
//! | [`Csv`](ExportFormat::Csv) | the portal's "Download as CSV", tab-separated text |
//!
//! One alias table (`field`) names the columns for all of them and one place (`row`) reads the
//! values, so that a format is no more than the way to cells.
//!
//! Source: Microsoft, "Diagnose a virtual machine routing problem"; Azure CLI,
//! `transform_effective_route_table`; Azure REST, "Network Interfaces - Get Effective Route Table"
//! (read 2026-11-20). The portal's CSV columns and PowerShell's text are not documented.

mod csv;
mod error;
mod field;
mod header;
mod json;
mod line;
mod list;
pub mod render;
mod row;
mod table;
#[cfg(test)]
mod tests;
mod words;

use super::encoding::{EncodingError, decoded, decoded_lossily};
use super::json::{JsonError, JsonValue};
use super::{EffectiveRoute, ServiceTags};
pub use error::{RouteFileError, RoutePlace, RouteValueError};
pub(super) use row::destination;

/// The effective routes of one file.
#[derive(Clone, Debug)]
pub struct ParsedExport {
    /// How the file was written.
    pub format: ExportFormat,
    /// The rows, in the file's order.
    pub routes: Vec<EffectiveRoute>,
    /// True where the file says that rows or prefixes were left out (`[...]`), or where it was
    /// filtered: what is absent from it may exist.
    pub is_elided: bool,
    /// The prefixes of service tags, where the rows tell them (`tagMap`).
    pub service_tags: ServiceTags,
    /// What was noticed and is no error, as sentences for people.
    pub warnings: Vec<String>,
}

/// How effective routes were written down.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum ExportFormat {
    /// JSON of the Azure CLI.
    AzCliJson,
    /// JSON of the REST API: without the keys that only the CLI adds, or with `properties`.
    RestJson,
    /// JSON with PowerShell's PascalCase keys.
    PowerShellJson,
    /// The Azure CLI's text table.
    AzTable,
    /// PowerShell's Format-Table or Format-List.
    PowerShellText,
    /// Comma-, semicolon- or tab-separated values.
    Csv,
}

impl ExportFormat {
    /// Returns the format's name in the output.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::AzCliJson => "az_cli_json",
            Self::RestJson => "rest_json",
            Self::PowerShellJson => "powershell_json",
            Self::AzTable => "az_table",
            Self::PowerShellText => "powershell_text",
            Self::Csv => "csv",
        }
    }
}

/// Reads effective routes in any format that Azure's tools write, recognised by content.
///
/// UTF-8 and, with a byte order mark, UTF-16 are read. Rows keep the file's order; unknown words
/// and unknown keys never stop the reading.
///
/// Cost: O(bytes) time; the whole text and, for JSON, its tree are held while reading.
///
/// # Errors
///
/// A [`RouteFileError`] with its place. [`RouteFileError::NotRecognised`] says that the file is
/// something else; every other one says that it holds effective routes and is broken, or that they
/// are a virtual hub's.
///
/// # Examples
///
/// ```
/// use nexthop::azure::effective_routes::{self, ExportFormat};
/// use nexthop::azure::NextHopType;
///
/// let text = "\
/// Source    State    Address Prefix    Next Hop Type     Next Hop IP
/// --------  -------  ----------------  ----------------  -------------
/// Default   Active   10.1.0.0/16       VnetLocal
/// User      Active   0.0.0.0/0         VirtualAppliance  10.1.0.4
/// ";
/// let export = effective_routes::parse(text.as_bytes())?;
/// assert_eq!(export.format, ExportFormat::AzTable);
/// assert_eq!(export.routes[1].next_hop_type, NextHopType::VirtualAppliance);
///
/// let broken = effective_routes::parse(text.replace("/16", "/61").as_bytes()).unwrap_err();
/// assert_eq!(
///     broken.to_string(),
///     "line 3, column `Address Prefix`: the prefix length of `10.1.0.0/61` is not a number from 0 to 32",
/// );
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn parse(bytes: &[u8]) -> Result<ParsedExport, RouteFileError> {
    match decoded(bytes) {
        Ok(text) => parse_document(&Document::new(&text)),
        Err(EncodingError { offset, encoding }) => {
            // What is not text is broken only where the rest of it is a route table.
            match parse_document(&Document::new(&decoded_lossily(bytes))) {
                Err(RouteFileError::NotRecognised { reason }) => {
                    Err(RouteFileError::NotRecognised { reason: format!("not text, or {reason}") })
                }
                _ => Err(RouteFileError::Encoding { offset, encoding }),
            }
        }
    }
}

/// A file's text, and its JSON if it is JSON.
pub(super) struct Document<'a> {
    pub(super) text: &'a str,
    pub(super) json: Option<Result<JsonValue<'a>, JsonError>>,
}

impl<'a> Document<'a> {
    /// Reads the JSON of a text, past the comments and prompts before it.
    pub(super) fn new(text: &'a str) -> Self {
        let (skipped_count, body) = without_preamble(text);
        let json = body.starts_with(['{', '[']).then(|| {
            JsonValue::parse(body)
                .map_err(|error| JsonError { line: error.line + skipped_count, ..error })
        });
        Self { text, json }
    }
}

/// Reads the effective routes of a document.
pub(super) fn parse_document(document: &Document<'_>) -> Result<ParsedExport, RouteFileError> {
    if let Some(Ok(json)) = &document.json {
        return json::parse(json);
    }
    // A text table may begin with `[...]`, so that what is no JSON may still be one.
    for parse in [csv::parse, table::parse, list::parse, table::parse_without_header] {
        if let Some(result) = parse(document.text) {
            return result;
        }
    }
    match &document.json {
        Some(Err(error)) if json::is_about_routes(document.text) => Err(RouteFileError::Json {
            line: error.line,
            column: error.column,
            message: error.message.clone(),
        }),
        Some(Err(error)) => Err(RouteFileError::NotRecognised {
            reason: format!(
                "JSON that breaks off at line {}, column {}: {}",
                error.line, error.column, error.message
            ),
        }),
        _ => Err(RouteFileError::NotRecognised {
            reason: "text without the columns of an effective route table".to_owned(),
        }),
    }
}

/// Skips blank lines, comments and prompts, and returns how many lines these were.
fn without_preamble(text: &str) -> (u64, &str) {
    let mut rest = text;
    let mut skipped_count = 0;
    loop {
        let (line, below) = rest.split_once('\n').unwrap_or((rest, ""));
        let content = line.trim();
        if below.is_empty()
            || !(content.is_empty() || line::is_comment(content) || line::is_prompt(content))
        {
            return (skipped_count, rest.trim_start());
        }
        rest = below;
        skipped_count += 1;
    }
}
