//! The ways on which requests reach scripts: other modules, sections, `.htaccess` files, subrequests and
//! internal redirects.

use crate::context::{SOON, json};
use crate::suite::Outcome;
use crate::{Context, Suite};
use libtest_mimic::Failed;
use pinion_testbed::Site;
use serde_json::Value;

pub(super) fn suites() -> Vec<Suite> {
    let embedded = common(Suite::new("route_embedded", embedded))
        .case("error_override_has_no_effect", error_override_embedded)
        .case("local_location_goes_to_the_client", location_embedded);
    let daemon = common(Suite::new("route_daemon", daemon))
        .case("error_override_sends_the_error_document", error_override_daemon)
        .case("local_location_is_followed_as_a_get", location_daemon)
        .case("location_of_a_static_file_is_sent", location_of_a_file);
    vec![embedded, daemon]
}

fn common(suite: Suite) -> Suite {
    suite
        .case("alias_before_script_alias", alias_first)
        .case("redirect_before_script_alias", redirect_first)
        .case("rewrite_passes_through", rewrite_passes)
        .case("rewrite_sets_variables", rewrite_sets_variables)
        .case("rewrite_names_the_handler", rewrite_names_the_handler)
        .case("rewrite_forbids_and_goes", rewrite_forbids)
        .case("rewrite_in_a_folder", rewrite_in_a_folder)
        .case("directory_index_and_slash", directory_index)
        .case("fallback_resource", fallback_resource)
        .case("negotiated_scripts_get_no_request", negotiation)
        .case("autoindex_lists_scripts", autoindex)
        .case("included_scripts", included)
        .case("htaccess", htaccess)
        .case("htaccess_without_override", htaccess_without_override)
        .case("files_section", files_section)
        .case("location_section_and_if", location_section)
        .case("location_with_a_handler", location_with_a_handler)
        .case("media_type_of_the_original", media_type)
        .case("exec_cgi_is_needed_by_handlers_alone", exec_cgi)
        .case("accept_path_info_off", accept_path_info_off)
        .case("error_document_by_a_script", error_document)
        .case("error_document_keeps_the_method", error_document_post)
        .case("denied_and_limited", denied)
        .case("another_handler_wins", another_handler)
        .case("action", action)
        .case("methods", methods)
        .case("encoded_slash_is_404", encoded_slash)
        .case("x_sendfile_is_a_header", x_sendfile)
}

fn embedded(site: &mut Site) -> Outcome {
    describe(site)
}

fn daemon(site: &mut Site) -> Outcome {
    site.config("WSGIDaemonProcess route threads=3\nWSGIProcessGroup route");
    describe(site)
}

fn describe(site: &mut Site) -> Outcome {
    for module in ["rewrite", "include", "negotiation", "autoindex", "actions", "setenvif"] {
        site.module(module);
    }
    let script = super::app(site, "route.wsgi")?;
    let text = std::fs::read(&script)?;
    for file in [
        "index/index.wsgi",
        "noslash/index.wsgi",
        "fall/index.wsgi",
        "negotiated/page.wsgi",
        "listed/one.wsgi",
        "own/a.pyx",
        "own/index.wsgi",
        "closed/b.pyx",
        "files/special.py",
        "files/other.py",
        "media/m.pyw",
        "plain/c.wsgi",
        "cut/index.wsgi",
        "front/app.wsgi",
        "errors/there.wsgi",
    ] {
        site.write(&format!("htdocs/{file}"), &text)?;
    }
    for (file, text) in [
        ("index/static.txt", "static"),
        ("front/static.txt", "in front"),
        (
            "pages/page.shtml",
            "[<!--#include virtual=\"/app/inc?x=1\" -->][<!--#include virtual=\"/index/\" -->]",
        ),
        (
            "own/.htaccess",
            "SetEnv COMPAT own\nAddHandler wsgi-script .pyx\nWSGIPassAuthorization On\nWSGICallableObject handle_request\n",
        ),
        ("closed/.htaccess", "AddHandler wsgi-script .pyx\n"),
    ] {
        site.write(&format!("htdocs/{file}"), text)?;
    }
    let root = site.root().display().to_string();
    site.config(
        CONFIGURATION.replace("{root}", &root).replace("{script}", &script.display().to_string()),
    );
    Ok(())
}

const CONFIGURATION: &str = r#"
AddHandler wsgi-script .wsgi
WSGIScriptAlias /app {script}
Alias /app/static {root}/htdocs/index/static.txt
Redirect /app/redirected /elsewhere
RewriteEngine On
RewriteRule ^/passed/(.*)$ /app/$1?added=1 [PT,QSA]
RewriteRule ^/variable/(.*)$ /app/$1 [PT,E=COMPAT:rewritten]
RewriteRule ^/handled/(.*)$ {script}/$1 [H=wsgi-script]
RewriteRule ^/forbidden - [F]
RewriteRule ^/app/gone - [G]
<Directory {root}/htdocs>
Options +ExecCGI
</Directory>
<Directory {root}/apps>
Options +ExecCGI
</Directory>
<Directory {root}/htdocs/front>
RewriteEngine On
RewriteBase /front
RewriteCond %{REQUEST_FILENAME} !-f
RewriteRule ^(.*)$ app.wsgi/$1 [QSA,L]
</Directory>
<Directory {root}/htdocs/index>
DirectoryIndex index.wsgi
</Directory>
<Directory {root}/htdocs/noslash>
DirectoryIndex index.wsgi
DirectorySlash Off
</Directory>
<Directory {root}/htdocs/fall>
FallbackResource /fall/index.wsgi
</Directory>
<Directory {root}/htdocs/negotiated>
Options +MultiViews
</Directory>
<Directory {root}/htdocs/listed>
Options +Indexes
</Directory>
<Directory {root}/htdocs/pages>
Options +Includes
AddType text/html .shtml
AddOutputFilter INCLUDES .shtml
</Directory>
<Directory {root}/htdocs/own>
AllowOverride FileInfo
</Directory>
<Directory {root}/htdocs/files>
<Files special.py>
SetHandler wsgi-script
WSGIApplicationGroup special
</Files>
</Directory>
<Directory {root}/htdocs/media>
AddType application/x-httpd-wsgi .pyw
</Directory>
<Directory {root}/htdocs/plain>
Options -ExecCGI
</Directory>
<Directory {root}/htdocs/cut>
AcceptPathInfo Off
</Directory>
<Directory {root}/htdocs/errors>
ErrorDocument 404 /app/document?x=1
</Directory>
<Location /app/overridden>
ErrorDocument 404 /app/document
WSGIErrorOverride On
</Location>
<LocationMatch ^/app/matched>
WSGIApplicationGroup matched
</LocationMatch>
<If "%{QUERY_STRING} == 'if=1'">
WSGIApplicationGroup conditional
</If>
<Location /handler>
SetHandler wsgi-script
</Location>
<Location /app/denied>
Require all denied
</Location>
<Location /app/limited>
<LimitExcept GET>
Require all denied
</LimitExcept>
</Location>
<Location /app/default>
SetHandler default-handler
</Location>
Action compat-action /app/action virtual
<Location /acting>
SetHandler compat-action
</Location>
"#;

/// Asks, and checks that the script was reached and tells these values.
fn told(context: &Context, path: &str, expected: &[(&str, &str)]) -> Result<Value, Failed> {
    let told = context.json(path)?;
    check(&told, path, expected);
    Ok(told)
}

fn check(told: &Value, path: &str, expected: &[(&str, &str)]) {
    for (key, value) in expected {
        assert_eq!(told[*key], *value, "{path}: {key} in {told}");
    }
}

fn statuses(context: &Context, expected: &[(&str, u16)]) -> Outcome {
    for (path, status) in expected {
        assert_eq!(context.status(path)?, *status, "{path}");
    }
    Ok(())
}

fn alias_first(context: &Context) -> Outcome {
    assert_eq!(context.get("/app/static")?.text(), "static");
    told(context, "/app/stat", &[("PATH_INFO", "/stat")]).map(drop)
}

fn redirect_first(context: &Context) -> Outcome {
    let answer = context.get("/app/redirected/x")?;
    assert_eq!(answer.status, 302);
    assert!(answer.header("Location").is_some_and(|to| to.ends_with("/elsewhere/x")));
    Ok(())
}

fn rewrite_passes(context: &Context) -> Outcome {
    let expected = [
        ("SCRIPT_NAME", "/app"),
        ("PATH_INFO", "/a/b"),
        ("QUERY_STRING", "added=1&c=d"),
        ("REQUEST_URI", "/passed/a/b?c=d"),
    ];
    told(context, "/passed/a/b?c=d", &expected)?;
    let posted = json(&context.post("/passed/a", b"abcdef")?)?;
    assert_eq!((&posted["REQUEST_METHOD"], &posted["read"]), (&"POST".into(), &6.into()));
    Ok(())
}

fn rewrite_sets_variables(context: &Context) -> Outcome {
    told(context, "/variable/x", &[("COMPAT", "rewritten"), ("PATH_INFO", "/x")]).map(drop)
}

fn rewrite_names_the_handler(context: &Context) -> Outcome {
    let expected = [("SCRIPT_NAME", "/handled"), ("PATH_INFO", "/zz"), ("file", "route.wsgi")];
    told(context, "/handled/zz", &expected).map(drop)
}

fn rewrite_forbids(context: &Context) -> Outcome {
    statuses(context, &[("/forbidden", 403), ("/app/gone", 410)])
}

fn rewrite_in_a_folder(context: &Context) -> Outcome {
    let expected = [
        ("SCRIPT_NAME", "/front/app.wsgi"),
        ("PATH_INFO", "/some/thing"),
        ("QUERY_STRING", "a=b"),
        ("REQUEST_URI", "/front/some/thing?a=b"),
        ("REDIRECT_URL", "/front/some/thing"),
    ];
    told(context, "/front/some/thing?a=b", &expected)?;
    assert_eq!(context.get("/front/static.txt")?.text(), "in front");
    Ok(())
}

fn directory_index(context: &Context) -> Outcome {
    let expected = [
        ("SCRIPT_NAME", "/index/index.wsgi"),
        ("PATH_INFO", ""),
        ("QUERY_STRING", "x=1"),
        ("REQUEST_URI", "/index/?x=1"),
    ];
    told(context, "/index/?x=1", &expected)?;
    assert_eq!(context.status("/index")?, 301);
    told(context, "/noslash/", &[("SCRIPT_NAME", "/noslash/index.wsgi")])?;
    let posted = json(&context.post("/index/", b"abc")?)?;
    assert_eq!((&posted["REQUEST_METHOD"], &posted["read"]), (&"POST".into(), &3.into()));
    Ok(())
}

fn fallback_resource(context: &Context) -> Outcome {
    let expected = [("SCRIPT_NAME", "/fall/index.wsgi"), ("REQUEST_URI", "/fall/nothing/here")];
    told(context, "/fall/nothing/here", &expected).map(drop)
}

/// mod_negotiation knows no language or encoding of a script, and so offers none.
fn negotiation(context: &Context) -> Outcome {
    statuses(context, &[("/negotiated/page", 404), ("/negotiated/page.wsgi", 200)])
}

fn autoindex(context: &Context) -> Outcome {
    let answer = context.get("/listed/")?;
    assert!(answer.status == 200 && answer.text().contains("one.wsgi"), "{}", answer.text());
    Ok(())
}

/// Apache's CGI rules for included documents hold for SCRIPT_NAME, not for the application group.
fn included(context: &Context) -> Outcome {
    let text = context.get("/pages/page.shtml")?.text();
    let parts: Vec<Value> = text
        .trim_matches(['[', ']'])
        .split("][")
        .map(|part| serde_json::from_str(part).map_err(|error| format!("{error}: {text}")))
        .collect::<Result<_, _>>()?;
    let expected = [
        ("SCRIPT_NAME", "/app/inc"),
        ("PATH_INFO", "/inc"),
        ("mod_wsgi.script_name", "/app/inc"),
        ("QUERY_STRING", "x=1"),
        ("REQUEST_URI", "/pages/page.shtml"),
        ("REQUEST_METHOD", "GET"),
    ];
    check(&parts[0], "the first", &expected);
    let group = format!("localhost:{}|/app", context.apache.port());
    check(&parts[0], "the first", &[("mod_wsgi.application_group", &group)]);
    check(&parts[1], "the second", &[("SCRIPT_NAME", "/index/index.wsgi"), ("PATH_INFO", "")]);
    Ok(())
}

fn htaccess(context: &Context) -> Outcome {
    let authorization = "Authorization: Basic eDp5";
    let told = json(&context.ask("GET", "/own/a.pyx/r", &[authorization], b"")?)?;
    let expected = [
        ("by", "handle_request"),
        ("COMPAT", "own"),
        ("SCRIPT_NAME", "/own/a.pyx"),
        ("PATH_INFO", "/r"),
        ("HTTP_AUTHORIZATION", "Basic eDp5"),
    ];
    check(&told, "/own/a.pyx/r", &expected);
    Ok(())
}

fn htaccess_without_override(context: &Context) -> Outcome {
    let text = context.get("/closed/b.pyx")?.text();
    assert!(text.starts_with("\"\"\"Says which way"), "not served as a file: {text}");
    Ok(())
}

fn files_section(context: &Context) -> Outcome {
    let expected = [("mod_wsgi.application_group", "special"), ("PATH_INFO", "/p")];
    told(context, "/files/special.py/p", &expected)?;
    assert!(context.get("/files/other.py")?.text().starts_with("\"\"\""));
    Ok(())
}

fn location_section(context: &Context) -> Outcome {
    told(context, "/app/matched/x", &[("mod_wsgi.application_group", "matched")])?;
    told(context, "/app/x?if=1", &[("mod_wsgi.application_group", "conditional")])?;
    Ok(())
}

fn location_with_a_handler(context: &Context) -> Outcome {
    statuses(context, &[("/handler", 404), ("/handler/x", 404)])?;
    context.log().wait_for("htdocs/handler", SOON)?;
    Ok(())
}

fn media_type(context: &Context) -> Outcome {
    let expected = [("file", "m.pyw"), ("SCRIPT_NAME", "/media/m.pyw"), ("PATH_INFO", "/x")];
    told(context, "/media/m.pyw/x", &expected).map(drop)
}

fn exec_cgi(context: &Context) -> Outcome {
    statuses(context, &[("/plain/c.wsgi", 403), ("/app/x", 200)])
}

fn accept_path_info_off(context: &Context) -> Outcome {
    statuses(context, &[("/cut/index.wsgi", 200), ("/cut/index.wsgi/x", 404)])
}

fn error_document(context: &Context) -> Outcome {
    // The script says 200.
    let told = context.json("/errors/missing?q=2")?;
    let expected = [
        ("REQUEST_METHOD", "GET"),
        ("SCRIPT_NAME", "/app"),
        ("PATH_INFO", "/document"),
        ("QUERY_STRING", "x=1"),
        ("REDIRECT_STATUS", "404"),
        ("REDIRECT_URL", "/errors/missing"),
        ("REQUEST_URI", "/errors/missing?q=2"),
    ];
    check(&told, "/errors/missing", &expected);
    Ok(())
}

fn error_document_post(context: &Context) -> Outcome {
    let told = json(&context.post("/errors/missing", b"abc")?)?;
    check(&told, "POST", &[("REQUEST_METHOD", "GET"), ("REDIRECT_REQUEST_METHOD", "POST")]);
    Ok(())
}

fn denied(context: &Context) -> Outcome {
    statuses(context, &[("/app/denied", 403), ("/app/denied/x", 403), ("/app/limited", 200)])?;
    assert_eq!(context.post("/app/limited", b"x")?.status, 403);
    Ok(())
}

/// The file is there, but what follows it in the path is not.
fn another_handler(context: &Context) -> Outcome {
    statuses(context, &[("/app/default", 404)])
}

fn action(context: &Context) -> Outcome {
    let expected = [("SCRIPT_NAME", "/app"), ("PATH_INFO", "/action/acting/some")];
    told(context, "/acting/some", &expected).map(drop)
}

fn methods(context: &Context) -> Outcome {
    for method in ["OPTIONS", "DELETE", "PATCH", "PROPFIND", "ODD"] {
        let told = json(&context.ask(method, "/app/x", &[], b"")?)?;
        assert_eq!(told["REQUEST_METHOD"], method);
    }
    assert_eq!(
        context.ask("TRACE", "/app/x", &[], b"")?.header("Content-Type").as_deref(),
        Some("message/http")
    );
    Ok(())
}

fn encoded_slash(context: &Context) -> Outcome {
    statuses(context, &[("/app%2Fx", 404), ("/app/a%2Fx", 404), ("/app/%2e%2e/app/x", 200)])
}

fn x_sendfile(context: &Context) -> Outcome {
    let answer = context.get("/app?sendfile=/etc/hostname")?;
    assert_eq!(answer.header("X-Sendfile").as_deref(), Some("/etc/hostname"));
    check(&json(&answer)?, "/app", &[("SCRIPT_NAME", "/app")]);
    Ok(())
}

fn error_override_embedded(context: &Context) -> Outcome {
    let answer = context.get("/app/overridden?status=404")?;
    assert_eq!((answer.status, answer.reason.as_str()), (404, "Own"));
    let told: Value = serde_json::from_slice(&answer.body).map_err(|error| error.to_string())?;
    check(&told, "/app/overridden", &[("PATH_INFO", "/overridden")]);
    Ok(())
}

fn error_override_daemon(context: &Context) -> Outcome {
    let told = context.json("/app/overridden?status=404")?;
    check(&told, "/app/overridden", &[("PATH_INFO", "/document"), ("REDIRECT_STATUS", "404")]);
    Ok(())
}

fn location_embedded(context: &Context) -> Outcome {
    let answer = context.get("/app?location=/app/second")?;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("Location").as_deref(), Some("/app/second"));
    Ok(())
}

/// Whatever the method was, and with nothing left of a body.
fn location_daemon(context: &Context) -> Outcome {
    let expected =
        [("PATH_INFO", "/second"), ("REQUEST_METHOD", "GET"), ("REDIRECT_REQUEST_METHOD", "GET")];
    let answer = context.get("/app?location=/app/second")?;
    assert_eq!(answer.header("Location"), None);
    check(&json(&answer)?, "GET", &expected);
    let told = json(&context.post("/app?location=/app/second", b"abcdef")?)?;
    check(&told, "POST", &[("REQUEST_METHOD", "GET"), ("REDIRECT_REQUEST_METHOD", "POST")]);
    assert_eq!(told["read"], 0);
    for key in ["CONTENT_LENGTH", "REDIRECT_PATH"] {
        assert!(told[key].as_str().unwrap_or_default().is_empty(), "{key}: {told}");
    }
    Ok(())
}

fn location_of_a_file(context: &Context) -> Outcome {
    assert_eq!(context.get("/app?location=/index/static.txt")?.text(), "static");
    Ok(())
}
