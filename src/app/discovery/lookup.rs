//! One question to a registry: where is this service now?

use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use hickory_proto::op::ResponseCode;
use hickory_proto::rr::{Name, RData, Record, RecordType};
use serde::Deserialize;
use tokio::time::Instant;

use super::registry::name;
use crate::app::dns::ask::{Patience, ask, question};
use crate::app::dns::message;
use crate::app::run::Running;
use crate::app::{Destination, ProgramError};
use crate::journal::ProgramEvent;
use crate::rng::Rng;

/// How long, and how often, the registry is asked.
const PATIENCE: Patience = Patience { timeout: Duration::from_secs(2), tries: 3 };

/// A service's name, such as `bookstore-service.default.svc.cluster.local`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub(in crate::app) struct ServiceName(#[serde(deserialize_with = "name")] Name);

impl ServiceName {
    /// Its first label: `bookstore-service`.
    pub(super) fn label(&self) -> String {
        self.0.iter().next().map(|label| String::from_utf8_lossy(label).into_owned()).unwrap_or_default()
    }
}

/// With the dot of the root at its end.
impl fmt::Display for ServiceName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

/// Where a service is.
pub(in crate::app) struct Instances {
    /// In the order of the answer; none when the service has no instance that is well, or is not known.
    pub(in crate::app) targets: Vec<IpAddr>,
    /// For how many seconds that may be remembered.
    pub(in crate::app) ttl: u32,
}

/// Asks `registry`, and says what it says. `ids` are where the question's id comes from.
///
/// # Errors
/// As those of a question: nobody answers in time, or it cannot be sent.
pub(in crate::app) async fn look_up(
    running: &Running,
    registry: &Destination,
    service: &ServiceName,
    ids: &mut Rng,
) -> Result<Instances, ProgramError> {
    let record_type = RecordType::A;
    let question = question(service.0.clone(), record_type, true, ids);
    let begun = Instant::now();
    let told = ask(running, registry, &question, PATIENCE).await?;
    let code = told.reply.metadata.response_code;
    running.report(ProgramEvent::Lookup {
        name: service.to_string(),
        record: record_type.to_string(),
        code: message::mnemonic(code),
        answers: u32::try_from(told.reply.answers.len()).unwrap_or(u32::MAX),
        tries: told.tries,
        over: told.over,
        latency: begun.elapsed(),
    });
    let records = if code == ResponseCode::NoError { told.reply.answers.as_slice() } else { &[] };
    let targets = records.iter().filter_map(address).collect();
    // All records of a set live as long as the one that dies first (RFC 2181 §5.2); what is nowhere is asked for again.
    let ttl = records.iter().map(|record| record.ttl).min().unwrap_or(0);
    Ok(Instances { targets, ttl })
}

/// The address in a record.
fn address(record: &Record) -> Option<IpAddr> {
    match &record.data {
        RData::A(address) => Some(IpAddr::V4(address.0)),
        RData::AAAA(address) => Some(IpAddr::V6(address.0)),
        _ => None,
    }
}
