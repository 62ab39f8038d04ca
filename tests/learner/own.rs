//! Labs of one's own.

use std::fs;

use super::{argument, call, folder};

#[test]
fn a_new_lab_passes_at_once_its_breaks_do_and_its_guide_is_true() {
    let folder = folder();
    let (code, out, err) = call(folder.path(), &["new", "my-lab"]);
    assert_eq!(code, Some(0), "{err}");
    assert!(out.contains("wireglass run ./my-lab --mode sim"), "{out}");
    for arguments in [
        &["run", "./my-lab", "--mode", "sim"][..],
        &["run", "my-lab", "--mode", "sim", "--break", "nothing-lost"],
        &["guide", "./my-lab", "--verify"],
    ] {
        let (code, out, err) = call(folder.path(), arguments);
        assert_eq!(code, Some(0), "{arguments:?}: {out}{err}");
    }
    // From elsewhere, by its path.
    let other = super::folder();
    let path = folder.path().join("my-lab");
    assert_eq!(call(other.path(), &["run", argument(&path), "--mode", "sim"]).0, Some(0));
    assert!(other.path().join("out/100-my-lab/client.pcapng").is_file());
}

#[test]
fn every_check_of_the_new_lab_can_fail() {
    let folder = folder();
    assert_eq!(call(folder.path(), &["new", "my-lab"]).0, Some(0));
    let lab = wireglass::lab::Definition::load(&folder.path().join("my-lab")).expect("it is a lab");
    for check in &lab.checks {
        let falsified = lab.falsified(&check.id).unwrap_or_else(|| panic!("{} says how", check.id));
        let options = wireglass::lab::Options {
            wanted: wireglass::lab::Wanted::Only(wireglass::lab::Mode::Sim),
            ..wireglass::lab::Options::default()
        };
        let finished = wireglass::lab::run(&falsified, &options).expect("a simulation needs nothing");
        assert!(finished.verdicts.iter().any(|verdict| verdict.id == check.id && verdict.is_fail()), "{}", check.id);
    }
}

#[test]
fn nothing_is_overwritten() {
    let folder = folder();
    fs::create_dir(folder.path().join("mine")).expect("the folder is ours");
    fs::write(folder.path().join("file"), "precious").expect("the folder is ours");
    for name in ["mine", "file"] {
        let (code, out, err) = call(folder.path(), &["new", name]);
        assert_eq!((code, out.as_str()), (Some(1), ""));
        assert!(err.contains("is there already; nothing was changed"), "{err}");
    }
    assert_eq!(fs::read_to_string(folder.path().join("file")).expect("it is there"), "precious");
    assert_eq!(fs::read_dir(folder.path().join("mine")).expect("it is there").count(), 0);
    let (code, _, err) = call(folder.path(), &["new", "My Lab"]);
    assert!(code == Some(1) && err.contains("cannot be a lab's name"), "{err}");
}

#[test]
fn a_copy_of_every_lab_passes_and_calls_itself_by_its_own_name() {
    for lab in super::super::labs::labs() {
        let folder = folder();
        let id = super::super::labs::id_of(&lab);
        assert_eq!(call(folder.path(), &["new", "copy", "--from", &id]).0, Some(0), "{id}");
        let (code, out, err) = call(folder.path(), &["run", "./copy", "--mode", "sim"]);
        assert_eq!(code, Some(0), "{id}: {out}{err}");
        assert!(out.starts_with("100-copy "), "{out}");
        let (code, out, err) = call(folder.path(), &["guide", "./copy", "--renew"]);
        assert_eq!(code, Some(0), "{id}: {out}{err}");
    }
}
