//! What is said: requests that make sense, answers in fewer octets, refusals that programs understand.

use hyper::body::Bytes;
use hyper::header::{self, HeaderValue};
use hyper::{Request, Response, StatusCode};
use serde_json::json;
use tower::ServiceExt;

use super::layer::{Around, Boxed, Outcome, Problem};
#[cfg(feature = "formats")]
use crate::app::http::coding::{Coding, packed};
use crate::app::http::{JSON, response};

/// Lets requests pass whose parameters are what they should be.
pub(super) struct Validation {
    /// Parameters of the query that are whole numbers, where they stand there.
    pub(super) numbers: Vec<String>,
}

impl Around for Validation {
    async fn around(&self, request: Request<Bytes>, rest: Boxed) -> Outcome {
        let query = request.uri().query().unwrap_or_default();
        let parameters = query.split('&').filter_map(|parameter| parameter.split_once('='));
        let is_wrong =
            |name: &str, value: &str| self.numbers.iter().any(|number| number == name) && value.parse::<u32>().is_err();
        let wrong = parameters.into_iter().find(|(name, value)| is_wrong(name, value)).map(|(name, _)| name.to_owned());
        match wrong {
            Some(name) => {
                let message = format!("`{name}` is a whole number");
                Err(Problem::new(StatusCode::BAD_REQUEST, "INVALID_ARGUMENT", message))
            }
            None => rest.oneshot(request).await,
        }
    }
}

/// Packs answers for clients that can unpack them.
#[cfg(feature = "formats")]
pub(super) struct Compression;

#[cfg(feature = "formats")]
impl Around for Compression {
    async fn around(&self, request: Request<Bytes>, rest: Boxed) -> Outcome {
        let asked = request.headers().clone();
        let answer = rest.oneshot(request).await?;
        if answer.headers().contains_key(header::CONTENT_ENCODING) {
            return Ok(answer);
        }
        Ok(packed(&asked, &[Coding::Br, Coding::Gzip], true, answer).await)
    }
}

/// Turns problems into answers.
pub(super) struct Errors;

impl Around for Errors {
    async fn around(&self, request: Request<Bytes>, rest: Boxed) -> Outcome {
        match rest.oneshot(request).await {
            Ok(answer) => Ok(answer),
            Err(problem) => Ok(told(problem)),
        }
    }
}

/// `{"error": "Too many requests", "code": "RATE_LIMITED"}`
fn told(problem: Problem) -> Response<Bytes> {
    let (error, code) = (json!(problem.message), json!(problem.code));
    let text = format!("{{\n\"error\": {error},\n\"code\": {code}\n}}\n");
    let mut answer = response(problem.status, JSON, text);
    answer.headers_mut().extend(problem.fields);
    answer.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    answer
}
