//! The numbers that Linux gives to the names of its system calls, and back.
//!
//! What lives here: one table, of which every constant and every look-up is made. Errors are in [`Errno`](super::Errno).

macro_rules! numbers {
    ($($name:ident = $number:expr;)*) => {
        $(
            #[doc = concat!("Linux's `", stringify!($name), "`.")]
            #[allow(non_upper_case_globals, reason = "scripts write TCP_CA_Open")]
            pub const $name: i32 = $number;
        )*

        /// Every name with its number.
        const NUMBERS: &[(&str, i32)] = &[$((stringify!($name), $number)),*];
    };
}

numbers! {
    AF_UNSPEC = 0; AF_INET = 2; AF_INET6 = 10; PF_INET = 2; PF_INET6 = 10;
    SOCK_STREAM = 1; SOCK_DGRAM = 2; SOCK_RAW = 3; SOCK_NONBLOCK = 0o4000; SOCK_CLOEXEC = 0o2000000;
    IPPROTO_IP = 0; IPPROTO_ICMP = 1; IPPROTO_TCP = 6; IPPROTO_UDP = 17; IPPROTO_IPV6 = 41; IPPROTO_ICMPV6 = 58;
    SOL_IP = 0; SOL_SOCKET = 1; SOL_TCP = 6; SOL_UDP = 17; SOL_IPV6 = 41;
    SHUT_RD = 0; SHUT_WR = 1; SHUT_RDWR = 2;

    SO_DEBUG = 1; SO_REUSEADDR = 2; SO_TYPE = 3; SO_ERROR = 4; SO_DONTROUTE = 5; SO_BROADCAST = 6; SO_SNDBUF = 7;
    SO_RCVBUF = 8; SO_KEEPALIVE = 9; SO_OOBINLINE = 10; SO_NO_CHECK = 11; SO_PRIORITY = 12; SO_LINGER = 13;
    SO_REUSEPORT = 15; SO_RCVLOWAT = 18; SO_SNDLOWAT = 19; SO_RCVTIMEO = 20; SO_SNDTIMEO = 21; SO_BINDTODEVICE = 25;
    SO_TIMESTAMP = 29; SO_ACCEPTCONN = 30; SO_SNDBUFFORCE = 32; SO_RCVBUFFORCE = 33; SO_MARK = 36;
    SO_TIMESTAMPING = 37; SO_PROTOCOL = 38; SO_DOMAIN = 39; SO_BUSY_POLL = 46; SO_MAX_PACING_RATE = 47;
    SO_INCOMING_CPU = 49; SO_MEMINFO = 55; SO_ZEROCOPY = 60; SO_TXTIME = 61;

    TCP_NODELAY = 1; TCP_MAXSEG = 2; TCP_CORK = 3; TCP_KEEPIDLE = 4; TCP_KEEPINTVL = 5; TCP_KEEPCNT = 6; TCP_SYNCNT = 7;
    TCP_LINGER2 = 8; TCP_DEFER_ACCEPT = 9; TCP_WINDOW_CLAMP = 10; TCP_INFO = 11; TCP_QUICKACK = 12; TCP_CONGESTION = 13;
    TCP_MD5SIG = 14; TCP_THIN_LINEAR_TIMEOUTS = 16; TCP_THIN_DUPACK = 17; TCP_USER_TIMEOUT = 18; TCP_REPAIR = 19;
    TCP_FASTOPEN = 23; TCP_TIMESTAMP = 24; TCP_NOTSENT_LOWAT = 25; TCP_CC_INFO = 26; TCP_SAVE_SYN = 27;
    TCP_SAVED_SYN = 28; TCP_FASTOPEN_CONNECT = 30; TCP_ULP = 31; TCP_FASTOPEN_KEY = 33; TCP_FASTOPEN_NO_COOKIE = 34;
    TCP_ZEROCOPY_RECEIVE = 35; TCP_INQ = 36; TCP_CM_INQ = 36; TCP_TX_DELAY = 37;

    IP_TOS = 1; IP_TTL = 2; IP_MTU_DISCOVER = 10; IP_RECVERR = 11; IP_MTU = 14; IP_FREEBIND = 15; IP_TRANSPARENT = 19;
    IP_PMTUDISC_DONT = 0; IP_PMTUDISC_WANT = 1; IP_PMTUDISC_DO = 2; IP_PMTUDISC_PROBE = 3;
    IP_PMTUDISC_INTERFACE = 4; IP_PMTUDISC_OMIT = 5;
    IPV6_UNICAST_HOPS = 16; IPV6_MTU_DISCOVER = 23; IPV6_MTU = 24; IPV6_RECVERR = 25; IPV6_V6ONLY = 26;
    IPV6_TCLASS = 67;

    MSG_OOB = 0x1; MSG_PEEK = 0x2; MSG_DONTROUTE = 0x4; MSG_CTRUNC = 0x8; MSG_TRUNC = 0x20; MSG_DONTWAIT = 0x40;
    MSG_EOR = 0x80; MSG_WAITALL = 0x100; MSG_CONFIRM = 0x800; MSG_ERRQUEUE = 0x2000; MSG_NOSIGNAL = 0x4000;
    MSG_MORE = 0x8000; MSG_ZEROCOPY = 0x4000000; MSG_FASTOPEN = 0x20000000; MSG_CMSG_CLOEXEC = 0x40000000;

    O_RDONLY = 0; O_WRONLY = 1; O_RDWR = 2; O_APPEND = 0o2000; O_NONBLOCK = 0o4000; FD_CLOEXEC = 1;
    F_DUPFD = 0; F_GETFD = 1; F_SETFD = 2; F_GETFL = 3; F_SETFL = 4;
    FIONREAD = 0x541b; SIOCINQ = 0x541b; SIOCOUTQ = 0x5411; SIOCOUTQNSD = 0x894b; FIONBIO = 0x5421; SIOCATMARK = 0x8905;

    POLLIN = 0x1; POLLPRI = 0x2; POLLOUT = 0x4; POLLERR = 0x8; POLLHUP = 0x10; POLLNVAL = 0x20; POLLRDNORM = 0x40;
    POLLRDBAND = 0x80; POLLWRNORM = 0x100; POLLWRBAND = 0x200; POLLRDHUP = 0x2000;
    EPOLLIN = 0x1; EPOLLPRI = 0x2; EPOLLOUT = 0x4; EPOLLERR = 0x8; EPOLLHUP = 0x10; EPOLLRDNORM = 0x40;
    EPOLLRDBAND = 0x80; EPOLLWRNORM = 0x100; EPOLLWRBAND = 0x200; EPOLLRDHUP = 0x2000; EPOLLEXCLUSIVE = 1 << 28;
    EPOLLWAKEUP = 1 << 29; EPOLLONESHOT = 1 << 30; EPOLLET = i32::MIN;
    EPOLL_CTL_ADD = 1; EPOLL_CTL_DEL = 2; EPOLL_CTL_MOD = 3;
    SPLICE_F_MOVE = 1; SPLICE_F_NONBLOCK = 2; SPLICE_F_MORE = 4;

    TCP_ESTABLISHED = 1; TCP_SYN_SENT = 2; TCP_SYN_RECV = 3; TCP_FIN_WAIT1 = 4; TCP_FIN_WAIT2 = 5; TCP_TIME_WAIT = 6;
    TCP_CLOSE = 7; TCP_CLOSE_WAIT = 8; TCP_LAST_ACK = 9; TCP_LISTEN = 10; TCP_CLOSING = 11;
    TCP_CA_Open = 0; TCP_CA_Disorder = 1; TCP_CA_CWR = 2; TCP_CA_Recovery = 3; TCP_CA_Loss = 4;
    TCPI_OPT_TIMESTAMPS = 1; TCPI_OPT_SACK = 2; TCPI_OPT_WSCALE = 4; TCPI_OPT_ECN = 8; TCPI_OPT_ECN_SEEN = 16;
    TCPI_OPT_SYN_DATA = 32; TCP_INFINITE_SSTHRESH = 0x7fff_ffff;
}

/// The number of a name: `SO_REUSEADDR` is 2. `None` for a name that is not Linux's, or that nothing here understands.
pub fn number(name: &str) -> Option<i32> {
    NUMBERS.iter().find(|(known, _)| *known == name).map(|(_, number)| *number)
}

/// How a script would write a socket option: `SO_REUSEADDR`, or `option 99 of level 6` when it has no name here.
pub fn option_name(level: i32, option: i32) -> String {
    let prefixes: &[&str] = match level {
        SOL_SOCKET => &["SO_"],
        IPPROTO_TCP => &["TCP_"],
        IPPROTO_IP => &["IP_"],
        IPPROTO_IPV6 => &["IPV6_"],
        _ => &[],
    };
    // Only the rows before the first flag of a message are options; states and constants follow.
    let options = NUMBERS.iter().skip_while(|(name, _)| *name != "SO_DEBUG").take_while(|(name, _)| *name != "MSG_OOB");
    let named = |(name, number): &&(&str, i32)| {
        *number == option && prefixes.iter().any(|prefix| name.starts_with(prefix)) && !name.contains("PMTUDISC")
    };
    match options.clone().find(named) {
        Some((name, _)) => (*name).to_owned(),
        None => format!("option {option} of level {level}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_has_the_number_that_linux_gives_it() {
        let cases = [
            ("SO_REUSEADDR", nix::libc::SO_REUSEADDR),
            ("SO_ZEROCOPY", nix::libc::SO_ZEROCOPY),
            ("TCP_USER_TIMEOUT", nix::libc::TCP_USER_TIMEOUT),
            ("TCP_FASTOPEN_CONNECT", nix::libc::TCP_FASTOPEN_CONNECT),
            ("IPV6_TCLASS", nix::libc::IPV6_TCLASS),
            ("MSG_FASTOPEN", nix::libc::MSG_FASTOPEN),
            ("MSG_MORE", nix::libc::MSG_MORE),
            ("O_NONBLOCK", nix::libc::O_NONBLOCK),
            ("SOCK_NONBLOCK", nix::libc::SOCK_NONBLOCK),
            ("EPOLLET", nix::libc::EPOLLET),
            ("EPOLLRDHUP", nix::libc::EPOLLRDHUP),
            ("POLLHUP", nix::libc::POLLHUP.into()),
        ];
        for (name, expected) in cases {
            assert_eq!(number(name), Some(expected), "{name}");
        }
        assert_eq!(number("SO_NONSENSE"), None);
    }

    #[test]
    fn an_option_is_named_by_its_level() {
        assert_eq!(option_name(SOL_SOCKET, 2), "SO_REUSEADDR");
        assert_eq!(option_name(IPPROTO_TCP, 2), "TCP_MAXSEG");
        assert_eq!(option_name(IPPROTO_IP, 2), "IP_TTL");
        assert_eq!(option_name(IPPROTO_IPV6, 67), "IPV6_TCLASS");
        assert_eq!(option_name(77, 3), "option 3 of level 77");
    }
}
