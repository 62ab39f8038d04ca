//! How a segment is written in a log, and read from one.
//!
//! ```text
//!   PA 1:101 ack 1 win 500 urg 7 ce gso 1000 <mss 1460, sackOK, ts 20 700, ws 7, fo 0a0b0c0d, sack 201:301 401:501>
//!   │  │     │     │       │     │  └ octets of each piece of a super-segment
//!   │  │     │     │       │     └ the ECN field of its IP header: ect0 or ce
//!   │  │     │     │       └ urgent pointer
//!   │  │     │     └ the window field as it stands there, not scaled
//!   │  │     └ acknowledgment number
//!   │  └ first octet and the one after the last; without data only the first
//!   └ flags: S F R P A U, E for ECE, W for CWR; - for none
//! ```
//!
//! All numbers count from the initial sequence number of whoever they belong to: a SYN stands at 0, the first octet at 1.
//! A timestamp of ours counts milliseconds since the test began; one of the peer's stands there as it is, and `-` is an
//! echo of nothing, zero. `win` and `<…>` that are not written are not compared. The octets themselves are never written:
//! they follow from their place in the stream ([`octet`]); `forged` data is other data.

use std::num::NonZeroU16;

use bytes::Bytes;

use smallvec::SmallVec;

use crate::packet::dissect::{FastOpenOption, TcpOptions};
use crate::packet::{SeqNum, TcpFlags};
use crate::tcp::Segment;

/// The octet at a place of any stream of these tests.
pub(super) fn octet(position: u64) -> u8 {
    ((position.wrapping_mul(2_654_435_761)) >> 7) as u8
}

/// Octets of the stream from `start` on.
pub(super) fn octets(start: u64, length: usize) -> Vec<u8> {
    (start..start + length as u64).map(octet).collect()
}

/// Where the numbers of one side's segments count from.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Origins {
    /// The sender's initial sequence number.
    pub(super) seq: SeqNum,
    /// The initial sequence number of the other side.
    pub(super) ack: SeqNum,
    /// What the sender's timestamps count from.
    pub(super) ts_value: u32,
    /// What the echoed timestamps count from.
    pub(super) ts_echo: u32,
}

/// What of a segment a line of the log speaks of.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Mentions {
    window: bool,
    options: bool,
}

const FLAGS: [(char, TcpFlags); 8] = [
    ('S', TcpFlags::SYN),
    ('F', TcpFlags::FIN),
    ('R', TcpFlags::RST),
    ('P', TcpFlags::PSH),
    ('A', TcpFlags::ACK),
    ('U', TcpFlags::URG),
    ('E', TcpFlags::ECE),
    ('W', TcpFlags::CWR),
];

/// The window field of a segment that does not mention one.
const WINDOW: u16 = u16::MAX;

/// Reads a segment. A line that makes no sense fails the test that it stands in.
pub(super) fn read(text: &str, origins: Origins) -> (Segment, Mentions) {
    let (head, options) = match text.split_once('<') {
        Some((head, options)) => (head, Some(options.trim_end().trim_end_matches('>'))),
        None => (text, None),
    };
    let mut words = head.split_whitespace();
    let mut segment = Segment { window: WINDOW, ..Segment::default() };
    let mut mentions = Mentions { options: options.is_some(), ..Mentions::default() };
    segment.flags = read_flags(words.next().unwrap_or_default());
    let (first, length) = read_range(words.next().unwrap_or("0"));
    segment.seq = origins.seq + first as u32;
    // The octets of a SYN come after it.
    let place = first - i64::from(!segment.flags.syn());
    let mut data = if length > 0 { octets(place as u64, length) } else { Vec::new() };
    while let Some(word) = words.next() {
        let mut number = || words.next().and_then(|word| word.parse::<i64>().ok()).expect("a number follows");
        match word {
            "ack" => segment.ack = origins.ack + number() as u32,
            "win" => (segment.window, mentions.window) = (number() as u16, true),
            "urg" => segment.urgent = number() as u16,
            "gso" => segment.gso_size = NonZeroU16::new(number() as u16),
            "ect0" => segment.ecn = 2,
            "ce" => segment.ecn = 3,
            "forged" => data.iter_mut().for_each(|octet| *octet = !*octet),
            other => panic!("the log says {other:?} in {text:?}"),
        }
    }
    if !data.is_empty() {
        segment.payload.push(Bytes::from(data));
    }
    segment.options = read_options(options.unwrap_or_default(), origins);
    (segment, mentions)
}

fn read_flags(word: &str) -> TcpFlags {
    let bits = word.chars().filter(|letter| *letter != '-').map(|letter| {
        FLAGS.iter().find(|(name, _)| *name == letter).map(|(_, flag)| flag.0).expect("the log names a flag")
    });
    TcpFlags(bits.fold(0, |flags, bit| flags | bit))
}

fn read_range(word: &str) -> (i64, usize) {
    let number = |text: &str| text.parse::<i64>().expect("the log has a number here");
    match word.split_once(':') {
        Some((first, end)) => (number(first), (number(end) - number(first)) as usize),
        None => (number(word), 0),
    }
}

fn read_options(text: &str, origins: Origins) -> TcpOptions {
    let mut options = TcpOptions::default();
    for item in text.split(',').map(str::trim).filter(|item| !item.is_empty()) {
        let words: Vec<&str> = item.split_whitespace().collect();
        let number = |place: usize| words[place].parse::<i64>().expect("the option has a number");
        let stamp = |place: usize, origin: u32| match words[place] {
            "-" => 0,
            _ => origin.wrapping_add(number(place) as u32),
        };
        match words[0] {
            "mss" => options.mss = Some(number(1) as u16),
            "ws" => options.window_scale = Some(number(1) as u8),
            "sackOK" => options.sack_permitted = true,
            "fo" | "foexp" => {
                let cookie = hexadecimal(words.get(1).copied().unwrap_or_default());
                options.fast_open = Some(FastOpenOption { cookie, experimental: words[0] == "foexp" });
            }
            "ts" => options.timestamps = Some((stamp(1, origins.ts_value), stamp(2, origins.ts_echo))),
            "sack" => {
                options.sack = words[1..]
                    .iter()
                    .map(|block| read_range(block))
                    .map(|(first, length)| {
                        (origins.ack + first as u32, origins.ack + (first as u32).wrapping_add(length as u32))
                    })
                    .collect();
            }
            other => panic!("the log has the option {other:?}"),
        }
    }
    options
}

fn hexadecimal(digits: &str) -> SmallVec<[u8; 16]> {
    (0..digits.len() / 2).map(|at| u8::from_str_radix(&digits[2 * at..2 * at + 2], 16).expect("two digits")).collect()
}

/// Writes a segment, as far as the line that it is compared with speaks of it.
pub(super) fn write(segment: &Segment, origins: Origins, mentions: Mentions) -> String {
    let letters: String =
        FLAGS.iter().filter(|(_, flag)| segment.flags.contains(*flag)).map(|(name, _)| *name).collect();
    let from = |number: SeqNum, origin: SeqNum| i64::from(number.offset_from(origin) as i32);
    let first = from(segment.seq, origins.seq);
    let mut text = if letters.is_empty() { "-".to_owned() } else { letters };
    match segment.len() {
        0 => text += &format!(" {first}"),
        length => text += &format!(" {first}:{}", first + i64::from(length)),
    }
    if segment.flags.ack() {
        text += &format!(" ack {}", from(segment.ack, origins.ack));
    }
    if mentions.window {
        text += &format!(" win {}", segment.window);
    }
    if segment.flags.urg() {
        text += &format!(" urg {}", segment.urgent);
    }
    text += match segment.ecn {
        0 => "",
        2 => " ect0",
        _ => " ce",
    };
    if let Some(size) = segment.gso_size {
        text += &format!(" gso {size}");
    }
    if mentions.options {
        text += &format!(" <{}>", write_options(&segment.options, origins));
    }
    text
}

fn write_options(options: &TcpOptions, origins: Origins) -> String {
    let mut items = Vec::new();
    items.extend(options.mss.map(|mss| format!("mss {mss}")));
    items.extend(options.sack_permitted.then(|| "sackOK".to_owned()));
    items.extend(options.timestamps.map(|(value, echo)| {
        let echo = match echo {
            0 => "-".to_owned(),
            _ => (echo.wrapping_sub(origins.ts_echo) as i32).to_string(),
        };
        format!("ts {} {echo}", value.wrapping_sub(origins.ts_value) as i32)
    }));
    items.extend(options.window_scale.map(|shift| format!("ws {shift}")));
    items.extend(options.fast_open.as_ref().map(|option| {
        let name = if option.experimental { "foexp" } else { "fo" };
        let cookie: String = option.cookie.iter().map(|octet| format!("{octet:02x}")).collect();
        format!("{name} {cookie}").trim_end().to_owned()
    }));
    if !options.sack.is_empty() {
        let from = |number: SeqNum| number.offset_from(origins.ack) as i32;
        let blocks: Vec<String> =
            options.sack.iter().map(|(left, right)| format!("{}:{}", from(*left), from(*right))).collect();
        items.push(format!("sack {}", blocks.join(" ")));
    }
    items.join(", ")
}

/// A span of time: `40ms`, `1s`, `250us`.
pub(super) fn span(text: &str) -> std::time::Duration {
    use std::time::Duration;
    let digits = text.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let number: u64 = number.parse().expect("a span begins with a number");
    match unit {
        "us" => Duration::from_micros(number),
        "ms" => Duration::from_millis(number),
        "s" => Duration::from_secs(number),
        "min" => Duration::from_secs(60 * number),
        other => panic!("the log has a span in {other:?}"),
    }
}

#[test]
fn a_segment_reads_as_it_was_written() {
    let origins = Origins { seq: SeqNum(u32::MAX - 3), ack: SeqNum(77), ts_value: 5, ts_echo: 9 };
    for line in [
        "S 0 win 8000 <mss 1000, sackOK, ts 3 -, ws 7>",
        "S 0:3 win 8000 <mss 1000, fo 0a0b0c0d>",
        "SA 0 ack 4 win 8000 <foexp>",
        "PA 1:101 ack 1 win 500 <>",
        "FPAU 1:3 ack 5 win 1 urg 2 ce gso 1000 <ts 1 2, sack 201:301 401:501>",
        "- -1 win 0 <>",
    ] {
        let (segment, mentions) = read(line, origins);
        assert_eq!(write(&segment, origins, mentions), line);
    }
}
