//! Faults of a snapshot: what its routes do that nobody can have meant.

use std::fmt;

use crate::azure::resources::ResourceId;
use crate::net::AddressPrefix;

/// One fault of a snapshot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The stable code.
    pub code: &'static str,
    /// How bad it is.
    pub severity: Severity,
    /// What it is, for people.
    pub message: String,
    /// The resource that it is about.
    pub resource: Option<ResourceId>,
    /// The table that it is about.
    pub route_table_id: Option<String>,
    /// The prefix that it is about.
    pub address_prefix: Option<AddressPrefix>,
}

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// Traffic does not go where it was meant to go.
    Error,
    /// It may not.
    Warning,
    /// Worth knowing.
    Note,
}

impl Severity {
    /// Returns the word that stands in every output.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
            Self::Note => "note",
        }
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl Finding {
    /// Makes a finding that is about nothing in particular yet.
    pub fn new(code: &'static str, severity: Severity, message: impl Into<String>) -> Self {
        Self {
            code,
            severity,
            message: message.into(),
            resource: None,
            route_table_id: None,
            address_prefix: None,
        }
    }

    /// Says which resource it is about.
    pub fn about(mut self, resource: &ResourceId) -> Self {
        self.resource = Some(resource.clone());
        self
    }

    /// Says which table it is about.
    pub fn in_table(mut self, route_table_id: &str) -> Self {
        self.route_table_id = Some(route_table_id.to_owned());
        self
    }

    /// Says which prefix it is about.
    pub fn at(mut self, prefix: AddressPrefix) -> Self {
        self.address_prefix = Some(prefix);
        self
    }
}
