//! What is fuzzed, as plain functions: the fuzzer calls them, and so does a test that replays what
//! it found.
//!
//! The first bytes of an input pick options, the rest is read. Every target asserts more than "no
//! panic": the books balance, two ways to read give one result, what is written is read back, or a
//! fast engine equals the naive one.

mod capture;
mod firewall;
mod flow_log;
mod lpm;
mod routes;
mod settings;
mod traffic;

/// Reads an input, and panics where it finds a fault.
pub type Target = fn(&[u8]);

/// Every target, by its name.
pub const TARGETS: [(&str, Target); 9] = [
    ("capture_container", capture::container),
    ("pcapng_blocks", capture::pcapng_blocks),
    ("frame", capture::frame),
    ("flow_log_json", flow_log::json),
    ("firewall_log", firewall::log),
    ("effective_routes_text", routes::text),
    ("effective_routes_json", routes::json),
    ("settings_toml", settings::toml),
    ("lpm_equals_naive", lpm::equals_naive),
];

/// Runs one target.
///
/// # Panics
///
/// When there is no such target, and when it finds a fault.
pub fn run(target: &str, data: &[u8]) {
    let found = TARGETS.iter().find(|(name, _)| *name == target);
    let (_, run) = found.unwrap_or_else(|| panic!("there is no target `{target}`"));
    run(data);
}

/// Takes the bytes that pick options; an input without them says nothing.
fn options<const N: usize>(data: &[u8]) -> Option<([u8; N], &[u8])> {
    data.split_first_chunk().map(|(options, rest)| (*options, rest))
}
