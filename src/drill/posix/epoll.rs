//! `epoll`: which descriptors somebody waits for, and which of them have something new to tell.
//!
//! A level-triggered descriptor is told of as long as it is ready. An edge-triggered one is told of once after each thing
//! that happened to it, if it is then ready; so is one that was just added or changed.

use std::collections::BTreeMap;

use super::names::{
    EPOLL_CTL_ADD, EPOLL_CTL_DEL, EPOLL_CTL_MOD, EPOLLERR, EPOLLET, EPOLLEXCLUSIVE, EPOLLHUP, EPOLLONESHOT,
};
use super::stop::{Answer, Stop};
use super::{Blocked, EpollEvent, Errno, Posix, Reply, Written};

/// What is told whether asked for or not.
const ALWAYS: u32 = (EPOLLERR | EPOLLHUP) as u32;
/// The bits of an interest that are no readiness.
const MODES: u32 = (EPOLLET | EPOLLONESHOT | EPOLLEXCLUSIVE) as u32;

/// An epoll descriptor.
#[derive(Debug, Default)]
pub(super) struct Epoll {
    interests: BTreeMap<i32, Interest>,
    /// Counts what happened, so that who was ready first is told of first.
    happened: u64,
}

#[derive(Clone, Copy, Debug)]
struct Interest {
    asked: EpollEvent,
    /// Something happened that was not told yet: when, by [`Epoll::happened`].
    stirred: Option<u64>,
    /// `EPOLLONESHOT` has fired; only a change arms it again.
    is_spent: bool,
}

impl Epoll {
    /// Something happened to `fd` that those who wait for `mask` want to know; 0 is everybody.
    pub(super) fn stir(&mut self, fd: i32, mask: u32) {
        self.happened += 1;
        if let Some(interest) = self.interests.get_mut(&fd)
            && (mask == 0 || mask & (interest.asked.events | ALWAYS) != 0)
        {
            interest.stirred.get_or_insert(self.happened);
        }
    }

    pub(super) fn forget(&mut self, fd: i32) {
        self.interests.remove(&fd);
    }

    fn change(&mut self, operation: i32, fd: i32, event: Option<EpollEvent>) -> Answer<()> {
        let is_there = self.interests.contains_key(&fd);
        match operation {
            EPOLL_CTL_DEL if is_there => self.forget(fd),
            EPOLL_CTL_ADD if is_there => return Err(Errno::EEXIST.into()),
            EPOLL_CTL_DEL | EPOLL_CTL_MOD if !is_there => return Err(Errno::ENOENT.into()),
            EPOLL_CTL_ADD | EPOLL_CTL_MOD => {
                let asked = event.ok_or(Errno::EFAULT)?;
                if operation == EPOLL_CTL_MOD && asked.events & EPOLLEXCLUSIVE as u32 != 0 {
                    return Err(Errno::EINVAL.into());
                }
                self.happened += 1;
                let interest = Interest { asked, stirred: Some(self.happened), is_spent: false };
                self.interests.insert(fd, interest);
            }
            _ => return Err(Errno::EINVAL.into()),
        }
        Ok(())
    }
}

impl Posix {
    pub(super) fn epoll_control(
        &mut self,
        epoll: i32,
        operation: i32,
        fd: i32,
        event: Option<EpollEvent>,
    ) -> Answer<Reply> {
        if !self.descriptors.contains(fd) {
            return Err(Errno::EBADF.into());
        }
        if operation != EPOLL_CTL_DEL && event.is_none() {
            return Err(Errno::EFAULT.into());
        }
        if epoll == fd {
            return Err(Errno::EINVAL.into());
        }
        self.descriptors.epoll_at(epoll)?.change(operation, fd, event)?;
        Ok(Reply::default())
    }

    pub(super) fn epoll_wait(&mut self, epoll: i32, most: i32, blocked: Blocked) -> Answer<Reply> {
        let table = self.descriptors.epoll_at(epoll)?;
        let most = usize::try_from(most).ok().filter(|most| *most > 0).ok_or(Errno::EINVAL)?;
        let mut candidates: Vec<(i32, Interest)> = table
            .interests
            .iter()
            .filter(|(_, interest)| !interest.is_spent)
            .filter(|(_, interest)| interest.stirred.is_some() || interest.asked.events & EPOLLET as u32 == 0)
            .map(|(fd, interest)| (*fd, *interest))
            .collect();
        candidates.sort_by_key(|(fd, interest)| (interest.stirred.unwrap_or(u64::MAX), *fd));
        let mut events = Vec::new();
        for (fd, interest) in candidates {
            if events.len() == most {
                break;
            }
            let ready = self.readiness(fd) & ((interest.asked.events & !MODES) | ALWAYS);
            let spent = ready != 0 && interest.asked.events & EPOLLONESHOT as u32 != 0;
            if let Some(kept) = self.descriptors.epoll_at(epoll)?.interests.get_mut(&fd) {
                kept.stirred = None;
                kept.is_spent = spent;
            }
            if ready != 0 {
                events.push(EpollEvent { events: ready, data: interest.asked.data });
            }
        }
        match events.len() {
            0 if blocked.until.is_some_and(|until| until <= self.now) => Ok(Reply::default()),
            0 => Err(Stop::Block(blocked)),
            count => Ok(Reply { value: count as i64, written: Written::Epoll(events) }),
        }
    }
}
