//! SYN cookies (RFC 4987 §3.6): a listener that can remember no more, packet by packet.

use std::time::Duration;

use super::wire::{Wire, config};
use crate::journal::{DropReason, TcpState};
use crate::tcp::{Config, Ecn, SynCookies};
use crate::transport::SocketEvent;

/// A listener that remembers nobody in a handshake.
fn forgetful() -> Config {
    Config { half_open: 0, ..config() }
}

/// Without room for one more the answer is a cookie; who brings it back is connected, after one round trip as ever.
#[test]
fn who_brings_a_cookie_back_is_connected() {
    let mut wire = Wire::listening(1, &forgetful());
    wire.log(
        "
        < S  0              <mss 1440>
        > SA 0     ack 1    <mss 1460>     | answer-by-cookie
        ",
    );
    assert!(wire.engine.is_empty() && wire.nothing_to_accept());
    wire.log(
        "
        +100ms
        < A  1     ack 1
        ",
    );
    let listener = wire.listener();
    assert_eq!(wire.events(), [SocketEvent::Acceptable(listener)]);
    wire.accept();
    let snapshot = wire.snapshot();
    assert_eq!((snapshot.state, snapshot.snd_mss), (TcpState::Established, Some(1440)));
    wire.write(1500);
    wire.log(
        "
        > A  1:1441      ack 1   | new-data
        > PA 1441:1501   ack 1   | new-data
        < PA 1:11        ack 1501
        > A  1501        ack 11  | acknowledge
        ",
    );
    assert_eq!(wire.read(), 10);
}

/// The first segment with data may be the one that brings the cookie: the bare one was lost.
#[test]
fn a_cookie_may_come_back_with_data() {
    let mut wire = Wire::listening(1, &forgetful());
    wire.log(
        "
        < S  0               <mss 1000>
        > SA 0      ack 1    <mss 1460>   | answer-by-cookie
        < PA 1:101  ack 1
        > A  1      ack 101               | acknowledge
        ",
    );
    wire.accept();
    assert_eq!(wire.read(), 100);
}

/// What a SYN agrees on beside the segment size survives in the timestamp that the peer echoes.
#[test]
fn options_survive_in_the_echoed_timestamp() {
    let mut wire = Wire::listening(1, &Config { ecn: Ecn::Passive, ..forgetful() });
    wire.wait(Duration::from_secs(10));
    wire.receive("SEW 0 <mss 1000, sackOK, ts 700 -, ws 7>");
    let answer = wire.take_sent().remove(0).segment;
    let options = &answer.options;
    assert_eq!((options.window_scale, options.sack_permitted, answer.flags.0 & 0x40), (Some(1), true, 0x40));
    assert_eq!(options.timestamps.map(|(_, echo)| echo), Some(700));
    wire.receive("A 1 ack 1 win 1000 <ts 710 10000>");
    wire.accept();
    let snapshot = wire.snapshot();
    let terms = snapshot.agreed.expect("a connection");
    assert_eq!((terms.timestamps, terms.sack, terms.window_scale, terms.ecn), (true, true, Some((1, 7)), true));
    assert_eq!(snapshot.snd_wnd, Some(1000 << 7));
}

/// Without timestamps nothing but the segment size survives, and nothing else is granted.
#[test]
fn without_timestamps_a_cookie_grants_no_options() {
    let mut wire = Wire::listening(1, &forgetful());
    wire.log(
        "
        < S  0              <mss 1000, sackOK, ws 7>
        > SA 0     ack 1    <mss 1460>     | answer-by-cookie
        < A  1     ack 1    win 1000
        ",
    );
    wire.accept();
    let snapshot = wire.snapshot();
    let terms = snapshot.agreed.expect("a connection");
    assert_eq!((terms.sack, terms.window_scale, snapshot.snd_wnd), (false, None, Some(1000)));
}

/// A timestamp in the peer's ACK is none of ours when we have sent none: it tells nothing of what was agreed on.
#[test]
fn where_timestamps_are_off_an_echo_tells_nothing() {
    let mut wire = Wire::listening(1, &Config { timestamps: false, ..forgetful() });
    wire.log(
        "
        < S  0              <mss 1000, sackOK, ws 7, ts 700 ->
        > SA 0     ack 1    <mss 1460>                        | answer-by-cookie
        < A  1     ack 1    win 1000 <ts 710 12345>
        ",
    );
    wire.accept();
    let snapshot = wire.snapshot();
    let terms = snapshot.agreed.expect("a connection");
    assert_eq!((terms.sack, terms.window_scale, terms.ecn, snapshot.snd_wnd), (false, None, false, Some(1000)));
}

/// A guess, another's, or one that is too old is a stray acknowledgment (RFC 9293 §3.10.7.2).
#[test]
fn what_is_no_cookie_is_reset() {
    let mut wire = Wire::listening(1, &forgetful());
    wire.log(
        "
        < S  0              <mss 1000>
        > SA 0     ack 1    <mss 1460>     | answer-by-cookie
        < A  1     ack 6
        > R  6                             | reset
        < A  2     ack 1
        > R  1                             | reset
        < SA 1     ack 1
        > R  1                             | reset
        +129s
        < A  1     ack 1
        > R  1                             | reset
        ",
    );
    assert!(wire.engine.is_empty());
}

/// Where no cookie was ever sent none is looked for, were it a good one.
#[test]
fn a_listener_that_sent_no_cookie_looks_for_none() {
    let mut wire = Wire::listening(1, &forgetful());
    wire.log("< S 0 <mss 1000>\n > SA 0 ack 1 <mss 1460> | answer-by-cookie");
    wire.close_listener();
    wire.listen(1, &forgetful());
    wire.log("< A 1 ack 1\n > R 1 | reset");
}

/// Cookies come when there is no room, not before; and none when the application is so far behind that even an open
/// connection could not wait for it.
#[test]
fn cookies_are_for_when_there_is_no_room() {
    let mut wire = Wire::listening(1, &config());
    for port in [4001, 4002] {
        wire.peer_port(port);
        wire.log("< S 0 <mss 1000>\n > SA 0 ack 1 | answer-open");
    }
    wire.peer_port(4003);
    wire.log("< S 0 <mss 1000>\n > SA 0 ack 1 <mss 1460> | answer-by-cookie\n < A 1 ack 1");
    wire.peer_port(4004);
    wire.log("< S 0 <mss 1000>\n > SA 0 ack 1 <mss 1460> | answer-by-cookie");
    // Another takes the last place of those who wait, before the fourth comes back.
    let (fourth, iss) = (wire.ends, wire.own_iss());
    wire.peer_port(4005);
    wire.log("< S 0 <mss 1000>\n > SA 0 ack 1 <mss 1460> | answer-by-cookie\n < A 1 ack 1");
    wire.come_back_to(fourth, iss);
    wire.log("< A 1 ack 1\n < S 0 <mss 1000>");
    assert_eq!(wire.drops(), [DropReason::BacklogFull; 2]);
    wire.accept();
    assert_eq!(wire.ends.remote.port(), 4003);
}

/// RFC 4987 §3.6 is a choice.
#[test]
fn cookies_can_be_switched_off_or_always_on() {
    let mut off = Wire::listening(1, &Config { syn_cookies: SynCookies::Never, ..forgetful() });
    off.log("< S 0 <mss 1000>");
    assert_eq!(off.drops(), [DropReason::BacklogFull]);
    let mut always = Wire::listening(1, &Config { syn_cookies: SynCookies::Always, ..config() });
    always.log("< S 0 <mss 1000>\n > SA 0 ack 1 <mss 1460> | answer-by-cookie\n < A 1 ack 1");
    always.accept();
    assert_eq!(always.state(), TcpState::Established);
}

/// A SYN that is repeated while it is being answered is answered again, but not at any rate: each would draw a SYN,ACK to
/// whoever's address it gives.
#[test]
fn repeated_syns_are_answered_sparingly() {
    let mut wire = Wire::listening(1, &config());
    wire.log(
        "
        < S  0              <mss 1000>
        > SA 0     ack 1                   | answer-open
        < S  0              <mss 1000>
        > SA 0     ack 1                   | answer-open
        < S  0              <mss 1000>
        +500ms
        < S  0              <mss 1000>
        > SA 0     ack 1                   | answer-open
        ",
    );
}
