//! `twin_flowlog SNAPSHOT FOLDER`: the naive twin of `nexthop classify` over the blobs below a folder.

#![forbid(unsafe_code)]

#[expect(dead_code, reason = "the other program uses the rest")]
#[path = "../mod.rs"]
mod twins;

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};

use twins::router::Router;
use twins::totals::Totals;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args_os().skip(1).map(PathBuf::from);
    let (Some(snapshot), Some(folder)) = (arguments.next(), arguments.next()) else {
        return Err("usage: twin_flowlog SNAPSHOT FOLDER".into());
    };
    let router = Router::load(&snapshot)?;
    let mut totals = Totals::default();
    add_below(&folder, &router, &mut totals)?;
    println!("{}", totals.to_json(&router));
    Ok(())
}

fn add_below(folder: &Path, router: &Router, totals: &mut Totals) -> Result<(), Box<dyn Error>> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            add_below(&path, router, totals)?;
        } else if path.extension().is_some_and(|extension| extension == "json") {
            twins::flow_log::classify(router, &fs::read(path)?, totals)?;
        }
    }
    Ok(())
}
