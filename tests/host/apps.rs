//! The programs that labs name, on a real kernel: the same ones that run over a userspace stack.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::task::{LocalSet, spawn_local};
use tokio::time::timeout;
use wireglass::app::{self, Endpoint, Host, Program, ProgramError, Resolver, exec};
use wireglass::door::DoorKind;
use wireglass::host::{Exec, NodeSetup};
use wireglass::journal::{Event, ProgramEvent};

use super::{config, holder, node};

const PATIENCE: Duration = Duration::from_secs(60);
const LOOPBACK: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

/// What programs reported: who, and what.
type Reports = Arc<Mutex<Vec<(String, ProgramEvent)>>>;

/// Runs `test` on a kernel node, whose programs talk to each other over its own loopback interface.
fn on_a_kernel(test: impl AsyncFnOnce(Host)) -> Vec<(String, ProgramEvent)> {
    let reports = Reports::default();
    let Some(holder) = holder(config()) else { return Vec::new() };
    let setup = NodeSetup { door: Some(DoorKind::Veth), ..NodeSetup::named("kernel") };
    let Some((node, _door)) = node(&holder, setup) else { return Vec::new() };
    let notes = reports.clone();
    let reporter = Arc::new(move |event| {
        if let Event::Program { program, report } = event {
            notes.lock().expect("no test panics while it holds this").push((program, report));
        }
    });
    let host = Host::new(Endpoint::Linux(node), [LOOPBACK], reporter);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    LocalSet::new().block_on(&runtime, async { timeout(PATIENCE, test(host)).await.expect("in good time") });
    std::mem::take(&mut *reports.lock().expect("the run is over"))
}

fn program(toml: &str) -> Program {
    #[derive(serde::Deserialize)]
    struct Step {
        run: Program,
    }
    toml::from_str::<Step>(&format!("run = {toml}")).expect(toml).run
}

fn resolver() -> Resolver {
    [("server".to_owned(), LOOPBACK)].into_iter().collect()
}

/// Starts a server and returns once it listens.
async fn start(server: &str, host: &Host) {
    let (program, host) = (program(server), host.clone());
    let (ready, is_ready) = oneshot::channel();
    spawn_local(async move {
        app::run(&program, &host, &Resolver::default(), 1, || ready.send(()).expect("the test waits")).await
    });
    is_ready.await.expect("it listens");
}

/// Runs a server and its client on one kernel until the client has ended.
fn pair(server: &str, client: &str) -> Vec<(String, ProgramEvent)> {
    on_a_kernel(async |host| {
        start(server, &host).await;
        app::run(&program(client), &host, &resolver(), 1, || ()).await.expect("nothing is in its way");
        // What the server has still to say about the last datagram.
        tokio::time::sleep(Duration::from_millis(100)).await;
    })
}

/// Octets and hash of each stream that was sent (or received), the shorter first.
fn streams(reports: &[(String, ProgramEvent)], sent: bool) -> Vec<(u64, String)> {
    let stream = |report: &ProgramEvent| match report {
        ProgramEvent::StreamSent { bytes, sha256 } if sent => Some((*bytes, sha256.clone())),
        ProgramEvent::StreamReceived { bytes, sha256 } if !sent => Some((*bytes, sha256.clone())),
        _ => None,
    };
    let mut streams: Vec<_> = reports.iter().filter_map(|(_, report)| stream(report)).collect();
    streams.sort();
    streams
}

fn lines(reports: &[(String, ProgramEvent)], of: &str) -> Vec<(String, bool)> {
    let own = reports.iter().filter(|(program, _)| program == of);
    own.filter_map(|(_, report)| match report {
        ProgramEvent::Output { line, is_error } => Some((line.clone(), *is_error)),
        _ => None,
    })
    .collect()
}

fn shell(script: &str) -> Exec {
    Exec { argv: vec!["sh".into(), "-c".into(), script.into()], ..Exec::default() }
}

#[test]
fn a_kernel_carries_a_stream_whole() {
    let reports = pair("{ sink = { port = 9000 } }", r#"{ send = { to = "server:9000", bytes = "3MB" } }"#);
    let sent = streams(&reports, true);
    assert_eq!(sent, streams(&reports, false));
    assert!(reports.is_empty() || sent.iter().map(|(bytes, _)| *bytes).eq([3_000_000]), "{sent:?}");
}

#[test]
fn a_kernel_carries_an_answer_after_the_half_close() {
    let server = r#"{ exchange-server = { port = 9000, bytes = "300KB" } }"#;
    let reports = pair(server, r#"{ exchange = { to = "server:9000", bytes = "200KB" } }"#);
    let sent = streams(&reports, true);
    assert_eq!(sent, streams(&reports, false));
    assert!(reports.is_empty() || sent.iter().map(|(bytes, _)| *bytes).eq([200_000, 300_000]), "{sent:?}");
}

#[test]
fn a_kernel_carries_numbered_messages_over_both_transports() {
    for over in ["tcp", "udp"] {
        let server = format!(r#"{{ message-sink = {{ port = 7000, over = "{over}" }} }}"#);
        let client = format!(
            r#"{{ message-send = {{ to = "server:7000", over = "{over}", count = 20, size = "100B", every = "1ms" }} }}"#
        );
        let reports = pair(&server, &client);
        let numbers = reports.iter().filter_map(|(_, report)| match report {
            ProgramEvent::MessageReceived { number, .. } => Some(*number),
            _ => None,
        });
        assert!(reports.is_empty() || numbers.eq(1..=20), "{over}: {reports:?}");
    }
}

#[cfg(feature = "http")]
#[test]
fn the_real_curl_and_its_twin_see_the_same_page() {
    const PAGE: &str = r#"{"posts": ["one", "two"]}"#;
    let server = format!(r#"{{ http-server = {{ port = 8080, path = "/api/posts", body = '{PAGE}' }} }}"#);
    let reports = on_a_kernel(async |host| {
        start(&server, &host).await;
        let get = program(r#"{ http-get = { url = "http://server:8080/api/posts" } }"#);
        app::run(&get, &host, &resolver(), 1, || ()).await.expect("the page is there");
        let argv = ["curl", "-sS", "--fail", "http://127.0.0.1:8080/api/posts"].map(str::to_owned).to_vec();
        match exec::run(&host, Exec { argv, ..Exec::default() }, || ()).await {
            Ok(()) | Err(ProgramError::Exec(_)) => {}
            Err(error) => panic!("{error}"),
        }
    });
    if reports.is_empty() {
        return;
    }
    assert_eq!(lines(&reports, "http-get"), [(PAGE.to_owned(), false)]);
    let by_curl = lines(&reports, "curl");
    // Without curl on the machine the step says so, and there is nothing to compare.
    let is_missing =
        matches!(reports.last(), Some((_, ProgramEvent::Ended { detail, .. })) if detail.contains("not installed"));
    assert!(is_missing || by_curl == [(PAGE.to_owned(), false)], "{by_curl:?}");
}

#[test]
fn both_outputs_of_a_real_program_are_reported_and_then_its_end() {
    let reports = on_a_kernel(async |host| {
        exec::run(&host, shell("echo one; echo two >&2; printf three"), || ()).await.expect("it returns 0");
    });
    if reports.is_empty() {
        return;
    }
    let mut printed = lines(&reports, "sh");
    printed.sort();
    assert_eq!(printed, [("one".to_owned(), false), ("three".to_owned(), false), ("two".to_owned(), true)]);
    let (first, last) = (reports.first().map(|(_, report)| report), reports.last().map(|(_, report)| report));
    assert_eq!(first, Some(&ProgramEvent::Started));
    assert_eq!(last, Some(&ProgramEvent::Ended { ok: true, detail: String::new() }));
}

#[test]
fn a_real_program_that_fails_says_how_and_its_last_words() {
    on_a_kernel(async |host| {
        let failed = |script| {
            let host = host.clone();
            async move { exec::run(&host, shell(script), || ()).await.expect_err("it fails").to_string() }
        };
        let returned = failed("echo no such page >&2; exit 7").await;
        assert_eq!(
            returned,
            "`sh -c echo no such page >&2; exit 7` failed: it returned 7; its last words were: no such page"
        );
        assert_eq!(failed("kill -9 $$").await, "`sh -c kill -9 $$` failed: signal 9 ended it");
        let missing = Exec { argv: vec!["no-such-program-anywhere".into()], ..Exec::default() };
        let missing = exec::run(&host, missing, || ()).await.expect_err("it is not there").to_string();
        assert!(missing.starts_with("`no-such-program-anywhere` is not installed; "), "{missing}");
    });
}

#[test]
fn a_step_does_not_wait_for_a_process_that_its_program_left_behind() {
    on_a_kernel(async |host| {
        // It would hold the pipes open longer than the test's patience.
        exec::run(&host, shell("sleep 1000 & echo left"), || ()).await.expect("it returns 0");
    });
}

#[test]
fn a_real_program_ends_with_its_step() {
    on_a_kernel(async |host| {
        let is_there = shell("grep -l unlikely-marker /proc/[0-9]*/environ");
        let long = Exec { env: vec![("MARK".into(), "unlikely-marker".into())], ..shell("exec sleep 1000") };
        let step = exec::run(&host, long, || ());
        assert!(timeout(Duration::from_millis(300), step).await.is_err(), "it should still run");
        // The signal is on its way when the step is given up; the end needs a moment.
        let mut tries = 0;
        while exec::run(&host, is_there.clone(), || ()).await.is_ok() {
            tries += 1;
            assert!(tries < 100, "it outlives its step");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    });
}
