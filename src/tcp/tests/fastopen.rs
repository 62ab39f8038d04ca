//! TCP Fast Open (RFC 7413), packet by packet.

use std::time::Duration;

use super::wire::{Wire, config};
use crate::journal::{DropReason, TcpState};
use crate::packet::DeliveryError;
use crate::tcp::fast_open::cookie::cookie;
use crate::tcp::{Config, Ends, FastOpen};
use crate::transport::{CloseReason, FastOpenKeys, SocketError, SocketEvent, SocketOption};

/// What the server's cookies are made with.
const KEY: [u8; 16] = *b"sixteen octets !";

/// A client that offers no options but Fast Open's, so that logs are short.
fn plain() -> Config {
    Config { timestamps: false, sack: false, window_scaling: false, ..config() }
}

/// A server that lets so many connections be open early.
fn server(queue: usize) -> Config {
    let keys = Some(FastOpenKeys { current: KEY, previous: None });
    Config { fast_open: FastOpen { queue, keys, ..FastOpen::default() }, ..plain() }
}

/// The cookie of the peer at these ends, as a log writes it.
fn own_cookie(ends: &Ends) -> String {
    cookie(&KEY, ends).iter().map(|octet| format!("{octet:02x}")).collect()
}

/// A client that has got the cookie `0a0b0c0d` from a peer with a maximum segment size of 1000, and has closed.
fn acquainted() -> Wire {
    let mut wire = Wire::between("10.0.0.1:5000", "10.0.0.2:80");
    wire.connect_with(&plain(), 0);
    wire.log(
        "
        > S  0            <mss 1460, fo>            | ask-for-cookie
        < SA 0  ack 1     <mss 1000, fo 0a0b0c0d>
        > A  1  ack 1                               | complete-open
        ",
    );
    wire.abort();
    assert_eq!(wire.take_sent().len(), 1, "a reset");
    wire
}

/// A server to which a SYN with a good cookie and 100 octets has come.
fn opened_early() -> Wire {
    let mut wire = Wire::listening(4, &server(4));
    let good = own_cookie(&wire.ends);
    wire.log(&format!(
        "
        < S  0:100          <mss 1000, fo {good}>
        > SA 0     ack 101  <mss 1460>              | answer-early
        "
    ));
    wire
}

/// RFC 7413 §4.2.1: the request, and the cookie that is granted, between two of our own.
#[test]
fn a_cookie_is_asked_for_and_granted() {
    let mut client = Wire::between("10.0.0.1:5000", "10.0.0.2:80");
    client.connect_with(&plain(), 5);
    client.log(
        "
        > S  0               <mss 1460, fo>          | ask-for-cookie
        < SA 0      ack 1    <mss 1000, fo 0a0b0c0d>
        > PA 1:6    ack 1                            | new-data
        ",
    );
    let mut server = Wire::listening(1, &server(4));
    let granted = own_cookie(&server.ends);
    server.log(&format!(
        "
        < S  0               <mss 1000, fo>
        > SA 0      ack 1    <mss 1460, fo {granted}>  | grant-cookie
        "
    ));
}

/// RFC 7413 §4.2.1: only who asks is granted one, and in the form in which it asks.
#[test]
fn a_cookie_is_granted_in_the_form_of_the_request_and_to_nobody_else() {
    let mut wire = Wire::listening(4, &server(4));
    let granted = own_cookie(&wire.ends);
    wire.log(&format!(
        "
        < S  0              <mss 1000, foexp>
        > SA 0     ack 1    <mss 1460, foexp {granted}>  | grant-cookie
        "
    ));
    wire.peer_port(4001);
    wire.log(
        "
        < S  0              <mss 1000>
        > SA 0     ack 1    <mss 1460>                   | answer-open
        ",
    );
}

/// RFC 7413 §4.2.2: 40 octets are left for options, and the segment size is the one that the peer said last time.
#[test]
fn data_goes_with_the_syn_to_a_peer_whose_cookie_is_known() {
    let mut wire = acquainted();
    wire.connect_with(&plain(), 1500);
    wire.log(
        "
        > S  0:960             <mss 1460, fo 0a0b0c0d>  | open-with-data
        < SA 0      ack 961    <mss 1000>
        > PA 961:1501 ack 1                             | new-data
        ",
    );
    let snapshot = wire.snapshot();
    assert_eq!((snapshot.syn_data, snapshot.flight.map(|flight| flight.delivered)), (Some(true), Some(1)));
}

/// RFC 7413 §4.1.3: what the SYN,ACK does not acknowledge goes again at once, in segments of the size that it says, and
/// the congestion window is what it was.
#[test]
fn data_that_the_syn_ack_does_not_acknowledge_goes_again() {
    let mut wire = acquainted();
    wire.connect_with(&plain(), 700);
    wire.log(
        "
        > S  0:700             <mss 1460, fo 0a0b0c0d>  | open-with-data
        < SA 0       ack 101   <mss 400>
        > A  101:501 ack 1                              | retransmit-refused
        > PA 501:701 ack 1                              | retransmit-refused
        < A  1       ack 701
        ",
    );
    assert_eq!((wire.snapshot().syn_data, wire.cwnd()), (Some(false), 10));
}

/// RFC 9293 §3.10.7.3: beyond what was sent nothing can be acknowledged, nor less than the SYN.
#[test]
fn a_syn_ack_of_more_than_was_sent_is_reset() {
    let mut wire = acquainted();
    wire.connect_with(&plain(), 10);
    wire.log(
        "
        > S  0:10              <mss 1460, fo 0a0b0c0d>  | open-with-data
        < SA 0      ack 12     <mss 1000>
        > R  12                                         | reset
        < SA 0      ack 0      <mss 1000>
        > R  0                                          | reset
        < SA 0      ack 11     <mss 1000>
        > A  11     ack 1                               | complete-open
        ",
    );
}

/// RFC 7413 §4.2.1, §4.1.3.1: what was lost may have been lost for its option or its data.
#[test]
fn a_syn_that_is_sent_again_is_bare() {
    let mut wire = acquainted();
    wire.connect_with(&plain(), 100);
    wire.log(
        "
        > S  0:100              <mss 1460, fo 0a0b0c0d>  | open-with-data
        +1s
        > S  0                  <mss 1460>               | retransmit-by-timer
        < SA 0      ack 1       <mss 1000>
        > PA 1:101  ack 1                                | retransmit-refused
        < A  1      ack 101
        ",
    );
}

/// RFC 7413 §4.1.3.1: a path that loses such SYNs, and a server that grants nothing, are left alone for a while.
#[test]
fn after_a_failure_the_next_connection_opens_in_the_ordinary_way() {
    let mut wire = acquainted();
    wire.connect_with(&plain(), 100);
    wire.log(
        "
        > S  0:100              <mss 1460, fo 0a0b0c0d>  | open-with-data
        < SA 0      ack 1       <mss 1000>
        > PA 1:101  ack 1                                | retransmit-refused
        ",
    );
    let remote = wire.ends.remote;
    wire.ends.local.set_port(5001);
    wire.connect_with(&plain(), 100);
    wire.log(
        "
        > S  0                  <mss 1460>               | active-open
        < SA 0      ack 1       <mss 1000>
        > PA 1:101  ack 1                                | new-data
        ",
    );
    let room = |wire: &Wire| wire.engine.early_room(wire.now, wire.ends.local, remote, &plain());
    assert_eq!(room(&wire), None);
    wire.now += Duration::from_secs(15 * 60);
    assert_eq!(room(&wire), Some(960));
}

/// A SYN,ACK may carry data, whoever sends it (RFC 9293 §3.10.7.3).
#[test]
fn data_of_the_syn_ack_is_taken() {
    let mut wire = acquainted();
    wire.connect_with(&plain(), 10);
    wire.log(
        "
        > S  0:10               <mss 1460, fo 0a0b0c0d>  | open-with-data
        < SA 0:500  ack 11      <mss 1000>
        > A  11     ack 501                              | complete-open
        ",
    );
    assert_eq!(wire.read(), 500);
}

/// Two SYNs with data that cross: neither side can know the other's cookie, and ours goes on as a handshake.
#[test]
fn two_syns_with_data_that_cross_make_one_connection() {
    let mut wire = acquainted();
    wire.connect_with(&plain(), 10);
    wire.log(
        "
        > S  0:10               <mss 1460, fo 0a0b0c0d>  | open-with-data
        < S  0                  <mss 1000, fo>
        > SA 0      ack 1       <mss 1460>               | answer-open
        < SA 0      ack 11      <mss 1000>
        ",
    );
    assert_eq!(wire.state(), TcpState::Established);
}

/// A host that is not to use Fast Open sends what it was given after the handshake.
#[test]
fn without_fast_open_data_follows_the_handshake() {
    let mut wire = Wire::between("10.0.0.1:5000", "10.0.0.2:80");
    wire.connect_with(&Config { fast_open: FastOpen { client: false, ..FastOpen::default() }, ..plain() }, 5);
    wire.log(
        "
        > S  0                  <mss 1460>               | active-open
        < SA 0      ack 1       <mss 1000>
        > PA 1:6    ack 1                                | new-data
        ",
    );
}

/// RFC 7413 §4.2.2: the server reads and answers before the handshake is over.
#[test]
fn a_server_reads_and_answers_before_the_handshake_is_over() {
    let mut wire = opened_early();
    wire.accept();
    assert_eq!((wire.state(), wire.read(), wire.snapshot().open_early), (TcpState::SynReceived, 100, true));
    wire.write(50);
    wire.log(
        "
        > PA 1:51    ack 101     | new-data
        < A  101     ack 51
        ",
    );
    assert_eq!((wire.state(), wire.snapshot().open_early), (TcpState::Established, false));
    let socket = wire.socket();
    assert!(wire.events().contains(&SocketEvent::Writable(socket)));
}

/// RFC 7413 §4.2.2: until the SYN,ACK is acknowledged it alone is repeated; what was sent behind it is timed afterwards.
#[test]
fn only_the_syn_ack_is_repeated_before_it_is_acknowledged() {
    let mut wire = opened_early();
    wire.accept();
    wire.write(50);
    wire.log(
        "
        > PA 1:51    ack 101                   | new-data
        +1s
        > SA 0       ack 101  <mss 1460>       | retransmit-by-timer
        < A  101     ack 1
        +3s
        > PA 1:51    ack 101                   | retransmit-by-timer
        < A  101     ack 51
        ",
    );
}

/// RFC 8985 §7.2: a probe of the tail waits for the handshake to be over; the SYN,ACK's own timer is not put off by it.
#[test]
fn no_probe_of_the_tail_puts_the_syn_ack_off() {
    let mut wire = Wire::listening(4, &Config { sack: true, ..server(4) });
    let good = own_cookie(&wire.ends);
    wire.log(&format!("< S 0:100 <mss 1000, sackOK, fo {good}>\n > SA 0 ack 101 | answer-early"));
    wire.accept();
    wire.write(50);
    wire.log(
        "
        > PA 1:51    ack 101                   | new-data
        +1s
        > SA 0       ack 101                   | retransmit-by-timer
        +40ms
        < A  101     ack 1
        +1s
        ",
    );
    wire.take_sent();
}

/// The initial window is one of data: the SYN,ACK in flight takes no room in it.
#[test]
fn a_whole_initial_window_may_follow_the_syn_ack() {
    let mut wire = opened_early();
    wire.accept();
    wire.write(20_000);
    assert_eq!(wire.take_sent().len(), 10);
}

/// A repeated SYN, with or without its data, is answered as the first was (RFC 7413 §4.2.2).
#[test]
fn a_repeated_syn_is_answered_by_the_same_syn_ack() {
    let mut wire = opened_early();
    wire.log(
        "
        < S  0                <mss 1000>
        > SA 0       ack 101  <mss 1460>       | answer-open
        ",
    );
    assert_eq!(wire.drops(), [DropReason::Duplicate]);
}

/// A cookie of another's, or of an earlier key that is forgotten: the data is not taken, and a good cookie is granted
/// (RFC 7413 §4.1.2).
#[test]
fn data_with_a_bad_cookie_is_left_for_the_handshake() {
    let mut wire = Wire::listening(4, &server(4));
    let good = own_cookie(&wire.ends);
    wire.log(&format!(
        "
        < S  0:100            <mss 1000, fo 0011223344556677>
        > SA 0     ack 1      <mss 1460, fo {good}>   | grant-cookie
        "
    ));
    assert!(wire.nothing_to_accept());
    wire.log("< PA 1:101 ack 1\n > A 1 ack 101 | acknowledge");
    wire.accept();
    assert_eq!((wire.read(), wire.snapshot().syn_data), (100, Some(false)));
}

/// RFC 7413 §5.1: only so many may be open early, and the next is opened in the ordinary way, without a word of cookies.
#[test]
fn beyond_its_queue_a_listener_opens_in_the_ordinary_way() {
    let mut wire = Wire::listening(4, &server(1));
    let good = own_cookie(&wire.ends);
    let syn = format!("< S  0:100  <mss 1000, fo {good}>");
    // When the first handshake is over, there is room again.
    wire.log(&format!("{syn}\n > SA 0  ack 101  <mss 1460>  | answer-early\n < A 101 ack 1"));
    wire.peer_port(4001);
    wire.log(&format!("{syn}\n > SA 0  ack 101  <mss 1460>  | answer-early"));
    wire.peer_port(4002);
    wire.log(&format!("{syn}\n > SA 0  ack 1    <mss 1460>  | answer-open"));
}

/// RFC 7413 §5.1: whose SYNs are forged is reset by the one whose address was taken; such connections count for a while,
/// so that resets make no room for more.
#[test]
fn a_reset_makes_no_room_in_the_queue_at_once() {
    let mut wire = Wire::listening(4, &server(1));
    let good = own_cookie(&wire.ends);
    let syn = format!("< S  0:100  <mss 1000, fo {good}>");
    wire.log(&format!("{syn}\n > SA 0  ack 101  <mss 1460>  | answer-early\n < R 101"));
    wire.peer_port(4001);
    wire.log(&format!("{syn}\n > SA 0  ack 1    <mss 1460>  | answer-open\n < R 1"));
    wire.wait(Duration::from_secs(60));
    wire.peer_port(4002);
    wire.log(&format!("{syn}\n > SA 0  ack 101  <mss 1460>  | answer-early"));
}

/// A connection that was open early and is reset, or cannot be reached, stays in the queue: what came with the SYN is
/// read, then the error (as Linux).
#[test]
fn what_came_with_the_syn_outlives_a_reset() {
    let mut reset = opened_early();
    reset.log("< R 101");
    let mut unreachable = opened_early();
    unreachable.undelivered(0, DeliveryError::HostUnreachable);
    let cases = [(reset, CloseReason::Reset), (unreachable, CloseReason::Unreachable(DeliveryError::HostUnreachable))];
    for (mut wire, reason) in cases {
        wire.accept();
        assert_eq!((wire.state(), wire.read()), (TcpState::Closed, 100), "{reason:?}");
        assert_eq!(wire.try_read(&mut [0; 10]), Err(SocketError::Ended(reason)));
        wire.close();
        assert!(wire.engine.is_empty());
    }
}

/// An ordinary connection that waits in SYN-RECEIVED is forgotten when its peer cannot be reached, as Linux forgets it.
#[test]
fn an_unreachable_peer_ends_a_handshake_that_nobody_holds() {
    let mut wire = Wire::listening(0, &plain());
    wire.log("< S 0 <mss 1000>\n > SA 0 ack 1 | answer-open");
    wire.undelivered(0, DeliveryError::HostUnreachable);
    assert!(wire.engine.is_empty() && wire.nothing_to_accept());
    // Whoever holds a connection that is open early only hears of it.
    let mut held = opened_early();
    held.accept();
    held.undelivered(0, DeliveryError::HostUnreachable);
    assert_eq!(held.state(), TcpState::SynReceived);
}

/// The peer never acknowledges the SYN,ACK: one try more than for an ordinary connection, then its holder is told.
#[test]
fn a_syn_ack_that_is_never_acknowledged_ends_an_early_connection() {
    let mut wire = opened_early();
    wire.accept();
    let repeated = std::iter::from_fn(|| wire.until_sent().inspect(|_| drop(wire.take_sent()))).count();
    assert_eq!(repeated, 6);
    let socket = wire.socket();
    assert!(wire.events().contains(&SocketEvent::Closed(socket, CloseReason::TimedOut)));
}

/// FIN waits for the handshake, data does not.
#[test]
fn a_fin_waits_for_the_handshake_to_be_over() {
    let mut wire = opened_early();
    wire.accept();
    wire.read();
    wire.write(10);
    wire.shutdown();
    wire.log(
        "
        > PA 1:11     ack 101     | new-data
        < A  101      ack 1
        > FA 11       ack 101     | close
        < A  101      ack 12
        ",
    );
    assert_eq!(wire.state(), TcpState::FinWait2);
}

/// RFC 9293 §3.6.1: unread data, and nobody to read it.
#[test]
fn closing_an_early_connection_with_unread_data_resets() {
    let mut held = opened_early();
    held.accept();
    held.close();
    held.log("> RA 1 ack 101 | abort");
    let mut waiting = opened_early();
    waiting.close_listener();
    waiting.log("> RA 1 ack 101 | abort");
    assert!(held.engine.is_empty() && waiting.engine.is_empty());
}

/// A listener may be told while it listens.
#[test]
fn a_listener_can_be_told_while_it_listens() {
    let mut wire = Wire::listening(4, &plain());
    let listener = wire.listener();
    let mut tell = |option| wire.engine.set_option(wire.now, listener, option).expect("it listens");
    tell(SocketOption::FastOpenQueue(1));
    tell(SocketOption::FastOpenKeys(FastOpenKeys { current: [0; 16], previous: Some(KEY) }));
    let old = own_cookie(&wire.ends);
    let new: String = cookie(&[0; 16], &wire.ends).iter().map(|octet| format!("{octet:02x}")).collect();
    wire.log(&format!(
        "
        < S  0:100            <mss 1000, fo {old}>
        > SA 0     ack 101    <mss 1460, fo {new}>   | answer-early
        "
    ));
    let mut trusting = Wire::listening(4, &server(1));
    let listener = trusting.listener();
    trusting.engine.set_option(trusting.now, listener, SocketOption::FastOpenWithoutCookie(true)).expect("it listens");
    trusting.log("< S 0:100 <mss 1000>\n > SA 0 ack 101 <mss 1460> | answer-early");
}

/// The answer to another connection's SYN, by the timestamp that it echoes, is none of this one's (as Linux).
#[test]
fn a_syn_ack_that_echoes_a_foreign_timestamp_is_reset() {
    let mut wire = Wire::connecting(&config());
    wire.log(
        "
        > S  0                 <mss 1460, sackOK, ts 0 -, ws 1>   | active-open
        +20ms
        < SA 0      ack 1      <mss 1000, ts 700 -9>
        > R  1                                                    | reset
        < SA 0      ack 1      <mss 1000, ts 700 30>
        > R  1                                                    | reset
        < SA 0      ack 1      <mss 1000, ts 700 0>
        > A  1      ack 1      <ts 20 700>                        | complete-open
        ",
    );
}
