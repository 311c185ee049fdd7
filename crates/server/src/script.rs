//! The script by which workers load the application.
//!
//! A WSGI script is loaded as it is. For all else a small one is made in a private folder, which goes away with the server.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use minijinja::context;
use pinion_deploy::error::FileError;
use pinion_deploy::folder::{Source, application_of};
use pinion_deploy::project::Kind;
use pinion_deploy::render::{RenderError, render};
use pinion_wire::message::Identity;

use crate::error::Result;
use crate::folder::Folder;
use crate::target::Found;

/// How often a script is written whose folder somebody removes meanwhile.
const TRIES: usize = 3;

/// What workers load.
#[derive(Debug)]
pub struct Script {
    /// The file.
    pub path: PathBuf,
    /// The callable in it.
    pub callable: String,
    /// Where it was made, if it was.
    folder: Option<Folder>,
}

impl Script {
    /// The project's own script with `callable` in it, or one that is made now, readable for the workers' user.
    ///
    /// # Errors
    /// A name that Python cannot hold, or no folder can be made.
    pub fn of(found: &Found, callable: &str, identity: Option<&Identity>) -> Result<Self> {
        if let Kind::Script(path) = &found.project.kind {
            let (path, callable) = (path.clone(), callable.to_owned());
            return Ok(Self { path, callable, folder: None });
        }
        let text = text(found)?;
        let callable = "application".to_owned();
        let folder = Folder::make(0o700)?;
        let path = folder.path().join(format!("{}.wsgi", plain(&found.project.name)));
        let mut script = Self { path, callable, folder: Some(folder) };
        script.write(&text, identity)?;
        Ok(script)
    }

    /// Makes it anew for what is found now. Its path stays: workers know the application by it.
    ///
    /// # Errors
    /// As [`Self::of`].
    pub fn renew(
        &mut self,
        found: &Found,
        callable: &str,
        identity: Option<&Identity>,
    ) -> Result<()> {
        if self.folder.is_none() {
            callable.clone_into(&mut self.callable);
            return Ok(());
        }
        self.write(&text(found)?, identity)
    }

    /// Whether it was made.
    pub fn is_made(&self) -> bool {
        self.folder.is_some()
    }

    /// Writes what is not there already, so that an unchanged script keeps its time.
    fn write(&mut self, text: &str, identity: Option<&Identity>) -> Result<()> {
        let (Some(folder), Some(name)) = (&mut self.folder, self.path.file_name()) else {
            return Ok(());
        };
        let name = name.to_string_lossy();
        let mut tries = 1..TRIES;
        loop {
            folder.restore()?;
            if fs::read_to_string(&self.path).is_ok_and(|present| present == text) {
                return Ok(());
            }
            match folder.put(&name, text, identity) {
                Err(gone) if gone.kind() == ErrorKind::NotFound && tries.next().is_some() => {}
                done => return Ok(done.map_err(FileError::at("write", &self.path))?),
            }
        }
    }
}

/// The text of a script for a project that has none.
///
/// # Errors
/// A name or path that Python cannot hold.
pub fn text(found: &Found) -> Result<String, RenderError> {
    let project = &found.project;
    let ini = project.kind.paste().map(|ini| ini.file.as_path()).unwrap_or(Path::new(""));
    let logging = project.configures_logging();
    let mut sources = found.sources();
    // Each is put before the one that was put before it.
    sources.reverse();
    let sources: Vec<_> = sources.iter().map(|path| path.to_string_lossy().into_owned()).collect();
    let head = render(
        "the WSGI script",
        include_str!("../templates/head.j2"),
        context! { title => found.title(), sources },
    )?;
    let source = Source { ini, section: &found.section, logging };
    Ok(head + &application_of(project, &source, Path::to_owned)?)
}

/// A name as a file has it.
fn plain(name: &str) -> String {
    let fits = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    name.chars().map(|c| if fits(c) { c } else { '_' }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::target::Target;
    use std::os::unix::fs::MetadataExt;

    fn found(files: &[(&str, &str)], target: Option<&str>) -> (tempfile::TempDir, Found) {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in files {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        let found = Target::parse(target, folder.path()).unwrap().find(folder.path()).unwrap();
        (folder, found)
    }

    #[test]
    fn a_script_of_the_projects_own_is_taken_as_it_is() {
        let (folder, found) = found(&[("x.wsgi", "")], Some("x.wsgi"));
        let script = Script::of(&found, "app", None).unwrap();
        assert_eq!(script.path, folder.path().join("x.wsgi"));
        assert_eq!(script.callable, "app");
    }

    #[test]
    fn a_made_script_is_private_and_goes_away() {
        let (_folder, found) = found(&[("src/x", "")], Some("shop.web:make()"));
        let script = Script::of(&found, "ignored", None).unwrap();
        let path = script.path.clone();
        let mode = |path: &Path| fs::metadata(path).unwrap().mode() & 0o777;
        assert_eq!((mode(&path), mode(path.parent().unwrap())), (0o400, 0o700));
        assert_eq!(script.callable, "application");
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.contains("from shop.web import make\n\napplication = make()\n"), "{text}");
        let root = found.project.root.display();
        assert!(text.contains(&format!("[\"{root}\", \"{root}/src\"]")), "{text}");
        drop(script);
        assert!(!path.exists() && !path.parent().unwrap().exists());
    }

    #[test]
    fn a_script_that_somebody_has_removed_is_made_again() {
        let (_folder, found) = found(&[], Some("shop:app"));
        let mut script = Script::of(&found, "", None).unwrap();
        let folder = script.path.parent().unwrap().to_owned();
        fs::remove_dir_all(&folder).unwrap();
        script.renew(&found, "", None).unwrap();
        assert!(fs::read_to_string(&script.path).unwrap().contains("from shop import app"));
        drop(script);
        assert!(!folder.exists());
    }

    #[test]
    fn an_ini_file_is_loaded_with_its_logging() {
        let ini = "[app:main]\nuse = egg:shop\n[formatters]\nkeys = generic\n";
        let (folder, found) = found(&[("x.ini", ini)], Some("config:x.ini#admin"));
        let text = text(&found).unwrap();
        assert!(text.contains("fileConfig("), "{text}");
        let file = folder.path().join("x.ini");
        assert!(text.contains(&format!("CONFIGURATION = \"{}\"", file.display())), "{text}");
        assert!(text.contains("name=\"admin\")"), "{text}");
    }
}
