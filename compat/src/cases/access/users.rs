//! `WSGIAuthUserScript` for `AuthBasicProvider wsgi` and `AuthDigestProvider wsgi`.

use super::{ask, basic, broken, called, calls, came_in, common, mark, says, section};
use crate::context::SOON;
use crate::suite::Outcome;
use crate::{Context, Suite};
use libtest_mimic::Failed;
use md5::{Digest as _, Md5};
use pinion_testbed::Site;
use pinion_testbed::http::Answer;
use serde_json::{Value, json as literal};
use std::fmt::Write as _;

pub(super) fn suite() -> Suite {
    Suite::new("access_users", site)
        .case("without_a_password_it_is_401", without_password)
        .case("right_password", right_password)
        .case("wrong_password_is_401", wrong_password)
        .case("unknown_user_is_401", unknown_user)
        .case("text_is_the_users_name", text_is_the_name)
        .case("arguments_are_latin_1", arguments_are_latin_1)
        .case("odd_credentials_are_401", odd_credentials)
        .case("environ_is_cut_down", environ_is_cut_down)
        .case("plain_files_are_guarded", plain_files)
        .case("the_next_provider_is_asked_for_unknown_users", next_provider)
        .case("the_next_provider_is_not_asked_for_wrong_passwords", wrong_is_final)
        .case("wrong_types_are_500", wrong_types)
        .case("empty_name_is_500", empty_name)
        .case("a_name_with_nul_is_500", name_with_nul)
        .only_pinion("the original takes what stands before the NUL for the name")
        .case("failures_are_500", failures)
        .case("exceptions_are_500", exceptions)
        .case("a_worker_that_dies_is_500", dies)
        .only_pinion("the original would take its child of Apache down with it")
        .case("no_script_is_500", no_script)
        .case("aliased_provider_and_its_application_group", aliased)
        .case("digest", digest)
        .case("digest_of_bytes", digest_of_bytes)
        .case("digest_wrong_password_is_401", digest_wrong_password)
        .case("digest_unknown_user_is_401", digest_unknown_user)
        .case("digest_wrong_types_are_500", digest_wrong_types)
        .case("digest_failures_are_500", digest_failures)
}

fn site(site: &mut Site) -> Outcome {
    let guard = common(site)?;
    let guard = guard.display().to_string();
    let root = site.root().display().to_string();
    // The user "filer" with the password "secret".
    let users = site.write("users", "filer:{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ=\n")?;
    let basic = |provider: &str, script: &str| {
        format!(
            "AuthType Basic\nAuthName \"Top Secret\"\nAuthBasicProvider {provider}\n{script}\n\
             Require valid-user"
        )
    };
    let digest = |script: &str| {
        format!(
            "AuthType Digest\nAuthName \"Top Secret\"\nAuthDigestProvider wsgi\n{script}\n\
             Require valid-user"
        )
    };
    let script = |path: &str| format!("WSGIAuthUserScript {path}");
    let files = format!("{}\nAuthUserFile {}", script(&guard), users.display());
    site.config(format!(
        "<AuthnProviderAlias wsgi other>\n{} application-group=apart\n</AuthnProviderAlias>",
        script(&guard)
    ));
    for (path, lines) in [
        ("/app/basic", basic("wsgi", &script(&guard))),
        ("/static", basic("wsgi", &script(&guard))),
        ("/app/first", basic("wsgi file", &files)),
        ("/app/second", basic("file wsgi", &files)),
        ("/app/aliased", basic("other", "")),
        ("/app/none", basic("wsgi", "")),
        ("/app/digest", digest(&script(&guard))),
        ("/app/digest-none", digest("")),
    ] {
        site.config(section(path, &lines));
    }
    for name in broken() {
        let script = script(&format!("{root}/apps/{name}.py"));
        site.config(section(&format!("/app/basic-{name}"), &basic("wsgi", &script)));
        site.config(section(&format!("/app/digest-{name}"), &digest(&script)));
    }
    Ok(())
}

fn spy() -> String {
    basic("spy", "secret")
}

/// Asks as somebody and returns the status with what the application says.
fn as_user(context: &Context, path: &str, credentials: &str) -> Result<(u16, Value), Failed> {
    let (answer, _) = ask(context, path, &[], &[credentials])?;
    let said = if answer.status == 200 { came_in(&answer)? } else { Value::Null };
    Ok((answer.status, said))
}

fn without_password(context: &Context) -> Outcome {
    let (answer, mark) = ask(context, "/app/basic", &[], &[])?;
    assert_eq!(answer.status, 401);
    assert_eq!(answer.header("WWW-Authenticate").as_deref(), Some("Basic realm=\"Top Secret\""));
    assert!(calls(context, &mark)?.is_empty());
    Ok(())
}

fn right_password(context: &Context) -> Outcome {
    let (status, said) = as_user(context, "/app/basic", &spy())?;
    assert_eq!((status, &said["REMOTE_USER"]), (200, &"spy".into()));
    assert_eq!(said["AUTH_TYPE"], "Basic");
    assert_eq!(said["X_LEFT"], Value::Null);
    Ok(())
}

fn wrong_password(context: &Context) -> Outcome {
    let credentials = basic("spy", "wrong");
    says(context, "/app/basic", &[], &[&credentials], (401, "user spy: authentication failure"))
}

fn unknown_user(context: &Context) -> Outcome {
    let credentials = basic("nobody", "secret");
    says(context, "/app/basic", &[], &[&credentials], (401, "user nobody not found"))
}

fn text_is_the_name(context: &Context) -> Outcome {
    let (status, said) = as_user(context, "/app/basic", &basic("alias", "x"))?;
    assert_eq!((status, &said["REMOTE_USER"]), (200, &"canonical".into()));
    // The name is written in UTF-8, and read as all of the environ.
    let query = [("basic", "'n\\xe4me'")];
    let (answer, _) = ask(context, "/app/basic", &query, &[&spy()])?;
    assert_eq!(came_in(&answer)?["REMOTE_USER"], "n\u{c3}\u{a4}me");
    Ok(())
}

fn arguments_are_latin_1(context: &Context) -> Outcome {
    let (answer, mark) = ask(context, "/app/basic", &[], &[&basic("sp\u{e9}", "s\u{e9}:x")])?;
    assert_eq!(answer.status, 200);
    let call = &calls(context, &mark)?[0];
    assert_eq!(call["called"][1], literal!(["sp\u{e9}", "s\u{e9}:x"]));
    Ok(())
}

fn odd_credentials(context: &Context) -> Outcome {
    let long = basic(&"a".repeat(3000), &"b".repeat(2000));
    for header in [
        &basic("", ""),
        &basic("", "secret"),
        &basic("spy", ""),
        &basic("spy\0", "secret\0"),
        &long,
        "Authorization: Basic !!!",
        "Authorization: Basic",
        "Authorization: Bearer abc",
    ] {
        // The NULs end the name and the password, as in every provider of httpd.
        let expected = if header == basic("spy\0", "secret\0") { [200, 401] } else { [401, 401] };
        let status = ask(context, "/app/basic", &[], &[header])?.0.status;
        assert!(expected.contains(&status), "{header}: {status}");
    }
    Ok(())
}

fn environ_is_cut_down(context: &Context) -> Outcome {
    let (_, mark) = ask(context, "/app/basic", &[], &[&spy(), "X-If: x"])?;
    let call = &calls(context, &mark)?[0];
    assert_eq!(call["called"][0], "check_password");
    assert_eq!(call["PATH_INFO"], literal!(["str", "/basic"]));
    assert_eq!(call["mod_wsgi.application_group"], literal!(["str", ""]));
    for key in ["HTTP_AUTHORIZATION", "COMPAT_SET", "COMPAT_IF", "wsgi.input", "REMOTE_USER"] {
        assert_eq!(call[key], Value::Null, "{key}");
    }
    Ok(())
}

fn plain_files(context: &Context) -> Outcome {
    assert_eq!(ask(context, "/static/page.html", &[], &[])?.0.status, 401);
    assert_eq!(ask(context, "/static/page.html", &[], &[&spy()])?.0.text(), "a page");
    Ok(())
}

fn next_provider(context: &Context) -> Outcome {
    for path in ["/app/first", "/app/second"] {
        for user in ["filer", "spy"] {
            let (status, said) = as_user(context, path, &basic(user, "secret"))?;
            assert_eq!((status, &said["REMOTE_USER"]), (200, &user.into()), "{path}");
        }
    }
    Ok(())
}

fn wrong_is_final(context: &Context) -> Outcome {
    let filer = basic("filer", "secret");
    for (value, status) in [("False", 401), ("5", 500), ("fail('raise')", 500), ("None", 200)] {
        let (answer, _) = ask(context, "/app/first", &[("basic", value)], &[&filer])?;
        assert_eq!(answer.status, status, "{value}");
    }
    Ok(())
}

fn wrong_types(context: &Context) -> Outcome {
    let line =
        "WSGI0177: Basic auth provider must return True, False, None or user name as string.";
    for value in ["1", "0", "b'spy'", "[]", "['spy']", "object()", "{}"] {
        says(context, "/app/basic", &[("basic", value)], &[&spy()], (500, line))?;
    }
    Ok(())
}

fn empty_name(context: &Context) -> Outcome {
    let line = "WSGI0176: Basic auth provider returned empty user name string.";
    says(context, "/app/basic", &[("basic", "''")], &[&spy()], (500, line))
}

fn name_with_nul(context: &Context) -> Outcome {
    says(context, "/app/basic", &[("basic", "'root\\0x'")], &[&spy()], (500, "WSGI0177: "))
}

fn failures(context: &Context) -> Outcome {
    for name in broken() {
        let (answer, _) = ask(context, &format!("/app/basic-{name}"), &[], &[&spy()])?;
        assert_eq!(answer.status, 500, "{name}");
    }
    for line in [
        "WSGI0043: Target WSGI user authentication script '",
        "does not provide 'Basic' auth provider.",
    ] {
        says(context, "/app/basic-empty", &[], &[&spy()], (500, line))?;
    }
    Ok(())
}

fn exceptions(context: &Context) -> Outcome {
    let query = [("basic", "fail('raise')")];
    says(context, "/app/basic", &query, &[&spy()], (500, "ValueError: compat guard raised"))?;
    let query = [("basic", "fail('exit')")];
    assert_eq!(ask(context, "/app/basic", &query, &[&spy()])?.0.status, 500);
    assert_eq!(ask(context, "/app/basic", &[], &[&spy()])?.0.status, 200);
    Ok(())
}

fn dies(context: &Context) -> Outcome {
    let query = [("basic", "fail('kill')")];
    says(context, "/app/basic", &query, &[&spy()], (500, "killed by SIGKILL"))
}

fn no_script(context: &Context) -> Outcome {
    let line = "Location of WSGI user authentication script not provided.";
    let basic = format!("WSGI0041: {line}");
    says(context, "/app/none", &[], &[&spy()], (500, &basic))?;
    digest_says(context, "/app/digest-none", "", (500, &format!("WSGI0044: {line}")))
}

fn aliased(context: &Context) -> Outcome {
    let (answer, mark) = ask(context, "/app/aliased", &[], &[&spy()])?;
    assert_eq!(came_in(&answer)?["REMOTE_USER"], "spy");
    assert_eq!(calls(context, &mark)?[0]["mod_wsgi.application_group"][1], "apart");
    assert_eq!(as_user(context, "/app/aliased", &basic("spy", "x"))?.0, 401);
    Ok(())
}

fn md5(text: &str) -> String {
    let mut hexadecimal = String::new();
    for byte in Md5::digest(text) {
        // A String takes all text.
        let _ = write!(hexadecimal, "{byte:02x}");
    }
    hexadecimal
}

/// The header that answers the server's challenge (RFC 7616, with MD5).
fn login_for(challenge: &Answer, uri: &str, user: &str, password: &str) -> Result<String, Failed> {
    let asked = challenge.header("WWW-Authenticate").ok_or("no challenge")?;
    let value = |name: &str| {
        let rest = asked.split_once(&format!("{name}=\""))?.1;
        rest.split('"').next().map(str::to_owned)
    };
    let (realm, nonce) = (value("realm").ok_or("no realm")?, value("nonce").ok_or("no nonce")?);
    let secret = md5(&format!("{user}:{realm}:{password}"));
    let what = md5(&format!("GET:{uri}"));
    let response = md5(&format!("{secret}:{nonce}:00000001:abc:auth:{what}"));
    Ok(format!(
        "Authorization: Digest username=\"{user}\", realm=\"{realm}\", nonce=\"{nonce}\", \
         uri=\"{uri}\", algorithm=MD5, qop=auth, nc=00000001, cnonce=\"abc\", response=\"{response}\""
    ))
}

/// Asks with a digest; the query goes as it is.
fn with_digest(
    context: &Context,
    path: &str,
    query: &str,
    (user, password): (&str, &str),
) -> Result<(Answer, String), Failed> {
    let mark = mark();
    let target = format!("{path}?mark={mark}{query}");
    let credentials = login_for(&context.get(&target)?, &target, user, password)?;
    Ok((context.ask("GET", &target, &[&credentials], b"")?, mark))
}

/// As [`says`], with a digest.
fn digest_says(context: &Context, path: &str, query: &str, (status, line): (u16, &str)) -> Outcome {
    let from = context.log().size();
    let (answer, _) = with_digest(context, path, query, ("spy", "secret"))?;
    assert_eq!(answer.status, status, "{path}{query}");
    context.log().wait_for_from(from, line, SOON)?;
    Ok(())
}

fn digest(context: &Context) -> Outcome {
    let (answer, mark) = with_digest(context, "/app/digest", "", ("spy", "secret"))?;
    let said = came_in(&answer)?;
    assert_eq!((&said["REMOTE_USER"], &said["AUTH_TYPE"]), (&"spy".into(), &"Digest".into()));
    let call = &calls(context, &mark)?[0];
    assert_eq!(call["called"][0], "get_realm_hash");
    assert_eq!(call["called"][1], literal!(["spy", "Top Secret"]));
    assert_eq!(called(context, &mark)?.len(), 1);
    Ok(())
}

fn digest_of_bytes(context: &Context) -> Outcome {
    let hash = md5("spy:Top Secret:secret");
    let query = format!("&digest=b'{hash}'");
    let (answer, _) = with_digest(context, "/app/digest", &query, ("spy", "secret"))?;
    assert_eq!(answer.status, 200);
    Ok(())
}

fn digest_wrong_password(context: &Context) -> Outcome {
    let (answer, _) = with_digest(context, "/app/digest", "", ("spy", "wrong"))?;
    assert_eq!(answer.status, 401);
    Ok(())
}

fn digest_unknown_user(context: &Context) -> Outcome {
    let (answer, _) = with_digest(context, "/app/digest", "", ("nobody", "secret"))?;
    assert_eq!(answer.status, 401);
    Ok(())
}

fn digest_wrong_types(context: &Context) -> Outcome {
    for (value, line) in [
        ("True", "WSGI0179: Digest auth provider must return None or string object."),
        ("5", "WSGI0179: Digest auth provider must return None or string object."),
        ("''", "WSGI0178: Digest auth provider returned empty realm hash."),
        ("chr(8364)", "value containing non 'latin-1' characters found"),
    ] {
        digest_says(context, "/app/digest", &format!("&digest={value}"), (500, line))?;
    }
    Ok(())
}

fn digest_failures(context: &Context) -> Outcome {
    for name in broken() {
        let path = format!("/app/digest-{name}");
        let (answer, _) = with_digest(context, &path, "", ("spy", "secret"))?;
        assert_eq!(answer.status, 500, "{name}");
    }
    let line = "does not provide 'Digest' auth provider.";
    digest_says(context, "/app/digest-empty", "", (500, line))?;
    digest_says(context, "/app/digest-empty", "", (500, "WSGI0046: "))
}
