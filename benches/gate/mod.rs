//! What the gate of speed is made of: the paths that are counted, the counting, and the comparison.

pub mod baseline;
pub mod callgrind;
pub mod paths;
