//! Lab files that are wrong, as their author meets them: the program is started, and what it says has the place, what is
//! wrong there and what to write instead.

mod kinds;

use std::ffi::OsString;
use std::fs;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::Command;

use nix::sys::stat::Mode;
use nix::unistd::{Uid, mkfifo};

use super::super::support::{Folder, copy, printed, wireglass};
use kinds::{KINDS, Kind, LAB};

/// Everybody's user without rights.
const NOBODY: u32 = 65_534;

/// Everything below a folder, by path.
fn files(folder: &Path) -> Vec<OsString> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).into_iter().flatten().flatten() {
            found.push(entry.path().into_os_string());
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                folders.push(entry.path());
            }
        }
    }
    found.sort();
    found
}

/// The call that simulates the lab in `folder`.
fn simulation(folder: &Path) -> Command {
    let mut command = wireglass(folder, &["run", "./lab", "--mode", "sim"]);
    command.env("XDG_STATE_HOME", folder.join("state"));
    command
}

/// What is complained of, after nothing else was printed, the exit code says *broken input*, and nothing was written.
fn refused(folder: &Path, mut command: Command) -> String {
    let before = files(folder);
    let output = command.output().expect("the binary starts");
    let (out, error) = printed(&output);
    assert_eq!((output.status.code(), out.as_str()), (Some(1), ""), "{error}");
    assert_eq!(files(folder), before, "nothing was written");
    error
}

/// A folder with a lab whose file has these octets.
fn lab(octets: &[u8]) -> Folder {
    let folder = Folder::new();
    fs::create_dir(folder.path().join("lab")).expect("the folder is ours");
    fs::write(folder.path().join("lab/lab.toml"), octets).expect("the folder is ours");
    folder
}

fn refused_lab(octets: &[u8]) -> String {
    let folder = lab(octets);
    refused(folder.path(), simulation(folder.path()))
}

/// Simulates a lab that is right.
fn passes(octets: &[u8]) {
    let folder = lab(octets);
    let output = simulation(folder.path()).output().expect("the binary starts");
    let (out, error) = printed(&output);
    assert_eq!(output.status.code(), Some(0), "{out}{error}");
}

#[test]
fn the_lab_is_right_with_any_ends_of_lines_and_with_a_byte_order_mark() {
    passes(LAB.as_bytes());
    passes(LAB.replace('\n', "\r\n").as_bytes());
    passes(format!("\u{feff}{LAB}").as_bytes());
}

#[test]
fn each_kind_of_mistake_is_told_with_its_place_and_what_mends_it() {
    let mut wrong = Vec::new();
    for Kind { name, from, to, told } in &KINDS {
        assert!(LAB.contains(from), "{name}: the lab has no {from}");
        let said = refused_lab(LAB.replacen(from, to, 1).as_bytes());
        if said != format!("wireglass: ./lab/lab.toml:{told}\n") {
            wrong.push(format!("{name}\n  {told}\n  {said}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn places_are_the_same_with_any_ends_of_lines_and_with_a_byte_order_mark() {
    let text = LAB.replacen("that =", "thta =", 1);
    let told = "wireglass: ./lab/lab.toml:48:1: unknown field `thta`; expected one of ";
    for text in [text.replace('\n', "\r\n"), format!("\u{feff}{text}")] {
        let said = refused_lab(text.as_bytes());
        assert!(said.starts_with(told) && said.ends_with("did you mean `that`?\n"), "{said}");
    }
    // The first line is the one that a mark could move.
    let said = refused_lab(format!("\u{feff}{}", LAB.replacen("id =", "di =", 1)).as_bytes());
    assert!(said.starts_with("wireglass: ./lab/lab.toml:1:1: unknown field `di`"), "{said}");
}

#[test]
fn a_file_that_is_no_text_is_told_where_it_is_none() {
    let latin1 = [&b"id = \"100-broken\"\ntitle = \"Caf"[..], &[0xe9], b"\"\n"].concat();
    let told = "wireglass: ./lab/lab.toml:2:13: found the octet 0xE9, which is no UTF-8; save the file as UTF-8\n";
    assert_eq!(refused_lab(&latin1), told);
    let told = "wireglass: ./lab/lab.toml:1:1: the file is empty; `wireglass new NAME` makes a lab to begin with\n";
    for empty in ["", "\n\n", "\u{feff}"] {
        assert_eq!(refused_lab(empty.as_bytes()), told, "{empty:?}");
    }
    let told = "wireglass: ./lab/lab.toml:1:1: a lab has nodes; add a table `[node.client]` with `live = \"linux\"`\n";
    assert_eq!(refused_lab(LAB.split("[node").next().expect("a text").as_bytes()), told);
}

#[test]
fn a_file_that_cannot_be_read_says_what_to_do() {
    let told = "wireglass: ./lab/lab.toml: cannot be read: it has more than 1048576 octets, and a lab has a few thousand; is \
                it the right file?\n";
    assert_eq!(refused_lab("# nothing\n".repeat(1_000_000).as_bytes()), told);

    let folder = Folder::new();
    fs::create_dir_all(folder.path().join("lab/lab.toml")).expect("the folder is ours");
    let said = refused(folder.path(), simulation(folder.path()));
    let told =
        "wireglass: ./lab/lab.toml: cannot be read: is a directory; a lab is a folder with a file `lab.toml` in it\n";
    assert_eq!(said, told);

    let folder = Folder::new();
    fs::create_dir(folder.path().join("lab")).expect("the folder is ours");
    let said = refused(folder.path(), simulation(folder.path()));
    let told = "wireglass: ./lab/lab.toml: cannot be read: No such file or directory (os error 2); `wireglass new NAME` \
                makes a lab to begin with\n";
    assert_eq!(said, told);

    // Nobody writes into this pipe, so to open it would wait for ever.
    mkfifo(&folder.path().join("lab/lab.toml"), Mode::S_IRWXU).expect("the folder is ours");
    let said = refused(folder.path(), simulation(folder.path()));
    assert!(said.contains("lab.toml: cannot be read: it is no file; a lab is a folder with"), "{said}");
}

#[test]
fn a_file_without_permission_says_what_to_do() {
    use std::os::unix::fs::PermissionsExt as _;

    let folder = lab(LAB.as_bytes());
    let file = folder.path().join("lab/lab.toml");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o000)).expect("it is ours");
    let mut command = simulation(folder.path());
    if Uid::effective().is_root() {
        // Nothing is closed to root. The build folder may be to others.
        let program = folder.path().join("wireglass");
        copy(Path::new(env!("CARGO_BIN_EXE_wireglass")), &program);
        command = Command::new(program);
        command.args(["run", "./lab", "--mode", "sim"]).current_dir(folder.path()).uid(NOBODY).gid(NOBODY);
        command.env("XDG_STATE_HOME", folder.path().join("state"));
    }
    let told =
        "wireglass: ./lab/lab.toml: cannot be read: Permission denied (os error 13); `chmod +r` lets you read it\n";
    assert_eq!(refused(folder.path(), command), told);
}

#[test]
fn a_guide_that_names_what_is_not_there_is_told_its_line() {
    let folder = lab(LAB.as_bytes());
    let guide = "# 100 broken\n\nPacket <!--= packet agian -->3<!--=--> was sent again.\n";
    fs::write(folder.path().join("lab/README.md"), guide).expect("the folder is ours");
    let said = refused(folder.path(), wireglass(folder.path(), &["guide", "./lab", "--verify"]));
    assert!(said.contains("README.md: line 3: ") && said.contains("agian"), "{said}");
    assert!(said.contains("did you mean `again`?"), "{said}");
}
