//! Longest-prefix match: address → small integer.
