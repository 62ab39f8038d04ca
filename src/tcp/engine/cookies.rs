//! A listener that can remember no more answers by SYN cookies, and recognises them when they come back (RFC 4987 §3.6).

use super::{Arrival, Departure, Engine};
use crate::journal::{DropReason, Reason, SocketId, Why};
use crate::packet::dissect::TcpOptions;
use crate::packet::{SeqNum, TcpFlags};
use crate::tcp::config::{Config, Ecn};
use crate::tcp::connection::own_mss;
use crate::tcp::segment::{Ends, Segment};
use crate::tcp::syn_cookies::{self, Agreement};
use crate::time::Instant;

impl Engine {
    /// Answers a SYN, and keeps nothing of it.
    pub(super) fn answer_by_cookie(&mut self, now: Instant, parent: SocketId, ends: Ends, syn: &Segment) {
        let Some(listener) = self.listeners.get_mut(&parent) else { return };
        listener.cookie_sent = Some(now);
        let config = &listener.config;
        let default_mss = if ends.remote.is_ipv4() { 536 } else { 1220 };
        let peer_mss = syn.options.mss.filter(|mss| *mss > 0).unwrap_or(default_mss);
        let seq = syn_cookies::encode(&self.secret, now, &ends, syn.seq, peer_mss);
        let offset = self.secret.timestamp_offset(&ends);
        let options = granted(config, own_mss(config, self.mtu, &ends), now, offset, syn);
        // What does not travel in the timestamp is not agreed on.
        let asked = TcpFlags(TcpFlags::ECE.0 | TcpFlags::CWR.0);
        let ecn = options.timestamps.is_some() && config.ecn != Ecn::Off && syn.flags.contains(asked);
        let flags = TcpFlags(TcpFlags::SYN.0 | TcpFlags::ACK.0 | if ecn { TcpFlags::ECE.0 } else { 0 });
        let window = u16::try_from(config.receive_buffer).unwrap_or(u16::MAX);
        let segment = Segment { seq, ack: syn.seq + 1, flags, window, options, ..Segment::default() };
        let (hops, traffic_class) = (Some(config.time_to_live), config.traffic_class & !3);
        let why = Why::of(Reason::AnswerByCookie);
        self.told.reply(Departure { ends, segment, why, dont_fragment: true, hops, traffic_class });
    }

    /// An acknowledgment reaches a listener: if it brings a cookie back, the connection is made now. Gives it back if not.
    pub(super) fn recall(&mut self, now: Instant, parent: SocketId, arrival: Arrival) -> Option<Arrival> {
        let Some(listener) = self.listeners.get(&parent).filter(|listener| listener.awaits_cookies(now)) else {
            return Some(arrival);
        };
        let (ends, is_bare) = (arrival.ends, !arrival.segment.flags.syn());
        let (irs, cookie) = (arrival.segment.seq - 1, arrival.segment.ack - 1);
        let mss = syn_cookies::decode(&self.secret, now, &ends, irs, cookie).filter(|_| is_bare);
        let Some(mss) = mss else { return Some(arrival) };
        if listener.is_behind() {
            self.drop(arrival.packet, DropReason::BacklogFull);
            return None;
        }
        let config = listener.config.clone();
        let syn = self.remembered(&config, &ends, (irs, mss), &arrival.segment);
        let socket = self.new_passive(now, parent, ends, config, cookie);
        self.with(now, socket, arrival.packet, |connection, cx| connection.recall(cx, &syn));
        self.with(now, socket, arrival.packet, |connection, cx| connection.segment_arrives(cx, arrival.segment));
        None
    }

    /// The SYN that a cookie answered, as far as it and the echoed timestamp tell.
    fn remembered(&self, config: &Config, ends: &Ends, (irs, mss): (SeqNum, u16), ack: &Segment) -> Segment {
        // Where we have sent no timestamp, none can be echoed.
        let timestamps = ack.options.timestamps.filter(|_| config.timestamps);
        let mut options = TcpOptions { mss: Some(mss), timestamps, ..TcpOptions::default() };
        let mut flags = TcpFlags::SYN;
        if let Some((_, echo)) = timestamps {
            let stamp = echo.wrapping_sub(self.secret.timestamp_offset(ends));
            let Agreement { shift, sack, ecn } = syn_cookies::read_stamp(stamp);
            (options.window_scale, options.sack_permitted) = (shift, sack);
            flags.0 |= if ecn { TcpFlags::ECE.0 | TcpFlags::CWR.0 } else { 0 };
        }
        Segment { seq: irs, flags, window: ack.window, options, ..Segment::default() }
    }
}

/// The options of an answer by cookie: without timestamps on both sides none but the segment size.
fn granted(config: &Config, own_mss: u16, now: Instant, offset: u32, syn: &Segment) -> TcpOptions {
    let mut options = TcpOptions { mss: Some(own_mss), ..TcpOptions::default() };
    let Some((value, _)) = syn.options.timestamps.filter(|_| config.timestamps) else { return options };
    let asked = TcpFlags(TcpFlags::ECE.0 | TcpFlags::CWR.0);
    let agreement = Agreement {
        shift: syn.options.window_scale.filter(|_| config.window_scaling),
        sack: syn.options.sack_permitted && config.sack,
        ecn: syn.flags.contains(asked) && config.ecn != Ecn::Off,
    };
    let clock = (now.as_nanos() / 1_000_000) as u32;
    options.timestamps = Some((offset.wrapping_add(syn_cookies::stamp(clock, agreement)), value));
    options.window_scale = agreement.shift.map(|_| config.offered_scale());
    options.sack_permitted = agreement.sack;
    options
}
