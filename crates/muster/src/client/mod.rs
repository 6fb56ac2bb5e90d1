//! The way to a server: [`Client`]. HTTP/1.1 over a Unix socket or over TLS, with the types of `api`.
//!
//! Where the server is, is found in [`find`]; the servers that were signed in to are kept in [`contexts`]; what it
//! answers when it refuses becomes a [`Failure`] in [`problem`].

pub mod contexts;
pub mod find;
mod http;
pub mod problem;
pub mod stream;
pub mod tls;
mod way;

use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use zeroize::Zeroizing;

pub use http::{Answer, Method};
pub use way::Way;

use crate::exit::Exit;
use crate::failure::Failure;

/// How long one step may take.
#[derive(Debug, Clone, Copy)]
pub struct Patience {
    /// Until a connection stands, TLS included.
    pub connect: Duration,
    /// Until an answer is there. Adding a remote may take the server several of its own time-outs.
    pub answer: Duration,
    /// How long a stream may say nothing at all: the server's heartbeat comes every 15 s.
    pub silence: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(10),
            answer: Duration::from_secs(180),
            silence: Duration::from_secs(45),
        }
    }
}

/// A server, and who we are to it.
#[derive(Debug)]
pub struct Client {
    line: http::Line,
    /// What comes before `/api/v1` in the server's URL, without a slash at its end.
    prefix: String,
}

/// Builds a path of `/api/v1` out of its segments; each is encoded.
pub fn path(segments: &[&str]) -> String {
    let mut path = api::BASE.to_owned();
    for segment in segments {
        path.push('/');
        encode(&mut path, segment);
    }
    path
}

/// Percent-encodes everything that is not unreserved, so that no name can become another path.
fn encode(to: &mut String, text: &str) {
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric()
            || matches!(byte, b'-' | b'_' | b'~')
            || byte == b'.' && text != "." && text != ".."
        {
            to.push(char::from(byte));
        } else {
            to.push_str(&format!("%{byte:02X}"));
        }
    }
}

/// Adds a query to a path; what is absent is left out.
pub fn with_query(path: &str, query: &[(&str, Option<String>)]) -> String {
    let mut full = path.to_owned();
    let mut mark = '?';
    for (name, value) in query {
        if let Some(value) = value {
            full.push(mark);
            full.push_str(name);
            full.push('=');
            encode(&mut full, value);
            mark = '&';
        }
    }
    full
}

/// A key that no other request has.
pub fn idempotency_key() -> String {
    format!("{:032x}", rand::random::<u128>())
}

impl Client {
    /// A client for the server at the end of a way. `prefix` is what its URL has as a path.
    pub fn new(way: Way, prefix: &str, token: Option<api::Secret>, patience: Patience) -> Self {
        Self { line: http::Line::new(way, token, patience), prefix: prefix.trim_end_matches('/').to_owned() }
    }

    /// The same server, to which nobody says who it is.
    pub fn anonymous(&self) -> Self {
        Self { line: self.line.anonymous(), prefix: self.prefix.clone() }
    }

    /// Is it reached over a socket of this machine?
    pub fn is_local(&self) -> bool {
        matches!(self.line.way(), Way::Sockets(_))
    }

    /// The server, as it is called in messages.
    pub fn name(&self) -> String {
        self.line.way().to_string()
    }

    /// Connects now, so that a server that is not there is said before anything else.
    ///
    /// # Errors
    /// It is not there, or not to be trusted.
    pub async fn connect(&self) -> Result<(), Failure> {
        self.line.connect().await
    }

    /// `GET`, decoded.
    ///
    /// # Errors
    /// Not reached, refused, or an answer that is not understood.
    pub async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, Failure> {
        self.call(Method::GET, path, None::<&()>).await
    }

    /// `POST`, decoded.
    ///
    /// # Errors
    /// As [`Client::get`]; an answer that was lost twice is an unknown outcome.
    pub async fn post<T: DeserializeOwned>(&self, path: &str, body: &impl Serialize) -> Result<T, Failure> {
        self.call(Method::POST, path, Some(body)).await
    }

    /// `PUT`, decoded.
    ///
    /// # Errors
    /// As [`Client::post`].
    pub async fn put<T: DeserializeOwned>(&self, path: &str, body: &impl Serialize) -> Result<T, Failure> {
        self.call(Method::PUT, path, Some(body)).await
    }

    /// `PATCH`, decoded.
    ///
    /// # Errors
    /// As [`Client::post`].
    pub async fn patch<T: DeserializeOwned>(&self, path: &str, body: &impl Serialize) -> Result<T, Failure> {
        self.call(Method::PATCH, path, Some(body)).await
    }

    /// `DELETE`, decoded.
    ///
    /// # Errors
    /// As [`Client::post`].
    pub async fn delete<T: DeserializeOwned>(&self, path: &str) -> Result<T, Failure> {
        self.call(Method::DELETE, path, None::<&()>).await
    }

    /// `POST`, decoded, or the problem it was refused with.
    ///
    /// # Errors
    /// As [`Client::post`], but that a refusal which says what is wrong is none.
    pub async fn try_post<T: DeserializeOwned>(
        &self,
        path: &str,
        body: &impl Serialize,
    ) -> Result<Result<T, api::Problem>, Failure> {
        let answer = self.send(Method::POST, path, Some(body), &[]).await?;
        if (200..300).contains(&answer.status) {
            return self.decode(&answer).map(Ok);
        }
        match serde_json::from_slice(&answer.body) {
            Ok(problem) if answer.is_json() => Ok(Err(problem)),
            _ => Err(problem::failure_of(&answer, &self.name(), None)),
        }
    }

    async fn call<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        body: Option<&(impl Serialize + ?Sized)>,
    ) -> Result<T, Failure> {
        let answer = self.ask(method, path, body, &[]).await?;
        self.decode(&answer)
    }

    /// Any call, with further headers. A refusal is an error.
    ///
    /// # Errors
    /// As [`Client::post`].
    pub async fn ask(
        &self,
        method: Method,
        path: &str,
        body: Option<&(impl Serialize + ?Sized)>,
        headers: &[(&str, &str)],
    ) -> Result<Answer, Failure> {
        let answer = self.send(method, path, body, headers).await?;
        if (200..300).contains(&answer.status) {
            return Ok(answer);
        }
        Err(problem::failure_of(&answer, &self.name(), problem::query_of(path).as_deref()))
    }

    async fn send(
        &self,
        method: Method,
        path: &str,
        body: Option<&(impl Serialize + ?Sized)>,
        headers: &[(&str, &str)],
    ) -> Result<Answer, Failure> {
        let body = match body {
            Some(body) => Some(Zeroizing::new(serde_json::to_vec(body).map_err(|e| {
                Failure::new(Exit::Failed, format!("The request cannot be written as JSON: {e}."))
            })?)),
            None => None,
        };
        self.line.ask(&method, &format!("{}{path}", self.prefix), body, headers).await
    }

    /// Reads an answer. Nothing at all is `null`.
    fn decode<T: DeserializeOwned>(&self, answer: &Answer) -> Result<T, Failure> {
        let body: &[u8] = if answer.body.is_empty() { b"null" } else { &answer.body };
        serde_json::from_slice(body).map_err(|e| {
            let (name, what) = (self.name(), answer.content_type());
            match answer.is_json() {
                true => Failure::new(Exit::Failed, format!("The answer of {name} is not understood: {e}."))
                    .hint("Is the server much newer or older than this muster? \"muster --version\" tells this one's."),
                false => problem::not_muster(&name, &what),
            }
        })
    }

    /// Opens a stream of server-sent events.
    ///
    /// # Errors
    /// As [`Client::get`].
    pub async fn stream(&self, path: &str) -> Result<stream::Events, Failure> {
        match self.line.stream(&format!("{}{path}", self.prefix)).await? {
            Ok(events) => Ok(events),
            Err(answer) => {
                Err(problem::failure_of(&answer, &self.name(), problem::query_of(path).as_deref()))
            }
        }
    }

    /// The whole of an answer as it came, written to a file rather than kept: a backup. Gives its length in bytes.
    ///
    /// # Errors
    /// As [`Client::post`], an answer of which nothing more comes, and what writing fails with.
    pub async fn download(
        &self,
        method: Method,
        path: &str,
        to: &mut (impl std::io::Write + Send),
    ) -> Result<u64, Failure> {
        match self.line.download(&method, &format!("{}{path}", self.prefix), to).await? {
            Ok(bytes) => Ok(bytes),
            Err(answer) => Err(problem::failure_of(&answer, &self.name(), None)),
        }
    }
}

/// A part of an object, or `null`.
pub fn part<'a>(value: &'a Value, name: &str) -> &'a Value {
    static NULL: Value = Value::Null;
    value.get(name).unwrap_or(&NULL)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_stays_one_segment() {
        assert_eq!(path(&["remotes", "home"]), "/api/v1/remotes/home");
        assert_eq!(path(&["remotes", "a/../b?c#d e"]), "/api/v1/remotes/a%2F..%2Fb%3Fc%23d%20e");
        assert_eq!(path(&["remotes", ".."]), "/api/v1/remotes/%2E%2E");
        assert_eq!(
            path(&["tasks", "1", "UPID:pve1:00:00:vzstart:101:root@pam!t:"]),
            "/api/v1/tasks/1/UPID%3Apve1%3A00%3A00%3Avzstart%3A101%3Aroot%40pam%21t%3A"
        );
    }

    #[test]
    fn a_query_holds_any_text() {
        let query =
            [("q", Some("cpu>80% name~ä".to_owned())), ("sort", None), ("limit", Some("5".to_owned()))];
        let full = with_query("/x", &query);
        assert_eq!(full, "/x?q=cpu%3E80%25%20name~%C3%A4&limit=5");
        assert_eq!(problem::query_of(&full).as_deref(), Some("cpu>80% name~ä"));
    }

    /// A client of somebody who sends this, and then nothing more.
    fn of_one_who_stops(text: &'static str) -> (tempfile::TempDir, Client) {
        use tokio::io::{AsyncReadExt, AsyncWriteExt};
        let dir = tempfile::tempdir().unwrap();
        let socket = dir.path().join("muster.sock");
        let listener = tokio::net::UnixListener::bind(&socket).unwrap();
        tokio::spawn(async move {
            let mut open = Vec::new();
            while let Ok((mut stream, _)) = listener.accept().await {
                let _ = stream.read(&mut [0; 4096]).await;
                let _ = stream.write_all(text.as_bytes()).await;
                open.push(stream);
            }
        });
        let soon = Duration::from_millis(200);
        let patience = Patience { connect: soon, answer: soon, silence: soon };
        (dir, Client::new(Way::Sockets(vec![socket]), "", None, patience))
    }

    #[tokio::test]
    async fn a_stream_without_heartbeat_has_ended() {
        let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n: hi\n\n";
        let (_dir, client) = of_one_who_stops(head);
        let mut events = client.stream("/x").await.unwrap();
        let next = tokio::time::timeout(Duration::from_secs(30), events.next()).await;
        assert!(next.expect("it waits for ever").is_none());
    }

    #[tokio::test]
    async fn an_answer_that_stops_in_its_middle_is_given_up() {
        for (head, words) in [
            ("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf", "stopped in its middle"),
            // What a refusal says cannot be had: then that there was one.
            ("HTTP/1.1 500 No\r\ncontent-length: 9\r\n\r\nhalf", "status 500"),
        ] {
            let (_dir, client) = of_one_who_stops(head);
            let mut file = Vec::new();
            let got = client.download(Method::GET, "/x", &mut file);
            let got = tokio::time::timeout(Duration::from_secs(30), got).await.expect("it waits for ever");
            let failure = got.unwrap_err().to_string();
            assert!(failure.contains(words), "{failure}");
        }
    }

    #[test]
    fn keys_are_not_repeated() {
        assert_ne!(idempotency_key(), idempotency_key());
        assert_eq!(idempotency_key().len(), 32);
    }
}
