//! `WSGIAuthGroupScript` and `Require wsgi-group`.

use super::{ask, basic, broken, called, calls, came_in, common, says, section};
use crate::suite::Outcome;
use crate::{Context, Suite};
use pinion_testbed::Site;
use serde_json::{Value, json as literal};

const DENIED_BETTER: &str = "the original lets everybody in where a failing script is negated";

pub(super) fn suite() -> Suite {
    Suite::new("access_groups", site)
        .case("member_gets_in", member_gets_in)
        .case("others_do_not", others_do_not)
        .case("wrong_password_comes_first", wrong_password_comes_first)
        .case("the_name_that_the_script_gave_is_asked_for", canonical_name)
        .case("one_of_several_groups_is_enough", one_of_several)
        .case("names_may_be_quoted", quoted_names)
        .case("upper_and_lower_case_do_not_matter", case_does_not_matter)
        .case("names_are_no_expressions", no_expressions)
        .case("all_lines_of_require_all", require_all)
        .case("negated", negated)
        .case("any_iterable_of_names", any_iterable)
        .case("wrong_types_deny", wrong_types)
        .case("failures_deny", failures)
        .case("failures_deny_where_negated", failures_negated)
        .only_pinion(DENIED_BETTER)
        .case("exceptions_deny", exceptions)
        .case("no_script_denies", no_script)
        .case("authoritative_changes_nothing", authoritative)
        .case("forbidden_where_configured", forbidden)
        .case("application_group_of_the_script", application_group)
        .case("other_providers_of_users", other_providers)
        .case("environ_is_cut_down", environ_is_cut_down)
}

fn site(site: &mut Site) -> Outcome {
    let guard = common(site)?;
    let guard = guard.display().to_string();
    let root = site.root().display().to_string();
    let users = site.write("users", "spy:{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ=\n")?;
    let of = |script: &str, lines: &str| {
        format!(
            "AuthType Basic\nAuthName x\nAuthBasicProvider wsgi\nWSGIAuthUserScript {guard}\n\
             {script}\n{lines}"
        )
    };
    let script = format!("WSGIAuthGroupScript {guard}");
    let agents = "Require wsgi-group secret-agents";
    let all = |lines: &str| format!("<RequireAll>\n{lines}\n</RequireAll>");
    let not = all("Require valid-user\nRequire not wsgi-group secret-agents");
    let none = all(&format!("Require valid-user\n<RequireNone>\n{agents}\n</RequireNone>"));
    for (path, lines) in [
        ("plain", of(&script, agents)),
        ("several", of(&script, "Require wsgi-group others SECRET-AGENTS more")),
        ("quoted", of(&script, "Require wsgi-group others \"two words\"")),
        ("expression", of(&script, "Require wsgi-group %{QUERY_STRING}")),
        ("all", of(&script, &all(&format!("{agents}\nRequire wsgi-group \"two words\"")))),
        ("more", of(&script, &all(&format!("{agents}\nRequire wsgi-group others")))),
        ("not", of(&script, &not)),
        ("none", of(&script, &none)),
        ("broken-not", of(&format!("WSGIAuthGroupScript {root}/apps/empty.py"), &not)),
        ("broken-none", of(&format!("WSGIAuthGroupScript {root}/apps/empty.py"), &none)),
        ("scriptless", of("", agents)),
        ("off", of(&script, &format!("WSGIGroupAuthoritative Off\n{agents}"))),
        ("on", of(&script, &format!("WSGIGroupAuthoritative On\n{agents}"))),
        ("forbidden", of(&script, &format!("AuthzSendForbiddenOnFailure On\n{agents}"))),
        ("apart", of(&format!("{script} application-group=apart"), agents)),
        (
            "file",
            format!(
                "AuthType Basic\nAuthName x\nAuthBasicProvider file\nAuthUserFile {}\n{script}\n\
                 {agents}\nRequire valid-user",
                users.display()
            ),
        ),
    ] {
        site.config(section(&format!("/app/{path}"), &lines));
    }
    for name in broken() {
        let script = format!("WSGIAuthGroupScript {root}/apps/{name}.py");
        site.config(section(&format!("/app/group-{name}"), &of(&script, agents)));
    }
    Ok(())
}

fn spy() -> String {
    basic("spy", "secret")
}

fn status(context: &Context, path: &str, groups: &str) -> Result<u16, libtest_mimic::Failed> {
    let query = [("groups", groups)];
    let query = if groups.is_empty() { &[][..] } else { &query };
    Ok(ask(context, path, query, &[&spy()])?.0.status)
}

fn member_gets_in(context: &Context) -> Outcome {
    let (answer, mark) = ask(context, "/app/plain", &[], &[&spy()])?;
    assert_eq!(came_in(&answer)?["REMOTE_USER"], "spy");
    assert_eq!(called(context, &mark)?, ["check_password", "groups_for_user"]);
    assert_eq!(calls(context, &mark)?[1]["called"][1], literal!(["spy"]));
    Ok(())
}

fn others_do_not(context: &Context) -> Outcome {
    let citizen = basic("citizen", "secret");
    let line = "WSGI0059: Authorization of user 'citizen' to access '/app/plain' failed. User is \
                not a member of any groups.";
    says(context, "/app/plain", &[], &[&citizen], (401, line))?;
    let line = "WSGI0060: Authorization of user 'citizen' to access '/app/plain' failed. User is \
                not a member of designated groups.";
    says(context, "/app/plain", &[("groups", "['others']")], &[&citizen], (401, line))
}

fn wrong_password_comes_first(context: &Context) -> Outcome {
    let (answer, mark) = ask(context, "/app/plain", &[], &[&basic("spy", "wrong")])?;
    assert_eq!((answer.status, called(context, &mark)?), (401, vec!["check_password".to_owned()]));
    Ok(())
}

fn canonical_name(context: &Context) -> Outcome {
    let (answer, mark) = ask(context, "/app/plain", &[], &[&basic("alias", "x")])?;
    assert_eq!(came_in(&answer)?["REMOTE_USER"], "canonical");
    assert_eq!(calls(context, &mark)?[1]["called"][1], literal!(["canonical"]));
    Ok(())
}

fn one_of_several(context: &Context) -> Outcome {
    assert_eq!(status(context, "/app/several", "")?, 200);
    assert_eq!(status(context, "/app/several", "['x', 'more']")?, 200);
    assert_eq!(status(context, "/app/several", "['x', 'other']")?, 401);
    Ok(())
}

fn quoted_names(context: &Context) -> Outcome {
    assert_eq!(status(context, "/app/quoted", "")?, 200);
    assert_eq!(status(context, "/app/quoted", "['two', 'words']")?, 401);
    Ok(())
}

fn case_does_not_matter(context: &Context) -> Outcome {
    assert_eq!(status(context, "/app/plain", "['Secret-AGENTS']")?, 200);
    Ok(())
}

fn no_expressions(context: &Context) -> Outcome {
    let (answer, _) = ask(context, "/app/expression", &[], &[&spy()])?;
    assert_eq!(answer.status, 401);
    assert_eq!(status(context, "/app/expression", "['%{QUERY_STRING}']")?, 200);
    Ok(())
}

fn require_all(context: &Context) -> Outcome {
    assert_eq!(status(context, "/app/all", "")?, 200);
    assert_eq!(status(context, "/app/more", "")?, 401);
    Ok(())
}

fn negated(context: &Context) -> Outcome {
    for path in ["/app/not", "/app/none"] {
        assert_eq!(status(context, path, "")?, 401, "{path}");
        assert_eq!(status(context, path, "['others']")?, 200, "{path}");
        assert_eq!(status(context, path, "[]")?, 200, "{path}");
    }
    Ok(())
}

fn any_iterable(context: &Context) -> Outcome {
    for groups in [
        "['secret-agents']",
        "('x', 'secret-agents')",
        "{'secret-agents'}",
        "{'secret-agents': 1}",
        "iter(['secret-agents'])",
        "[b'secret-agents']",
        "(name for name in ['secret-agents'])",
    ] {
        assert_eq!(status(context, "/app/plain", groups)?, 200, "{groups}");
    }
    Ok(())
}

fn wrong_types(context: &Context) -> Outcome {
    let item = "Item returned from 'groups_for_user' in '";
    let result = "Result returned from 'groups_for_user' in '";
    for (groups, line) in [
        ("None", format!("WSGI0051: {result}")),
        ("5", format!("WSGI0051: {result}")),
        ("True", "is not iterable; expected an iterable sequence of byte strings.".into()),
        ("['secret-agents', 5]", format!("WSGI0050: {item}")),
        ("[None, 'secret-agents']", "is not a byte string.".into()),
        ("['secret-agents', chr(8364)]", format!("WSGI0049: {item}")),
        ("b'secret-agents'", format!("WSGI0050: {item}")),
        ("'secret-agents'", "WSGI0060: ".into()),
        ("''", "WSGI0059: ".into()),
    ] {
        says(context, "/app/plain", &[("groups", groups)], &[&spy()], (401, &line))?;
    }
    Ok(())
}

fn failures(context: &Context) -> Outcome {
    for name in broken() {
        let (answer, _) = ask(context, &format!("/app/group-{name}"), &[], &[&spy()])?;
        assert_eq!(answer.status, 401, "{name}");
    }
    for line in [
        "WSGI0052: Target WSGI group authentication script '",
        "does not provide 'groups_for_user' callable.",
    ] {
        says(context, "/app/group-empty", &[], &[&spy()], (401, line))?;
    }
    Ok(())
}

fn failures_negated(context: &Context) -> Outcome {
    for path in ["/app/broken-not", "/app/broken-none"] {
        says(context, path, &[], &[&spy()], (500, "WSGI0052: "))?;
    }
    for groups in ["None", "[5]", "fail('raise')"] {
        assert_eq!(status(context, "/app/not", groups)?, 500, "{groups}");
    }
    Ok(())
}

fn exceptions(context: &Context) -> Outcome {
    let line = "ValueError: compat guard raised";
    says(context, "/app/plain", &[("groups", "fail('raise')")], &[&spy()], (401, line))?;
    let groups = "(1 / 0 for name in ['secret-agents'])";
    says(context, "/app/plain", &[("groups", groups)], &[&spy()], (401, "ZeroDivisionError: "))?;
    assert_eq!(status(context, "/app/plain", "fail('exit')")?, 401);
    assert_eq!(status(context, "/app/plain", "")?, 200);
    Ok(())
}

fn no_script(context: &Context) -> Outcome {
    let line = "WSGI0058: Location of WSGI group authorization script not provided.";
    says(context, "/app/scriptless", &[], &[&spy()], (401, line))
}

fn authoritative(context: &Context) -> Outcome {
    for path in ["/app/on", "/app/off"] {
        assert_eq!(status(context, path, "")?, 200, "{path}");
        assert_eq!(status(context, path, "[]")?, 401, "{path}");
    }
    Ok(())
}

fn forbidden(context: &Context) -> Outcome {
    assert_eq!(status(context, "/app/forbidden", "[]")?, 403);
    assert_eq!(status(context, "/app/forbidden", "")?, 200);
    Ok(())
}

fn application_group(context: &Context) -> Outcome {
    let (_, mark) = ask(context, "/app/apart", &[], &[&spy()])?;
    assert_eq!(calls(context, &mark)?[1]["mod_wsgi.application_group"][1], "apart");
    Ok(())
}

/// `Require valid-user` beside it lets those in whom the groups do not.
fn other_providers(context: &Context) -> Outcome {
    for (groups, names) in [("", 1), ("[]", 1)] {
        let query = [("groups", groups)];
        let query = if groups.is_empty() { &[][..] } else { &query };
        let (answer, mark) = ask(context, "/app/file", query, &[&spy()])?;
        assert_eq!(came_in(&answer)?["REMOTE_USER"], "spy");
        assert_eq!(called(context, &mark)?.len(), names);
    }
    Ok(())
}

fn environ_is_cut_down(context: &Context) -> Outcome {
    let (_, mark) = ask(context, "/app/plain", &[], &[&spy()])?;
    let call = &calls(context, &mark)?[1];
    assert_eq!(call["PATH_INFO"], literal!(["str", "/plain"]));
    for key in ["REMOTE_USER", "AUTH_TYPE", "HTTP_AUTHORIZATION", "COMPAT_SET", "X_LEFT"] {
        assert_eq!(call[key], Value::Null, "{key}");
    }
    Ok(())
}
