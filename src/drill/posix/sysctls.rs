//! The sysctls of Linux and FreeBSD that scripts set, and what they mean for a connection.
//!
//! What lives here: names, values as text, and the [`TcpConfig`] that follows from them. What does not: where they come
//! from (a script's shell command, or `/proc/sys` of a network namespace).
//!
//! A name has one of three fates: it means something (a row of [`Sysctls::set`]); it has no effect that a script could
//! see on the wire of a stack like ours, and is kept as text ([`WITHOUT_EFFECT`]); or it is refused, and the script with
//! it is *unsupported*.

mod path;

use std::collections::BTreeMap;
use std::time::Duration;

use crate::stack::{Congestion, CongestionChoice, Ecn, FastOpen, FastOpenKeys, SynCookies, TcpConfig};
use crate::tcp::{PathDiscovery, PathProbing};

/// The largest shift of a window (RFC 7323 §2.3).
const LARGEST_SHIFT: u32 = 14;

/// The bits of `tcp_fastopen`.
const OPENS_FAST: u32 = 0x1;
const LISTENS_FAST: u32 = 0x2;
const OPENS_WITHOUT_COOKIE: u32 = 0x4;
const TAKES_WITHOUT_COOKIE: u32 = 0x200;
const EVERY_LISTENER: u32 = 0x400;
/// How long FreeBSD leaves a path alone that has disappointed it (`net.inet.tcp.fastopen.path_disable_time`).
const FREEBSD_REST: Duration = Duration::from_secs(900);

/// Sysctls that change nothing here: how Linux batches its work, and bounds that scripts set to their usual values.
const WITHOUT_EFFECT: &[&str] = &[
    "ip_local_port_range",
    "tcp_abc",
    "tcp_adv_win_scale",
    "tcp_allowed_congestion_control",
    "tcp_app_win",
    "tcp_autocorking",
    "tcp_available_congestion_control",
    "tcp_challenge_ack_limit",
    "tcp_ecn_fallback",
    "tcp_ecn_option",
    "tcp_fack",
    "tcp_fastopen_cookies",
    "tcp_limit_output_bytes",
    "tcp_max_orphans",
    "tcp_max_syn_backlog",
    "tcp_max_tw_buckets",
    "tcp_mem",
    "tcp_min_snd_mss",
    "tcp_moderate_rcvbuf",
    "tcp_no_metrics_save",
    "tcp_no_ssthresh_metrics_save",
    "tcp_pacing_ca_ratio",
    "tcp_pacing_ss_ratio",
    "tcp_tso_rtt_log",
    "tcp_tso_win_divisor",
    "tcp_tw_reuse",
    "tcp_workaround_signed_windows",
    // CUBIC leaves slow start by losses alone here: there is no HyStart++ (RFC 9406) to be set.
    "module.tcp_cubic.hystart_detect",
    "net.inet.tcp.blackhole",
    "net.inet.tcp.hostcache.purgenow",
    "net.inet.tcp.icmp_may_rst",
    "net.inet.tcp.rexmit_drop_options",
];

/// Sysctls that only mean something at values that the stack does not have: any other value is refused.
const ONLY: &[(&str, &[&str], &str)] = &[
    ("tcp_recovery", &["1"], "loss recovery is as built"),
    ("tcp_early_retrans", &["3", "4"], "tail loss probes are as built"),
    ("tcp_frto", &["2"], "F-RTO is as built"),
    ("tcp_dsack", &["1"], "duplicate SACKs are as built"),
    ("tcp_reordering", &["3"], "the first guess of reordering is 3 segments"),
    ("tcp_invalid_ratelimit", &["500"], "answers to invalid segments are 500 ms apart"),
    ("tcp_orphan_retries", &["0", "8"], "data of closed sockets is sent again 8 times"),
    ("tcp_fastopen_blackhole_timeout_sec", &["0"], "a path that has lost Fast Open's SYNs is tried again at once"),
    ("tcp_stdurg", &["0"], "the urgent pointer is that of RFC 6093"),
    ("tcp_thin_linear_timeouts", &["0"], "every time-out doubles"),
];

/// The Linux sysctls that mean something here, by their file names below `/proc/sys/net/ipv4`: for whoever takes them
/// from a real network namespace.
pub const MEANINGFUL: &[&str] = &[
    "tcp_timestamps",
    "tcp_sack",
    "tcp_window_scaling",
    "tcp_ecn",
    "tcp_slow_start_after_idle",
    "tcp_min_tso_segs",
    "tcp_notsent_lowat",
    "tcp_rfc1337",
    "tcp_fastopen",
    "tcp_fastopen_key",
    "tcp_syncookies",
    "tcp_rmem",
    "tcp_wmem",
    "tcp_syn_retries",
    "tcp_synack_retries",
    "tcp_retries2",
    "tcp_fin_timeout",
    "tcp_keepalive_time",
    "tcp_keepalive_intvl",
    "tcp_keepalive_probes",
    "tcp_congestion_control",
    "tcp_mtu_probing",
    "tcp_base_mss",
    "tcp_mtu_probe_floor",
    "tcp_probe_interval",
    "tcp_probe_threshold",
    "tcp_retries1",
    "ip_no_pmtu_disc",
    "tcp_recovery",
    "tcp_early_retrans",
    "tcp_frto",
    "tcp_dsack",
    "tcp_reordering",
];

/// What a stack's sysctls say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sysctls {
    /// `tcp_timestamps`: offered and taken (RFC 7323 §3).
    pub timestamps: bool,
    /// `tcp_sack`: offered and taken (RFC 2018).
    pub sack: bool,
    /// `tcp_window_scaling`: offered and taken (RFC 7323 §2).
    pub window_scaling: bool,
    /// `tcp_ecn`: 0 never, 1 asked for, 2 granted (RFC 3168).
    pub ecn: Ecn,
    /// `tcp_slow_start_after_idle`
    pub slow_start_after_idle: bool,
    /// `tcp_rmem`: least, usual and greatest octets of the receive buffer, with the kernel's overhead.
    pub receive_memory: [u32; 3],
    /// `tcp_wmem`: the same of the send buffer.
    pub send_memory: [u32; 3],
    /// `tcp_syn_retries`
    pub syn_retries: u8,
    /// `tcp_synack_retries`
    pub syn_ack_retries: u8,
    /// `tcp_retries2`
    pub retries: u8,
    /// `tcp_fin_timeout`
    pub fin_wait_2: Duration,
    /// `tcp_keepalive_time`
    pub keep_alive: Duration,
    /// `tcp_keepalive_intvl`
    pub keep_alive_interval: Duration,
    /// `tcp_keepalive_probes`
    pub keep_alive_probes: u8,
    /// `tcp_congestion_control`
    pub congestion: CongestionName,
    /// `net.inet.tcp.delacktime`; `None` leaves it to the stack.
    pub delayed_ack: Option<Duration>,
    /// `net.inet.tcp.rexmit_initial`; `None` leaves it to the stack.
    pub rto_initial: Option<Duration>,
    /// `tcp_notsent_lowat`: octets not yet sent that make a socket "full".
    pub unsent_low_water: u32,
    /// `tcp_min_tso_segs`: segments of the least burst.
    pub least_burst: u32,
    /// `tcp_rfc1337`: TIME-WAIT ignores resets (RFC 1337).
    pub protect_time_wait: bool,
    /// `net.inet.tcp.insecure_rst`: any reset in the window counts.
    pub trusts_resets: bool,
    /// `net.inet.tcp.insecure_syn`: a SYN in the window ends a connection.
    pub trusts_syns: bool,
    /// `net.inet.tcp.drop_synfin`
    pub drops_syn_fin: bool,
    /// `tcp_mtu_probing` and its kin, `tcp_retries1`, `ip_no_pmtu_disc`, `route.min_pmtu`. Linux and FreeBSD believe reports
    /// that RFC 5927 would doubt.
    pub path: PathDiscovery,
    /// `tcp_fastopen`: 1 as a client, 2 as a server, 4 and 0x200 without cookies, 0x400 on every listener (RFC 7413).
    pub fast_open: u32,
    /// `tcp_fastopen_key`; `None`: nobody has set it.
    pub fast_open_keys: Option<FastOpenKeys>,
    /// `tcp_syncookies`: 0 never, 1 when a listener has no room, 2 always (RFC 4987 §3.6).
    pub syn_cookies: SynCookies,
    /// The names are FreeBSD's, and so are its habits: acknowledgments wait from the first segment on.
    pub freebsd: bool,
    /// What was set and has no effect.
    others: BTreeMap<String, String>,
}

/// A congestion control, by the name Linux has for it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CongestionName(pub Congestion);

impl CongestionName {
    /// What `reno`, `newreno`, `cubic` or `bbr` means; `None` for one that is not built in.
    pub fn named(name: &str) -> Option<CongestionName> {
        match name {
            "reno" | "newreno" => Some(CongestionName(Congestion::Reno)),
            "cubic" => Some(CongestionName(Congestion::Cubic)),
            "bbr" => Some(CongestionName(Congestion::Bbr)),
            _ => None,
        }
    }

    /// As sockets are asked for it; `None` for one that they cannot be asked for.
    pub fn choice(self) -> Option<CongestionChoice> {
        Some(match self.0 {
            Congestion::None => CongestionChoice::None,
            Congestion::Reno => CongestionChoice::Reno,
            Congestion::Cubic => CongestionChoice::Cubic,
            Congestion::Bbr => CongestionChoice::Bbr,
            Congestion::Other(_) => return None,
        })
    }

    /// As `TCP_CONGESTION` says it.
    pub fn name(self) -> &'static str {
        match self.0 {
            Congestion::None => "none",
            Congestion::Reno => "reno",
            Congestion::Cubic => "cubic",
            Congestion::Bbr => "bbr",
            Congestion::Other(algorithm) => algorithm.name,
        }
    }
}

/// Why a sysctl cannot be set.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SysctlError {
    /// Nobody here knows what it would mean.
    #[error("sysctl {0} is not known here")]
    Unknown(String),
    /// Not what such a value looks like.
    #[error("sysctl {name} cannot be `{value}`")]
    BadValue {
        /// The sysctl.
        name: String,
        /// What was to be set.
        value: String,
    },
    /// It is known, and the stack cannot do it.
    #[error("sysctl {name}={value}: {why}")]
    Unsupported {
        /// The sysctl.
        name: String,
        /// What was to be set.
        value: String,
        /// What the stack does instead.
        why: &'static str,
    },
}

impl Default for Sysctls {
    /// Linux's.
    fn default() -> Sysctls {
        Sysctls {
            timestamps: true,
            sack: true,
            window_scaling: true,
            ecn: Ecn::Passive,
            slow_start_after_idle: true,
            receive_memory: [4_096, 131_072, 6_291_456],
            send_memory: [4_096, 16_384, 4_194_304],
            syn_retries: 6,
            syn_ack_retries: 5,
            retries: 15,
            fin_wait_2: Duration::from_secs(60),
            keep_alive: Duration::from_secs(7_200),
            keep_alive_interval: Duration::from_secs(75),
            keep_alive_probes: 9,
            congestion: CongestionName(Congestion::Cubic),
            delayed_ack: None,
            rto_initial: None,
            unsent_low_water: u32::MAX,
            least_burst: 2,
            protect_time_wait: false,
            trusts_resets: false,
            trusts_syns: false,
            drops_syn_fin: true,
            path: PathDiscovery { probing: PathProbing::Off, trusts_reports: true, ..PathDiscovery::default() },
            fast_open: OPENS_FAST,
            fast_open_keys: None,
            syn_cookies: SynCookies::WhenFull,
            freebsd: false,
            others: BTreeMap::new(),
        }
    }
}

impl Sysctls {
    /// Sets `name` to `value`, both as `sysctl` takes them: `net.ipv4.tcp_sack`, or its path below `/proc/sys`.
    ///
    /// # Errors
    /// [`SysctlError`] when a script that needs this cannot be judged.
    pub fn set(&mut self, name: &str, value: &str) -> Result<(), SysctlError> {
        let (name, value) = (short(name), value.trim().trim_matches('"'));
        let bad = || SysctlError::BadValue { name: name.clone(), value: value.to_owned() };
        let number = || value.parse::<u32>().map_err(|_| bad());
        let small = || value.parse::<u8>().map_err(|_| bad());
        let switch = || number().map(|number| number != 0);
        let seconds = || number().map(|number| Duration::from_secs(number.into()));
        if name.starts_with("net.inet.") {
            self.freebsd = true;
        }
        let millis = || number().map(|number| Duration::from_millis(number.into()));
        match name.as_str() {
            "tcp_timestamps" => self.timestamps = switch()?,
            "tcp_sack" | "net.inet.tcp.sack.enable" => self.sack = switch()?,
            "tcp_window_scaling" => self.window_scaling = switch()?,
            "net.inet.tcp.rfc1323" => (self.timestamps, self.window_scaling) = (switch()?, switch()?),
            "tcp_ecn" | "net.inet.tcp.ecn.enable" => self.ecn = ecn_of(&name, value, small()?)?,
            "tcp_notsent_lowat" => self.unsent_low_water = number()?,
            "tcp_min_tso_segs" => self.least_burst = number()?.max(1),
            "tcp_rfc1337" => self.protect_time_wait = switch()?,
            "net.inet.tcp.insecure_rst" => self.trusts_resets = switch()?,
            "net.inet.tcp.insecure_syn" => self.trusts_syns = switch()?,
            "net.inet.tcp.drop_synfin" => self.drops_syn_fin = switch()?,
            "tcp_fastopen" => self.fast_open = flags(value).ok_or_else(bad)?,
            "tcp_fastopen_key" => self.fast_open_keys = Some(keys(value).ok_or_else(bad)?),
            "tcp_syncookies" => self.syn_cookies = cookies_of(small()?),
            "net.inet.tcp.syncookies" if self.syn_cookies == SynCookies::Always => {}
            "net.inet.tcp.syncookies" => self.syn_cookies = cookies_of(switch()?.into()),
            "net.inet.tcp.syncookies_only" => {
                self.syn_cookies = if switch()? { SynCookies::Always } else { SynCookies::WhenFull };
            }
            "net.inet.tcp.fastopen.client_enable" => {
                self.fast_open = self.fast_open & !OPENS_FAST | if switch()? { OPENS_FAST } else { 0 };
            }
            "tcp_slow_start_after_idle" => self.slow_start_after_idle = switch()?,
            "tcp_rmem" => self.receive_memory = three(value).ok_or_else(bad)?,
            "tcp_wmem" => self.send_memory = three(value).ok_or_else(bad)?,
            // FreeBSD's buffers hold what they say; Linux's half of it.
            "net.inet.tcp.recvspace" => self.receive_memory = [number()?.saturating_mul(2); 3],
            "net.inet.tcp.sendspace" => self.send_memory = [number()?; 3],
            "tcp_syn_retries" => self.syn_retries = small()?,
            "tcp_synack_retries" => self.syn_ack_retries = small()?,
            "tcp_retries2" => self.retries = small()?,
            "tcp_fin_timeout" => self.fin_wait_2 = seconds()?,
            "tcp_keepalive_time" => self.keep_alive = seconds()?,
            "tcp_keepalive_intvl" => self.keep_alive_interval = seconds()?,
            "tcp_keepalive_probes" | "net.inet.tcp.keepcnt" => self.keep_alive_probes = small()?,
            "net.inet.tcp.keepidle" => self.keep_alive = millis()?,
            "net.inet.tcp.keepintvl" => self.keep_alive_interval = millis()?,
            "net.inet.tcp.delacktime" => self.delayed_ack = Some(millis()?),
            "net.inet.tcp.rexmit_initial" => self.rto_initial = Some(millis()?),
            "tcp_congestion_control" => {
                self.congestion = CongestionName::named(value).ok_or_else(|| SysctlError::Unsupported {
                    name: name.clone(),
                    value: value.to_owned(),
                    why: "only reno, cubic and bbr are built in",
                })?;
            }
            _ if self.set_path(&name, value)? => {}
            _ => return self.set_other(name, value),
        }
        Ok(())
    }

    fn set_other(&mut self, name: String, value: &str) -> Result<(), SysctlError> {
        if let Some((_, allowed, why)) = ONLY.iter().find(|(known, _, _)| *known == name)
            && !allowed.contains(&value)
        {
            return Err(SysctlError::Unsupported { name, value: value.to_owned(), why });
        }
        let is_known = WITHOUT_EFFECT.contains(&name.as_str()) || ONLY.iter().any(|(known, _, _)| *known == name);
        if !is_known {
            return Err(SysctlError::Unknown(name));
        }
        self.others.insert(name, value.to_owned());
        Ok(())
    }

    /// What a socket made now begins with; what sysctls do not say is taken from `defaults`.
    pub fn tcp_config(&self, defaults: &TcpConfig) -> TcpConfig {
        let receive_buffer = window_of(self.receive_memory[1]);
        TcpConfig {
            timestamps: self.timestamps,
            sack: self.sack,
            ecn: self.ecn,
            quick_acks: !self.freebsd,
            least_burst: self.least_burst,
            protect_time_wait: self.protect_time_wait || self.freebsd,
            trusts_resets: self.trusts_resets,
            trusts_syns: self.trusts_syns,
            drops_syn_fin: self.drops_syn_fin,
            path: self.path,
            window_scaling: self.window_scaling,
            window_scale: Some(shift_for(self.receive_memory[2])),
            slow_start_after_idle: self.slow_start_after_idle,
            receive_buffer,
            send_buffer: self.send_memory[1] as usize,
            syn_retries: self.syn_retries,
            syn_ack_retries: self.syn_ack_retries,
            retries: self.retries,
            fin_wait_2: self.fin_wait_2,
            keep_alive_interval: self.keep_alive_interval,
            keep_alive_probes: self.keep_alive_probes,
            congestion: self.congestion.0,
            fast_open: FastOpen {
                client: self.opens_fast(),
                without_cookie: self.fast_open & OPENS_WITHOUT_COOKIE != 0,
                rest: if self.freebsd { FREEBSD_REST } else { Duration::ZERO },
                queue: 0,
                takes_without_cookie: self.fast_open & TAKES_WITHOUT_COOKIE != 0,
                keys: self.fast_open_keys,
            },
            syn_cookies: self.syn_cookies,
            delayed_ack: self.delayed_ack.or(defaults.delayed_ack),
            rto_initial: self.rto_initial.unwrap_or(defaults.rto_initial),
            ..defaults.clone()
        }
    }
}

impl Sysctls {
    /// Whether clients use Fast Open.
    pub fn opens_fast(&self) -> bool {
        self.fast_open & OPENS_FAST != 0
    }

    /// Whether listeners use Fast Open.
    pub(super) fn listens_fast(&self) -> bool {
        self.fast_open & LISTENS_FAST != 0
    }

    /// Whether they do without asking for it.
    pub(super) fn every_listener_is_fast(&self) -> bool {
        self.fast_open & EVERY_LISTENER != 0
    }
}

fn cookies_of(number: u8) -> SynCookies {
    match number {
        0 => SynCookies::Never,
        1 => SynCookies::WhenFull,
        _ => SynCookies::Always,
    }
}

/// A number as `sysctl` takes one, `0x403` too.
fn flags(value: &str) -> Option<u32> {
    match value.strip_prefix("0x") {
        Some(digits) => u32::from_str_radix(digits, 16).ok(),
        None => value.parse().ok(),
    }
}

/// `a0bf63f7-ed803d81-cd641d30-cebc4a90`, and behind a comma the key before it: words, least octet first.
fn keys(value: &str) -> Option<FastOpenKeys> {
    let (current, previous) = match value.split_once(',') {
        Some((current, previous)) => (current, Some(previous)),
        None => (value, None),
    };
    let key = |text: &str| {
        let words: Option<Vec<u32>> = text.trim().split('-').map(|word| u32::from_str_radix(word, 16).ok()).collect();
        let octets: Vec<u8> = words?.into_iter().flat_map(u32::to_le_bytes).collect();
        <[u8; 16]>::try_from(octets).ok()
    };
    let previous = match previous {
        Some(text) => Some(key(text)?),
        None => None,
    };
    Some(FastOpenKeys { current: key(current)?, previous })
}

/// Accurate ECN (3 and above) is not spoken here.
fn ecn_of(name: &str, value: &str, asked: u8) -> Result<Ecn, SysctlError> {
    match asked {
        0 => Ok(Ecn::Off),
        1 => Ok(Ecn::Active),
        2 => Ok(Ecn::Passive),
        _ => Err(SysctlError::Unsupported {
            name: name.to_owned(),
            value: value.to_owned(),
            why: "only classic ECN is built in",
        }),
    }
}

/// How much of a receive buffer Linux announces as window: half, the rest is for the packets' own weight.
pub(super) fn window_of(buffer: u32) -> usize {
    (buffer / 2) as usize
}

/// The shift that Linux offers for a receive buffer that may grow to `most` octets: the least that makes its highest bit
/// fit.
pub(super) fn shift_for(most: u32) -> u8 {
    most.checked_ilog2().unwrap_or(0).saturating_sub(15).min(LARGEST_SHIFT) as u8
}

/// `tcp_sack` of `/proc/sys/net/ipv4/tcp_sack` and `net.ipv4.tcp_sack`; other names whole, with points.
fn short(name: &str) -> String {
    let dotted = name.trim().trim_start_matches("/proc/sys/").replace('/', ".");
    match dotted.strip_prefix("net.ipv4.") {
        Some(short) => short.to_owned(),
        None => dotted,
    }
}

/// `4096 87380 6291456`, by blanks or tabs.
fn three(value: &str) -> Option<[u32; 3]> {
    let mut words = value.split_whitespace().map(str::parse);
    let mut next = || words.next()?.ok();
    let three = [next()?, next()?, next()?];
    words.next().is_none().then_some(three)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(name: &str, value: &str) -> Result<TcpConfig, SysctlError> {
        let mut sysctls = Sysctls::default();
        sysctls.set(name, value)?;
        Ok(sysctls.tcp_config(&TcpConfig::default()))
    }

    #[test]
    fn a_sysctl_has_three_spellings() {
        for name in ["tcp_sack", "net.ipv4.tcp_sack", "/proc/sys/net/ipv4/tcp_sack"] {
            assert!(!set(name, "0").expect("it is known").sack, "{name}");
        }
    }

    #[test]
    fn the_window_scale_follows_the_greatest_receive_buffer() {
        let config = set("net.ipv4.tcp_rmem", "4096 540000 15728640").expect("it is known");
        assert_eq!((config.window_scale, config.receive_buffer), (Some(8), 270_000));
        let config = set("tcp_rmem", "4096\t131072\t6291456").expect("tabs will do");
        assert_eq!(config.window_scale, Some(7));
        for most in [0, 1, 65_535] {
            assert_eq!(shift_for(most), 0, "{most}");
        }
        assert_eq!((shift_for(65_536), shift_for(u32::MAX)), (1, 14));
    }

    #[test]
    fn what_no_stack_can_do_is_refused() {
        assert_eq!(set("tcp_nonsense", "1"), Err(SysctlError::Unknown("tcp_nonsense".to_owned())));
        let refused = |name, value| matches!(set(name, value), Err(SysctlError::Unsupported { .. }));
        for name in ["tcp_invalid_ratelimit", "tcp_orphan_retries", "tcp_stdurg", "tcp_thin_linear_timeouts"] {
            assert!(refused(name, "1"), "{name}");
        }
        assert!(refused("tcp_congestion_control", "vegas"));
        assert!(refused("tcp_ecn", "3"));
        assert_eq!(set("tcp_ecn", "1").map(|config| config.ecn), Ok(Ecn::Active));
        assert_eq!(set("tcp_ecn", "0").map(|config| config.ecn), Ok(Ecn::Off));
        let bad = |name, value| matches!(set(name, value), Err(SysctlError::BadValue { .. }));
        assert!(bad("tcp_sack", "yes"));
        assert!(bad("tcp_rmem", "1 2"));
        assert!(bad("tcp_rmem", "1 2 3 4"));
    }

    #[test]
    fn every_meaningful_sysctl_is_understood() {
        for name in MEANINGFUL {
            let known = !matches!(set(name, ""), Err(SysctlError::Unknown(_)));
            assert!(known, "{name}");
        }
    }

    #[test]
    fn fast_open_is_switched_and_keyed_as_linux_does() {
        let set = |name, value| set(name, value).expect("it is known").fast_open;
        let bits = set("tcp_fastopen", "0x207");
        assert_eq!((bits.client, bits.without_cookie, bits.takes_without_cookie), (true, true, true));
        assert!(!set("tcp_fastopen", "2").client);
        let keys = set("tcp_fastopen_key", "00000001-00000002-00000003-0a0b0c0d").keys.expect("a key");
        assert_eq!(keys.current, [1, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0, 0xd, 0xc, 0xb, 0xa]);
        assert_eq!(keys.previous, None);
        let two = set("tcp_fastopen_key", "1-2-3-4,5-6-7-8").keys.expect("two keys");
        assert_eq!(two.previous.map(|key| (key[0], key[12])), Some((5, 8)));
        let mut sysctls = Sysctls::default();
        for bad in ["", "1-2-3", "1-2-3-4-5", "1-2-3-x", "1-2-3-4,5"] {
            assert!(matches!(sysctls.set("tcp_fastopen_key", bad), Err(SysctlError::BadValue { .. })), "{bad}");
        }
    }

    #[test]
    fn syn_cookies_are_switched_as_either_system_does() {
        let cookies = |name, value| set(name, value).expect("it is known").syn_cookies;
        assert_eq!(cookies("tcp_syncookies", "0"), SynCookies::Never);
        assert_eq!(cookies("tcp_syncookies", "2"), SynCookies::Always);
        assert_eq!(cookies("net.inet.tcp.syncookies", "1"), SynCookies::WhenFull);
        assert_eq!(cookies("net.inet.tcp.syncookies_only", "1"), SynCookies::Always);
    }

    #[test]
    fn what_changes_nothing_is_taken() {
        assert!(set("net.ipv4.tcp_min_tso_segs", "10").is_ok());
        assert!(set("net.inet.tcp.hostcache.purgenow", "1").is_ok());
        assert!(set("module.tcp_cubic.hystart_detect", "2").is_ok());
    }

    #[test]
    fn freebsd_sets_buffers_and_options_by_its_own_names() {
        let config = set("net.inet.tcp.recvspace", "65536").expect("it is known");
        assert_eq!((config.receive_buffer, config.window_scale), (65_536, Some(2)));
        let config = set("net.inet.tcp.rfc1323", "0").expect("it is known");
        assert!(!config.timestamps && !config.window_scaling);
        assert_eq!(
            set("net.inet.tcp.delacktime", "100").expect("it is known").delayed_ack,
            Some(Duration::from_millis(100))
        );
    }
}
