//! The plan as it is shown.

use std::process::Command;

use pinion_testbed::{python, run_quietly};

use crate::world::{World, fine, project};

#[test]
fn a_plan_is_shown_whole_and_changes_nothing() {
    let ini = "[app:main]\nuse = egg:tree\nsqlalchemy.url = sqlite:///%(here)s/devdata.db\n\
               cache_dir = %(here)s/data\n";
    let metadata = "[project]\nname = 'tree'\nversion = '1'\ndependencies = ['TurboGears2']\n\
                    [project.entry-points.'paste.app_factory']\nmain = 'tree.config:make_app'\n";
    let files = [
        ("development.ini", ini),
        ("pyproject.toml", metadata),
        ("tree/__init__.py", ""),
        ("tree/config.py", "def make_app(*_, **__):\n    pass\n"),
        ("tree/public/css/style.css", ""),
        ("requirements.txt", "TurboGears2==2.5.1\n"),
    ];
    let folder = project(&files);
    let world = World::new();
    let before = world.picture();
    let mut command = world.deploy_command(folder.path(), "tree", &["--dry-run"]);
    let shown = fine(run_quietly(&mut command).unwrap());
    assert_eq!(world.picture(), before);
    assert!(!folder.path().join("apache").exists() && !folder.path().join("pinion.toml").exists());
    let module = shown.split("LoadModule wsgi_module \"").nth(1).unwrap();
    let dist = module.split("/modules/").next().unwrap();
    let version = python::system().unwrap().version.to_string();
    let plain = shown
        .replace(&world.root().display().to_string(), "ROOT")
        .replace(&folder.path().display().to_string(), "PROJECT")
        .replace(dist, "DIST")
        .replace(&world.apache.port().to_string(), "PORT")
        .replace(&format!("Python {version}"), "Python VERSION");
    assert_eq!(plain, include_str!("plan.txt"), "{plain}");
}

#[test]
fn help_shows_each_option_of_undeploy_and_env() {
    let help = |words: &[&str]| {
        let mut pinion = Command::new(env!("CARGO_BIN_EXE_pinion"));
        fine(run_quietly(pinion.args(words).arg("--help")).unwrap())
    };
    let all = format!(
        "{}\n{}\n{}",
        help(&["undeploy"]),
        help(&["env", "baseline"]),
        help(&["env", "create"])
    );
    assert_eq!(all, include_str!("help.txt"), "{all}");
}
