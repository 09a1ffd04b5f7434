//! Hostile texts, where they are put, and what every output holds all the same.

pub mod fields;
pub mod outputs;
pub mod payloads;
