//! `WSGIFreeThreading` with a Python that was built for it.

use crate::context::SOON;
use crate::suite::Outcome;
use crate::{Context, Suite};
use libtest_mimic::Failed;
use pinion_testbed::free_threaded;
use pinion_testbed::python::Interpreter;
use pinion_testbed::{Server, Site};

/// Each group's Python is another than the one that mod_wsgi is built for.
const OTHER: &str = "mod_wsgi runs the Python that it was built for, which has a GIL";

const SCRIPT: &str = "import sys\n\
    def application(environ, start_response):\n    \
        start_response('200 OK', [])\n    \
        return [repr(sys._is_gil_enabled()).encode()]\n";

pub(super) fn suites() -> Vec<Suite> {
    let suite = Suite::alone("free_threading").solo("no_gil_where_it_is_on", on);
    vec![suite.only_pinion(OTHER).needs(needs)]
}

fn needs() -> Result<(), String> {
    interpreter().map(drop).map_err(|_| "no free-threaded Python is on this machine".to_owned())
}

fn interpreter() -> Result<Interpreter, Failed> {
    let first = free_threaded::interpreters().into_iter().next();
    first.ok_or_else(|| "no free-threaded Python".into())
}

/// Off is the default, whatever the interpreter's own is.
fn on(server: &Server) -> Outcome {
    let python = interpreter()?;
    let mut site = Site::new(server)?;
    let script = site.write("apps/lock.wsgi", SCRIPT)?;
    let (python, script) = (python.path.display(), script.display());
    site.config(format!(
        "WSGIDaemonProcess free python-home={python} switch-interval=0.01\n\
         WSGIDaemonProcess locked python-home={python}\n\
         <WSGIInterpreterOptions process-group=free>\nWSGIFreeThreading On\n</WSGIInterpreterOptions>\n\
         WSGIScriptAlias /free {script} process-group=free application-group=%{{GLOBAL}}\n\
         WSGIScriptAlias /locked {script} process-group=locked application-group=%{{GLOBAL}}"
    ));
    let tested = site.configtest()?;
    assert!(
        tested.success && !tested.output().contains("WSGIFreeThreading"),
        "{}",
        tested.output()
    );
    let apache = site.start()?;
    let context = Context { apache: &apache, server };
    for _ in 0..20 {
        assert_eq!(context.get("/free")?.text(), "False");
        assert_eq!(context.get("/locked")?.text(), "True");
    }
    let line = apache.log().wait_for("WSGI0204: Skipping WSGISwitchInterval 0.010000s", SOON)?;
    assert!(line.contains("in daemon process 'free': free-threading is active"), "{line}");
    Ok(())
}
