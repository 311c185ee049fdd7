//! Directives that a configuration may hold and whose effect, if any, no request shows.

use crate::context::json;
use crate::suite::Outcome;
use crate::{Context, Suite};
use pinion_testbed::{Server, Site};

pub(super) fn suites() -> Vec<Suite> {
    let served = Suite::new("accepted", site)
        .case("nothing_changes", nothing_changes)
        .solo("wrong_values", wrong_values);
    vec![served]
}

fn site(site: &mut Site) -> Outcome {
    let script = super::app(site, "environ.wsgi")?;
    site.config(format!(
        "WSGISocketRotation Off\nWSGIAcceptMutex fcntl\nWSGIVerboseDebugging On\nWSGIEnableSendfile On\n\
         WSGIServerMetrics On\nWSGIDaemonProcess accepted threads=2\n\
         WSGIScriptAlias / {} process-group=accepted application-group=%{{GLOBAL}}",
        script.display()
    ));
    Ok(())
}

fn nothing_changes(context: &Context) -> Outcome {
    let environ = json(&context.get("/x")?)?;
    assert!(environ.to_string().contains("accepted"), "{environ}");
    Ok(())
}

fn wrong_values(server: &Server) -> Outcome {
    for (name, wrong) in [
        ("WSGISocketRotation", "Sometimes"),
        ("WSGIAcceptMutex", "padlock"),
        ("WSGIVerboseDebugging", "Very"),
        ("WSGIEnableSendfile", "Perhaps"),
        ("WSGIServerMetrics", "Some"),
    ] {
        super::refused(server, &format!("{name} {wrong}"), name)?;
    }
    Ok(())
}
