//! Service tags: names of address prefixes that Azure changes from week to week.

use std::collections::{BTreeMap, BTreeSet};

use crate::net::AddressPrefix;

/// The prefixes of service tags, by name; the case of a name does not matter.
///
/// # Examples
///
/// ```
/// use nexthop::azure::ServiceTags;
///
/// let mut tags = ServiceTags::default();
/// tags.add("Storage.EastUS", ["20.38.98.0/24".parse()?]);
/// assert_eq!(tags.get("storage.eastus").map(|prefixes| prefixes.len()), Some(1));
/// assert_eq!(tags.get("Storage"), None);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ServiceTags {
    by_name: BTreeMap<String, BTreeSet<AddressPrefix>>,
}

impl ServiceTags {
    /// Adds prefixes to a tag; those that it has already are not added again.
    pub fn add(&mut self, name: &str, prefixes: impl IntoIterator<Item = AddressPrefix>) {
        self.by_name.entry(name.to_ascii_lowercase()).or_default().extend(prefixes);
    }

    /// Adds the tags of `other` that are not known here.
    pub fn add_unknown(&mut self, other: Self) {
        for (name, prefixes) in other.by_name {
            self.by_name.entry(name).or_insert(prefixes);
        }
    }

    /// Returns the prefixes of a tag, sorted; none where the tag is not known.
    pub fn get(&self, name: &str) -> Option<&BTreeSet<AddressPrefix>> {
        self.by_name.get(&name.to_ascii_lowercase())
    }

    /// Returns true where no tag is known.
    pub fn is_empty(&self) -> bool {
        self.by_name.is_empty()
    }
}

/// Returns how specific a tag is: of the tags that hold one exact prefix the lowest rank wins.
/// An explicit prefix goes before every tag.
///
/// The order is: a tag of a region, a tag of the whole service, `AzureCloud` of a region,
/// `AzureCloud`.
///
/// Source: Microsoft, "Virtual network traffic routing", §Service tags for user-defined routes
/// (read 2026-11-20).
pub(crate) fn rank(name: &str) -> u8 {
    let (service, has_region) = match name.split_once('.') {
        Some((service, _)) => (service, true),
        None => (name, false),
    };
    match (service.eq_ignore_ascii_case("AzureCloud"), has_region) {
        (false, true) => 1,
        (false, false) => 2,
        (true, true) => 3,
        (true, false) => 4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_rank_as_documented() {
        let best_first = ["Storage.EastUS", "Storage", "AzureCloud.EastUS", "azurecloud"].map(rank);
        assert_eq!(best_first, [1, 2, 3, 4]);
    }
}
