//! The daemon options that limit what processes and requests may use, and the signals that processes obey.

use crate::context::{SOON, eventually};
use crate::suite::Outcome;
use crate::{Context, Suite};
use libtest_mimic::Failed;
use pinion_testbed::{Server, Site};
use serde_json::json as literal;
use std::process::Command;

pub(super) fn suites() -> Vec<Suite> {
    let refused = Suite::alone("limits_refused")
        .solo("values_out_of_range", out_of_range)
        .solo("values_that_are_no_numbers", no_numbers)
        .only_pinion("mod_wsgi reads what it does not understand as 0")
        .solo("script_user_and_script_group", two_owners)
        .solo("unknown_accounts", unknown_accounts);
    vec![interrupts(), processes(), signals(), refused]
}

fn interrupts() -> Suite {
    Suite::new("limits_interrupt", interrupt_site)
        .case("request_timeout_grows_with_the_threads", grows_with_threads)
        .case("interrupt_timeout_ends_the_request_alone", ends_the_request_alone)
        .case("interrupt_timeout_may_be_caught_and_raised_again", caught)
        .case("interrupt_timeout_leaves_siblings_alone", siblings)
        .case("interrupt_timeout_after_headers_cuts_the_answer", after_headers)
        .case("interrupt_timeout_is_logged", interrupt_is_logged)
        .case("request_timeout_shows_the_python_stack", stack_is_logged)
        .case("interrupt_timeout_that_is_ignored_replaces_the_process", ignored)
}

fn processes() -> Suite {
    Suite::new("limits", process_site)
        .case("deadlock_timeout_replaces_the_process", deadlock)
        .case("inactivity_timeout_starts_the_process_anew", inactivity)
        .case("cpu_time_limit_replaces_the_process", cpu_time)
        .case("cpu_priority_is_the_nice_value", priority)
        .case("memory_limit_is_rlimit_data", memory)
        .case("virtual_memory_limit_is_accepted", virtual_memory)
        .case("virtual_memory_limit_is_rlimit_as", virtual_memory_limits)
        .only_pinion("Linux has no RLIMIT_VMEM, so mod_wsgi sets nothing")
        .case("stack_size_is_that_of_the_threads", stack_size)
        .case("header_buffer_size_is_32768", long_header)
        .case("header_buffer_size_can_be_raised", longer_header)
        .case("socket_buffers_carry_bodies_both_ways", buffers)
        .case("socket_user_can_be_given", socket_user)
        .case("response_options_are_accepted", response_options)
        .case("response_buffer_size_keeps_nothing_back", response_buffer)
        .case("stalled_reader_costs_response_socket_timeout", stalled_reader)
        .case("script_user_must_own_the_script", script_user)
        .case("script_group_must_be_that_of_the_script", script_group)
}

fn signals() -> Suite {
    Suite::new("limits_signals", signal_site)
        .case("usr1_drains_and_replaces", usr1)
        .case("term_replaces", |context| ends(context, "term", "TERM"))
        .case("int_replaces", |context| ends(context, "int", "INT"))
        .case("hup_and_usr2_end_nothing", harmless)
        .case("a_stopped_process_keeps_no_request_waiting", stopped)
        .only_pinion("mod_wsgi's requests wait until the process is continued")
}

fn declare(site: &mut Site, script: &str, groups: &[(&str, &str)]) -> Outcome {
    let script = super::app(site, script)?;
    for (name, options) in groups {
        site.config(format!(
            "WSGIDaemonProcess {name} {options}\n\
             WSGIScriptAlias /{name} {} process-group={name} application-group=%{{GLOBAL}}",
            script.display()
        ));
    }
    Ok(())
}

fn interrupt_site(site: &mut Site) -> Outcome {
    site.log_level("info");
    site.writable_folder("go")?;
    declare(
        site,
        "limits.wsgi",
        &[
            ("wide", "threads=4 request-timeout=1 shutdown-timeout=1"),
            ("cut", "threads=2 request-timeout=1 interrupt-timeout=5 shutdown-timeout=1"),
            ("stubborn", "threads=1 request-timeout=1 interrupt-timeout=1 shutdown-timeout=1"),
        ],
    )
}

fn process_site(site: &mut Site) -> Outcome {
    site.writable_folder("go")?;
    declare(site, "starts.wsgi", &[("idle", "threads=1 inactivity-timeout=1")])?;
    declare(
        site,
        "limits.wsgi",
        &[
            ("dead", "threads=2 deadlock-timeout=1 shutdown-timeout=1"),
            ("cpu", "threads=1 cpu-time-limit=2"),
            ("nice", "threads=1 cpu-priority=5"),
            ("data", "threads=1 memory-limit=1000000000"),
            ("virtual", "threads=1 virtual-memory-limit=8000000000"),
            ("stack", "threads=1 stack-size=524288"),
            ("plain", "threads=1"),
            ("long", "threads=1 header-buffer-size=65536"),
            ("buffers", "threads=1 receive-buffer-size=1048576 send-buffer-size=1048576"),
            ("small", "threads=1 receive-buffer-size=512 send-buffer-size=512"),
            ("owner", "threads=1 socket-user=www-data"),
            (
                "response",
                "threads=1 response-buffer-size=65536 response-socket-timeout=5 \
                 response-flush-delay=10",
            ),
        ],
    )?;
    declare(
        site,
        "response.wsgi",
        &[
            ("stalling", "threads=1 response-socket-timeout=2"),
            ("smallest", "threads=1 response-buffer-size=65536"),
            ("largest", "threads=1 response-buffer-size=16777216"),
        ],
    )?;
    site.config("SendBufferSize 65536");
    if super::is_root() {
        // The folder's owner counts too.
        let name = "owned";
        let script =
            site.write("owned/script.wsgi", std::fs::read_to_string(app("limits.wsgi"))?)?;
        for (group, option) in [
            ("own-user", "script-user=root"),
            ("other-user", "script-user=games"),
            ("own-group", "script-group=#0"),
            ("other-group", "script-group=games"),
        ] {
            site.config(format!(
                "WSGIDaemonProcess {group} threads=1 {option}\n\
                 WSGIScriptAlias /{name}/{group} {} process-group={group} application-group=%{{GLOBAL}}",
                script.display()
            ));
        }
    }
    Ok(())
}

fn app(name: &str) -> std::path::PathBuf {
    std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("apps").join(name)
}

fn signal_site(site: &mut Site) -> Outcome {
    site.writable_folder("go")?;
    let options = "threads=2 eviction-timeout=15 shutdown-timeout=2";
    let groups: Vec<_> = ["usr1", "term", "int", "hup"].map(|name| (name, options)).to_vec();
    declare(site, "limits.wsgi", &groups)?;
    declare(site, "limits.wsgi", &[("stop", "processes=2 threads=1 shutdown-timeout=2")])
}

fn pid(context: &Context, group: &str) -> Result<i64, Failed> {
    context.json(&format!("/{group}/"))?["pid"].as_i64().ok_or_else(|| "no pid".into())
}

fn another(context: &Context, group: &str, before: i64) -> Outcome {
    eventually("another process", || {
        let answer = context.get(&format!("/{group}/"))?;
        let found = (answer.status == 200).then(|| crate::context::json(&answer)).transpose()?;
        Ok(found.and_then(|about| about["pid"].as_i64()).filter(|pid| *pid != before).map(|_| ()))
    })
}

fn grows_with_threads(context: &Context) -> Outcome {
    // 1 × (1 + ln 4) is 2.4 seconds.
    assert_eq!(context.status("/wide/sleep?seconds=1.6")?, 200);
    let begin = std::time::Instant::now();
    let status = context.status("/wide/sleep?seconds=30")?;
    assert!([500, 502, 504].contains(&status), "{status}");
    assert!(begin.elapsed() < SOON, "{:?}", begin.elapsed());
    Ok(())
}

fn ends_the_request_alone(context: &Context) -> Outcome {
    let before = pid(context, "cut")?;
    assert_eq!(context.status("/cut/spin?seconds=30")?, 504);
    assert_eq!(pid(context, "cut")?, before);
    Ok(())
}

fn caught(context: &Context) -> Outcome {
    let before = pid(context, "cut")?;
    let mark = context.path("go/caught");
    let path = format!("/cut/catch?seconds=30&mark={}", mark.display());
    assert_eq!(context.status(&path)?, 504);
    assert_eq!(std::fs::read_to_string(mark)?, "caught");
    assert_eq!(pid(context, "cut")?, before);
    Ok(())
}

fn siblings(context: &Context) -> Outcome {
    let mut spinning = context.send("GET", "/cut/spin?seconds=30", &[], b"")?;
    // They run before, while and after the first one is interrupted.
    for _ in 0..25 {
        assert_eq!(context.status("/cut/sleep?seconds=0.1")?, 200);
    }
    assert_eq!(spinning.answer("GET")?.status, 504);
    Ok(())
}

fn after_headers(context: &Context) -> Outcome {
    let before = pid(context, "cut")?;
    let mut cut = context.send("GET", "/cut/late?seconds=30", &[], b"")?;
    assert_eq!(cut.head("GET")?.status, 200);
    cut.rest();
    assert_eq!(pid(context, "cut")?, before);
    Ok(())
}

fn interrupt_is_logged(context: &Context) -> Outcome {
    let from = context.log().size();
    assert_eq!(context.status("/cut/spin?seconds=30")?, 504);
    let log = context.log();
    log.wait_for_from(from, "Injected RequestTimeout into thread", SOON)?;
    log.wait_for_from(from, "Request interrupted by RequestTimeout; thread recovered", SOON)?;
    Ok(())
}

fn stack_is_logged(context: &Context) -> Outcome {
    let from = context.log().size();
    assert_eq!(context.status("/cut/spin?seconds=30")?, 504);
    context.log().wait_for_from(from, "in spin", SOON)?;
    Ok(())
}

fn ignored(context: &Context) -> Outcome {
    let before = pid(context, "stubborn")?;
    let status = context.status("/stubborn/swallow?seconds=60")?;
    assert!([500, 502, 504].contains(&status), "{status}");
    another(context, "stubborn", before)
}

fn deadlock(context: &Context) -> Outcome {
    let before = pid(context, "dead")?;
    let from = context.log().size();
    let answer = context.post("/dead/hold?seconds=60", b"")?;
    assert!([500, 502, 504].contains(&answer.status), "{}", answer.status);
    another(context, "dead", before)?;
    if context.server.is_pinion() {
        context.log().wait_for_from(from, "deadlock-timeout=1", SOON)?;
    }
    Ok(())
}

fn inactivity(context: &Context) -> Outcome {
    assert_eq!(context.status("/idle/")?, 200);
    let starts = context.path("go/starts");
    eventually("another process", || {
        Ok((std::fs::read_to_string(&starts)?.lines().count() > 1).then_some(()))
    })?;
    assert_eq!(context.status("/idle/")?, 200);
    Ok(())
}

fn cpu_time(context: &Context) -> Outcome {
    let about = context.json("/cpu/")?;
    assert_eq!(about["limits"]["CPU"][0], 2);
    let before = about["pid"].as_i64().ok_or("no pid")?;
    eventually("another process", || {
        let answer = context.get("/cpu/spin?seconds=0.3")?;
        let found = (answer.status == 200).then(|| crate::context::json(&answer)).transpose()?;
        Ok(found.and_then(|about| about["pid"].as_i64()).filter(|pid| *pid != before).map(|_| ()))
    })
}

fn priority(context: &Context) -> Outcome {
    let plain = context.json("/plain/")?["priority"].as_i64().ok_or("no priority")?;
    assert_eq!((plain, &context.json("/nice/")?["priority"]), (0, &literal!(5)));
    Ok(())
}

fn memory(context: &Context) -> Outcome {
    assert_eq!(context.json("/data/")?["limits"]["DATA"][0], 1_000_000_000);
    Ok(())
}

fn virtual_memory(context: &Context) -> Outcome {
    assert_eq!(context.status("/virtual/")?, 200);
    Ok(())
}

fn virtual_memory_limits(context: &Context) -> Outcome {
    assert_eq!(context.json("/virtual/")?["limits"]["AS"][0], 8_000_000_000_u64);
    Ok(())
}

fn stack_size(context: &Context) -> Outcome {
    let size = context.json("/stack/")?["stack"].as_u64().ok_or("no size")?;
    assert!((500_000..600_000).contains(&size), "{size}");
    assert!(context.json("/plain/")?["stack"].as_u64().is_some_and(|size| size > 1_000_000));
    Ok(())
}

fn long_header(context: &Context) -> Outcome {
    assert_eq!(context.status("/plain/?header=30000")?, 200);
    let from = context.log().size();
    assert_eq!(context.status("/plain/?header=40000")?, 500);
    context.log().wait_for_from(from, "WSGI0144: ", SOON)?;
    assert_eq!(context.status("/plain/")?, 200);
    Ok(())
}

fn longer_header(context: &Context) -> Outcome {
    let answer = context.get("/long/?header=40000")?;
    assert_eq!(
        (answer.status, answer.header("X-Long").map(|value| value.len())),
        (200, Some(40_000))
    );
    assert_eq!(context.status("/long/?header=70000")?, 500);
    Ok(())
}

fn buffers(context: &Context) -> Outcome {
    for group in ["buffers", "small"] {
        let answer = context.post(&format!("/{group}/upload"), &vec![b'x'; 500_000])?;
        assert_eq!((answer.status, answer.body.len()), (200, 1_000_000), "{group}");
    }
    Ok(())
}

fn socket_user(context: &Context) -> Outcome {
    assert_eq!(context.status("/owner/")?, 200);
    Ok(())
}

fn response_options(context: &Context) -> Outcome {
    let answer = context.post("/response/upload", b"x")?;
    assert_eq!((answer.status, answer.body.len()), (200, 1_000_000));
    Ok(())
}

/// However much may be kept, the client has each item before the next is made, and all of them in the end.
fn response_buffer(context: &Context) -> Outcome {
    for group in ["smallest", "largest"] {
        let go = context.path("go").join(group);
        let path = format!("/{group}/stream?go={}", go.display());
        let mut connection = context.send("GET", &path, &[], b"")?;
        let mut framing = connection.head("GET")?.framing;
        let first = connection.piece(&mut framing)?;
        assert_eq!(first.as_deref(), Some(&b"first"[..]), "{group}");
        std::fs::write(&go, "")?;
        assert!(String::from_utf8_lossy(&connection.rest()).contains("second"), "{group}");
        assert_eq!(context.get(&format!("/{group}/megabyte"))?.body.len(), 1_048_576, "{group}");
    }
    Ok(())
}

fn stalled_reader(context: &Context) -> Outcome {
    let before = context.log().size();
    let mut stalled = context.send("GET", "/stalling/endless", &[], b"")?;
    stalled.head("GET")?;
    // Apache's own Timeout is a minute.
    context.log().wait_for_from(before, "compat: closed endless", SOON)?;
    // Which of the two it is depends on what was done when the time was over.
    let line = context.log().wait_for_from(before, "Unable to proxy response to client", SOON)?;
    assert!(["WSGI0118: ", "WSGI0120: "].iter().any(|code| line.contains(code)), "{line}");
    Ok(())
}

fn script_user(context: &Context) -> Outcome {
    owned(context, "own-user", "other-user", "WSGI0164: ")
}

fn script_group(context: &Context) -> Outcome {
    owned(context, "own-group", "other-group", "WSGI0155: ")
}

fn owned(context: &Context, own: &str, other: &str, code: &str) -> Outcome {
    if super::is_root() {
        assert_eq!(context.status(&format!("/owned/{own}/"))?, 200);
        let from = context.log().size();
        assert_eq!(context.status(&format!("/owned/{other}/"))?, 403);
        let line = context.log().wait_for_from(from, "does not match", SOON)?;
        assert!(line.contains(code), "{line}");
    }
    Ok(())
}

fn signal(pid: i64, name: &str) -> Outcome {
    let status = Command::new("kill").args([&format!("-{name}"), &pid.to_string()]).status()?;
    assert!(status.success());
    Ok(())
}

fn usr1(context: &Context) -> Outcome {
    let before = pid(context, "usr1")?;
    let started = context.path("go/usr1-started");
    let path = format!("/usr1/sleep?seconds=2&started={}", started.display());
    let mut busy = context.send("GET", &path, &[], b"")?;
    eventually("the request to begin", || Ok(started.exists().then_some(())))?;
    signal(before, "USR1")?;
    assert_eq!(busy.answer("GET")?.status, 200, "it is finished first");
    another(context, "usr1", before)
}

fn ends(context: &Context, group: &str, name: &str) -> Outcome {
    let before = pid(context, group)?;
    signal(before, name)?;
    another(context, group, before)
}

fn harmless(context: &Context) -> Outcome {
    let before = pid(context, "hup")?;
    for name in ["HUP", "USR2"] {
        signal(before, name)?;
        assert_eq!(pid(context, "hup")?, before, "{name}");
    }
    Ok(())
}

fn stopped(context: &Context) -> Outcome {
    let from = context.log().size();
    let before = pid(context, "stop")?;
    signal(before, "STOP")?;
    eventually("the process to be found out", || {
        // Each request is answered, whichever worker was chosen for it first.
        pid(context, "stop")?;
        Ok(context
            .log()
            .text_from(from)
            .contains("requests wait, and it begins none")
            .then_some(()))
    })?;
    context.log().wait_for_from(from, "is killed", SOON)?;
    Ok(())
}

fn refused_all(server: &Server, options: &[&str]) -> Outcome {
    for option in options {
        let (name, _) = option.split_once('=').unwrap_or((option, ""));
        super::refused(server, &format!("WSGIDaemonProcess x {option}"), name)?;
    }
    Ok(())
}

fn out_of_range(server: &Server) -> Outcome {
    refused_all(
        server,
        &[
            "interrupt-timeout=-1",
            "deadlock-timeout=-1",
            "inactivity-timeout=-1",
            "eviction-timeout=-1",
            "cpu-time-limit=-1",
            "memory-limit=-1",
            "virtual-memory-limit=-1",
            "stack-size=0",
            "stack-size=-1",
            "receive-buffer-size=511",
            "send-buffer-size=511",
            "header-buffer-size=8191",
            "response-buffer-size=65535",
            "response-socket-timeout=-1",
            "response-flush-delay=-1",
            "server-metrics=maybe",
            "chroot=relative",
            "threads=-1",
            "threads=99999",
        ],
    )
}

fn no_numbers(server: &Server) -> Outcome {
    refused_all(
        server,
        &[
            "interrupt-timeout=soon",
            "cpu-priority=high",
            "cpu-priority=21",
            "memory-limit=10M",
            "response-flush-delay=1.5",
        ],
    )
}

fn two_owners(server: &Server) -> Outcome {
    let line = "WSGIDaemonProcess x script-user=root script-group=root";
    super::refused(server, line, "script-user")
}

fn unknown_accounts(server: &Server) -> Outcome {
    for name in ["script-user", "script-group", "socket-user"] {
        super::refused(server, &format!("WSGIDaemonProcess x {name}=nobody-here"), name)?;
    }
    Ok(())
}
