//! Threads of Apache that wait for their turn while a worker is under load, and what they do next.

use crate::context::eventually;
use crate::suite::Outcome;
use crate::{Context, Suite};
use pinion_testbed::load::Load;
use pinion_testbed::{Server, Site};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

pub(super) fn suites() -> Vec<Suite> {
    vec![
        Suite::alone("turns")
            .solo("of_busy_threads_end_with_requests_for_others", ended)
            .only_pinion("it is Pinion that has threads wait for their turn"),
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

/// `SCHED_BATCH`, as the 41st field of `/proc/pid/stat` gives it (proc(5)).
const BATCH: &str = "3";

/// How many threads of Apache's children wait for their turn.
fn waiting(parent: i32) -> Result<usize, std::io::Error> {
    let mut count = 0;
    for child in fs::read_to_string(format!("/proc/{parent}/task/{parent}/children"))?.split(' ') {
        // Some end at any time.
        let Ok(tasks) = fs::read_dir(format!("/proc/{child}/task")) else { continue };
        for task in tasks.flatten() {
            let stat = fs::read_to_string(task.path().join("stat")).unwrap_or_default();
            let behind_name = stat.rsplit_once(") ").map_or("", |(_, behind)| behind);
            count += usize::from(behind_name.split(' ').nth(38) == Some(BATCH));
        }
    }
    Ok(count)
}

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
        Ok((waiting(apache.pid())? > 0).then_some(()))
    })?;
    // More than there are threads.
    for _ in 0..60 {
        let answer = context.get("/scheduling")?;
        assert_eq!((answer.status, answer.text()), (200, "0".to_owned()));
    }
    Ok(())
}
