//! Threads of Apache that wait, for their turn while a worker is under load or for a client's next request, and what they do next.

use crate::context::eventually;
use crate::suite::Outcome;
use crate::{Context, Suite};
use libtest_mimic::Failed;
use pinion_testbed::load::Load;
use pinion_testbed::raw::Connection;
use pinion_testbed::{Server, Site, process};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

pub(super) fn suites() -> Vec<Suite> {
    vec![
        Suite::alone("scheduling")
            .solo("of_busy_threads_end_with_requests_for_others", ended)
            .only_pinion("it is Pinion that has threads wait for their turn"),
        Suite::alone("kept_connections").solo("more_than_threads_are_all_answered", crowded),
    ]
}

const APPLICATION: &str = "def application(environ, start_response):
    start_response('200 OK', [('Content-Length', '5')])
    return [b'quick']
";

/// Prints how the system schedules it.
const PROGRAM: &str = "#!/bin/sh
printf 'Content-Type: text/plain\\n\\n'
read line < /proc/self/stat
set -- ${line##*) }
shift 38
printf %s \"$1\"
";

fn ended(server: &Server) -> Outcome {
    let mut site = Site::new(server)?;
    let quick = site.write("apps/quick.wsgi", APPLICATION)?;
    let program = site.write("programs/scheduling", PROGRAM)?;
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755))?;
    site.module("cgi");
    site.config(format!(
        "WSGIDaemonProcess quick processes=1 threads=5\n\
         WSGIScriptAlias /quick {} process-group=quick application-group=%{{GLOBAL}}\n\
         ScriptAlias /scheduling {}",
        quick.display(),
        program.display()
    ));
    let apache = site.start()?;
    let context = Context { apache: &apache, server };
    let load = Load::get(apache.port(), "/quick", 16, Duration::from_millis(300));
    eventually("threads that wait for their turn", || {
        let report = load.run();
        assert_eq!(report.other_than(200), 0);
        let children = process::descendants(apache.pid());
        Ok(children
            .iter()
            .any(|child| {
                child.command.contains("apache2") && process::threads_in_batch(child.pid) > 0
            })
            .then_some(()))
    })?;
    // More than there are threads.
    for _ in 0..60 {
        let answer = context.get("/scheduling")?;
        assert_eq!((answer.status, answer.text()), (200, "0".to_owned()));
    }
    Ok(())
}

/// Clients that ask again after a pause that is worth a sleep of the thread's, and are more than the threads that may sleep, or that
/// there are.
fn crowded(server: &Server) -> Outcome {
    let mut site = Site::new(server)?;
    let quick = site.write("apps/quick.wsgi", APPLICATION)?;
    site.config(format!(
        "ServerLimit 1\nThreadsPerChild 8\nMaxRequestWorkers 8\nMaxSpareThreads 8\n\
         MaxKeepAliveRequests 0\nKeepAliveTimeout 60\n\
         WSGIApplicationGroup %{{GLOBAL}}\nWSGIScriptAlias /quick {}",
        quick.display()
    ));
    let apache = site.start()?;
    for clients in [3, 7, 20] {
        std::thread::scope(|scope| {
            let clients: Vec<_> =
                (0..clients).map(|_| scope.spawn(|| pause_and_ask(apache.port()))).collect();
            for client in clients {
                client.join().map_err(|_| "a client panicked")??;
            }
            Ok::<_, Failed>(())
        })?;
    }
    Ok(())
}

fn pause_and_ask(port: u16) -> Result<(), String> {
    let lost = |error: pinion_testbed::Error| error.to_string();
    let mut connection = Connection::open(port).map_err(lost)?;
    for round in 0..40 {
        let ask = |connection: &mut Connection| {
            connection.send("GET /quick HTTP/1.1\r\nHost: localhost\r\n\r\n")?;
            connection.answer("GET")
        };
        // A server whose threads are all busy may close what is kept for another request; a new connection it may not.
        let answer = ask(&mut connection).or_else(|_| {
            connection = Connection::open(port)?;
            ask(&mut connection)
        });
        let answer = answer.map_err(lost)?;
        if (answer.status, answer.body.as_slice()) != (200, b"quick") {
            return Err(format!("round {round}: {}", answer.status));
        }
        // A gap, not a wait for anything: from none to more than the longest that a thread sleeps for.
        std::thread::sleep(Duration::from_millis([0, 2, 7, 15, 30, 60][round % 6]));
    }
    Ok(())
}
