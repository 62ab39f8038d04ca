//! What loss and reordering cost a stream, in virtual time and in exact figures.

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
