//! Recorded traffic: packet captures and flow logs, in one shape.
//!
//! Bytes come in; [`FlowBatch`]es of columns go out, with a [`Tally`] of everything that was left
//! out and why. Reading is split in two, so that decoding can run on many threads: a
//! [`TrafficReader`] cuts an input into [`Chunk`]s of whole records (cheap, in order), and a
//! [`Decoder`] turns any chunk into rows (independent of every other chunk).
//!
//! Knows nothing of routes.

mod batch;
pub mod capture;
pub mod firewall;
pub mod flowlog;
mod input;
mod reader;
mod row_contexts;
mod tally;

pub use batch::{
    Counters, FlowBatch, FlowDirection, FlowState, FlowStatus, Row, RowFlags, SourceFormat,
};
pub use flowlog::TupleSink;
pub use input::{Input, InputError, InputName, find_inputs};
pub use reader::{Chunk, ChunkPart, DecodeOptions, Decoder, ReadOptions, TrafficReader};
pub use row_contexts::{Context, ContextId, RowContexts, TextId};
pub use tally::{Damage, DamagePlace, NotApplicable, Tally, Unknown};
