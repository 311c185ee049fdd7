use super::*;
use proptest::prelude::*;

/// The variables that a request has, from its headers.
type Sent<'a> = &'a [(Header, &'a str)];

fn rewrite<'a>(headers: &[Header], proxies: &str, peer: &str, sent: Sent<'a>) -> Rewrite<'a> {
    let mut networks = Networks::default();
    for word in proxies.split_whitespace() {
        networks.extend(Networks::parse(word).unwrap());
    }
    let proxies = (!proxies.is_empty()).then_some(&networks);
    Trust { headers, proxies }.rewrite(peer.as_bytes(), |variable| {
        let found = sent.iter().find(|(header, _)| header.variable() == variable)?;
        Some(found.1.as_bytes())
    })
}

/// The value that a variable gets.
fn shown<'a>(rewrite: &'a Rewrite<'_>, name: &str) -> Option<&'a str> {
    let found = rewrite.set.iter().rev().find(|(set, _)| *set == name)?;
    Some(std::str::from_utf8(&found.1).unwrap())
}

#[test]
fn each_purpose_changes_its_variable() {
    for (header, variable) in [
        (Header::ClientIp, "REMOTE_ADDR"),
        (Header::RealIp, "REMOTE_ADDR"),
        (Header::ForwardedHost, "HTTP_HOST"),
        (Header::Host, "HTTP_HOST"),
        (Header::ForwardedPort, "SERVER_PORT"),
        (Header::ForwardedServer, "SERVER_NAME"),
        (Header::ScriptName, "SCRIPT_NAME"),
        (Header::ForwardedScriptName, "SCRIPT_NAME"),
    ] {
        let sent = [(header, "value")];
        let rewrite = rewrite(&[header], "10.0.0.1", "10.0.0.1", &sent);
        assert_eq!(shown(&rewrite, variable), Some("value"));
        assert_eq!((rewrite.set.len(), &rewrite.hidden), (1, &vec![]));
        assert!(rewrite.replaces(variable.as_bytes()));
        let mount = (variable == "SCRIPT_NAME").then_some(&b"value"[..]);
        assert_eq!((rewrite.mount, rewrite.https), (mount, None));
    }
}

#[test]
fn schemes_are_words_and_flags_are_answers() {
    for header in HEADERS.iter().copied().filter(|header| header.purpose() == Purpose::Scheme) {
        let flag = header.form() == Form::Flag;
        for (value, when_flag, when_scheme) in [
            ("https", false, true),
            ("HTTPS", false, true),
            ("http", false, false),
            ("On", true, false),
            ("TRUE", true, false),
            ("1", true, false),
            ("0", false, false),
            ("off", false, false),
            ("yes", false, false),
            ("", false, false),
            ("https, http", false, false),
            ("https\0", false, false),
        ] {
            let sent = [(header, value)];
            let rewrite = rewrite(&[header], "", "1.2.3.4", &sent);
            let expected = if flag { when_flag } else { when_scheme };
            assert_eq!(rewrite.https, Some(expected), "{} {value}", header.name());
        }
    }
}

#[test]
fn the_client_is_the_last_that_is_no_proxy() {
    for (list, client, rest) in [
        ("203.0.113.5, 10.0.0.1", "203.0.113.5", "203.0.113.5, 10.0.0.1"),
        ("1.1.1.1, 2.2.2.2", "2.2.2.2", "2.2.2.2"),
        ("1.1.1.1, 10.0.0.2, 2.2.2.2", "2.2.2.2", "2.2.2.2"),
        ("9.9.9.9,1.1.1.1 , 10.0.0.3,10.0.0.2", "1.1.1.1", "1.1.1.1, 10.0.0.3, 10.0.0.2"),
        ("10.1.1.1, 10.0.0.2", "10.1.1.1", "10.1.1.1, 10.0.0.2"),
        ("1.2.3.4,, 10.0.0.1,", "1.2.3.4", "1.2.3.4, 10.0.0.1"),
        ("1.1.1.1, unknown, 10.0.0.1", "unknown", "unknown, 10.0.0.1"),
        ("2002::9, 2001:db8::5", "2002::9", "2002::9, 2001:db8::5"),
        ("1.1.1.1, ::ffff:10.0.0.1", "1.1.1.1", "1.1.1.1, ::ffff:10.0.0.1"),
    ] {
        let sent = [(Header::ForwardedFor, list)];
        let proxies = "10.0.0.0/8 2001:db8::/32";
        let rewrite = rewrite(&[Header::ForwardedFor], proxies, "10.9.9.9", &sent);
        assert_eq!(shown(&rewrite, "REMOTE_ADDR"), Some(client), "{list}");
        assert_eq!(shown(&rewrite, "HTTP_X_FORWARDED_FOR"), Some(rest), "{list}");
    }
}

#[test]
fn without_known_proxies_the_client_is_the_first() {
    for (list, client) in
        [("1.1.1.1, 2.2.2.2", Some("1.1.1.1")), (" , a", Some("a")), ("", None), (",", None)]
    {
        let sent = [(Header::ForwardedFor, list)];
        let rewrite = rewrite(&[Header::ForwardedFor], "", "1.2.3.4", &sent);
        assert_eq!(shown(&rewrite, "REMOTE_ADDR"), client, "{list}");
        assert_eq!(shown(&rewrite, "HTTP_X_FORWARDED_FOR"), None, "{list}");
    }
}

#[test]
fn an_untrusted_peer_changes_nothing_and_its_headers_are_hidden() {
    let sent = [
        (Header::ForwardedFor, "1.1.1.1"),
        (Header::RealIp, "1.1.1.1"),
        (Header::Scheme, "https"),
        (Header::Host, "evil"),
    ];
    for peer in ["9.9.9.9", "", "unknown", "10.0.0.1:80"] {
        let trusted = [Header::ForwardedFor, Header::ForwardedProto];
        let rewrite = rewrite(&trusted, "10.0.0.0/8", peer, &sent);
        let hidden = vec!["HTTP_X_FORWARDED_FOR", "HTTP_X_REAL_IP", "HTTP_X_SCHEME"];
        assert_eq!(rewrite, Rewrite { hidden, ..Rewrite::default() }, "{peer}");
    }
}

#[test]
fn of_a_family_the_last_in_the_directive_counts_and_the_others_are_hidden() {
    let sent = [(Header::ForwardedProto, "https"), (Header::Https, "0"), (Header::Scheme, "https")];
    let https = |headers: &[Header]| rewrite(headers, "", "", &sent).https;
    assert_eq!(https(&[Header::ForwardedProto, Header::Https]), Some(false));
    assert_eq!(https(&[Header::Https, Header::ForwardedProto]), Some(true));
    assert_eq!(https(&[Header::ForwardedProto, Header::ForwardedSsl]), Some(true));
    let one = rewrite(&[Header::ForwardedProto], "", "", &sent);
    assert_eq!(one.hidden, ["HTTP_X_SCHEME", "HTTP_X_HTTPS"]);
    // Hidden also when what is trusted was not sent.
    let other = rewrite(&[Header::ForwardedSsl], "", "", &sent);
    assert_eq!((other.https, other.hidden.len()), (None, 3));
}

#[test]
fn families_that_are_not_named_are_left_alone() {
    let sent = [(Header::ForwardedHost, "h"), (Header::ForwardedPort, "1")];
    assert_eq!(rewrite(&[Header::RealIp], "10.0.0.1", "", &sent), Rewrite::default());
}

proptest! {
    #[test]
    fn an_untrusted_peer_never_sets_anything(
        values in prop::collection::vec(".{0,40}", HEADERS.len()),
        peer in "[0-9a-f:.]{0,20}",
    ) {
        prop_assume!(!Networks::parse("203.0.113.77").unwrap().contains_text(peer.as_bytes()));
        let sent: Vec<_> = HEADERS.iter().copied().zip(values.iter().map(String::as_str)).collect();
        let rewrite = rewrite(HEADERS, "203.0.113.77", &peer, &sent);
        prop_assert_eq!(rewrite.set.len(), 0);
        prop_assert_eq!((rewrite.https, rewrite.mount), (None, None));
        prop_assert_eq!(rewrite.hidden.len(), HEADERS.len());
    }

    #[test]
    fn the_client_is_always_one_of_the_list(list in "[0-9., ]{0,60}") {
        let sent = [(Header::ForwardedFor, list.as_str())];
        let rewrite = rewrite(&[Header::ForwardedFor], "10.0.0.0/8 1", "10.0.0.1", &sent);
        let address = shown(&rewrite, "REMOTE_ADDR");
        let items: Vec<_> = list.split(',').map(str::trim).filter(|item| !item.is_empty()).collect();
        prop_assert_eq!(address.is_some(), !items.is_empty());
        prop_assert!(address.is_none_or(|address| items.contains(&address)));
    }
}
