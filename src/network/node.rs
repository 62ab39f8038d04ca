//! The handle by which applications reach a node.
//!
//! A verb locks the node's stack, does its work, marks the node dirty and rings the driver; the driver drains under the
//! same lock and moves packets outside of it. Wakers are kept per socket and direction.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use tokio::sync::Notify;

use super::Clock;
use crate::journal::{Event, NodeId, SocketId, Why};
use crate::packet::Packet;
use crate::stack::{SocketEvent, Stack};
use crate::time::Instant;

/// Reports an event of one node, at the present moment.
pub type Reporter = Arc<dyn Fn(Event) + Send + Sync>;

/// What a waiting application waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Interest {
    /// Data, a datagram, a connection to accept, or the end.
    Read,
    /// Room to send, or an open connection.
    Write,
}

/// A node with a userspace stack, as applications see it. Cheap to clone.
#[derive(Clone)]
pub struct NodeHandle {
    cell: Arc<NodeCell>,
}

/// The nodes that applications have touched since somebody asked.
#[derive(Clone, Debug, Default)]
pub(super) struct Touched(Arc<Mutex<Vec<NodeId>>>);

impl Touched {
    fn add(&self, node: NodeId) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(node);
    }

    /// Those of them, each once or more.
    pub(super) fn take(&self) -> Vec<NodeId> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// What driver and applications share of a node.
struct NodeCell {
    node: NodeId,
    clock: Clock,
    doorbell: Arc<Notify>,
    touched: Touched,
    reporter: Reporter,
    state: Mutex<NodeState>,
}

struct NodeState {
    stack: Box<dyn Stack>,
    wakers: BTreeMap<(SocketId, Interest), Vec<Waker>>,
    dirty: bool,
    events: Vec<SocketEvent>,
}

/// What a node has to say after it was served.
#[derive(Default)]
pub(super) struct Output {
    /// What was told before the first packet.
    pub(super) before: Vec<Event>,
    /// Packets for the link, each with its reason and what its stack told while it was made.
    pub(super) packets: Vec<(Packet, Why, Vec<Event>)>,
    /// What was told after the last packet.
    pub(super) after: Vec<Event>,
    /// Whether an application was woken.
    pub(super) woke: bool,
}

impl NodeHandle {
    pub(super) fn new(
        node: NodeId,
        stack: Box<dyn Stack>,
        clock: Clock,
        (doorbell, touched): (Arc<Notify>, Touched),
        reporter: Reporter,
    ) -> NodeHandle {
        let state = NodeState { stack, wakers: BTreeMap::new(), dirty: false, events: Vec::new() };
        NodeHandle { cell: Arc::new(NodeCell { node, clock, doorbell, touched, reporter, state: Mutex::new(state) }) }
    }

    /// Which node this is.
    pub fn node(&self) -> NodeId {
        self.cell.node
    }

    /// The present moment of the run.
    pub fn now(&self) -> Instant {
        self.cell.clock.now()
    }

    /// Tells the journal, at the present moment.
    pub fn record(&self, event: Event) {
        (self.cell.reporter)(event);
    }

    /// Does one verb on the node's stack, then lets the driver know.
    pub fn with_stack<R>(&self, verb: impl FnOnce(&mut dyn Stack, Instant) -> R) -> R {
        let now = self.now();
        let mut state = self.lock();
        let result = verb(state.stack.as_mut(), now);
        self.touch(&mut state);
        drop(state);
        self.cell.doorbell.notify_one();
        result
    }

    /// Looks at the node's stack without touching it: the driver is not woken.
    pub fn inspect<R>(&self, look: impl FnOnce(&dyn Stack) -> R) -> R {
        look(self.lock().stack.as_ref())
    }

    /// Tries a verb that may have to wait: `None` from it means "not yet", and the task is woken when `socket` may be ready
    /// for `interest`.
    pub fn poll_with<R>(
        &self,
        context: &mut Context<'_>,
        socket: SocketId,
        interest: Interest,
        verb: impl FnOnce(&mut dyn Stack, Instant) -> Option<R>,
    ) -> Poll<R> {
        let now = self.now();
        let mut state = self.lock();
        let Some(result) = verb(state.stack.as_mut(), now) else {
            // Under the same lock as the verb, so that nothing can happen in between unseen.
            let wakers = state.wakers.entry((socket, interest)).or_default();
            if !wakers.iter().any(|waker| waker.will_wake(context.waker())) {
                wakers.push(context.waker().clone());
            }
            return Poll::Pending;
        };
        self.touch(&mut state);
        drop(state);
        self.cell.doorbell.notify_one();
        Poll::Ready(result)
    }

    /// Forgets everybody who waits for a socket that is given up.
    pub fn forget(&self, socket: SocketId) {
        let mut state = self.lock();
        state.wakers.remove(&(socket, Interest::Read));
        state.wakers.remove(&(socket, Interest::Write));
    }

    fn touch(&self, state: &mut NodeState) {
        if !std::mem::replace(&mut state.dirty, true) {
            self.cell.touched.add(self.cell.node);
        }
    }

    /// Whether an application has touched the stack since it was last served.
    pub(super) fn is_dirty(&self) -> bool {
        self.lock().dirty
    }

    pub(super) fn is_quiet(&self) -> bool {
        self.lock().stack.is_quiet()
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        self.lock().stack.deadline().map(|(at, _)| at)
    }

    /// Serves the stack by the law: the whole batch first, then timers, then everything it wants to send.
    pub(super) fn serve(&self, now: Instant, batch: &mut Vec<Packet>) -> Output {
        let mut output = Output::default();
        let mut ready = Vec::new();
        {
            let mut guard = self.lock();
            let state = &mut *guard;
            state.dirty = false;
            if !batch.is_empty() {
                state.stack.receive(now, batch);
            }
            if state.stack.deadline().is_some_and(|(at, _)| at <= now) {
                state.stack.expire(now);
            }
            state.stack.drain_journal(&mut output.before);
            while let Some((packet, why)) = state.stack.transmit(now) {
                let mut told = Vec::new();
                state.stack.drain_journal(&mut told);
                output.packets.push((packet, why, told));
            }
            state.stack.drain_journal(&mut output.after);
            state.stack.drain_events(&mut state.events);
            for event in state.events.drain(..) {
                take_wakers(&mut state.wakers, event, &mut ready);
            }
        }
        output.woke = !ready.is_empty();
        ready.into_iter().for_each(Waker::wake);
        output
    }

    fn lock(&self) -> MutexGuard<'_, NodeState> {
        // A panic elsewhere must not turn into a second one here; the stack's own state is consistent between verbs.
        self.cell.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Collects those who wait for what has happened.
fn take_wakers(waiting: &mut BTreeMap<(SocketId, Interest), Vec<Waker>>, event: SocketEvent, ready: &mut Vec<Waker>) {
    let (socket, interests): (SocketId, &[Interest]) = match event {
        SocketEvent::Readable(socket) | SocketEvent::Acceptable(socket) | SocketEvent::Urgent(socket) => {
            (socket, &[Interest::Read])
        }
        SocketEvent::Writable(socket) | SocketEvent::Connected(socket) => (socket, &[Interest::Write]),
        SocketEvent::Closed(socket, _) => (socket, &[Interest::Read, Interest::Write]),
    };
    for interest in interests {
        ready.extend(waiting.remove(&(socket, *interest)).into_iter().flatten());
    }
}
