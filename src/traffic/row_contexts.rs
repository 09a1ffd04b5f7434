//! What many rows share, stored once.

use super::SourceFormat;
use crate::net::MacAddress;

/// What many rows share: the capture, or the log record, its rule and its observer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Context {
    /// Where the rows come from.
    pub format: SourceFormat,
    /// The NIC that observed the flow.
    pub mac: Option<MacAddress>,
    /// `aclID`; `None` for NSG logs, and where a cut record never told it.
    pub acl_group: Option<TextId>,
    /// `rule`.
    pub acl_rule: Option<TextId>,
    /// `targetResourceID`, or the NSG's `resourceId`.
    pub target_resource_id: Option<TextId>,
    /// `flowLogResourceID`.
    pub flow_log_resource_id: Option<TextId>,
}

/// Index of a [`Context`] in its batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ContextId(u32);

/// Index of a text in its batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TextId(u32);

/// The contexts and texts that rows name by number.
///
/// Reused: clearing it keeps its memory.
#[derive(Debug, Default)]
pub struct RowContexts {
    contexts: Vec<Context>,
    texts: Texts,
}

impl RowContexts {
    /// Removes every context and text, and keeps the memory.
    pub fn clear(&mut self) {
        self.contexts.clear();
        self.texts.clear();
    }

    /// Stores a context.
    ///
    /// # Panics
    ///
    /// Past `u32::MAX` contexts, which a chunk of bounded size cannot hold.
    pub fn push_context(&mut self, context: Context) -> ContextId {
        self.contexts.push(context);
        ContextId(index_u32(self.contexts.len() - 1))
    }

    /// Returns a context.
    ///
    /// # Panics
    ///
    /// When the identifier is of another batch and out of range.
    pub fn context(&self, id: ContextId) -> &Context {
        &self.contexts[id.0 as usize]
    }

    /// Returns the contexts in the order of [`ContextId::index`].
    pub fn contexts(&self) -> &[Context] {
        &self.contexts
    }

    /// Stores a text.
    ///
    /// # Panics
    ///
    /// Past 4 GiB of text, which a chunk of bounded size cannot hold.
    pub fn push_text(&mut self, text: &str) -> TextId {
        self.texts.push(text)
    }

    /// Stores a text unless one of the last few texts stored is the same; for columns of few
    /// distinct words.
    ///
    /// # Panics
    ///
    /// As [`push_text`](Self::push_text).
    pub fn intern_text(&mut self, text: &str) -> TextId {
        self.texts.find_recent(text).unwrap_or_else(|| self.texts.push(text))
    }

    /// Returns a text.
    ///
    /// # Panics
    ///
    /// When the identifier is of another batch and out of range.
    pub fn text(&self, id: TextId) -> &str {
        self.texts.get(id)
    }
}

impl ContextId {
    /// Returns the position in [`RowContexts::contexts`].
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

/// Texts end to end in one buffer, so that clearing keeps the memory of all of them.
#[derive(Debug, Default)]
struct Texts {
    bytes: String,
    ends: Vec<u32>,
}

impl Texts {
    /// How far back a repeated word is looked for: there are about eight words of encryption.
    const RECENT: usize = 16;

    fn push(&mut self, text: &str) -> TextId {
        self.bytes.push_str(text);
        self.ends.push(index_u32(self.bytes.len()));
        TextId(index_u32(self.ends.len() - 1))
    }

    fn get(&self, id: TextId) -> &str {
        let index = id.0 as usize;
        let start = if index == 0 { 0 } else { self.ends[index - 1] as usize };
        &self.bytes[start..self.ends[index] as usize]
    }

    fn find_recent(&self, text: &str) -> Option<TextId> {
        let first = self.ends.len().saturating_sub(Self::RECENT);
        (first..self.ends.len())
            .rev()
            .map(|index| TextId(index_u32(index)))
            .find(|&id| self.get(id) == text)
    }

    fn clear(&mut self) {
        self.bytes.clear();
        self.ends.clear();
    }
}

fn index_u32(index: usize) -> u32 {
    u32::try_from(index).expect("a chunk is far below 4 GiB")
}
