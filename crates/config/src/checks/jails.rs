//! Checks of `chroot`: a worker is a Python that is started inside, so its files must be there.

use std::path::{Path, PathBuf};

use super::{Checker, Subject};
use crate::codes::Code;
use crate::files::FileKind;
use crate::finding::Place;
use crate::group::DaemonGroup;
use crate::python_home::PythonHome;

/// What of Pinion a worker reads, in the library folder.
const LIBRARY: [&str; 3] = ["_pinion.abi3.so", "pinion_worker.py", "pinion_module.py"];

impl Checker<'_> {
    /// Names what the folder of a group's `chroot` lacks.
    pub(super) fn jail(&mut self, group: &DaemonGroup, python: Option<&PythonHome>, place: &Place) {
        let Some(root) = &group.chroot else { return };
        let value = format!("chroot={}", root.display());
        let subject = Subject { directive: "WSGIDaemonProcess", value, place: Some(place) };
        if !self.files.stat(root).is_ok_and(|stat| stat.kind == FileKind::Folder) {
            let hint = "make the folder, with an interpreter and Pinion's library in it";
            return self.find(Code::JailLacks, &subject, "it is not a folder", hint);
        }
        let free = python.is_some_and(|python| python.free_threaded);
        let needed = python.into_iter().flat_map(of_python).chain(self.of_pinion(free));
        // A link in there leads to somewhere in there: that it stands there is all that can be told from outside.
        let lacks = |path: &PathBuf| self.files.lstat(&inside(root, path)).is_err();
        let lacking: Vec<_> = needed.filter(lacks).collect();
        for path in lacking {
            let problem = format!("{} is not in it", path.display());
            let hint = format!(
                "copy it to {}, with all that it needs (`ldd` names a program's libraries)",
                inside(root, &path).display()
            );
            self.find(Code::JailLacks, &subject, problem, hint);
        }
    }

    /// The files of the library folder; which of the cores for free-threaded interpreters is needed, the worker will tell.
    fn of_pinion(&self, free: bool) -> impl Iterator<Item = PathBuf> + use<> {
        let folder = self.library.map(Path::to_owned);
        let names = &LIBRARY[usize::from(free)..];
        folder.into_iter().flat_map(|folder| names.iter().map(move |name| folder.join(name)))
    }
}

/// The interpreter, and the folder of its modules where that is known.
fn of_python(python: &PythonHome) -> Vec<PathBuf> {
    let mut needed = vec![python.interpreter.clone()];
    match &python.base {
        Some(base) => needed.extend([python.prefix.join("pyvenv.cfg"), base.clone()]),
        None => needed.push(python.prefix.join(format!("lib/python{}", python.version))),
    }
    needed
}

fn inside(root: &Path, path: &Path) -> PathBuf {
    root.join(path.strip_prefix("/").unwrap_or(path))
}
