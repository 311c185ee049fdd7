//! What is said of interpreters that their Python cannot do.

use super::{Checker, Subject};
use crate::codes::Code;
use crate::interpreter::Layer;
use crate::model::Config;
use crate::python_home::{self, Version};

impl<'a> Checker<'a> {
    pub(super) fn interpreters(&mut self) {
        let config: &'a Config = self.config;
        let said = &config.server.interpreters;
        let mut all = said.layers.iter().chain([&said.base]);
        if all.any(|layer| layer.own_gil == Some(true)) {
            let subject = subject(config, "WSGIPerInterpreterGIL");
            let problem = "each application group has a process, and so a GIL, of its own anyway";
            self.find(Code::GilOwn, &subject, problem, "");
        }
        let of_group =
            |layer: &&Layer| layer.free_threading.is_some() && layer.application_group.is_some();
        for layer in said.layers.iter().filter(of_group) {
            let subject = subject(config, "WSGIFreeThreading");
            let name = layer.application_group.as_deref().unwrap_or_default();
            let problem =
                format!("it stands in a section for application group '{name}' and is ignored");
            let hint = "select a process group alone: a process has a GIL or has none";
            self.find(Code::GilOfApplicationGroup, &subject, problem, hint);
        }
        for group in config.effective_groups() {
            let name = group.name.as_str();
            let python = match &group.python_home {
                Some(home) => python_home::resolve(self.files, home),
                None => python_home::system(self.files, &[]),
            };
            // What is wrong with it is told of the group.
            let Ok(python) = python else { continue };
            let interpreter = python.interpreter.display();
            let what = format!("{interpreter}, which process group '{name}' runs,");
            let subject = subject(config, "WSGIFreeThreading");
            if !python.free_threaded && said.wants_free_threading(name) {
                let hint = "take the directive away, or name a Python that was built with --disable-gil; \
                            more processes use more processors, too";
                self.find(Code::GilNeeded, &subject, format!("{what} was built with a GIL"), hint);
            }
            if python.free_threaded && !self.has_core_for(python.version) {
                let subject = Subject {
                    directive: "python-home",
                    value: python.prefix.display().to_string(),
                    place: None,
                };
                let problem =
                    format!("{what} is free-threaded, and there is no worker core for it");
                let hint = format!(
                    "install Pinion with a core for Python {}t, or name a Python with a GIL",
                    python.version
                );
                self.find(Code::CoreMissing, &subject, problem, hint);
            }
        }
    }

    /// Whether the installation has a worker core for free-threaded interpreters of this version; true where it is not known
    /// what it has.
    fn has_core_for(&self, version: Version) -> bool {
        let Some(names) = self.library.and_then(|library| self.files.list(library).ok()) else {
            return true;
        };
        let start = core_name(version);
        names.iter().any(|name| name.to_str().is_some_and(|name| name.starts_with(&start)))
    }
}

/// How the file of the worker core for free-threaded interpreters of a version begins; the machine's kind follows.
fn core_name(version: Version) -> String {
    format!("_pinion.cpython-{}{}t-", version.major, version.minor)
}

fn subject<'a>(config: &'a Config, directive: &'static str) -> Subject<'a> {
    let place = config.server_places.get(directive);
    Subject { directive, value: "On".to_owned(), place }
}
