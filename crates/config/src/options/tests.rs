use super::*;
use crate::codes::Code;
use crate::limits::{Buffers, Limits};
use proptest::prelude::*;

fn refused(args: &str) -> (String, Problem) {
    let error = parse_group(args).unwrap_err();
    (error.value, error.problem)
}

#[test]
fn defaults_are_those_of_the_original() {
    assert_eq!(parse_group("shop").unwrap(), DaemonGroup::new(GroupName::new("shop").unwrap()));
}

#[test]
fn every_option_sets_its_field() {
    let group = parse_group(
        "shop processes=2 threads=10 user=www-data group=#33 supplementary-groups=adm,#7 \
         home=/srv umask=0027 display-name=%{GROUP} lang=C.UTF-8 locale=de_DE.UTF-8 \
         python-home=/srv/venv python-path=/a:/b: python-eggs=/eggs maximum-requests=1000 \
         restart-interval=3600 request-timeout=60 queue-timeout=45 startup-timeout=20 \
         graceful-timeout=15 shutdown-timeout=3 socket-timeout=30 connect-timeout=4 \
         listen-backlog=50 interrupt-timeout=10 deadlock-timeout=60 inactivity-timeout=90 \
         eviction-timeout=8 socket-user=#34 chroot=/jail script-group=adm cpu-time-limit=100 \
         cpu-priority=-5 memory-limit=1000000 virtual-memory-limit=5000000000 \
         stack-size=524288 receive-buffer-size=512 send-buffer-size=1024 \
         header-buffer-size=65536 response-buffer-size=65536 response-socket-timeout=7 \
         response-flush-delay=20 server-metrics=ON env=A=1 env=B=\"two words\" env-file=/etc/shop.env \
         warmup=/login warmup=/?q=1",
    )
    .unwrap();
    let secs = |n| Some(Duration::from_secs(n));
    let text = |s: &str| Some(s.to_owned());
    let name = |s: &str| Principal::Name(s.into());
    let pair = |n: &str, v: &str| EnvPair { name: n.into(), value: v.into() };
    let expected = DaemonGroup {
        name: GroupName::new("shop").unwrap(),
        processes: NonZeroU32::new(2),
        threads: 10,
        user: Some(name("www-data")),
        group: Some(Principal::Id(33)),
        supplementary_groups: vec![name("adm"), Principal::Id(7)],
        home: Some("/srv".into()),
        umask: Some(0o027),
        display_name: text("%{GROUP}"),
        lang: text("C.UTF-8"),
        locale: text("de_DE.UTF-8"),
        python_home: Some("/srv/venv".into()),
        python_path: vec!["/a".into(), "/b".into()],
        python_eggs: Some("/eggs".into()),
        maximum_requests: NonZeroU32::new(1000),
        restart_interval: secs(3600),
        request_timeout: secs(60),
        queue_timeout: secs(45),
        startup_timeout: secs(20),
        graceful_timeout: secs(15),
        shutdown_timeout: Duration::from_secs(3),
        socket_timeout: secs(30),
        connect_timeout: Duration::from_secs(4),
        listen_backlog: 50,
        interrupt_timeout: secs(10),
        deadlock_timeout: secs(60),
        inactivity_timeout: secs(90),
        eviction_timeout: secs(8),
        socket_user: Some(Principal::Id(34)),
        chroot: Some("/jail".into()),
        script_owner: Some(ScriptOwner::Group(name("adm"))),
        limits: Limits {
            cpu_time: secs(100),
            priority: Some(-5),
            memory: NonZeroU64::new(1_000_000),
            virtual_memory: NonZeroU64::new(5_000_000_000),
            stack: NonZeroU64::new(524_288),
        },
        buffers: Buffers {
            receive: NonZeroU64::new(512),
            send: NonZeroU64::new(1024),
            header: NonZeroU64::new(65_536).unwrap(),
            response: NonZeroU64::new(65_536),
        },
        response_socket_timeout: secs(7),
        response_flush_delay: Duration::from_millis(20),
        server_metrics: true,
        switch_interval: None,
        env: vec![pair("A", "1"), pair("B", "two words")],
        env_files: vec!["/etc/shop.env".into()],
        warmup: vec!["/login".into(), "/?q=1".into()],
    };
    assert_eq!(group, expected);
}

#[test]
fn zero_means_no_limit() {
    let group = parse_group("shop request-timeout=0 maximum-requests=0 socket-timeout=0");
    assert_eq!(group.unwrap(), DaemonGroup::new(GroupName::new("shop").unwrap()));
}

#[test]
fn numbers_are_strict() {
    for (args, value) in [
        ("a processes=3x", "processes=3x"),
        ("a processes=-1", "processes=-1"),
        ("a processes=+1", "processes=+1"),
        ("a processes='1 '", "processes=1 "),
        ("a processes=1.5", "processes=1.5"),
    ] {
        assert_eq!(refused(args), (value.into(), Problem::NotANumber(WORKERS)), "{args}");
    }
    for args in ["a processes=0", "a processes=99999999999999999999"] {
        assert_eq!(refused(args).1, Problem::OutOfRange(WORKERS), "{args}");
    }
    assert_eq!(refused("a processes="), ("processes=".into(), Problem::NoValue));
    assert_eq!(refused("a processes"), ("processes".into(), Problem::NoValue));
    assert_eq!(parse_group("a python-path=''").unwrap().python_path, [""; 0].map(PathBuf::from));
    assert_eq!(refused("a shutdown-timeout=1e9").1, Problem::NotANumber(SECONDS));
    assert_eq!(refused("a shutdown-timeout=315360001").1, Problem::OutOfRange(SECONDS));
}

#[test]
fn other_values_are_strict_too() {
    for (args, problem) in [
        ("a umask=9", Problem::NotOctal),
        ("a umask=1000", Problem::NotOctal),
        ("a umask=+22", Problem::NotOctal),
        ("a home=srv", Problem::NotAbsolute),
        ("a python-home=venv", Problem::NotAbsolute),
        ("a user=#", Problem::NotAPrincipal),
        ("a supplementary-groups=adm,,x", Problem::NotAPrincipal),
        ("a env=NAME", Problem::NotAVariable),
        ("a env==x", Problem::NotAVariable),
        ("a env=1A=x", Problem::NotAVariable),
        ("a env=A-B=x", Problem::NotAVariable),
        ("a warmup=login", Problem::NotAUrlPath),
        ("a warmup='/a b'", Problem::NotAUrlPath),
        ("", Problem::Missing("the group's name")),
        ("'a b'", Problem::Name(crate::names::NameError::Blank)),
    ] {
        assert_eq!(refused(args).1, problem, "{args}");
    }
}

#[test]
fn sizes_and_priorities_have_their_ranges() {
    for args in [
        "a stack-size=0",
        "a memory-limit=-1",
        "a memory-limit=10M",
        "a virtual-memory-limit=99999999999999999999",
        "a receive-buffer-size=511",
        "a send-buffer-size=1",
        "a header-buffer-size=8191",
        "a response-buffer-size=65535",
    ] {
        assert!(matches!(refused(args).1, Problem::NotASize(_)), "{args}");
    }
    for args in ["a cpu-priority=21", "a cpu-priority=-21", "a cpu-priority=x"] {
        assert_eq!(refused(args).1, Problem::NotAPriority, "{args}");
    }
    assert_eq!(refused("a server-metrics=1").1, Problem::NotOneOf(&["On", "Off"]));
    assert_eq!(
        refused("a receive-buffer-size=1").1.hint(),
        "give a number of bytes from 512 on, or 0 for the default"
    );
    let zeros = "a memory-limit=0 receive-buffer-size=0 header-buffer-size=0 cpu-time-limit=0";
    assert_eq!(parse_group(zeros).unwrap(), DaemonGroup::new(GroupName::new("a").unwrap()));
    assert!(parse_group("a threads=0").unwrap().is_service());
}

#[test]
fn scripts_have_one_kind_of_owner() {
    let problem = Problem::NotTogether("script-user", "script-group");
    assert_eq!(refused("a script-user=root script-group=root").1, problem);
    let group = parse_group("a script-user=root script-user=#33").unwrap();
    assert_eq!(group.script_owner, Some(ScriptOwner::User(Principal::Id(33))));
}

#[test]
fn an_unknown_option_is_answered_with_the_nearest() {
    let nearest = |args: &str| match refused(args).1 {
        Problem::UnknownOption { nearest } => nearest,
        other => panic!("{other:?}"),
    };
    assert_eq!(nearest("a proceses=3"), Some("processes"));
    assert_eq!(nearest("a python_home=/x"), Some("python-home"));
    assert_eq!(nearest("a xyzzy=/x"), None);
}

#[test]
fn names_are_listed_once() {
    let mut names: Vec<_> = OPTIONS.iter().map(|o| o.name).collect();
    let all = names.len();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), all);
}

#[test]
fn the_message_names_the_option_the_value_and_what_is_valid() {
    let error = parse_group("a processes=3x").unwrap_err();
    assert_eq!(error.to_string(), "processes=3x: not a whole number");
    assert_eq!(error.problem.code(), Code::OptionValue);
    assert_eq!(error.problem.hint(), "give a whole number from 1 to 4096");
}

proptest! {
    #[test]
    fn a_number_is_taken_only_if_it_prints_the_same(text in "[-+ 0-9x]{1,6}") {
        if let Ok(group) = parse_group(&format!("a threads='{text}'")) {
            prop_assert_eq!(text.parse(), Ok(group.threads));
        }
    }

    #[test]
    fn no_argument_string_panics(args in ".{0,120}") {
        if let Ok(group) = parse_group(&args) {
            prop_assert!(!group.name.is_embedded());
        }
    }
}
