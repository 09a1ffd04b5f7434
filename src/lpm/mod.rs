//! Longest-prefix match: address → small integer.
//!
//! In come pairs of address prefix and value; out comes an immutable table that answers, for any
//! address, with the value of the longest prefix that holds it, or 0 where none does. What the
//! values mean is the caller's business: nothing here knows what a route leads to.
//!
//! ```text
//!              sort, flatten            emit
//!   routes ──────────────────▶ ranges ─────────▶ poptrie │ DIR-24-8 │ binary search
//!      │
//!      └───────────────────────────────────────▶ naive
//! ```
//!
//! All of it does what the ten lines of [`NaiveTable::lookup`] do; read those first. They are the
//! oracle of every test here. [`LpmTable`] is the one to use: it picks an engine ([`LpmKind`]).
//! [`RangeTable`] holds 32-bit values, for those who ask *which* of a million routes matched.
//!
//! Two rules hold in every engine:
//!
//! * Where one prefix occurs twice in the input, **the last one wins**.
//! * The families are apart: an IPv4-mapped IPv6 address (`::ffff:10.0.0.1`) is looked up among
//!   the IPv6 prefixes.
//!
//! With `n` routes, `r ≤ 2n + 1` merged ranges and `w` bits in an address (32 or 128):
//!
//! | engine | compile | lookup, dependent loads | memory |
//! |---|---|---|---|
//! | naive | O(n) | n | 20 B a route (or so) |
//! | poptrie | O(n log n + r w) | 1 to 2 + ⌈(w − s) / 6⌉ | 4 B × 2^s (s by size, at most 1 MiB), 24 B a node, 2 B a leaf |
//! | DIR-24-8 (IPv4) | O(n log n + 2^24) | 1 or 2 | 32 MiB (64 MiB when values and groups overflow 16 bits), 512 B a /24 with longer prefixes |
//! | ranges | O(n log n) | log2 r | 12 B (IPv4) or 24 B (IPv6) a range |

mod address;
mod blocks;
#[cfg(test)]
mod conformance;
mod dir16_8_8;
mod dir24_8;
mod engine;
mod error;
mod forest;
mod forest_layout;
mod kernel;
mod kernel_dir;
mod kernel_forest;
mod kernel_poptrie;
mod kernel_tree;
mod naive;
mod poptrie;
mod range_table;
mod range_tree;
mod ranges;
pub mod sample;
mod table;

pub use engine::LpmKind;
pub use error::CompileError;
pub use forest::{LpmForest, LpmForestBuilder};
pub use naive::NaiveTable;
pub use range_table::RangeTable;
pub use table::{LpmTable, Route};

/// Returns the instructions that batches are looked up with on this machine.
///
/// # Examples
///
/// ```
/// assert!(["portable", "AVX2"].contains(&nexthop::lpm::instructions()));
/// ```
pub fn instructions() -> &'static str {
    kernel::Isa::best().as_str()
}
