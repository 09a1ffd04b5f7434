//! One suite for every engine.
//!
//! A case is routes and answers worked out by hand. Beyond those, each engine must equal the naive
//! table at the edges of every prefix and one address to either side of them, in single lookups
//! and in a batch.

use super::address::Address;
use super::engine::Engine;
use super::kernel::Isa;
use super::naive::NaiveTable;
use super::table::Route;
use crate::net::AddressPrefix;

/// Instantiates the suite for an engine: a module name, the type of address, and a closure from
/// routes to the boxed engine.
macro_rules! conformance {
    ($module:ident, $address:ty, $compile:expr) => {
        mod $module {
            use super::*;

            $crate::lpm::conformance::conformance!(@tests $address, $compile,
                empty_table
                default_route
                host_routes
                nested_prefixes
                adjacent_siblings
                ends_of_the_address_space
                greatest_value
                host_bits
                hole_punching
                duplicates
                every_length
                every_length_with_equal_values
            );
        }
    };
    (@tests $address:ty, $compile:expr, $($test:ident)*) => {$(
        #[test]
        fn $test() {
            $crate::lpm::conformance::$test::<$address>($compile);
        }
    )*};
}
pub(super) use conformance;

pub(super) type Compile<A> = fn(&[Route]) -> Box<dyn Engine<A>>;

pub(super) fn empty_table<A: Address>(compile: Compile<A>) {
    check(
        compile,
        &[],
        &[("0.0.0.0", 0), ("10.0.0.1", 0), ("255.255.255.255", 0), ("::", 0), ("fd00::1", 0)],
    );
}

pub(super) fn default_route<A: Address>(compile: Compile<A>) {
    check(
        compile,
        &[("0.0.0.0/0", 7), ("::/0", 8)],
        &[("0.0.0.0", 7), ("127.255.255.255", 7), ("255.255.255.255", 7), ("::", 8), ("f::", 8)],
    );
}

pub(super) fn host_routes<A: Address>(compile: Compile<A>) {
    check(
        compile,
        &[("10.0.0.4", 1), ("10.0.0.6", 2), ("10.0.0.7", 3), ("fd00::4", 4), ("fd00::5", 5)],
        &[
            ("10.0.0.3", 0),
            ("10.0.0.4", 1),
            ("10.0.0.5", 0),
            ("10.0.0.6", 2),
            ("10.0.0.7", 3),
            ("10.0.0.8", 0),
            ("fd00::3", 0),
            ("fd00::4", 4),
            ("fd00::5", 5),
            ("fd00::6", 0),
        ],
    );
}

pub(super) fn nested_prefixes<A: Address>(compile: Compile<A>) {
    check(
        compile,
        &[
            ("10.1.2.0/24", 3),
            ("10.0.0.0/8", 1),
            ("10.1.2.128/25", 4),
            ("10.1.0.0/16", 2),
            ("10.1.2.200", 5),
            ("fd00::/8", 1),
            ("fd00:0:0:1::/64", 3),
            ("fd00::/48", 2),
            ("fd00:0:0:1::8/125", 4),
        ],
        &[
            ("10.0.255.255", 1),
            ("10.1.0.0", 2),
            ("10.1.2.127", 3),
            ("10.1.2.128", 4),
            ("10.1.2.199", 4),
            ("10.1.2.200", 5),
            ("10.1.2.201", 4),
            ("10.1.3.0", 2),
            ("10.2.0.0", 1),
            ("11.0.0.0", 0),
            ("fd00:0:1::", 1),
            ("fd00::ffff", 2),
            ("fd00:0:0:1::7", 3),
            ("fd00:0:0:1::8", 4),
            ("fd00:0:0:1::f", 4),
            ("fd00:0:0:1::10", 3),
            ("fe00::", 0),
        ],
    );
}

pub(super) fn adjacent_siblings<A: Address>(compile: Compile<A>) {
    check(
        compile,
        &[
            ("10.0.0.0/25", 1),
            ("10.0.0.128/25", 2),
            ("10.0.1.0/24", 2),
            ("10.0.2.0/23", 1),
            ("fd00::/65", 1),
            ("fd00:0:0:0:8000::/65", 2),
            ("fd00:0:0:1::/64", 2),
        ],
        &[
            ("9.255.255.255", 0),
            ("10.0.0.127", 1),
            ("10.0.0.128", 2),
            ("10.0.1.255", 2),
            ("10.0.2.0", 1),
            ("10.0.4.0", 0),
            ("fd00::7fff:ffff:ffff:ffff", 1),
            ("fd00::8000:0:0:0", 2),
            ("fd00:0:0:1:ffff:ffff:ffff:ffff", 2),
            ("fd00:0:0:2::", 0),
        ],
    );
}

pub(super) fn ends_of_the_address_space<A: Address>(compile: Compile<A>) {
    check(
        compile,
        &[
            ("0.0.0.0", 1),
            ("0.0.0.0/31", 2),
            ("255.255.255.255", 3),
            ("255.255.255.254/31", 4),
            ("::", 1),
            ("::/127", 2),
            ("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", 3),
            ("ffff:ffff:ffff:ffff:ffff:ffff:ffff:fffe/127", 4),
        ],
        &[
            ("0.0.0.0", 1),
            ("0.0.0.1", 2),
            ("0.0.0.2", 0),
            ("255.255.255.253", 0),
            ("255.255.255.254", 4),
            ("255.255.255.255", 3),
            ("::", 1),
            ("::1", 2),
            ("::2", 0),
            ("ffff:ffff:ffff:ffff:ffff:ffff:ffff:fffd", 0),
            ("ffff:ffff:ffff:ffff:ffff:ffff:ffff:fffe", 4),
            ("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", 3),
        ],
    );
}

pub(super) fn greatest_value<A: Address>(compile: Compile<A>) {
    check(
        compile,
        &[
            ("0.0.0.0/0", 65_534),
            ("10.0.0.0/8", 65_535),
            ("10.0.0.1", 65_533),
            ("::/0", 65_534),
            ("fd00::/64", 65_535),
            ("fd00::1", 65_533),
        ],
        &[
            ("9.255.255.255", 65_534),
            ("10.0.0.0", 65_535),
            ("10.0.0.1", 65_533),
            ("10.0.0.2", 65_535),
            ("fd00::", 65_535),
            ("fd00::1", 65_533),
            ("fd00:0:0:1::", 65_534),
        ],
    );
}

pub(super) fn host_bits<A: Address>(compile: Compile<A>) {
    check(
        compile,
        &[("10.1.2.3/8", 1), ("10.1.2.3/30", 2), ("fd00::f/125", 3)],
        &[
            ("10.0.0.0", 1),
            ("10.1.1.255", 1),
            ("10.1.2.0", 2),
            ("10.1.2.4", 1),
            ("fd00::7", 0),
            ("fd00::8", 3),
            ("fd00::10", 0),
        ],
    );
}

pub(super) fn hole_punching<A: Address>(compile: Compile<A>) {
    // The inner prefix brings back what is around the middle one, from inside it.
    check(
        compile,
        &[
            ("0.0.0.0/0", 1),
            ("10.0.0.0/8", 2),
            ("10.64.0.0/10", 1),
            ("10.64.0.1", 2),
            ("::/0", 1),
            ("fd00::/64", 2),
            ("fd00::4000:0:0:0/66", 1),
            ("fd00::4000:0:0:1", 2),
        ],
        &[
            ("10.63.255.255", 2),
            ("10.64.0.0", 1),
            ("10.64.0.1", 2),
            ("10.64.0.2", 1),
            ("10.127.255.255", 1),
            ("10.128.0.0", 2),
            ("11.0.0.0", 1),
            ("fd00::3fff:ffff:ffff:ffff", 2),
            ("fd00::4000:0:0:0", 1),
            ("fd00::4000:0:0:1", 2),
            ("fd00::4000:0:0:2", 1),
            ("fd00::8000:0:0:0", 2),
            ("fd00:0:0:1::", 1),
        ],
    );
}

pub(super) fn duplicates<A: Address>(compile: Compile<A>) {
    check(
        compile,
        &[
            ("10.0.0.0/8", 3),
            ("10.1.0.0/16", 4),
            ("fd00::/8", 5),
            ("10.0.0.0/8", 2),
            ("10.0.0.9/8", 1),
            ("fd00::/8", 6),
            ("10.1.0.0/16", 2),
        ],
        &[("10.0.0.0", 1), ("10.1.0.0", 2), ("10.2.0.0", 1), ("fd00::", 6)],
    );
}

/// A prefix of each length, one inside the other, around an address with both kinds of bits.
pub(super) fn every_length<A: Address>(compile: Compile<A>) {
    check_routes(compile, &nest::<A>(|length| u16::from(length) + 1), &[]);
}

/// As before, with few values: what is merged must come apart at the right places.
pub(super) fn every_length_with_equal_values<A: Address>(compile: Compile<A>) {
    for divisor in [1, 2, 3, 7] {
        check_routes(compile, &nest::<A>(|length| u16::from(length / divisor) % 2 + 1), &[]);
    }
}

fn check<A: Address>(compile: Compile<A>, routes: &[(&str, u16)], answers: &[(&str, u16)]) {
    let routes: Vec<Route> =
        routes.iter().map(|&(prefix, value)| (prefix.parse().expect(prefix), value)).collect();
    check_routes(compile, &routes, answers);
}

pub(super) fn check_routes<A: Address>(
    compile: Compile<A>,
    routes: &[Route],
    answers: &[(&str, u16)],
) {
    let engine = compile(routes);
    let answers = answers.iter().filter_map(|&(address, value)| {
        let ip = address.parse().expect(address);
        Some((A::of(ip)?, value))
    });
    let naive = NaiveTable::compile(routes);
    let edges = edges::<A>(routes)
        .into_iter()
        .map(|address| (address, naive.lookup(address.into_ip()).unwrap_or(0)));
    let (addresses, want): (Vec<A>, Vec<u16>) = answers.chain(edges).unzip();
    for (&address, &want) in addresses.iter().zip(&want) {
        assert_eq!(engine.lookup(address), want, "{} of {routes:?}", address.into_ip());
    }
    for isa in Isa::available() {
        // An odd value before the call: one that the engine leaves alone would show.
        let mut values = vec![0xBEEF; addresses.len()];
        engine.lookup_batch(isa, &addresses, &mut values);
        assert_eq!(values, want, "in a batch, {isa:?}, {routes:?}");
    }
}

/// Returns the first and last address of each prefix, and their neighbours outside.
fn edges<A: Address>(routes: &[Route]) -> Vec<A> {
    let mut edges = vec![A::ZERO, A::ZERO.last_of_block(0)];
    for (prefix, _) in routes {
        let (Some(first), Some(last)) = (A::of(prefix.address()), A::of(prefix.last_address()))
        else {
            continue;
        };
        edges.extend([first, last]);
        edges.extend(first.previous());
        edges.extend(last.next());
    }
    edges
}

fn nest<A: Address>(value: impl Fn(u8) -> u16) -> Vec<Route> {
    let centre = A::from_slot(0xA5C3_5AB1, 0, 32)
        | A::from_slot(0x69B4_2D17, A::BITS / 2, 32)
        | A::from_slot(0x5, A::BITS - 4, 4);
    let length_max = u8::try_from(A::BITS).expect("32 or 128");
    (0..=length_max)
        .map(|length| {
            let prefix = AddressPrefix::new(centre.into_ip(), length).expect("within the family");
            (prefix, value(length))
        })
        .collect()
}
