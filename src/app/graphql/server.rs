//! `graphql-server`: the blog over HTTP, as resources and at `/graphql` (*GraphQL over HTTP*, a draft of the GraphQL
//! foundation).

use std::rc::Rc;

use hyper::body::{Bytes, Incoming};
use hyper::header::{self, HeaderValue};
use hyper::{Method, Request, Response, StatusCode};
use serde::Deserialize;

use super::blog::Blog;
use super::rest;
use super::schema::{Finder, Schema, schema};
use crate::app::database::Database;
use crate::app::http::{JSON, complaint, response, serve, whole_up_to};
use crate::app::program::Play;
use crate::app::run::Running;
use crate::app::{Destination, ProgramError, values};

/// The longest request, in octets.
const MOST_BODY: usize = 1 << 16;

/// `graphql-server`
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GraphqlServer {
    /// Where it listens, from 1.
    #[serde(deserialize_with = "values::port")]
    port: u16,
    /// The database that has the blog: a `database-server`.
    database: Destination,
    /// Whether resolvers ask the database in batches.
    #[serde(default)]
    batch: bool,
    /// How deep a query may be nested; left out, anything within reason.
    #[serde(default)]
    max_depth: Option<usize>,
}

impl Play for GraphqlServer {
    const NAME: &'static str = "graphql-server";
    const IS_SERVER: bool = true;

    fn peers(&self) -> Vec<&Destination> {
        vec![&self.database]
    }

    async fn run(&self, running: &Running, ready: impl FnOnce()) -> Result<(), ProgramError> {
        let (database, work) = Database::open(running, &self.database).await?;
        let site = Rc::new(Site { schema: schema(self.max_depth), database, batch: self.batch });
        let served = serve(running, self.port, ready, move |_, request| {
            let site = site.clone();
            async move { (site.answer(request).await, None) }
        });
        let (served, ()) = tokio::join!(biased; served, work.run());
        served
    }
}

struct Site {
    schema: Schema,
    database: Database,
    batch: bool,
}

impl Site {
    async fn answer(&self, request: Request<Incoming>) -> Response<Bytes> {
        let (head, body) = request.into_parts();
        if head.uri.path() != "/graphql" {
            return rest::answer(&self.database, &head.method, head.uri.path()).await;
        }
        if head.method != Method::POST {
            let mut refusal = complaint(StatusCode::METHOD_NOT_ALLOWED, "Only POST is allowed here");
            refusal.headers_mut().insert(header::ALLOW, HeaderValue::from_static("POST"));
            return refusal;
        }
        let Some(body) = whole_up_to(MOST_BODY, body).await else {
            return complaint(StatusCode::PAYLOAD_TOO_LARGE, "That query is too long, or broke off");
        };
        // Only what is no request at all is told by a status: the rest is the query's own business, and in `errors`.
        match serde_json::from_slice::<async_graphql::Request>(&body) {
            Ok(asked) => self.execute(asked).await,
            Err(error) => complaint(StatusCode::BAD_REQUEST, &format!("A request is JSON with a `query`: {error}")),
        }
    }

    async fn execute(&self, asked: async_graphql::Request) -> Response<Bytes> {
        let blog = Blog::new(self.database.clone(), "POST /graphql");
        let told = self.schema.execute(asked.data(Finder::new(blog, self.batch))).await;
        match serde_json::to_vec(&told) {
            Ok(text) => response(StatusCode::OK, JSON, text),
            Err(error) => complaint(StatusCode::INTERNAL_SERVER_ERROR, &error.to_string()),
        }
    }
}
