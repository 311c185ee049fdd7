//! A plan as a person reads it.

use std::fmt::Write as _;

use super::{Plan, PlanError};

/// The plan: each step with what it changes and what a person would type; those that are done are
/// marked.
///
/// # Errors
/// Something that a step is about is there, but broken.
pub fn show(plan: &Plan) -> Result<String, PlanError> {
    let mut text = String::new();
    let steps = plan.steps.len();
    // Writing to a string cannot fail.
    let _ = writeln!(
        text,
        "plan for {}: {steps} steps, Apache's configuration in {}",
        plan.site,
        plan.apache.root.display()
    );
    let mut todo = false;
    for (number, step) in (1..).zip(&plan.steps) {
        let done = step.is_done()? || (step.only_after_changes() && !todo);
        todo |= !done && step.changes() != "nothing";
        let mark = if done { " (nothing to do)" } else { "" };
        let _ = writeln!(text, "\n{number:>3}. {}{mark}", step.title());
        if done {
            continue;
        }
        let changes = step.changes();
        if !changes.is_empty() {
            let _ = writeln!(text, "     {changes}");
        }
        for command in step.commands() {
            let _ = writeln!(text, "     $ {command}");
        }
    }
    Ok(text)
}
