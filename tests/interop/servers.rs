//! Our clients on a userspace stack, and servers that everybody has, on a kernel: nginx and nsd.
//!
//! Both go into the background by themselves once they listen, so that the next step finds them; the run's end takes them.

use std::fs;
use std::path::Path;

use super::clients::zone;
use super::real::{Ours, Ran, file, openssl};
use crate::support::{Folder, has};

/// A step of the server: this real program, until it has gone into the background.
fn serves(exec: &[&str]) -> String {
    format!(
        "[[step]]\non = \"server\"\nbackground = false\nrun = {{ http-server = {{ port = 80, path = \"/\", body = \"\" }} }}\nexec = {exec:?}\n"
    )
}

fn asks(run: &str) -> String {
    format!("[[step]]\non = \"client\"\nrun = {{ {run} }}\n")
}

/// The client's packets that `filter` selects are so many.
fn expects(id: &str, filter: &str, packets: u32) -> String {
    format!("[[expect]]\nid = \"{id}\"\nthat = \"There are {packets}\"\ncount = '{filter}'\nis = {packets}\n")
}

/// nginx in `folder`, with HTTP on port 80, HTTPS on port 443 and HTTP/2 in the clear on port 8080.
fn nginx(folder: &Path) -> String {
    let place = folder.display();
    let server = "listen 443 ssl http2; ssl_protocols TLSv1.2 TLSv1.3;";
    let configuration = format!(
        r#"
        user root;
        pid {place}/pid;
        events {{ }}
        http {{
          access_log off;
          client_body_temp_path {place}/body; proxy_temp_path {place}/proxy; fastcgi_temp_path {place}/fastcgi;
          uwsgi_temp_path {place}/uwsgi; scgi_temp_path {place}/scgi;
          server {{ listen 80; location / {{ return 200 "nginx $server_protocol $request_uri\n"; }} }}
          server {{ {server} ssl_certificate {place}/server.pem; ssl_certificate_key {place}/server.key;
                    location / {{ return 200 "nginx $ssl_protocol $server_protocol\n"; }} }}
          server {{ listen 8080 http2; location / {{ return 200 "nginx in the clear $server_protocol\n"; }} }}
        }}
        "#
    );
    let file = file(folder, "nginx.conf", &configuration);
    serves(&["nginx", "-c", &file, "-e", "stderr"])
}

/// An authority of its own, and a server's certificate by it; returns the authority's.
fn certificates(folder: &Path) -> String {
    let new = "req -x509 -newkey rsa:2048 -nodes -days 2";
    openssl(folder, &format!("{new} -keyout ca.key -out ca.pem -subj /CN=another-authority"));
    let server = "-keyout server.key -out server.pem -subj /CN=api.example.com -CA ca.pem -CAkey ca.key";
    let extensions = "-addext subjectAltName=DNS:api.example.com -addext basicConstraints=critical,CA:FALSE";
    openssl(folder, &format!("{new} {server} {extensions}"));
    fs::read_to_string(folder.join("ca.pem")).expect("openssl has written it")
}

#[test]
fn our_clients_fetch_pages_of_nginx() {
    let test = "our_clients_fetch_pages_of_nginx";
    if !["nginx", "openssl"].iter().all(|program| has(test, program)) {
        return;
    }
    let folder = Folder::new();
    let trusts = format!("trusts = '''{}'''", certificates(folder.path()));
    let steps = [
        nginx(folder.path()),
        asks(r#"http-get = { url = "http://api.example.com/" }"#),
        asks(&format!(r#"http-get = {{ url = "https://api.example.com/", tls = {{ {trusts} }} }}"#)),
        asks(&format!(
            r#"http-get = {{ url = "https://api.example.com/", tls = {{ {trusts}, alpn = ["http/1.1"] }} }}"#
        )),
        asks(&format!(
            r#"http-get = {{ url = "https://api.example.com/", tls = {{ {trusts}, versions = ["1.2"] }} }}"#
        )),
        asks(r#"http-get = { url = "http://api.example.com:8080/", http2 = true }"#),
        // Whom it does not trust it does not talk to.
        asks(r#"http-get = { url = "https://api.example.com/", may_fail = true }"#),
        asks(
            r#"rest-client = { url = "http://api.example.com/", calls = [{ path = "/one" }, { path = "/two" }], connections = "pipelined" }"#,
        ),
    ];
    let Some(ran) = Ran::of(test, Ours::Client, &[], &steps.concat()) else { return };
    let pages: Vec<_> = ran.client().lines().filter(|line| line.contains("nginx")).map(str::to_owned).collect();
    let expected = [
        "nginx HTTP/1.1 /",
        "nginx TLSv1.3 HTTP/2.0",
        "nginx TLSv1.3 HTTP/1.1",
        "nginx TLSv1.2 HTTP/2.0",
        "nginx in the clear HTTP/2.0",
        "nginx HTTP/1.1 /one",
        "nginx HTTP/1.1 /two",
    ];
    assert_eq!(pages, expected, "{}", ran.client());
}

#[test]
fn our_resolver_and_our_lookups_understand_nsd() {
    let folder = Folder::new();
    let place = folder.path().display();
    let configuration = format!(
        "server:\n  ip-address: 0.0.0.0\n  username: \"\"\n  chroot: \"\"\n  database: \"\"\n  zonesdir: \"{place}\"\n  \
         xfrdir: \"{place}\"\n  pidfile: \"{place}/pid\"\n  xfrdfile: \"{place}/xfrd.state\"\n  zonelistfile: \
         \"{place}/zone.list\"\n  logfile: \"{place}/log\"\nremote-control:\n  control-enable: no\nzone:\n  name: \
         example.com\n  zonefile: zone\n"
    );
    let configuration = file(folder.path(), "nsd.conf", &configuration);
    file(folder.path(), "zone", &zone());
    let all = r#""api.example.com", "api.example.com AAAA", "www.example.com", "example.com MX", "nobody.example.com""#;
    let steps = [
        serves(&["nsd", "-c", &configuration]),
        asks(r#"dns-resolver = { port = 53, upstream = { forward = ["server:53"] } }"#),
        asks(&format!(r#"dns-lookup = {{ server = "server:53", ask = [{all}] }}"#)),
        asks(r#"dns-lookup = { server = "server:53", edns = false, ask = ["notes.example.com TXT"] }"#),
        asks(r#"dns-lookup = { server = "client:53", ask = ["www.example.com", "www.example.com"] }"#),
        // The text came over TCP, and the resolver's second answer out of its memory.
        expects("one-over-tcp", "tcp.flags.syn == 1 && tcp.flags.ack == 0 && tcp.dstport == 53", 1),
        expects("seven-over-udp", "udp.dstport == 53", 7),
    ];
    let test = "our_resolver_and_our_lookups_understand_nsd";
    let Some(ran) = Ran::of(test, Ours::Client, &["nsd"], &steps.concat()) else { return };
    let www = ["api.example.com.", "203.0.113.10"];
    let first = ["203.0.113.10", "2001:db8::10", www[0], www[1], "10 mail.example.com.", "long long long"];
    ran.client_printed(&[first.as_slice(), &www, &www].concat());
}
