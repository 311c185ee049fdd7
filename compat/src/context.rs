//! What a check asks the shared Apache with.

use libtest_mimic::Failed;
use pinion_testbed::http::Answer;
use pinion_testbed::raw::{Connection, exchange};
use pinion_testbed::{Apache, Log, Server, poll};
use serde_json::Value;
use std::path::PathBuf;
use std::time::Duration;

/// How long a condition may take to become true.
pub(crate) const SOON: Duration = Duration::from_secs(20);

/// A running Apache and the server under test.
#[derive(Debug, Clone, Copy)]
pub struct Context<'a> {
    /// The Apache that the suite's cases share.
    pub apache: &'a Apache,
    /// The module that it loaded.
    pub server: &'a Server,
}

impl Context<'_> {
    /// GET over a connection of its own, byte for byte as written.
    pub fn get(&self, path: &str) -> Result<Answer, Failed> {
        self.ask("GET", path, &[], b"")
    }

    /// POST of a body with its length.
    pub fn post(&self, path: &str, body: &[u8]) -> Result<Answer, Failed> {
        self.ask("POST", path, &[&format!("Content-Length: {}", body.len())], body)
    }

    /// Any request; header lines as written, Host and `Connection: close` are added.
    pub fn ask(
        &self,
        method: &str,
        path: &str,
        headers: &[&str],
        body: &[u8],
    ) -> Result<Answer, Failed> {
        let mut connection = self.send(method, path, headers, body)?;
        Ok(connection.answer(method)?)
    }

    /// As [`Self::ask`], but the answer is left to be read.
    pub fn send(
        &self,
        method: &str,
        path: &str,
        headers: &[&str],
        body: &[u8],
    ) -> Result<Connection, Failed> {
        let mut head = format!("{method} {path} HTTP/1.1\r\nConnection: close\r\n");
        if !headers.iter().any(|line| line.to_ascii_lowercase().starts_with("host:")) {
            head.push_str("Host: localhost\r\n");
        }
        for line in headers {
            head.push_str(line);
            head.push_str("\r\n");
        }
        head.push_str("\r\n");
        let mut connection = Connection::open(self.apache.port())?;
        connection.send([head.as_bytes(), body].concat())?;
        Ok(connection)
    }

    /// A request head as bytes (without the closing empty line) and its answer.
    pub fn exchange(&self, head: &str, body: &[u8]) -> Result<Answer, Failed> {
        Ok(exchange(self.apache.port(), head, body)?)
    }

    /// GET of a JSON document; another status than 200 is a failure that shows the body.
    pub fn json(&self, path: &str) -> Result<Value, Failed> {
        json(&self.get(path)?)
    }

    /// The status of a GET.
    pub fn status(&self, path: &str) -> Result<u16, Failed> {
        Ok(self.get(path)?.status)
    }

    /// The main server's error log.
    pub fn log(&self) -> Log {
        self.apache.log()
    }

    /// A file of the site.
    pub fn path(&self, name: &str) -> PathBuf {
        self.apache.root().join(name)
    }
}

/// The JSON document of a 200 answer.
pub(crate) fn json(answer: &Answer) -> Result<Value, Failed> {
    if answer.status != 200 {
        return Err(format!("status {}: {}", answer.status, answer.text()).into());
    }
    serde_json::from_slice(&answer.body)
        .map_err(|error| format!("no JSON ({error}): {}", answer.text()).into())
}

/// Looks until `look` returns a value, or fails naming `what`.
pub(crate) fn eventually<T>(
    what: &str,
    mut look: impl FnMut() -> Result<Option<T>, Failed>,
) -> Result<T, Failed> {
    let found = poll(SOON, || look().transpose());
    found.unwrap_or_else(|| Err(format!("timed out waiting for {what}").into()))
}
