//! What the blog has, and how the database is asked for it.

use serde::Serialize;

use crate::app::database::{Database, DatabaseError, Row};

/// Somebody who writes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct User {
    pub(super) id: i32,
    pub(super) name: String,
    pub(super) email: String,
    pub(super) bio: String,
}

/// A post.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Post {
    pub(super) id: i32,
    pub(super) title: String,
    pub(super) text: String,
    #[serde(rename = "authorId")]
    pub(super) author_id: i32,
}

/// A post, as the list has it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Heading {
    pub(super) id: i32,
    pub(super) title: String,
}

/// What somebody says of a post.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Comment {
    pub(super) id: i32,
    #[serde(rename = "postId")]
    pub(super) post_id: i32,
    #[serde(rename = "authorId")]
    pub(super) author_id: i32,
    pub(super) text: String,
}

/// Which rows are meant.
#[derive(Clone, Copy)]
pub(super) enum Keys<'a> {
    /// All.
    Any,
    /// Those whose column has this value.
    One(&'static str, i32),
    /// Those whose column has one of these values.
    Each(&'static str, &'a [i32]),
}

impl Keys<'_> {
    fn condition(self) -> String {
        match self {
            Keys::Any => String::new(),
            Keys::One(column, key) => format!(" WHERE {column} = {key}"),
            Keys::Each(column, keys) => {
                let keys: Vec<String> = keys.iter().map(i32::to_string).collect();
                format!(" WHERE {column} IN ({})", keys.join(", "))
            }
        }
    }
}

/// The blog in its database. Each query says in a comment for which kind of request it is made.
#[derive(Clone)]
pub(super) struct Blog {
    database: Database,
    asked_by: &'static str,
}

impl Blog {
    /// The blog, asked on behalf of `asked_by`, such as `GET /users/{id}`.
    pub(super) fn new(database: Database, asked_by: &'static str) -> Blog {
        Blog { database, asked_by }
    }

    /// Users, in the order of their table.
    ///
    /// # Errors
    /// [`DatabaseError`], here and in all that follow.
    pub(super) async fn users(&self, keys: Keys<'_>) -> Result<Vec<User>, DatabaseError> {
        let user = |row: Row| {
            let [id, name, email, bio] = row.try_into().ok()?;
            Some(User { id: id.parse().ok()?, name, email, bio })
        };
        self.find("id, name, email, bio FROM users", keys, user).await
    }

    pub(super) async fn posts(&self, keys: Keys<'_>) -> Result<Vec<Post>, DatabaseError> {
        let post = |row: Row| {
            let [id, title, text, author] = row.try_into().ok()?;
            Some(Post { id: id.parse().ok()?, title, text, author_id: author.parse().ok()? })
        };
        self.find("id, title, text, author_id FROM posts", keys, post).await
    }

    pub(super) async fn headings(&self) -> Result<Vec<Heading>, DatabaseError> {
        let heading = |row: Row| {
            let [id, title] = row.try_into().ok()?;
            Some(Heading { id: id.parse().ok()?, title })
        };
        self.find("id, title FROM posts", Keys::Any, heading).await
    }

    pub(super) async fn comments(&self, keys: Keys<'_>) -> Result<Vec<Comment>, DatabaseError> {
        let comment = |row: Row| {
            let [id, post, author, text] = row.try_into().ok()?;
            Some(Comment { id: id.parse().ok()?, post_id: post.parse().ok()?, author_id: author.parse().ok()?, text })
        };
        self.find("id, post_id, author_id, text FROM comments", keys, comment).await
    }

    async fn find<T>(
        &self,
        what: &str,
        keys: Keys<'_>,
        read: impl Fn(Row) -> Option<T>,
    ) -> Result<Vec<T>, DatabaseError> {
        let statement = format!("SELECT {what}{} /* {} */", keys.condition(), self.asked_by);
        let rows = self.database.ask(statement).await?;
        let foreign = || DatabaseError::Gone("its rows are not those of a blog".to_owned());
        rows.into_iter().map(|row| read(row).ok_or_else(foreign)).collect()
    }
}
