//! Stories: the packets of a capture, and between them what happened, for a stock Wireshark.

use std::path::Path;

use wireglass::capture::{ForeignRecord, Reader};

use super::super::support::has;
use super::super::support::wireshark::{complaints, fields, tshark};
use super::goldens::captures;
use super::{Ran, labs, root};

fn packets(file: &Path) -> Vec<ForeignRecord> {
    let reader = Reader::open(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    reader.map(|packet| packet.unwrap_or_else(|error| panic!("{}: {error}", file.display()))).collect()
}

#[test]
fn every_lab_has_stories_with_the_packets_of_its_captures_and_wireshark_reads_them_without_a_complaint() {
    let named = "every_lab_has_stories_with_the_packets_of_its_captures_and_wireshark_reads_them_without_a_complaint";
    if !has(named, "tshark") {
        return;
    }
    for lab in labs().iter().map(|folder| folder.strip_prefix(root()).expect("it is in the repository")) {
        let made = Ran::of(&format!("./{}", lab.display()), &["--mode", "sim"]);
        let names = captures(made.folder.path());
        for name in &names {
            let story = made.file(&name.replace(".pcapng", ".story.pcapng"));
            let (whole, told) = (packets(&made.file(name)), packets(&story));
            assert_eq!(whole.len(), told.len(), "{}: {name}", lab.display());
            for (packet, told) in whole.iter().zip(&told) {
                assert_eq!((&packet.bytes, packet.at_ns), (&told.bytes, told.at_ns), "{}: {name}", lab.display());
                assert!(packet.comments.iter().all(|comment| told.comments.contains(comment)), "{told:?}");
            }
        }
        // Of one story, the longest, all that Wireshark has to say; they are all written by the same hand.
        let stories = names.iter().map(|name| made.file(&name.replace(".pcapng", ".story.pcapng")));
        let story = stories.max_by_key(|story| story.metadata().map_or(0, |file| file.len())).expect("labs have nodes");
        assert_eq!(complaints(&story), "", "{}", story.display());
        assert_ne!(tshark(&["-Y", "systemd_journal"], &story), "", "{}: nothing happens", story.display());
    }
}

#[test]
fn a_story_shows_what_happened_where_it_happened() {
    if !has("a_story_shows_what_happened_where_it_happened", "tshark") {
        return;
    }
    let made = Ran::of("21", &["--mode", "sim"]);
    let story = made.file("client.story.pcapng");
    let rows = fields(&["frame.number", "systemd_journal.message", "tcp.seq_raw", "frame.comment", "ip.src"], &story);
    let rows: Vec<Vec<&str>> = rows.iter().map(|row| row.split('\t').collect()).collect();
    let place = |needle: &str| {
        let found = rows.iter().position(|row| row[1].contains(needle));
        found.unwrap_or_else(|| panic!("no row says {needle}"))
    };
    // The rule's victim, the third duplicate, the decision, the repair: in this order, and the last beside its packet.
    let dropped = place("dropped by rule lose-3");
    let third = place("duplicate ACK no. 3");
    let decided = place("octets lost from 2897, three duplicate ACKs");
    let repaired = place("1,448 octets from 2897 are sent again, frame ");
    assert!(dropped < decided && decided < third && third < repaired, "{dropped} {decided} {third} {repaired}");
    assert!(rows[dropped][1].contains(&format!("frame {}:", rows[dropped - 1][0])), "{:?}", rows[dropped]);
    assert!(rows[dropped - 1][3].contains("dropped by rule lose-3"), "{:?}", rows[dropped - 1]);
    assert!(rows[repaired][1].ends_with(&format!("frame {}", rows[repaired - 1][0])), "{:?}", rows[repaired]);
    assert_eq!(rows[repaired - 1][2], rows[dropped - 1][2], "the same octets");
    // Why was it sent? Each packet says so, whoever sent it.
    let silent: Vec<&Vec<&str>> = rows.iter().filter(|row| row[1].is_empty() && !row[3].contains("[RFC ")).collect();
    let plain = |row: &&&Vec<&str>| !row[3].contains("new data") && !row[3].contains("arrived");
    assert!(silent.iter().filter(plain).count() == 0, "{silent:?}");
    let both = |from: &str| rows.iter().filter(|row| row[4] == from && !row[3].is_empty()).count();
    assert!(both("10.0.0.1") > 10 && both("10.0.0.2") > 10);
    // Its levels are there to filter by, and an event does not disturb what Wireshark makes of TCP.
    let count = |filter: &str| tshark(&["-Y", filter], &story).lines().count();
    assert!(count("systemd_journal.priority <= 4") < count("systemd_journal.priority <= 6"));
    assert_eq!(count("tcp.analysis.fast_retransmission"), 1);
}
