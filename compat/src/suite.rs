//! Suites of cases that share one Apache, and what is known of each case.

use crate::Context;
use libtest_mimic::Failed;
use pinion_testbed::{Server, Site};

/// What a check returns: nothing, or why the server does not do what the original does.
pub(crate) type Outcome = Result<(), Failed>;

/// How a case looks at the server.
#[derive(Debug, Clone, Copy)]
pub enum Check {
    /// Asks the suite's Apache.
    Shared(fn(&Context) -> Outcome),
    /// Starts Apache as it needs it.
    Alone(fn(&Server) -> Outcome),
}

/// One statement about behaviour.
#[derive(Debug, Clone)]
pub struct Case {
    /// Its name within the area.
    pub name: &'static str,
    /// The check.
    pub check: Check,
    /// Why the original is not asked, for what only Pinion promises.
    pub only_pinion: Option<&'static str>,
    /// Why Pinion is not asked, for what it leaves out on purpose.
    pub only_original: Option<&'static str>,
    /// Says what this machine lacks for it.
    pub needs: Option<fn() -> Result<(), String>>,
    /// Id and reason, while Pinion does not do this yet.
    pub gap: Option<(&'static str, &'static str)>,
}

/// Cases of one area, and the site that they share.
#[derive(Debug, Clone)]
pub struct Suite {
    /// The area's name.
    pub area: &'static str,
    /// Writes the shared site's files and configuration.
    pub site: fn(&mut Site) -> Outcome,
    /// The cases.
    pub cases: Vec<Case>,
}

impl Suite {
    /// A suite whose cases share the site that `site` describes.
    pub fn new(area: &'static str, site: fn(&mut Site) -> Outcome) -> Self {
        Self { area, site, cases: Vec::new() }
    }

    /// A suite whose cases start an Apache of their own.
    pub fn alone(area: &'static str) -> Self {
        Self::new(area, |_site| Ok(()))
    }

    /// Adds a case that asks the shared site.
    pub fn case(self, name: &'static str, check: fn(&Context) -> Outcome) -> Self {
        self.add(name, Check::Shared(check))
    }

    /// Adds a case that starts its own Apache.
    pub fn solo(self, name: &'static str, check: fn(&Server) -> Outcome) -> Self {
        self.add(name, Check::Alone(check))
    }

    /// Marks the last case as a promise of Pinion alone.
    pub fn only_pinion(mut self, reason: &'static str) -> Self {
        if let Some(case) = self.cases.last_mut() {
            case.only_pinion = Some(reason);
        }
        self
    }

    /// Marks the last case as something that Pinion leaves out on purpose.
    pub fn only_original(mut self, reason: &'static str) -> Self {
        if let Some(case) = self.cases.last_mut() {
            case.only_original = Some(reason);
        }
        self
    }

    /// Marks the last case as a known gap of Pinion; it fails once it passes, so that the mark goes.
    pub fn gap(mut self, id: &'static str, reason: &'static str) -> Self {
        if let Some(case) = self.cases.last_mut() {
            case.gap = Some((id, reason));
        }
        self
    }

    /// Has the last case left out, and shown so, where `needs` says what this machine lacks.
    pub fn needs(mut self, needs: fn() -> Result<(), String>) -> Self {
        if let Some(case) = self.cases.last_mut() {
            case.needs = Some(needs);
        }
        self
    }

    fn add(mut self, name: &'static str, check: Check) -> Self {
        let case =
            Case { name, check, only_pinion: None, only_original: None, needs: None, gap: None };
        self.cases.push(case);
        self
    }
}
