//! Each finding about the machine itself.

use std::env;
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};

use nix::unistd::{AccessFlags, Uid, User, access};

use super::{Finding, LiveTrial, Screen, programs};
use crate::door::DoorKind;
use crate::host::{HolderError, RunAs};

const APPARMOR: &str = "/proc/sys/kernel/apparmor_restrict_unprivileged_userns";
/// Where a door is told of that was not even tried.
const NO_NAMESPACE: &str = "not tried: no namespaces";

/// The holder's namespaces: user (unless root), network, mount and PID.
pub(super) fn namespaces(trial: &LiveTrial) -> Finding {
    const SUBJECT: &str = "namespaces";
    match &trial.doors {
        Ok(_) if Uid::effective().is_root() => Finding::ok(SUBJECT, "network, mount and PID namespaces, as root"),
        Ok(_) => Finding::ok(SUBJECT, "user, network, mount and PID namespaces, without root"),
        Err(error) => {
            let (found, remedy) = told(error);
            Finding::costs(SUBJECT, found, "no live runs: labs run in sim, both ends in userspace", remedy)
        }
    }
}

/// The doors through `/dev/net/tun`.
pub(super) fn devices(trial: &LiveTrial) -> Finding {
    let refusal = trial.refusal(DoorKind::Tun).or_else(|| trial.refusal(DoorKind::Tap));
    door("TUN and TAP", trial, refusal, "the tun and tap doors are closed; live runs take the veth door")
}

/// The door that needs no `/dev/net/tun`.
pub(super) fn veth(trial: &LiveTrial) -> Finding {
    let refusal = trial.refusal(DoorKind::Veth);
    door("veth", trial, refusal, "the veth door is closed; live runs need the tun or tap door")
}

fn door(subject: &'static str, trial: &LiveTrial, refusal: Option<&HolderError>, cost: &str) -> Finding {
    match refusal {
        Some(error) => {
            let (found, remedy) = told(error);
            Finding::costs(subject, found, cost, remedy)
        }
        None if trial.doors.is_err() => Finding::costs(subject, NO_NAMESPACE, cost, "see namespaces"),
        None => Finding::ok(subject, "opened in a namespace of its own"),
    }
}

/// What the holder says, as what is found and what mends it: its sentences have a semicolon between the two.
fn told(error: &HolderError) -> (String, String) {
    let text = error.to_string();
    match text.split_once("; ") {
        Some((found, remedy)) => (found.to_owned(), remedy.to_owned()),
        None => (text, "run wireglass with sudo, or use --mode sim".to_owned()),
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

/// Root, somebody who became root, or an ordinary user.
pub(super) fn privilege(trial: &LiveTrial) -> Finding {
    const SUBJECT: &str = "privilege";
    let uid = Uid::effective();
    match (uid.is_root(), RunAs::caller()) {
        (true, Some(caller)) => {
            let name = name_of(caller.uid);
            Finding::ok(SUBJECT, format!("root, called by {name}, who runs the labs' programs"))
        }
        (true, None) => Finding::ok(SUBJECT, "root itself: the labs' programs run as root, so run only labs you trust"),
        (false, _) if trial.doors.is_ok() => Finding::ok(SUBJECT, format!("{}, rootless", name_of(uid.as_raw()))),
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
    use super::super::tests::trial_without;
    use super::*;
    use crate::host::Errno;

    fn remedy(finding: &Finding) -> Option<&str> {
        match &finding.verdict {
            Verdict::Ok => None,
            Verdict::Costs { remedy, .. } => Some(remedy),
        }
    }

    #[test]
    fn a_refused_namespace_is_told_with_what_mends_it() {
        let mend = "allow it with `sudo sysctl -w user.max_user_namespaces=10000`".to_owned();
        let error = HolderError::UserNamespaces { errno: Errno(nix::libc::ENOSPC), mend };
        let trial = LiveTrial { doors: Err(error) };
        let finding = namespaces(&trial);
        assert!(finding.found.contains("ENOSPC"), "{finding:?}");
        assert!(remedy(&finding).is_some_and(|remedy| remedy.contains("max_user_namespaces=10000")), "{finding:?}");
        assert_eq!(veth(&trial).found, NO_NAMESPACE);
    }

    #[test]
    fn a_closed_tun_device_costs_only_its_own_doors() {
        let trial = trial_without(&[(DoorKind::Tun, HolderError::TunClosed), (DoorKind::Tap, HolderError::TunClosed)]);
        assert!(remedy(&devices(&trial)).is_some_and(|remedy| remedy.contains("chmod 0666 /dev/net/tun")));
        assert_eq!(remedy(&veth(&trial)), None);
    }

    #[test]
    fn every_refusal_comes_with_a_remedy() {
        let trial = trial_without(&[(DoorKind::Veth, HolderError::Gone)]);
        assert!(remedy(&veth(&trial)).is_some_and(|remedy| !remedy.is_empty()));
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
