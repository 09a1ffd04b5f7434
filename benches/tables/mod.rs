//! The tables that lookups are measured on.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use flate2::read::MultiGzDecoder;
use nexthop::lpm::Route;
use nexthop::lpm::sample::{self, Random};

/// A named set of routes.
pub struct Table {
    pub name: &'static str,
    pub is_ipv4: bool,
    pub routes: Vec<Route>,
}

/// Returns the published tables where `NEXTHOP_CORPUS` names them, else generated ones of about
/// the same sizes; and one of an Azure subnet.
pub fn tables() -> Vec<Table> {
    let table = |name, is_ipv4, routes| Table { name, is_ipv4, routes };
    let azure = sample::azure_tables(1, 1).remove(0);
    match std::env::var_os("NEXTHOP_CORPUS") {
        Some(folder) => {
            let folder = Path::new(&folder).join("prefixes");
            let read = |name: &str| read_routes(&folder.join(name));
            vec![
                table("bgp4", true, read("bgp4.txt.gz")),
                table("tags4", true, read("tags4.txt.gz")),
                table("azure300", true, azure),
                table("bgp6", false, read("bgp6.txt.gz")),
                table("tags6", false, read("tags6.txt.gz")),
            ]
        }
        None => {
            eprintln!("NEXTHOP_CORPUS is not set: generated tables instead of published ones");
            vec![
                table("internet4", true, sample::internet_routes(900_000, 1)),
                table("azure300", true, azure),
                table("internet6", false, sample::internet_routes_v6(160_000, 1)),
            ]
        }
    }
}

/// Reads prefixes, one a line, and gives them next hops from 1 to 120.
fn read_routes(path: &Path) -> Vec<Route> {
    let file = File::open(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let mut text = String::new();
    MultiGzDecoder::new(file).read_to_string(&mut text).expect("a gzip file of text");
    let mut random = Random::new(120);
    text.lines().map(|line| (line.parse().expect(line), 1 + random.below(120) as u16)).collect()
}
