//! What packets alone tell of retransmissions, held against simulations in which every one of them is known; and noise.

mod scoring;

use std::fs;
use std::io::Write as _;

use proptest::prelude::*;
use wireglass::capture::Record;
use wireglass::measure::connections;
use wireglass::packet::{Medium, PacketId};
use wireglass::report::{Style, explain};

use self::scoring::{ASKED, CLASSES, Class, Score, ours, play, records, save, settings, stripped, theirs, truth};
use super::support::wireshark::fields;
use super::support::{Folder, has};

/// Of a class, seen near the sender and near the receiver: the least precision and recall, in thousandths.
const LEAST: [(Class, [(u64, u64); 2]); 6] = [
    (Class::Timeout, [(900, 840), (820, 690)]),
    (Class::Fast, [(950, 950), (940, 940)]),
    (Class::TailLossProbe, [(850, 650), (800, 350)]),
    (Class::Spurious, [(950, 700), (950, 820)]),
    (Class::OutOfOrder, [(950, 950), (950, 950)]),
    (Class::Duplicate, [(980, 980), (980, 980)]),
];

#[test]
fn packets_alone_tell_more_than_tshark_takes_from_them() {
    let name = "packets_alone_tell_more_than_tshark_takes_from_them";
    let has_tshark = has(name, "tshark");
    let mut scores = [[[Score::default(); 2]; 6]; 2];
    for setting in settings() {
        let network = play(&setting);
        let folder = Folder::new();
        let files = save(&network, folder.path());
        for (place, node) in ["client", "server"].into_iter().enumerate() {
            let truth = truth(&network, node);
            let said =
                [ours(&network, node), if has_tshark { theirs(&fields(&ASKED, &files[place])) } else { truth.clone() }];
            for (index, class) in CLASSES.into_iter().enumerate() {
                for (who, said) in said.iter().enumerate() {
                    scores[place][index][who].add(&truth, said, class);
                }
            }
        }
    }
    let shown = |thousandths: Option<u64>| {
        thousandths.map_or("   –".to_owned(), |value| format!("0.{value:03}").replace("0.1000", "1.000"))
    };
    let mut table = String::from(
        "                            by packets          tshark\nseen near  class            precision recall    precision recall\n",
    );
    for (place, near) in ["sender", "receiver"].into_iter().enumerate() {
        for (index, class) in CLASSES.into_iter().enumerate() {
            let [own, other] = scores[place][index];
            table += &format!(
                "{near:10} {:16} {:9} {:9} {:9} {}\n",
                format!("{class:?}"),
                shown(own.precision()),
                shown(own.recall()),
                shown(other.precision()),
                shown(other.recall())
            );
        }
    }
    let _ = writeln!(std::io::stderr(), "{table}");
    for (place, near) in ["sender", "receiver"].into_iter().enumerate() {
        for (index, class) in CLASSES.into_iter().enumerate() {
            let [own, other] = scores[place][index];
            let (_, least) = LEAST.into_iter().find(|(known, _)| *known == class).expect("each class has one");
            assert!(
                own.precision() >= Some(least[place].0) && own.recall() >= Some(least[place].1),
                "{near}: {class:?}\n{table}"
            );
            if has_tshark {
                assert!(
                    own.precision() >= other.precision() && own.recall() > other.recall(),
                    "{near}: {class:?}\n{table}"
                );
            }
        }
    }
}

/// A thousand captures of which octets were overwritten, packets taken out, doubled, cut and turned round in time.
#[test]
fn a_thousand_spoilt_captures_are_explained_without_a_panic() {
    let whole = records(&play(&settings()[5]), "server");
    let mut runner = proptest::test_runner::TestRunner::new(ProptestConfig::with_cases(1000));
    let spoilt = prop::collection::vec((any::<prop::sample::Index>(), 0_u8..6, any::<u16>(), any::<u8>()), 0..200);
    let outcome = runner.run(&(spoilt, 1..300_usize), |(spoilt, length)| {
        let mut records: Vec<Record> = stripped(&whole).into_iter().take(length).collect();
        for (index, how, place, value) in spoilt {
            let at = index.index(records.len());
            spoil(&mut records, at, how, place, value);
        }
        let found = connections(&records);
        let text = explain(&found, records.len(), &|_| None, &Style::plain(100));
        prop_assert!(text.contains("TCP connection"));
        Ok(())
    });
    outcome.expect("none of them panics");
}

fn spoil(records: &mut Vec<Record>, at: usize, how: u8, place: u16, value: u8) {
    let mut record = records[at].clone();
    let mut bytes = record.bytes.to_vec();
    match how {
        0 => bytes.truncate(usize::from(place) % (bytes.len() + 1)),
        1..=3 => {
            // Mostly in the headers.
            let near = usize::from(place) % bytes.len().clamp(1, 64);
            bytes.iter_mut().skip(near).take(1).for_each(|octet| *octet = value);
        }
        4 => record.at = wireglass::time::Instant::from_nanos(u64::from(place).pow(4).wrapping_mul(u64::from(value))),
        _ => {
            records.push(record);
            return;
        }
    }
    record.bytes = bytes.into();
    record.medium = if value == 0 { Medium::Ethernet } else { record.medium };
    record.packet = PacketId(at as u64 + 1);
    records[at] = record;
}

#[test]
fn every_golden_capture_is_explained() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("captures");
    let mut seen = 0;
    for folder in fs::read_dir(root).expect("there are goldens").flatten() {
        for file in fs::read_dir(folder.path()).into_iter().flatten().flatten() {
            let path = file.path();
            if path.extension().is_some_and(|extension| extension == "pcapng") {
                let reader = wireglass::capture::Reader::open(&path).expect("it is a capture");
                let records: Vec<Record> = reader.map_while(Result::ok).filter_map(foreign).collect();
                let found = connections(&records);
                // Simulated links of labs lose and double packets only where a lab says so; all that is said has its evidence.
                assert!(found.iter().all(|connection| connection.packets > 0), "{}", path.display());
                seen += 1;
            }
        }
    }
    assert!(seen > 50, "{seen}");
}

fn foreign(record: wireglass::capture::ForeignRecord) -> Option<Record> {
    let (medium, bytes) = record.strip()?;
    Some(Record {
        at: wireglass::time::Instant::from_nanos(record.at_ns),
        packet: PacketId(record.number),
        direction: wireglass::capture::Direction::In,
        medium,
        wire_len: record.stripped_wire_len(),
        bytes,
        comments: Default::default(),
    })
}

/// What `wireglass show --explain` prints of a golden capture.
#[cfg(feature = "cli")]
fn printed(capture: &str, more: &[&str]) -> String {
    let words = [&["show", capture, "--explain"], more].concat();
    let mut command = super::support::wireglass(std::path::Path::new(env!("CARGO_MANIFEST_DIR")), &words);
    let output = command.output().expect("the binary starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[cfg(feature = "cli")]
#[test]
fn a_capture_is_explained_in_sentences_and_as_json() {
    let text = printed("captures/21-fast-retransmit/client.pcapng", &["--color", "never", "--width", "100"]);
    for expected in [
        "1 TCP connection\n",
        "Captured near client: 0 µs to client and back,",
        "Handshake: SYN packet 1, SYN,ACK packet 2, ACK packet 3,",
        "fast retransmission: ",
        "Look at first:\n",
        "frame.number in {",
    ] {
        assert!(text.contains(expected), "{expected}: {text}");
    }
    assert!(text.lines().all(|line| line.chars().count() <= 100), "{text}");
    let text = printed("captures/53-firewall-drop-vs-reject/client.pcapng", &["--color", "never"]);
    assert!(text.contains("does not answer: 3 SYN in 3 s, and no packet came back"), "{text}");
    let json = printed("captures/21-fast-retransmit/client.pcapng", &["--json"]);
    let document: serde_json::Value = serde_json::from_str(&json).expect("it is JSON");
    let again = &document["explained"]["connections"][0]["streams"][0]["again"];
    assert!(again.as_array().is_some_and(|all| all.iter().any(|one| one["kind"] == "fast")), "{again:#}");
    assert!(
        document["explained"]["look_first"][0]["filter"].as_str().is_some_and(|filter| filter.starts_with("frame."))
    );
}
