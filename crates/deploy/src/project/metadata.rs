//! What a project's metadata says: pyproject.toml, setup.cfg, setup.py.

use std::path::Path;

use configparser::ini::Ini;
use toml_edit::{DocumentMut, Item};

use super::ProjectError;

/// A project's metadata, as far as a deployment needs it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Metadata {
    /// The distribution's name.
    pub name: Option<String>,
    /// The requirements, as they are written: `TurboGears2 >= 2.5`.
    pub requires: Vec<String>,
    /// The modules of its `paste.app_factory` entry points, such as `myapp.config.application`.
    pub factories: Vec<String>,
    /// The file that said it; `None` when there is none.
    pub source: Option<&'static str>,
}

impl Metadata {
    /// Reads the metadata files of a project's folder.
    ///
    /// # Errors
    /// A file that cannot be read or parsed.
    pub(super) fn read(root: &Path) -> Result<Self, ProjectError> {
        let mut found = Self::default();
        if let Some(text) = text(&root.join("pyproject.toml"))? {
            found.read_pyproject(&root.join("pyproject.toml"), &text)?;
        }
        if let Some(text) = text(&root.join("setup.cfg"))? {
            found.read_setup_cfg(&text);
        }
        if let Some(text) = text(&root.join("setup.py"))? {
            found.read_setup_py(&text);
        }
        Ok(found)
    }

    /// Whether a distribution is among the requirements.
    pub fn needs(&self, distribution: &str) -> bool {
        self.requires.iter().any(|line| requirement_name(line) == normal_name(distribution))
    }

    fn read_pyproject(&mut self, file: &Path, text: &str) -> Result<(), ProjectError> {
        let document: DocumentMut = text.parse().map_err(|error: toml_edit::TomlError| {
            ProjectError::Broken { file: file.to_owned(), problem: toml_problem(text, &error) }
        })?;
        let Some(project) = document.get("project") else { return Ok(()) };
        self.source = Some("pyproject.toml");
        self.name = project.get("name").and_then(Item::as_str).map(str::to_owned);
        self.requires = strings(project.get("dependencies"));
        let points = project.get("entry-points").and_then(|all| all.get("paste.app_factory"));
        let values = points.and_then(Item::as_table_like).into_iter().flat_map(|t| t.iter());
        self.factories = values.filter_map(|(_, value)| module_of(value.as_str()?)).collect();
        Ok(())
    }

    fn read_setup_cfg(&mut self, text: &str) {
        let mut ini = Ini::new_cs();
        ini.set_multiline(true);
        // A setup.cfg that is only for other tools may be written in any way.
        if ini.read(text.to_owned()).is_err() {
            return;
        }
        let name = ini.get("metadata", "name").filter(|name| !name.starts_with("attr:"));
        let lines = ini.get("options", "install_requires").unwrap_or_default();
        if name.is_some() || !lines.is_empty() {
            self.source.get_or_insert("setup.cfg");
        }
        self.name = self.name.take().or(name);
        if self.requires.is_empty() {
            let lines = lines.lines().map(str::trim).filter(|line| !line.is_empty());
            self.requires = lines.map(str::to_owned).collect();
        }
    }

    /// setup.py is a program; what a person writes into `setup(name=…)` and the literals of its
    /// lists are found without running it.
    fn read_setup_py(&mut self, text: &str) {
        self.source.get_or_insert("setup.py");
        let name = text.lines().find_map(|line| {
            let rest = line.trim_start().trim_start_matches("setup(").trim_start();
            let value = rest.strip_prefix("name")?.trim_start().strip_prefix('=')?;
            literals(value).into_iter().next()
        });
        self.name = self.name.take().or(name);
        if self.requires.is_empty() {
            self.requires = lists_after(text, "requires");
        }
        if self.factories.is_empty() {
            let lines = text.lines().filter(|line| line.contains("main"));
            self.factories = lines
                .filter_map(|line| line.split_once('=').and_then(|(_, value)| module_of(value)))
                .collect();
        }
    }
}

/// The text of a file; `None` when there is none.
pub(super) fn text(file: &Path) -> Result<Option<String>, ProjectError> {
    match std::fs::read_to_string(file) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(ProjectError::Broken {
            file: file.to_owned(),
            problem: format!("cannot be read: {error}"),
        }),
    }
}

/// Where and why a TOML file is broken, on one line.
pub fn toml_problem(text: &str, error: &toml_edit::TomlError) -> String {
    let at = error.span().map_or(0, |span| span.start.min(text.len()));
    let line = text.as_bytes()[..at].iter().filter(|byte| **byte == b'\n').count() + 1;
    format!("line {line}: {}", error.message().lines().collect::<Vec<_>>().join("; "))
}

fn strings(item: Option<&Item>) -> Vec<String> {
    let array = item.and_then(Item::as_array);
    array.into_iter().flatten().filter_map(|value| Some(value.as_str()?.to_owned())).collect()
}

/// The distribution of a requirement, in its normal form.
pub fn requirement_name(line: &str) -> String {
    let end = line.find(|c: char| !(c.is_ascii_alphanumeric() || "._-".contains(c)));
    normal_name(line[..end.unwrap_or(line.len())].trim())
}

/// A distribution's name as package indexes compare it: lower case, with `-` for `_` and `.`.
pub fn normal_name(name: &str) -> String {
    name.to_ascii_lowercase().replace(['_', '.'], "-")
}

/// The module of `module:name`.
fn module_of(text: &str) -> Option<String> {
    let module = text.trim().trim_matches(['"', '\'', ',']).split_once(':')?.0.trim();
    crate::values::dotted(module).then(|| module.to_owned())
}

/// The string literals of a piece of Python.
fn literals(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut rest = text;
    while let Some(start) = rest.find(['"', '\'']) {
        let quote = rest.as_bytes()[start] as char;
        let Some(length) = rest[start + 1..].find(quote) else { break };
        found.push(rest[start + 1..start + 1 + length].to_owned());
        rest = &rest[start + length + 2..];
    }
    found
}

/// The literals of the lists that are assigned to a name that ends in `suffix`.
fn lists_after(text: &str, suffix: &str) -> Vec<String> {
    let mut found = Vec::new();
    for (at, _) in text.match_indices(suffix) {
        let rest = text[at + suffix.len()..].trim_start();
        let list = rest.strip_prefix('=').map(str::trim_start).and_then(|v| v.strip_prefix('['));
        if let Some((list, _)) = list.and_then(|list| list.split_once(']')) {
            found.extend(literals(list));
        }
    }
    found
}
