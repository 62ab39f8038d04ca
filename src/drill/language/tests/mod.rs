//! The language, a table for each construct. The scripts are made up here.

mod calls;
mod errors;
mod events;
mod packets;
mod properties;

use super::script::{Body, Call, Event, PacketSpec, Script, TcpSpec, What};
use super::{Definitions, ParseError};

/// A script with a bit of everything.
const CONVERSATION: &str = r#"// A server that answers once.
--tolerance_usecs=10000
--ip_version=ipv4
`../common/defaults.sh
 ../common/set_sysctls.py /proc/sys/net/ipv4/tcp_timestamps=0`

    0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
   +0 setsockopt(3, SOL_SOCKET, SO_REUSEADDR, [1], 4) = 0
   +0 bind(3, {sa_family = AF_INET, sin_port = htons(8080), sin_addr = inet_addr("192.168.0.1")}, ...) = 0
   +0 listen(3, 1) = 0
  +.1 < [ect0] SEW 0:0(0) win 32792 <mss 1000,sackOK,nop,nop,nop,wscale 7>   /* the peer
         knocks */
   +0 > S. 0:0(0) ack 1 <mss 1460,nop,nop,sackOK,nop,wscale 8>
  +.1 < . 1:1(0) ack 1 win 257
   +0...0.2 accept(3, ..., ...) = 4
   +0 fcntl(4, F_GETFL) = 0x802 (flags O_RDWR|O_NONBLOCK)
   +0 sendmsg(4, {msg_name(...)=..., msg_iov(2)=[{..., 10}, {"ab\x00" "c", 4}], msg_flags=0}, MSG_EOR|MSG_MORE) = 14
   +0~+.01 > P. 1:15(14) ack 1
  +.1 < . 1:1(0) ack 1 win 257 <sack 5:9 11:15,nop,nop>
    * > . 1:1(0) ack 1 <...>
   +0 %{ assert tcpi_snd_cwnd == 10, 'cwnd=%d' % tcpi_snd_cwnd }%
  +.1 < icmp unreachable frag_needed mtu 1200 [1:15(14)]
   +0 close(4) = -1 EBADF (Bad file descriptor)
   +0 `sysctl -q net.ipv4.tcp_sack=1`

`/tmp/sysctl_restore_${PPID}.sh`
"#;

fn parse(text: &str) -> Script {
    Script::parse(text, "made-up.pkt").unwrap_or_else(|error| panic!("{error}"))
}

fn parse_with(text: &str, definitions: &[&str]) -> Script {
    let mut known = Definitions::new();
    definitions.iter().for_each(|definition| known.define(definition).expect("NAME=value"));
    Script::parse_with(text, "made-up.pkt", &known).unwrap_or_else(|error| panic!("{error}"))
}

fn error(text: &str) -> ParseError {
    Script::parse(text, "made-up.pkt").expect_err(text)
}

/// The only event of a script.
fn event(text: &str) -> Event {
    let mut events = parse(text).events;
    assert_eq!(events.len(), 1, "{text}");
    events.pop().expect("there is one")
}

fn unsupported(text: &str) -> String {
    match event(text).what {
        What::Unsupported(reason) => reason,
        other => panic!("{text}: {other:?}"),
    }
}

fn call(text: &str) -> Call {
    match event(text).what {
        What::Call(call) => call,
        other => panic!("{text}: {other:?}"),
    }
}

fn packet(text: &str) -> PacketSpec {
    match event(text).what {
        What::Inject(packet) | What::Expect(packet) => packet,
        other => panic!("{text}: {other:?}"),
    }
}

fn segment(text: &str) -> TcpSpec {
    match packet(text).body {
        Body::Tcp(segment) => segment,
        other => panic!("{text}: {other:?}"),
    }
}
