//! What cargo built, read from its messages.

use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::failure::{Failure, Result};

/// What kind of file a package builds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// An executable.
    Bin,
    /// A shared library for C.
    Cdylib,
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Self::Bin => "bin",
            Self::Cdylib => "cdylib",
        }
    }
}

/// The files of a build.
#[derive(Debug)]
pub(super) struct Artifacts(Vec<(String, &'static str, PathBuf)>);

impl Artifacts {
    /// Reads the lines of `cargo build --message-format=json`.
    pub(super) fn read(messages: &str) -> Self {
        let messages = messages.lines().filter_map(|line| serde_json::from_str(line).ok());
        Self(messages.flat_map(|message| files(&message)).collect())
    }

    /// The file of `kind` that `package` built.
    pub(super) fn find(&self, package: &str, kind: Kind) -> Result<&Path> {
        let found = self.0.iter().find(|(name, is, _)| name == package && *is == kind.name());
        found.map(|(_, _, file)| file.as_path()).ok_or_else(|| {
            Failure::wrong(
                format!("package {package} built no {}", kind.name()),
                format!("see [lib] and [[bin]] in the Cargo.toml of {package}"),
            )
        })
    }
}

fn files(message: &Value) -> Vec<(String, &'static str, PathBuf)> {
    if message["reason"] != "compiler-artifact" {
        return Vec::new();
    }
    let package = package_name(message["package_id"].as_str().unwrap_or_default());
    let has = |kind: Kind| {
        message["target"]["kind"]
            .as_array()
            .is_some_and(|kinds| kinds.iter().any(|k| k == kind.name()))
    };
    let names = message["filenames"].as_array().into_iter().flatten().filter_map(Value::as_str);
    if has(Kind::Bin) {
        return message["executable"]
            .as_str()
            .map(|file| (package, Kind::Bin.name(), PathBuf::from(file)))
            .into_iter()
            .collect();
    }
    if has(Kind::Cdylib) {
        return names
            .filter(|name| name.ends_with(".so"))
            .map(|name| (package.clone(), Kind::Cdylib.name(), PathBuf::from(name)))
            .collect();
    }
    Vec::new()
}

/// The name in a package id: `path+file:///x/crates/cli#pinion@0.1.0`, or without the name where
/// the folder is called the same: `path+file:///x/mod_pinion#0.1.0`.
fn package_name(id: &str) -> String {
    let (source, fragment) = id.split_once('#').unwrap_or((id, ""));
    match fragment.split_once('@') {
        Some((name, _)) => name.to_owned(),
        None => source.rsplit('/').next().unwrap_or_default().to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MESSAGES: &str = r#"
{"reason":"compiler-artifact","package_id":"path+file:///x/crates/cli#pinion@0.1.0","target":{"kind":["bin"]},"filenames":["/t/pinion"],"executable":"/t/pinion"}
{"reason":"compiler-artifact","package_id":"path+file:///x/crates/mod_pinion#0.1.0","target":{"kind":["cdylib","rlib"]},"filenames":["/t/libmod_pinion.so","/t/libmod_pinion.rlib"],"executable":null}
not json
{"reason":"build-finished","success":true}
"#;

    #[test]
    fn finds_executables_and_libraries_by_package() {
        let artifacts = Artifacts::read(MESSAGES);
        assert_eq!(artifacts.find("pinion", Kind::Bin).unwrap(), Path::new("/t/pinion"));
        let module = artifacts.find("mod_pinion", Kind::Cdylib).unwrap();
        assert_eq!(module, Path::new("/t/libmod_pinion.so"));
    }

    #[test]
    fn names_the_package_that_built_nothing() {
        let failure = Artifacts::read(MESSAGES).find("pinion", Kind::Cdylib).unwrap_err();
        assert_eq!(failure.to_string(), "package pinion built no cdylib");
    }
}
