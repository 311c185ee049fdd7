//! Telling what kind of project a folder holds.

use std::path::{Path, PathBuf};

use super::metadata::{Metadata, normal_name, text};
use super::{Kind, PasteIni, Project, ProjectError};
use crate::ini;
use crate::settings::Choices;
use crate::values::{Application, Callable, dotted};

/// Files that hold a Flask application by custom, in the order of preference.
const CUSTOMARY: [&str; 4] = ["wsgi", "app", "application", "main"];

pub(super) fn project(root: &Path, choices: &Choices) -> Result<Project, ProjectError> {
    let root = std::fs::canonicalize(root)
        .ok()
        .filter(|root| root.is_dir())
        .ok_or_else(|| ProjectError::NoFolder(root.to_owned()))?;
    let metadata = Metadata::read(&root)?;
    let (kind, package) = kind(&root, &metadata, choices)?;
    let folder = root.file_name().map(|name| name.to_string_lossy().into_owned());
    let name = metadata.name.clone().or(folder).unwrap_or_default();
    Ok(Project { root, name, package, kind, metadata })
}

type Found = (Kind, Option<String>);

fn kind(root: &Path, metadata: &Metadata, choices: &Choices) -> Result<Found, ProjectError> {
    match &choices.application {
        Some(Application::Callable(callable)) => return Ok(with_package(chosen(root, callable)?)),
        Some(Application::Script(path)) => return Ok((Kind::Script(root.join(path)), None)),
        None => {}
    }
    if let Some(file) = django_manage(root)? {
        return django(root, &file).map(with_package);
    }
    if let Some(ini) = paste_ini(root, choices)? {
        return Ok(paste(root, metadata, ini));
    }
    if let Some(callable) = flask(root, metadata)? {
        return Ok(with_package(Kind::Flask(callable)));
    }
    script(root)?
        .map(|path| (Kind::Script(path), None))
        .ok_or_else(|| ProjectError::Nothing(root.to_owned()))
}

/// A kind that names its modules, with the package of those.
fn with_package(kind: Kind) -> Found {
    let module = match &kind {
        Kind::Django { settings, .. } => settings,
        Kind::Flask(callable) | Kind::Callable(callable) => &callable.module,
        _ => return (kind, None),
    };
    let package = module.split('.').next().map(str::to_owned);
    (kind, package)
}

/// A callable that was named: Flask's where its module says so.
fn chosen(root: &Path, callable: &Callable) -> Result<Kind, ProjectError> {
    let module = module_file(root, &callable.module);
    let source = module.map(|file| text(&file)).transpose()?.flatten().unwrap_or_default();
    let callable = callable.clone();
    Ok(if imports_flask(&source) { Kind::Flask(callable) } else { Kind::Callable(callable) })
}

/// The file of a module, in the project's folder or in `src` below it.
pub(super) fn module_file(root: &Path, module: &str) -> Option<PathBuf> {
    let path: PathBuf = module.split('.').collect();
    [root.to_owned(), root.join("src")]
        .iter()
        .flat_map(|top| [top.join(&path).with_extension("py"), top.join(&path).join("__init__.py")])
        .find(|file| file.is_file())
}

fn django_manage(root: &Path) -> Result<Option<String>, ProjectError> {
    Ok(text(&root.join("manage.py"))?.filter(|source| source.contains("DJANGO_SETTINGS_MODULE")))
}

fn django(root: &Path, manage: &str) -> Result<Kind, ProjectError> {
    let broken = |problem: &str| ProjectError::Broken {
        file: root.join("manage.py"),
        problem: problem.to_owned(),
    };
    let settings = manage
        .split_once("DJANGO_SETTINGS_MODULE")
        .and_then(|(_, rest)| rest.split(['"', '\'']).find(|part| dotted(part)))
        .ok_or_else(|| broken("names no settings; expected os.environ.setdefault('DJANGO_SETTINGS_MODULE', 'project.settings')"))?;
    let source = module_file(root, settings).map(|file| text(&file)).transpose()?.flatten();
    let named = source.as_deref().and_then(wsgi_application);
    let package = settings.rsplit_once('.').map_or(settings, |(package, _)| package);
    let usual =
        Callable { module: format!("{package}.wsgi"), name: "application".into(), factory: false };
    Ok(Kind::Django { settings: settings.to_owned(), application: named.unwrap_or(usual) })
}

/// `WSGI_APPLICATION = 'project.wsgi.application'` of the settings.
fn wsgi_application(settings: &str) -> Option<Callable> {
    let line = settings.lines().find(|line| line.starts_with("WSGI_APPLICATION"))?;
    let path = line.split(['"', '\'']).nth(1).filter(|path| dotted(path))?;
    let (module, name) = path.rsplit_once('.')?;
    Some(Callable { module: module.to_owned(), name: name.to_owned(), factory: false })
}

/// The ini file of the application: the one that was chosen, the usual ones, or the only one.
fn paste_ini(root: &Path, choices: &Choices) -> Result<Option<PasteIni>, ProjectError> {
    let section = format!("app:{}", choices.section.as_deref().unwrap_or("main"));
    let chosen = choices.ini.as_ref().map(|ini| root.join(ini));
    let usual = ["production.ini", "development.ini"].map(|name| root.join(name));
    for file in chosen.into_iter().chain(usual) {
        if let Some(ini) = application_ini(&file, &section)? {
            return Ok(Some(ini));
        }
    }
    let mut others = Vec::new();
    for file in files_with(root, "ini") {
        others.extend(application_ini(&file, &section)?);
    }
    one_of(root, others, |ini| &ini.file, "ini files of applications", "--ini")
}

fn application_ini(file: &Path, section: &str) -> Result<Option<PasteIni>, ProjectError> {
    let Some(text) = text(file)? else { return Ok(None) };
    let ini = ini::parse(&text)
        .map_err(|problem| ProjectError::Broken { file: file.to_owned(), problem })?;
    let Some(uses) = ini.get(section, "use").or_else(|| ini.get(section, "paste.app_factory"))
    else {
        return Ok(None);
    };
    Ok(Some(PasteIni { file: file.to_owned(), uses }))
}

/// TurboGears, Pyramid, or another that Paste Deploy loads.
fn paste(root: &Path, metadata: &Metadata, ini: PasteIni) -> Found {
    let package = paste_package(root, metadata, &ini.uses);
    let has = |file: &str| {
        package
            .as_deref()
            .and_then(|package| module_file(root, package))
            .is_some_and(|init| init.parent().is_some_and(|folder| folder.join(file).is_file()))
    };
    let source = std::fs::read_to_string(&ini.file).unwrap_or_default();
    let kind = if metadata.needs("TurboGears2") || has("config/app_cfg.py") {
        Kind::TurboGears(ini)
    } else if metadata.needs("pyramid") || source.contains("\npyramid.") {
        Kind::Pyramid(ini)
    } else {
        Kind::Paste(ini)
    };
    (kind, package)
}

/// The package behind `egg:Distribution#entry` or `call:module:factory`.
fn paste_package(root: &Path, metadata: &Metadata, uses: &str) -> Option<String> {
    let top = |module: &str| module.split('.').next().map(str::to_owned);
    if let Some(call) = uses.strip_prefix("call:") {
        return top(call.split(':').next()?);
    }
    if let Some(module) = metadata.factories.first() {
        return top(module);
    }
    let distribution = uses.strip_prefix("egg:").unwrap_or(uses).split('#').next()?;
    let wanted = normal_name(distribution.trim());
    let packages = packages(root);
    let same = packages.iter().find(|package| normal_name(package) == wanted);
    same.or_else(|| packages.first().filter(|_| packages.len() == 1)).cloned()
}

/// The packages in the project's folder, or in `src` below it.
fn packages(root: &Path) -> Vec<String> {
    let mut found: Vec<String> = [root.to_owned(), root.join("src")]
        .iter()
        .filter_map(|top| std::fs::read_dir(top).ok())
        .flatten()
        .filter_map(|entry| entry.ok())
        .filter(|entry| entry.path().join("__init__.py").is_file())
        .filter_map(|entry| entry.file_name().into_string().ok())
        .filter(|name| dotted(name) && name != "tests")
        .collect();
    found.sort();
    found
}

/// The Flask application of the customary modules, else of the project's only package.
fn flask(root: &Path, metadata: &Metadata) -> Result<Option<Callable>, ProjectError> {
    let packages = packages(root);
    let inner = packages.iter().flat_map(|package| {
        std::iter::once(package.clone())
            .chain(CUSTOMARY.iter().map(move |m| format!("{package}.{m}")))
    });
    let mut found = Vec::new();
    for module in CUSTOMARY.iter().map(|name| (*name).to_owned()).chain(inner) {
        let Some(file) = module_file(root, &module) else { continue };
        let source = text(&file)?.unwrap_or_default();
        if imports_flask(&source) || metadata.needs("flask") {
            found.extend(flask_callable(&module, &source));
        }
    }
    // A module that makes the application by calling a factory elsewhere is the one that is meant.
    if let Some(made) = found.iter().position(|callable| CUSTOMARY[0] == callable.module) {
        found = vec![found.swap_remove(made)];
    }
    one_of_callables(root, found)
}

fn imports_flask(source: &str) -> bool {
    source.lines().any(|line| line.starts_with("from flask") || line.starts_with("import flask"))
}

fn flask_callable(module: &str, source: &str) -> Option<Callable> {
    let object = |name: &str| {
        source.lines().any(|line| {
            line.strip_prefix(name).is_some_and(|rest| rest.trim_start().starts_with(['=', ':']))
        })
    };
    let callable = |name: &str, factory| Callable {
        module: module.to_owned(),
        name: name.to_owned(),
        factory,
    };
    if let Some(name) = ["application", "app"].into_iter().find(|name| object(name)) {
        return Some(callable(name, false));
    }
    let factory = ["create_app", "make_app"];
    let made = factory.into_iter().find(|name| source.contains(&format!("\ndef {name}(")))?;
    Some(callable(made, true))
}

fn one_of_callables(
    root: &Path,
    mut found: Vec<Callable>,
) -> Result<Option<Callable>, ProjectError> {
    if found.len() < 2 {
        return Ok(found.pop());
    }
    Err(ProjectError::Ambiguous {
        root: root.to_owned(),
        what: "Flask applications",
        candidates: found.iter().map(Callable::to_string).collect(),
        option: "--application",
    })
}

fn script(root: &Path) -> Result<Option<PathBuf>, ProjectError> {
    one_of(root, files_with(root, "wsgi"), |path| path, "WSGI scripts", "--application")
}

fn files_with(root: &Path, extension: &str) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(root).ok().into_iter().flatten();
    let mut files: Vec<PathBuf> = entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.extension().is_some_and(|found| found == extension) && path.is_file())
        .collect();
    files.sort();
    files
}

fn one_of<T>(
    root: &Path,
    mut found: Vec<T>,
    path: fn(&T) -> &Path,
    what: &'static str,
    option: &'static str,
) -> Result<Option<T>, ProjectError> {
    if found.len() < 2 {
        return Ok(found.pop());
    }
    let name = |one: &T| {
        let path = path(one);
        path.strip_prefix(root).unwrap_or(path).display().to_string()
    };
    let candidates = found.iter().map(name).collect();
    Err(ProjectError::Ambiguous { root: root.to_owned(), what, candidates, option })
}
