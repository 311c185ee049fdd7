//! The pages of the TurboGears example, as a visitor sees them.

use std::time::Duration;

use pinion_testbed::http::{Answer, Client};

use crate::failure::{Failure, Result};
use crate::say;

/// The longest that a page may take.
const LIMIT: Duration = Duration::from_secs(60);

/// Whether anybody answers there.
pub(super) fn answers(address: &str) -> bool {
    Client::new(LIMIT).get(&format!("http://{address}/")).is_ok()
}

/// Asks for each page, and says what came.
pub(super) fn all(address: &str) -> Result<()> {
    let client = Client::new(LIMIT);
    let url = |path: &str| format!("http://{address}{path}");
    for (path, status, part) in [
        ("/", 200, "Birds that were seen"),
        ("/css/style.css", 200, "body {"),
        ("/img/feather.svg", 200, "<svg"),
        ("/members", 302, ""),
        ("/login", 200, "Password"),
        ("/nothing", 404, "There is no such page."),
    ] {
        judge(path, &client.get(&url(path))?, status, part)?;
    }
    let fields = [("login", "manager"), ("password", "managepass")];
    let handler = "/login_handler?came_from=/members";
    let signed_in = client.post_form(&url(handler), &fields)?;
    judge(handler, &signed_in, 302, "")?;
    let tickets = signed_in.header_all("set-cookie").len();
    if tickets != 3 {
        return Err(wrong(handler, &format!("{tickets} cookies, not three")));
    }
    judge("/members", &client.get(&url("/members"))?, 200, "You are manager")?;
    let fields = [("species", "Kingfisher"), ("place", "by the river"), ("number", "2")];
    judge("/add", &client.post_form(&url("/add"), &fields)?, 302, "")?;
    judge("/", &client.get(&url("/"))?, 200, "Kingfisher")
}

fn judge(path: &str, answer: &Answer, status: u16, part: &str) -> Result<()> {
    if answer.status != status || !answer.text().contains(part) {
        return Err(wrong(path, &format!("{}, not {status} with {part:?}", answer.status)));
    }
    say::line(format_args!("ok     {path}: {status}, {} bytes", answer.body.len()));
    Ok(())
}

fn wrong(path: &str, what: &str) -> Failure {
    Failure::wrong(format!("{path}: {what}"), "see the server's words above")
}
