//! Saying what a script asked for that the stack cannot do.
//!
//! packetdrill knows only success and failure. Whoever runs it looks here to tell a script that cannot be judged from one
//! that failed.
//!
//! ```text
//! unsupported: TCP_FASTOPEN        the script asked for this, and the stack cannot do it
//! tcp_info: state ca_state rto     the fields that were told when TCP_INFO was asked for, one line each time
//! ```

use std::fs::OpenOptions;
use std::io::Write;
use std::path::PathBuf;

/// Where the marks go.
#[derive(Debug)]
pub(crate) struct Marks {
    file: Option<PathBuf>,
    said: Vec<String>,
}

impl Marks {
    pub(crate) fn new(file: Option<PathBuf>) -> Marks {
        Marks { file, said: Vec::new() }
    }

    /// Says once that the stack cannot do `what`: a line `unsupported: what` in the file, or on standard error.
    pub(crate) fn unsupported(&mut self, what: &str) {
        if self.said.iter().any(|said| said == what) {
            return;
        }
        self.said.push(what.to_owned());
        self.write(&format!("unsupported: {what}"));
    }

    /// Says which fields of `struct tcp_info` are true. The others are 0, and nobody can see that it means nothing. Not
    /// said on standard error, where it would only disturb.
    pub(crate) fn told(&mut self, fields: &[&str]) {
        if self.file.is_some() {
            self.write(&format!("tcp_info: {}", fields.join(" ")));
        }
    }

    fn write(&self, line: &str) {
        let opened = self.file.as_ref().map(|file| OpenOptions::new().create(true).append(true).open(file));
        // A mark that cannot be written must not change what the script sees.
        let _ = match opened {
            Some(Ok(mut file)) => writeln!(file, "{line}"),
            Some(Err(_)) | None => writeln!(std::io::stderr(), "{line}"),
        };
    }

    /// What was said so far.
    #[cfg(test)]
    pub(crate) fn said(&self) -> &[String] {
        &self.said
    }
}
