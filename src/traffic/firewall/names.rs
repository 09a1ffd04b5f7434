//! Texts that occur again and again, each stored once.

use std::collections::HashSet;
use std::sync::Arc;

/// Rules, firewalls and names of servers.
///
/// Logs repeat a few names millions of times; memory stays flat all the same where they do not.
#[derive(Debug, Default)]
pub(super) struct Names {
    known: HashSet<Arc<str>, ahash::RandomState>,
    bytes: usize,
}

impl Names {
    const BYTES_MAX: usize = 8 << 20;

    pub(super) fn intern(&mut self, name: &str) -> Arc<str> {
        if let Some(known) = self.known.get(name) {
            return Arc::clone(known);
        }
        if self.bytes > Self::BYTES_MAX {
            self.known.clear();
            self.bytes = 0;
        }
        let name: Arc<str> = name.into();
        // What an entry of the set costs beside its letters.
        self.bytes += name.len() + 64;
        self.known.insert(Arc::clone(&name));
        name
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_stored_once_and_the_store_is_bounded() {
        let mut names = Names::default();
        let first = names.intern("rule");
        assert!(Arc::ptr_eq(&first, &names.intern("rule")));
        let long = "n".repeat(1 << 20);
        for number in 0..20 {
            names.intern(&format!("{number}{long}"));
            assert!(names.bytes <= Names::BYTES_MAX + (2 << 20));
        }
        assert_eq!(&*first, "rule", "what was given out stays");
    }
}
