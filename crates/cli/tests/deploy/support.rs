//! Projects as their frameworks make them, and the program run on them.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use pinion_testbed::venv::Venv;
use pinion_testbed::{Finished, python, run, run_quietly};

/// A virtualenv with Flask, Django and Pyramid.
pub(crate) fn frameworks() -> Venv {
    pinion_testbed::frameworks::frameworks().unwrap()
}

/// A virtualenv with TurboGears and what a quickstarted project needs.
pub(crate) fn turbogears() -> Venv {
    pinion_testbed::frameworks::turbogears().unwrap()
}

/// A folder that everybody may enter.
pub(crate) fn folder() -> tempfile::TempDir {
    let mut builder = tempfile::Builder::new();
    builder.prefix("pinion-deploy-").disable_cleanup(std::env::var_os("PINION_KEEP").is_some());
    let folder = builder.tempdir().unwrap();
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
    folder
}

/// Writes a file with its folders.
pub(crate) fn write(folder: &Path, name: &str, text: &str) -> PathBuf {
    let path = folder.join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(&path, text).unwrap();
    path
}

/// Runs `pinion` without a terminal, in a folder.
pub(crate) fn pinion(folder: &Path, arguments: &[&str]) -> Finished {
    let program = env!("CARGO_BIN_EXE_pinion");
    run_quietly(Command::new(program).current_dir(folder).args(arguments)).unwrap()
}

/// A virtualenv at `home` whose packages are another's, and whose `.pth` file says so: what layers it
/// has to follow that.
pub(crate) fn layered(home: &Path, packages: &Venv) {
    empty_virtualenv(home);
    let site = home.join(format!("lib/python{}/site-packages", packages.version));
    let line = format!(
        "import site; site.addsitedir({:?})\n",
        packages.site_packages().display().to_string()
    );
    write(&site, "layered.pth", &line);
}

/// A virtualenv without any package, not even pip.
pub(crate) fn empty_virtualenv(home: &Path) {
    let interpreter = python::system().unwrap();
    let mut command = Command::new(&interpreter.path);
    run(command.args(["-m", "venv", "--without-pip"]).arg(home)).unwrap();
}

/// A TurboGears project as `gearbox quickstart` makes it, with its metadata.
pub(crate) fn quickstart(folder: &Path) -> PathBuf {
    let venv = turbogears();
    let mut gearbox = Command::new(venv.bin("gearbox"));
    run(gearbox.args(["quickstart", "-a", "-s", "myapp"]).current_dir(folder)).unwrap();
    let project = folder.join("myapp");
    let mut metadata = Command::new(venv.python());
    metadata.args(["-c", "from setuptools import setup; setup()", "-q", "egg_info"]);
    run(metadata.current_dir(&project)).unwrap();
    project
}

/// A Django project as `django-admin startproject` makes it, with a place for static files.
pub(crate) fn startproject(folder: &Path) -> PathBuf {
    let mut admin = Command::new(frameworks().bin("django-admin"));
    run(admin.args(["startproject", "mysite"]).current_dir(folder)).unwrap();
    let project = folder.join("mysite");
    let settings = project.join("mysite/settings.py");
    let mut text = fs::read_to_string(&settings).unwrap();
    text = text
        .replace("ALLOWED_HOSTS = []", "ALLOWED_HOSTS = ['*']")
        .replace("DEBUG = True", "DEBUG = False");
    text.push_str("STATIC_ROOT = BASE_DIR / 'collected'\n");
    fs::write(&settings, text).unwrap();
    let mut collect = Command::new(frameworks().python());
    run(collect
        .args(["-B", "manage.py", "collectstatic", "--noinput", "-v0"])
        .current_dir(&project))
    .unwrap();
    project
}

/// A Pyramid project as its starter template makes it.
pub(crate) fn pyramid(folder: &Path) -> PathBuf {
    let project = folder.join("shop");
    write(
        &project,
        "setup.py",
        "from setuptools import setup, find_packages\n\nrequires = [\n    'pyramid',\n    'plaster_pastedeploy',\n]\n\nsetup(\n    name='shop',\n    version='0.1',\n    packages=find_packages(),\n    install_requires=requires,\n    entry_points={\n        'paste.app_factory': [\n            'main = shop:main',\n        ],\n    },\n)\n",
    );
    write(
        &project,
        "shop/__init__.py",
        "from pyramid.config import Configurator\n\n\ndef hello(request):\n    return 'hello from ' + request.route_url('home')\n\n\ndef main(global_config, **settings):\n    config = Configurator(settings=settings)\n    config.add_static_view('static', 'static', cache_max_age=3600)\n    config.add_route('home', '/')\n    config.add_view(hello, route_name='home', renderer='string')\n    return config.make_wsgi_app()\n",
    );
    write(&project, "shop/static/theme.css", "body { color: black }\n");
    write(
        &project,
        "development.ini",
        "[app:main]\nuse = egg:shop\n\npyramid.reload_templates = true\npyramid.debug_notfound = false\npyramid.includes =\n    pyramid_debugtoolbar\n\n[server:main]\nuse = egg:waitress#main\nlisten = localhost:6543\n\n[loggers]\nkeys = root, shop\n\n[handlers]\nkeys = console\n\n[formatters]\nkeys = generic\n\n[logger_root]\nlevel = INFO\nhandlers = console\n\n[logger_shop]\nlevel = DEBUG\nhandlers =\nqualname = shop\n\n[handler_console]\nclass = StreamHandler\nargs = (sys.stderr,)\nlevel = NOTSET\nformatter = generic\n\n[formatter_generic]\nformat = %(asctime)s %(levelname)-5.5s [%(name)s] %(message)s\n",
    );
    let mut metadata = Command::new(frameworks().python());
    run(metadata.args(["setup.py", "-q", "egg_info"]).current_dir(&project)).unwrap();
    project
}

/// A Flask application in a module.
pub(crate) fn flask(folder: &Path) -> PathBuf {
    let project = folder.join("hello");
    write(
        &project,
        "app.py",
        "from flask import Flask, url_for\n\napp = Flask(__name__)\n\n\n@app.route('/')\ndef index():\n    return 'hello from ' + url_for('index')\n",
    );
    write(&project, "static/style.css", "body { color: black }\n");
    project
}

/// What a run printed on both channels, and its status, with the folder's name replaced.
pub(crate) fn whole(finished: &Finished, folder: &Path) -> String {
    let text = format!("{}{}[{}]\n", finished.stdout, finished.stderr, finished.status);
    text.replace(&folder.display().to_string(), "/FOLDER")
}

/// An interpreter-less stand-in for a virtualenv at any path: Pinion's configuration test looks at it,
/// and nobody runs it.
pub(crate) fn linked_virtualenv(home: &Path) {
    if home.exists() {
        return;
    }
    let interpreter = python::system().unwrap();
    fs::create_dir_all(home.join("bin")).unwrap();
    fs::create_dir_all(home.join(format!("lib/python{}/site-packages", interpreter.version)))
        .unwrap();
    symlink(&interpreter.path, home.join("bin/python")).unwrap();
    write(home, "pyvenv.cfg", &format!("home = /usr/bin\nversion = {}.0\n", interpreter.version));
}

/// Compares a text with the file of that name in `expected`; `PINION_BLESS=1` writes it instead.
#[track_caller]
pub(crate) fn expect(name: &str, text: &str) {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/deploy/expected").join(name);
    if std::env::var_os("PINION_BLESS").is_some() {
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(&file, text).unwrap();
    }
    let expected = fs::read_to_string(&file).unwrap_or_default();
    assert_eq!(text, expected, "{name} is another; PINION_BLESS=1 takes the new one over");
}

/// Lets a file be run.
pub(crate) fn executable(file: &Path) {
    fs::set_permissions(file, fs::Permissions::from_mode(0o755)).unwrap();
}
