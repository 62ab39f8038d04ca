//! Our stack against the kernel's, and against itself: what goes in comes out, octet for octet.
//!
//! The hashes come from the journal, where each end tells of the stream that it saw; each test compares them itself and
//! leaves nothing to the lab's own checks.

mod clients;
mod killed;
mod matrix;
mod options;
mod real;
mod refused;
mod servers;
mod unprivileged;

use std::io::Write as _;
use std::time::Duration;

use wireglass::capture::Direction;
use wireglass::door::DoorKind;
use wireglass::journal::{Event, NodeId, ProgramEvent};
use wireglass::lab::{self, Definition, Finished, Mode, Options, RunError, Wanted};
use wireglass::stack::StackKind;

use super::support::{Folder, live, skip};

const CLIENT: NodeId = NodeId(0);

/// One stream from the client to the server over one link.
struct Transfer {
    /// What the client is in a live run: `linux` or `stack`.
    client: &'static str,
    /// What the server is.
    server: &'static str,
    bytes: u64,
    /// Lines of the link.
    link: &'static str,
    /// Which stack stands for `stack`.
    stack: StackKind,
}

impl Transfer {
    fn from_kernel(bytes: u64, link: &'static str) -> Transfer {
        Transfer { client: "linux", server: "stack", bytes, link, stack: StackKind::default() }
    }

    fn from_stack(bytes: u64, link: &'static str) -> Transfer {
        Transfer { client: "stack", server: "linux", bytes, link, stack: StackKind::default() }
    }

    fn on_smoltcp(self) -> Transfer {
        Transfer { stack: StackKind::Smoltcp, ..self }
    }

    fn lab(&self) -> Definition {
        let Transfer { client, server, bytes, link, stack: _ } = self;
        let text = format!(
            r#"
            id      = "99-transfer"
            title   = "One stream"
            summary = "Octets from one end to the other."
            minutes = 1
            seed    = 99
            [node.client]
            live = "{client}"
            sim  = "stack"
            [node.server]
            live = "{server}"
            sim  = "stack"
            [[link]]
            between = ["client", "server"]
            {link}
            [[step]]
            on  = "server"
            run = {{ sink = {{ port = 9000 }} }}
            [[step]]
            on  = "client"
            run = {{ send = {{ to = "server:9000", bytes = "{bytes}B" }} }}
            "#
        );
        Definition::parse("transfer.toml", &text).expect("the lab is well formed")
    }

    /// Runs it live through this kind of door. `None`, and why, where the machine does not allow that.
    fn live(&self, test: &str, door: DoorKind) -> Option<Finished> {
        let _turn = live::turn();
        match self.run(Mode::Live, Some(door)) {
            Ok(finished) => Some(finished),
            Err(error @ RunError::NotLive(_)) => {
                skip(test, &error.to_string());
                None
            }
            Err(error) => panic!("{error}"),
        }
    }

    fn sim(&self) -> Finished {
        self.run(Mode::Sim, None).expect("a simulation needs nothing")
    }

    fn run(&self, mode: Mode, door: Option<DoorKind>) -> Result<Finished, RunError> {
        let folder = Folder::new();
        let finished = lab::run(
            &self.lab(),
            &Options {
                wanted: Wanted::Only(mode),
                door,
                stack: self.stack,
                out: Some(folder.path().to_owned()),
                holder: Some(env!("CARGO_BIN_EXE_wireglass").into()),
                ..Options::default()
            },
        )?;
        assert_eq!((finished.mode, finished.door), (mode, door));
        Ok(finished)
    }

    /// Both ends saw the same stream, whole; and nothing else went wrong. Says how fast it was.
    fn arrived(&self, finished: &Finished) {
        assert_eq!(finished.failures, []);
        let told = |wanted: fn(&ProgramEvent) -> Option<(u64, String)>| {
            let entries = finished.recorder.journal().entries();
            let streams = entries.filter_map(|entry| match &entry.event {
                Event::Program { report, .. } => wanted(report).map(|stream| (entry.at, stream)),
                _ => None,
            });
            streams.collect::<Vec<_>>()
        };
        let sent = told(|report| match report {
            ProgramEvent::StreamSent { bytes, sha256 } => Some((*bytes, sha256.clone())),
            _ => None,
        });
        let received = told(|report| match report {
            ProgramEvent::StreamReceived { bytes, sha256 } => Some((*bytes, sha256.clone())),
            _ => None,
        });
        let ([(_, sent)], [(at, received)]) = (sent.as_slice(), received.as_slice()) else {
            panic!("one stream was sent and one received, not {sent:?} and {received:?}");
        };
        assert_eq!((sent, sent.0), (received, self.bytes));
        for verdict in &finished.verdicts {
            assert!(!verdict.is_fail(), "{verdict:?}");
        }
        let records = finished.recorder.records(CLIENT);
        let out = records.iter().filter(|record| record.direction == Direction::Out).count();
        let seconds = Duration::from_nanos(at.as_nanos()).as_secs_f64();
        let figures = format!(
            "{}: {} → {} over {:?}: {} octets in {seconds:.3} s ({:.2} MB/s), {} packets, {out} of them from the client",
            self.stack,
            self.client,
            self.server,
            finished.door,
            self.bytes,
            self.bytes as f64 / seconds / 1e6,
            records.len(),
        );
        // Past the test harness, which holds back what a test prints.
        let _ = writeln!(std::io::stderr(), "{figures}");
    }
}

const MB: u64 = 1_000_000;
const LOSS_1: &str = "loss = \"1%\"";
const LOSS_5: &str = "loss = \"5%\"";

fn live_transfer(test: &str, door: DoorKind, transfer: &Transfer) {
    if let Some(finished) = transfer.live(test, door) {
        transfer.arrived(&finished);
    }
}

#[test]
fn ten_megabytes_of_the_kernel_reach_the_stack_through_tun() {
    let transfer = Transfer::from_kernel(10 * MB, "");
    live_transfer("ten_megabytes_of_the_kernel_reach_the_stack_through_tun", DoorKind::Tun, &transfer);
}

#[test]
fn ten_megabytes_of_the_stack_reach_the_kernel_through_tun() {
    let transfer = Transfer::from_stack(10 * MB, "");
    live_transfer("ten_megabytes_of_the_stack_reach_the_kernel_through_tun", DoorKind::Tun, &transfer);
}

#[test]
fn a_megabyte_of_the_kernel_survives_one_percent_of_loss() {
    let transfer = Transfer::from_kernel(MB, LOSS_1);
    live_transfer("a_megabyte_of_the_kernel_survives_one_percent_of_loss", DoorKind::Tun, &transfer);
}

#[test]
fn a_megabyte_of_the_stack_survives_one_percent_of_loss() {
    let transfer = Transfer::from_stack(MB, LOSS_1);
    live_transfer("a_megabyte_of_the_stack_survives_one_percent_of_loss", DoorKind::Tun, &transfer);
}

#[test]
fn two_hundred_kilobytes_of_the_kernel_survive_five_percent_of_loss() {
    let transfer = Transfer::from_kernel(200_000, LOSS_5);
    live_transfer("two_hundred_kilobytes_of_the_kernel_survive_five_percent_of_loss", DoorKind::Tun, &transfer);
}

#[test]
fn two_hundred_kilobytes_of_the_stack_survive_five_percent_of_loss() {
    let transfer = Transfer::from_stack(200_000, LOSS_5);
    live_transfer("two_hundred_kilobytes_of_the_stack_survive_five_percent_of_loss", DoorKind::Tun, &transfer);
}

#[test]
fn a_megabyte_of_the_kernel_survives_loss_on_ethernet_through_tap() {
    let transfer = Transfer::from_kernel(MB, LOSS_1);
    live_transfer("a_megabyte_of_the_kernel_survives_loss_on_ethernet_through_tap", DoorKind::Tap, &transfer);
}

#[test]
fn a_megabyte_of_the_stack_survives_loss_on_ethernet_through_veth() {
    let transfer = Transfer::from_stack(MB, LOSS_1);
    live_transfer("a_megabyte_of_the_stack_survives_loss_on_ethernet_through_veth", DoorKind::Veth, &transfer);
}

#[test]
fn ten_megabytes_pass_between_two_stacks() {
    let transfer = Transfer::from_stack(10 * MB, "delay = \"1ms\"\nrate = \"100mbit\"");
    transfer.arrived(&transfer.sim());
}

#[test]
fn a_megabyte_between_two_stacks_survives_one_percent_of_loss() {
    let transfer = Transfer::from_stack(MB, "delay = \"5ms\"\nloss = \"1%\"");
    transfer.arrived(&transfer.sim());
}

#[test]
fn two_hundred_kilobytes_between_two_stacks_survive_five_percent_of_loss() {
    let transfer = Transfer::from_stack(200_000, "delay = \"5ms\"\nloss = \"5%\"");
    transfer.arrived(&transfer.sim());
}

#[test]
fn a_megabyte_of_the_kernel_reaches_smoltcp_through_tun() {
    let transfer = Transfer::from_kernel(MB, "").on_smoltcp();
    live_transfer("a_megabyte_of_the_kernel_reaches_smoltcp_through_tun", DoorKind::Tun, &transfer);
}

#[test]
fn a_megabyte_of_smoltcp_survives_loss_on_ethernet_through_veth() {
    let transfer = Transfer::from_stack(MB, LOSS_1).on_smoltcp();
    live_transfer("a_megabyte_of_smoltcp_survives_loss_on_ethernet_through_veth", DoorKind::Veth, &transfer);
}

#[test]
fn two_hundred_kilobytes_between_two_smoltcps_survive_five_percent_of_loss() {
    let transfer = Transfer::from_stack(200_000, "delay = \"5ms\"\nloss = \"5%\"").on_smoltcp();
    transfer.arrived(&transfer.sim());
}
