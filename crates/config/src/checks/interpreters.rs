//! What is said of interpreters that their Python cannot do.

use std::path::{Path, PathBuf};

use super::{Checker, Subject};
use crate::codes::Code;
use crate::files::Files;
use crate::model::Config;
use crate::python_home;

/// How many symbolic links lead to an interpreter at most, as in the kernel.
const MOST_LINKS: usize = 40;

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
        for group in config.effective_groups() {
            let name = group.name.as_str();
            if !said.wants_free_threading(name) {
                continue;
            }
            let python = match &group.python_home {
                Some(home) => python_home::resolve(self.files, home),
                None => python_home::system(self.files, &[]),
            };
            let Ok(python) = python else { continue };
            let why = if is_free_threaded(self.files, &python.interpreter) {
                "is free-threaded, and Pinion has no worker core for such interpreters"
            } else {
                "was built with a GIL"
            };
            let subject = subject(config, "WSGIFreeThreading");
            let interpreter = python.interpreter.display();
            let problem = format!("{interpreter}, which process group '{name}' runs, {why}");
            let hint = "take the directive away, and name a Python with a GIL; more processes use more processors";
            self.find(Code::GilNeeded, &subject, problem, hint);
        }
    }
}

fn subject<'a>(config: &'a Config, directive: &'static str) -> Subject<'a> {
    let place = config.server_places.get(directive);
    Subject { directive, value: "On".to_owned(), place }
}

/// Whether an interpreter, or what it is a link to, is called as free-threaded ones are: `python3.14t`.
fn is_free_threaded(files: &dyn Files, interpreter: &Path) -> bool {
    let mut path = interpreter.to_owned();
    for _ in 0..MOST_LINKS {
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned());
        let version = name.as_deref().and_then(|name| name.strip_prefix("python"));
        if version.is_some_and(|v| v.ends_with('t') && v.starts_with(|c: char| c.is_ascii_digit()))
        {
            return true;
        }
        let Ok(target) = files.read_link(&path) else { return false };
        path = path.parent().map_or_else(PathBuf::new, Path::to_owned).join(target);
    }
    false
}
