//! Where options were given: on the command line, else in the environment, else in `pinion.toml`.

use std::path::{Path, PathBuf};

use pinion_config::Code;
use pinion_deploy::error::{Advice, FileError};
use pinion_deploy::project::toml_problem;
use pinion_deploy::store::FILE;
use thiserror::Error;
use toml_edit::{Item, TableLike, Value};

use crate::error::Result;
use crate::options::{self, Kind, OPTIONS, ServeOption, Text};
use crate::settings::Settings;

/// The table of `pinion.toml` that holds the options.
const TABLE: &str = "serve";

/// Where a value was given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// On the command line.
    CommandLine,
    /// In the environment.
    Environment,
    /// In `pinion.toml`.
    File {
        /// The file.
        path: PathBuf,
        /// The line in it, from 1.
        line: usize,
    },
}

/// An option's values as they were given.
#[derive(Debug, Clone)]
pub struct Given {
    /// The option.
    pub option: &'static ServeOption,
    /// Its values; `true` or `false` for a switch.
    pub values: Vec<String>,
    /// Where they were given.
    pub origin: Origin,
}

/// What cannot be taken.
#[derive(Debug, Error)]
pub enum GivenError {
    /// `pinion.toml` is no TOML.
    #[error("{}: {problem}", file.display())]
    Syntax {
        /// The file.
        file: PathBuf,
        /// The line and what is wrong there.
        problem: String,
    },
    /// A key that is no option.
    #[error("{}:{line}: no option is called {key:?}", file.display())]
    Unknown {
        /// The file.
        file: PathBuf,
        /// The line.
        line: usize,
        /// The key.
        key: String,
    },
    /// A value of another type than the option's.
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
    /// A value that is not what its option takes.
    #[error("{place}: {value:?} is not {expected}")]
    Value {
        /// The option, the variable, or the file, line and key.
        place: String,
        /// The value.
        value: String,
        /// What was expected.
        expected: String,
    },
}

impl Advice for GivenError {
    fn code(&self) -> Code {
        match self {
            Self::Value { .. } => Code::SettingInvalid,
            _ => Code::SettingsFileBroken,
        }
    }

    fn hint(&self) -> String {
        match self {
            Self::Unknown { key, .. } => {
                let near = |name: &&str| strsim::damerau_levenshtein(name, key) <= 3;
                match OPTIONS.iter().map(|option| option.name).find(near) {
                    Some(name) => format!("did you mean `{name}`?"),
                    None => {
                        "`pinion serve --help` lists the names, without their dashes".to_owned()
                    }
                }
            }
            Self::Value { .. } => "`pinion serve --help` shows what each option takes".to_owned(),
            Self::Syntax { .. } | Self::Type { .. } => "correct the line".to_owned(),
        }
    }
}

impl Given {
    /// How a message names the option here.
    pub fn place(&self) -> String {
        match &self.origin {
            Origin::CommandLine => format!("--{}", self.option.name),
            Origin::Environment => self.option.variable(),
            Origin::File { path, line } => {
                format!("{}:{line}: {}", path.display(), self.option.name)
            }
        }
    }

    fn apply(&self, settings: &mut Settings, current: &Path) -> Result<(), GivenError> {
        let base = match &self.origin {
            Origin::File { path, .. } => path.parent().unwrap_or(current),
            _ => current,
        };
        for text in &self.values {
            let value = Text { text, base };
            let taken = match self.option.kind {
                Kind::One(set) | Kind::Number(set) | Kind::Seconds(set) | Kind::Many(set) => {
                    set(settings, value)
                }
                Kind::Switch(_, set) => {
                    set(settings, text == "true");
                    Ok(())
                }
            };
            taken.map_err(|expected| GivenError::Value {
                place: self.place(),
                value: text.clone(),
                expected: expected.0,
            })?;
        }
        Ok(())
    }
}

/// The settings; for each option only its first entry of `given` counts. Paths from elsewhere than a file are relative to `current`.
///
/// # Errors
/// The first value that is not what its option takes, with its place.
pub fn settings(given: &[Given], current: &Path) -> Result<Settings, GivenError> {
    let mut settings = Settings::default();
    for (at, one) in given.iter().enumerate() {
        if given[..at].iter().all(|earlier| earlier.option.name != one.option.name) {
            one.apply(&mut settings, current)?;
        }
    }
    Ok(settings)
}

/// What the environment gives; `variable` looks one up. Several values of one option are words as in a shell.
///
/// # Errors
/// A value that cannot be understood at all.
pub fn environment(variable: impl Fn(&str) -> Option<String>) -> Result<Vec<Given>, GivenError> {
    let mut given = Vec::new();
    for option in OPTIONS {
        let Some(text) = variable(&option.variable()) else { continue };
        // An empty variable is as good as none, which is how some launchers unset one.
        if text.is_empty() {
            continue;
        }
        let wrong = |expected: &str| GivenError::Value {
            place: option.variable(),
            value: text.clone(),
            expected: expected.to_owned(),
        };
        let values = match option.kind {
            Kind::Many(_) => {
                shlex::split(&text).ok_or_else(|| wrong("words, with each quote closed"))?
            }
            Kind::Switch(..) => {
                let on = switch(&text).ok_or_else(|| wrong("true or false"))?;
                vec![on.to_string()]
            }
            _ => vec![text.clone()],
        };
        given.push(Given { option, values, origin: Origin::Environment });
    }
    Ok(given)
}

fn switch(text: &str) -> Option<bool> {
    match text.to_ascii_lowercase().as_str() {
        "1" | "true" | "yes" | "on" => Some(true),
        "0" | "false" | "no" | "off" => Some(false),
        _ => None,
    }
}

/// What the `pinion.toml` of a project's folder gives; nothing where there is none.
///
/// # Errors
/// It cannot be read or understood.
pub fn file(root: &Path) -> Result<Vec<Given>> {
    let path = root.join(FILE);
    let text = match std::fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(FileError::at("read", &path)(error).into()),
    };
    Ok(parse(&path, &text)?)
}

fn parse(path: &Path, text: &str) -> Result<Vec<Given>, GivenError> {
    let document = toml_edit::Document::parse(text).map_err(|error| GivenError::Syntax {
        file: path.to_owned(),
        problem: toml_problem(text, &error),
    })?;
    let Some(table) = document.get(TABLE).and_then(Item::as_table_like) else {
        return Ok(Vec::new());
    };
    table.iter().map(|(key, item)| parse_one(path, text, table, key, item)).collect()
}

fn parse_one(
    path: &Path,
    text: &str,
    table: &dyn TableLike,
    key: &str,
    item: &Item,
) -> Result<Given, GivenError> {
    let span = table.key(key).and_then(|key| key.span()).or_else(|| item.span());
    let at = span.map_or(0, |span| span.start.min(text.len()));
    let line = text.as_bytes()[..at].iter().filter(|byte| **byte == b'\n').count() + 1;
    let file = path.to_owned();
    let Some(option) = options::by_name(key) else {
        return Err(GivenError::Unknown { file, line, key: key.to_owned() });
    };
    let expected = match option.kind {
        Kind::Many(_) => "string or list of strings",
        Kind::Switch(..) => "true or false",
        Kind::Number(_) => "number",
        Kind::Seconds(_) => "number of seconds",
        Kind::One(_) => "string",
    };
    let key = option.name;
    let values = values(option.kind, item).ok_or_else(|| GivenError::Type {
        file: file.clone(),
        line,
        key,
        expected,
    })?;
    Ok(Given { option, values, origin: Origin::File { path: file, line } })
}

fn values(kind: Kind, item: &Item) -> Option<Vec<String>> {
    let text = |value: &Value| value.as_str().map(str::to_owned);
    match (kind, item.as_value()?) {
        (Kind::Many(_), Value::Array(array)) => array.iter().map(text).collect(),
        (Kind::Switch(..), value) => value.as_bool().map(|on| vec![on.to_string()]),
        (Kind::Number(_) | Kind::Seconds(_), Value::Integer(number)) => {
            Some(vec![number.value().to_string()])
        }
        (Kind::Seconds(_), Value::Float(number)) => Some(vec![number.value().to_string()]),
        (_, value) => text(value).map(|text| vec![text]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Vec<Given>, GivenError> {
        parse(Path::new("/p/pinion.toml"), text)
    }

    fn command_line(name: &str, values: &[&str]) -> Given {
        Given {
            option: options::by_name(name).unwrap(),
            values: values.iter().map(|text| (*text).to_owned()).collect(),
            origin: Origin::CommandLine,
        }
    }

    #[test]
    fn the_command_line_counts_before_the_environment_before_the_file() {
        let mut given = vec![command_line("processes", &["4"])];
        let variables =
            [("PINION_PROCESSES", "3"), ("PINION_THREADS", "7"), ("PINION_RELOAD", "no")];
        given.extend(
            environment(|name| {
                let found = variables.iter().find(|(known, _)| *known == name);
                found.map(|(_, value)| (*value).to_owned())
            })
            .unwrap(),
        );
        given.extend(
            read("[serve]\nprocesses = 2\nthreads = 6\nreload = true\nidle-timeout = 2.5\nchdir = 'x'\n")
                .unwrap(),
        );
        let settings = settings(&given, Path::new("/here")).unwrap();
        assert_eq!((settings.processes.get(), settings.threads.get()), (4, 7));
        assert!(!settings.reload);
        assert_eq!(settings.http_times.idle, 2_500);
        assert_eq!(settings.home, Some("/p/x".into()), "relative to the file");
    }

    #[test]
    fn several_values_in_a_variable_are_words() {
        let one = |name: &'static str, value: &'static str| {
            let given = environment(|asked| (asked == name).then(|| value.to_owned()))?;
            settings(&given, Path::new("/here"))
        };
        assert_eq!(one("PINION_BIND", ":1 unix:x").unwrap().bind.len(), 2);
        let env = one("PINION_ENV", "A=1 'B=two words'").unwrap().env;
        assert_eq!(env[1].value, "two words");
        assert_eq!(one("PINION_RELOAD", "").unwrap(), Settings::default());
        for (name, value, said) in [
            ("PINION_BIND", "'x", "PINION_BIND: \"'x\" is not words, with each quote closed"),
            ("PINION_RELOAD", "maybe", "PINION_RELOAD: \"maybe\" is not true or false"),
            ("PINION_THREADS", "x", "PINION_THREADS: \"x\" is not a whole number from 1 to 4096"),
        ] {
            assert_eq!(one(name, value).unwrap_err().to_string(), said);
        }
    }

    #[test]
    fn what_is_not_understood_is_told_by_line() {
        for (text, problem) in [
            ("[serve]\nbindd = ':1'", "/p/pinion.toml:2: no option is called \"bindd\""),
            ("[serve]\n\nprocesses = true", "/p/pinion.toml:3: processes is no number"),
            ("[serve]\nreload = 3", "/p/pinion.toml:2: reload is no true or false"),
            ("[serve]\nbind = [1]", "/p/pinion.toml:2: bind is no string or list of strings"),
            ("[serve]\nuser = 33", "/p/pinion.toml:2: user is no string"),
            (
                "[serve]\nidle-timeout = true",
                "/p/pinion.toml:2: idle-timeout is no number of seconds",
            ),
        ] {
            assert_eq!(read(text).unwrap_err().to_string(), problem);
        }
        let error = read("[serve\n").unwrap_err().to_string();
        assert!(error.starts_with("/p/pinion.toml: line 1: "), "{error}");
        assert_eq!(read("[serve]\nbindd = ':1'").unwrap_err().hint(), "did you mean `bind`?");
        assert!(read("[deploy]\nbindd = 1").unwrap().is_empty());
        let given = read("[serve]\n\nthreads = '0'").unwrap();
        assert_eq!(
            settings(&given, Path::new("/")).unwrap_err().to_string(),
            "/p/pinion.toml:3: threads: \"0\" is not a whole number from 1 to 4096"
        );
    }
}
