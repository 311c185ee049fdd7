//! What the log says of each thing that can go wrong: people's alerts match on code and wording.

use crate::context::SOON;
use crate::suite::Outcome;
use crate::{Context, Suite};
use pinion_testbed::Site;

/// The virtual host whose log is looked at.
const HOST: &str = "logged.test";

pub(super) fn suites() -> Vec<Suite> {
    let logging = Suite::new("logging", site)
        .case("script_not_found", script_not_found)
        .case("folder_as_script", folder_as_script)
        .case("exec_cgi_off", exec_cgi_off)
        .case("path_info_off", path_info_off)
        .case("chunked_not_enabled", chunked_not_enabled)
        .case("other_transfer_coding", other_transfer_coding)
        .case("no_callable", no_callable)
        .case("application_raises", application_raises)
        .case("application_exits", application_exits)
        .case("embedded_script_raises", embedded_script_raises)
        .case("named_application_group_raises", named_application_group_raises)
        .case("syntax_error", syntax_error)
        .case("import_raises", import_raises)
        .case("import_exits", import_exits)
        .case("unknown_process_group", unknown_process_group)
        .case("group_of_another_host", group_of_another_host)
        .case("worker_dies", worker_dies)
        .case("worker_is_silent", worker_is_silent)
        .case("records_name_host_client_and_script", records_name_host_client_and_script);
    vec![logging]
}

fn site(site: &mut Site) -> Outcome {
    let script = super::app(site, "logging.wsgi")?.display().to_string();
    let folder = site.root().join("apps").display().to_string();
    for (name, text) in [
        ("syntax.wsgi", "def application(:\n"),
        ("raising.wsgi", "raise KeyError('import')\n"),
        ("exiting.wsgi", "import sys\nsys.exit(4)\n"),
        ("empty.wsgi", "pass\n"),
    ] {
        site.write(&format!("apps/{name}"), text)?;
    }
    site.config(
        "WSGIDaemonProcess logged threads=3\nWSGIDaemonProcess silent socket-timeout=1 threads=2\n\
         WSGIDaemonProcess dying threads=1",
    );
    let group = "process-group=logged application-group=%{GLOBAL}";
    site.host(
        HOST,
        format!(
            "WSGIScriptAlias /app {script} {group}\nWSGIScriptAlias /named {script} process-group=logged \
             application-group=shop\nWSGIScriptAlias /gone {folder}/gone.wsgi {group}\n\
             WSGIScriptAlias /folder {folder} {group}\n\
             WSGIScriptAlias /syntax {folder}/syntax.wsgi process-group=logged\nWSGIScriptAlias /raising {folder}/raising.wsgi process-group=logged\n\
             WSGIScriptAlias /exiting {folder}/exiting.wsgi process-group=logged\nWSGIScriptAlias /empty {folder}/empty.wsgi {group}\n\
             WSGIScriptAlias /silent {script} process-group=silent application-group=%{{GLOBAL}}\n\
             WSGIScriptAlias /dying {script} process-group=dying application-group=%{{GLOBAL}}\n\
             WSGIScriptAlias /exact {script} {group}\n<Location /exact>\nAcceptPathInfo Off\n</Location>\n\
             WSGIScriptAlias /embedded {script}\n\
             WSGIScriptAlias /nowhere {script}\n<Location /nowhere>\nSetEnv GROUP nowhere\nWSGIProcessGroup %{{ENV:GROUP}}\n</Location>\n\
             WSGIScriptAlias /foreign {script}\n<Location /foreign>\nSetEnv GROUP foreign\nWSGIProcessGroup %{{ENV:GROUP}}\n</Location>\n\
             Alias /plain {folder}\n<Location /plain>\nSetHandler wsgi-script\n</Location>"
        ),
    );
    site.host("foreign.test", "WSGIDaemonProcess foreign threads=1");
    Ok(())
}

/// Asks, and finds a record in the virtual host's log that contains `text`, at the level of errors.
fn said(
    context: &Context,
    method: &str,
    path: &str,
    headers: &[&str],
    status: u16,
    text: &str,
) -> Outcome {
    let log = context.apache.host_log(HOST);
    let from = log.size();
    let mut lines = vec!["Host: logged.test"];
    lines.extend(headers);
    assert_eq!(context.ask(method, path, &lines, b"")?.status, status, "{path}");
    // The original names the script a second time between code and text of tracebacks.
    let (code, words) = text.split_at(text.find(": ").map_or(0, |end| end + 2));
    let line = log.wait_for_from(from, words, SOON)?;
    assert!(line.contains("[wsgi:error] ") && line.contains(code), "{line}");
    Ok(())
}

fn get(context: &Context, path: &str, status: u16, text: &str) -> Outcome {
    said(context, "GET", path, &[], status, text)
}

/// The path of a script, as messages name it.
fn script(context: &Context, name: &str) -> String {
    context.path(&format!("apps/{name}")).display().to_string()
}

fn script_not_found(context: &Context) -> Outcome {
    get(context, "/gone", 404, "WSGI0135: Target WSGI script not found or unable to stat.")
}

fn folder_as_script(context: &Context) -> Outcome {
    get(context, "/folder/", 403, "WSGI0136: Attempt to invoke directory as WSGI application.")
}

fn exec_cgi_off(context: &Context) -> Outcome {
    get(context, "/plain/empty.wsgi", 403, "WSGI0134: Options ExecCGI is off in this directory.")
}

fn path_info_off(context: &Context) -> Outcome {
    get(context, "/exact/more", 404, "WSGI0137: AcceptPathInfo off disallows user's path.")
}

fn chunked_not_enabled(context: &Context) -> Outcome {
    let text = "WSGI0139: Request requires chunked transfer encoding, but support for chunked transfer encoding \
                has not been enabled.";
    said(context, "POST", "/app/", &["Transfer-Encoding: chunked"], 411, text)
}

fn other_transfer_coding(context: &Context) -> Outcome {
    let text = "WSGI0138: Unexpected value for Transfer-Encoding of 'gzip, chunked' supplied. Only 'chunked' supported.";
    said(context, "POST", "/app/", &["Transfer-Encoding: gzip, chunked"], 501, text)
}

fn no_callable(context: &Context) -> Outcome {
    let path = script(context, "empty.wsgi");
    let text = format!(
        "WSGI0089: Target WSGI script '{path}' does not contain WSGI application 'application'."
    );
    // The original's daemons answer 500, in spite of its documentation.
    let status = if context.server.is_pinion() { 404 } else { 500 };
    get(context, "/empty", status, &text)
}

fn application_raises(context: &Context) -> Outcome {
    let path = script(context, "logging.wsgi");
    let text = format!(
        "WSGI0174: RuntimeError exception raised processing WSGI script '{path}' for main interpreter of daemon process 'logged'."
    );
    get(context, "/app/raise", 500, &text)?;
    get(context, "/app/raise", 500, "raised on purpose")
}

fn application_exits(context: &Context) -> Outcome {
    let path = script(context, "logging.wsgi");
    let text = format!(
        "WSGI0175: SystemExit exception raised by WSGI script '{path}' for main interpreter of daemon process 'logged'; ignored."
    );
    get(context, "/app/exit", 500, &text)
}

fn embedded_script_raises(context: &Context) -> Outcome {
    let path = script(context, "logging.wsgi");
    let text = format!(
        "WSGI0174: RuntimeError exception raised processing WSGI script '{path}' for sub-interpreter 'logged.test"
    );
    get(context, "/embedded/raise", 500, &text)?;
    get(context, "/embedded/raise", 500, "/embedded' in embedded mode.")
}

fn named_application_group_raises(context: &Context) -> Outcome {
    get(context, "/named/raise", 500, "for sub-interpreter 'shop' of daemon process 'logged'.")
}

fn syntax_error(context: &Context) -> Outcome {
    let path = script(context, "syntax.wsgi");
    let text = format!(
        "WSGI0105: Could not read or compile WSGI script '{path}' for sub-interpreter 'logged.test"
    );
    get(context, "/syntax", 500, &text)
}

fn import_raises(context: &Context) -> Outcome {
    let path = script(context, "raising.wsgi");
    get(
        context,
        "/raising",
        500,
        &format!("WSGI0109: Unable to execute Python script file '{path}'."),
    )
}

fn import_exits(context: &Context) -> Outcome {
    let path = script(context, "exiting.wsgi");
    let text = format!(
        "WSGI0107: SystemExit exception raised when doing exec of Python script file '{path}'."
    );
    get(context, "/exiting", 500, &text)
}

fn unknown_process_group(context: &Context) -> Outcome {
    get(
        context,
        "/nowhere",
        500,
        "WSGI0151: No WSGI daemon process called 'nowhere' has been configured.",
    )
}

fn group_of_another_host(context: &Context) -> Outcome {
    let text =
        "WSGI0152: Daemon process called 'foreign' cannot be accessed by this WSGI application.";
    get(context, "/foreign", 500, text)
}

fn worker_dies(context: &Context) -> Outcome {
    // The original says WSGI0146 or WSGI0147, by how the connection ends.
    let text = if context.server.is_pinion() {
        "WSGI0146: Daemon process 'dying' closed connection before sending complete response headers."
    } else {
        "WSGI014"
    };
    // A group of its own: requests of other cases would die with it.
    get(context, "/dying/die", 502, text)
}

fn worker_is_silent(context: &Context) -> Outcome {
    let text = "WSGI0145: Timeout when reading response headers from daemon process 'silent'.";
    get(context, "/silent/hang", 504, text)
}

fn records_name_host_client_and_script(context: &Context) -> Outcome {
    let log = context.apache.host_log(HOST);
    let from = log.size();
    context.ask("GET", "/app/raise", &["Host: logged.test"], b"")?;
    let line = log.wait_for_from(from, "WSGI0174", SOON)?;
    let path = script(context, "logging.wsgi");
    for part in [" 127.0.0.1:", &format!("[script {path}]")] {
        assert!(line.contains(part), "{part}: {line}");
    }
    Ok(())
}
