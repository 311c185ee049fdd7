use super::*;
use std::collections::HashSet;

fn taken(name: &str, text: &str) -> Result<Settings, Expected> {
    let mut settings = Settings::default();
    let value = Text { text, base: Path::new("/base") };
    match by_name(name).unwrap().kind {
        One(set) | Number(set) | Seconds(set) | Many(set) => set(&mut settings, value)?,
        Switch(_, set) => set(&mut settings, text == "true"),
    }
    Ok(settings)
}

#[test]
fn names_letters_and_variables_are_unique_and_help_is_one_line() {
    let mut seen = HashSet::new();
    for option in OPTIONS {
        let off = match option.kind {
            Switch(off, _) => Some(off),
            _ => None,
        };
        assert!(off.is_none_or(|off| seen.insert(off.to_owned())), "{off:?} twice");
        for name in [Some(option.name), option.alias].into_iter().flatten() {
            assert!(seen.insert(name.to_owned()), "{name} twice");
            assert_eq!(by_name(name).unwrap().name, option.name);
        }
        if let Some(letter) = option.short {
            assert!(seen.insert(letter.to_string()), "-{letter} twice");
        }
        assert!(!option.help.is_empty() && !option.help.ends_with('.'), "{}", option.name);
        assert!(!option.default.is_empty(), "{}", option.name);
    }
    assert_eq!(by_name("access-log").unwrap().variable(), "PINION_ACCESS_LOG");
}

#[test]
fn defaults_in_words_are_the_settings_own() {
    let defaults = Settings::default();
    for option in OPTIONS {
        let text = option.default.split([':', ';']).next().unwrap();
        let said = match option.kind {
            Number(_) | Seconds(_) | Switch(..) => taken(option.name, text),
            One(_) if ["socket-mode", "callable", "access-log-format"].contains(&option.name) => {
                taken(option.name, text)
            }
            _ => continue,
        };
        assert_eq!(said.unwrap(), defaults, "{} says {text}", option.name);
    }
}

#[test]
fn times_are_seconds_with_fractions() {
    let time = |text| taken("idle-timeout", text).map(|settings| settings.http_times.idle);
    for (text, millis) in [("2", 2_000), ("0.5", 500), ("1.2345", 1_235), ("0", 0), ("0.0001", 1)] {
        assert_eq!(time(text), Ok(millis), "{text}");
    }
    for bad in ["", "-1", "1e3", "inf", "nan", "1s", "1.2.3", " 1", "999999999999"] {
        assert!(time(bad).is_err(), "{bad:?}");
    }
    assert!(taken("graceful-timeout", "0").is_err());
}

#[test]
fn sizes_may_have_a_unit() {
    let body = |text| taken("limit-body", text).map(|settings| settings.limits.body);
    for (text, bytes) in [("0", 0), ("1000", 1_000), ("64K", 65_536), ("10m", 10 << 20)] {
        assert_eq!(body(text), Ok(bytes), "{text}");
    }
    for bad in ["", "K", "-1", "1.5M", "1KB", "99999999999G"] {
        assert!(body(bad).is_err(), "{bad:?}");
    }
    assert!(taken("limit-line", "10").is_err() && taken("limit-head", "1G").is_err());
}

#[test]
fn relative_paths_begin_where_they_were_written() {
    let path = |name, text| taken(name, text).unwrap();
    assert_eq!(path("pid-file", "../x.pid").pid_file, Some("/x.pid".into()));
    assert_eq!(path("static", "/css=./a/css").statics[0].path, Path::new("/base/a/css"));
    assert_eq!(path("python", "./venv").python.as_deref(), Some("/base/venv"));
    assert_eq!(path("python", "3.12").python.as_deref(), Some("3.12"));
    assert_eq!(path("access-log", "-").access_log, Some(LogTarget::Output));
    assert_eq!(path("access-log", "log").access_log, Some(LogTarget::File("/base/log".into())));
}

#[test]
fn bad_values_are_refused() {
    for (name, bad) in [
        ("processes", "0"),
        ("processes", "3x"),
        ("processes", "5000"),
        ("threads", "-1"),
        ("umask", "8"),
        ("umask", "1000"),
        ("env", "=x"),
        ("env", "A B=x"),
        ("mount", "app"),
        ("health", "health"),
        ("callable", "a.b"),
        ("trusted-proxies", "0.0.0.0/0"),
        ("trusted-proxies", "proxy"),
        ("trusted-proxy-headers", "Forwarded"),
        ("access-log-format", "combine"),
        ("user", ""),
        ("static", "css"),
        ("setup-command", "a\nb"),
        ("limit-connections", "0"),
        ("pid-file", ""),
    ] {
        assert!(taken(name, bad).is_err(), "{name}={bad}");
    }
}

#[test]
fn several_proxies_may_stand_in_one_value() {
    let settings = taken("trusted-proxy-headers", "X-Forwarded-For x-forwarded-proto").unwrap();
    assert_eq!(settings.trusted_proxy_headers, [Header::ForwardedFor, Header::ForwardedProto]);
    let settings = taken("trusted-proxies", "10.0.0.0/8 ::1").unwrap();
    assert_eq!(settings.trusted_proxies, ["10.0.0.0/8", "::1"]);
}
