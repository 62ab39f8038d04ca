//! What loss and reordering cost a stream, in virtual time and in exact figures.

use std::ops::Range;

use super::*;

const MS: Duration = Duration::from_millis(1);

/// Octets of a full segment that carries timestamps.
const SEGMENT: usize = 1448;

/// Acts on so many of the segments with data that enter a pipe.
fn on_data(nth: Vec<u32>, action: Action) -> Rule {
    let when =
        Arc::new(|packet: &wireglass::packet::Packet| packet.dissect().tcp().is_some_and(|tcp| tcp.payload_len > 0));
    Rule { id: "on-data".to_owned(), when, nth, action }
}

/// Sends so many segments one way, and closes. Returns when the last octet had arrived.
fn send(config: TcpConfig, segments: usize, there: PipeConfig) -> (wireglass::time::Instant, Seen) {
    pair(1, Medium::Ip, there, wire(), move |a, b| async move {
        let server = SocketAddr::new(address(2, false), 80);
        let listener = TcpListener::bind(&b, server, 4).expect("the port is free");
        let sink = tokio::task::spawn_local(async move {
            let (mut stream, _) = listener.accept().await.expect("a connection comes");
            let taken = stream.read_to_end(&mut Vec::new()).await.expect("the stream ends in order");
            (taken, b.now())
        });
        let mut stream = TcpStream::connect_with(&a, None, server, &config).await.expect("the server listens");
        stream.write_all(&vec![7; segments * SEGMENT]).await.expect("the peer reads");
        stream.shutdown().await.expect("always possible");
        let (taken, at) = sink.await.expect("the sink does not panic");
        assert_eq!(taken, segments * SEGMENT);
        at
    })
}

/// When data left for the first time.
fn first_data(seen: &Seen) -> wireglass::time::Instant {
    let has_data = |record: &Record| {
        Dissection::of(record.medium, &record.bytes, record.wire_len).tcp().is_some_and(|tcp| tcp.payload_len > 0)
    };
    seen.packets.iter().find(|(_, record)| has_data(record)).expect("data was sent").1.at
}

/// The last two of ten segments are lost.
fn tail_is_lost(tail_loss_probe: bool) -> (Duration, Vec<Reason>) {
    let config = TcpConfig { tail_loss_probe, ..TcpConfig::default() };
    let there = PipeConfig { rules: vec![on_data(vec![9, 10], Action::Drop)], ..wire() };
    let (arrived, seen) = send(config, 10, there);
    (arrived - first_data(&seen), retransmissions(&seen))
}

/// RFC 8985 §7: the probe's answer comes two round-trip times after the last acknowledgment, and RACK does the rest.
#[test]
fn the_lost_tail_of_a_flight_arrives_in_a_third_of_the_time_with_a_probe() {
    let (with, probed) = tail_is_lost(true);
    let (without, timed) = tail_is_lost(false);
    assert_eq!(probed, [Reason::TailLossProbe, Reason::RetransmitByRack], "one probe, and what its answer shows");
    assert!(matches!(timed[..], [Reason::RetransmitByTimer { nth: 1, .. }, Reason::RetransmitAfterTimer]), "{timed:?}");
    // The acknowledgment of eight after 20 ms; 2 SRTT; there and back; there. Against an RTO of 220 ms.
    assert_eq!([with, without], [90 * MS, 270 * MS]);
}

/// Nothing is lost of 2400 segments, but every so many of a stretch are overtaken by so many others. Returns the places, among
/// all that was sent, of those that were sent in vain.
fn sent_in_vain(stretches: &[(Range<u32>, usize, u32)]) -> Vec<u32> {
    let held = |(stretch, every, by): &(Range<u32>, usize, u32)| {
        on_data(stretch.clone().step_by(*every).collect(), Action::Hold(*by))
    };
    let rules = stretches.iter().map(held).collect();
    let there = PipeConfig { rate: Some(20_000_000), rules, ..wire() };
    let (_, seen) = send(TcpConfig::default(), 2400, there);
    let sent = seen.events.iter().filter_map(|entry| match &entry.event {
        Event::PacketSent { why, .. } if entry.node == NodeId(0) => Some(why.reason),
        _ => None,
    });
    // The first two are of the handshake.
    let sent = (0..).zip(sent.skip(2));
    sent.filter(|(_, reason)| reason.is_retransmission()).map(|(place, _)| place).collect()
}

/// RFC 8985 §6.2, step 4: each round trip with a D-SACK widens the reordering window by a quarter of the least round-trip
/// time. So a path that reorders costs a segment in each round trip until the window is wide enough, and then none.
#[test]
fn segments_that_come_late_are_sent_in_vain_only_until_that_is_learnt() {
    for (every, by, most) in [(100, 3, 1), (100, 6, 1), (100, 12, 1), (40, 3, 1), (40, 6, 1), (40, 12, 3)] {
        let found = sent_in_vain(&[(every as u32..2400, every, by)]);
        assert!(found.len() <= most, "every {every}th by {by}: {found:?}");
        assert!(found.iter().all(|place| *place < 240), "every {every}th by {by}: {found:?}");
    }
}

/// The same when it becomes worse on the way: 3, 6 and 12 overtake, a third of the stream each.
#[test]
fn worse_reordering_than_before_is_learnt_as_quickly() {
    let found = sent_in_vain(&[(100..800, 100, 3), (800..1600, 100, 6), (1600..2400, 100, 12)]);
    assert!(found.len() <= 2, "{found:?}");
}
