//! DNS messages (RFC 1035 §4) as a packet shows them: what a header says, what is asked, which records answer.
//!
//! ```text
//!   +------------+ 12 octets: ID, flags, how many of each
//!   |   header   |
//!   +------------+
//!   |  question  | name, type, class
//!   +------------+
//!   |   answer   | records: name, type, class, TTL, length, data
//!   | authority  |
//!   | additional |
//!   +------------+
//! ```
//!
//! Reading is lax, as in all of this room: a message that was cut short yields what was before the cut. A message is
//! known by port 53; over TCP each is preceded by its length (RFC 1035 §4.2.2) and read only where one segment holds all
//! of it. The programs of labs speak DNS with a library of their own, so that this reader is no judge of itself.

use std::net::{Ipv4Addr, Ipv6Addr};

use super::Dissection;
use super::dissect::Transport;

/// The port of DNS, UDP's and TCP's.
pub const PORT: u16 = 53;

/// Octets of a header.
const HEADER: usize = 12;

/// Labels and pointers that one name may take: a name has 255 octets (RFC 1035 §2.3.4), and a pointer may loop.
const MOST_STEPS: usize = 256;

/// Characters of a name: 255 octets, each written as four when it cannot be printed.
const LONGEST_NAME: usize = 255 * 4;

/// A message, as far as it was there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// Chosen by who asks, repeated by who answers.
    pub id: u16,
    /// The sixteen bits behind it.
    pub flags: u16,
    /// How many questions, answers, authority and additional records there should be.
    pub counts: [u16; 4],
    /// What is asked.
    pub questions: Vec<Question>,
    /// The records of all three sections, in their order.
    pub records: Vec<Record>,
}

/// What is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    /// Labels with dots between; `<Root>` for the root, as Wireshark has it.
    pub name: String,
    /// The type, such as 1 for A.
    pub kind: u16,
    /// The class, 1 for the Internet.
    pub class: u16,
}

/// A resource record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Where it stands.
    pub section: Section,
    /// Whose record it is.
    pub name: String,
    /// The type.
    pub kind: u16,
    /// The class; of an OPT record, the octets that a UDP message may have (RFC 6891 §6.1.2).
    pub class: u16,
    /// Seconds; of an OPT record, other flags.
    pub ttl: u32,
    /// Octets of data.
    pub length: u16,
    /// What it says.
    pub data: Data,
}

/// A part of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Section {
    /// Answers the question.
    Answer,
    /// Says who is in charge.
    Authority,
    /// May be of use besides.
    Additional,
}

/// What a record says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Data {
    /// A.
    Ipv4(Ipv4Addr),
    /// AAAA (RFC 3596).
    Ipv6(Ipv6Addr),
    /// CNAME, NS or PTR.
    Name(String),
    /// MX: preference and host.
    Mail(u16, String),
    /// TXT: its strings.
    Text(Vec<String>),
    /// SOA: the primary server, and for how long the absence of a name may be remembered (RFC 2308 §4).
    Authority {
        /// MNAME.
        mname: String,
        /// MINIMUM, in seconds.
        minimum: u32,
    },
    /// OPT (RFC 6891), or a type that is not read here.
    Other,
}

/// The types that have names here.
const TYPES: [(u16, &str); 11] = [
    (1, "A"),
    (2, "NS"),
    (5, "CNAME"),
    (6, "SOA"),
    (12, "PTR"),
    (15, "MX"),
    (16, "TXT"),
    (28, "AAAA"),
    (33, "SRV"),
    (65, "HTTPS"),
    (255, "ANY"),
];

/// OPT, a record that says something of the message itself.
pub const OPT: u16 = 41;

/// `AAAA`; `TYPE99` as RFC 3597 §5 has it.
pub fn type_name(kind: u16) -> String {
    TYPES
        .iter()
        .find(|(number, _)| *number == kind)
        .map_or_else(|| format!("TYPE{kind}"), |(_, name)| (*name).to_owned())
}

/// `NXDOMAIN` (RFC 1035 §4.1.1, RFC 2136 §2.2).
pub fn code_name(code: u8) -> String {
    match code {
        0 => "NOERROR".to_owned(),
        1 => "FORMERR".to_owned(),
        2 => "SERVFAIL".to_owned(),
        3 => "NXDOMAIN".to_owned(),
        4 => "NOTIMP".to_owned(),
        5 => "REFUSED".to_owned(),
        other => format!("RCODE{other}"),
    }
}

/// Whether the packet's transport is one for DNS, whatever it carries.
pub fn is_port(dissection: &Dissection) -> bool {
    dissection.ports().is_some_and(|(from, to)| from == PORT || to == PORT)
}

/// The messages that `payload` of the packet holds: over UDP one at most.
pub fn messages(dissection: &Dissection, payload: &[u8]) -> Vec<Message> {
    match dissection.transport {
        Some(Transport::Udp(_)) if is_port(dissection) => Message::read(payload).into_iter().collect(),
        Some(Transport::Tcp(_)) if is_port(dissection) => framed(payload),
        Some(_) | None => Vec::new(),
    }
}

/// Each preceded by its length; what is not whole at the end is left out.
fn framed(payload: &[u8]) -> Vec<Message> {
    let mut found = Vec::new();
    let mut rest = payload;
    while let Some((length, after)) = rest.split_first_chunk::<2>() {
        let length = usize::from(u16::from_be_bytes(*length));
        let Some(message) = after.get(..length).and_then(Message::read) else { break };
        found.push(message);
        rest = after.get(length..).unwrap_or_default();
    }
    found
}

impl Message {
    /// Reads what is there; `None` when there is not even a whole header.
    pub fn read(bytes: &[u8]) -> Option<Message> {
        let [id, flags, questions, answers, authorities, additionals] = {
            let header: &[u8; HEADER] = bytes.first_chunk()?;
            [0, 2, 4, 6, 8, 10].map(|at| u16::from_be_bytes([header[at], header[at + 1]]))
        };
        let counts = [questions, answers, authorities, additionals];
        let mut message = Message { id, flags, counts, questions: Vec::new(), records: Vec::new() };
        let mut reader = Reader { bytes, at: HEADER };
        let _ = message.read_sections(&mut reader);
        Some(message)
    }

    /// `None` when the octets end before the message does.
    fn read_sections(&mut self, reader: &mut Reader<'_>) -> Option<()> {
        let [questions, answers, authorities, additionals] = self.counts;
        for _ in 0..questions {
            self.questions.push(Question { name: reader.name()?, kind: reader.number()?, class: reader.number()? });
        }
        let sections =
            [(Section::Answer, answers), (Section::Authority, authorities), (Section::Additional, additionals)];
        for (section, count) in sections {
            for _ in 0..count {
                self.records.push(reader.record(section)?);
            }
        }
        Some(())
    }

    /// Whether it answers.
    pub fn is_response(&self) -> bool {
        self.bit(15)
    }

    /// Whether there is more than fitted.
    pub fn is_truncated(&self) -> bool {
        self.bit(9)
    }

    /// One of the flags, counted from the lowest.
    pub fn bit(&self, place: u8) -> bool {
        self.flags >> place & 1 == 1
    }

    /// What is wanted; 0 is an ordinary query.
    pub fn opcode(&self) -> u8 {
        (self.flags >> 11 & 0xf) as u8
    }

    /// How an answer went.
    pub fn code(&self) -> u8 {
        (self.flags & 0xf) as u8
    }
}

struct Reader<'a> {
    /// The whole message: names point into it.
    bytes: &'a [u8],
    at: usize,
}

impl Reader<'_> {
    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let taken = self.bytes.get(self.at..)?.first_chunk::<N>()?;
        self.at += N;
        Some(*taken)
    }

    fn number(&mut self) -> Option<u16> {
        self.take().map(u16::from_be_bytes)
    }

    /// A name, and past it (RFC 1035 §4.1.4).
    fn name(&mut self) -> Option<String> {
        let mut name = String::new();
        let mut at = self.at;
        let mut behind = None;
        for _ in 0..MOST_STEPS {
            let length = usize::from(*self.bytes.get(at).filter(|_| name.len() <= LONGEST_NAME)?);
            match length >> 6 {
                0b00 if length == 0 => {
                    self.at = behind.unwrap_or(at + 1);
                    return Some(if name.is_empty() { "<Root>".to_owned() } else { name });
                }
                0b00 => {
                    let label = self.bytes.get(at + 1..at + 1 + length)?;
                    if !name.is_empty() {
                        name.push('.');
                    }
                    name.push_str(&readable(label));
                    at += 1 + length;
                }
                0b11 => {
                    behind = behind.or(Some(at + 2));
                    at = (length & 0x3f) << 8 | usize::from(*self.bytes.get(at + 1)?);
                }
                _ => return None,
            }
        }
        None
    }

    fn record(&mut self, section: Section) -> Option<Record> {
        let name = self.name()?;
        let (kind, class) = (self.number()?, self.number()?);
        let ttl = u32::from_be_bytes(self.take()?);
        let length = self.number()?;
        let end = self.at.checked_add(usize::from(length)).filter(|end| *end <= self.bytes.len())?;
        let mut data = Reader { bytes: self.bytes.get(..end)?, at: self.at };
        let data = data.data(kind).unwrap_or(Data::Other);
        self.at = end;
        Some(Record { section, name, kind, class, ttl, length, data })
    }

    /// The data of a record, which end where the reader's octets do.
    fn data(&mut self, kind: u16) -> Option<Data> {
        Some(match kind {
            1 => Data::Ipv4(self.take::<4>()?.into()),
            2 | 5 | 12 => Data::Name(self.name()?),
            6 => {
                let (mname, _) = (self.name()?, self.name()?);
                // Serial, refresh, retry and expire stand before it.
                let _: [u8; 16] = self.take()?;
                Data::Authority { mname, minimum: u32::from_be_bytes(self.take()?) }
            }
            15 => Data::Mail(self.number()?, self.name()?),
            16 => Data::Text(self.strings()),
            28 => Data::Ipv6(self.take::<16>()?.into()),
            _ => Data::Other,
        })
    }

    fn strings(&mut self) -> Vec<String> {
        let mut strings = Vec::new();
        while let Some([length]) = self.take::<1>() {
            let end = self.at + usize::from(length);
            let Some(string) = self.bytes.get(self.at..end) else { break };
            strings.push(readable(string));
            self.at = end;
        }
        strings
    }
}

/// Octets as text, with what cannot be printed made visible: nothing from the network steers a terminal.
fn readable(octets: &[u8]) -> String {
    octets
        .iter()
        .map(|octet| match octet {
            b' '..=b'~' => char::from(*octet).to_string(),
            other => format!("\\x{other:02x}"),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A response of RFC 1035's shape: one question, its answer by a pointer, an SOA and an OPT.
    fn response() -> Vec<u8> {
        let mut bytes = vec![0x12, 0x34, 0x81, 0x83, 0, 1, 0, 1, 0, 1, 0, 1];
        bytes.extend(b"\x03api\x07example\x00\x00\x01\x00\x01");
        bytes.extend(b"\xc0\x0c\x00\x01\x00\x01\x00\x00\x01\x2c\x00\x04\x0a\x00\x00\x09");
        bytes.extend(b"\xc0\x10\x00\x06\x00\x01\x00\x00\x00\x3c\x00\x1a\x02ns\xc0\x10\x00");
        bytes.extend([0; 16]);
        bytes.extend([0, 0, 0, 60]);
        bytes.extend(b"\x00\x00\x29\x04\xd0\x00\x00\x00\x00\x00\x00");
        bytes
    }

    #[test]
    fn a_message_is_read_with_its_names_pointed_to() {
        let message = Message::read(&response()).expect("it is whole");
        assert_eq!((message.id, message.counts, message.code()), (0x1234, [1, 1, 1, 1], 3));
        assert!(message.is_response() && !message.is_truncated());
        assert_eq!(message.questions, [Question { name: "api.example".to_owned(), kind: 1, class: 1 }]);
        let [answer, soa, opt] = message.records.as_slice() else { panic!("{message:?}") };
        assert_eq!((answer.name.as_str(), answer.ttl), ("api.example", 300));
        assert_eq!(answer.data, Data::Ipv4(Ipv4Addr::new(10, 0, 0, 9)));
        assert_eq!(soa.data, Data::Authority { mname: "ns.example".to_owned(), minimum: 60 });
        assert_eq!((opt.name.as_str(), opt.kind, opt.class), ("<Root>", OPT, 1232));
    }

    #[test]
    fn what_was_cut_off_is_missing_and_what_stood_before_is_read() {
        let whole = response();
        let read = |length: usize| Message::read(&whole[..length]);
        assert_eq!(read(11), None);
        assert!(read(12).is_some_and(|message| message.questions.is_empty()));
        assert!(read(40).is_some_and(|message| message.questions.len() == 1 && message.records.is_empty()));
        assert!(read(whole.len() - 1).is_some_and(|message| message.records.len() == 2));
    }

    #[test]
    fn over_tcp_every_whole_message_counts() {
        let message = response();
        let framed_one = [&(message.len() as u16).to_be_bytes()[..], &message].concat();
        assert_eq!(framed(&framed_one.repeat(2)).len(), 2);
        assert_eq!(framed(&[&framed_one[..], &framed_one[..20]].concat()).len(), 1);
        assert_eq!(framed(&framed_one[..framed_one.len() - 1]).len(), 0);
    }

    #[test]
    fn a_name_that_points_to_itself_ends_the_reading() {
        let mut looped = vec![0, 1, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0];
        looped.extend(b"\xc0\x0c\x00\x01\x00\x01");
        assert!(Message::read(&looped).is_some_and(|message| message.questions.is_empty()));
    }

    #[test]
    fn what_cannot_be_printed_is_made_visible() {
        let mut bytes = vec![0, 1, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0];
        bytes.extend(b"\x04\x1b[2J\x00\x00\x01\x00\x01");
        let message = Message::read(&bytes).expect("it has a header");
        assert_eq!(message.questions[0].name, "\\x1b[2J");
    }

    proptest! {
        #[test]
        fn no_octets_make_the_reader_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = Message::read(&bytes);
            let _ = framed(&bytes);
        }
    }
}
