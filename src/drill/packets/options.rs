//! TCP options between bytes and values, in the order in which they stand (RFC 9293 §3.1).
//!
//! Unlike [`TcpOptions`](crate::packet::dissect::TcpOptions), which keeps what a stack needs, nothing is left out here: no
//! padding, no order, no option of an unknown kind.

use crate::drill::language::script::OptionSpec;
use crate::packet::SeqNum;

/// Octets of options that a TCP header can hold.
pub const LONGEST: usize = 40;

const KIND_MSS: u8 = 2;
const KIND_WINDOW_SCALE: u8 = 3;
const KIND_SACK_PERMITTED: u8 = 4;
const KIND_SACK: u8 = 5;
const KIND_TIMESTAMPS: u8 = 8;
const KIND_MD5: u8 = 19;
const KIND_FAST_OPEN: u8 = 34;
const KIND_EXPERIMENT: u8 = 254;
/// What tells Fast Open from other experiments (RFC 7413 §4.1.1, RFC 6994).
const FAST_OPEN_MAGIC: [u8; 2] = [0xf9, 0x89];

/// The octets of the options as written, without padding of our own.
pub fn write(options: &[OptionSpec]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for option in options {
        write_one(option, &mut bytes);
    }
    bytes
}

fn write_one(option: &OptionSpec, bytes: &mut Vec<u8>) {
    let mut put = |kind: u8, body: &[u8]| {
        // A body that is too long for its length octet is too long for the header; the builder refuses it there.
        bytes.extend_from_slice(&[kind, (body.len() + 2).min(255) as u8]);
        bytes.extend_from_slice(body);
    };
    match option {
        OptionSpec::EndOfList => bytes.push(0),
        OptionSpec::Nop => bytes.push(1),
        OptionSpec::Mss(mss) => put(KIND_MSS, &mss.to_be_bytes()),
        OptionSpec::WindowScale(shift) => put(KIND_WINDOW_SCALE, &[*shift]),
        OptionSpec::SackPermitted => put(KIND_SACK_PERMITTED, &[]),
        OptionSpec::Sack(blocks) => {
            let edges = blocks.iter().flat_map(|(left, right)| [left.0.to_be_bytes(), right.0.to_be_bytes()]);
            put(KIND_SACK, &edges.flatten().collect::<Vec<u8>>());
        }
        OptionSpec::Timestamps { val, ecr } => {
            put(KIND_TIMESTAMPS, &[val.to_be_bytes(), ecr.to_be_bytes()].concat());
        }
        OptionSpec::FastOpen { cookie, experimental: false } => put(KIND_FAST_OPEN, cookie),
        OptionSpec::FastOpen { cookie, experimental: true } => {
            put(KIND_EXPERIMENT, &[&FAST_OPEN_MAGIC[..], cookie].concat());
        }
        OptionSpec::Md5(digest) => put(KIND_MD5, digest),
        OptionSpec::Other { kind, body } => put(*kind, body),
    }
}

/// The options of a header, in order. Every octet of padding is an option of its own; what cannot be read because of an
/// illegal length is one [`OptionSpec::Other`] to the end.
pub fn read(mut bytes: &[u8]) -> Vec<OptionSpec> {
    let mut options = Vec::new();
    while let Some((&kind, rest)) = bytes.split_first() {
        if kind <= 1 {
            options.push(if kind == 0 { OptionSpec::EndOfList } else { OptionSpec::Nop });
            bytes = rest;
            continue;
        }
        let length = rest.first().map_or(0, |length| usize::from(*length));
        let Some(body) = bytes.get(2..length) else {
            options.push(OptionSpec::Other { kind, body: rest.to_vec() });
            break;
        };
        options.push(read_one(kind, body));
        bytes = &bytes[length..];
    }
    options
}

fn read_one(kind: u8, body: &[u8]) -> OptionSpec {
    let word = |at: usize| {
        let octets = body.get(at..at + 4).and_then(|octets| octets.try_into().ok());
        octets.map_or(0, u32::from_be_bytes)
    };
    match (kind, body) {
        (KIND_MSS, [high, low]) => OptionSpec::Mss(u16::from_be_bytes([*high, *low])),
        (KIND_WINDOW_SCALE, [shift]) => OptionSpec::WindowScale(*shift),
        (KIND_SACK_PERMITTED, []) => OptionSpec::SackPermitted,
        (KIND_SACK, blocks) if blocks.len() % 8 == 0 => {
            OptionSpec::Sack((0..blocks.len()).step_by(8).map(|at| (SeqNum(word(at)), SeqNum(word(at + 4)))).collect())
        }
        (KIND_TIMESTAMPS, body) if body.len() == 8 => OptionSpec::Timestamps { val: word(0), ecr: word(4) },
        (KIND_FAST_OPEN, cookie) => OptionSpec::FastOpen { cookie: cookie.to_vec(), experimental: false },
        (KIND_EXPERIMENT, [0xf9, 0x89, cookie @ ..]) => {
            OptionSpec::FastOpen { cookie: cookie.to_vec(), experimental: true }
        }
        (KIND_MD5, digest) => OptionSpec::Md5(digest.to_vec()),
        _ => OptionSpec::Other { kind, body: body.to_vec() },
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn options_are_laid_out_octet_for_octet_as_written() {
        let cases: [(&[OptionSpec], &[u8]); 4] = [
            (
                &[
                    OptionSpec::Mss(1460),
                    OptionSpec::Nop,
                    OptionSpec::Nop,
                    OptionSpec::SackPermitted,
                    OptionSpec::Nop,
                    OptionSpec::WindowScale(7),
                ],
                &[2, 4, 5, 180, 1, 1, 4, 2, 1, 3, 3, 7],
            ),
            (
                &[OptionSpec::Sack(vec![(SeqNum(1), SeqNum(2))]), OptionSpec::EndOfList, OptionSpec::EndOfList],
                &[5, 10, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0],
            ),
            (&[OptionSpec::Timestamps { val: 258, ecr: 3 }], &[8, 10, 0, 0, 1, 2, 0, 0, 0, 3]),
            (
                &[
                    OptionSpec::FastOpen { cookie: vec![], experimental: true },
                    OptionSpec::FastOpen { cookie: vec![9, 8], experimental: false },
                    OptionSpec::Other { kind: 77, body: vec![6] },
                ],
                &[254, 4, 0xf9, 0x89, 34, 4, 9, 8, 77, 3, 6],
            ),
        ];
        for (options, bytes) in cases {
            assert_eq!(write(options), bytes, "{options:?}");
            assert_eq!(read(bytes), options, "{bytes:?}");
        }
    }

    #[test]
    fn an_illegal_length_ends_the_reading_with_what_is_left() {
        assert_eq!(read(&[1, 2, 40, 5]), [OptionSpec::Nop, OptionSpec::Other { kind: 2, body: vec![40, 5] }]);
        assert_eq!(read(&[2, 1]), [OptionSpec::Other { kind: 2, body: vec![1] }]);
        assert_eq!(read(&[8]), [OptionSpec::Other { kind: 8, body: vec![] }]);
    }

    proptest! {
        #[test]
        fn any_octets_can_be_read_and_legal_ones_come_back(bytes in prop::collection::vec(any::<u8>(), 0..40)) {
            let options = read(&bytes);
            let legal = !options.iter().any(|option| matches!(option, OptionSpec::Other { .. }));
            if legal {
                prop_assert_eq!(write(&options), bytes);
            }
        }
    }
}
