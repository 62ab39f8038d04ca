//! Which servers there are: a registry is asked at intervals, and its answer takes the place of what was known.

use std::net::IpAddr;
use std::rc::Rc;
use std::time::Duration;

use serde::Deserialize;
use tokio::time::sleep;

use super::backends::Backends;
use crate::app::discovery::{ServiceName, look_up};
use crate::app::run::Running;
use crate::app::{Destination, Span, values};

/// Who is asked, and for what: `discover = { service = "posts.internal", registry = "registry:53", port = 8080 }`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Discover {
    service: ServiceName,
    pub(super) registry: Destination,
    /// Where the servers listen.
    #[serde(deserialize_with = "values::port")]
    port: u16,
    /// How long is waited between two questions.
    #[serde(default = "one_second", deserialize_with = "values::positive")]
    every: Span,
}

fn one_second() -> Span {
    Span::from_duration(Duration::from_secs(1))
}

impl Discover {
    /// Asks until dropped. A registry that is silent says nothing about the servers: those that were known stay.
    pub(super) async fn watch(&self, running: &Running, backends: &Rc<Backends>) {
        let mut ids = running.data();
        loop {
            match look_up(running, &self.registry, &self.service, &mut ids).await {
                Ok(found) => backends.listed(running, &self.servers(found.targets)),
                Err(error) => running.complain(error),
            }
            sleep(self.every.duration()).await;
        }
    }

    /// By address: registries change the order from answer to answer, and whose turn it is must not follow that.
    fn servers(&self, mut targets: Vec<IpAddr>) -> Vec<Destination> {
        targets.sort_unstable();
        targets.into_iter().map(|target| Destination { host: target.to_string(), port: self.port }).collect()
    }
}
