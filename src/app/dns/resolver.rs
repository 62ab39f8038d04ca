//! `dns-resolver`: finds answers out for others and remembers them (RFC 1034 §5.3.3).
//!
//! It is told whom to ask: either another resolver or server that answers everything (`forward`), or servers to begin with,
//! from where it follows referrals down the tree of names (`hints`).

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use hickory_proto::op::{Message, Query, ResponseCode};
use hickory_proto::rr::{Name, RData, Record, RecordType};
use serde::Deserialize;
use tokio::time::Instant;

use super::ask::{Patience, ask, question};
use super::cache::{Cache, Known, Learnt, MOST_ALIASES, learn};
use super::message;
use super::serve::serve;
use crate::app::program::Play;
use crate::app::run::Running;
use crate::app::{Destination, ProgramError, Span, values};
use crate::journal::{CacheUse, ProgramEvent};
use crate::rng::Rng;

/// Referrals that are followed before one gives up.
const MOST_REFERRALS: usize = 16;
/// The port of name servers that a referral names (RFC 1035 §4.2).
const PORT: u16 = 53;

/// `dns-resolver`
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DnsResolver {
    /// Where it listens, over UDP and TCP, from 1.
    #[serde(deserialize_with = "values::port")]
    port: u16,
    /// Whom it asks.
    upstream: Upstream,
    /// How long it waits for an answer before it asks again, or the next one.
    #[serde(default = "one_second")]
    timeout: Span,
    /// How often it asks each server, from 1.
    #[serde(default = "three")]
    tries: u32,
}

fn one_second() -> Span {
    Span::from_duration(Duration::from_secs(1))
}

fn three() -> u32 {
    3
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Upstream {
    /// Those who answer everything.
    Forward(Vec<Destination>),
    /// Those who know where to begin: the root's servers, or whoever plays them.
    Hints(Vec<Destination>),
}

impl Upstream {
    fn servers(&self) -> &[Destination] {
        match self {
            Upstream::Forward(servers) | Upstream::Hints(servers) => servers,
        }
    }
}

impl Play for DnsResolver {
    const NAME: &'static str = "dns-resolver";
    const IS_SERVER: bool = true;

    fn peers(&self) -> Vec<&Destination> {
        self.upstream.servers().iter().collect()
    }

    async fn run(&self, running: &Running, ready: impl FnOnce()) -> Result<(), ProgramError> {
        let resolver = Rc::new(Resolving {
            settings: self.clone(),
            running: running.clone(),
            started: Instant::now(),
            cache: RefCell::default(),
            delegations: RefCell::default(),
            ids: RefCell::new(running.data()),
        });
        let answer = move |asked, query| {
            let resolver = resolver.clone();
            async move { resolver.answer(asked, query).await }
        };
        serve(running, self.port, ready, answer).await
    }
}

/// A resolver at work. No borrow is held while somebody is asked.
struct Resolving {
    settings: DnsResolver,
    running: Running,
    started: Instant,
    cache: RefCell<Cache>,
    /// Who serves which zone, and until when that holds.
    delegations: RefCell<BTreeMap<Name, (Vec<Destination>, Duration)>>,
    ids: RefCell<Rng>,
}

/// What is found out about a question.
struct Found {
    code: ResponseCode,
    answers: Vec<Record>,
    /// The SOA of a lack.
    authorities: Vec<Record>,
}

impl Resolving {
    fn now(&self) -> Duration {
        self.started.elapsed()
    }

    async fn answer(&self, asked: Message, query: Query) -> Message {
        let begun = Instant::now();
        let mut questions = 0;
        let found = self.find(&query, asked.metadata.recursion_desired, &mut questions).await;
        let found = found.unwrap_or_else(|code| Found { code, answers: Vec::new(), authorities: Vec::new() });
        self.running.report(ProgramEvent::Resolution {
            name: query.name.to_string(),
            record: query.query_type.to_string(),
            code: message::mnemonic(found.code),
            cache: if questions == 0 { CacheUse::Hit } else { CacheUse::Miss },
            questions,
            latency: begun.elapsed(),
        });
        let mut reply = message::reply(&asked, found.code);
        reply.metadata.recursion_available = true;
        reply.add_answers(found.answers);
        reply.add_authorities(found.authorities);
        reply
    }

    /// Follows aliases until there are records, or it is known that there are none. What this question has brought to
    /// light counts even when it may not be remembered.
    async fn find(&self, query: &Query, may_ask: bool, questions: &mut u32) -> Result<Found, ResponseCode> {
        let mut name = query.name.clone();
        let mut answers = Vec::new();
        let mut learnt: Vec<Learnt> = Vec::new();
        for _ in 0..MOST_ALIASES {
            let of_this_time = learnt.iter().find(|learnt| learnt.name == name).map(|learnt| learnt.known.clone());
            let remembered = || self.cache.borrow().get(&name, query.query_type, self.now());
            let known = match of_this_time.or_else(remembered) {
                Some(known) => known,
                // Whoever does not want us to ask gets what we have (RFC 1034 §4.3.1).
                None if !may_ask => return Err(ResponseCode::Refused),
                None => {
                    let reply = self.ask_upstream(&name, query.query_type, questions).await?;
                    learnt = learn(&name, query.query_type, &reply);
                    self.cache.borrow_mut().store(&learnt, self.now());
                    let first = learnt.iter().find(|learnt| learnt.name == name);
                    first.map(|learnt| learnt.known.clone()).ok_or(ResponseCode::ServFail)?
                }
            };
            match known {
                Known::Records(records) => {
                    answers.extend(records);
                    return Ok(Found { code: ResponseCode::NoError, answers, authorities: Vec::new() });
                }
                Known::Alias(record, target) => {
                    answers.push(*record);
                    name = target;
                }
                Known::Lack(code, authorities) => return Ok(Found { code, answers, authorities }),
            }
        }
        Err(ResponseCode::ServFail)
    }

    async fn ask_upstream(
        &self,
        name: &Name,
        record_type: RecordType,
        questions: &mut u32,
    ) -> Result<Message, ResponseCode> {
        match &self.settings.upstream {
            Upstream::Forward(servers) => self.ask_one_of(servers, name, record_type, true, questions).await,
            Upstream::Hints(hints) => self.descend(hints, name, record_type, questions).await,
        }
    }

    /// From the closest servers that are known down to those who have the answer (RFC 1034 §5.3.3, step 4).
    async fn descend(
        &self,
        hints: &[Destination],
        name: &Name,
        record_type: RecordType,
        questions: &mut u32,
    ) -> Result<Message, ResponseCode> {
        let (mut zone, mut servers) = self.closest(name).unwrap_or_else(|| (Name::root(), hints.to_vec()));
        for _ in 0..MOST_REFERRALS {
            let reply = self.ask_one_of(&servers, name, record_type, false, questions).await?;
            let Some((child, named, ttl)) = referral(&zone, name, &reply) else { return Ok(reply) };
            // Without their addresses, the servers would have to be looked up first.
            if named.is_empty() {
                return Err(ResponseCode::ServFail);
            }
            let until = self.now() + Duration::from_secs(ttl.into());
            self.delegations.borrow_mut().insert(child.clone(), (named.clone(), until));
            (zone, servers) = (child, named);
        }
        Err(ResponseCode::ServFail)
    }

    fn closest(&self, name: &Name) -> Option<(Name, Vec<Destination>)> {
        let now = self.now();
        let mut delegations = self.delegations.borrow_mut();
        delegations.retain(|_, (_, until)| *until > now);
        let around = delegations.iter().filter(|(zone, _)| zone.zone_of(name));
        let (zone, (servers, _)) = around.max_by_key(|(zone, _)| zone.num_labels())?;
        Some((zone.clone(), servers.clone()))
    }

    /// The answer of the first server that gives a useful one.
    async fn ask_one_of(
        &self,
        servers: &[Destination],
        name: &Name,
        record_type: RecordType,
        recursive: bool,
        questions: &mut u32,
    ) -> Result<Message, ResponseCode> {
        let patience = Patience { timeout: self.settings.timeout.duration(), tries: self.settings.tries };
        for server in servers {
            let mut asked = question(name.clone(), record_type, true, &mut self.ids.borrow_mut());
            asked.metadata.recursion_desired = recursive;
            match ask(&self.running, server, &asked, patience).await {
                Ok(told) => {
                    *questions += told.tries;
                    if matches!(told.reply.metadata.response_code, ResponseCode::NoError | ResponseCode::NXDomain) {
                        return Ok(told.reply);
                    }
                }
                Err(error) => {
                    *questions += patience.tries;
                    self.running.complain(error);
                }
            }
        }
        Err(ResponseCode::ServFail)
    }
}

/// Where a reply sends us: a zone below ours that the name is in, its servers' addresses, and how long that holds.
fn referral(zone: &Name, name: &Name, reply: &Message) -> Option<(Name, Vec<Destination>, u32)> {
    if !reply.answers.is_empty() || reply.metadata.response_code != ResponseCode::NoError {
        return None;
    }
    let leads_down = |record: &&Record| {
        record.record_type() == RecordType::NS
            && zone.zone_of(&record.name)
            && record.name != *zone
            && record.name.zone_of(name)
    };
    let servers: Vec<&Record> = reply.authorities.iter().filter(leads_down).collect();
    let child = servers.first()?.name.clone();
    let ttl = servers.iter().map(|record| record.ttl).min().unwrap_or(0);
    let is_named =
        |host: &Name| servers.iter().any(|record| matches!(&record.data, RData::NS(server) if server.0 == *host));
    // Addresses outside of what the asked server may speak of could be anybody's (RFC 5452 §6).
    let glue = reply.additionals.iter().filter(|record| zone.zone_of(&record.name) && is_named(&record.name));
    let addresses = glue.filter_map(|record| record.data.ip_addr());
    let servers = addresses.map(|address| Destination { host: address.to_string(), port: PORT }).collect();
    Some((child, servers, ttl))
}
