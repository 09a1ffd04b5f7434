//! The naive twin of `nexthop classify` for captures, as a program of its own: prints the totals.
//!
//! `twin_capture SNAPSHOT CAPTURE`; see `benches/README.md`.

#![forbid(unsafe_code)]

#[path = "../benches/twins/mod.rs"]
#[expect(dead_code, reason = "the other example uses the rest")]
mod twins;

use std::fs::File;
use std::io::BufReader;
use std::path::PathBuf;

use twins::router::Router;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args_os().skip(1).map(PathBuf::from);
    let (Some(snapshot), Some(capture)) = (arguments.next(), arguments.next()) else {
        return Err("usage: twin_capture SNAPSHOT CAPTURE".into());
    };
    let router = Router::load(&snapshot)?;
    let totals = twins::capture::classify(&router, BufReader::new(File::open(capture)?))?;
    println!("{}", totals.to_json(&router));
    Ok(())
}
