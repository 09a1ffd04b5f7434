//! What is read of each kind of resource: one table a kind, a field a line.
//!
//! A field is told or not, so that two exports of one resource can be put together, and what no
//! export tells keeps the value that Azure gives it where it is left out.
//!
//! Source: Azure REST API reference, resource definitions of Microsoft.Network and Microsoft.Web;
//! Azure Resource Graph, "Understanding the query language" (read 2026-11-20).

mod delivery;
mod gateway;
mod hub;
mod network;
mod site;

use super::error::ResourceFileError;
use super::node::Node;
pub(super) use gateway::{VpnConnection, VpnGateway};
pub(super) use hub::HubIpConfiguration;
pub(super) use network::RouteDraft;
pub(super) use site::{ConfigDraft, IntegrationDraft, ROUTE_ALL_SETTING, SettingDraft, SiteDraft};

/// A row and its fields.
pub(super) trait Fields: Sized + 'static {
    /// The fields, at most 32.
    const FIELDS: &'static [Field<Self>];

    /// Returns the row of which nothing is told.
    fn bare() -> Self;

    /// Reads a row that comes in one piece.
    fn read(node: &Node<'_>) -> Result<Self, ResourceFileError> {
        super::draft::Draft::read(node, 0).map(|draft| draft.row)
    }
}

/// A field of a row.
pub(super) struct Field<T> {
    /// What it is called here.
    pub(super) name: &'static str,
    /// Reads it, and tells whether it was there.
    pub(super) read: fn(&Node<'_>, &mut T) -> Result<bool, ResourceFileError>,
    /// Swaps it between two rows.
    pub(super) swap: fn(&mut T, &mut T),
    /// Tells whether two rows have the same.
    pub(super) is_same: fn(&T, &T) -> bool,
}

/// Writes the table of a kind: each field, and how it is read from a node.
///
/// `header` stands for the identifier, name and region. `unless told` gives the row of which nothing
/// is told where that is not the default.
macro_rules! fields {
    ($row:ident, header, |$node:ident| $rest:tt) => {
        fields!($row, header, unless told Self::default(), |$node| $rest);
    };
    ($row:ident, |$node:ident| $rest:tt) => {
        fields!($row, unless told Self::default(), |$node| $rest);
    };
    ($row:ident, header, unless told $bare:expr, |$node:ident| { $($rest:tt)* }) => {
        fields!($row, unless told $bare, |$node| {
            header.id = $node.told_id(),
            header.name = $node.name(),
            header.location = $node.location(),
            $($rest)*
        });
    };
    (
        $row:ident, unless told $bare:expr,
        |$node:ident| { $($($field:ident).+ = $read:expr,)* }
    ) => {
        impl $crate::azure::resources::fields::Fields for $row {
            const FIELDS: &'static [$crate::azure::resources::fields::Field<Self>] = &[$(
                $crate::azure::resources::fields::Field {
                    name: stringify!($($field).+),
                    read: |$node, row| {
                        let told = $read?;
                        let is_told = told.is_some();
                        if let Some(value) = told {
                            row.$($field).+ = value;
                        }
                        Ok(is_told)
                    },
                    swap: |row, other| std::mem::swap(&mut row.$($field).+, &mut other.$($field).+),
                    is_same: |row, other| row.$($field).+ == other.$($field).+,
                },
            )*];

            fn bare() -> Self {
                $bare
            }
        }
        // `told` has a bit for each.
        const _: () = assert!(
            <$row as $crate::azure::resources::fields::Fields>::FIELDS.len() <= 32
        );
    };
}
pub(super) use fields;
