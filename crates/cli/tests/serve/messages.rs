//! What goes wrong is told by one clear message, and an exit status.

use std::fs;
use std::net::TcpListener;

use crate::world::{HELLO, Project};

#[track_caller]
fn same(said: &str, expected: &str) {
    assert_eq!(said, expected.trim_start_matches('\n'), "said:\n{said}");
}

#[test]
fn what_cannot_be_served() {
    let project = Project::new(&[("app.py", HELLO), ("empty/x", "")]);
    same(
        &project.said(&["app"]),
        "
pinion: PIN0901: app names no callable
hint: write pinion serve app:application
exit status: 2
",
    );
    same(
        &project.said(&["app.py"]),
        "
pinion: PIN0901: app.py is a module; to serve it, name what is to be called
hint: write pinion serve app:application
exit status: 2
",
    );
    same(
        &project.said(&["config:production.ini"]),
        "
pinion: PIN0901: /FOLDER/production.ini does not exist
hint: check the path
exit status: 2
",
    );
    same(
        &project.said(&["empty"]),
        "
pinion: PIN0501: no project in /FOLDER/empty: expected an ini file with an [app:main] section, manage.py, a Flask application or a .wsgi file
hint: run it in the project's folder, or say what to serve: pinion serve myapp:application
exit status: 2
",
    );
}

#[test]
fn two_scripts_are_one_too_many() {
    let project = Project::new(&[("a.wsgi", HELLO), ("b.wsgi", HELLO)]);
    same(
        &project.said(&[]),
        "
pinion: PIN0502: two WSGI scripts in /FOLDER: a.wsgi, b.wsgi
hint: say which one is meant, such as pinion serve a.wsgi
exit status: 2
",
    );
}

#[test]
fn values_that_are_none_with_where_they_stand() {
    let project = Project::hello();
    same(
        &project.said(&["--idle-timeout", "soon"]),
        "
pinion: PIN0504: --idle-timeout: \"soon\" is not a number of seconds, such as 30 or 0.5
hint: `pinion serve --help` shows what each option takes
exit status: 2
",
    );
    project.write("pinion.toml", "[serve]\n\nprocesses = 0\n");
    same(
        &project.said(&[]),
        "
pinion: PIN0504: /FOLDER/pinion.toml:3: processes: \"0\" is not a whole number from 1 to 4096
hint: `pinion serve --help` shows what each option takes
exit status: 2
",
    );
    project.write("pinion.toml", "[serve]\ntreads = 4\n");
    same(
        &project.said(&[]),
        "
pinion: PIN0505: /FOLDER/pinion.toml:2: no option is called \"treads\"
hint: did you mean `threads`?
exit status: 2
",
    );
    project.write("pinion.toml", "");
    let project = project.env("PINION_BIND", "localhost");
    same(
        &project.said(&[]),
        "
pinion: PIN0504: PINION_BIND: \"localhost\" is not `host:port`, `[v6]:port`, `:port`, `unix:/path` or `fd:systemd`, with `https://` in front for TLS
hint: `pinion serve --help` shows what each option takes
exit status: 2
",
    );
}

#[test]
fn folders_and_accounts_that_are_not_there() {
    let project = Project::hello();
    same(
        &project.said(&["--home", "nowhere"]),
        "
pinion: PIN0504: --home /FOLDER/nowhere: no such folder
hint: make it, or correct the path
exit status: 2
",
    );
    same(
        &project.said(&["--static", "/css=nowhere"]),
        "
pinion: PIN0504: --static /FOLDER/nowhere: no such folder or file
hint: make it, or correct the path
exit status: 2
",
    );
    same(
        &project.said(&["--user", "nobody-of-that-name"]),
        "
pinion: PIN0707: --user nobody-of-that-name: the system knows no such user
hint: `getent passwd` lists them; a number is written #1000
exit status: 2
",
    );
    same(
        &project.said(&["--group", "nobody-of-that-name"]),
        "
pinion: PIN0707: --group nobody-of-that-name: the system knows no such group
hint: `getent group` lists them; a number is written #1000
exit status: 2
",
    );
    project.write("vars", "A=1\nnonsense\n");
    same(
        &project.said(&["--env-file", "vars"]),
        "
pinion: PIN0506: --env-file /FOLDER/vars: line 2: not NAME=VALUE with a valid variable name
hint: write NAME=VALUE on each line
exit status: 2
",
    );
}

#[test]
fn a_port_in_use_with_who_has_it() {
    let project = Project::hello();
    let taken = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let own = std::process::id();
    let name = fs::read_to_string("/proc/self/comm").unwrap();
    same(
        &project.said(&["--bind", &address]),
        &format!(
            "
pinion: PIN0902: {address} is in use by process {own} ({})
hint: end it (kill {own}), or choose another address with --bind
exit status: 4
",
            name.trim()
        ),
    );
}

#[test]
fn a_port_that_is_not_for_this_user() {
    if pinion_unix::users::effective_uid() == 0 {
        // Root may; the message is that of any refusal.
        return;
    }
    let said = Project::hello().said(&["--bind", "127.0.0.1:80"]);
    assert!(said.starts_with("pinion: PIN0903: 127.0.0.1:80: "), "{said}");
    assert!(said.contains("hint: a port below 1024 needs root"), "{said}");
}

#[test]
fn an_address_of_another_machine() {
    same(
        &Project::hello().said(&["--bind", "192.0.2.1:8000"]),
        "
pinion: PIN0903: 192.0.2.1:8000: Cannot assign requested address (os error 99)
hint: `ip address` shows this machine's addresses; --bind :PORT means all of them
exit status: 4
",
    );
}

#[test]
fn a_python_that_is_none() {
    let project = Project::hello();
    same(
        &project.said(&["--python", "./nowhere"]),
        "
pinion: WSGI0100: --python /FOLDER/nowhere: /FOLDER/nowhere does not exist
hint: name a virtualenv, its bin/python, or a version with --python
exit status: 2
",
    );
    let project = project.env("VIRTUAL_ENV", "/nowhere/venv");
    same(
        &project.said(&[]),
        "
pinion: WSGI0100: VIRTUAL_ENV: /nowhere/venv does not exist
hint: name a virtualenv, its bin/python, or a version with --python
exit status: 2
",
    );
}

#[test]
fn a_module_that_is_not_installed() {
    let project = Project::new(&[("shop.py", "import no_such_module\n")]);
    same(
        &project.said(&["shop:app", "--bind", "127.0.0.1:0"]),
        r#"
Traceback (most recent call last):
  File "/MADE.wsgi", line 13, in <module>
    from shop import app as application
  File "/FOLDER/shop.py", line 1, in <module>
    import no_such_module
ModuleNotFoundError: No module named 'no_such_module'
pinion: PIN0906: no module no_such_module in Python 3.N (/usr/bin/python3), which WSGI application shop:app needs
hint: /usr/bin/python3 -m venv /FOLDER/.venv && /FOLDER/.venv/bin/python -m pip install no_such_module
exit status: 3
"#,
    );
    project.write("requirements.txt", "no-such-module\n");
    let said = project.said(&["shop:app", "--bind", "127.0.0.1:0"]);
    assert!(said.contains("pip install -r /FOLDER/requirements.txt"), "{said}");
    let said = project.said(&["shoop:app", "--bind", "127.0.0.1:0"]);
    assert!(
        said.ends_with(
            "pinion: PIN0906: no module shoop in /FOLDER and Python 3.N (/usr/bin/python3)\n\
             hint: run it in the folder that shoop is in, or correct the name\nexit status: 3\n"
        ),
        "{said}"
    );
}

#[test]
fn an_application_that_does_not_load() {
    let project = Project::new(&[("app.wsgi", "raise ValueError('no database')\n")]);
    same(
        &project.said(&["--bind", "127.0.0.1:0"]),
        r#"
Traceback (most recent call last):
  File "/FOLDER/app.wsgi", line 1, in <module>
    raise ValueError('no database')
ValueError: no database
pinion: PIN0907: app.wsgi does not load: ValueError: no database
hint: mend what the traceback names
exit status: 3
"#,
    );
}

#[test]
fn a_script_without_its_callable() {
    let project = Project::hello();
    same(
        &project.said(&["--callable", "app", "--bind", "127.0.0.1:0"]),
        "
pinion: PIN0907: app.wsgi does not load: the script has no callable named 'app'
hint: define it, or name another one with --callable
exit status: 3
",
    );
}

#[test]
fn options_that_do_nothing_together() {
    let project = Project::hello();
    let mut serving =
        project.serve(&["--trusted-proxies", "10.0.0.0/8", "--setup-command", "true"]);
    serving.stop();
    let log = serving.log();
    assert!(
        log.starts_with(
            "pinion: PIN0912: --trusted-proxies is given, but no header of theirs is trusted\n\
             hint: add --trusted-proxy-headers, such as X-Forwarded-For\n\
             pinion: PIN0912: --setup-command is given without --setup\nhint: add --setup\n"
        ),
        "{log}"
    );
}

#[test]
fn what_is_switched_off_for_once_is_no_mistake() {
    let project = Project::hello();
    let options = "[serve]\nsetup = true\nsetup-command = 'true'\nreload = true\nwatch = '.'\n";
    project.write("pinion.toml", options);
    let mut serving = project.serve(&["--no-setup", "--no-reload"]);
    serving.stop();
    assert!(!serving.log().contains("PIN0912"), "{}", serving.log());
}

#[test]
fn fewer_files_than_connections_are_told_with_what_to_do() {
    let project = Project::hello();
    let serve = project.command(&["--limit-connections", "500", "--bind", "127.0.0.1:0"]);
    let mut shell = std::process::Command::new("/bin/sh");
    shell.args(["-c", "ulimit -n 200; exec \"$0\" \"$@\""]);
    shell.arg(serve.get_program()).args(serve.get_args());
    shell.current_dir(project.path("")).env("TMPDIR", project.temp());
    let mut serving = project.start_command(shell);
    serving.wait_for("PIN0915: limit-connections is 500, but 200 open files leave room for ");
    serving.wait_for("hint: Raise the hard limit of open files");
    serving.wait_for("serving ");
    serving.stop();
}
