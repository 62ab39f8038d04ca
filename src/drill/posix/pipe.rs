//! Pipes, and `splice` between a pipe and a socket.

use std::collections::VecDeque;

use bytes::Bytes;

use super::descriptors::File;
use super::names::{MSG_DONTWAIT, MSG_MORE, SPLICE_F_MORE, SPLICE_F_NONBLOCK};
use super::readiness::PIPE_ROOM;
use super::stop::{Answer, Stop};
use super::transfer::{Receiving, Sending};
use super::{Blocked, Errno, Memory, Payload, Posix, Received, Reply, Written};

impl Posix {
    pub(super) fn pipe(&mut self) -> Answer<Reply> {
        self.descriptors.last_pipe += 1;
        let name = self.descriptors.last_pipe;
        self.descriptors.pipes.insert(name, VecDeque::new());
        let reader = self.descriptors.open(File::PipeReader(name), 0)?;
        let writer = self.descriptors.open(File::PipeWriter(name), 0)?;
        Ok(Reply { value: 0, written: Written::Pipe([reader, writer]) })
    }

    pub(super) fn read_pipe(&mut self, fd: i32, pipe: u32, asked: Receiving, blocked: Blocked) -> Answer<Reply> {
        let has_writer = self.descriptors.pipe_has_writer(pipe);
        let content = self.descriptors.pipes.get_mut(&pipe).ok_or(Errno::EBADF)?;
        if content.is_empty() && has_writer && asked.length > 0 {
            return self.sleep(fd, 0, blocked, None, Errno::EAGAIN);
        }
        if asked.memory == Memory::Bad && !content.is_empty() {
            return Err(Errno::EFAULT.into());
        }
        let count = asked.length.min(content.len());
        let data: Bytes = content.drain(..count).collect::<Vec<u8>>().into();
        let received = Received { data, ..Received::default() };
        Ok(Reply { value: count as i64, written: Written::Received(received) })
    }

    pub(super) fn write_pipe(&mut self, fd: i32, pipe: u32, data: &Payload, blocked: Blocked) -> Answer<Reply> {
        let Payload::Data(data) = data else { return Err(Errno::EFAULT.into()) };
        let content = self.descriptors.pipes.get_mut(&pipe).ok_or(Errno::EPIPE)?;
        let rest = data.get(blocked.moved..).unwrap_or_default();
        let count = rest.len().min(PIPE_ROOM.saturating_sub(content.len()));
        content.extend(rest.iter().take(count));
        match blocked.moved + count {
            moved if moved == data.len() => Ok(Reply::value(moved as i64)),
            moved => match self.sleep(fd, 0, Blocked { moved, ..blocked }, None, Errno::EAGAIN) {
                Err(Stop::Fail(_)) if moved > 0 => Ok(Reply::value(moved as i64)),
                answer => answer,
            },
        }
    }

    pub(super) fn splice(&mut self, from: i32, to: i32, length: usize, flags: u32, blocked: Blocked) -> Answer<Reply> {
        let has = |flag: i32| flags & flag.cast_unsigned() != 0;
        match (&self.descriptors.look(from)?.file, &self.descriptors.look(to)?.file) {
            (File::Socket(_), File::PipeWriter(pipe)) => {
                let pipe = *pipe;
                let filled = self.descriptors.pipes.get(&pipe).map_or(0, VecDeque::len);
                let length = length.min(PIPE_ROOM.saturating_sub(filled));
                let flags = if has(SPLICE_F_NONBLOCK) { MSG_DONTWAIT } else { 0 };
                let asked = Receiving { length, flags, memory: Memory::Good };
                let reply = match self.receive_stream(from, asked, blocked) {
                    // Linux does not wait while there is something that it just could not take: urgent data.
                    Err(Stop::Block(_)) if self.has_passed_urgent(from) => return Ok(Reply::value(0)),
                    answer => answer?,
                };
                if let (Written::Received(received), Some(content)) =
                    (&reply.written, self.descriptors.pipes.get_mut(&pipe))
                {
                    content.extend(received.data.iter());
                }
                Ok(Reply::value(reply.value))
            }
            (File::PipeReader(pipe), File::Socket(_)) => {
                let pipe = *pipe;
                let content = self.descriptors.pipes.get(&pipe).ok_or(Errno::EPIPE)?;
                let data: Vec<u8> = content.iter().take(length).copied().collect();
                let more = if has(SPLICE_F_MORE) { MSG_MORE } else { 0 };
                let flags = more | if has(SPLICE_F_NONBLOCK) { MSG_DONTWAIT } else { 0 };
                let sending = Sending { data: &Payload::Data(data.into()), flags };
                let reply = self.send_stream(to, &sending, None, blocked)?;
                let sent = usize::try_from(reply.value).unwrap_or(0);
                if let Some(content) = self.descriptors.pipes.get_mut(&pipe) {
                    content.drain(..sent.min(content.len()));
                }
                Ok(reply)
            }
            _ => Err(Errno::EINVAL.into()),
        }
    }
}
