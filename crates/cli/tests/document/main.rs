//! Runs each command of `docs/deploy.md`, in their order, against an Apache and folders of its own.
//!
//! The commands are those of the document; only places are others: absolute paths and the address are replaced in them, and
//! what takes places from elsewhere (`pinion`, `apache2ctl`, `systemctl`) is called with this Apache's.

#![allow(clippy::unwrap_used, reason = "helpers of tests, too, fail by panicking")]

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use pinion_testbed::{Apache, Server, Site, python, run_quietly, venv};

const DOCUMENT: &str = include_str!("../../../../docs/deploy.md");

/// The commands, block by block.
fn commands() -> Vec<&'static str> {
    let mut blocks = Vec::new();
    for (at, part) in DOCUMENT.split("```").enumerate() {
        if at % 2 == 1 {
            let block = part.strip_prefix("sh\n").expect("each fenced block holds commands");
            blocks.push(block);
        }
    }
    blocks
}

/// A running Apache laid out as Debian's, and where everything else is.
struct Place {
    apache: Apache,
    prefix: PathBuf,
    tools: venv::Venv,
}

impl Place {
    fn new() -> Self {
        let mut site = Site::bare().unwrap();
        for kind in ["mods", "conf", "sites"] {
            site.folder(&format!("{kind}-available")).unwrap();
            site.folder(&format!("{kind}-enabled")).unwrap();
        }
        let root = site.root().display().to_string();
        for files in ["mods-enabled/*.load", "sites-enabled/*.conf"] {
            site.config(format!("IncludeOptional {root}/{files}"));
        }
        for folder in ["bin", "work", "packages", "x/var/local", "x/var/log"] {
            site.folder(folder).unwrap();
        }
        let prefix = Server::pinion().unwrap().module().ancestors().nth(2).unwrap().to_owned();
        let packages = [
            "tg.devtools>=2.5,<2.6",
            "PasteDeploy",
            "gearbox",
            "alembic",
            "SQLAlchemy",
            "kajiki",
            "PasteScript==3.7.*",
            "setuptools<82",
        ];
        let tools = venv::ensure("document", &python::system().unwrap(), &packages).unwrap();
        let place = Self { apache: site.start().unwrap(), prefix, tools };
        place.programs();
        place
    }

    fn root(&self) -> &Path {
        self.apache.root()
    }

    /// The programs that would reach for the machine's own places.
    fn programs(&self) {
        let root = self.root().display();
        let (real, pip) = (self.prefix.join("bin/pinion"), self.tools.bin("pip"));
        let local = format!("{root}/x/usr/local");
        let places = format!(
            "--deployment-location {local}/turbogears --virtualenv {local}/pythonenv/myapp \
             --baseline {local}/pythonenv/BASELINE --data {root}/x/var/local/myapp --logs {root}/x/var/log/myapp"
        );
        let pinion = format!(
            "case \"$*\" in\n\
             \x20 *--apply*) set -- \"$@\" {places} --apache-config {root} ;;\n\
             \x20 deploy*) set -- \"$@\" {places} ;;\n\
             \x20 check*|undeploy*) set -- \"$@\" --apache-config {root} ;;\n\
             \x20 'env baseline') set -- \"$@\" --path {local}/pythonenv/BASELINE ;;\n\
             esac\nexec {} \"$@\"\n",
            real.display()
        );
        let sudo = "if [ \"$1\" = -u ]; then user=$2; shift 2; exec runuser -u \"$user\" -- \"$@\"; fi\nexec \"$@\"\n";
        let reload = format!(
            "kill -USR1 \"$(cat {root}/run/httpd.pid)\"\n\
             wanted=$(test -e {root}/sites-enabled/myapp.conf && echo 30 || echo 40)\n\
             until curl --silent --output {root}/answer --write-out '%{{http_code}}' {url} | grep -q \"^$wanted\"; do sleep 0.1; done\n",
            url = self.apache.url("/myapp/")
        );
        for (name, text) in [
            ("pinion", pinion),
            ("sudo", sudo.to_owned()),
            ("apache2ctl", format!("exec apache2 -d {root} -f {root}/httpd.conf -t\n")),
            ("systemctl", reload),
            (
                "pip",
                format!(
                    "exec {} \"$@\" --quiet --no-deps --target {root}/packages\n",
                    pip.display()
                ),
            ),
        ] {
            let path = self.root().join("bin").join(name);
            fs::write(&path, format!("#!/bin/sh\n{text}")).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        }
    }

    /// A block with this machine's places in it.
    fn moved(&self, block: &str) -> String {
        let root = self.root().display().to_string();
        let address = self.apache.url("");
        block
            .replace("/usr/local/", &format!("{root}/x/usr/local/"))
            .replace("/var/", &format!("{root}/x/var/"))
            .replace("/etc/apache2", &root)
            .replace("/opt/pinion", &self.prefix.display().to_string())
            .replace("http://localhost", address.trim_end_matches('/'))
    }

    fn shell(&self, script: &str) -> pinion_testbed::Finished {
        let root = self.root();
        let path = format!(
            "{}:{}:/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin",
            root.join("bin").display(),
            self.tools.home.join("bin").display()
        );
        let mut bash = Command::new("bash");
        bash.args(["-euxo", "pipefail", "-c", script]).current_dir(root.join("work"));
        bash.env("PATH", path).env("APACHE_CONFDIR", root).env("PINION", root.join("bin/pinion"));
        bash.env("PYTHONPATH", root.join("packages")).env("PYTHONDONTWRITEBYTECODE", "1");
        run_quietly(&mut bash).unwrap()
    }
}

#[test]
fn each_command_of_the_document_does_what_it_says() {
    let place = Place::new();
    let blocks = commands();
    assert!(blocks.len() > 15, "{blocks:?}");
    let script: String = blocks.iter().map(|block| place.moved(block)).collect();
    let done = place.shell(&script);
    assert!(done.success, "{}\n{}\n{}", done.status, done.output(), place.apache.log().tail());

    // Both ways led to the demo's page, and no site is left.
    let pages = done.stdout.matches("<title>").count();
    assert!(pages >= 2, "{}", done.stdout);
    assert!(!place.root().join("sites-enabled/myapp.conf").exists());
    let script = "cd myapp && test -e production.ini -a -e pinion.toml -a -e apache/README.txt";
    assert!(place.shell(script).success);
}
