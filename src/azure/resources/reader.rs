//! Exported documents → resources.

mod finish;

use std::collections::{BTreeMap, HashSet};
use std::net::IpAddr;

use super::draft::{Draft, Drafts};
use super::error::ResourceFileError;
use super::fields::{
    ConfigDraft, Fields, HubIpConfiguration, IntegrationDraft, RouteDraft, SettingDraft, SiteDraft,
    VpnConnection, VpnGateway,
};
use super::kind::{Found, Kind, kind_of};
use super::node::{Node, Step};
use super::types::*;
use crate::azure::file_name::stem;
use crate::azure::json::JsonValue;
use crate::net::AddressPrefix;

/// Reads exported resources, file by file, and puts together what several files tell of one.
///
/// Every shape is read that Azure's tools print: the Azure CLI's (without `properties`), the REST
/// API's (with them at every level, `value[]` or a single object), Azure Resource Graph's (a bare
/// list or `data[]`) and PowerShell's, also mixed in one file. Keys and identifiers are compared
/// without case, and `null` is as good as missing.
///
/// Of two exports of one resource the one that tells more fields is kept, and what only the other
/// tells is added. Subnets, peerings, routes and integrations that come as resources of their own
/// are added to what they belong to.
///
/// # Examples
///
/// ```
/// use nexthop::azure::resources::ResourceReader;
///
/// let mut reader = ResourceReader::default();
/// reader.read(
///     "networks.json",
///     r#"[{"id": "/subscriptions/s/resourceGroups/g/providers/Microsoft.Network/virtualNetworks/hub",
///         "addressSpace": {"addressPrefixes": ["10.0.0.0/16"]}}]"#,
/// )?;
/// reader.read(
///     "subnets.json",
///     r#"{"value": [{"id": "/subscriptions/s/resourceGroups/g/providers/Microsoft.Network/virtualNetworks/HUB/subnets/apps",
///         "properties": {"addressPrefix": "10.0.1.0/24"}}]}"#,
/// )?;
/// let (resources, warnings) = reader.finish();
/// assert_eq!(resources.virtual_networks[0].header.name, "hub");
/// assert_eq!(resources.virtual_networks[0].subnets[0].header.name, "apps");
/// assert!(warnings.is_empty());
///
/// let error = ResourceReader::default()
///     .read("hub.json", r#"{"addressSpace": {"addressPrefixes": ["10.0.0.0/61"]}}"#)
///     .unwrap_err();
/// assert!(error.to_string().starts_with("$.addressSpace.addressPrefixes[0]: "));
/// # Ok::<(), nexthop::azure::resources::ResourceFileError>(())
/// ```
#[derive(Debug, Default)]
pub struct ResourceReader {
    files: Vec<String>,
    used_count: u64,
    virtual_networks: Drafts<ResourceId, VirtualNetwork>,
    subnets: Drafts<Child, Subnet>,
    peerings: Drafts<Child, Peering>,
    route_tables: Drafts<ResourceId, UserRouteTable>,
    routes: Drafts<Child, RouteDraft>,
    network_interfaces: Drafts<ResourceId, NetworkInterface>,
    private_endpoints: Drafts<ResourceId, PrivateEndpoint>,
    gateways: Drafts<ResourceId, VirtualNetworkGateway>,
    local_network_gateways: Drafts<ResourceId, LocalNetworkGateway>,
    connections: Drafts<ResourceId, Connection>,
    learned_routes: Vec<LearnedRoute>,
    seen_routes: HashSet<(String, AddressPrefix, Option<IpAddr>, String)>,
    virtual_hubs: Drafts<ResourceId, VirtualHub>,
    hub_subnets: Vec<(ResourceId, ResourceId)>,
    hub_connections: Drafts<ResourceId, HubConnection>,
    hub_route_tables: Drafts<ResourceId, HubRouteTable>,
    routing_intents: Drafts<ResourceId, RoutingIntent>,
    hub_branches: Drafts<ResourceId, HubBranch>,
    vpn_gateways: Drafts<ResourceId, VpnGateway>,
    vpn_connections: Vec<(ResourceId, ResourceId)>,
    firewalls: Drafts<ResourceId, AzureFirewall>,
    firewall_policies: Drafts<ResourceId, FirewallPolicy>,
    flow_logs: Drafts<ResourceId, FlowLog>,
    application_gateways: Drafts<ResourceId, ApplicationGateway>,
    backend_health: Drafts<ResourceId, BackendHealth>,
    load_balancers: Drafts<ResourceId, LoadBalancer>,
    public_ip_addresses: Drafts<ResourceId, PublicIpAddress>,
    sites: Drafts<ResourceId, SiteDraft>,
    integrations: Vec<(usize, IntegrationDraft)>,
    route_all: Vec<(usize, Owner, bool)>,
    hybrid_connections: Vec<HybridConnection>,
}

/// What a file held.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ReadFile {
    /// How many resources and rows are used.
    pub used_count: u64,
    /// How many are not, by their type as it is written first.
    pub ignored_types: BTreeMap<String, u64>,
}

/// What was noticed in a file and is no error.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResourceWarning {
    /// The file, as it was named.
    pub file: String,
    /// What it is, for people.
    pub message: String,
}

/// A child of a resource.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Child {
    parent: usize,
    /// In lower case; none where it has none.
    name: Option<String>,
    /// Keeps children without a name apart.
    nth: usize,
}

/// Whose a row is that does not say it itself.
#[derive(Clone, Debug)]
enum Owner {
    Id(ResourceId),
    Name(String),
}

impl ResourceReader {
    /// Reads the resources of a JSON document; `file` names it in warnings, and its stem names the
    /// gateway or site of rows that do not say it.
    ///
    /// Cost: O(bytes) time; the document's tree is held meanwhile.
    ///
    /// # Errors
    ///
    /// [`ResourceFileError`] for what is no JSON, and for a value of the wrong shape: a prefix that
    /// is none, an address that is none, a text where a list belongs. What the reader holds is then
    /// incomplete.
    pub fn read(&mut self, file: &str, json: &str) -> Result<ReadFile, ResourceFileError> {
        let document = JsonValue::parse(json).map_err(|error| ResourceFileError::Json {
            line: error.line,
            column: error.column,
            message: error.message,
        })?;
        self.read_document(file, &document)
    }

    /// Returns true where nothing was found that decides routes.
    pub fn is_empty(&self) -> bool {
        self.used_count == 0
    }

    pub(in crate::azure) fn read_document(
        &mut self,
        file: &str,
        document: &JsonValue<'_>,
    ) -> Result<ReadFile, ResourceFileError> {
        self.files.push(file.to_owned());
        let mut reading = FileReading {
            file_index: self.files.len() - 1,
            reader: self,
            found: ReadFile::default(),
        };
        reading.walk(&Node::root(document), stem(file))?;
        let found = reading.found;
        self.used_count += found.used_count;
        Ok(found)
    }
}

/// The reading of one file.
struct FileReading<'r> {
    reader: &'r mut ResourceReader,
    file_index: usize,
    found: ReadFile,
}

impl FileReading<'_> {
    /// Reads what stands at a place, through whatever wraps it. `owner` is whose the rows are that
    /// do not say it.
    fn walk(&mut self, node: &Node<'_>, owner: &str) -> Step {
        if node.is_list() {
            return node.for_each(&mut |element| self.walk(element, owner));
        }
        if !node.is_object() {
            return Ok(());
        }
        if self.unwrap(node, owner)? {
            return Ok(());
        }
        match kind_of(node) {
            Found::Known(kind) => self.read(kind, node, owner),
            Found::OtherType(name) => {
                self.ignore(&name);
                Ok(())
            }
            Found::Unknown => Ok(()),
        }
    }

    /// Reads what an envelope holds: `value` is ARM's and PowerShell's, `data` that of Resource
    /// Graph, `properties.output` that of an asynchronous operation, and a Route Server answers with
    /// a list for each of its instances.
    fn unwrap(&mut self, node: &Node<'_>, owner: &str) -> Result<bool, ResourceFileError> {
        if node.own_text("type").is_some() {
            return Ok(false);
        }
        let named = ["gateway", "site", "id"].iter().find_map(|key| node.own_text(key));
        let owner = named.unwrap_or(owner);
        let mut is_envelope = false;
        for key in node.keys() {
            let is_wrapper = ["value", "data"].iter().any(|known| key.eq_ignore_ascii_case(known))
                || key
                    .get(.."RouteServiceRole_".len())
                    .is_some_and(|start| start.eq_ignore_ascii_case("RouteServiceRole_"));
            if is_wrapper
                && let Some(inner) = node.own(key)?
                && (inner.is_list() || inner.is_object())
            {
                is_envelope = true;
                self.walk(&inner, owner)?;
            }
        }
        if !is_envelope
            && let Some(output) = node.get("output")?
            && (output.is_list() || output.is_object())
        {
            is_envelope = true;
            self.walk(&output, owner)?;
        }
        Ok(is_envelope)
    }

    fn ignore(&mut self, type_name: &str) {
        let ignored = &mut self.found.ignored_types;
        match ignored.iter_mut().find(|(known, _)| known.eq_ignore_ascii_case(type_name)) {
            Some((_, count)) => *count += 1,
            None => {
                ignored.insert(type_name.to_owned(), 1);
            }
        }
    }

    fn read(&mut self, kind: Kind, node: &Node<'_>, owner: &str) -> Step {
        let file = self.file_index;
        let reader = &mut *self.reader;
        self.found.used_count += 1;
        match kind {
            Kind::VirtualNetwork => return self.virtual_network(node),
            Kind::Subnet => return self.subnet(node),
            Kind::Peering => return self.peering(node),
            Kind::RouteTable => return self.route_table(node),
            Kind::Route => return self.route(node),
            Kind::NetworkInterface => add(&mut reader.network_interfaces, node, file).map(drop)?,
            Kind::PrivateEndpoint => add(&mut reader.private_endpoints, node, file).map(drop)?,
            Kind::Gateway => add(&mut reader.gateways, node, file).map(drop)?,
            Kind::LocalNetworkGateway => {
                add(&mut reader.local_network_gateways, node, file).map(drop)?
            }
            Kind::Connection => add(&mut reader.connections, node, file).map(drop)?,
            Kind::VirtualHub => add(&mut reader.virtual_hubs, node, file).map(drop)?,
            Kind::HubConnection => add(&mut reader.hub_connections, node, file).map(drop)?,
            Kind::HubRouteTable => add(&mut reader.hub_route_tables, node, file).map(drop)?,
            Kind::RoutingIntent => add(&mut reader.routing_intents, node, file).map(drop)?,
            Kind::HubBranch => add(&mut reader.hub_branches, node, file).map(drop)?,
            Kind::VpnGateway => add(&mut reader.vpn_gateways, node, file).map(drop)?,
            Kind::Firewall => add(&mut reader.firewalls, node, file).map(drop)?,
            Kind::FirewallPolicy => add(&mut reader.firewall_policies, node, file).map(drop)?,
            Kind::FlowLog => add(&mut reader.flow_logs, node, file).map(drop)?,
            Kind::ApplicationGateway => {
                add(&mut reader.application_gateways, node, file).map(drop)?
            }
            Kind::LoadBalancer => add(&mut reader.load_balancers, node, file).map(drop)?,
            Kind::PublicIpAddress => add(&mut reader.public_ip_addresses, node, file).map(drop)?,
            Kind::Site => return self.site(node),
            Kind::HubIpConfiguration => {
                let subnet = HubIpConfiguration::read(node)?.subnet;
                let hub = above(&node.own_id(), "ipConfigurations");
                reader.hub_subnets.extend(hub.zip(subnet));
                return Ok(());
            }
            Kind::VpnConnection => {
                let site = VpnConnection::read(node)?.site;
                let gateway = above(&node.own_id(), "vpnConnections");
                reader.vpn_connections.extend(gateway.zip(site));
                return Ok(());
            }
            Kind::SiteIntegration => {
                let integration = IntegrationDraft::read(node)?;
                let site = above(&node.own_id(), "virtualNetworkConnections");
                if let Some(site) = site {
                    reader.integrations.push((reader.sites.index_of(site, file), integration));
                }
                return Ok(());
            }
            Kind::SiteConfig => {
                let route_all = ConfigDraft::read(node)?.route_all;
                let site = above(&node.own_id(), "config").map(Owner::Id);
                reader
                    .route_all
                    .extend(site.zip(route_all).map(|(site, route_all)| (file, site, route_all)));
                return Ok(());
            }
            Kind::AppSetting => {
                let route_all = SettingDraft::read(node)?.route_all();
                let site = Owner::of(owner);
                reader.route_all.extend(route_all.map(|route_all| (file, site, route_all)));
                return Ok(());
            }
            Kind::HybridConnection => {
                let id = node.own_id();
                let part = |kind| id.segment_after(kind).unwrap_or_default().to_owned();
                let connection = HybridConnection {
                    site: part("sites"),
                    relay: part("relays"),
                    host: node.text("hostname")?.unwrap_or_default(),
                };
                if !reader.hybrid_connections.contains(&connection) {
                    reader.hybrid_connections.push(connection);
                }
                return Ok(());
            }
            Kind::LearnedRoute => return self.learned_route(node, owner),
            Kind::BackendHealth => return self.backend_health(node),
        };
        Ok(())
    }

    fn virtual_network(&mut self, node: &Node<'_>) -> Step {
        let file = self.file_index;
        let index = add(&mut self.reader.virtual_networks, node, file)?;
        let subnets = &mut self.reader.subnets;
        each(node, "subnets", &mut |child| add_child(subnets, index, child, file))?;
        let peerings = &mut self.reader.peerings;
        each(node, "virtualNetworkPeerings", &mut |child| add_child(peerings, index, child, file))
    }

    fn route_table(&mut self, node: &Node<'_>) -> Step {
        let file = self.file_index;
        let index = add(&mut self.reader.route_tables, node, file)?;
        let routes = &mut self.reader.routes;
        each(node, "routes", &mut |child| add_child(routes, index, child, file))
    }

    fn subnet(&mut self, node: &Node<'_>) -> Step {
        let Some(id) = above(&node.own_id(), "subnets") else { return self.orphan("subnets") };
        let index = self.reader.virtual_networks.index_of(id, self.file_index);
        add_child(&mut self.reader.subnets, index, node, self.file_index)
    }

    fn peering(&mut self, node: &Node<'_>) -> Step {
        let kind = "virtualNetworkPeerings";
        let Some(id) = above(&node.own_id(), kind) else { return self.orphan(kind) };
        let index = self.reader.virtual_networks.index_of(id, self.file_index);
        add_child(&mut self.reader.peerings, index, node, self.file_index)
    }

    fn route(&mut self, node: &Node<'_>) -> Step {
        let Some(id) = above(&node.own_id(), "routes") else { return self.orphan("routes") };
        let index = self.reader.route_tables.index_of(id, self.file_index);
        add_child(&mut self.reader.routes, index, node, self.file_index)
    }

    /// Leaves out a child that does not say what it belongs to.
    fn orphan(&mut self, kind: &str) -> Step {
        self.leave_out(&format!("{kind} without an identifier"))
    }

    fn leave_out(&mut self, what: &str) -> Step {
        self.found.used_count -= 1;
        self.ignore(what);
        Ok(())
    }

    fn site(&mut self, node: &Node<'_>) -> Step {
        let index = add(&mut self.reader.sites, node, self.file_index)?;
        let integrations = &mut self.reader.integrations;
        each(node, "virtualNetworkConnections", &mut |child| {
            integrations.push((index, IntegrationDraft::read(child)?));
            Ok(())
        })
    }

    /// Instances of a gateway learn the same routes; each is kept once. What a gateway advertises is
    /// printed in the same columns, but its origin is a word of BGP's own.
    ///
    /// Source: published outputs of `az network vnet-gateway list-advertised-routes` (`Igp`,
    /// `Incomplete`) and of `list-learned-routes` (`Network`, `EBgp`, `IBgp`); no page lists the
    /// words.
    fn learned_route(&mut self, node: &Node<'_>, owner: &str) -> Step {
        let Some(prefix) = node.prefix("network")? else { return Ok(()) };
        let gateway = node.own_text("gateway").unwrap_or(owner).to_owned();
        let next_hop = node.address("nextHop")?;
        let origin = node.text("origin")?.unwrap_or_default();
        if ["igp", "incomplete"].iter().any(|word| origin.eq_ignore_ascii_case(word)) {
            return self.leave_out("routes that a gateway advertises");
        }
        let key = (gateway.to_ascii_lowercase(), prefix, next_hop, origin.to_ascii_lowercase());
        if self.reader.seen_routes.insert(key) {
            self.reader.learned_routes.push(LearnedRoute { gateway, prefix, next_hop, origin });
        }
        Ok(())
    }

    fn backend_health(&mut self, node: &Node<'_>) -> Step {
        let file = self.file_index;
        let health = &mut self.reader.backend_health;
        each(node, "backendAddressPools", &mut |pool| {
            let draft = Draft::<BackendHealth>::read(pool, file)?;
            let key = (!draft.row.pool.is_empty()).then(|| draft.row.pool.clone());
            health.add(key, draft);
            Ok(())
        })
    }
}

impl Owner {
    fn of(text: &str) -> Self {
        if text.contains('/') {
            Self::Id(ResourceId::new(text))
        } else {
            Self::Name(text.to_owned())
        }
    }
}

fn add<T: Fields>(
    drafts: &mut Drafts<ResourceId, T>,
    node: &Node<'_>,
    file_index: usize,
) -> Result<usize, ResourceFileError> {
    let draft = Draft::read(node, file_index)?;
    let id = node.own_id();
    Ok(drafts.add((!id.is_empty()).then_some(id), draft))
}

fn add_child<T: Fields>(
    drafts: &mut Drafts<Child, T>,
    parent: usize,
    node: &Node<'_>,
    file_index: usize,
) -> Step {
    let draft = Draft::read(node, file_index)?;
    let name = node.name()?.map(|name| name.to_lowercase());
    let nth = if name.is_some() { 0 } else { drafts.len() };
    drafts.add(Some(Child { parent, name, nth }), draft);
    Ok(())
}

fn each(node: &Node<'_>, path: &str, then: &mut dyn FnMut(&Node<'_>) -> Step) -> Step {
    match node.get(path)? {
        Some(list) => list.for_each(then),
        None => Ok(()),
    }
}

/// Returns the identifier above the last `/kind/` of one.
fn above(id: &ResourceId, kind: &str) -> Option<ResourceId> {
    let id = id.as_str().trim_end_matches('/');
    let mut slashes = id.rmatch_indices('/').map(|(at, _)| at);
    let (name, start) = (slashes.next()?, slashes.next()?);
    let is_kind = id[start + 1..name].eq_ignore_ascii_case(kind);
    is_kind.then(|| ResourceId::new(&id[..start]))
}
