//! What the two sides of a handshake agree on: segment sizes, window scaling, options.

use super::*;

/// MUST-15: without an MSS option a peer takes 536 octets over IPv4, 1220 over IPv6.
#[test]
fn without_an_mss_option_segments_have_the_default_length() {
    let v6 = ends("[fd00::1]:5000", "[fd00::2]:80");
    for (ends, mss) in [(ends("10.0.0.1:5000", "10.0.0.2:80"), 536), (v6, 1220)] {
        let mut wire = Wire::connecting_between(ends, &config());
        wire.log(
            "
            > S  0             | active-open
            < SA 0  ack 1
            > A  1  ack 1      | complete-open
            ",
        );
        wire.write(mss + 1);
        wire.log(&format!("> A 1:{end} ack 1 | new-data\n > PA {end}:{} ack 1 | new-data", mss + 2, end = mss + 1));
        assert_eq!(wire.snapshot().snd_mss.map(usize::from), Some(mss));
    }
}

/// So it is with an MSS option that says zero: nobody means that.
#[test]
fn an_mss_option_of_zero_says_nothing() {
    let wire = Wire::open_with(&config(), "mss 0");
    assert_eq!(wire.snapshot().snd_mss, Some(536));
}

/// MUST-16: the least of what the peer takes, the path takes and the user allows, less the octets of options.
#[test]
fn the_effective_segment_size_is_the_least_of_all_less_the_options() {
    let cases = [
        ("mss 1000", None, 1000),
        ("mss 9000", None, 1460),
        ("mss 1000, ts 1 -", None, 988),
        ("mss 1000", Some(800), 800),
        ("mss 1000, ts 1 -", Some(800), 788),
    ];
    for (options, max_segment, mss) in cases {
        let wire = Wire::open_with(&Config { max_segment, ..config() }, options);
        assert_eq!(wire.snapshot().snd_mss, Some(mss), "{options} {max_segment:?}");
    }
}

/// MUST-67 over IPv6, whose header is longer, and with a limit of the user's own.
#[test]
fn the_announced_mss_is_what_the_mtu_leaves() {
    let v6 = ends("[fd00::1]:5000", "[fd00::2]:80");
    let mut wire = Wire::connecting_between(v6, &config());
    wire.log("> S 0 <mss 1440, sackOK, ts 0 -, ws 1> | active-open");
    let mut wire = Wire::connecting(&Config { max_segment: Some(700), ..config() });
    wire.log("> S 0 <mss 700, sackOK, ts 0 -, ws 1> | active-open");
}

/// RFC 7323 §2.2, §3.2, RFC 2018 §2: nothing is granted that was not offered.
#[test]
fn a_syn_ack_grants_only_what_the_syn_offers() {
    for (offer, grant) in [
        ("<>", "<mss 1460>"),
        ("<mss 500>", "<mss 1460>"),
        ("<sackOK>", "<mss 1460, sackOK>"),
        ("<ts 7 ->", "<mss 1460, ts 0 7>"),
        ("<ws 3>", "<mss 1460, ws 1>"),
    ] {
        let mut wire = Wire::listening(0, &config());
        wire.log(&format!("< S 0 {offer}\n > SA 0 ack 1 {grant} | answer-open"));
    }
}

/// RFC 7323 §2.2: a window in a SYN is not scaled; that of every later segment is. packetimpact 6: it is the last one of
/// the handshake that counts, and MUST-1: it is unsigned.
#[test]
fn the_window_of_the_handshakes_last_segment_is_scaled_and_unsigned() {
    let mut wire = Wire::listening(0, &config());
    wire.log(
        "
        < S  0        win 40000   <mss 1000, ws 4>
        > SA 0 ack 1              | answer-open
        < A  1 ack 1  win 40000
        ",
    );
    wire.accept();
    assert_eq!(wire.snapshot().snd_wnd, Some(640_000));
    let mut wire = Wire::connecting(&config());
    wire.log(
        "
        > S  0                    | active-open
        < SA 0 ack 1  win 40000   <mss 1000, ws 4>
        > A  1 ack 1              | complete-open
        ",
    );
    assert_eq!(wire.snapshot().snd_wnd, Some(40_000));
}

/// RFC 7323 §2.2, §2.3: the least shift that lets the buffer be announced, or what the user wants, 14 at most.
#[test]
fn the_shift_that_is_offered_follows_the_buffer_or_the_user() {
    for (receive_buffer, window_scale, shift) in
        [(65_535, None, 0), (1 << 20, None, 5), (1 << 20, Some(3), 3), (1000, Some(20), 14)]
    {
        let mut wire = Wire::connecting(&Config { receive_buffer, window_scale, ..config() });
        wire.log(&format!("> S 0 <mss 1460, sackOK, ts 0 -, ws {shift}> | active-open"));
    }
}

/// RFC 7323 §2.3: a shift beyond 14 counts as 14.
#[test]
fn a_shift_beyond_fourteen_is_used_as_fourteen() {
    let mut wire = Wire::open_with(&config(), "mss 1000, ws 200");
    wire.log("< A 1 ack 1 win 3");
    assert_eq!(wire.snapshot().snd_wnd, Some(3 << 14));
}
