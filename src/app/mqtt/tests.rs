//! The broker and its clients over a userspace network in virtual time.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::{sleep, timeout};

use super::MqttClient;
use crate::app::tests::{CLIENT, SERVER, Seen, address, program, scene, start, wire};
use crate::app::{Host, Resolver, run};
use crate::journal::{ProgramEvent, Way};
use crate::rng::Rng;

const EVENT: &str = r#"{"eventType": "UserCreated", "userId": 1, "timestamp": "2026-04-25T12:00:00Z"}"#;

/// What the clients of a run heard, in order; they all stand on the client's node.
fn heard(seen: &Seen) -> Vec<String> {
    messages(seen, CLIENT, Way::Received)
}

fn messages(seen: &Seen, node: crate::journal::NodeId, which: Way) -> Vec<String> {
    let told = seen.reports(node).into_iter();
    told.filter_map(|report| match report {
        ProgramEvent::Message { way, what, text, .. } if way == which && what == "PUBLISH" => Some(text),
        _ => None,
    })
    .collect()
}

fn client(id: &str, more: &str) -> String {
    format!(r#"{{ mqtt-client = {{ to = "server:1883", id = "{id}", {more} }} }}"#)
}

fn says(qos: u8, retain: bool, more: &str) -> String {
    format!(r#"publish = [{{ topic = "users/created", qos = {qos}, retain = {retain}, payload = '{EVENT}', {more} }}]"#)
}

async fn act(toml: &str, host: &Host, names: &Resolver) {
    run(&program(toml), host, names, 1, || ()).await.expect("the broker is there");
}

/// Starts a client in the background.
fn listens(toml: &str, host: &Host, names: &Resolver) {
    let (toml, host, names) = (toml.to_owned(), host.clone(), names.clone());
    tokio::task::spawn_local(async move { run(&program(&toml), &host, &names, 1, || ()).await });
}

fn played<F: Future>(broker: &str, scenario: impl FnOnce(Host, Resolver) -> F) -> Seen {
    let broker = format!("{{ mqtt-broker = {{ port = 1883, {broker} }} }}");
    let (_, seen) = scene(1, wire(), |client, server, names| async move {
        start(&broker, &server, 1).await;
        scenario(client, names).await
    });
    seen
}

const WANTS: &str = r#"subscribe = [{ topic = "users/#", qos = 1 }], receive = 1"#;

#[test]
fn what_is_published_once_goes_to_all_who_want_it_and_to_nobody_else() {
    let seen = played("", |host, names| async move {
        for id in ["email", "audit", "analytics"] {
            listens(&client(id, WANTS), &host, &names);
        }
        listens(
            &client("orders", r#"subscribe = [{ topic = "orders/+" }], receive = 1, patience = "2s""#),
            &host,
            &names,
        );
        sleep(Duration::from_secs(1)).await;
        act(&client("users", &says(1, false, "")), &host, &names).await;
        sleep(Duration::from_secs(3)).await;
    });
    assert_eq!(heard(&seen), [EVENT; 3]);
    assert_eq!(messages(&seen, SERVER, Way::Received).len(), 1);
    assert_eq!(seen.lines(SERVER), [], "all ended in order");
}

#[test]
fn what_was_not_acknowledged_comes_again_with_its_mark() {
    let seen = played("", |host, names| async move {
        let breaks = r#"clean = false, breaks_off = { at = 1, back_after = "2s" },
            subscribe = [{ topic = "users/#", qos = 1 }], receive = 2"#;
        listens(&client("email", breaks), &host, &names);
        sleep(Duration::from_secs(1)).await;
        act(&client("users", &says(1, false, "")), &host, &names).await;
        sleep(Duration::from_secs(9)).await;
    });
    assert_eq!(heard(&seen), [EVENT; 2]);
    // 0x32 is PUBLISH with QoS 1, 0x3a the same marked as a copy (DUP).
    assert_eq!((handed_out(&seen, 0x32), handed_out(&seen, 0x3a)), (1, 1));
}

/// How many PUBLISH packets of `users/created` with this first octet the broker put on the link, whatever shares their segment.
fn handed_out(seen: &Seen, first: u8) -> usize {
    let payloads = seen.segments(SERVER).map(|(record, tcp)| &record.bytes[record.bytes.len() - tcp.payload_len..]);
    let begins = |octets: &&[u8]| octets[0] == first && octets[2..] == *b"\x00\x0dusers/created";
    payloads.map(|payload| payload.windows(17).filter(begins).count()).sum()
}

#[test]
fn a_session_that_is_kept_waits_for_its_client_and_one_that_is_not_does_not() {
    for (clean, qos, expected) in [(false, 1, 1), (false, 0, 0), (true, 1, 0)] {
        let seen = played("", |host, names| async move {
            let wants = format!(r#"clean = {clean}, subscribe = [{{ topic = "users/#", qos = {qos} }}]"#);
            act(&client("audit", &wants), &host, &names).await;
            act(&client("users", &says(1, false, "")), &host, &names).await;
            let back = format!(r#"clean = {clean}, receive = 1, patience = "2s""#);
            act(&client("audit", &back), &host, &names).await;
        });
        assert_eq!(heard(&seen).len(), expected, "{clean} {qos}");
    }
}

#[test]
fn a_retained_message_is_there_for_those_who_come_later_until_it_is_taken_back() {
    let seen = played("", |host, names| async move {
        act(&client("users", &says(0, true, "")), &host, &names).await;
        let wants = r#"subscribe = [{ topic = "users/+" }], receive = 1, patience = "2s""#;
        act(&client("late", wants), &host, &names).await;
        act(&client("users", r#"publish = [{ topic = "users/created", retain = true, payload = "" }]"#), &host, &names)
            .await;
        act(&client("later", wants), &host, &names).await;
    });
    assert_eq!(heard(&seen), [EVENT]);
    assert_eq!(handed_out(&seen, 0x31), 1, "it is marked as retained");
}

#[test]
fn a_client_that_does_not_read_costs_nobody_else_anything_and_its_queue_is_bounded() {
    let seen = played("queue = 5,", |host, names| async move {
        listens(
            &client("fast", r#"subscribe = [{ topic = "users/#" }], receive = 3000, patience = "100s""#),
            &host,
            &names,
        );
        let slow = r#"subscribe = [{ topic = "users/#" }], receive = 3000, takes = "1s", patience = "50s""#;
        listens(&client("slow", slow), &host, &names);
        sleep(Duration::from_secs(1)).await;
        act(&client("users", &says(0, false, r#"after = "1ms", times = 3000"#)), &host, &names).await;
        sleep(Duration::from_secs(60)).await;
    });
    let dropped = seen.reports(SERVER).into_iter().filter(|report| {
        matches!(report, ProgramEvent::Decision { what, choice, .. } if what == "queue slow" && choice == "dropped")
    });
    let (dropped, heard) = (dropped.count(), heard(&seen).len());
    assert!(dropped > 100 && (3_000..3_100).contains(&heard), "{dropped} dropped, {heard} heard");
}

#[test]
fn a_client_that_comes_anew_takes_its_own_place() {
    let seen = played("", |host, names| async move {
        listens(
            &client("email", r#"subscribe = [{ topic = "users/#" }], receive = 1, patience = "90s""#),
            &host,
            &names,
        );
        sleep(Duration::from_secs(1)).await;
        listens(&client("email", WANTS), &host, &names);
        sleep(Duration::from_secs(1)).await;
        act(&client("users", &says(1, false, "")), &host, &names).await;
        sleep(Duration::from_secs(3)).await;
    });
    assert_eq!(heard(&seen).len(), 1);
    let ended = seen.reports(CLIENT).into_iter().filter(|report| {
        matches!(report, ProgramEvent::Ended { ok: false, detail } if detail.contains("has ended the connection"))
    });
    assert_eq!(ended.count(), 1);
}

#[test]
fn settings_that_no_broker_would_take_are_refused() {
    let read = |more: &str| {
        let written = format!("to = \"server:1883\"\nid = \"x\"\n{more}");
        toml::from_str::<MqttClient>(&written).map(drop).map_err(|error| error.to_string())
    };
    assert_eq!(read(""), Ok(()));
    for (wrong, expected) in [
        (r#"subscribe = [{ topic = "users/#/x" }]"#, "is not a topic filter"),
        (r#"publish = [{ topic = "users/+", payload = "" }]"#, "is not a topic:"),
        (r#"publish = [{ topic = "", payload = "" }]"#, "is not a topic:"),
        (r#"subscribe = [{ topic = "users", qos = 2 }]"#, "QoS is 0"),
    ] {
        assert!(read(wrong).is_err_and(|error| error.contains(expected)), "{wrong}: {:?}", read(wrong));
    }
}

/// Conversations in which most packets are spoilt.
fn malformed(rng: &mut Rng) -> Vec<u8> {
    let small = |rng: &mut Rng, below: u64| usize::try_from(rng.below(below)).expect("it is small");
    let connect: &[u8] = b"\x10\x10\x00\x04MQTT\x04\x02\x00\x3c\x00\x04fuzz";
    let packets: [&[u8]; 7] = [
        b"\x32\x0c\x00\x07users/x\x00\x01!",
        b"\x30\x0a\x00\x07users/x!",
        b"\x82\x0c\x00\x01\x00\x07users/#\x01",
        b"\xa2\x0b\x00\x01\x00\x07users/#",
        b"\x40\x02\x00\x01",
        b"\xc0\x00",
        b"\xe0\x00",
    ];
    let mut octets = connect.to_vec();
    for _ in 0..rng.below(4) {
        octets.extend_from_slice(packets[small(rng, 7)]);
    }
    for _ in 0..rng.below(5) {
        let at = small(rng, octets.len().max(1) as u64);
        match rng.below(4) {
            0 => octets.truncate(at),
            1 => octets.insert(at.min(octets.len()), (rng.next_u32() & 0xff) as u8),
            _ => octets.iter_mut().skip(at).take(1).for_each(|octet| *octet = (rng.next_u32() & 0xff) as u8),
        }
    }
    octets
}

#[test]
fn ten_thousand_malformed_conversations_harm_no_broker() {
    let seen = played("", |host, names| async move {
        let mut rng = Rng::new(7);
        for _ in 0..10_000 {
            let mut stream = host.connect((address(2), 1883).into()).await.expect("it listens");
            // An error is an answer, too: the broker has had enough.
            let _ = stream.write_all(&malformed(&mut rng)).await;
            let _ = stream.shutdown().await;
            let _ = timeout(Duration::from_secs(1), stream.read_to_end(&mut Vec::new())).await;
        }
        // Some of them have left something retained under other topics.
        listens(&client("email", r#"subscribe = [{ topic = "users/created" }], receive = 1"#), &host, &names);
        sleep(Duration::from_secs(1)).await;
        act(&client("users", &says(1, false, "")), &host, &names).await;
        sleep(Duration::from_secs(3)).await;
    });
    assert_eq!(heard(&seen).last().map(String::as_str), Some(EVENT));
    let refused = seen.lines(SERVER).len();
    assert!((2_000..10_000).contains(&refused), "{refused} conversations were wrong, some were right");
}
