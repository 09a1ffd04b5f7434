//! What Azure exported: a snapshot folder → typed rows of effective routes and the settings beside
//! them.

mod effective_route;
pub mod effective_routes;
mod encoding;
mod json;
mod service_tags;
mod word;

pub use effective_route::{
    EffectiveRoute, NextHopIps, NextHopType, RouteDestination, RouteSource, RouteState,
};
pub use service_tags::ServiceTags;
