//! Projects are recognised from their own files.

#![allow(clippy::unwrap_used, reason = "helpers of tests, too, fail by panicking")]

use std::fs;

use pinion_deploy::project::Project;
use pinion_deploy::settings::Choices;

const EGG: &str = "[app:main]\nuse = egg:Shop\n";

/// What is said of a project with these files, from the kind to the package.
fn said(files: &[(&str, &str)]) -> String {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("my shop");
    for (name, text) in files {
        let path = root.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    let found = match Project::find(&root, &Choices::default()) {
        Ok(project) => project.to_string(),
        Err(error) => error.to_string(),
    };
    found.replace(&format!("{}", folder.path().display()), "")
}

#[test]
fn each_kind_says_so_itself() {
    for (files, expected) in [
        (
            &[("development.ini", EGG), ("shop/__init__.py", ""), ("shop/config/app_cfg.py", "")][..],
            "found a TurboGears project: project my shop, package shop, in /my shop",
        ),
        (
            &[
                (
                    "pyproject.toml",
                    "[project]\nname = 'the-shop'\ndependencies = ['TurboGears2>=2.5']\n[project.entry-points.'paste.app_factory']\nmain = 'shop.web:make'\n",
                ),
                ("development.ini", EGG),
                ("test.ini", EGG),
            ],
            "found a TurboGears project: project the-shop, package shop, in /my shop",
        ),
        (
            &[
                (
                    "setup.py",
                    "requires = [\n 'pyramid', ]\nsetup(name='Shop', install_requires=requires)",
                ),
                ("production.ini", EGG),
                ("src/shop/__init__.py", ""),
            ],
            "found a Pyramid project: project Shop, package shop, in /my shop",
        ),
        (
            &[
                ("setup.cfg", "[metadata]\nname = shop\n"),
                ("development.ini", EGG),
                ("shop/__init__.py", ""),
            ],
            "found a Paste Deploy project: project shop, package shop, in /my shop",
        ),
        (
            &[
                (
                    "manage.py",
                    "os.environ.setdefault(\"DJANGO_SETTINGS_MODULE\", \"shop.settings\")",
                ),
                ("shop/settings.py", ""),
            ],
            "found a Django project: project my shop, package shop, in /my shop",
        ),
        (
            &[("app.py", "from flask import Flask\napp = Flask(__name__)\n")],
            "found a Flask project: project my shop, package app, in /my shop",
        ),
        (
            &[("shop/__init__.py", "from flask import Flask\n\ndef create_app():\n    pass\n")],
            "found a Flask project: project my shop, package shop, in /my shop",
        ),
        (&[("run.wsgi", "")], "found a WSGI script: project my shop, in /my shop"),
        (&[("a.wsgi", ""), ("b.wsgi", "")], "two WSGI scripts in /my shop: a.wsgi, b.wsgi"),
        (
            &[("pyproject.toml", "[project\n")],
            "/my shop/pyproject.toml: line 1: unclosed table, expected `]`",
        ),
        (
            &[("manage.py", "DJANGO_SETTINGS_MODULE = load()")],
            "/my shop/manage.py: names no settings; expected os.environ.setdefault('DJANGO_SETTINGS_MODULE', 'project.settings')",
        ),
    ] {
        assert_eq!(said(files), expected);
    }
}
