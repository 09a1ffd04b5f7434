//! What was recorded, with its label, as rows.

use super::log_flows::MergedFlow;
use super::packet_flows::PacketFlow;
use super::{InputSummary, LabelColumns, OutputRow, RecordKind};
use crate::traffic::{Context, FlowBatch, FlowState};

/// Where a row comes from.
pub(super) struct SourcePlace<'a> {
    pub(super) file: &'a str,
    pub(super) input: u32,
    pub(super) record: u64,
}

/// The row of a packet or tuple as it was recorded.
pub(super) fn batch_row<'a>(
    batch: &'a FlowBatch,
    index: usize,
    kind: RecordKind,
    label: LabelColumns<'a>,
    place: &SourcePlace<'a>,
) -> OutputRow<'a> {
    let row = batch.row(index);
    let context: &Context = batch.context(row.context);
    let text = |id: Option<_>| id.map(|id| batch.text(id));
    OutputRow {
        kind,
        start_time_ns: row.time_ns,
        end_time_ns: row.time_ns,
        source: row.source,
        destination: row.destination,
        ports: row.ports,
        protocol: row.protocol,
        direction: row.direction,
        state: row.state,
        status: row.status,
        encryption: text(row.encryption),
        counters: row.counters,
        counter_basis: None,
        mac: context.mac,
        acl_group: text(context.acl_group),
        acl_rule: text(context.acl_rule),
        target_resource_id: text(context.target_resource_id),
        flow_log_resource_id: text(context.flow_log_resource_id),
        source_format: context.format,
        source_file: place.file,
        source_record: place.record,
        input: place.input,
        observer: None,
        is_partial: false,
        record_count: 1,
        shows_begin: row.opens_connection
            || matches!(row.state, Some(FlowState::Begin | FlowState::Deny)),
        label,
        coverage: None,
        replay: None,
    }
}

/// The row of a capture's flow.
pub(super) fn packet_flow_row<'a>(
    flow: &PacketFlow,
    label: LabelColumns<'a>,
    input: &'a InputSummary,
    is_partial: bool,
) -> OutputRow<'a> {
    OutputRow {
        kind: RecordKind::Flow,
        start_time_ns: flow.start_time_ns,
        end_time_ns: flow.end_time_ns,
        source: flow.source,
        destination: flow.destination,
        ports: flow.ports,
        protocol: flow.protocol,
        direction: None,
        state: None,
        status: None,
        encryption: None,
        counters: flow.counters,
        counter_basis: None,
        mac: None,
        acl_group: None,
        acl_rule: None,
        target_resource_id: None,
        flow_log_resource_id: None,
        source_format: input.format.expect("a capture is known by its first bytes"),
        source_file: input.name.as_str(),
        source_record: flow.record,
        input: flow.input,
        observer: None,
        is_partial,
        record_count: flow.packet_count(),
        shows_begin: flow.shows_begin,
        label,
        coverage: None,
        replay: None,
    }
}

/// The row of a log's flow.
pub(super) fn merged_flow_row<'a>(
    flow: &MergedFlow<'a>,
    label: LabelColumns<'a>,
    source_file: &'a str,
) -> OutputRow<'a> {
    let (key, context) = (flow.key, flow.context);
    OutputRow {
        kind: RecordKind::Flow,
        start_time_ns: flow.start_time_ns,
        end_time_ns: flow.end_time_ns,
        source: key.source,
        destination: key.destination,
        ports: key.ports,
        protocol: key.protocol,
        direction: key.direction,
        state: flow.state,
        status: flow.status,
        encryption: flow
            .encryption
            .map(|text| std::str::from_utf8(text).expect("was written from a text")),
        counters: flow.counters,
        counter_basis: flow.counter_basis,
        mac: key.mac,
        acl_group: context.acl_group.as_deref(),
        acl_rule: context.acl_rule.as_deref(),
        target_resource_id: context.target_resource_id.as_deref(),
        flow_log_resource_id: context.flow_log_resource_id.as_deref(),
        source_format: context.format,
        source_file,
        source_record: flow.first.1,
        input: flow.first.0,
        observer: Some(flow.context_number),
        is_partial: false,
        record_count: flow.tuple_count,
        shows_begin: flow.shows_begin,
        label,
        coverage: None,
        replay: None,
    }
}
