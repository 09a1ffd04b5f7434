//! What `replay` says of small estates, by what they show.

mod command;
mod gateway_transit;
mod lab;
mod moved_target;
mod private_link;
mod twin;
mod verdicts;
#[allow(dead_code, reason = "verifications are held by another test program")]
#[path = "../coverage/lab.rs"]
mod verify_lab;
