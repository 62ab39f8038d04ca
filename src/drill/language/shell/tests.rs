//! Commands and their meaning.

use super::*;

fn sysctl(name: &str, value: &str) -> Directive {
    Directive::Sysctl { name: name.to_owned(), value: value.to_owned() }
}

fn ignore(command: &str) -> Directive {
    Directive::Ignore { command: command.to_owned() }
}

fn unsupported(command: &str) -> Directive {
    Directive::Unsupported { command: command.to_owned() }
}

fn forget(command: &str) -> Directive {
    Directive::ForgetPeers { command: command.to_owned() }
}

#[test]
fn settings_are_read_from_all_who_make_them() {
    let cases = [
        ("sysctl -q net.ipv4.tcp_sack=0", vec![sysctl("net.ipv4.tcp_sack", "0")]),
        ("sysctl -w net.inet.tcp.sack.enable=1", vec![sysctl("net.inet.tcp.sack.enable", "1")]),
        ("/sbin/sysctl -e -q a.b=1", vec![sysctl("a.b", "1")]),
        ("sysctl -q net/ipv4/tcp_x=200", vec![sysctl("net.ipv4.tcp_x", "200")]),
        ("sysctl -q a.b=1 c.d=0x402", vec![sysctl("a.b", "1"), sysctl("c.d", "0x402")]),
        ("sysctl -q net.ipv4.tcp_rmem=\"4096  5000\t60\"", vec![sysctl("net.ipv4.tcp_rmem", "4096 5000 60")]),
        ("sysctl -q 'a.b=1 2'", vec![sysctl("a.b", "1 2")]),
        ("../set_sysctls.py /proc/sys/net/ipv4/tcp_ecn=1", vec![sysctl("net.ipv4.tcp_ecn", "1")]),
        (
            "../set_sysctls.py /proc/sys/a/b=1 \\\n   /proc/sys/a/c=2\\\n /proc/sys/a/d=\"3 4\"",
            vec![sysctl("a.b", "1"), sysctl("a.c", "2"), sysctl("a.d", "3 4")],
        ),
        ("echo 5 > /proc/sys/net/ipv4/tcp_x", vec![sysctl("net.ipv4.tcp_x", "5")]),
        ("echo \"5 6\">/proc/sys/net/ipv4/tcp_x", vec![sysctl("net.ipv4.tcp_x", "5 6")]),
        ("echo 3 > /sys/module/tcp_cubic/parameters/hystart", vec![sysctl("module.tcp_cubic.hystart", "3")]),
    ];
    for (command, expected) in cases {
        assert_eq!(directives(command), expected, "{command}");
    }
}

#[test]
fn the_suites_own_start_is_written_out() {
    let meant = directives("../../common/defaults.sh");
    assert_eq!(meant.first(), Some(&forget("../../common/defaults.sh")));
    for (name, value) in [
        ("tcp_rmem", "4096 540000 15728640"),
        ("tcp_wmem", "4096 262144 4194304"),
        ("tcp_congestion_control", "cubic"),
        ("tcp_slow_start_after_idle", "0"),
        ("tcp_fastopen", "0x70403"),
        ("tcp_ecn", "0"),
    ] {
        assert!(meant.contains(&sysctl(&format!("net.ipv4.{name}"), value)), "{name}");
    }
    assert_eq!(meant.len(), 24);
    // What follows it wins, as it comes later.
    let more = directives("../common/defaults.sh\n ../common/set_sysctls.py /proc/sys/net/ipv4/tcp_ecn=1\n");
    assert_eq!(more.last(), Some(&sysctl("net.ipv4.tcp_ecn", "1")));
    assert_eq!(more.len(), 25);
}

#[test]
fn what_a_stack_of_ours_cannot_show_is_ignored_by_name() {
    for command in [
        "/tmp/sysctl_restore_${PPID}.sh",
        "ethtool -K tun0 gso off tso off",
        "nstat > /dev/null",
        "nstat >/dev/null 2>&1",
        "kldload tcp_rack",
        "tc qdisc add dev tun0 root pfifo",
        "/bin/rm -f /tmp/a /tmp/b",
        "dd bs=1 count=9 if=/dev/zero of=/tmp/a status=none",
    ] {
        assert_eq!(directives(command), [ignore(command)]);
    }
    for command in ["ip tcp_metrics flush all > /dev/null 2>&1", "sysctl -w net.inet.tcp.hostcache.purgenow=1"] {
        assert_eq!(directives(command), [forget(command)]);
    }
}

#[test]
fn everything_else_is_unsupported_and_named() {
    for command in [
        "true",
        "sleep 1",
        "sysctl -q net.ipv4.tcp_sack",
        "sysctl -a",
        "sysctl",
        "sysctl -q tcp_sack=1",
        "sysctl -q net.ipv4.tcp_sack=1 > file",
        "sysctl -p net.ipv4.conf=1",
        "../set_sysctls.py",
        "../defaults.sh now",
        "echo 5",
        "echo 5 > /tmp/file",
        "echo 5 6 > /proc/sys/a/b",
        "echo 5 > /proc/sys/",
        "echo 5 > /sys/module/x/y",
        "ethtool -k tun0",
        "rm /tmp/a",
        "rm -f /tmp/a /etc/b",
        "rm -f /tmp/../etc/b",
        "dd if=/tmp/a of=/etc/b",
        "ip route change 192.0.2.1 dev tun0 mtu lock 640",
        "ip tcp_metrics flush",
        "tc qdisc add dev tun0 root pfifo limit 0",
        "tc qdisc replace dev tun0 root fq",
        "nstat -n",
        "nstat | grep TcpExt > /dev/null",
        "a || b",
        "sysctl -q a.b=1 || sysctl -q c.d=1",
        "sysctl -q a.b=$((1+1))",
        "sysctl -q a.b=$X",
        "sysctl -q a.b=1 &",
        "(sysctl -q a.b=1)",
        "sysctl -q \"a.b=1",
        "sysctl -q a.b=1 >",
        "| sysctl -q a.b=1",
        "cat < /proc/sys/a/b",
        "kldload",
        "setkey -F",
        "/tmp/other_restore.sh",
    ] {
        assert_eq!(directives(command), [unsupported(command)]);
    }
}

#[test]
fn commands_follow_each_other_on_lines_and_behind_marks() {
    let block = "# a comment; sysctl -q no.no=1\n\n sysctl -q a.b=1 # and another\nsysctl -q c.d=2; sysctl -q e.f=3;\n\
                 sysctl -q g.h=4 &&\n sysctl -q i.j=5\nbogus here ; sysctl -q k.l=6\n";
    let expected = [
        sysctl("a.b", "1"),
        sysctl("c.d", "2"),
        sysctl("e.f", "3"),
        sysctl("g.h", "4"),
        sysctl("i.j", "5"),
        unsupported("bogus here"),
        sysctl("k.l", "6"),
    ];
    assert_eq!(directives(block), expected);
    assert_eq!(directives(""), []);
    assert_eq!(directives("\n # nothing\n"), []);
}

#[test]
fn connections_are_counted_in_freebsds_way() {
    let expected = |command: &str, state: &str, port, count| Directive::Connections {
        command: command.to_owned(),
        state: state.to_owned(),
        port,
        count,
    };
    for (command, state, port, count) in [
        ("sockstat -4 -P tcp -s | grep packetdril | grep -c TIME_WAIT | grep 1", "TIME_WAIT", None, 1),
        ("sockstat -6 -P tcp -p 8080 -s | grep -c SYN_RCVD | grep 0", "SYN_RCVD", Some(8080), 0),
        ("sockstat -4 -P tcp -s -p 80 | grep -c CLOSED | grep 12", "CLOSED", Some(80), 12),
    ] {
        assert_eq!(directives(command), [expected(command, state, port, count)]);
    }
    for command in [
        "sockstat -4 -P tcp -s | grep -c TIME_WAIT",
        "sockstat -4 -P tcp | grep -c TIME_WAIT | grep 1",
        "sockstat -4 -P udp -s | grep -c TIME_WAIT | grep 1",
        "sockstat -4 -P tcp -s | grep other | grep -c TIME_WAIT | grep 1",
        "sockstat -4 -P tcp -s | grep -c TIME_WAIT | grep one",
        "sockstat -4 -P tcp -s || grep -c TIME_WAIT | grep 1",
        "netstat -s | grep -c TIME_WAIT | grep 1",
        "sockstat -4 -P tcp -s | grep TIME_WAIT | grep 1",
    ] {
        assert_eq!(directives(command), [unsupported(command)]);
    }
}
