//! The generated files of a TurboGears project, whole.

use std::fs;

use pinion_testbed::Site;

use crate::support::{empty_virtualenv, expect, folder, pinion, write};

const INI: &str = "[DEFAULT]\ndebug = true\n\n[app:main]\nuse = egg:tree\n\
    session.secret = tree-secret\nsqlalchemy.url = sqlite:///%(here)s/devdata.db\n\
    cache_dir = %(here)s/data\n\n[server:main]\nuse = egg:gearbox#wsgiref\n";
const METADATA: &str = "[project]\nname = 'tree'\nversion = '1'\ndependencies = ['TurboGears2']\n\
    [project.entry-points.'paste.app_factory']\nmain = 'tree.config:make_app'\n";

#[test]
fn the_files_of_a_turbogears_project() {
    let folder = folder();
    let project = folder.path().join("tree");
    for (name, text) in [
        ("development.ini", INI),
        ("pyproject.toml", METADATA),
        ("tree/__init__.py", ""),
        ("tree/config.py", "def make_app(*_, **__):\n    pass\n"),
        ("tree/public/css/style.css", ""),
        ("tree/public/favicon.ico", ""),
    ] {
        write(&project, name, text);
    }
    // The baseline is made, and nothing else.
    empty_virtualenv(&folder.path().join("env/BASELINE"));
    // Debian's Apache with two of its own modules.
    let apache = Site::bare().unwrap();
    apache.write_configuration().unwrap();
    for folder in ["sites-available", "sites-enabled", "mods-available"] {
        apache.folder(folder).unwrap();
    }
    for module in ["alias", "authz_core"] {
        let line = format!("LoadModule {module}_module mod_{module}.so\n");
        apache.write(&format!("mods-enabled/{module}.load"), line).unwrap();
    }
    let at = |name: &str| folder.path().join(name).display().to_string();
    let options = [
        ("--apache-config", apache.root().display().to_string()),
        ("--deployment-location", at("apps")),
        ("--virtualenv", at("env/tree")),
        ("--baseline", at("env/BASELINE")),
        ("--data", at("data")),
        ("--logs", at("logs")),
    ];
    let options = options.iter().flat_map(|(name, value)| [*name, value.as_str()]);
    let arguments: Vec<_> = std::iter::once("deploy").chain(options).collect();
    let generated = pinion(&project, &arguments);
    assert!(generated.success, "{}", generated.output());
    for name in ["README.txt", "tree", "tree.wsgi", "test.wsgi"] {
        let text = fs::read_to_string(project.join("apache").join(name)).unwrap();
        let text = text
            .replace(&folder.path().display().to_string(), "/FOLDER")
            .replace(&apache.root().display().to_string(), "/APACHE");
        // It depends on the folder.
        let (text, _) = text.split_once("has the fingerprint ").unwrap();
        expect(&format!("turbogears/{name}"), text);
    }
}

#[test]
fn whom_apache_serves_as_is_read_from_its_configuration() {
    let folder = folder();
    let project = crate::support::flask(folder.path());
    let mut apache = Site::bare().unwrap();
    apache.config("User nobody\nGroup nogroup");
    apache.write_configuration().unwrap();
    let root = apache.root().display().to_string();
    let apps = folder.path().join("apps").display().to_string();
    let options = ["--apache-config", &root, "--deployment-location", &apps];
    let generated = pinion(&project, &[&["deploy"], &options[..]].concat());
    assert!(generated.success, "{}", generated.output());
    let readme = fs::read_to_string(project.join("apache/README.txt")).unwrap();
    assert!(readme.contains("-o nobody -g nogroup "), "{readme}");
    assert!(!readme.contains("www-data"), "{readme}");

    // The egg cache is there, and belongs to somebody else.
    fs::create_dir_all(format!("{apps}/hello/python-eggs")).unwrap();
    let said = pinion(&project, &[&["deploy"], &options[..]].concat()).output();
    assert!(said.contains("python-eggs") && said.contains("nobody"), "{said}");
    let options = [&options[..], &["--user", "root", "--group", "root"]].concat();
    assert!(!pinion(&project, &[&["deploy"], &options[..]].concat()).output().contains("nobody"));
}
