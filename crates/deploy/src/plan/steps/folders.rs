//! Folders that the application writes to.

use std::path::PathBuf;

use crate::account::Account;
use crate::plan::run::lacks;
use crate::plan::step::Step;
use crate::plan::{Change, PlanError, Run};
use crate::tool::quoted;

/// A folder that the application's user writes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Folder {
    /// The folder.
    pub path: PathBuf,
    /// Its permission bits.
    pub mode: u32,
    /// Whether what gets into it belongs to the site's users.
    pub data: bool,
}

/// Makes the folders that the application writes to, or gives them to its user.
#[derive(Debug)]
pub struct Folders {
    /// The folders, parents first.
    pub folders: Vec<Folder>,
    /// The application's user.
    pub account: Account,
    /// The application's own folder: what is in it may be given away.
    pub home: PathBuf,
}

impl Folders {
    fn is_given(&self, folder: &Folder) -> Result<bool, PlanError> {
        Ok(folder.path.is_dir() && !lacks(&folder.path, &self.account, &self.home)?)
    }
}

impl Step for Folders {
    fn id(&self) -> &'static str {
        "folders"
    }

    fn title(&self) -> String {
        format!("make the folders that {} writes to", self.account.user)
    }

    fn changes(&self) -> String {
        let names: Vec<_> = self.folders.iter().map(|f| f.path.display().to_string()).collect();
        names.join(", ")
    }

    fn commands(&self) -> Vec<String> {
        let Account { user, group, .. } = &self.account;
        let line = |folder: &Folder| {
            let path = quoted(folder.path.as_os_str());
            format!("install -d -o {user} -g {group} -m {:04o} {path}", folder.mode)
        };
        self.folders.iter().map(line).collect()
    }

    fn is_done(&self) -> Result<bool, PlanError> {
        for folder in &self.folders {
            if !self.is_given(folder)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn run(&self, run: &mut Run<'_>) -> Result<Vec<String>, PlanError> {
        for folder in &self.folders {
            if self.is_given(folder)? {
                continue;
            }
            if folder.data && !folder.path.exists() {
                run.note(Change::Data { path: folder.path.clone() })?;
            }
            run.folder(&folder.path, &self.account, folder.mode)?;
        }
        Ok(Vec::new())
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::{MetadataExt, lchown, symlink};

    use super::*;
    use crate::interrupt::Interrupt;
    use crate::plan::Store;

    #[test]
    fn a_link_that_the_sites_user_made_gives_nothing_away() {
        if !crate::account::is_root() {
            return;
        }
        let (folder, outside) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let data = folder.path().join("data");
        fs::create_dir(&data).unwrap();
        lchown(&data, Some(33), Some(33)).unwrap();
        let cache = data.join("cache");
        symlink(outside.path(), &cache).unwrap();
        lchown(&cache, Some(33), Some(33)).unwrap();
        let user = Account { user: "web".into(), group: "web".into(), uid: 33, gid: 33 };
        let one = Folder { path: cache.clone(), mode: 0o750, data: true };
        let home = folder.path().join("app");
        let step = Folders { folders: vec![one], account: user, home };
        let store = Store::open(&folder.path().join("state"), "x").unwrap();
        let mut journal = store.journal().unwrap();
        let interrupt = Interrupt::default();
        let mut run = Run::new(&mut journal, &interrupt, store.kept());
        let said = step.run(&mut run).unwrap_err().to_string();
        assert!(said.contains("`cache` in it is a link to "), "{said}");
        assert_eq!(outside.path().metadata().unwrap().uid(), 0);

        // What is in use is refused before anything is done.
        fs::write(outside.path().join("file"), "").unwrap();
        assert!(matches!(step.is_done(), Err(PlanError::Anothers { .. })));
    }
}
