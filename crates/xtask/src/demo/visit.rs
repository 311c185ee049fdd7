//! Visits the project's pages as a browser would, and says what came.

use std::time::Duration;

use pinion_testbed::Apache;
use pinion_testbed::http::{Answer, Client};

use super::site::MOUNT_POINT;
use crate::failure::{Failure, Result};
use crate::say;

/// The longest that a page may take, the first load of the project included.
const LIMIT: Duration = Duration::from_secs(30);

/// Visits the project at `/` and at its mount point; prints each result when `verbose`.
pub(super) fn all(apache: &Apache, verbose: bool) -> Result<()> {
    let mut wrong = 0;
    for prefix in ["", MOUNT_POINT] {
        let client = Client::new(LIMIT);
        let mut visitor = Visitor { apache, prefix, client, results: Vec::new(), silent: false };
        visitor.pages();
        visitor.signing_in();
        for (what, result) in &visitor.results {
            match result {
                Ok(came) if verbose => say::line(format_args!("ok     {what}: {came}")),
                Ok(_) => {}
                Err(came) => say::line(format_args!("WRONG  {what}: {came}")),
            }
            wrong += usize::from(result.is_err());
        }
    }
    if wrong == 0 {
        return Ok(());
    }
    let log = apache.log().tail();
    Err(Failure::wrong(
        format!("{wrong} pages were not as they should be"),
        format!("the end of the error log:\n{log}"),
    ))
}

struct Visitor<'a> {
    apache: &'a Apache,
    prefix: &'a str,
    client: Client,
    /// What was asked, and what came: as it should, or not.
    results: Vec<(String, std::result::Result<String, String>)>,
    /// No answer came to one request: then no more are sent.
    silent: bool,
}

impl Visitor<'_> {
    /// What anyone may see.
    fn pages(&mut self) {
        self.get("/", |it, answer| it.redirects(answer, "/demo"));
        self.get("/demo", |it, answer| {
            is(answer, 200)?;
            contains(answer, &format!("\"{}/css/style.css\"", it.prefix))
        });
        self.get("/login", |_, answer| contains(answer, "password"));
        self.get("/css/style.css", |_, answer| has_type(answer, "text/css"));
        self.get("/img/turbogears_logo.png", |_, answer| has_type(answer, "image/png"));
        self.get("/favicon.ico", |_, answer| is(answer, 200));
        self.get("/demo/todos", |_, answer| is(answer, 200));
        self.post("/demo/add", &[("title", "Fly")], |_, answer| is(answer, 200));
        self.get("/demo/todos", |_, answer| contains(answer, "Fly"));
        self.get("/no/such/page", |_, answer| is(answer, 404));
    }

    /// A protected page, before and after signing in.
    fn signing_in(&mut self) {
        let protected = "/demo/protected";
        self.get(protected, |it, answer| it.redirects(answer, "/login?came_from="));
        let form = |password| [("login", "manager"), ("password", password)];
        let wrong = form("wrong");
        self.post("/login_handler", &wrong, |_, answer| {
            redirects_with(answer, "failure=invalid-password")
        });
        self.post("/login_handler", &form("managepass"), |_, answer| three_cookies(answer));
        self.get(protected, |_, answer| is(answer, 200));
    }

    fn get(&mut self, path: &str, judge: impl Fn(&Self, &Answer) -> Judgement) {
        if self.silent {
            return;
        }
        let answer = self.client.get(&self.url(path));
        self.note(format!("GET {}{path}", self.prefix), answer, judge);
    }

    fn post(
        &mut self,
        path: &str,
        fields: &[(&str, &str)],
        judge: impl Fn(&Self, &Answer) -> Judgement,
    ) {
        if self.silent {
            return;
        }
        let answer = self.client.post_form(&self.url(path), fields);
        self.note(format!("POST {}{path}", self.prefix), answer, judge);
    }

    fn note(
        &mut self,
        what: String,
        answer: std::result::Result<Answer, pinion_testbed::Error>,
        judge: impl Fn(&Self, &Answer) -> Judgement,
    ) {
        let result = match answer {
            Ok(answer) => match judge(self, &answer) {
                Ok(()) => Ok(summary(&answer)),
                Err(wanted) => Err(format!("{}, not {wanted}", summary(&answer))),
            },
            Err(error) => {
                self.silent = true;
                Err(error.to_string())
            }
        };
        self.results.push((what, result));
    }

    fn url(&self, path: &str) -> String {
        self.apache.url(&format!("{}{path}", self.prefix))
    }

    /// To a place below the same mount point.
    fn redirects(&self, answer: &Answer, path: &str) -> Judgement {
        redirects_with(answer, &format!("{}{path}", self.prefix))
    }
}

/// As it should be, or what should have come instead.
type Judgement = std::result::Result<(), String>;

fn is(answer: &Answer, status: u16) -> Judgement {
    if answer.status == status { Ok(()) } else { Err(status.to_string()) }
}

fn contains(answer: &Answer, part: &str) -> Judgement {
    is(answer, 200)?;
    if answer.text().contains(part) { Ok(()) } else { Err(format!("a page with {part}")) }
}

fn has_type(answer: &Answer, wanted: &str) -> Judgement {
    is(answer, 200)?;
    match answer.header("content-type") {
        Some(given) if given.starts_with(wanted) => Ok(()),
        _ => Err(wanted.to_owned()),
    }
}

fn redirects_with(answer: &Answer, part: &str) -> Judgement {
    is(answer, 302)?;
    match answer.header("location") {
        Some(location) if location.contains(part) => Ok(()),
        _ => Err(format!("a redirect to {part}")),
    }
}

/// Each Set-Cookie is a header of its own, and all of them have to arrive.
fn three_cookies(answer: &Answer) -> Judgement {
    is(answer, 302)?;
    let cookies = answer.header_all("set-cookie");
    let tickets = cookies.iter().filter(|cookie| cookie.starts_with("authtkt=")).count();
    if tickets == 3 { Ok(()) } else { Err(format!("three authtkt cookies, but {tickets}")) }
}

fn summary(answer: &Answer) -> String {
    let mut words = format!("{}, {} bytes", answer.status, answer.body.len());
    if let Some(location) = answer.header("location") {
        words.push_str(&format!(", to {location}"));
    }
    match answer.header_all("set-cookie").len() {
        0 => {}
        count => words.push_str(&format!(", {count} cookies")),
    }
    words
}
