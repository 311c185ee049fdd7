//! The environ: its keys, their types, and which request headers reach it.

use crate::context::json;
use crate::suite::Outcome;
use crate::{Context, Suite};
use pinion_testbed::{Mpm, Site};
use serde_json::{Value, json as literal};

pub(super) fn suites() -> Vec<Suite> {
    vec![
        common(Suite::new("environ_daemon", daemon))
            .case("daemon_flags_and_group", daemon_flags_and_group),
        common(Suite::new("environ_embedded", embedded))
            .case("embedded_flags_and_group", embedded_flags_and_group),
    ]
}

fn common(suite: Suite) -> Suite {
    suite
        .case("request_line_variables", request_line_variables)
        .case("server_and_client_variables", server_and_client_variables)
        .case("values_are_native_strings_in_a_plain_dict", values_are_native_strings)
        .case("environ_is_fresh_for_each_request", environ_is_fresh)
        .case("empty_query_string_and_path_info_are_present", empty_values_are_present)
        .case("query_string_is_raw", query_string_is_raw)
        .case("path_info_bytes_read_as_latin_1", path_info_is_latin_1)
        .case("request_uri_stays_as_sent", request_uri_stays_as_sent)
        .case("cgi_variables_left_out", cgi_variables_left_out)
        .case("get_has_no_content_length_or_type", get_has_no_content_variables)
        .case("post_has_content_length_and_type", post_has_content_variables)
        .case("repeated_headers_are_joined", repeated_headers_are_joined)
        .case("header_with_underscore_is_dropped", header_with_underscore_is_dropped)
        .case("header_with_dot_is_dropped", header_with_dot_is_dropped)
        .case("proxy_header_is_dropped", proxy_header_is_dropped)
        .case("header_bytes_read_as_latin_1", header_bytes_are_latin_1)
        .case("empty_header_value", empty_header_value)
        .case("long_header_value", long_header_value)
        .case("authorization_is_withheld", authorization_is_withheld)
        .case("authorization_passes_with_directive", authorization_passes_with_directive)
        .case("authorization_passes_with_cgi_pass_auth", authorization_passes_with_cgi)
        .case("remote_user_from_basic_auth", remote_user_from_basic_auth)
        .case("setenv_reaches_environ", setenv_reaches_environ)
        .case("names_that_mod_wsgi_keeps_for_itself_are_hidden", own_names_are_hidden)
        .case("script_filename_reads_as_a_file_name", script_filename)
        .case("https_variable_sets_url_scheme", https_variable_sets_url_scheme)
        .case("wsgi_keys", wsgi_keys)
        .case("mod_wsgi_keys", mod_wsgi_keys)
        .case("request_id_differs", request_id_differs)
        .case("methods_pass_as_sent", methods_pass_as_sent)
        .case("http_1_0_without_host", http_1_0_without_host)
        .case("script_module_name", script_module_name)
}

fn daemon(site: &mut Site) -> Outcome {
    site.config("WSGIDaemonProcess compat threads=3\nWSGIProcessGroup compat");
    embedded(site)
}

fn embedded(site: &mut Site) -> Outcome {
    let script = super::app(site, "environ.wsgi")?;
    let script = script.display();
    let text = std::fs::read_to_string(site.root().join("apps/environ.wsgi"))?;
    let accent = site.write("apps/environ\u{e9}.wsgi", text)?;
    let users = site.write("users", "tester:{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ=\n")?;
    for module in ["setenvif", "auth_basic", "authn_core", "authn_file", "authz_user", "headers"] {
        site.module(module);
    }
    site.config(format!(
        "WSGIScriptAlias /app {script}\nWSGIScriptAlias /auth {script}\n\
         WSGIScriptAlias /login {script}\nWSGIScriptAlias /cgi {script}\nServerAdmin root@localhost\n\
         <Location /auth>\nWSGIPassAuthorization On\n</Location>\n\
         <Location /cgi>\nCGIPassAuth On\n</Location>\n\
         <Location /login>\nAuthType Basic\nAuthName x\nAuthBasicProvider file\n\
         AuthUserFile {users}\nRequire valid-user\n</Location>\n\
         WSGIScriptAlias /accent {accent}\n\
         SetEnv mod_wsgi.x-compat hidden\nSetEnv mod_wsgi.compat shown\n\
         SetEnv COMPAT_SET value\nSetEnvIf X-Scheme https HTTPS=on\n\
         SetEnvIf X-Scheme one HTTPS=1",
        users = users.display(),
        accent = accent.display()
    ));
    Ok(())
}

/// The value of a key, null if absent.
fn value<'a>(environ: &'a Value, key: &str) -> &'a Value {
    environ.get(key).map_or(&Value::Null, |pair| &pair[1])
}

fn with_headers(context: &Context, headers: &[&str]) -> Result<Value, libtest_mimic::Failed> {
    json(&context.ask("GET", "/app/", headers, b"")?)
}

fn request_line_variables(context: &Context) -> Outcome {
    let environ = context.json("/app/one/two?a=1&b=2")?;
    assert_eq!(value(&environ, "REQUEST_METHOD"), "GET");
    assert_eq!(value(&environ, "SCRIPT_NAME"), "/app");
    assert_eq!(value(&environ, "PATH_INFO"), "/one/two");
    assert_eq!(value(&environ, "QUERY_STRING"), "a=1&b=2");
    assert_eq!(value(&environ, "SERVER_PROTOCOL"), "HTTP/1.1");
    assert_eq!(value(&environ, "REQUEST_URI"), "/app/one/two?a=1&b=2");
    assert_eq!(value(&environ, "REQUEST_SCHEME"), "http");
    assert_eq!(value(&environ, "HTTP_HOST"), "localhost");
    assert_eq!(value(&environ, "HTTP_CONNECTION"), "close");
    Ok(())
}

fn server_and_client_variables(context: &Context) -> Outcome {
    let environ = context.json("/app/")?;
    let port = context.apache.port().to_string();
    let text = |key| value(&environ, key).as_str().unwrap_or("absent").to_owned();
    assert_eq!(text("SERVER_NAME"), "localhost");
    assert_eq!(text("SERVER_PORT"), port);
    assert_eq!(text("SERVER_ADDR"), "127.0.0.1");
    assert_eq!(text("REMOTE_ADDR"), "127.0.0.1");
    assert_eq!(text("SERVER_ADMIN"), "root@localhost");
    assert_eq!(text("CONTEXT_PREFIX"), "");
    let htdocs = context.path("htdocs").display().to_string();
    assert_eq!(text("DOCUMENT_ROOT"), htdocs);
    assert_eq!(text("CONTEXT_DOCUMENT_ROOT"), htdocs);
    assert_eq!(text("SCRIPT_FILENAME"), context.path("apps/environ.wsgi").display().to_string());
    assert!(text("SERVER_SOFTWARE").starts_with("Apache/2.4"), "{}", text("SERVER_SOFTWARE"));
    let remote: u16 = text("REMOTE_PORT").parse()?;
    assert!(remote > 0);
    Ok(())
}

fn values_are_native_strings(context: &Context) -> Outcome {
    let environ = context.json("/app/x?y=z")?;
    assert_eq!(environ["compat"][1]["environ_type"], "dict");
    let cgi = environ.as_object().ok_or("no object")?.iter();
    for (key, pair) in
        cgi.filter(|(key, _)| key.chars().all(|c| c.is_ascii_uppercase() || c == '_'))
    {
        assert_eq!(pair[0], "str", "{key}");
    }
    Ok(())
}

fn environ_is_fresh(context: &Context) -> Outcome {
    for _ in 0..3 {
        assert_eq!(context.json("/app/")?["compat"][1]["fresh"], true);
    }
    Ok(())
}

fn empty_values_are_present(context: &Context) -> Outcome {
    let environ = context.json("/app")?;
    assert_eq!(value(&environ, "QUERY_STRING"), "");
    assert_eq!(value(&environ, "PATH_INFO"), "");
    assert_eq!(value(&environ, "SCRIPT_NAME"), "/app");
    let environ = context.json("/app?")?;
    assert_eq!(value(&environ, "QUERY_STRING"), "");
    Ok(())
}

fn query_string_is_raw(context: &Context) -> Outcome {
    let environ = context.json("/app/?q=%20%C3%A9+x&q=;%2f//?")?;
    assert_eq!(value(&environ, "QUERY_STRING"), "q=%20%C3%A9+x&q=;%2f//?");
    Ok(())
}

fn path_info_is_latin_1(context: &Context) -> Outcome {
    let environ = context.json("/app/caf%C3%A9/%ff%20%25")?;
    assert_eq!(value(&environ, "PATH_INFO"), "/caf\u{c3}\u{a9}/\u{ff} %");
    Ok(())
}

fn request_uri_stays_as_sent(context: &Context) -> Outcome {
    let environ = context.json("/app//x/./y/../z%20?q")?;
    assert_eq!(value(&environ, "REQUEST_URI"), "/app//x/./y/../z%20?q");
    assert_eq!(value(&environ, "PATH_INFO"), "/x/z ");
    Ok(())
}

fn cgi_variables_left_out(context: &Context) -> Outcome {
    let environ = context.json("/app/x")?;
    for key in [
        "PATH_TRANSLATED",
        "GATEWAY_INTERFACE",
        "SERVER_SIGNATURE",
        "REMOTE_HOST",
        "REMOTE_IDENT",
        "PATH",
        "LD_LIBRARY_PATH",
        "SCRIPT_URI",
        "UNIQUE_ID",
        "AUTH_TYPE",
        "REMOTE_USER",
        "HTTPS",
    ] {
        assert!(environ.get(key).is_none(), "{key} is there: {}", environ[key]);
    }
    Ok(())
}

fn get_has_no_content_variables(context: &Context) -> Outcome {
    let environ = context.json("/app/")?;
    for key in ["CONTENT_LENGTH", "CONTENT_TYPE", "HTTP_CONTENT_LENGTH", "HTTP_CONTENT_TYPE"] {
        assert!(environ.get(key).is_none(), "{key} is there: {}", environ[key]);
    }
    Ok(())
}

fn post_has_content_variables(context: &Context) -> Outcome {
    let headers = ["Content-Length: 4", "Content-Type: text/x-compat; charset=x"];
    let environ = json(&context.ask("POST", "/app/", &headers, b"body")?)?;
    assert_eq!(value(&environ, "CONTENT_LENGTH"), "4");
    assert_eq!(value(&environ, "CONTENT_TYPE"), "text/x-compat; charset=x");
    assert!(environ.get("HTTP_CONTENT_LENGTH").is_none());
    assert!(environ.get("HTTP_CONTENT_TYPE").is_none());
    let environ = json(&context.ask("POST", "/app/", &["Content-Length: 0"], b"")?)?;
    assert_eq!(value(&environ, "CONTENT_LENGTH"), "0");
    Ok(())
}

fn repeated_headers_are_joined(context: &Context) -> Outcome {
    let headers = ["X-Twice: one", "X-Twice: two", "Cookie: a=1", "Cookie: b=2"];
    let environ = with_headers(context, &headers)?;
    assert_eq!(value(&environ, "HTTP_X_TWICE"), "one, two");
    assert_eq!(value(&environ, "HTTP_COOKIE"), "a=1, b=2");
    Ok(())
}

fn header_with_underscore_is_dropped(context: &Context) -> Outcome {
    let environ = with_headers(context, &["X_Under: 1", "X-Both_Kinds: 2", "X-Fine: 3"])?;
    assert_eq!(value(&environ, "HTTP_X_FINE"), "3");
    assert!(environ.get("HTTP_X_UNDER").is_none());
    assert!(environ.get("HTTP_X_BOTH_KINDS").is_none());
    Ok(())
}

fn header_with_dot_is_dropped(context: &Context) -> Outcome {
    let environ = with_headers(context, &["X.Dot: 1", "X!bang: 2", "X-1: 3"])?;
    assert_eq!(value(&environ, "HTTP_X_1"), "3");
    let names: Vec<_> = environ.as_object().ok_or("no object")?.keys().collect();
    let odd = names.iter().any(|name| name.contains("DOT") || name.contains("BANG"));
    assert!(!odd, "{names:?}");
    Ok(())
}

fn proxy_header_is_dropped(context: &Context) -> Outcome {
    let environ = with_headers(context, &["Proxy: evil.example", "X-Fine: 3"])?;
    assert_eq!(value(&environ, "HTTP_X_FINE"), "3");
    assert!(environ.get("HTTP_PROXY").is_none());
    Ok(())
}

fn header_bytes_are_latin_1(context: &Context) -> Outcome {
    let head = b"GET /app/ HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nX-Bytes: caf\xc3\xa9 \xff\r\n\r\n";
    let mut connection = pinion_testbed::raw::Connection::open(context.apache.port())?;
    connection.send(head)?;
    let environ = json(&connection.answer("GET")?)?;
    assert_eq!(value(&environ, "HTTP_X_BYTES"), "caf\u{c3}\u{a9} \u{ff}");
    Ok(())
}

fn empty_header_value(context: &Context) -> Outcome {
    let environ = with_headers(context, &["X-Empty:", "X-Spaces:   inner  space  "])?;
    assert_eq!(value(&environ, "HTTP_X_EMPTY"), "");
    assert_eq!(value(&environ, "HTTP_X_SPACES"), "inner  space");
    Ok(())
}

fn long_header_value(context: &Context) -> Outcome {
    let long = "v".repeat(8000);
    let environ = with_headers(context, &[&format!("X-Long: {long}")])?;
    assert_eq!(value(&environ, "HTTP_X_LONG"), long.as_str());
    Ok(())
}

fn authorization_is_withheld(context: &Context) -> Outcome {
    let environ = with_headers(context, &["Authorization: Bearer secret"])?;
    assert!(environ.get("HTTP_AUTHORIZATION").is_none());
    Ok(())
}

fn authorization_passes_with_directive(context: &Context) -> Outcome {
    let answer = context.ask("GET", "/auth/", &["Authorization: Bearer secret"], b"")?;
    assert_eq!(value(&json(&answer)?, "HTTP_AUTHORIZATION"), "Bearer secret");
    Ok(())
}

fn authorization_passes_with_cgi(context: &Context) -> Outcome {
    let headers = ["Authorization: Bearer secret", "Proxy-Authorization: Basic more"];
    let environ = json(&context.ask("GET", "/cgi/", &headers, b"")?)?;
    assert_eq!(value(&environ, "HTTP_AUTHORIZATION"), "Bearer secret");
    assert_eq!(value(&environ, "HTTP_PROXY_AUTHORIZATION"), "Basic more");
    Ok(())
}

fn remote_user_from_basic_auth(context: &Context) -> Outcome {
    assert_eq!(context.status("/login/")?, 401);
    // tester:secret
    let headers = ["Authorization: Basic dGVzdGVyOnNlY3JldA=="];
    let wrong = context.ask("GET", "/login/", &["Authorization: Basic dGVzdGVyOng="], b"")?;
    assert_eq!(wrong.status, 401);
    let environ = json(&context.ask("GET", "/login/", &headers, b"")?)?;
    assert_eq!(value(&environ, "REMOTE_USER"), "tester");
    assert_eq!(value(&environ, "AUTH_TYPE"), "Basic");
    assert!(environ.get("HTTP_AUTHORIZATION").is_none());
    Ok(())
}

fn setenv_reaches_environ(context: &Context) -> Outcome {
    assert_eq!(value(&context.json("/app/")?, "COMPAT_SET"), "value");
    Ok(())
}

fn own_names_are_hidden(context: &Context) -> Outcome {
    let environ = context.json("/app/")?;
    assert_eq!(value(&environ, "mod_wsgi.compat"), "shown");
    assert_eq!(value(&environ, "mod_wsgi.x-compat"), &Value::Null);
    Ok(())
}

fn script_filename(context: &Context) -> Outcome {
    let environ = context.json("/accent")?;
    let path = context.path("apps/environ\u{e9}.wsgi").display().to_string();
    assert_eq!(value(&environ, "SCRIPT_FILENAME"), &Value::String(path));
    Ok(())
}

fn https_variable_sets_url_scheme(context: &Context) -> Outcome {
    assert_eq!(value(&context.json("/app/")?, "wsgi.url_scheme"), "http");
    for sent in ["X-Scheme: https", "X-Scheme: one"] {
        let environ = with_headers(context, &[sent])?;
        assert_eq!(value(&environ, "wsgi.url_scheme"), "https", "{sent}");
        assert!(environ.get("HTTPS").is_none(), "HTTPS stays in environ with {sent}");
    }
    Ok(())
}

fn wsgi_keys(context: &Context) -> Outcome {
    let environ = context.json("/app/")?;
    assert_eq!(environ["wsgi.version"], literal!(["tuple", [1, 0]]));
    assert_eq!(environ["wsgi.run_once"], literal!(["bool", false]));
    assert_eq!(environ["wsgi.input_terminated"], literal!(["bool", true]));
    assert_eq!(environ["wsgi.url_scheme"], literal!(["str", "http"]));
    for key in ["wsgi.errors", "wsgi.input", "wsgi.file_wrapper"] {
        assert!(environ.get(key).is_some(), "{key}");
    }
    Ok(())
}

fn mod_wsgi_keys(context: &Context) -> Outcome {
    let environ = context.json("/app/x")?;
    let port = context.apache.port().to_string();
    assert_eq!(environ["mod_wsgi.script_name"], literal!(["str", "/app"]));
    assert_eq!(environ["mod_wsgi.path_info"], literal!(["str", "/x"]));
    assert_eq!(
        environ["mod_wsgi.application_group"],
        literal!(["str", format!("localhost:{port}|/app")])
    );
    assert_eq!(environ["mod_wsgi.callable_object"], literal!(["str", "application"]));
    assert_eq!(environ["mod_wsgi.request_handler"], literal!(["str", "wsgi-script"]));
    assert_eq!(environ["mod_wsgi.handler_script"], literal!(["str", ""]));
    assert_eq!(environ["mod_wsgi.listener_host"], literal!(["str", "127.0.0.1"]));
    assert_eq!(environ["mod_wsgi.listener_port"], literal!(["str", port]));
    assert_eq!(environ["mod_wsgi.version"], literal!(["tuple", [6, 1, 1]]));
    assert_eq!(environ["apache.version"][0], "tuple");
    assert_eq!(environ["mod_wsgi.thread_id"][0], "int");
    assert_eq!(environ["mod_wsgi.server_pid"][0], "str");
    for key in ["request_start", "queue_start", "daemon_start", "application_start"] {
        assert_eq!(environ[format!("mod_wsgi.{key}")][0], "float", "{key}");
    }
    Ok(())
}

fn request_id_differs(context: &Context) -> Outcome {
    let (first, second) = (context.json("/app/")?, context.json("/app/")?);
    assert_eq!(first["mod_wsgi.request_id"][0], "str");
    assert_ne!(first["mod_wsgi.request_id"], second["mod_wsgi.request_id"]);
    Ok(())
}

fn methods_pass_as_sent(context: &Context) -> Outcome {
    for method in ["PUT", "DELETE", "PATCH", "OPTIONS", "PROPFIND", "COMPAT", "get"] {
        let environ = json(&context.ask(method, "/app/", &[], b"")?)?;
        assert_eq!(value(&environ, "REQUEST_METHOD"), method);
    }
    assert_eq!(
        context.ask("TRACE", "/app/", &[], b"")?.header("content-type").as_deref(),
        Some("message/http")
    );
    Ok(())
}

fn http_1_0_without_host(context: &Context) -> Outcome {
    let environ = json(&context.exchange("GET /app/ HTTP/1.0", b"")?)?;
    assert_eq!(value(&environ, "SERVER_PROTOCOL"), "HTTP/1.0");
    assert_eq!(value(&environ, "SERVER_NAME"), "localhost");
    assert!(environ.get("HTTP_HOST").is_none());
    Ok(())
}

fn script_module_name(context: &Context) -> Outcome {
    let environ = context.json("/app/")?;
    let about = &environ["compat"][1];
    let name = about["module_name"].as_str().unwrap_or("");
    let digits = name.strip_prefix("_mod_wsgi_").unwrap_or("");
    assert!(!digits.is_empty() && digits.chars().all(|c| c.is_ascii_hexdigit()), "{name}");
    assert_eq!(about["file"], context.path("apps/environ.wsgi").display().to_string());
    Ok(())
}

fn daemon_flags_and_group(context: &Context) -> Outcome {
    let environ = context.json("/app/")?;
    assert_eq!(environ["mod_wsgi.process_group"], literal!(["str", "compat"]));
    assert_eq!(environ["wsgi.multiprocess"], literal!(["bool", false]));
    assert_eq!(environ["wsgi.multithread"], literal!(["bool", true]));
    let start = |key: &str| environ[format!("mod_wsgi.{key}")][1].as_f64().unwrap_or(0.0);
    assert!(start("request_start") > 1e9);
    assert!(start("request_start") <= start("queue_start"));
    assert!(start("queue_start") <= start("daemon_start"));
    assert!(start("daemon_start") <= start("application_start"));
    Ok(())
}

fn embedded_flags_and_group(context: &Context) -> Outcome {
    let environ = context.json("/app/")?;
    assert_eq!(environ["mod_wsgi.process_group"], literal!(["str", ""]));
    assert_eq!(environ["wsgi.multiprocess"], literal!(["bool", true]));
    let threads = context.apache.site().chosen_mpm() != Mpm::Prefork;
    assert_eq!(environ["wsgi.multithread"], literal!(["bool", threads]));
    Ok(())
}
