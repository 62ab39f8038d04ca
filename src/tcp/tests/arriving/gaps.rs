//! What comes out of order, or twice: what waits beyond a gap, and what the peer is told of it (RFC 5681 §4.2, RFC 2018,
//! RFC 2883).

use super::{Wire, config};
use crate::journal::{Event, TcpState};
use crate::tcp::Config;
use crate::transport::SocketOption;

/// SHLD-31: what is out of order waits; each such segment is answered at once with what is missing (RFC 5681 §4.2).
#[test]
fn data_out_of_order_waits_and_draws_duplicate_acks() {
    let mut wire = Wire::open();
    wire.log(
        "
        < A  1001:2001  ack 1
        > A  1          ack 1      | duplicate-ack
        < A  2001:3001  ack 1
        > A  1          ack 1      | duplicate-ack
        < A  1:1001     ack 1
        > A  1          ack 3001   | acknowledge
        ",
    );
    assert_eq!(wire.read(), 3000);
}

/// What came first stays: a later copy with other octets changes nothing.
#[test]
fn octets_that_have_arrived_are_not_overwritten() {
    let mut wire = Wire::open();
    wire.log(
        "
        < A  101:201    ack 1
        > A  1          ack 1      | duplicate-ack
        < A  101:201    ack 1 forged
        > A  1          ack 1      | duplicate-ack
        < A  1:101      ack 1
        > A  1          ack 201    | acknowledge
        < A  1:201      ack 1 forged
        > A  1          ack 201    | answer-unacceptable
        ",
    );
    assert_eq!(wire.read(), 200);
}

/// RFC 9293 §3.10.7.4, eighth check: a FIN counts when all before it has arrived.
#[test]
fn a_fin_beyond_a_gap_waits_for_the_data_before_it() {
    let mut wire = Wire::open();
    wire.log(
        "
        < FA 101:201    ack 1
        > A  1          ack 1      | duplicate-ack
        ",
    );
    assert_eq!(wire.state(), TcpState::Established);
    wire.log(
        "
        < A  1:101      ack 1
        > A  1          ack 202    | acknowledge-close
        ",
    );
    assert_eq!((wire.read(), wire.state()), (200, TcpState::CloseWait));
    assert_eq!(wire.try_read(&mut [0; 1]), Ok(Some(0)));
}

/// RFC 5681 §4.2: a FIN beyond a gap is out of order, also when no data comes with it.
#[test]
fn a_lone_fin_beyond_a_gap_draws_a_duplicate_ack() {
    let mut wire = Wire::open();
    wire.log("< FA 101 ack 1\n > A 1 ack 1 | duplicate-ack\n < A 1:101 ack 1\n > A 1 ack 102 | acknowledge-close");
}

/// RFC 5681 §4.2: what is missing comes in the same batch as what came too early. Duplicates of the acknowledgment of all would
/// say that something is lost; with a gap left, they say so truly.
#[test]
fn a_gap_that_opens_and_closes_in_one_batch_draws_one_ack() {
    let mut wire = Wire::open();
    wire.log(
        "
        << A 1001:2001  ack 1
        << A 2001:3001  ack 1
        << A 3001:4001  ack 1
        <  A 1:1001     ack 1
        >  A 1          ack 4001    | acknowledge
        << A 5001:6001  ack 1
        << A 7001:8001  ack 1
        << A 8001:9001  ack 1
        <  A 4001:5001  ack 1
        >  A 1          ack 6001    | duplicate-ack
        >  A 1          ack 6001    | duplicate-ack
        >  A 1          ack 6001    | duplicate-ack
        ",
    );
}

/// However small the buffer, a few small segments may wait beyond a gap: their bookkeeping does not use it up.
#[test]
fn small_segments_beyond_a_gap_wait_even_with_a_tiny_buffer() {
    let mut wire = Wire::open_with(&Config { receive_buffer: 200, ..config() }, "mss 1000");
    for octet in 2..=40 {
        wire.log(&format!("< A {octet}:{} ack 1\n > A 1 ack 1 | duplicate-ack", octet + 1));
    }
    wire.log("< A 1:2 ack 1\n > A 1 ack 41 | acknowledge");
    assert_eq!(wire.read(), 40);
}

/// As much as the buffer holds may wait beyond a gap.
#[test]
fn a_window_of_data_may_wait_beyond_a_gap() {
    let mut wire = Wire::open();
    wire.log("< A 1001:51001 ack 1 gso 1000\n > A 1 ack 1 | duplicate-ack\n < A 1:1001 ack 1\n > A 1 ack 51001 | acknowledge");
}

/// The journal tells of the first gap: where it begins and how long it is; of one that is filled there is nothing to tell.
#[test]
fn the_journal_tells_of_gaps() {
    let mut wire = Wire::open();
    wire.log("< A 1:11 ack 1\n > A 1 ack 11 | acknowledge");
    wire.journal();
    let mut hole = |log: &str| {
        wire.log(log);
        let holes = wire.journal().into_iter().filter_map(|event| match event {
            Event::Hole { seq, length, .. } => Some((seq.offset_from(wire.peer_iss), length)),
            _ => None,
        });
        holes.collect::<Vec<_>>()
    };
    assert_eq!(hole("< A 101:201 ack 1\n > A 1 ack 11 | duplicate-ack"), [(11, 90)]);
    assert_eq!(hole("< A 301:401 ack 1\n > A 1 ack 11 | duplicate-ack"), [(11, 90)]);
    assert_eq!(hole("< A 11:101 ack 1\n > A 1 ack 201 | acknowledge"), [(201, 100)]);
    assert_eq!(hole("< A 201:301 ack 1\n > A 1 ack 401 | acknowledge"), []);
    assert_eq!(hole("< A 401:501 ack 1\n > A 1 ack 501 | acknowledge"), []);
}

/// RFC 2018 §4: the first block is the range that arrived last, the others those reported before it, newest first.
#[test]
fn sack_reports_the_newest_range_first() {
    let mut wire = Wire::open_with(&config(), "mss 1000, sackOK");
    wire.log(
        "
        < A  201:301    ack 1
        > A  1          ack 1    <sack 201:301>                      | duplicate-ack
        < A  401:501    ack 1
        > A  1          ack 1    <sack 401:501 201:301>              | duplicate-ack
        < A  601:701    ack 1
        > A  1          ack 1    <sack 601:701 401:501 201:301>      | duplicate-ack
        < A  301:401    ack 1
        > A  1          ack 1    <sack 201:501 601:701>              | duplicate-ack
        < A  1:201      ack 1
        > A  1          ack 501  <sack 601:701>                      | acknowledge
        < A  501:601    ack 1
        > A  1          ack 701  <>                                  | acknowledge
        ",
    );
    assert_eq!(wire.read(), 700);
}

/// RFC 2018 §3: forty octets of options hold four blocks, beside timestamps three.
#[test]
fn as_many_sack_blocks_are_sent_as_there_is_room_for() {
    for (options, stamp, most) in [("mss 1000, sackOK", "", 4), ("mss 1000, sackOK, ts 1 -", "<ts 1 0>", 3)] {
        let mut wire = Wire::open_with(&config(), options);
        for blocks in 1..=6 {
            let start = 200 * blocks + 1;
            wire.receive(&format!("A {start}:{} ack 1 {stamp}", start + 100));
            assert_eq!(wire.take_sent()[0].segment.options.sack.len(), blocks.min(most));
        }
    }
}

/// RFC 2883 §4: the first block tells once of octets that arrived twice, below the acknowledgment or within the next block.
#[test]
fn what_arrived_twice_is_reported_once() {
    let mut wire = Wire::open_with(&config(), "mss 1000, sackOK");
    wire.log(
        "
        < A  1:101      ack 1
        > A  1          ack 101  <>                      | acknowledge
        < A  1:101      ack 1
        > A  1          ack 101  <sack 1:101>            | answer-unacceptable
        < A  201:301    ack 1
        > A  1          ack 101  <sack 201:301>          | duplicate-ack
        < A  201:301    ack 1
        > A  1          ack 101  <sack 201:301 201:301>  | duplicate-ack
        ",
    );
}

/// RFC 2883 §4: a D-SACK block tells of octets: a SYN is none, and an empty segment has none.
#[test]
fn what_arrived_twice_is_told_by_its_octets() {
    let mut wire = Wire::open_with(&config(), "mss 1000, sackOK, ts 1000 -");
    wire.log(
        "
        < A  1:11     ack 1   <ts 1000 0>
        > A  1        ack 11  <ts 0 1000>                                | acknowledge
        < SA 0:10     ack 1   <ts 1000 0>
        > A  1        ack 11  <ts 0 1000, sack 1:11>                     | answer-unacceptable
        < A  101:201  ack 1   <ts 1000 0>
        > A  1        ack 11  <ts 0 1000, sack 101:201>                  | duplicate-ack
        +500ms
        < A  150      ack 1   <ts 999 0>
        > A  1        ack 11  <ts 500 1000, sack 101:201>                | answer-unacceptable
        ",
    );
}

/// Only SACK can tell the peer that something came twice: without it there is nothing to hurry for.
#[test]
fn what_arrived_twice_changes_nothing_later_without_sack() {
    let mut wire = Wire::open();
    wire.log(
        "
        < A  101:201  ack 1
        > A  1        ack 1     | duplicate-ack
        < A  101:201  ack 1
        > A  1        ack 1     | duplicate-ack
        < A  1:101    ack 1
        > A  1        ack 201   | acknowledge
        ",
    );
    wire.set(SocketOption::QuickAck(false));
    wire.log("< A 201:211 ack 1\n +40ms\n > A 1 ack 211 | acknowledge");
}
