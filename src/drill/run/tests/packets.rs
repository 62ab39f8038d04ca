use super::*;
use crate::drill::packets::compare::Field;

fn fields(outcome: Outcome) -> Vec<Field> {
    match failed(outcome).1 {
        Cause::Packet { differences, .. } => differences.into_iter().map(|difference| difference.field).collect(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn consecutive_segments_count_as_one_unless_that_is_forbidden() {
    let acknowledged = "+.1 write(4, ..., 1460) = 1460\n+0 > P. 1:1461(1460) ack 1\n+.1 < . 1:1(0) ack 1461 win 32768\n\
                        +0 write(4, ..., 2920) = 2920\n+0 > P. 1461:4381(2920) ack 1\n";
    assert_passed(&established(acknowledged));
    assert_eq!(fields(ran(&format!("--strict_segments\n{ESTABLISHED}{acknowledged}"))), [Field::Flags, Field::Length]);
}

#[test]
fn segments_that_were_never_one_are_told_apart() {
    // The stack sends one segment, and the same again when its timer fires.
    let (line, cause) = failed(established("+.1 write(4, ..., 100) = 100\n+0~+5 > P. 1:201(200) ack 1\n"));
    let Cause::Parts { parts, difference, .. } = cause else { panic!("{cause:?}") };
    assert_eq!((line, parts.len(), difference.field), (9, 2, Field::Sequence));
}

#[test]
fn packets_of_other_connections_pass_unseen() {
    use crate::drill::run::transcript::{Fate, Happening};
    let outcome = established(
        "+.1 write(4, ..., 10) = 10\n\
         +0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 5\n\
         +0 fcntl(5, F_SETFL, O_RDWR|O_NONBLOCK) = 0\n\
         +0 connect(5, ..., ...) = -1 EINPROGRESS (Operation now in progress)\n\
         +0 > S 0:0(0) <...>\n",
    );
    assert_passed(&outcome);
    let fates: Vec<Fate> = outcome
        .transcript
        .iter()
        .filter_map(|entry| match &entry.what {
            Happening::Out(_, _, fate) => Some(*fate),
            Happening::In(_) | Happening::Call { .. } | Happening::Sleeps { .. } => None,
        })
        .collect();
    assert_eq!(fates, [Fate::Compared, Fate::PassedOver, Fate::Compared]);
}

#[test]
fn an_icmp_error_reaches_the_connection_that_it_quotes() {
    let script = "0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3\n\
                  +0 fcntl(3, F_SETFL, O_RDWR|O_NONBLOCK) = 0\n\
                  +0 connect(3, ..., ...) = -1 EINPROGRESS (Operation now in progress)\n\
                  +0 > S 0:0(0) <...>\n\
                  +.1 < icmp unreachable port_unreachable [0:0(0)]\n\
                  +1.0 %{ assert tcpi_state >= 0 }%\n";
    let outcome = ran_with(script, &Options { whole_transcript: true, ..Options::default() });
    assert_passed(&outcome);
}

#[test]
fn a_segment_that_echoes_what_was_never_sent_is_the_scripts_fault_strictly() {
    let text = format!("{ESTABLISHED}+.1 < P. 1:11(10) ack 1 win 32768 <nop,nop,TS val 5 ecr 77>\n");
    assert!(matches!(failed(ran(&text)).1, Cause::Script { .. }));
}

#[test]
fn a_packet_that_no_connection_could_have_is_the_scripts_fault() {
    for line in ["+0 < udp (10)", "+0 > udp (10)", "+0 < . 1:1(0) ack 1 win 1 <nop>"] {
        let Ok(script) = Script::parse(&format!("{ESTABLISHED}{line}\n"), "test.pkt") else { continue };
        let (at, cause) = failed(run(&script, &Options::default()).0);
        assert!(at == 8 && matches!(cause, Cause::Script { .. }), "{line}: {cause:?}");
    }
}

#[test]
fn the_ends_can_be_chosen() {
    let text = format!("--local_ip=10.1.2.3\n--remote_ip=10.9.9.9\n--bind_port=80\n{ESTABLISHED}");
    let script = Script::parse(&text, "test.pkt").expect("it parses");
    let (outcome, records) = run(&script, &Options { capture: true, ..Options::default() });
    assert_passed(&outcome);
    let dissection = crate::packet::Dissection::of(records[1].medium, &records[1].bytes, records[1].wire_len);
    let ends = dissection.addresses().map(|(from, to)| (from.to_string(), to.to_string()));
    assert_eq!(ends, Some(("10.1.2.3".to_owned(), "10.9.9.9".to_owned())));
    assert_eq!(dissection.ports().map(|(from, _)| from), Some(80));
}
