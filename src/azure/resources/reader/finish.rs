//! What belongs together although it was read apart: children and parents, branches and hubs,
//! settings and sites.

use std::collections::{BTreeMap, HashMap};

use super::super::draft::{Conflict, Draft};
use super::super::fields::{SiteDraft, VpnGateway};
use super::super::types::*;
use super::{Child, Owner, ResourceReader, ResourceWarning};

impl ResourceReader {
    /// Returns the resources, and what is missing among them.
    pub fn finish(mut self) -> (Resources, Vec<ResourceWarning>) {
        let mut warnings = Vec::new();
        let conflicts = self.conflicts();
        let sites = self.take_sites(&mut warnings);
        let hub_branches = self.take_hub_branches();
        let route_tables = self.take_route_tables(&mut warnings);
        let virtual_networks = self.take_virtual_networks(&mut warnings);
        let virtual_hubs = self.take_virtual_hubs(&virtual_networks);
        let resources = Resources {
            virtual_networks,
            route_tables,
            network_interfaces: self.network_interfaces.into_rows(),
            private_endpoints: self.private_endpoints.into_rows(),
            gateways: self.gateways.into_rows(),
            local_network_gateways: self.local_network_gateways.into_rows(),
            connections: self.connections.into_rows(),
            learned_routes: self.learned_routes,
            virtual_hubs,
            hub_connections: self.hub_connections.into_rows(),
            hub_route_tables: self.hub_route_tables.into_rows(),
            routing_intents: self.routing_intents.into_rows(),
            hub_branches,
            firewalls: self.firewalls.into_rows(),
            firewall_policies: self.firewall_policies.into_rows(),
            flow_logs: self.flow_logs.into_rows(),
            application_gateways: self.application_gateways.into_rows(),
            backend_health: self.backend_health.into_rows(),
            load_balancers: self.load_balancers.into_rows(),
            public_ip_addresses: self.public_ip_addresses.into_rows(),
            sites,
            hybrid_connections: self.hybrid_connections,
            conflicts,
        };
        (resources, warnings)
    }

    /// Lists what two files tell differently, of the kinds that decide where packets go.
    fn conflicts(&self) -> Vec<ConflictingExports> {
        let mut all = Vec::new();
        let mut add = |resource: ResourceId, conflict: Conflict| {
            let file = |index: usize| self.files[index].clone();
            all.push(ConflictingExports {
                resource,
                field: conflict.field,
                files: [file(conflict.first_file), file(conflict.second_file)],
            });
        };
        macro_rules! of_kinds {
            ($($kind:ident),*) => {$(
                for (id, conflict) in self.$kind.conflicts() {
                    add(id.clone(), conflict);
                }
            )*};
        }
        macro_rules! of_children {
            ($($children:ident, $parents:ident, $word:literal;)*) => {$(
                for (child, conflict) in self.$children.conflicts() {
                    let parent = self.$parents.key_of(child.parent).cloned().unwrap_or_default();
                    let name = child.name.as_deref().unwrap_or_default();
                    add(ResourceId::new(format!("{parent}/{}/{name}", $word)), conflict);
                }
            )*};
        }
        of_kinds!(virtual_networks);
        of_children!(
            subnets, virtual_networks, "subnets";
            peerings, virtual_networks, "virtualNetworkPeerings";
        );
        of_kinds!(route_tables);
        of_children!(routes, route_tables, "routes";);
        of_kinds!(
            network_interfaces,
            private_endpoints,
            gateways,
            local_network_gateways,
            connections,
            virtual_hubs,
            hub_connections,
            hub_route_tables,
            routing_intents,
            firewalls,
            firewall_policies,
            application_gateways,
            load_balancers
        );
        all
    }

    /// A VNet whose address space is not known would send its own traffic elsewhere: it is left out.
    fn take_virtual_networks(
        &mut self,
        warnings: &mut Vec<ResourceWarning>,
    ) -> Vec<VirtualNetwork> {
        let mut networks: Vec<_> =
            std::mem::take(&mut self.virtual_networks).into_keyed().collect();
        for (child, draft) in std::mem::take(&mut self.subnets).into_keyed() {
            let network = &mut networks[parent_of(child)].1.row;
            let mut subnet = draft.row;
            if subnet.header.id.is_empty() && !network.header.id.is_empty() {
                let name = &subnet.header.name;
                subnet.header.id = ResourceId::new(format!("{}/subnets/{name}", network.header.id));
            }
            network.subnets.push(subnet);
        }
        for (child, draft) in std::mem::take(&mut self.peerings).into_keyed() {
            networks[parent_of(child)].1.row.peerings.push(draft.row);
        }
        let mut complete = Vec::with_capacity(networks.len());
        for (key, draft) in networks {
            if draft.row.address_space.is_empty() {
                let id = key.unwrap_or_default();
                let name = id.segment_after("virtualNetworks").unwrap_or(&draft.row.header.name);
                warnings.push(ResourceWarning {
                    file: self.files[draft.file_index].clone(),
                    message: format!(
                        "no export tells the address space of the VNet `{name}`; it and its \
                         subnets are not used"
                    ),
                });
            } else {
                complete.push(draft.row);
            }
        }
        complete
    }

    fn take_route_tables(&mut self, warnings: &mut Vec<ResourceWarning>) -> Vec<UserRouteTable> {
        let mut tables: Vec<_> = std::mem::take(&mut self.route_tables).into_keyed().collect();
        let mut incomplete_count: BTreeMap<usize, u64> = BTreeMap::new();
        for (child, draft) in std::mem::take(&mut self.routes).into_keyed() {
            match draft.row.finish() {
                Some(route) => tables[parent_of(child)].1.row.routes.push(route),
                None => *incomplete_count.entry(draft.file_index).or_default() += 1,
            }
        }
        for (file_index, count) in incomplete_count {
            warnings.push(ResourceWarning {
                file: self.files[file_index].clone(),
                message: format!(
                    "{count} user-defined routes without a prefix or a next hop type are left out"
                ),
            });
        }
        // A table that is known by its routes alone has its name from their identifiers.
        let named = |(key, draft): (Option<ResourceId>, Draft<UserRouteTable>)| {
            let mut table = draft.row;
            if table.header.id.is_empty() {
                table.header.id = key.unwrap_or_default();
                let name = table.header.id.segment_after("routeTables").map(str::to_owned);
                table.header.name = name.unwrap_or(table.header.name);
            }
            table
        };
        tables.into_iter().map(named).collect()
    }

    /// Finds the subnet of a Route Server: the hub rarely tells it, but the subnet tells what lives
    /// in it.
    fn take_virtual_hubs(&mut self, networks: &[VirtualNetwork]) -> Vec<VirtualHub> {
        let subnet_of: HashMap<ResourceId, ResourceId> = self.hub_subnets.drain(..).collect();
        let server_subnets: Vec<&Subnet> = networks
            .iter()
            .flat_map(|network| &network.subnets)
            .filter(|subnet| subnet.header.name.eq_ignore_ascii_case("RouteServerSubnet"))
            .collect();
        let mut hubs = std::mem::take(&mut self.virtual_hubs).into_rows();
        for hub in &mut hubs {
            if hub.route_server_subnet.is_none() {
                hub.route_server_subnet = subnet_of.get(&hub.header.id).cloned();
            }
            if hub.route_server_subnet.is_none() && hub.virtual_wan.is_none() {
                let holds_it = |subnet: &&&Subnet| {
                    subnet.ip_configurations.iter().any(|id| id.is_within(&hub.header.id))
                };
                let subnet = server_subnets.iter().find(holds_it);
                hub.route_server_subnet = subnet.map(|subnet| subnet.header.id.clone());
            }
        }
        hubs
    }

    /// Tells each VPN site the hubs whose gateways connect to it; one row a hub.
    fn take_hub_branches(&mut self) -> Vec<HubBranch> {
        let mut hubs_of: HashMap<ResourceId, Vec<ResourceId>> = HashMap::new();
        let mut hub_of_gateway = HashMap::new();
        for (key, draft) in std::mem::take(&mut self.vpn_gateways).into_keyed() {
            let VpnGateway { hub, sites } = draft.row;
            for site in sites {
                add_once(hubs_of.entry(site).or_default(), &hub);
            }
            hub_of_gateway.extend(key.map(|key| (key, hub)));
        }
        for (gateway, site) in self.vpn_connections.drain(..) {
            if let Some(hub) = hub_of_gateway.get(&gateway) {
                add_once(hubs_of.entry(site).or_default(), hub);
            }
        }
        let mut branches = Vec::new();
        for branch in std::mem::take(&mut self.hub_branches).into_rows() {
            match hubs_of.get(&branch.header.id) {
                Some(hubs) if branch.hub.is_none() && !hubs.is_empty() => branches.extend(
                    hubs.iter().map(|hub| HubBranch { hub: Some(hub.clone()), ..branch.clone() }),
                ),
                _ => branches.push(branch),
            }
        }
        branches
    }

    fn take_sites(&mut self, warnings: &mut Vec<ResourceWarning>) -> Vec<Site> {
        let mut sites = std::mem::take(&mut self.sites);
        for (index, integration) in self.integrations.drain(..) {
            sites.get_mut(index).row.add_integration(integration);
        }
        for (file_index, owner, route_all) in self.route_all.drain(..) {
            let mut is_known = false;
            for site in sites.iter_mut().filter(|site| site.is_told() && owner.is(&site.row)) {
                site.row.add_route_all(Some(route_all));
                is_known = true;
            }
            if !is_known {
                warnings.push(ResourceWarning {
                    file: self.files[file_index].clone(),
                    message: format!(
                        "settings of the site `{}`, which no export holds",
                        owner.as_str()
                    ),
                });
            }
        }
        sites.into_rows().into_iter().map(SiteDraft::finish).collect()
    }
}

impl Owner {
    fn as_str(&self) -> &str {
        match self {
            Self::Id(id) => id.as_str(),
            Self::Name(name) => name,
        }
    }

    fn is(&self, site: &SiteDraft) -> bool {
        match self {
            Self::Id(id) => id == site.id(),
            Self::Name(name) => name.eq_ignore_ascii_case(site.name()),
        }
    }
}

fn parent_of(child: Option<Child>) -> usize {
    child.expect("every child was added with a key").parent
}

fn add_once(ids: &mut Vec<ResourceId>, id: &ResourceId) {
    if !id.is_empty() && !ids.contains(id) {
        ids.push(id.clone());
    }
}
