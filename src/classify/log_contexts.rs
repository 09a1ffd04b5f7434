//! The contexts of flow logs' records, each once, for as long as flows are gathered.

use ahash::RandomState;
use hashbrown::HashTable;
use hashbrown::hash_table::Entry;

use super::Observer;
use crate::net::MacAddress;
use crate::traffic::{Context, RowContexts, SourceFormat};

/// Contexts that outlive their batches, by number.
#[derive(Default)]
pub(super) struct LogContexts {
    contexts: Vec<OwnedContext>,
    /// Positions in `contexts`.
    index: HashTable<u32>,
    hasher: RandomState,
}

/// A context that outlives its batch.
pub(crate) struct OwnedContext {
    pub(crate) format: SourceFormat,
    pub(crate) mac: Option<MacAddress>,
    pub(crate) acl_group: Option<String>,
    pub(crate) acl_rule: Option<String>,
    pub(crate) target_resource_id: Option<String>,
    pub(crate) flow_log_resource_id: Option<String>,
    /// Who observed its tuples.
    pub(super) observer: Observer,
}

impl LogContexts {
    pub(super) fn get(&self, number: u32) -> &OwnedContext {
        &self.contexts[number as usize]
    }

    /// Writes the numbers of a batch's contexts to `numbers`, in the order of the batch.
    /// `observer_of` tells who observed the tuples of a new one.
    pub(super) fn intern_all(
        &mut self,
        shared: &RowContexts,
        numbers: &mut Vec<u32>,
        observer_of: impl Fn(&Context) -> Observer,
    ) {
        numbers.clear();
        for context in shared.contexts() {
            let number = self.intern(shared, context, &observer_of);
            numbers.push(number);
        }
    }

    fn intern(
        &mut self,
        shared: &RowContexts,
        context: &Context,
        observer_of: impl Fn(&Context) -> Observer,
    ) -> u32 {
        let view = ContextView::of(shared, context);
        let (contexts, hasher) = (&mut self.contexts, &self.hasher);
        let slot = self.index.entry(
            hasher.hash_one(view),
            |&number| contexts[number as usize].view() == view,
            |&number| hasher.hash_one(contexts[number as usize].view()),
        );
        match slot {
            Entry::Occupied(occupied) => *occupied.get(),
            Entry::Vacant(vacant) => {
                let number = u32::try_from(contexts.len()).expect("fewer than 2^32 contexts");
                vacant.insert(number);
                contexts.push(view.to_owned(observer_of(context)));
                number
            }
        }
    }
}

/// A context as it is compared, wherever its texts are.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct ContextView<'t> {
    format: SourceFormat,
    mac: Option<MacAddress>,
    acl_group: Option<&'t str>,
    acl_rule: Option<&'t str>,
    target_resource_id: Option<&'t str>,
    flow_log_resource_id: Option<&'t str>,
}

impl<'t> ContextView<'t> {
    fn of(shared: &'t RowContexts, context: &Context) -> Self {
        let text = |id: Option<_>| id.map(|id| shared.text(id));
        Self {
            format: context.format,
            mac: context.mac,
            acl_group: text(context.acl_group),
            acl_rule: text(context.acl_rule),
            target_resource_id: text(context.target_resource_id),
            flow_log_resource_id: text(context.flow_log_resource_id),
        }
    }

    fn to_owned(self, observer: Observer) -> OwnedContext {
        let text = |text: Option<&str>| text.map(str::to_owned);
        OwnedContext {
            format: self.format,
            mac: self.mac,
            acl_group: text(self.acl_group),
            acl_rule: text(self.acl_rule),
            target_resource_id: text(self.target_resource_id),
            flow_log_resource_id: text(self.flow_log_resource_id),
            observer,
        }
    }
}

impl OwnedContext {
    fn view(&self) -> ContextView<'_> {
        ContextView {
            format: self.format,
            mac: self.mac,
            acl_group: self.acl_group.as_deref(),
            acl_rule: self.acl_rule.as_deref(),
            target_resource_id: self.target_resource_id.as_deref(),
            flow_log_resource_id: self.flow_log_resource_id.as_deref(),
        }
    }
}
