//! The options of `IPPROTO_TCP`.

use std::time::Duration;

use bytes::Bytes;

use super::unknown;
use crate::drill::posix::names::*;
use crate::drill::posix::stop::{Answer, Stop};
use crate::drill::posix::{CongestionName, Errno, OptionValue, Posix};
use crate::journal::TcpState;
use crate::stack::SocketOption;

/// The least that `TCP_MAXSEG` takes (Linux's `TCP_MIN_MSS`).
const LEAST_SEGMENT: i32 = 88;
/// The greatest (Linux's `MAX_TCP_WINDOW`).
const MOST_SEGMENT: i32 = 32_767;
/// What Linux says before it knows better (RFC 9293 MUST-15).
const DEFAULT_SEGMENT: i32 = 536;
/// The least that `TCP_WINDOW_CLAMP` takes (half of `SOCK_MIN_RCVBUF`).
const LEAST_CLAMP: u32 = 1_152;
/// `TCP_LINGER2` beyond this is cut (Linux's `TCP_FIN_TIMEOUT_MAX`), in seconds.
const MOST_LINGER_2: i32 = 120;
/// The room that `TCP_CONGESTION` fills.
const CONGESTION_NAME: usize = 16;

impl Posix {
    pub(super) fn get_tcp_option(&mut self, fd: i32, name: i32) -> Answer<OptionValue> {
        let options = &self.descriptors.socket(fd)?.options;
        let sysctls = &self.sysctls;
        Ok(OptionValue::Int(match name {
            TCP_NODELAY => options.no_delay.into(),
            TCP_CORK => options.cork.into(),
            TCP_QUICKACK => options.quick_ack.unwrap_or(true).into(),
            TCP_MAXSEG => self.segment_size(fd)?,
            TCP_KEEPIDLE => seconds(options.keep_alive_idle.unwrap_or(sysctls.keep_alive)),
            TCP_KEEPINTVL => seconds(options.keep_alive_interval.unwrap_or(sysctls.keep_alive_interval)),
            TCP_KEEPCNT => options.keep_alive_probes.unwrap_or(sysctls.keep_alive_probes).into(),
            TCP_SYNCNT => options.syn_retries.unwrap_or(sysctls.syn_retries).into(),
            TCP_LINGER2 => options.linger_2.unwrap_or(seconds(sysctls.fin_wait_2)),
            TCP_USER_TIMEOUT => millis(options.user_timeout.unwrap_or_default()),
            TCP_WINDOW_CLAMP => options.window_clamp.map_or(0, |octets| i32::try_from(octets).unwrap_or(i32::MAX)),
            TCP_NOTSENT_LOWAT => options.unsent_low_water.unwrap_or(0).cast_signed(),
            TCP_INQ => options.tells_queue.into(),
            TCP_FASTOPEN => options.fast_open_queue.unwrap_or(0).cast_signed(),
            TCP_FASTOPEN_CONNECT => options.fast_open_connect.into(),
            TCP_FASTOPEN_NO_COOKIE => options.fast_open_no_cookie.into(),
            TCP_CONGESTION => {
                let mut text = options.congestion.unwrap_or(sysctls.congestion).name().as_bytes().to_vec();
                text.resize(CONGESTION_NAME, 0);
                return Ok(OptionValue::Bytes(text.into()));
            }
            TCP_INFO => {
                let info = self.tcp_info(self.now, fd).ok_or(Errno::EINVAL)?;
                return Ok(OptionValue::Bytes(info.to_bytes().into()));
            }
            // The congestion controls here have nothing of their own to tell.
            TCP_CC_INFO => return Ok(OptionValue::Bytes(Bytes::new())),
            _ => return unknown(IPPROTO_TCP, name),
        }))
    }

    /// What was asked for while there is no connection, then what is really sent.
    fn segment_size(&self, fd: i32) -> Answer<i32> {
        let socket = self.descriptors.socket(fd)?;
        let asked = socket.options.max_segment.map(i32::from);
        let Some(snapshot) = socket.connection().and_then(|id| self.stack.snapshot(id)) else {
            return Ok(asked.unwrap_or(DEFAULT_SEGMENT));
        };
        match (snapshot.state, snapshot.snd_mss) {
            (TcpState::Closed, _) => Ok(asked.unwrap_or(DEFAULT_SEGMENT)),
            (_, Some(octets)) => Ok(octets.into()),
            (_, None) => Stop::unsupported("TCP_MAXSEG of a connection"),
        }
    }

    pub(super) fn set_tcp_option(&mut self, fd: i32, name: i32, value: &OptionValue) -> Answer<()> {
        let is_idle = self.descriptors.socket(fd)?.id().is_none();
        let options = &mut self.descriptors.socket_at(fd)?.options;
        let (change, what) = match name {
            TCP_NODELAY => return self.set_no_delay(fd, value),
            TCP_FASTOPEN => return self.set_fast_open_queue(fd, value),
            TCP_FASTOPEN_CONNECT | TCP_FASTOPEN_NO_COOKIE | TCP_FASTOPEN_KEY => {
                return self.set_fast_open(fd, name, value);
            }
            TCP_CORK => {
                options.cork = value.switch()?;
                (SocketOption::Cork(options.cork), "TCP_CORK")
            }
            TCP_QUICKACK => {
                let at_once = value.switch()?;
                options.quick_ack = Some(at_once);
                (SocketOption::QuickAck(at_once), "TCP_QUICKACK")
            }
            TCP_MAXSEG => match bounded(value, LEAST_SEGMENT..=MOST_SEGMENT, true)? {
                0 => {
                    options.max_segment = None;
                    return Ok(());
                }
                octets => {
                    let octets = u16::try_from(octets).map_err(|_| Errno::EINVAL)?;
                    options.max_segment = Some(octets);
                    (SocketOption::MaxSegment(octets), "TCP_MAXSEG")
                }
            },
            TCP_KEEPIDLE => {
                options.keep_alive_idle = Some(whole_seconds(bounded(value, 1..=32_767, false)?));
                (SocketOption::KeepAlive(options.keep_alive_time(&self.sysctls)), "TCP_KEEPIDLE")
            }
            TCP_KEEPINTVL => {
                let interval = whole_seconds(bounded(value, 1..=32_767, false)?);
                options.keep_alive_interval = Some(interval);
                (SocketOption::KeepAliveInterval(interval), "TCP_KEEPINTVL")
            }
            TCP_KEEPCNT => {
                let probes = bounded(value, 1..=127, false)? as u8;
                options.keep_alive_probes = Some(probes);
                (SocketOption::KeepAliveProbes(probes), "TCP_KEEPCNT")
            }
            TCP_SYNCNT => {
                let times = bounded(value, 1..=127, false)? as u8;
                options.syn_retries = Some(times);
                (SocketOption::SynRetries(times), "TCP_SYNCNT")
            }
            TCP_USER_TIMEOUT => {
                let limit = u64::try_from(value.int()?).map_err(|_| Errno::EINVAL)?;
                options.user_timeout = (limit > 0).then(|| Duration::from_millis(limit));
                (SocketOption::UserTimeout(options.user_timeout), "TCP_USER_TIMEOUT")
            }
            TCP_LINGER2 => {
                options.linger_2 = Some(value.int()?.clamp(-1, MOST_LINGER_2));
                (SocketOption::FinWait2(options.fin_wait_2(&self.sysctls)), "TCP_LINGER2")
            }
            TCP_WINDOW_CLAMP => match value.int()?.cast_unsigned() {
                0 if is_idle => {
                    options.window_clamp = None;
                    return Ok(());
                }
                0 => return Err(Errno::EINVAL.into()),
                octets => {
                    let octets = octets.max(LEAST_CLAMP);
                    options.window_clamp = Some(octets);
                    (SocketOption::WindowClamp(octets), "TCP_WINDOW_CLAMP")
                }
            },
            _ => return self.set_kept_tcp_option(fd, name, value),
        };
        self.pass_on(fd, change, what)
    }

    /// Setting it also sends what a cork holds back at this moment, though the cork stays for what comes after.
    fn set_no_delay(&mut self, fd: i32, value: &OptionValue) -> Answer<()> {
        let socket = self.descriptors.socket_at(fd)?;
        socket.options.no_delay = value.switch()?;
        let (no_delay, cork) = (socket.options.no_delay, socket.options.cork);
        let holds = no_delay && cork;
        self.pass_on(fd, SocketOption::NoDelay(no_delay), "TCP_NODELAY")?;
        if holds {
            self.pass_on(fd, SocketOption::Cork(false), "TCP_NODELAY with TCP_CORK")?;
            self.pass_on(fd, SocketOption::Cork(true), "TCP_NODELAY with TCP_CORK")?;
        }
        Ok(())
    }

    /// The options that the stack need not hear of while a connection lives.
    fn set_kept_tcp_option(&mut self, fd: i32, name: i32, value: &OptionValue) -> Answer<()> {
        let has_role = self.descriptors.socket(fd)?.id().is_some();
        let usual = self.sysctls.congestion;
        let options = &mut self.descriptors.socket_at(fd)?.options;
        match name {
            TCP_NOTSENT_LOWAT => options.unsent_low_water = Some(value.int()?.cast_unsigned()).filter(|most| *most > 0),
            TCP_INQ => options.tells_queue = bounded(value, 0..=1, false)? != 0,
            TCP_CONGESTION => {
                let text = value.text()?;
                let Some(asked) = CongestionName::named(&text) else {
                    return Stop::unsupported(format!("TCP_CONGESTION {text}"));
                };
                let changes = has_role && asked != options.congestion.unwrap_or(usual);
                options.congestion = Some(asked);
                if let Some(choice) = asked.choice().filter(|_| changes) {
                    self.pass_on(fd, SocketOption::Congestion(choice), "TCP_CONGESTION")?;
                }
            }
            TCP_INFO => return Err(Errno::ENOPROTOOPT.into()),
            _ => return unknown(IPPROTO_TCP, name),
        }
        Ok(())
    }
}

/// A number within these bounds; 0 besides, where that takes the option off.
fn bounded(value: &OptionValue, bounds: std::ops::RangeInclusive<i32>, or_zero: bool) -> Answer<i32> {
    let number = value.int()?;
    match bounds.contains(&number) || (or_zero && number == 0) {
        true => Ok(number),
        false => Err(Errno::EINVAL.into()),
    }
}

fn whole_seconds(number: i32) -> Duration {
    Duration::from_secs(number.unsigned_abs().into())
}

fn seconds(span: Duration) -> i32 {
    i32::try_from(span.as_secs()).unwrap_or(i32::MAX)
}

fn millis(span: Duration) -> i32 {
    i32::try_from(span.as_millis()).unwrap_or(i32::MAX)
}
