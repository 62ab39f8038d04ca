//! Values that may be typed in two shapes. Written out, because serde's `untagged` loses the place of an error.

use std::fmt;

use serde::Deserialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{self, Deserializer, MapAccess, SeqAccess, Visitor};

use super::raw::{RawSelectionTable, SelectionShape};
use super::raw_network::{RawClamp, RawDiscipline, RawNth, RawQueue, RawSysctl};
use crate::app::Span;

impl<'de> Deserialize<'de> for RawNth {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<RawNth, D::Error> {
        struct OneOrMany;

        impl<'de> Visitor<'de> for OneOrMany {
            type Value = RawNth;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a number from 1, or a list of them")
            }

            fn visit_i64<E: de::Error>(self, value: i64) -> Result<RawNth, E> {
                let number =
                    u32::try_from(value).map_err(|_| E::invalid_value(de::Unexpected::Signed(value), &self))?;
                Ok(RawNth(vec![number]))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<RawNth, A::Error> {
                let mut numbers = Vec::new();
                while let Some(number) = items.next_element()? {
                    numbers.push(number);
                }
                Ok(RawNth(numbers))
            }
        }

        deserializer.deserialize_any(OneOrMany)
    }
}

impl<'de> Deserialize<'de> for SelectionShape {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<SelectionShape, D::Error> {
        struct TextOrTable;

        impl<'de> Visitor<'de> for TextOrTable {
            type Value = SelectionShape;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(r#"a selection: a filter, a name from [select], or a table such as { packets = "udp" }"#)
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<SelectionShape, E> {
                Ok(SelectionShape::Text(text.to_owned()))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<SelectionShape, A::Error> {
                let table = RawSelectionTable::deserialize(MapAccessDeserializer::new(map))?;
                Ok(SelectionShape::Table(Box::new(table)))
            }
        }

        deserializer.deserialize_any(TextOrTable)
    }
}

impl<'de> Deserialize<'de> for RawSysctl {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<RawSysctl, D::Error> {
        struct NumberOrText;

        impl Visitor<'_> for NumberOrText {
            type Value = RawSysctl;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a number or a text, as /proc/sys takes it")
            }

            fn visit_i64<E: de::Error>(self, value: i64) -> Result<RawSysctl, E> {
                Ok(RawSysctl(value.to_string()))
            }

            fn visit_str<E: de::Error>(self, value: &str) -> Result<RawSysctl, E> {
                Ok(RawSysctl(value.to_owned()))
            }
        }

        deserializer.deserialize_any(NumberOrText)
    }
}

impl<'de> Deserialize<'de> for RawClamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<RawClamp, D::Error> {
        struct OctetsOrMtu;

        impl Visitor<'_> for OctetsOrMtu {
            type Value = RawClamp;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(r#"a number of octets such as 1260, or "mtu""#)
            }

            fn visit_i64<E: de::Error>(self, value: i64) -> Result<RawClamp, E> {
                let octets = u16::try_from(value);
                octets.map(RawClamp::To).map_err(|_| E::invalid_value(de::Unexpected::Signed(value), &self))
            }

            fn visit_str<E: de::Error>(self, value: &str) -> Result<RawClamp, E> {
                match value {
                    "mtu" => Ok(RawClamp::ToMtu),
                    other => Err(E::invalid_value(de::Unexpected::Str(other), &self)),
                }
            }
        }

        deserializer.deserialize_any(OctetsOrMtu)
    }
}

impl<'de> Deserialize<'de> for RawQueue {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<RawQueue, D::Error> {
        /// The long form.
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields, expecting = "a table")]
        struct Table {
            packets: Option<usize>,
            #[serde(default)]
            discipline: RawDiscipline,
            target: Option<Span>,
            interval: Option<Span>,
            ecn: Option<bool>,
            mark_above: Option<usize>,
        }

        struct NumberOrTable;

        impl<'de> Visitor<'de> for NumberOrTable {
            type Value = RawQueue;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(r#"a number of packets, or a table such as { packets = 100, discipline = "codel" }"#)
            }

            fn visit_i64<E: de::Error>(self, value: i64) -> Result<RawQueue, E> {
                let packets =
                    usize::try_from(value).map_err(|_| E::invalid_value(de::Unexpected::Signed(value), &self))?;
                Ok(RawQueue { packets: Some(packets), ..RawQueue::default() })
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<RawQueue, A::Error> {
                let Table { packets, discipline, target, interval, ecn, mark_above } =
                    Table::deserialize(MapAccessDeserializer::new(map))?;
                Ok(RawQueue { packets, discipline, target, interval, ecn, mark_above })
            }
        }

        deserializer.deserialize_any(NumberOrTable)
    }
}
