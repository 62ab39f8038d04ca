//! The fuzz targets with input of our own, so that the stable compiler runs them, too: noise, and real input mutated.
//!
//! Always the same input: what fails here fails everywhere.

#[path = "../fuzz/targets.rs"]
mod targets;

use std::path::Path;

use wireglass::rng::Rng;

/// Octets of noise, at most `most`.
fn noise(rng: &mut Rng, most: u64) -> Vec<u8> {
    let mut data = vec![0; rng.below(most + 1) as usize];
    rng.fill(&mut data);
    data
}

/// A few octets changed, doubled, taken out, or the end cut off.
fn mutate(rng: &mut Rng, seed: &[u8]) -> Vec<u8> {
    let mut data = seed.to_vec();
    for _ in 0..1 + rng.below(4) {
        if data.is_empty() {
            return data;
        }
        let at = rng.below(data.len() as u64) as usize;
        match rng.below(6) {
            0 => data[at] = rng.next_u32() as u8,
            1 => data[at] ^= 1 << rng.below(8),
            2 => data.truncate(at),
            3 => drop(data.remove(at)),
            4 => {
                let end = (at + rng.below(40) as usize).min(data.len());
                data.splice(at..at, data[at..end].to_vec());
            }
            _ => {
                let other = rng.below(data.len() as u64) as usize;
                data.swap(at, other);
            }
        }
    }
    data
}

/// Runs a target; names the input that it fails on.
fn run(target: fn(&[u8]), data: &[u8]) {
    if let Err(panic) = std::panic::catch_unwind(|| target(data)) {
        panic!("this input fails: {data:02x?}\n{:?}", panic.downcast_ref::<String>());
    }
}

/// Real packets: those of a connection, from the captures of the repository.
fn frames() -> Vec<Vec<u8>> {
    let captures = Path::new(env!("CARGO_MANIFEST_DIR")).join("captures");
    let mut folders = vec![captures];
    let mut frames = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).expect("the captures are there") {
            let path = entry.expect("it can be read").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "pcapng") {
                let reader = wireglass::capture::Reader::open(&path).expect("it is a capture");
                frames.extend(reader.filter_map(|record| record.ok()?.strip()).map(|(_, bytes)| bytes.to_vec()));
            }
        }
    }
    frames.sort();
    frames.dedup();
    frames
}

fn scripts() -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/drill");
    let paths = std::fs::read_dir(folder).expect("the scripts are there").map(|entry| entry.expect("readable").path());
    let mut paths: Vec<_> = paths.filter(|path| path.extension().is_some_and(|name| name == "pkt")).collect();
    paths.sort();
    paths.into_iter().map(|path| std::fs::read(path).expect("it can be read")).collect()
}

#[test]
fn packets_of_any_octets_are_read() {
    let (mut rng, frames) = (Rng::new(1), frames());
    assert!(frames.len() > 50, "only {} frames", frames.len());
    for round in 0..20_000 {
        let data = match round % 4 {
            0 => noise(&mut rng, 200),
            _ => mutate(&mut rng, &frames[round % frames.len()]),
        };
        run(targets::packets, &data);
    }
}

#[test]
fn options_of_any_octets_are_read() {
    let mut rng = Rng::new(2);
    let usual = [2, 4, 5, 180, 4, 2, 8, 10, 0, 0, 0, 1, 0, 0, 0, 0, 1, 3, 3, 7, 5, 10, 0, 0, 0, 1, 0, 0, 0, 9];
    for round in 0..50_000 {
        let data = if round % 4 == 0 { noise(&mut rng, 40) } else { mutate(&mut rng, &usual) };
        run(targets::options, &data);
    }
}

#[test]
fn a_connection_survives_any_peer() {
    let mut rng = Rng::new(3);
    for _ in 0..4_000 {
        let data = noise(&mut rng, 600);
        run(targets::connection, &data);
    }
}

#[test]
fn scripts_of_any_text_are_read_or_refused() {
    let (mut rng, scripts) = (Rng::new(4), scripts());
    assert!(scripts.len() >= 20);
    for round in 0..3_000 {
        let data = mutate(&mut rng, &scripts[round % scripts.len()]);
        run(targets::scripts, &data);
    }
}
