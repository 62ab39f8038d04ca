//! Output files, opened with care.
//!
//! A run as root writes into a folder that somebody else may own, and may have laid links in. So whatever is made for an
//! owner is made with the owner's rights ([`Acting`]): links lead only to where the owner could write anyway, and what is
//! made belongs to the owner from the beginning. Besides, an output file is never reached through a symbolic link, is
//! never a device, a pipe, or another name of a file elsewhere, and only then is emptied. A node's name comes from a lab,
//! which may be a stranger's: it cannot lead out of the folder.

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Write};
use std::marker::PhantomData;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use nix::fcntl::OFlag;
use nix::unistd::{Gid, Uid, setfsgid, setfsuid};

/// Why something could not be recorded, and what to do.
#[derive(Debug, thiserror::Error)]
pub enum RecorderError {
    /// The folder cannot be made.
    #[error("cannot make the folder {}: {source}; choose another with --out", path.display())]
    Folder {
        /// The folder.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// A file cannot be made.
    #[error("cannot create {}: {source}; choose another folder with --out", path.display())]
    Create {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// A file of that name is there and must not be overwritten.
    #[error("will not write to {}: it is {what}; remove it or choose another folder with --out", path.display())]
    Unsafe {
        /// The file.
        path: PathBuf,
        /// What it is.
        what: &'static str,
    },
    /// Another run writes it at this moment.
    #[error("{} is being written by another run; wait for its end or choose another folder with --out", path.display())]
    Busy {
        /// The file.
        path: PathBuf,
    },
    /// Writing failed; the file ends before that.
    #[error("cannot write {}: {source}; it ends early{}", path.display(), advice(source))]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// A node's name cannot name a file, or two nodes have the same.
    #[error(
        "a recorded node cannot be called {name:?}: take letters, digits, `_`, `-` and `.` (64 at most, neither `.` nor \
         `-` first, `.story` not last), and a name that no other has"
    )]
    Name {
        /// The name.
        name: String,
    },
}

impl RecorderError {
    pub(super) fn write(path: &Path, source: io::Error) -> RecorderError {
        RecorderError::Write { path: path.to_owned(), source }
    }
}

fn advice(source: &io::Error) -> &'static str {
    match source.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => "; make room or choose another folder with --out",
        _ => "",
    }
}

/// Octets gathered before the system is called.
const BUFFER: usize = 1 << 18;

/// A buffered output file. What is handed over in one `write_all` reaches the system in one piece, and `flush` with
/// nothing to write costs nothing.
#[derive(Debug)]
pub(super) struct Output(io::BufWriter<File>);

impl Output {
    /// Creates the file, or empties the one that is there.
    ///
    /// # Errors
    /// [`RecorderError`] when it cannot be, or is not a plain file of its own.
    pub(super) fn create(path: &Path, owner: Owner) -> Result<Output, RecorderError> {
        let create_error = |source| RecorderError::Create { path: path.to_owned(), source: told(source, owner) };
        let _acting = Acting::begin(owner).map_err(create_error)?;
        let refuse = |what| RecorderError::Unsafe { path: path.to_owned(), what };
        // O_NONBLOCK: opening a named pipe would otherwise wait for its reader.
        let flags = OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK | OFlag::O_CLOEXEC;
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(false).custom_flags(flags.bits());
        let file = match options.open(path) {
            Ok(file) => file,
            Err(_) if fs::symlink_metadata(path).is_ok_and(|found| found.is_symlink()) => {
                return Err(refuse("a symbolic link"));
            }
            Err(source) => return Err(create_error(source)),
        };
        let metadata = file.metadata().map_err(create_error)?;
        if !metadata.is_file() {
            return Err(refuse("not a plain file"));
        }
        if metadata.nlink() > 1 {
            return Err(refuse("another name of a file elsewhere (a hard link)"));
        }
        // Held as long as the file is open: two runs in one folder would write over each other, unseen.
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(RecorderError::Busy { path: path.to_owned() }),
            Err(TryLockError::Error(source)) => return Err(create_error(source)),
        }
        file.set_len(0).map_err(create_error)?;
        Ok(Output::of(file))
    }

    pub(super) fn of(file: File) -> Output {
        Output(io::BufWriter::with_capacity(BUFFER, file))
    }
}

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes)
    }

    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.0.write_all(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

/// Makes a folder and those above it that are missing; those made here belong to `owner`.
pub(super) fn make_dir(dir: &Path, owner: Owner) -> Result<(), RecorderError> {
    let failed = |path: &Path, source| RecorderError::Folder { path: path.to_owned(), source: told(source, owner) };
    let _acting = Acting::begin(owner).map_err(|source| failed(dir, source))?;
    let missing: Vec<&Path> =
        dir.ancestors().take_while(|path| !path.as_os_str().is_empty() && !path.exists()).collect();
    for path in missing.into_iter().rev() {
        DirBuilder::new().mode(0o755).create(path).map_err(|source| failed(path, source))?;
    }
    Ok(())
}

/// Adds `text` to the end of a file, which is made if need be, with the folders above it. Never through a symbolic link.
///
/// # Errors
/// What the system says.
pub fn append(path: &Path, text: &[u8], owner: Option<(u32, u32)>) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        make_dir(folder, owner).map_err(io::Error::other)?;
    }
    let _acting = Acting::begin(owner)?;
    let flags = OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK | OFlag::O_CLOEXEC;
    let mut file = OpenOptions::new().append(true).create(true).mode(0o600).custom_flags(flags.bits()).open(path)?;
    if !file.metadata()?.is_file() {
        return Err(io::Error::other("it is not a plain file"));
    }
    file.write_all(text)
}

/// Writes a file, in the place of one that may be there, with the folders above it. Never through a symbolic link.
///
/// # Errors
/// What the system says.
#[cfg(feature = "cli")]
pub fn replace(path: &Path, text: &[u8], owner: Option<(u32, u32)>) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        make_dir(folder, owner).map_err(io::Error::other)?;
    }
    let mut file = Output::create(path, owner).map_err(io::Error::other)?;
    file.write_all(text)?;
    file.flush()
}

/// Removes what an earlier run has left under this name, if anything.
pub(super) fn remove(path: &Path, owner: Owner) -> Result<(), RecorderError> {
    let removed = Acting::begin(owner).and_then(|_acting| fs::remove_file(path));
    match removed {
        Err(source) if source.kind() != io::ErrorKind::NotFound => {
            Err(RecorderError::Create { path: path.to_owned(), source: told(source, owner) })
        }
        Ok(()) | Err(_) => Ok(()),
    }
}

/// User and group in whose name files are made; `None` for this process's own.
pub(super) type Owner = Option<(u32, u32)>;

/// Says in whose name something was not permitted, where that is not obvious.
fn told(source: io::Error, owner: Owner) -> io::Error {
    match owner {
        Some((user, _)) if source.kind() == io::ErrorKind::PermissionDenied => {
            io::Error::new(source.kind(), format!("the user with the number {user} may not ({source})"))
        }
        Some(_) | None => source,
    }
}

/// While this lives, the thread has the owner's rights in the file system, and only those (`setfsuid(2)`: root's power
/// to override permissions is gone with it). Other threads, and open files, are not concerned.
struct Acting {
    before: (Uid, Gid),
    /// It must end in the thread in which it began.
    _thread: PhantomData<*const ()>,
}

impl Acting {
    /// `None` when there is nobody to act for.
    fn begin(owner: Owner) -> io::Result<Option<Acting>> {
        let Some((user, group)) = owner.map(|(user, group)| (Uid::from_raw(user), Gid::from_raw(group))) else {
            return Ok(None);
        };
        // The group first: neither call says whether it was allowed, and the second of each tells.
        let group_before = setfsgid(group);
        let acting = Acting { before: (setfsuid(user), group_before), _thread: PhantomData };
        if setfsuid(user) != user || setfsgid(group) != group {
            return Err(io::ErrorKind::PermissionDenied.into());
        }
        Ok(Some(acting))
    }
}

impl Drop for Acting {
    fn drop(&mut self) {
        let (user, group) = self.before;
        setfsuid(user);
        setfsgid(group);
    }
}

/// Refuses names that could lead out of the folder, hide a file, or meet in one file.
pub(super) fn check_names<'a>(names: impl Iterator<Item = &'a str>) -> Result<(), RecorderError> {
    let mut seen: Vec<&str> = Vec::new();
    for name in names {
        let allowed = |octet: u8| octet.is_ascii_alphanumeric() || matches!(octet, b'.' | b'_' | b'-');
        let fits = (1..=64).contains(&name.len()) && !name.starts_with(['.', '-']) && name.bytes().all(allowed);
        // The capture of `client.story` would be the story of `client`.
        let fits = fits && !name.ends_with(".story");
        if !fits || seen.contains(&name) {
            return Err(RecorderError::Name { name: name.to_owned() });
        }
        seen.push(name);
    }
    Ok(())
}
