//! `WSGIAccessScript`.

use super::{ask, broken, called, calls, came_in, common, says, section};
use crate::context::{SOON, eventually};
use crate::suite::Outcome;
use crate::{Context, Suite};
use libtest_mimic::Failed;
use pinion_testbed::{Server, Site};
use serde_json::{Value, json as literal};

const DENIED: (u16, &str) = (403, "WSGI0057: Client denied by server configuration: '");
const OF_PINION: &str = "the original would take its child of Apache down with it";

pub(super) fn suite() -> Suite {
    Suite::new("access_host", site)
        .case("true_lets_in", true_lets_in)
        .case("none_lets_in", none_lets_in)
        .case("false_is_403", false_is_403)
        .case("host_is_the_address", host_is_the_address)
        .case("host_is_the_name_where_it_is_looked_up", host_is_the_name)
        .case("host_is_what_mod_remoteip_says", host_behind_proxy)
        .case("trusted_headers_change_nothing", trusted_headers_change_nothing)
        .case("environ_is_cut_down", environ_is_cut_down)
        .case("environ_has_no_variables_of_setenv", no_setenv)
        .case("environ_does_not_reach_the_application", environ_stays)
        .case("mod_ssl_that_is_not_loaded_knows_nothing", no_mod_ssl)
        .case("environ_of_a_post", environ_of_a_post)
        .case("environ_shows_the_method_as_sent", method_as_sent)
        .case("plain_files_are_guarded", plain_files)
        .case("daemons_are_guarded", daemons)
        .case("sub_requests_are_asked_for", sub_requests)
        .case("rewritten_requests_are_asked_for_once", rewritten)
        .case("missing_files_are_asked_for_once", missing_file)
        .case("wrong_types_are_403", wrong_types)
        .case("failures_are_403", failures)
        .case("exceptions_are_403", exceptions)
        .case("sys_exit_is_403", sys_exit)
        .case("a_worker_that_dies_is_403", dies)
        .only_pinion(OF_PINION)
        .case("output_is_logged_as_the_files", output_is_logged)
        .case("application_group_of_the_script", application_group)
        .case("satisfy_any_needs_one", satisfy_any)
        .case("satisfy_all_needs_both", satisfy_all)
        .case("inner_sections_override", inner_sections)
        .case("htaccess_needs_auth_config", htaccess)
}

pub(super) fn alone() -> Suite {
    Suite::alone("access_host_alone")
        .solo("a_changed_script_is_reloaded", reloaded)
        .solo("the_request_that_notices_a_change_gets_the_new_answer", noticing)
        .solo("a_removed_script_denies", removed)
        .solo("mod_ssl_without_encryption", mod_ssl_in_the_clear)
        .solo("a_slow_script_is_403", slow)
        .only_pinion("the original waits for ever")
        .solo("restrict_embedded_keeps_access_scripts", restrict_embedded)
}

fn site(site: &mut Site) -> Outcome {
    let guard = common(site)?;
    let (guard, root) = (guard.display(), site.root().display().to_string());
    for module in ["remoteip", "rewrite", "access_compat"] {
        site.module(module);
    }
    let script = format!("WSGIAccessScript {guard}");
    let paths = ["/app/guarded", "/daemon/guarded", "/static", "/app/outer", "/nowhere"];
    paths.iter().for_each(|path| _ = site.config(section(path, &script)));
    site.config(section("/app/named", &format!("{script}\nHostnameLookups On")));
    let headers = "WSGITrustedProxyHeaders X-Forwarded-For X-Script-Name X-Real-IP";
    site.config(section("/app/proxied", &format!("{script}\n{headers}")));
    for (path, group) in [("own", "own"), ("server", "%{SERVER}"), ("global", "%{GLOBAL}")] {
        let lines = format!("{script} application-group={group}");
        site.config(section(&format!("/app/group-{path}"), &lines));
    }
    site.config(section(
        "/app/group-resource",
        &format!("{script} application-group=%{{RESOURCE}}"),
    ));
    for name in broken() {
        let lines = format!("WSGIAccessScript {root}/apps/{name}.py");
        site.config(section(&format!("/app/{name}"), &lines));
    }
    let empty = format!("WSGIAccessScript {root}/apps/empty.py");
    site.config(section("/app/outer/inner", &empty));
    let password = format!(
        "AuthType Basic\nAuthName x\nAuthBasicProvider wsgi\nWSGIAuthUserScript {guard}\n\
         Require valid-user\n{script}"
    );
    site.config(section("/app/any", &format!("{password}\nSatisfy Any")));
    site.config(section("/app/all", &password));
    for name in ["auth", "info"] {
        site.write(&format!("htdocs/{name}/page.html"), "a page")?;
        site.write(&format!("htdocs/{name}/.htaccess"), format!("{script}\n"))?;
    }
    site.config(format!(
        "<Directory {root}/htdocs/auth>\nAllowOverride AuthConfig\n</Directory>\n\
         <Directory {root}/htdocs/info>\nAllowOverride FileInfo\n</Directory>\n\
         RewriteEngine On\nRewriteRule ^/turned/(.*) /static/$1 [PT]\n\
         RemoteIPHeader X-Remote\nRemoteIPInternalProxy 127.0.0.1"
    ));
    Ok(())
}

/// The only call for a request that is let in.
fn one_call(context: &Context, path: &str, headers: &[&str]) -> Result<Value, Failed> {
    let (answer, mark) = ask(context, path, &[], headers)?;
    assert_eq!(answer.status, 200, "{path}");
    let mut found = calls(context, &mark)?;
    assert_eq!(found.len(), 1, "{path}: {found:?}");
    Ok(found.remove(0))
}

fn true_lets_in(context: &Context) -> Outcome {
    let (answer, mark) = ask(context, "/app/guarded", &[("access", "True")], &[])?;
    assert_eq!(came_in(&answer)?["PATH_INFO"], "/guarded");
    assert_eq!(came_in(&answer)?["REMOTE_USER"], Value::Null);
    assert_eq!(called(context, &mark)?, ["allow_access"]);
    Ok(())
}

fn none_lets_in(context: &Context) -> Outcome {
    let (answer, _) = ask(context, "/app/guarded", &[("access", "None")], &[])?;
    assert_eq!(answer.status, 200);
    Ok(())
}

fn false_is_403(context: &Context) -> Outcome {
    says(context, "/app/guarded", &[("access", "False")], &[], DENIED)
}

fn host_is_the_address(context: &Context) -> Outcome {
    let call = one_call(context, "/app/guarded", &[])?;
    assert_eq!(call["called"][1], literal!(["127.0.0.1"]));
    Ok(())
}

fn host_is_the_name(context: &Context) -> Outcome {
    let call = one_call(context, "/app/named", &[])?;
    // Where the system knows no name for the address, both are absent or the address.
    let name = call["REMOTE_HOST"][1].as_str().unwrap_or("127.0.0.1");
    assert_eq!(call["called"][1], literal!([name]));
    Ok(())
}

fn host_behind_proxy(context: &Context) -> Outcome {
    let call = one_call(context, "/app/guarded", &["X-Remote: 192.0.2.7"])?;
    assert_eq!(call["called"][1], literal!(["192.0.2.7"]));
    assert_eq!(call["REMOTE_ADDR"][1], "192.0.2.7");
    Ok(())
}

fn trusted_headers_change_nothing(context: &Context) -> Outcome {
    let headers = ["X-Forwarded-For: 192.0.2.7", "X-Script-Name: /s", "X-Real-IP: 1.1.1.1"];
    let call = one_call(context, "/app/proxied", &headers)?;
    assert_eq!(call["called"][1], literal!(["127.0.0.1"]));
    assert_eq!(
        (&call["REMOTE_ADDR"][1], &call["SCRIPT_NAME"][1]),
        (&"127.0.0.1".into(), &"/app".into())
    );
    assert_eq!(call["HTTP_X_REAL_IP"][1], "1.1.1.1");
    Ok(())
}

fn environ_is_cut_down(context: &Context) -> Outcome {
    let call = one_call(context, "/app/guarded/path", &["X-Own: v", "Authorization: Basic eDp5"])?;
    for (key, expected) in [
        ("REQUEST_METHOD", "GET"),
        ("SCRIPT_NAME", "/app"),
        ("PATH_INFO", "/guarded/path"),
        ("SERVER_PROTOCOL", "HTTP/1.1"),
        ("SERVER_NAME", "localhost"),
        ("REMOTE_ADDR", "127.0.0.1"),
        ("HTTP_HOST", "localhost"),
        ("HTTP_X_OWN", "v"),
        ("mod_wsgi.process_group", ""),
        ("mod_wsgi.application_group", ""),
    ] {
        assert_eq!(call[key], literal!(["str", expected]), "{key}");
    }
    for key in ["QUERY_STRING", "REQUEST_URI", "SERVER_PORT", "SERVER_SOFTWARE", "DOCUMENT_ROOT"] {
        assert_eq!(call[key][0], "str", "{key}");
    }
    assert_eq!(call["mod_wsgi.version"], literal!(["tuple", [6, 1, 1]]));
    assert_eq!(call["apache.version"][0], "tuple");
    for key in [
        "wsgi.input",
        "wsgi.version",
        "wsgi.url_scheme",
        "wsgi.file_wrapper",
        "mod_wsgi.request_id",
        "mod_wsgi.callable_object",
        "HTTP_AUTHORIZATION",
        "REMOTE_USER",
        "REQUEST_SCHEME",
        "SCRIPT_FILENAME",
        "CONTEXT_PREFIX",
        "CONTEXT_DOCUMENT_ROOT",
        "PATH",
    ] {
        assert_eq!(call[key], Value::Null, "{key}");
    }
    Ok(())
}

fn no_setenv(context: &Context) -> Outcome {
    let call = one_call(context, "/app/guarded", &["X-If: something"])?;
    assert_eq!(call["HTTP_X_IF"][1], "something");
    assert_eq!((&call["COMPAT_SET"], &call["COMPAT_IF"]), (&Value::Null, &Value::Null));
    Ok(())
}

fn environ_stays(context: &Context) -> Outcome {
    let (answer, _) = ask(context, "/app/guarded", &[], &[])?;
    assert_eq!(came_in(&answer)?["X_LEFT"], Value::Null);
    Ok(())
}

/// What `told` gives for the names, as Python writes it.
fn by_mod_ssl(context: &Context, path: &str, expression: &str, shown: &str) -> Outcome {
    let query = [("access", format!("({expression}) == {shown}"))];
    let query = query.each_ref().map(|(name, value)| (*name, value.as_str()));
    let (answer, _) = ask(context, path, &query, &[])?;
    assert_eq!(answer.status, 200, "{expression} is not {shown}");
    Ok(())
}

const LOOKUP: &str = "environ['mod_ssl.var_lookup']";

fn no_mod_ssl(context: &Context) -> Outcome {
    by_mod_ssl(context, "/app/guarded", "environ['mod_ssl.is_https']()", "0")?;
    by_mod_ssl(context, "/app/guarded", &format!("{LOOKUP}('SSL_CLIENT_CERT')"), "None")?;
    let wrong = [("access", format!("{LOOKUP}()"))];
    let wrong = wrong.each_ref().map(|(name, value)| (*name, value.as_str()));
    says(context, "/app/guarded", &wrong, &[], (403, "TypeError: ssl_var_lookup() takes"))
}

fn mod_ssl_in_the_clear(server: &Server) -> Outcome {
    let mut site = Site::new(server)?;
    site.module("socache_shmcb").module("ssl");
    let guard = common(&mut site)?;
    site.config(section("/app", &format!("WSGIAccessScript {}", guard.display())));
    let apache = site.start()?;
    let context = Context { apache: &apache, server };
    by_mod_ssl(&context, "/app", "environ['mod_ssl.is_https']()", "0")?;
    for (name, value) in [
        ("'SSL_CLIENT_CERT'", "''"),
        ("b'SSL_PROTOCOL'", "''"),
        ("'NOPE'", "''"),
        ("'HTTPS'", "'off'"),
        ("'REMOTE_ADDR'", "'127.0.0.1'"),
        ("'HTTP_HOST'", "'localhost'"),
    ] {
        by_mod_ssl(&context, "/app", &format!("{LOOKUP}({name})"), value)?;
    }
    Ok(())
}

fn environ_of_a_post(context: &Context) -> Outcome {
    let mark = super::mark();
    let path = format!("/app/guarded?mark={mark}");
    let headers = ["Content-Length: 3", "Content-Type: text/x"];
    assert_eq!(context.ask("POST", &path, &headers, b"abc")?.status, 200);
    let call = &calls(context, &mark)?[0];
    assert_eq!(call["CONTENT_LENGTH"][1], "3");
    assert_eq!(call["CONTENT_TYPE"][1], "text/x");
    assert_eq!(call["REQUEST_METHOD"][1], "POST");
    Ok(())
}

fn method_as_sent(context: &Context) -> Outcome {
    let mark = super::mark();
    context.ask("HEAD", &format!("/app/guarded?mark={mark}"), &[], b"")?;
    assert_eq!(calls(context, &mark)?[0]["REQUEST_METHOD"][1], "HEAD");
    Ok(())
}

fn plain_files(context: &Context) -> Outcome {
    let call = one_call(context, "/static/page.html", &[])?;
    assert_eq!(call["SCRIPT_NAME"][1], "/static/page.html");
    assert_eq!(call["PATH_INFO"][1], "");
    says(
        context,
        "/static/page.html",
        &[("access", "False")],
        &[],
        (403, "/htdocs/static/page.html'"),
    )
}

fn daemons(context: &Context) -> Outcome {
    let (answer, mark) = ask(context, "/daemon/guarded", &[], &[])?;
    assert_eq!(came_in(&answer)?["mod_wsgi.process_group"], "one");
    assert_eq!(calls(context, &mark)?[0]["mod_wsgi.process_group"][1], "");
    says(context, "/daemon/guarded", &[("access", "False")], &[], DENIED)
}

/// For the folder, and for the index in it.
fn sub_requests(context: &Context) -> Outcome {
    let (answer, mark) = ask(context, "/static/folder/", &[], &[])?;
    assert_eq!((answer.status, answer.text()), (200, "an index".into()));
    assert_eq!(called(context, &mark)?.len(), 2);
    Ok(())
}

fn rewritten(context: &Context) -> Outcome {
    let call = one_call(context, "/turned/page.html", &[])?;
    assert_eq!(call["SCRIPT_NAME"][1], "/static/page.html");
    Ok(())
}

fn missing_file(context: &Context) -> Outcome {
    let (answer, mark) = ask(context, "/nowhere", &[], &[])?;
    assert_eq!(answer.status, 404);
    assert_eq!(called(context, &mark)?.len(), 1);
    Ok(())
}

fn wrong_types(context: &Context) -> Outcome {
    for value in ["1", "0", "'yes'", "b''", "[]", "[True]", "object()", "{}"] {
        let query = [("access", value)];
        let line = "/apps/guard.py' must be a boolean or None.";
        says(context, "/app/guarded", &query, &[], (403, line))?;
        says(context, "/app/guarded", &query, &[], (403, "WSGI0055: Result returned from"))?;
    }
    Ok(())
}

fn failures(context: &Context) -> Outcome {
    for name in broken() {
        says(context, &format!("/app/{name}"), &[], &[], DENIED)?;
    }
    let line = "WSGI0056: Target WSGI host access script '";
    says(context, "/app/empty", &[], &[], (403, line))?;
    says(context, "/app/empty", &[], &[], (403, "does not provide 'allow_access' callable."))?;
    says(context, "/app/number", &[], &[], (403, "TypeError: 'int' object is not callable"))
}

fn exceptions(context: &Context) -> Outcome {
    let query = [("access", "fail('raise')")];
    says(context, "/app/guarded", &query, &[], (403, "ValueError: compat guard raised"))?;
    says(context, "/app/guarded", &query, &[], (403, "WSGI0174: "))?;
    says(context, "/app/guarded", &query, &[], DENIED)
}

fn sys_exit(context: &Context) -> Outcome {
    says(context, "/app/guarded", &[("access", "fail('exit')")], &[], DENIED)?;
    says(context, "/app/guarded", &[("access", "fail('exit')")], &[], (403, "WSGI0175: "))?;
    let (answer, _) = ask(context, "/app/guarded", &[], &[])?;
    assert_eq!(answer.status, 200);
    Ok(())
}

fn dies(context: &Context) -> Outcome {
    let query = [("access", "fail('kill')")];
    says(context, "/app/guarded", &query, &[], (403, "killed by SIGKILL"))?;
    says(context, "/app/guarded", &query, &[], DENIED)?;
    // Those that are asked next are none the worse.
    let (answer, _) = ask(context, "/app/guarded", &[], &[])?;
    assert_eq!(answer.status, 200);
    Ok(())
}

fn output_is_logged(context: &Context) -> Outcome {
    let (_, mark) = ask(context, "/static/page.html", &[], &[])?;
    let text = context.log().text();
    let of_mark = |line: &&str| line.contains("compat:{") && line.contains(&mark);
    let line = text.lines().find(of_mark).unwrap_or_default();
    let page = context.path("htdocs/static/page.html");
    let prefix = format!("[script {}] compat:", page.display());
    assert!(line.contains("[client 127.0.0.1:") && line.contains(&prefix), "{line}");
    Ok(())
}

fn application_group(context: &Context) -> Outcome {
    for (path, group) in
        [("own", "own"), ("server", "localhost"), ("global", ""), ("resource", "%{RESOURCE}")]
    {
        let call = one_call(context, &format!("/app/group-{path}"), &[])?;
        let shown = call["mod_wsgi.application_group"][1].as_str().unwrap_or("absent");
        assert_eq!(shown.split(':').next(), Some(group), "{path}");
    }
    Ok(())
}

fn satisfy_any(context: &Context) -> Outcome {
    let spy = super::basic("spy", "secret");
    let deny = [("access", "False")];
    assert_eq!(ask(context, "/app/any", &[], &[])?.0.status, 200);
    assert_eq!(ask(context, "/app/any", &deny, &[&spy])?.0.status, 200);
    assert_eq!(ask(context, "/app/any", &deny, &[])?.0.status, 401);
    Ok(())
}

fn satisfy_all(context: &Context) -> Outcome {
    let spy = super::basic("spy", "secret");
    assert_eq!(ask(context, "/app/all", &[], &[&spy])?.0.status, 200);
    assert_eq!(ask(context, "/app/all", &[], &[])?.0.status, 401);
    says(context, "/app/all", &[("access", "False")], &[&spy], DENIED)
}

fn inner_sections(context: &Context) -> Outcome {
    assert_eq!(ask(context, "/app/outer", &[], &[])?.0.status, 200);
    assert_eq!(ask(context, "/app/outer/inner", &[], &[])?.0.status, 403);
    Ok(())
}

fn htaccess(context: &Context) -> Outcome {
    one_call(context, "/auth/page.html", &[])?;
    assert_eq!(ask(context, "/auth/page.html", &[("access", "False")], &[])?.0.status, 403);
    assert_eq!(ask(context, "/info/page.html", &[], &[])?.0.status, 500);
    Ok(())
}

fn reloaded(server: &Server) -> Outcome {
    let mut site = Site::new(server)?;
    site.one_child();
    site.write("htdocs/page.html", "a page")?;
    let script = site.write("apps/turn.py", "def allow_access(environ, host): return False\n")?;
    site.config(section("/page.html", &format!("WSGIAccessScript {}", script.display())));
    let apache = site.start()?;
    let context = Context { apache: &apache, server };
    assert_eq!(context.status("/page.html")?, 403);
    std::fs::write(&script, "def allow_access(environ, host): return True\n")?;
    eventually("the changed script", || Ok((context.status("/page.html")? == 200).then_some(())))
}

fn noticing(server: &Server) -> Outcome {
    let mut site = Site::new(server)?;
    // In the original, each child has its own; Pinion's several workers know no children.
    site.one_child();
    site.write("htdocs/page.html", "a page")?;
    let text = |allow: &str| format!("def allow_access(environ, host): return {allow}\n");
    let script = site.write("apps/turn.py", text("False"))?;
    site.config(section("/page.html", &format!("WSGIAccessScript {}", script.display())));
    let apache = site.start()?;
    let context = Context { apache: &apache, server };
    assert_eq!(context.status("/page.html")?, 403);
    let begun = std::time::SystemTime::now();
    for (number, (allow, status)) in
        [("True", 200), ("False", 403)].into_iter().cycle().take(8).enumerate()
    {
        let part = script.with_extension("part");
        std::fs::write(&part, text(allow))?;
        // The kernel's clock for files ticks coarsely.
        let time = begun + std::time::Duration::from_secs(number as u64 + 1);
        std::fs::File::options().write(true).open(&part)?.set_modified(time)?;
        std::fs::rename(&part, &script)?;
        assert_eq!(context.status("/page.html")?, status, "change {number}");
    }
    Ok(())
}

fn removed(server: &Server) -> Outcome {
    let mut site = Site::new(server)?;
    site.one_child();
    site.write("htdocs/page.html", "a page")?;
    let script = site.write("apps/gone.py", "def allow_access(environ, host): return True\n")?;
    site.config(section("/page.html", &format!("WSGIAccessScript {}", script.display())));
    let apache = site.start()?;
    let context = Context { apache: &apache, server };
    assert_eq!(context.status("/page.html")?, 200);
    std::fs::remove_file(&script)?;
    assert_eq!(context.status("/page.html")?, 403);
    Ok(())
}

fn slow(server: &Server) -> Outcome {
    let mut site = Site::new(server)?;
    site.write("htdocs/page.html", "a page")?;
    let text = "import time\ndef allow_access(environ, host): time.sleep(60)\n";
    let script = site.write("apps/slow.py", text)?;
    site.config("Timeout 1");
    site.config(section("/page.html", &format!("WSGIAccessScript {}", script.display())));
    let apache = site.start()?;
    let context = Context { apache: &apache, server };
    assert_eq!(context.status("/page.html")?, 403);
    context.log().wait_for("WSGI0057", SOON)?;
    Ok(())
}

fn restrict_embedded(server: &Server) -> Outcome {
    let mut site = Site::new(server)?;
    site.write("htdocs/page.html", "a page")?;
    let script = site.write("apps/no.py", "def allow_access(environ, host): return False\n")?;
    site.config("WSGIRestrictEmbedded On");
    site.config(section("/page.html", &format!("WSGIAccessScript {}", script.display())));
    let apache = site.start()?;
    let context = Context { apache: &apache, server };
    assert_eq!(context.status("/page.html")?, 403);
    Ok(())
}
