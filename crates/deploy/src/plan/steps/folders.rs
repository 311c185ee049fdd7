//! Folders that the application writes to.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;

use crate::account::{self, Account};
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
}

impl Folders {
    fn is_given(&self, folder: &Folder) -> bool {
        fs::metadata(&folder.path).is_ok_and(|meta| {
            let own = meta.uid() == self.account.uid || !account::is_root();
            meta.is_dir() && own && meta.mode() & 0o300 == 0o300
        })
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
        Ok(self.folders.iter().all(|folder| self.is_given(folder)))
    }

    fn run(&self, run: &mut Run<'_>) -> Result<Vec<String>, PlanError> {
        for folder in self.folders.iter().filter(|folder| !self.is_given(folder)) {
            if folder.data && !folder.path.exists() {
                run.note(Change::Data { path: folder.path.clone() })?;
            }
            run.folder(&folder.path, &self.account, folder.mode)?;
        }
        Ok(Vec::new())
    }
}
