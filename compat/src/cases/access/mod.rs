//! Scripts of access control: who may ask, who is let in, and what happens when a script fails.

mod groups;
mod host;
mod users;

use crate::context::{SOON, json};
use crate::suite::Outcome;
use crate::{Context, Suite};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use libtest_mimic::Failed;
use pinion_testbed::http::Answer;
use pinion_testbed::{Server, Site};
use serde_json::Value;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};

pub(super) fn suites() -> Vec<Suite> {
    let refused = Suite::alone("access_refused")
        .solo("refused_arguments", refused_arguments)
        .solo("only_in_sections", only_in_sections)
        .solo("missing_scripts_are_told_at_configtest", missing_scripts_are_told)
        .only_pinion("the original finds out at the first request");
    vec![host::suite(), host::alone(), users::suite(), groups::suite(), refused]
}

/// Scripts that cannot answer, by name.
const BROKEN: [(&str, &str); 5] = [
    ("empty", "name = 'nothing to call'\n"),
    ("raises", "raise ValueError('compat at load')\n"),
    ("syntax", "def allow_access(:\n"),
    ("number", "allow_access = check_password = get_realm_hash = groups_for_user = 5\n"),
    (
        "arguments",
        "def allow_access(): return True\ndef check_password(): return True\n\
         def get_realm_hash(): return 'x'\ndef groups_for_user(): return ['secret-agents']\n",
    ),
];

/// The names of scripts that cannot answer, one that does not exist among them.
fn broken() -> impl Iterator<Item = &'static str> {
    BROKEN.iter().map(|(name, _)| *name).chain(["missing"])
}

/// Writes the scripts, mounts the application at `/app` and below, and has a folder of plain files.
fn common(site: &mut Site) -> Result<PathBuf, Failed> {
    for module in ["auth_basic", "auth_digest", "authn_core", "authn_file", "authz_user"] {
        site.module(module);
    }
    let app = super::app(site, "guarded.wsgi")?;
    let guard = super::app(site, "guard.py")?;
    for (name, text) in BROKEN {
        site.write(&format!("apps/{name}.py"), text)?;
    }
    site.write("htdocs/static/page.html", "a page")?;
    site.write("htdocs/static/folder/index.html", "an index")?;
    site.config(format!(
        "WSGIDaemonProcess one threads=2\nWSGIScriptAlias /app {app}\n\
         WSGIScriptAlias /daemon {app} process-group=one\nDirectoryIndex index.html\n\
         SetEnv COMPAT_SET value\nSetEnvIf X-If (.*) COMPAT_IF=$1",
        app = app.display()
    ));
    site.module("setenvif");
    Ok(guard)
}

/// A `<Location>` with these lines.
fn section(path: &str, lines: &str) -> String {
    format!("<Location {path}>\n{lines}\n</Location>")
}

/// A mark that no other request has.
fn mark() -> String {
    static NEXT: AtomicU32 = AtomicU32::new(1);
    format!("mark{}end", NEXT.fetch_add(1, Ordering::Relaxed))
}

/// What the functions saw of the requests with this mark: their environs, and `called`.
fn calls(context: &Context, mark: &str) -> Result<Vec<Value>, Failed> {
    let text = context.log().text();
    let of_mark = |line: &&str| line.contains("compat:{") && line.contains(mark);
    let lines = text.lines().filter(of_mark).filter_map(|line| line.split_once("compat:"));
    let parse = |json: &str| {
        // httpd doubles each backslash in its log.
        let json = json.replace("\\\\", "\\");
        serde_json::from_str(&json).map_err(|error| format!("no JSON ({error}): {json}").into())
    };
    lines.map(|(_, json)| parse(json)).collect()
}

/// The names of the functions that were called for the requests with this mark.
fn called(context: &Context, mark: &str) -> Result<Vec<String>, Failed> {
    let name = |call: &Value| call["called"][0].as_str().unwrap_or_default().to_owned();
    Ok(calls(context, mark)?.iter().map(name).collect())
}

/// A GET with a query, whose parts are encoded here, and a mark of its own.
fn ask(
    context: &Context,
    path: &str,
    query: &[(&str, &str)],
    headers: &[&str],
) -> Result<(Answer, String), Failed> {
    let mark = mark();
    let mut target = format!("{path}?mark={mark}");
    for (name, value) in query {
        target.push_str(&format!("&{name}="));
        value.bytes().for_each(|byte| target.push_str(&format!("%{byte:02x}")));
    }
    Ok((context.ask("GET", &target, headers, b"")?, mark))
}

/// The header by which a client sends a name and a password, each character a byte.
fn basic(user: &str, password: &str) -> String {
    let bytes: Vec<u8> = format!("{user}:{password}").chars().map(|c| c as u32 as u8).collect();
    format!("Authorization: Basic {}", STANDARD.encode(bytes))
}

/// Asks and expects a status, and a line of the log that says why.
fn says(
    context: &Context,
    path: &str,
    query: &[(&str, &str)],
    headers: &[&str],
    (status, line): (u16, &str),
) -> Outcome {
    let from = context.log().size();
    let (answer, _) = ask(context, path, query, headers)?;
    assert_eq!(answer.status, status, "{path} {query:?}");
    context.log().wait_for_from(from, line, SOON)?;
    Ok(())
}

/// What the application says about the user that came in.
fn came_in(answer: &Answer) -> Result<Value, Failed> {
    json(answer)
}

fn refused_arguments(server: &Server) -> Outcome {
    for directive in ["WSGIAccessScript", "WSGIAuthUserScript", "WSGIAuthGroupScript"] {
        for words in
            ["", "/srv/a.py process-group=one", "/srv/a.py application-group", "/srv/a.py b"]
        {
            let line = format!("<Location />\n{directive} {words}\n</Location>");
            super::refused(server, &line, directive)?;
        }
    }
    let line = "<Location />\nWSGIGroupAuthoritative Perhaps\n</Location>";
    super::refused(server, line, "WSGIGroupAuthoritative")
}

fn missing_scripts_are_told(server: &Server) -> Outcome {
    for directive in ["WSGIAccessScript", "WSGIAuthUserScript", "WSGIAuthGroupScript"] {
        let line = format!("<Location />\n{directive} /nowhere/guard.py\n</Location>");
        super::refused(server, &line, directive)?;
    }
    Ok(())
}

fn only_in_sections(server: &Server) -> Outcome {
    for directive in ["WSGIAccessScript", "WSGIAuthUserScript", "WSGIAuthGroupScript"] {
        super::refused(server, &format!("{directive} /srv/a.py"), directive)?;
    }
    Ok(())
}
