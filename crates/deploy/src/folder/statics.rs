//! Static files that Apache serves itself: those that were given, else those found in the project.

use std::path::{Path, PathBuf};

use crate::deployment::Deployment;
use crate::project::{Kind, Project};
use crate::values::UrlPath;

/// The static aliases of a deployment, and the folders that Apache must be let into for them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Statics {
    /// The aliases; longer paths first, since Apache takes the first that matches.
    pub served: Vec<Served>,
    /// The folders that need a grant.
    pub grants: Vec<PathBuf>,
}

/// A path of the server and the deployed folder or file behind it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Served {
    /// The path on the server, mount point included.
    pub url: String,
    /// The folder or file, where it is deployed.
    pub path: PathBuf,
}

impl Statics {
    /// Looks for them in the project.
    pub fn find(deployment: &Deployment) -> Self {
        let mut found = Self::default();
        if let Some(given) = &deployment.settings.statics {
            for alias in given {
                found.serve(deployment, alias.url.as_str(), &alias.path);
            }
        } else {
            match &deployment.project.kind {
                Kind::TurboGears(_) => found.public(deployment),
                Kind::Pyramid(_) => found.views(deployment),
                Kind::Django { settings, .. } => found.static_root(deployment, settings),
                Kind::Flask(callable) => found.beside(deployment, &callable.module),
                Kind::Paste(_) | Kind::Callable(_) | Kind::Script(_) => {}
            }
        }
        found.served.sort_by(|a, b| b.url.len().cmp(&a.url.len()).then(a.url.cmp(&b.url)));
        found
    }

    /// Serves a path of the project below the mount point.
    fn serve(&mut self, deployment: &Deployment, url: &str, path: &Path) {
        let whole = deployment.settings.mount_point.join(url);
        self.serve_at(deployment, whole, path);
    }

    fn serve_at(&mut self, deployment: &Deployment, url: String, path: &Path) {
        let deployed = deployment.layout.deploy(path);
        let is_file = deployment.project.root.join(path).is_file();
        let grant = if is_file { deployed.parent().map(Path::to_owned) } else { None };
        self.grant(grant.unwrap_or_else(|| deployed.clone()));
        self.served.push(Served { url, path: deployed });
    }

    /// Lets Apache into a folder; what is below it needs no grant of its own.
    fn grant(&mut self, folder: PathBuf) {
        if !self.grants.iter().any(|known| folder.starts_with(known)) {
            self.grants.retain(|known| !known.starts_with(&folder));
            self.grants.push(folder);
        }
    }

    /// TurboGears: each file and folder of `public`.
    fn public(&mut self, deployment: &Deployment) {
        let Some(public) = deployment.project.package_folder().map(|folder| folder.join("public"))
        else {
            return;
        };
        for name in names(&public) {
            // Names that need escaping in a URL are left to the application.
            if UrlPath::parse(&format!("/{name}")).is_ok() && !name.contains(['%', '?']) {
                self.serve(deployment, &format!("/{name}"), &public.join(&name));
            }
        }
    }

    /// Pyramid: the folders of `config.add_static_view('name', 'folder')`.
    fn views(&mut self, deployment: &Deployment) {
        let project = &deployment.project;
        let Some(package) = project.package_folder() else { return };
        for file in names(&package).iter().filter(|name| name.ends_with(".py")) {
            let source = std::fs::read_to_string(package.join(file)).unwrap_or_default();
            for (name, spec) in static_views(&source) {
                let folder = view_folder(project, &package, &spec);
                let url = format!("/{name}");
                if UrlPath::parse(&url).is_ok() && folder.is_dir() {
                    self.serve(deployment, &url, &folder);
                }
            }
        }
    }

    /// Django: `STATIC_ROOT`. A relative `STATIC_URL` is below the mount point, another is not.
    fn static_root(&mut self, deployment: &Deployment, settings: &str) {
        let project = &deployment.project;
        let Some(file) = project.module_file(settings) else { return };
        let source = std::fs::read_to_string(&file).unwrap_or_default();
        let Some(root) = static_root(&source) else { return };
        let url =
            setting(&source, "STATIC_URL").and_then(literal).unwrap_or_else(|| "static/".into());
        let trimmed = url.trim_end_matches('/');
        if trimmed.is_empty() || url.contains("://") {
            return;
        }
        if trimmed.starts_with('/') {
            self.serve_at(deployment, trimmed.to_owned(), &root);
        } else if UrlPath::parse(&format!("/{trimmed}")).is_ok() {
            self.serve(deployment, &format!("/{trimmed}"), &root);
        }
    }

    /// Flask: the folder `static` beside the module.
    fn beside(&mut self, deployment: &Deployment, module: &str) {
        let file = deployment.project.module_file(module);
        let folder = file.as_deref().and_then(Path::parent).map(|parent| parent.join("static"));
        if let Some(folder) = folder.filter(|folder| folder.is_dir()) {
            self.serve(deployment, "/static", &folder);
        }
    }
}

/// The names in a folder that are not hidden, in order.
fn names(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).ok().into_iter().flatten();
    let mut names: Vec<String> = entries
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .filter(|name| !name.starts_with('.'))
        .collect();
    names.sort();
    names
}

/// The two first arguments of each `add_static_view` whose arguments are literals.
fn static_views(source: &str) -> Vec<(String, String)> {
    let calls = source.split("add_static_view(").skip(1);
    calls
        .filter_map(|call| {
            let (arguments, _) = call.split_once(')')?;
            let mut parts = arguments.split(',');
            let mut next = |keyword: &str| {
                let part = parts.next()?.trim();
                literal(
                    part.strip_prefix(keyword)
                        .map_or(part, |rest| rest.trim_start_matches(['=', ' '])),
                )
            };
            Some((next("name")?, next("path")?))
        })
        .collect()
}

/// `package:folder` or a folder relative to the package.
fn view_folder(project: &Project, package: &Path, spec: &str) -> PathBuf {
    let Some((owner, folder)) = spec.split_once(':') else { return package.join(spec) };
    let init = project.module_file(owner);
    init.as_deref().and_then(Path::parent).unwrap_or(package).join(folder)
}

/// `BASE_DIR / 'static'`, `os.path.join(BASE_DIR, 'static')` or a literal, of Django's settings.
/// `BASE_DIR` is taken for the project's folder, as `startproject` makes it.
fn static_root(source: &str) -> Option<PathBuf> {
    let value = setting(source, "STATIC_ROOT")?;
    if let Some(path) = literal(value) {
        return Some(path.into());
    }
    let inner = value.trim_start_matches("str(").trim_start_matches("os.path.join(");
    let parts = inner.strip_prefix("BASE_DIR")?.trim_end_matches(')');
    let names: Option<Vec<String>> = parts
        .split(['/', ','])
        .map(str::trim)
        .filter(|part| !part.is_empty())
        .map(literal)
        .collect();
    names.filter(|names| !names.is_empty()).map(|names| names.iter().collect())
}

/// The value of a setting at the top level, comments left out.
fn setting<'a>(source: &'a str, name: &str) -> Option<&'a str> {
    source.lines().rev().find_map(|line| {
        let value = line.strip_prefix(name)?.trim_start().strip_prefix('=')?;
        Some(value.split(" #").next().unwrap_or(value).trim())
    })
}

/// The text of a Python string literal without escapes.
fn literal(text: &str) -> Option<String> {
    let text = text.trim();
    let quote = text.chars().next().filter(|c| ['"', '\''].contains(c))?;
    let inner = text.strip_prefix(quote)?.strip_suffix(quote)?;
    (!inner.contains([quote, '\\'])).then(|| inner.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn static_roots_are_read_as_people_write_them() {
        for (line, root) in [
            ("STATIC_ROOT = BASE_DIR / 'static'", Some("static")),
            ("STATIC_ROOT = BASE_DIR / \"a\" / 'b'  # here", Some("a/b")),
            ("STATIC_ROOT = os.path.join(BASE_DIR, 'static')", Some("static")),
            ("STATIC_ROOT = str(BASE_DIR / 'static')", Some("static")),
            ("STATIC_ROOT = '/srv/static'", Some("/srv/static")),
            ("STATIC_ROOT = environ['X']", None),
            ("STATIC_ROOT = BASE_DIR", None),
            ("# STATIC_ROOT = 'x'", None),
        ] {
            assert_eq!(static_root(line).as_deref(), root.map(Path::new), "{line}");
        }
    }

    #[test]
    fn static_views_are_found_by_their_literals() {
        let source = "c.add_static_view('static', 'shop:static', cache_max_age=1)\n\
            c.add_static_view(name=\"deform\", path='deform:static')\nc.add_static_view(name, path)";
        let pair = |a: &str, b: &str| (a.to_owned(), b.to_owned());
        assert_eq!(
            static_views(source),
            [pair("static", "shop:static"), pair("deform", "deform:static")]
        );
    }

    #[test]
    fn a_folder_below_a_granted_one_needs_no_grant() {
        let mut statics = Statics::default();
        for folder in ["/a/b", "/a/b/c", "/a"] {
            statics.grant(folder.into());
        }
        assert_eq!(statics.grants, [PathBuf::from("/a")]);
    }
}
