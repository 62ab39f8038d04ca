//! Both questions, over a userspace network in virtual time.

use crate::app::run;
use crate::app::tests::{CLIENT, SERVER, Seen, harass, pair, program, scene, start, wire};
use crate::journal::ProgramEvent;
use crate::rng::Rng;

fn server(more: &str) -> String {
    format!(
        r#"{{ access-server = {{ port = 80, secret = "s3cret", {more} callers = [
            {{ name = "alice", role = "user", password = "wonderland" }},
            {{ name = "bob", role = "admin", password = "builder" }},
            {{ name = "cron", role = "admin", api_key = "key-789" }},
        ] }} }}"#
    )
}

fn client(name: &str, password: &str, more: &str) -> String {
    format!(
        r#"{{ access-client = {{ url = "http://server/", name = "{name}", password = "{password}", {more} requests = [
            {{ path = "/profile" }},
            {{ path = "/admin/users", with = "token" }},
            {{ path = "/admin/users", with = "forged" }},
            {{ path = "/admin/users", with = "unsigned" }},
            {{ path = "/admin/users", with = "session" }},
            {{ path = "/admin/users", with = "api-key" }},
        ] }} }}"#
    )
}

fn statuses(seen: &Seen) -> Vec<u16> {
    let told = seen.reports(CLIENT).into_iter().filter_map(|report| match report {
        ProgramEvent::Response { status, .. } => Some(status),
        _ => None,
    });
    told.collect()
}

#[test]
fn who_calls_is_asked_before_what_they_may() {
    let table = [
        ("alice", "wonderland", "", [200, 401, 403, 401, 401, 403, 401]),
        ("bob", "builder", r#"api_key = "key-789","#, [200, 401, 200, 200, 401, 200, 200]),
        ("bob", "builder", r#"login = "client-credentials","#, [200, 401, 200, 200, 401, 401, 401]),
        ("alice", "wrong", "", [401, 401, 401, 401, 401, 401, 401]),
        ("cron", "", r#"login = "client-credentials","#, [401, 401, 401, 401, 401, 401, 401]),
    ];
    for (name, password, more, expected) in table {
        let (outcome, seen) = pair(1, wire(), &server(""), &client(name, password, more));
        outcome.expect("a refusal is an answer");
        assert_eq!(statuses(&seen), expected, "{name} {more}");
    }
}

#[test]
fn refusals_say_what_is_missing() {
    let (_, seen) = pair(1, wire(), &server(""), &client("alice", "wonderland", ""));
    let said = seen.sent_text(SERVER);
    assert!(said.contains("\"error\": \"Permission denied\",\n\"code\": \"PERMISSION_DENIED\""), "{said}");
    assert!(said.contains("Www-Authenticate: Bearer realm=\"api.example.com\"\r\n"), "{said}");
    for why in ["The signature does not match", "The token is not signed with HS256", "Credentials are needed"] {
        assert!(said.contains(why), "{why}: {said}");
    }
    assert!(said.contains("; HttpOnly; SameSite=Strict\r\n"), "{said}");
    assert!(seen.sent_text(CLIENT).contains("Authorization: Bearer eyJhbGciOiJIUzI1NiIs"));
}

#[test]
fn a_clock_that_is_ahead_finds_fresh_tokens_expired() {
    for (ahead, expected) in [("59min", 403), ("60min", 401)] {
        let server = server(&format!(r#"clock_ahead = "{ahead}","#));
        let (outcome, seen) = pair(1, wire(), &server, &client("alice", "wonderland", ""));
        outcome.expect("a refusal is an answer");
        assert_eq!(statuses(&seen)[2], expected, "{ahead}");
        assert_eq!(seen.sent_text(SERVER).contains("The token has expired"), expected == 401);
    }
}

/// A request of one of three kinds.
fn asked(rng: &mut Rng) -> Vec<u8> {
    let whole: [&[u8]; 3] = [
        b"POST /login HTTP/1.1\r\nHost: server\r\nContent-Length: 43\r\n\r\n{\"user\": \"alice\", \"password\": \"wonderland\"}",
        b"POST /oauth/token HTTP/1.1\r\nHost: server\r\nContent-Length: 65\r\n\r\n\
          grant_type=client_credentials&client_id=bob&client_secret=builder",
        b"GET /admin/users HTTP/1.1\r\nHost: server\r\nAuthorization: Bearer eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.e30.x\
          \r\nCookie: session=1; a=b\r\nX-API-Key: key-789\r\n\r\n",
    ];
    whole[rng.below(3) as usize].to_vec()
}

#[test]
fn the_server_answers_after_ten_thousand_malformed_requests() {
    let ((), seen) = scene(7, wire(), |client_host, host, resolver| async move {
        let task = start(&server(""), &host, 1).await;
        harass(&client_host, 80, asked).await;
        assert!(!task.is_finished(), "it has ended");
        let client = program(&client("bob", "builder", ""));
        run(&client, &client_host, &resolver, 1, || ()).await.expect("it still answers");
    });
    assert_eq!(statuses(&seen)[..3], [200, 401, 200]);
}
