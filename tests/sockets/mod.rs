//! Our sockets beside tokio's: one body of scenarios, compiled twice, played in two worlds, and what was seen compared.
//!
//! `streams.rs`, `listeners.rs` and `datagrams.rs` speak of `TcpStream` and its like. Once these are tokio's own, over
//! the kernel's loopback; once ours, in virtual time. That it compiles shows that the verbs are the same; that both logs
//! are equal shows that they do the same. What was seen stands in the snapshots, to be read.

// Once for each world: that is the point.
#![allow(clippy::duplicate_mod)]

mod log;
mod only_ours;

/// tokio's own sockets, over the kernel's loopback.
mod kernel {
    #[path = "../datagrams.rs"]
    pub(super) mod datagrams;
    #[path = "../listeners.rs"]
    pub(super) mod listeners;
    pub(super) mod net;
    #[path = "../streams.rs"]
    pub(super) mod streams;
}

/// Our sockets, over a network in virtual time.
mod ours {
    #[path = "../datagrams.rs"]
    pub(super) mod datagrams;
    #[path = "../listeners.rs"]
    pub(super) mod listeners;
    pub(super) mod net;
    #[path = "../streams.rs"]
    pub(super) mod streams;
}

/// Plays every scenario of a file in both worlds, compares what was seen, and returns it.
macro_rules! side_by_side {
    ($file:ident) => {{
        assert_eq!(ours::$file::NAMES, kernel::$file::NAMES, "it is the same file");
        let (mut told, mut differences) = (String::new(), String::new());
        for name in ours::$file::NAMES {
            let kernel = kernel::net::play(|place, log| async move { kernel::$file::play(name, &place, &log).await });
            let ours = ours::net::play(|place, log| async move { ours::$file::play(name, &place, &log).await });
            told += &format!("{name}\n{kernel}\n");
            if ours != kernel {
                differences += &format!("{name}\n--- tokio's\n{kernel}--- ours\n{ours}\n");
            }
        }
        assert!(differences.is_empty(), "\n{differences}");
        told
    }};
}

#[test]
fn streams_do_what_those_of_tokio_do() {
    insta::assert_snapshot!(side_by_side!(streams));
}

#[test]
fn listeners_and_sockets_do_what_those_of_tokio_do() {
    insta::assert_snapshot!(side_by_side!(listeners));
}

#[test]
fn datagrams_do_what_those_of_tokio_do() {
    insta::assert_snapshot!(side_by_side!(datagrams));
}
