//! Urgent data that arrives (RFC 9293 §3.8.5, §3.10.7.4 sixth check): what the application hears of it.

use super::wire::Wire;
use crate::transport::SocketEvent;

/// Whether the application was told of urgent data since this was last asked.
fn told(wire: &mut Wire) -> bool {
    let socket = wire.socket();
    wire.events().contains(&SocketEvent::Urgent(socket))
}

/// RFC 9293 §3.10.7.4, sixth check: RCV.UP becomes the greater of what it was and what the segment says.
#[test]
fn the_application_hears_each_time_that_urgent_data_reaches_further() {
    let mut wire = Wire::open();
    let cases = [(20, true), (20, false), (10, false), (21, true)];
    for (pointer, is_news) in cases {
        wire.log(&format!("< AU 1 ack 1 urg {pointer}"));
        assert_eq!(told(&mut wire), is_news, "{pointer}");
    }
    assert_eq!(wire.snapshot().urgent, Some(21));
}

/// The pointer means something only with the flag, and points at something only when it is not zero (MUST-62).
#[test]
fn a_pointer_without_the_flag_and_a_flag_without_a_pointer_say_nothing() {
    let mut wire = Wire::open();
    wire.log(
        "
        < PA  1:11   ack 1  urg 10
        > A   1      ack 11           | acknowledge
        < PAU 11:21  ack 1  urg 0
        > A   1      ack 21           | acknowledge
        ",
    );
    assert!(!told(&mut wire));
    assert_eq!(wire.snapshot().urgent, None);
}

/// RFC 9293 §3.10.7.4, sixth check: behind the peer's FIN there is nothing that could be urgent.
#[test]
fn nothing_is_urgent_after_the_peers_fin() {
    let mut wire = Wire::open();
    wire.log("< FA 1 ack 1\n > A 1 ack 2 | acknowledge-close\n < AU 2 ack 1 urg 10");
    assert!(!told(&mut wire));
}

/// MUST-62: the pointer counts from the number that the segment came with, whatever of its front had arrived before.
#[test]
fn the_pointer_counts_from_the_front_of_a_segment_that_is_trimmed() {
    let mut wire = Wire::open();
    wire.log("< PA 1:31 ack 1\n > A 1 ack 31 | acknowledge\n < PAU 1:101 ack 1 urg 50\n > A 1 ack 101 | acknowledge");
    assert!(told(&mut wire));
    assert_eq!(wire.snapshot().urgent, Some(50));
    wire.read();
    // What was urgent here has been read.
    wire.log("< PAU 51:121 ack 1 urg 20\n > A 1 ack 121 | acknowledge");
    assert!(!told(&mut wire));
    assert_eq!(wire.snapshot().urgent, None);
}

/// RFC 9293 §3.9.1.3: when the reader has come as far as the pointer, nothing is urgent any more.
#[test]
fn what_is_read_to_the_pointer_is_urgent_no_more() {
    let mut wire = Wire::open();
    wire.log("< PAU 1:11 ack 1 urg 10\n > A 1 ack 11 | acknowledge");
    wire.read_at_most(9);
    assert_eq!(wire.snapshot().urgent, Some(1));
    wire.read();
    assert_eq!(wire.snapshot().urgent, None);
}
