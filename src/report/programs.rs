//! What the programs of a run said, and what it cost: the application's view beside the packets'.
//!
//! ```text
//!   client  send            sent 17,520 octets, sha256 5b1e…c07d
//!   server  sink            received 17,520 octets, sha256 5b1e…c07d: the same
//!   server  message-sink    over UDP: 46 of 50 messages arrived; missing 3, 17, 30, 44; 21 came after 22
//!   edge    http-cache      HTTP 200, 44 octets of body, from the cache
//!   client  dns-lookup      api.example.com. A: NOERROR, 1 record, after 60.1 ms
//! ```

use std::collections::BTreeMap;
use std::time::Duration;

use super::Style;
use super::said::{self, cut, millis, short, transport};
use super::text::{Line, Paint, clean, wrap};
use crate::journal::{CacheUse, Entry, Event, NodeId, ProgramEvent, Way};

/// Columns of a node's name and of a program's.
const NODE: usize = 8;
const PROGRAM: usize = 16;
/// Message numbers that are written out; more are counted.
const NUMBERS_SHOWN: usize = 12;
/// Lines of a real program's output that are shown.
const OUTPUT_SHOWN: usize = 12;
/// From how many on sentences that follow each other and are the same are told once.
const MANY: usize = 4;

/// One line or more for each program that has something to say, in the order of their first words. Empty when none has.
pub fn programs(entries: &[&Entry], name_of: &dyn Fn(NodeId) -> String, style: &Style) -> String {
    let mut told = Told::default();
    for entry in entries {
        if let Event::Program { program, report } = &entry.event {
            told.hear(entry.node, program, report);
        }
    }
    let mut out = String::new();
    for speaker in &told.speakers {
        let sentences = speaker.sentences(&told);
        for sentence in sentences {
            write_line(&mut out, &name_of(speaker.node), &speaker.program, &sentence, *style);
        }
    }
    out
}

/// Everything that was said, by speaker.
#[derive(Default)]
struct Told {
    speakers: Vec<Speaker>,
    /// Every hash of a sent stream, to be recognised at the other end.
    sent: Vec<String>,
    /// Messages sent, by transport.
    messages_sent: BTreeMap<&'static str, u32>,
}

/// What one program on one node said.
struct Speaker {
    node: NodeId,
    program: String,
    streams_sent: Vec<(u64, String)>,
    streams_received: Vec<(u64, String)>,
    messages: BTreeMap<&'static str, Vec<u32>>,
    /// Sentences about exchanges, each as it stands.
    exchanges: Vec<String>,
    resolutions: Vec<(CacheUse, Duration)>,
    output: Vec<String>,
    output_left_out: usize,
    failures: Vec<String>,
}

impl Told {
    fn hear(&mut self, node: NodeId, program: &str, report: &ProgramEvent) {
        let speaker = self.speaker(node, program);
        match report {
            ProgramEvent::StreamSent { bytes, sha256 } => {
                speaker.streams_sent.push((*bytes, sha256.clone()));
                self.sent.push(sha256.clone());
            }
            ProgramEvent::StreamReceived { bytes, sha256 } => speaker.streams_received.push((*bytes, sha256.clone())),
            ProgramEvent::MessageReceived { over, number } => {
                speaker.messages.entry(transport(*over)).or_default().push(*number);
            }
            ProgramEvent::MessageSent { over, .. } => {
                *self.messages_sent.entry(transport(*over)).or_default() += 1;
            }
            ProgramEvent::Resolution { cache, latency, .. } => speaker.resolutions.push((*cache, *latency)),
            ProgramEvent::Response { .. }
            | ProgramEvent::Lookup { .. }
            | ProgramEvent::Answer { truncated: true, .. }
            | ProgramEvent::Order { .. }
            | ProgramEvent::Delivered { .. }
            | ProgramEvent::Handshake { .. }
            | ProgramEvent::Message { way: Way::Received, .. }
            | ProgramEvent::Decision { .. }
            | ProgramEvent::Change { .. } => speaker.exchanges.extend(said::sentence(report)),
            ProgramEvent::Output { line, .. } if speaker.output.len() < OUTPUT_SHOWN => {
                speaker.output.push(cut(line));
            }
            ProgramEvent::Output { .. } => speaker.output_left_out += 1,
            ProgramEvent::Ended { ok: false, detail } => speaker.failures.push(cut(detail)),
            ProgramEvent::Ended { ok: true, .. }
            | ProgramEvent::Started
            | ProgramEvent::Listening { .. }
            | ProgramEvent::Connected { .. }
            | ProgramEvent::Accepted { .. }
            | ProgramEvent::Request { .. }
            | ProgramEvent::Question { .. }
            | ProgramEvent::Answer { .. }
            | ProgramEvent::Message { way: Way::Sent, .. }
            | ProgramEvent::Secrets { .. }
            | ProgramEvent::QuicPacket { .. }
            | ProgramEvent::Figure { .. } => {}
        }
    }

    fn speaker(&mut self, node: NodeId, program: &str) -> &mut Speaker {
        let found = self.speakers.iter().position(|speaker| speaker.node == node && speaker.program == program);
        let index = found.unwrap_or_else(|| {
            self.speakers.push(Speaker::new(node, program));
            self.speakers.len() - 1
        });
        &mut self.speakers[index]
    }
}

impl Speaker {
    fn new(node: NodeId, program: &str) -> Speaker {
        Speaker {
            node,
            program: program.to_owned(),
            streams_sent: Vec::new(),
            streams_received: Vec::new(),
            messages: BTreeMap::new(),
            exchanges: Vec::new(),
            resolutions: Vec::new(),
            output: Vec::new(),
            output_left_out: 0,
            failures: Vec::new(),
        }
    }

    fn sentences(&self, told: &Told) -> Vec<String> {
        let mut sentences = Vec::new();
        for (bytes, sha256) in &self.streams_sent {
            sentences.push(format!("sent {} octets, sha256 {}", grouped(*bytes), short(sha256)));
        }
        for (bytes, sha256) in &self.streams_received {
            let same = match told.sent.contains(sha256) {
                true => ": as it was sent",
                // Nobody says what was sent: a scanner, or a real program.
                false if told.sent.is_empty() => "",
                false => ": NOT what was sent",
            };
            sentences.push(format!("received {} octets, sha256 {}{same}", grouped(*bytes), short(sha256)));
        }
        for (over, numbers) in &self.messages {
            sentences.push(messages(over, numbers, told.messages_sent.get(over).copied().unwrap_or(0)));
        }
        sentences.extend(told_once(&self.exchanges));
        sentences.extend(resolutions(&self.resolutions));
        sentences.extend(self.output.iter().map(|line| format!("prints: {line}")));
        if self.output_left_out > 0 {
            sentences.push(format!("prints {} more lines (journal.jsonl has them)", self.output_left_out));
        }
        sentences.extend(self.failures.iter().map(|detail| format!("failed: {detail}")));
        sentences
    }
}

/// The sentences, with those that follow each other and are the same told once where they are many.
fn told_once(sentences: &[String]) -> impl Iterator<Item = String> {
    sentences.chunk_by(|one, next| one == next).flat_map(|same| match same {
        [sentence, ..] if same.len() >= MANY => vec![format!("{sentence} ({} times)", same.len())],
        few => few.to_vec(),
    })
}

/// How a resolver did: what its cache saved, and what it could not.
fn resolutions(all: &[(CacheUse, Duration)]) -> Option<String> {
    let hits = all.iter().filter(|(cache, _)| *cache == CacheUse::Hit).count();
    let asked: Vec<Duration> =
        all.iter().filter(|(cache, _)| *cache != CacheUse::Hit).map(|(_, latency)| *latency).collect();
    let slowest = asked.iter().max().map(|slowest| format!("; the slowest of these took {}", millis(*slowest)));
    let sentence = format!("{} lookups: {hits} from the cache, {} by asking", all.len(), asked.len());
    (!all.is_empty()).then(|| format!("{sentence}{}", slowest.unwrap_or_default()))
}

/// What arrived, what did not, and what came out of order.
fn messages(over: &str, numbers: &[u32], sent: u32) -> String {
    let missing: Vec<u32> = (1..=sent).filter(|number| !numbers.contains(number)).collect();
    let late: Vec<String> = numbers
        .windows(2)
        .filter(|pair| pair[1] < pair[0])
        .map(|pair| format!("{} came after {}", pair[1], pair[0]))
        .collect();
    let mut sentence = format!("over {over}: {} of {sent} messages arrived", numbers.len());
    if !missing.is_empty() {
        sentence.push_str(&format!("; missing {}", listed(&missing)));
    }
    if late.is_empty() {
        sentence.push_str(", in order");
    } else {
        sentence.push_str(&format!("; {}", late.join(", ")));
    }
    sentence
}

fn listed(numbers: &[u32]) -> String {
    let shown: Vec<String> = numbers.iter().take(NUMBERS_SHOWN).map(u32::to_string).collect();
    match numbers.len().saturating_sub(NUMBERS_SHOWN) {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}

/// A number with its thousands set apart: `17,520`.
pub(super) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut grouped = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

fn write_line(out: &mut String, node: &str, program: &str, sentence: &str, style: Style) {
    let paint =
        if sentence.contains("NOT what") || sentence.starts_with("failed") { Paint::Lost } else { Paint::Plain };
    let indent = 2 + NODE + 1 + PROGRAM + 1;
    let mut lines = wrap(&clean(sentence, style), style.columns().saturating_sub(indent)).into_iter();
    let mut line = Line::default();
    line.push(Paint::Plain, "  ");
    line.push(Paint::Bold, clean(node, style));
    line.pad_to(2 + NODE);
    line.push(Paint::Plain, " ");
    line.push(Paint::Dim, clean(program, style));
    line.pad_to(indent - 1);
    line.push(Paint::Plain, " ");
    line.push(paint, lines.next().unwrap_or_default());
    line.write_to(out, style.color);
    for more in lines {
        let mut line = Line::default();
        line.pad_to(indent);
        line.push(paint, more);
        line.write_to(out, style.color);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::{OrderOutcome, TransportKind};
    use crate::time::Instant;

    fn said(node: u16, program: &str, report: ProgramEvent) -> Entry {
        let event = Event::Program { program: program.to_owned(), report };
        Entry { at: Instant::ZERO, node: NodeId(node), event }
    }

    fn told(entries: &[Entry]) -> String {
        let entries: Vec<&Entry> = entries.iter().collect();
        programs(&entries, &|node| ["client", "server"][usize::from(node.0)].to_owned(), &Style::plain(80))
    }

    #[test]
    fn a_stream_is_compared_with_what_was_sent() {
        let hash = |letter: &str| letter.repeat(64);
        let sent = said(0, "send", ProgramEvent::StreamSent { bytes: 17_520, sha256: hash("a") });
        let same = said(1, "sink", ProgramEvent::StreamReceived { bytes: 17_520, sha256: hash("a") });
        let other = said(1, "sink", ProgramEvent::StreamReceived { bytes: 1, sha256: hash("b") });
        let text = told(std::slice::from_ref(&other));
        assert!(text.contains("received 1 octets") && !text.contains("what was sent"), "nobody said: {text}");
        let text = told(&[sent, same, other]);
        let words = text.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(words.contains("sent 17,520 octets, sha256 aaaaaaaa…aaaa server"), "{text}");
        assert!(words.contains("received 17,520 octets, sha256 aaaaaaaa…aaaa: as it was sent"), "{text}");
        assert!(words.contains("received 1 octets, sha256 bbbbbbbb…bbbb: NOT what was sent"), "{text}");
    }

    #[test]
    fn missing_and_late_messages_are_named() {
        let over = TransportKind::Udp;
        let mut entries: Vec<Entry> =
            (1..=5).map(|number| said(0, "message-send", ProgramEvent::MessageSent { over, number })).collect();
        for number in [1, 4, 3] {
            entries.push(said(1, "message-sink", ProgramEvent::MessageReceived { over, number }));
        }
        let text = told(&entries);
        let words: Vec<&str> = text.split_whitespace().collect();
        assert!(words.join(" ").contains("over UDP: 3 of 5 messages arrived; missing 2, 5; 3 came after 4"), "{text}");
        assert!(text.lines().all(|line| line.chars().count() <= 80));
    }

    #[test]
    fn many_equal_answers_are_told_once_and_few_one_by_one() {
        let answer = |status| said(0, "http-get", ProgramEvent::Response { status, bytes: 7, cache: None });
        let entries: Vec<Entry> = [200, 200, 200, 503, 503, 503, 503, 503, 200].map(answer).into();
        let text = told(&entries);
        assert_eq!(text.matches("HTTP 200").count(), 4, "{text}");
        assert_eq!(text.matches("HTTP 503, 7 octets of body (5 times)").count(), 1, "{text}");
    }

    #[test]
    fn a_line_without_end_is_cut_with_a_remark() {
        let line = "é".repeat(3_000_000);
        let entry = said(0, "exec", ProgramEvent::Output { line, is_error: false });
        let text = told(&[entry]);
        assert!(text.lines().count() < 15, "{} lines", text.lines().count());
        let words = text.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(words.ends_with("… and 2,999,600 more characters (journal.jsonl has them)"), "{text}");
        assert_eq!(text.matches('é').count(), 400);
        assert_eq!(cut(&"a".repeat(400)), "a".repeat(400), "a line that fits stays whole");
    }

    #[test]
    fn lookups_caches_and_orders_are_told_in_plain_words() {
        let name = || "api.example.com.".to_owned();
        let (record, code, latency) = ("A".to_owned(), "NOERROR".to_owned(), Duration::from_micros(60_190));
        let resolution = |cache, latency| ProgramEvent::Resolution {
            name: name(),
            record: record.clone(),
            code: code.clone(),
            cache,
            questions: 1,
            latency,
        };
        let (key, over) = ("k".to_owned(), TransportKind::Udp);
        let entries = [
            said(0, "dns-resolver", resolution(CacheUse::Miss, latency)),
            said(0, "dns-resolver", resolution(CacheUse::Hit, Duration::ZERO)),
            said(0, "http-cache", ProgramEvent::Response { status: 200, bytes: 44, cache: Some(CacheUse::Hit) }),
            said(0, "o", ProgramEvent::Order { order: String::new(), key, outcome: OrderOutcome::Conflict }),
            said(
                1,
                "l",
                ProgramEvent::Lookup {
                    name: name(),
                    record: record.clone(),
                    code: code.clone(),
                    answers: 1,
                    tries: 2,
                    over,
                    latency,
                },
            ),
        ];
        let text = told(&entries).split_whitespace().collect::<Vec<_>>().join(" ");
        assert_eq!(
            text,
            "client dns-resolver 2 lookups: 1 from the cache, 1 by asking; the slowest of these took 60.1 ms \
             client http-cache HTTP 200, 44 octets of body, from the cache client o refused: another order has the key k \
             server l api.example.com. A: NOERROR, 1 record, after 60.1 ms, asked 2 times"
        );
    }

    #[test]
    fn who_says_nothing_of_interest_has_no_line() {
        assert_eq!(told(&[said(0, "sink", ProgramEvent::Started)]), "");
    }
}
