//! Packages that the project declares or imports, and the virtualenv lacks.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use pinion_config::Code;
use pinion_config::files::{FileKind, Files};
use pinion_config::python_home::resolve;

use super::{shown, word};
use crate::deployment::Deployment;
use crate::finding::Finding;
use crate::project::{Kind, normal_name, requirement_name};
use crate::sight::Sight;

/// Modules that are part of the interpreter itself, so that no file of the library has their name.
const BUILT_IN: [&str; 31] = [
    "array",
    "atexit",
    "audioop",
    "binascii",
    "builtins",
    "cmath",
    "errno",
    "faulthandler",
    "fcntl",
    "gc",
    "grp",
    "itertools",
    "marshal",
    "math",
    "mmap",
    "parser",
    "posix",
    "pwd",
    "pyexpat",
    "resource",
    "select",
    "signal",
    "spwd",
    "sys",
    "syslog",
    "termios",
    "time",
    "unicodedata",
    "xxsubtype",
    "zlib",
    "zoneinfo",
];

/// Imports whose distribution is called otherwise.
const DISTRIBUTIONS: [(&str, &str); 10] = [
    ("yaml", "PyYAML"),
    ("PIL", "Pillow"),
    ("dateutil", "python-dateutil"),
    ("bs4", "beautifulsoup4"),
    ("tg", "TurboGears2"),
    ("MySQLdb", "mysqlclient"),
    ("psycopg2", "psycopg2-binary"),
    ("sklearn", "scikit-learn"),
    ("rest_framework", "djangorestframework"),
    ("jwt", "PyJWT"),
];

/// Folders deep enough for any package; deeper ones are data.
const DEPTH: usize = 6;

/// What the virtualenv lacks, one finding for each distribution.
pub fn packages(deployment: &Deployment, sight: &Sight<'_>) -> Vec<Finding> {
    let Some(virtualenv) = &deployment.layout.virtualenv else { return Vec::new() };
    let Ok(home) = resolve(sight.files, virtualenv) else { return Vec::new() };
    let library = home.prefix.join(format!("lib/python{}", home.version));
    let site = library.join("site-packages");
    let Ok(entries) = sight.files.list(&site) else { return Vec::new() };
    let entries: Vec<String> =
        entries.iter().map(|name| name.to_string_lossy().into_owned()).collect();
    let installed = installed(&entries);
    let mut findings: Vec<Finding> = declared(deployment, sight)
        .into_iter()
        .filter(|need| !installed.contains(&normal_name(&need.name)))
        .map(|need| lacking(virtualenv, &need))
        .collect();
    let standard = home
        .base
        .as_deref()
        .and_then(|base| standard(sight.files, base, &home.version.to_string()));
    let Some(standard) = standard else { return findings };
    for (module, file) in imports(deployment, sight) {
        let known = standard.contains(&module)
            || module.starts_with('_')
            || BUILT_IN.contains(&module.as_str())
            || provides(&entries, &module)
            || own(deployment, &module);
        let distribution = distribution(&module);
        let said =
            findings.iter().any(|finding| finding.what.contains(&format!("`{distribution}`")));
        if !known && !said {
            findings.push(lacking(
                virtualenv,
                &Need {
                    name: distribution.to_owned(),
                    why: format!("{} imports {module}", shown(&file)),
                    install: distribution.to_owned(),
                },
            ));
        }
    }
    findings
}

/// A distribution that is to be there.
struct Need {
    name: String,
    why: String,
    /// What pip is told to install.
    install: String,
}

fn lacking(virtualenv: &Path, need: &Need) -> Finding {
    let python = super::quoted(&virtualenv.join("bin/python"));
    Finding::new(
        Code::PackageMissing,
        format!("the virtualenv {} lacks `{}`", shown(virtualenv), need.name),
        &need.why,
        format!("sudo {python} -m pip install {}", word(&need.install)),
    )
}

/// What the project's metadata declares, and what its kind needs and the tools do not install.
fn declared(deployment: &Deployment, sight: &Sight<'_>) -> Vec<Need> {
    let project = &deployment.project;
    let source = project.metadata.source.unwrap_or("the project");
    // A marker may exclude this system; what it says is pip's to know.
    let plain = project.metadata.requires.iter().filter(|line| !line.contains([';', '@']));
    let mut all: Vec<Need> = plain
        .map(|line| Need {
            name: requirement_name(line),
            why: format!("{source} declares it: {}", line.trim()),
            install: line.trim().to_owned(),
        })
        .filter(|need| !need.name.is_empty())
        .collect();
    for (name, why) in implied(deployment, sight) {
        if !all.iter().any(|known| known.name == normal_name(name)) {
            all.push(Need { name: name.into(), why: why.into(), install: name.into() });
        }
    }
    all.extend(own_metadata(deployment, sight));
    all
}

/// What a project's kind needs and the tools do not install.
fn implied(deployment: &Deployment, sight: &Sight<'_>) -> Vec<(&'static str, &'static str)> {
    const LOADS: &str = "the WSGI script loads the application with it";
    match &deployment.project.kind {
        Kind::TurboGears(_) => {
            let mut needs =
                vec![("PasteDeploy", LOADS), ("gearbox", "setup-app makes the database with it")];
            if sight.files.stat(&deployment.project.root.join("migration")).is_ok() {
                needs.push(("alembic", "without it, setup-app makes tables but no users"));
            }
            needs
        }
        Kind::Paste(_) => vec![("PasteDeploy", LOADS)],
        Kind::Pyramid(_) => vec![("pyramid", LOADS), ("plaster_pastedeploy", LOADS)],
        Kind::Django { .. } => vec![("Django", LOADS)],
        Kind::Flask(_) => vec![("Flask", "the application is made with it")],
        Kind::Callable(_) | Kind::Script(_) => Vec::new(),
    }
}

/// The project itself, where the ini file names it as an egg. Its metadata may also be in its folder,
/// which is on the path.
fn own_metadata(deployment: &Deployment, sight: &Sight<'_>) -> Option<Need> {
    let project = &deployment.project;
    let name = project.metadata.name.as_deref().filter(|_| project.kind.uses_egg())?;
    let beside = [project.root.clone(), project.root.join("src")];
    let entries = beside.iter().flat_map(|folder| sight.files.list(folder).unwrap_or_default());
    let entries: Vec<String> = entries.map(|name| name.to_string_lossy().into_owned()).collect();
    if installed(&entries).contains(&normal_name(name)) {
        return None;
    }
    Some(Need {
        name: name.to_owned(),
        why: "the ini file names it as an egg, which is found by installed metadata only".into(),
        install: shown(&project.root),
    })
}

/// The distributions in a site-packages folder, by their metadata.
fn installed(entries: &[String]) -> BTreeSet<String> {
    let name = |entry: &String| {
        let stem = entry
            .strip_suffix(".dist-info")
            .or_else(|| entry.strip_suffix(".egg-info"))
            .or_else(|| entry.strip_suffix(".egg-link"))
            .or_else(|| entry.strip_suffix(".egg"))?;
        Some(normal_name(stem.split('-').next().unwrap_or(stem)))
    };
    entries.iter().filter_map(name).collect()
}

/// Whether site-packages has a module or package of that name; an installation that links to
/// folders elsewhere cannot be told by its names, so any such link counts.
fn provides(entries: &[String], module: &str) -> bool {
    entries.iter().any(|entry| {
        entry.split('.').next() == Some(module)
            || entry.ends_with(".pth")
                && !entry.contains("nspkg")
                && entry != "distutils-precedence.pth"
            || entry.ends_with(".egg")
    })
}

/// The names in the standard library of the Python that a virtualenv was made from.
fn standard(files: &dyn Files, base: &Path, version: &str) -> Option<BTreeSet<String>> {
    let library = base.parent()?.join(format!("lib/python{version}"));
    let names = files.list(&library).ok()?;
    let dynamic = files.list(&library.join("lib-dynload")).unwrap_or_default();
    let stem = |name: std::ffi::OsString| {
        let name = name.to_string_lossy().into_owned();
        name.split('.').next().unwrap_or_default().to_owned()
    };
    Some(names.into_iter().chain(dynamic).map(stem).collect())
}

fn own(deployment: &Deployment, module: &str) -> bool {
    let project = &deployment.project;
    project.module_file(module).is_some()
        || project.root.join(module).is_dir()
        || project.root.join("src").join(module).is_dir()
}

fn distribution(module: &str) -> &str {
    DISTRIBUTIONS.iter().find(|(name, _)| *name == module).map_or(module, |(_, real)| real)
}

/// The top-level modules that the project's code imports without condition, each with the first file
/// that does. Imports that are indented may be guarded by `try`, and are left out.
pub fn imports(deployment: &Deployment, sight: &Sight<'_>) -> Vec<(String, PathBuf)> {
    let project = &deployment.project;
    let mut files = Vec::new();
    match project.package_folder() {
        Some(folder) => sources(sight.files, &folder, DEPTH, &mut files),
        None => sources(sight.files, &project.root, 0, &mut files),
    }
    files.sort();
    let mut found: Vec<(String, PathBuf)> = Vec::new();
    for file in files {
        for module in imported(&sight.files.read(&file).unwrap_or_default()) {
            if !found.iter().any(|(known, _)| *known == module) {
                found.push((module, file.clone()));
            }
        }
    }
    found
}

fn sources(files: &dyn Files, folder: &Path, depth: usize, found: &mut Vec<PathBuf>) {
    for name in files.list(folder).unwrap_or_default() {
        let path = folder.join(&name);
        let kind = files.lstat(&path).map(|stat| stat.kind).ok();
        let name = name.to_string_lossy();
        if kind == Some(FileKind::File) && name.ends_with(".py") && name != "conftest.py" {
            found.push(path);
        } else if kind == Some(FileKind::Folder)
            && depth > 0
            && !["tests", "test"].contains(&&*name)
        {
            sources(files, &path, depth - 1, found);
        }
    }
}

/// The top-level names of a source's unconditional imports.
fn imported(source: &str) -> Vec<String> {
    let top = |path: &str| path.trim().split(['.', ' ', ';']).next().unwrap_or_default().to_owned();
    let mut modules: Vec<String> = source
        .lines()
        .flat_map(|line| match (line.strip_prefix("import "), line.strip_prefix("from ")) {
            (Some(names), _) => {
                names.split('#').next().unwrap_or_default().split(',').map(top).collect()
            }
            (_, Some(rest)) if !rest.starts_with('.') && rest.contains(" import") => {
                vec![top(rest)]
            }
            _ => Vec::new(),
        })
        .filter(|name| crate::values::dotted(name))
        .collect();
    modules.sort();
    modules.dedup();
    modules
}
