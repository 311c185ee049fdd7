//! Mount points: how a URL finds its script, and what SCRIPT_NAME and PATH_INFO become.

use crate::context::json;
use crate::suite::Outcome;
use crate::{Context, Suite};
use libtest_mimic::Failed;
use pinion_testbed::{Server, Site};
use std::os::unix::fs::PermissionsExt;

pub(super) fn suites() -> Vec<Suite> {
    let mounts = Suite::new("mounts", site)
        .case("sub_path", sub_path)
        .case("sub_path_matches_whole_segments", sub_path_matches_whole_segments)
        .case("double_slashes_are_collapsed", double_slashes_are_collapsed)
        .case("slashes_before_the_mount", slashes_before_the_mount)
        .case("encoded_slash_is_404", encoded_slash_is_404)
        .case("first_of_nested_mounts_wins", first_of_nested_mounts_wins)
        .case("directory_alias", directory_alias)
        .case("directory_alias_without_script", directory_alias_without_script)
        .case("script_by_symbolic_link", script_by_link)
        .case("unreadable_script_is_500", unreadable_script)
        .case("script_with_any_ending", script_with_any_ending)
        .case("missing_script_is_404", missing_script_is_404)
        .case("alias_match_with_capture", alias_match_with_capture)
        .case("alias_match_fixed_script", alias_match_fixed_script)
        .case("set_handler_with_exec_cgi", set_handler_with_exec_cgi)
        .case("set_handler_without_exec_cgi_is_403", set_handler_without_exec_cgi)
        .case("add_handler_by_ending", add_handler_by_ending)
        .case("denied_folder_is_403", denied_folder_is_403)
        .case("static_alias_beside_the_root_mount", static_alias_beside_the_root_mount)
        .case("root_mount", root_mount)
        .case("root_mount_of_a_virtual_host", root_mount_of_a_virtual_host)
        .case("mount_with_a_space", mount_with_a_space)
        .case("callable_object_option", callable_object_option)
        .case("callable_object_directive", callable_object_directive)
        .case("missing_callable_is_404", missing_callable)
        .case("mount_option_process_group", mount_option_process_group);
    let refused = Suite::alone("mounts_refused")
        .solo("script_alias_needs_two_arguments", script_alias_needs_two_arguments)
        .solo("unknown_mount_option", unknown_mount_option)
        .solo("missing_script_is_404", missing_from_the_start)
        .solo("alias_match_with_bad_pattern", alias_match_with_bad_pattern);
    let slashes = Suite::new("mounts_slashes", slashes)
        .case("slash_on_both_sides", slash_on_both_sides)
        .case("slash_on_the_mount_alone", slash_on_the_mount_alone)
        .only_original("only the mount's own URL works there")
        .case("slash_on_the_mount_alone_serves_all_below", slash_on_the_mount_serves)
        .only_pinion("the original serves nothing below the mount")
        .case("slash_on_the_script_alone", slash_on_the_script_alone);
    vec![mounts, slashes, refused]
}

fn site(site: &mut Site) -> Outcome {
    let env = super::app(site, "environ.wsgi")?;
    let named = super::app(site, "callables.wsgi")?;
    let (env, named) = (env.display().to_string(), named.display().to_string());
    let root = site.root().display().to_string();
    let copy = std::fs::read(&env)?;
    site.write("gone.wsgi", &copy)?;
    site.write("dir/env.wsgi", &copy)?;
    std::os::unix::fs::symlink(&env, site.root().join("dir/link.wsgi"))?;
    let secret = site.write("dir/secret.wsgi", &copy)?;
    std::fs::set_permissions(&secret, std::fs::Permissions::from_mode(0o000))?;
    site.write("dir/other.py", &copy)?;
    site.write("dir/noending", &copy)?;
    site.write("htdocs/handled/env.wsgi", &copy)?;
    site.write("htdocs/refused/env.wsgi", &copy)?;
    site.write("htdocs/added/env.wsgi", &copy)?;
    site.write("htdocs/added/plain.txt", "plain")?;
    site.write("denied/env.wsgi", &copy)?;
    site.write("static/file.txt", "static")?;
    site.config(format!(
        "WSGIDaemonProcess mounts threads=2\n\
         WSGIScriptAlias /sub {env}\n\
         WSGIScriptAlias /nest/inner {env} application-group=inner\n\
         WSGIScriptAlias /nest {env} application-group=outer\n\
         WSGIScriptAlias /dir {root}/dir\nWSGIScriptAlias /gone {root}/gone.wsgi\n\
         WSGIScriptAlias /denied {root}/denied/env.wsgi\n\
         WSGIScriptAliasMatch ^/match/([a-z]+) {root}/dir/$1.wsgi\n\
         WSGIScriptAliasMatch ^/fixed/[0-9]+ {env}\n\
         WSGIScriptAlias \"/with space\" {env}\n\
         WSGIScriptAlias /other {named} callable-object=other\n\
         WSGIScriptAlias /directive {named}\nWSGIScriptAlias /nocallable {named} callable-object=none\n\
         WSGIScriptAlias /grouped {env} process-group=mounts application-group=%{{GLOBAL}}\n\
         <Location /directive>\nWSGICallableObject other\n</Location>\n\
         <Directory {root}/denied>\nRequire all denied\n</Directory>\n\
         <Directory {root}/htdocs/handled>\nSetHandler wsgi-script\nOptions ExecCGI\n</Directory>\n\
         <Directory {root}/htdocs/refused>\nSetHandler wsgi-script\n</Directory>\n\
         <Directory {root}/htdocs/added>\nAddHandler wsgi-script .wsgi\nOptions ExecCGI\n</Directory>"
    ));
    site.host("first.test", "");
    site.host(
        "root.test",
        format!("Alias /static {root}/static\nWSGIScriptAlias / {env} process-group=mounts"),
    );
    Ok(())
}

fn slashes(site: &mut Site) -> Outcome {
    let env = super::app(site, "environ.wsgi")?;
    let env = env.display();
    site.config(format!(
        "WSGIScriptAlias /both/ {env}/\nWSGIScriptAlias /mount/ {env}\n\
         WSGIScriptAlias /script {env}/"
    ));
    Ok(())
}

fn slash_on_both_sides(context: &Context) -> Outcome {
    assert_eq!(context.status("/both")?, 404);
    assert_eq!(split(context, "/both/")?, pair("/both", "/"));
    assert_eq!(split(context, "/both/a/b")?, pair("/both", "/a/b"));
    Ok(())
}

fn slash_on_the_mount_alone(context: &Context) -> Outcome {
    assert_eq!(context.status("/mount")?, 404);
    assert_eq!(split(context, "/mount/")?, pair("/mount/", ""));
    assert_eq!(context.status("/mount/a")?, 404);
    Ok(())
}

fn slash_on_the_mount_serves(context: &Context) -> Outcome {
    assert_eq!(split(context, "/mount/")?, pair("/mount", "/"));
    assert_eq!(split(context, "/mount/a")?, pair("/mount", "/a"));
    Ok(())
}

fn slash_on_the_script_alone(context: &Context) -> Outcome {
    assert_eq!(split(context, "/script")?, pair("/script", "/"));
    assert_eq!(split(context, "/script/")?, pair("/script", "/"));
    assert_eq!(split(context, "/script/a")?, pair("/script", "/a"));
    Ok(())
}

/// SCRIPT_NAME and PATH_INFO that the application saw.
fn split(context: &Context, path: &str) -> Result<(String, String), Failed> {
    Ok(names(&context.json(path)?))
}

fn names(environ: &serde_json::Value) -> (String, String) {
    let text = |key: &str| environ[key][1].as_str().unwrap_or("absent").to_owned();
    (text("SCRIPT_NAME"), text("PATH_INFO"))
}

fn at_root(context: &Context, path: &str) -> Result<(String, String), Failed> {
    Ok(names(&json(&context.ask("GET", path, &["Host: root.test"], b"")?)?))
}

fn pair(script_name: &str, path_info: &str) -> (String, String) {
    (script_name.to_owned(), path_info.to_owned())
}

fn sub_path(context: &Context) -> Outcome {
    assert_eq!(split(context, "/sub")?, pair("/sub", ""));
    assert_eq!(split(context, "/sub/")?, pair("/sub", "/"));
    assert_eq!(split(context, "/sub/a/b/")?, pair("/sub", "/a/b/"));
    Ok(())
}

fn sub_path_matches_whole_segments(context: &Context) -> Outcome {
    assert_eq!(context.status("/subway")?, 404);
    assert_eq!(context.status("/SUB")?, 404);
    Ok(())
}

fn double_slashes_are_collapsed(context: &Context) -> Outcome {
    assert_eq!(split(context, "/sub//")?, pair("/sub", "/"));
    assert_eq!(split(context, "/sub//a///b//")?, pair("/sub", "/a/b/"));
    assert_eq!(at_root(context, "//a//b")?, pair("", "/a/b"));
    Ok(())
}

fn slashes_before_the_mount(context: &Context) -> Outcome {
    assert_eq!(split(context, "//sub/a")?, pair("/sub", "/a"));
    assert_eq!(split(context, "/nest//inner//x")?, pair("/nest/inner", "/x"));
    Ok(())
}

fn encoded_slash_is_404(context: &Context) -> Outcome {
    assert_eq!(context.status("/sub/a%2fb")?, 404);
    Ok(())
}

fn first_of_nested_mounts_wins(context: &Context) -> Outcome {
    let inner = context.json("/nest/inner/x")?;
    assert_eq!(names(&inner), pair("/nest/inner", "/x"));
    assert_eq!(inner["mod_wsgi.application_group"][1], "inner");
    let outer = context.json("/nest/other")?;
    assert_eq!(names(&outer), pair("/nest", "/other"));
    assert_eq!(outer["mod_wsgi.application_group"][1], "outer");
    Ok(())
}

fn directory_alias(context: &Context) -> Outcome {
    let environ = context.json("/dir/env.wsgi/x/y")?;
    assert_eq!(names(&environ), pair("/dir/env.wsgi", "/x/y"));
    assert_eq!(environ["SCRIPT_FILENAME"][1], context.path("dir/env.wsgi").display().to_string());
    assert_eq!(split(context, "/dir/env.wsgi")?, pair("/dir/env.wsgi", ""));
    Ok(())
}

fn directory_alias_without_script(context: &Context) -> Outcome {
    assert_eq!(context.status("/dir/none.wsgi")?, 404);
    assert_eq!(context.status("/dir/")?, 403);
    // mod_dir adds the slash to a folder's name.
    assert_eq!(context.status("/dir")?, 301);
    Ok(())
}

fn script_by_link(context: &Context) -> Outcome {
    assert_eq!(split(context, "/dir/link.wsgi/x")?, pair("/dir/link.wsgi", "/x"));
    Ok(())
}

fn unreadable_script(context: &Context) -> Outcome {
    assert_eq!(context.status("/dir/secret.wsgi")?, 500);
    Ok(())
}

fn script_with_any_ending(context: &Context) -> Outcome {
    assert_eq!(split(context, "/dir/other.py/x")?, pair("/dir/other.py", "/x"));
    assert_eq!(split(context, "/dir/noending/x")?, pair("/dir/noending", "/x"));
    Ok(())
}

fn missing_script_is_404(context: &Context) -> Outcome {
    assert_eq!(context.status("/gone/x")?, 200);
    std::fs::remove_file(context.path("gone.wsgi"))?;
    assert_eq!(context.status("/gone")?, 404);
    assert_eq!(context.status("/gone/x")?, 404);
    Ok(())
}

fn alias_match_with_capture(context: &Context) -> Outcome {
    assert_eq!(split(context, "/match/env/x")?, pair("/match/env", "/x"));
    assert_eq!(split(context, "/match/env")?, pair("/match/env", ""));
    assert_eq!(context.status("/match/none/x")?, 404);
    assert_eq!(context.status("/match/9")?, 404);
    Ok(())
}

fn alias_match_fixed_script(context: &Context) -> Outcome {
    assert_eq!(split(context, "/fixed/12/x")?, pair("/fixed/12", "/x"));
    assert_eq!(context.status("/fixed/x")?, 404);
    Ok(())
}

fn set_handler_with_exec_cgi(context: &Context) -> Outcome {
    assert_eq!(split(context, "/handled/env.wsgi")?, pair("/handled/env.wsgi", ""));
    assert_eq!(split(context, "/handled/env.wsgi/a//b")?, pair("/handled/env.wsgi", "/a/b"));
    assert_eq!(context.status("/handled/none.wsgi")?, 404);
    Ok(())
}

fn set_handler_without_exec_cgi(context: &Context) -> Outcome {
    assert_eq!(context.status("/refused/env.wsgi")?, 403);
    Ok(())
}

fn add_handler_by_ending(context: &Context) -> Outcome {
    assert_eq!(split(context, "/added/env.wsgi/x")?, pair("/added/env.wsgi", "/x"));
    assert_eq!(context.get("/added/plain.txt")?.text(), "plain");
    Ok(())
}

fn denied_folder_is_403(context: &Context) -> Outcome {
    assert_eq!(context.status("/denied/x")?, 403);
    Ok(())
}

fn static_alias_beside_the_root_mount(context: &Context) -> Outcome {
    let answer = context.ask("GET", "/static/file.txt", &["Host: root.test"], b"")?;
    assert_eq!(answer.text(), "static");
    assert_eq!(at_root(context, "/statics")?, pair("", "/statics"));
    Ok(())
}

fn root_mount(context: &Context) -> Outcome {
    assert_eq!(at_root(context, "/")?, pair("", "/"));
    assert_eq!(at_root(context, "/a/b?c")?, pair("", "/a/b"));
    assert_eq!(at_root(context, "/favicon.ico")?, pair("", "/favicon.ico"));
    Ok(())
}

fn root_mount_of_a_virtual_host(context: &Context) -> Outcome {
    let answer = context.ask("GET", "/x", &["Host: root.test"], b"")?;
    let environ = json(&answer)?;
    assert_eq!(environ["SERVER_NAME"][1], "root.test");
    // The port is ServerName's, not the one that is listened on.
    assert_eq!(environ["mod_wsgi.application_group"][1], "root.test|");
    Ok(())
}

fn mount_with_a_space(context: &Context) -> Outcome {
    assert_eq!(split(context, "/with%20space/x")?, pair("/with space", "/x"));
    Ok(())
}

fn callable_object_option(context: &Context) -> Outcome {
    assert_eq!(context.get("/other")?.text(), "other");
    Ok(())
}

fn callable_object_directive(context: &Context) -> Outcome {
    assert_eq!(context.get("/directive")?.text(), "other");
    Ok(())
}

fn missing_callable(context: &Context) -> Outcome {
    assert_eq!(context.status("/nocallable")?, 404);
    Ok(())
}

fn mount_option_process_group(context: &Context) -> Outcome {
    let environ = context.json("/grouped")?;
    assert_eq!(environ["mod_wsgi.process_group"][1], "mounts");
    assert_eq!(environ["mod_wsgi.application_group"][1], "");
    Ok(())
}

fn script_alias_needs_two_arguments(server: &Server) -> Outcome {
    super::refused(server, "WSGIScriptAlias /x", "WSGIScriptAlias")
}

fn unknown_mount_option(server: &Server) -> Outcome {
    super::refused(server, "WSGIScriptAlias /x /tmp/x.wsgi colour=blue", "WSGIScriptAlias")
}

fn missing_from_the_start(server: &Server) -> Outcome {
    let mut site = Site::new(server)?;
    site.config("WSGIScriptAlias /gone /srv/compat/none.wsgi");
    let apache = site.start()?;
    let context = Context { apache: &apache, server };
    assert_eq!(context.status("/gone/x")?, 404);
    Ok(())
}

fn alias_match_with_bad_pattern(server: &Server) -> Outcome {
    super::refused(server, "WSGIScriptAliasMatch ^/(x /tmp/x.wsgi", "WSGIScriptAliasMatch")
}
