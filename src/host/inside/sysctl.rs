//! Kernel settings of one network namespace.
//!
//! The files under `/proc/sys/net` are those of the namespace that the *opener* is in, so no mount of their own is
//! needed.

use std::fs;
use std::io;
use std::path::PathBuf;

use crate::host::error::HolderError;

/// Settings of every node, written before its interface exists so that the interface begins with them.
///
/// IPv6 is kept from speaking unasked (link-local addresses, duplicate detection, router solicitations); packets from
/// any address are let in, since labs have routers; and any user may bind low ports and ping, since programs run
/// without privileges.
const QUIET: [(&str, &str); 10] = [
    ("net.ipv6.conf.default.addr_gen_mode", "1"),
    ("net.ipv6.conf.default.accept_ra", "0"),
    ("net.ipv6.conf.default.autoconf", "0"),
    ("net.ipv6.conf.default.accept_dad", "0"),
    ("net.ipv6.conf.default.router_solicitations", "0"),
    ("net.ipv4.conf.all.rp_filter", "0"),
    ("net.ipv4.conf.default.rp_filter", "0"),
    ("net.ipv4.ip_unprivileged_port_start", "0"),
    ("net.ipv4.ping_group_range", "0 0"),
    ("net.ipv4.ping_group_range", "0 2147483647"),
];

/// Writes [`QUIET`]. A kernel without one of them (no IPv6; groups that this user namespace does not map) does without.
pub(super) fn quieten(ipv6: bool) {
    for (key, value) in QUIET {
        let _ = path_of(key).map(|path| fs::write(path, value));
    }
    if !ipv6 {
        let _ = fs::write("/proc/sys/net/ipv6/conf/default/disable_ipv6", "1");
    }
}

/// Writes one setting of the node `node`.
pub(super) fn write(node: &str, key: &str, value: &str) -> Result<(), HolderError> {
    let refused = |reason: String, is_closed| HolderError::Sysctl {
        node: node.to_owned(),
        key: key.to_owned(),
        reason,
        is_closed,
    };
    let path = path_of(key).map_err(|reason| refused(reason.to_owned(), false))?;
    fs::write(&path, value).map_err(|error| {
        let reason = match error.kind() {
            io::ErrorKind::NotFound => "this kernel has no such setting in a network namespace".to_owned(),
            io::ErrorKind::PermissionDenied => "this user may not change it; run with sudo".to_owned(),
            io::ErrorKind::InvalidInput => format!("the kernel does not accept the value `{value}`"),
            _ => format!("{error} (value `{value}`)"),
        };
        refused(reason, error.kind() == io::ErrorKind::PermissionDenied)
    })
}

/// `net.ipv4.tcp_sack` → `/proc/sys/net/ipv4/tcp_sack`. Only settings of a network namespace: anything else is the
/// host's.
fn path_of(key: &str) -> Result<PathBuf, &'static str> {
    if !key.starts_with("net.") {
        return Err("only settings under `net.` belong to a node; write it like `net.ipv4.tcp_sack`");
    }
    if key.split('.').any(|part| part.is_empty() || part.contains('/')) {
        return Err("not a setting's name; write it like `net.ipv4.tcp_sack`");
    }
    Ok(PathBuf::from(format!("/proc/sys/{}", key.replace('.', "/"))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_outside_net_is_refused_by_name() {
        for key in ["kernel.hostname", "net..x", "net.ipv4/../../kernel", "network.x", "net."] {
            let error = write("client", key, "1").expect_err("not a setting of a node");
            assert!(error.to_string().contains(&format!("`{key}` in node `client`")), "{error}");
        }
        assert_eq!(path_of("net.ipv4.tcp_sack"), Ok(PathBuf::from("/proc/sys/net/ipv4/tcp_sack")));
    }
}
