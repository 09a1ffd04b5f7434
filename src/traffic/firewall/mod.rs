//! Azure Firewall logs: evidence that a flow was seen at a firewall.
//!
//! Bytes come in; [`FirewallRecord`]s go out, one for each row of the log that tells of a packet
//! or a connection, with everything else in the books. A log comes in one of five forms, told
//! apart by content:
//!
//! ```text
//! {"time":…,"category":…,"properties":{…}} ⏎ …    as stored: a record a line      json_lines
//! {"records":[ R , R ]}   [ R , R ]               Event Hub; `az … -o json`       document
//! {"tables":[{"columns":[…],"rows":[[…],[…]]}]}   Log Analytics REST              tables
//! TimeGenerated,Category,… ⏎ …                    a query's download              delimited
//! Action_s  Category  … ⏎ --------  -------- ⏎    `az … -o table`                 text_table
//! ```
//!
//! Each form names its values in its own way; `fields` holds them under one name each, and
//! `interpret` makes a record of them, by way of `message` where the log has free text only. Records
//! of JSON in the form that Azure writes are read in one step (`usual_object`); every other one takes
//! the general way (`object`), with the same result.
//!
//! Knows nothing of routes, nor of which flows a record is evidence for.
//!
//! Source: "Azure Firewall monitoring data reference", Azure documentation (read 2026-11-20).

mod delimited;
mod document;
mod fields;
mod interpret;
mod json_lines;
mod lines;
mod message;
mod names;
mod object;
mod reader;
mod recognise;
mod record;
mod tables;
mod text_table;
mod time;
mod usual_object;
mod words;

pub use reader::{FirewallLogReader, looks_like_firewall_log};
pub use record::{
    FirewallAction, FirewallCategory, FirewallDestination, FirewallName, FirewallRecord,
    FlowTraceFlag,
};

#[cfg(test)]
mod tests;
