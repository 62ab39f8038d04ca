//! `mqtt-broker`: a server that passes on what is published to those who have subscribed to it.

use std::cell::RefCell;
use std::rc::Rc;

use serde::Deserialize;

use super::connection;
use super::exchange::Exchange;
use crate::app::program::Play;
use crate::app::run::Running;
use crate::app::{ProgramError, values};

/// `mqtt-broker`
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MqttBroker {
    /// Where it listens, from 1; MQTT's own is 1883.
    #[serde(deserialize_with = "values::port")]
    port: u16,
    /// Messages that may wait for one client; what comes when there are more is dropped, for that client alone.
    #[serde(default = "hundred")]
    queue: u16,
}

fn hundred() -> u16 {
    100
}

impl Play for MqttBroker {
    const NAME: &'static str = "mqtt-broker";
    const IS_SERVER: bool = true;

    async fn run(&self, running: &Running, ready: impl FnOnce()) -> Result<(), ProgramError> {
        let exchange = Rc::new(RefCell::new(Exchange::new(self.queue.into())));
        let serve = move |running, stream, peer| connection::serve(running, stream, peer, exchange.clone());
        running.serve_streams(self.port, ready, serve).await
    }
}
