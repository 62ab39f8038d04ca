//! The table of descriptors.

use std::collections::{BTreeMap, VecDeque};

use super::Errno;
use super::epoll::Epoll;
use super::names::O_NONBLOCK;
use super::socket::Socket;
use super::stop::Answer;
use crate::journal::SocketId;

/// The first number that is given out by itself: 0, 1 and 2 are the standard streams.
const FIRST: i32 = 3;
/// Descriptors that a process may have, as Linux has it by custom.
const MOST: usize = 1024;

/// What the numbers stand for.
#[derive(Debug)]
pub(super) struct Descriptors {
    open: BTreeMap<i32, Descriptor>,
    /// The lowest number that is given out.
    pub(super) first: i32,
    /// What is in each pipe, by its name.
    pub(super) pipes: BTreeMap<u32, VecDeque<u8>>,
    pub(super) last_pipe: u32,
}

impl Default for Descriptors {
    fn default() -> Descriptors {
        Descriptors { open: BTreeMap::new(), first: FIRST, pipes: BTreeMap::new(), last_pipe: 0 }
    }
}

#[derive(Debug)]
pub(super) struct Descriptor {
    pub(super) nonblocking: bool,
    pub(super) close_on_exec: bool,
    pub(super) file: File,
}

/// What a descriptor is.
#[derive(Debug)]
pub(super) enum File {
    Socket(Box<Socket>),
    Epoll(Epoll),
    PipeReader(u32),
    PipeWriter(u32),
}

impl Descriptors {
    /// Gives `file` the lowest free number. `flags` may hold `O_NONBLOCK`.
    pub(super) fn open(&mut self, file: File, flags: i32) -> Answer<i32> {
        self.check_room()?;
        let free = (self.first..).find(|number| !self.open.contains_key(number)).ok_or(Errno::EMFILE)?;
        let nonblocking = flags & O_NONBLOCK != 0;
        self.open.insert(free, Descriptor { nonblocking, close_on_exec: false, file });
        Ok(free)
    }

    /// Whether one more can be opened.
    pub(super) fn check_room(&self) -> Answer<()> {
        if self.open.len() < MOST { Ok(()) } else { Err(Errno::EMFILE.into()) }
    }

    pub(super) fn renumber(&mut self, from: i32, to: i32) -> bool {
        if from == to {
            return self.open.contains_key(&from);
        }
        if self.open.contains_key(&to) {
            return false;
        }
        match self.open.remove(&from) {
            Some(descriptor) => {
                self.open.insert(to, descriptor);
                true
            }
            None => false,
        }
    }

    pub(super) fn contains(&self, fd: i32) -> bool {
        self.open.contains_key(&fd)
    }

    pub(super) fn look(&self, fd: i32) -> Answer<&Descriptor> {
        self.open.get(&fd).ok_or(Errno::EBADF.into())
    }

    pub(super) fn at(&mut self, fd: i32) -> Answer<&mut Descriptor> {
        self.open.get_mut(&fd).ok_or(Errno::EBADF.into())
    }

    pub(super) fn socket(&self, fd: i32) -> Answer<&Socket> {
        match &self.look(fd)?.file {
            File::Socket(socket) => Ok(socket),
            File::Epoll(_) | File::PipeReader(_) | File::PipeWriter(_) => Err(Errno::ENOTSOCK.into()),
        }
    }

    pub(super) fn socket_at(&mut self, fd: i32) -> Answer<&mut Socket> {
        match &mut self.at(fd)?.file {
            File::Socket(socket) => Ok(socket),
            File::Epoll(_) | File::PipeReader(_) | File::PipeWriter(_) => Err(Errno::ENOTSOCK.into()),
        }
    }

    pub(super) fn epoll_at(&mut self, fd: i32) -> Answer<&mut Epoll> {
        match &mut self.at(fd)?.file {
            File::Epoll(epoll) => Ok(epoll),
            File::Socket(_) | File::PipeReader(_) | File::PipeWriter(_) => Err(Errno::EINVAL.into()),
        }
    }

    /// Takes a descriptor out of the table, and out of every epoll that waits for it.
    pub(super) fn close(&mut self, fd: i32) -> Answer<Descriptor> {
        let closed = self.open.remove(&fd).ok_or(Errno::EBADF)?;
        for epoll in self.epolls() {
            epoll.forget(fd);
        }
        Ok(closed)
    }

    pub(super) fn epolls(&mut self) -> impl Iterator<Item = &mut Epoll> {
        self.open.values_mut().filter_map(|descriptor| match &mut descriptor.file {
            File::Epoll(epoll) => Some(epoll),
            File::Socket(_) | File::PipeReader(_) | File::PipeWriter(_) => None,
        })
    }

    /// Every socket with its number.
    pub(super) fn sockets(&mut self) -> impl Iterator<Item = (i32, &mut Socket)> {
        self.open.iter_mut().filter_map(|(fd, descriptor)| match &mut descriptor.file {
            File::Socket(socket) => Some((*fd, socket.as_mut())),
            File::Epoll(_) | File::PipeReader(_) | File::PipeWriter(_) => None,
        })
    }

    /// The socket for which the stack holds `id`.
    pub(super) fn holder(&mut self, id: SocketId) -> Option<(i32, &mut Socket)> {
        self.sockets().find(|(_, socket)| socket.id() == Some(id))
    }

    /// Whether a pipe still has an end.
    pub(super) fn pipe_is_open(&self, pipe: u32) -> bool {
        self.open.values().any(|descriptor| match descriptor.file {
            File::PipeReader(name) | File::PipeWriter(name) => name == pipe,
            File::Socket(_) | File::Epoll(_) => false,
        })
    }

    /// Whether anybody can still write into a pipe.
    pub(super) fn pipe_has_writer(&self, pipe: u32) -> bool {
        self.open.values().any(|descriptor| matches!(descriptor.file, File::PipeWriter(name) if name == pipe))
    }
}
