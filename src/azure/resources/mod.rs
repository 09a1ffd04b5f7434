//! Exported resources: typed rows of everything that decides routes.
//!
//! [`ResourceReader`] takes documents one by one. Each object is told by its type, else its
//! identifier, else its keys (`kind`); the table of its kind says which fields are read and how
//! (`fields`) from a place that knows its JSON path (`node`); and what several documents tell of
//! one resource is put together (`draft`).

mod draft;
mod error;
mod fields;
mod kind;
mod node;
mod reader;
#[cfg(test)]
mod tests;
mod types;

pub use error::{ResourceFileError, ResourceValueError};
pub use reader::{ReadFile, ResourceReader, ResourceWarning};
pub use types::*;
