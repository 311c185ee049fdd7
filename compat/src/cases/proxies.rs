//! Behind proxies: what is believed of their headers, and what it changes.

use crate::context::json;
use crate::suite::Outcome;
use crate::{Context, Suite};
use libtest_mimic::Failed;
use pinion_testbed::{Server, Site};
use serde_json::Value;

const ALL: &str = "X-Forwarded-For X-Forwarded-Proto X-Forwarded-Host X-Forwarded-Port \
                   X-Forwarded-Server X-Script-Name";

pub(super) fn suites() -> Vec<Suite> {
    vec![
        common(Suite::new("proxies_daemon", daemon)),
        common(Suite::new("proxies_embedded", embedded)),
        Suite::alone("proxies_refused")
            .solo("no_address_is_refused", no_address_is_refused)
            .solo("networks_in_all_forms_are_taken", networks_in_all_forms_are_taken)
            .solo("unknown_header_is_refused", unknown_header_is_refused)
            .only_pinion("mod_wsgi takes it, and then reads memory that is not its own: quirks"),
    ]
}

fn common(suite: Suite) -> Suite {
    suite
        .case("client_address_in_each_header", client_address_in_each_header)
        .case("scheme_in_each_header", scheme_in_each_header)
        .case("flags_are_answers", flags_are_answers)
        .case("host_in_each_header", host_in_each_header)
        .case("port_and_server", port_and_server)
        .case("script_name_in_each_header", script_name_in_each_header)
        .case("script_name_leaves_mod_wsgi_keys", script_name_leaves_mod_wsgi_keys)
        .case("application_group_stays", application_group_stays)
        .case("all_at_once", all_at_once)
        .case("chain_ends_at_the_first_unknown", chain_ends_at_the_first_unknown)
        .case("chain_of_trusted_is_its_first", chain_of_trusted_is_its_first)
        .case("chain_without_proxies_is_its_first", chain_without_proxies_is_its_first)
        .case("chain_is_cut_where_the_client_stands", chain_is_cut_where_the_client_stands)
        .case("chain_in_two_headers", chain_in_two_headers)
        .case("chain_of_nothing_changes_nothing", chain_of_nothing_changes_nothing)
        .case("chain_in_ipv6", chain_in_ipv6)
        .case("what_is_no_address_is_shown", what_is_no_address_is_shown)
        .case("untrusted_peer_changes_nothing", untrusted_peer_changes_nothing)
        .case("other_headers_of_the_family_are_hidden", other_headers_of_the_family_are_hidden)
        .case("other_families_are_left_alone", other_families_are_left_alone)
        .case("last_of_the_directive_counts", last_of_the_directive_counts)
        .case("lines_of_a_section_add_up", lines_of_a_section_add_up)
        .case("inner_section_replaces", inner_section_replaces)
        .case("proxies_alone_change_nothing", proxies_alone_change_nothing)
        .case("nothing_configured_changes_nothing", nothing_configured_changes_nothing)
        .case("name_with_underscore_is_no_header", name_with_underscore_is_no_header)
        .case("mod_remoteip_decides_who_the_peer_is", mod_remoteip_decides)
        .case("trusted_http_overrides_https_variable", trusted_http_overrides_https)
        .case("long_and_odd_values_pass_as_they_are", long_and_odd_values)
}

fn daemon(site: &mut Site) -> Outcome {
    site.config("WSGIDaemonProcess compat threads=3\nWSGIProcessGroup compat");
    embedded(site)
}

fn embedded(site: &mut Site) -> Outcome {
    let script = super::app(site, "environ.wsgi")?;
    for module in ["setenvif", "remoteip"] {
        site.module(module);
    }
    site.config(format!(
        "WSGIScriptAlias /app {}\nRemoteIPHeader X-Remote\nRemoteIPInternalProxy 127.0.0.1\n\
         SetEnvIf X-Set-HTTPS (.*) HTTPS=$1",
        script.display()
    ));
    let section = |path: &str, lines: &str| format!("<Location /app/{path}>\n{lines}\n</Location>");
    let proxies = "WSGITrustedProxies 127.0.0.1 10.0.0.0/8 2001:db8::/32";
    site.config(section("anybody", &format!("WSGITrustedProxyHeaders {ALL}")));
    site.config(section("trusted", &format!("WSGITrustedProxyHeaders {ALL}\n{proxies}")));
    let strangers = "WSGITrustedProxies 10.0.0.0/8 192.0.2.7";
    site.config(section("stranger", &format!("WSGITrustedProxyHeaders {ALL}\n{strangers}")));
    site.config(section("only-proxies", proxies));
    site.config(section(
        "lines",
        "WSGITrustedProxyHeaders X-Forwarded-For\nWSGITrustedProxyHeaders X-Forwarded-Host\n\
         WSGITrustedProxies 127.0.0.1\nWSGITrustedProxies 10.0.0.0/8",
    ));
    site.config(section("lines/headers", "WSGITrustedProxyHeaders X-Forwarded-Port"));
    site.config(section("lines/proxies", "WSGITrustedProxies 192.0.2.7"));
    for (_, header) in HEADERS {
        let lines = format!("WSGITrustedProxyHeaders {header}\nWSGITrustedProxies 127.0.0.1");
        site.config(section(&header.to_ascii_lowercase(), &lines));
    }
    let two = "WSGITrustedProxyHeaders X-Forwarded-Proto X-HTTPS X-Host X-Forwarded-Host";
    site.config(section("two", two));
    Ok(())
}

/// Each header with the key that it changes.
const HEADERS: [(&str, &str); 15] = [
    ("REMOTE_ADDR", "X-Forwarded-For"),
    ("REMOTE_ADDR", "X-Client-IP"),
    ("REMOTE_ADDR", "X-Real-IP"),
    ("wsgi.url_scheme", "X-Forwarded-Proto"),
    ("wsgi.url_scheme", "X-Forwarded-Scheme"),
    ("wsgi.url_scheme", "X-Scheme"),
    ("flag", "X-Forwarded-HTTPS"),
    ("flag", "X-Forwarded-SSL"),
    ("flag", "X-HTTPS"),
    ("HTTP_HOST", "X-Forwarded-Host"),
    ("HTTP_HOST", "X-Host"),
    ("SERVER_PORT", "X-Forwarded-Port"),
    ("SERVER_NAME", "X-Forwarded-Server"),
    ("SCRIPT_NAME", "X-Script-Name"),
    ("SCRIPT_NAME", "X-Forwarded-Script-Name"),
];

fn of_key(key: &str) -> impl Iterator<Item = &'static str> {
    HEADERS.into_iter().filter(move |(changed, _)| *changed == key).map(|(_, header)| header)
}

/// The environ of a request to a place.
struct Environ(Value);

impl Environ {
    fn of(context: &Context, place: &str, headers: &[&str]) -> Result<Self, Failed> {
        Ok(Self(json(&context.ask("GET", &format!("/app/{place}"), headers, b"")?)?))
    }

    /// The value of a key, `-` where it is absent.
    fn get(&self, key: &str) -> &str {
        self.0.get(key).and_then(|pair| pair[1].as_str()).unwrap_or("-")
    }
}

/// What one header makes of one key.
fn shown(context: &Context, place: &str, header: &str, key: &str) -> Result<String, Failed> {
    Ok(Environ::of(context, place, &[header])?.get(key).to_owned())
}

fn variable(header: &str) -> String {
    format!("HTTP_{}", header.to_ascii_uppercase().replace('-', "_"))
}

/// Each header of a key shows its value there and in its own variable.
fn each(context: &Context, key: &str, value: &str, expected: &str) -> Outcome {
    for header in of_key(key) {
        let sent = format!("{header}: {value}");
        let environ = Environ::of(context, &header.to_ascii_lowercase(), &[&sent])?;
        let key = if key == "flag" { "wsgi.url_scheme" } else { key };
        assert_eq!(environ.get(key), expected, "{sent}");
        assert_eq!(environ.get(&variable(header)), value, "{sent}");
    }
    Ok(())
}

fn client_address_in_each_header(context: &Context) -> Outcome {
    each(context, "REMOTE_ADDR", "203.0.113.5", "203.0.113.5")?;
    each(context, "REMOTE_ADDR", "2001:db8::5", "2001:db8::5")
}

fn scheme_in_each_header(context: &Context) -> Outcome {
    for (value, scheme) in
        [("https", "https"), ("HTTPS", "https"), ("http", "http"), ("on", "http")]
    {
        each(context, "wsgi.url_scheme", value, scheme)?;
    }
    Ok(())
}

fn flags_are_answers(context: &Context) -> Outcome {
    for (value, scheme) in [
        ("On", "https"),
        ("true", "https"),
        ("1", "https"),
        ("Off", "http"),
        ("false", "http"),
        ("0", "http"),
        ("https", "http"),
        ("yes", "http"),
    ] {
        each(context, "flag", value, scheme)?;
    }
    Ok(())
}

fn host_in_each_header(context: &Context) -> Outcome {
    each(context, "HTTP_HOST", "front.example.com:8443", "front.example.com:8443")
}

fn port_and_server(context: &Context) -> Outcome {
    each(context, "SERVER_PORT", "8443", "8443")?;
    each(context, "SERVER_NAME", "front.example.com", "front.example.com")
}

fn script_name_in_each_header(context: &Context) -> Outcome {
    each(context, "SCRIPT_NAME", "/shop", "/shop")?;
    for header in of_key("SCRIPT_NAME") {
        let sent = format!("{header}: /shop");
        let place = format!("{}/rest", header.to_ascii_lowercase());
        let environ = Environ::of(context, &place, &[&sent])?;
        assert_eq!(environ.get("mod_wsgi.mount_point"), "/shop");
        assert_eq!(environ.get("PATH_INFO"), format!("/{place}"));
    }
    Ok(())
}

fn script_name_leaves_mod_wsgi_keys(context: &Context) -> Outcome {
    let environ = Environ::of(context, "trusted/a", &["X-Script-Name: /shop"])?;
    assert_eq!(environ.get("mod_wsgi.script_name"), "/app");
    assert_eq!(environ.get("mod_wsgi.path_info"), "/trusted/a");
    assert_eq!(environ.get("REQUEST_URI"), "/app/trusted/a");
    let without = Environ::of(context, "trusted/a", &[])?;
    assert_eq!(without.get("mod_wsgi.mount_point"), "-");
    Ok(())
}

fn application_group_stays(context: &Context) -> Outcome {
    let headers = ["X-Script-Name: /shop", "X-Forwarded-Server: s", "X-Forwarded-Port: 9"];
    let group = |headers: &[&str]| -> Result<String, Failed> {
        Ok(Environ::of(context, "trusted", headers)?.get("mod_wsgi.application_group").to_owned())
    };
    assert_eq!(group(&headers)?, group(&[])?);
    Ok(())
}

fn all_at_once(context: &Context) -> Outcome {
    for place in ["trusted", "anybody"] {
        let headers = [
            "X-Forwarded-For: 203.0.113.5",
            "X-Forwarded-Proto: https",
            "X-Forwarded-Host: shop.example",
            "X-Forwarded-Port: 443",
            "X-Forwarded-Server: front",
            "X-Script-Name: /s",
        ];
        let environ = Environ::of(context, place, &headers)?;
        for (key, expected) in [
            ("REMOTE_ADDR", "203.0.113.5"),
            ("wsgi.url_scheme", "https"),
            ("HTTP_HOST", "shop.example"),
            ("SERVER_PORT", "443"),
            ("SERVER_NAME", "front"),
            ("SCRIPT_NAME", "/s"),
            ("REQUEST_SCHEME", "http"),
            ("HTTPS", "-"),
        ] {
            assert_eq!(environ.get(key), expected, "{place} {key}");
        }
    }
    Ok(())
}

fn chain(context: &Context, place: &str, list: &str) -> Result<(String, String), Failed> {
    let environ = Environ::of(context, place, &[&format!("X-Forwarded-For: {list}")])?;
    Ok((environ.get("REMOTE_ADDR").to_owned(), environ.get("HTTP_X_FORWARDED_FOR").to_owned()))
}

fn chain_is(context: &Context, place: &str, list: &str, address: &str, rest: &str) -> Outcome {
    assert_eq!(chain(context, place, list)?, (address.to_owned(), rest.to_owned()), "{list}");
    Ok(())
}

fn chain_ends_at_the_first_unknown(context: &Context) -> Outcome {
    chain_is(context, "trusted", "203.0.113.5, 10.0.0.1", "203.0.113.5", "203.0.113.5, 10.0.0.1")?;
    let three = "203.0.113.5, 10.0.0.1, 127.0.0.1, 10.2.3.4";
    chain_is(context, "trusted", three, "203.0.113.5", three)?;
    chain_is(context, "trusted", "1.1.1.1, 10.0.0.2, 2.2.2.2", "2.2.2.2", "2.2.2.2")
}

fn chain_of_trusted_is_its_first(context: &Context) -> Outcome {
    chain_is(context, "trusted", "10.1.1.1, 10.0.0.2", "10.1.1.1", "10.1.1.1, 10.0.0.2")?;
    chain_is(context, "trusted", "127.0.0.1,127.0.0.1", "127.0.0.1", "127.0.0.1, 127.0.0.1")
}

fn chain_without_proxies_is_its_first(context: &Context) -> Outcome {
    chain_is(context, "anybody", "203.0.113.5, 10.0.0.1", "203.0.113.5", "203.0.113.5, 10.0.0.1")?;
    chain_is(context, "anybody", ",203.0.113.5", "203.0.113.5", ",203.0.113.5")
}

fn chain_is_cut_where_the_client_stands(context: &Context) -> Outcome {
    chain_is(context, "trusted", "9.9.9.9, 1.1.1.1,10.0.0.3", "1.1.1.1", "1.1.1.1, 10.0.0.3")?;
    chain_is(context, "trusted", "198.51.100.9, 203.0.113.5", "203.0.113.5", "203.0.113.5")?;
    chain_is(context, "trusted", "1.2.3.4,, 10.0.0.1, ", "1.2.3.4", "1.2.3.4, 10.0.0.1")
}

fn chain_in_two_headers(context: &Context) -> Outcome {
    let headers = ["X-Forwarded-For: 1.1.1.1", "X-Forwarded-For: 10.2.2.2"];
    let environ = Environ::of(context, "trusted", &headers)?;
    assert_eq!(environ.get("REMOTE_ADDR"), "1.1.1.1");
    Ok(())
}

fn chain_of_nothing_changes_nothing(context: &Context) -> Outcome {
    for place in ["trusted", "anybody"] {
        chain_is(context, place, "", "127.0.0.1", "")?;
        chain_is(context, place, ",", "127.0.0.1", ",")?;
    }
    Ok(())
}

fn chain_in_ipv6(context: &Context) -> Outcome {
    chain_is(context, "trusted", "2002::9, 2001:db8::5", "2002::9", "2002::9, 2001:db8::5")?;
    let mapped = "1.1.1.1, ::ffff:10.0.0.1";
    chain_is(context, "trusted", mapped, "1.1.1.1", mapped)
}

fn what_is_no_address_is_shown(context: &Context) -> Outcome {
    chain_is(context, "trusted", "unknown, 10.0.0.1", "unknown", "unknown, 10.0.0.1")?;
    chain_is(context, "trusted", "1.1.1.1, junk, 10.0.0.1", "junk", "junk, 10.0.0.1")?;
    chain_is(context, "trusted", "1.1.1.1, 10.0.0.1:99", "10.0.0.1:99", "10.0.0.1:99")
}

fn untrusted_peer_changes_nothing(context: &Context) -> Outcome {
    let mut headers = vec!["X-Other: stays".to_owned()];
    headers.extend(HEADERS.into_iter().map(|(_, header)| format!("{header}: 1")));
    let headers: Vec<_> = headers.iter().map(String::as_str).collect();
    let environ = Environ::of(context, "stranger", &headers)?;
    let plain = Environ::of(context, "stranger", &[])?;
    for key in
        ["REMOTE_ADDR", "wsgi.url_scheme", "HTTP_HOST", "SERVER_PORT", "SERVER_NAME", "SCRIPT_NAME"]
    {
        assert_eq!(environ.get(key), plain.get(key), "{key}");
    }
    for (_, header) in HEADERS {
        assert_eq!(environ.get(&variable(header)), "-", "{header}");
    }
    assert_eq!(environ.get("HTTP_X_OTHER"), "stays");
    assert_eq!(environ.get("mod_wsgi.mount_point"), "-");
    Ok(())
}

fn other_headers_of_the_family_are_hidden(context: &Context) -> Outcome {
    let others = ["X-Client-IP: 1.1.1.1", "X-Real-IP: 2.2.2.2", "X-Scheme: https", "X-Host: evil"];
    let with = [&others[..], &["X-Forwarded-For: 3.3.3.3", "X-Forwarded-Host: h"]].concat();
    for headers in [&others[..], &with] {
        let environ = Environ::of(context, "trusted", headers)?;
        for key in ["HTTP_X_CLIENT_IP", "HTTP_X_REAL_IP", "HTTP_X_SCHEME", "HTTP_X_HOST"] {
            assert_eq!(environ.get(key), "-", "{key}");
        }
        assert_eq!(environ.get("wsgi.url_scheme"), "http");
    }
    Ok(())
}

fn other_families_are_left_alone(context: &Context) -> Outcome {
    let headers = ["X-Forwarded-Host: h", "X-Forwarded-Proto: https", "X-Script-Name: /s"];
    let environ = Environ::of(context, "x-real-ip", &headers)?;
    for (key, expected) in [
        ("HTTP_HOST", "localhost"),
        ("wsgi.url_scheme", "http"),
        ("SCRIPT_NAME", "/app"),
        ("HTTP_X_FORWARDED_HOST", "h"),
        ("HTTP_X_FORWARDED_PROTO", "https"),
        ("HTTP_X_SCRIPT_NAME", "/s"),
    ] {
        assert_eq!(environ.get(key), expected, "{key}");
    }
    Ok(())
}

fn last_of_the_directive_counts(context: &Context) -> Outcome {
    let both = ["X-Forwarded-Proto: https", "X-HTTPS: 0", "X-Forwarded-Host: a", "X-Host: b"];
    let environ = Environ::of(context, "two", &both)?;
    assert_eq!(environ.get("wsgi.url_scheme"), "http");
    assert_eq!(environ.get("HTTP_X_FORWARDED_PROTO"), "-");
    assert_eq!((environ.get("HTTP_HOST"), environ.get("HTTP_X_HOST")), ("a", "-"));
    let one = Environ::of(context, "two", &["X-Forwarded-Proto: https", "X-Host: b"])?;
    assert_eq!((one.get("wsgi.url_scheme"), one.get("HTTP_HOST")), ("https", "b"));
    Ok(())
}

const SOME: [&str; 3] =
    ["X-Forwarded-For: 1.1.1.1, 10.1.1.1", "X-Forwarded-Host: h", "X-Forwarded-Port: 9"];

fn lines_of_a_section_add_up(context: &Context) -> Outcome {
    let environ = Environ::of(context, "lines", &SOME)?;
    assert_eq!((environ.get("REMOTE_ADDR"), environ.get("HTTP_HOST")), ("1.1.1.1", "h"));
    assert_eq!(environ.get("HTTP_X_FORWARDED_PORT"), "9");
    Ok(())
}

fn inner_section_replaces(context: &Context) -> Outcome {
    let environ = Environ::of(context, "lines/headers", &SOME)?;
    assert_eq!((environ.get("REMOTE_ADDR"), environ.get("SERVER_PORT")), ("127.0.0.1", "9"));
    assert_eq!(environ.get("HTTP_X_FORWARDED_HOST"), "h");
    let environ = Environ::of(context, "lines/proxies", &SOME)?;
    assert_eq!((environ.get("REMOTE_ADDR"), environ.get("HTTP_HOST")), ("127.0.0.1", "localhost"));
    assert_eq!(environ.get("HTTP_X_FORWARDED_FOR"), "-");
    Ok(())
}

fn proxies_alone_change_nothing(context: &Context) -> Outcome {
    unchanged(context, "only-proxies")
}

fn nothing_configured_changes_nothing(context: &Context) -> Outcome {
    unchanged(context, "none")
}

fn unchanged(context: &Context, place: &str) -> Outcome {
    let environ = Environ::of(context, place, &SOME)?;
    assert_eq!((environ.get("REMOTE_ADDR"), environ.get("HTTP_HOST")), ("127.0.0.1", "localhost"));
    assert_eq!(environ.get("HTTP_X_FORWARDED_FOR"), "1.1.1.1, 10.1.1.1");
    Ok(())
}

fn name_with_underscore_is_no_header(context: &Context) -> Outcome {
    for header in
        ["X_Forwarded_For: 1.1.1.1", "X-Forwarded.For: 1.1.1.1", "X_Forwarded-For: 1.1.1.1"]
    {
        assert_eq!(shown(context, "anybody", header, "REMOTE_ADDR")?, "127.0.0.1", "{header}");
    }
    Ok(())
}

fn mod_remoteip_decides(context: &Context) -> Outcome {
    let headers = |remote| [remote, "X-Forwarded-For: 1.1.1.1"];
    let known = Environ::of(context, "stranger", &headers("X-Remote: 192.0.2.7"))?;
    assert_eq!(known.get("REMOTE_ADDR"), "1.1.1.1");
    let unknown = Environ::of(context, "trusted", &headers("X-Remote: 192.0.2.8"))?;
    assert_eq!(unknown.get("REMOTE_ADDR"), "192.0.2.8");
    assert_eq!(unknown.get("HTTP_X_FORWARDED_FOR"), "-");
    Ok(())
}

fn trusted_http_overrides_https(context: &Context) -> Outcome {
    let scheme = |headers: &[&str]| -> Result<String, Failed> {
        Ok(Environ::of(context, "trusted", headers)?.get("wsgi.url_scheme").to_owned())
    };
    assert_eq!(scheme(&["X-Set-HTTPS: on"])?, "https");
    assert_eq!(scheme(&["X-Set-HTTPS: on", "X-Forwarded-Proto: http"])?, "http");
    assert_eq!(scheme(&["X-Set-HTTPS: off", "X-Forwarded-Proto: https"])?, "https");
    Ok(())
}

fn long_and_odd_values(context: &Context) -> Outcome {
    let long = "a".repeat(4000);
    let commas = ",".repeat(4000);
    for (header, key, value) in [
        ("X-Forwarded-Host", "HTTP_HOST", "a, b"),
        ("X-Forwarded-Host", "HTTP_HOST", "a\"<b>%0d%0a\\"),
        ("X-Forwarded-Host", "HTTP_HOST", ""),
        ("X-Forwarded-Host", "HTTP_HOST", &long),
        ("X-Forwarded-Port", "SERVER_PORT", "-1; x"),
        ("X-Forwarded-Server", "SERVER_NAME", "../../etc"),
        ("X-Script-Name", "SCRIPT_NAME", "//evil.example//x/../y"),
        ("X-Script-Name", "SCRIPT_NAME", ""),
        ("X-Forwarded-For", "REMOTE_ADDR", &long),
    ] {
        assert_eq!(shown(context, "trusted", &format!("{header}: {value}"), key)?, value);
    }
    let address = shown(context, "trusted", &format!("X-Forwarded-For: {commas}"), "REMOTE_ADDR")?;
    assert_eq!(address, "127.0.0.1");
    Ok(())
}

fn no_address_is_refused(server: &Server) -> Outcome {
    for value in [
        "localhost",
        "10.0.0.0/33",
        "10.0.0.1,10.0.0.2",
        "10.0.0.300",
        "::1/129",
        "0.0.0.0/0",
        "[::1]",
        "*",
    ] {
        super::refused(server, &format!("WSGITrustedProxies {value}"), "WSGITrustedProxies")?;
    }
    Ok(())
}

fn networks_in_all_forms_are_taken(server: &Server) -> Outcome {
    let mut site = Site::new(server)?;
    site.config("WSGITrustedProxies 10.0.0.5 192.168.0.0/16 10.1.2.3/8 172.16.0.0/255.240.0.0 10.1 ::1 2001:db8::/32");
    let tested = site.configtest()?;
    assert!(tested.success, "{}", tested.output());
    Ok(())
}

fn unknown_header_is_refused(server: &Server) -> Outcome {
    for value in ["Forwarded", "X-Forwarded-Prefix", "X-Real-IP,X-Host"] {
        super::refused(server, &format!("WSGITrustedProxyHeaders {value}"), "X-Forwarded-Proto")?;
    }
    Ok(())
}
