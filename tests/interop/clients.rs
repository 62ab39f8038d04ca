//! Clients that everybody has, on a kernel, and our servers on a userspace stack: curl, openssl, nghttp, dig, a browser.

use std::env;

use super::real::{Ours, Ran};
use crate::support::{Folder, has};

/// One page, plain, with TLS, and over HTTP/2 in the clear.
const PAGES: &str = r#"
    [[step]]
    on  = "server"
    run = { http-server = { port = 80, path = "/", body = "hello over HTTP" } }
    [[step]]
    on  = "server"
    run = { http-server = { port = 443, path = "/", body = "hello over TLS", tls = { name = "api.example.com" } } }
    [[step]]
    on  = "server"
    run = { http-server = { port = 8080, path = "/", body = "hello over HTTP/2", http2 = true } }
"#;

/// A step of the client: this real program.
fn calls(exec: &[&str]) -> String {
    format!("[[step]]\non = \"client\"\nrun = {{ http-get = {{ url = \"http://server/\" }} }}\nexec = {exec:?}\n")
}

#[test]
fn curl_is_content_with_http_and_https_and_http_2() {
    let curl = |more: &[&str]| calls(&[&["curl", "--silent", "--show-error", "--verbose"], more].concat());
    let steps = [
        PAGES.to_owned(),
        curl(&["http://api.example.com/"]),
        curl(&["--http1.1", "https://api.example.com/"]),
        curl(&["--http2", "https://api.example.com/"]),
        curl(&["--http2-prior-knowledge", "http://api.example.com:8080/"]),
    ];
    let Some(ran) = Ran::of("curl_is_content_with_http_and_https_and_http_2", Ours::Server, &["curl"], &steps.concat())
    else {
        return;
    };
    // The lines of its two streams may come in any order, so that bodies and headers are looked for apart.
    for body in ["hello over HTTP\n", "hello over TLS\n", "hello over HTTP/2"] {
        ran.client_printed(&[body]);
    }
    ran.client_printed(&["> GET / HTTP/1.1", "< HTTP/1.1 200 OK", "SSL connection using TLSv1.3"]);
    let agreed = ["ALPN: server accepted http/1.1", "issuer: CN=wireglass lab authority", "SSL certificate verify ok"];
    ran.client_printed(&agreed);
    ran.client_printed(&["ALPN: server accepted h2", "SSL certificate verify ok", "< HTTP/2 200", "< HTTP/2 200"]);
}

#[test]
fn openssl_verifies_the_certificate_and_refuses_another_name() {
    let connect = "openssl s_client -connect api.example.com:443 -servername api.example.com -tls1_3";
    // It ends when it has nothing to send.
    let verifies = |name: &str| {
        calls(&[
            "sh",
            "-c",
            &format!("{connect} -verify_return_error -verify_hostname {name} < /dev/null 2>&1 || echo ended with $?"),
        ])
    };
    let steps = [PAGES.to_owned(), verifies("api.example.com"), verifies("other.example.com")].concat();
    let test = "openssl_verifies_the_certificate_and_refuses_another_name";
    let Some(ran) = Ran::of(test, Ours::Server, &["openssl"], &steps) else { return };
    ran.client_printed(&[
        "issuer=CN = wireglass lab authority",
        "Server Temp Key: X25519",
        "Verification: OK",
        "Verified peername: api.example.com",
        "New, TLSv1.3",
        "Verify return code: 0 (ok)",
        "verify error:num=62:hostname mismatch",
        "ended with 1",
    ]);
}

#[test]
fn nghttp_speaks_http_2_over_tls_and_in_the_clear() {
    let nghttp = |url: &str| calls(&["nghttp", "--verbose", url]);
    let steps = [PAGES.to_owned(), nghttp("https://api.example.com/"), nghttp("http://api.example.com:8080/")].concat();
    let test = "nghttp_speaks_http_2_over_tls_and_in_the_clear";
    let Some(ran) = Ran::of(test, Ours::Server, &["nghttp"], &steps) else { return };
    let answered = ["recv SETTINGS frame", ":status: 200", "END_HEADERS", "END_STREAM", "NO_ERROR"];
    ran.client_printed(&[&["The negotiated protocol: h2"], answered.as_slice(), answered.as_slice()].concat());
    ran.client_printed(&["hello over TLS"]);
    ran.client_printed(&["hello over HTTP/2"]);
}

/// What `dig` is asked for, and `nsd` is told, in `servers.rs`.
pub(super) const ZONE: &str = "
$ORIGIN example.com.
@      3600 IN SOA   ns hostmaster 2026042701 7200 3600 1209600 60
@      3600 IN NS    ns
@      3600 IN MX    10 mail
ns     3600 IN A     10.0.0.2
mail   3600 IN A     203.0.113.25
api     300 IN A     203.0.113.10
api     300 IN AAAA  2001:db8::10
www     300 IN CNAME api
notes   300 IN TXT   \"LONG\" \"LONG\" \"LONG\"
";

/// The zone with a text that no datagram of plain DNS holds.
pub(super) fn zone() -> String {
    ZONE.replace("LONG", &"long ".repeat(40))
}

#[test]
fn dig_reads_all_records_and_asks_again_over_tcp() {
    let server =
        format!("[[step]]\non = \"server\"\nrun = {{ dns-server = {{ port = 53, zones = ['''{}'''] }} }}\n", zone());
    let dig = |more: &[&str]| calls(&[&["dig", "@10.0.0.2"], more].concat());
    let steps = [
        server,
        dig(&["api.example.com", "A"]),
        dig(&["api.example.com", "AAAA"]),
        dig(&["www.example.com", "A"]),
        dig(&["example.com", "MX"]),
        dig(&["nobody.example.com", "A"]),
        dig(&["+noedns", "+ignore", "notes.example.com", "TXT"]),
        dig(&["+noedns", "notes.example.com", "TXT"]),
    ];
    let test = "dig_reads_all_records_and_asks_again_over_tcp";
    let Some(ran) = Ran::of(test, Ours::Server, &["dig"], &steps.concat()) else { return };
    ran.client_printed(&["status: NOERROR", "api.example.com.\t300\tIN\tA\t203.0.113.10", "(UDP)"]);
    ran.client_printed(&["api.example.com.\t300\tIN\tAAAA\t2001:db8::10"]);
    ran.client_printed(&["www.example.com.\t300\tIN\tCNAME\tapi.example.com.", "IN\tA\t203.0.113.10"]);
    ran.client_printed(&["example.com.\t\t3600\tIN\tMX\t10 mail.example.com.", "ADDITIONAL SECTION", "203.0.113.25"]);
    ran.client_printed(&["status: NXDOMAIN", "AUTHORITY SECTION", "IN\tSOA\t"]);
    ran.client_printed(&[
        "flags: qr aa tc rd",
        "ANSWER: 0",
        ";; Truncated, retrying in TCP mode.",
        "ANSWER: 1",
        "long long",
        "(TCP)",
    ]);
}

/// A page that asks one server for posts and listens to another's news, and shows what it was told.
const PAGE: &str = r##"
    [[step]]
    on  = "server"
    run = { http-server = { port = 80, pages = [{ path = "/", headers = { Content-Type = "text/html" }, body = '''
<!DOCTYPE html>
<title>Posts</title>
<p id="rest">waiting</p>
<p id="socket">waiting</p>
<script>
const show = (id, text) => document.getElementById(id).textContent = text;
fetch('http://api.example.com:8080/api/posts')
  .then(answer => answer.json().then(posts => show('rest', answer.status + ' ' + posts.posts[0].title)))
  .catch(error => show('rest', error));
const socket = new WebSocket('ws://api.example.com:8081/orders');
socket.onmessage = message => { show('socket', JSON.parse(message.data).data.status); socket.close(); };
socket.onerror = () => show('socket', 'an error');
</script>
''' }] } }
    [[step]]
    on  = "server"
    run = { rest-server = { port = 8080, path = "/api/posts", posts = ["First post"], headers = { Access-Control-Allow-Origin = "*" } } }
    [[step]]
    on  = "server"
    run = { feed-server = { port = 8081, path = "/orders", news = [{ at = "0s", event = "order.updated", data = '{"status": "shipped"}' }] } }
"##;

#[test]
fn a_browser_shows_what_rest_and_a_websocket_have_told_it() {
    let test = "a_browser_shows_what_rest_and_a_websocket_have_told_it";
    // Distributions call it differently.
    let names = ["chromium-headless-shell", "chromium", "chromium-browser", "google-chrome"];
    let folders: Vec<_> = env::split_paths(&env::var_os("PATH").unwrap_or_default()).collect();
    let is_there = |name: &&&str| folders.iter().any(|folder| folder.join(name).is_file());
    let browser = names.iter().find(is_there).unwrap_or(&names[0]);
    if !has(test, browser) {
        return;
    }
    let profile = Folder::new();
    let exec = [
        "timeout",
        "60",
        browser,
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-dev-shm-usage",
        "--no-proxy-server",
        &format!("--user-data-dir={}", profile.path().display()),
        // In the page's own time, which stands still while a request is under way.
        "--virtual-time-budget=10000",
        "--dump-dom",
        "http://api.example.com/",
    ];
    let Some(ran) = Ran::of(test, Ours::Server, &[], &(PAGE.to_owned() + &calls(&exec))) else { return };
    ran.client_printed(&[r#"<p id="rest">200 First post</p>"#, r#"<p id="socket">shipped</p>"#]);
}
