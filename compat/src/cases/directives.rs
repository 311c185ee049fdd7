//! Directives that change how answers are made, and those of embedded mode's Python.

use crate::context::{SOON, json};
use crate::suite::Outcome;
use crate::{Context, Suite};
use pinion_testbed::http::Answer;
use pinion_testbed::{Server, Site, python, venv};

pub(super) fn suites() -> Vec<Suite> {
    let answers = Suite::new("directives", site)
        .case("error_override_replaces_error_pages", error_override)
        .case("error_override_leaves_success_alone", error_override_leaves_success)
        .case("error_override_keeps_www_authenticate", error_override_keeps_www_authenticate)
        .case("error_document_alone_keeps_own_pages", error_document_alone)
        .case("error_document_serves_server_errors", error_document_serves_errors)
        .case("map_head_to_get_on", map_head_on)
        .case("map_head_to_get_off", map_head_off)
        .case("map_head_to_get_auto_with_a_filter", map_head_auto_with_a_filter)
        .case("map_head_to_get_auto_without_filters", map_head_auto_without_filters)
        .case("output_filters_apply", output_filters_apply)
        .case("response_headers_can_be_edited", response_headers_can_be_edited);
    let embedded = Suite::alone("embedded")
        .solo("python_path_and_eggs", embedded_path_and_eggs)
        .solo("python_home", embedded_home)
        .solo("restrict_embedded_refuses", restrict_embedded)
        .solo("user_and_argv", embedded_user)
        .solo("cprofile_in_a_request", embedded_cprofile)
        .solo("global_application_group_keeps_state", embedded_state);
    vec![answers, embedded]
}

fn site(site: &mut Site) -> Outcome {
    let script = super::app(site, "response.wsgi")?;
    for module in ["filter", "deflate", "headers"] {
        site.module(module);
    }
    site.config(
        "WSGIDaemonProcess directives threads=3\nWSGIProcessGroup directives\n\
         WSGIApplicationGroup %{GLOBAL}",
    );
    let documents = "ErrorDocument 404 \"document 404\"\nErrorDocument 500 \"document 500\"\n\
                     ErrorDocument 401 \"document 401\"";
    for (mount, lines) in [
        ("override", &*format!("WSGIErrorOverride On\n{documents}")),
        ("documents", documents),
        ("on", "WSGIMapHEADToGET On"),
        ("off", "WSGIMapHEADToGET Off\nSetOutputFilter DEFLATE"),
        ("filtered", "SetOutputFilter DEFLATE"),
        ("auto", "WSGIMapHEADToGET Auto"),
        ("edited", "Header set X-Added yes\nHeader unset X-Own\nHeader edit Set-Cookie ^b c"),
    ] {
        site.config(format!(
            "WSGIScriptAlias /{mount} {}\n<Location /{mount}>\n{lines}\n</Location>",
            script.display()
        ));
    }
    Ok(())
}

fn said(answer: &Answer) -> (u16, String) {
    (answer.status, answer.text())
}

fn error_override(context: &Context) -> Outcome {
    let answer = context.get("/override/error_status")?;
    assert_eq!(said(&answer), (404, "document 404".to_owned()));
    assert_eq!(answer.reason, "Not Found");
    assert_eq!(answer.header("X-Own"), None);
    let answer = context.get("/override/server_error_status")?;
    assert_eq!(said(&answer), (500, "document 500".to_owned()));
    Ok(())
}

fn error_override_leaves_success(context: &Context) -> Outcome {
    assert_eq!(said(&context.get("/override/plain")?), (200, "plain".to_owned()));
    assert_eq!(said(&context.get("/override/redirect?to=/x")?), (302, "moved".to_owned()));
    assert_eq!(said(&context.get("/override/bad_status?high")?), (999, "body".to_owned()));
    Ok(())
}

fn error_override_keeps_www_authenticate(context: &Context) -> Outcome {
    let answer = context.get("/override/www_authenticate")?;
    assert_eq!(said(&answer), (401, "document 401".to_owned()));
    assert_eq!(
        answer.header_all("WWW-Authenticate"),
        ["Basic realm=\"one\"", "Digest realm=\"two\""]
    );
    Ok(())
}

fn error_document_alone(context: &Context) -> Outcome {
    assert_eq!(said(&context.get("/documents/error_status")?), (404, "own 404 page".to_owned()));
    assert_eq!(said(&context.get("/documents/www_authenticate")?), (401, "own 401".to_owned()));
    Ok(())
}

fn error_document_serves_errors(context: &Context) -> Outcome {
    let answer = context.get("/documents/raises_before")?;
    assert_eq!(said(&answer), (500, "document 500".to_owned()));
    Ok(())
}

fn method_seen(context: &Context, mount: &str) -> Result<String, libtest_mimic::Failed> {
    let answer = context.ask("HEAD", &format!("/{mount}/head_only"), &[], b"")?;
    assert_eq!(said(&answer), (200, String::new()));
    assert_eq!(answer.header("Content-Length").as_deref(), Some("5"));
    Ok(answer.header("X-Method").unwrap_or_default())
}

fn map_head_on(context: &Context) -> Outcome {
    assert_eq!(method_seen(context, "on")?, "GET");
    Ok(())
}

fn map_head_off(context: &Context) -> Outcome {
    assert_eq!(method_seen(context, "off")?, "HEAD");
    Ok(())
}

fn map_head_auto_with_a_filter(context: &Context) -> Outcome {
    assert_eq!(method_seen(context, "filtered")?, "GET");
    Ok(())
}

fn map_head_auto_without_filters(context: &Context) -> Outcome {
    assert_eq!(method_seen(context, "auto")?, "HEAD");
    Ok(())
}

fn output_filters_apply(context: &Context) -> Outcome {
    let answer = context.ask("GET", "/filtered/megabyte", &["Accept-Encoding: gzip"], b"")?;
    assert_eq!(answer.header("Content-Encoding").as_deref(), Some("gzip"));
    assert!(answer.body.len() < 100_000, "{}", answer.body.len());
    Ok(())
}

fn response_headers_can_be_edited(context: &Context) -> Outcome {
    let answer = context.get("/edited/error_status")?;
    assert_eq!(answer.header("X-Own"), None);
    let answer = context.get("/edited/cookies")?;
    assert_eq!(answer.header("X-Added").as_deref(), Some("yes"));
    assert_eq!(answer.header_all("Set-Cookie"), ["a=1; Path=/", "c=2; HttpOnly", "c=3"]);
    Ok(())
}

/// The process application in embedded mode, with those directives before it.
fn embedded(
    server: &Server,
    configure: impl FnOnce(&mut Site) -> Outcome,
) -> Result<pinion_testbed::Apache, libtest_mimic::Failed> {
    let mut site = Site::new(server)?;
    let script = super::app(&site, "process.wsgi")?;
    configure(&mut site)?;
    site.one_child();
    site.config(format!(
        "WSGIApplicationGroup %{{GLOBAL}}\nWSGIScriptAlias / {}",
        script.display()
    ));
    Ok(site.start()?)
}

fn embedded_path_and_eggs(server: &Server) -> Outcome {
    let apache = embedded(server, |site| {
        let first = site.folder("first")?;
        site.write("first/extra.pth", format!("{}\n", site.folder("beyond")?.display()))?;
        site.write("second/marked.py", "VALUE = 'by the second folder'\n")?;
        let root = site.root().display().to_string();
        site.config(format!(
            "WSGIPythonPath {}:{root}/second\nWSGIPythonEggs {root}/eggs",
            first.display()
        ));
        Ok(())
    })?;
    let context = Context { apache: &apache, server };
    let about = context.json("/import?module=marked")?;
    for (position, folder) in ["first", "beyond", "second"].iter().enumerate() {
        assert_eq!(about["path"][position], context.path(folder).display().to_string());
    }
    assert_eq!(about["imported_value"], "by the second folder");
    assert_eq!(about["eggs"], context.path("eggs").display().to_string());
    Ok(())
}

fn embedded_home(server: &Server) -> Outcome {
    let home = venv::ensure("compat-plain", &python::system()?, &[])?;
    let apache = embedded(server, |site| {
        site.config(format!("WSGIPythonHome {}", home.home.display()));
        Ok(())
    })?;
    let about = Context { apache: &apache, server }.json("/")?;
    assert_eq!(about["prefix"], home.home.display().to_string());
    Ok(())
}

fn restrict_embedded(server: &Server) -> Outcome {
    let mut site = Site::new(server)?;
    let script = super::app(&site, "process.wsgi")?;
    site.write("htdocs/scripts/embedded.wsgi", std::fs::read(&script)?)?;
    // By a handler: an alias that can only be embedded is named by Pinion's configuration test.
    site.config(format!(
        "WSGIRestrictEmbedded On\nWSGIDaemonProcess daemon\n\
         WSGIScriptAlias /daemon {} process-group=daemon application-group=%{{GLOBAL}}\n\
         <Directory {}/htdocs/scripts>\nSetHandler wsgi-script\nOptions ExecCGI\n</Directory>",
        script.display(),
        site.root().display()
    ));
    let apache = site.start()?;
    let context = Context { apache: &apache, server };
    assert_eq!(context.status("/scripts/embedded.wsgi")?, 500);
    apache.log().wait_for("WSGI0143: ", SOON)?;
    assert_eq!(context.status("/daemon")?, 200);
    Ok(())
}

fn embedded_user(server: &Server) -> Outcome {
    let apache = embedded(server, |_site| Ok(()))?;
    let about = Context { apache: &apache, server }.json("/")?;
    assert_eq!(about["argv"], serde_json::json!(["mod_wsgi"]));
    assert_eq!(about["multithread"], true);
    // One child at most, by MaxRequestWorkers.
    assert_eq!(about["multiprocess"], false);
    // Apache's own user, which is www-data where the test runs as root.
    let root =
        pinion_testbed::process::Process::find(apache.pid()).and_then(|p| p.user()) == Some(0);
    assert!(!root || about["uid"] == 33, "{}", about["uid"]);
    Ok(())
}

fn embedded_cprofile(server: &Server) -> Outcome {
    let apache = embedded(server, |_site| Ok(()))?;
    assert_eq!(Context { apache: &apache, server }.json("/profile")?["query"]["sum"], 6);
    Ok(())
}

fn embedded_state(server: &Server) -> Outcome {
    let apache = embedded(server, |_site| Ok(()))?;
    let context = Context { apache: &apache, server };
    let first = json(&context.get("/")?)?;
    let second = json(&context.get("/")?)?;
    assert_eq!(first["pid"], second["pid"]);
    assert_eq!(second["count"], 2);
    Ok(())
}
