//! Checks of process groups: their names, accounts, Pythons and folders.

use std::collections::HashMap;
use std::path::Path;

use super::{Checker, Identity, Subject, denied_for};
use crate::access::{Denied, Want};
use crate::codes::Code;
use crate::env_file;
use crate::files::FileKind;
use crate::finding::Place;
use crate::group::{DaemonGroup, ScriptOwner};
use crate::model::GroupDefinition;
use crate::python_home::{self, HomeError, PythonHome, Version, library_versions};

const DAEMON: &str = "WSGIDaemonProcess";

impl Checker<'_> {
    pub(super) fn groups(&mut self) {
        self.duplicates();
        for definition in &self.config.groups {
            self.group(definition);
        }
        self.embedded();
    }

    fn duplicates(&mut self) {
        let mut seen: HashMap<&str, &Place> = HashMap::new();
        for definition in &self.config.groups {
            let name = definition.value.name.as_str();
            match seen.get(name) {
                None => {
                    seen.insert(name, &definition.place);
                }
                Some(first) => {
                    let subject = daemon(name.to_owned(), &definition.place);
                    let problem = format!("the name is already used at {first}");
                    let hint = "group names are unique in the whole server, over all virtual hosts";
                    self.find(Code::GroupDuplicate, &subject, problem, hint);
                }
            }
        }
    }

    fn group(&mut self, definition: &GroupDefinition) {
        let (group, place) = (&definition.value, &definition.place);
        for path in &group.env_files {
            self.env_file(path, place);
        }
        self.owners(group, place);
        let who = match self.identity(group) {
            Ok(who) => who,
            Err((code, value, problem)) => {
                self.find(code, &daemon(value, place), problem, "name an account that exists");
                return;
            }
        };
        if let Some(home) = &group.home {
            self.working_folder(home, &who, &daemon(option("home", home), place));
        }
        let python = self.group_python(group, &who, place);
        self.jail(group, python.as_ref(), place);
        let version = python.map(|python| python.version);
        let base = group.home.as_deref();
        for path in &group.python_path {
            let subject = daemon(option("python-path", path), place);
            self.python_path(path, base, version, &who, &subject);
        }
        if let Some(eggs) = &group.python_eggs {
            self.eggs(eggs, &who, &daemon(option("python-eggs", eggs), place));
        }
    }

    /// The accounts that a group names without running as them.
    fn owners(&mut self, group: &DaemonGroup, place: &Place) {
        let user = |option, who| (self.accounts.user(who).is_some(), format!("{option}={who}"));
        let socket = group.socket_user.as_ref().map(|who| user("socket-user", who));
        let script = group.script_owner.as_ref().map(|owner| match owner {
            ScriptOwner::User(who) => user("script-user", who),
            ScriptOwner::Group(who) => {
                (self.accounts.group(who).is_some(), format!("script-group={who}"))
            }
        });
        for (_, value) in [socket, script].into_iter().flatten().filter(|(known, _)| !known) {
            let subject = daemon(value, place);
            let hint = "name an account that exists";
            self.find(Code::UserUnknown, &subject, "the system does not know it", hint);
        }
    }

    /// The group's Python, from its own option or from `WSGIPythonHome`. The same home is
    /// looked at for each group: another user may be stopped at another component.
    fn group_python(
        &mut self,
        group: &DaemonGroup,
        who: &Identity,
        place: &Place,
    ) -> Option<PythonHome> {
        match (&group.python_home, &self.config.server.python_home) {
            (Some(home), _) => self.home(home, who, &daemon(option("python-home", home), place)),
            (None, Some(home)) => self.server_home(home, who),
            (None, None) => self.system(&daemon(group.name.to_string(), place)),
        }
    }

    /// The system's Python. That there is none is not for a check to say, which does not know in
    /// which folders the server looks.
    fn system(&mut self, subject: &Subject<'_>) -> Option<PythonHome> {
        match python_home::system(self.files, &[]) {
            Ok(python) => Some(python),
            Err(HomeError::NoSystemPython) => None,
            Err(error) => {
                let hint = "name a newer Python or a virtualenv with python-home";
                self.find(home_code(&error), subject, &error, hint);
                None
            }
        }
    }

    fn server_home(&mut self, home: &Path, who: &Identity) -> Option<PythonHome> {
        let place = self.config.server_places.get("WSGIPythonHome");
        let value = home.display().to_string();
        self.home(home, who, &Subject { directive: "WSGIPythonHome", value, place })
    }

    /// What the directives for embedded applications say.
    fn embedded(&mut self) {
        let server = &self.config.server;
        let who = Identity::of(&self.accounts.server_user());
        let python = match &server.python_home {
            Some(home) => self.server_home(home, &who),
            None => python_home::system(self.files, &[]).ok(),
        };
        let places = &self.config.server_places;
        for path in &server.python_path {
            let subject = Subject {
                directive: "WSGIPythonPath",
                value: path.display().to_string(),
                place: places.get("WSGIPythonPath"),
            };
            self.python_path(path, None, python.as_ref().map(|p| p.version), &who, &subject);
        }
        if let Some(eggs) = &server.python_eggs {
            let subject = Subject {
                directive: "WSGIPythonEggs",
                value: eggs.display().to_string(),
                place: places.get("WSGIPythonEggs"),
            };
            self.eggs(eggs, &who, &subject);
        }
    }

    fn home(&mut self, home: &Path, who: &Identity, subject: &Subject<'_>) -> Option<PythonHome> {
        let python = match python_home::resolve(self.files, home) {
            Ok(python) => python,
            Err(error) => {
                self.find(home_code(&error), subject, &error, home_hint(&error));
                return None;
            }
        };
        let needed = [
            Some((python.interpreter.clone(), Want::Execute)),
            python.is_virtualenv().then(|| (python.prefix.join("pyvenv.cfg"), Want::Read)),
            // Its library is beside it: who cannot pass there has an interpreter without modules.
            python.base.clone().map(|base| (base, Want::Execute)),
        ];
        let library = python.prefix.join(format!("lib/python{}", python.version));
        let library = self.files.stat(&library).is_ok().then_some((library, Want::Read));
        for (path, want) in needed.into_iter().flatten().chain(library) {
            if let Err(denied) = self.reach(who, &path, want) {
                let problem = denied_for(who, &denied);
                self.find(Code::PythonHomeUnreadable, subject, problem, denied.remedy());
                break;
            }
        }
        Some(python)
    }

    fn python_path(
        &mut self,
        path: &Path,
        base: Option<&Path>,
        version: Option<Version>,
        who: &Identity,
        subject: &Subject<'_>,
    ) {
        // A relative entry is taken from the working folder, which is only known if it is given.
        let path = match base {
            _ if path.is_absolute() => path.to_owned(),
            Some(base) => base.join(path),
            None => return,
        };
        // An entry may also be a zipped egg.
        match self.files.stat(&path) {
            Err(_) => return self.unreachable_path(&path, who, subject),
            Ok(stat) if !matches!(stat.kind, FileKind::Folder | FileKind::File) => {
                let hint = "name a folder or an egg";
                return self.find(Code::PathMissing, subject, "neither a folder nor a file", hint);
            }
            Ok(_) => {}
        }
        if let Err(denied) = self.reach(who, &path, Want::Read) {
            let problem = denied_for(who, &denied);
            return self.find(Code::PathUnreadable, subject, problem, denied.remedy());
        }
        if let Some(version) = version {
            self.path_version(&path, version, subject);
        }
    }

    fn unreachable_path(&mut self, path: &Path, who: &Identity, subject: &Subject<'_>) {
        let problem = match self.reach(who, path, Want::Read) {
            Err(denied @ (Denied::Missing(_) | Denied::NotAFolder(_))) => denied.to_string(),
            Err(denied) => denied_for(who, &denied),
            Ok(()) => "it cannot be read".to_owned(),
        };
        self.find(Code::PathMissing, subject, problem, "correct the path, or remove it");
    }

    fn path_version(&mut self, path: &Path, version: Version, subject: &Subject<'_>) {
        let named = path
            .components()
            .rev()
            .filter_map(|component| component.as_os_str().to_str().and_then(Version::of_name))
            .find(|named| named.major == 3);
        if let Some(named) = named.filter(|named| *named != version) {
            let problem = format!(
                "it holds packages for Python {named}, and the group runs Python {version}"
            );
            let hint = format!("name the folder of Python {version}, or change python-home");
            return self.find(Code::PathOtherVersion, subject, problem, hint);
        }
        let below = library_versions(self.files, path);
        if named.is_none() && !below.is_empty() && !below.contains(&version) {
            let found: Vec<_> = below.iter().map(|v| format!("lib/python{v}")).collect();
            let problem = format!(
                "it is the home of another Python ({} is below it), and the group runs Python \
                 {version}",
                found.join(", ")
            );
            let hint = format!("name the site-packages of a Python {version}");
            self.find(Code::PathOtherVersion, subject, problem, hint);
        }
    }

    fn eggs(&mut self, eggs: &Path, who: &Identity, subject: &Subject<'_>) {
        let problem = match self.files.stat(eggs) {
            Ok(stat) if stat.kind != FileKind::Folder => "it is not a folder".to_owned(),
            _ => match self.reach(who, eggs, Want::Write) {
                Ok(()) => return,
                Err(denied) => denied_for(who, &denied),
            },
        };
        let hint = format!("make the folder and give it to user {}", who.name);
        self.find(Code::EggsNotWritable, subject, problem, hint);
    }

    fn working_folder(&mut self, home: &Path, who: &Identity, subject: &Subject<'_>) {
        match self.files.stat(home) {
            Ok(stat) if stat.kind != FileKind::Folder => {
                self.find(Code::HomeMissing, subject, "it is not a folder", "name a folder");
            }
            _ => {
                if let Err(denied) = self.reach(who, home, Want::Execute) {
                    let problem = denied_for(who, &denied);
                    self.find(Code::HomeMissing, subject, problem, denied.remedy());
                }
            }
        }
    }

    fn env_file(&mut self, path: &Path, place: &Place) {
        let subject = daemon(option("env-file", path), place);
        match self.files.read(path) {
            Err(error) => {
                let hint = "correct the path, or make the file";
                self.find(Code::EnvFileMissing, &subject, format!("cannot be read: {error}"), hint);
            }
            Ok(text) => {
                if let Err(error) = env_file::parse(&text) {
                    let hint = "write NAME=VALUE, with quotes around a value that needs them";
                    self.find(Code::EnvFileInvalid, &subject, error, hint);
                }
            }
        }
    }
}

fn daemon(value: String, place: &Place) -> Subject<'_> {
    Subject { directive: DAEMON, value, place: Some(place) }
}

fn option(name: &str, path: &Path) -> String {
    format!("{name}={}", path.display())
}

fn home_code(error: &HomeError) -> Code {
    match error {
        HomeError::Missing(_) => Code::PythonHomeMissing,
        HomeError::BaseGone { .. } | HomeError::Dangling { .. } => Code::PythonBaseGone,
        HomeError::TooOld { .. } => Code::PythonTooOld,
        HomeError::NotInBin(_) => Code::PythonHomeNoFolder,
        _ => Code::PythonHomeInvalid,
    }
}

fn home_hint(error: &HomeError) -> &'static str {
    match error {
        HomeError::Missing(_) => "correct the path, or make it with python3 -m venv",
        HomeError::BaseGone { .. } | HomeError::Dangling { .. } => {
            "make the virtualenv anew with a Python that is installed"
        }
        HomeError::TooOld { .. } => "make the virtualenv with a newer Python",
        _ => "name a virtualenv, its bin/python, or a Python's prefix",
    }
}
