//! What `verify` says of small estates, by what they show.

mod app_service;
mod backend_pools;
mod gateway_transit;
mod lab;
mod private_link;
mod secured_hub;
