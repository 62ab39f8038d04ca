//! Our filters and tshark's, over the golden captures of all labs: the same packet numbers, filter by filter.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::sync::Mutex;
use std::thread;
use std::time::Duration;

use wireglass::capture::Reader;
use wireglass::filter::{Filter, Names, PacketSubject, Subject, field_names};
use wireglass::packet::{Dissection, Medium};
use wireglass::time::Instant;

use super::super::support::has;
use super::super::support::spaced::{Frame, Spaced};
use super::super::support::wireshark::tshark;
use super::goldens::{all_goldens, captures};
use super::{id_of, labs, root};

/// Each operator, each family of fields, and how they combine; each tells some packets of a golden from the others.
const FILTERS: &[&str] = &[
    // The capture, and how long a packet is.
    "frame.number == 5",
    "frame.number in {1, 4..6, 0x10}",
    "frame.number not in {2..9}",
    "frame.time_relative > 1.25",
    "frame.time_relative <= 0.500000001",
    "frame.len > 100",
    "frame.cap_len lt 60",
    "frame contains \"HTTP\"",
    "frame contains 08:0a",
    // IPv4.
    "ip.src == 10.0.0.1",
    "ip.src != 10.0.0.1",
    "ip.dst eq 10.0.0.1",
    "ip.addr == 10.0.1.1",
    "ip.addr != 10.0.1.1",
    "!(ip.addr == 10.0.1.1)",
    "ip.src == 10.0.0.0/24",
    "ip.src > 10.0.0.5",
    "ip.dst in {10.0.0.1, 10.0.2.0/24}",
    "ip.dst in {10.0.1.0 .. 10.0.2.255}",
    "ip.ttl == 64",
    "ip.ttl < 64",
    "ip.len >= 576",
    "ip.id > 0x7fff",
    "ip.proto == 17",
    "ip.flags.df == 1",
    "ip.flags.df == False",
    "ip.checksum > 32767",
    "ip contains \"Host\"",
    // TCP.
    "tcp",
    "not tcp",
    "tcp.srcport == 80",
    "tcp.dstport ne 80",
    "tcp.port == 9000",
    "tcp.port != 80",
    "tcp.port in {53, 80, 8000..9100}",
    "tcp.stream == 0",
    "tcp.stream > 0",
    "tcp.len > 0",
    "tcp.len == 0",
    "tcp.len in {1..500}",
    "tcp.seq == 0",
    "tcp.seq == 1",
    "tcp.seq > 1",
    "tcp.seq >= 1461 && tcp.seq < 5841",
    "tcp.seq_raw > 2147483647",
    "tcp.nxtseq == 1",
    "tcp.nxtseq > 1000",
    "tcp.ack == 0",
    "tcp.ack == 1",
    "tcp.ack > 1",
    "tcp.ack in {2..100}",
    "tcp.ack_raw le 2147483647",
    "tcp.hdr_len > 32",
    "tcp.flags == 0x002",
    "tcp.flags == 0x018",
    "tcp.flags > 0x010",
    "tcp.flags.syn == 1",
    "tcp.flags.syn == 1 && tcp.flags.ack == 0",
    "tcp.flags.syn == True and tcp.flags.ack == True",
    "tcp.flags.syn != 1",
    "tcp.flags.fin == 1",
    "tcp.flags.fin == 1 || tcp.flags.reset == 1",
    "tcp.flags.reset == 1",
    "tcp.flags.push == 1",
    "tcp.flags.ack == 0",
    "tcp.window_size_value < 65535",
    "tcp.checksum gt 32767",
    "tcp.options",
    "tcp.options contains 01:01:08:0a",
    "tcp.options.mss_val",
    "tcp.options.mss_val == 1460",
    "tcp.options.wscale.shift == 1",
    "tcp.options.sack_perm",
    "tcp.options.sack",
    "!tcp.options.sack && tcp",
    "tcp.options.sack.count == 1",
    "tcp.options.sack_le > 1460",
    "tcp.options.sack_re in {1000..9000}",
    "tcp.options.timestamp.tsval > 0x40000000",
    "tcp.options.timestamp.tsecr == 0",
    "tcp.payload",
    "tcp.payload contains \"GET\"",
    "tcp contains \"200 OK\"",
    // UDP and ICMP.
    "udp",
    "udp.srcport == 53",
    "udp.dstport == 53",
    "udp.port == 53",
    "udp.port != 53",
    "udp.stream == 0",
    "udp.stream > 2",
    "udp.length > 60",
    "udp.checksum < 0x8000",
    "udp.payload contains 00:01:00:01",
    "udp contains \"example\"",
    "icmp",
    "icmp.type == 3",
    "icmp.type == 3 && icmp.code == 4",
    "icmp.mtu == 1300 or icmp.mtu == 1400",
    "icmp.checksum > 0",
    // DNS.
    "dns",
    "dns && tcp",
    "dns.id > 0x8000",
    "dns.flags.response == 1",
    "dns.flags.response == 0 and udp.dstport == 53",
    "dns.flags.rcode == 3",
    "dns.flags.rcode != 0",
    "dns.flags.truncated == 1",
    "dns.flags.authoritative == 1",
    "dns.flags.recdesired == 1",
    "dns.count.answers == 0",
    "dns.count.answers > 1",
    "dns.qry.name == \"api.example.com\"",
    "dns.qry.name contains \"nobody\"",
    "dns.qry.type == 28",
    "dns.qry.type in {15, 16}",
    "dns.resp.name == \"api.example.com\"",
    "dns.resp.type == 5",
    "dns.resp.ttl <= 2",
    "dns.resp.ttl > 200 && dns.flags.authoritative == 1",
    "dns.a == 203.0.113.10",
    "dns.a != 203.0.113.10",
    "dns.aaaa == 2001:db8::/32",
    "dns.cname == \"api.example.com\"",
    "dns.mx.preference < 20",
    "dns.txt contains \"1983\"",
    "dns.soa.minimum_ttl == 60",
    "dns.rr.udp_payload_size == 1232",
    // HTTP.
    "http.request",
    "http.request.method == \"GET\"",
    "http.request.method != \"GET\"",
    "http.request.uri contains \"post\"",
    "http.request.uri == \"/posts/123\" && http.request.version == \"HTTP/1.1\"",
    "http.request.line contains \"If-None-Match\"",
    "http.request.line contains \"dempotency\"",
    "http.response",
    "http.response.code == 304",
    "http.response.code in {200..299}",
    "http.response.phrase == \"Not Modified\"",
    "http.response.line contains \"tag: \"",
    "http.host contains \"e\"",
    "http.host == \"edge\"",
    "http.user_agent contains \"wireglass\"",
    "http.cache_control == \"max-age=300\"",
    "http.content_length_header == \"49\"",
    "http.content_type",
    // What nothing reads, and everything together.
    "data.len > 100",
    "udp && data",
    "tcp.flags.syn == 1 && (ip.src == 10.0.0.1 || tcp.options.mss_val < 1460)",
    "(tcp.len > 0 && !(ip.src == 10.0.0.1)) || udp",
    "not (tcp.flags.ack == 1 and tcp.len == 0) and not dns",
    "!(tcp || icmp) || tcp.flags.fin == 1 && tcp.seq > 100",
    "tcp.len > 0 or tcp.flags.syn == 1 and ip.src == 10.0.0.1",
];

/// Where we mean to differ.
struct Difference {
    /// The protocols that a filter asks for.
    protocols: &'static [&'static str],
    /// The packets of which it is true, as a filter of tshark's.
    packets: &'static str,
    /// Whether our filters select packets that tshark's leave out, or else tshark's some that ours do; never both.
    is_ours_more: bool,
}

const DIFFERENCES: [Difference; 3] = [
    // Wireshark leaves unread what it takes to have come again or too late; ours looks at one packet at a time, and reads it.
    Difference {
        protocols: &["data", "http", "dns"],
        packets: "tcp.analysis.retransmission || tcp.analysis.out_of_order",
        is_ours_more: true,
    },
    // What Wireshark knows by what came before on the connection, and ours, packet by packet, takes for data.
    Difference {
        protocols: &["data"],
        packets: "tcp.port in {80, 443, 1883, 5432, 8080} || http2 || websocket || tls || quic",
        is_ours_more: true,
    },
    // So the rest of a body is no HTTP to ours.
    Difference {
        protocols: &["http"],
        packets: "http && !http.request && !http.response || websocket",
        is_ours_more: false,
    },
];

/// A filter, our packets, tshark's.
type Differs = (String, Vec<u64>, Vec<u64>);

/// What one capture says of the filters.
struct Judged {
    /// Those that select some of its packets and not all.
    telling: Vec<usize>,
    differing: Vec<Differs>,
}

#[test]
fn filters_select_from_every_golden_capture_what_tshark_selects() {
    if !has("filters_select_from_every_golden_capture_what_tshark_selects", "tshark") {
        return;
    }
    assert!(FILTERS.iter().collect::<BTreeSet<_>>().len() == FILTERS.len() && FILTERS.len() >= 60);
    // Besides the table, whether each field is there at all; a flag alone is refused.
    let texts: Vec<String> = FILTERS.iter().map(|text| (*text).to_owned()).chain(presences()).collect();
    let read = |text: &String| Filter::parse(text, &Names::default()).unwrap_or_else(|error| panic!("{text}: {error}"));
    let filters: Vec<Filter> = texts.iter().map(read).collect();
    let waiting = Mutex::new(all_goldens());
    let judged = Mutex::new(BTreeMap::new());
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(1, |cores| cores.get().min(4)) {
            scope.spawn(|| {
                while let Some(file) = { waiting.lock().expect("nobody panics with it").pop() } {
                    let found = judge(&file, &texts, &filters);
                    judged.lock().expect("nobody panics with it").insert(file, found);
                }
            });
        }
    });
    let judged = judged.into_inner().expect("nobody panicked with it");
    assert_eq!(judged.len(), all_goldens().len());
    let differing: Vec<String> = judged
        .iter()
        .flat_map(|(file, judged)| {
            judged.differing.iter().map(move |(text, ours, theirs)| {
                format!("{}: {text}: ours {ours:?}, tshark's {theirs:?}", file.display())
            })
        })
        .collect();
    assert!(differing.is_empty(), "{}", differing.join("\n"));
    let told: BTreeSet<usize> = judged.values().flat_map(|judged| judged.telling.iter().copied()).collect();
    let silent: Vec<&&str> =
        (0..).zip(FILTERS).filter(|(place, _)| !told.contains(place)).map(|(_, text)| text).collect();
    assert!(silent.is_empty(), "in no capture they tell packets from others: {silent:?}");
}

/// `tcp.len`, `dns.flags.response == 0`: that a packet has the field, for all fields.
fn presences() -> impl Iterator<Item = String> {
    let names = || Names::default();
    field_names().map(move |name| match Filter::parse(name, &names()) {
        Ok(_) => name.to_owned(),
        Err(_) => format!("{name} in {{0, 1}}"),
    })
}

/// Asks both about one capture.
fn judge(file: &Path, texts: &[String], filters: &[Filter]) -> Judged {
    let reader = Reader::open(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    let mut medium = Medium::Ip;
    let mut frames = Vec::new();
    for record in reader.map(|record| record.expect("a golden is whole")) {
        let (of, bytes) = record.strip().expect("a golden holds IP packets or Ethernet frames");
        medium = of;
        frames.push(Frame { bytes: bytes.to_vec(), wire_len: record.stripped_wire_len() });
    }
    let capture = Spaced::write(medium, frames);
    let ours = capture.ours(&filters.iter().collect::<Vec<_>>());
    let excuses = DIFFERENCES.iter().map(|each| each.packets.to_owned());
    let mut theirs = capture.tsharks(&texts.iter().cloned().chain(excuses).collect::<Vec<_>>());
    let excused = theirs.split_off(texts.len());
    let is_telling = |selected: &Vec<u64>| !selected.is_empty() && selected.len() < capture.frames.len();
    Judged {
        telling: (0..).zip(&theirs).filter(|(_, selected)| is_telling(selected)).map(|(place, _)| place).collect(),
        differing: texts
            .iter()
            .cloned()
            .zip(ours.into_iter().zip(theirs))
            .filter(|(text, (ours, theirs))| ours != theirs && !is_meant(text, ours, theirs, &excused))
            .map(|(text, (ours, theirs))| (text, ours, theirs))
            .collect(),
    }
}

/// Whether two answers differ where they are meant to.
fn is_meant(text: &str, ours: &[u64], theirs: &[u64], excused: &[Vec<u64>]) -> bool {
    let asks_for = |protocol: &str| {
        let mut words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '.' && c != '_');
        words.any(|word| word.split('.').next() == Some(protocol))
    };
    let lacks = |all: &[u64], some: &[u64]| -> Vec<u64> {
        some.iter().filter(|number| !all.contains(number)).copied().collect()
    };
    let (ours_more, theirs_more) = (lacks(theirs, ours), lacks(ours, theirs));
    // Several may be true of one capture.
    let excuse = |more: &[u64], is_ours_more: bool| {
        let excuses = DIFFERENCES.iter().zip(excused).filter(|(each, _)| {
            each.is_ours_more == is_ours_more && each.protocols.iter().any(|protocol| asks_for(protocol))
        });
        let packets: BTreeSet<u64> = excuses.flat_map(|(_, packets)| packets.iter().copied()).collect();
        more.iter().all(|number| packets.contains(number))
    };
    excuse(&ours_more, true) && excuse(&theirs_more, false)
}

#[test]
fn a_capture_s_own_times_are_tsharks_to_the_nanosecond() {
    if !has("a_capture_s_own_times_are_tsharks_to_the_nanosecond", "tshark") {
        return;
    }
    for file in all_goldens() {
        let reader = Reader::open(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        let at: Vec<u64> = reader.map(|record| record.expect("a golden is whole").at_ns).collect();
        // A lab may have a node that nobody talks to.
        if at.is_empty() {
            continue;
        }
        let since = |index: usize| Duration::from_nanos(at[index] - at[0]);
        let (low, high) = (since(0), since(at.len() / 2));
        let text = format!(
            "frame.time_relative > {}.{:09} && frame.time_relative <= {}.{:09}",
            low.as_secs(),
            low.subsec_nanos(),
            high.as_secs(),
            high.subsec_nanos()
        );
        let filter = Filter::parse(&text, &Names::default()).expect("it is a filter");
        let nothing = Dissection::default();
        let is_selected = |number: u64, at: Duration| {
            filter.matches(&Subject::Packet(PacketSubject {
                number: Some(number),
                at: Instant::ZERO + at,
                dissection: &nothing,
                bytes: &[],
                stream: None,
                relative: None,
            }))
        };
        let ours: Vec<String> = (1..)
            .zip(0..at.len())
            .filter(|(number, index)| is_selected(*number, since(*index)))
            .map(|(number, _)| number.to_string())
            .collect();
        let theirs = tshark(&["-n", "-Y", &text, "-T", "fields", "-e", "frame.number"], &file);
        assert_eq!(ours, theirs.lines().collect::<Vec<_>>(), "{}: {text}", file.display());
        assert!(!ours.is_empty() && ours.len() < at.len(), "{}: {text}", file.display());
    }
}

/// The filters of guides that are for Wireshark alone: each finds packets in a golden capture of its lab.
#[test]
fn what_a_guide_asks_only_wireshark_finds_packets_there() {
    if !has("what_a_guide_asks_only_wireshark_finds_packets_there", "tshark") {
        return;
    }
    let mut asked = 0;
    for lab in labs() {
        let guide = fs::read_to_string(lab.join("README.md")).expect("each lab has a guide");
        // Code that is not in a line of prose stands between fences.
        let prose: Vec<&str> = guide.split("```").step_by(2).collect();
        let prose = prose.join(" ").split_whitespace().collect::<Vec<_>>().join(" ");
        let spans = prose.split('`').skip(1).step_by(2).filter(|span| span.contains(" == "));
        let theirs = |text: &&str| Filter::parse(text, &Names::default()).is_err();
        let folder = root().join("captures").join(id_of(&lab));
        for text in spans.filter(theirs) {
            let found = captures(&folder).into_iter().any(|name| !tshark(&["-Y", text], &folder.join(name)).is_empty());
            assert!(found, "{}: {text} finds nothing", id_of(&lab));
            asked += 1;
        }
    }
    assert!(asked >= 5, "{asked}");
}
