//! Zones, and how an answer is found in them (RFC 1034 §4.3.2).
//!
//! A zone is written as in any name server's master file (RFC 1035 §5):
//!
//! ```text
//! $ORIGIN example.com.
//! @    3600 IN SOA ns hostmaster 1 7200 3600 1209600 60
//! api   300 IN A   203.0.113.10
//! ```

use std::collections::BTreeMap;

use hickory_proto::op::{Message, Query, ResponseCode};
use hickory_proto::rr::{LowerName, Name, RData, Record, RecordSet, RecordType, RrKey};
use hickory_proto::serialize::txt::Parser;
use serde::{Deserialize, Deserializer, de};

use super::message;

/// Aliases that are followed before a chain of them is taken for a circle.
const MOST_ALIASES: usize = 16;

/// The records of a zone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Zone {
    /// Where it begins: the owner of its SOA.
    origin: Name,
    sets: BTreeMap<RrKey, RecordSet>,
}

impl<'de> Deserialize<'de> for Zone {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Zone, D::Error> {
        Zone::read(&String::deserialize(deserializer)?).map_err(de::Error::custom)
    }
}

impl Zone {
    /// Reads a master file; the error says what is wrong with it.
    pub(super) fn read(text: &str) -> Result<Zone, String> {
        // A lab may be a stranger's: it reads no files of whoever runs it.
        if text.to_ascii_uppercase().contains("$INCLUDE") {
            return Err("a zone in a lab file includes no other files: write its records here".to_owned());
        }
        let parsed = Parser::new(text, None, None).parse();
        let (_, sets) = parsed.map_err(|error| format!("that is no zone as RFC 1035 §5 has it: {error}"))?;
        let mut origins = sets.values().filter(|set| set.record_type() == RecordType::SOA);
        let origin = match (origins.next(), origins.next()) {
            (Some(soa), None) => soa.name().clone(),
            _ => return Err("a zone has exactly one SOA, which says where it begins".to_owned()),
        };
        match sets.values().find(|set| !origin.zone_of(set.name())) {
            Some(set) => Err(format!("{} does not belong to the zone {origin}", set.name())),
            None => Ok(Zone { origin, sets }),
        }
    }

    /// Where it begins.
    pub(super) fn origin(&self) -> &Name {
        &self.origin
    }

    fn set(&self, name: &Name, record_type: RecordType) -> Option<&RecordSet> {
        self.sets.get(&RrKey::new(LowerName::new(name), record_type))
    }

    /// Every set of a name.
    fn sets_of<'a>(&'a self, name: &'a Name) -> impl Iterator<Item = &'a RecordSet> {
        self.sets.values().filter(move |set| set.name() == name)
    }

    /// Whether the name exists, if only because another one lies below it (RFC 8020 §2).
    fn exists(&self, name: &Name) -> bool {
        self.sets.values().any(|set| name.zone_of(set.name()))
    }

    /// Where the zone hands the name on to other servers, if it does: the name servers closest to its own origin.
    fn delegation(&self, name: &Name) -> Option<&RecordSet> {
        let own = self.origin.num_labels();
        (own + 1..=name.num_labels())
            .map(|labels| name.trim_to(usize::from(labels)))
            .find_map(|ancestor| self.set(&ancestor, RecordType::NS))
    }

    /// The wildcard that stands for a name which does not exist (RFC 4592 §3.3.1).
    fn wildcard(&self, name: &Name) -> Option<Name> {
        let mut encloser = name.base_name();
        while !self.exists(&encloser) && self.origin.zone_of(&encloser) {
            encloser = encloser.base_name();
        }
        let wildcard = encloser.prepend_label("*").ok()?;
        self.exists(&wildcard).then_some(wildcard)
    }

    /// The SOA, whose TTL in a negative answer is how long the lack may be remembered (RFC 2308 §3).
    fn start_of_authority(&self) -> Option<Record> {
        let mut record = self.set(&self.origin, RecordType::SOA)?.record()?.clone();
        if let RData::SOA(soa) = &record.data {
            record.ttl = record.ttl.min(soa.minimum);
        }
        Some(record)
    }

    /// The addresses of those whom `records` name, as far as they are in the zone (RFC 1034 §4.3.2, step 6).
    fn addresses_of(&self, records: &[Record]) -> Vec<Record> {
        let names = records.iter().filter_map(|record| match &record.data {
            RData::NS(server) => Some(&server.0),
            RData::MX(mail) => Some(&mail.exchange),
            RData::SRV(service) => Some(&service.target),
            _ => None,
        });
        names
            .flat_map(|name| [RecordType::A, RecordType::AAAA].map(|record_type| self.set(name, record_type)))
            .flatten()
            .flat_map(records_of)
            .collect()
    }
}

fn records_of(set: &RecordSet) -> Vec<Record> {
    set.records_without_rrsigs().cloned().collect()
}

/// The zone that a name belongs to: of several the closest.
fn closest<'a>(zones: &[&'a Zone], name: &Name) -> Option<&'a Zone> {
    let around = zones.iter().filter(|zone| zone.origin.zone_of(name));
    around.max_by_key(|zone| zone.origin.num_labels()).copied()
}

/// The reply of one who has authority over `zones` alone.
pub(super) fn answer(zones: &[&Zone], asked: &Message, query: &Query) -> Message {
    let Some(zone) = closest(zones, &query.name) else {
        return message::reply(asked, ResponseCode::Refused);
    };
    let mut reply = message::reply(asked, ResponseCode::NoError);
    reply.metadata.authoritative = true;
    let mut name = query.name.clone();
    for _ in 0..MOST_ALIASES {
        match step(zone, &name, query.query_type, &mut reply) {
            Some(alias) if zone.origin.zone_of(&alias) => name = alias,
            Some(_) | None => break,
        }
    }
    let additionals = zone.addresses_of(&[reply.answers.as_slice(), reply.authorities.as_slice()].concat());
    reply.add_additionals(additionals);
    reply
}

/// Puts what the zone says of `name` into the reply; gives back the name that it is an alias of.
fn step(zone: &Zone, name: &Name, record_type: RecordType, reply: &mut Message) -> Option<Name> {
    if let Some(servers) = zone.delegation(name) {
        // What follows an alias is still an answer; a referral at the start is none of ours (RFC 1034 §4.3.2, step 3b).
        reply.metadata.authoritative = !reply.answers.is_empty();
        reply.add_authorities(records_of(servers));
        return None;
    }
    let wildcard = if zone.exists(name) { None } else { zone.wildcard(name) };
    let owner = wildcard.as_ref().unwrap_or(name);
    if !zone.exists(owner) {
        reply.metadata.response_code = ResponseCode::NXDomain;
        reply.add_authorities(zone.start_of_authority());
        return None;
    }
    let own = |mut record: Record| {
        record.name.clone_from(name);
        record
    };
    if let Some(alias) = zone.set(owner, RecordType::CNAME).filter(|_| record_type != RecordType::CNAME) {
        reply.add_answers(records_of(alias).into_iter().map(own));
        return alias.record().and_then(|record| match &record.data {
            RData::CNAME(target) => Some(target.0.clone()),
            _ => None,
        });
    }
    let wanted = |set: &&RecordSet| record_type == RecordType::ANY || set.record_type() == record_type;
    let found: Vec<Record> = zone.sets_of(owner).filter(wanted).flat_map(records_of).map(own).collect();
    if found.is_empty() {
        reply.add_authorities(zone.start_of_authority());
    }
    reply.add_answers(found);
    None
}
