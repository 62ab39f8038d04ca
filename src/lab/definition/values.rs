//! Quantities that only labs have: `"10mbit"`, `"0.5%"`, `1.75`, `"off"`. Sizes and spans of time are those of the
//! programs ([`crate::app::Size`], [`crate::app::Span`]), so that one file has one way to write them.
//!
//! Every one is read in whole numbers. A decimal fraction is fine as long as it ends on a whole unit, so nothing is
//! rounded and nothing depends on a machine's floats.

use std::fmt;

use serde::de::{self, Deserialize, Deserializer, Visitor};

use crate::app::Span;
use crate::check::Factor;
use crate::rng::Probability;

/// A span of time, or `"off"`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct SpanOrOff(pub(super) Option<Span>);

/// Bits per second: `bit`, `kbit`, `mbit`, `gbit`, each a thousand times the one before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Rate(pub(super) u64);

/// Odds: a percentage, down to a ten-millionth of one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Odds(pub(super) Probability);

const RATES: &[(&str, u64)] = &[("bit", 1), ("kbit", 1_000), ("mbit", 1_000_000), ("gbit", 1_000_000_000)];
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
                text.parse().map(|span| SpanOrOff(Some(span))).map_err(E::custom)
            }
        }

        deserializer.deserialize_str(OrOff)
    }
}

impl<'de> Deserialize<'de> for Rate {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Rate, D::Error> {
        struct BitsPerSecond;

        impl Visitor<'_> for BitsPerSecond {
            type Value = Rate;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(r#"a rate such as "10mbit" or "1gbit" (bit, kbit, mbit or gbit, each per second)"#)
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Rate, E> {
                quantity(text, RATES).map(Rate).ok_or_else(|| E::invalid_value(de::Unexpected::Str(text), &self))
            }
        }

        deserializer.deserialize_str(BitsPerSecond)
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
    fn rates_count_by_thousands() {
        assert_eq!(of::<Rate>(r#""10mbit""#), Ok(Rate(10_000_000)));
        assert_eq!(of::<Rate>(r#""1.5 gbit""#), Ok(Rate(1_500_000_000)));
        assert_eq!(of::<Rate>(r#""300bit""#), Ok(Rate(300)));
    }

    #[test]
    fn a_timer_has_a_span_or_is_off() {
        assert_eq!(of::<SpanOrOff>(r#""off""#), Ok(SpanOrOff(None)));
        let span = Span::from_duration(std::time::Duration::from_millis(40));
        assert_eq!(of::<SpanOrOff>(r#""40ms""#), Ok(SpanOrOff(Some(span))));
        assert!(of::<SpanOrOff>(r#""never""#).is_err());
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
        for text in [r#""20""#, r#""mbit""#, r#""1.mbit""#, r#""20mb""#, r#""0.3bit""#, r#""-1bit""#, "20"] {
            let message = of::<Rate>(text).expect_err(text);
            assert!(message.ends_with(r#""1gbit" (bit, kbit, mbit or gbit, each per second)"#), "{text}: {message}");
        }
    }
}
