//! `wireglass wireshark`: captures in Wireshark, and Wireshark ready for them; and `run --wireshark`.

mod follow;
mod profile;

use std::ffi::OsStr;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::{env, fs};

use nix::unistd::{Uid, User};

use super::meant::WiresharkTask;
use super::terminal::Terminal;
use super::{Failure, Outcome};
use crate::host::RunAs;

pub(super) use follow::Following;

/// Opens a capture, installs the profile, or both.
pub(super) fn wireshark(task: &WiresharkTask, terminal: &Terminal) -> Result<Outcome, Failure> {
    if task.install_profile {
        let folder = profile::install(&Settings::of_caller()?)?;
        terminal.print(&format!(
            "the profile wireglass is in {}\nchoose it at the bottom right of Wireshark's window; `wireglass wireshark FILE` \
             and `wireglass run LAB --wireshark` do\n",
            folder.display()
        ))?;
    }
    if let Some(capture) = &task.capture {
        let capture = fs::canonicalize(capture)
            .map_err(|error| Failure::Input(format!("{} cannot be opened: {error}", capture.display())))?;
        Viewer::found()?.show(&capture)?;
    }
    Ok(Outcome::Well)
}

/// Whose Wireshark it is: of the user who called, also through sudo.
struct Settings {
    /// Wireshark's own folder.
    folder: PathBuf,
    owner: Option<RunAs>,
}

impl Settings {
    fn of_caller() -> Result<Settings, Failure> {
        let owner = RunAs::caller();
        let home = home(owner).ok_or_else(|| {
            Failure::Input(
                "nobody says where your home is: set HOME, or copy scripts/wireshark-profile yourself".to_owned(),
            )
        })?;
        // sudo leaves the caller's XDG_CONFIG_HOME out, or it would be root's.
        let config = env::var_os("XDG_CONFIG_HOME").filter(|path| owner.is_none() && Path::new(path).is_absolute());
        let folder = config.map_or_else(|| home.join(".config"), PathBuf::from).join("wireshark");
        Ok(Settings { folder, owner })
    }
}

fn home(caller: Option<RunAs>) -> Option<PathBuf> {
    match caller {
        Some(caller) => User::from_uid(Uid::from_raw(caller.uid)).ok().flatten().map(|user| user.dir),
        None => env::var_os("HOME").filter(|home| !home.is_empty()).map(PathBuf::from),
    }
}

/// An installed Wireshark.
pub(super) struct Viewer {
    program: PathBuf,
    has_profile: bool,
    caller: Option<RunAs>,
}

impl Viewer {
    /// The one in PATH.
    ///
    /// # Errors
    /// A text that says how to get one.
    pub(super) fn found() -> Result<Viewer, Failure> {
        let paths = env::var_os("PATH").unwrap_or_default();
        let program = env::split_paths(&paths).map(|folder| folder.join("wireshark")).find(|program| program.is_file());
        let missing = "no wireshark in PATH; on Debian and Ubuntu `sudo apt install wireshark`, or open the files of a run elsewhere";
        let program = program.ok_or_else(|| Failure::Input(missing.to_owned()))?;
        let caller = RunAs::caller();
        let has_profile = Settings::of_caller().is_ok_and(|settings| profile::is_installed(&settings));
        Ok(Viewer { program, has_profile, caller })
    }

    /// Opens a file, and does not wait for the window's end.
    fn show(&self, file: &Path) -> Result<(), Failure> {
        let mut command = self.command();
        command.arg("-r").arg(file).stdin(Stdio::null());
        command.spawn().map(drop).map_err(|error| self.failed(&error))
    }

    /// In the caller's name, and out of reach of a Ctrl-C that is meant for the run.
    fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        if self.has_profile {
            command.args(["-C", profile::NAME]);
        }
        if let Some(caller) = self.caller {
            command.gid(caller.gid).uid(caller.uid);
            command.env("HOME", home(Some(caller)).as_deref().map_or(OsStr::new("/"), Path::as_os_str));
        }
        command.process_group(0).stdout(Stdio::null()).stderr(Stdio::null());
        command
    }

    fn failed(&self, error: &std::io::Error) -> Failure {
        Failure::Input(format!("{} cannot be started: {error}", self.program.display()))
    }
}
