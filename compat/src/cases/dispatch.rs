//! `WSGIDispatchScript`: functions that choose groups and callable for each request.

use crate::context::{SOON, eventually};
use crate::suite::Outcome;
use crate::{Context, Suite};
use libtest_mimic::Failed;
use pinion_testbed::{Server, Site};
use serde_json::Value;

pub(super) fn suites() -> Vec<Suite> {
    let dispatch = Suite::new("route_dispatch", site)
        .case("none_leaves_the_directives", none_leaves_the_directives)
        .case("process_group", process_group)
        .case("application_group", application_group)
        .case("callable_object", callable_object)
        .case("names_are_expanded", names_are_expanded)
        .case("bytes_are_names", bytes_are_names)
        .case("unknown_names", unknown_names)
        .case("what_is_no_name_is_500", what_is_no_name)
        .case("an_exception_is_500", an_exception)
        .case("the_functions_share_an_environ", shared_environ)
        .case("environ_of_the_functions", environ)
        .case("application_group_of_the_script", group_of_the_script)
        .case("a_script_without_functions", without_functions)
        .case("a_missing_or_broken_script_leaves_the_directives", missing_or_broken)
        .case("inner_sections_override", overridden)
        .case("htaccess_files_may_not_name_one", not_in_htaccess);
    let alone = Suite::alone("route_dispatch_alone")
        .solo("a_changed_script_is_reloaded", reloaded)
        .solo("refused_arguments", refused_arguments);
    vec![dispatch, alone]
}

fn site(site: &mut Site) -> Outcome {
    let script = super::app(site, "callables.wsgi")?;
    let dispatch = super::app(site, "dispatch.py")?;
    let (app, dispatch) = (super::app(site, "groups.wsgi")?, dispatch.display());
    let empty = site.write("apps/empty.py", "name = 'nothing to call'\n")?;
    let broken = site.write("apps/broken.py", "raise ValueError('broken dispatch')\n")?;
    let fixed = site.write("apps/fixed.py", "def application_group(environ): return 'fixed'\n")?;
    let (app, script) = (app.display(), script.display());
    let mut mounts = String::new();
    for (mount, target) in [
        ("callables", script.to_string()),
        ("elsewhere", app.to_string()),
        ("empty", app.to_string()),
        ("broken", app.to_string()),
        ("missing", app.to_string()),
        ("inner", app.to_string()),
        ("groups", app.to_string()),
    ] {
        mounts.push_str(&format!("WSGIScriptAlias /{mount} {target}\n"));
    }
    site.write("htdocs/place/page.wsgi", std::fs::read(site.root().join("apps/groups.wsgi"))?)?;
    site.write("htdocs/place/.htaccess", format!("WSGIDispatchScript {}\n", fixed.display()))?;
    site.config(format!(
        "WSGIDaemonProcess one threads=2\nWSGIDaemonProcess two\n{mounts}\
         AddHandler wsgi-script .wsgi\n\
         <Directory {root}/htdocs/place>\nOptions +ExecCGI\nAllowOverride FileInfo\n</Directory>\n\
         WSGIDispatchScript {dispatch}\n\
         <Location /elsewhere>\nWSGIDispatchScript {dispatch} application-group=beside\n</Location>\n\
         <Location /empty>\nWSGIDispatchScript {empty}\nWSGIProcessGroup two\n</Location>\n\
         <Location /broken>\nWSGIDispatchScript {broken}\n</Location>\n\
         <Location /missing>\nWSGIDispatchScript {root}/apps/none.py\n</Location>\n\
         <Location /inner>\nWSGIDispatchScript {fixed}\n</Location>",
        root = site.root().display(),
        empty = empty.display(),
        broken = broken.display(),
        fixed = fixed.display(),
    ));
    Ok(())
}

/// What the application says about its groups, with the dispatch functions returning these values.
fn groups(context: &Context, path: &str, headers: &[&str]) -> Result<(String, String), Failed> {
    let answer = context.ask("GET", path, headers, b"")?;
    assert_eq!(answer.status, 200, "{headers:?}: {}", answer.text());
    let text = answer.text();
    let mut words = text.split(' ').map(str::to_owned);
    Ok((words.next().unwrap_or_default(), words.next().unwrap_or_default()))
}

fn are(found: &(String, String), process: &str, application: &str) {
    assert_eq!((found.0.as_str(), found.1.as_str()), (process, application));
}

fn resource(context: &Context) -> String {
    format!("localhost:{}|/groups", context.apache.port())
}

fn none_leaves_the_directives(context: &Context) -> Outcome {
    are(&groups(context, "/groups", &[])?, "-", &resource(context));
    are(&groups(context, "/groups", &["X-Process: None"])?, "-", &resource(context));
    Ok(())
}

fn process_group(context: &Context) -> Outcome {
    are(&groups(context, "/groups", &["X-Process: 'one'"])?, "one", &resource(context));
    are(&groups(context, "/groups", &["X-Process: 'two'"])?, "two", &resource(context));
    are(&groups(context, "/groups", &["X-Process: ''"])?, "-", &resource(context));
    Ok(())
}

fn application_group(context: &Context) -> Outcome {
    are(&groups(context, "/groups", &["X-Application: 'chosen'"])?, "-", "chosen");
    are(&groups(context, "/groups", &["X-Application: ''"])?, "-", "-");
    let both = ["X-Process: 'two'", "X-Application: 'chosen'"];
    are(&groups(context, "/groups", &both)?, "two", "chosen");
    Ok(())
}

fn callable_object(context: &Context) -> Outcome {
    let ask = |name: &str| context.ask("GET", "/callables", &[name], b"");
    assert_eq!(ask("X-Nothing: 1")?.text(), "application");
    assert_eq!(ask("X-Callable: 'other'")?.text(), "other");
    Ok(())
}

fn names_are_expanded(context: &Context) -> Outcome {
    let server = format!("localhost:{}", context.apache.port());
    are(&groups(context, "/groups", &["X-Application: '%{SERVER}'"])?, "-", &server);
    are(&groups(context, "/groups", &["X-Application: '%{GLOBAL}'"])?, "-", "-");
    are(&groups(context, "/groups", &["X-Application: '%{RESOURCE}'"])?, "-", &resource(context));
    Ok(())
}

fn bytes_are_names(context: &Context) -> Outcome {
    are(&groups(context, "/groups", &["X-Application: b'raw'"])?, "-", "raw");
    Ok(())
}

fn unknown_names(context: &Context) -> Outcome {
    let status =
        |path, header: &str| Ok::<_, Failed>(context.ask("GET", path, &[header], b"")?.status);
    assert_eq!(status("/groups", "X-Process: 'nowhere'")?, 500);
    assert_eq!(status("/groups", "X-Process: '%{ENV:NOT_SET}'")?, 500);
    assert_eq!(status("/callables", "X-Callable: 'nothing'")?, 404);
    assert_eq!(status("/callables", "X-Callable: ''")?, 404);
    Ok(())
}

fn what_is_no_name(context: &Context) -> Outcome {
    for header in [
        "X-Process: 3",
        "X-Process: True",
        "X-Application: ['one']",
        "X-Application: '\\u20ac'",
        "X-Callable: 1.5",
    ] {
        assert_eq!(context.ask("GET", "/groups", &[header], b"")?.status, 500, "{header}");
    }
    Ok(())
}

fn an_exception(context: &Context) -> Outcome {
    assert_eq!(context.ask("GET", "/groups", &["X-Process: 1/0"], b"")?.status, 500);
    context.log().wait_for("ZeroDivisionError: division by zero", SOON)?;
    Ok(())
}

fn shared_environ(context: &Context) -> Outcome {
    are(&groups(context, "/groups", &["X-Mark: 1"])?, "-", "mark-seen");
    Ok(())
}

/// What the script printed about its environ for the request with this mark.
fn shown(context: &Context, path: &str, mark: &str) -> Result<Value, Failed> {
    context.ask("GET", path, &[&format!("X-Show: {mark}")], b"")?;
    let named = format!("\"HTTP_X_SHOW\": \"{mark}\"");
    let line = eventually("the environ in the log", || {
        let text = context.log().text();
        let line = text.lines().find(|line| line.contains("compat:{") && line.contains(&named));
        Ok(line.map(str::to_owned))
    })?;
    let (_, json) = line.split_once("compat:").unwrap_or_default();
    serde_json::from_str(json).map_err(|error| format!("no JSON ({error}): {line}").into())
}

fn environ(context: &Context) -> Outcome {
    let shown = shown(context, "/groups/path?q=1", "environ")?;
    for (key, value) in [
        ("REQUEST_METHOD", "GET"),
        ("SCRIPT_NAME", "/groups"),
        ("PATH_INFO", "/path"),
        ("QUERY_STRING", "q=1"),
        ("REQUEST_URI", "/groups/path?q=1"),
        ("HTTP_HOST", "localhost"),
        ("mod_wsgi.process_group", ""),
        ("mod_wsgi.application_group", ""),
        ("mod_wsgi.request_handler", "wsgi-script"),
        ("mod_wsgi.path_info", "/path"),
    ] {
        assert_eq!(shown[key], value, "{key}");
    }
    assert_eq!(shown["module"], serde_json::json!(["", ""]));
    for absent in [
        "wsgi.input",
        "wsgi.file_wrapper",
        "wsgi.version",
        "mod_wsgi.thread_id",
        "mod_wsgi.callable_object",
    ] {
        assert!(
            !shown["keys"].as_array().is_some_and(|all| all.iter().any(|k| k == absent)),
            "{absent}"
        );
    }
    Ok(())
}

fn group_of_the_script(context: &Context) -> Outcome {
    let shown = shown(context, "/elsewhere", "beside")?;
    assert_eq!(shown["module"], serde_json::json!(["", "beside"]));
    assert_eq!(shown["mod_wsgi.application_group"], "beside");
    Ok(())
}

fn without_functions(context: &Context) -> Outcome {
    assert_eq!(groups(context, "/empty", &[])?.0, "two");
    Ok(())
}

fn missing_or_broken(context: &Context) -> Outcome {
    assert_eq!(groups(context, "/broken", &[])?.0, "-");
    context.log().wait_for("ValueError: broken dispatch", SOON)?;
    assert_eq!(groups(context, "/missing", &[])?.0, "-");
    context.log().wait_for("apps/none.py'", SOON)?;
    Ok(())
}

fn overridden(context: &Context) -> Outcome {
    are(&groups(context, "/inner", &["X-Application: 'chosen'"])?, "-", "fixed");
    Ok(())
}

/// Its documentation says that they may.
fn not_in_htaccess(context: &Context) -> Outcome {
    assert_eq!(context.status("/place/page.wsgi")?, 500);
    context.log().wait_for("WSGIDispatchScript not allowed here", SOON)?;
    Ok(())
}

fn reloaded(server: &Server) -> Outcome {
    let mut site = Site::new(server)?;
    site.one_child();
    let app = super::app(&site, "groups.wsgi")?;
    let script = site.write("apps/turn.py", "def application_group(environ): return 'before'\n")?;
    site.config(format!(
        "WSGIDaemonProcess one\nWSGIProcessGroup one\nWSGIScriptAlias / {}\nWSGIDispatchScript {}",
        app.display(),
        script.display()
    ));
    let apache = site.start()?;
    let context = Context { apache: &apache, server };
    are(&groups(&context, "/", &[])?, "one", "before");
    std::fs::write(&script, "def application_group(environ): return 'after'\n")?;
    eventually("the changed script", || {
        Ok(Some(()).filter(|()| groups(&context, "/", &[]).is_ok_and(|found| found.1 == "after")))
    })
}

fn refused_arguments(server: &Server) -> Outcome {
    for line in [
        "WSGIDispatchScript",
        "WSGIDispatchScript /srv/d.py process-group=one",
        "WSGIDispatchScript /srv/d.py application-group",
        "WSGIDispatchScript /srv/d.py another",
    ] {
        super::refused(server, line, "WSGIDispatchScript")?;
    }
    Ok(())
}
