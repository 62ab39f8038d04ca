//! A run by a user without privileges, with less than that, and by one who called sudo.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, chown};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use nix::unistd::Uid;

use crate::support::{Folder, copy, live, printed, skip, wireglass};

/// `nobody` on every Linux system.
const NOBODY: u32 = 65_534;

/// Runs its arguments as `nobody` where no user namespace can be made, or exits with 99.
///
/// The map is written from outside, and the shell inside starts another before it changes anything: only who is mapped
/// when a program starts gets the rights of the new namespace's root.
const WITHOUT_NAMESPACES: &str = r#"
    inside='until grep -q 65536 /proc/self/gid_map; do sleep 0.01; done; exec sh -c "$0" sh "$@"'
    lower='echo 0 > /proc/sys/user/max_user_namespaces || exit 99
        exec setpriv --reuid 65534 --regid 65534 --clear-groups --bounding-set -all "$@"'
    command -v unshare > /dev/null && command -v setpriv > /dev/null || exit 99
    unshare --user sh -c "$inside" "$lower" "$@" &
    tries=0
    until echo 0 0 65536 > /proc/$!/uid_map; do
        tries=$((tries + 1)); [ $tries -lt 500 ] && sleep 0.01 || exit 99
    done 2> /dev/null
    echo 0 0 65536 > /proc/$!/gid_map || exit 99
    wait $!
"#;

/// A copy of the binary that everybody may run, and a folder in which `nobody` may write.
struct Place {
    folder: Folder,
    binary: PathBuf,
    home: PathBuf,
}

impl Place {
    /// `None`, and why, when the tests do not run as root.
    fn new(test: &str) -> Option<Place> {
        if !Uid::effective().is_root() {
            skip(test, "only root can become another user");
            return None;
        }
        let folder = Folder::new();
        let (binary, home) = (folder.path().join("wireglass"), folder.path().join("home"));
        // The build folder may be closed to others.
        copy(Path::new(env!("CARGO_BIN_EXE_wireglass")), &binary);
        fs::create_dir(&home).expect("the folder is ours");
        chown(&home, Some(NOBODY), Some(NOBODY)).expect("root may give folders away");
        Some(Place { folder, binary, home })
    }

    fn prepared(&self, mut command: Command) -> Command {
        command.current_dir(&self.home).env_remove("SUDO_UID").env_remove("SUDO_GID").env("NO_COLOR", "1");
        command
    }

    fn as_nobody(&self, arguments: &[&str]) -> Output {
        let mut command = self.prepared(Command::new(&self.binary));
        command.args(arguments).uid(NOBODY).gid(NOBODY).output().expect("the binary starts")
    }

    /// As `nobody`, in a user namespace of its own that allows no further ones; the host's limit stays as it is. `None`
    /// where util-linux cannot make such a place.
    fn without_namespaces(&self, arguments: &[&str]) -> Option<Output> {
        let mut command = self.prepared(Command::new("sh"));
        command.args(["-c", WITHOUT_NAMESPACES, "sh"]);
        let output = command.arg(&self.binary).args(arguments).output().ok()?;
        (output.status.code() != Some(99)).then_some(output)
    }
}

/// Every file of the folder belongs to `nobody`, and the captures are there.
fn belongs_to_nobody(out: &Path) {
    let mut names = Vec::new();
    for entry in fs::read_dir(out).expect("the run made it") {
        let entry = entry.expect("it can be listed");
        let data = entry.metadata().expect("it is there");
        assert_eq!((data.uid(), data.gid()), (NOBODY, NOBODY), "{:?}", entry.path());
        names.push(entry.file_name().into_string().expect("we name our files"));
    }
    assert_eq!(fs::metadata(out).expect("the run made it").uid(), NOBODY);
    for name in ["client.pcapng", "server.pcapng", "journal.jsonl", "layers.txt"] {
        assert!(names.iter().any(|each| each == name), "{name} is missing: {names:?}");
    }
}

fn passes(output: &Output) -> String {
    let (out, err) = printed(output);
    assert_eq!((output.status.code(), err.as_str()), (Some(0), ""), "{out}");
    assert!(out.contains("PASS") && !out.contains("FAIL"), "{out}");
    out
}

#[test]
fn a_user_without_privileges_gets_a_run_and_is_told_which() {
    let _turn = live::turn();
    let Some(place) = Place::new("a_user_without_privileges_gets_a_run_and_is_told_which") else { return };
    let told = passes(&place.as_nobody(&["run", "10", "--out", "out"]));
    if told.contains("(live, through a ") {
        let only_veth = fs::metadata("/dev/net/tun").is_ok_and(|device| device.mode() & 0o006 != 0o006);
        let note = "note: using a veth pair, since /dev/net/tun may not be opened by this user";
        assert!(!only_veth || (told.contains("(live, through a veth door)") && told.contains(note)), "{told}");
    } else {
        assert!(told.contains("(simulated, seed 10)") && told.contains("not live, simulated instead: "), "{told}");
    }
    belongs_to_nobody(&place.home.join("out"));
}

#[test]
fn without_user_namespaces_the_run_is_simulated_and_says_why() {
    let _turn = live::turn();
    let test = "without_user_namespaces_the_run_is_simulated_and_says_why";
    let Some(place) = Place::new(test) else { return };
    let Some(output) = place.without_namespaces(&["run", "10", "--out", "out"]) else {
        return skip(test, "util-linux cannot make a place without user namespaces here");
    };
    let told = passes(&output);
    let why = "not live, simulated instead: this system does not let you make a user namespace";
    let without_breaks = told.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(told.contains("(simulated, seed 10)") && without_breaks.contains(why), "{told}");
    belongs_to_nobody(&place.home.join("out"));
}

#[test]
fn without_user_namespaces_a_live_run_is_refused_with_what_mends_it() {
    let _turn = live::turn();
    let test = "without_user_namespaces_a_live_run_is_refused_with_what_mends_it";
    let Some(place) = Place::new(test) else { return };
    let Some(output) = place.without_namespaces(&["run", "10", "--mode", "live", "--out", "out"]) else {
        return skip(test, "util-linux cannot make a place without user namespaces here");
    };
    let (out, err) = printed(&output);
    assert_eq!((output.status.code(), out.as_str()), (Some(1), ""), "{err}");
    for part in ["a live run is not possible here", "user namespace", "run with sudo", "--mode sim", "wireglass doctor"]
    {
        assert!(err.contains(part), "{part}: {err}");
    }
    assert!(!place.home.join("out").exists(), "nothing is left of a run that could not begin");
}

#[test]
fn under_sudo_programs_and_files_are_the_callers() {
    let _turn = live::turn();
    let test = "under_sudo_programs_and_files_are_the_callers";
    let Some(place) = Place::new(test) else { return };
    let lab = r#"
        id      = "97-who"
        title   = "Who runs this"
        summary = "A program that says who it is."
        minutes = 1
        seed    = 97
        [node.client]
        live = "linux"
        sim  = "stack"
        [node.server]
        live = "stack"
        sim  = "stack"
        [[link]]
        between = ["client", "server"]
        [[step]]
        on  = "server"
        run = { http-server = { port = 80, path = "/", body = "hello" } }
        [[step]]
        on   = "client"
        run  = { http-get = { url = "http://server/" } }
        exec = ["sh", "-c", "echo uid=$(id -u) gid=$(id -g) new_privs=$(grep NoNewPrivs /proc/self/status | cut -f2)"]
        [[expect]]
        id    = "says"
        that  = "The program says one line"
        count = 'event.report == "output" && event.line == "uid=65534 gid=65534 new_privs=1"'
        is    = 1
    "#;
    fs::write(place.home.join("lab.toml"), lab).expect("root writes everywhere");
    let mut command = wireglass(&place.home, &["run", "./lab.toml", "--mode", "live", "--out", "deep/out"]);
    let output = command.env("SUDO_UID", "65534").env("SUDO_GID", "65534").output().expect("the binary starts");
    if printed(&output).1.contains("a live run is not possible here") {
        return skip(test, &printed(&output).1);
    }
    passes(&output);
    belongs_to_nobody(&place.home.join("deep/out"));
    assert_eq!(fs::metadata(place.home.join("deep")).expect("the run made it").uid(), NOBODY);
    drop(place.folder);
}
