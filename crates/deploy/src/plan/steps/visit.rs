//! The first request to the deployed site, and what the error log says when it fails.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use ureq::http::Uri;
use ureq::tls::TlsConfig;
use ureq::unversioned::resolver::{ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::{DefaultConnector, NextTimeout};
use ureq::{Agent, config::Config};

use crate::apache::read_from;
use crate::plan::cause::{self, NewCode};
use crate::plan::step::Step;
use crate::plan::{Change, PlanError, Run};
use crate::tool::quoted;

/// How long Apache's old children may still answer after a reload, and the port stay closed.
const SETTLING: Duration = Duration::from_secs(5);
/// The longest that the first page may take, the application's loading included.
const LIMIT: Duration = Duration::from_secs(120);
/// How long the log may lag behind the answer.
const LAG: Duration = Duration::from_secs(2);
/// How long a log stays as it is when all of a message is in it.
const PAUSE: Duration = Duration::from_millis(100);

/// Where a site is asked for, and how it is reached from this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    /// Whether it speaks TLS.
    pub tls: bool,
    /// The name in the address and in `Host`.
    pub host: String,
    /// The port.
    pub port: u16,
    /// The address that the name stands for here.
    pub ip: IpAddr,
    /// The path.
    pub path: String,
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (scheme, usual) = if self.tls { ("https", 443) } else { ("http", 80) };
        write!(f, "{scheme}://{}", self.host)?;
        if self.port != usual {
            write!(f, ":{}", self.port)?;
        }
        f.write_str(&self.path)
    }
}

/// Answers each name with one address: the site's name need not be known to any resolver yet.
#[derive(Debug)]
struct Here(SocketAddr);

impl Resolver for Here {
    fn resolve(
        &self,
        _uri: &Uri,
        _config: &Config,
        _timeout: NextTimeout,
    ) -> Result<ResolvedSocketAddrs, ureq::Error> {
        let mut found = self.empty();
        found.push(self.0);
        Ok(found)
    }
}

/// What came.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Answer {
    status: u16,
    location: Option<String>,
    body: String,
}

impl Address {
    fn agent(&self) -> Agent {
        // It may have been done; then it is the same one.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .timeout_global(Some(LIMIT))
            .user_agent("pinion deploy")
            // It is this machine that is asked; the certificate may be for another name, or new.
            .tls_config(TlsConfig::builder().disable_verification(true).build())
            .build();
        let here = Here(SocketAddr::new(self.ip, self.port));
        Agent::with_parts(config, DefaultConnector::default(), here)
    }

    fn get(&self) -> Result<Answer, ureq::Error> {
        let mut response = self.agent().get(self.to_string()).call()?;
        let location = response.headers().get("location");
        Ok(Answer {
            status: response.status().as_u16(),
            location: location.map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned()),
            body: response.body_mut().read_to_string().unwrap_or_default(),
        })
    }
}

impl Answer {
    /// Apache itself says that there is no such place, or that nobody may go there; an application's
    /// page reads otherwise.
    fn is_apaches_own(&self) -> bool {
        matches!(self.status, 403 | 404)
            && (self.body.contains("The requested URL was not found on this server.")
                || self.body.contains("permission to access this resource."))
    }

    fn is_good(&self) -> bool {
        let answers = self.status < 400 || matches!(self.status, 401 | 403 | 404 | 405);
        answers && !self.is_apaches_own()
    }
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.status)?;
        match &self.location {
            Some(location) => write!(f, ", to {location}"),
            None if self.is_apaches_own() => f.write_str(", by Apache itself"),
            None => Ok(()),
        }
    }
}

/// Error logs, from where they ended when the plan was made.
#[derive(Debug, Clone, Default)]
pub struct Watch(Vec<(PathBuf, u64)>);

impl Watch {
    /// Watches logs from where they end now; one that is not there yet, from its beginning.
    pub fn on(logs: impl IntoIterator<Item = PathBuf>) -> Self {
        let size = |log: PathBuf| {
            let size = std::fs::metadata(&log).map_or(0, |meta| meta.len());
            (log, size)
        };
        Self(logs.into_iter().map(size).collect())
    }

    /// What explains a failure, of all that was written since.
    fn cause(&self, script: &str) -> Option<String> {
        let text: String = self.0.iter().map(|(log, from)| read_from(log, *from)).collect();
        cause::cause(&text, script)
    }

    /// How the group's new code fares, by all that was written since.
    fn new_code(&self, group: &str) -> NewCode {
        let text: String = self.0.iter().map(|(log, from)| read_from(log, *from)).collect();
        cause::new_code(&text, group)
    }
}

/// Asks for the site's first page.
#[derive(Debug)]
pub struct Visit {
    /// Where.
    pub address: Address,
    /// The script, whose name is in the log.
    pub script: PathBuf,
    /// The name of the process group, which is in the log too.
    pub group: String,
    /// The logs that tell why it fails.
    pub watch: Watch,
}

impl Visit {
    fn answer(&self, run: &Run<'_>) -> Result<Answer, PlanError> {
        let end = Instant::now() + SETTLING;
        loop {
            run.go_on()?;
            let answer = self.address.get();
            let settled = answer.as_ref().is_ok_and(|answer| !answer.is_apaches_own());
            if settled || Instant::now() >= end {
                return answer.map_err(|error| self.failing(format!("nothing: {error}")));
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Where new code does not load, the old one goes on, and may have answered.
    fn wait_for_new_code(&self, run: &Run<'_>, answer: &Answer) -> Result<(), PlanError> {
        let end = Instant::now() + LIMIT;
        loop {
            run.go_on()?;
            match self.watch.new_code(&self.group) {
                NewCode::Loading if Instant::now() < end => {
                    std::thread::sleep(Duration::from_millis(20));
                }
                NewCode::Fails(_) => {
                    let cause = settled(|| match self.watch.new_code(&self.group) {
                        NewCode::Fails(cause) => Some(cause),
                        _ => None,
                    });
                    let answer = format!("{answer}, but its new code does not load");
                    return Err(self.failed(answer, cause));
                }
                _ => return Ok(()),
            }
        }
    }

    fn failing(&self, answer: String) -> PlanError {
        let script = self.script.display().to_string();
        self.failed(answer, settled(|| self.watch.cause(&script)))
    }

    fn failed(&self, answer: String, cause: Option<String>) -> PlanError {
        let cause = cause.map_or_else(String::new, |cause| format!("\n\n{cause}"));
        PlanError::Failing { url: self.address.to_string(), answer, cause }
    }
}

/// What a log tells, once it tells the same twice: its lines come one by one, and after the answer.
fn settled(told: impl Fn() -> Option<String>) -> Option<String> {
    let end = Instant::now() + LAG;
    let mut before = None;
    loop {
        let now = told();
        if (now.is_some() && now == before) || Instant::now() >= end {
            return now;
        }
        before = now;
        std::thread::sleep(PAUSE);
    }
}

impl Step for Visit {
    fn id(&self) -> &'static str {
        "visit"
    }

    fn title(&self) -> String {
        format!("ask for {}", self.address)
    }

    fn changes(&self) -> String {
        "nothing; if it fails, all of this is put back".to_owned()
    }

    fn commands(&self) -> Vec<String> {
        let Address { host, port, ip, .. } = &self.address;
        let insecure = if self.address.tls { "-k " } else { "" };
        let url = quoted(self.address.to_string().as_ref());
        if host == "localhost" {
            return vec![format!("curl -i {insecure}{url}")];
        }
        vec![format!("curl -i {insecure}--resolve {host}:{port}:{ip} {url}")]
    }

    fn is_done(&self) -> Result<bool, PlanError> {
        Ok(false)
    }

    fn run(&self, run: &mut Run<'_>) -> Result<Vec<String>, PlanError> {
        let answer = self.answer(run)?;
        if !answer.is_good() {
            return Err(self.failing(answer.to_string()));
        }
        self.wait_for_new_code(run, &answer)?;
        run.note(Change::Answered { url: self.address.to_string() })?;
        Ok(vec![format!("{} answers {answer}", self.address)])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: u16, body: &str) -> Answer {
        Answer { status, location: None, body: body.to_owned() }
    }

    #[test]
    fn an_application_that_says_no_answers_and_apache_that_does_does_not() {
        assert!(answer(200, "").is_good() && answer(302, "").is_good());
        let django = "<p>The requested resource was not found on this server.</p>";
        assert!(answer(404, django).is_good());
        assert!(answer(401, "").is_good());
        let own = "<p>The requested URL was not found on this server.</p>";
        assert!(!answer(404, own).is_good());
        for status in [400, 500, 502, 503] {
            assert!(!answer(status, "").is_good(), "{status}");
        }
    }

    #[test]
    fn an_address_is_told_as_a_browser_shows_it() {
        let mut address = Address {
            tls: false,
            host: "localhost".into(),
            port: 80,
            ip: IpAddr::from([127, 0, 0, 1]),
            path: "/myapp/".into(),
        };
        assert_eq!(address.to_string(), "http://localhost/myapp/");
        (address.tls, address.port) = (true, 8443);
        assert_eq!(address.to_string(), "https://localhost:8443/myapp/");
    }
}
