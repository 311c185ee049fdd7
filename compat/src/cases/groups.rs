//! Process groups, application groups, and scripts imported before the first request.

use crate::context::{SOON, eventually};
use crate::suite::Outcome;
use crate::{Context, Suite};
use libtest_mimic::Failed;
use pinion_testbed::{Server, Site};

pub(super) fn suites() -> Vec<Suite> {
    let groups = Suite::new("groups", site)
        .case("default_application_group_is_host_and_mount", default_application_group)
        .case("global_application_group_is_empty", global_application_group)
        .case("server_application_group", server_application_group)
        .case("resource_application_group", resource_application_group)
        .case("host_application_group", host_application_group)
        .case("named_application_group", named_application_group)
        .case("application_group_from_environment", application_group_from_environment)
        .case("unset_environment_stays_as_written", unset_environment)
        .case("default_port_leaves_the_name", default_port_leaves_the_name)
        .case("process_group_by_directive", process_group_by_directive)
        .case("process_group_from_environment", process_group_from_environment)
        .case("application_groups_share_no_modules", application_groups_share_no_modules)
        .case("embedded_by_global_process_group", embedded_by_global)
        .case("notes_and_variables_before_the_servers_environment", environment_order)
        .case("looked_up_names_are_expanded_once_more", expanded_once_more)
        .case("callable_from_environment", callable_from_environment)
        .case("import_script_before_any_request", import_script)
        .case("import_script_in_embedded_mode", import_script_embedded)
        .case("import_script_that_is_broken_or_missing_harms_nobody", import_script_broken)
        .case("static_options_preload_the_script", static_options_preload);
    let refused = Suite::alone("groups_refused")
        .solo("unknown_group_in_script_alias", unknown_group_in_script_alias)
        .solo("unknown_process_group_is_500", unknown_process_group)
        .solo("group_of_another_host_is_unusable", group_of_another_host)
        .solo("same_group_twice", same_group_twice)
        .solo("unknown_daemon_option", unknown_daemon_option)
        .solo("import_script_needs_groups", import_script_needs_groups)
        .solo("daemon_option_not_numeric", daemon_option_not_numeric)
        .solo("daemon_option_half_numeric", daemon_option_half_numeric)
        .only_pinion("mod_wsgi reads processes=3x as 3, and maximum-requests=some as 0")
        .solo("negative_daemon_options", negative_daemon_options)
        .solo("server_only_directives_in_a_host", server_only_directives)
        .solo("on_off_directives_take_nothing_else", on_off_directives);
    vec![groups, refused]
}

fn site(site: &mut Site) -> Outcome {
    let script = super::app(site, "groups.wsgi")?;
    let script = script.display();
    site.module("setenvif");
    site.config(format!(
        "WSGIDaemonProcess one threads=2\nWSGIDaemonProcess two\n\
         WSGIImportScript {script} process-group=one application-group=imported\n\
         WSGIScriptAlias /preloaded {script} process-group=one application-group=preloaded\n"
    ));
    for (mount, group) in [
        ("global", "%{GLOBAL}"),
        ("server", "%{SERVER}"),
        ("resource", "%{RESOURCE}"),
        ("host", "%{HOST}"),
        ("named", "named"),
        ("environment", "%{ENV:X_GROUP}"),
        ("unset", "%{ENV:X_UNSET}"),
    ] {
        site.config(format!(
            "WSGIScriptAlias /{mount} {script}\n<Location /{mount}>\nWSGIProcessGroup one\n\
             SetEnv X_GROUP from-environment\nWSGIApplicationGroup {group}\n</Location>"
        ));
    }
    site.config(format!(
        "WSGIScriptAlias /default {script}\nWSGIScriptAlias /directive {script}\n\
         WSGIScriptAlias /variable {script}\nWSGIScriptAlias /embedded {script}\n\
         <Location /default>\nWSGIProcessGroup one\n</Location>\n\
         <Location /directive>\nWSGIProcessGroup two\n</Location>\n\
         <Location /variable>\nSetEnvIf X-Choice (.+) X_CHOICE=$1\nWSGIProcessGroup %{{ENV:X_CHOICE}}\n</Location>\n\
         <Location /embedded>\nWSGIProcessGroup %{{GLOBAL}}\nWSGIApplicationGroup %{{GLOBAL}}\n</Location>"
    ));
    site.environment("COMPAT_SERVER", "from-server").environment("COMPAT_BOTH", "from-server");
    site.environment("COMPAT_NESTED", "%{SERVER}")
        .environment("COMPAT_TWICE", "%{ENV:COMPAT_SERVER}");
    for (mount, group) in [
        ("getenv", "%{ENV:COMPAT_SERVER}"),
        ("both", "%{ENV:COMPAT_BOTH}"),
        ("nested", "%{ENV:COMPAT_NESTED}"),
        ("twice", "%{ENV:COMPAT_TWICE}"),
    ] {
        site.config(format!(
            "WSGIScriptAlias /{mount} {script}\n<Location /{mount}>\nWSGIProcessGroup one\n\
             SetEnv COMPAT_BOTH from-request\nWSGIApplicationGroup {group}\n</Location>"
        ));
    }
    let callables = super::app(site, "callables.wsgi")?;
    let broken = site.write("apps/broken.py", "raise ValueError('compat: broken import')\n")?;
    site.config(format!(
        "WSGIScriptAlias /callable {}\n<Location /callable>\nSetEnv X_NAME other\n\
         WSGICallableObject %{{ENV:X_NAME}}\n</Location>\n\
         WSGIImportScript {script} process-group=%{{GLOBAL}} application-group=embedded-import\n\
         WSGIImportScript {} process-group=two application-group=%{{GLOBAL}}\n\
         WSGIImportScript {}/apps/none.py process-group=two application-group=%{{GLOBAL}}\n\
         WSGIScriptAlias /beside {script} process-group=two application-group=%{{GLOBAL}}",
        callables.display(),
        broken.display(),
        site.root().display(),
    ));
    site.host("localhost", "");
    site.host(
        "web.test:80",
        format!("WSGIDaemonProcess foreign\nWSGIScriptAlias /x {script} process-group=foreign"),
    );
    site.host("tls.test:443", format!("WSGIScriptAlias /x {script} process-group=one"));
    site.host("odd.test:8080", format!("WSGIScriptAlias /x {script} process-group=one"));
    Ok(())
}

/// Process group and application group, `-` if empty; the module must say the same as the environ.
fn groups(context: &Context, path: &str, host: &str) -> Result<(String, String), Failed> {
    let answer = context.ask("GET", path, &[&format!("Host: {host}")], b"")?;
    assert_eq!(answer.status, 200, "{path}");
    let text = answer.text();
    let words: Vec<&str> = text.split(' ').collect();
    assert_eq!(
        words[2..],
        ["True", "True"],
        "mod_wsgi's attributes differ from the environ: {text}"
    );
    Ok((words[0].to_owned(), words[1].to_owned()))
}

fn application_group(context: &Context, path: &str, expected: &str) -> Outcome {
    let (process, application) = groups(context, path, "localhost")?;
    assert_eq!((process.as_str(), application.as_str()), ("one", expected));
    Ok(())
}

fn default_application_group(context: &Context) -> Outcome {
    application_group(context, "/default/x", "localhost|/default")
}

fn global_application_group(context: &Context) -> Outcome {
    application_group(context, "/global", "-")
}

fn server_application_group(context: &Context) -> Outcome {
    application_group(context, "/server/x", "localhost")
}

fn resource_application_group(context: &Context) -> Outcome {
    application_group(context, "/resource/x", "localhost|/resource")
}

fn host_application_group(context: &Context) -> Outcome {
    let (_, group) = groups(context, "/host", "LocalHost:81")?;
    assert_eq!(group, "localhost:81");
    Ok(())
}

fn named_application_group(context: &Context) -> Outcome {
    application_group(context, "/named", "named")
}

fn application_group_from_environment(context: &Context) -> Outcome {
    application_group(context, "/environment", "from-environment")
}

fn unset_environment(context: &Context) -> Outcome {
    application_group(context, "/unset", "%{ENV:X_UNSET}")
}

fn default_port_leaves_the_name(context: &Context) -> Outcome {
    assert_eq!(groups(context, "/x", "web.test")?.1, "web.test|/x");
    assert_eq!(groups(context, "/x", "tls.test")?.1, "tls.test|/x");
    assert_eq!(groups(context, "/x", "odd.test")?.1, "odd.test:8080|/x");
    Ok(())
}

fn process_group_by_directive(context: &Context) -> Outcome {
    assert_eq!(groups(context, "/directive", "localhost")?.0, "two");
    Ok(())
}

fn process_group_from_environment(context: &Context) -> Outcome {
    for group in ["one", "two"] {
        let answer = context.ask("GET", "/variable", &[&format!("X-Choice: {group}")], b"")?;
        assert!(answer.text().starts_with(group), "{}", answer.text());
    }
    let answer = context.ask("GET", "/variable", &["X-Choice: three"], b"")?;
    assert_eq!(answer.status, 500);
    assert_eq!(context.status("/variable")?, 500);
    Ok(())
}

fn application_groups_share_no_modules(context: &Context) -> Outcome {
    // Each group imports the script for itself, and says so once.
    for path in ["/named", "/server", "/named", "/server"] {
        groups(context, path, "localhost")?;
    }
    for group in ["named", "localhost"] {
        let line = format!("compat: imported in group 'one' application '{group}'");
        let seen = eventually("both imports", || {
            let all = everything(context);
            Ok(Some(all.matches(&line).count()).filter(|count| *count > 0))
        })?;
        assert_eq!(seen, 1, "{line}");
    }
    Ok(())
}

/// All logs together: which host gets what a script prints while it is loaded is left open.
fn everything(context: &Context) -> String {
    let hosts = ["localhost", "web.test:80", "tls.test:443", "odd.test:8080"];
    let logs = hosts.map(|name| context.apache.host_log(name).text());
    format!("{}{}", context.log().text(), logs.concat())
}

fn embedded_by_global(context: &Context) -> Outcome {
    assert_eq!(groups(context, "/embedded", "localhost")?, ("-".to_owned(), "-".to_owned()));
    Ok(())
}

fn environment_order(context: &Context) -> Outcome {
    application_group(context, "/getenv", "from-server")?;
    application_group(context, "/both", "from-request")
}

fn expanded_once_more(context: &Context) -> Outcome {
    application_group(context, "/nested", "localhost")?;
    application_group(context, "/twice", "%{ENV:COMPAT_SERVER}")
}

fn callable_from_environment(context: &Context) -> Outcome {
    assert_eq!(context.get("/callable")?.text(), "other");
    Ok(())
}

fn import_script_embedded(context: &Context) -> Outcome {
    let line = "compat: imported in group '' application 'embedded-import'";
    eventually(line, || Ok(everything(context).contains(line).then_some(())))
}

fn import_script_broken(context: &Context) -> Outcome {
    assert_eq!(groups(context, "/beside", "localhost")?, ("two".to_owned(), "-".to_owned()));
    eventually("the traceback", || {
        Ok(everything(context).contains("ValueError: compat: broken import").then_some(()))
    })?;
    // Pinion names it when the server starts, on standard error.
    if context.server.is_pinion() {
        return Ok(());
    }
    eventually("the missing script", || {
        Ok(everything(context).contains("apps/none.py").then_some(()))
    })
}

fn import_script(context: &Context) -> Outcome {
    imported(context, "imported")
}

fn static_options_preload(context: &Context) -> Outcome {
    imported(context, "preloaded")
}

/// The script is imported in that application group although no request asks for it.
fn imported(context: &Context, group: &str) -> Outcome {
    let line = format!("compat: imported in group 'one' application '{group}'");
    eventually(&line, || Ok(everything(context).contains(&line).then_some(())))
}

fn unknown_group_in_script_alias(server: &Server) -> Outcome {
    super::refused(
        server,
        "WSGIScriptAlias /x /tmp/x.wsgi process-group=nowhere application-group=x",
        "nowhere",
    )
}

fn unknown_process_group(server: &Server) -> Outcome {
    let mut site = Site::new(server)?;
    let script = super::app(&site, "groups.wsgi")?;
    site.config(format!("WSGIProcessGroup nowhere\nWSGIScriptAlias / {}", script.display()));
    let apache = site.start()?;
    assert_eq!(Context { apache: &apache, server }.status("/")?, 500);
    apache.log().wait_for("nowhere", SOON)?;
    Ok(())
}

/// The original answers 500; Pinion's configuration test may find it first.
fn group_of_another_host(server: &Server) -> Outcome {
    let mut site = Site::new(server)?;
    let script = super::app(&site, "groups.wsgi")?;
    let mount = format!("WSGIScriptAlias / {}\nWSGIProcessGroup foreign", script.display());
    site.host("own.test", format!("WSGIDaemonProcess foreign\n{mount}"));
    site.host("other.test", mount);
    if server.is_pinion() && !site.configtest()?.success {
        return Ok(());
    }
    let apache = site.start()?;
    let context = Context { apache: &apache, server };
    assert_eq!(context.ask("GET", "/", &["Host: own.test"], b"")?.status, 200);
    assert_eq!(context.ask("GET", "/", &["Host: other.test"], b"")?.status, 500);
    Ok(())
}

fn same_group_twice(server: &Server) -> Outcome {
    super::refused(server, "WSGIDaemonProcess twice\nWSGIDaemonProcess twice", "WSGIDaemonProcess")
}

fn unknown_daemon_option(server: &Server) -> Outcome {
    super::refused(server, "WSGIDaemonProcess x colour=blue", "WSGIDaemonProcess")
}

fn import_script_needs_groups(server: &Server) -> Outcome {
    super::refused(server, "WSGIImportScript /tmp/x.wsgi", "WSGIImportScript")
}

fn daemon_option_not_numeric(server: &Server) -> Outcome {
    super::refused(server, "WSGIDaemonProcess x processes=many", "processes")?;
    super::refused(server, "WSGIDaemonProcess x threads=", "threads")
}

fn daemon_option_half_numeric(server: &Server) -> Outcome {
    super::refused(server, "WSGIDaemonProcess x processes=3x", "processes")?;
    super::refused(server, "WSGIDaemonProcess x maximum-requests=some", "maximum-requests")
}

fn negative_daemon_options(server: &Server) -> Outcome {
    super::refused(server, "WSGIDaemonProcess x processes=0", "processes")?;
    super::refused(server, "WSGIDaemonProcess x threads=-1", "threads")?;
    super::refused(server, "WSGIDaemonProcess x request-timeout=-5", "request-timeout")
}

fn server_only_directives(server: &Server) -> Outcome {
    for line in ["WSGIPythonHome /usr", "WSGISocketPrefix /tmp/x", "WSGIRestrictStdout On"] {
        let name = line.split(' ').next().unwrap_or(line);
        let inside = format!("<VirtualHost *:80>\n{line}\n</VirtualHost>");
        super::refused(server, &inside, name)?;
    }
    Ok(())
}

fn on_off_directives(server: &Server) -> Outcome {
    for name in [
        "WSGIPassAuthorization",
        "WSGIScriptReloading",
        "WSGIChunkedRequest",
        "WSGIRestrictStdin",
        "WSGIRestrictEmbedded",
        "WSGIErrorOverride",
        "WSGIMapHEADToGET",
    ] {
        super::refused(server, &format!("{name} Perhaps"), name)?;
    }
    Ok(())
}
