//! The columns and keys of an effective route, under every name that an export gives them.

use crate::azure::word::folded;

/// What a column or a key holds.
///
/// The first eight are cells of a row, in the order of their names; [`Field::index`] counts them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Field {
    Source,
    State,
    Prefix,
    NextHopType,
    NextHopIp,
    Name,
    DisableBgpRoutePropagation,
    HasBgpOverride,
    DestinationServiceTags,
    TagMap,
    /// Only a virtual hub's effective routes have it.
    OfHub,
    /// Only a resource (such as the routes of a route table) has it.
    OfResource,
}

impl Field {
    /// The number of cells of a row.
    pub(super) const CELL_COUNT: usize = 8;

    /// The order of `az network nic show-effective-route-table -o table`.
    ///
    /// Source: Azure CLI, `transform_effective_route_table` (read 2026-11-20).
    pub(super) const AZ_TABLE: [Self; 5] =
        [Self::Source, Self::State, Self::Prefix, Self::NextHopType, Self::NextHopIp];

    /// Returns what a column or a key of this name holds; case, spaces, hyphens and underscores
    /// do not matter.
    ///
    /// The portal's CSV column names are not documented, hence the several readings.
    pub(super) fn named(name: &str) -> Option<Self> {
        Some(match folded(name).as_str() {
            "source" => Self::Source,
            "state" => Self::State,
            "addressprefix" | "addressprefixes" | "prefix" | "prefixes" => Self::Prefix,
            "nexthoptype" => Self::NextHopType,
            "nexthopipaddress"
            | "nexthopipaddresses"
            | "nexthopip"
            | "nexthopips"
            | "nexthoptypeipaddress" => Self::NextHopIp,
            "name" | "userdefinedroutename" | "userdefinedroute" | "routename" => Self::Name,
            "disablebgproutepropagation" => Self::DisableBgpRoutePropagation,
            "hasbgpoverride" => Self::HasBgpOverride,
            "destinationservicetags" => Self::DestinationServiceTags,
            "tagmap" => Self::TagMap,
            "aspath" | "routeorigin" | "nexthops" => Self::OfHub,
            "provisioningstate" | "resourcegroup" | "etag" => Self::OfResource,
            _ => return None,
        })
    }

    /// Returns az's name of the column.
    pub(super) fn title(self) -> &'static str {
        match self {
            Self::Source => "Source",
            Self::State => "State",
            Self::Prefix => "Address Prefix",
            Self::NextHopType => "Next Hop Type",
            Self::NextHopIp => "Next Hop IP",
            Self::Name => "Name",
            Self::DisableBgpRoutePropagation => "Disable BGP Route Propagation",
            Self::HasBgpOverride => "Has BGP Override",
            Self::DestinationServiceTags => "Destination Service Tags",
            Self::TagMap => "Tag Map",
            Self::OfHub | Self::OfResource => "other",
        }
    }

    /// Returns the place of a cell in its row, and none for what is no cell.
    pub(super) fn index(self) -> Option<usize> {
        let index = self as usize;
        (index < Self::CELL_COUNT).then_some(index)
    }
}

/// Returns what the columns of a header make of the table below it.
pub(super) fn table_kind(columns: &[Option<Field>]) -> TableKind {
    let has = |field| columns.contains(&Some(field));
    if !(has(Field::Prefix) && has(Field::NextHopType)) {
        TableKind::Unknown
    } else if has(Field::OfHub) {
        TableKind::VirtualHub
    } else if has(Field::OfResource) {
        TableKind::Resource
    } else {
        TableKind::EffectiveRoutes
    }
}

/// See [`table_kind`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TableKind {
    EffectiveRoutes,
    VirtualHub,
    Resource,
    Unknown,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_alias_of_the_portal_and_of_az_is_known() {
        for (names, want) in [
            ("Source|source", Field::Source),
            ("State|STATE", Field::State),
            ("Address Prefix|Address Prefixes|addressPrefix|Prefix", Field::Prefix),
            ("Next Hop Type|NextHopType|nextHopType", Field::NextHopType),
            (
                "Next Hop IP Address|Next Hop Type IP Address|Next Hop IP|NextHopIP|nextHopIpAddress",
                Field::NextHopIp,
            ),
            ("User Defined Route Name|Name", Field::Name),
        ] {
            for name in names.split('|') {
                assert_eq!(Field::named(name), Some(want), "{name}");
            }
        }
        assert_eq!(Field::named("Next Hop"), None);
    }

    #[test]
    fn cells_are_counted_from_zero() {
        assert_eq!(Field::Source.index(), Some(0));
        assert_eq!(Field::HasBgpOverride.index(), Some(Field::CELL_COUNT - 1));
        assert_eq!(Field::DestinationServiceTags.index(), None);
    }
}
