//! A private Apache laid out as Debian's, with all that is deployed below its root.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use pinion_testbed::http::{Answer, Client};
use pinion_testbed::{Apache, Finished, Server, Site, run_quietly};

/// What an Apache with sites in Debian's manner reads besides its main file.
const FOLDERS: [&str; 6] = [
    "mods-available",
    "mods-enabled",
    "conf-available",
    "conf-enabled",
    "sites-available",
    "sites-enabled",
];

/// A running Apache without any WSGI module, and the `pinion` that deploys to it.
pub(crate) struct World {
    pub(crate) apache: Apache,
    pinion: PathBuf,
}

impl World {
    pub(crate) fn new() -> Self {
        let mut site = Site::bare().unwrap();
        for folder in FOLDERS {
            site.folder(folder).unwrap();
        }
        let root = site.root().display().to_string();
        for files in ["mods-enabled/*.load", "conf-enabled/*.conf", "sites-enabled/*.conf"] {
            site.config(format!("IncludeOptional {root}/{files}"));
        }
        let module = Server::pinion().unwrap().module().to_owned();
        let pinion = module.ancestors().nth(2).unwrap().join("bin/pinion");
        Self { apache: site.start().unwrap(), pinion }
    }

    /// An Apache that has Pinion loaded, and no folder for sites.
    pub(crate) fn without_sites() -> Self {
        let server = Server::pinion().unwrap();
        let pinion = server.module().ancestors().nth(2).unwrap().join("bin/pinion");
        Self { apache: Site::new(&server).unwrap().start().unwrap(), pinion }
    }

    pub(crate) fn root(&self) -> &Path {
        self.apache.root()
    }

    /// `pinion`.
    pub(crate) fn program(&self) -> Command {
        Command::new(&self.pinion)
    }

    /// `pinion` with an action, for this Apache.
    pub(crate) fn pinion(&self, action: &str, project: &Path) -> Command {
        let mut command = self.program();
        command.arg(action).arg(project).arg("--apache-config").arg(self.root());
        command
    }

    /// `pinion deploy --apply` of a project, with everything below the root.
    pub(crate) fn deploy_command(&self, project: &Path, name: &str, more: &[&str]) -> Command {
        let mut command = self.pinion("deploy", project);
        let at = |path: &str| self.root().join("x").join(path);
        command.args(["--apply", "--name", name]).args(more);
        command.arg("--deployment-location").arg(at("turbogears"));
        command.arg("--virtualenv").arg(at("pythonenv").join(name));
        command.arg("--baseline").arg(at("pythonenv/BASELINE"));
        command.arg("--data").arg(at("local").join(name)).arg("--logs").arg(at("log").join(name));
        command
    }

    pub(crate) fn deploy(&self, project: &Path, name: &str, more: &[&str]) -> Finished {
        run_quietly(&mut self.deploy_command(project, name, more)).unwrap()
    }

    /// As [`Self::deploy`], with neither a virtualenv nor a baseline: by the system's Python.
    pub(crate) fn deploy_bare(&self, project: &Path, name: &str, more: &[&str]) -> Finished {
        let mut command = self.pinion("deploy", project);
        let location = self.root().join("x/turbogears");
        command.args(["--apply", "--virtualenv", "", "--baseline", "", "--name", name]).args(more);
        run_quietly(command.arg("--deployment-location").arg(location)).unwrap()
    }

    pub(crate) fn undeploy(&self, project: &Path, more: &[&str]) -> Finished {
        run_quietly(self.pinion("undeploy", project).arg("--yes").args(more)).unwrap()
    }

    /// Everything below the root that deployment could change: kinds, owners, modes, contents.
    pub(crate) fn picture(&self) -> BTreeMap<PathBuf, String> {
        let mut found = picture_of(self.root());
        // What Apache writes while it runs.
        found.retain(|path, _| {
            !["logs", "run"].iter().any(|name| path.starts_with(self.root().join(name)))
        });
        found
    }

    pub(crate) fn get(&self, path: &str) -> Answer {
        client().get(&self.apache.url(path)).unwrap()
    }

    pub(crate) fn get_as(&self, host: &str, path: &str) -> Answer {
        let url = self.apache.url(path);
        client().send("GET", &url, &[("host", host)], b"").unwrap()
    }

    /// Workers that still run.
    pub(crate) fn workers(&self) -> Vec<String> {
        let all = self.apache.processes().into_iter().map(|process| process.command);
        all.filter(|command| command.contains("pinion_worker")).collect()
    }
}

/// Follows no redirect, keeps cookies.
pub(crate) fn client() -> Client {
    Client::new(Duration::from_secs(60))
}

/// Asserts success and returns what was printed.
pub(crate) fn fine(finished: Finished) -> String {
    assert!(finished.success, "{}\n{}", finished.status, finished.output());
    finished.output()
}

/// A project's folder that everybody may read, with these files.
pub(crate) fn project(files: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    folder
}

/// Everything in a folder: kinds, owners, modes, contents.
pub(crate) fn picture_of(folder: &Path) -> BTreeMap<PathBuf, String> {
    let mut found = BTreeMap::new();
    picture(folder, &mut found);
    found
}

fn picture(path: &Path, found: &mut BTreeMap<PathBuf, String>) {
    use std::os::unix::fs::MetadataExt;
    let meta = path.symlink_metadata().unwrap();
    let kind = if meta.is_symlink() {
        format!("{:?}", fs::read_link(path).unwrap())
    } else if meta.is_dir() {
        for entry in fs::read_dir(path).unwrap() {
            picture(&entry.unwrap().path(), found);
        }
        "folder".to_owned()
    } else {
        format!("{:?}", String::from_utf8_lossy(&fs::read(path).unwrap_or_default()))
    };
    let text = format!("{}:{} {:o} {kind}", meta.uid(), meta.gid(), meta.mode());
    found.insert(path.to_owned(), text);
}
