//! What `pinion deploy` says, whole: the help, the errors, and what becomes of edited files.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use pinion_testbed::python;

use crate::support::{expect, flask, folder, pinion, pyramid, whole, write};

#[test]
fn the_help() {
    let help = pinion(Path::new("/"), &["deploy", "--help"]);
    expect("help.txt", &help.stdout);
}

/// All files below a folder, with their text.
fn files(folder: &Path) -> BTreeMap<PathBuf, String> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() && !path.is_symlink() {
            found.extend(files(&path));
        } else {
            found.insert(path.clone(), fs::read_to_string(&path).unwrap_or_default());
        }
    }
    found
}

/// Runs `pinion deploy` on a project that it has to refuse, and adds what it said.
fn refuse(said: &mut String, project: &Path, arguments: &[&str]) {
    let before = files(project);
    let mut all = vec!["deploy"];
    all.extend(arguments);
    let finished = pinion(project, &all);
    assert!(!finished.success, "{arguments:?}: {}", finished.output());
    assert_eq!(files(project), before, "{arguments:?} changed something");
    let folder = project.parent().unwrap();
    let shown: Vec<_> =
        all.iter().map(|word| word.replace(&folder.display().to_string(), "/FOLDER")).collect();
    said.push_str(&format!("$ pinion {}\n{}\n", shown.join(" "), whole(&finished, folder)));
}

#[test]
fn bad_input_is_refused_and_changes_nothing() {
    let folder = folder();
    let at = |name: &str| folder.path().join(name).display().to_string();
    let said = &mut String::new();
    let none = folder.path().join("empty");
    fs::create_dir(&none).unwrap();
    refuse(said, &none, &[]);
    refuse(said, &none, &["/nowhere"]);

    let two = folder.path().join("two");
    for name in ["one.ini", "other.ini"] {
        write(&two, name, "[app:main]\nuse = egg:two\n");
    }
    refuse(said, &two, &[]);

    let broken = folder.path().join("broken");
    write(&broken, "development.ini", "[app:main]\nuse = egg:broken\nthis is no setting\n");
    refuse(said, &broken, &[]);

    let hello = flask(folder.path());
    refuse(said, &hello, &["--mount-point", "hello"]);
    refuse(said, &hello, &["--server-name", "http://shop.test/"]);
    refuse(said, &hello, &["--port", "8080"]);
    refuse(said, &hello, &["--processes", "3x"]);
    refuse(said, &hello, &["--name", "a/b"]);
    refuse(said, &hello, &["--name", "two\nlines"]);
    refuse(said, &hello, &["--deployment-location", "/srv/${HOME}"]);
    refuse(said, &hello, &["--application", "hello"]);
    refuse(said, &hello, &["--make-config"]);
    write(&hello, "pinion.toml", "[deploy]\nmuont-point = \"/\"\n");
    refuse(said, &hello, &[]);
    write(&hello, "pinion.toml", "[deploy]\nmount-point = \"shop\"\n");
    refuse(said, &hello, &[]);
    write(&hello, "pinion.toml", "[deploy\n");
    refuse(said, &hello, &[]);
    fs::remove_file(hello.join("pinion.toml")).unwrap();

    broken_virtualenvs(said, folder.path(), &hello);

    write(&hello, "in-the-way", "");
    refuse(said, &hello, &["--output-dir", &at("hello/in-the-way/apache")]);
    expect("errors.txt", said);
}

/// A virtualenv whose Python is gone, one for another machine, and a folder that is none.
fn broken_virtualenvs(said: &mut String, folder: &Path, hello: &Path) {
    let home = folder.join("gone");
    write(&home, "pyvenv.cfg", "home = /opt/python3.7/bin\nversion = 3.12.0\n");
    write(&home, "bin/python", "");
    refuse(said, hello, &["--virtualenv", &home.display().to_string()]);

    let foreign = folder.join("foreign");
    let interpreter = python::system().unwrap();
    write(
        &foreign,
        "pyvenv.cfg",
        &format!("home = /usr/bin\nversion = {}.0\n", interpreter.version),
    );
    let program = foreign.join("bin/python");
    fs::create_dir_all(program.parent().unwrap()).unwrap();
    // An ELF header that says s390x.
    let mut elf = b"\x7fELF\x02\x02\x01".to_vec();
    elf.resize(16, 0);
    elf.extend([0, 2, 0, 22]);
    fs::write(&program, elf).unwrap();
    crate::support::executable(&program);
    refuse(said, hello, &["--virtualenv", &foreign.display().to_string(), "--mount-point", "/x"]);
    refuse(said, hello, &["--baseline", &hello.display().to_string()]);
}

#[test]
fn edited_files_are_shown_and_left() {
    let folder = folder();
    let project = flask(folder.path());
    assert!(pinion(&project, &["deploy", "--processes", "2"]).success);
    let toml = fs::read_to_string(project.join("pinion.toml")).unwrap();
    assert_eq!(toml, "[deploy]\nprocesses = 2\n");

    // Its own files are written anew without asking, and what was given is kept.
    let again = pinion(&project, &["deploy", "--mount-point", "/shop"]);
    assert!(again.success && !again.stdout.contains("PIN0508"), "{}", again.output());
    let configuration = project.join("apache/hello");
    let text = fs::read_to_string(&configuration).unwrap();
    assert!(text.contains("processes=2") && text.contains("WSGIScriptAlias /shop "), "{text}");

    let edited = text.replace("threads=10", "threads=10 maximum-requests=1000");
    fs::write(&configuration, &edited).unwrap();
    let left = pinion(&project, &["deploy", "--threads", "5"]);
    assert_eq!(left.status, "exit status: 1", "{}", left.output());
    for said in ["maximum-requests=1000", "+WSGIDaemonProcess hello", "threads=5", "PIN0508"] {
        assert!(left.stdout.contains(said), "{said}: {}", left.stdout);
    }
    assert_eq!(fs::read_to_string(&configuration).unwrap(), edited);

    assert!(pinion(&project, &["deploy", "--overwrite"]).success);
    assert!(fs::read_to_string(&configuration).unwrap().contains("threads=5"));
}

#[test]
fn a_run_that_was_cut_short_is_completed() {
    let folder = folder();
    let project = flask(folder.path());
    assert!(pinion(&project, &["deploy"]).success);
    let before = files(&project);
    for name in ["apache/README.txt", "apache/hello.wsgi"] {
        fs::remove_file(project.join(name)).unwrap();
    }
    assert!(pinion(&project, &["deploy"]).success);
    assert_eq!(files(&project), before);
}

#[test]
fn the_forerunners_spellings() {
    let folder = folder();
    let project = flask(folder.path());
    let arguments = [
        "deploy",
        "--mount=/x",
        "--virtualhost=shop.test",
        "--deployment=/srv/apps",
        "--virtualenv=",
        "--logging",
        "--no-test",
        "-o",
        "out",
    ];
    let finished = pinion(&project, &arguments);
    assert!(finished.success, "{}", finished.output());
    let text = fs::read_to_string(project.join("out/hello")).unwrap();
    for part in ["WSGIScriptAlias /x /srv/apps/hello/out/hello.wsgi", "ServerName shop.test"] {
        assert!(text.contains(part), "{text}");
    }
    assert!(!project.join("out/test.wsgi").exists());
    let script = fs::read_to_string(project.join("out/hello.wsgi")).unwrap();
    assert!(!script.contains("VIRTUALENV"), "{script}");
    let before = files(&project);
    assert!(pinion(&project, &["deploy", "--simulate", "--mount=/y"]).success);
    assert_eq!(files(&project), before);
}

#[test]
fn a_second_ini_file_keeps_the_secrets_of_the_first() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = folder();
    let project = pyramid(folder.path());
    let development = fs::read_to_string(project.join("development.ini")).unwrap();
    let text = development.replace("[server:main]", "session.secret = seekrit\n\n[server:main]");
    write(&project, "development.ini", &text);
    assert!(pinion(&project, &["deploy", "--make-config"]).success);
    let production = project.join("production.ini");
    let made = fs::read_to_string(&production).unwrap();
    assert_eq!(fs::metadata(&production).unwrap().permissions().mode() & 0o7777, 0o640);
    let secret = made.lines().find(|line| line.starts_with("session.secret = ")).unwrap();
    assert_eq!(secret.len(), "session.secret = ".len() + 64, "{secret}");
    assert!(pinion(&project, &["deploy", "--make-config"]).success);
    assert_eq!(fs::read_to_string(&production).unwrap(), made);
    write(&project, "production.ini", &made.replace("level = INFO", "level = WARN"));
    let left = pinion(&project, &["deploy", "--make-config"]);
    assert_eq!(left.status, "exit status: 1", "{}", left.output());
    assert!(fs::read_to_string(&production).unwrap().contains("level = WARN"));
}
