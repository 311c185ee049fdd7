//! Everything that is missing for a deployment, said whole, and ticked in the README once it is there.

#![allow(clippy::unwrap_used, reason = "helpers of tests, too, fail by panicking")]

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};

use pinion_config::files::SystemFiles;
use pinion_config::{Accounts, Principal, User};
use pinion_deploy::parameters::by_name;
use pinion_deploy::settings::{Given, Origin};
use pinion_deploy::sight::Sight;
use pinion_deploy::steps::steps;
use pinion_deploy::{Deployment, warnings};

/// One user besides root, who owns nothing.
struct Accountants;

impl Accounts for Accountants {
    fn user(&self, who: &Principal) -> Option<User> {
        (*who == Principal::Name("www-data".into())).then(|| self.server_user())
    }

    fn group(&self, who: &Principal) -> Option<u32> {
        self.user(who).map(|user| user.gid)
    }

    fn server_user(&self) -> User {
        User { name: Some("www-data".into()), uid: 4321, gid: 4321, groups: Vec::new(), home: None }
    }

    fn started_as_root(&self) -> bool {
        true
    }
}

/// A TurboGears project in a folder, and where it is to be deployed.
struct Place(tempfile::TempDir);

impl Place {
    fn new() -> Self {
        let folder = tempfile::Builder::new().prefix("missing-").tempdir().unwrap();
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let place = Self(folder);
        place.write(
            "myapp/pyproject.toml",
            "[project]\nname = \"myapp\"\ndependencies = [\"TurboGears2 >= 2.5\", \"Beaker\"]\n",
        );
        place.write("myapp/development.ini", INI);
        place.write("myapp/myapp/__init__.py", "");
        place.write("myapp/myapp/model.py", "import os, sqlalchemy\nfrom PIL import Image\nfrom myapp import x\ntry:\n    import optional\nexcept ImportError:\n    pass\n");
        place.write("myapp/myapp/public/css/style.css", "");
        place.write("apache2/mods-enabled/alias.load", "LoadModule alias_module x.so\n");
        place.write("apache2/mods-enabled/authz_core.load", "LoadModule authz_core_module x.so\n");
        fs::create_dir(place.at("apache2/sites-available")).unwrap();
        place
    }

    fn at(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        let path = self.at(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn virtualenv(&self, name: &str, version: &str) {
        let base = self.at(&format!("python{version}"));
        self.write(&format!("python{version}/lib/python{version}/os.py"), "");
        self.write(&format!("python{version}/bin/python{version}"), "");
        let program = base.join(format!("bin/python{version}"));
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
        let config = format!("home = {}\nversion = {version}.1\n", base.join("bin").display());
        self.write(&format!("{name}/pyvenv.cfg"), &config);
        fs::create_dir_all(self.at(&format!("{name}/bin"))).unwrap();
        fs::create_dir_all(self.at(&format!("{name}/lib/python{version}/site-packages"))).unwrap();
        symlink(program, self.at(&format!("{name}/bin/python"))).unwrap();
    }

    fn deployment(&self) -> Deployment {
        let given = [
            ("deployment-location", "apps"),
            ("virtualenv", "env/myapp"),
            ("baseline", "env/BASELINE"),
            ("data", "data"),
            ("logs", "logs"),
        ];
        let given: Vec<Given> = given
            .map(|(name, value)| Given {
                parameter: by_name(name).unwrap(),
                values: vec![self.at(value).display().to_string()],
                origin: Origin::CommandLine,
            })
            .into();
        Deployment::load(&self.at("myapp"), &given).unwrap()
    }

    fn sight(&self) -> Sight<'static> {
        Sight {
            files: &SystemFiles,
            accounts: &Accountants,
            apache: self.at("apache2"),
            module: Some("/opt/pinion/modules/mod_pinion.so".into()),
            machine: &|_program| None,
        }
    }

    /// All that is missing, one after the other, with the folder's name replaced.
    fn missing(&self) -> String {
        let findings = warnings::all(&self.deployment(), &self.sight());
        let text: String = findings.iter().map(|finding| format!("{finding}\n")).collect();
        text.replace(&self.0.path().display().to_string(), "/FOLDER")
    }

    /// The titles of the steps that are done.
    fn done(&self) -> Vec<String> {
        let (deployment, sight) = (self.deployment(), self.sight());
        let findings = warnings::all(&deployment, &sight);
        let steps = steps(&deployment, &sight, &findings);
        steps.into_iter().filter(|step| step.done).map(|step| step.title).collect()
    }
}

const INI: &str = "[DEFAULT]\ndebug = true\n[app:main]\nuse = egg:myapp\nsession.secret = abc\n\
    filter-with = proxy-prefix\nsqlalchemy.url = sqlite:///%(here)s/data.db\n";

#[track_caller]
fn expect(name: &str, text: &str) {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/expected").join(name);
    if std::env::var_os("PINION_BLESS").is_some() {
        fs::write(&file, text).unwrap();
    }
    let expected = fs::read_to_string(&file).unwrap_or_default();
    assert_eq!(text, expected, "{name} is another; PINION_BLESS=1 takes the new one over");
}

#[test]
fn nothing_is_there_yet() {
    let place = Place::new();
    expect("nothing.txt", &place.missing());
    assert!(place.done().is_empty());
}

#[test]
fn each_thing_can_be_wrong() {
    let place = Place::new();
    place.virtualenv("env/BASELINE", "3.11");
    place.virtualenv("env/myapp", "3.12");
    place.write("env/myapp/lib/python3.12/site-packages/Beaker-1.0.dist-info/METADATA", "");
    place.write("apache2/mods-enabled/wsgi.load", "LoadModule wsgi_module x.so\n");
    place.write("apps/myapp/production.ini", INI);
    place.write("apps/myapp/data.db", "");
    place.write("apps/myapp/apache/myapp.wsgi", "");
    fs::create_dir(place.at("apps/myapp/python-eggs")).unwrap();
    fs::set_permissions(place.at("env/myapp"), fs::Permissions::from_mode(0o700)).unwrap();
    fs::set_permissions(
        place.at("apps/myapp/apache/myapp.wsgi"),
        fs::Permissions::from_mode(0o600),
    )
    .unwrap();
    expect("wrong.txt", &place.missing());
}

#[test]
fn nothing_is_missing_when_all_is_done() {
    let place = Place::new();
    for home in ["env/BASELINE", "env/myapp"] {
        place.virtualenv(home, "3.12");
    }
    for name in ["myapp", "turbogears2", "Beaker", "PasteDeploy", "gearbox", "pillow", "SQLAlchemy"]
    {
        place.write(
            &format!("env/myapp/lib/python3.12/site-packages/{name}-1.dist-info/METADATA"),
            "",
        );
    }
    for module in ["sqlalchemy", "PIL"] {
        place.write(&format!("env/myapp/lib/python3.12/site-packages/{module}/__init__.py"), "");
    }
    place.write("apache2/mods-enabled/wsgi.load", "LoadModule wsgi_module x.so\n");
    place.write("apache2/sites-enabled/myapp.conf", "");
    let ini = INI
        .replace("debug = true", "debug = false")
        .replace("abc", "def")
        .replace("filter-with = proxy-prefix\n", "");
    place.write("apps/myapp/production.ini", &ini);
    let at = place.at("apps/myapp/production.ini");
    std::os::unix::fs::chown(&at, None, Some(4321)).unwrap();
    fs::set_permissions(&at, fs::Permissions::from_mode(0o640)).unwrap();
    place.write("apps/myapp/apache/myapp.wsgi", "");
    for name in ["apps/myapp/python-eggs", "data", "logs"] {
        fs::create_dir_all(place.at(name)).unwrap();
        std::os::unix::fs::chown(place.at(name), Some(4321), None).unwrap();
    }
    assert_eq!(place.missing(), "");
    // The database and a look at the page are left.
    assert_eq!(place.done().len(), 7, "{:?}", place.done());
}
