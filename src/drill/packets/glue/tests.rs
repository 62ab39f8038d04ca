use super::super::testing::{outbound, sent};
use super::*;

fn glue(expected: u32, texts: &[&str]) -> Result<Sent, Field> {
    let mut parts = texts.iter().map(|text| sent(text, outbound(40_001)));
    let mut glue = Glue::new(parts.next().expect("there is one"), expected);
    for part in parts {
        assert!(glue.is_incomplete());
        glue.add(part).map_err(|difference| difference.field)?;
    }
    assert!(!glue.is_incomplete());
    Ok(glue.into_one().expect("there is one"))
}

#[test]
fn equal_parts_and_a_shorter_last_are_one_segment_with_the_last_ones_push_and_fin() {
    let whole = glue(25, &["< . 1:11(10) ack 1 win 5", "< . 11:21(10) ack 1 win 5", "< FP. 21:26(5) ack 1 win 5"])
        .expect("they are parts of one");
    assert_eq!(notation::line(&super::super::testing::packet("> FP. 1:26(25) ack 1 win 5")), {
        let mut shown = super::super::compare::alike(&whole.packet, &whole.packet, &[]);
        (shown.ecn, shown.tos, shown.ttl) = (None, None, None);
        notation::line(&shown)
    });
    assert_eq!(super::super::pattern::check(0, &whole.data), Ok(()));
}

#[test]
fn congestion_window_reduced_is_the_first_parts() {
    let whole = glue(20, &["< WP. 1:11(10) ack 1 win 5", "< . 11:21(10) ack 1 win 5"]).expect("they are parts of one");
    assert_eq!(whole.tcp().map(|tcp| notation::flags(tcp.flags)).as_deref(), Some("W."));
}

#[test]
fn what_was_never_one_segment_is_refused_by_its_first_difference() {
    let first = "< . 1:11(10) ack 1 win 5";
    for (second, field) in [
        ("< . 12:22(10) ack 1 win 5", Field::Sequence),
        ("< . 1:11(10) ack 1 win 5", Field::Sequence),
        ("< . 11:21(10) ack 2 win 5", Field::Acknowledgment),
        ("< . 11:21(10) ack 1 win 6", Field::Window),
        ("< E. 11:21(10) ack 1 win 5", Field::Flags),
        ("< . 11:21(10) ack 1 win 5 <nop,nop,TS val 1 ecr 1>", Field::Options),
        ("< . 11:20(9) ack 1 win 5", Field::Length),
        ("< udp (10)", Field::Protocol),
    ] {
        assert_eq!(glue(30, &[first, second]).map(drop), Err(field), "{second}");
    }
}

#[test]
fn a_last_part_may_be_shorter_but_not_one_before_it() {
    assert!(glue(19, &["< . 1:11(10) ack 1 win 5", "< . 11:20(9) ack 1 win 5"]).is_ok());
}
