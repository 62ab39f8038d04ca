//! What is kept for one client (§4.1): what it has subscribed to, what waits for it, what it has not acknowledged.
//!
//! ```text
//!   offer ──► waiting ──► next ──► in flight ──► acknowledged ──► gone          (QoS 1)
//!               │          │          └─► resumed: once more, marked as a copy
//!               │          └───────────────────────────────────────► gone       (QoS 0)
//!               └─ no room: dropped
//! ```
//!
//! No I/O here: a session takes plain values and gives packets.

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::Bytes;
use mqtt_proto::{Pid, QoS, QosPid, TopicFilter, TopicName, v3};

use super::topics;

/// Messages of QoS 1 that are under way to a client at a time; more wait (§4.4 leaves it to the server).
const MOST_IN_FLIGHT: usize = 20;
/// Subscriptions of a client.
const MOST_SUBSCRIPTIONS: usize = 100;

/// A message for somebody.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Message {
    pub(super) topic: TopicName,
    pub(super) payload: Bytes,
    pub(super) qos: QoS,
    /// Whether it was there before its receiver subscribed (§3.3.1.3).
    pub(super) retained: bool,
}

/// What is kept for one client.
#[derive(Debug, Default)]
pub(super) struct Session {
    subscriptions: Vec<(TopicFilter, QoS)>,
    waiting: VecDeque<Message>,
    in_flight: VecDeque<InFlight>,
    pids: Pid,
}

/// A message that was sent and not acknowledged.
#[derive(Debug)]
struct InFlight {
    pid: Pid,
    message: Message,
    /// It has to be sent once more.
    again: bool,
}

impl Session {
    /// Subscribes; another subscription to the same filter is replaced (§3.8.4). `false` when there is no room for it.
    pub(super) fn subscribe(&mut self, filter: TopicFilter, qos: QoS) -> bool {
        if let Some(known) = self.subscriptions.iter_mut().find(|(known, _)| *known == filter) {
            known.1 = qos;
            return true;
        }
        let has_room = self.subscriptions.len() < MOST_SUBSCRIPTIONS;
        if has_room {
            self.subscriptions.push((filter, qos));
        }
        has_room
    }

    pub(super) fn unsubscribe(&mut self, filter: &TopicFilter) {
        self.subscriptions.retain(|(known, _)| known != filter);
    }

    /// With which QoS the client wants what is published to `topic`, if it does: the highest of its subscriptions (§3.3.5).
    pub(super) fn wants(&self, topic: &str) -> Option<QoS> {
        let matching = self.subscriptions.iter().filter(|(filter, _)| topics::matches(filter, topic));
        matching.map(|(_, qos)| *qos).max_by_key(|qos| *qos as u8)
    }

    /// Takes a message to be sent, if fewer than `most` wait.
    pub(super) fn offer(&mut self, message: Message, most: usize) -> bool {
        let has_room = self.waiting.len() < most;
        if has_room {
            self.waiting.push_back(message);
        }
        has_room
    }

    /// Messages that wait.
    pub(super) fn waiting(&self) -> usize {
        self.waiting.len()
    }

    /// The next packet that is to be sent; `None` when none is, or too many are under way.
    pub(super) fn next(&mut self) -> Option<v3::Publish> {
        if let Some(known) = self.in_flight.iter_mut().find(|known| known.again) {
            known.again = false;
            return Some(v3::Publish { dup: true, ..publish(&known.message, QosPid::Level1(known.pid)) });
        }
        let is_acknowledged = self.waiting.front()?.qos != QoS::Level0;
        if is_acknowledged && self.in_flight.len() >= MOST_IN_FLIGHT {
            return None;
        }
        let message = self.waiting.pop_front()?;
        if !is_acknowledged {
            return Some(publish(&message, QosPid::Level0));
        }
        let pid = self.new_pid();
        let packet = publish(&message, QosPid::Level1(pid));
        self.in_flight.push_back(InFlight { pid, message, again: false });
        Some(packet)
    }

    /// The client has acknowledged a message; `false` when none of that number is under way.
    pub(super) fn acknowledge(&mut self, pid: Pid) -> bool {
        let place = self.in_flight.iter().position(|known| known.pid == pid);
        place.and_then(|place| self.in_flight.remove(place)).is_some()
    }

    /// The client is back: what it has not acknowledged goes again, in order (§4.4). What was to go without acknowledgment
    /// while it was away is gone.
    pub(super) fn resume(&mut self) {
        self.in_flight.iter_mut().for_each(|known| known.again = true);
    }

    /// A number that no message under way has.
    fn new_pid(&mut self) -> Pid {
        while self.in_flight.iter().any(|known| known.pid == self.pids) {
            self.pids += 1;
        }
        let pid = self.pids;
        self.pids += 1;
        pid
    }
}

fn publish(message: &Message, qos_pid: QosPid) -> v3::Publish {
    let Message { topic, payload, retained, .. } = message.clone();
    v3::Publish { dup: false, retain: retained, qos_pid, topic_name: topic, payload }
}

/// A message of what a client has published, for one who wants it with `qos`: the lower of the two (§3.8.4).
pub(super) fn message(publish: &v3::Publish, qos: QoS) -> Message {
    let published = publish.qos_pid.qos();
    let qos = if (published as u8) < (qos as u8) { published } else { qos };
    let topic = publish.topic_name.clone();
    Message { topic, payload: publish.payload.clone(), qos, retained: false }
}

/// What identifies a client (§3.1.3.1).
pub(super) type ClientId = Arc<str>;

#[cfg(test)]
mod tests {
    use super::*;

    fn a_message(text: &str, qos: QoS) -> Message {
        let topic = TopicName::try_from("users/created").expect("a topic");
        Message { topic, payload: Bytes::copy_from_slice(text.as_bytes()), qos, retained: false }
    }

    fn filter(text: &str) -> TopicFilter {
        TopicFilter::try_from(text).expect("a filter")
    }

    /// `number[!]:text`, the mark for a copy.
    fn sent(session: &mut Session) -> Vec<String> {
        let told = |packet: v3::Publish| {
            let pid = packet.qos_pid.pid().map_or(0, Pid::value);
            let mark = if packet.dup { "!" } else { "" };
            format!("{pid}{mark}:{}", String::from_utf8_lossy(&packet.payload))
        };
        std::iter::from_fn(|| session.next().map(told)).collect()
    }

    #[test]
    fn what_is_not_acknowledged_goes_again_in_order_when_the_client_is_back() {
        let mut session = Session::default();
        for text in ["a", "b", "c"] {
            assert!(session.offer(a_message(text, QoS::Level1), 10));
        }
        assert!(session.offer(a_message("d", QoS::Level0), 10));
        assert_eq!(sent(&mut session), ["1:a", "2:b", "3:c", "0:d"]);
        assert!(session.acknowledge(Pid::try_from(2).expect("a number")));
        assert!(!session.acknowledge(Pid::try_from(2).expect("a number")), "once only");
        assert_eq!(sent(&mut session), [""; 0], "nothing goes again while the client is there");
        session.resume();
        assert!(session.offer(a_message("e", QoS::Level1), 10));
        assert_eq!(sent(&mut session), ["1!:a", "3!:c", "4:e"]);
    }

    #[test]
    fn what_waits_and_what_is_under_way_is_bounded() {
        let mut session = Session::default();
        let taken = (0..50).filter(|_| session.offer(a_message("x", QoS::Level1), 30)).count();
        assert_eq!((taken, session.waiting()), (30, 30));
        assert_eq!(sent(&mut session).len(), MOST_IN_FLIGHT);
        assert_eq!(session.waiting(), 10);
        let taken = (0..200).filter(|n| session.subscribe(filter(&format!("t/{n}")), QoS::Level0)).count();
        assert_eq!(taken, MOST_SUBSCRIPTIONS);
    }

    #[test]
    fn numbers_go_round_and_skip_those_that_are_under_way() {
        let mut session = Session { pids: Pid::try_from(u16::MAX).expect("a number"), ..Session::default() };
        for _ in 0..3 {
            session.offer(a_message("x", QoS::Level1), 10);
        }
        assert_eq!(sent(&mut session), ["65535:x", "1:x", "2:x"]);
        session.pids = Pid::try_from(u16::MAX).expect("a number");
        session.offer(a_message("y", QoS::Level1), 10);
        assert_eq!(sent(&mut session), ["3:y"]);
    }

    #[test]
    fn a_subscription_replaces_one_to_the_same_filter_and_the_highest_counts() {
        let mut session = Session::default();
        session.subscribe(filter("users/#"), QoS::Level0);
        session.subscribe(filter("users/created"), QoS::Level1);
        assert_eq!(session.wants("users/created"), Some(QoS::Level1));
        assert_eq!(session.wants("users/deleted"), Some(QoS::Level0));
        assert_eq!(session.wants("orders"), None);
        session.subscribe(filter("users/created"), QoS::Level0);
        assert_eq!(session.wants("users/created"), Some(QoS::Level0));
        session.unsubscribe(&filter("users/#"));
        assert_eq!(session.wants("users/deleted"), None);
    }
}
