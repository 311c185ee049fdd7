//! Plain HTTP exchanges for tests: one connection's care is left to a library.

use crate::Error;
use std::time::Duration;

/// A response, whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// Status code.
    pub status: u16,
    /// Reason phrase; empty where the client does not tell.
    pub reason: String,
    /// Names as sent (lower case from [`Client`]) and values as bytes, in order.
    pub headers: Vec<(String, Vec<u8>)>,
    /// The body, decoded from its transfer coding.
    pub body: Vec<u8>,
}

impl Answer {
    /// The first header of that name, whatever its case; bytes above ASCII read as Latin-1.
    pub fn header(&self, name: &str) -> Option<String> {
        self.header_all(name).into_iter().next()
    }

    /// All headers of that name, in order.
    pub fn header_all(&self, name: &str) -> Vec<String> {
        self.headers
            .iter()
            .filter(|(known, _)| known.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.iter().map(|byte| char::from(*byte)).collect())
            .collect()
    }

    /// The body as text; what is no UTF-8 is replaced.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

/// A client that keeps connections and cookies, and follows no redirect.
#[derive(Debug, Clone)]
pub struct Client {
    agent: ureq::Agent,
}

impl Default for Client {
    fn default() -> Self {
        Self::new(Duration::from_secs(60))
    }
}

impl Client {
    /// A client that gives each exchange `timeout`.
    pub fn new(timeout: Duration) -> Self {
        let config = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .allow_non_standard_methods(true)
            .timeout_global(Some(timeout))
            .build();
        Self { agent: config.into() }
    }

    /// GET.
    ///
    /// # Errors
    /// No whole response came.
    pub fn get(&self, url: &str) -> Result<Answer, Error> {
        self.send("GET", url, &[], &[])
    }

    /// POST of a form's fields, percent-encoded.
    ///
    /// # Errors
    /// No whole response came.
    pub fn post_form(&self, url: &str, fields: &[(&str, &str)]) -> Result<Answer, Error> {
        let encoded: Vec<String> = fields
            .iter()
            .map(|(name, value)| format!("{}={}", encode(name), encode(value)))
            .collect();
        let headers = [("content-type", "application/x-www-form-urlencoded")];
        self.send("POST", url, &headers, encoded.join("&").as_bytes())
    }

    /// Any method, with headers and a body; a GET, HEAD, OPTIONS or DELETE sends none.
    ///
    /// # Errors
    /// No whole response came.
    pub fn send(
        &self,
        method: &str,
        url: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Result<Answer, Error> {
        let what = format!("{method} {url}");
        let mut builder = ureq::http::Request::builder().method(method).uri(url);
        for (name, value) in headers {
            builder = builder.header(*name, *value);
        }
        let bodiless = matches!(method, "GET" | "HEAD" | "OPTIONS" | "DELETE");
        let response = if bodiless {
            let request = builder.body(()).map_err(|error| Error::http(&what, error))?;
            self.agent.run(request)
        } else {
            let request = builder.body(body.to_vec()).map_err(|error| Error::http(&what, error))?;
            self.agent.run(request)
        };
        let mut response = response.map_err(|error| Error::http(&what, error))?;
        let body = response.body_mut().with_config().limit(u64::MAX).read_to_vec();
        Ok(Answer {
            status: response.status().as_u16(),
            reason: String::new(),
            headers: response
                .headers()
                .iter()
                .map(|(name, value)| (name.to_string(), value.as_bytes().to_vec()))
                .collect(),
            body: body.map_err(|error| Error::http(&what, error))?,
        })
    }
}

/// GET with a client of its own.
///
/// # Errors
/// No whole response came.
pub fn get(url: &str) -> Result<Answer, Error> {
    Client::default().get(url)
}

/// POST of bytes with a client of its own.
///
/// # Errors
/// No whole response came.
pub fn post(url: &str, body: &[u8]) -> Result<Answer, Error> {
    Client::default().send("POST", url, &[], body)
}

fn encode(text: &str) -> String {
    let mut out = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}
