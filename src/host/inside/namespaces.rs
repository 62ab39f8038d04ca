//! Entering the run's own namespaces, and its own view of the file system.

use std::fs;
use std::io;
use std::net::IpAddr;
use std::path::Path;

use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sched::{CloneFlags, unshare};
use nix::unistd::{getegid, geteuid};

use crate::host::error::{Errno, HolderError};
use crate::host::wire::Begin;

/// Leaves the namespaces of the host: mount, PID and network, and user first when not root. The PID namespace begins
/// with the next child.
pub(super) fn enter() -> Result<(), HolderError> {
    let rest = CloneFlags::CLONE_NEWNS | CloneFlags::CLONE_NEWPID | CloneFlags::CLONE_NEWNET;
    if geteuid().is_root() {
        return unshare(rest).map_err(|errno| HolderError::Namespaces { errno: errno.into() });
    }
    let (uid, gid) = (geteuid(), getegid());
    unshare(CloneFlags::CLONE_NEWUSER).map_err(|errno| forbidden(errno.into()))?;
    // With AppArmor's restriction the namespace is made, but without any power in it: the maps then fail.
    map_identity("/proc/self/setgroups", "deny")?;
    map_identity("/proc/self/uid_map", &format!("0 {uid} 1\n"))?;
    map_identity("/proc/self/gid_map", &format!("0 {gid} 1\n"))?;
    unshare(rest).map_err(|errno| forbidden(errno.into()))
}

fn map_identity(file: &str, text: &str) -> Result<(), HolderError> {
    fs::write(file, text).map_err(|error| forbidden(Errno::of(&error)))
}

/// The error for "no user namespace", with the setting that forbids it.
fn forbidden(errno: Errno) -> HolderError {
    let setting = |path: &str| fs::read_to_string(path).map(|text| text.trim().to_owned()).unwrap_or_default();
    let mend = if setting("/proc/sys/kernel/unprivileged_userns_clone") == "0" {
        "allow it with `sudo sysctl -w kernel.unprivileged_userns_clone=1`"
    } else if setting("/proc/sys/user/max_user_namespaces") == "0" {
        "allow it with `sudo sysctl -w user.max_user_namespaces=10000`"
    } else if setting("/proc/sys/kernel/apparmor_restrict_unprivileged_userns") == "1" {
        "AppArmor forbids it: `sudo sysctl -w kernel.apparmor_restrict_unprivileged_userns=0`"
    } else {
        "the kernel was built without them or a container forbids them"
    };
    HolderError::UserNamespaces { errno, mend: mend.to_owned() }
}

/// Where systems keep the certificates of the authorities that they trust, in one file: Debian, Fedora, openSUSE, Alpine.
const TRUSTED: [&str; 4] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
];

/// Makes the mount namespace the run's own: nothing gets out, `/proc` shows the run's processes, and `/etc/hosts` and
/// `/etc/resolv.conf` are the lab's, as is the list of trusted authorities. Returns the file that has it, where there is one.
pub(super) fn arrange_mounts(begin: &Begin) -> Result<Option<&'static str>, HolderError> {
    let none = None::<&str>;
    mount(none, "/", none, MsFlags::MS_REC | MsFlags::MS_PRIVATE, none)
        .map_err(|errno| refused("a private file system", errno.into(), "run with sudo"))?;
    if !begin.hosts.is_empty() {
        replace("/etc/hosts", &hosts_text(&begin.hosts))?;
    }
    if let Some(text) = &begin.resolv_conf {
        replace("/etc/resolv.conf", text)?;
    }
    // A system without such a file has no program that would look for it.
    let list = TRUSTED.into_iter().find(|file| begin.trusted.is_some() && Path::new(file).is_file());
    if let (Some(list), Some(text)) = (list, &begin.trusted) {
        replace(list, text)?;
    }
    let safe = MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC;
    mount(Some("proc"), "/proc", Some("proc"), safe, none).map_err(|errno| {
        refused(
            "a fresh /proc",
            errno.into(),
            "inside a container, start it with `--privileged` or on a host without one",
        )
    })?;
    Ok(list)
}

/// Lays a file of the run's own over `target`.
///
/// The file lives in a small tmpfs that needs a directory to be mounted on for a moment. `/proc` is there on every
/// system, is about to be covered anyway, and no lab lies in it. A bind mount outlives the mount that its source was
/// found in.
fn replace(target: &str, text: &str) -> Result<(), HolderError> {
    let none = None::<&str>;
    let failed = |errno: Errno| refused(target, errno, &format!("make sure it exists: `sudo touch {target}`"));
    mount(Some("tmpfs"), "/proc", Some("tmpfs"), MsFlags::MS_NOSUID | MsFlags::MS_NODEV, Some("size=1m,mode=0755"))
        .map_err(|errno| failed(errno.into()))?;
    let source = Path::new("/proc/file");
    let laid = fs::write(source, text)
        .and_then(|()| mount(Some(source), target, none, MsFlags::MS_BIND, none).map_err(io::Error::from))
        .map_err(|error| failed(Errno::of(&error)));
    umount2("/proc", MntFlags::MNT_DETACH).map_err(|errno| failed(errno.into()))?;
    laid
}

fn refused(what: &str, errno: Errno, mend: &str) -> HolderError {
    HolderError::Mount { what: what.to_owned(), errno, mend: mend.to_owned() }
}

/// `/etc/hosts` with the lab's names.
fn hosts_text(hosts: &[(IpAddr, String)]) -> String {
    let mut text = String::from("127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost\n");
    for (address, name) in hosts {
        text.push_str(&format!("{address}\t{name}\n"));
    }
    text
}
