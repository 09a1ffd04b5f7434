//! The faults that the computed tables show.

use super::Computed;
use super::topology::Topology;
use crate::azure::Settings;

pub(super) fn add(topology: &Topology<'_>, settings: &Settings, computed: &mut Computed) {
    let _ = (topology, settings, computed);
}
