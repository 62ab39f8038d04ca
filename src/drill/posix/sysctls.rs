//! The sysctls of Linux and FreeBSD that scripts set, and what they mean for a connection.
//!
//! What lives here: names, values as text, and the [`TcpConfig`] that follows from them. What does not: where they come
//! from (a script's shell command, or `/proc/sys` of a network namespace).
//!
//! A name has one of three fates: it means something (a row of [`Sysctls::set`]); it has no effect that a script could
//! see on the wire of a stack like ours, and is kept as text (`names`); or it is refused, and the script with
//! it is *unsupported*.

mod congestion;
mod error;
mod fast_open;
mod memory;
mod names;
mod path;
mod recovery;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::time::Duration;

pub use congestion::CongestionName;
pub use error::SysctlError;
pub(super) use memory::{shift_for, window_of};
pub use names::MEANINGFUL;
pub use recovery::RecoveryRules;

use self::names::short;
use crate::stack::{Congestion, Ecn, FastOpenKeys, SynCookies, TcpConfig};
use crate::tcp::{PathDiscovery, PathProbing};

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
    /// `tcp_recovery`, `tcp_early_retrans`, `tcp_frto`: how losses are found.
    pub recovery: RecoveryRules,
    /// `tcp_syncookies`: 0 never, 1 when a listener has no room, 2 always (RFC 4987 §3.6).
    pub syn_cookies: SynCookies,
    /// The names are FreeBSD's, and so are its habits: acknowledgments wait from the first segment on.
    pub freebsd: bool,
    /// What was set and has no effect.
    others: BTreeMap<String, String>,
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
            fast_open: fast_open::OPENS_FAST,
            fast_open_keys: None,
            recovery: RecoveryRules::LINUX,
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
            "tcp_min_tso_segs" => self.least_burst = number()?.max(1),
            "tcp_rfc1337" => self.protect_time_wait = switch()?,
            "net.inet.tcp.insecure_rst" => self.trusts_resets = switch()?,
            "net.inet.tcp.insecure_syn" => self.trusts_syns = switch()?,
            "net.inet.tcp.drop_synfin" => self.drops_syn_fin = switch()?,
            "tcp_syncookies" => self.syn_cookies = cookies_of(small()?),
            "net.inet.tcp.syncookies" if self.syn_cookies == SynCookies::Always => {}
            "net.inet.tcp.syncookies" => self.syn_cookies = cookies_of(switch()?.into()),
            "net.inet.tcp.syncookies_only" => {
                self.syn_cookies = if switch()? { SynCookies::Always } else { SynCookies::WhenFull };
            }
            "tcp_slow_start_after_idle" => self.slow_start_after_idle = switch()?,
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
            _ if self.set_memory(&name, value)? => {}
            _ if self.set_recovery(&name, value)? => {}
            _ if self.set_fast_open(&name, value)? => {}
            _ => return self.set_other(name, value),
        }
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
            fast_open: self.fast_open_config(),
            rack: self.recovery.rack,
            tail_loss_probe: self.recovery.tail_loss_probe,
            f_rto: self.recovery.f_rto,
            syn_cookies: self.syn_cookies,
            delayed_ack: self.delayed_ack.or(defaults.delayed_ack),
            rto_initial: self.rto_initial.unwrap_or(defaults.rto_initial),
            ..defaults.clone()
        }
    }
}

fn cookies_of(number: u8) -> SynCookies {
    match number {
        0 => SynCookies::Never,
        1 => SynCookies::WhenFull,
        _ => SynCookies::Always,
    }
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
