//! The labs of the repository, run: what they claim holds, what is broken turns red, what the guides show is real.

use std::net::IpAddr;
use std::path::Path;

use super::{Catalogue, Definition, Entry, Falsifier, Finished, Mode, Options, Wanted, guide, run};
use crate::capture::Record;
use crate::check::{Outcome, Verdict};
use crate::filter::{Filter, PacketSubject, Streams, Subject};
use crate::journal::{Entry as Line, NodeId};
use crate::packet::Dissection;
use crate::packet::dissect::TcpFlags;
use crate::report::{self, Ends, Ladder, Lane, Side, Style};
use crate::stack::StackKind;

fn labs() -> Vec<Entry> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("labs");
    Catalogue::in_folder(&folder).expect("the labs are there").entries().to_vec()
}

/// Each lab with each stack that its claims are about: most are so of TCP, and not of one implementation.
fn labs_on_stacks() -> Vec<(Definition, StackKind)> {
    let lab = |entry: &Entry| Definition::parse(&entry.file, &entry.text).expect("each lab is right");
    let on_stacks = |lab: Definition| lab.stacks.clone().into_iter().map(move |stack| (lab.clone(), stack));
    labs().iter().map(lab).flat_map(on_stacks).collect()
}

fn simulated(lab: &Definition) -> Finished {
    simulated_on(StackKind::default(), lab)
}

fn simulated_on(stack: StackKind, lab: &Definition) -> Finished {
    let finished = simulated_anyhow(stack, lab);
    assert!(finished.failures.is_empty(), "{} on {stack}: every step goes well", lab.id);
    finished
}

/// Also when a program gives up, as it may under a break.
fn simulated_anyhow(stack: StackKind, lab: &Definition) -> Finished {
    let options = Options { wanted: Wanted::Only(Mode::Sim), stack, ..Options::default() };
    run(lab, &options).expect("a simulation needs nothing")
}

fn failed(verdicts: &[Verdict]) -> Vec<&str> {
    let not_passed = verdicts.iter().filter(|verdict| verdict.outcome != Outcome::Pass);
    not_passed.map(|verdict| verdict.id.as_str()).collect()
}

#[test]
fn every_claim_of_every_lab_holds_in_simulation_on_every_stack() {
    for (lab, stack) in labs_on_stacks() {
        let finished = simulated_on(stack, &lab);
        assert!(finished.verdicts.len() > lab.checks.len(), "{}: integrity is judged too", lab.id);
        assert_eq!(failed(&finished.verdicts), [""; 0], "{} on {stack}", lab.id);
    }
}

#[test]
fn every_break_turns_the_check_red_that_it_names_on_every_stack() {
    for (lab, stack) in labs_on_stacks() {
        for each in &lab.breaks {
            let mut broken = lab.with_break(&each.name).expect("the lab has it");
            let context = format!("{} --break {} on {stack}", lab.id, each.name);
            if each.has_own_checks {
                let mut red = simulated_on(stack, &broken).verdicts;
                // What is true of every capture may be what it breaks.
                red.retain(|verdict| verdict.id != each.turns_red);
                assert_eq!(failed(&red), [""; 0], "{context}");
            }
            // The lab's own claims, held against the broken run.
            broken.checks.clone_from(&lab.checks);
            let verdicts = simulated_anyhow(stack, &broken).verdicts;
            let red = failed(&verdicts);
            assert!(red.contains(&each.turns_red.as_str()), "{context}: {red:?}");
            for (check, falsifier) in &lab.falsifiers {
                if *falsifier == Falsifier::Break(each.name.clone()) {
                    assert!(red.contains(&check.as_str()), "{context}: {check} is green");
                }
            }
        }
    }
}

#[test]
fn the_ladder_in_the_readme_is_that_of_the_simulation() {
    let catalogue = Catalogue::in_folder(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/labs"))).expect("the labs");
    let lab = catalogue.find("20-rto-backoff").expect("the lab that the README shows");
    assert_shows(include_str!("../../README.md"), &lab);
}

/// Every line of the text's ladders is one of the lab's simulation.
fn assert_shows(text: &str, lab: &Definition) {
    let drawn = ladder(lab, &simulated(lab));
    let real: Vec<&str> = drawn.lines().map(str::trim).collect();
    let shown: Vec<&str> = text.split("```ladder\n").skip(1).filter_map(|part| part.split("```").next()).collect();
    assert!(!shown.is_empty(), "{}: a guide shows a ladder", lab.id);
    for line in shown.iter().flat_map(|block| block.lines()).map(str::trim) {
        assert!(real.contains(&line), "{}: the simulation has no line\n{line}\nin\n{drawn}", lab.id);
    }
}

#[test]
fn packets_that_a_guide_numbers_are_what_it_says_in_the_simulation() {
    for entry in labs() {
        let lab = Definition::parse(&entry.file, &entry.text).expect("each lab is right");
        let finished = simulated(&lab);
        let sentences = sentences(&guide::strip(&entry.guide));
        assert!(
            sentences.iter().any(|sentence| !numbered(sentence).is_empty()),
            "{}: a guide points at packets",
            lab.id
        );
        let nodes: Vec<(NodeId, &str)> =
            (0..).map(NodeId).zip(lab.nodes.iter().map(|node| node.name.as_str())).collect();
        // The numbers are those of the capture that the guide opens first, unless a sentence names another.
        let opened = |(_, name): &(NodeId, &str)| entry.guide.find(&format!("captures/{}/{name}.pcapng", lab.id));
        let (vantage, name) = nodes
            .iter()
            .filter(|node| opened(node).is_some())
            .min_by_key(|node| opened(node))
            .copied()
            .unwrap_or_else(|| panic!("{}: whose numbers they are", lab.id));
        let source = format!("captures/{}/{name}.pcapng", lab.id);
        assert!(Path::new(env!("CARGO_MANIFEST_DIR")).join(&source).is_file(), "{source} is there");
        for sentence in &sentences {
            let named = nodes.iter().find(|(_, name)| sentence.contains(&format!("`{name}.pcapng`")));
            let records = finished.recorder.records(named.map_or(vantage, |(node, _)| *node));
            let shown: Vec<&Record> = numbered(sentence)
                .into_iter()
                .map(|number| {
                    records.get(number - 1).unwrap_or_else(|| panic!("{}: no such packet: {sentence}", lab.id))
                })
                .collect();
            for (word, is_so) in SAID_OF_PACKETS {
                let holds = shown.is_empty() || !has_word(sentence, word) || shown.iter().any(|record| is_so(record));
                assert!(holds, "{}: not `{word}`: {sentence}", lab.id);
            }
        }
    }
}

#[test]
fn every_filter_of_a_guide_finds_packets_in_the_simulation() {
    for entry in labs() {
        let lab = Definition::parse(&entry.file, &entry.text).expect("each lab is right");
        let finished = simulated(&lab);
        let prose = sentences(&guide::strip(&entry.guide)).join(" ");
        let spans = prose.split('`').skip(1).step_by(2);
        let filters: Vec<&str> = spans.filter(|span| span.contains(" == ") || *span == "udp").collect();
        assert!(!filters.is_empty(), "{}: a guide has filters to paste", lab.id);
        // What Wireshark alone reads.
        let theirs = ["websocket.", "http2.", "grpc", "http.content_encoding", "pgsql"];
        let is_ours = |filter: &&str| !theirs.iter().any(|prefix| filter.contains(prefix));
        let filters: Vec<&str> = filters.into_iter().filter(is_ours).collect();
        for text in filters {
            let filter =
                Filter::parse(text, &lab.names()).unwrap_or_else(|error| panic!("{}: {text}: {error}", lab.id));
            let mut nodes = (0..).map(NodeId).take(lab.nodes.len());
            let found = nodes.any(|node| finds_packets(&filter, finished.recorder.records(node)));
            assert!(found, "{}: {text}", lab.id);
        }
    }
}

#[test]
fn as_many_checks_fail_under_a_break_as_the_guide_says() {
    let mut said = 0;
    for entry in labs() {
        let lab = Definition::parse(&entry.file, &entry.text).expect("each lab is right");
        for paragraph in paragraphs(&guide::strip(&entry.guide)) {
            let Some((before, _)) = paragraph.split_once(" of the lab's checks fail") else { continue };
            let words = ["no", "one", "two", "three", "four", "five", "six"];
            let count = before.rsplit(' ').next().map(str::to_lowercase);
            let count = words.iter().position(|word| Some(*word) == count.as_deref()).expect("a number in words");
            let (_, name) = before.split_once("--break ").expect("it says under which break");
            let name = name.split(|char: char| !char.is_ascii_lowercase() && char != '-').next().expect("a name");
            let broken = lab.with_break(name).expect("the lab has it");
            assert_eq!(failed(&simulated(&broken).verdicts).len(), count, "{} --break {name}", lab.id);
            said += 1;
        }
    }
    assert!(said > 0, "at least one guide says so");
}

/// Whether something is so of a packet.
type IsSo = fn(&Record) -> bool;

/// What a sentence may say of the packets that it numbers, and whether it is so of one.
const SAID_OF_PACKETS: [(&str, IsSo); 8] = [
    ("SYN", |record| has_flag(record, |flags| flags.syn() && !flags.ack())),
    ("SYN,ACK", |record| has_flag(record, |flags| flags.syn() && flags.ack())),
    ("FIN", |record| has_flag(record, |flags| flags.fin())),
    ("RST", |record| has_flag(record, |flags| flags.rst())),
    ("datagram", |record| dissected(record).udp().is_some()),
    ("dropped", |record| remarked(record, "dropped")),
    ("held", |record| remarked(record, "held")),
    ("sent again", |record| remarked(record, "sent again")),
];

fn dissected(record: &Record) -> Dissection {
    Dissection::of(record.medium, &record.bytes, record.wire_len)
}

fn has_flag(record: &Record, wanted: fn(TcpFlags) -> bool) -> bool {
    dissected(record).tcp().is_some_and(|tcp| wanted(tcp.flags))
}

fn remarked(record: &Record, word: &str) -> bool {
    record.comments.iter().any(|remark| remark.to_string().contains(word))
}

/// The guide's paragraphs and list items, each in one line, without the blocks that show output or commands.
fn paragraphs(guide: &str) -> Vec<String> {
    let prose = guide.split("```").step_by(2).flat_map(str::lines).map(str::trim);
    let mut paragraphs = vec![String::new()];
    for line in prose {
        let begins = line.is_empty() || line.starts_with("- ") || line.starts_with(|char: char| char.is_ascii_digit());
        if begins {
            paragraphs.push(String::new());
        }
        if let Some(paragraph) = paragraphs.last_mut() {
            paragraph.push_str(line);
            paragraph.push(' ');
        }
    }
    paragraphs
}

fn sentences(guide: &str) -> Vec<String> {
    let ends = |text: &str| text.replace("? ", "?\n").replace(". ", ".\n").replace(": ", ":\n");
    paragraphs(guide).iter().flat_map(|text| ends(text).lines().map(str::to_owned).collect::<Vec<_>>()).collect()
}

/// The numbers after "packet": `packet 3`, `packets 3 and 4`, `packets 14 to 18`.
fn numbered(sentence: &str) -> Vec<usize> {
    let mut numbers: Vec<usize> = Vec::new();
    let words = sentence.split_whitespace().map(|word| word.trim_matches(|char: char| !char.is_alphanumeric()));
    let (mut is_listing, mut is_range) = (false, false);
    for word in words {
        match (word.parse::<usize>(), is_listing) {
            (Ok(number), true) => {
                let first = numbers.last().copied().filter(|_| is_range).map_or(number, |last| last + 1);
                numbers.extend(first..=number);
                is_range = false;
            }
            (Err(_), true) if matches!(word, "and" | "to") => is_range = word == "to",
            (Ok(_) | Err(_), _) => is_listing = matches!(word.to_lowercase().as_str(), "packet" | "packets"),
        }
    }
    numbers
}

/// Whether the sentence has the word or words whole: `SYN` is not in `SYN,ACK`.
fn has_word(sentence: &str, word: &str) -> bool {
    sentence.match_indices(word).filter_map(|(at, _)| sentence.get(at + word.len()..)).any(|after| {
        !after.starts_with(",ACK") && !after.starts_with(|char: char| char.is_alphanumeric() || char == '-')
    })
}

fn finds_packets(filter: &Filter, records: &[Record]) -> bool {
    let mut streams = Streams::default();
    (1..).zip(records).any(|(number, record)| {
        let dissection = dissected(record);
        let (stream, relative) = streams.next(&dissection);
        filter.matches(&Subject::Packet(PacketSubject {
            number: Some(number),
            at: record.at,
            dissection: &dissection,
            bytes: &record.bytes,
            stream,
            relative,
        }))
    })
}

fn ladder(lab: &Definition, finished: &Finished) -> String {
    let link = &lab.links[0];
    let lane = |end: usize| {
        let node = link.ends[end];
        Lane { name: &lab.nodes[usize::from(node.0)].name, node }
    };
    let entries: Vec<&Line> = finished.recorder.journal().entries().collect();
    let names = lab.names();
    let ladder = Ladder {
        records: finished.recorder.records(link.ends[0]),
        far_records: Some(finished.recorder.records(link.ends[1])),
        entries: &entries,
        ends: Some(Ends { left: lane(0), right: lane(1), vantage: Side::Left }),
        name_of: &|address: IpAddr| names.name_of(address).map(str::to_owned),
    };
    report::ladder(&ladder, &Style::plain(GUIDE_WIDTH))
}

/// Columns of the ladders in the guides.
const GUIDE_WIDTH: usize = 100;
