//! Packets and files built by hand, and what they must give.

mod build;
mod containers;
mod fixed;
mod frames;
