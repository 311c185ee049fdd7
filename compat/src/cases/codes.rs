//! mod_wsgi's codes for what goes wrong beside requests, and in the middle of answers.

use crate::context::{SOON, eventually};
use crate::suite::Outcome;
use crate::{Context, Suite};
use pinion_testbed::{Server, Site};
use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

pub(super) fn suites() -> Vec<Suite> {
    let shared = Suite::new("codes", site)
        .case("unknown_locale", unknown_locale)
        .case("site_folder_that_exits", site_folder_that_exits)
        .case("site_folder_that_raises", site_folder_that_raises)
        .case("answer_broken_off", answer_broken_off)
        .case("body_that_is_none", body_that_is_none)
        .case("close_that_raises_when_it_is_looked_up", close_lookup)
        .case("subscriber_that_exits", subscriber_that_exits)
        .case("working_folder_that_is_closed", working_folder);
    let alone = Suite::alone("codes_alone")
        .solo("python_home_that_is_a_file", home_is_a_file)
        .solo("python_home_that_is_missing", home_is_missing)
        .solo("python_home_that_is_closed", home_is_closed)
        .needs(root)
        .solo("scripts_that_fail_at_start", fail_at_start)
        .solo("user_without_a_folder", user_without_a_folder)
        .needs(root)
        .solo("folders_of_others", folders_of_others)
        .needs(root)
        .solo("scripts_that_others_may_write", open_scripts)
        .needs(root);
    vec![shared, alone]
}

fn root() -> Result<(), String> {
    if super::is_root() { Ok(()) } else { Err("needs root, to give scripts away".to_owned()) }
}

const SCRIPT: &str = r#"
import os, time, mod_wsgi

def leave(name, **event):
    if name == "request_started" and event["request_environ"]["PATH_INFO"] == "/leave":
        raise SystemExit(3)

mod_wsgi.subscribe_events(leave)

class Odd:
    def __iter__(self):
        return iter([b"odd"])
    @property
    def close(self):
        raise RuntimeError("compat: no close")

def partial():
    yield b"x" * 100000
    time.sleep(60)

def application(environ, start_response):
    path = environ["PATH_INFO"]
    if path == "/read":
        environ["wsgi.input"].read()
    start_response("200 OK", [])
    if path == "/odd":
        return Odd()
    if path == "/folder":
        return [os.getcwd().encode()]
    if path == "/partial":
        return partial()
    return [str(os.getpid()).encode()]
"#;

fn site(site: &mut Site) -> Outcome {
    let script = site.write("apps/codes.wsgi", SCRIPT)?;
    let script = script.display();
    let mut folders = Vec::new();
    for (name, line) in [
        ("exiting", "import sys; sys.exit(3)\n"),
        ("raising", "import sys; raise KeyboardInterrupt('compat: site')\n"),
    ] {
        folders.push(site.write(&format!("{name}/some.pth"), line)?);
    }
    let folder = |at: usize| folders[at].parent().map(Path::display).map(|path| path.to_string());
    let home = site.folder("home")?;
    for (name, options) in [
        ("plain", String::new()),
        ("locale", "locale=xx_COMPAT".to_owned()),
        ("exiting", format!("python-path={}", folder(0).unwrap_or_default())),
        ("raising", format!("python-path={}", folder(1).unwrap_or_default())),
        ("quiet", "socket-timeout=1".to_owned()),
        ("home", format!("home={}", home.display())),
    ] {
        site.config(format!(
            "WSGIDaemonProcess {name} threads=2 {options}\n\
             WSGIScriptAlias /{name} {script} process-group={name} application-group=%{{GLOBAL}}"
        ));
    }
    site.config("WSGIChunkedRequest On");
    Ok(())
}

/// Asks, and waits until the log has each of the texts, in lines of the level.
fn told(context: &Context, path: &str, level: &str, texts: &[String]) -> Outcome {
    // What is told when a process starts may have been told already.
    context.get(path)?;
    for text in texts {
        let line = context.log().wait_for(text, SOON)?;
        assert!(line.contains(&format!("[wsgi:{level}] ")), "{line}");
    }
    Ok(())
}

fn unknown_locale(context: &Context) -> Outcome {
    let text = "WSGI0079: Unsupported locale setting 'xx_COMPAT' specified for daemon process group 'locale'; \
                daemon will run with the inherited locale";
    told(context, "/locale", "warn", &[text.to_owned()])?;
    assert_eq!(context.status("/locale")?, 200);
    Ok(())
}

fn site_folder(context: &Context, name: &str, words: &str) -> Outcome {
    let folder = context.path(name);
    let texts = [
        format!(
            "WSGI0091: Call to 'site.addsitedir()' failed for '{}' in daemon process '{name}'; remaining \
             python-path entries will not be added.",
            folder.display()
        ),
        words.to_owned(),
    ];
    told(context, &format!("/{name}"), "error", &texts)?;
    assert_eq!(context.status(&format!("/{name}"))?, 200);
    Ok(())
}

fn site_folder_that_exits(context: &Context) -> Outcome {
    let words =
        "WSGI0189: SystemExit exception raised during Python interpreter initialisation for";
    site_folder(context, "exiting", words)
}

fn site_folder_that_raises(context: &Context) -> Outcome {
    let words =
        "WSGI0188: KeyboardInterrupt exception raised during Python interpreter initialisation for";
    site_folder(context, "raising", words)
}

/// The next line with the words, which a request that `ask` makes leads to.
fn next(context: &Context, words: &str, ask: impl FnOnce() -> Outcome) -> Outcome {
    let from = context.log().size();
    ask()?;
    let line = context.log().wait_for_from(from, words, SOON)?;
    assert!(line.contains("[wsgi:error] "), "{line}");
    Ok(())
}

fn answer_broken_off(context: &Context) -> Outcome {
    let from = context.log().size();
    let mut connection = context.send("GET", "/quiet/partial", &[], b"")?;
    assert_eq!(connection.head("GET")?.status, 200);
    let words = "WSGI0119: Unable to proxy response from daemon to client";
    let line = context.log().wait_for_from(from, words, SOON)?;
    assert!(line.contains("[wsgi:error] "), "{line}");
    // What the client sees of it is `response_daemon::broken_off_body_is_shown_to_the_client`.
    drop(connection);
    Ok(())
}

fn body_that_is_none(context: &Context) -> Outcome {
    let words = "WSGI0126: Request data read error when proxying data to daemon process: ";
    next(context, words, || {
        let headers = ["Transfer-Encoding: chunked"];
        let answer = context.ask("POST", "/plain/read", &headers, b"5\r\nabcde\r\nzz\r\n\r\n")?;
        assert!(answer.status >= 400, "{}", answer.status);
        Ok(())
    })
}

fn close_lookup(context: &Context) -> Outcome {
    let words =
        "WSGI0194: Lookup of 'close' attribute on WSGI response iterable raised an exception.";
    next(context, words, || {
        assert_eq!(context.get("/plain/odd")?.text(), "odd");
        Ok(())
    })
}

fn subscriber_that_exits(context: &Context) -> Outcome {
    let words =
        "WSGI0190: SystemExit exception raised by event callback for 'request_started'; ignored.";
    next(context, words, || {
        assert_eq!(context.status("/plain/leave")?, 200);
        Ok(())
    })
}

/// The folder is closed to the daemon's user after it was entered; the process that follows cannot enter it.
fn working_folder(context: &Context) -> Outcome {
    let pid = context.get("/home")?.text();
    let home = context.path("home");
    std::fs::set_permissions(&home, Permissions::from_mode(0o000))?;
    let from = context.log().size();
    assert!(Command::new("kill").args(["-KILL", &pid]).status()?.success());
    let said = format!("WSGI0009: Unable to change working directory to '{}'", home.display());
    eventually("the message", || {
        let _ = context.get("/home");
        Ok(context.log().text_from(from).contains(&said).then_some(()))
    })?;
    std::fs::set_permissions(&home, Permissions::from_mode(0o755))?;
    Ok(())
}

fn home_is_a_file(server: &Server) -> Outcome {
    let site = Site::new(server)?;
    let file = site.write("no-home", "")?;
    is_no_home(site, &file, "WSGI0101: ")
}

fn home_is_missing(server: &Server) -> Outcome {
    let site = Site::new(server)?;
    let missing = site.root().join("gone");
    is_no_home(site, &missing, "WSGI0100: ")
}

fn home_is_closed(server: &Server) -> Outcome {
    let site = Site::new(server)?;
    let closed = site.folder("closed")?;
    site.folder("closed/bin")?;
    std::os::unix::fs::symlink("/usr/bin/python3", closed.join("bin/python"))?;
    std::fs::set_permissions(&closed, Permissions::from_mode(0o700))?;
    is_no_home(site, &closed, "WSGI0102: ")
}

/// The original says so when its processes start, Pinion before.
fn is_no_home(mut site: Site, home: &Path, code: &str) -> Outcome {
    let script = site.write("apps/codes.wsgi", SCRIPT)?;
    site.config(format!(
        "WSGIDaemonProcess lost python-home={}\n\
         WSGIScriptAlias / {} process-group=lost application-group=%{{GLOBAL}}",
        home.display(),
        script.display()
    ));
    if site.server().is_some_and(Server::is_pinion) {
        let tested = site.configtest()?;
        assert!(!tested.success && tested.output().contains(code), "{}", tested.output());
        return Ok(());
    }
    let apache = site.start()?;
    apache.log().wait_for(code, SOON)?;
    Ok(())
}

/// Scripts that are loaded before any request.
fn fail_at_start(server: &Server) -> Outcome {
    let mut site = Site::new(server)?;
    let early = [
        ("syntax", "def application(:\n", "WSGI0106: "),
        ("exits", "import sys\nsys.exit(3)\n", "WSGI0108: "),
        ("raises", "raise RuntimeError('compat: at start')\n", "WSGI0110: "),
    ];
    for (name, text, _) in early {
        let script = site.write(&format!("apps/{name}.wsgi"), text)?;
        site.config(format!(
            "WSGIDaemonProcess {name} threads=1\n\
             WSGIScriptAlias /{name} {} process-group={name} application-group=%{{GLOBAL}}",
            script.display()
        ));
    }
    let apache = site.start()?;
    for (name, _, code) in early {
        let line = apache.log().wait_for(code, SOON)?;
        assert!(line.contains(&format!("apps/{name}.wsgi'")), "{line}");
        assert_eq!(Context { apache: &apache, server }.status(&format!("/{name}"))?, 500, "{name}");
    }
    Ok(())
}

/// Without `home=` processes are to start in their user's folder; Debian's `nobody` has none. The original's do not start, Pinion's do
/// in the root folder.
fn user_without_a_folder(server: &Server) -> Outcome {
    let mut site = Site::new(server)?;
    let script = site.write("apps/codes.wsgi", SCRIPT)?;
    site.config(format!(
        "WSGIDaemonProcess homeless threads=1 user=nobody\n\
         WSGIScriptAlias / {} process-group=homeless application-group=%{{GLOBAL}}",
        script.display()
    ));
    let apache = site.start()?;
    if server.is_pinion() {
        let answer = Context { apache: &apache, server }.get("/folder")?;
        assert_eq!((answer.status, answer.text().as_str()), (200, "/"));
        return Ok(());
    }
    let words = "WSGI0010: Unable to change working directory to home directory '/nonexistent' for uid=65534";
    apache.log().wait_for(words, SOON)?;
    Ok(())
}

fn folders_of_others(server: &Server) -> Outcome {
    let mut site = Site::new(server)?;
    let script = site.write("own/codes.wsgi", SCRIPT)?;
    let folder = site.folder("own")?;
    for (name, option) in [("user", "script-user=root"), ("group", "script-group=root")] {
        site.config(format!(
            "WSGIDaemonProcess {name} threads=1 {option}\n\
             WSGIScriptAlias /{name} {} process-group={name} application-group=%{{GLOBAL}}",
            script.display()
        ));
    }
    let apache = site.start()?;
    let context = Context { apache: &apache, server };
    for (name, owner, group, code) in
        [("user", Some(5), None, "WSGI0171: "), ("group", None, Some(60), "WSGI0160: ")]
    {
        assert_eq!(context.status(&format!("/{name}/"))?, 200, "{code}");
        std::os::unix::fs::chown(&folder, owner, group)?;
        let from = context.log().size();
        assert_eq!(context.status(&format!("/{name}/"))?, 403, "{code}");
        context.log().wait_for_from(from, code, SOON)?;
        std::os::unix::fs::chown(&folder, Some(0), Some(0))?;
    }
    Ok(())
}

/// The script's own code first, then its folder's.
const OPEN: [(&str, u32, u32, &str); 6] = [
    ("user", 0o664, 0o755, "WSGI0166: "),
    ("user", 0o646, 0o755, "WSGI0168: "),
    ("user", 0o644, 0o775, "WSGI0173: "),
    ("user", 0o644, 0o757, "WSGI0172: "),
    ("group", 0o646, 0o755, "WSGI0157: "),
    ("group", 0o644, 0o757, "WSGI0161: "),
];

fn open_scripts(server: &Server) -> Outcome {
    let mut site = Site::new(server)?;
    let script = site.write("own/codes.wsgi", SCRIPT)?;
    let folder = site.folder("own")?;
    for (name, option) in [("user", "script-user=root"), ("group", "script-group=root")] {
        site.config(format!(
            "WSGIDaemonProcess {name} threads=1 {option}\n\
             WSGIScriptAlias /{name} {} process-group={name} application-group=%{{GLOBAL}}",
            script.display()
        ));
    }
    let apache = site.start()?;
    let context = Context { apache: &apache, server };
    for (name, of_script, of_folder, code) in OPEN {
        std::fs::set_permissions(&script, Permissions::from_mode(0o644))?;
        std::fs::set_permissions(&folder, Permissions::from_mode(0o755))?;
        assert_eq!(context.status(&format!("/{name}/"))?, 200, "{code}");
        std::fs::set_permissions(&script, Permissions::from_mode(of_script))?;
        std::fs::set_permissions(&folder, Permissions::from_mode(of_folder))?;
        let from = context.log().size();
        assert_eq!(context.status(&format!("/{name}/"))?, 403, "{code}");
        context.log().wait_for_from(from, code, SOON)?;
    }
    Ok(())
}
