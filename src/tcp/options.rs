//! The options of outgoing segments, as bytes.
//!
//! The layout is Linux's, which RFC 7323 Appendix A recommends: values on even and 32-bit boundaries.
//!
//! ```text
//!   SYN      mss · sackOK · timestamps · nop wscale       without timestamps: mss · nop nop sackOK · nop wscale
//!            … and a Fast Open cookie last, nops behind it
//!   else     nop nop timestamps · nop nop sack blocks
//! ```

use super::segment::Header;
use crate::packet::SeqNum;
use crate::packet::dissect::{FastOpenOption, TcpOptions};

const NOP: u8 = 1;
const MSS: u8 = 2;
const WINDOW_SCALE: u8 = 3;
const SACK_PERMITTED: u8 = 4;
const SACK: u8 = 5;
const TIMESTAMPS: u8 = 8;
const FAST_OPEN: u8 = 34;
const EXPERIMENT: u8 = 254;
/// What tells Fast Open from other experiments (RFC 6994).
const FAST_OPEN_EXPERIMENT: [u8; 2] = [0xf9, 0x89];

/// Octets that all options of a header may take together (RFC 9293 §3.1).
pub(super) const MOST: u16 = 40;

/// Octets of the timestamps option with its padding.
pub(super) const TIMESTAMPS_LEN: u16 = 12;

/// SACK blocks that fit into `room` octets and beside the other options of a segment (RFC 2018 §3: 40 octets in all).
pub(super) fn sack_blocks(room: u32, timestamps: bool) -> usize {
    let most = if timestamps { 3 } else { 4 };
    (room.saturating_sub(4) as usize / 8).min(most)
}

/// Octets that these options take in a header.
pub(super) fn length(options: &TcpOptions) -> u16 {
    let mut len = 0;
    len += if options.mss.is_some() { 4 } else { 0 };
    len += match (options.timestamps.is_some(), options.sack_permitted) {
        (true, _) => TIMESTAMPS_LEN,
        (false, true) => 4,
        (false, false) => 0,
    };
    len += if options.window_scale.is_some() { 4 } else { 0 };
    len += options.fast_open.as_ref().map_or(0, fast_open_length);
    let blocks = options.sack.len() as u16;
    len + if blocks > 0 { 4 + 8 * blocks } else { 0 }
}

/// Octets of a Fast Open option, padding included.
fn fast_open_length(option: &FastOpenOption) -> u16 {
    let head = if option.experimental { 4 } else { 2 };
    (head + option.cookie.len() as u16).next_multiple_of(4)
}

fn write_fast_open(option: &FastOpenOption, header: &mut Header) {
    let head: &[u8] = if option.experimental { &FAST_OPEN_EXPERIMENT } else { &[] };
    let length = 2 + head.len() + option.cookie.len();
    header.extend_from_slice(&[if option.experimental { EXPERIMENT } else { FAST_OPEN }, length as u8]);
    header.extend_from_slice(head);
    header.extend_from_slice(&option.cookie);
    header.extend(std::iter::repeat_n(NOP, length.next_multiple_of(4) - length));
}

/// Appends the options. Whatever is written is a multiple of four octets, so the header needs no padding
/// (RFC 9293 MUST-69).
pub(super) fn write(options: &TcpOptions, header: &mut Header) {
    if let Some(mss) = options.mss {
        header.extend_from_slice(&[MSS, 4]);
        header.extend_from_slice(&mss.to_be_bytes());
    }
    match (options.timestamps, options.sack_permitted) {
        (Some((value, echo)), permitted) => {
            // The two octets of padding that the timestamps need are room enough for SACK-permitted.
            header.extend_from_slice(if permitted { &[SACK_PERMITTED, 2] } else { &[NOP, NOP] });
            header.extend_from_slice(&[TIMESTAMPS, 10]);
            header.extend_from_slice(&value.to_be_bytes());
            header.extend_from_slice(&echo.to_be_bytes());
        }
        (None, true) => header.extend_from_slice(&[NOP, NOP, SACK_PERMITTED, 2]),
        (None, false) => {}
    }
    if let Some(shift) = options.window_scale {
        header.extend_from_slice(&[NOP, WINDOW_SCALE, 3, shift]);
    }
    if let Some(option) = &options.fast_open {
        write_fast_open(option, header);
    }
    if !options.sack.is_empty() {
        header.extend_from_slice(&[NOP, NOP, SACK, (2 + 8 * options.sack.len()) as u8]);
        for (SeqNum(left), SeqNum(right)) in &options.sack {
            header.extend_from_slice(&left.to_be_bytes());
            header.extend_from_slice(&right.to_be_bytes());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use smallvec::smallvec;

    fn bytes(options: &TcpOptions) -> Vec<u8> {
        let mut header = Header::new();
        write(options, &mut header);
        header.to_vec()
    }

    #[test]
    fn a_syn_lays_its_options_out_as_linux_does() {
        let all = TcpOptions {
            mss: Some(1460),
            window_scale: Some(8),
            sack_permitted: true,
            timestamps: Some((1, 0)),
            ..TcpOptions::default()
        };
        assert_eq!(bytes(&all), [2, 4, 5, 180, 4, 2, 8, 10, 0, 0, 0, 1, 0, 0, 0, 0, 1, 3, 3, 8]);
        let without_timestamps = TcpOptions { timestamps: None, ..all.clone() };
        assert_eq!(bytes(&without_timestamps), [2, 4, 5, 180, 1, 1, 4, 2, 1, 3, 3, 8]);
        let scale_alone = TcpOptions { sack_permitted: false, ..without_timestamps };
        assert_eq!(bytes(&scale_alone), [2, 4, 5, 180, 1, 3, 3, 8]);
    }

    #[test]
    fn a_cookie_stands_last_and_is_padded() {
        let option = |cookie: &[u8], experimental| TcpOptions {
            fast_open: Some(FastOpenOption { cookie: cookie.into(), experimental }),
            ..TcpOptions::default()
        };
        assert_eq!(bytes(&option(&[], false)), [34, 2, 1, 1]);
        assert_eq!(bytes(&option(&[7, 8, 9, 10], false)), [34, 6, 7, 8, 9, 10, 1, 1]);
        assert_eq!(bytes(&option(&[1, 2, 3, 4, 5, 6], false)), [34, 8, 1, 2, 3, 4, 5, 6]);
        assert_eq!(bytes(&option(&[], true)), [254, 4, 0xf9, 0x89]);
        assert_eq!(bytes(&option(&[7, 8, 9, 10], true)), [254, 8, 0xf9, 0x89, 7, 8, 9, 10]);
    }

    #[test]
    fn an_impossible_cookie_is_none() {
        for cookie in [&[1][..], &[1, 2], &[1, 2, 3, 4, 5], &[0; 18]] {
            let body = [&[34, 2 + cookie.len() as u8], cookie].concat();
            assert_eq!(TcpOptions::read(&body).fast_open, None, "{cookie:?}");
        }
        let twice = [34, 6, 1, 2, 3, 4, 34, 6, 5, 6, 7, 8];
        assert_eq!(TcpOptions::read(&twice).fast_open.expect("a cookie").cookie[..], [5, 6, 7, 8]);
    }

    #[test]
    fn sack_blocks_follow_the_timestamps() {
        let options =
            TcpOptions { timestamps: Some((1, 2)), sack: smallvec![(SeqNum(3), SeqNum(4))], ..TcpOptions::default() };
        assert_eq!(bytes(&options), [1, 1, 8, 10, 0, 0, 0, 1, 0, 0, 0, 2, 1, 1, 5, 10, 0, 0, 0, 3, 0, 0, 0, 4]);
    }

    #[test]
    fn as_many_sack_blocks_fit_as_the_room_has_and_forty_octets_of_options_allow() {
        let fitting = |timestamps| [0, 11, 12, 19, 20, 28, 36, 1000].map(|room| sack_blocks(room, timestamps));
        assert_eq!(fitting(false), [0, 0, 1, 1, 2, 3, 4, 4]);
        assert_eq!(fitting(true), [0, 0, 1, 1, 2, 3, 3, 3]);
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_again_and_fits(
            mss in proptest::option::of(any::<u16>()),
            window_scale in proptest::option::of(0_u8..15),
            sack_permitted: bool,
            timestamps in proptest::option::of(any::<(u32, u32)>()),
            blocks in proptest::collection::vec(any::<(u32, u32)>(), 0..=4),
            cookie in proptest::option::of((proptest::sample::select(vec![0_usize, 4, 6, 8, 14, 16]), any::<bool>())),
        ) {
            let room = if mss.is_some() { 0 } else { sack_blocks(40, timestamps.is_some()) };
            let sack = blocks.iter().take(room).map(|(left, right)| (SeqNum(*left), SeqNum(*right))).collect();
            let options = TcpOptions {
                mss,
                window_scale: mss.and(window_scale),
                sack_permitted: mss.is_some() && sack_permitted,
                timestamps,
                sack,
                fast_open: mss.and(cookie).map(|(length, experimental)| FastOpenOption {
                    cookie: (1..=length as u8).collect(),
                    experimental,
                }),
            };
            let bytes = bytes(&options);
            prop_assert!(bytes.len() <= 40 && bytes.len().is_multiple_of(4));
            prop_assert_eq!(bytes.len(), usize::from(length(&options)));
            prop_assert_eq!(TcpOptions::read(&bytes), options);
        }
    }
}
