//! What a scenario has seen, line by line.

use std::cell::RefCell;
use std::fmt::{self, Debug};
use std::io;
use std::rc::Rc;

use tokio::io::Ready;

/// What a scenario has seen.
#[derive(Clone, Default)]
pub(crate) struct Log(Rc<RefCell<String>>);

impl Log {
    /// How a verb ended. Errors by kind and by Linux's number; where a call would block there need not be one.
    pub(crate) fn saw<T: Debug>(&self, what: &str, result: &io::Result<T>) {
        match result {
            Ok(value) => self.note(what, value),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => self.note(what, error.kind()),
            Err(error) => self.line(&format!("{what}: {:?}, {:?}", error.kind(), error.raw_os_error())),
        }
    }

    /// Anything else.
    pub(crate) fn note(&self, what: &str, value: impl Debug) {
        self.line(&format!("{what}: {value:?}"));
    }

    /// What can be done. Linux's `EPOLLERR` is not among it: tokio tells of it only when asked.
    pub(crate) fn ready(&self, what: &str, ready: io::Result<Ready>) {
        self.saw(
            what,
            &ready.map(|ready| {
                [
                    (ready.is_readable(), "read"),
                    (ready.is_writable(), "write"),
                    (ready.is_read_closed(), "read closed"),
                    (ready.is_write_closed(), "write closed"),
                ]
                .into_iter()
                .filter_map(|(is, name)| is.then_some(name))
                .collect::<Vec<_>>()
            }),
        );
    }

    fn line(&self, line: &str) {
        *self.0.borrow_mut() += &format!("  {line}\n");
    }
}

impl fmt::Display for Log {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.borrow())
    }
}

/// The names of a file's scenarios, and how they are played.
macro_rules! scenarios {
    ($($name:ident),* $(,)?) => {
        pub(crate) const NAMES: &[&str] = &[$(stringify!($name)),*];

        pub(crate) async fn play(name: &str, place: &Place, log: &Log) {
            match name {
                $(stringify!($name) => $name(place, log).await,)*
                _ => panic!("there is no scenario {name}"),
            }
        }
    };
}

pub(crate) use scenarios;
