//! Clients that stop sending or reading: they must not keep a thread for longer than the timeout.

use crate::context::{SOON, json};
use crate::suite::Outcome;
use crate::{Context, Suite};
use pinion_testbed::Site;
use serde_json::json as literal;

pub(super) fn suites() -> Vec<Suite> {
    vec![
        Suite::new("stalling_daemon", daemon)
            .case("stalled_body_is_408", stalled_body_is_408)
            .case("stalled_reader_is_given_up", stalled_reader),
        Suite::new("stalling_embedded", embedded)
            .case("stalled_body_raises_or_is_408", stalled_body_raises)
            .case("stalled_reader_is_given_up", stalled_reader),
    ]
}

fn daemon(site: &mut Site) -> Outcome {
    site.config("WSGIDaemonProcess sending threads=1 socket-timeout=2");
    site.config("WSGIDaemonProcess reading threads=1 socket-timeout=2");
    describe(site, "process-group=sending", "process-group=reading")
}

fn embedded(site: &mut Site) -> Outcome {
    describe(site, "", "")
}

fn describe(site: &mut Site, sending: &str, reading: &str) -> Outcome {
    let input = super::app(site, "input.wsgi")?;
    let response = super::app(site, "response.wsgi")?;
    site.config(format!(
        "Timeout 2\nSendBufferSize 65536\n\
         WSGIScriptAlias /input {} {sending} application-group=%{{GLOBAL}}\n\
         WSGIScriptAlias /response {} {reading} application-group=%{{GLOBAL}}",
        input.display(),
        response.display()
    ));
    Ok(())
}

fn stalled_body_is_408(context: &Context) -> Outcome {
    let mut stalled = context.send("POST", "/input/?ops=read", &["Content-Length: 100"], b"abc")?;
    assert_eq!(stalled.answer("POST")?.status, 408);
    // The group's only thread is free again.
    assert_eq!(context.status("/input/?ops=read")?, 200);
    Ok(())
}

fn stalled_body_raises(context: &Context) -> Outcome {
    let mut stalled = context.send("POST", "/input/?ops=read", &["Content-Length: 100"], b"abc")?;
    let answer = stalled.answer("POST")?;
    // The original's application may still answer; Pinion's embedded mode is a daemon's.
    if !(context.server.is_pinion() && answer.status == 408) {
        assert_eq!(json(&answer)?, literal!(["!OSError", "100"]));
    }
    Ok(())
}

fn stalled_reader(context: &Context) -> Outcome {
    let from = context.log().size();
    let mut stalled = context.send("GET", "/response/endless", &[], b"")?;
    stalled.head("GET")?;
    context.log().wait_for_from(from, "compat: closed endless", SOON)?;
    assert_eq!(context.status("/response/plain")?, 200);
    Ok(())
}
