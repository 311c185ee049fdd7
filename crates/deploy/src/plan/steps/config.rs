//! Files that are generated: Apache's configuration and the script, and an ini file for production.

use std::fs;
use std::path::PathBuf;

use crate::account::Account;
use crate::plan::step::Step;
use crate::plan::{PlanError, Run};
use crate::tool::quoted;

/// Writes the generated files where they are looked for, if the project's copy does not have them.
#[derive(Debug)]
pub struct Generated {
    /// The folder that Apache sees.
    pub folder: PathBuf,
    /// Their names and contents.
    pub files: Vec<(String, String)>,
    /// What a person would type.
    pub command: String,
}

impl Step for Generated {
    fn id(&self) -> &'static str {
        "generated"
    }

    fn title(&self) -> String {
        format!("write the generated files into {}", self.folder.display())
    }

    fn changes(&self) -> String {
        let names: Vec<_> = self.files.iter().map(|(name, _)| name.as_str()).collect();
        names.join(", ")
    }

    fn commands(&self) -> Vec<String> {
        vec![self.command.clone()]
    }

    fn is_done(&self) -> Result<bool, PlanError> {
        let is = |(name, text): &(String, String)| {
            fs::read_to_string(self.folder.join(name)).is_ok_and(|found| found == *text)
        };
        Ok(self.files.iter().all(is))
    }

    fn run(&self, run: &mut Run<'_>) -> Result<Vec<String>, PlanError> {
        for (name, text) in &self.files {
            let path = self.folder.join(name);
            if fs::read_to_string(&path).is_ok_and(|found| found == *text) {
                continue;
            }
            run.write(&path, text.as_bytes(), 0o644, None)?;
        }
        Ok(Vec::new())
    }
}

/// Makes the ini file for production, at the deployment location, from the one for development.
#[derive(Debug)]
pub struct MakeIni {
    /// Where it goes.
    pub to: PathBuf,
    /// What it is made from.
    pub from: PathBuf,
    /// Its text.
    pub text: String,
    /// Whose group may read it.
    pub account: Account,
}

impl Step for MakeIni {
    fn id(&self) -> &'static str {
        "ini"
    }

    fn title(&self) -> String {
        format!("make {} from {}", self.to.display(), self.from.display())
    }

    fn changes(&self) -> String {
        "debug off, fresh secrets, data outside of the checkout, mode 0640".to_owned()
    }

    fn commands(&self) -> Vec<String> {
        let to = quoted(self.to.as_os_str());
        let group = &self.account.group;
        vec![format!(
            "pinion deploy --make-config && install -m 0640 -g {group} production.ini {to}"
        )]
    }

    fn is_done(&self) -> Result<bool, PlanError> {
        Ok(self.to.exists())
    }

    fn run(&self, run: &mut Run<'_>) -> Result<Vec<String>, PlanError> {
        let root = Account { uid: 0, user: "root".to_owned(), ..self.account.clone() };
        run.write(&self.to, self.text.as_bytes(), 0o640, Some(&root))?;
        Ok(Vec::new())
    }
}
