//! What an application prints and logs, and where that goes.

use crate::context::SOON;
use crate::suite::Outcome;
use crate::{Context, Suite};
use libtest_mimic::Failed;
use pinion_testbed::Site;

const HOST: &str = "output.test";
/// Whose log shows where each record comes from.
const PLACED: &str = "placed.test";

pub(super) fn suites() -> Vec<Suite> {
    let restricted = Suite::new("output_restricted", restricted)
        .case("restricted_stdout_raises", restricted_stdout)
        .case("restricted_stdin_raises", restricted_stdin)
        .case("stderr_stays_usable", stderr_stays_usable);
    vec![
        common(Suite::new("output_daemon", daemon)),
        common(Suite::new("output_embedded", embedded)),
        restricted,
    ]
}

fn common(suite: Suite) -> Suite {
    suite
        .case("print_goes_to_the_hosts_log", print)
        .case("stderr_goes_to_the_hosts_log", stderr)
        .case("wsgi_errors_goes_to_the_hosts_log", errors)
        .case("records_name_the_client", records_name_the_client)
        .case("records_name_the_script", records_name_the_script)
        .case("records_are_at_error_level", records_are_at_error_level)
        .case("log_level_error_keeps_them", log_level_error_keeps_them)
        .case("writelines", writelines)
        .case("partial_line_is_flushed_at_the_end", partial_lines)
        .case("each_line_is_a_record", each_line_is_a_record)
        .case("text_beyond_ascii_is_escaped_utf_8", beyond_ascii)
        .case("lone_surrogate_crashes_nothing", lone_surrogate)
        .case("nul_and_percent_crash_nothing", nul_and_percent)
        .case("very_long_line", very_long_line)
        .case("bytes_are_refused", bytes_are_refused)
        .case("logging_and_warnings", logging_and_warnings)
        .case("buffer_underneath_takes_bytes", buffer_underneath)
        .case("background_thread_may_print", background_thread)
        .case("wsgi_errors_ends_with_its_request", errors_end_with_the_request)
        .case("printing_while_loading", printing_while_loading)
        .case("log_handler_keeps_levels", log_handler)
        .case("log_handler_tells_the_line_of_the_call", log_handler_place)
        .case("objects_of_the_script_can_be_pickled", pickling)
        .case("stdin_is_empty", stdin_is_empty)
        .case("full_disk_for_the_log_fails_no_request", full_disk)
        .case("stream_attributes", stream_attributes)
        .case("streams_are_text_wrappers", streams_are_text_wrappers)
        .case("streams_have_names", streams_have_names)
        .case("streams_can_only_be_written", streams_can_only_be_written)
        .case("writing_returns_what_files_return", writing_returns)
        .case("buffer_takes_anything_like_bytes", buffers)
        .case("text_behind_a_line_end_is_a_record", text_behind_a_line_end)
        .case("streams_have_no_descriptor", streams_have_no_descriptor)
        .case("wsgi_errors_may_be_closed", errors_may_be_closed)
}

fn daemon(site: &mut Site) -> Outcome {
    site.config("WSGIDaemonProcess output threads=1");
    describe(site, "process-group=output application-group=%{GLOBAL}")
}

fn embedded(site: &mut Site) -> Outcome {
    // One child, so that what one request keeps is there for the next.
    site.one_child();
    describe(site, "process-group=%{GLOBAL} application-group=%{GLOBAL}")
}

fn describe(site: &mut Site, options: &str) -> Outcome {
    let script = super::app(site, "output.wsgi")?;
    let script = script.display();
    site.host("first.test", "");
    site.host(
        PLACED,
        format!(
            "ErrorLogFormat \"at %F level %l: %M\"\nLogLevel debug\nWSGIScriptAlias / {script} {options}"
        ),
    );
    site.host(HOST, format!("WSGIScriptAlias / {script} {options}"));
    site.host("full.test", format!("ErrorLog /dev/full\nWSGIScriptAlias / {script} {options}"));
    site.host("quiet.test", format!("LogLevel error\nWSGIScriptAlias / {script} {options}"));
    Ok(())
}

fn restricted(site: &mut Site) -> Outcome {
    let script = super::app(site, "output.wsgi")?;
    let text =
        std::fs::read_to_string(&script)?.replace("print(\"compat: printed while loading\")", "");
    std::fs::write(&script, text)?;
    site.config(format!(
        "WSGIRestrictStdout On\nWSGIRestrictStdin On\nWSGIDaemonProcess output\n\
         WSGIScriptAlias / {} process-group=output application-group=%{{GLOBAL}}",
        script.display()
    ));
    Ok(())
}

/// Asks the host for that path, and returns what the application said.
fn ask(context: &Context, path: &str) -> Result<String, Failed> {
    let answer = context.ask("GET", path, &[&format!("Host: {HOST}")], b"")?;
    assert_eq!(answer.status, 200, "{path}: {}", answer.text());
    Ok(answer.text())
}

/// Asks, and returns the record of the host's log that has `expected`; the main log must not have it.
fn record(context: &Context, path: &str, expected: &str) -> Result<String, Failed> {
    let log = context.apache.host_log(HOST);
    let from = log.size();
    assert_eq!(ask(context, path)?, "done");
    let line = log.wait_for_from(from, expected, SOON)?;
    assert!(!context.log().text().contains(expected), "{expected} is in the main log too");
    Ok(line)
}

fn print(context: &Context) -> Outcome {
    record(context, "/print?p1", "compat: print p1").map(drop)
}

fn stderr(context: &Context) -> Outcome {
    record(context, "/stderr?s1", "compat: stderr s1").map(drop)
}

fn errors(context: &Context) -> Outcome {
    record(context, "/errors?e1", "compat: errors e1").map(drop)
}

fn records_name_the_client(context: &Context) -> Outcome {
    let line = record(context, "/errors?e2", "compat: errors e2")?;
    let client = line.contains("[client 127.0.0.1:") || line.contains("[remote 127.0.0.1:");
    assert!(client, "{line}");
    Ok(())
}

fn records_name_the_script(context: &Context) -> Outcome {
    let line = record(context, "/errors?e3", "compat: errors e3")?;
    let script = context.path("apps/output.wsgi");
    assert!(line.contains(&format!("[script {}]", script.display())), "{line}");
    Ok(())
}

fn records_are_at_error_level(context: &Context) -> Outcome {
    let line = record(context, "/print?p2", "compat: print p2")?;
    assert!(line.contains("[wsgi:error] [pid "), "{line}");
    Ok(())
}

fn log_level_error_keeps_them(context: &Context) -> Outcome {
    let log = context.apache.host_log("quiet.test");
    context.ask("GET", "/errors?quiet", &["Host: quiet.test"], b"")?;
    log.wait_for("compat: errors quiet", SOON)?;
    Ok(())
}

fn writelines(context: &Context) -> Outcome {
    record(context, "/writelines?w1", "compat: first ")?;
    record(context, "/writelines?w2", "w2")?;
    Ok(())
}

fn partial_lines(context: &Context) -> Outcome {
    record(context, "/partial?q1", "compat: partial q1")?;
    record(context, "/partial_print?q2", "compat: partial q2")?;
    record(context, "/flush?q3", "compat: flushed q3")?;
    Ok(())
}

fn each_line_is_a_record(context: &Context) -> Outcome {
    let first = record(context, "/lines?l1", "compat: line one l1")?;
    assert!(!first.contains("line two"), "{first}");
    let second = context.apache.host_log(HOST).wait_for("compat: line two l1", SOON)?;
    assert!(second.contains("[pid "), "{second}");
    Ok(())
}

fn beyond_ascii(context: &Context) -> Outcome {
    record(context, "/unicode?u1", "compat: unicode \\xe2\\x82\\xac\\xc3\\xa9 u1").map(drop)
}

fn lone_surrogate(context: &Context) -> Outcome {
    // The original writes a question mark.
    let line = record(context, "/surrogate?u2", "compat: surrogate ")?;
    assert!(line.ends_with(" u2"), "{line}");
    Ok(())
}

fn nul_and_percent(context: &Context) -> Outcome {
    record(context, "/nul?n1", "compat: nul ")?;
    record(context, "/percent?n2", "compat: percent %s %n %d n2")?;
    Ok(())
}

fn very_long_line(context: &Context) -> Outcome {
    record(context, "/long?v1", "compat: long xxxx").map(drop)
}

fn bytes_are_refused(context: &Context) -> Outcome {
    assert!(ask(context, "/bytes?b1")?.starts_with("!TypeError"));
    Ok(())
}

fn logging_and_warnings(context: &Context) -> Outcome {
    record(context, "/logging?g1", "compat: logged g1")?;
    record(context, "/warning?g2", "UserWarning: compat: warned g2")?;
    Ok(())
}

fn buffer_underneath(context: &Context) -> Outcome {
    record(context, "/buffer?b2", "compat: buffer b2").map(drop)
}

fn background_thread(context: &Context) -> Outcome {
    assert_eq!(ask(context, "/thread?t1")?, "done");
    let found = pinion_testbed::wait_until(SOON, || {
        let logs = [context.log(), context.apache.host_log(HOST)];
        logs.iter().any(|log| log.text().contains("compat: from a thread t1"))
    });
    assert!(found, "a background thread's line is in no log");
    Ok(())
}

fn errors_end_with_the_request(context: &Context) -> Outcome {
    assert_eq!(ask(context, "/keep?k1")?, "done");
    let said = ask(context, "/use_kept?k2")?;
    assert!(said.starts_with("!RuntimeError"), "{said}");
    Ok(())
}

fn printing_while_loading(context: &Context) -> Outcome {
    ask(context, "/errors?loaded")?;
    let found = pinion_testbed::wait_until(SOON, || {
        let hosts = [HOST, "quiet.test"].map(|name| context.apache.host_log(name));
        let mut logs =
            hosts.iter().chain([&context.log()]).map(|log| log.text()).collect::<Vec<_>>();
        logs.retain(|text| text.contains("compat: printed while loading"));
        !logs.is_empty()
    });
    assert!(found, "what the script printed while it was loaded is in no log");
    Ok(())
}

fn log_handler(context: &Context) -> Outcome {
    let log = context.apache.host_log(HOST);
    let from = log.size();
    assert_eq!(ask(context, "/handler?h1")?, "done");
    for (level, shown) in
        [("warning", "warn"), ("error", "error"), ("critical", "crit"), ("between", "warn")]
    {
        let line = log.wait_for_from(from, &format!("compat: handled {level} h1"), SOON)?;
        assert!(line.contains(&format!("[wsgi:{shown}] [pid ")), "{line}");
        assert!(line.contains("[script "), "{line}");
    }
    // Written in their order, so what LogLevel leaves out would be there.
    assert!(!log.text().contains("handled debug h1"), "{}", log.text());
    Ok(())
}

fn log_handler_place(context: &Context) -> Outcome {
    let log = context.apache.host_log(PLACED);
    let text = std::fs::read_to_string(context.path("apps/output.wsgi"))?;
    let call = text.lines().position(|line| line.contains("getattr(logger, level)"));
    let call = call.ok_or("the call is not in the script")? + 1;
    let answer = context.ask("GET", "/handler?p1", &[&format!("Host: {PLACED}")], b"")?;
    assert_eq!(answer.text(), "done");
    for (level, shown) in [("debug", "debug"), ("warning", "warn"), ("critical", "crit")] {
        let line = log.wait_for(&format!("compat: handled {level}"), SOON)?;
        let place = format!("at output.wsgi({call}) level {shown}: ");
        assert!(line.starts_with(&place), "{place:?}: {line}");
    }
    // What is printed has no such place.
    context.ask("GET", "/print?p2", &[&format!("Host: {PLACED}")], b"")?;
    let line = log.wait_for("compat: print p2", SOON)?;
    assert!(!line.contains("output.wsgi("), "{line}");
    Ok(())
}

fn pickling(context: &Context) -> Outcome {
    assert_eq!(ask(context, "/pickle?q1")?, "Pickled");
    assert_eq!(ask(context, "/pickle_function?q2")?, "True");
    Ok(())
}

fn stdin_is_empty(context: &Context) -> Outcome {
    assert_eq!(ask(context, "/stdin?i1")?, "''");
    Ok(())
}

fn full_disk(context: &Context) -> Outcome {
    for path in ["/print?f1", "/errors?f2", "/long?f3"] {
        let answer = context.ask("GET", path, &["Host: full.test"], b"")?;
        assert_eq!((answer.status, answer.text().as_str()), (200, "done"), "{path}");
    }
    Ok(())
}

fn streams_are_text_wrappers(context: &Context) -> Outcome {
    let wrapper = "_io.TextIOWrapper";
    let expected = format!("{wrapper} {wrapper} {wrapper} {wrapper} mod_wsgi.Log mod_wsgi.Input");
    assert_eq!(ask(context, "/types")?, expected);
    Ok(())
}

fn streams_have_names(context: &Context) -> Outcome {
    let shown = |name: &str| format!("('{name}', 'utf-8', 'replace', False)");
    let names = ["<stdout>", "<stderr>", "<wsgi.errors>", "<wsgi.errors>"].map(shown);
    assert_eq!(ask(context, "/names")?, format!("[{}]", names.join(", ")));
    Ok(())
}

fn streams_can_only_be_written(context: &Context) -> Outcome {
    let one = "(False, True, False, False)";
    assert_eq!(ask(context, "/abilities")?, format!("[{one}, {one}, {one}]"));
    Ok(())
}

fn writing_returns(context: &Context) -> Outcome {
    assert_eq!(ask(context, "/returns")?, "[16, None, None]");
    Ok(())
}

fn buffers(context: &Context) -> Outcome {
    record(context, "/buffers?b9", "compat: view b9")?;
    let log = context.apache.host_log(HOST);
    for kind in ["bytes", "bytearray", "memoryview"] {
        log.wait_for(&format!("compat: {kind}"), SOON)?;
    }
    Ok(())
}

fn text_behind_a_line_end(context: &Context) -> Outcome {
    let line = record(context, "/halves?h8", "compat: half h8")?;
    assert!(!line.contains("compat: other half"), "{line}");
    Ok(())
}

fn streams_have_no_descriptor(context: &Context) -> Outcome {
    let said = ask(context, "/fileno")?;
    assert_eq!(said, "!OSError: wsgi.errors log object has no file descriptor");
    Ok(())
}

fn errors_may_be_closed(context: &Context) -> Outcome {
    let said = ask(context, "/after_close")?;
    assert_eq!(said, "!RuntimeError: write() called on wsgi.errors after request completed");
    Ok(())
}

fn stream_attributes(context: &Context) -> Outcome {
    assert_eq!(ask(context, "/attributes?a1")?, "utf-8 False False utf-8");
    Ok(())
}

fn restricted_stdout(context: &Context) -> Outcome {
    let said = context.get("/print?r1")?.text();
    assert!(said.starts_with("!OSError"), "{said}");
    assert_eq!(context.get("/stderr?r2")?.text(), "done");
    Ok(())
}

fn restricted_stdin(context: &Context) -> Outcome {
    let said = context.get("/stdin?r3")?.text();
    assert!(said.starts_with("!OSError"), "{said}");
    Ok(())
}

fn stderr_stays_usable(context: &Context) -> Outcome {
    let from = context.log().size();
    assert_eq!(context.get("/stderr?r4")?.text(), "done");
    context.log().wait_for_from(from, "compat: stderr r4", SOON)?;
    Ok(())
}
