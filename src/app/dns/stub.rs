//! A stub resolver, as every host has one: it asks a server that finds the answer out (RFC 1034 §5.3.1).

use std::net::IpAddr;
use std::time::Duration;

use hickory_proto::rr::{Name, RData, RecordType};

use super::ask::{Patience, ask, question};
use super::message;
use crate::app::run::Running;
use crate::app::{Destination, ProgramError};

/// As long, and as often, as a host's library asks (resolv.conf(5)).
const PATIENCE: Patience = Patience { timeout: Duration::from_secs(5), tries: 2 };

/// The first IPv4 address that `server` knows for `host`; an address stands for itself.
///
/// # Errors
/// When there is none, and when nobody answers.
pub(in crate::app) async fn address_of(
    running: &Running,
    server: &Destination,
    host: &str,
) -> Result<IpAddr, ProgramError> {
    if let Ok(literal) = host.parse() {
        return Ok(literal);
    }
    let wrong = |detail| ProgramError::Protocol { program: running.program, peer: server.to_string(), detail };
    let mut name = Name::from_ascii(host).map_err(|error| wrong(format!("`{host}` is no name: {error}")))?;
    name.set_fqdn(true);
    let asked = question(name, RecordType::A, false, &mut running.data());
    let told = ask(running, server, &asked, PATIENCE).await?;
    let address = told.reply.answers.iter().find_map(|record| match &record.data {
        RData::A(address) => Some(IpAddr::V4(address.0)),
        _ => None,
    });
    let code = message::mnemonic(told.reply.metadata.response_code);
    address.ok_or_else(|| wrong(format!("it knows no address of {host} ({code})")))
}
