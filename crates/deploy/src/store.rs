//! `pinion.toml`: what was given once is kept there, in `[deploy]`, and comments survive.

use std::path::{Path, PathBuf};

use pinion_config::Code;
use thiserror::Error;
use toml_edit::{Array, DocumentMut, Item, Table, TableLike, Value, value};

use crate::error::{Advice, FileError};
use crate::parameters::{self, Kind, PARAMETERS};
use crate::project::toml_problem;
use crate::settings::{Given, Origin};

/// The file's name in the project's folder.
pub const FILE: &str = "pinion.toml";
/// The table in it that holds the parameters.
const TABLE: &str = "deploy";

/// A `pinion.toml` that says nothing that is understood.
#[derive(Debug, Error)]
pub enum StoreError {
    /// It is no TOML.
    #[error("{}: {problem}", file.display())]
    Syntax {
        /// The file.
        file: PathBuf,
        /// The line and what is wrong there.
        problem: String,
    },
    /// A key that is no parameter.
    #[error("{}:{line}: no parameter is called {key:?}", file.display())]
    Unknown {
        /// The file.
        file: PathBuf,
        /// The line.
        line: usize,
        /// The key.
        key: String,
    },
    /// A value of another type than the parameter's.
    #[error("{}:{line}: {key} is no {expected}", file.display())]
    Type {
        /// The file.
        file: PathBuf,
        /// The line.
        line: usize,
        /// The key.
        key: &'static str,
        /// What was expected.
        expected: &'static str,
    },
}

impl Advice for StoreError {
    fn code(&self) -> Code {
        Code::SettingsFileBroken
    }

    fn hint(&self) -> String {
        let nearest = |key: &str| {
            let near = |name: &&str| strsim::damerau_levenshtein(name, key) <= 3;
            PARAMETERS.iter().map(|parameter| parameter.name).find(near)
        };
        match self {
            Self::Unknown { key, .. } => match nearest(key) {
                Some(name) => format!("did you mean `{name}`?"),
                None => "`pinion deploy --help` lists the names, without their dashes".to_owned(),
            },
            _ => "correct the line; nothing was changed".to_owned(),
        }
    }
}

/// A project's `pinion.toml`; empty when there is none yet.
#[derive(Debug, Clone)]
pub struct Store {
    path: PathBuf,
    text: String,
    document: DocumentMut,
    given: Vec<Given>,
}

impl Store {
    /// Reads the file of a project's folder.
    ///
    /// # Errors
    /// It cannot be read ([`FileError`]) or understood ([`StoreError`]).
    pub fn read(root: &Path) -> crate::error::Result<Self> {
        let path = root.join(FILE);
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
            Err(error) => return Err(FileError::at("read", &path)(error).into()),
        };
        Ok(Self::parse(path, text)?)
    }

    fn parse(path: PathBuf, text: String) -> Result<Self, StoreError> {
        let syntax = |error: toml_edit::TomlError| StoreError::Syntax {
            file: path.clone(),
            problem: toml_problem(&text, &error),
        };
        // A document that can be changed has no places any more, so it is parsed for each.
        let placed = toml_edit::Document::parse(text.as_str()).map_err(syntax)?;
        let table = placed.get(TABLE).and_then(Item::as_table_like);
        let given = table.map_or_else(|| Ok(Vec::new()), |table| read(&path, &text, table))?;
        let document = placed.into_mut();
        Ok(Self { path, text, document, given })
    }

    /// What the file gives.
    pub fn given(&self) -> &[Given] {
        &self.given
    }

    /// Takes over what was given on the command line.
    pub fn keep(&mut self, given: &[Given]) {
        for one in given.iter().filter(|one| one.origin == Origin::CommandLine) {
            let item = item(one);
            let table = self.document.entry(TABLE).or_insert_with(|| Item::Table(Table::new()));
            let Some(table) = table.as_table_like_mut() else { continue };
            match (table.get_mut(one.parameter.name), item) {
                (Some(Item::Value(old)), Item::Value(mut new)) => {
                    // The comment behind the old value stays.
                    *new.decor_mut() = old.decor().clone();
                    *old = new;
                }
                (_, item) => {
                    table.insert(one.parameter.name, item);
                }
            }
        }
    }

    /// The whole file as it is now; `None` when it is as it was read.
    pub fn changed(&self) -> Option<(&Path, String)> {
        let text = self.document.to_string();
        (text != self.text).then_some((self.path.as_path(), text))
    }
}

fn item(given: &Given) -> Item {
    let text = given.values.last().map_or("", String::as_str);
    match given.parameter.kind {
        Kind::Many(_) => value(given.values.iter().collect::<Array>()),
        Kind::Switch(..) => value(text == "true"),
        Kind::Number(_) => text.parse::<i64>().map_or_else(|_word| value(text), value),
        Kind::One(_) | Kind::Optional(_) => value(text),
    }
}

fn read(path: &Path, text: &str, table: &dyn TableLike) -> Result<Vec<Given>, StoreError> {
    table.iter().map(|(key, item)| read_one(path, text, table, key, item)).collect()
}

fn read_one(
    path: &Path,
    text: &str,
    table: &dyn TableLike,
    key: &str,
    item: &Item,
) -> Result<Given, StoreError> {
    let span = table.key(key).and_then(|key| key.span()).or_else(|| item.span());
    let at = span.map_or(0, |span| span.start.min(text.len()));
    let line = text.as_bytes()[..at].iter().filter(|byte| **byte == b'\n').count() + 1;
    let Some(parameter) = parameters::by_name(key) else {
        return Err(StoreError::Unknown { file: path.to_owned(), line, key: key.to_owned() });
    };
    let expected = match parameter.kind {
        Kind::Many(_) => "string or list of strings",
        Kind::Switch(..) => "true or false",
        Kind::Number(_) => "number",
        Kind::One(_) | Kind::Optional(_) => "string",
    };
    let values = values(parameter.kind, item).ok_or_else(|| StoreError::Type {
        file: path.to_owned(),
        line,
        key: parameter.name,
        expected,
    })?;
    Ok(Given { parameter, values, origin: Origin::File { path: path.to_owned(), line } })
}

fn values(kind: Kind, item: &Item) -> Option<Vec<String>> {
    let text = |value: &Value| value.as_str().map(str::to_owned);
    match (kind, item.as_value()?) {
        (Kind::Many(_), Value::Array(array)) => array.iter().map(text).collect(),
        (Kind::Switch(..), value) => value.as_bool().map(|on| vec![on.to_string()]),
        (Kind::Number(_), Value::Integer(number)) => Some(vec![number.value().to_string()]),
        (_, value) => text(value).map(|text| vec![text]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn store(text: &str) -> Result<Store, StoreError> {
        Store::parse("/p/pinion.toml".into(), text.to_owned())
    }

    fn given(name: &str, values: &[&str]) -> Given {
        Given {
            parameter: parameters::by_name(name).unwrap(),
            values: values.iter().map(|text| (*text).to_owned()).collect(),
            origin: Origin::CommandLine,
        }
    }

    #[test]
    fn what_is_given_is_kept_and_comments_survive() {
        let text =
            "# ours\n[deploy]\n# the mount\nmount-point = \"/old\" # why\n\n[other]\nx = 1\n";
        let mut store = store(text).unwrap();
        assert!(store.changed().is_none());
        store.keep(&[
            given("mount-point", &["/new"]),
            given("processes", &["4"]),
            given("static", &["/a=b"]),
            given("test", &["false"]),
        ]);
        let expected = "# ours\n[deploy]\n# the mount\nmount-point = \"/new\" # why\nprocesses = 4\n\
            static = [\"/a=b\"]\ntest = false\n\n[other]\nx = 1\n";
        assert_eq!(store.changed().unwrap().1, expected);
        let again = self::store(expected).unwrap();
        let values: Vec<_> =
            again.given().iter().map(|one| (one.parameter.name, one.values.join(","))).collect();
        let wanted =
            [("mount-point", "/new"), ("processes", "4"), ("static", "/a=b"), ("test", "false")];
        assert_eq!(values, wanted.map(|(name, text)| (name, text.to_owned())));
    }

    #[test]
    fn the_first_value_makes_the_file() {
        let mut store = store("").unwrap();
        store.keep(&[given("name", &["a \"b\" \\"])]);
        let text = store.changed().unwrap().1;
        assert_eq!(self::store(&text).unwrap().given()[0].values, ["a \"b\" \\"]);
        assert!(text.starts_with("[deploy]\nname = "));
    }

    #[test]
    fn what_is_not_understood_is_told_by_line() {
        for (text, problem) in [
            (
                "[deploy]\nmuont-point = \"/\"",
                "/p/pinion.toml:2: no parameter is called \"muont-point\"",
            ),
            ("[deploy]\n\nprocesses = true", "/p/pinion.toml:3: processes is no number"),
            ("[deploy]\ntest = 3", "/p/pinion.toml:2: test is no true or false"),
            ("[deploy]\nstatic = [1]", "/p/pinion.toml:2: static is no string or list of strings"),
        ] {
            assert_eq!(store(text).unwrap_err().to_string(), problem);
        }
        let error = store("[deploy\n").unwrap_err().to_string();
        assert!(error.starts_with("/p/pinion.toml: line 1: "), "{error}");
        let hint = store("[deploy]\nmuont-point = \"/\"").unwrap_err().hint();
        assert_eq!(hint, "did you mean `mount-point`?");
    }
}
