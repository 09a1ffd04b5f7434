//! Measures nexthop's longest-prefix match beside other implementations, on the same tables and
//! streams, and prints the ratios.
//!
//! All sides take turns in one run: of each round the time of a pass is set against nexthop's in
//! the same round, and the median of those ratios counts. Time is the thread's own. The speeds
//! beside the ratios are those of the fastest of each chunk of a pass, which is about what a quiet
//! machine would show. Every side's answers are added up outside the clock, and must be those that
//! a map gives when it is asked for each prefix length in turn.
//!
//!     lpm-peers FOLDER [--rounds N] [--table NAME] [--without WORD] [--dpdk PROGRAM] [--poptrie PROGRAM]
//!
//! `--without`, as often as it is given, leaves out what has the word in its name.

use std::collections::HashMap;
use std::error::Error;
use std::fs;
use std::hint::black_box;
use std::io::{BufRead, BufReader, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use ipnet::{Ipv4Net, Ipv6Net};
use nexthop::lpm::sample::{self, Random, Stream, checksum};
use nexthop::lpm::{LpmForest, LpmKind, LpmTable, RangeTable, Route};
use nexthop::net::AddressPrefix;

#[path = "../../tables/mod.rs"]
mod tables;

const LOOKUP_COUNT: usize = 1 << 20;
const BURST: usize = 256;
const CHUNK: usize = 65_536;

fn main() -> Result<(), Box<dyn Error>> {
    let options = Options::parse()?;
    fs::create_dir_all(&options.folder)?;
    for table in tables::tables() {
        if options.table.as_deref().is_none_or(|only| only == table.name) {
            let (sides, want) =
                if table.is_ipv4 { sides_v4(&table, &options)? } else { sides_v6(&table, &options)? };
            let title = format!("{}: {} routes", table.name, table.routes.len());
            measure(&title, &Stream::ALL.map(Stream::as_str), sides, &want, &options);
        }
    }
    for (name, table_count) in [("forest1000", 1_000), ("forest10000", 10_000)] {
        if options.table.as_deref().is_none_or(|only| only == name) {
            let (sides, want) = sides_of_many(table_count)?;
            let title = format!("{table_count} tables of {} routes", sample::AZURE_ROUTE_COUNT);
            measure(&title, &["random table", "runs of 64"], sides, &want, &options);
        }
    }
    Ok(())
}

struct Options {
    folder: PathBuf,
    rounds: usize,
    table: Option<String>,
    without: Vec<String>,
    dpdk: Option<PathBuf>,
    poptrie: Option<PathBuf>,
}

impl Options {
    fn parse() -> Result<Self, Box<dyn Error>> {
        let mut arguments = std::env::args().skip(1);
        let folder = arguments.next().ok_or("usage: lpm-peers FOLDER [OPTION VALUE]…")?.into();
        let mut options =
            Self { folder, rounds: 7, table: None, without: vec![], dpdk: None, poptrie: None };
        while let Some(name) = arguments.next() {
            let value = arguments.next().ok_or_else(|| format!("{name} takes a value"))?;
            match name.as_str() {
                "--rounds" => options.rounds = value.parse()?,
                "--table" => options.table = Some(value),
                "--without" => options.without.push(value),
                "--dpdk" => options.dpdk = Some(value.into()),
                "--poptrie" => options.poptrie = Some(value.into()),
                _ => return Err(format!("{name}: no such option").into()),
            }
        }
        Ok(options)
    }

    fn wants(&self, name: &str) -> bool {
        !self.without.iter().any(|word| name.contains(word.as_str()))
    }
}

/// One implementation with its table built.
struct Side {
    name: String,
    build_seconds: f64,
    memory_bytes: Option<usize>,
    /// Passes over the numbered stream: seconds of each chunk, and checksum.
    pass: Box<dyn FnMut(usize) -> (Vec<f64>, u64)>,
}

fn measure(title: &str, streams: &[&str], mut sides: Vec<Side>, want: &[u64], options: &Options) {
    let mut speeds = vec![Vec::new(); sides.len()];
    let mut ratios = vec![Vec::new(); sides.len()];
    for (stream, want) in want.iter().enumerate() {
        let mut seconds = vec![Vec::new(); sides.len()];
        for _ in 0..options.rounds {
            for (side, seconds) in sides.iter_mut().zip(&mut seconds) {
                let (elapsed, sum) = (side.pass)(stream);
                assert_eq!(sum, *want, "{} is wrong on {}", side.name, streams[stream]);
                seconds.push(elapsed);
            }
        }
        for (index, own) in seconds.iter().enumerate() {
            speeds[index].push(LOOKUP_COUNT as f64 / fastest(own) / 1e6);
            let sum = |chunks: &Vec<f64>| chunks.iter().sum::<f64>();
            let to_first = own.iter().zip(&seconds[0]).map(|(own, first)| sum(own) / sum(first));
            ratios[index].push(median(to_first.collect()));
        }
    }
    println!("\n## {title}\n\nLookups: {}.\n", streams.join(" / "));
    println!("| implementation | M lookups/s | nexthop is × | build ms | MB |\n|---|---|---|---|---|");
    for ((side, speeds), ratios) in sides.iter().zip(&speeds).zip(&ratios) {
        let joined = |numbers: &[f64], digits| {
            let texts: Vec<_> = numbers.iter().map(|number| format!("{number:.digits$}")).collect();
            texts.join(" / ")
        };
        println!(
            "| {} | {} | {} | {:.1} | {} |",
            side.name,
            joined(speeds, 0),
            joined(ratios, 2),
            side.build_seconds * 1e3,
            side.memory_bytes.map_or("".into(), |bytes| format!("{:.2}", bytes as f64 / 1e6)),
        );
    }
}

/// Adds up the fastest of each chunk.
fn fastest(passes: &[Vec<f64>]) -> f64 {
    let chunks = 0..passes[0].len();
    chunks.map(|chunk| passes.iter().map(|pass| pass[chunk]).fold(f64::MAX, f64::min)).sum()
}

fn median(mut numbers: Vec<f64>) -> f64 {
    numbers.sort_by(f64::total_cmp);
    numbers[numbers.len() / 2]
}

type Sides = (Vec<Side>, Vec<u64>);

fn sides_v4(table: &tables::Table, options: &Options) -> Result<Sides, Box<dyn Error>> {
    let streams: Vec<Vec<u32>> =
        Stream::ALL.map(|stream| stream.addresses_v4(&table.routes, LOOKUP_COUNT, 7)).into();
    let want = streams.iter().map(|stream| {
        ordered(&table.routes, stream.iter().map(|&address| Ipv4Addr::from(address).into()))
    });
    let want = want.collect();
    let mut sides = vec![];
    for kind in kinds(LpmTable::compile(&table.routes)?.kind(), &V4_KINDS) {
        sides.push(nexthop(kind, &table.routes, streams.clone(), LpmTable::lookup_v4_batch)?);
    }

    if options.wants("prefix-trie") {
        let begun = thread_seconds();
        let mut map = prefix_trie::PrefixMap::<Ipv4Net, u16>::new();
        for (prefix, value) in &table.routes {
            if let IpAddr::V4(address) = prefix.address() {
                map.insert(Ipv4Net::new(address, prefix.length())?, *value);
            }
        }
        sides.push(one_by_one("prefix-trie", begun, streams.clone(), move |address: u32| {
            let host = Ipv4Net::new(address.into(), 32).expect("a host");
            map.get_lpm(&host).map_or(0, |(_, value)| *value)
        }));
    }
    // Its build is quadratic: minutes for the Internet's table, and the slowest lookups of all then.
    if table.routes.len() < 100_000 && options.wants("poptrie (crate)") {
        let begun = thread_seconds();
        let mut trie = poptrie::Poptrie::<(u32, u8), u16>::new();
        for (prefix, value) in &table.routes {
            if let IpAddr::V4(address) = prefix.address() {
                trie.insert((address.to_bits(), prefix.length()), *value);
            }
        }
        sides.push(one_by_one("poptrie (crate)", begun, streams.clone(), move |address: u32| {
            trie.lookup(address).copied().unwrap_or(0)
        }));
    }

    let files = write_files(table, options, streams.iter().map(|stream| {
        stream.iter().flat_map(|address| address.to_ne_bytes()).collect()
    }))?;
    if let Some(program) = &options.poptrie {
        sides.push(child("poptrie (C, s=18)", program, None, &files)?);
    }
    if let Some(program) = &options.dpdk {
        // A next hop and a group of 256 take one number of 7 bits: few tables fit.
        let groups: std::collections::HashSet<_> = table.routes.iter().filter_map(|(prefix, _)| {
            let group = AddressPrefix::new(prefix.address(), 24).ok()?;
            (prefix.length() > 24).then_some(group)
        }).collect();
        for (name, engine, fits) in [
            ("DPDK rte_fib 1B AVX-512", "fib1", groups.len() < 127),
            ("DPDK rte_fib 2B AVX-512", "fib2", true),
            ("DPDK rte_lpm bulk", "lpm", true),
        ] {
            if fits && options.wants(name) {
                sides.push(child(name, program, Some(engine), &files)?);
            }
        }
    }
    Ok((sides, want))
}

fn sides_v6(table: &tables::Table, options: &Options) -> Result<Sides, Box<dyn Error>> {
    let streams: Vec<Vec<u128>> =
        Stream::ALL.map(|stream| stream.addresses_v6(&table.routes, LOOKUP_COUNT, 7)).into();
    let want = streams.iter().map(|stream| {
        ordered(&table.routes, stream.iter().map(|&address| Ipv6Addr::from(address).into()))
    });
    let want = want.collect();
    let mut sides = vec![];
    for kind in kinds(LpmTable::compile(&table.routes)?.kind_v6(), &V6_KINDS) {
        sides.push(nexthop(kind, &table.routes, streams.clone(), LpmTable::lookup_v6_batch)?);
    }

    if options.wants("prefix-trie") {
        let begun = thread_seconds();
        let mut map = prefix_trie::PrefixMap::<Ipv6Net, u16>::new();
        for (prefix, value) in &table.routes {
            if let IpAddr::V6(address) = prefix.address() {
                map.insert(Ipv6Net::new(address, prefix.length())?, *value);
            }
        }
        sides.push(one_by_one("prefix-trie", begun, streams.clone(), move |address: u128| {
            let host = Ipv6Net::new(address.into(), 128).expect("a host");
            map.get_lpm(&host).map_or(0, |(_, value)| *value)
        }));
    }

    let files = write_files(table, options, streams.iter().map(|stream| {
        stream.iter().flat_map(|address| address.to_be_bytes()).collect()
    }))?;
    if let Some(program) = &options.dpdk {
        sides.push(child("DPDK rte_fib6 TRIE AVX-512", program, Some("fib6"), &files)?);
    }
    Ok((sides, want))
}

/// Tables of subnets, and an address of one of the routes of one of them at a time.
fn sides_of_many(table_count: usize) -> Result<Sides, Box<dyn Error>> {
    let tables = sample::azure_tables(table_count, 1);
    let stream = |run_length: usize| -> Vec<(u32, u32)> {
        let mut random = Random::new(5);
        let mut number = 0;
        let draw = |turn: usize| {
            if turn.is_multiple_of(run_length) {
                number = random.below(table_count as u64) as u32;
            }
            let routes = &tables[number as usize];
            let route = &routes[random.below(routes.len() as u64) as usize..][..1];
            (number, Stream::InTable.addresses_v4(route, 1, random.next_bits())[0])
        };
        (0..LOOKUP_COUNT).map(draw).collect()
    };
    let streams = vec![stream(1), stream(64)];
    let answer = |&(number, address): &(u32, u32)| {
        let address = Ipv4Addr::from(address).into();
        let routes = tables[number as usize].iter();
        let holding = routes.filter(|(prefix, _)| prefix.contains(address));
        // Of equal prefixes the last wins.
        holding.max_by_key(|(prefix, _)| prefix.length()).map_or(0, |&(_, value)| value)
    };
    let want = streams.iter().map(|stream| checksum(&stream.iter().map(answer).collect::<Vec<_>>()));
    let want = want.collect();

    let begun = thread_seconds();
    let forest = LpmForest::compile(tables.iter().map(Vec::as_slice))?;
    let build_seconds = thread_seconds() - begun;
    let memory_bytes = Some(forest.memory_bytes());
    let mut equal = tables.clone();
    equal.push(tables[0].clone());
    let with_equal = LpmForest::compile(equal.iter().map(Vec::as_slice))?;
    println!(
        "\nOne table more, equal to another, takes {} bytes.",
        with_equal.memory_bytes() - forest.memory_bytes()
    );
    // The library takes numbers and addresses apart; that is how the program has them.
    let apart: Vec<(Vec<u32>, Vec<u32>)> =
        streams.iter().map(|stream| stream.iter().copied().unzip()).collect();
    let places: Vec<Vec<u32>> = vec![(0..LOOKUP_COUNT as u32).collect(); 2];
    let current = std::cell::Cell::new(0);
    let current = std::rc::Rc::new(current);
    let seen = std::rc::Rc::clone(&current);
    let mut pass = bursts(places, move |places: &[u32], values| {
        let (numbers, addresses) = &apart[seen.get()];
        let places = places[0] as usize..places[0] as usize + places.len();
        forest.lookup_v4_batch(&numbers[places.clone()], &addresses[places], values);
    });
    let pass = move |stream| {
        current.set(stream);
        pass(stream)
    };
    let name = "nexthop forest".to_owned();
    let mut sides = vec![Side { name, build_seconds, memory_bytes, pass: Box::new(pass) }];

    let begun = thread_seconds();
    let ranges: Vec<RangeTable> = tables
        .iter()
        .map(|routes| {
            let wide: Vec<_> = routes.iter().map(|&(prefix, value)| (prefix, value.into())).collect();
            RangeTable::compile(&wide)
        })
        .collect();
    let memory_bytes = ranges.iter().map(RangeTable::memory_bytes).sum();
    let mut side = one_by_one("binary search per table", begun, streams.clone(), move |(number, address)| {
        ranges[number as usize].lookup(Ipv4Addr::from(address).into()).unwrap_or(0) as u16
    });
    side.memory_bytes = Some(memory_bytes);
    sides.push(side);

    let begun = thread_seconds();
    let maps: Result<Vec<_>, Box<dyn Error>> = tables
        .iter()
        .map(|routes| {
            let mut map = prefix_trie::PrefixMap::<Ipv4Net, u16>::new();
            for (prefix, value) in routes {
                if let IpAddr::V4(address) = prefix.address() {
                    map.insert(Ipv4Net::new(address, prefix.length())?, *value);
                }
            }
            Ok(map)
        })
        .collect();
    let maps = maps?;
    sides.push(one_by_one("prefix-trie per table", begun, streams, move |(number, address)| {
        let host = Ipv4Net::new(Ipv4Addr::from(address), 32).expect("a host");
        maps[number as usize].get_lpm(&host).map_or(0, |(_, value)| *value)
    }));
    Ok((sides, want))
}

const V4_KINDS: [LpmKind; 3] = [LpmKind::Poptrie, LpmKind::Dir24_8, LpmKind::Dir16_8_8];
const V6_KINDS: [LpmKind; 2] = [LpmKind::Poptrie, LpmKind::RangeTree];

/// The engine that `LpmTable::compile` chooses, then the others.
fn kinds(chosen: LpmKind, all: &[LpmKind]) -> Vec<LpmKind> {
    let others = all.iter().copied().filter(|&kind| kind != chosen);
    std::iter::once(chosen).chain(others).collect()
}

/// Adds up the right answers, found by asking an ordered map for each length in turn.
fn ordered(routes: &[Route], addresses: impl Iterator<Item = IpAddr>) -> u64 {
    let values: HashMap<AddressPrefix, u16> = routes.iter().copied().collect();
    let mut lengths: Vec<u8> = routes.iter().map(|(prefix, _)| prefix.length()).collect();
    lengths.sort_unstable_by(|a, b| b.cmp(a));
    lengths.dedup();
    let answers = addresses.map(|address| {
        let of_length = |&length: &u8| {
            values.get(&AddressPrefix::new(address, length).ok()?).copied()
        };
        lengths.iter().find_map(of_length).unwrap_or(0)
    });
    checksum(&answers.collect::<Vec<u16>>())
}

fn nexthop<A: Copy + 'static>(
    kind: LpmKind,
    routes: &[Route],
    streams: Vec<Vec<A>>,
    lookup_batch: fn(&LpmTable, &[A], &mut [u16]),
) -> Result<Side, Box<dyn Error>> {
    let begun = thread_seconds();
    let table = LpmTable::compile_as(kind, routes)?;
    let build_seconds = thread_seconds() - begun;
    let memory_bytes = Some(table.memory_bytes());
    let lookup = move |addresses: &[A], values: &mut [u16]| lookup_batch(&table, addresses, values);
    let pass = bursts(streams, lookup);
    Ok(Side { name: format!("nexthop {kind}"), build_seconds, memory_bytes, pass })
}

fn one_by_one<A: Copy + 'static>(
    name: &str,
    begun: f64,
    streams: Vec<Vec<A>>,
    lookup: impl Fn(A) -> u16 + 'static,
) -> Side {
    let build_seconds = thread_seconds() - begun;
    let pass = bursts(streams, move |addresses, values| {
        for (value, &address) in values.iter_mut().zip(addresses) {
            *value = lookup(address);
        }
    });
    Side { name: name.into(), build_seconds, memory_bytes: None, pass }
}

fn bursts<A: 'static>(
    streams: Vec<Vec<A>>,
    lookup: impl Fn(&[A], &mut [u16]) + 'static,
) -> Box<dyn FnMut(usize) -> (Vec<f64>, u64)> {
    Box::new(move |stream| {
        let addresses = &streams[stream];
        let mut values = vec![0; addresses.len()];
        for (addresses, values) in addresses.chunks(BURST).zip(values.chunks_mut(BURST)) {
            lookup(addresses, values);
        }
        let sum = checksum(&values);
        let mut values = [0; BURST];
        let chunks = addresses.chunks(CHUNK).map(|addresses| {
            let begun = thread_seconds();
            for addresses in addresses.chunks(BURST) {
                lookup(addresses, &mut values[..addresses.len()]);
                black_box(&mut values);
            }
            thread_seconds() - begun
        });
        (chunks.collect(), sum)
    })
}

/// Writes what programs in C read: the routes, then the streams.
fn write_files(
    table: &tables::Table,
    options: &Options,
    streams: impl Iterator<Item = Vec<u8>>,
) -> Result<Vec<PathBuf>, Box<dyn Error>> {
    let mut routes = Vec::new();
    // One of each prefix, the last: the rule of nexthop, and order is nothing then.
    let distinct: HashMap<_, _> = table.routes.iter().copied().collect();
    for (prefix, value) in distinct {
        match prefix.address() {
            IpAddr::V4(address) => routes.extend(address.to_bits().to_ne_bytes()),
            IpAddr::V6(address) => routes.extend(address.octets()),
        }
        routes.extend(u16::from(prefix.length()).to_ne_bytes());
        routes.extend(value.to_ne_bytes());
    }
    let mut paths = vec![options.folder.join(format!("{}.routes", table.name))];
    fs::write(&paths[0], routes)?;
    for (stream, bytes) in Stream::ALL.iter().zip(streams) {
        let path = options.folder.join(format!("{}.{}", table.name, stream.as_str()));
        fs::write(&path, bytes)?;
        paths.push(path);
    }
    Ok(paths)
}

fn child(
    name: &str,
    program: &Path,
    engine: Option<&str>,
    files: &[PathBuf],
) -> Result<Side, Box<dyn Error>> {
    let mut child = Command::new(program)
        .args(engine)
        .args(files)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()?;
    let mut talk = Talk {
        input: child.stdin.take().expect("piped"),
        output: BufReader::new(child.stdout.take().expect("piped")),
        _child: Reaped(child),
    };
    let line = talk.read()?;
    let build_seconds = line.strip_prefix("built ").ok_or(line.clone())?.parse()?;
    let pass = move |stream| talk.pass(stream).expect("the program answers");
    Ok(Side { name: name.into(), build_seconds, memory_bytes: None, pass: Box::new(pass) })
}

struct Talk {
    input: ChildStdin,
    output: BufReader<ChildStdout>,
    _child: Reaped,
}

impl Talk {
    fn read(&mut self) -> Result<String, Box<dyn Error>> {
        let mut line = String::new();
        if self.output.read_line(&mut line)? == 0 {
            return Err("the program ended".into());
        }
        Ok(line.trim().into())
    }

    fn pass(&mut self, stream: usize) -> Result<(Vec<f64>, u64), Box<dyn Error>> {
        writeln!(self.input, "{stream}")?;
        let line = self.read()?;
        let mut numbers = line.split(' ');
        let sum = numbers.next().ok_or("a checksum")?.parse()?;
        let seconds: Result<_, _> = numbers.map(str::parse).collect();
        Ok((seconds?, sum))
    }
}

/// Returns the time that this thread has been running.
fn thread_seconds() -> f64 {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    time.tv_sec as f64 + time.tv_nsec as f64 * 1e-9
}

struct Reaped(Child);

impl Drop for Reaped {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
