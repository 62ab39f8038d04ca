//! The DNS programs over a userspace network in virtual time.

use std::time::Duration;

use hickory_proto::op::{Message, MessageType, OpCode, Query, ResponseCode};
use hickory_proto::rr::{Name, RecordType};
use tokio::io::AsyncWriteExt;

use super::cache::{Cache, Known, learn};
use super::message::{self, Unanswerable, read_framed, write_framed};
use super::zone::{self, Zone};
use crate::app::tests::{CLIENT, SERVER, Seen, address, pair, program, scene, start, wire};
use crate::app::{Program, run};
use crate::journal::{CacheUse, ProgramEvent, TransportKind};
use crate::link::{Action, PipeConfig, Rule};
use crate::rng::Rng;

const ZONE: &str = r#"$ORIGIN example.com.
@        3600 IN SOA ns hostmaster 1 7200 3600 1209600 60
@        3600 IN NS  ns
@        3600 IN MX  10 mail
ns       3600 IN A   10.0.0.1
mail     3600 IN A   203.0.113.25
api       300 IN A   203.0.113.10
api       300 IN AAAA 2001:db8::10
www       300 IN CNAME api
out       300 IN CNAME elsewhere.test.
dead      300 IN CNAME nobody
*.wild    300 IN TXT "a wildcard"
a.b       300 IN A   203.0.113.11
sub      3600 IN NS  ns.sub
ns.sub   3600 IN A   203.0.113.53
"#;

fn name(text: &str) -> Name {
    Name::from_ascii(text).expect("a name")
}

fn asked(of: &str, record_type: RecordType) -> Message {
    let mut message = Message::query();
    message.add_query(Query::query(name(of), record_type));
    message
}

fn answer(of: &str, record_type: RecordType) -> Message {
    let zone = Zone::read(ZONE).expect("a zone");
    let asked = asked(of, record_type);
    zone::answer(&[&zone], &asked, &asked.queries[0])
}

/// `rcode[ aa]: answers | authorities | additionals`, each record as its owner, type and data.
fn told(message: &Message) -> String {
    let records = |records: &[hickory_proto::rr::Record]| {
        let shown = records.iter().map(|record| {
            format!("{} {} {} {}", record.name, record.ttl, record.record_type(), message::short(record))
        });
        shown.collect::<Vec<_>>().join(", ")
    };
    format!(
        "{}{}: {} | {} | {}",
        message::mnemonic(message.metadata.response_code),
        if message.metadata.authoritative { " aa" } else { "" },
        records(&message.answers),
        records(&message.authorities),
        records(&message.additionals)
    )
}

#[test]
fn an_answer_is_found_as_rfc_1034_looks_for_it() {
    use RecordType::{A, AAAA, CNAME, MX, NS, TXT};
    let soa = "example.com. 60 SOA ns.example.com. hostmaster.example.com. 1 7200 3600 1209600 60";
    let table = [
        ("api.example.com.", A, "NOERROR aa: api.example.com. 300 A 203.0.113.10 |  | ".to_owned()),
        ("API.EXAMPLE.com.", AAAA, "NOERROR aa: API.EXAMPLE.com. 300 AAAA 2001:db8::10 |  | ".to_owned()),
        (
            "www.example.com.",
            A,
            "NOERROR aa: www.example.com. 300 CNAME api.example.com., api.example.com. 300 A 203.0.113.10 |  | "
                .to_owned(),
        ),
        ("www.example.com.", CNAME, "NOERROR aa: www.example.com. 300 CNAME api.example.com. |  | ".to_owned()),
        ("out.example.com.", A, "NOERROR aa: out.example.com. 300 CNAME elsewhere.test. |  | ".to_owned()),
        ("dead.example.com.", A, format!("NXDOMAIN aa: dead.example.com. 300 CNAME nobody.example.com. | {soa} | ")),
        (
            "example.com.",
            MX,
            "NOERROR aa: example.com. 3600 MX 10 mail.example.com. |  | mail.example.com. 3600 A 203.0.113.25"
                .to_owned(),
        ),
        (
            "example.com.",
            NS,
            "NOERROR aa: example.com. 3600 NS ns.example.com. |  | ns.example.com. 3600 A 10.0.0.1".to_owned(),
        ),
        ("api.example.com.", TXT, format!("NOERROR aa:  | {soa} | ")),
        ("b.example.com.", A, format!("NOERROR aa:  | {soa} | ")),
        ("nobody.example.com.", A, format!("NXDOMAIN aa:  | {soa} | ")),
        ("x.wild.example.com.", TXT, "NOERROR aa: x.wild.example.com. 300 TXT \"a wildcard\" |  | ".to_owned()),
        (
            "x.sub.example.com.",
            A,
            "NOERROR:  | sub.example.com. 3600 NS ns.sub.example.com. | ns.sub.example.com. 3600 A 203.0.113.53"
                .to_owned(),
        ),
        ("example.org.", A, "REFUSED:  |  | ".to_owned()),
    ];
    for (of, record_type, expected) in table {
        assert_eq!(told(&answer(of, record_type)), expected, "{of} {record_type}");
    }
}

#[test]
fn a_zone_that_is_none_is_refused_with_what_is_wrong() {
    let table = [
        ("$ORIGIN example.com.\napi 300 IN A 203.0.113.10\n", "exactly one SOA"),
        ("$INCLUDE /etc/passwd\n", "includes no other files"),
        ("$ORIGIN example.com.\n@ 1 IN SOA ns hostmaster 1 1 1 1 1\nx.test. 1 IN A 10.0.0.1\n", "does not belong to"),
        (
            "$ORIGIN example.com.\n@ 1 IN SOA ns hostmaster 1 1 1 1 1\nx 1 IN A ten\n",
            "is no zone as RFC 1035 §5 has it",
        ),
    ];
    for (text, expected) in table {
        let error = Zone::read(text).expect_err(text);
        assert!(error.contains(expected), "{error}");
    }
}

#[test]
fn what_is_no_question_is_refused_or_met_with_silence() {
    let whole = asked("api.example.com.", RecordType::A);
    let octets = whole.to_vec().expect("a message");
    let refused = |octets: &[u8]| match message::question(octets) {
        Err(Unanswerable::Refusal(reply)) => Some(reply.metadata.response_code),
        Err(Unanswerable::Silence) => None,
        Ok(_) => panic!("that is a question"),
    };
    let with = |change: &dyn Fn(&mut Vec<u8>)| {
        let mut octets = octets.clone();
        change(&mut octets);
        octets
    };
    assert!(message::question(&octets).is_ok());
    assert_eq!(refused(&octets[..11]), None);
    assert_eq!(refused(&with(&|octets| octets[2] |= 0x80)), None, "a response is not answered");
    assert_eq!(refused(&with(&|octets| octets[2] |= 0x28)), Some(ResponseCode::NotImp));
    assert_eq!(refused(&octets[..20]), Some(ResponseCode::FormErr));
    assert_eq!(refused(&with(&|octets| octets[5] = 0)), Some(ResponseCode::FormErr), "no question");
    assert_eq!(
        refused(&with(&|octets| *octets.last_mut().expect("it has a class") = 3)),
        Some(ResponseCode::Refused),
        "the class CH"
    );
    let mut newer = whole.clone();
    newer.set_edns(message::edns().set_version(1).clone());
    assert_eq!(refused(&newer.to_vec().expect("a message")), Some(ResponseCode::BADVERS));
}

fn at(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

#[test]
fn a_cache_counts_down_forgets_and_knows_what_there_is_not() {
    let mut cache = Cache::default();
    for (of, record_type) in [
        ("www.example.com.", RecordType::A),
        ("nobody.example.com.", RecordType::A),
        ("api.example.com.", RecordType::TXT),
    ] {
        let learnt = learn(&name(of), record_type, &answer(of, record_type));
        cache.store(&learnt, at(100));
    }
    let ttl = |known: Option<Known>| match known {
        Some(Known::Records(records) | Known::Lack(_, records)) => records.first().map(|record| record.ttl),
        Some(Known::Alias(record, _)) => Some(record.ttl),
        None => None,
    };
    let get = |of: &str, record_type, now| cache.get(&name(of), record_type, now);
    assert_eq!(ttl(get("api.example.com.", RecordType::A, at(100))), Some(300));
    assert_eq!(ttl(get("API.example.com.", RecordType::A, at(102) + Duration::from_millis(900))), Some(298));
    assert_eq!(ttl(get("api.example.com.", RecordType::A, at(399))), Some(1));
    assert_eq!(get("api.example.com.", RecordType::A, at(400)), None, "after its TTL");
    assert!(matches!(get("www.example.com.", RecordType::MX, at(100)), Some(Known::Alias(..))));
    assert!(matches!(get("www.example.com.", RecordType::CNAME, at(100)), Some(Known::Records(_))));
    // RFC 2308 §5: the SOA's minimum, and for a name that is not there, whatever type is asked for.
    let lack = get("nobody.example.com.", RecordType::MX, at(130));
    assert!(matches!(lack, Some(Known::Lack(ResponseCode::NXDomain, _))) && ttl(lack) == Some(30));
    assert_eq!(get("nobody.example.com.", RecordType::MX, at(160)), None);
    assert!(matches!(get("api.example.com.", RecordType::TXT, at(100)), Some(Known::Lack(ResponseCode::NoError, _))));
    assert_eq!(get("api.example.com.", RecordType::MX, at(100)), None, "nobody has asked for that");
}

#[test]
fn a_cache_does_not_grow_without_end() {
    let mut cache = Cache::default();
    let template = answer("api.example.com.", RecordType::A);
    for number in 0..10_500_u32 {
        let mut reply = template.clone();
        let of = name(&format!("n{number}.example.com."));
        reply.answers[0].name = of.clone();
        reply.answers[0].ttl = 1000 + number;
        cache.store(&learn(&of, RecordType::A, &reply), at(0));
    }
    assert_eq!(cache.get(&name("n0.example.com."), RecordType::A, at(0)), None, "the first to be forgotten went");
    assert!(cache.get(&name("n10499.example.com."), RecordType::A, at(0)).is_some());
    let there = (0..10_500)
        .filter(|number| cache.get(&name(&format!("n{number}.example.com.")), RecordType::A, at(0)).is_some());
    assert_eq!(there.count(), 10_000);
}

fn server(more: &str) -> String {
    format!("{{ dns-server = {{ port = 53, zones = ['''{ZONE}'''], {more} }} }}")
}

/// The name server stands on the client's node, the resolver on the server's.
fn through_a_resolver(upstream: &str, back: PipeConfig, name_server: &str, client: &str) -> Seen {
    let (outcome, seen) = scene(1, back, |client_host, server_host, resolver| async move {
        start(name_server, &client_host, 1).await;
        let resolver_program = program(upstream);
        let (host, names) = (server_host.clone(), resolver.clone());
        tokio::task::spawn_local(async move { run(&resolver_program, &host, &names, 1, || ()).await });
        tokio::time::sleep(Duration::from_millis(1)).await;
        run(&program(client), &client_host, &resolver, 1, || ()).await
    });
    outcome.expect("the resolver answers");
    seen
}

const RESOLVER: &str = r#"{ dns-resolver = { port = 53, upstream = { forward = ["client:53"] } } }"#;

/// What the resolver had to do for each question: the code, whether the cache had it, how many questions it took.
fn resolutions(seen: &Seen) -> Vec<(String, CacheUse, u32)> {
    let reports = seen.reports(SERVER).into_iter();
    reports
        .filter_map(|report| match report {
            ProgramEvent::Resolution { code, cache, questions, .. } => Some((code, cache, questions)),
            _ => None,
        })
        .collect()
}

fn lines(seen: &Seen) -> Vec<String> {
    seen.lines(CLIENT).into_iter().map(|(line, _)| line).collect()
}

#[test]
fn a_lookup_prints_as_dig_short_does() {
    let client = r#"{ dns-lookup = { server = "server:53", ask = [
        "api.example.com", "www.example.com. a", "example.com MX", "x.wild.example.com TXT", "nobody.example.com",
    ] } }"#;
    let (outcome, seen) = pair(1, wire(), &server(""), client);
    outcome.expect("the server answers");
    let expected = ["203.0.113.10", "api.example.com.", "203.0.113.10", "10 mail.example.com.", "\"a wildcard\""];
    assert_eq!(lines(&seen), expected);
    let codes = seen.reports(CLIENT).into_iter().filter_map(|report| match report {
        ProgramEvent::Lookup { code, latency, tries: 1, over: TransportKind::Udp, .. } => Some((code, latency)),
        _ => None,
    });
    let expected = ["NOERROR", "NOERROR", "NOERROR", "NOERROR", "NXDOMAIN"];
    assert_eq!(codes.collect::<Vec<_>>(), expected.map(|code| (code.to_owned(), Duration::from_millis(20))));
}

#[test]
fn a_resolver_asks_once_per_ttl_and_remembers_what_there_is_not() {
    let client = r#"{ dns-lookup = { server = "server:53", pause = "100s", ask = [
        "api.example.com", "api.example.com", "api.example.com", "api.example.com",
    ] } }"#;
    let seen = through_a_resolver(RESOLVER, wire(), &server(""), client);
    let (hit, miss) = (("NOERROR".to_owned(), CacheUse::Hit, 0), ("NOERROR".to_owned(), CacheUse::Miss, 1));
    assert_eq!(resolutions(&seen), [miss.clone(), hit.clone(), hit.clone(), miss.clone()]);
    let client = r#"{ dns-lookup = { server = "server:53", pause = "30s", ask = [
        "nobody.example.com", "nobody.example.com AAAA", "nobody.example.com", "www.example.com", "api.example.com",
    ] } }"#;
    let seen = through_a_resolver(RESOLVER, wire(), &server(""), client);
    let nobody = |cache, questions| ("NXDOMAIN".to_owned(), cache, questions);
    assert_eq!(
        resolutions(&seen),
        [nobody(CacheUse::Miss, 1), nobody(CacheUse::Hit, 0), nobody(CacheUse::Miss, 1), miss, hit]
    );
}

#[test]
fn a_lost_answer_costs_the_time_out_and_a_lost_server_is_told() {
    let lose =
        |nth: Vec<u32>| Rule { id: "lose".to_owned(), when: std::sync::Arc::new(|_| true), nth, action: Action::Drop };
    // The wire to the resolver carries the client's question first, then the name server's answer.
    let there = PipeConfig { rules: vec![lose(vec![2])], ..wire() };
    let client = r#"{ dns-lookup = { server = "server:53", ask = ["api.example.com"] } }"#;
    let seen = through_a_resolver(RESOLVER, there, &server(""), client);
    assert_eq!(resolutions(&seen), [("NOERROR".to_owned(), CacheUse::Miss, 2)]);
    let latency = seen.reports(CLIENT).into_iter().find_map(|report| match report {
        ProgramEvent::Lookup { latency, .. } => Some(latency),
        _ => None,
    });
    assert_eq!(latency, Some(Duration::from_millis(1040)));

    let deaf =
        r#"{ dns-resolver = { port = 53, upstream = { forward = ["10.0.0.1:54"] }, timeout = "200ms", tries = 2 } }"#;
    let seen = through_a_resolver(deaf, wire(), &server(""), client);
    assert_eq!(resolutions(&seen), [("SERVFAIL".to_owned(), CacheUse::Miss, 2)]);
    let told = seen.lines(SERVER);
    assert!(told.iter().any(|(line, _)| line.contains("has asked 10.0.0.1:54 2 times and got no answer")), "{told:?}");
}

#[test]
fn a_long_answer_goes_over_tcp_unless_the_asker_takes_it_over_udp() {
    let long = format!("{ZONE}long 300 IN TXT \"{0}\" \"{0}\" \"{0}\"\n", "x".repeat(250));
    let server = format!("{{ dns-server = {{ port = 53, zones = ['''{long}'''] }} }}");
    for (edns, over) in [(true, TransportKind::Udp), (false, TransportKind::Tcp)] {
        let client =
            format!(r#"{{ dns-lookup = {{ server = "server:53", ask = ["long.example.com TXT"], edns = {edns} }} }}"#);
        let (outcome, seen) = pair(1, wire(), &server, &client);
        outcome.expect("the server answers");
        assert_eq!(lines(&seen)[0].len(), 3 * 252 + 2);
        let came = seen.reports(CLIENT).into_iter().find_map(|report| match report {
            ProgramEvent::Lookup { over, .. } => Some(over),
            _ => None,
        });
        assert_eq!(came, Some(over));
        let cut = seen
            .reports(SERVER)
            .into_iter()
            .filter(|report| matches!(report, ProgramEvent::Answer { truncated: true, .. }));
        assert_eq!(cut.count(), usize::from(!edns));
    }
}

#[test]
fn a_zone_that_changes_is_seen_only_after_the_ttl() {
    let newer = ZONE.replace("203.0.113.10", "203.0.113.20").replace(" 1 7200", " 2 7200");
    let server = server(&format!("later = [ {{ at = \"10s\", zone = '''{newer}''' }} ]"));
    let client = r#"{ dns-lookup = { server = "server:53", pause = "150s", ask = [
        "api.example.com", "api.example.com", "api.example.com",
    ] } }"#;
    let seen = through_a_resolver(RESOLVER, wire(), &server, client);
    assert_eq!(lines(&seen), ["203.0.113.10", "203.0.113.10", "203.0.113.20"]);
}

#[test]
fn a_resolver_with_hints_follows_referrals_and_remembers_them() {
    let root = "$ORIGIN .\n@ 3600 IN SOA ns. hostmaster. 1 1 1 1 60\nexample.com. 3600 IN NS ns.example.com.\n\
                ns.example.com. 3600 IN A 10.0.0.1\n";
    let name_server = |port: u16, zone: &str| format!("{{ dns-server = {{ port = {port}, zones = ['''{zone}'''] }} }}");
    let hints = r#"{ dns-resolver = { port = 53, upstream = { hints = ["client:5300"] } } }"#;
    let client = r#"{ dns-lookup = { server = "server:53", ask = ["www.example.com", "example.com MX"] } }"#;
    let (outcome, seen) = scene(1, wire(), |client_host, server_host, resolver| async move {
        start(&name_server(5300, root), &client_host, 1).await;
        start(&name_server(53, ZONE), &client_host, 1).await;
        let (hints, host, names): (Program, _, _) = (program(hints), server_host, resolver.clone());
        tokio::task::spawn_local(async move { run(&hints, &host, &names, 1, || ()).await });
        tokio::time::sleep(Duration::from_millis(1)).await;
        run(&program(client), &client_host, &resolver, 1, || ()).await
    });
    outcome.expect("the resolver answers");
    assert_eq!(lines(&seen), ["api.example.com.", "203.0.113.10", "10 mail.example.com."]);
    let miss = |questions| ("NOERROR".to_owned(), CacheUse::Miss, questions);
    assert_eq!(resolutions(&seen), [miss(2), miss(1)], "the second goes straight to those who know");
}

#[test]
fn an_answer_with_another_id_or_from_somebody_else_is_not_listened_to() {
    let (outcome, seen) = scene(1, wire(), |client, server_host, resolver| async move {
        let (true_one, forger) = (
            server_host.bind_udp((address(2), 53).into()).await.expect("a port is free"),
            server_host.bind_udp((address(2), 54).into()).await.expect("a port is free"),
        );
        tokio::task::spawn_local(async move {
            let mut buffer = [0; 512];
            let (length, peer) = true_one.recv_from(&mut buffer).await.expect("a question");
            let asked = Message::from_vec(&buffer[..length]).expect("a message");
            let zone = |text: &str| Zone::read(&ZONE.replace("203.0.113.10", text)).expect("a zone");
            let reply = |zone: &Zone| zone::answer(&[zone], &asked, &asked.queries[0]);
            let (forged, real) = (reply(&zone("192.0.2.66")), reply(&zone("203.0.113.10")));
            let mut other_id = forged.clone();
            other_id.metadata.id = asked.metadata.id.wrapping_add(1);
            let octets = |reply: &Message| reply.to_vec().expect("a message");
            true_one.send_to(&octets(&other_id), peer).await.expect("there is room");
            forger.send_to(&octets(&forged), peer).await.expect("there is room");
            tokio::time::sleep(Duration::from_millis(5)).await;
            true_one.send_to(&octets(&real), peer).await.expect("there is room");
            std::future::pending::<()>().await;
        });
        let lookup = program(r#"{ dns-lookup = { server = "server:53", ask = ["api.example.com"] } }"#);
        run(&lookup, &client, &resolver, 1, || ()).await
    });
    outcome.expect("the true answer comes");
    assert_eq!(lines(&seen), ["203.0.113.10"]);
}

#[test]
fn who_does_not_want_recursion_gets_what_is_there() {
    let ((), seen) = scene(1, wire(), |client, server_host, resolver| async move {
        let (upstream, host) = (program(RESOLVER), server_host);
        tokio::task::spawn_local(async move { run(&upstream, &host, &resolver, 1, || ()).await });
        tokio::time::sleep(Duration::from_millis(1)).await;
        let socket = client.bind_udp((address(1), 0).into()).await.expect("a port is free");
        let question = asked("api.example.com.", RecordType::A).to_vec().expect("a message");
        socket.send_to(&question, (address(2), 53).into()).await.expect("there is room");
        let mut buffer = [0; 512];
        let (length, _) = socket.recv_from(&mut buffer).await.expect("an answer");
        let reply = Message::from_vec(&buffer[..length]).expect("a message");
        assert_eq!(reply.metadata.response_code, ResponseCode::Refused);
    });
    assert_eq!(resolutions(&seen), [("REFUSED".to_owned(), CacheUse::Hit, 0)]);
}

/// Messages that are none, or not quite, from one seed.
fn malformed(rng: &mut Rng) -> Vec<u8> {
    let mut whole = Message::new(7, MessageType::Query, OpCode::Query);
    whole.metadata.recursion_desired = true;
    whole.add_query(Query::query(name("api.example.com."), RecordType::A));
    whole.set_edns(message::edns());
    let mut octets = whole.to_vec().expect("a message");
    if rng.below(8) == 0 {
        octets = vec![0; usize::try_from(rng.below(600)).expect("it is small")];
        rng.fill(&mut octets);
    }
    for _ in 0..rng.below(6) {
        let at = usize::try_from(rng.below(octets.len().max(1) as u64)).expect("it is small");
        match octets.get_mut(at) {
            Some(octet) if rng.below(4) > 0 => *octet = (rng.next_u32() & 0xff) as u8,
            _ => octets.truncate(at),
        }
    }
    octets
}

#[test]
fn a_thousand_malformed_messages_harm_neither_server() {
    for (program_under_test, is_resolver) in [(server(""), false), (RESOLVER.to_owned(), true)] {
        let ((), seen) = scene(7, wire(), |client, host, resolver| async move {
            if is_resolver {
                start(&server(""), &client, 1).await;
            }
            let (under_test, names) = (program(&program_under_test), resolver.clone());
            let task = tokio::task::spawn_local(async move { run(&under_test, &host, &names, 1, || ()).await });
            tokio::time::sleep(Duration::from_millis(1)).await;
            let socket = client.bind_udp((address(1), 0).into()).await.expect("a port is free");
            let mut rng = Rng::new(7);
            for round in 0..1000 {
                let octets = malformed(&mut rng);
                if round % 10 > 0 {
                    socket.send_to(&octets, (address(2), 53).into()).await.expect("there is room");
                    tokio::time::sleep(Duration::from_millis(1)).await;
                    continue;
                }
                let mut stream = client.connect((address(2), 53).into()).await.expect("it listens");
                write_framed(&mut stream, &octets).await.expect("it reads");
                let _ = stream.shutdown().await;
                while read_framed(&mut stream).await.is_ok_and(|answer| answer.is_some()) {}
            }
            assert!(!task.is_finished(), "it has ended");
            let lookup = program(r#"{ dns-lookup = { server = "server:53", ask = ["api.example.com"] } }"#);
            run(&lookup, &client, &resolver, 1, || ()).await.expect("it still answers");
        });
        assert!(lines(&seen).contains(&"203.0.113.10".to_owned()));
        let questions = seen.reports(SERVER).into_iter().filter(|report| matches!(report, ProgramEvent::Answer { .. }));
        assert!((100..900).contains(&questions.count()), "some of them were questions, most were not");
    }
}
