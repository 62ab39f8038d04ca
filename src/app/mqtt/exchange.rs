//! Who gets what: sessions of all clients, and messages that are kept for those to come.
//!
//! Nothing here waits: a connection is told by its bell that its session has something to send.

use std::collections::BTreeMap;
use std::rc::Rc;

use mqtt_proto::{Pid, QoS, TopicFilter, TopicName, v3};
use tokio::sync::Notify;

use super::session::{ClientId, Message, Session, message};
use super::topics;

/// Sessions that are kept at a time, and retained messages.
const MOST_SESSIONS: usize = 1000;
const MOST_RETAINED: usize = 1000;

/// All that a broker knows.
pub(super) struct Exchange {
    /// Messages that may wait for one client.
    most_waiting: usize,
    /// In the order of their clients' names, in which messages are handed out.
    sessions: BTreeMap<ClientId, Known>,
    retained: BTreeMap<TopicName, v3::Publish>,
    connections: u64,
}

struct Known {
    session: Session,
    /// Whether it ends with its connection (§3.1.2.4).
    is_clean: bool,
    presence: Option<Presence>,
}

/// The connection by which a client is here.
struct Presence {
    connection: u64,
    bell: Rc<Notify>,
    replaced: Rc<Notify>,
}

/// A connection's place.
pub(super) struct Seat {
    pub(super) client: ClientId,
    connection: u64,
    /// Whether there was a session of the client (§3.2.2.2).
    pub(super) is_known: bool,
    /// Rings when there is something to send.
    pub(super) bell: Rc<Notify>,
    /// Rings when the client has come by another connection (§3.1.4).
    pub(super) replaced: Rc<Notify>,
}

/// What became of a message for one client.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Dropped {
    pub(super) client: ClientId,
    /// Messages that wait for it already.
    pub(super) waiting: usize,
}

impl Exchange {
    pub(super) fn new(most_waiting: usize) -> Exchange {
        Exchange { most_waiting, sessions: BTreeMap::new(), retained: BTreeMap::new(), connections: 0 }
    }

    /// A client comes; an older connection of it goes. `None` when there is no room for another client.
    pub(super) fn arrive(&mut self, client: &str, is_clean: bool) -> Option<Seat> {
        self.connections += 1;
        let (bell, replaced) = (Rc::new(Notify::new()), Rc::new(Notify::new()));
        let connection = self.connections;
        // Who says nothing of itself gets a name that is nobody's (§3.1.3.1).
        let client: ClientId = match client {
            "" => format!("client-{connection}").into(),
            name => name.into(),
        };
        let room = self.sessions.len() < MOST_SESSIONS;
        let known = self.sessions.remove(&client);
        if known.is_none() && !room {
            return None;
        }
        if let Some(presence) = known.as_ref().and_then(|known| known.presence.as_ref()) {
            presence.replaced.notify_one();
        }
        let kept = known.filter(|known| !known.is_clean && !is_clean);
        let is_known = kept.is_some();
        let mut session = kept.map(|known| known.session).unwrap_or_default();
        session.resume();
        let presence = Presence { connection, bell: bell.clone(), replaced: replaced.clone() };
        // What waits for it is to go at once.
        bell.notify_one();
        self.sessions.insert(client.clone(), Known { session, is_clean, presence: Some(presence) });
        Some(Seat { client, connection, is_known, bell, replaced })
    }

    /// A connection is over.
    pub(super) fn leave(&mut self, seat: &Seat) {
        let Some(known) = self.of(seat) else { return };
        known.presence = None;
        if known.is_clean {
            self.sessions.remove(&seat.client);
        }
    }

    /// What is kept for the client of a connection, unless another connection has taken its place.
    fn of(&mut self, seat: &Seat) -> Option<&mut Known> {
        let known = self.sessions.get_mut(&seat.client)?;
        let is_it = known.presence.as_ref().is_some_and(|presence| presence.connection == seat.connection);
        is_it.then_some(known)
    }

    /// Hands out what was published. Returns for whom there was no room.
    pub(super) fn publish(&mut self, publish: &v3::Publish) -> Vec<Dropped> {
        if publish.retain {
            self.retain(publish);
        }
        let mut dropped = Vec::new();
        for (client, known) in &mut self.sessions {
            let Some(wanted) = known.session.wants(&publish.topic_name) else { continue };
            let message = message(publish, wanted);
            // What nobody acknowledges is for those who are here.
            if known.presence.is_none() && message.qos == QoS::Level0 {
                continue;
            }
            if !known.session.offer(message, self.most_waiting) {
                dropped.push(Dropped { client: client.clone(), waiting: known.session.waiting() });
            }
            if let Some(presence) = &known.presence {
                presence.bell.notify_one();
            }
        }
        dropped
    }

    /// Keeps a message for those who subscribe later, or forgets the one that there was (§3.3.1.3).
    fn retain(&mut self, publish: &v3::Publish) {
        if publish.payload.is_empty() {
            self.retained.remove(&publish.topic_name);
        } else if self.retained.len() < MOST_RETAINED || self.retained.contains_key(&publish.topic_name) {
            self.retained.insert(publish.topic_name.clone(), publish.clone());
        }
    }

    /// Subscribes, and hands out what was kept. `None` when there is no room.
    pub(super) fn subscribe(&mut self, seat: &Seat, filter: &TopicFilter, qos: QoS) -> Option<QoS> {
        let granted = if qos == QoS::Level0 { QoS::Level0 } else { QoS::Level1 };
        let most = self.most_waiting;
        let matching = self.retained.values().filter(|kept| topics::matches(filter, &kept.topic_name));
        let kept: Vec<Message> = matching.map(|kept| Message { retained: true, ..message(kept, granted) }).collect();
        let known = self.of(seat)?;
        if !known.session.subscribe(filter.clone(), granted) {
            return None;
        }
        for message in kept {
            // What finds no room is dropped, as everything else is.
            known.session.offer(message, most);
        }
        seat.bell.notify_one();
        Some(granted)
    }

    pub(super) fn unsubscribe(&mut self, seat: &Seat, filter: &TopicFilter) {
        if let Some(known) = self.of(seat) {
            known.session.unsubscribe(filter);
        }
    }

    /// The client has acknowledged a message.
    pub(super) fn acknowledge(&mut self, seat: &Seat, pid: Pid) {
        if let Some(known) = self.of(seat) {
            known.session.acknowledge(pid);
            seat.bell.notify_one();
        }
    }

    /// The next packet for the client of a connection.
    pub(super) fn next(&mut self, seat: &Seat) -> Option<v3::Publish> {
        self.of(seat)?.session.next()
    }
}
