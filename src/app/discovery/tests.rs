//! The registry and its clients over a userspace network in virtual time.

use std::time::Duration;

use hickory_proto::op::{Message, MessageType, OpCode, Query};
use hickory_proto::rr::{Name, RecordType};
use tokio::time::sleep;

use super::{ServiceClient, ServiceRegistry};
use crate::app::tests::{CLIENT, SERVER, Seen, address, program, scene, start, wire};
use crate::app::{Host, Resolver, run};
use crate::journal::{Event, ProgramEvent};
use crate::rng::Rng;

const SERVICE: &str = "bookstore-service.default.svc.cluster.local";

/// The registry stands on the server's node, and so do two of the three instances: they differ by their ports in checks,
/// and by their nodes in answers.
fn registry(check: &str) -> String {
    format!(
        r#"{{ service-registry = {{ port = 53, {check} services = [
            {{ name = "{SERVICE}", instances = ["server:80", "client:80"] }},
        ] }} }}"#
    )
}

const CHECKED: &str = r#"check = { every = "5s", timeout = "1s" },"#;
const INSTANCE: &str = r#"{ http-server = { port = 80, pages = [
    { path = "/", body = "here" }, { path = "/health", body = "well" } ] } }"#;

/// Starts a program that is no client and needs the lab's names.
async fn start_named(toml: &str, host: &Host, names: &Resolver) {
    let (program, host, names) = (program(toml), host.clone(), names.clone());
    tokio::task::spawn_local(async move { run(&program, &host, &names, 1, || ()).await });
    sleep(Duration::from_millis(1)).await;
}

/// Two instances, of which the client's own dies after 12 s, a registry, and whatever the client does.
fn discovered(check: &str, client: &str) -> Seen {
    let (outcome, seen) = scene(1, wire(), |client_host, server_host, names| async move {
        start(INSTANCE, &server_host, 1).await;
        let dying = start(INSTANCE, &client_host, 1).await;
        tokio::task::spawn_local(async move {
            sleep(Duration::from_secs(12)).await;
            dying.abort();
        });
        start_named(&registry(check), &server_host, &names).await;
        run(&program(client), &client_host, &names, 1, || ()).await
    });
    outcome.expect("the registry answers");
    seen
}

fn client(more: &str) -> String {
    format!(
        r#"{{ service-client = {{ service = "{SERVICE}", registry = "server:53", requests = 20, every = "4s", {more} }} }}"#
    )
}

/// Which instance each request went to, when in seconds, and whether it answered.
fn requests(seen: &Seen) -> Vec<(u64, String, bool)> {
    let told = seen.events.iter().filter(|entry| entry.node == CLIENT);
    told.filter_map(|entry| match &entry.event {
        Event::Program { report: ProgramEvent::Decision { choice, detail, .. }, .. } => {
            Some((entry.at.as_nanos() / 1_000_000_000, choice.clone(), detail.contains("200")))
        }
        _ => None,
    })
    .collect()
}

#[test]
fn a_client_forgets_the_dead_when_the_answer_has_run_out() {
    let seen = discovered(CHECKED, &client(""));
    let requests = requests(&seen);
    assert_eq!(requests.len(), 20);
    let to_the_dead = |(_, choice, _): &&(u64, String, bool)| choice == "10.0.0.1";
    // It dies at 12 s and is taken out at 20 s, after two checks; the client asks again at 32 s.
    let of_the_dead: Vec<(u64, bool)> = requests.iter().filter(to_the_dead).map(|(at, _, ok)| (*at, *ok)).collect();
    assert_eq!(of_the_dead, [(4, true), (12, false), (20, false), (28, false)]);
    let turned = seen.reports(SERVER).into_iter().filter_map(|report| match report {
        ProgramEvent::Change { what, from, to, .. } => Some((what, from, to)),
        _ => None,
    });
    let unwell = ("health client:80".to_owned(), "healthy".to_owned(), "unhealthy".to_owned());
    assert_eq!(turned.collect::<Vec<_>>(), [unwell]);
}

#[test]
fn who_never_forgets_and_who_is_never_told_keep_failing() {
    for (check, more) in [(CHECKED, r#"cache = "for-ever""#), ("", "")] {
        let failed = requests(&discovered(check, &client(more))).into_iter().filter(|(_, _, ok)| !ok).count();
        assert_eq!(failed, 9, "{check} {more}: every second one after the death");
    }
}

#[test]
fn answers_are_rotated_and_printed_as_they_are() {
    let ask =
        format!(r#"{{ dns-lookup = {{ server = "server:53", ask = ["{SERVICE}", "{SERVICE}", "{SERVICE}"] }} }}"#);
    let lines = |seen: &Seen| -> Vec<String> { seen.lines(CLIENT).into_iter().map(|(line, _)| line).collect() };
    let seen = discovered("", &ask);
    let expected = ["10.0.0.2", "10.0.0.1", "10.0.0.1", "10.0.0.2", "10.0.0.2", "10.0.0.1"];
    assert_eq!(lines(&seen), expected);
    let once = client("").replace("requests = 20", "requests = 1");
    let printed = lines(&discovered("", &once));
    let expected = [
        "{",
        "\"service\": \"bookstore-service\",",
        "\"resolvedTargets\": [",
        "\"10.0.0.2\",",
        "\"10.0.0.1\"",
        "],",
        "\"ttlSeconds\": 30",
        "}",
        "here",
    ];
    assert_eq!(printed, expected);
}

#[test]
fn other_names_are_refused_and_other_types_have_no_records() {
    let ask = format!(
        r#"{{ dns-lookup = {{ server = "server:53", ask = ["{SERVICE} AAAA", "other.svc.cluster.local"] }} }}"#
    );
    let codes = discovered("", &ask).reports(CLIENT).into_iter().filter_map(|report| match report {
        ProgramEvent::Lookup { code, answers, .. } => Some((code, answers)),
        _ => None,
    });
    assert_eq!(codes.collect::<Vec<_>>(), [("NOERROR".to_owned(), 0), ("REFUSED".to_owned(), 0)]);
}

#[test]
fn settings_that_make_no_service_are_refused() {
    let registry = |services: &str| {
        let written = format!("port = 53\nservices = [{services}]");
        toml::from_str::<ServiceRegistry>(&written).map(drop).map_err(|error| error.to_string())
    };
    let one = r#"{ name = "shop.local", instances = ["server:80"] }"#;
    assert_eq!(registry(one), Ok(()));
    assert!(registry(&one.replace("shop.local", "")).is_err_and(|error| error.contains("is not a service's name")));
    assert!(registry(&one.replace(r#""server:80""#, "")).is_err_and(|error| error.contains("at least one instance")));
    let many = vec![r#""server:80""#; 1001].join(", ");
    assert!(registry(&one.replace(r#""server:80""#, &many)).is_err_and(|error| error.contains("1000 instances")));
    let client = "service = \"shop.local\"\nregistry = \"server:53\"\nrequests = 1\nevery = \"1s\"\ncache = \"never\"";
    assert!(toml::from_str::<ServiceClient>(client).is_err_and(|error| error.to_string().contains("for-ever")));
}

/// Questions that are none, or not quite.
fn malformed(rng: &mut Rng) -> Vec<u8> {
    let mut whole = Message::new(7, MessageType::Query, OpCode::Query);
    whole.add_query(Query::query(Name::from_ascii(SERVICE).expect("a name"), RecordType::A));
    let mut octets = whole.to_vec().expect("a message");
    for _ in 0..=rng.below(6) {
        let at = usize::try_from(rng.below(octets.len().max(1) as u64)).expect("it is small");
        match octets.get_mut(at) {
            Some(octet) if rng.below(5) > 0 => *octet = (rng.next_u32() & 0xff) as u8,
            _ => octets.truncate(at),
        }
    }
    octets
}

#[test]
fn ten_thousand_malformed_questions_harm_no_registry() {
    let ((), seen) = scene(7, wire(), |client_host, server_host, names| async move {
        start(INSTANCE, &server_host, 1).await;
        start_named(&registry(CHECKED), &server_host, &names).await;
        let socket = client_host.bind_udp((address(1), 0).into()).await.expect("a port is free");
        let mut rng = Rng::new(7);
        for _ in 0..10_000 {
            socket.send_to(&malformed(&mut rng), (address(2), 53).into()).await.expect("there is room");
            sleep(Duration::from_millis(1)).await;
        }
        let once = client("").replace("requests = 20", "requests = 1");
        run(&program(&once), &client_host, &names, 1, || ()).await.expect("it still answers");
    });
    // Nobody listens at the client's own port 80: it was taken out meanwhile.
    assert_eq!(requests(&seen).first().map(|(_, choice, ok)| (choice.as_str(), *ok)), Some(("10.0.0.2", true)));
}

/// An instance that answers checks with nonsense is not well, and harms nobody.
#[test]
fn a_check_that_is_answered_with_nonsense_is_a_bad_one() {
    use tokio::io::AsyncWriteExt;
    let ((), seen) = scene(7, wire(), |client_host, server_host, names| async move {
        let listener = client_host.listen((address(1), 80).into()).await.expect("the port is free");
        tokio::task::spawn_local(async move {
            let mut rng = Rng::new(7);
            while let Ok((mut stream, _)) = listener.accept().await {
                let mut octets = vec![0; usize::try_from(rng.below(300)).expect("it is small")];
                rng.fill(&mut octets);
                let _ = stream.write_all(&octets).await;
            }
        });
        start_named(&registry(r#"check = { every = "100ms", timeout = "1s" },"#), &server_host, &names).await;
        sleep(Duration::from_secs(20)).await;
    });
    let turned = seen.reports(SERVER).into_iter().filter(|report| matches!(report, ProgramEvent::Change { .. }));
    assert_eq!(turned.count(), 2, "each of the two instances once, and for good");
}
