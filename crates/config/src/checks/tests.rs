use super::*;
use crate::accounts::Principal;
use crate::directives;
use crate::files::memory::MemoryFiles;
use crate::model::{Met, VhostId, VirtualServer};

/// Root, www-data (33), and shop (1000) with a group of its own.
struct Passwd {
    as_root: bool,
}

impl Accounts for Passwd {
    fn user(&self, who: &Principal) -> Option<User> {
        let (name, uid) =
            [("root", 0), ("www-data", 33), ("shop", 1000)].into_iter().find(|(name, uid)| {
                match who {
                    Principal::Name(wanted) => wanted == name,
                    Principal::Id(id) => id == uid,
                }
            })?;
        let groups = vec![];
        Some(User { name: Some(name.into()), uid, gid: uid, groups, home: None })
    }

    fn group(&self, who: &Principal) -> Option<u32> {
        self.user(who).map(|user| user.gid)
    }

    fn server_user(&self) -> User {
        self.user(&Principal::Id(33)).unwrap()
    }

    fn started_as_root(&self) -> bool {
        self.as_root
    }
}

fn files() -> MemoryFiles {
    MemoryFiles::new()
        .program("/usr/bin/python3.11")
        .link("/usr/bin/python3", "python3.11")
        .folder("/usr/lib/python3.11")
        .file("/srv/app.wsgi", "")
        .file("/venv/pyvenv.cfg", "home = /usr/bin\nversion = 3.11.2\n")
        .link("/venv/bin/python", "/usr/bin/python3")
        .folder("/venv/lib/python3.11/site-packages")
}

/// What is found in lines of (virtual host, in a section, text).
fn findings_in(files: &MemoryFiles, lines: &[(u32, bool, &str)]) -> Vec<String> {
    let mut config = Config::default();
    for (at, (vhost, in_section, line)) in lines.iter().enumerate() {
        let (name, args) = line.split_once(' ').unwrap();
        let value = directives::find(name).unwrap().parse(args, *vhost != 0).unwrap();
        let place = Place::new("a.conf", u32::try_from(at).unwrap() + 1);
        let met = Met { vhost: VhostId(*vhost), place, in_section: *in_section };
        config.record(name, &value, &met);
    }
    for (id, name) in [(0, "main"), (1, "one"), (2, "two"), (3, "ONE")] {
        let server = VirtualServer { name: name.into(), port: 80, place: None };
        config.vhosts.insert(VhostId(id), server);
    }
    check(&config, files, &Passwd { as_root: true }, Some(Path::new("/opt/pinion")))
        .iter()
        .map(ToString::to_string)
        .collect()
}

fn findings(files: &MemoryFiles, lines: &[&str]) -> Vec<String> {
    let lines: Vec<_> = lines.iter().map(|line| (0, false, *line)).collect();
    findings_in(files, &lines)
}

#[track_caller]
fn one(files: &MemoryFiles, line: &str, message: &str) {
    assert_eq!(findings(files, &[line]), [message], "{line}");
}

#[test]
fn a_sound_configuration_has_no_findings() {
    let lines = [
        "WSGIPythonHome /usr",
        "WSGIDaemonProcess shop user=shop group=shop python-home=/venv home=/srv \
         python-path=/venv/lib/python3.11/site-packages:lib",
        "WSGIProcessGroup shop",
        "WSGIScriptAlias / /srv/app.wsgi process-group=shop application-group=%{GLOBAL}",
        "WSGIScriptAlias /api /srv/app.wsgi/api",
        "WSGIScriptAlias /more /srv/",
        "WSGIScriptAliasMatch ^/(.*) /gone/$1.wsgi",
        "WSGIImportScript /srv/app.wsgi process-group=shop application-group=%{GLOBAL}",
        "WSGIProcessGroup %{ENV:whatever}",
    ];
    assert_eq!(findings(&files().folder("/srv/lib"), &lines), [""; 0]);
}

#[test]
fn a_python_home_that_is_none_is_named() {
    one(
        &files(),
        "WSGIDaemonProcess shop python-home=/none",
        "WSGI0100: a.conf:1: WSGIDaemonProcess python-home=/none: /none does not exist; \
         hint: correct the path, or make it with python3 -m venv",
    );
    one(
        &files(),
        "WSGIDaemonProcess shop python-home=/srv",
        "PIN0102: a.conf:1: WSGIDaemonProcess python-home=/srv: /srv has no bin/python; \
         hint: name a virtualenv, its bin/python, or a Python's prefix",
    );
    one(
        &files().folder("/old/lib/python3.8").program("/old/bin/python3"),
        "WSGIPythonHome /old",
        "PIN0103: a.conf:1: WSGIPythonHome /old: /old/bin/python3 is Python 3.8, and Pinion \
         needs 3.9 or newer; hint: make the virtualenv with a newer Python",
    );
}

#[test]
fn a_python_home_that_the_user_cannot_read_is_named_with_the_component() {
    let closed = files().mode("/venv", 0o700);
    one(
        &closed,
        "WSGIDaemonProcess shop user=shop python-home=/venv",
        "WSGI0102: a.conf:1: WSGIDaemonProcess python-home=/venv: user shop cannot use it: /venv \
         (mode 0700, owner 0) cannot be entered; hint: chmod o+x /venv",
    );
    let owned = closed.owner("/venv", 1000);
    assert_eq!(findings(&owned, &["WSGIDaemonProcess shop user=shop python-home=/venv"]), [""; 0]);
    let library = files().mode("/venv/lib/python3.11", 0o700);
    let found = findings(&library, &["WSGIDaemonProcess shop python-home=/venv"]);
    assert!(found[0].contains("/venv/lib/python3.11 (mode 0700"), "{found:?}");
    // The virtualenv is open, the Python that it was made from is not.
    let base = files()
        .program("/root/py/bin/python3")
        .mode("/root", 0o700)
        .file("/venv/pyvenv.cfg", "home = /root/py/bin\nversion = 3.11.2")
        .link("/venv/bin/python", "/root/py/bin/python3");
    let found = findings(&base, &["WSGIDaemonProcess shop python-home=/venv/bin/python"]);
    assert!(found[0].contains("/root (mode 0700, owner 0) cannot be entered"), "{found:?}");
}

#[test]
fn a_system_python_that_is_too_old_is_named_where_it_would_run() {
    let old = MemoryFiles::new()
        .program("/usr/bin/python3.6")
        .link("/usr/bin/python3", "python3.6")
        .folder("/usr/lib/python3.6");
    one(
        &old,
        "WSGIDaemonProcess shop",
        "PIN0103: a.conf:1: WSGIDaemonProcess shop: /usr/bin/python3 is Python 3.6, and Pinion \
         needs 3.9 or newer; hint: name a newer Python or a virtualenv with python-home",
    );
    assert_eq!(findings(&MemoryFiles::new(), &["WSGIDaemonProcess shop"]), [""; 0]);
}

#[test]
fn groups_that_inherit_a_bad_home_give_one_finding() {
    let lines = ["WSGIPythonHome /none", "WSGIDaemonProcess a", "WSGIDaemonProcess b"];
    assert_eq!(findings(&files(), &lines).len(), 1);
}

#[test]
fn a_script_that_is_missing_or_closed_is_named() {
    one(
        &files(),
        "WSGIScriptAlias / /srv/none.wsgi",
        "WSGI0135: a.conf:1: WSGIScriptAlias /srv/none.wsgi: there is no such file; \
         hint: correct the path",
    );
    one(
        &files(),
        "WSGIScriptAlias / /gone/none/",
        "WSGI0135: a.conf:1: WSGIScriptAlias /gone/none/: there is no such folder: /gone does not \
         exist; hint: correct the path",
    );
    let closed = files().mode("/srv/app.wsgi", 0o640);
    one(
        &closed,
        "WSGIScriptAlias / /srv/app.wsgi",
        "PIN0106: a.conf:1: WSGIScriptAlias /srv/app.wsgi: user www-data cannot use it: \
         /srv/app.wsgi (mode 0640, owner 0) cannot be read; hint: chmod o+r /srv/app.wsgi",
    );
    // Another group's user may be allowed to, and only a section says which group it is.
    let lines = [
        (0, false, "WSGIDaemonProcess shop"),
        (0, false, "WSGIScriptAlias / /srv/app.wsgi"),
        (0, true, "WSGIProcessGroup shop"),
    ];
    assert_eq!(findings_in(&closed, &lines), [""; 0]);
    let import = "WSGIImportScript /srv/x process-group=%{GLOBAL} application-group=a";
    assert!(findings(&files(), &[import])[0].starts_with("WSGI0135: a.conf:1: WSGIImportScript"));
}

#[test]
fn an_unknown_group_is_named_with_those_that_exist() {
    for (line, value) in [
        ("WSGIProcessGroup shpo", "WSGIProcessGroup shpo"),
        (
            "WSGIScriptAlias / /srv/app.wsgi process-group=shpo",
            "WSGIScriptAlias process-group=shpo",
        ),
        (
            "WSGIImportScript /srv/app.wsgi process-group=shpo application-group=x",
            "WSGIImportScript process-group=shpo",
        ),
    ] {
        let message = format!(
            "WSGI0150: a.conf:2: {value}: no WSGIDaemonProcess declares a group shpo; \
             hint: declared are: shop"
        );
        assert_eq!(findings(&files(), &["WSGIDaemonProcess shop", line]), [message]);
    }
    // The order in which directives stand does not matter.
    assert_eq!(findings(&files(), &["WSGIProcessGroup shop", "WSGIDaemonProcess shop"]), [""; 0]);
}

#[test]
fn a_group_of_another_virtual_host_is_named() {
    let found = |vhost| {
        let lines = [(1, false, "WSGIDaemonProcess shop"), (vhost, false, "WSGIProcessGroup shop")];
        findings_in(&files(), &lines)
    };
    assert_eq!(
        found(2),
        ["WSGI0152: a.conf:2: WSGIProcessGroup shop: group shop belongs to the virtual host one \
          (a.conf:1), and this is two; hint: declare the group outside of <VirtualHost>"]
    );
    assert_eq!((found(1), found(3)), (vec![], vec![]));
}

#[test]
fn names_and_accounts_are_checked() {
    let twice = findings(&files(), &["WSGIDaemonProcess a", "WSGIDaemonProcess a threads=2"]);
    assert_eq!(
        twice,
        ["PIN0101: a.conf:2: WSGIDaemonProcess a: the name is already used at a.conf:1; \
          hint: group names are unique in the whole server, over all virtual hosts"]
    );
    for (line, start) in [
        ("WSGIDaemonProcess a user=nobody", "PIN0109: a.conf:1: WSGIDaemonProcess user=nobody:"),
        (
            "WSGIDaemonProcess a socket-user=nobody-here",
            "PIN0109: a.conf:1: WSGIDaemonProcess socket-user=nobody-here:",
        ),
        (
            "WSGIDaemonProcess a script-group=none-here",
            "PIN0109: a.conf:1: WSGIDaemonProcess script-group=none-here:",
        ),
        ("WSGIDaemonProcess a group=#7", "PIN0109: a.conf:1: WSGIDaemonProcess group=#7:"),
        (
            "WSGIDaemonProcess a supplementary-groups=shop,x",
            "PIN0109: a.conf:1: WSGIDaemonProcess supplementary-groups=x:",
        ),
        ("WSGIDaemonProcess a user=#0", "PIN0110: a.conf:1: WSGIDaemonProcess user=#0:"),
    ] {
        let found = findings(&files(), &[line]);
        assert!(found.len() == 1 && found[0].starts_with(start), "{found:?}");
    }
}

#[test]
fn without_root_the_users_of_groups_do_not_matter() {
    let mut config = Config::default();
    let value = directives::find("WSGIDaemonProcess").unwrap().parse("a user=nobody", false);
    let met = Met { vhost: VhostId(0), place: Place::new("a", 1), in_section: false };
    config.record("WSGIDaemonProcess", &value.unwrap(), &met);
    assert_eq!(check(&config, &files(), &Passwd { as_root: false }, None), []);
}

#[test]
fn the_group_is_apaches_unless_given() {
    let shared = files().mode("/srv/app.wsgi", 0o640).owner("/srv/app.wsgi", 33);
    let lines = |group| {
        [
            format!("WSGIDaemonProcess a user=shop {group}"),
            "WSGIProcessGroup a".into(),
            "WSGIScriptAlias / /srv/app.wsgi".into(),
        ]
    };
    let found = |group| {
        let lines = lines(group);
        findings(&shared, &lines.iter().map(String::as_str).collect::<Vec<_>>()).len()
    };
    assert_eq!((found(""), found("group=shop")), (0, 1));
    assert_eq!(found("group=shop supplementary-groups=www-data"), 0);
}

#[test]
fn python_path_is_checked_for_being_there_and_for_the_version() {
    let files = files()
        .folder("/other/lib/python3.9/site-packages")
        .folder("/same/lib/python3.11")
        .folder("/closed")
        .mode("/closed", 0o700);
    for (path, message) in [
        ("/none", "PIN0111: a.conf:1: WSGIDaemonProcess python-path=/none: /none does not exist; "),
        (
            "/closed",
            "PIN0112: a.conf:1: WSGIDaemonProcess python-path=/closed: user www-data cannot use \
             it: /closed (mode 0700, owner 0) cannot be read; ",
        ),
        (
            "/other/lib/python3.9/site-packages",
            "PIN0113: a.conf:1: WSGIDaemonProcess \
             python-path=/other/lib/python3.9/site-packages: it holds packages for Python 3.9, \
             and the group runs Python 3.11; ",
        ),
        (
            "/other",
            "PIN0113: a.conf:1: WSGIDaemonProcess python-path=/other: it is the home of another \
             Python (lib/python3.9 is below it), and the group runs Python 3.11; ",
        ),
    ] {
        let line = format!("WSGIDaemonProcess a python-home=/venv python-path={path}");
        let found = findings(&files, &[&line]);
        assert!(found.len() == 1 && found[0].starts_with(message), "{found:?}");
    }
    let sound = "WSGIDaemonProcess a python-home=/venv python-path=/same:relative";
    assert_eq!(findings(&files, &[sound]), [""; 0]);
    let server = ["WSGIPythonHome /venv", "WSGIPythonPath /none"];
    assert!(findings(&files, &server)[0].starts_with("PIN0111: a.conf:2: WSGIPythonPath /none:"));
}

#[test]
fn folders_and_files_of_a_group_are_checked() {
    let files = files()
        .file("/good.env", "A=1\n# x\nB='2'")
        .file("/bad.env", "A=1\nnonsense")
        .folder("/eggs")
        .file("/plain", "");
    for (option, message) in [
        ("home=/none", "PIN0117: a.conf:1: WSGIDaemonProcess home=/none: user www-data cannot"),
        ("home=/plain", "PIN0117: a.conf:1: WSGIDaemonProcess home=/plain: it is not a folder"),
        ("env-file=/none", "PIN0115: a.conf:1: WSGIDaemonProcess env-file=/none: cannot be read"),
        (
            "env-file=/bad.env",
            "PIN0116: a.conf:1: WSGIDaemonProcess env-file=/bad.env: line 2: not NAME=VALUE",
        ),
        (
            "python-eggs=/eggs",
            "PIN0114: a.conf:1: WSGIDaemonProcess python-eggs=/eggs: user www-data cannot use it: \
             /eggs (mode 0755, owner 0) cannot be written",
        ),
        ("python-eggs=/plain", "PIN0114: a.conf:1: WSGIDaemonProcess python-eggs=/plain: it is no"),
    ] {
        let found = findings(&files, &[&format!("WSGIDaemonProcess a {option}")]);
        assert!(found.len() == 1 && found[0].starts_with(message), "{found:?}");
    }
    let owned = files.owner("/eggs", 33);
    let sound = "WSGIDaemonProcess a env-file=/good.env python-eggs=/eggs";
    assert_eq!(findings(&owned, &[sound]), [""; 0]);
}

#[test]
fn an_alias_that_can_only_be_embedded_is_named_when_that_is_off() {
    let restricted = |more: &[(u32, bool, &str)]| {
        let mut lines = vec![
            (0, false, "WSGIRestrictEmbedded On"),
            (0, false, "WSGIDaemonProcess shop"),
            (1, false, "WSGIScriptAlias / /srv/app.wsgi"),
        ];
        lines.extend(more);
        findings_in(&files(), &lines)
    };
    assert_eq!(
        restricted(&[]),
        ["WSGI0143: a.conf:3: WSGIScriptAlias /srv/app.wsgi: it has no process group, and \
          WSGIRestrictEmbedded is On; hint: add process-group= or WSGIProcessGroup"]
    );
    assert_eq!(restricted(&[(0, false, "WSGIProcessGroup shop")]), [""; 0]);
    assert_eq!(restricted(&[(1, true, "WSGIProcessGroup shop")]), [""; 0]);
    assert_eq!(restricted(&[(2, true, "WSGIProcessGroup shop")]).len(), 1);
}

#[test]
fn errors_come_first() {
    let lines = ["WSGIDaemonProcess a python-path=/none", "WSGIProcessGroup b"];
    let found = findings(&files(), &lines);
    assert!(found[0].starts_with("WSGI0150") && found[1].starts_with("PIN0111"), "{found:?}");
}

#[test]
fn headers_and_proxies_belong_together() {
    let warned = |lines: &[&str]| {
        findings(&files(), lines).iter().map(|line| line[..7].to_owned()).collect::<Vec<_>>()
    };
    let (headers, proxies) = ("WSGITrustedProxyHeaders X-Real-IP", "WSGITrustedProxies 10.0.0.1");
    assert_eq!(warned(&[headers]), ["PIN0130"]);
    assert_eq!(warned(&[proxies]), ["PIN0131"]);
    assert!(warned(&[headers, proxies]).is_empty());
    let apart = [(0, true, headers), (1, true, headers), (2, false, proxies)];
    assert!(findings_in(&files(), &apart).is_empty());
}

#[test]
fn scripts_that_directives_name_must_be_there_and_readable() {
    let files =
        files().file("/srv/guard.py", "").file("/srv/secret.py", "").mode("/srv/secret.py", 0o600);
    let found = |script: &str| {
        let directives = [
            "WSGIAccessScript",
            "WSGIAuthUserScript",
            "WSGIAuthGroupScript",
            "WSGIDispatchScript",
            "WSGIHandlerScript name",
        ];
        let lines = directives.map(|directive| match directive.contains(' ') {
            true => format!("{directive} {script} process-group=%{{GLOBAL}}"),
            false => format!("{directive} {script}"),
        });
        let lines: Vec<_> = lines.iter().map(|line| (0, true, line.as_str())).collect();
        findings_in(&files, &lines)
    };
    assert!(found("/srv/guard.py").is_empty());
    for (script, code) in [("/srv/none.py", "WSGI0135"), ("/srv/secret.py", "PIN0106")] {
        let found = found(script);
        assert_eq!(found.len(), 5, "{found:?}");
        assert!(found.iter().all(|line| line.starts_with(code)), "{found:?}");
        assert!(found[0].contains("WSGIAccessScript"), "{found:?}");
    }
}

#[test]
fn what_a_jail_lacks_is_named() {
    let line = "WSGIDaemonProcess shop chroot=/jail python-home=/usr";
    let jail = files()
        .file("/jail/opt/pinion/_pinion.abi3.so", "")
        .file("/jail/opt/pinion/pinion_worker.py", "")
        .file("/jail/opt/pinion/pinion_module.py", "")
        .folder("/jail/usr/lib/python3.11")
        .link("/jail/usr/bin/python3", "/usr/bin/python3.11");
    assert_eq!(findings(&jail, &[line]), [""; 0]);
    let bare = findings(&files().folder("/jail"), &[line]);
    let missing = [
        "/usr/bin/python3",
        "/usr/lib/python3.11",
        "/opt/pinion/_pinion.abi3.so",
        "/opt/pinion/pinion_worker.py",
        "/opt/pinion/pinion_module.py",
    ];
    assert_eq!(bare.len(), missing.len(), "{bare:?}");
    for (found, path) in bare.iter().zip(missing) {
        assert!(
            found.starts_with("PIN0132: ") && found.contains(&format!("{path} is not in it")),
            "{found}"
        );
        assert!(found.contains(&format!("copy it to /jail{path}")), "{found}");
    }
    let gone = findings(&files(), &[line]);
    assert!(gone.len() == 1 && gone[0].contains("it is not a folder"), "{gone:?}");
}

#[test]
fn a_free_threaded_python_needs_a_core_of_its_own_and_a_gil_cannot_be_done_without_otherwise() {
    let files = files()
        .program("/free/bin/python3.14t")
        .link("/free/bin/python3", "python3.14t")
        .folder("/free/lib/python3.14t")
        .file("/opt/pinion/pinion_worker.py", "");
    let lines = ["WSGIFreeThreading On", "WSGIDaemonProcess shop python-home=/free"];
    let found = findings(&files, &lines);
    let [core, embedded] = &found[..] else { panic!("{found:?}") };
    assert!(core.starts_with("PIN0133: ") && core.contains("process group 'shop'"), "{core}");
    assert!(
        embedded.starts_with("WSGI0200: ") && embedded.contains("/usr/bin/python3"),
        "{embedded}"
    );
    let files = files.file("/opt/pinion/_pinion.cpython-314t-x86_64-linux-gnu.so", "");
    assert_eq!(findings(&files, &lines), std::slice::from_ref(embedded));
    assert!(findings(&files, &lines[1..]).is_empty());
}
