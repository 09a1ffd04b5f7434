//! The naive twin of `nexthop classify` for flow logs, as a program of its own: prints the totals.
//!
//! `twin_flowlog SNAPSHOT FOLDER`; see `benches/README.md`.

#![forbid(unsafe_code)]

#[path = "../benches/twins/mod.rs"]
#[expect(dead_code, reason = "the other example uses the rest")]
mod twins;

use std::fs;
use std::path::PathBuf;

use twins::router::Router;
use twins::totals::Totals;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args_os().skip(1).map(PathBuf::from);
    let (Some(snapshot), Some(folder)) = (arguments.next(), arguments.next()) else {
        return Err("usage: twin_flowlog SNAPSHOT FOLDER".into());
    };
    let router = Router::load(&snapshot)?;
    let mut totals = Totals::default();
    let mut folders = vec![folder];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder)? {
            let path = entry?.path();
            if path.is_dir() {
                folders.push(path);
            } else {
                twins::flow_log::classify(&router, &fs::read(path)?, &mut totals)?;
            }
        }
    }
    println!("{}", totals.to_json(&router));
    Ok(())
}
