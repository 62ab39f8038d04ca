//! Each finding about the machine itself.

use std::env;
use std::ffi::OsStr;
use std::fs::{self, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

use nix::unistd::{AccessFlags, Uid, User, access};

use super::trial::{Step, Trial};
use super::{Finding, Screen, programs};

const APPARMOR: &str = "/proc/sys/kernel/apparmor_restrict_unprivileged_userns";
const USERNS_CLONE: &str = "/proc/sys/kernel/unprivileged_userns_clone";
const USERNS_MAX: &str = "/proc/sys/user/max_user_namespaces";

/// `/dev/net/tun`, and devices made through it in a namespace.
pub(super) fn devices(trial: &Trial) -> Finding {
    const SUBJECT: &str = "TUN and TAP";
    const COST: &str = "the tun and tap doors are closed; live runs take the veth door";
    match OpenOptions::new().read(true).write(true).open("/dev/net/tun") {
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            Finding::costs(SUBJECT, "/dev/net/tun is closed to this user", COST, "sudo chmod 0666 /dev/net/tun")
        }
        Err(error) => Finding::costs(
            SUBJECT,
            format!("/dev/net/tun cannot be opened: {error}"),
            COST,
            "sudo modprobe tun (in a container: start it with --device /dev/net/tun)",
        ),
        Ok(_) => match trial.refusal(Step::Tun).or_else(|| trial.refusal(Step::Tap)) {
            Some(error) => Finding::costs(SUBJECT, format!("no device can be made: {error}"), COST, "use --door veth"),
            None if trial.worked(Step::Tun) => Finding::ok(SUBJECT, "/dev/net/tun opens, devices can be made"),
            None => Finding::ok(SUBJECT, "/dev/net/tun opens (not tried further: no namespace)"),
        },
    }
}

/// User, network, mount and PID namespaces.
pub(super) fn namespaces(trial: &Trial) -> Finding {
    const SUBJECT: &str = "namespaces";
    const COST: &str = "no live runs: labs run in sim, both ends in userspace";
    if let Some(problem) = &trial.problem {
        return Finding::costs(SUBJECT, problem, COST, "run the wireglass binary itself, as an ordinary file");
    }
    let refused = [(Step::User, "user"), (Step::Network, "network"), (Step::Mount, "mount"), (Step::Pid, "PID")]
        .into_iter()
        .find_map(|(step, name)| trial.refusal(step).map(|error| (name, error)));
    match refused {
        Some((name, error)) => {
            Finding::costs(SUBJECT, format!("no {name} namespace: {error}"), COST, namespace_remedy())
        }
        None if trial.worked(Step::User) => {
            Finding::ok(SUBJECT, "user, network, mount and PID namespaces, without root")
        }
        None => Finding::ok(SUBJECT, "network, mount and PID namespaces, as root"),
    }
}

/// What closes namespaces to this user, in the order of likelihood.
fn namespace_remedy() -> String {
    let is = |file: &str, value: &str| fs::read_to_string(file).is_ok_and(|text| text.trim() == value);
    if is(USERNS_MAX, "0") {
        "sudo sysctl -w user.max_user_namespaces=15000".to_owned()
    } else if is(USERNS_CLONE, "0") {
        "sudo sysctl -w kernel.unprivileged_userns_clone=1, or run wireglass with sudo".to_owned()
    } else if is(APPARMOR, "1") {
        "sudo sysctl -w kernel.apparmor_restrict_unprivileged_userns=0, or run wireglass with sudo".to_owned()
    } else if Uid::effective().is_root() {
        "start the container with --privileged (or --cap-add SYS_ADMIN --cap-add NET_ADMIN)".to_owned()
    } else {
        "run wireglass with sudo (in a container: start it with --privileged)".to_owned()
    }
}

/// The way in that needs no `/dev/net/tun`.
pub(super) fn veth(trial: &Trial) -> Finding {
    const SUBJECT: &str = "veth and AF_PACKET";
    const COST: &str = "the veth door is closed; live runs need the tun or tap door";
    if let Some(error) = trial.refusal(Step::Veth) {
        return Finding::costs(SUBJECT, format!("no veth pair: {error}"), COST, "sudo modprobe veth");
    }
    if let Some(error) = trial.refusal(Step::PacketSocket) {
        return Finding::costs(SUBJECT, format!("no packet socket: {error}"), COST, "sudo modprobe af_packet");
    }
    if trial.worked(Step::Veth) {
        Finding::ok(SUBJECT, "veth pairs and raw frames, inside a namespace")
    } else {
        Finding::costs(SUBJECT, "not tried: no namespace", COST, "see namespaces")
    }
}

/// Ubuntu's restriction of unprivileged user namespaces.
pub(super) fn apparmor() -> Finding {
    const SUBJECT: &str = "AppArmor";
    match fs::read_to_string(APPARMOR).map(|text| text.trim().to_owned()).as_deref() {
        Ok("0") | Err(_) => Finding::ok(SUBJECT, "does not restrict user namespaces"),
        Ok(_) if Uid::effective().is_root() => Finding::ok(SUBJECT, "restricts user namespaces, but not root's"),
        Ok(_) => Finding::costs(
            SUBJECT,
            "restricts user namespaces of programs without a profile",
            "no live runs without root",
            "sudo sysctl -w kernel.apparmor_restrict_unprivileged_userns=0, or run wireglass with sudo",
        ),
    }
}

/// Root, root through sudo, or an ordinary user.
pub(super) fn privilege(trial: &Trial) -> Finding {
    const SUBJECT: &str = "privilege";
    let caller = env::var("SUDO_UID").ok().and_then(|uid| uid.parse::<u32>().ok());
    let uid = Uid::effective();
    match (uid.is_root(), caller) {
        (true, Some(caller)) => Finding::ok(SUBJECT, format!("root, called through sudo by {}", name_of(caller))),
        (true, None) => {
            Finding::ok(SUBJECT, "root itself: programs that a lab names run as root, so run only labs you trust")
        }
        (false, _) if trial.isolates() => Finding::ok(SUBJECT, format!("{}, rootless", name_of(uid.as_raw()))),
        (false, _) => {
            let found = format!("{}, without root", name_of(uid.as_raw()));
            Finding::costs(SUBJECT, found, "labs run in sim only", privilege_remedy())
        }
    }
}

fn privilege_remedy() -> String {
    // sudo resets PATH, so the command names the binary by its full path.
    let program = env::current_exe().unwrap_or_else(|_| PathBuf::from("wireglass"));
    match programs::find("sudo", env::var_os("PATH").as_deref()) {
        Some(_) => format!("sudo {} run …", program.display()),
        None => "become root (sudo is not installed)".to_owned(),
    }
}

/// `ada (uid 1000)`; only the number where the machine has no name for it.
fn name_of(uid: u32) -> String {
    match User::from_uid(Uid::from_raw(uid)) {
        Ok(Some(user)) => format!("{} (uid {uid})", user.name),
        _ => format!("uid {uid}"),
    }
}

/// Colour, width, characters.
pub(super) fn terminal(screen: Screen) -> Finding {
    const SUBJECT: &str = "terminal";
    let colour = if screen.colour { "colour" } else { "no colour" };
    let place = if screen.is_terminal { "a terminal" } else { "not a terminal" };
    let found =
        format!("{place}, {} columns, {colour}, {}", screen.width, if screen.unicode { "UTF-8" } else { "ASCII" });
    if screen.unicode {
        Finding::ok(SUBJECT, found)
    } else {
        Finding::costs(SUBJECT, found, "ladders are drawn with - and > only", "export LANG=C.UTF-8")
    }
}

/// Whether captures can be written to `out`, or where it would be made.
pub(super) fn output(out: &Path) -> Finding {
    const SUBJECT: &str = "output folder";
    let folder = nearest_existing(out);
    match access(&folder, AccessFlags::W_OK | AccessFlags::X_OK) {
        Ok(()) if folder.is_dir() => Finding::ok(SUBJECT, format!("{} can be written", out.display())),
        Ok(()) => not_writable(out, "a file is in its way"),
        Err(errno) => not_writable(out, errno.desc()),
    }
}

fn not_writable(out: &Path, reason: &str) -> Finding {
    Finding::costs(
        "output folder",
        format!("{} cannot be written: {reason}", out.display()),
        "no lab can run: its captures have no place",
        "wireglass run LAB --out DIR, with a folder of yours",
    )
}

/// `path`, or the closest folder above it that is there.
fn nearest_existing(path: &Path) -> PathBuf {
    let above = path.ancestors().filter(|folder| folder.as_os_str() != OsStr::new(""));
    above.map(Path::to_owned).find(|folder| folder.exists()).unwrap_or_else(|| PathBuf::from("."))
}

#[cfg(test)]
mod tests {
    use super::super::Verdict;
    use super::super::trial::Attempt;
    use super::*;

    fn remedy(finding: &Finding) -> Option<&str> {
        match &finding.verdict {
            Verdict::Ok => None,
            Verdict::Costs { remedy, .. } => Some(remedy),
        }
    }

    fn trial(attempts: &[(Step, Option<i32>)]) -> Trial {
        let attempts = attempts.iter().map(|&(step, errno)| Attempt { step, errno }).collect();
        Trial { attempts, problem: None }
    }

    #[test]
    fn the_first_namespace_that_is_refused_is_named() {
        let finding = namespaces(&trial(&[(Step::User, Some(nix::libc::EPERM))]));
        assert!(finding.found.starts_with("no user namespace: "), "{}", finding.found);
        assert!(remedy(&finding).is_some());
    }

    #[test]
    fn namespaces_without_root_are_told_from_those_of_root() {
        let all = [(Step::Network, None), (Step::Mount, None), (Step::Pid, None)];
        assert!(namespaces(&trial(&all)).found.contains("as root"));
        assert!(namespaces(&trial(&[&[(Step::User, None)][..], &all].concat())).found.contains("without root"));
    }

    #[test]
    fn a_missing_veth_module_names_the_module() {
        let finding = veth(&trial(&[(Step::Veth, Some(nix::libc::EOPNOTSUPP))]));
        assert_eq!(remedy(&finding), Some("sudo modprobe veth"));
    }

    #[test]
    fn a_folder_that_is_to_be_made_counts_as_its_nearest_parent() {
        assert_eq!(nearest_existing(Path::new("/proc/nowhere/deep/er")), Path::new("/proc"));
        assert_eq!(nearest_existing(Path::new("nowhere/at/all")), Path::new("."));
    }

    #[test]
    fn a_file_in_the_place_of_the_folder_cannot_be_written() {
        assert!(remedy(&output(Path::new("/etc/passwd/out"))).is_some());
    }

    #[test]
    fn a_locale_without_utf8_costs_the_arrows() {
        let screen = Screen { is_terminal: true, width: 80, colour: false, unicode: false };
        assert_eq!(remedy(&terminal(screen)), Some("export LANG=C.UTF-8"));
        assert_eq!(remedy(&terminal(Screen { unicode: true, ..screen })), None);
    }
}
