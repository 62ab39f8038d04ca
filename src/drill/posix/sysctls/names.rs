//! The names of sysctls: how one is written, which of them do nothing here, and which only say what is so already.

use super::{SysctlError, Sysctls};

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
    // Which of its two signs Linux's HyStart goes by. HyStart++ (RFC 9406) goes by growing delay alone.
    "module.tcp_cubic.hystart_detect",
    "net.inet.tcp.blackhole",
    "net.inet.tcp.hostcache.purgenow",
    "net.inet.tcp.rexmit_drop_options",
];

/// Sysctls that only mean something at values that the stack does not have: any other value is refused.
const ONLY: &[(&str, &[&str], &str)] = &[
    ("tcp_dsack", &["1"], "duplicate SACKs are as built"),
    ("tcp_reordering", &["3"], "the first guess of reordering is 3 segments"),
    ("tcp_invalid_ratelimit", &["500"], "answers to invalid segments are 500 ms apart"),
    ("tcp_orphan_retries", &["0", "8"], "data of closed sockets is sent again 8 times"),
    ("tcp_fastopen_blackhole_timeout_sec", &["0"], "a path that has lost Fast Open's SYNs is tried again at once"),
    ("net.inet.tcp.icmp_may_rst", &["1"], "hard ICMP errors end an attempt to connect"),
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

impl Sysctls {
    /// Takes a sysctl that changes nothing here.
    pub(super) fn set_other(&mut self, name: String, value: &str) -> Result<(), SysctlError> {
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
}

/// `tcp_sack` of `/proc/sys/net/ipv4/tcp_sack` and `net.ipv4.tcp_sack`; other names whole, with points.
pub(super) fn short(name: &str) -> String {
    let dotted = name.trim().trim_start_matches("/proc/sys/").replace('/', ".");
    match dotted.strip_prefix("net.ipv4.") {
        Some(short) => short.to_owned(),
        None => dotted,
    }
}
