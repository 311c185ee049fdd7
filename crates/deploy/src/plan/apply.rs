//! Doing a plan.

use super::change::Change;
use super::journal::{Journal, Record, Store};
use super::{Plan, PlanError, Run, Step, undo};
use crate::apache::Apache;
use crate::error::{Advice, FileError};
use crate::interrupt::Interrupt;

/// Is told how a run goes on.
pub trait Progress {
    /// A half-finished earlier run was found, which stopped in that step, and is carried on.
    fn carries_on(&mut self, step: Option<&str>);
    /// A step begins.
    fn begins(&mut self, number: usize, of: usize, title: &str);
    /// The step that began last is done, or was found done.
    fn ends(&mut self, title: &str, outcome: Outcome, notes: &[String]);
    /// Things are being put back.
    fn puts_back(&mut self);
}

/// How a step ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It was done.
    Done,
    /// There was nothing to do.
    NothingToDo,
    /// It failed.
    Failed,
}

/// Why a run ended early, and what became of what it had changed.
#[derive(Debug)]
pub struct Failure {
    /// What failed.
    pub error: Box<PlanError>,
    /// What could not be put back; `None` when all was.
    pub left: Option<Box<PlanError>>,
}

impl From<PlanError> for Failure {
    /// For what fails before anything was changed.
    fn from(error: PlanError) -> Self {
        Self { error: error.into(), left: None }
    }
}

/// Does the plan's steps. When one fails, or somebody asks to stop, all that this run changed is
/// put back. A step that only a person can do ends the run, and what was done before it stays.
///
/// # Errors
/// What failed, after everything was put back, or with what could not be.
pub fn apply(
    plan: &Plan,
    store: &Store,
    interrupt: &Interrupt,
    progress: &mut dyn Progress,
) -> Result<(), Failure> {
    let unfinished = store.is_unfinished();
    let record = store.record()?.unwrap_or_else(|| Record::new(&plan.site, &plan.project));
    let mut journal = store.journal()?;
    if unfinished {
        resume(&mut journal, &plan.apache, progress)?;
    }
    let before = journal.changes().len();
    let record = Record { project: plan.project.clone(), ..record };
    match do_all(&plan.steps, store, &mut journal, interrupt, progress) {
        Ok(()) => Ok(store.finish(record, &journal.changes())?),
        Err(error @ PlanError::Left { .. }) => {
            store.finish(record, &journal.changes())?;
            Err(error.into())
        }
        Err(error) => {
            if journal.changes().len() > before || before > 0 {
                progress.puts_back();
            }
            Err(put_back(error, store, &journal, &plan.apache))
        }
    }
}

/// Does steps that belong to no site, such as making a virtualenv; put back when one fails.
///
/// # Errors
/// What failed, after everything was put back, or with what could not be.
pub fn apply_alone(
    steps: Vec<Box<dyn Step>>,
    interrupt: &Interrupt,
    progress: &mut dyn Progress,
) -> Result<(), Failure> {
    let folder = tempfile::Builder::new().prefix("pinion-").tempdir();
    let folder = folder.map_err(|error| {
        PlanError::from(FileError::at("make a folder in", &std::env::temp_dir())(error))
    })?;
    let store = Store::open(folder.path(), "steps")?;
    let mut journal = store.journal()?;
    match do_all(&steps, &store, &mut journal, interrupt, progress) {
        Ok(()) => Ok(()),
        Err(error) => {
            if !journal.changes().is_empty() {
                progress.puts_back();
            }
            let left = undo(&journal.changes(), None, &[]).err().map(Box::new);
            Err(Failure { error: error.into(), left })
        }
    }
}

/// Undoes the step in which an earlier run stopped; the steps that it did stay done.
fn resume(
    journal: &mut Journal,
    apache: &Apache,
    progress: &mut dyn Progress,
) -> Result<(), PlanError> {
    let broken_off = journal.broken_off();
    progress.carries_on(broken_off.as_ref().map(|(step, _)| step.as_str()));
    if let Some((_, changes)) = broken_off {
        undo(&changes, Some(apache), &[])?;
        journal.forget_broken_off()?;
    }
    Ok(())
}

fn do_all(
    steps: &[Box<dyn Step>],
    store: &Store,
    journal: &mut Journal,
    interrupt: &Interrupt,
    progress: &mut dyn Progress,
) -> Result<(), PlanError> {
    let mut changed = !journal.changes().is_empty();
    for (at, step) in steps.iter().enumerate() {
        if interrupt.came() {
            return Err(PlanError::Interrupted);
        }
        let title = step.title();
        progress.begins(at + 1, steps.len(), &title);
        let skipped = step.only_after_changes() && !changed;
        if skipped || step.is_done()? {
            progress.ends(&title, Outcome::NothingToDo, &[]);
            continue;
        }
        journal.begin(step.id())?;
        let before = journal.changes().len();
        let mut run = Run::new(journal, interrupt, store.kept());
        let done = step.run(&mut run);
        let outcome = if done.is_ok() { Outcome::Done } else { Outcome::Failed };
        progress.ends(&title, outcome, done.as_deref().unwrap_or_default());
        done?;
        let answered = |change: &Change| matches!(change, Change::Answered { .. });
        changed |= journal.changes()[before..].iter().any(|change| !answered(change));
        journal.end(step.id())?;
    }
    Ok(())
}

/// Undoes all that the run changed, and forgets the run where that succeeded.
fn put_back(error: PlanError, store: &Store, journal: &Journal, apache: &Apache) -> Failure {
    let undone = undo(&journal.changes(), Some(apache), &[]);
    let left = match undone {
        Ok(()) => store.abandon().err(),
        Err(left) => Some(left),
    };
    Failure { error: error.into(), left: left.map(Box::new) }
}

impl Failure {
    /// The message for the operator: what failed, what became of the changes, what to do.
    pub fn message(&self) -> String {
        let error = &self.error;
        let mut text = format!("{}: {error}", error.code());
        let line = |text: &mut String, more: &str| {
            text.push('\n');
            text.push_str(more);
        };
        if let Some(left) = &self.left {
            line(&mut text, &format!("{}: {left}", left.code()));
            line(&mut text, &format!("hint: {}", left.hint()));
        }
        let hint = error.hint();
        if !hint.is_empty() {
            line(&mut text, &format!("hint: {hint}"));
        }
        text
    }

    /// Whether all that the run changed was put back.
    pub fn is_put_back(&self) -> bool {
        self.left.is_none() && !matches!(*self.error, PlanError::Left { .. })
    }
}
