//! `nexthop`: where did Azure's routing send this recorded flow?

pub mod net;

pub mod azure;
pub mod classify;
pub mod fib;
pub mod lpm;
pub mod routing;
pub mod traffic;

pub mod report;

#[cfg(feature = "generate")]
pub mod generate;

#[cfg(feature = "cli")]
pub mod cli;
