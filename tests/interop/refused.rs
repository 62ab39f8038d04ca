//! What `run` refuses, in one sentence that says what to do; and that nothing is left of it.

use std::fs;
use std::path::Path;

use crate::support::{Folder, live, printed, skip, wireglass};

const LAB: &str = r#"
id      = "96-refused"
title   = "One page"
summary = "A page is fetched."
minutes = 1
seed    = 96
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
exec = ["wireglass-has-no-such-program", "http://server/"]
[[expect]]
id    = "one-syn"
that  = "There is one connection"
count = "tcp.flags.syn == 1 && tcp.flags.ack == 0"
is    = 1
"#;

fn with_lab(text: &str) -> Folder {
    let folder = Folder::new();
    fs::write(folder.path().join("lab.toml"), text).expect("the folder is ours");
    folder
}

fn run(folder: &Path, arguments: &[&str]) -> (Option<i32>, String, String) {
    let output = wireglass(folder, &[&["run"], arguments].concat()).output().expect("the binary starts");
    let (out, err) = printed(&output);
    (output.status.code(), out, err)
}

/// Exit code 1, nothing on standard output, these parts in one complaint, and no folder of captures.
fn is_refused(folder: &Path, arguments: &[&str], parts: &[&str]) {
    let (code, out, err) = run(folder, arguments);
    assert_eq!((code, out.as_str()), (Some(1), ""), "{arguments:?}: {err}");
    assert!(err.starts_with("wireglass: "), "{arguments:?}: {err}");
    for part in parts {
        assert!(err.contains(part), "{arguments:?}: {part:?} is not in: {err}");
    }
    assert!(!folder.join("out").is_dir(), "{arguments:?} leaves a folder");
}

#[test]
fn an_unknown_lab_is_answered_with_the_closest_names() {
    let folder = Folder::new();
    let parts = ["`three-way-handshek`", "did you mean `10-three-way-handshake`", "wireglass list"];
    is_refused(folder.path(), &["three-way-handshek"], &parts);
    is_refused(folder.path(), &["98"], &["no lab `98`", "wireglass list"]);
    is_refused(folder.path(), &["./nowhere"], &["./nowhere", "No such file"]);
}

#[test]
fn an_unknown_break_is_answered_with_those_that_there_are() {
    let folder = Folder::new();
    let parts = ["no break `small-mut`", "`lose-the-third`", "`small-mtu`"];
    is_refused(folder.path(), &["10", "--break", "small-mut", "--mode", "sim"], &parts);
}

#[test]
fn a_broken_lab_file_is_answered_with_line_and_column() {
    for (from, to, parts) in [
        ("between", "betwen", ["lab.toml:14:1", "unknown field `betwen`", "did you mean `between`"]),
        ("on   = \"client\"", "on   = \"cleint\"", ["lab.toml:19:8", "cleint", "client"]),
        ("port = 80", "port = \"x\"", ["lab.toml:17:32", "\"x\"", "a whole number from 1 to 65535"]),
        ("is    = 1", "is    = ", ["lab.toml:26:9", "expected", "literal"]),
    ] {
        let folder = with_lab(&LAB.replace(from, to));
        is_refused(folder.path(), &["./lab.toml", "--mode", "sim"], &parts);
    }
}

#[test]
fn a_folder_that_cannot_be_written_is_named() {
    let folder = with_lab(LAB);
    for mode in ["sim", "live"] {
        let _turn = live::turn();
        let arguments = ["./lab.toml", "--mode", mode, "--out", "lab.toml/out"];
        let (code, out, err) = run(folder.path(), &arguments);
        if err.contains("a live run is not possible here") {
            return skip("a_folder_that_cannot_be_written_is_named", &err);
        }
        assert_eq!((code, out.as_str()), (Some(1), ""), "{err}");
        assert!(err.contains("lab.toml/out") && err.contains("choose another"), "{err}");
    }
    assert_eq!(fs::read_to_string(folder.path().join("lab.toml")).expect("it is ours"), LAB);
}

#[test]
fn a_door_without_a_kernel_node_is_refused() {
    let folder = with_lab(&LAB.replace("live = \"linux\"", "live = \"stack\"").replace("exec = ", "# exec = "));
    is_refused(folder.path(), &["./lab.toml", "--door", "tun"], &["no kernel node", "leave `--door` out"]);
}

#[test]
fn a_program_that_is_not_installed_is_named_with_what_installs_it() {
    let _turn = live::turn();
    let folder = with_lab(LAB);
    let (code, out, err) = run(folder.path(), &["./lab.toml", "--mode", "live", "--out", "out"]);
    if err.contains("a live run is not possible here") {
        return skip("a_program_that_is_not_installed_is_named_with_what_installs_it", &err);
    }
    assert_eq!((code, err.as_str()), (Some(1), ""), "{out}");
    let told = out.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(told.contains("step 2 (wireglass-has-no-such-program on client) failed: "), "{out}");
    assert!(told.contains("install it with `sudo apt install wireglass-has-no-such-program`"), "{out}");
    // In simulation its twin does the work.
    let (code, out, _) = run(folder.path(), &["./lab.toml", "--mode", "sim", "--out", "out"]);
    assert_eq!(code, Some(0), "{out}");
}

#[test]
fn a_server_that_is_not_installed_or_ends_too_early_is_a_failed_step() {
    let name = "a_server_that_is_not_installed_or_ends_too_early_is_a_failed_step";
    let _turn = live::turn();
    let server = |exec: &str| {
        let step = format!(
            "[[step]]\non = \"client\"\nrun = {{ sink = {{ port = 9000 }} }}\nexec = {exec}\n[[step]]\non  = \"server\""
        );
        LAB.replacen("[[step]]\non  = \"server\"", &step, 1).replace("wireglass-has-no-such-program", "sleep")
    };
    let missing = server("[\"wireglass-has-no-such-server\"]");
    // The client's step takes a while, so that the server's end is noticed in time.
    let failing =
        server("[\"sh\", \"-c\", \"exit 3\"]").replace("[\"sleep\", \"http://server/\"]", "[\"sleep\", \"1\"]");
    for (lab, parts) in [
        (missing, ["step 1 (wireglass-has-no-such-server on client) failed: ", "not installed"]),
        (failing, ["step 1 (sh on client) failed: ", "it returned 3"]),
    ] {
        let folder = with_lab(&lab);
        let (code, out, err) = run(folder.path(), &["./lab.toml", "--mode", "live", "--out", "out"]);
        if err.contains("a live run is not possible here") {
            return skip(name, &err);
        }
        assert_eq!((code, err.as_str()), (Some(1), ""), "{out}");
        let told = out.split_whitespace().collect::<Vec<_>>().join(" ");
        for part in parts {
            assert!(told.contains(part), "{part:?} is not in: {out}");
        }
    }
}

#[test]
fn a_wrong_kernel_setting_is_an_error_and_no_reason_to_simulate() {
    let _turn = live::turn();
    let folder =
        with_lab(&LAB.replacen("sim  = \"stack\"", "sim  = \"stack\"\nsysctl = { \"net.ipv4.no_such_thing\" = 1 }", 1));
    let (code, out, err) = run(folder.path(), &["./lab.toml", "--out", "out"]);
    if out.contains("not live, simulated instead") {
        return skip("a_wrong_kernel_setting_is_an_error_and_no_reason_to_simulate", &out);
    }
    assert_eq!((code, out.as_str()), (Some(1), ""), "{err}");
    assert!(err.contains("`net.ipv4.no_such_thing` in node `client`"), "{err}");
    assert!(!folder.path().join("out").exists(), "nothing was begun");
}
