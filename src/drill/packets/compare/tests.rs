use super::super::testing::{outbound, packet, sent};
use super::*;

const STRICT: Comparison = Comparison { exactness: Exactness::Strict, timestamps: None };
const BY_MEANING: Comparison = Comparison { exactness: Exactness::ByMeaning, timestamps: None };

/// The fields in which what came out (written as an inbound packet, whose every field counts) differs from what is
/// expected.
fn differing(expected: &str, actual: &str, how: Comparison) -> Vec<Field> {
    let sent = sent(actual, outbound(40_001));
    let mut connection = Connection::new(Protocol::Tcp);
    let differences = compare(&packet(expected), &sent.packet, &sent, &mut connection, how);
    differences.into_iter().map(|difference| difference.field).collect()
}

#[test]
fn what_is_as_written_has_no_differences() {
    for (expected, actual) in [
        (
            "> S 0:0(0) <mss 1460,sackOK,TS val 9 ecr 0,nop,wscale 7>",
            "< S 0:0(0) win 7 <mss 1460,sackOK,TS val 5 ecr 0,nop,wscale 7>",
        ),
        ("> P. 1:1001(1000) ack 1", "< P. 1:1001(1000) ack 1 win 257"),
        ("> . 1:1(0) ack 1 win 257 <...>", "< . 1:1(0) ack 1 win 257 <nop,nop,sack 5:6>"),
        ("> R 7:7(0)", "< R 7:7(0) win 0"),
        ("> [ect01] . 1:1(0) ack 1", "< [ect1] . 1:1(0) ack 1 win 1"),
        ("> (ttl 9) . 1:1(0) ack 1", "< (ttl 9) . 1:1(0) ack 1 win 1"),
        ("> udp (100)", "< udp (100)"),
        ("> icmp unreachable port_unreachable", "< icmp unreachable port_unreachable [udp (8)]"),
    ] {
        assert_eq!(differing(expected, actual, STRICT), [], "{expected} {actual}");
    }
}

#[test]
fn every_field_that_is_written_is_compared() {
    let actual = "< P. 1:1001(1000) ack 1 win 257 <nop,nop,TS val 5 ecr 7>";
    for (expected, field) in [
        ("> . 1:1001(1000) ack 1 <nop,nop,TS val 5 ecr 7>", Field::Flags),
        ("> PF. 1:1001(1000) ack 1 <nop,nop,TS val 5 ecr 7>", Field::Flags),
        ("> P. 2:1002(1000) ack 1 <nop,nop,TS val 5 ecr 7>", Field::Sequence),
        ("> P. 1:1002(1001) ack 1 <nop,nop,TS val 5 ecr 7>", Field::Length),
        ("> P. 1:1001(1000) ack 2 <nop,nop,TS val 5 ecr 7>", Field::Acknowledgment),
        ("> P. 1:1001(1000) ack 1 win 258 <nop,nop,TS val 5 ecr 7>", Field::Window),
        ("> P. 1:1001(1000) ack 1", Field::Options),
        ("> P. 1:1001(1000) ack 1 <TS val 5 ecr 7,nop,nop>", Field::Options),
        ("> P. 1:1001(1000) ack 1 <nop,nop,sack 1:3>", Field::Options),
        ("> [ect0] P. 1:1001(1000) ack 1 <nop,nop,TS val 5 ecr 7>", Field::Ecn),
        ("> [ect01] P. 1:1001(1000) ack 1 <nop,nop,TS val 5 ecr 7>", Field::Ecn),
        ("> (ttl 9) P. 1:1001(1000) ack 1 <nop,nop,TS val 5 ecr 7>", Field::TimeToLive),
        ("> udp (100)", Field::Protocol),
    ] {
        assert_eq!(differing(expected, actual, STRICT), [field], "{expected}");
    }
    assert_eq!(differing("> udp (101)", "< udp (100)", STRICT), [Field::Length]);
    let icmp = differing("> icmp unreachable host_unreachable", "< icmp unreachable net_unreachable [udp (1)]", STRICT);
    assert_eq!(icmp, [Field::IcmpType]);
}

#[test]
fn by_meaning_the_choices_of_a_stack_do_not_count_and_all_else_does() {
    let actual = "< P. 1:1001(1000) ack 1 win 257 <mss 1460,sackOK,TS val 5 ecr 7,nop,wscale 7>";
    for (expected, fields) in [
        ("> . 1:1001(1000) ack 1 win 9 <wscale 3,nop,TS val 8 ecr 1,mss 1460,sackOK>", &[][..]),
        ("> . 1:1001(1000) ack 1 win 9 <wscale 3,nop,TS val 8 ecr 1,mss 1461,sackOK>", &[Field::Options]),
        ("> . 1:1001(1000) ack 1 <TS val 8 ecr 1,mss 1460,sackOK,nop,nop,nop,nop>", &[Field::Options]),
        ("> F. 1:1001(1000) ack 2 <...>", &[Field::Flags, Field::Acknowledgment]),
    ] {
        assert_eq!(differing(expected, actual, BY_MEANING), fields, "{expected}");
    }
}

#[test]
fn by_meaning_an_acknowledgment_number_without_its_flag_is_no_number() {
    let mut sent = sent("< R 7:7(0) win 0", outbound(40_001));
    if let Body::Tcp(tcp) = &mut sent.packet.body {
        tcp.ack = Some(crate::packet::SeqNum(9));
    }
    let mut connection = Connection::new(Protocol::Tcp);
    let mut fields = |how| compare(&packet("> R 7:7(0)"), &sent.packet, &sent, &mut connection, how).len();
    assert_eq!((fields(BY_MEANING), fields(STRICT)), (0, 1));
}

#[test]
fn timestamps_are_compared_where_their_clock_is_known() {
    let ms = Duration::from_millis;
    let how = Comparison { timestamps: Some((ms(1), ms(4))), ..STRICT };
    let expected = "> . 1:1(0) ack 1 <nop,nop,TS val 100 ecr 7>";
    for (val, fields) in [(96, &[][..]), (104, &[]), (95, &[Field::Options]), (105, &[Field::Options])] {
        let actual = format!("< . 1:1(0) ack 1 win 1 <nop,nop,TS val {val} ecr 7>");
        assert_eq!(differing(expected, &actual, how), fields, "{val}");
        assert_eq!(differing(expected, &actual, STRICT), [], "{val}");
    }
}

#[test]
fn data_that_stands_elsewhere_in_the_stream_is_found_out() {
    let mut sent = sent("< P. 1001:1011(10) ack 1 win 1", outbound(40_001));
    let expected = packet("> P. 1001:1011(10) ack 1");
    let mut connection = Connection::new(Protocol::Tcp);
    assert_eq!(compare(&expected, &sent.packet, &sent, &mut connection, STRICT), []);
    sent.data = pattern::octets(999, 10).into();
    let differences = compare(&expected, &sent.packet, &sent, &mut connection, STRICT);
    assert_eq!(differences.first().map(|difference| difference.field), Some(Field::Data));
    assert!(differences[0].expected.contains("octet 1000 of the stream"), "{}", differences[0]);
}

#[test]
fn a_wrong_checksum_is_a_difference() {
    let mut sent = sent("< . 1:1(0) ack 1 win 1", outbound(40_001));
    sent.checksums.transport = false;
    let mut connection = Connection::new(Protocol::Tcp);
    let differences = compare(&packet("> . 1:1(0) ack 1"), &sent.packet, &sent, &mut connection, STRICT);
    assert_eq!(differences.iter().map(|difference| difference.field).collect::<Vec<_>>(), [Field::Checksum]);
}

#[test]
fn flow_labels_are_told_apart_and_not_compared_by_number() {
    let mut connection = Connection::new(Protocol::Tcp);
    let mut fields = |expected: u32, actual: u32| {
        let mut differences = Differences::default();
        compare_flow_label(expected, actual, &mut connection, &mut differences);
        differences.0.len()
    };
    assert_eq!(fields(1, 0xabc), 0, "the first is learnt");
    assert_eq!(fields(1, 0xabc), 0);
    assert_eq!(fields(1, 0xabd), 1, "it must be the same");
    assert_eq!(fields(2, 0xabc), 1, "it must be another");
    assert_eq!(fields(2, 0xabd), 0);
    assert_eq!(fields(2, 0), 1, "it must be there");
    assert_eq!(fields(0, 7), 0, "nothing is said");
}

#[test]
fn an_actual_packet_is_shown_with_what_the_script_speaks_of() {
    let sent = sent("< [ect0] P. 1:11(10) ack 1 win 257", outbound(40_001));
    let shown = |expected: &str| notation::line(&alike(&sent.packet, &packet(expected), &[]));
    assert_eq!(shown("> P. 1:11(10) ack 1"), "P. 1:11(10) ack 1");
    assert_eq!(shown("> [ce] P. 1:11(10) ack 1 win 5"), "[ect0] P. 1:11(10) ack 1 win 257");
}
