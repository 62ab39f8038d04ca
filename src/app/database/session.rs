//! The client's side: one session, one query at a time, as most drivers use a connection.
//!
//! Whoever asks has a [`Database`], which can be cloned and sent anywhere; the work is done by [`Work`], which has the
//! connection and belongs to the program. A connection that breaks is opened anew for the next query.

use std::io;

use thiserror::Error;
use tokio::io::AsyncWriteExt;
use tokio::sync::{mpsc, oneshot};

use super::frame::{self, Parts};
use crate::app::run::Running;
use crate::app::{Destination, ProgramError, Stream};

/// How many queries may wait for their turn; whoever comes then waits to be let in.
const QUEUE: usize = 64;

/// The most rows that are taken in one answer.
const MOST_ROWS: usize = 100_000;

/// The values of a row, as text, in the order of the columns that were asked for.
pub(in crate::app) type Row = Vec<String>;

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub(in crate::app) enum DatabaseError {
    /// The database understands the query and says no, or does not understand it.
    #[error("the database says: {0}")]
    Refused(String),
    /// It cannot be asked.
    #[error("the database cannot be asked: {0}")]
    Gone(String),
}

/// A way to ask.
#[derive(Clone)]
pub(in crate::app) struct Database {
    questions: mpsc::Sender<Question>,
}

struct Question {
    statement: String,
    answer: oneshot::Sender<Result<Vec<Row>, DatabaseError>>,
}

/// Whoever does the work. It ends with the last [`Database`].
pub(in crate::app) struct Work<'a> {
    running: &'a Running,
    to: &'a Destination,
    session: Option<Session>,
    questions: mpsc::Receiver<Question>,
}

impl Database {
    /// Opens a session with the database at `to`.
    ///
    /// # Errors
    /// When there is none.
    pub(in crate::app) async fn open<'a>(
        running: &'a Running,
        to: &'a Destination,
    ) -> Result<(Database, Work<'a>), ProgramError> {
        let session = Some(Session::open(running, to).await?);
        let (sender, questions) = mpsc::channel(QUEUE);
        Ok((Database { questions: sender }, Work { running, to, session, questions }))
    }

    /// The rows that `statement` finds.
    ///
    /// # Errors
    /// [`DatabaseError`]
    pub(in crate::app) async fn ask(&self, statement: String) -> Result<Vec<Row>, DatabaseError> {
        let ended = || DatabaseError::Gone("this program is ending".to_owned());
        let (answer, answered) = oneshot::channel();
        self.questions.send(Question { statement, answer }).await.map_err(|_| ended())?;
        answered.await.map_err(|_| ended())?
    }
}

impl Work<'_> {
    /// Asks one question after the other.
    pub(in crate::app) async fn run(mut self) {
        while let Some(question) = self.questions.recv().await {
            let answer = self.ask(&question.statement).await;
            // Nobody may wait for it any more.
            let _ = question.answer.send(answer);
        }
    }

    async fn ask(&mut self, statement: &str) -> Result<Vec<Row>, DatabaseError> {
        let gone = |error: &dyn ToString| DatabaseError::Gone(error.to_string());
        let mut session = match self.session.take() {
            Some(session) => session,
            None => Session::open(self.running, self.to).await.map_err(|error| gone(&error))?,
        };
        let rows = session.query(statement).await.map_err(|error| gone(&error))?;
        // Only a session that understood the last answer is used again.
        self.session = Some(session);
        rows.map_err(DatabaseError::Refused)
    }
}

struct Session {
    stream: Stream,
}

impl Session {
    async fn open(running: &Running, to: &Destination) -> Result<Session, ProgramError> {
        let mut session = Session { stream: running.connect(to).await? };
        let opened = session.greet().await.map_err(running.broken("opening a session with", to))?;
        opened.map(|_| session).map_err(|refusal| ProgramError::Protocol {
            program: running.program,
            peer: to.to_string(),
            detail: refusal,
        })
    }

    async fn greet(&mut self) -> io::Result<Result<Vec<Row>, String>> {
        self.stream.set_nodelay(true)?;
        let mut content = frame::VERSION_3.to_be_bytes().to_vec();
        content.extend_from_slice(b"user\0app\0database\0blog\0\0");
        let mut out = Vec::new();
        frame::write(&mut out, 0, &content);
        self.stream.write_all(&out).await?;
        self.answer().await
    }

    /// What the database has to say; an inner error is its refusal.
    async fn query(&mut self, statement: &str) -> io::Result<Result<Vec<Row>, String>> {
        let mut out = Vec::new();
        frame::write(&mut out, frame::QUERY, format!("{statement}\0").as_bytes());
        self.stream.write_all(&out).await?;
        self.answer().await
    }

    /// All that comes until the database is ready for another query.
    async fn answer(&mut self) -> io::Result<Result<Vec<Row>, String>> {
        let (mut rows, mut refusal) = (Vec::new(), None);
        while let Some(message) = frame::read(&mut self.stream).await? {
            match message.kind {
                frame::READY => return Ok(refusal.map_or(Ok(rows), Err)),
                frame::DATA_ROW if rows.len() < MOST_ROWS => {
                    rows.push(row(&message.content).ok_or(io::ErrorKind::InvalidData)?)
                }
                frame::DATA_ROW => return Err(io::ErrorKind::InvalidData.into()),
                frame::ERROR => refusal = Some(reason(&message.content)),
                // What the columns are is known to who asked; the rest is said to no purpose here.
                _ => {}
            }
        }
        refusal.map_or_else(|| Err(io::ErrorKind::UnexpectedEof.into()), |refusal| Ok(Err(refusal)))
    }
}

/// The values of a `DataRow`; one that is not there (NULL) is an empty text.
fn row(content: &[u8]) -> Option<Row> {
    let mut parts = Parts(content);
    let count = parts.int16()?;
    let mut row = Row::new();
    for _ in 0..count {
        let value = match usize::try_from(parts.int32()?) {
            Ok(length) => std::str::from_utf8(parts.octets(length)?).ok()?,
            Err(_) => "",
        };
        row.push(value.to_owned());
    }
    Some(row)
}

/// The message field of an `ErrorResponse`.
fn reason(content: &[u8]) -> String {
    let mut parts = Parts(content);
    // Fields, each a letter and a text, end with a zero octet.
    while let Some([kind]) = parts.octets(1) {
        match (kind, parts.text()) {
            (b'M', Some(text)) => return text.to_owned(),
            (1.., Some(_)) => {}
            _ => break,
        }
    }
    "no reason".to_owned()
}
