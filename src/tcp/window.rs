//! The receive window: how much the peer may send (RFC 9293 §3.8.6).
//!
//! ```text
//!     first unread          RCV.NXT                        right edge
//!   ──────┼────────────────────┼────────────────────────────┼──────────►
//!         │◄──── unread ──────►│◄───────── RCV.WND ────────►│
//!         │◄──────────────── receive buffer ───────────────────►│
//! ```
//!
//! Two rules. The right edge never moves left (SHLD-14), but by the rounding of a scaled window: what was promised is kept. And it moves right only by a worthwhile
//! step, half the buffer or a full segment (silly window avoidance, MUST-39, §3.8.6.2.2).

/// What was promised to the peer. Positions count octets of the stream in 64 bits.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ReceiveWindow {
    /// Octets of the receive buffer.
    buffer: usize,
    /// Never announce more than this.
    clamp: u32,
    /// The position after the last octet that the peer may send.
    edge: u64,
    /// The shift of the window field; 0 before the handshake has agreed on it.
    scale: u8,
    /// The last announcement was as much as a SYN can say; the next will say more by itself.
    cut_by_syn: bool,
}

impl ReceiveWindow {
    /// Nothing promised yet.
    pub(crate) const fn new(buffer: usize) -> ReceiveWindow {
        ReceiveWindow { buffer, clamp: u32::MAX, edge: 0, scale: 0, cut_by_syn: false }
    }

    /// The least shift that lets the whole buffer be announced (RFC 7323 §2.2: at most 14).
    pub(crate) fn scale_for(buffer: usize) -> u8 {
        (0..14).find(|shift| buffer >> shift <= usize::from(u16::MAX)).unwrap_or(14)
    }

    /// Both sides have agreed on scaling, ours by `shift`.
    pub(crate) fn set_scale(&mut self, shift: u8) {
        self.scale = shift;
    }

    /// Changes the buffer. A smaller one takes nothing back that was promised.
    pub(crate) fn resize(&mut self, buffer: usize) {
        self.buffer = buffer;
    }

    /// Octets of the buffer.
    pub(crate) const fn buffer(&self) -> usize {
        self.buffer
    }

    /// Never announces more than `octets` from now on.
    pub(crate) fn clamp_to(&mut self, octets: u32) {
        self.clamp = octets;
    }

    /// RCV.WND: octets that the peer may send from `rcv_nxt` on.
    pub(crate) fn size(&self, rcv_nxt: u64) -> u32 {
        u32::try_from(self.edge.saturating_sub(rcv_nxt)).unwrap_or(u32::MAX)
    }

    /// What could be announced now with `unread` octets in the buffer, the two rules applied. `mss` is the longest segment
    /// that the peer sends.
    pub(crate) fn candidate(&self, rcv_nxt: u64, unread: usize, mss: u32) -> u32 {
        let free = self.buffer.saturating_sub(unread).min(self.clamp as usize);
        let most = u32::from(u16::MAX) << self.scale;
        let free = u32::try_from(free).unwrap_or(u32::MAX).min(most);
        let promised = self.size(rcv_nxt);
        let step = ((self.buffer / 2).min(self.clamp as usize / 2) as u32).min(mss).max(1);
        if free >= promised.saturating_add(step) { free } else { promised }
    }

    /// Promises what can be, and returns the window field that says so. `scaled` is false for SYN segments (RFC 7323 §2.2).
    pub(crate) fn announce(&mut self, rcv_nxt: u64, unread: usize, mss: u32, scaled: bool) -> u16 {
        let shift = if scaled { self.scale } else { 0 };
        let window = self.candidate(rcv_nxt, unread, mss).min(u32::from(u16::MAX) << shift);
        // Rounded down, the right edge seems to move left by less than a unit as octets arrive (RFC 7323 §2.4 allows that);
        // rounded up, it moves right, for which the buffer must have room. An empty buffer always takes one unit.
        let free = self.buffer.saturating_sub(unread) as u64;
        let up = window.div_ceil(1 << shift);
        let has_room = unread == 0 || u64::from(up) << shift <= free;
        let field = if has_room { up } else { window >> shift }.min(u32::from(u16::MAX)) as u16;
        self.edge = self.edge.max(rcv_nxt + (u64::from(field) << shift));
        self.cut_by_syn = !scaled && field == u16::MAX;
        field
    }

    /// Whether the application has made so much room that the peer should hear of it without being asked: twice what it
    /// still has, as Linux does.
    pub(crate) fn is_worth_an_update(&self, rcv_nxt: u64, unread: usize, mss: u32) -> bool {
        let promised = self.size(rcv_nxt);
        let candidate = self.candidate(rcv_nxt, unread, mss);
        candidate > promised && candidate >= promised.saturating_mul(2) && !self.cut_by_syn
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const MSS: u32 = 1460;

    #[test]
    fn the_least_shift_that_fits_is_offered() {
        let shifts = [(65_535, 0), (65_536, 1), (540_000, 4), (15 << 20, 8), (usize::MAX, 14)];
        for (buffer, shift) in shifts {
            assert_eq!(ReceiveWindow::scale_for(buffer), shift, "{buffer}");
        }
    }

    #[test]
    fn a_small_gain_is_not_announced() {
        let mut window = ReceiveWindow::new(10_000);
        assert_eq!(window.announce(0, 0, MSS, true), 10_000);
        assert_eq!(window.announce(10_000, 10_000, MSS, true), 0);
        assert_eq!(window.announce(10_000, 10_000 - 1459, MSS, true), 0);
        assert_eq!(window.announce(10_000, 10_000 - 1460, MSS, true), 1460);
    }

    #[test]
    fn a_tiny_buffer_opens_when_half_of_it_is_free() {
        let mut window = ReceiveWindow::new(100);
        window.announce(0, 0, MSS, true);
        assert_eq!(window.announce(100, 51, MSS, true), 0);
        assert_eq!(window.announce(100, 50, MSS, true), 50);
    }

    #[test]
    fn the_field_is_scaled_but_in_a_syn() {
        let mut window = ReceiveWindow::new(1 << 20);
        window.set_scale(5);
        assert_eq!((window.announce(0, 0, MSS, false), window.size(0)), (65_535, 65_535));
        assert_eq!((window.announce(0, 0, MSS, true), window.size(0)), (1 << 15, 1 << 20));
    }

    #[test]
    fn a_clamp_bounds_what_is_announced_and_its_steps() {
        let mut window = ReceiveWindow::new(10_000);
        window.clamp_to(1000);
        let announced = [0, 400, 499, 500, 1500].map(|rcv_nxt| window.announce(rcv_nxt, 0, MSS, true));
        assert_eq!(announced, [1000, 600, 501, 1000, 1000]);
    }

    #[test]
    fn an_update_is_worth_it_when_it_doubles_what_the_peer_has() {
        let mut window = ReceiveWindow::new(10_000);
        window.announce(0, 0, MSS, true);
        let worth = |unread: usize| window.is_worth_an_update(8000, unread, MSS);
        assert_eq!([8000, 6001, 6000, 0].map(worth), [false, false, true, true]);
    }

    proptest! {
        #[test]
        fn the_right_edge_moves_left_by_less_than_a_unit_and_never_far_beyond_the_buffer(
            buffer in 1_usize..200_000,
            scale in 0_u8..15,
            steps in proptest::collection::vec((0_u32..5000, 0_usize..5000), 1..100),
        ) {
            let mut window = ReceiveWindow::new(buffer);
            window.set_scale(scale);
            let (mut rcv_nxt, mut read, mut edge) = (0_u64, 0_u64, 0);
            for (arrives, reads) in steps {
                let unread = (rcv_nxt - read) as usize;
                let field = window.announce(rcv_nxt, unread, MSS, true);
                let now = rcv_nxt + (u64::from(field) << scale);
                prop_assert!(now + (1 << scale) > edge, "the edge moved from {} to {}", edge, now);
                prop_assert!(now <= (read + buffer as u64 + (1 << scale)).max(edge));
                edge = now.max(edge);
                rcv_nxt += u64::from(arrives.min(window.size(rcv_nxt)));
                read = (read + reads as u64).min(rcv_nxt);
            }
        }
    }
}
