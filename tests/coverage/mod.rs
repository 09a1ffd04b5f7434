//! What `verify` says of small estates, by what they show.

mod app_service;
mod backend_pools;
mod damaged_evidence;
mod evidence_model;
mod evidence_windows;
mod firewalls_apart;
mod flow_log_settings;
mod gateway_transit;
mod inputs_joined;
mod lab;
mod private_link;
mod recorded_at_firewalls;
mod secured_hub;
mod snat;
mod two_hubs;
