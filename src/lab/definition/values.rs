//! Quantities as people write them: `"20ms"`, `"10mbit"`, `"64KiB"`, `"0.5%"`, `1.5`.
//!
//! Every one is read in whole numbers. A decimal fraction is fine as long as it ends on a whole unit (`"1.5s"`, not
//! `"0.3ns"`), so nothing is rounded and nothing depends on a machine's floats.

use std::fmt;
use std::time::Duration;

use serde::de::{self, Deserialize, Deserializer, Visitor};

use crate::check::Factor;
use crate::rng::Probability;

/// A span of time: `ns`, `us`, `ms`, `s`, `min`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Span(pub(super) Duration);

/// A span of time, or `"off"`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct SpanOrOff(pub(super) Option<Duration>);

/// Bits per second: `bit`, `kbit`, `mbit`, `gbit`, each a thousand times the one before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Rate(pub(super) u64);

/// Octets: `B`; `KB`, `MB`, `GB` by thousands (SI); `KiB`, `MiB`, `GiB` by 1,024.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Octets(pub(super) u64);

/// Odds: a percentage, down to a ten-millionth of one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Odds(pub(super) Probability);

const TIMES: &[(&str, u64)] =
    &[("ns", 1), ("us", 1_000), ("ms", 1_000_000), ("s", 1_000_000_000), ("min", 60_000_000_000)];
const RATES: &[(&str, u64)] = &[("bit", 1), ("kbit", 1_000), ("mbit", 1_000_000), ("gbit", 1_000_000_000)];
const SIZES: &[(&str, u64)] = &[
    ("B", 1),
    ("KB", 1_000),
    ("MB", 1_000_000),
    ("GB", 1_000_000_000),
    ("KiB", 1 << 10),
    ("MiB", 1 << 20),
    ("GiB", 1 << 30),
];
const PERCENT: &[(&str, u64)] = &[("%", 10_000_000)];

/// A decimal number times the unit behind it; `None` when it is no such thing, or no whole number of the smallest unit.
fn quantity(text: &str, units: &[(&str, u64)]) -> Option<u64> {
    let boundary = text.find(|c: char| !c.is_ascii_digit() && c != '.')?;
    let (number, unit) = text.split_at(boundary);
    let (_, factor) = units.iter().find(|(name, _)| *name == unit.trim_start())?;
    decimal(number, *factor)
}

/// `number`, which may have a decimal fraction, times `factor`; `None` unless that is a whole number that fits.
fn decimal(number: &str, factor: u64) -> Option<u64> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let is_digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if !is_digits(whole) || (number.contains('.') && !is_digits(fraction)) {
        return None;
    }
    let scale = 10_u128.checked_pow(u32::try_from(fraction.len()).ok()?)?;
    let digits: u128 = format!("{whole}{fraction}").parse().ok()?;
    let product = digits.checked_mul(u128::from(factor))?;
    if product % scale != 0 {
        return None;
    }
    u64::try_from(product / scale).ok()
}

/// Reads a string of one kind of quantity, and says with an example what was expected instead of it.
struct Quantity {
    expected: &'static str,
    units: &'static [(&'static str, u64)],
}

impl Visitor<'_> for Quantity {
    type Value = u64;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.expected)
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<u64, E> {
        quantity(text, self.units).ok_or_else(|| E::invalid_value(de::Unexpected::Str(text), &self))
    }
}

const SPAN: Quantity = Quantity { expected: r#"a duration such as "20ms", "1.5s" or "250us""#, units: TIMES };
const RATE: Quantity = Quantity { expected: r#"a rate such as "10mbit" or "1gbit""#, units: RATES };
const OCTETS: Quantity = Quantity { expected: r#"a size such as "1500B", "10KB" or "64KiB""#, units: SIZES };

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Span, D::Error> {
        deserializer.deserialize_str(SPAN).map(|nanos| Span(Duration::from_nanos(nanos)))
    }
}

impl<'de> Deserialize<'de> for SpanOrOff {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<SpanOrOff, D::Error> {
        struct OrOff;

        impl Visitor<'_> for OrOff {
            type Value = SpanOrOff;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(r#"a duration such as "40ms", or "off""#)
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<SpanOrOff, E> {
                if text == "off" {
                    return Ok(SpanOrOff(None));
                }
                match quantity(text, TIMES) {
                    Some(nanos) => Ok(SpanOrOff(Some(Duration::from_nanos(nanos)))),
                    None => Err(E::invalid_value(de::Unexpected::Str(text), &self)),
                }
            }
        }

        deserializer.deserialize_str(OrOff)
    }
}

impl<'de> Deserialize<'de> for Rate {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Rate, D::Error> {
        deserializer.deserialize_str(RATE).map(Rate)
    }
}

impl<'de> Deserialize<'de> for Octets {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Octets, D::Error> {
        deserializer.deserialize_str(OCTETS).map(Octets)
    }
}

impl<'de> Deserialize<'de> for Odds {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Odds, D::Error> {
        struct Percent;

        impl Visitor<'_> for Percent {
            type Value = Odds;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(r#"odds from "0%" to "100%", such as "10%" or "0.5%""#)
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Odds, E> {
                quantity(text, PERCENT)
                    .and_then(|parts| u32::try_from(parts).ok())
                    .filter(|parts| *parts <= Probability::ALWAYS.parts_per_billion())
                    .map(|parts| Odds(Probability::from_parts_per_billion(parts)))
                    .ok_or_else(|| E::invalid_value(de::Unexpected::Str(text), &self))
            }
        }

        deserializer.deserialize_str(Percent)
    }
}

/// A plain number with up to three decimals, as a TOML number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Number(pub(super) Factor);

impl<'de> Deserialize<'de> for Number {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Number, D::Error> {
        struct Thousandths;

        impl Visitor<'_> for Thousandths {
            type Value = Number;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a number such as 2 or 1.75")
            }

            fn visit_i64<E: de::Error>(self, value: i64) -> Result<Number, E> {
                self.visit_decimal(&value.to_string(), de::Unexpected::Signed(value))
            }

            fn visit_f64<E: de::Error>(self, value: f64) -> Result<Number, E> {
                // The shortest text that reads back as this float is what the author typed; it is read again exactly.
                self.visit_decimal(&value.to_string(), de::Unexpected::Float(value))
            }
        }

        impl Thousandths {
            fn visit_decimal<E: de::Error>(self, text: &str, found: de::Unexpected<'_>) -> Result<Number, E> {
                decimal(text, 1_000)
                    .map(|thousandths| Number(Factor::from_thousandths(thousandths)))
                    .ok_or_else(|| E::invalid_value(found, &self))
            }
        }

        deserializer.deserialize_any(Thousandths)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of<T: for<'de> Deserialize<'de>>(value: &str) -> Result<T, String> {
        let deserializer = toml::de::ValueDeserializer::parse(value).map_err(|error| error.message().to_owned())?;
        T::deserialize(deserializer).map_err(|error| error.message().to_owned())
    }

    #[test]
    fn durations_are_whole_nanoseconds() {
        let cases = [
            (r#""20ms""#, 20_000_000),
            (r#""1s""#, 1_000_000_000),
            (r#""250us""#, 250_000),
            (r#""1.5s""#, 1_500_000_000),
            (r#""2 min""#, 120_000_000_000),
        ];
        for (text, nanos) in cases {
            assert_eq!(of::<Span>(text), Ok(Span(Duration::from_nanos(nanos))), "{text}");
        }
    }

    #[test]
    fn rates_and_sizes_count_by_thousands_unless_they_say_ki() {
        assert_eq!(of::<Rate>(r#""10mbit""#), Ok(Rate(10_000_000)));
        assert_eq!(of::<Rate>(r#""1gbit""#), Ok(Rate(1_000_000_000)));
        assert_eq!(of::<Octets>(r#""17520B""#), Ok(Octets(17_520)));
        assert_eq!(of::<Octets>(r#""10KB""#), Ok(Octets(10_000)));
        assert_eq!(of::<Octets>(r#""64KiB""#), Ok(Octets(65_536)));
    }

    #[test]
    fn odds_are_exact_parts_per_billion() {
        assert_eq!(of::<Odds>(r#""10%""#), Ok(Odds(Probability::from_percent(10))));
        assert_eq!(of::<Odds>(r#""0.5%""#), Ok(Odds(Probability::from_parts_per_billion(5_000_000))));
        assert_eq!(of::<Odds>(r#""100%""#), Ok(Odds(Probability::ALWAYS)));
        assert!(of::<Odds>(r#""100.1%""#).is_err());
    }

    #[test]
    fn numbers_keep_three_decimals_exactly() {
        assert_eq!(of::<Number>("1.9"), Ok(Number(Factor::from_thousandths(1_900))));
        assert_eq!(of::<Number>("2"), Ok(Number(Factor::from_thousandths(2_000))));
        assert!(of::<Number>("0.0001").is_err() && of::<Number>("-1").is_err());
    }

    #[test]
    fn what_is_not_a_quantity_is_refused_with_an_example() {
        for text in [r#""20""#, r#""ms""#, r#""1.ms""#, r#""20mss""#, r#""0.3ns""#, r#""-1s""#, r#""99999999999min""#] {
            let message = of::<Span>(text).expect_err(text);
            assert!(message.ends_with(r#"expected a duration such as "20ms", "1.5s" or "250us""#), "{text}: {message}");
        }
    }
}
