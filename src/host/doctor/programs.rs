//! Real programs that labs and learners use.

use std::env;
use std::ffi::OsStr;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::Finding;

/// A program and what it is called by package managers.
struct Program {
    name: &'static str,
    version: &'static str,
    cost: &'static str,
    packages: Packages,
}

/// Names of a package: Debian and Ubuntu, Fedora, Arch, Alpine.
struct Packages {
    apt: &'static str,
    dnf: &'static str,
    pacman: &'static str,
    apk: &'static str,
}

/// The program that reads captures in a terminal.
pub(super) fn tshark() -> Finding {
    look_for(&Program {
        name: "tshark",
        version: "--version",
        cost: "the project's own tests cannot have their captures judged by Wireshark; labs do not need it",
        packages: Packages { apt: "tshark", dnf: "wireshark-cli", pacman: "wireshark-cli", apk: "tshark" },
    })
}

/// The program that captures are made for.
pub(super) fn wireshark() -> Finding {
    look_for(&Program {
        name: "wireshark",
        version: "--version",
        cost: "captures cannot be opened in Wireshark on this machine; `wireglass show FILE` explains them in the terminal",
        packages: Packages { apt: "wireshark", dnf: "wireshark", pacman: "wireshark-qt", apk: "wireshark" },
    })
}

/// The HTTP client that live labs run.
pub(super) fn curl() -> Finding {
    look_for(&Program {
        name: "curl",
        version: "--version",
        cost: "live labs whose steps run curl stop there; in sim the built-in client stands in",
        packages: Packages { apt: "curl", dnf: "curl", pacman: "curl", apk: "curl" },
    })
}

/// The DNS client that live labs run.
pub(super) fn dig() -> Finding {
    look_for(&Program {
        name: "dig",
        version: "-v",
        cost: "live labs whose steps run dig stop there; in sim the built-in client stands in",
        packages: Packages { apt: "bind9-dnsutils", dnf: "bind-utils", pacman: "bind", apk: "bind-tools" },
    })
}

fn look_for(program: &Program) -> Finding {
    match find(program.name, env::var_os("PATH").as_deref()) {
        Some(path) => Finding::ok(program.name, version(&path, program.version)),
        None => Finding::costs(program.name, "not found", program.cost, program.packages.install()),
    }
}

/// The first executable file called `name` in the folders of `path`.
pub(super) fn find(name: &str, path: Option<&OsStr>) -> Option<PathBuf> {
    let executable = |file: &PathBuf| file.metadata().is_ok_and(|m| m.is_file() && m.permissions().mode() & 0o111 != 0);
    env::split_paths(path?).map(|folder| folder.join(name)).find(executable)
}

/// The version that the program says it has; where it is, when it does not say.
fn version(path: &Path, argument: &str) -> String {
    let output = Command::new(path).arg(argument).stdin(Stdio::null()).output();
    let said = output.map(|output| [output.stdout, output.stderr].concat()).unwrap_or_default();
    match version_in(&String::from_utf8_lossy(&said)) {
        Some(version) => version.to_owned(),
        None => path.display().to_string(),
    }
}

/// The first word that looks like a version: `4.0.17`.
fn version_in(text: &str) -> Option<&str> {
    let is_version = |word: &&str| word.starts_with(|c: char| c.is_ascii_digit()) && word.contains('.');
    text.split_whitespace().find(is_version).map(|word| word.trim_end_matches(['.', ',']))
}

impl Packages {
    /// The command for the package manager of this machine.
    fn install(&self) -> String {
        let has = |manager: &str| find(manager, env::var_os("PATH").as_deref()).is_some();
        if has("apt-get") {
            format!("sudo apt-get install {}", self.apt)
        } else if has("dnf") {
            format!("sudo dnf install {}", self.dnf)
        } else if has("pacman") {
            format!("sudo pacman -S {}", self.pacman)
        } else if has("apk") {
            format!("sudo apk add {}", self.apk)
        } else {
            format!("install the package {}", self.apt)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_is_found_by_its_folder_in_the_path() {
        assert_eq!(find("sh", Some(OsStr::new("/nonexistent:/bin"))), Some(PathBuf::from("/bin/sh")));
        assert_eq!(find("sh", Some(OsStr::new("/nonexistent"))), None);
        assert_eq!(find("sh", None), None);
    }

    #[test]
    fn versions_are_found_in_what_programs_say() {
        for (said, version) in [
            ("TShark (Wireshark) 4.0.17 (Git v4.0.17 packaged as 4.0.17-0)\n\nCopyright 1998", Some("4.0.17")),
            ("curl 7.88.1 (x86_64-pc-linux-gnu) libcurl/7.88.1", Some("7.88.1")),
            ("DiG 9.18.49-1~deb12u3-Debian", Some("9.18.49-1~deb12u3-Debian")),
            ("Wireshark 4.2.", Some("4.2")),
            ("no idea", None),
        ] {
            assert_eq!(version_in(said), version, "{said}");
        }
    }

    #[test]
    fn a_file_that_cannot_be_executed_is_no_program() {
        assert_eq!(find("passwd", Some(OsStr::new("/etc"))), None);
    }
}
