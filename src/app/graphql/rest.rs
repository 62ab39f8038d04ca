//! The blog as resources: each has a URL of its own and comes whole.

use hyper::body::Bytes;
use hyper::{Method, Response, StatusCode};
use serde::Serialize;

use super::blog::{Blog, Comment, Heading, Keys};
use crate::app::database::{Database, DatabaseError};
use crate::app::http::{complaint, json, not_allowed};

#[derive(Serialize)]
struct Posts {
    posts: Vec<Heading>,
}

#[derive(Serialize)]
struct Comments {
    comments: Vec<Comment>,
}

/// The response to a request for a resource.
pub(super) async fn answer(database: &Database, method: &Method, path: &str) -> Response<Bytes> {
    if !matches!(*method, Method::GET | Method::HEAD) {
        return not_allowed(method);
    }
    let parts: Vec<&str> = path.trim_start_matches('/').split('/').collect();
    let found = match parts.as_slice() {
        ["api", "posts"] => {
            let blog = Blog::new(database.clone(), "GET /api/posts");
            blog.headings().await.map(|posts| json(StatusCode::OK, &Posts { posts }))
        }
        ["api", "posts", id] => one(blog(database, "GET /api/posts/{id}").posts(keys("id", id)).await),
        ["api", "posts", id, "comments"] => {
            let comments = blog(database, "GET /api/posts/{id}/comments").comments(keys("post_id", id)).await;
            comments.map(|comments| json(StatusCode::OK, &Comments { comments }))
        }
        ["users", id] => one(blog(database, "GET /users/{id}").users(keys("id", id)).await),
        _ => Ok(nothing()),
    };
    found.unwrap_or_else(|error| complaint(StatusCode::BAD_GATEWAY, &error.to_string()))
}

fn blog(database: &Database, asked_by: &'static str) -> Blog {
    Blog::new(database.clone(), asked_by)
}

/// The rows of that number; what is no number is one that nothing has.
fn keys(column: &'static str, id: &str) -> Keys<'static> {
    Keys::One(column, id.parse().unwrap_or(0))
}

fn one<T: Serialize>(found: Result<Vec<T>, DatabaseError>) -> Result<Response<Bytes>, DatabaseError> {
    found.map(|found| found.first().map_or_else(nothing, |found| json(StatusCode::OK, found)))
}

fn nothing() -> Response<Bytes> {
    complaint(
        StatusCode::NOT_FOUND,
        "There is nothing here; there are /api/posts, its posts and their comments, and /users/1",
    )
}
