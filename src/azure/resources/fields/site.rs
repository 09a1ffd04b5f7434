//! App Service sites, and the resources that tell more of them.

use super::fields;
use super::network::{not, told};
use crate::azure::resources::node::{Node, Told};
use crate::azure::resources::types::{ResourceId, Site};

/// A site, with every place that may say that all of its traffic enters the VNet.
#[derive(Debug, Default)]
pub(in crate::azure::resources) struct SiteDraft {
    site: Site,
    /// `outboundVnetRouting`, or `vnetRouteAllEnabled` of the site.
    property: Option<bool>,
    /// `vnetRouteAllEnabled` of `siteConfig`.
    config: Option<bool>,
}

fields!(SiteDraft, |node| {
    site.header.id = node.told_id(),
    site.header.name = node.name(),
    site.header.location = node.location(),
    site.integration_subnet = told(node.id("virtualNetworkSubnetId")),
    site.hosting_environment = told(node.id("hostingEnvironmentProfile")),
    property = told(routing(node)),
    config = told(node.flag("siteConfig/vnetRouteAllEnabled")),
});

/// A site's `config/web`, or its `config/appsettings`.
#[derive(Debug, Default)]
pub(in crate::azure::resources) struct ConfigDraft {
    pub(in crate::azure::resources) route_all: Option<bool>,
}

fields!(ConfigDraft, |node| {
    route_all = told(config(node)),
});

/// An app setting of a list.
#[derive(Debug, Default)]
pub(in crate::azure::resources) struct SettingDraft {
    name: String,
    route_all: Option<bool>,
}

fields!(SettingDraft, |node| {
    name = node.name(),
    route_all = told(setting(node, "value")),
});

/// A `virtualNetworkConnections` of a site.
#[derive(Debug, Default)]
pub(in crate::azure::resources) struct IntegrationDraft {
    target: Option<ResourceId>,
    is_gateway_required: bool,
}

fields!(IntegrationDraft, |node| {
    target = told(node.id("vnetResourceId")),
    is_gateway_required = not(node.flag("isSwift")),
});

/// The name of the app setting that sends all traffic into the VNet.
///
/// Source: Microsoft, "Environment variables and app settings in Azure App Service", §Networking
/// (read 2026-11-20).
pub(in crate::azure::resources) const ROUTE_ALL_SETTING: &str = "WEBSITE_VNET_ROUTE_ALL";

impl SiteDraft {
    pub(in crate::azure::resources) fn name(&self) -> &str {
        &self.site.header.name
    }

    pub(in crate::azure::resources) fn id(&self) -> &ResourceId {
        &self.site.header.id
    }

    /// Notes what another export tells of the site: true from any of them is true.
    pub(in crate::azure::resources) fn add_route_all(&mut self, route_all: Option<bool>) {
        self.config = any_of([self.config, route_all]);
    }

    pub(in crate::azure::resources) fn add_integration(&mut self, integration: IntegrationDraft) {
        let IntegrationDraft { target: Some(target), is_gateway_required } = integration else {
            return;
        };
        if is_gateway_required {
            self.site.gateway_required_virtual_network.get_or_insert(target);
        } else if target.segment_after("subnets").is_some() {
            self.site.integration_subnet.get_or_insert(target);
        }
    }

    pub(in crate::azure::resources) fn finish(self) -> Site {
        Site { route_all: any_of([self.property, self.config]), ..self.site }
    }
}

impl SettingDraft {
    /// Returns what the list's element says, if it is the setting that matters.
    pub(in crate::azure::resources) fn route_all(self) -> Option<bool> {
        self.name.eq_ignore_ascii_case(ROUTE_ALL_SETTING).then_some(self.route_all)?
    }
}

fn any_of<const N: usize>(told: [Option<bool>; N]) -> Option<bool> {
    told.into_iter().flatten().reduce(|a, b| a || b)
}

fn routing(node: &Node<'_>) -> Told<bool> {
    let told = [
        node.flag("outboundVnetRouting/allTraffic")?,
        node.flag("outboundVnetRouting/applicationTraffic")?,
        node.flag("vnetRouteAllEnabled")?,
    ];
    Ok(any_of(told))
}

fn config(node: &Node<'_>) -> Told<bool> {
    Ok(any_of([node.flag("vnetRouteAllEnabled")?, setting(node, ROUTE_ALL_SETTING)?]))
}

/// Reads an app setting, a text: `1` is on.
fn setting(node: &Node<'_>, path: &str) -> Told<bool> {
    Ok(node.text(path)?.map(|value| matches!(value.trim(), "1" | "true" | "True")))
}
