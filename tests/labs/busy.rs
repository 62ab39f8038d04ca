//! What lab 84 says of its instances' busyness is what is on the wire: a second reckoning, from each instance's own packets.

use std::path::Path;

use wireglass::capture::{ForeignRecord, Reader};
use wireglass::packet::Dissection;

use super::Ran;

/// A packet's time in nanoseconds, the port that it comes from, the port that it goes to, and its TCP payload as text.
type Said = (u64, u16, u16, String);

fn said(record: &ForeignRecord) -> Option<Said> {
    let (medium, bytes) = record.strip()?;
    let dissection = Dissection::of(medium, &bytes, bytes.len());
    let tcp = dissection.tcp()?;
    let payload = bytes.get(bytes.len() - tcp.payload_len..)?;
    Some((record.at_ns, tcp.src_port, tcp.dst_port, String::from_utf8_lossy(payload).into_owned()))
}

fn conversation(capture: &Path) -> Vec<Said> {
    let records = Reader::open(capture).expect("the run has written it").map(|record| record.expect("it is whole"));
    records.filter_map(|record| said(&record)).collect()
}

/// Nanoseconds within the window in which a request had come to port 8080 and was not answered.
fn busy(conversation: &[Said], (from, to): (u64, u64)) -> u64 {
    let (mut under_way, mut last, mut sum) = (0_u32, from, 0);
    for (at, source, destination, text) in conversation {
        let now = (*at).clamp(from, to);
        sum += if under_way > 0 { now - last } else { 0 };
        last = now;
        match (*source, *destination) {
            (_, 8080) if text.starts_with("GET ") => under_way += 1,
            (8080, _) if text.starts_with("HTTP/1.1 ") => under_way -= 1,
            _ => {}
        }
    }
    sum
}

#[test]
fn an_instance_is_busy_for_as_long_as_its_packets_say() {
    let ran = Ran::of("84", &["--mode", "sim"]);
    let journal = std::fs::read_to_string(ran.file("journal.jsonl")).expect("the run has written it");
    let mut shares = [Vec::new(), Vec::new()];
    for number in 1..=6 {
        let conversation = conversation(&ran.file(&format!("posts-{number}.pcapng")));
        let told = |(_, source, _, text): &&Said| *source == 8088 && text.contains("instance_busy_seconds_total");
        let asked: Vec<u64> = conversation.iter().filter(told).map(|(at, ..)| *at).collect();
        let windows = asked.as_chunks::<2>().0;
        assert_eq!(
            windows.len(),
            if number <= 3 { 2 } else { 1 },
            "posts-{number} is asked when a window begins and ends"
        );
        let percents: Vec<u64> = windows
            .iter()
            .map(|[from, to]| (busy(&conversation, (*from, *to)) * 1000 / (to - from) + 5) / 10)
            .collect();
        let (before, after) = match percents[..] {
            [before, after] => (format!("{before}%"), after),
            [after] => ("not there".to_owned(), after),
            _ => unreachable!("there are one or two windows"),
        };
        let line = format!("posts-service-{number}: {before}, then {after}%");
        assert!(journal.contains(&line), "by its packets it is `{line}`");
        shares[0].extend((percents.len() == 2).then(|| percents[0]));
        shares[1].push(after);
    }
    // No average says more than its parts: the old ones are busier than 48 %, the new ones less.
    let averages = shares.map(|shares| shares.iter().sum::<u64>() / shares.len() as u64);
    assert!((84..=86).contains(&averages[0]) && (47..=49).contains(&averages[1]), "{averages:?}");
}
