use super::super::testing::packet;
use super::*;
use crate::drill::language::script::Body;

fn tcp(text: &str) -> TcpSpec {
    match packet(text).body {
        Body::Tcp(tcp) => tcp,
        other => panic!("{text}: {other:?}"),
    }
}

/// The script began with 0 and 0; on the wire the stack began with 5000, near the wrap where `near_wrap`.
fn connection(near_wrap: bool) -> Connection {
    let wire_iss = if near_wrap { SeqNum(u32::MAX - 2) } else { SeqNum(5000) };
    Connection { wire_iss, ..Connection::new(Protocol::Tcp) }
}

#[test]
fn numbers_of_later_segments_count_from_the_initial_ones() {
    for near_wrap in [false, true] {
        let mut connection = connection(near_wrap);
        connection.irs = SeqNum(900);
        let wire = connection.to_wire(&tcp("< . 1:11(10) ack 7 win 1 <sack 3:5 9:11,nop,nop>"), UnknownEcho::Refused);
        let wire = wire.expect("there is no timestamp in it");
        assert_eq!((wire.seq, wire.end, wire.ack), (SeqNum(901), SeqNum(911), Some(connection.wire_iss + 7)));
        let OptionsSpec::List(options) = &wire.options else { panic!("{wire:?}") };
        let edges = |from: u32, to: u32| (connection.wire_iss + from, connection.wire_iss + to);
        assert_eq!(options[0], OptionSpec::Sack(vec![edges(3, 5), edges(9, 11)]));
    }
}

#[test]
fn what_comes_out_is_mapped_back() {
    for near_wrap in [false, true] {
        let mut connection = connection(near_wrap);
        connection.irs = SeqNum(900);
        let script = tcp("> P. 7:17(10) ack 11 win 5 <nop,nop,sack 21:31>");
        let mut wire = script.clone();
        wire.seq = connection.wire_iss + 7;
        wire.end = connection.wire_iss + 17;
        wire.ack = Some(SeqNum(911));
        wire.options = OptionsSpec::List(vec![
            OptionSpec::Nop,
            OptionSpec::Nop,
            OptionSpec::Sack(vec![(SeqNum(921), SeqNum(931))]),
        ]);
        assert_eq!(connection.to_script(&wire), script);
    }
}

#[test]
fn numbers_of_a_syn_are_absolute() {
    let mut connection = connection(false);
    connection.script_iss = SeqNum(40);
    connection.irs = SeqNum(900);
    let inbound = connection.to_wire(&tcp("< S. 900:900(0) ack 41 win 1"), UnknownEcho::Refused).expect("no timestamp");
    assert_eq!((inbound.seq, inbound.ack), (SeqNum(900), Some(SeqNum(5001))));
    let mut outbound = tcp("> S 40:40(0)");
    outbound.seq = SeqNum(5000);
    assert_eq!(connection.to_script(&outbound).seq, SeqNum(40));
}

#[test]
fn an_acknowledgment_number_without_its_flag_is_left_alone() {
    let mut reset = tcp("> R 7:7(0)");
    reset.ack = Some(SeqNum(33));
    assert_eq!(connection(false).to_script(&reset).ack, Some(SeqNum(33)));
}

#[test]
fn timestamps_are_echoed_as_they_were_on_the_wire() {
    let mut connection = connection(false);
    let mut learn = |script: &str, wire: u32| {
        let expected = tcp(&format!("> . 1:1(0) ack 1 <nop,nop,TS val {script} ecr 0>"));
        let mut actual = tcp(&format!("> . 1:1(0) ack 1 <nop,nop,TS val {wire} ecr 0>"));
        connection.learn_timestamps(&expected, &mut actual);
        timestamps(&actual).map(|(val, _)| val)
    };
    assert_eq!(learn("100", 77_000), Some(100));
    assert_eq!(learn("300", 77_210), Some(310), "it is shown as it is, not as it was expected");
    let echo = |ecr: u32, unknown: UnknownEcho| {
        let wire =
            connection.to_wire(&tcp(&format!("< . 1:1(0) ack 1 win 1 <nop,nop,TS val 5 ecr {ecr}>")), unknown)?;
        Ok(timestamps(&wire).expect("it has timestamps").1)
    };
    assert_eq!(echo(100, UnknownEcho::Refused), Ok(77_000));
    assert_eq!(echo(300, UnknownEcho::Refused), Ok(77_210));
    assert_eq!(echo(200, UnknownEcho::Refused), Err(MappingError::UnknownEcho(200)));
    assert_eq!(echo(200, UnknownEcho::Scaled), Ok(77_100));
}

#[test]
fn a_segment_without_ack_echoes_nothing() {
    let wire = connection(false).to_wire(&tcp("< S 0:0(0) win 1 <TS val 5 ecr 9,nop,nop>"), UnknownEcho::Refused);
    assert_eq!(timestamps(&wire.expect("nothing is looked up")), Some((5, 9)));
}

#[test]
fn data_stands_behind_the_syn() {
    for (text, position) in [
        ("< S 0:10(10) win 1", Some(0)),
        ("< S 77:87(10) win 1", Some(0)),
        ("< P. 1:11(10) ack 1 win 1", Some(0)),
        ("< P. 1001:1011(10) ack 1 win 1", Some(1000)),
        ("< . 0:1(1) ack 1 win 1", None),
    ] {
        assert_eq!(Connection::position(&tcp(text)), position, "{text}");
    }
}
