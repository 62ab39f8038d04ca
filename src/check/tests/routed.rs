//! Networks with a router in between: what it passes on is followed link by link.

use super::*;

/// Client, router, server; the router passed on one packet whole and one in two pieces, and has sent one of its own.
fn routed(change: impl FnOnce(&mut Vec<(u64, Event)>, &mut [Vec<Record>; 3])) -> [Outcome; 2] {
    use Direction::{In, Out};
    let forwarded = |packet, link: &str| Event::Forwarded { packet: PacketId(packet), link: link.to_owned() };
    let passage = |packet, passage| Event::Passage { packet: PacketId(packet), passage };
    let long = || there("A", 100, 500, 1400);
    let mut records = [
        vec![record(1, 0, Out, there("S", 99, 0, 0)), record(2, 1, Out, long()), record(5, 3, In, back("A", 1, 1, 0))],
        vec![record(1, 1, In, there("S", 99, 0, 0)), record(2, 2, In, long()), record(5, 2, Out, back("A", 1, 1, 0))],
        vec![
            record(1, 2, In, there("S", 98, 0, 0)),
            record(3, 3, In, there("A", 100, 500, 900)),
            record(4, 3, In, there("A", 1000, 500, 500)),
        ],
    ];
    let mut events = vec![
        (1, forwarded(1, "router-server")),
        (2, passage(3, Passage::Piece { original: PacketId(2) })),
        (2, forwarded(3, "router-server")),
        (2, passage(4, Passage::Piece { original: PacketId(2) })),
        (2, forwarded(4, "router-server")),
        (2, forwarded(5, "client-router")),
    ];
    change(&mut events, &mut records);
    let mut journal = Journal::new(100);
    for (at, event) in events {
        journal.record(Entry { at: Instant::from_nanos(at * MS), node: NodeId(1), event });
    }
    let names = ["client", "router", "server"];
    let source = |index: usize| NodeSource { name: names[index], records: Some(&records[index]), not_kept: 0 };
    let link = |name, ends: [u16; 2], mtu| LinkSource { name, ends: ends.map(NodeId), mtu, longest_flight: ms(1) };
    let links = [link("client-router", [0, 1], 1500), link("router-server", [1, 2], 1000)];
    let ended = Instant::ZERO + Duration::from_secs(60);
    let evidence = Evidence::new(&[source(0), source(1), source(2)], &links, Some(&journal), ended, Clock::Virtual);
    let verdicts = integrity(&evidence, Integrity::default());
    ["within-mtu", "drops-explained"]
        .map(|id| verdicts.iter().find(|verdict| verdict.id == id).expect("it is there").outcome)
}

#[test]
fn what_a_router_passes_on_is_followed_link_by_link() {
    use Outcome::{Fail, Pass};
    assert_eq!(routed(|_, _| {}), [Pass, Pass]);
    assert_eq!(routed(|_, records| drop(records[2].remove(0))), [Pass, Fail], "it was passed on and did not arrive");
    assert_eq!(routed(|_, records| drop(records[2].remove(2))), [Pass, Fail], "a piece did not arrive");
    assert_eq!(routed(|_, records| drop(records[0].pop())), [Pass, Fail], "the router's own did not arrive");
    assert_eq!(routed(|events, _| drop(events.remove(0))), [Pass, Fail], "nobody says what became of it");
    let told = |event| move |events: &mut Vec<(u64, Event)>, _: &mut [Vec<Record>; 3]| events[0].1 = event;
    let packet = PacketId(1);
    assert_eq!(routed(told(Event::PacketDropped { packet, reason: DropReason::NoRoute })), [Pass, Pass]);
    assert_eq!(routed(told(Event::Passage { packet, passage: Passage::Taken })), [Pass, Pass]);
    let waits = Passage::AwaitsNeighbour { neighbour: [10, 0, 0, 9].into() };
    assert_eq!(routed(told(Event::Passage { packet, passage: waits })), [Pass, Fail], "for a minute");
    let wide = |_: &mut Vec<(u64, Event)>, records: &mut [Vec<Record>; 3]| {
        records[2][1] = record(3, 3, Direction::In, there("A", 100, 500, 961));
    };
    assert_eq!(routed(wide), [Fail, Pass], "longer than the second link takes");
}
