//! What a step of a plan is.

use super::{PlanError, Run};

/// One step: shown before it is done, and done again without harm.
pub trait Step {
    /// A word for the journal, unique in a plan.
    fn id(&self) -> &'static str;

    /// What it does, as in "copy the project to /usr/local/turbogears/myapp".
    fn title(&self) -> String;

    /// What it changes, in a few words; empty where the title says it.
    fn changes(&self) -> String {
        String::new()
    }

    /// What a person would type.
    fn commands(&self) -> Vec<String>;

    /// Whether there is nothing left to do.
    ///
    /// # Errors
    /// What it is about is there, but broken.
    fn is_done(&self) -> Result<bool, PlanError>;

    /// Whether it is of use only when a step before it changed something.
    fn only_after_changes(&self) -> bool {
        false
    }

    /// Does it, and returns what is worth telling.
    ///
    /// # Errors
    /// It failed; the journal has what is to be undone.
    fn run(&self, run: &mut Run<'_>) -> Result<Vec<String>, PlanError>;
}
