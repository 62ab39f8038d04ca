//! Networks as tests describe them: what runs, what fails, and what is left.

use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::{BuildError, Link, Network, Nodes, SelectError};
use crate::socket::TcpStream;

/// A folder that is gone when the test is over.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Folder {
        let path = std::env::temp_dir().join(format!("wireglass-testing-{name}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&path);
        Folder(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

async fn echo(stream: TcpStream) -> super::Result {
    let (mut read, mut write) = stream.into_split();
    tokio::io::copy(&mut read, &mut write).await?;
    Ok(())
}

/// A server that echoes, for ever.
fn serve(nodes: &Nodes) -> super::Result {
    let server = nodes.get("server")?;
    let listener = server.listen(7)?;
    server.clone().spawn(async move {
        loop {
            let (stream, _) = listener.accept().await?;
            server.spawn(echo(stream));
        }
    });
    Ok(())
}

/// Sends so many octets through the server and back.
async fn ask(nodes: Nodes, octets: usize) -> super::Result<usize> {
    serve(&nodes)?;
    let (mut read, mut write) = nodes.get("client")?.connect("server:7").await?.into_split();
    let sending = async move {
        write.write_all(&vec![7; octets]).await?;
        write.shutdown().await
    };
    let mut back = Vec::new();
    let (sent, read) = tokio::join!(sending, read.read_to_end(&mut back));
    sent?;
    Ok(read?)
}

fn network(link: Link) -> Network {
    Network::builder().seed(7).link("client", "server", link).build().expect("it makes sense")
}

fn files(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let mut files: Vec<(String, Vec<u8>)> = std::fs::read_dir(folder)
        .expect("it was made")
        .map(|entry| entry.expect("it can be read").path())
        .map(|path| {
            (
                path.file_name().expect("a file").to_string_lossy().into_owned(),
                std::fs::read(&path).expect("it can be read"),
            )
        })
        .collect();
    files.sort();
    files
}

#[test]
fn the_same_network_does_the_same_again_to_the_octet() {
    let folder = Folder::new("again");
    let saved = |network: &mut Network, name: &str| {
        let octets = network.run(|nodes| ask(nodes, 60_000)).expect("TCP copes");
        network.save(folder.0.join(name)).expect("there is room");
        (octets, network.elapsed(), files(&folder.0.join(name)))
    };
    let lossy = || Link::new().delay_ms(20).loss(0.05).jitter(Duration::from_millis(2));
    let mut one = network(lossy());
    let first = saved(&mut one, "first");
    assert_eq!(first, saved(&mut one, "second"), "each run begins anew");
    assert_eq!(first, saved(&mut network(lossy()), "third"), "and so does each network");
    assert_eq!(first.0, 60_000);
    let names: Vec<&str> = first.2.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["client.pcapng", "journal.jsonl", "server.pcapng"]);
    let mut other = Network::builder().seed(8).link("client", "server", lossy()).build().expect("it makes sense");
    assert_ne!(first.2, saved(&mut other, "other").2, "another seed, other packets");
}

#[test]
fn packets_are_selected_as_in_wireshark() {
    let mut network = network(Link::new().delay_ms(5).drop_nth("tcp.len > 0 && ip.dst == server", [1]));
    assert_eq!(network.count("client", ""), Err(SelectError::NotRun));
    network.run(|nodes| ask(nodes, 1000)).expect("TCP copes");
    assert_eq!(network.count("client", "tcp.flags.syn == 1"), Ok(2));
    assert_eq!(network.count("client", "tcp.len > 0 && ip.src == client"), Ok(2), "it goes twice");
    assert_eq!(network.count("server", "tcp.len > 0 && ip.src == client"), Ok(1), "it comes once");
    let first = network.packets("server", "tcp.seq == 1 && tcp.len > 0 && ip.dst == server").expect("it makes sense");
    assert!(first[0].0 > 2);
    let error = network.count("sever", "").expect_err("there is none");
    assert_eq!(error.to_string(), "no node is named `sever`: the nodes are client, server");
    assert!(network.count("client", "tcp.nonsense").is_err());
    assert!(network.journal().is_some_and(|journal| journal.entries().len() > 10));
}

#[test]
fn an_error_leaves_captures_and_says_where() {
    let folder = Folder::new("error");
    let mut network = Network::builder()
        .name("an error")
        .captures(&folder.0)
        .link("client", "server", Link::new())
        .build()
        .expect("it makes sense");
    let failure = network
        .run(|nodes| async move {
            nodes.get("client")?.connect("server:80").await?;
            Ok(())
        })
        .expect_err("nobody listens");
    let client = folder.0.join("an-error/client.pcapng");
    assert_eq!(failure.captures(), [client.clone(), folder.0.join("an-error/server.pcapng")]);
    let words = format!("{failure:?}");
    assert!(words.starts_with("Connection refused (os error 111)\n"), "{words}");
    assert!(words.contains(&format!("wireshark {}", client.display())), "{words}");
    let capture = std::fs::read(&client).expect("it was written");
    assert_eq!(capture.get(..4), Some(&[0x0a, 0x0d, 0x0d, 0x0a][..]), "a section header");
    let comment = b"opens the connection";
    assert!(capture.windows(comment.len()).any(|window| window == comment), "packets have their reasons");
}

#[test]
fn a_panic_leaves_captures_and_goes_on() {
    let folder = Folder::new("panic");
    let mut network = Network::builder()
        .name("panic")
        .captures(&folder.0)
        .link("client", "server", Link::new())
        .build()
        .expect("it makes sense");
    let panic = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        network.run(|nodes| async move {
            let octets = ask(nodes, 10).await?;
            assert_eq!(octets, 11, "as it should be");
            Ok(())
        })
    }));
    let words = panic.expect_err("ten are not eleven");
    assert!(words.downcast_ref::<String>().is_some_and(|words| words.contains("as it should be")));
    assert!(folder.0.join("panic/server.pcapng").is_file());
    assert_eq!(network.count("client", "tcp.flags.syn == 1"), Ok(2), "it can still be looked at");
}

#[test]
fn a_program_beside_them_that_fails_ends_the_run_at_once() {
    let folder = Folder::new("beside");
    let mut network = Network::builder()
        .name("beside")
        .captures(&folder.0)
        .link("client", "server", Link::new())
        .build()
        .expect("it makes sense");
    let mut fails = |panics: bool| {
        network.run(|nodes| async move {
            nodes.get("server")?.spawn(async move {
                tokio::time::sleep(Duration::from_secs(3)).await;
                assert!(!panics, "out of {}", "paper");
                Err("out of ink".into())
            });
            std::future::pending::<super::Result>().await
        })
    };
    let error = fails(false).expect_err("the server fails").to_string();
    assert!(error.starts_with("a program of `server` failed: out of ink\n"), "{error}");
    let error = fails(true).expect_err("the server panics").to_string();
    assert!(error.starts_with("a program of `server` panicked: out of paper\n"), "{error}");
    assert_eq!(network.elapsed(), Duration::from_secs(3));
}

#[test]
fn programs_that_never_end_are_ended() {
    let folder = Folder::new("limit");
    let mut network = Network::builder()
        .name("limit")
        .captures(&folder.0)
        .limit(Duration::from_secs(90))
        .node("client")
        .build()
        .expect("it makes sense");
    let error = network.run(|_| std::future::pending::<super::Result>()).expect_err("it waits for ever").to_string();
    assert!(error.starts_with("the run did not end within 90 s of virtual time"), "{error}");
}

#[test]
fn a_runtime_inside_a_runtime_is_refused() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    let error = runtime.block_on(async { network(Link::new()).run(|nodes| ask(nodes, 1)).expect_err("it cannot be") });
    assert!(error.to_string().contains("#[test] in place of #[tokio::test]"), "{error}");
}

#[test]
fn every_node_reaches_those_that_it_has_a_link_to() {
    let far = Link::new().delay_ms(50);
    let mut network = Network::builder()
        .link("a", "b", Link::new().delay_ms(10))
        .link("b", "c", far.clone())
        .one_way("b", "a", far)
        .build()
        .expect("it makes sense");
    network
        .run(|nodes| async move {
            let [a, b, c] = nodes.named(["a", "b", "c"])?;
            let listener = b.listen(80)?;
            b.spawn(async move {
                loop {
                    let (stream, _) = listener.accept().await?;
                    tokio::task::spawn_local(echo(stream));
                }
            });
            for (node, round_trip) in [(&a, 60), (&c, 100)] {
                let began = tokio::time::Instant::now();
                let mut stream = node.connect(("b", 80)).await?;
                assert_eq!(began.elapsed(), Duration::from_millis(round_trip), "{}", node.name());
                stream.write_all(b"x").await?;
                assert_eq!(stream.read(&mut [0; 9]).await?, 1);
            }
            // Over IPv6, too.
            let to = std::net::SocketAddr::new(b.addresses()[1], 81);
            let listener = b.listen(to)?;
            let (connected, accepted) = tokio::join!(c.connect(to), listener.accept());
            assert_eq!((connected?.peer_addr()?, accepted?.1.ip()), (to, c.addresses()[1]));
            // Between these there is no link.
            let waiting = tokio::time::timeout(Duration::from_secs(60), a.connect("c:80")).await;
            assert!(waiting.is_err());
            Ok(())
        })
        .expect("all is well");
}

#[test]
fn in_a_mesh_everybody_reaches_everybody() {
    let nodes = ["a", "b", "c", "d"];
    let mut network = nodes.iter().fold(Network::builder(), |builder, name| builder.node(name));
    network = network.mesh(Link::new()).link("a", "d", Link::new().delay_ms(30));
    network
        .build()
        .expect("it makes sense")
        .run(|all| async move {
            let sockets = all.named(nodes)?.map(|node| node.udp(9).map(|socket| (node, socket)));
            for (from, to) in (0..16).map(|pair| (pair / 4, pair % 4)) {
                let ((node, sender), (_, receiver)) =
                    (sockets[from].as_ref().expect("bound"), sockets[to].as_ref().expect("bound"));
                sender.send_to(b"x", node.lookup((nodes[to], 9))?).await?;
                let (octets, sender) = receiver.recv_from(&mut [0; 9]).await?;
                assert_eq!((octets, sender.ip()), (1, node.address()));
            }
            Ok(())
        })
        .expect("all is well");
}

/// RFC 9293 §3.8.4, §3.8.3: what one side learns of a peer that can no longer be reached, and when.
#[test]
fn what_was_cut_is_noticed_and_what_was_mended_goes_on() {
    let mut network = network(Link::new().delay_ms(10));
    network
        .run(|nodes| async move {
            serve(&nodes)?;
            let client = nodes.get("client")?;
            let mut stream = client.connect("server:7").await?;
            nodes.partition("client", "server")?;
            stream.write_all(b"hello").await?;
            let waiting = tokio::time::timeout(Duration::from_secs(5), stream.read(&mut [0; 9])).await;
            assert!(waiting.is_err());
            nodes.repair("client", "server")?;
            assert_eq!(stream.read(&mut [0; 9]).await?, 5, "it is sent again until it arrives");
            use crate::stack::SocketOption;
            stream.set_option(SocketOption::KeepAlive(Some(Duration::from_secs(10))))?;
            stream.set_option(SocketOption::KeepAliveInterval(Duration::from_secs(1)))?;
            stream.set_option(SocketOption::KeepAliveProbes(3))?;
            nodes.partition_one_way("client", "server", true)?;
            let began = tokio::time::Instant::now();
            let error = stream.read(&mut [0; 9]).await.expect_err("the probes are not answered");
            assert_eq!((error.kind(), began.elapsed().as_secs()), (std::io::ErrorKind::TimedOut, 13));
            assert_eq!(stream.read(&mut [0; 9]).await?, 0, "it was told once");
            Ok(())
        })
        .expect("all is well");
    let dropped = network.packets("client", "").expect("it ran").into_iter().filter(|(_, record)| {
        record.comments.iter().any(|comment| comment.to_string().contains("dropped by rule partition"))
    });
    assert!(dropped.count() >= 5, "the capture says what became of them");
}

#[test]
fn a_name_that_nobody_has_is_an_error_that_helps() {
    let mut network = network(Link::new());
    network
        .run(|nodes| async move {
            let client = nodes.get("client")?;
            let error = client.connect("sever:80").await.expect_err("nobody is called so");
            assert_eq!(error.kind(), std::io::ErrorKind::NotFound);
            assert_eq!(error.to_string(), "no node is named `sever`: the nodes are client, server");
            let error = client.connect("server").await.expect_err("a port is missing");
            assert_eq!(error.kind(), std::io::ErrorKind::InvalidInput);
            assert!(nodes.named(["client", "nobody"]).is_err());
            Ok(())
        })
        .expect("all is well");
}

#[test]
fn what_makes_no_sense_is_refused() {
    let build = |builder: super::NetworkBuilder| builder.build().err();
    let with = |link| build(Network::builder().link("a", "b", link));
    assert_eq!(with(Link::new().loss(1.5)), Some(BuildError::Odds("1.5".to_owned())));
    assert_eq!(with(Link::new().reorder(f64::NAN, 3)), Some(BuildError::Odds("NaN".to_owned())));
    assert!(matches!(with(Link::new().drop("tcp.nonsense")), Some(BuildError::Filter { .. })));
    assert!(matches!(with(Link::new().drop("event.kind == retransmit")), Some(BuildError::NotAPacket(_))));
    assert!(matches!(build(Network::builder().node("a/b")), Some(BuildError::Name(_))));
    assert_eq!(build(Network::builder().link("a", "a", Link::new())), Some(BuildError::Loop("a".to_owned())));
}
