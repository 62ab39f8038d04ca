//! The sysctls of TCP Fast Open (RFC 7413): who uses it, and with which keys.

use std::time::Duration;

use super::{SysctlError, Sysctls};
use crate::stack::{FastOpen, FastOpenKeys};

/// The bits of `tcp_fastopen`.
pub(super) const OPENS_FAST: u32 = 0x1;
const LISTENS_FAST: u32 = 0x2;
const OPENS_WITHOUT_COOKIE: u32 = 0x4;
const TAKES_WITHOUT_COOKIE: u32 = 0x200;
const EVERY_LISTENER: u32 = 0x400;
/// How long FreeBSD leaves a path alone that has disappointed it (`net.inet.tcp.fastopen.path_disable_time`).
const FREEBSD_REST: Duration = Duration::from_secs(900);

impl Sysctls {
    /// Sets `name`, if it is one of these; returns whether it is.
    pub(super) fn set_fast_open(&mut self, name: &str, value: &str) -> Result<bool, SysctlError> {
        let bad = || SysctlError::BadValue { name: name.to_owned(), value: value.to_owned() };
        match name {
            "tcp_fastopen" => self.fast_open = flags(value).ok_or_else(bad)?,
            "tcp_fastopen_key" => self.fast_open_keys = Some(keys(value).ok_or_else(bad)?),
            "net.inet.tcp.fastopen.client_enable" => {
                let is_on = value.parse::<u32>().map_err(|_| bad())? != 0;
                self.fast_open = self.fast_open & !OPENS_FAST | if is_on { OPENS_FAST } else { 0 };
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// What follows for a socket.
    pub(super) fn fast_open_config(&self) -> FastOpen {
        FastOpen {
            client: self.opens_fast(),
            without_cookie: self.fast_open & OPENS_WITHOUT_COOKIE != 0,
            rest: if self.freebsd { FREEBSD_REST } else { Duration::ZERO },
            queue: 0,
            takes_without_cookie: self.fast_open & TAKES_WITHOUT_COOKIE != 0,
            keys: self.fast_open_keys,
        }
    }

    /// Whether clients use Fast Open.
    pub fn opens_fast(&self) -> bool {
        self.fast_open & OPENS_FAST != 0
    }

    /// Whether listeners use Fast Open.
    pub(in crate::drill::posix) fn listens_fast(&self) -> bool {
        self.fast_open & LISTENS_FAST != 0
    }

    /// Whether they do without asking for it.
    pub(in crate::drill::posix) fn every_listener_is_fast(&self) -> bool {
        self.fast_open & EVERY_LISTENER != 0
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stack::TcpConfig;

    #[test]
    fn fast_open_is_switched_and_keyed_as_linux_does() {
        let set = |name, value| {
            let mut sysctls = Sysctls::default();
            sysctls.set(name, value).expect("it is known");
            sysctls.tcp_config(&TcpConfig::default()).fast_open
        };
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
}
