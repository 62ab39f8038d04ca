//! MQTT 3.1.1 (OASIS Standard, 2014): a broker that passes on what is published, and clients that publish and subscribe.
//!
//! ```text
//!   mqtt-client, mosquitto_pub ── PUBLISH ──► mqtt-broker ── PUBLISH ──► mqtt-client, mosquitto_sub, …
//!                                 sessions: who wants what, what waits, what was sent and not acknowledged
//! ```
//!
//! mqtt-proto reads and writes packets; here stands what a broker does with them, in small rooms: where a packet ends
//! (`wire`), which topics a filter means (`topics`), what is kept for a client (`session`), who gets what (`exchange`), and one
//! connection of it (`connection`).
//!
//! Deviation: QoS 2 is not spoken. A subscription for it is granted QoS 1, which a server may do (§3.9.3); who publishes with it
//! is disconnected.

mod broker;
mod client;
mod connection;
mod exchange;
mod session;
#[cfg(test)]
mod tests;
mod topics;
mod wire;

use mqtt_proto::{QoS, v3};

use super::run::Running;
use crate::journal::{ProgramEvent, Way};

pub(super) use broker::MqttBroker;
pub(super) use client::MqttClient;

/// Characters of a payload that the journal shows.
const SHOWN: usize = 200;

/// A QoS as a lab file has it.
fn qos(level: u8) -> Result<QoS, &'static str> {
    match level {
        0 => Ok(QoS::Level0),
        1 => Ok(QoS::Level1),
        _ => Err("QoS is 0 (at most once) or 1 (at least once) here"),
    }
}

/// Tells the journal of a PUBLISH.
fn report(running: &Running, way: Way, publish: &v3::Publish) {
    let text = String::from_utf8_lossy(&publish.payload).chars().take(SHOWN).collect();
    running.report(ProgramEvent::Message {
        way,
        what: "PUBLISH".to_owned(),
        channel: publish.topic_name.to_string(),
        bytes: publish.payload.len() as u64,
        text,
    });
}
