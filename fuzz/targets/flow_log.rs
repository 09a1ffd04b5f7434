//! Flow logs.

use super::options;
use super::traffic::{assert_one_reading, chunk_bytes};

/// Any bytes as a file; or, so that the framing hides nothing, as the inside of a record, as its
/// tuples, or as what stands between two sound records.
pub fn json(data: &[u8]) {
    let Some(([chunks, place], rest)) = options(data) else { return };
    let file = match place % 4 {
        0 => rest.to_vec(),
        1 => [
            &br#"{"records":[{"category":"FlowLogFlowEvent","flowLogVersion":4,"#[..],
            rest,
            b"}]}",
        ]
        .concat(),
        2 => [HEAD, rest, TAIL].concat(),
        _ => [HEAD, TUPLE, TAIL, rest, HEAD, TUPLE, TAIL].concat(),
    };
    let outcome = assert_one_reading(&file, chunk_bytes(chunks), &[]);
    if place % 4 == 3 {
        assert!(!outcome.rows.is_empty(), "the record before the damage is lost");
    }
}

const HEAD: &[u8] = br#"{"records":[{"category":"FlowLogFlowEvent","flowLogVersion":4,"macAddress":"000D3A000001","flowRecords":{"flows":[{"aclID":"a","flowGroups":[{"rule":"r","flowTuples":["#;
const TUPLE: &[u8] = br#""1737397091000,10.0.0.4,10.9.0.1,50000,443,6,O,E,NX,3,300,2,200""#;
const TAIL: &[u8] = b"]}]}]}}]}";
