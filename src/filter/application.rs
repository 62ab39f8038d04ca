//! The fields of HTTP/1, of DNS, and of payload that nothing here reads.

use std::borrow::Cow;

use super::field::{Field, Kind, Reader, Value, Values, field, flag, number, optional, size};
use crate::packet::dns::{Data, Message, OPT, Record};

fn text<'a>(text: Option<&'a str>) -> Values<'a> {
    text.map(|text| Value::Text(Cow::Borrowed(text))).into_iter().collect()
}

fn owned(text: &str) -> Values<'static> {
    vec![Value::Text(Cow::Owned(text.to_owned()))]
}

fn is_there(there: bool) -> Values<'static> {
    if there { flag(true) } else { Values::new() }
}

/// A header field of HTTP.
const fn header(name: &'static str, header: &'static str) -> Field {
    field(name, Kind::Text, Reader::HttpHeader(header))
}

pub(super) static HTTP_AND_DATA: [Field; 26] = [
    field("http.request", Kind::Flag, Reader::Http(|http| is_there(http.method().is_some()))),
    field("http.response", Kind::Flag, Reader::Http(|http| is_there(http.code().is_some()))),
    field("http.request.method", Kind::Text, Reader::Http(|http| text(http.method()))),
    field("http.request.uri", Kind::Text, Reader::Http(|http| text(http.target()))),
    field("http.request.version", Kind::Text, Reader::Http(|http| text(http.version(true)))),
    field(
        "http.request.line",
        Kind::Text,
        Reader::Http(|http| {
            http.lines().filter(|_| http.method().is_some()).flat_map(|line| text(Some(line))).collect()
        }),
    ),
    field("http.response.version", Kind::Text, Reader::Http(|http| text(http.version(false)))),
    field("http.response.code", Kind::Number(16), Reader::Http(|http| optional(http.code()))),
    field("http.response.phrase", Kind::Text, Reader::Http(|http| text(http.reason()))),
    field(
        "http.response.line",
        Kind::Text,
        Reader::Http(|http| http.lines().filter(|_| http.code().is_some()).flat_map(|line| text(Some(line))).collect()),
    ),
    header("http.host", "Host"),
    header("http.user_agent", "User-Agent"),
    header("http.accept", "Accept"),
    header("http.authorization", "Authorization"),
    header("http.cookie", "Cookie"),
    header("http.set_cookie", "Set-Cookie"),
    header("http.connection", "Connection"),
    header("http.content_type", "Content-Type"),
    header("http.content_length_header", "Content-Length"),
    header("http.transfer_encoding", "Transfer-Encoding"),
    header("http.cache_control", "Cache-Control"),
    header("http.last_modified", "Last-Modified"),
    header("http.location", "Location"),
    header("http.server", "Server"),
    field("data.data", Kind::Bytes, Reader::Data(|data| vec![Value::Bytes(data)])),
    field("data.len", Kind::Number(32), Reader::Data(|data| size(data.len()))),
];

/// A flag that only answers have.
fn in_answers(message: &Message, place: u8) -> Values<'static> {
    if message.is_response() { flag(message.bit(place)) } else { Values::new() }
}

/// A count; the first three have other names in an update (RFC 2136 §2.2).
fn count(message: &Message, section: usize) -> Values<'static> {
    optional(message.counts.get(section).copied().filter(|_| section == 3 || message.opcode() != 5))
}

/// A field of every record but OPT, which says other things there (RFC 6891 §6.1.2).
fn plain(record: &Record, value: impl Into<u64>) -> Values<'static> {
    if record.kind == OPT { Values::new() } else { number(value) }
}

/// The name that a record of this type consists of.
fn name_in(record: &Record, kind: u16) -> Values<'static> {
    match &record.data {
        Data::Name(name) if record.kind == kind => owned(name),
        _ => Values::new(),
    }
}

pub(super) static DNS: [Field; 35] = [
    field("dns.id", Kind::Number(16), Reader::Dns(|dns| number(dns.id))),
    field("dns.flags", Kind::Number(16), Reader::Dns(|dns| number(dns.flags))),
    field("dns.flags.response", Kind::Flag, Reader::Dns(|dns| flag(dns.is_response()))),
    field("dns.flags.opcode", Kind::Number(16), Reader::Dns(|dns| number(dns.opcode()))),
    field("dns.flags.authoritative", Kind::Flag, Reader::Dns(|dns| in_answers(dns, 10))),
    field("dns.flags.truncated", Kind::Flag, Reader::Dns(|dns| flag(dns.is_truncated()))),
    field("dns.flags.recdesired", Kind::Flag, Reader::Dns(|dns| flag(dns.bit(8)))),
    field("dns.flags.recavail", Kind::Flag, Reader::Dns(|dns| in_answers(dns, 7))),
    field("dns.flags.authenticated", Kind::Flag, Reader::Dns(|dns| in_answers(dns, 5))),
    field("dns.flags.checkdisable", Kind::Flag, Reader::Dns(|dns| flag(dns.bit(4)))),
    field(
        "dns.flags.rcode",
        Kind::Number(16),
        Reader::Dns(|dns| optional(Some(dns.code()).filter(|_| dns.is_response()))),
    ),
    field("dns.count.queries", Kind::Number(16), Reader::Dns(|dns| count(dns, 0))),
    field("dns.count.answers", Kind::Number(16), Reader::Dns(|dns| count(dns, 1))),
    field("dns.count.auth_rr", Kind::Number(16), Reader::Dns(|dns| count(dns, 2))),
    field("dns.count.add_rr", Kind::Number(16), Reader::Dns(|dns| count(dns, 3))),
    field("dns.qry.name", Kind::Text, Reader::DnsQuestion(|question| owned(&question.name))),
    field("dns.qry.name.len", Kind::Number(16), Reader::DnsQuestion(|question| size(question.name.len()))),
    field("dns.qry.type", Kind::Number(16), Reader::DnsQuestion(|question| number(question.kind))),
    field("dns.qry.class", Kind::Number(16), Reader::DnsQuestion(|question| number(question.class))),
    field("dns.resp.name", Kind::Text, Reader::DnsRecord(|record| owned(&record.name))),
    field("dns.resp.type", Kind::Number(16), Reader::DnsRecord(|record| number(record.kind))),
    field("dns.resp.class", Kind::Number(16), Reader::DnsRecord(|record| plain(record, record.class))),
    field("dns.resp.ttl", Kind::Number(32), Reader::DnsRecord(|record| plain(record, record.ttl))),
    field("dns.resp.len", Kind::Number(16), Reader::DnsRecord(|record| number(record.length))),
    field(
        "dns.a",
        Kind::Ipv4,
        Reader::DnsRecord(|record| match record.data {
            Data::Ipv4(address) => vec![Value::Ipv4(address)],
            _ => Values::new(),
        }),
    ),
    field(
        "dns.aaaa",
        Kind::Ipv6,
        Reader::DnsRecord(|record| match record.data {
            Data::Ipv6(address) => vec![Value::Ipv6(address)],
            _ => Values::new(),
        }),
    ),
    field("dns.ns", Kind::Text, Reader::DnsRecord(|record| name_in(record, 2))),
    field("dns.cname", Kind::Text, Reader::DnsRecord(|record| name_in(record, 5))),
    field("dns.ptr.domain_name", Kind::Text, Reader::DnsRecord(|record| name_in(record, 12))),
    field(
        "dns.mx.preference",
        Kind::Number(16),
        Reader::DnsRecord(|record| match record.data {
            Data::Mail(preference, _) => number(preference),
            _ => Values::new(),
        }),
    ),
    field(
        "dns.mx.mail_exchange",
        Kind::Text,
        Reader::DnsRecord(|record| match &record.data {
            Data::Mail(_, host) => owned(host),
            _ => Values::new(),
        }),
    ),
    field(
        "dns.txt",
        Kind::Text,
        Reader::DnsRecord(|record| match &record.data {
            Data::Text(strings) => strings.iter().flat_map(|string| owned(string)).collect(),
            _ => Values::new(),
        }),
    ),
    field(
        "dns.soa.mname",
        Kind::Text,
        Reader::DnsRecord(|record| match &record.data {
            Data::Authority { mname, .. } => owned(mname),
            _ => Values::new(),
        }),
    ),
    field(
        "dns.soa.minimum_ttl",
        Kind::Number(32),
        Reader::DnsRecord(|record| match record.data {
            Data::Authority { minimum, .. } => number(minimum),
            _ => Values::new(),
        }),
    ),
    field(
        "dns.rr.udp_payload_size",
        Kind::Number(16),
        Reader::DnsRecord(|record| optional(Some(record.class).filter(|_| record.kind == OPT))),
    ),
];
