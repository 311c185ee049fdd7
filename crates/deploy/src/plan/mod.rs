//! Plans: steps that deploy a site or take it away, shown first, done one by one, put back when
//! one fails.

mod apply;
mod cause;
mod change;
mod deploy;
mod error;
pub(crate) mod files;
mod journal;
mod preflight;
mod run;
mod show;
mod step;
pub mod steps;
mod undeploy;
mod undo;
mod writable;

pub use apply::{Failure, Outcome, Progress, apply, apply_alone};
pub use change::{Change, Part};
pub use deploy::{Options, Target, deploy_plan, python};
pub use error::PlanError;
pub use journal::{Journal, Record, Store};
pub use run::Run;
pub use show::show;
pub use step::Step;
pub use undeploy::{Removal, undeploy};
pub use undo::undo;

use std::path::PathBuf;

use crate::apache::Apache;

/// The steps that deploy a site, in order.
pub struct Plan {
    /// The site's name among Apache's.
    pub site: String,
    /// The project.
    pub project: PathBuf,
    /// The Apache.
    pub apache: Apache,
    /// The steps.
    pub steps: Vec<Box<dyn Step>>,
}
