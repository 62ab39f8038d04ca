use proptest::prelude::*;

use super::*;

/// Pieces of scripts, right and wrong.
const WORDS: &[&str] = &[
    "0",
    "+0",
    "+.1",
    "*",
    "+0~+.5",
    "+0...0.3",
    "99999999",
    "< ",
    "> ",
    "S",
    "S.",
    ".",
    "P.",
    "R.",
    "F.",
    "-",
    "UEW",
    "0:0(0)",
    "1:1(0)",
    "1:11(10)",
    "1:65536(65535)",
    "4294967295:4294967295(0)",
    "ack 1",
    "ack 4294967295",
    "win 0",
    "win 65535",
    "urg 7",
    "<mss 1460>",
    "<...>",
    "<sackOK,eol,eol>",
    "<nop,nop,TS val 1 ecr 7>",
    "<nop,nop,sack 5:6>",
    "udp (7)",
    "icmp unreachable [1:1(0)]",
    "[ect0]",
];

/// Whole lines, right and wrong.
const LINES: &[&str] = &[
    "+0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 5\n",
    "+0 socket(..., SOCK_DGRAM, IPPROTO_UDP) = 6\n",
    "+0 bind(5, ..., ...) = 0\n",
    "+0 listen(5, 1) = 0\n",
    "+0 connect(5, ..., ...) = -1 EINPROGRESS (Operation now in progress)\n",
    "+0 accept(5, ..., ...) = 7\n",
    "+0 close(4) = 0\n",
    "+0 close(3) = 0\n",
    "+0 write(4, ..., 100000) = ...\n",
    "+0 read(4, ..., 67108864) = ...\n",
    "+0 shutdown(4, SHUT_RDWR) = 0\n",
    "+0...9 read(4, ..., 1) = ...\n",
    "+0 fcntl(4, F_SETFL, O_RDWR|O_NONBLOCK) = 0\n",
    "+0 write(4, ..., -1) = 0\n",
    "+0 ioctl(4, SIOCINQ, [0]) = 0\n",
    "+0 pipe([8, 9]) = 0\n",
    "+0 epoll_create(1) = 10\n",
    "+0 poll([], 0, 0) = 0\n",
    "+0 getsockopt(4, SOL_SOCKET, SO_ERROR, [0], [4]) = 0\n",
    "+0 setsockopt(4, SOL_SOCKET, SO_LINGER, {onoff=1, linger=0}, 8) = 0\n",
    "+1000000 < F. 1:1(0) ack 1 win 1\n",
    "+0 < R 1:1(0) win 0\n",
    "* > . 1:1(0) ack 1\n",
    "+0 %{ assert tcpi_state == 1 }%\n",
    "+0 `sysctl -q net.ipv4.tcp_sack=0`\n",
    "+0 connect(4, AF_UNSPEC, ...) = 0\n",
    "+0 < icmp echo_request\n",
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    /// Any end but a panic or a hang will do.
    #[test]
    fn any_script_that_can_be_read_comes_to_an_end(
        lines in prop::collection::vec(
            prop_oneof![
                prop::sample::select(LINES).prop_map(str::to_owned),
                prop::collection::vec(prop::sample::select(WORDS), 2..8).prop_map(|words| words.join(" ") + "\n"),
            ],
            0..12,
        ),
        is_established in any::<bool>(),
        by_meaning in any::<bool>(),
    ) {
        let mut text = if is_established { ESTABLISHED } else { "0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 5\n" }.to_owned();
        for line in lines {
            // Lines that cannot be read are left out, or hardly any script could be.
            let longer = format!("{text}{line}");
            if Script::parse(&longer, "test.pkt").is_ok() {
                text = longer;
            }
        }
        let exactness = if by_meaning { Exactness::ByMeaning } else { Exactness::Strict };
        let outcome = ran_with(&text, &Options { exactness, ..Options::default() });
        prop_assert!(outcome.events <= text.lines().count());
    }
}
