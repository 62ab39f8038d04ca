//! Starting real programs in a node.
//!
//! A program gets: the node's network namespace, a session of its own, `no_new_privs`, a small known environment,
//! nothing on its standard input, and, when the run was started with sudo, the identity of the user who called it.

use std::env;
use std::ffi::{CString, OsStr};
use std::fs::Metadata;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use nix::fcntl::OFlag;
use nix::sched::{CloneFlags, setns};
use nix::sys::prctl;
use nix::unistd::{Gid, Uid, User, geteuid, getgrouplist, pipe2, setgroups, setresgid, setresuid, setsid};

use crate::host::child::Exec;
use crate::host::error::ExecError;
use crate::host::holder::RunAs;
use crate::host::terminal;

/// What every program gets of the environment that wireglass was started in.
const INHERITED: [&str; 6] = ["HOME", "USER", "LANG", "LC_ALL", "TERM", "TZ"];

/// Where servers are installed, which an ordinary user's `PATH` leaves out.
const SYSTEM_DIRECTORIES: [&str; 5] = ["/usr/local/sbin", "/usr/sbin", "/sbin", "/usr/bin", "/bin"];

/// A user, with everything that becoming them takes.
pub(super) struct Identity {
    uid: Uid,
    gid: Gid,
    groups: Vec<Gid>,
    environment: Vec<(&'static str, String)>,
}

impl Identity {
    /// Looks the user up. One whom the system does not know gets their own group and no home.
    pub(super) fn of(user: RunAs) -> Identity {
        let (uid, gid) = (Uid::from_raw(user.uid), Gid::from_raw(user.gid));
        let known = User::from_uid(uid).ok().flatten();
        let groups = known
            .as_ref()
            .and_then(|known| getgrouplist(&CString::new(known.name.as_str()).ok()?, gid).ok())
            .unwrap_or_else(|| vec![gid]);
        let environment = match known {
            Some(known) => vec![("HOME", known.dir.display().to_string()), ("USER", known.name)],
            None => vec![("HOME", "/".to_owned())],
        };
        Identity { uid, gid, groups, environment }
    }
}

/// A program that runs.
pub(super) struct Started {
    pub(super) pid: i32,
    /// Where its end is to be told.
    pub(super) ending: OwnedFd,
    /// For the main process: its standard output and standard error, if pipes were made, and the other end of `ending`.
    pub(super) pipes: Vec<OwnedFd>,
}

/// Starts a program in the namespace `namespace`, on these standard streams or on pipes that are made for it.
pub(super) fn start(
    namespace: &OwnedFd,
    exec: &Exec,
    streams: Option<[OwnedFd; 3]>,
    identity: Option<&Identity>,
) -> Result<Started, ExecError> {
    let (program, arguments) = exec.argv.split_first().ok_or(ExecError::Empty)?;
    let failed = |error: io::Error| ExecError::Failed { program: program.clone(), reason: error.to_string() };
    if let Some(directory) = exec.cwd.as_ref().filter(|directory| !directory.is_dir()) {
        return Err(ExecError::Directory { directory: directory.display().to_string() });
    }
    let search = search_path(exec);
    let found = find(program, &search, exec.cwd.as_deref())?;
    let mut command = Command::new(&found);
    command.arg0(program).args(arguments).env_clear().env("PATH", &search);
    command.envs(INHERITED.iter().filter_map(|name| Some((name, env::var_os(name)?))));
    command.envs(identity.iter().flat_map(|identity| identity.environment.iter().map(|(name, value)| (name, value))));
    command.envs(exec.env.iter().map(|(name, value)| (name, value)));
    if let Some(directory) = &exec.cwd {
        command.current_dir(directory);
    }
    let are_given = streams.is_some();
    match streams {
        Some([stdin, stdout, stderr]) => command.stdin(stdin).stdout(stdout).stderr(stderr),
        None => command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()),
    };
    let owns_terminal = are_given && exec.owns_terminal;
    enter_before_exec(&mut command, namespace, owns_terminal, identity).map_err(failed)?;

    let (told, ending) = pipe2(OFlag::O_CLOEXEC).map_err(|errno| failed(errno.into()))?;
    let mut child = command.spawn().map_err(|error| not_started(error, program, &found, identity))?;
    let mut pipes: Vec<OwnedFd> = Vec::with_capacity(3);
    pipes.extend(child.stdout.take().map(OwnedFd::from));
    pipes.extend(child.stderr.take().map(OwnedFd::from));
    pipes.push(told);
    // The child is reaped by process id, with everything else that ends here; dropping its handle does nothing.
    let pid = i32::try_from(child.id()).map_err(|_| failed(io::ErrorKind::InvalidData.into()))?;
    Ok(Started { pid, ending, pipes })
}

/// What happens in the child between `fork` and `exec`.
fn enter_before_exec(
    command: &mut Command,
    namespace: &OwnedFd,
    owns_terminal: bool,
    identity: Option<&Identity>,
) -> io::Result<()> {
    let namespace = namespace.try_clone()?;
    let become_user = identity.map(|identity| (identity.groups.clone(), identity.gid, identity.uid));
    let before_exec = move || {
        setsid()?;
        if owns_terminal {
            terminal::own_standard_input()?;
        }
        setns(&namespace, CloneFlags::CLONE_NEWNET)?;
        if let Some((groups, gid, uid)) = &become_user {
            setgroups(groups)?;
            setresgid(*gid, *gid, *gid)?;
            setresuid(*uid, *uid, *uid)?;
        }
        prctl::set_no_new_privs()?;
        Ok(())
    };
    // SAFETY: the closure makes system calls only and allocates nothing; and the holder has one thread, so that no lock
    // could have been held across the fork.
    unsafe { command.pre_exec(before_exec) };
    Ok(())
}

/// `PATH` for the program: the lab's, else the user's, and the system's directories after it.
fn search_path(exec: &Exec) -> String {
    let own = exec.env.iter().rev().find(|(name, _)| name == "PATH").map(|(_, value)| value.clone());
    if let Some(own) = own {
        return own;
    }
    let mut path = env::var("PATH").unwrap_or_default();
    for directory in SYSTEM_DIRECTORIES {
        if !path.split(':').any(|known| known == directory) {
            path.push(':');
            path.push_str(directory);
        }
    }
    path.trim_start_matches(':').to_owned()
}

/// The file that `program` names.
fn find(program: &str, search: &str, cwd: Option<&Path>) -> Result<PathBuf, ExecError> {
    let executable = |file: &Path| {
        let runs = |data: Metadata| data.is_file() && data.permissions().mode() & 0o111 != 0;
        file.metadata().is_ok_and(runs)
    };
    if program.contains('/') {
        let file = cwd.unwrap_or(Path::new("")).join(program);
        return if file.exists() { Ok(file) } else { Err(not_installed(program)) };
    }
    env::split_paths(search)
        .map(|directory| directory.join(program))
        .find(|file| executable(file))
        .ok_or_else(|| not_installed(program))
}

fn not_installed(program: &str) -> ExecError {
    let mend = if program.contains('/') {
        format!("there is no file `{program}`: check the path")
    } else {
        format!("install it with `sudo apt install {}` or your system's way", package_of(program))
    };
    ExecError::NotInstalled { program: program.to_owned(), mend }
}

/// The Debian package of a program, where the two have different names.
fn package_of(program: &str) -> &str {
    match program {
        "dig" | "nslookup" | "host" => "bind9-dnsutils",
        "nc" => "netcat-openbsd",
        "ip" | "ss" | "tc" => "iproute2",
        "ping" => "iputils-ping",
        "tracepath" => "iputils-tracepath",
        "ab" => "apache2-utils",
        "sshd" => "openssh-server",
        "ssh" | "scp" => "openssh-client",
        "telnet" => "inetutils-telnet",
        other => other,
    }
}

/// Why `spawn` failed, after the program was found.
fn not_started(error: io::Error, program: &str, found: &Path, identity: Option<&Identity>) -> ExecError {
    let uid = identity.map_or_else(geteuid, |identity| identity.uid).as_raw();
    let reason = match error.kind() {
        io::ErrorKind::PermissionDenied => {
            return ExecError::NotPermitted { program: found.display().to_string(), uid };
        }
        io::ErrorKind::NotFound => {
            let file = found.file_name().unwrap_or(OsStr::new(program)).display();
            format!(
                "the file is there, but the interpreter or loader that `{file}` asks for is not: `file {}`",
                found.display()
            )
        }
        _ => error.to_string(),
    };
    ExecError::Failed { program: program.to_owned(), reason }
}
