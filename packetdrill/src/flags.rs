//! What `--so_flags` says: `stack=native,local=192.168.0.1,local=fd3d::1,mtu=1500,mss=1000,unsupported=/tmp/marks`.

use std::fmt;
use std::net::IpAddr;
use std::num::NonZeroU16;
use std::path::PathBuf;

use wireglass::packet::Medium;
use wireglass::stack::{Interface, Stack, StackConfig, StackKind, TcpConfig};
use wireglass::time::Instant;

/// Octets of the longest packet, as packetdrill sets its own TUN device up.
const USUAL_MTU: usize = 1500;
/// The least that IPv4 asks of a link (RFC 791 §3.2).
const LEAST_MTU: usize = 68;
/// Where packetdrill puts the host under test by itself.
const USUAL_ADDRESSES: [&str; 2] = ["192.168.0.1", "fd3d:a0b:17d6::1"];

/// The meaning of `--so_flags`.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Flags {
    pub(crate) stack: StackKind,
    pub(crate) local: Vec<IpAddr>,
    pub(crate) mtu: usize,
    /// Octets of data in each segment that a longer incoming packet stands for, as the option `--mss` of a script says;
    /// packetdrill tells it to a kernel's device, and to no library.
    pub(crate) mss: Option<NonZeroU16>,
    /// Where to say what the stack could not do; standard error when absent.
    pub(crate) marks: Option<PathBuf>,
}

/// What is wrong with `--so_flags`.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct BadFlag(String);

impl fmt::Display for BadFlag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "--so_flags: `{}` is not understood; write stack=native or stack=smoltcp, local=ADDRESS, mtu=OCTETS, mss=OCTETS or unsupported=FILE, \
             with commas between them",
            self.0
        )
    }
}

impl Flags {
    /// Reads the flags; an empty text means the usual ones.
    pub(crate) fn parse(text: &str) -> Result<Flags, BadFlag> {
        let mut flags = Flags { stack: StackKind::Native, local: Vec::new(), mtu: USUAL_MTU, mss: None, marks: None };
        for flag in text.split(',').map(str::trim).filter(|flag| !flag.is_empty()) {
            let bad = || BadFlag(flag.to_owned());
            let (name, value) = flag.split_once('=').ok_or_else(bad)?;
            match name {
                "stack" => flags.stack = stack_named(value).ok_or_else(bad)?,
                "local" => flags.local.push(value.parse().map_err(|_| bad())?),
                "mtu" => flags.mtu = value.parse().ok().filter(|mtu| *mtu >= LEAST_MTU).ok_or_else(bad)?,
                "mss" => flags.mss = Some(value.parse().map_err(|_| bad())?),
                "unsupported" => flags.marks = Some(PathBuf::from(value)),
                _ => return Err(bad()),
            }
        }
        if flags.local.is_empty() {
            flags.local = USUAL_ADDRESSES.iter().filter_map(|address| address.parse().ok()).collect();
        }
        Ok(flags)
    }

    /// The stack to be judged. Every address is on its link, since packetdrill is all the world there is.
    pub(crate) fn build(&self, now: Instant) -> Box<dyn Stack> {
        let interface = Interface {
            medium: Medium::Ip,
            mac: [0; 6],
            addresses: self.local.iter().map(|address| (*address, 0)).collect(),
            gateways: Vec::new(),
            mtu: self.mtu,
        };
        let config = StackConfig { interface, seed: 1, tcp: TcpConfig::default() };
        self.stack.make(&config, now)
    }
}

/// A stack by the name that it prints.
fn stack_named(name: &str) -> Option<StackKind> {
    [StackKind::Native, StackKind::Smoltcp].into_iter().find(|kind| kind.to_string() == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_are_names_and_values_with_commas_between() {
        let flags = Flags::parse("stack=smoltcp, local=10.0.0.1,local=fd00::1,mtu=1400,mss=1000,unsupported=/tmp/x");
        let flags = flags.expect("they are understood");
        assert_eq!((flags.stack, flags.local.len(), flags.mtu), (StackKind::Smoltcp, 2, 1400));
        assert_eq!((flags.mss, flags.marks), (NonZeroU16::new(1_000), Some(PathBuf::from("/tmp/x"))));
    }

    #[test]
    fn nothing_means_packetdrills_own_addresses() {
        let flags = Flags::parse("").expect("nothing is understood");
        assert_eq!((flags.stack, flags.local.len(), flags.mtu, flags.marks), (StackKind::Native, 2, 1500, None));
    }

    #[test]
    fn what_is_not_understood_is_named() {
        for wrong in ["stack=nonsense", "stack", "local=here", "mtu=67", "mss=0", "colour=red"] {
            let told = Flags::parse(wrong).expect_err(wrong).to_string();
            assert!(told.contains(wrong), "{told}");
        }
    }
}
