//! What the octets of a stream are.
//!
//! Scripts say how many octets go, never which. They are chosen here, each by its place in the stream, so that a stack that
//! sends the right number of wrong octets, or reads them out of order, is found out.

/// The octet at `position`, counted from the stream's (or datagram's) first.
pub const fn octet(position: u64) -> u8 {
    // A prime near 256: no segment size, buffer size or window is a multiple of it.
    (position % 251) as u8
}

/// `length` octets from `position` on.
pub fn octets(position: u64, length: usize) -> Vec<u8> {
    (0..length as u64).map(|index| octet(position + index)).collect()
}

/// Whether `data` is what stands at `position`; else the index of the first octet that is not.
///
/// # Errors
/// The index within `data`.
pub fn check(position: u64, data: &[u8]) -> Result<(), usize> {
    match data.iter().enumerate().position(|(index, got)| *got != octet(position + index as u64)) {
        Some(index) => Err(index),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_shifted_by_any_usual_amount_is_found_out() {
        for shift in [1, 2, 536, 1000, 1220, 1440, 1448, 1460, 4096, 65_535, 65_536] {
            assert_eq!(check(0, &octets(shift, 8)), Err(0), "{shift}");
        }
        assert_eq!(check(1000, &octets(1000, 700)), Ok(()));
    }

    #[test]
    fn the_first_wrong_octet_is_named() {
        let mut data = octets(5, 20);
        data[13] ^= 1;
        assert_eq!(check(5, &data), Err(13));
    }
}
