//! VNet flow logs (version 4) and NSG flow logs (versions 1 and 2).
//!
//! Bytes come in; rows go out. The reader (`framing`) finds where log records begin and end
//! whatever holds them together, without understanding them; the `Decoder` understands one
//! record at a time (`record`) and then each of its tuples (`tuple`):
//!
//! ```text
//! {"records":[ {"time":…,"flowRecords":{"flows":[{"aclID":…,"flowGroups":[
//!              ╰── a record: framing, record       {"rule":…,"flowTuples":["1733…,10.1.0.4,…"]}]}]}}, … ]}
//!                                                                  a tuple ╯ = one row
//! ```
//!
//! A whole record is read without its tuples first (`skeleton`), and those in the form that Azure
//! writes are decoded where they stand (`usual_tuple`); every other record, and every other tuple,
//! takes the general way, with the same result.
//!
//! Knows nothing of files, compression or routes.
//!
//! Source: "VNet flow logs" and "NSG flow logs overview", Azure Network Watcher documentation
//! (read 2026-11-20); both are written in UTC hours as blobs named `PT1H.json`.

mod decode;
mod framing;
mod kernel;
mod lexer;
mod record;
mod skeleton;
mod tuple;
mod usual_tuple;

pub(super) use decode::Decoder;
pub(super) use framing::{FlowLogChunk, FlowLogReader, MAX_DEPTH, MAX_RECORD_BYTES, Unit};
pub(super) use lexer::{Event, Lexer};

use super::{Row, RowContexts};

/// Takes the tuples of a chunk, in the order of the log.
pub trait TupleSink {
    /// What tells which tuples came before.
    type Place: Copy;

    /// Returns where the contexts and texts go that tuples name.
    fn shared(&mut self) -> &mut RowContexts;

    /// Takes the next tuple.
    fn push(&mut self, tuple: &Row);

    /// Returns the place behind the last tuple.
    fn place(&mut self) -> Self::Place;

    /// Forgets the tuples behind a place, which is the last that was asked for.
    fn go_back(&mut self, place: Self::Place);
}

#[cfg(test)]
mod tests;
