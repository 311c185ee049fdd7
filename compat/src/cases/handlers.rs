//! `WSGIHandlerScript`, `WSGIRestrictProcess`, `WSGICaseSensitivity`, `WSGIIgnoreActivity`: what else decides which
//! script runs a request, and where.

use crate::context::{SOON, eventually, json};
use crate::suite::Outcome;
use crate::{Context, Suite};
use pinion_testbed::{Server, Site};

pub(super) fn suites() -> Vec<Suite> {
    let handlers = Suite::new("handler_script", site)
        .case("add_handler_runs_the_script", add_handler)
        .case("the_file_need_not_be_there", virtual_file)
        .case("set_handler_with_options", set_handler)
        .case("options_are_expanded", expanded_options)
        .case("directives_of_the_place_hold", directives_of_the_place)
        .case("callable_is_always_handle_request", callable)
        .case("dispatch_script_chooses_for_it", dispatched)
        .case("exec_cgi_is_not_needed", exec_cgi)
        .case("within_a_script_alias", within_an_alias)
        .case("missing_or_broken_script_is_500", missing_or_broken)
        .case("script_without_the_function_is_404", without_function)
        .case("request_bodies", bodies)
        .case("inner_section_redefines", redefined)
        .case("unknown_handler_is_not_ours", unknown_handler);
    let restrict = Suite::new("restrict_process", restricted)
        .case("listed_groups_only", listed)
        .case("inner_list_replaces", inner_list)
        .case("embedded_is_listed_as_global", embedded_listed);
    let alone = Suite::alone("route_refused")
        .solo("handler_script_arguments", refused_handler)
        .solo("case_sensitivity_and_activity", refused_flags)
        .solo("script_alias_options", refused_alias_options)
        .solo("import_script_options", refused_import_options);
    let case = Suite::alone("case_sensitivity")
        .solo("on_tells_paths_apart", case_on)
        .solo("off_takes_them_for_one", case_off);
    let activity = Suite::alone("ignore_activity")
        .solo("ignored_requests_let_a_process_be_inactive", ignored_requests);
    vec![handlers, restrict, alone, case, activity]
}

fn site(site: &mut Site) -> Outcome {
    let script = super::app(site, "route.wsgi")?;
    let script = script.display();
    let root = site.root().display().to_string();
    site.write("htdocs/doc.own", "a document")?;
    site.write("htdocs/noexec/doc.own", "a document")?;
    site.write("apps/broken.py", "raise ValueError('broken handler')\n")?;
    site.write("apps/empty.py", "application = None\n")?;
    site.write("apps/fixed.py", "def application_group(environ): return 'fixed'\n")?;
    let other = site.write(
        "apps/other.py",
        "def handle_request(environ, start_response):\n    start_response('200 OK', [])\n    return [b'other']\n",
    )?;
    site.config(format!(
        "WSGIDaemonProcess one threads=2\n\
         WSGIHandlerScript compat-own {script}\n\
         WSGIHandlerScript compat-daemon {script} process-group=one application-group=%{{GLOBAL}} pass-authorization=On\n\
         WSGIHandlerScript compat-env {script} process-group=%{{ENV:COMPAT}} application-group=%{{SERVER}}\n\
         WSGIHandlerScript compat-broken {root}/apps/broken.py\n\
         WSGIHandlerScript compat-missing {root}/apps/nothing.py\n\
         WSGIHandlerScript compat-empty {root}/apps/empty.py\n\
         AddHandler compat-own .own\n\
         WSGIScriptAlias /aliased {script}\n\
         <Directory {root}/htdocs/noexec>\nOptions None\n</Directory>\n\
         <Location /aliased>\nSetHandler compat-daemon\n</Location>\n\
         <Location /daemon>\nSetHandler compat-daemon\n</Location>\n\
         <Location /env>\nSetEnv COMPAT one\nSetHandler compat-env\n</Location>\n\
         <Location /broken>\nSetHandler compat-broken\n</Location>\n\
         <Location /missing>\nSetHandler compat-missing\n</Location>\n\
         <Location /empty>\nSetHandler compat-empty\n</Location>\n\
         <Location /unknown>\nSetHandler compat-unknown\n</Location>\n\
         <Location /place>\nWSGIProcessGroup one\nWSGIApplicationGroup placed\nWSGIPassAuthorization On\n\
         WSGICallableObject application\nSetHandler compat-own\n</Location>\n\
         <Location /dispatched>\nWSGIDispatchScript {root}/apps/fixed.py\nSetHandler compat-own\n</Location>\n\
         <Location /redefined>\nWSGIHandlerScript compat-own {other}\nSetHandler compat-own\n</Location>",
        other = other.display(),
    ));
    Ok(())
}

/// Asks, and checks that `handle_request` answers and tells these values.
fn told(context: &Context, path: &str, expected: &[(&str, &str)]) -> Outcome {
    let told = json(&context.ask("GET", path, &["Authorization: Basic eDp5"], b"")?)?;
    assert_eq!(told["by"], "handle_request", "{path}: {told}");
    for (key, value) in expected {
        assert_eq!(told[*key], *value, "{path}: {key} in {told}");
    }
    Ok(())
}

fn script(context: &Context) -> String {
    context.path("apps/route.wsgi").display().to_string()
}

fn add_handler(context: &Context) -> Outcome {
    let group = format!("localhost:{}|/doc.own", context.apache.port());
    let script = script(context);
    let expected = [
        ("file", "doc.own"),
        ("SCRIPT_NAME", "/doc.own"),
        ("PATH_INFO", "/more"),
        ("mod_wsgi.request_handler", "compat-own"),
        ("mod_wsgi.handler_script", &script),
        ("mod_wsgi.callable_object", "handle_request"),
        ("mod_wsgi.process_group", ""),
        ("mod_wsgi.application_group", &group),
    ];
    told(context, "/doc.own/more", &expected)?;
    let told = json(&context.get("/doc.own")?)?;
    assert_eq!(told["HTTP_AUTHORIZATION"], serde_json::Value::Null);
    Ok(())
}

fn virtual_file(context: &Context) -> Outcome {
    told(context, "/nothing.own", &[("SCRIPT_NAME", "/nothing.own"), ("PATH_INFO", "")])
}

fn set_handler(context: &Context) -> Outcome {
    let expected = [
        ("SCRIPT_NAME", "/daemon"),
        ("PATH_INFO", "/a/b"),
        ("mod_wsgi.process_group", "one"),
        ("mod_wsgi.application_group", ""),
        ("HTTP_AUTHORIZATION", "Basic eDp5"),
    ];
    told(context, "/daemon/a/b", &expected)
}

fn expanded_options(context: &Context) -> Outcome {
    let server = format!("localhost:{}", context.apache.port());
    let expected = [("mod_wsgi.process_group", "one"), ("mod_wsgi.application_group", &server)];
    told(context, "/env", &expected)
}

fn directives_of_the_place(context: &Context) -> Outcome {
    let expected = [
        ("mod_wsgi.process_group", "one"),
        ("mod_wsgi.application_group", "placed"),
        ("HTTP_AUTHORIZATION", "Basic eDp5"),
    ];
    told(context, "/place", &expected)
}

fn callable(context: &Context) -> Outcome {
    told(context, "/place", &[("by", "handle_request")])
}

fn dispatched(context: &Context) -> Outcome {
    told(context, "/dispatched", &[("mod_wsgi.application_group", "fixed")])
}

fn exec_cgi(context: &Context) -> Outcome {
    told(context, "/noexec/doc.own", &[("SCRIPT_NAME", "/noexec/doc.own")])
}

fn within_an_alias(context: &Context) -> Outcome {
    let expected = [
        ("SCRIPT_NAME", "/aliased"),
        ("PATH_INFO", "/x"),
        ("mod_wsgi.process_group", "one"),
        ("mod_wsgi.request_handler", "compat-daemon"),
    ];
    told(context, "/aliased/x", &expected)
}

fn missing_or_broken(context: &Context) -> Outcome {
    assert_eq!(context.status("/broken")?, 500);
    context.log().wait_for("ValueError: broken handler", SOON)?;
    assert_eq!(context.status("/missing")?, 500);
    context.log().wait_for("apps/nothing.py'", SOON)?;
    Ok(())
}

fn without_function(context: &Context) -> Outcome {
    assert_eq!(context.status("/empty")?, 404);
    context.log().wait_for("does not contain WSGI application 'handle_request'", SOON)?;
    Ok(())
}

fn bodies(context: &Context) -> Outcome {
    let told = json(&context.post("/doc.own", b"abcdef")?)?;
    assert_eq!((&told["REQUEST_METHOD"], &told["read"]), (&"POST".into(), &6.into()));
    let chunked = context.ask("POST", "/doc.own", &["Transfer-Encoding: chunked"], b"0\r\n\r\n")?;
    assert_eq!(chunked.status, 411);
    Ok(())
}

fn redefined(context: &Context) -> Outcome {
    assert_eq!(context.get("/redefined")?.text(), "other");
    Ok(())
}

fn unknown_handler(context: &Context) -> Outcome {
    assert_eq!(context.status("/unknown")?, 404);
    Ok(())
}

fn restricted(site: &mut Site) -> Outcome {
    site.module("setenvif");
    let script = super::app(site, "route.wsgi")?;
    let script = script.display();
    site.config(format!(
        "WSGIDaemonProcess one threads=2\nWSGIDaemonProcess two threads=2\nWSGIDaemonProcess three\n\
         WSGIScriptAlias /one {script} process-group=one\nWSGIScriptAlias /two {script} process-group=two\n\
         WSGIScriptAlias /embedded {script} process-group=%{{GLOBAL}}\nWSGIScriptAlias /inner {script}\n\
         WSGIRestrictProcess one three\n\
         SetEnvIf X-Group (.+) COMPAT=$1\n\
         <Location /inner>\nWSGIProcessGroup %{{ENV:COMPAT}}\nWSGIRestrictProcess two %{{GLOBAL}}\n</Location>"
    ));
    Ok(())
}

fn group(context: &Context, path: &str, group: &str) -> Result<u16, libtest_mimic::Failed> {
    Ok(context.ask("GET", path, &[&format!("X-Group: {group}")], b"")?.status)
}

fn listed(context: &Context) -> Outcome {
    assert_eq!(context.status("/one")?, 200);
    assert_eq!(context.status("/two")?, 500);
    context.log().wait_for("WSGI0149", SOON)?;
    Ok(())
}

fn inner_list(context: &Context) -> Outcome {
    assert_eq!(group(context, "/inner", "two")?, 200);
    assert_eq!(group(context, "/inner", "one")?, 500);
    assert_eq!(group(context, "/inner", "unknown")?, 500);
    assert_eq!(context.status("/inner")?, 500);
    Ok(())
}

fn embedded_listed(context: &Context) -> Outcome {
    assert_eq!(context.status("/embedded")?, 500);
    assert_eq!(group(context, "/inner", "%{GLOBAL}")?, 200);
    Ok(())
}

fn refused_handler(server: &Server) -> Outcome {
    for line in [
        "WSGIHandlerScript",
        "WSGIHandlerScript name",
        "WSGIHandlerScript name /srv/a.py callable-object=x",
        "WSGIHandlerScript name /srv/a.py process-group=",
        "WSGIHandlerScript name /srv/a.py pass-authorization=perhaps",
        "WSGIHandlerScript name /srv/a.py more",
    ] {
        super::refused(server, line, "WSGIHandlerScript")?;
    }
    Ok(())
}

fn refused_flags(server: &Server) -> Outcome {
    super::refused(server, "WSGICaseSensitivity Perhaps", "WSGICaseSensitivity")?;
    super::refused(server, "WSGIIgnoreActivity Perhaps", "WSGIIgnoreActivity")?;
    let inside = "<VirtualHost *:80>\nWSGICaseSensitivity On\n</VirtualHost>";
    super::refused(server, inside, "WSGICaseSensitivity")
}

fn refused_alias_options(server: &Server) -> Outcome {
    for option in [
        "process-group=",
        "application-group=",
        "callable-object=",
        "pass-authorization=perhaps",
        "process-group",
        "map-head-to-get=On",
        "script-reloading=Off",
        "more",
    ] {
        let line = format!("WSGIScriptAlias /x /srv/x.wsgi {option}");
        super::refused(server, &line, "WSGIScriptAlias")?;
        let line = format!("WSGIScriptAliasMatch ^/x /srv/x.wsgi {option}");
        super::refused(server, &line, "WSGIScriptAliasMatch")?;
    }
    Ok(())
}

fn refused_import_options(server: &Server) -> Outcome {
    for options in [
        "process-group=%{GLOBAL}",
        "application-group=%{GLOBAL}",
        "process-group=%{GLOBAL} application-group=x callable-object=y",
        "process-group= application-group=x",
    ] {
        super::refused(
            server,
            &format!("WSGIImportScript /srv/x.py {options}"),
            "WSGIImportScript",
        )?;
    }
    Ok(())
}

/// The names of the modules of two scripts whose paths differ in upper and lower case only.
fn modules(server: &Server, sensitivity: &str) -> Result<(String, String), libtest_mimic::Failed> {
    let mut site = Site::new(server)?;
    let script = super::app(&site, "route.wsgi")?;
    let text = std::fs::read(&script)?;
    let paths = [site.write("apps/Case.wsgi", &text)?, site.write("apps/case.wsgi", &text)?];
    let time = std::time::SystemTime::now();
    for path in &paths {
        std::fs::File::options().write(true).open(path)?.set_modified(time)?;
    }
    site.config(format!(
        "WSGICaseSensitivity {sensitivity}\nWSGIDaemonProcess one\n\
         WSGIProcessGroup one\nWSGIApplicationGroup %{{GLOBAL}}\n\
         WSGIScriptAlias /a {}\nWSGIScriptAlias /b {}",
        paths[0].display(),
        paths[1].display()
    ));
    let apache = site.start()?;
    let context = Context { apache: &apache, server };
    let module = |path| -> Result<String, libtest_mimic::Failed> {
        Ok(context.json(path)?["module"].as_str().unwrap_or_default().to_owned())
    };
    Ok((module("/a")?, module("/b")?))
}

/// The process is replaced for inactivity while requests keep coming.
fn ignored_requests(server: &Server) -> Outcome {
    let mut site = Site::new(server)?;
    let script = super::app(&site, "version.wsgi")?;
    site.config(format!(
        "WSGIDaemonProcess one inactivity-timeout=1\nWSGIProcessGroup one\n\
         WSGIScriptAlias / {}\n<Location /health>\nWSGIIgnoreActivity On\n</Location>",
        script.display()
    ));
    let apache = site.start()?;
    let context = Context { apache: &apache, server };
    // The time begins with a request that counts.
    let first = context.get("/")?.header("X-Pid");
    assert!(first.is_some());
    eventually("another process", || {
        Ok((context.get("/health")?.header("X-Pid") != first).then_some(()))
    })
}

fn case_on(server: &Server) -> Outcome {
    let (one, other) = modules(server, "On")?;
    assert_ne!(one, other);
    Ok(())
}

fn case_off(server: &Server) -> Outcome {
    let (one, other) = modules(server, "Off")?;
    assert_eq!(one, other);
    Ok(())
}
