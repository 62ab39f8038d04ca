//! Header fields as a lab file has them: `headers = { Cache-Control = "max-age=300", ETag = '"post-123-v1"' }`.

use std::collections::BTreeMap;

use hyper::HeaderMap;
use hyper::header::{HeaderName, HeaderValue};
use serde::{Deserialize, Deserializer, de};

/// Header fields, in the order of their names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::app) struct Fields(pub(super) HeaderMap);

impl Fields {
    /// Puts them into `fields`, in the place of those that have the same names.
    pub(in crate::app) fn put_into(&self, fields: &mut HeaderMap) {
        for (name, value) in &self.0 {
            fields.insert(name.clone(), value.clone());
        }
    }
}

impl<'de> Deserialize<'de> for Fields {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Fields, D::Error> {
        let mut fields = HeaderMap::new();
        for (name, value) in BTreeMap::<String, String>::deserialize(deserializer)? {
            let wrong =
                |what| de::Error::custom(format!("`{name}: {value}` is no header field: its {what} is not one"));
            let key: HeaderName = name.parse().map_err(|_| wrong("name"))?;
            // What frames a message is the program's own business: a wrong length would break the connection.
            if key == hyper::header::CONTENT_LENGTH || key == hyper::header::TRANSFER_ENCODING {
                return Err(de::Error::custom(format!("`{name}` is written by the program itself: leave it out")));
            }
            fields.insert(key, HeaderValue::from_str(&value).map_err(|_| wrong("value"))?);
        }
        Ok(Fields(fields))
    }
}
