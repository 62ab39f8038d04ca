//! Kernel connections, looked at again and again through `TCP_INFO`.
//!
//! A [`Gauge`] goes with the stream that it watches. It has a descriptor of its own and gives it up with the stream, after
//! one last look: a program that drops its stream closes the connection as if nobody had been watching.

use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::window::WindowStory;
use crate::host::tcp_info::{CaState, TcpInfo, congestion_control};

/// What was seen of one kernel connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KernelStory {
    /// Its own end.
    pub local: SocketAddr,
    /// The other end.
    pub remote: SocketAddr,
    /// The congestion control that it really had.
    pub congestion: String,
    /// Its window, in segments.
    pub window: WindowStory,
    /// What it said last.
    pub last: TcpInfo,
    /// Time-outs that were seen to begin; some may have come and gone between two looks.
    timeouts_seen: u32,
}

impl KernelStory {
    fn add(&mut self, info: TcpInfo) {
        self.timeouts_seen += u32::from(info.ca_state == CaState::Loss && self.last.ca_state != CaState::Loss);
        self.window.see(info.snd_cwnd, is_repairing(info.ca_state));
        self.last = info;
    }

    /// Time-outs: those that the kernel has counted, or, before Linux 6.7, those that were seen.
    pub fn timeouts(&self) -> u64 {
        self.last.total_rto.map_or(self.timeouts_seen.into(), u64::from)
    }
}

fn is_repairing(state: CaState) -> bool {
    match state {
        CaState::WindowReduced | CaState::Recovery | CaState::Loss => true,
        CaState::Open | CaState::Disorder => false,
    }
}

/// Every kernel connection of a run that is, or was, under observation. Clones are the same.
#[derive(Clone, Debug, Default)]
pub struct Gauges {
    watched: Arc<Mutex<Vec<Arc<Watched>>>>,
}

#[derive(Debug)]
struct Watched {
    /// `None` once the stream is gone.
    socket: Mutex<Option<OwnedFd>>,
    story: Mutex<KernelStory>,
}

impl Watched {
    fn look(&self) {
        // A socket that tells nothing any more leaves what it said before.
        if let Some(info) = lock(&self.socket).as_ref().and_then(|socket| TcpInfo::of(socket).ok()) {
            lock(&self.story).add(info);
        }
    }
}

/// The observation of one connection; keep it as long as the stream.
#[derive(Debug)]
pub struct Gauge(Arc<Watched>);

/// Looks once more, then lets go of the connection.
impl Drop for Gauge {
    fn drop(&mut self) {
        self.0.look();
        lock(&self.0.socket).take();
    }
}

impl Gauges {
    /// Begins to watch a connection.
    ///
    /// # Errors
    /// The system's: no descriptor is left, or it is no TCP connection.
    pub fn watch(&self, stream: &impl AsFd, local: SocketAddr, remote: SocketAddr) -> io::Result<Gauge> {
        let info = TcpInfo::of(stream)?;
        let mut window = WindowStory::default();
        window.see(info.snd_cwnd, is_repairing(info.ca_state));
        let congestion = congestion_control(stream)?;
        let story = KernelStory { local, remote, congestion, window, last: info, timeouts_seen: 0 };
        let socket = stream.as_fd().try_clone_to_owned()?;
        let watched = Arc::new(Watched { socket: Mutex::new(Some(socket)), story: Mutex::new(story) });
        lock(&self.watched).push(watched.clone());
        Ok(Gauge(watched))
    }

    /// Looks at every connection that is still there.
    pub fn look(&self) {
        lock(&self.watched).iter().for_each(|watched| watched.look());
    }

    /// What was seen of each connection, in the order in which they were first watched.
    pub fn stories(&self) -> Vec<KernelStory> {
        lock(&self.watched).iter().map(|watched| lock(&watched.story).clone()).collect()
    }
}

/// A panic elsewhere must not turn into a second one here: each look is complete or did not happen.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;
    use std::net::{TcpListener, TcpStream};

    use super::*;
    use crate::host::tcp_info::set_congestion_control;
    use crate::measure::Reduction;

    fn info(ca_state: CaState, snd_cwnd: u32) -> TcpInfo {
        TcpInfo {
            ca_state,
            snd_mss: 1448,
            rtt: 1,
            snd_ssthresh: 1,
            snd_cwnd,
            total_retrans: 0,
            bytes_acked: None,
            dsack_dups: None,
            total_rto: None,
        }
    }

    #[test]
    fn time_outs_are_counted_as_they_begin_unless_the_kernel_has_counted_them() {
        let end = SocketAddr::from(([127, 0, 0, 1], 1));
        let mut story = KernelStory {
            local: end,
            remote: end,
            congestion: "reno".to_owned(),
            window: WindowStory::default(),
            last: info(CaState::Open, 10),
            timeouts_seen: 0,
        };
        for (state, cwnd) in [
            (CaState::Disorder, 12),
            (CaState::Loss, 1),
            (CaState::Loss, 1),
            (CaState::Open, 2),
            (CaState::Recovery, 2),
            (CaState::Loss, 1),
        ] {
            story.add(info(state, cwnd));
        }
        assert_eq!(story.timeouts(), 2);
        assert_eq!(story.window.first_reduction(), Some(Reduction { before: 12, after: 1 }));
        story.add(TcpInfo { total_rto: Some(5), ..info(CaState::Open, 3) });
        assert_eq!(story.timeouts(), 5);
    }

    #[test]
    fn a_watched_stream_closes_when_it_is_dropped_and_its_story_stays() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("the loopback is there");
        let stream = TcpStream::connect(listener.local_addr().expect("it listens")).expect("it listens");
        set_congestion_control(&stream, "reno").expect("every Linux lets everybody choose it");
        let (local, remote) = (stream.local_addr().expect("it is open"), stream.peer_addr().expect("it is open"));
        let gauges = Gauges::default();
        let gauge = gauges.watch(&stream, local, remote).expect("a TCP connection");
        gauges.look();
        let (mut accepted, _) = listener.accept().expect("it was opened");
        accepted.set_read_timeout(Some(std::time::Duration::from_secs(5))).expect("it is a time");
        drop((stream, gauge));
        assert_eq!(accepted.read(&mut [0]).expect("an orderly end"), 0);
        gauges.look();
        let stories = gauges.stories();
        assert_eq!(stories.len(), 1);
        assert_eq!((stories[0].local, stories[0].congestion.as_str()), (local, "reno"));
        assert!(stories[0].last.snd_cwnd > 0, "{stories:?}");
    }
}
