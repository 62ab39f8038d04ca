//! Calls by a policy, in virtual time.

use std::cell::{Cell, RefCell};

use super::*;
use crate::app::tests::{CLIENT, Seen, scene, wire};

/// What a try comes to, and after how long.
#[derive(Clone, Copy)]
enum Reply {
    After(u64),
    Trouble,
    Never,
}

fn policy(toml: &str) -> Policy {
    toml::from_str(toml).expect(toml)
}

fn ms(count: u64) -> Duration {
    Duration::from_millis(count)
}

/// One caller, whose calls begin at these milliseconds; what each came to, and when the tries were made.
fn calls(written: &str, begin: &[u64], replies: &[Reply]) -> (Vec<String>, Vec<u64>, Seen) {
    let ((outcomes, tries), seen) = scene(1, wire(), |host, _, resolver| async move {
        let running = Running::for_tests("caller", &host, &resolver, 1);
        let (caller, started) = (Caller::new(&running, "it", &policy(written)), Instant::now());
        let (tries, replies) = (RefCell::new(Vec::new()), RefCell::new(replies.iter().copied()));
        let attempt = async || {
            tries.borrow_mut().push(u64::try_from(started.elapsed().as_millis()).expect("not that long"));
            let reply = replies.borrow_mut().next();
            match reply {
                Some(Reply::After(span)) => {
                    sleep(ms(span)).await;
                    Ok(Try::Answer(()))
                }
                Some(Reply::Trouble) | None => Ok(Try::Trouble("HTTP 503".to_owned())),
                Some(Reply::Never) => std::future::pending().await,
            }
        };
        let mut outcomes = Vec::new();
        for at in begin {
            sleep(ms(*at).saturating_sub(started.elapsed())).await;
            outcomes.push(match caller.call(attempt).await {
                Ok(()) => "answer".to_owned(),
                Err(failed) => failed.words(),
            });
        }
        (outcomes, tries.take())
    });
    (outcomes, tries, seen)
}

fn changes(seen: &Seen) -> Vec<String> {
    let reports = seen.reports(CLIENT).into_iter();
    reports
        .filter_map(|report| match report {
            ProgramEvent::Change { what, from, to, .. } => Some(format!("{what} {from} {to}")),
            _ => None,
        })
        .collect()
}

#[test]
fn a_try_that_is_not_answered_in_time_is_followed_by_another_after_a_doubling_pause() {
    let written = "timeout = \"300ms\"\ntries = 4\nbackoff = \"1s\"";
    let (outcomes, tries, _) = calls(written, &[0], &[Reply::Never, Reply::Never, Reply::Never, Reply::After(20)]);
    assert_eq!((outcomes[0].as_str(), tries), ("answer", vec![0, 1_300, 3_600, 7_900]));
    let (outcomes, tries, _) = calls(written, &[0], &[Reply::Never; 9]);
    assert_eq!((outcomes[0].as_str(), tries.len()), ("no answer in time", 4));
}

#[test]
fn the_pause_has_a_longest_and_trouble_is_tried_again_at_once_after_it() {
    let (outcomes, tries, _) = calls("tries = 5\nbackoff = \"100ms\"\nmost = \"250ms\"", &[0], &[Reply::Trouble; 9]);
    assert_eq!((outcomes[0].as_str(), tries), ("HTTP 503", vec![0, 100, 300, 550, 800]));
}

#[test]
fn without_a_timeout_a_caller_waits_as_long_as_it_takes() {
    let (outcomes, tries, _) = calls("tries = 3", &[0], &[Reply::After(86_400_000)]);
    assert_eq!((outcomes[0].as_str(), tries), ("answer", vec![0]));
}

#[test]
fn a_budget_is_shared_by_all_calls() {
    let begin: Vec<u64> = (0..20).map(|number| number * 1000).collect();
    let written = "tries = 3\nbackoff = \"10ms\"\nbudget_percent = 10";
    let (_, tries, seen) = calls(written, &begin, &[Reply::Trouble; 99]);
    assert_eq!(tries.len(), 22, "{tries:?}");
    let over =
        |report: &&ProgramEvent| matches!(report, ProgramEvent::Decision { choice, .. } if choice == "over budget");
    assert_eq!(seen.reports(CLIENT).iter().filter(over).count(), 20);
}

#[test]
fn an_open_circuit_refuses_at_once_and_a_probe_closes_it() {
    let written = "timeout = \"100ms\"\nbreaker = { failures = 2, cool_down = \"1s\" }";
    let replies = [Reply::Trouble, Reply::Never, Reply::After(5), Reply::After(5)];
    let (outcomes, tries, seen) = calls(written, &[0, 200, 400, 900, 1_300, 1_400], &replies);
    let expected = ["HTTP 503", "no answer in time", "the circuit is open", "the circuit is open", "answer", "answer"];
    assert_eq!(outcomes, expected);
    assert_eq!(tries, [0, 200, 1_300, 1_400], "nothing is sent while it is open");
    assert_eq!(changes(&seen), ["circuit it closed open", "circuit it open half-open", "circuit it half-open closed"]);
}

#[test]
fn a_circuit_that_opens_ends_the_tries() {
    let written = "tries = 9\nbackoff = \"10ms\"\nbreaker = { failures = 3, cool_down = \"60s\" }";
    let (outcomes, tries, _) = calls(written, &[0], &[Reply::Trouble; 9]);
    assert_eq!((outcomes[0].as_str(), tries.len()), ("the circuit is open", 3));
}

/// A probe whose own client has gone must not leave the circuit half-open for ever.
#[test]
fn a_probe_that_is_dropped_leaves_room_for_another() {
    let (outcomes, seen) = scene(1, wire(), |host, _, resolver| async move {
        let running = Running::for_tests("caller", &host, &resolver, 1);
        let caller = Caller::new(&running, "it", &policy("breaker = { failures = 1, cool_down = \"1s\" }"));
        let answers = Cell::new(false);
        let attempt = async || match answers.get() {
            true => Ok(Try::Answer(())),
            false => std::future::pending().await,
        };
        let trouble = async || Ok(Try::<()>::Trouble("HTTP 503".to_owned()));
        assert!(caller.call(trouble).await.is_err());
        sleep(ms(1_000)).await;
        assert!(timeout(ms(50), caller.call(attempt)).await.is_err(), "the probe is given up from outside");
        answers.set(true);
        caller.call(attempt).await.is_ok()
    });
    assert!(outcomes, "{:?}", changes(&seen));
    assert_eq!(changes(&seen).last().map(String::as_str), Some("circuit it half-open closed"));
}

#[test]
fn settings_that_cannot_be_meant_are_refused() {
    for (written, expected) in [
        ("tries = 0", "0 is too few: write 1 or more"),
        ("breaker = { failures = 0, cool_down = \"1s\" }", "0 is too few: write 1 or more"),
        ("breaker = { failures = 1 }", "missing field `cool_down`"),
        ("jitter = \"some\"", "unknown variant `some`, expected one of `none`, `equal`, `full`"),
        ("retries = 3", "unknown field `retries`"),
    ] {
        let error = toml::from_str::<Policy>(written).expect_err(written).to_string();
        assert!(error.contains(expected), "{written}: {error}");
    }
}
