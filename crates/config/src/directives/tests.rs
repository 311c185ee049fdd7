use super::*;
use crate::Code;
use proptest::prelude::*;

fn parse(line: &str) -> Result<Value, Box<Finding>> {
    let (name, args) = line.split_once(' ').unwrap_or((line, ""));
    find(name).unwrap().parse(args, false)
}

fn fixed(name: &str) -> NameTemplate {
    NameTemplate::Fixed(name.into())
}

#[test]
fn an_alias_has_a_mount_point_a_script_and_options() {
    let Value::ScriptAlias(alias) = parse(
        "WSGIScriptAlias /shop \"/srv/my shop/app.wsgi\" process-group=shop \
         application-group=%{GLOBAL} callable-object=app pass-authorization=On",
    )
    .unwrap() else {
        panic!("no alias")
    };
    assert_eq!(alias.source, AliasSource::Path("/shop".into()));
    assert_eq!(alias.target, "/srv/my shop/app.wsgi");
    let expected = DirSettings {
        process_group: Some(fixed("shop")),
        application_group: Some(NameTemplate::Global),
        callable_object: Some(fixed("app")),
        pass_authorization: Some(true),
        ..DirSettings::default()
    };
    assert_eq!(alias.options, expected);
}

#[test]
fn a_pattern_keeps_its_text() {
    let Value::ScriptAlias(alias) =
        parse(r#"WSGIScriptAliasMatch "^/([^/]+)\.x" /srv/$1.wsgi"#).unwrap()
    else {
        panic!("no alias")
    };
    assert_eq!(alias.source, AliasSource::Regex(r"^/([^/]+)\.x".into()));
    assert_eq!(alias.script(), None);
}

#[test]
fn an_import_needs_both_groups() {
    assert_eq!(
        parse("WSGIImportScript /srv/a.py process-group=shop application-group=%{GLOBAL}"),
        Ok(Value::ImportScript(ImportScript {
            script: "/srv/a.py".into(),
            process_group: fixed("shop"),
            application_group: NameTemplate::Global,
        }))
    );
    let finding = parse("WSGIImportScript /srv/a.py process-group=shop").unwrap_err();
    assert_eq!(finding.code, Code::ArgumentMissing);
}

#[test]
fn words_are_understood_in_upper_and_lower_case() {
    assert_eq!(
        parse("wsgiscriptreloading oFF"),
        Ok(Value::Dir(DirSetting::ScriptReloading(false)))
    );
    assert_eq!(
        parse("WSGIMapHEADToGET auto"),
        Ok(Value::Dir(DirSetting::MapHeadToGet(MapHead::Auto)))
    );
}

#[test]
fn the_second_prefix_of_python_home_is_not_needed() {
    let home = |path: &str| Ok(Value::Server(ServerSetting::PythonHome(path.into())));
    assert_eq!(parse("WSGIPythonHome /opt/py:/opt/py64"), home("/opt/py"));
    assert_eq!(parse("WSGIPythonHome /opt/py"), home("/opt/py"));
}

#[test]
fn refusals_name_directive_value_problem_and_hint() {
    for (line, message) in [
        (
            "WSGIDaemonProcess a processes=3x",
            "PIN0012: WSGIDaemonProcess processes=3x: not a whole number; \
             hint: give a whole number from 1 to 4096",
        ),
        (
            "WSGIDaemonProcess a proceses=3",
            "PIN0011: WSGIDaemonProcess proceses: there is no such option; \
             hint: did you mean processes?",
        ),
        (
            "WSGIScriptAlias / /srv/a.wsgi procesgroup=a",
            "PIN0011: WSGIScriptAlias procesgroup: there is no such option; \
             hint: did you mean process-group?",
        ),
        (
            "WSGIScriptAlias / /srv/my app.wsgi",
            "PIN0002: WSGIScriptAlias app.wsgi: this is more than the directive takes; \
             hint: put a value that holds blanks in quotes",
        ),
        ("WSGIScriptAlias /", "PIN0001: WSGIScriptAlias: the script is missing"),
        (
            "WSGIScriptAlias / a.wsgi",
            "PIN0012: WSGIScriptAlias a.wsgi: not an absolute path; hint: begin it with /",
        ),
        (
            "WSGIScriptAlias / /a pass-authorization=x",
            "PIN0003: WSGIScriptAlias pass-authorization=x: must be one of On, Off",
        ),
        ("WSGIMapHEADToGET maybe", "PIN0003: WSGIMapHEADToGET maybe: must be one of On, Off, Auto"),
        ("WSGIProcessGroup", "PIN0001: WSGIProcessGroup: the name is missing"),
    ] {
        assert_eq!(parse(line).unwrap_err().to_string(), message);
    }
}

#[test]
fn directives_of_the_server_are_refused_in_virtual_hosts() {
    for directive in DIRECTIVES.iter().filter(|d| d.contexts == SERVER) {
        let finding = directive.parse("On", true).unwrap_err();
        assert_eq!(finding.code, Code::ContextWrong, "{}", directive.name);
    }
}

#[test]
fn all_of_mod_wsgis_directives_are_known_once() {
    let own = |d: &&Directive| d.origin == Origin::ModWsgi;
    let mut names: Vec<_> = DIRECTIVES.iter().filter(own).map(|d| d.name).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), 49);
}

proptest! {
    #[test]
    fn no_argument_string_panics(args in ".{0,100}") {
        for directive in DIRECTIVES {
            if let Err(finding) = directive.parse(&args, false) {
                prop_assert!(!finding.to_string().contains('\n'));
            }
        }
    }
}

#[test]
fn proxies_and_their_headers_are_lists() {
    let Ok(Value::Dir(DirSetting::TrustedProxyHeaders(headers))) =
        parse("WSGITrustedProxyHeaders X-Forwarded-For x-https  \"X-Host\"")
    else {
        panic!("no headers")
    };
    assert_eq!(headers, [Header::ForwardedFor, Header::Https, Header::Host]);
    for (line, code) in [
        ("WSGITrustedProxyHeaders", Code::ArgumentMissing),
        ("WSGITrustedProxies", Code::ArgumentMissing),
        ("WSGITrustedProxyHeaders Forwarded", Code::NotOneOf),
        ("WSGITrustedProxyHeaders X-Host,X-Real-IP", Code::NotOneOf),
        ("WSGITrustedProxies 10.0.0.1 localhost", Code::NetworkInvalid),
        ("WSGITrustedProxies 10.0.0.1,10.0.0.2", Code::NetworkInvalid),
        ("WSGITrustedProxies 0.0.0.0/0", Code::NetworkInvalid),
    ] {
        assert_eq!(parse(line).unwrap_err().code, code, "{line}");
    }
    let mut settings = DirSettings::default();
    assert!(settings.proxy_trust().is_none());
    for line in
        ["WSGITrustedProxies 10.0.0.1", "WSGITrustedProxies ::1", "WSGITrustedProxyHeaders X-Host"]
    {
        let Ok(Value::Dir(setting)) = parse(line) else { panic!("{line}") };
        settings.set(setting);
    }
    let proxies = settings.proxy_trust().and_then(|trust| trust.proxies).unwrap();
    assert!(proxies.contains_text(b"10.0.0.1") && proxies.contains_text(b"::1"));
}

#[test]
fn what_belongs_into_sections_may_stand_in_those_of_a_virtual_host() {
    for (name, args) in [
        ("WSGIAccessScript", "/srv/guard.py"),
        ("WSGIAuthUserScript", "/srv/guard.py"),
        ("WSGIAuthGroupScript", "/srv/guard.py"),
        ("WSGIGroupAuthoritative", "Off"),
        ("WSGIHandlerScript", "name /srv/handler.py"),
        ("WSGIDispatchScript", "/srv/dispatch.py"),
        ("WSGIErrorOverride", "On"),
    ] {
        assert!(find(name).unwrap().parse(args, true).is_ok(), "{name}");
    }
    let refused = find("WSGIPythonHome").unwrap().parse("/venv", true).unwrap_err();
    assert!(refused.to_string().contains("cannot stand in a virtual host"), "{refused}");
}
