//! Who listens to which channel. A message goes to all who listen at that moment; nothing is kept for those who come later.

use std::cell::RefCell;
use std::collections::BTreeMap;

use tokio::sync::mpsc;
use tokio_tungstenite::tungstenite::Utf8Bytes;

/// Channels that one connection may listen to.
const CHANNELS: usize = 16;
/// The longest name of a channel, in octets.
const LONGEST_NAME: usize = 128;
/// Messages that may wait for one connection.
pub(super) const WAITING: usize = 64;

/// Channels and their listeners. The order in which they are told is that in which they came.
#[derive(Default)]
pub(super) struct Room {
    channels: RefCell<BTreeMap<String, BTreeMap<u64, mpsc::Sender<Utf8Bytes>>>>,
}

impl Room {
    /// From now on `listener` gets what is said on `channel`.
    ///
    /// # Errors
    /// Why it may not.
    pub(super) fn subscribe(
        &self,
        channel: &str,
        listener: u64,
        outbox: &mpsc::Sender<Utf8Bytes>,
    ) -> Result<(), &'static str> {
        if channel.is_empty() || channel.len() > LONGEST_NAME {
            return Err("the name of a channel has 1 to 128 octets");
        }
        let mut channels = self.channels.borrow_mut();
        let held = channels.values().filter(|listeners| listeners.contains_key(&listener)).count();
        if held >= CHANNELS {
            return Err("a connection listens to at most 16 channels");
        }
        channels.entry(channel.to_owned()).or_default().insert(listener, outbox.clone());
        Ok(())
    }

    /// Gives a message to all who listen. Returns how many they are; whoever has let too many wait gets this one not.
    pub(super) fn publish(&self, channel: &str, text: &Utf8Bytes) -> usize {
        let channels = self.channels.borrow();
        let Some(listeners) = channels.get(channel) else { return 0 };
        listeners.values().filter(|outbox| outbox.try_send(text.clone()).is_ok()).count()
    }

    /// A listener has gone.
    pub(super) fn leave(&self, listener: u64) {
        self.channels.borrow_mut().retain(|_, listeners| {
            listeners.remove(&listener);
            !listeners.is_empty()
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_reaches_those_who_listen_and_a_slow_one_is_not_waited_for() {
        let room = Room::default();
        let (outbox, mut inbox) = mpsc::channel(1);
        let text = Utf8Bytes::from("hello");
        assert_eq!(room.publish("chat", &text), 0);
        room.subscribe("chat", 1, &outbox).expect("there is room");
        assert_eq!((room.publish("chat", &text), room.publish("chat", &text)), (1, 0));
        assert_eq!(room.publish("other", &text), 0);
        assert_eq!(inbox.try_recv().expect("it was told"), text);
        room.leave(1);
        assert_eq!(room.publish("chat", &text), 0);
        assert!(room.channels.borrow().is_empty());
    }

    #[test]
    fn nobody_takes_more_than_his_share() {
        let room = Room::default();
        let (outbox, _inbox) = mpsc::channel(1);
        assert!(room.subscribe("", 1, &outbox).is_err());
        assert!(room.subscribe(&"x".repeat(129), 1, &outbox).is_err());
        for channel in 0..16 {
            room.subscribe(&channel.to_string(), 1, &outbox).expect("there is room");
        }
        assert!(room.subscribe("one more", 1, &outbox).is_err());
        assert!(room.subscribe("one more", 2, &outbox).is_ok());
    }
}
