//! The database: statements word by word, sessions octet by octet, and clients that mean no good.

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::frame;
use super::statement::{Select, read};
use crate::app::Stream;
use crate::app::tests::{SERVER, Seen, address, scene, spoilt, start, wire};
use crate::journal::{ProgramEvent, Way};
use crate::rng::Rng;

const BLOG: &str = r#"{ database-server = { port = 5432, takes = "1ms", tables = { users = { columns = ["id", "name"], rows = [[1, "Alice"], [2, "Bob"], [3, "Carol"]] }, empty = { columns = ["id"], rows = [] } } } }"#;

#[test]
fn statements_are_read_as_they_are_meant() {
    let select = |columns: Option<&[&str]>, condition: Option<(&str, &[i64])>| Select {
        columns: columns.map(|names| names.iter().map(|name| (*name).to_owned()).collect()),
        table: "users".to_owned(),
        condition: condition.map(|(column, keys)| (column.to_owned(), keys.to_vec())),
    };
    let table = [
        ("SELECT * FROM users", select(None, None)),
        ("select id,name from users;", select(Some(&["id", "name"]), None)),
        ("SELECT id FROM users WHERE id = 1", select(Some(&["id"]), Some(("id", &[1])))),
        (
            "SELECT id FROM users\n WHERE id IN (1, 2,-3) /* GET /users/{id} */",
            select(Some(&["id"]), Some(("id", &[1, 2, -3]))),
        ),
        ("/* why */ SELECT/**/*FROM users", select(None, None)),
    ];
    for (written, meant) in table {
        assert_eq!(read(written), Ok(meant), "{written}");
    }
}

#[test]
fn what_is_no_statement_is_refused_where_it_ceases_to_be_one() {
    let table = [
        ("", "syntax error at end of input"),
        ("DELETE FROM users", "syntax error at or near \"DELETE\""),
        ("SELECT FROM users", "syntax error at or near \"users\""),
        ("SELECT id name FROM users", "syntax error at or near \"name\""),
        ("SELECT 1 FROM users", "syntax error at or near \"1\""),
        ("SELECT * FROM users WHERE id = x", "syntax error at or near \"x\""),
        ("SELECT * FROM users WHERE id IN ()", "syntax error at or near \")\""),
        ("SELECT * FROM users WHERE id IN (1", "syntax error at end of input"),
        ("SELECT * FROM users; SELECT * FROM users", "syntax error at or near \";\""),
        ("SELECT * FROM users /* and then", ""),
    ];
    for (written, text) in table {
        assert_eq!(read(written).err().map(|refusal| refusal.text).unwrap_or_default(), text, "{written}");
    }
}

/// The octets of a query, after those that open a session.
fn session(statements: &[&str]) -> Vec<u8> {
    let mut octets = Vec::new();
    frame::write(&mut octets, 0, b"\0\x03\0\0user\0app\0\0");
    for statement in statements {
        frame::write(&mut octets, frame::QUERY, format!("{statement}\0").as_bytes());
    }
    frame::write(&mut octets, frame::TERMINATE, b"");
    octets
}

/// All that the database says to a client that says this.
async fn told(stream: &mut Stream, octets: &[u8]) -> Vec<u8> {
    // An error is an answer, too: the database has had enough.
    let _ = stream.write_all(octets).await;
    let _ = stream.shutdown().await;
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer).await;
    answer
}

fn ask(octets: Vec<u8>) -> (Vec<u8>, Seen) {
    scene(1, wire(), |client, host, _| async move {
        start(BLOG, &host, 1).await;
        let mut stream = client.connect((address(2), 5432).into()).await.expect("it listens");
        told(&mut stream, &octets).await
    })
}

/// Types of messages with their contents, readable.
fn messages(mut octets: &[u8]) -> Vec<(char, String)> {
    let mut messages = Vec::new();
    while let Some((kind, rest)) = octets.split_first() {
        let length = u32::from_be_bytes(rest[..4].try_into().expect("four octets")) as usize;
        messages.push((char::from(*kind), rest[4..length].escape_ascii().to_string()));
        octets = &rest[length..];
    }
    messages
}

fn refusals(octets: &[u8]) -> Vec<String> {
    messages(octets).into_iter().filter(|(kind, _)| *kind == 'E').map(|(_, content)| content).collect()
}

#[test]
fn a_session_is_what_postgresql_documents() {
    let (answer, seen) = ask(session(&["SELECT name, id FROM users WHERE id IN (3, 1)"]));
    let column = |name: &str, kind: &str| format!(r"{name}\x00\x00\x00\x00\x00\x00\x00{kind}\xff\xff\xff\xff\x00\x00");
    let columns = [column("name", r"\x00\x00\x00\x19\xff\xff"), column("id", r"\x00\x00\x00\x14\x00\x08")];
    let expected = [
        ('R', r"\x00\x00\x00\x00".to_owned()),
        ('Z', "I".to_owned()),
        ('T', format!(r"\x00\x02{}", columns.concat())),
        ('D', r"\x00\x02\x00\x00\x00\x05Alice\x00\x00\x00\x011".to_owned()),
        ('D', r"\x00\x02\x00\x00\x00\x05Carol\x00\x00\x00\x013".to_owned()),
        ('C', r"SELECT 2\x00".to_owned()),
        ('Z', "I".to_owned()),
    ];
    assert_eq!(messages(&answer), expected);
    let said: Vec<(Way, String)> = seen
        .reports(SERVER)
        .into_iter()
        .filter_map(|report| match report {
            ProgramEvent::Message { way, text, .. } => Some((way, text)),
            _ => None,
        })
        .collect();
    let statement = "SELECT name, id FROM users WHERE id IN (3, 1)".to_owned();
    assert_eq!(said, [(Way::Received, statement), (Way::Sent, "SELECT 2".to_owned())]);
    assert_eq!(seen.lines(SERVER), [], "it ends in good order");
}

#[test]
fn what_is_not_there_is_refused_and_the_session_goes_on() {
    let statements =
        ["SELECT * FROM nothing", "SELECT age FROM users", "SELECT * FROM users WHERE age = 1", "SELECT * FROM empty"];
    let (answer, _) = ask(session(&statements));
    let expected = [
        r#"SERROR\x00C42P01\x00Mrelation \"nothing\" does not exist\x00\x00"#,
        r#"SERROR\x00C42703\x00Mcolumn \"age\" does not exist\x00\x00"#,
        r#"SERROR\x00C42703\x00Mcolumn \"age\" does not exist\x00\x00"#,
    ];
    assert_eq!(refusals(&answer), expected);
    assert!(messages(&answer).contains(&('C', r"SELECT 0\x00".to_owned())), "the last is answered");
}

#[test]
fn a_client_that_asks_for_tls_is_told_that_there_is_none() {
    let mut octets = 8_i32.to_be_bytes().to_vec();
    octets.extend_from_slice(&80_877_103_i32.to_be_bytes());
    octets.extend_from_slice(&session(&["SELECT id FROM empty"]));
    let (answer, _) = ask(octets);
    assert_eq!(answer.first(), Some(&b'N'));
    assert_eq!(messages(&answer[1..]).len(), 5, "and is let in without");
}

#[test]
fn another_version_and_another_message_end_the_session() {
    let mut old = Vec::new();
    frame::write(&mut old, 0, &(2_i32 << 16).to_be_bytes());
    let mut extended = session(&[]);
    extended.truncate(extended.len() - 5);
    frame::write(&mut extended, b'P', b"\0SELECT 1\0\0\0");
    let mut endless = session(&[]);
    endless.truncate(endless.len() - 5);
    endless.extend_from_slice(b"Q\x7f\xff\xff\xff");
    for (octets, text) in [
        (old, "a client that does not open with version 3.0"),
        (extended, "no simple query, but a message of type P"),
        (endless, "2147483647 is no length of a message"),
    ] {
        let (answer, seen) = ask(octets);
        assert_eq!(refusals(&answer), [format!(r"SFATAL\x00C08P01\x00M{text}\x00\x00")]);
        assert!(seen.lines(SERVER)[0].0.ends_with(&format!("{text}; does the program that matches it run there?")));
    }
}

#[test]
fn tables_whose_rows_do_not_fit_are_no_tables() {
    let table = [
        (r#"columns = ["id"], rows = [[1, 2]]"#, "row 1 has 2 values, and there are 1 columns"),
        (r#"columns = ["id"], rows = [[1], ["x"]]"#, "row 2 has a text where the first has a number"),
        (r#"columns = ["id"], rows = [[1.5]]"#, "expected a number or a text"),
        (r#"columns = ["id"]"#, "missing field `rows`"),
    ];
    for (written, expected) in table {
        let error = toml::from_str::<super::table::Table>(&written.replace("], rows", "]\nrows")).expect_err(written);
        assert!(error.to_string().contains(expected), "{written}: {error}");
    }
}

#[test]
fn ten_thousand_malformed_sessions_harm_the_database_not() {
    let whole = session(&["SELECT name, id FROM users WHERE id IN (3, 1)", "SELECT * FROM users"]);
    let ((answered, refused), _) = scene(5, wire(), |client, host, _| async move {
        let task = start(BLOG, &host, 1).await;
        let mut rng = Rng::new(5);
        let mut refused = 0;
        for _ in 0..10_000 {
            let mut stream = client.connect((address(2), 5432).into()).await.expect("it listens");
            let answer = told(&mut stream, &spoilt(&mut rng, &whole)).await;
            refused += usize::from(answer.windows(2).any(|pair| pair == b"\0S" || pair == b"SE" || pair == b"SF"));
        }
        assert!(!task.is_finished(), "it has ended");
        let mut stream = client.connect((address(2), 5432).into()).await.expect("it listens");
        (told(&mut stream, &whole).await, refused)
    });
    assert_eq!(messages(&answered).iter().filter(|(kind, _)| *kind == 'D').count(), 5, "it still answers");
    assert!((2_000..10_000).contains(&refused), "{refused} refused");
}
