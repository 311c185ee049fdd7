//! `os.environ`: applications find what Apache was started with.

use crate::suite::Outcome;
use crate::{Context, Suite};
use libtest_mimic::Failed;
use pinion_testbed::Site;
use serde_json::Value;

pub(super) fn suites() -> Vec<Suite> {
    vec![
        common(Suite::new("environment_daemon", daemon))
            .case("home_is_the_users", home)
            .case("options_come_on_top", options)
            .only_pinion("mod_wsgi has no env= and env-file="),
        common(Suite::new("environment_embedded", embedded)),
    ]
}

fn common(suite: Suite) -> Suite {
    suite
        .case("exported_variables_are_there", exported)
        .case("python_path_is_heeded", python_path)
        .case("python_is_as_the_variables_say", python_variables)
}

fn describe(site: &mut Site, group: &str) -> Outcome {
    let script = super::app(site, "process.wsgi")?;
    site.write("path/exported.py", "VALUE = 'by PYTHONPATH'\n")?;
    let path = site.root().join("path").display().to_string();
    site.environment("COMPAT_EXPORTED", "by envvars, \"quoted\"")
        .environment("COMPAT_EMPTY", "")
        .environment("COMPAT_OVER", "Apache's")
        .environment("LD_LIBRARY_PATH", "/nonexistent/oracle/lib")
        .environment("PYTHONPATH", &path)
        .environment("PYTHONDONTWRITEBYTECODE", "1")
        .environment("PYTHONOPTIMIZE", "2")
        .environment("HOME", "/of/the/starter");
    site.config(format!(
        "WSGIScriptAlias / {} process-group={group} application-group=%{{GLOBAL}}",
        script.display()
    ));
    Ok(())
}

fn daemon(site: &mut Site) -> Outcome {
    let own = if site.server().is_some_and(pinion_testbed::Server::is_pinion) {
        "env=COMPAT_OVER=own env=COMPAT_MORE=more"
    } else {
        ""
    };
    site.config(format!("WSGIDaemonProcess group threads=1 processes=1 {own}"));
    describe(site, "group")
}

fn embedded(site: &mut Site) -> Outcome {
    describe(site, "%{GLOBAL}")
}

fn environ(context: &Context) -> Result<Value, Failed> {
    Ok(context.json("/")?["environ"].take())
}

fn exported(context: &Context) -> Outcome {
    let environ = environ(context)?;
    assert_eq!(environ["COMPAT_EXPORTED"], "by envvars, \"quoted\"");
    assert_eq!(environ["COMPAT_EMPTY"], "");
    assert_eq!(environ["LD_LIBRARY_PATH"], "/nonexistent/oracle/lib");
    assert!(environ["PATH"].is_string(), "{environ}");
    Ok(())
}

fn python_path(context: &Context) -> Outcome {
    let found = context.json("/import?module=exported")?;
    assert_eq!(found["imported_value"], "by PYTHONPATH");
    Ok(())
}

fn python_variables(context: &Context) -> Outcome {
    let about = context.json("/")?;
    let flags = about["flags"].as_str().ok_or("no flags")?;
    assert!(flags.contains("dont_write_bytecode=1"), "{flags}");
    assert!(flags.contains("optimize=2"), "{flags}");
    Ok(())
}

fn home(context: &Context) -> Outcome {
    let home = environ(context)?["HOME"].take();
    assert_ne!(home, "/of/the/starter");
    Ok(())
}

fn options(context: &Context) -> Outcome {
    let environ = environ(context)?;
    assert_eq!(environ["COMPAT_OVER"], "own");
    assert_eq!(environ["COMPAT_MORE"], "more");
    Ok(())
}
