//! What an application's ini file tells, found from its script alone.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use pinion_testbed::venv::{self, Venv};
use pinion_testbed::{python, run};

use crate::support::{check, folder, write};

const APPLICATION: &str = "\
def factory(global_config, **settings):
    def application(environ, start_response):
        start_response('200 OK', [('Content-Type', 'text/plain')])
        return [b'hello']
    return application
";

/// An ini file in which nothing is wrong.
const INI: &str = "\
[DEFAULT]
debug = false

[app:main]
use = egg:shop
sqlalchemy.url = sqlite:///%(here)s/shop.db

[loggers]
keys = root

[handlers]
keys = console

[formatters]
keys = generic

[logger_root]
level = WARNING
handlers = console

[handler_console]
class = StreamHandler
args = (sys.stderr,)
formatter = generic

[formatter_generic]
format = %(message)s
";

fn paste() -> Venv {
    venv::ensure("paste", &python::system().unwrap(), &["PasteDeploy==3.1.*"]).unwrap()
}

/// A deployed application in `folder`, with metadata as pip installs it.
fn deploy(folder: &Path, processes: u32, ini: &str) -> String {
    let _ = fs::remove_file(folder.join("shop.db"));
    write(folder, "lib/shop/__init__.py", APPLICATION);
    write(
        folder,
        "lib/shop-1.0.dist-info/METADATA",
        "Metadata-Version: 2.1\nName: shop\nVersion: 1.0\n",
    );
    write(
        folder,
        "lib/shop-1.0.dist-info/entry_points.txt",
        "[paste.app_factory]\nmain = shop:factory\n",
    );
    let ini = write(folder, "production.ini", ini);
    run(Command::new("chown").arg("root:www-data").arg(&ini)).unwrap();
    fs::set_permissions(&ini, fs::Permissions::from_mode(0o640)).unwrap();
    sql(folder, "create table page (page_id integer)");
    let root = folder.display();
    let script = format!(
        "from logging.config import fileConfig\nfrom paste.deploy import loadapp\n\n\
         configuration = {root:?} + '/production.ini'\n\
         fileConfig(configuration, disable_existing_loggers=False)\n\
         application = loadapp('config:' + configuration)\n",
        root = root.to_string()
    );
    let script = write(folder, "shop.wsgi", &script);
    let site = format!(
        "WSGIDaemonProcess shop processes={processes} user=www-data group=www-data python-home={} python-path={root}/lib\n\
         WSGIScriptAlias / {} process-group=shop application-group=%{{GLOBAL}}\n",
        paste().home.display(),
        script.display()
    );
    write(folder, "site.conf", &site).display().to_string()
}

/// Does something to the application's database.
fn sql(folder: &Path, statement: &str) {
    let code = "import sqlite3, sys; sqlite3.connect(sys.argv[1]).execute(sys.argv[2])";
    let mut python = Command::new("/usr/bin/python3");
    run(python.args(["-c", code]).arg(folder.join("shop.db")).arg(statement)).unwrap();
}

/// The codes of all findings, and all that was said.
fn codes(site: &str) -> (Vec<String>, String) {
    let found = check(&["--format", "json", site]);
    let json: serde_json::Value = serde_json::from_str(&found.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}", found.output()));
    let codes = json["findings"].as_array().unwrap().iter();
    (codes.map(|one| one["code"].as_str().unwrap().to_owned()).collect(), found.stdout)
}

fn has(folder: &Path, processes: u32, ini: &str, expected: &[&str]) -> String {
    let (codes, said) = codes(&deploy(folder, processes, ini));
    assert_eq!(codes, expected, "{said}");
    said
}

#[test]
fn a_sound_application_has_no_findings() {
    let folder = folder();
    let said = has(folder.path(), 1, INI, &[]);
    assert!(said.contains("\"status\": 200"), "{said}");
}

/// Everything below a folder: names, modes, and what files hold.
fn tree(folder: &Path) -> BTreeMap<PathBuf, (u32, Vec<u8>)> {
    let mut found = BTreeMap::new();
    let mut folders = vec![folder.to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let meta = fs::symlink_metadata(&path).unwrap();
            let bytes = if meta.is_file() { fs::read(&path).unwrap() } else { Vec::new() };
            if meta.is_dir() {
                folders.push(path.clone());
            }
            found.insert(path, (meta.permissions().mode(), bytes));
        }
    }
    found
}

#[test]
fn nothing_is_changed_not_even_where_the_application_could() {
    let folder = folder();
    let site = deploy(folder.path(), 2, INI);
    // So that compiled files of its modules, for one, could be written.
    run(Command::new("chmod").args(["-R", "a+rwX"]).arg(folder.path())).unwrap();
    let before = tree(folder.path());
    let (_, said) = codes(&site);
    assert!(said.contains("\"status\": 200"), "{said}");
    let after = tree(folder.path());
    assert_eq!(after.keys().collect::<Vec<_>>(), before.keys().collect::<Vec<_>>());
    assert!(after == before, "a file or a mode is another");
}

#[test]
fn missing_sections_for_logging_are_named() {
    let folder = folder();
    let ini = INI.replace("[formatter_generic]", "[formatter_other]");
    let said = has(folder.path(), 1, &ini, &["PIN0204", "PIN0807"]);
    assert!(said.contains("has no section [formatter_generic]"), "{said}");
    assert!(said.contains("KeyError: 'formatter_generic'"), "the traceback: {said}");
}

#[test]
fn a_package_without_metadata_is_named_and_fails_in_a_process_of_its_own() {
    let folder = folder();
    let ini = INI.replace("egg:shop", "egg:shopp");
    let said = has(folder.path(), 1, &ini, &["PIN0204", "PIN0808", "PIN0204"]);
    assert!(said.contains("no installed package is called shopp"), "{said}");
    assert!(said.contains("fails in a process of its own"), "{said}");
    let ini = INI.replace("egg:shop", "egg:shop#other");
    let said = has(folder.path(), 1, &ini, &["PIN0204", "PIN0808", "PIN0204"]);
    assert!(said.contains("shop has no entry point called other"), "{said}");
}

#[test]
fn an_unreadable_ini_file_is_told_as_such() {
    let folder = folder();
    let site = deploy(folder.path(), 1, INI);
    fs::set_permissions(folder.path().join("production.ini"), fs::Permissions::from_mode(0o600))
        .unwrap();
    let (codes, said) = codes(&site);
    assert_eq!(codes, ["PIN0204", "PIN0819"], "{said}");
    assert!(said.contains("Permission denied"), "{said}");
}

#[test]
fn what_is_risky_is_warned_of() {
    let folder = folder();
    let ini = INI.replace("use = egg:shop", "use = egg:shop\nfilter-with = proxy-prefix")
        + "\n[filter:proxy-prefix]\nuse = egg:PasteDeploy#prefix\nprefix = /shop\n";
    let site = deploy(folder.path(), 3, &ini);
    let direct = r#"{"url": "file:///home/me/shop", "dir_info": {"editable": true}}"#;
    write(folder.path(), "lib/shop-1.0.dist-info/direct_url.json", direct);
    fs::set_permissions(folder.path().join("production.ini"), fs::Permissions::from_mode(0o644))
        .unwrap();
    sql(folder.path(), "create table tg_user (user_id integer)");
    let (codes, said) = codes(&site);
    assert_eq!(codes, ["PIN0812", "PIN0813", "PIN0814", "PIN0815", "PIN0810"], "{said}");
    assert!(said.contains("the table tg_user is empty"), "{said}");
    assert!(said.contains("has 3 processes"), "{said}");
    assert!(said.contains("/home/me/shop"), "{said}");
}

#[test]
fn the_folder_above_the_project_hides_its_package() {
    let folder = folder();
    let site = deploy(folder.path(), 1, INI);
    // PROJECTS/shop is the project, PROJECTS/shop/shop its package.
    write(folder.path(), "projects/shop/shop/__init__.py", APPLICATION);
    write(folder.path(), "projects/shop/setup.py", "");
    let text = fs::read_to_string(&site).unwrap();
    let paths = format!("python-path={0}/projects:{0}/metadata", folder.path().display());
    let lib = format!("python-path={}/lib", folder.path().display());
    fs::write(&site, text.replace(&lib, &paths)).unwrap();
    fs::rename(folder.path().join("lib"), folder.path().join("metadata")).unwrap();
    fs::remove_dir_all(folder.path().join("metadata/shop")).unwrap();
    let (codes, said) = codes(&site);
    assert_eq!(codes, ["PIN0204", "PIN0204", "PIN0809"], "{said}");
    assert!(said.contains("/projects/shop hides the package shop"), "{said}");
}

#[test]
fn a_database_that_is_not_there_is_told_with_what_makes_it() {
    let folder = folder();
    let site = deploy(folder.path(), 1, &INI.replace("%(here)s/shop.db", "%(here)s/data/shop.db"));
    let (codes, said) = codes(&site);
    assert_eq!(codes, ["PIN0820"], "{said}");
    assert!(said.contains("data/shop.db does not exist"), "{said}");
    let hint = format!("sudo install -d -o www-data {}/data && cd ", folder.path().display());
    assert!(said.contains(&hint), "{said}");
    assert!(said.contains("bin/gearbox setup-app --config "), "{said}");
}

#[test]
fn an_exception_that_the_framework_swallows_is_told() {
    let folder = folder();
    let site = deploy(folder.path(), 1, INI);
    let application = "\
import sys

def factory(global_config, **settings):
    def application(environ, start_response):
        try:
            raise LookupError('the real reason')
        except LookupError:
            environ['backlash.exc_info'] = sys.exc_info()
        start_response('500 Internal Server Error', [('Content-Type', 'text/html')])
        return [b'<h1>We are sorry</h1>']
    return application
";
    write(folder.path(), "lib/shop/__init__.py", application);
    let (codes, said) = codes(&site);
    assert_eq!(codes, ["PIN0803"], "{said}");
    assert!(said.contains("\"why\": \"LookupError: the real reason\""), "{said}");
}

#[test]
fn development_mode_and_known_secrets_are_warned_of() {
    let folder = folder();
    let ini = INI
        .replace("use = egg:shop", "use = egg:shop\nset debug = true\nsession.secret = changeme");
    let said = has(folder.path(), 1, &ini, &["PIN0610", "PIN0611"]);
    assert!(said.contains("debug = true") && said.contains("session.secret"), "{said}");
}
