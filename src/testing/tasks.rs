//! Programs beside the test's own, and the first of them that fails.

use std::any::Any;
use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Poll;

use tokio::sync::Notify;

use super::failure::Cause;

/// Watches programs; clones watch together.
#[derive(Clone, Default)]
pub(super) struct Tasks(Arc<Shared>);

#[derive(Default)]
struct Shared {
    first: Mutex<Option<Cause>>,
    failed: Notify,
}

impl Tasks {
    /// Runs `program` of `node`, and keeps what goes wrong.
    pub(super) async fn watch(self, node: String, program: impl Future<Output = super::Result>) {
        let mut program = pin!(program);
        let ended = poll_fn(|context| match catch_unwind(AssertUnwindSafe(|| program.as_mut().poll(context))) {
            Ok(poll) => poll.map(Ok),
            Err(panic) => Poll::Ready(Err(panic)),
        });
        match ended.await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => self.fail(Cause::Task { node, error }),
            Err(panic) => self.fail(Cause::TaskPanic { node, words: words_of(panic.as_ref()) }),
        }
    }

    fn fail(&self, cause: Cause) {
        self.0.first.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(cause);
        self.0.failed.notify_one();
    }

    /// The first failure, as soon as there is one.
    pub(super) async fn failure(&self) -> Cause {
        loop {
            if let Some(cause) = self.0.first.lock().unwrap_or_else(PoisonError::into_inner).take() {
                return cause;
            }
            self.0.failed.notified().await;
        }
    }
}

fn words_of(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str).or_else(|| panic.downcast_ref::<&str>().copied());
    text.unwrap_or("it does not say why").to_owned()
}
