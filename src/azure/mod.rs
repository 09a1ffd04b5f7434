//! What Azure exported: a snapshot folder → typed rows of effective routes, the resources that
//! decide them, and the settings beside them.

mod effective_route;
pub mod effective_routes;
mod encoding;
mod file_name;
mod json;
pub mod resources;
mod service_tags;
mod settings;
mod snapshot;
mod word;

pub use effective_route::{
    EffectiveRoute, NextHopIps, NextHopType, RouteDestination, RouteSource, RouteState,
};
pub use service_tags::ServiceTags;
pub(crate) use service_tags::rank as service_tag_rank;
pub use settings::{
    FirewallSetting, HostSetting, PrefixName, ServiceEndpointPriority, Settings, SettingsError,
    SiteSetting, SystemNoneProfile, TableSetting, TableSource, TableSourceError,
};
pub use snapshot::{
    ExportedTable, IgnoredFile, SETTINGS_FILE, ServiceTagFileError, Snapshot, SnapshotError,
    SnapshotWarning, load_snapshot,
};
