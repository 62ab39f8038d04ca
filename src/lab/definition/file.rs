//! Reading a lab's files: whatever is at their place, it is a text of bounded length or an error.

use std::fs::File;
use std::io::{self, ErrorKind, Read as _};
use std::path::Path;

use super::error::{Fault, LabError};

/// Octets of the longest file of a lab. The longest of the repository has 16 KB.
const LONGEST: u64 = 1 << 20;

/// The text of a lab file.
///
/// # Errors
/// [`LabError::Unreadable`] when there is no such file, or it is none, or too long; [`LabError::Wrong`] when it is no text.
pub(in crate::lab) fn read_text(path: &Path) -> Result<String, LabError> {
    let octets = octets(path).map_err(|error| LabError::Unreadable { path: path.to_owned(), error })?;
    let text = String::from_utf8(octets).map_err(|error| {
        let wrong = error.utf8_error().valid_up_to();
        let octets = error.as_bytes();
        let found = octets.get(wrong).copied().unwrap_or_default();
        let message = format!("found the octet 0x{found:02X}, which is no UTF-8; save the file as UTF-8");
        let before = String::from_utf8_lossy(octets.get(..wrong).unwrap_or_default());
        Fault::new(wrong..wrong, message).in_file(&path.display().to_string(), &before)
    })?;
    // A mark that some editors write, and no part of the text: columns do not count it.
    Ok(text.strip_prefix('\u{feff}').map_or(text.clone(), str::to_owned))
}

/// The text of a page; none when there is no such file.
pub(in crate::lab) fn read_page(path: &Path) -> Option<String> {
    octets(path).ok().map(|octets| String::from_utf8_lossy(&octets).into_owned())
}

fn octets(path: &Path) -> io::Result<Vec<u8>> {
    // Asked before it is opened: to open a pipe waits for whoever writes into it.
    let kind = std::fs::metadata(path)?.file_type();
    if kind.is_dir() {
        return Err(ErrorKind::IsADirectory.into());
    }
    if !kind.is_file() {
        return Err(io::Error::other("it is no file; a lab is a folder with a file `lab.toml` in it"));
    }
    let mut octets = Vec::new();
    File::open(path)?.take(LONGEST + 1).read_to_end(&mut octets)?;
    if octets.len() as u64 > LONGEST {
        let message = format!("it has more than {LONGEST} octets, and a lab has a few thousand; is it the right file?");
        return Err(io::Error::other(message));
    }
    Ok(octets)
}
