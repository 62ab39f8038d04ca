//! A queue of octets: what the application gave and the peer has not acknowledged, or what has arrived and nobody has read.
//!
//! ```text
//!        start                          end
//!   ──────┼───────┬──────────┬───────┬───┼────►  position in the stream
//!         │ chunk │  chunk   │ chunk │tail│
//! ```
//!
//! Each octet is copied once on its way through: into a chunk here, or out of one. Chunks are shared with the packets that
//! carry them. Small pieces are collected in a tail, so that neither many small writes nor many small segments cost a
//! chunk each, and a small segment does not keep a large packet alive.

use std::collections::VecDeque;
use std::ops::Range;

use bytes::{Bytes, BytesMut};

use super::segment::Payload;

/// A chunk no longer than this is copied instead of shared: sharing would keep the whole packet that it came in.
const COPIED: usize = 512;
/// The room that a tail begins with at least.
const TAIL: usize = 512;
/// The room that a tail begins with at most.
const LARGEST_TAIL: usize = 64 * 1024;

/// Octets from `start` to `end` of a stream.
#[derive(Debug, Default)]
pub(crate) struct Octets {
    /// Each with the position of its first octet.
    chunks: VecDeque<(u64, Bytes)>,
    tail: BytesMut,
    start: u64,
    end: u64,
}

impl Octets {
    /// Octets that are there.
    pub(crate) fn len(&self) -> usize {
        (self.end - self.start) as usize
    }

    /// Whether none is there.
    pub(crate) fn is_empty(&self) -> bool {
        self.start == self.end
    }

    /// The position of the first octet that is there.
    pub(crate) fn start(&self) -> u64 {
        self.start
    }

    /// The position after the last.
    pub(crate) fn end(&self) -> u64 {
        self.end
    }

    /// Appends a copy.
    pub(crate) fn append(&mut self, mut data: &[u8]) {
        while !data.is_empty() {
            let room = self.tail.capacity() - self.tail.len();
            if room == 0 {
                self.seal();
                self.tail = BytesMut::with_capacity(data.len().clamp(TAIL, LARGEST_TAIL));
                continue;
            }
            let (now, later) = data.split_at(room.min(data.len()));
            self.tail.extend_from_slice(now);
            self.end += now.len() as u64;
            data = later;
        }
    }

    /// Appends a chunk; a long one is shared, a short one copied.
    pub(crate) fn push(&mut self, chunk: Bytes) {
        if chunk.len() <= COPIED {
            return self.append(&chunk);
        }
        self.seal();
        self.chunks.push_back((self.end, chunk.clone()));
        self.end += chunk.len() as u64;
    }

    /// What stands at `range`, shared; what of it is not there is left out.
    pub(crate) fn slice(&mut self, range: Range<u64>) -> Payload {
        let range = range.start.max(self.start)..range.end.min(self.end);
        let mut payload = Payload::new();
        if range.start >= range.end {
            return payload;
        }
        self.seal();
        let first = self.chunks.partition_point(|(at, _)| *at <= range.start).saturating_sub(1);
        for (at, chunk) in self.chunks.range(first..) {
            if *at >= range.end {
                break;
            }
            let from = range.start.saturating_sub(*at) as usize;
            let to = chunk.len().min((range.end - at) as usize);
            payload.push(chunk.slice(from..to));
        }
        payload
    }

    /// Forgets everything before `position`.
    pub(crate) fn remove_before(&mut self, position: u64) {
        self.start = position.clamp(self.start, self.end);
        while let Some((at, chunk)) = self.chunks.front_mut() {
            let gone = self.start.saturating_sub(*at) as usize;
            if gone < chunk.len() {
                drop(chunk.split_to(gone));
                *at += gone as u64;
                return;
            }
            self.chunks.pop_front();
        }
        if self.start == self.end {
            self.rest();
        } else {
            let gone = self.tail.len() - (self.end - self.start) as usize;
            drop(self.tail.split_to(gone));
        }
    }

    /// Takes octets from the front into `buffer`; returns how many.
    pub(crate) fn take(&mut self, buffer: &mut [u8]) -> usize {
        let taken = self.copy(buffer);
        self.remove_before(self.start + taken as u64);
        taken
    }

    /// Copies octets from the front into `buffer`; returns how many.
    pub(crate) fn copy(&self, buffer: &mut [u8]) -> usize {
        let mut taken = 0;
        for (_, chunk) in &self.chunks {
            let part = chunk.len().min(buffer.len() - taken);
            buffer[taken..taken + part].copy_from_slice(&chunk[..part]);
            taken += part;
        }
        let part = self.tail.len().min(buffer.len() - taken);
        buffer[taken..taken + part].copy_from_slice(&self.tail[..part]);
        taken + part
    }

    /// Makes the tail a chunk; its spare room stays the tail's.
    fn seal(&mut self) {
        if !self.tail.is_empty() {
            let chunk = self.tail.split().freeze();
            self.chunks.push_back((self.end - chunk.len() as u64, chunk));
        }
    }

    /// Gives memory back when nothing is queued: most connections are idle most of the time.
    fn rest(&mut self) {
        self.tail = BytesMut::new();
        self.chunks = VecDeque::new();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[derive(Clone, Debug)]
    enum Step {
        Append(Vec<u8>),
        Push(Vec<u8>),
        Slice(u16, u16),
        RemoveBefore(u16),
        Take(u16),
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let data = || {
            (any::<u8>(), 0_usize..1500)
                .prop_map(|(first, len)| (0..len).map(|index| first.wrapping_add(index as u8)).collect())
        };
        let step = prop_oneof![
            data().prop_map(Step::Append),
            data().prop_map(Step::Push),
            any::<(u16, u16)>().prop_map(|(from, to)| Step::Slice(from % 8000, to % 8000)),
            any::<u16>().prop_map(|to| Step::RemoveBefore(to % 8000)),
            (0_u16..2000).prop_map(Step::Take),
        ];
        proptest::collection::vec(step, 0..40)
    }

    proptest! {
        /// Against the plainest model: one vector that keeps everything.
        #[test]
        fn the_queue_agrees_with_a_vector(steps in steps()) {
            let mut stream: Vec<u8> = Vec::new();
            let mut start = 0;
            let mut queue = Octets::default();
            for step in steps {
                match step {
                    Step::Append(data) => {
                        queue.append(&data);
                        stream.extend(data);
                    }
                    Step::Push(data) => {
                        stream.extend(&data);
                        queue.push(data.into());
                    }
                    Step::Slice(from, to) => {
                        let (from, to) = (usize::from(from), usize::from(to));
                        let expected = stream.get(from.clamp(start, stream.len())..to.min(stream.len())).unwrap_or(&[]);
                        prop_assert_eq!(queue.slice(from as u64..to as u64).concat(), expected);
                    }
                    Step::RemoveBefore(to) => {
                        queue.remove_before(u64::from(to));
                        start = usize::from(to).clamp(start, stream.len());
                    }
                    Step::Take(len) => {
                        let mut buffer = vec![0; usize::from(len)];
                        let taken = queue.take(&mut buffer);
                        prop_assert_eq!(taken, usize::from(len).min(stream.len() - start));
                        prop_assert_eq!(&buffer[..taken], &stream[start..start + taken]);
                        start += taken;
                    }
                }
                prop_assert_eq!((queue.start(), queue.end()), (start as u64, stream.len() as u64));
                prop_assert_eq!(queue.len(), stream.len() - start);
            }
        }
    }

    #[test]
    fn an_empty_queue_keeps_no_buffers() {
        let mut queue = Octets::default();
        for _ in 0..100 {
            queue.append(&[1; 3000]);
            queue.push(Bytes::from(vec![2; 3000]));
        }
        queue.remove_before(queue.end());
        assert_eq!((queue.tail.capacity(), queue.chunks.capacity()), (0, 0));
    }

    #[test]
    fn small_pieces_share_one_chunk() {
        let mut queue = Octets::default();
        for _ in 0..TAIL {
            queue.push(Bytes::from_static(b"x"));
        }
        assert_eq!(queue.slice(0..TAIL as u64).len(), 1);
    }
}
