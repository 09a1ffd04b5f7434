//! The routes that service endpoints bring into the subnet that enables them.

use std::sync::Arc;

use ahash::{AHashMap, AHashSet};

use super::system_routes::row;
use super::user_routes::Tags;
use super::{Rejection, RouteRow};
use crate::azure::resources::{ServiceEndpoint, Subnet};
use crate::azure::{NextHopType, RouteDestination, RouteSource};
use crate::net::AddressPrefix;

/// The rows of one service in one region.
#[derive(Debug)]
pub(super) struct ServicePrefixes {
    /// The rows: one for each prefix, or one of the tag if its prefixes are not known.
    pub(super) rows: Arc<[RouteRow]>,
    /// The prefixes.
    pub(super) prefixes: AHashSet<AddressPrefix>,
}

/// The services of a snapshot, each made once.
#[derive(Debug, Default)]
pub(super) struct Services {
    by_tag: AHashMap<String, Arc<ServicePrefixes>>,
}

impl Services {
    /// Returns the service endpoints of a subnet.
    ///
    /// * Each brings a row of type `VirtualNetworkServiceEndpoint` for every public prefix of its
    ///   service in each of its regions, into this subnet alone: neither to its neighbours nor over
    ///   a peering. (Documented, and seen in a published output.)
    /// * The prefixes are those of the service's tag in the region, or of its one tag where it has
    ///   none for regions. (Inferred: the lists are the same in the published output.) A tag that is
    ///   not known stays a row of that tag and makes Internet destinations unknown; nothing is
    ///   guessed.
    ///
    /// Source: Microsoft, "Virtual network service endpoints" (read 2026-11-20).
    pub(super) fn of_subnet(
        &mut self,
        subnet: &Subnet,
        location: &str,
        tags: &Tags<'_>,
    ) -> Vec<Arc<ServicePrefixes>> {
        let mut names: Vec<String> = subnet
            .service_endpoints
            .iter()
            .flat_map(|endpoint| tag_names(endpoint, location))
            .collect();
        names.sort_unstable();
        names.dedup();
        names.into_iter().map(|name| self.service(name, tags)).collect()
    }

    fn service(&mut self, name: String, tags: &Tags<'_>) -> Arc<ServicePrefixes> {
        let make = || {
            let whole_service = name.split_once('.').map_or(name.as_str(), |(service, _)| service);
            let prefixes: AHashSet<AddressPrefix> = tags
                .prefixes(&name)
                .or_else(|| tags.prefixes(whole_service))
                .map(|all| all.collect())
                .unwrap_or_default();
            let mut sorted: Vec<AddressPrefix> = prefixes.iter().copied().collect();
            sorted.sort_unstable();
            let next_hop_type = NextHopType::VirtualNetworkServiceEndpoint;
            let rows = match sorted.is_empty() {
                true => Arc::from([unresolved(&name)]),
                false => sorted.iter().map(|prefix| row(*prefix, next_hop_type.clone())).collect(),
            };
            Arc::new(ServicePrefixes { rows, prefixes })
        };
        let known = self.by_tag.get(&name).cloned();
        known.unwrap_or_else(|| {
            let fresh = make();
            self.by_tag.insert(name.clone(), Arc::clone(&fresh));
            fresh
        })
    }
}

fn unresolved(name: &str) -> RouteRow {
    RouteRow {
        destination: RouteDestination::ServiceTag(name.to_owned()),
        rejected: Some(Rejection::UnresolvedServiceTag),
        ..RouteRow::computed(
            RouteSource::Default,
            AddressPrefix::IPV4_ALL,
            NextHopType::VirtualNetworkServiceEndpoint,
        )
    }
}

/// The service tags that a service endpoint stands for: one for each region, or that of the whole
/// service for `*`.
fn tag_names(endpoint: &ServiceEndpoint, location: &str) -> Vec<String> {
    let tag = tag_of_service(&endpoint.service);
    let own = [location.to_owned()];
    let locations: &[String] =
        if endpoint.locations.is_empty() { &own } else { &endpoint.locations };
    let is_everywhere = endpoint.service.to_ascii_lowercase().ends_with(".global");
    locations
        .iter()
        .map(|location| match location.as_str() {
            "*" | "" => tag.clone(),
            _ if is_everywhere => tag.clone(),
            location => format!("{tag}.{location}"),
        })
        .collect()
}

/// The tag of a service.
///
/// Source: Microsoft, "Virtual network service endpoints" and "Virtual network service tags" (read
/// 2026-11-20).
fn tag_of_service(service: &str) -> String {
    const TAGS: [(&str, &str); 12] = [
        ("microsoft.storage", "Storage"),
        ("microsoft.storage.global", "Storage"),
        ("microsoft.sql", "Sql"),
        ("microsoft.azurecosmosdb", "AzureCosmosDB"),
        ("microsoft.keyvault", "AzureKeyVault"),
        ("microsoft.servicebus", "ServiceBus"),
        ("microsoft.eventhub", "EventHub"),
        ("microsoft.azureactivedirectory", "AzureActiveDirectory"),
        ("microsoft.web", "AppService"),
        ("microsoft.cognitiveservices", "CognitiveServicesManagement"),
        ("microsoft.containerregistry", "AzureContainerRegistry"),
        ("microsoft.azuredatalake", "AzureDataLake"),
    ];
    let folded = service.to_ascii_lowercase();
    let known = TAGS.iter().find(|(name, _)| *name == folded).map(|(_, tag)| (*tag).to_owned());
    known.unwrap_or_else(|| service.rsplit('.').next().unwrap_or(service).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_endpoint_stands_for_the_tag_of_its_service_and_regions() {
        let endpoint = |service: &str, locations: &[&str]| ServiceEndpoint {
            service: service.to_owned(),
            locations: locations.iter().map(|location| (*location).to_owned()).collect(),
        };
        for (service, locations, want) in [
            (
                "Microsoft.Storage",
                &["westeurope", "northeurope"][..],
                "Storage.westeurope Storage.northeurope",
            ),
            ("microsoft.sql", &[], "Sql.eastus"),
            ("Microsoft.KeyVault", &["*"], "AzureKeyVault"),
            ("Microsoft.Storage.Global", &["eastus"], "Storage"),
            ("Microsoft.Something", &["*"], "Something"),
        ] {
            assert_eq!(tag_names(&endpoint(service, locations), "eastus").join(" "), want);
        }
    }
}
