//! The frames in a QUIC packet, as words (RFC 9000 §19).
//!
//! quinn has checked what comes in and has made what goes out; this only reads, and stops at what it does not know.

use std::collections::BTreeMap;
use std::fmt::Write as _;

/// Frames of a packet that are told; of more only that there are some.
const MOST: usize = 12;
const NEW_IDS: &str = "NEW_CONNECTION_ID";

/// How far each stream was sent in one packet number space: what lies before that is sent again. The stream of the
/// handshake (CRYPTO) has no number.
#[derive(Debug, Default)]
pub(super) struct Sent(BTreeMap<Option<u64>, u64>);

impl Sent {
    /// Whether some of these octets were sent before; remembers them.
    fn again(&mut self, stream: Option<u64>, offset: u64, length: u64) -> bool {
        let next = self.0.entry(stream).or_default();
        let again = offset < *next;
        *next = (*next).max(offset.saturating_add(length));
        again
    }
}

/// What a packet's payload holds; of streams, which octets: `ACK 0-2, STREAM 0: 0-1159, STREAM 4: 0-99 FIN`. With `sent`, what was sent
/// before is called so: `STREAM 0: 0-1159 again`.
pub(super) fn told(payload: &[u8], mut sent: Option<&mut Sent>) -> String {
    let mut reader = Reader(payload);
    let mut frames: Vec<String> = Vec::new();
    while !reader.0.is_empty() {
        match frame(&mut reader, sent.as_deref_mut()) {
            // Connection IDs come several at a time.
            Some(frame) => match (frame.strip_prefix(NEW_IDS), frames.last_mut()) {
                (Some(next), Some(last)) if last.starts_with(NEW_IDS) => last.push_str(next),
                _ => frames.push(frame),
            },
            None => {
                frames.push("what cannot be read".to_owned());
                break;
            }
        }
    }
    if frames.len() > MOST {
        frames.truncate(MOST);
        frames.push("and more".to_owned());
    }
    frames.join(", ")
}

/// The next frame; `None` when it is cut or unknown.
fn frame(reader: &mut Reader<'_>, sent: Option<&mut Sent>) -> Option<String> {
    let kind = reader.number()?;
    Some(match kind {
        0x00 => format!("PADDING {}", 1 + reader.zeros()),
        0x01 => "PING".to_owned(),
        0x02 | 0x03 => ack(reader, kind == 0x03)?,
        0x04 => format!("RESET_STREAM {}", reader.numbers::<3>()?[0]),
        0x05 => format!("STOP_SENDING {}", reader.numbers::<2>()?[0]),
        0x06 => {
            let [offset, length] = reader.numbers()?;
            reader.skip(length)?;
            let again = sent.is_some_and(|sent| sent.again(None, offset, length));
            format!("CRYPTO{}", octets(offset, length, false, again))
        }
        0x07 => {
            let length = reader.number()?;
            reader.skip(length)?;
            "NEW_TOKEN".to_owned()
        }
        0x08..=0x0f => stream(reader, kind, sent)?,
        0x10 => format!("MAX_DATA {}", reader.number()?),
        0x11 => format!("MAX_STREAM_DATA {}", reader.numbers::<2>()?[0]),
        0x12 | 0x13 => format!("MAX_STREAMS {}", reader.number()?),
        0x14 => format!("DATA_BLOCKED {}", reader.number()?),
        0x15 => format!("STREAM_DATA_BLOCKED {}", reader.numbers::<2>()?[0]),
        0x16 | 0x17 => format!("STREAMS_BLOCKED {}", reader.number()?),
        0x18 => {
            let [number, _] = reader.numbers()?;
            let length = u64::from(reader.octet()?);
            // The stateless reset token (RFC 9000 §10.3).
            reader.skip(length + 16)?;
            format!("{NEW_IDS} {number}")
        }
        0x19 => format!("RETIRE_CONNECTION_ID {}", reader.number()?),
        0x1a | 0x1b => {
            reader.skip(8)?;
            if kind == 0x1a { "PATH_CHALLENGE".to_owned() } else { "PATH_RESPONSE".to_owned() }
        }
        0x1c | 0x1d => {
            let code = reader.number()?;
            if kind == 0x1c {
                reader.number()?;
            }
            let length = reader.number()?;
            reader.skip(length)?;
            format!("CONNECTION_CLOSE 0x{code:x}")
        }
        0x1e => "HANDSHAKE_DONE".to_owned(),
        // Two that quinn sends where both ends know them (draft-ietf-quic-ack-frequency).
        0x1f => "IMMEDIATE_ACK".to_owned(),
        0xaf => format!("ACK_FREQUENCY {}", reader.numbers::<4>()?[0]),
        _ => return None,
    })
}

/// Which packets are acknowledged, the latest first (RFC 9000 §19.3).
fn ack(reader: &mut Reader<'_>, counts_ecn: bool) -> Option<String> {
    let [largest, _delay, ranges, first] = reader.numbers()?;
    let mut smallest = largest.checked_sub(first)?;
    let mut text = format!("ACK {}", range(smallest, largest));
    for _ in 0..ranges {
        let [gap, length] = reader.numbers()?;
        let largest = smallest.checked_sub(gap)?.checked_sub(2)?;
        smallest = largest.checked_sub(length)?;
        write!(text, " {}", range(smallest, largest)).ok()?;
    }
    if counts_ecn {
        reader.numbers::<3>()?;
    }
    Some(text)
}

/// Which octets of which stream are here (RFC 9000 §19.8).
fn stream(reader: &mut Reader<'_>, kind: u64, sent: Option<&mut Sent>) -> Option<String> {
    let (fin, has_length, has_offset) = (kind & 1 != 0, kind & 2 != 0, kind & 4 != 0);
    let id = reader.number()?;
    let offset = if has_offset { reader.number()? } else { 0 };
    let length = if has_length { reader.number()? } else { reader.0.len() as u64 };
    reader.skip(length)?;
    let again = sent.is_some_and(|sent| sent.again(Some(id), offset, length));
    Some(format!("STREAM {id}{}", octets(offset, length, fin, again)))
}

fn octets(offset: u64, length: u64, fin: bool, again: bool) -> String {
    let octets = match length {
        0 => String::new(),
        _ => format!(": {}", range(offset, offset.saturating_add(length - 1))),
    };
    format!("{octets}{}{}", if fin { " FIN" } else { "" }, if again { " again" } else { "" })
}

fn range(first: u64, last: u64) -> String {
    if first == last { first.to_string() } else { format!("{first}-{last}") }
}

/// What has not been read yet.
struct Reader<'a>(&'a [u8]);

impl Reader<'_> {
    fn octet(&mut self) -> Option<u8> {
        let (octet, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*octet)
    }

    /// An integer of 1, 2, 4 or 8 octets, as its first two bits say (RFC 9000 §16).
    fn number(&mut self) -> Option<u64> {
        let first = self.octet()?;
        let more = (1 << (first >> 6)) - 1;
        (0..more).try_fold(u64::from(first & 0x3f), |number, _| Some(number << 8 | u64::from(self.octet()?)))
    }

    fn numbers<const N: usize>(&mut self) -> Option<[u64; N]> {
        let mut numbers = [0; N];
        for number in &mut numbers {
            *number = self.number()?;
        }
        Some(numbers)
    }

    fn skip(&mut self, octets: u64) -> Option<()> {
        self.0 = self.0.get(usize::try_from(octets).ok()?..)?;
        Some(())
    }

    /// Takes all zeros that follow; how many there were.
    fn zeros(&mut self) -> usize {
        let zeros = self.0.iter().take_while(|octet| **octet == 0).count();
        self.0 = &self.0[zeros..];
        zeros
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn each_kind_of_frame_has_its_words() {
        let new_ids =
            [[&[0x18, 1, 0, 1, 7][..], &[0; 16]].concat(), [&[0x18, 2, 0, 1, 7][..], &[0; 16]].concat()].concat();
        let table: [(&[u8], &str); 19] = [
            (&[0x1f, 0x40, 0xaf, 7, 1, 1, 1], "IMMEDIATE_ACK, ACK_FREQUENCY 7"),
            (&new_ids, "NEW_CONNECTION_ID 1 2"),
            (&[0, 0, 0], "PADDING 3"),
            (&[1, 1], "PING, PING"),
            (&[2, 9, 0, 0, 9], "ACK 0-9"),
            (&[2, 9, 0, 1, 1, 2, 3], "ACK 8-9 1-4"),
            (&[3, 4, 0, 0, 0, 1, 2, 3], "ACK 4"),
            (&[6, 0, 2, 7, 7], "CRYPTO: 0-1"),
            (&[6, 0x44, 0, 1, 7], "CRYPTO: 1024"),
            (&[8, 4, 1, 2, 3], "STREAM 4: 0-2"),
            (&[0x0e, 4, 10, 2, 1, 1, 1], "STREAM 4: 10-11, PING"),
            (&[0x0b, 0, 0], "STREAM 0 FIN"),
            (&[0x10, 0x80, 0, 0x10, 0], "MAX_DATA 4096"),
            (&[0x19, 1], "RETIRE_CONNECTION_ID 1"),
            (&[0x1a, 1, 2, 3, 4, 5, 6, 7, 8, 0x1e], "PATH_CHALLENGE, HANDSHAKE_DONE"),
            (&[0x1c, 0x0a, 0, 1, b'x'], "CONNECTION_CLOSE 0xa"),
            (&[0x1d, 0x41, 0, 0], "CONNECTION_CLOSE 0x100"),
            (&[1, 6, 0, 9, 1], "PING, what cannot be read"),
            (&[2, 1, 0, 0, 2], "what cannot be read"),
        ];
        for (payload, words) in table {
            assert_eq!(told(payload, None), words, "{payload:?}");
        }
    }

    #[test]
    fn what_was_sent_before_is_called_so() {
        let mut sent = Sent::default();
        let mut next = |payload: &[u8]| told(payload, Some(&mut sent));
        assert_eq!(next(&[0x0a, 0, 2, 1, 1]), "STREAM 0: 0-1");
        assert_eq!(next(&[0x0e, 0, 2, 2, 1, 1]), "STREAM 0: 2-3");
        assert_eq!(next(&[0x0a, 4, 2, 1, 1]), "STREAM 4: 0-1");
        assert_eq!(next(&[0x0a, 0, 2, 1, 1]), "STREAM 0: 0-1 again");
        assert_eq!(next(&[6, 0, 1, 1]), "CRYPTO: 0");
        assert_eq!(next(&[6, 0, 1, 1]), "CRYPTO: 0 again");
    }

    #[test]
    fn of_many_frames_the_first_are_told() {
        let words = told(&[1; 1200], None);
        assert_eq!(words.matches("PING").count(), MOST);
        assert!(words.ends_with("PING, and more"), "{words}");
    }

    proptest! {
        #[test]
        fn octets_of_any_kind_are_read_without_a_panic(payload in prop::collection::vec(any::<u8>(), 0..200)) {
            told(&payload, Some(&mut Sent::default()));
        }
    }
}
