//! What Azure exported: a snapshot folder → typed rows of effective routes and the settings beside
//! them.

mod effective_route;

pub use effective_route::{
    EffectiveRoute, NextHopIps, NextHopType, RouteDestination, RouteSource, RouteState,
};
