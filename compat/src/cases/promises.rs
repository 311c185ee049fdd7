//! What the original's documentation and its own tests say beside what the other areas are about.

use crate::context::{SOON, eventually, json};
use crate::suite::Outcome;
use crate::{Context, Suite};
use libtest_mimic::Failed;
use pinion_testbed::{Port, Server, Site, http};
use serde_json::{Value, json as literal};

pub(super) fn suites() -> Vec<Suite> {
    let daemon = common(Suite::new("promises_daemon", daemon))
        .case("bodies_are_whole_without_queue_and_reloading", bodies)
        .case("private_files_are_handed_over", handed_over);
    let embedded = common(Suite::new("promises_embedded", embedded));
    let snippets = Suite::new("promises_documented", documented)
        .case("process_group_by_rewrite_map", rewrite_map)
        .case("application_group_by_rewrite_rule", rewritten_group)
        .case("callable_of_one_file", callable_of_a_file)
        .case("files_before_the_root_mount", files_before)
        .case("script_at_the_root_by_rewrite", root_by_rewrite)
        .case("alias_that_keeps_a_part_of_the_path", kept_path);
    let alone = Suite::alone("promises_alone")
        .solo("hosts_of_one_name_share_a_group", shared_group)
        .solo("background_output_goes_to_the_groups_host", background)
        .solo("groups_of_root_are_refused", root_group)
        .solo("unknown_users_and_groups_are_refused", unknown_names);
    vec![daemon, embedded, snippets, alone]
}

fn common(suite: Suite) -> Suite {
    suite
        .case("exc_info_must_be_a_tuple", no_tuple)
        .case("second_start_response_after_output_raises", started_twice)
        .case("generator_is_closed_after_a_wrong_item", wrong_item)
        .case("own_request_timeout_is_logged_as_recovery", timed_out)
        .case("types_of_keys", types)
        .case("slashes_are_collapsed_by_mod_wsgi_itself", slashes)
        .case("request_id_is_that_of_the_access_log", request_id)
        .case("withheld_authorization_is_told", withheld)
        .only_pinion("mod_wsgi leaves its users to find out")
}

fn daemon(site: &mut Site) -> Outcome {
    let script = super::app(site, "promises.wsgi")?;
    site.write("private/report.txt", "a private report")?;
    site.module("rewrite");
    site.config(format!(
        "WSGIDaemonProcess promised threads=3\nWSGIProcessGroup promised\n\
         WSGIDaemonProcess bare threads=2 queue-timeout=0\n\
         WSGIScriptAlias /bare {} process-group=bare application-group=%{{GLOBAL}}\n\
         <Location /bare>\nWSGIScriptReloading Off\n</Location>\n\
         Alias /private/ {}/private/\nRewriteEngine On\n\
         RewriteCond %{{THE_REQUEST}} ^\\S+\\s/private/\nRewriteRule ^/private/ - [F]",
        script.display(),
        site.root().display()
    ));
    embedded(site)
}

fn embedded(site: &mut Site) -> Outcome {
    let script = super::app(site, "promises.wsgi")?;
    let script = script.display();
    let root = site.root().display().to_string();
    site.log_level("info");
    site.config(format!(
        "WSGIApplicationGroup %{{GLOBAL}}\nMergeSlashes Off\n\
         <Location /shown>\nWSGIPassAuthorization On\n</Location>\nWSGIScriptAlias /shown {script}\n\
         WSGIScriptAlias //slashed {script}\nWSGIScriptAlias /app {script}\n\
         LogFormat \"%L %U\" compat\nCustomLog {root}/logs/requests.log compat"
    ));
    Ok(())
}

fn text(context: &Context, path: &str) -> Result<(u16, String), Failed> {
    let answer = context.get(path)?;
    Ok((answer.status, answer.text()))
}

fn no_tuple(context: &Context) -> Outcome {
    assert_eq!(
        text(context, "/app/no_tuple")?,
        (200, "start_response() argument 'exc_info' must be a 3-tuple or None".to_owned())
    );
    Ok(())
}

fn started_twice(context: &Context) -> Outcome {
    let expected = "sent,start_response() called more than once without exc_info".to_owned();
    assert_eq!(text(context, "/app/started_twice")?, (200, expected));
    Ok(())
}

fn wrong_item(context: &Context) -> Outcome {
    let from = context.log().size();
    let mut connection = context.send("GET", "/app/wrong_item", &[], b"")?;
    assert_eq!(connection.head("GET")?.status, 200);
    assert!(String::from_utf8_lossy(&connection.rest()).contains("first"));
    let line = context.log().wait_for_from(from, "compat: the generator was closed", SOON)?;
    assert!(line.contains("GeneratorExit"), "{line}");
    Ok(())
}

fn timed_out(context: &Context) -> Outcome {
    let from = context.log().size();
    assert_eq!(context.status("/app/timed_out")?, 504);
    let words = "Request interrupted by RequestTimeout; thread recovered.";
    let line = context.log().wait_for_from(from, words, SOON)?;
    assert!(line.contains("[wsgi:info] "), "{line}");
    let said = context.log().text_from(from);
    assert!(!said.contains("compat: raised by the application"), "{said}");
    Ok(())
}

fn types(context: &Context) -> Outcome {
    let shown = context.json("/app/types")?;
    for (key, kind) in [
        ("wsgi.input", "mod_wsgi.Input"),
        ("wsgi.errors", "_io.TextIOWrapper"),
        ("wsgi.file_wrapper", "mod_wsgi.FileWrapper"),
        ("wsgi.multiprocess", "builtins.bool"),
        ("mod_wsgi.thread_id", "builtins.int"),
        ("mod_wsgi.version", "builtins.tuple"),
        ("apache.version", "builtins.tuple"),
        ("mod_wsgi.request_start", "builtins.float"),
        ("mod_wsgi.application_start", "builtins.float"),
        ("mod_wsgi.server_pid", "builtins.str"),
    ] {
        assert_eq!(shown[key], kind, "{key}: {shown}");
    }
    Ok(())
}

fn slashes(context: &Context) -> Outcome {
    let names = "SCRIPT_NAME&PATH_INFO&REQUEST_URI";
    for (path, script_name, path_info) in [
        ("/app/a//b", "/app", "/a/b"),
        ("/app//a/b", "/app", "/a/b"),
        ("/app/a///b///c", "/app", "/a/b/c"),
        ("/app/a//", "/app", "/a/"),
        ("/app//", "/app", "/"),
        ("//slashed", "/slashed", ""),
        ("//slashed/x", "/slashed", "/x"),
    ] {
        let uri = format!("{path}?{names}");
        assert_eq!(context.json(&uri)?, literal!([script_name, path_info, uri]), "{path}");
    }
    Ok(())
}

fn request_id(context: &Context) -> Outcome {
    let id = context.json("/app/identified?mod_wsgi.request_id")?;
    let id = id[0].as_str().ok_or("no id")?.to_owned();
    eventually("the access log's line", || {
        let text = std::fs::read_to_string(context.path("logs/requests.log"))?;
        Ok(text.contains(&format!("{id} /app/identified")).then_some(()))
    })
}

fn withheld(context: &Context) -> Outcome {
    let from = context.log().size();
    let header = ["Authorization: Basic eDp5"];
    let said = |context: &Context| context.log().text_from(from).contains("PIN0321: ");
    assert_eq!(context.status("/app/refused")?, 401);
    let shown = context.ask("GET", "/shown/refused", &header, b"")?;
    assert_eq!((shown.status, shown.text().as_str()), (401, "True"));
    assert!(!said(context), "no header was withheld");
    let withheld = context.ask("GET", "/app/refused", &header, b"")?;
    assert_eq!((withheld.status, withheld.text().as_str()), (401, "False"));
    let line = context.log().wait_for_from(from, "PIN0321: ", SOON)?;
    assert!(line.contains("[wsgi:warn] ") && line.contains("WSGIPassAuthorization"), "{line}");
    Ok(())
}

/// Sizes around those of the pieces in which requests are read.
const SIZES: [usize; 6] = [0, 1, 11, 1024, 8192, 65536];

fn bodies(context: &Context) -> Outcome {
    for size in SIZES {
        let body: Vec<u8> = (0..size).map(|at| (at * 31 % 256) as u8).collect();
        let plain = context.post("/app/digest", &body)?.text();
        let bare = context.post("/bare/digest", &body)?.text();
        let digest = |text: &str| text.split_once(' ').map(|(_, rest)| rest.to_owned());
        assert!(bare.starts_with(&format!("bare {size} ")), "{bare}");
        assert_eq!(digest(&plain), digest(&bare), "{size}");
    }
    Ok(())
}

fn handed_over(context: &Context) -> Outcome {
    assert_eq!(text(context, "/app/handed_over")?, (200, "a private report".to_owned()));
    assert_eq!(context.status("/private/report.txt")?, 403);
    Ok(())
}

fn documented(site: &mut Site) -> Outcome {
    let script = super::app(site, "promises.wsgi")?;
    let text = std::fs::read_to_string(&script)?;
    let root = site.root().display().to_string();
    site.module("rewrite");
    site.write("map.txt", "/mapped/first one\n/mapped/second two\n")?;
    for name in ["people/anna/scripts/app.wsgi", "apps/flask.py", "htdocs/site.wsgi"] {
        site.write(name, &text)?;
    }
    site.write("static/media/logo.txt", "a logo")?;
    site.write("static/styles/site.css", "a style")?;
    let script = script.display();
    site.config("WSGIDaemonProcess one threads=1\nWSGIDaemonProcess two threads=1");
    let mapped = format!(
        "RewriteEngine On\nRewriteMap groups txt:{root}/map.txt\n\
         RewriteRule ^/mapped/ - [E=PROCESS_GROUP:${{groups:%{{REQUEST_URI}}}}]\n\
         RewriteRule ^/~([^/]+) - [E=APPLICATION_GROUP:~$1]\n\
         WSGIScriptAlias /mapped {script}\n\
         <Location /mapped>\nWSGIProcessGroup %{{ENV:PROCESS_GROUP}}\n</Location>\n\
         AliasMatch ^/~([^/]+)/(.*) {root}/people/$1/scripts/$2\n\
         <Directory {root}/people/*/scripts>\nOptions ExecCGI\nSetHandler wsgi-script\nRequire all granted\n\
         WSGIProcessGroup one\nWSGIApplicationGroup %{{ENV:APPLICATION_GROUP}}\n</Directory>\n\
         WSGIScriptAlias /flask {root}/apps/flask.py process-group=one\n\
         <Directory {root}/apps>\n<Files flask.py>\nWSGICallableObject other\n</Files>\n</Directory>"
    );
    site.host("mapped.test", mapped);
    site.host(
        "files.test",
        format!(
            "Alias /robots.txt {root}/static/media/logo.txt\nAliasMatch /([^/]*\\.css) {root}/static/styles/$1\n\
             Alias /media/ {root}/static/media/\nWSGIScriptAlias /api {script}/api process-group=one\n\
             WSGIScriptAliasMatch \"^/(admin|files)\" {script}/$1 process-group=one\nWSGIScriptAlias / {script} process-group=two"
        ),
    );
    site.host(
        "rewritten.test",
        format!(
            "DocumentRoot {root}/htdocs\nWSGIProcessGroup two\n\
             <Directory {root}/htdocs>\nOptions ExecCGI\nAddHandler wsgi-script .wsgi\nRequire all granted\n</Directory>\n\
             RewriteEngine On\nRewriteCond %{{REQUEST_FILENAME}} !-f\nRewriteRule ^(.*)$ /site.wsgi/$1 [QSA,PT,L]"
        ),
    );
    Ok(())
}

fn rewrite_map(context: &Context) -> Outcome {
    for (path, group) in [("/mapped/first", "one"), ("/mapped/second", "two")] {
        let shown = context.json(&format!("{path}?mod_wsgi.process_group"))?;
        assert_eq!(shown, literal!([group]), "{path}");
    }
    Ok(())
}

fn rewritten_group(context: &Context) -> Outcome {
    let shown = context.json("/~anna/app.wsgi/x?mod_wsgi.application_group&PATH_INFO")?;
    assert_eq!(shown, literal!(["~anna", "/x"]));
    Ok(())
}

fn callable_of_a_file(context: &Context) -> Outcome {
    assert_eq!(text(context, "/flask/x")?, (200, "another callable".to_owned()));
    Ok(())
}

fn of_host(context: &Context, host: &str, path: &str) -> Result<String, Failed> {
    let answer = context.ask("GET", path, &[&format!("Host: {host}")], b"")?;
    assert_eq!(answer.status, 200, "{host}{path}: {}", answer.text());
    Ok(answer.text())
}

fn files_before(context: &Context) -> Outcome {
    for (path, expected) in
        [("/robots.txt", "a logo"), ("/any/site.css", "a style"), ("/media/logo.txt", "a logo")]
    {
        assert_eq!(of_host(context, "files.test", path)?, expected, "{path}");
    }
    let shown = of_host(context, "files.test", "/other?PATH_INFO")?;
    assert_eq!(shown, r#"["/other"]"#);
    Ok(())
}

/// The target names a path below the script, which the application is to see.
fn kept_path(context: &Context) -> Outcome {
    for (path, expected) in [
        ("/api/x", r#"["", "/api/x"]"#),
        ("/api", r#"["", "/api"]"#),
        ("/admin/users", r#"["", "/admin/users"]"#),
        ("/files", r#"["", "/files"]"#),
    ] {
        let shown = of_host(context, "files.test", &format!("{path}?SCRIPT_NAME&PATH_INFO"))?;
        assert_eq!(shown, expected, "{path}");
    }
    Ok(())
}

fn root_by_rewrite(context: &Context) -> Outcome {
    let shown = of_host(context, "rewritten.test", "/any/page?SCRIPT_NAME&PATH_INFO")?;
    assert_eq!(shown, r#"["/site.wsgi", "/any/page"]"#);
    Ok(())
}

/// Two virtual hosts of one name, such as for HTTP and HTTPS; the group is declared in the first.
fn shared_group(server: &Server) -> Outcome {
    let mut site = Site::new(server)?;
    let script = super::app(&site, "process.wsgi")?;
    let port = Port::take()?;
    let script = script.display();
    let mount = format!(
        "WSGIProcessGroup both\nWSGIScriptAlias / {script}\nWSGIApplicationGroup %{{GLOBAL}}"
    );
    site.config(format!("Listen 127.0.0.1:{}", port.number()));
    site.host("both.test", format!("WSGIDaemonProcess both threads=2\n{mount}"));
    site.config(format!(
        "<VirtualHost 127.0.0.1:{}>\nServerName both.test\n{mount}\n</VirtualHost>",
        port.number()
    ));
    let apache = site.start()?;
    let context = Context { apache: &apache, server };
    let first = json(&context.ask("GET", "/", &["Host: both.test"], b"")?)?;
    let second = json(&http::get(&format!("http://127.0.0.1:{}/", port.number()))?)?;
    assert_eq!(first["mod_wsgi"]["process_group"], "both");
    assert_eq!(first["pid"], second["pid"]);
    Ok(())
}

const THREAD: &str = "
import threading, time

def chatter():
    while True:
        print('compat: from the background')
        time.sleep(0.1)

threading.Thread(target=chatter, daemon=True).start()

def application(environ, start_response):
    start_response('200 OK', [('Content-Type', 'text/plain')])
    return [b'served']
";

fn background(server: &Server) -> Outcome {
    let mut site = Site::new(server)?;
    let script = site.write("apps/thread.wsgi", THREAD)?;
    site.host(
        "own.test",
        format!(
            "WSGIDaemonProcess own threads=1\n\
             WSGIScriptAlias / {} process-group=own application-group=%{{GLOBAL}}",
            script.display()
        ),
    );
    let apache = site.start()?;
    let line = apache.host_log("own.test").wait_for("compat: from the background", SOON)?;
    assert!(line.contains("[wsgi:error] ") && !line.contains("[script "), "{line}");
    Ok(())
}

fn root_group(server: &Server) -> Outcome {
    if !super::is_root() {
        return Ok(());
    }
    for user in ["root", "#0"] {
        super::refused(server, &format!("WSGIDaemonProcess x user={user}"), "user=")?;
    }
    // A number is as good as a name.
    let mut site = Site::new(server)?;
    let script = super::app(&site, "process.wsgi")?;
    site.config(format!(
        "WSGIDaemonProcess numbered user=#5 group=#60\n\
         WSGIScriptAlias / {} process-group=numbered application-group=%{{GLOBAL}}",
        script.display()
    ));
    let apache = site.start()?;
    let about: Value = Context { apache: &apache, server }.json("/")?;
    assert_eq!((&about["uid"], &about["gid"]), (&literal!(5), &literal!(60)));
    Ok(())
}

fn unknown_names(server: &Server) -> Outcome {
    for option in ["user", "group", "supplementary-groups"] {
        let line = format!("WSGIDaemonProcess x {option}=nobody-here");
        super::refused(server, &line, option)?;
    }
    Ok(())
}
