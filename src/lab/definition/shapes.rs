//! Values that may be typed in two shapes. Written out, because serde's `untagged` loses the place of an error.

use std::fmt;

use serde::Deserialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{self, Deserializer, MapAccess, SeqAccess, Visitor};

use super::raw::{RawNth, RawSelectionTable, RawSysctl, SelectionShape};

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
