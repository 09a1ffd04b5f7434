//! `twin_capture SNAPSHOT CAPTURE`: the naive twin of `nexthop classify` over a classic pcap.

#![forbid(unsafe_code)]

#[expect(dead_code, reason = "the other program uses the rest")]
#[path = "../mod.rs"]
mod twins;

use std::error::Error;
use std::fs::File;
use std::io::BufReader;
use std::path::PathBuf;

use twins::router::Router;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args_os().skip(1).map(PathBuf::from);
    let (Some(snapshot), Some(capture)) = (arguments.next(), arguments.next()) else {
        return Err("usage: twin_capture SNAPSHOT CAPTURE".into());
    };
    let router = Router::load(&snapshot)?;
    let totals = twins::capture::classify(&router, BufReader::new(File::open(capture)?))?;
    println!("{}", totals.to_json(&router));
    Ok(())
}
