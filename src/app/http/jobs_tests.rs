//! Work that is taken now and done later, over a userspace network in virtual time.

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::app::run;
use crate::app::tests::{CLIENT, SERVER, Seen, address, pair, program, scene, start, wire};
use crate::journal::{Event, ProgramEvent};
use crate::rng::Rng;

const CLIENT_OF_JOBS: &str = r#"{ jobs-client = { url = "http://server/jobs", body = '{"report": "users"}' } }"#;

/// What became of jobs at the server, each with its time in milliseconds.
fn changes(seen: &Seen) -> Vec<(u64, String, String)> {
    let of_server = seen.events.iter().filter(|entry| entry.node == SERVER);
    of_server
        .filter_map(|entry| match &entry.event {
            Event::Program { report: ProgramEvent::Change { what, to, .. }, .. } => {
                Some((entry.at.as_nanos() / 1_000_000, what.clone(), to.clone()))
            }
            _ => None,
        })
        .collect()
}

fn statuses(seen: &Seen) -> Vec<u16> {
    let told = seen.reports(CLIENT).into_iter();
    told.filter_map(|report| match report {
        ProgramEvent::Response { status, .. } => Some(status),
        _ => None,
    })
    .collect()
}

#[test]
fn a_job_is_accepted_at_once_and_done_later() {
    let server = r#"{ jobs-server = { port = 80, takes = "2500ms" } }"#;
    let (outcome, seen) = pair(1, wire(), server, CLIENT_OF_JOBS);
    outcome.expect("the server answers");
    assert_eq!(statuses(&seen), [202, 200, 200, 200]);
    let told = seen.sent_text(SERVER);
    assert!(told.starts_with("HTTP/1.1 202 Accepted\r\n") && told.contains("Location: /jobs/1\r\n"), "{told}");
    assert!(told.contains("\"status\": \"running\"") && told.contains("\"status\": \"done\""), "{told}");
    let changes = changes(&seen);
    let steps: Vec<&str> = changes.iter().map(|(_, _, to)| to.as_str()).collect();
    assert_eq!(steps, ["queued", "running", "done"]);
    assert_eq!(changes[2].0 - changes[1].0, 2500);
}

#[test]
fn one_worker_takes_one_job_at_a_time_and_two_take_two() {
    for (workers, last) in [(1, 3_000), (2, 2_000)] {
        let server = format!(r#"{{ jobs-server = {{ port = 80, takes = "1s", workers = {workers} }} }}"#);
        let ((), seen) = scene(1, wire(), |client, host, _| async move {
            start(&server, &host, 1).await;
            for _ in 0..3 {
                let mut stream = client.connect((address(2), 80).into()).await.expect("it listens");
                let post = "POST /jobs HTTP/1.1\r\nHost: server\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}";
                stream.write_all(post.as_bytes()).await.expect("it reads");
                stream.read_to_end(&mut Vec::new()).await.expect("it answers");
            }
            tokio::time::sleep(std::time::Duration::from_secs(9)).await;
        });
        let done: Vec<u64> = changes(&seen).into_iter().filter(|(_, _, to)| to == "done").map(|(at, ..)| at).collect();
        assert_eq!(done.len(), 3);
        assert!((last..last + 300).contains(&done[2]), "{workers}: {done:?}");
    }
}

#[test]
fn a_full_queue_and_an_answer_that_waits_are_told() {
    let (outcome, seen) =
        pair(1, wire(), r#"{ jobs-server = { port = 80, takes = "1s", queue = 0 } }"#, CLIENT_OF_JOBS);
    outcome.expect("that is an answer, too");
    assert_eq!(statuses(&seen), [503]);
    assert!(seen.sent_text(SERVER).contains("Retry-After: 1\r\n"));

    let waits = r#"{ jobs-server = { port = 80, takes = "1s", answers = "when-done" } }"#;
    let (_, seen) = pair(1, wire(), waits, CLIENT_OF_JOBS);
    assert_eq!(statuses(&seen), [200], "nothing is left to be asked");
    let (outcome, seen) = pair(1, wire(), &waits.replace("1s", "9s"), CLIENT_OF_JOBS);
    outcome.expect("silence is told");
    assert!(seen.lines(CLIENT)[0].0.contains("is there a job now?"));
}

/// Requests, most of them spoilt.
fn malformed(rng: &mut Rng) -> Vec<u8> {
    let small = |rng: &mut Rng, below: u64| usize::try_from(rng.below(below)).expect("it is small");
    let targets = ["/jobs", "/jobs/", "/jobs/1", "/jobs/0", "/jobs/18446744073709551616", "/", "*"];
    let (method, target) = (["GET", "POST", "PUT", "HEAD"][small(rng, 4)], targets[small(rng, 7)]);
    let length = ["2", "99999999999", "-1", "0"][small(rng, 4)];
    let mut octets =
        format!("{method} {target} HTTP/1.1\r\nHost: server\r\nContent-Length: {length}\r\n\r\n{{}}").into_bytes();
    for _ in 0..rng.below(5) {
        let at = small(rng, octets.len().max(1) as u64);
        match rng.below(3) {
            0 => octets.truncate(at),
            1 => octets.insert(at.min(octets.len()), b"\r\n :/0{\0\xff"[small(rng, 9)]),
            _ => octets.iter_mut().skip(at).take(1).for_each(|octet| *octet = (rng.next_u32() & 0xff) as u8),
        }
    }
    octets
}

#[test]
fn ten_thousand_malformed_requests_harm_no_office() {
    let ((), seen) = scene(7, wire(), |client, host, resolver| async move {
        let task = start(r#"{ jobs-server = { port = 80, takes = "1ms" } }"#, &host, 1).await;
        let mut rng = Rng::new(7);
        for _ in 0..10_000 {
            let mut stream = client.connect((address(2), 80).into()).await.expect("it listens");
            // An error is an answer, too: the server has had enough.
            let _ = stream.write_all(&malformed(&mut rng)).await;
            let _ = stream.shutdown().await;
            let _ = stream.read_to_end(&mut Vec::new()).await;
        }
        assert!(!task.is_finished(), "the server has ended");
        run(&program(CLIENT_OF_JOBS), &client, &resolver, 1, || ()).await.expect("it still answers");
    });
    assert_eq!(statuses(&seen), [202, 200]);
}
