//! The retransmission timer fires: RFC 6298 §5, RFC 5681 §3.1.

use super::wire::{Wire, config};
use crate::journal::Recovery;

/// RFC 5681 §3.1, equation 4: half of what is in flight, and what SACK has reported is there no more. (RFC 6675 §4: pipe.)
#[test]
fn a_time_out_amid_recovery_does_not_raise_the_threshold() {
    let mut wire = Wire::open_with(&config(), "mss 1000, sackOK");
    wire.write(40_000);
    assert_eq!(wire.take_sent().len(), 10);
    // The first is lost, and so is what is sent again for it; the rest arrives, and new data leaves in its place.
    for reported in (4001..=30_001).step_by(1000) {
        wire.receive(&format!("A 1 ack 1 <sack 1001:{reported}>"));
        wire.take_sent();
    }
    assert_eq!((wire.recovery(), wire.ssthresh()), (Recovery::FastRecovery, 5));
    wire.until_sent();
    assert_eq!(wire.next_sent(), "A 1:1001 ack 1 | retransmit-by-timer");
    assert_eq!((wire.recovery(), wire.cwnd()), (Recovery::Loss, 1));
    assert!(wire.ssthresh() <= 5, "{}", wire.ssthresh());
}
