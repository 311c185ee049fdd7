//! How a plan goes on, shown on a terminal; elsewhere only what is worth keeping is printed.

use std::io::IsTerminal;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use pinion_deploy::plan::{Outcome, Progress};

use crate::say;

/// Shows steps on standard error: a spinner for the one at work, a line for each that is done.
#[derive(Debug)]
pub(crate) struct Steps {
    spinner: Option<ProgressBar>,
}

impl Steps {
    /// For standard error as it is: without a terminal there is no spinner.
    pub(crate) fn new() -> Self {
        let spinner = std::io::stderr().is_terminal().then(|| {
            let bar = ProgressBar::new_spinner();
            if let Ok(style) = ProgressStyle::with_template("{spinner} {prefix} {msg} ({elapsed})")
            {
                bar.set_style(style);
            }
            bar
        });
        Self { spinner }
    }

    fn line(&self, text: &str) {
        match &self.spinner {
            Some(bar) => bar.suspend(|| say::line(text)),
            None => say::line(text),
        }
    }
}

impl Progress for Steps {
    fn carries_on(&mut self, step: Option<&str>) {
        match step {
            Some(step) => {
                self.line(&format!("carrying on a run that stopped in its step `{step}`"))
            }
            None => self.line("carrying on a run that stopped"),
        }
    }

    fn begins(&mut self, number: usize, of: usize, title: &str) {
        if let Some(bar) = &self.spinner {
            bar.reset();
            bar.set_prefix(format!("{number}/{of}"));
            bar.set_message(title.to_owned());
            bar.enable_steady_tick(Duration::from_millis(100));
        }
    }

    fn ends(&mut self, title: &str, outcome: Outcome, notes: &[String]) {
        if let Some(bar) = &self.spinner {
            bar.disable_steady_tick();
            bar.finish_and_clear();
        }
        let word = match outcome {
            Outcome::Done => "done",
            Outcome::NothingToDo => "as it should be",
            Outcome::Failed => "FAILED",
        };
        self.line(&format!("{word:>15}  {title}"));
        for note in notes {
            self.line(&format!("{:>15}  {note}", ""));
        }
    }

    fn puts_back(&mut self) {
        self.line("putting back what was changed");
    }
}
