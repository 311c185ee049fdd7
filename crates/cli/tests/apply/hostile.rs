//! What a site's user may have prepared for root, and what settings name by mistake.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::Path;

use pinion_testbed::run_quietly;

use crate::world::{World, project};

/// Apache's user on Debian, as the private Apache has it.
const SERVER: u32 = 33;

fn is_root() -> bool {
    fs::metadata("/proc/self").is_ok_and(|meta| meta.uid() == 0)
}

#[test]
fn a_folder_that_others_use_is_not_given_to_the_application() {
    if !is_root() {
        eprintln!("skipped: only root could give something away");
        return;
    }
    let world = World::new();
    let shared = world.root().join("shared");
    fs::create_dir(&shared).unwrap();
    fs::write(shared.join("another.log"), "").unwrap();
    let ini = format!(
        "[app:main]\nuse = egg:tree\n[handler_file]\nargs = ('{}/tree.log', 'a')\n",
        shared.display()
    );
    let metadata = "[project]\nname = 'tree'\nversion = '1'\ndependencies = ['TurboGears2']\n\
                    [project.entry-points.'paste.app_factory']\nmain = 'tree.config:make_app'\n";
    let files = [
        ("production.ini", ini.as_str()),
        ("pyproject.toml", metadata),
        ("tree/__init__.py", ""),
        ("tree/config.py", "def make_app(*_, **__):\n    pass\n"),
    ];
    let folder = project(&files);
    let before = world.picture();
    let refused = world.deploy(folder.path(), "tree", &[]);
    assert_eq!(refused.status, "exit status: 2", "{}", refused.output());
    let said = format!("PIN0720: the application writes to {}, which is not ", shared.display());
    assert!(refused.stderr.contains(&said), "{}", refused.output());
    assert!(refused.stderr.contains("hint: name a folder of its own"), "{}", refused.output());
    assert_eq!(world.picture(), before);
}

/// A virtualenv whose interpreter notes who runs it, and then is Python.
fn traitor(home: &Path, notes: &Path) {
    fs::create_dir_all(home.join("bin")).unwrap();
    fs::write(home.join("pyvenv.cfg"), "home = /usr/bin\nversion = 3.11.2\n").unwrap();
    let text = format!("#!/bin/sh\nid -u >> {}\nexec /usr/bin/python3 \"$@\"\n", notes.display());
    fs::write(home.join("bin/python"), text).unwrap();
    fs::set_permissions(home.join("bin/python"), fs::Permissions::from_mode(0o755)).unwrap();
    chown(home.join("bin"), Some(SERVER), Some(SERVER)).unwrap();
}

#[test]
fn root_does_not_run_what_the_sites_user_can_change() {
    if !is_root() {
        eprintln!("skipped: only root could give something away");
        return;
    }
    let folder = project(&[("hello.py", "app = None\n")]);
    let world = World::new();
    let notes = world.root().join("notes");
    fs::write(&notes, "").unwrap();
    fs::set_permissions(&notes, fs::Permissions::from_mode(0o666)).unwrap();
    for name in ["BASELINE", "hello"] {
        traitor(&world.root().join("x/pythonenv").join(name), &notes);
    }
    let more = ["--application", "hello:app", "--dry-run"];
    let shown = run_quietly(&mut world.deploy_command(folder.path(), "hello", &more)).unwrap();
    let users = fs::read_to_string(&notes).unwrap();
    assert!(!users.is_empty(), "nobody ran it: {}", shown.output());
    assert!(users.lines().all(|user| user == SERVER.to_string()), "{users}");
}
