//! A connection that begins with TCP Fast Open (RFC 7413 §4.2), at either end.
//!
//! ```text
//!   client: SYN-SENT                                server: SYN-RECEIVED, open already
//!      SYN 0, cookie, 1:901  ────────────────────►  reads 1:901 at once, may answer
//!                            ◄────  SYN,ACK ack 901
//!                            ◄────  1:501
//!      ACK 501               ────────────────────►  ESTABLISHED
//! ```
//!
//! The SYN's octets are in flight like any others, as a segment of their own behind the SYN. What the SYN,ACK does not
//! acknowledge goes again at once: it was refused, not lost, and says nothing of congestion (§4.1.3). A SYN that is sent
//! again is bare, since a box on the path may dislike the option or the data (§4.2.1).
//!
//! Until the server's SYN,ACK is acknowledged its timer repeats the SYN,ACK alone, not the data behind it, and its FIN waits.

use super::{Connection, Context};
use crate::journal::{Reason, TcpState};
use crate::packet::SeqNum;
use crate::packet::dissect::FastOpenOption;
use crate::tcp::config::Config;
use crate::tcp::fast_open::peers::{Lesson, Offer};
use crate::tcp::options;
use crate::tcp::segment::{Ends, Payload, Segment};
use crate::transport::SocketEvent;

/// What is particular to the handshake of Fast Open; gone when that is over.
#[derive(Debug, Default)]
pub(super) struct Early {
    /// What our first SYN or SYN,ACK says of Fast Open.
    option: Option<FastOpenOption>,
    /// Octets of data that our SYN may carry.
    room: u32,
    /// Octets of data that it carried.
    carried: u32,
    /// As a server: the connection is open although its handshake is not over.
    is_open: bool,
    /// As a client: what the answer has taught.
    lesson: Option<Lesson>,
}

impl Connection {
    /// The application opens actively, with data that may go with the SYN. Returns how much of it found room.
    pub(crate) fn open_with(&mut self, cx: &mut Context<'_>, offer: Offer, data: &[u8]) -> usize {
        let taken = self.queue(data, false).unwrap_or(0);
        self.open(cx);
        let room = if offer.carries { early_room_within(self.terms.own_mss, &offer) } else { 0 };
        if room > 0 && taken > 0 {
            self.due = Some(Reason::OpenWithData);
        } else if offer.option.as_ref().is_some_and(|option| option.cookie.is_empty()) {
            self.due = Some(Reason::AskForCookie);
        }
        if offer.option.is_some() || room > 0 {
            self.early = Some(Box::new(Early { option: offer.option, room, ..Early::default() }));
        }
        taken
    }

    /// A SYN has reached a listener that believes its cookie: the connection is open at once, with what the SYN carries
    /// (RFC 7413 §4.2.2). `renewed` is a newer cookie.
    pub(crate) fn answer_early(&mut self, cx: &mut Context<'_>, syn: Segment, renewed: Option<FastOpenOption>) {
        self.answer(cx, &syn, renewed);
        self.early.get_or_insert_default().is_open = true;
        self.syn_data = !syn.is_empty();
        self.keep_for_later(syn);
        self.due = Some(Reason::AnswerEarly);
        if let super::Origin::Passive(listener) = self.origin {
            cx.notify(SocketEvent::Acceptable(listener));
        }
    }

    /// What our SYN,ACK will say of Fast Open.
    pub(super) fn grant(&mut self, option: Option<FastOpenOption>) {
        if option.is_some() {
            self.early = Some(Box::new(Early { option, ..Early::default() }));
            self.due = Some(Reason::GrantCookie);
        }
    }

    /// Whether data flows although the handshake is not over.
    pub(crate) fn is_open_early(&self) -> bool {
        self.state() == TcpState::SynReceived && self.early.as_ref().is_some_and(|early| early.is_open)
    }

    /// The application has accepted it.
    pub(crate) fn accepted(&mut self) {
        self.held = true;
    }

    /// What our SYN or SYN,ACK says of Fast Open: once, and nothing where two SYNs have crossed.
    pub(super) fn early_option(&self) -> Option<FastOpenOption> {
        let has_crossed = self.state() == TcpState::SynReceived && self.origin == super::Origin::Active;
        let is_first = self.flight.is_empty() && !has_crossed;
        self.early.as_ref().filter(|_| is_first).and_then(|early| early.option.clone())
    }

    /// The data that goes with our first SYN, put in flight behind it.
    pub(super) fn early_data(&mut self, cx: &mut Context<'_>) -> Payload {
        let Some(early) = self.early.as_mut().filter(|_| self.state.get() == TcpState::SynSent) else {
            return Payload::new();
        };
        let length = u64::from(early.room).min(self.send.len() as u64);
        if length == 0 {
            return Payload::new();
        }
        early.carried = length as u32;
        let end = 1 + length;
        // Should it have to go again, it asks to be handed over at once, as with Linux.
        self.flight.push(1..end, cx.now, true, false);
        self.snd_nxt = end;
        self.marks.sent(end);
        self.send.slice(0..length)
    }

    /// Whether `ack` acknowledges our SYN, and nothing beyond what it carried or was sent since.
    pub(super) fn acknowledges_syn(&self, ack: SeqNum) -> bool {
        let position = self.position_of(ack);
        position >= 1 && position <= self.snd_nxt.max(1) as i64
    }

    /// Octets of data that our first SYN carried.
    pub(super) fn early_octets(&self) -> u32 {
        self.early.as_ref().map_or(0, |early| early.carried)
    }

    /// Whether our SYN carried data.
    pub(super) fn has_sent_early(&self) -> bool {
        self.early_octets() > 0
    }

    /// The SYN,ACK has come: what the peer took of our SYN's data is done, the rest goes again.
    pub(super) fn settle_early(&mut self, cx: &mut Context<'_>, answer: &Segment) {
        let Some(mut early) = self.early.take() else { return };
        let was_refused = early.carried > 0 && self.snd_una < 1 + u64::from(early.carried);
        self.syn_data = early.carried > 0 && !was_refused;
        self.send.remove_before(self.snd_una - 1);
        if was_refused {
            self.flight.lose_refused(self.snd_mss().into());
            self.tell_losses(cx);
        } else if self.data_end() > self.snd_nxt {
            self.acks.converse();
        }
        early.lesson = Some(Lesson {
            offered: early.option.take(),
            granted: answer.options.fast_open.clone(),
            mss: answer.options.mss,
            was_resent: self.flight.total_retransmissions() > 0,
            was_refused,
        });
        self.early = Some(early);
    }

    /// Whether our SYN and its data, which were one packet, were acknowledged together.
    pub(super) fn syn_data_is_counted_twice(&self) -> bool {
        self.syn_data && self.origin == super::Origin::Active
    }

    /// Takes what the answer to our SYN has taught, once.
    pub(crate) fn take_lesson(&mut self) -> Option<Lesson> {
        let lesson = self.early.as_mut()?.lesson.take()?;
        self.early = None;
        Some(lesson)
    }

    /// The handshake of a connection that was open early is over.
    pub(super) fn end_early(&mut self) -> bool {
        self.early.take().is_some_and(|early| early.is_open)
    }
}

/// Octets of data that a SYN between these ends may carry.
pub(crate) fn early_room(config: &Config, mtu: usize, ends: &Ends, offer: &Offer) -> u32 {
    early_room_within(super::own_mss(config, mtu, ends), offer)
}

/// Those of a segment, less the most that options can take, so that boxes on the path can add theirs (as Linux).
fn early_room_within(own_mss: u16, offer: &Offer) -> u32 {
    u32::from(offer.mss.unwrap_or(own_mss).min(own_mss).saturating_sub(options::MOST))
}
