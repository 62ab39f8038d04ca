//! `service-registry`: a name server that answers with the instances which are well, each time in another order.
//!
//! The order is rotated from answer to answer, so that clients which take the first address spread out (RFC 1794 §3). Names of
//! services that it does not have are refused; a service without any well instance has a name and no addresses (NODATA).

use std::cell::{Cell, RefCell};
use std::net::IpAddr;
use std::rc::Rc;

use hickory_proto::op::{Message, Query, ResponseCode};
use hickory_proto::rr::rdata::{A, AAAA};
use hickory_proto::rr::{Name, RData, Record, RecordType};
use http_body_util::Full;
use serde::{Deserialize, Deserializer, de};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until, timeout};

use super::health::{Checks, Health};
use super::{address_of, trouble};
use crate::app::dns::{message, serve};
use crate::app::http::{Requests, close_after, request, whole, with_connection};
use crate::app::program::Play;
use crate::app::run::Running;
use crate::app::{Destination, ProgramError, Url, values};
use crate::journal::ProgramEvent;

/// Instances of all services together: each is a task that checks it.
const MOST_INSTANCES: usize = 1000;

/// `service-registry`
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "Written")]
pub struct ServiceRegistry {
    port: u16,
    services: Vec<Service>,
    check: Option<Checks>,
}

/// The settings as they are typed.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    /// Where it answers, over UDP and TCP, from 1.
    #[serde(deserialize_with = "values::port")]
    port: u16,
    services: Vec<Service>,
    /// How instances are checked; left out, nobody looks, and all count as well for ever.
    check: Option<Checks>,
}

/// A service and its instances.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
struct Service {
    /// `bookstore-service.default.svc.cluster.local`
    #[serde(deserialize_with = "name")]
    name: Name,
    /// For how many seconds an answer may be remembered.
    #[serde(default = "thirty")]
    ttl: u32,
    /// Where its instances are, each a node and a port.
    instances: Vec<Destination>,
}

/// As long as Kubernetes' own name server says.
fn thirty() -> u32 {
    30
}

pub(super) fn name<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Name, D::Error> {
    let written = String::deserialize(deserializer)?;
    let read = Name::from_ascii(&written).map(|mut name| {
        name.set_fqdn(true);
        name
    });
    read.ok().filter(|name| name.num_labels() > 0).ok_or_else(|| {
        de::Error::custom(format!(
            "`{written}` is not a service's name: write one such as \"shop.default.svc.cluster.local\""
        ))
    })
}

impl TryFrom<Written> for ServiceRegistry {
    type Error = &'static str;

    fn try_from(written: Written) -> Result<ServiceRegistry, &'static str> {
        let Written { port, services, check } = written;
        if services.iter().any(|service| service.instances.is_empty()) {
            return Err("a service has at least one instance: write `instances = [\"node:80\"]`");
        }
        if services.iter().map(|service| service.instances.len()).sum::<usize>() > MOST_INSTANCES {
            return Err("a registry knows 1000 instances at most");
        }
        Ok(ServiceRegistry { port, services, check })
    }
}

impl Play for ServiceRegistry {
    const NAME: &'static str = "service-registry";
    const IS_SERVER: bool = true;

    fn peers(&self) -> Vec<&Destination> {
        self.services.iter().flat_map(|service| &service.instances).collect()
    }

    async fn run(&self, running: &Running, ready: impl FnOnce()) -> Result<(), ProgramError> {
        let known = |service: &Service| Known::new(service, self.check.as_ref(), running);
        let known: Rc<[Known]> = self.services.iter().map(known).collect::<Result<_, _>>()?;
        let mut watchers = JoinSet::new();
        if let Some(checks) = &self.check {
            for (service, of) in self.services.iter().enumerate() {
                for instance in 0..of.instances.len() {
                    let (running, known, checks) = (running.clone(), known.clone(), checks.clone());
                    watchers.spawn_local(async move { watch(&running, &known, (service, instance), &checks).await });
                }
            }
        }
        let answer = move |asked: Message, query: Query| {
            let known = known.clone();
            async move { answer(&known, &asked, &query) }
        };
        // The watchers end with this future.
        serve::serve(running, self.port, ready, answer).await
    }
}

/// A service, and what is known of its instances.
struct Known {
    name: Name,
    ttl: u32,
    instances: Vec<Instance>,
    /// Answers that were given.
    answers: Cell<usize>,
}

struct Instance {
    at: Destination,
    address: IpAddr,
    health: RefCell<Health>,
}

impl Known {
    fn new(service: &Service, checks: Option<&Checks>, running: &Running) -> Result<Known, ProgramError> {
        let instance = |at: &Destination| {
            let address = address_of(&running.resolver, at)?;
            Ok(Instance { at: at.clone(), address, health: RefCell::new(Health::unchecked(checks)) })
        };
        let instances = service.instances.iter().map(instance).collect::<Result<_, ProgramError>>()?;
        Ok(Known { name: service.name.clone(), ttl: service.ttl, instances, answers: Cell::new(0) })
    }

    /// The addresses that are well, in the order of this answer.
    fn addresses(&self, record_type: RecordType) -> Vec<RData> {
        let is_well = |instance: &&Instance| instance.health.borrow().is_well();
        let data = |instance: &Instance| match (instance.address, record_type) {
            (IpAddr::V4(address), RecordType::A) => Some(RData::A(A(address))),
            (IpAddr::V6(address), RecordType::AAAA) => Some(RData::AAAA(AAAA(address))),
            _ => None,
        };
        let mut found: Vec<RData> = self.instances.iter().filter(is_well).filter_map(data).collect();
        if !found.is_empty() {
            let answers = self.answers.get();
            self.answers.set(answers.wrapping_add(1));
            let first = answers % found.len();
            found.rotate_left(first);
        }
        found
    }
}

fn answer(known: &[Known], asked: &Message, query: &Query) -> Message {
    let Some(service) = known.iter().find(|service| service.name == query.name) else {
        return message::reply(asked, ResponseCode::Refused);
    };
    let mut reply = message::reply(asked, ResponseCode::NoError);
    reply.metadata.authoritative = true;
    let record = |data| Record::from_rdata(query.name.clone(), service.ttl, data);
    reply.add_answers(service.addresses(query.query_type).into_iter().map(record));
    reply
}

/// Checks one instance for ever, on the beat.
async fn watch(running: &Running, known: &[Known], (service, instance): (usize, usize), checks: &Checks) {
    let Some(instance) = known.get(service).and_then(|service| service.instances.get(instance)) else { return };
    let mut next = Instant::now();
    loop {
        // A beat beyond reckoning never comes.
        let Some(later) = next.checked_add(checks.every.duration()) else { return };
        next = later;
        sleep_until(next).await;
        let found = timeout(checks.timeout.duration(), check(running, &instance.at, &checks.path)).await;
        let detail = match found {
            Ok(Ok(status)) if (200..300).contains(&status) => None,
            Ok(Ok(status)) => Some(format!("{} answers {status}", checks.path)),
            Ok(Err(error)) => Some(trouble(&error)),
            Err(_) => Some(format!("no answer within {:?}", checks.timeout.duration())),
        };
        let was = *instance.health.borrow();
        if instance.health.borrow_mut().learn(detail.is_none(), checks) {
            let (what, now) = (format!("health {}", instance.at), *instance.health.borrow());
            let (from, to) = (was.name().to_owned(), now.name().to_owned());
            running.report(ProgramEvent::Change { what, from, to, detail: detail.unwrap_or_default() });
        }
    }
}

/// The status that one check is answered with.
async fn check(running: &Running, instance: &Destination, path: &str) -> Result<u16, ProgramError> {
    let url = Url::http(instance, path);
    let mut request = request(&url, "");
    close_after(request.headers_mut());
    with_connection(running, instance, async |mut requests: Requests| {
        let (head, body) = requests.send_request(request.map(Full::new)).await?.into_parts();
        // What it says besides is nobody's concern, and read all the same, so that the connection ends in order.
        whole(body).await;
        Ok(head.status.as_u16())
    })
    .await
}
