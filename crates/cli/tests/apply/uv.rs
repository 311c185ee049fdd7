//! Virtualenvs by uv: from its own lock file, from the standard one, and from a list.

use std::fs;
use std::path::Path;
use std::process::Command;

use pinion_testbed::{python, run, run_quietly, venv};

use crate::world::{World, fine, project};

const APPLICATION: &str = "import iniconfig\nfrom importlib import metadata\n\n\n\
    def app(environ, start_response):\n    start_response('200 OK', [])\n    \
    return [f'{iniconfig.__name__} {metadata.version(\"iniconfig\")}'.encode()]\n";

/// What the lock files pin is not the newest that this allows.
const METADATA: &str = "[project]\nname = 'hello'\nversion = '1'\nrequires-python = '>=3.9'\n\
    dependencies = ['iniconfig']\n\n[build-system]\nrequires = ['setuptools>=61']\n\
    build-backend = 'setuptools.build_meta'\n\n[tool.setuptools]\npy-modules = ['hello']\n";

/// The command with uv on its path.
fn with_uv(command: &mut Command, uv: &Path) -> String {
    let path = format!("{}:/usr/sbin:/usr/bin:/sbin:/bin", uv.parent().unwrap().display());
    fine(run_quietly(command.env("PATH", path)).unwrap())
}

#[test]
fn uv_installs_what_lock_files_and_lists_say() {
    let uv = venv::ensure("uv", &python::system().unwrap(), &["uv"]).unwrap().bin("uv");
    let folder = project(&[("hello.py", APPLICATION), ("pyproject.toml", METADATA)]);
    let (world, project) = (World::new(), folder.path());
    let before = world.picture();
    let lock = |arguments: &[&str]| {
        run(Command::new(&uv).current_dir(project).arg("--quiet").args(arguments)).unwrap()
    };
    lock(&["lock", "--no-progress", "--upgrade-package", "iniconfig==2.0.0"]);

    // Its own lock file is reason enough to take uv.
    let mut deploy = world.deploy_command(project, "hello", &["--application", "hello:app"]);
    let said = with_uv(&mut deploy, &uv);
    assert!(said.contains("uv.lock, the project"), "{said}");
    assert!(said.contains(&format!("$ {} venv ", uv.display())), "{said}");
    assert_eq!(world.get("/hello/").text(), "iniconfig 2.0.0");

    lock(&["export", "--format", "pylock.toml", "--no-emit-project", "-o", "pylock.toml"]);
    fs::remove_file(project.join("uv.lock")).unwrap();
    let create = |name: &str, more: &[&str]| {
        let home = world.root().join("x/pythonenv").join(name);
        let mut pinion = world.program();
        pinion.args(["env", "create", "hello", "--project"]).arg(project).arg("--path").arg(&home);
        pinion.arg("--egg-cache").arg(world.root().join("x/eggs"));
        with_uv(pinion.args(more), &uv);
        let version =
            "from importlib.metadata import version as v; print(v('iniconfig'), v('hello'))";
        run(Command::new(home.join("bin/python")).args(["-I", "-c", version])).unwrap()
    };
    assert_eq!(create("standard", &[]), "2.0.0 1\n");
    fs::remove_file(project.join("pylock.toml")).unwrap();
    fs::write(project.join("requirements.txt"), "-e .\niniconfig==1.1.1\n").unwrap();
    assert_eq!(create("list", &["--installer", "uv"]), "1.1.1 1\n");

    fine(world.undeploy(project, &["--purge"]));
    fs::remove_dir_all(world.root().join("x")).unwrap();
    assert_eq!(world.picture(), before);
}
