//! Threads of Apache that wait for their turn while a worker is under load, and what they do next.

use crate::context::eventually;
use crate::suite::Outcome;
use crate::{Context, Suite};
use pinion_testbed::load::Load;
use pinion_testbed::{Server, Site, process};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

pub(super) fn suites() -> Vec<Suite> {
    vec![
        Suite::alone("scheduling")
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
