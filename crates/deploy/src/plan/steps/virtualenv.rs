//! The two virtualenvs.

use std::path::{Path, PathBuf};

use crate::account::Account;
use crate::env::{self, EnvError, Installation, Interpreter, STAMP};
use crate::place::give_tree;
use crate::plan::files;
use crate::plan::step::Step;
use crate::plan::{Change, PlanError, Run};
use crate::tool::quoted;

/// Makes the clean virtualenv that `WSGIPythonHome` names.
#[derive(Debug)]
pub struct Baseline {
    /// Its folder.
    pub home: PathBuf,
    /// What it is made from.
    pub python: Interpreter,
    /// Whom it belongs to.
    pub account: Account,
}

impl Step for Baseline {
    fn id(&self) -> &'static str {
        "baseline"
    }

    fn title(&self) -> String {
        format!("make the baseline virtualenv {}", self.home.display())
    }

    fn changes(&self) -> String {
        format!("an empty virtualenv of Python {}", self.python.minor())
    }

    fn commands(&self) -> Vec<String> {
        let make = env::make_baseline(&self.python, &self.home).line();
        vec![make, chown(&self.account, &self.home)]
    }

    fn is_done(&self) -> Result<bool, PlanError> {
        match env::baseline_is_there(&self.home, &self.python) {
            // Another site may count on what is in it.
            Err(EnvError::NotEmpty { .. }) => Ok(true),
            other => Ok(other?),
        }
    }

    fn run(&self, run: &mut Run<'_>) -> Result<Vec<String>, PlanError> {
        run.note(Change::Shared { path: self.home.clone() })?;
        run.home(&self.home, &self.account)?;
        let make = env::make_baseline(&self.python, &self.home);
        make.within(Path::new("/")).run_as(&self.account).run(run.interrupt)?;
        Ok(Vec::new())
    }
}

/// Makes the application's virtualenv and installs the project into it.
#[derive(Debug)]
pub struct Application {
    /// What goes into it.
    pub installation: Installation,
    /// Whom it belongs to.
    pub account: Account,
}

impl Step for Application {
    fn id(&self) -> &'static str {
        "virtualenv"
    }

    fn title(&self) -> String {
        format!("make the virtualenv {}, and install into it", self.installation.home.display())
    }

    fn changes(&self) -> String {
        self.installation.summary()
    }

    fn commands(&self) -> Vec<String> {
        let mut lines = self.installation.lines();
        lines.push(chown(&self.account, &self.installation.home));
        lines
    }

    fn is_done(&self) -> Result<bool, PlanError> {
        Ok(self.installation.is_there()?)
    }

    fn run(&self, run: &mut Run<'_>) -> Result<Vec<String>, PlanError> {
        let home = &self.installation.home;
        run.home(home, &self.account)?;
        let stamp = env::install(&self.installation, &self.account, run.interrupt)?;
        files::write(&home.join(STAMP), stamp.as_bytes(), 0o644)?;
        give_tree(home, &self.account)?;
        Ok(Vec::new())
    }
}

fn chown(account: &Account, path: &Path) -> String {
    format!("chown -R {}:{} {}", account.user, account.group, quoted(path.as_os_str()))
}
