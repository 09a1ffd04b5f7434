//! Route tables compiled.

/// Many compiled tables.
#[derive(Debug)]
pub struct Fib {}
