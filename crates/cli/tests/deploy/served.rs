//! Generated files are served: under Pinion, and unchanged under mod_wsgi.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use pinion_testbed::http::{self, Answer};
use pinion_testbed::venv::Venv;
use pinion_testbed::{Apache, Server, Site, run};

use crate::support::{
    empty_virtualenv, flask, folder, frameworks, layered, pinion, pyramid, quickstart,
    startproject, turbogears,
};

/// A project deployed into a folder, as its README says.
struct Deployed {
    folder: tempfile::TempDir,
    project: PathBuf,
    name: String,
}

impl Deployed {
    /// Generates the files, and copies the project to its deployment location.
    fn new(folder: tempfile::TempDir, project: PathBuf, packages: &Venv, more: &[&str]) -> Self {
        let name = project.file_name().unwrap().to_str().unwrap().to_owned();
        let deployed = Self { folder, project, name };
        empty_virtualenv(&deployed.at("env/BASELINE"));
        layered(&deployed.at("env/own"), packages);
        for writable in ["data", "logs"] {
            open(&deployed.at(writable), 0o777);
        }
        deployed.generate(more);
        fs::create_dir_all(deployed.at("apps")).unwrap();
        let target = deployed.at("apps").join(&deployed.name);
        run(Command::new("cp").arg("-a").arg(&deployed.project).arg(target)).unwrap();
        deployed
    }

    fn at(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn generate(&self, more: &[&str]) {
        let text = |name| self.at(name).display().to_string();
        let (apps, own, baseline) = (text("apps"), text("env/own"), text("env/BASELINE"));
        let (data, logs) = (text("data"), text("logs"));
        let mut arguments = vec!["deploy", "--deployment-location", &apps, "--virtualenv", &own];
        arguments.extend(["--baseline", &baseline, "--data", &data, "--logs", &logs]);
        arguments.extend(more);
        let generated = pinion(&self.project, &arguments);
        assert!(generated.success, "{}", generated.output());
    }

    /// The generated configuration.
    fn configuration(&self) -> String {
        fs::read_to_string(self.project.join("apache").join(&self.name)).unwrap()
    }

    /// An Apache with the generated configuration, the test page enabled.
    fn serve(&self, server: &Server) -> Apache {
        let mut site = Site::new(server).unwrap();
        site.config(self.configuration().replace("#WSGI", "WSGI"));
        let tested = site.configtest().unwrap();
        assert!(tested.success, "{}: {}", server.name(), tested.output());
        site.start().unwrap()
    }
}

fn open(path: &Path, mode: u32) {
    use std::os::unix::fs::PermissionsExt as _;
    fs::create_dir_all(path).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

fn servers() -> [Server; 2] {
    [Server::pinion().unwrap(), Server::mod_wsgi().unwrap()]
}

fn get(apache: &Apache, path: &str) -> Answer {
    http::get(&apache.url(path)).unwrap()
}

/// A page whose text has this in it.
#[track_caller]
fn page(apache: &Apache, path: &str, part: &str) {
    let answer = get(apache, path);
    let log = apache.log().tail();
    assert_eq!(answer.status, 200, "{path}: {}\n{log}", answer.text());
    assert!(answer.text().contains(part), "{path}: {}", answer.text());
}

/// The page that shows that the server works.
#[track_caller]
fn test_page(apache: &Apache, path: &str, group: &str) {
    page(apache, path, "It works.");
    page(apache, path, &format!("process group   {group}\n"));
    page(apache, path, "/env/BASELINE\n");
}

#[test]
fn turbogears_at_its_mount_point_with_static_files_and_a_database() {
    let folder = folder();
    let project = quickstart(folder.path());
    let deployed = Deployed::new(folder, project, &turbogears(), &["--make-config"]);
    let ini = deployed.at("apps/myapp/production.ini");
    let mut setup = Command::new(turbogears().bin("gearbox"));
    setup.args(["setup-app", "--config"]).arg(&ini).current_dir(deployed.at("apps/myapp"));
    // The project is not installed into the virtualenv: its metadata is found by the path alone.
    setup.env("PYTHONPATH", deployed.at("apps/myapp"));
    run(&mut setup).unwrap();
    run(Command::new("chmod").args(["-R", "a+rwX"]).arg(deployed.at("data"))).unwrap();
    for server in servers() {
        let apache = deployed.serve(&server);
        test_page(&apache, "/myapp-test", "myapp-test");
        page(&apache, "/myapp/demo", "\"/myapp/css/style.css\"");
        page(&apache, "/myapp/demo/todos", "");
        page(&apache, "/myapp/css/style.css", "{");
        assert_eq!(get(&apache, "/myapp/favicon.ico").status, 200);
        let log = apache.log().text();
        assert!(!log.contains("AH00111"), "{log}");
    }
}

#[test]
fn django_in_a_virtual_host_for_the_whole_site() {
    let folder = folder();
    let project = startproject(folder.path());
    let deployed = Deployed::new(folder, project, &frameworks(), &["--mount-point", "/"]);
    for server in servers() {
        let mut site = Site::new(&server).unwrap();
        let port = site.port().to_string();
        deployed.generate(&[
            "--server-name",
            "shop.test",
            "--server-alias",
            "*.shop.test",
            "--port",
            &port,
        ]);
        site.config(deployed.configuration());
        let apache = site.start().unwrap();
        page(&apache, "/admin/login/", "Django administration");
        page(&apache, "/static/admin/css/base.css", "{");
        assert_eq!(get(&apache, "/admin/").status, 302);
    }
}

#[test]
fn pyramid_without_its_debug_toolbar() {
    let folder = folder();
    let project = pyramid(folder.path());
    let more = ["--make-config", "--mount-point", "/a/shop", "--warmup", ""];
    let deployed = Deployed::new(folder, project, &frameworks(), &more);
    let ini = fs::read_to_string(deployed.project.join("production.ini")).unwrap();
    assert!(!ini.contains("toolbar") && !ini.contains("waitress"), "{ini}");
    for server in servers() {
        let apache = deployed.serve(&server);
        test_page(&apache, "/a/shop-test", "shop-test");
        page(&apache, "/a/shop/", "hello from http://127.0.0.1");
        page(&apache, "/a/shop/", "/a/shop/");
        page(&apache, "/a/shop/static/theme.css", "color");
    }
}

#[test]
fn flask_below_a_folder_whose_name_needs_quoting() {
    let outer = folder();
    let nasty = outer.path().join("it's \"the\" 50% $HOME\\ [ü] *place*");
    open(&nasty, 0o755);
    let project = flask(&nasty);
    let name = "hello";
    // The folder stays the outer one's to remove.
    let inner = tempfile::Builder::new().prefix("in ").tempdir_in(&nasty).unwrap();
    open(inner.path(), 0o755);
    let deployed = Deployed::new(inner, project, &frameworks(), &["--name", name]);
    for server in servers() {
        let apache = deployed.serve(&server);
        test_page(&apache, "/hello-test", "hello-test");
        page(&apache, "/hello/", "hello from /hello/");
        page(&apache, "/hello/static/style.css", "color");
    }
}

#[test]
fn a_script_of_the_projects_own_and_a_factory() {
    let folder = folder();
    let project = folder.path().join("plain");
    crate::support::write(
        &project,
        "plain.wsgi",
        "import os\n\n\ndef application(environ, start_response):\n    start_response('200 OK', [('Content-Type', 'text/plain')])\n    return [os.path.basename(__file__).encode(), b' ', __name__.encode()]\n",
    );
    crate::support::write(
        &project,
        "made/web.py",
        "def make():\n    def application(environ, start_response):\n        start_response('200 OK', [('Content-Type', 'text/plain')])\n        return [b'made']\n    return application\n",
    );
    let deployed = Deployed::new(folder, project, &frameworks(), &[]);
    for server in servers() {
        page(&deployed.serve(&server), "/plain", "plain.wsgi ");
    }
    deployed.generate(&["--application", "made.web:make()"]);
    let script = fs::read_to_string(deployed.project.join("apache/plain.wsgi")).unwrap();
    fs::write(deployed.at("apps/plain/apache/plain.wsgi"), script).unwrap();
    page(&deployed.serve(&servers()[1]), "/plain", "made");
}
