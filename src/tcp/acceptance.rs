//! Whether a segment lies in the receive window (RFC 9293 §3.10.7.4, first check, Table 6).
//!
//! ```text
//!           RCV.NXT                 RCV.NXT + RCV.WND
//!   ───────────┼───────────────────────────┼──────────►
//!     ├─ old ──┤                           │
//!           ├──┼─ acceptable ──────────────┼──┤
//!                                          ├─ beyond ─┤
//! ```

use crate::packet::SeqNum;

/// Where a segment lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// At least part of it lies in the window.
    Acceptable,
    /// All of it lies before RCV.NXT.
    Old,
    /// It begins beyond the window.
    Beyond,
}

/// Judges a segment of `length` sequence numbers (SYN and FIN included) that begins at `seq`.
pub(crate) fn judge(seq: SeqNum, length: u32, rcv_nxt: SeqNum, rcv_wnd: u32) -> Place {
    let within = |number: SeqNum| number.offset_from(rcv_nxt) < rcv_wnd;
    let acceptable = match (length, rcv_wnd) {
        (0, 0) => seq == rcv_nxt,
        // As every stack since BSD, the number just after the window is taken for a segment without length: it is where an
        // acknowledgment stands that follows data which filled the window.
        (0, _) => within(seq) || seq == rcv_nxt + rcv_wnd,
        (_, 0) => false,
        (_, _) => within(seq) || within(seq + (length - 1)) || spans(seq, length, rcv_nxt),
    };
    match acceptable {
        true => Place::Acceptable,
        false if (seq + length).at_or_before(rcv_nxt) && seq.before(rcv_nxt) => Place::Old,
        false => Place::Beyond,
    }
}

/// A segment longer than the window may begin before and end after it.
fn spans(seq: SeqNum, length: u32, rcv_nxt: SeqNum) -> bool {
    rcv_nxt.offset_from(seq) < length
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_four_cases_of_table_6_and_their_edges() {
        use Place::{Acceptable, Beyond, Old};
        let rcv_nxt = SeqNum(1000);
        let cases = [
            ("empty, no window: only RCV.NXT itself", 1000, 0, 0, Acceptable),
            ("empty, no window: one before", 999, 0, 0, Old),
            ("empty, no window: one after", 1001, 0, 0, Beyond),
            ("empty at RCV.NXT", 1000, 0, 10, Acceptable),
            ("empty at the last number", 1009, 0, 10, Acceptable),
            ("empty just after the window", 1010, 0, 10, Acceptable),
            ("empty beyond", 1011, 0, 10, Beyond),
            ("empty, one before: a keep-alive", 999, 0, 10, Old),
            ("data, no window", 1000, 1, 0, Beyond),
            ("data that reaches beyond RCV.NXT, no window", 990, 20, 0, Beyond),
            ("data that ends before RCV.NXT", 990, 10, 10, Old),
            ("data that ends at RCV.NXT", 990, 11, 10, Acceptable),
            ("data that begins at the last number", 1009, 5, 10, Acceptable),
            ("data that begins beyond", 1010, 5, 10, Beyond),
            ("data that spans the window", 990, 100, 10, Acceptable),
        ];
        for (case, seq, length, rcv_wnd, place) in cases {
            assert_eq!(judge(SeqNum(seq), length, rcv_nxt, rcv_wnd), place, "{case}");
        }
    }

    proptest! {
        #[test]
        fn the_wrap_of_sequence_numbers_changes_nothing(
            offset in -3000_i32..3000, length in 0_u32..2000, rcv_wnd in 0_u32..2000, base: u32,
        ) {
            let place = |base: u32| judge(SeqNum(base.wrapping_add(offset as u32)), length, SeqNum(base), rcv_wnd);
            prop_assert_eq!(place(base), place(100_000));
        }
    }
}
