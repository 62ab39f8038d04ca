//! Figures as people say them.

use std::time::Duration;

/// A span of time as people say it, three digits of it: `41.4 ms`, `296 ms`, `1.46 s`.
pub fn span(span: Duration) -> String {
    let nanos = span.as_nanos();
    let (unit, name) = match nanos {
        0..1_000_000 => (1_000, "µs"),
        1_000_000..1_000_000_000 => (1_000_000, "ms"),
        _ => (1_000_000_000, "s"),
    };
    // As many decimals as make three digits, rounded half up.
    let decimals = [(100, 0), (10, 1), (1, 2)].into_iter().find(|(least, _)| nanos / unit >= *least);
    let (_, decimals) = decimals.unwrap_or((0, 2));
    let scale = 10_u128.pow(decimals);
    let rounded = (nanos * scale + unit / 2) / unit;
    let fraction = format!("{:0width$}", rounded % scale, width = decimals as usize);
    match fraction.trim_end_matches('0') {
        "" => format!("{} {name}", rounded / scale),
        digits => format!("{}.{digits} {name}", rounded / scale),
    }
}

/// A number with a comma after every three digits from the right: `14,480`.
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_have_three_digits_and_no_idle_zeros() {
        for (nanos, told) in [
            (0, "0 µs"),
            (1_234, "1.23 µs"),
            (40_000_000, "40 ms"),
            (41_350_000, "41.4 ms"),
            (295_895_773, "296 ms"),
            (1_460_000_000, "1.46 s"),
            (61_000_000_000, "61 s"),
        ] {
            assert_eq!(span(Duration::from_nanos(nanos)), told);
        }
    }

    #[test]
    fn numbers_are_grouped_by_three() {
        for (number, told) in [(0, "0"), (999, "999"), (1_000, "1,000"), (14_480, "14,480"), (1_234_567, "1,234,567")] {
            assert_eq!(grouped(number), told);
        }
    }
}
