//! Configurations of well-known packages as their documentation has them, with stand-in scripts at other
//! paths: they pass the configuration test and route as written.

use crate::context::json;
use crate::suite::Outcome;
use crate::{Context, Suite};
use pinion_testbed::Site;

pub(super) fn suites() -> Vec<Suite> {
    let packages = Suite::new("packages", site)
        .case("graphite", |context| {
            routed(context, "graphite.test", "/render", "_graphite", "", "/render")
        })
        .case("keystone", |context| {
            routed(context, "keystone.test", "/v3", "keystone-public", "", "/v3")
        })
        .case("horizon", |context| {
            routed(context, "horizon.test", "/horizon/auth", "horizon", "/horizon", "/auth")
        })
        .case("mailman_web", |context| {
            routed(
                context,
                "mailman.test",
                "/postorius/lists",
                "mailman-web",
                "",
                "/postorius/lists",
            )
        })
        .case("trac", |context| routed(context, "trac.test", "/trac/wiki", "", "/trac", "/wiki"))
        .case("static_files_beside", static_files_beside)
        .case("configuration_test_passes", configuration_test_passes);
    vec![packages]
}

fn site(site: &mut Site) -> Outcome {
    let script = super::app(site, "environ.wsgi")?;
    let (script, folder) =
        (script.display().to_string(), site.root().join("apps").display().to_string());
    site.write("static/logo.txt", "a static file")?;
    let files = site.root().join("static").display().to_string();
    let granted = format!("<Directory {folder}>\nRequire all granted\n</Directory>");
    site.host(
        "graphite.test",
        format!(
            "WSGIDaemonProcess _graphite processes=2 threads=2 display-name='%{{GROUP}}' inactivity-timeout=120\n\
             WSGIProcessGroup _graphite\nWSGIImportScript {script} process-group=_graphite application-group=%{{GLOBAL}}\n\
             WSGIScriptAlias / {script}\nAlias /static/ {files}/\n<Location \"/static/\">\nSetHandler None\n</Location>\n{granted}"
        ),
    );
    site.host(
        "keystone.test",
        format!(
            "WSGIDaemonProcess keystone-public processes=2 threads=1 display-name=%{{GROUP}}\n\
             WSGIProcessGroup keystone-public\nWSGIScriptAlias / {script}\nWSGIApplicationGroup %{{GLOBAL}}\n\
             WSGIPassAuthorization On\nLimitRequestBody 114688\n{granted}\nAlias /identity {script}\n\
             <Location /identity>\nSetHandler wsgi-script\nOptions +ExecCGI\nWSGIProcessGroup keystone-public\n\
             WSGIApplicationGroup %{{GLOBAL}}\nWSGIPassAuthorization On\n</Location>"
        ),
    );
    site.host(
        "horizon.test",
        format!(
            "WSGIScriptAlias /horizon {script} process-group=horizon\n\
             WSGIDaemonProcess horizon processes=3 threads=10 display-name=%{{GROUP}}\n\
             WSGIProcessGroup horizon\nWSGIApplicationGroup %{{GLOBAL}}\nAlias /static {files}\n\
             Alias /horizon/static {files}\n{granted}"
        ),
    );
    site.host(
        "mailman.test",
        format!(
            "Alias /mailman3/static {files}\nWSGIDaemonProcess mailman-web threads=25 python-path={folder}\n\
             WSGIProcessGroup mailman-web\nWSGIScriptAlias / {script}\n\
             <Directory \"{folder}\">\n<Files environ.wsgi>\nOrder deny,allow\nAllow from all\nRequire all granted\n</Files>\n</Directory>"
        ),
    );
    site.module("access_compat");
    site.host(
        "trac.test",
        format!(
            "WSGIScriptAlias /trac {script}\n<Directory {folder}>\nWSGIApplicationGroup %{{GLOBAL}}\n\
             Require all granted\n</Directory>"
        ),
    );
    Ok(())
}

fn routed(
    context: &Context,
    host: &str,
    path: &str,
    group: &str,
    script_name: &str,
    path_info: &str,
) -> Outcome {
    let environ = json(&context.ask("GET", path, &[&format!("Host: {host}")], b"")?)?;
    for (name, value) in
        [("mod_wsgi.process_group", group), ("SCRIPT_NAME", script_name), ("PATH_INFO", path_info)]
    {
        assert_eq!(environ[name][1], value, "{name}: {environ}");
    }
    Ok(())
}

fn configuration_test_passes(context: &Context) -> Outcome {
    let tested = context.apache.configtest()?;
    assert!(tested.success, "{}", tested.output());
    Ok(())
}

fn static_files_beside(context: &Context) -> Outcome {
    for (host, path) in [
        ("graphite.test", "/static/logo.txt"),
        ("horizon.test", "/static/logo.txt"),
        ("mailman.test", "/mailman3/static/logo.txt"),
    ] {
        let answer = context.ask("GET", path, &[&format!("Host: {host}")], b"")?;
        assert_eq!((answer.status, answer.text().as_str()), (200, "a static file"), "{host}{path}");
    }
    Ok(())
}
