//! A post in three formats, as its server writes it today and as a client reads it that was built long ago.
//!
//! Reader and writer have types of their own, as they have when two teams build them: nothing but the octets between them says
//! what a field means. JSON and XML name each field in each object; Protocol Buffers number them, and the names never leave
//! the schema (<https://protobuf.dev/programming-guides/encoding/>).

use prost::Message;
use serde::{Deserialize, Serialize};

/// How a post is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Format {
    /// JSON (RFC 8259).
    Json,
    /// XML 1.0.
    Xml,
    /// Protocol Buffers.
    Protobuf,
}

impl Format {
    /// All of them; a server that is not asked for any writes the first.
    pub(super) const ALL: [Format; 3] = [Format::Json, Format::Xml, Format::Protobuf];

    /// Its name in lab files and events.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Format::Json => "json",
            Format::Xml => "xml",
            Format::Protobuf => "protobuf",
        }
    }

    /// Its media type.
    pub(super) const fn media_type(self) -> &'static str {
        match self {
            Format::Json => "application/json",
            Format::Xml => "application/xml",
            Format::Protobuf => "application/x-protobuf",
        }
    }
}

/// What the server's schema looks like by now. Its clients know the first one alone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Schema {
    /// `id = 1`, `title = 2`.
    #[default]
    First,
    /// And `author = 3`.
    FieldAdded,
    /// The title is called `headline`. Its number is the same.
    FieldRenamed,
    /// `author = 2`, `title = 3`: a new field has taken the number of an old one.
    NumbersSwapped,
}

/// A post as the server knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Post<'a> {
    pub(super) id: i32,
    pub(super) title: &'a str,
    pub(super) author: &'a str,
}

/// A post as the server writes it in JSON.
#[derive(Serialize)]
struct JsonPost<'a> {
    id: i32,
    #[serde(skip_serializing_if = "Option::is_none")]
    title: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    headline: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    author: Option<&'a str>,
}

/// A post as the server writes it in XML.
#[derive(Serialize)]
#[serde(rename = "Post", rename_all = "PascalCase")]
struct XmlPost<'a> {
    id: i32,
    #[serde(skip_serializing_if = "Option::is_none")]
    title: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    headline: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    author: Option<&'a str>,
}

#[derive(Serialize)]
#[serde(rename = "Posts")]
struct XmlPosts<'a> {
    #[serde(rename = "Post")]
    posts: Vec<XmlPost<'a>>,
}

/// A post as the server writes it in Protocol Buffers; what is empty is not written. The names are the writer's own.
#[derive(Clone, PartialEq, Eq, Message)]
struct ProtobufPost {
    #[prost(int32, tag = "1")]
    id: i32,
    #[prost(string, tag = "2")]
    second: String,
    #[prost(string, tag = "3")]
    third: String,
}

#[derive(Clone, PartialEq, Eq, Message)]
struct ProtobufPosts {
    #[prost(message, repeated, tag = "1")]
    posts: Vec<ProtobufPost>,
}

impl Post<'_> {
    fn json(&self, schema: Schema) -> JsonPost<'_> {
        let Named { title, headline, author } = self.named(schema);
        JsonPost { id: self.id, title, headline, author }
    }

    fn xml(&self, schema: Schema) -> XmlPost<'_> {
        let Named { title, headline, author } = self.named(schema);
        XmlPost { id: self.id, title, headline, author }
    }

    fn protobuf(&self, schema: Schema) -> ProtobufPost {
        let (second, third) = match schema {
            Schema::First | Schema::FieldRenamed => (self.title, ""),
            Schema::FieldAdded => (self.title, self.author),
            Schema::NumbersSwapped => (self.author, self.title),
        };
        ProtobufPost { id: self.id, second: second.to_owned(), third: third.to_owned() }
    }

    fn named(&self, schema: Schema) -> Named<'_> {
        let (title, author) = (Some(self.title), Some(self.author));
        match schema {
            Schema::First => Named { title, headline: None, author: None },
            Schema::FieldAdded | Schema::NumbersSwapped => Named { title, headline: None, author },
            Schema::FieldRenamed => Named { title: None, headline: title, author: None },
        }
    }
}

/// The fields of a format that names them.
struct Named<'a> {
    title: Option<&'a str>,
    headline: Option<&'a str>,
    author: Option<&'a str>,
}

/// One post, or a list of them, as a body.
pub(super) enum Posts<'a> {
    /// An object.
    One(Post<'a>),
    /// A list of objects.
    Many(Vec<Post<'a>>),
}

impl Posts<'_> {
    /// The octets; a line for each field, where a format has lines. `None` when a text cannot be written in this format.
    pub(super) fn written(&self, format: Format, schema: Schema) -> Option<Vec<u8>> {
        match (format, self) {
            (Format::Json, Posts::One(post)) => json(&post.json(schema)),
            (Format::Json, Posts::Many(posts)) => json(&posts.iter().map(|post| post.json(schema)).collect::<Vec<_>>()),
            (Format::Xml, Posts::One(post)) => xml(&post.xml(schema)),
            (Format::Xml, Posts::Many(posts)) => {
                xml(&XmlPosts { posts: posts.iter().map(|post| post.xml(schema)).collect() })
            }
            (Format::Protobuf, Posts::One(post)) => Some(post.protobuf(schema).encode_to_vec()),
            (Format::Protobuf, Posts::Many(posts)) => {
                Some(ProtobufPosts { posts: posts.iter().map(|post| post.protobuf(schema)).collect() }.encode_to_vec())
            }
        }
    }
}

fn json(value: &impl Serialize) -> Option<Vec<u8>> {
    let mut octets = Vec::new();
    let lines = serde_json::ser::PrettyFormatter::with_indent(b"");
    value.serialize(&mut serde_json::Serializer::with_formatter(&mut octets, lines)).ok()?;
    Some(octets)
}

fn xml(value: &impl Serialize) -> Option<Vec<u8>> {
    let mut text = String::new();
    let mut lines = quick_xml::se::Serializer::new(&mut text);
    lines.indent(' ', 0);
    value.serialize(lines).ok()?;
    Some(text.into_bytes())
}

/// A post as a client reads it that knows the first schema. Fields that it does not know are no error, in any format.
#[derive(Clone, PartialEq, Eq, Deserialize, Message)]
pub(super) struct Read {
    /// The number.
    #[prost(int32, tag = "1")]
    #[serde(alias = "Id")]
    pub(super) id: i32,
    /// The title.
    #[prost(string, tag = "2")]
    #[serde(alias = "Title")]
    pub(super) title: String,
}

#[derive(Clone, PartialEq, Eq, Deserialize, Message)]
struct ReadList {
    #[prost(message, repeated, tag = "1")]
    #[serde(alias = "Post")]
    posts: Vec<Read>,
}

/// Reads one post, or a list of them. The error is the format's own, as a text.
pub(super) fn read(octets: &[u8], format: Format, is_list: bool) -> Result<Vec<Read>, String> {
    let many = |list: ReadList| list.posts;
    match (format, is_list) {
        (Format::Json, false) => serde_json::from_slice(octets).map(|post| vec![post]).map_err(|e| e.to_string()),
        (Format::Json, true) => serde_json::from_slice(octets).map_err(|error| error.to_string()),
        (Format::Xml, false) => quick_xml::de::from_reader(octets).map(|post| vec![post]).map_err(|e| e.to_string()),
        (Format::Xml, true) => quick_xml::de::from_reader(octets).map(many).map_err(|error| error.to_string()),
        (Format::Protobuf, false) => Read::decode(octets).map(|post| vec![post]).map_err(|error| error.to_string()),
        (Format::Protobuf, true) => ReadList::decode(octets).map(many).map_err(|error| error.to_string()),
    }
}
