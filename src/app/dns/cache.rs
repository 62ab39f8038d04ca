//! What a resolver remembers, and for how long (RFC 1034 §4.3.4, RFC 2181 §5.2, RFC 2308).
//!
//! Time is counted from the resolver's start, in whole seconds where TTLs are concerned: a record that was stored with 300
//! is given out 2.9 s later with 298, and after 300 s no more. Everything is bounded: when there is no room, what would be
//! forgotten first goes first.

use std::collections::BTreeMap;
use std::time::Duration;

use hickory_proto::op::{Message, ResponseCode};
use hickory_proto::rr::{LowerName, Name, RData, Record, RecordType};

/// Aliases that are followed before a chain of them is taken for a circle.
pub(super) const MOST_ALIASES: usize = 16;
/// Sets of records, and lacks of them, that are remembered.
const MOST_SETS: usize = 10_000;
/// No record is remembered for longer than a week (RFC 8767 §4 suggests it), a lack for no longer than three hours
/// (RFC 2308 §5).
const LONGEST: u32 = 604_800;
const LONGEST_LACK: u32 = 10_800;

/// What is known about a name and a type.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Known {
    /// Its records.
    Records(Vec<Record>),
    /// It is an alias, by this record.
    Alias(Box<Record>, Name),
    /// There are none, as this code and the SOA say (RFC 2308 §2).
    Lack(ResponseCode, Vec<Record>),
}

struct Entry {
    known: Known,
    stored: Duration,
    /// For how long it holds, in seconds.
    ttl: u32,
}

impl Entry {
    fn expires(&self) -> Duration {
        self.stored + Duration::from_secs(self.ttl.into())
    }

    /// What is left of it, its TTLs counted down.
    fn at(&self, now: Duration) -> Option<Known> {
        if now >= self.expires() {
            return None;
        }
        let age = u32::try_from(now.saturating_sub(self.stored).as_secs()).unwrap_or(u32::MAX);
        let older = |record: &Record| {
            let mut record = record.clone();
            record.ttl = record.ttl.min(self.ttl).saturating_sub(age);
            record
        };
        Some(match &self.known {
            Known::Records(records) => Known::Records(records.iter().map(older).collect()),
            Known::Alias(record, target) => Known::Alias(Box::new(older(record)), target.clone()),
            Known::Lack(code, soa) => Known::Lack(*code, soa.iter().map(older).collect()),
        })
    }
}

type Key = (LowerName, RecordType);

/// The memory of a resolver.
#[derive(Default)]
pub(super) struct Cache {
    entries: BTreeMap<Key, Entry>,
}

impl Cache {
    /// What is known, if anything: records of that type, an alias, or that there are none.
    pub(super) fn get(&self, name: &Name, record_type: RecordType, now: Duration) -> Option<Known> {
        let name = LowerName::new(name);
        // That a name does not exist holds for all types (RFC 2308 §5).
        [record_type, RecordType::CNAME, RecordType::ANY].into_iter().find_map(|stored| {
            match self.entries.get(&(name.clone(), stored))?.at(now)? {
                // Whoever asks for the alias itself does not want to go where it leads (RFC 1034 §3.6.2).
                Known::Alias(record, _) if record_type == RecordType::CNAME => Some(Known::Records(vec![*record])),
                // That there is no alias says nothing of other types.
                Known::Lack(ResponseCode::NoError, _) if stored != record_type => None,
                known => Some(known),
            }
        })
    }

    /// Remembers what a reply says about a question.
    pub(super) fn store(&mut self, learnt: &[Learnt], now: Duration) {
        for Learnt { name, record_type, known, ttl } in learnt {
            if *ttl > 0 {
                let stored_as = match known {
                    Known::Records(_) => *record_type,
                    Known::Alias(..) => RecordType::CNAME,
                    Known::Lack(ResponseCode::NXDomain, _) => RecordType::ANY,
                    Known::Lack(..) => *record_type,
                };
                self.make_room(now);
                let known = match known {
                    Known::Records(records) if *record_type == RecordType::CNAME => alias(records),
                    known => Some(known.clone()),
                };
                let Some(known) = known else { continue };
                let entry = Entry { known, stored: now, ttl: *ttl };
                self.entries.insert((LowerName::new(name), stored_as), entry);
            }
        }
    }

    fn make_room(&mut self, now: Duration) {
        if self.entries.len() < MOST_SETS {
            return;
        }
        self.entries.retain(|_, entry| entry.expires() > now);
        if self.entries.len() >= MOST_SETS
            && let Some(soonest) =
                self.entries.iter().min_by_key(|(_, entry)| entry.expires()).map(|(key, _)| key.clone())
        {
            self.entries.remove(&soonest);
        }
    }
}

/// One thing that a reply says.
#[derive(Debug, PartialEq)]
pub(super) struct Learnt {
    pub(super) name: Name,
    pub(super) record_type: RecordType,
    pub(super) known: Known,
    /// For how many seconds it holds; 0 for this once alone.
    ttl: u32,
}

/// What a reply says about the name that was asked for and those that it is an alias of, in the order of the chain. Other
/// records are not believed: nobody has asked for them (RFC 5452 §6).
pub(super) fn learn(name: &Name, record_type: RecordType, reply: &Message) -> Vec<Learnt> {
    let mut learnt = Vec::new();
    let mut name = name.clone();
    for _ in 0..MOST_ALIASES {
        let of_name = || reply.answers.iter().filter(|record| record.name == name);
        let wanted = |record: &&Record| record_type == RecordType::ANY || record.record_type() == record_type;
        let records: Vec<Record> = of_name().filter(wanted).cloned().collect();
        if !records.is_empty() {
            // All records of a set live as long as the one that dies first (RFC 2181 §5.2).
            let ttl = records.iter().map(|record| lifetime(record.ttl)).min().unwrap_or(0);
            // Not a set, but whatever there was: it is not remembered.
            let ttl = if record_type == RecordType::ANY { 0 } else { ttl };
            learnt.push(Learnt { name, record_type, known: Known::Records(records), ttl });
            return learnt;
        }
        let Some(Known::Alias(record, target)) = alias(of_name()) else { break };
        let ttl = lifetime(record.ttl);
        learnt.push(Learnt { name, record_type, known: Known::Alias(record, target.clone()), ttl });
        name = target;
    }
    learnt.extend(lack(name, record_type, reply));
    learnt
}

/// The first of the records that is an alias.
fn alias<'a>(records: impl IntoIterator<Item = &'a Record>) -> Option<Known> {
    records.into_iter().find_map(|record| match &record.data {
        RData::CNAME(target) => Some(Known::Alias(Box::new(record.clone()), target.0.clone())),
        _ => None,
    })
}

/// That there are no such records, when the reply says so (RFC 2308 §2.1, §2.2).
fn lack(name: Name, record_type: RecordType, reply: &Message) -> Option<Learnt> {
    let code = reply.metadata.response_code;
    let soa: Vec<Record> =
        reply.authorities.iter().filter(|record| record.record_type() == RecordType::SOA).cloned().collect();
    let is_lack = match code {
        ResponseCode::NXDomain => true,
        // A chain of aliases that leads out of what the server knows says nothing of its end; a SOA does.
        ResponseCode::NoError => !soa.is_empty(),
        _ => false,
    };
    let of_soa = |record: &Record| match &record.data {
        RData::SOA(soa) => Some(record.ttl.min(soa.minimum).min(LONGEST_LACK)),
        _ => None,
    };
    // Without SOA it is not remembered (RFC 2308 §5).
    let ttl = soa.iter().find_map(of_soa).map_or(0, lifetime);
    is_lack.then_some(Learnt { name, record_type, known: Known::Lack(code, soa), ttl })
}

/// A TTL of more than 31 bits is 0 (RFC 2181 §8).
fn lifetime(ttl: u32) -> u32 {
    if ttl > u32::MAX >> 1 { 0 } else { ttl.min(LONGEST) }
}
