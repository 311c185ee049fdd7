//! A project with its settings and paths: what every command begins with.

use std::path::Path;

use crate::error::Result;
use crate::layout::Layout;
use crate::project::Project;
use crate::settings::{Choices, Given, Settings};
use crate::store::Store;

/// A project, how it is to be deployed, and where everything is.
#[derive(Debug, Clone)]
pub struct Deployment {
    /// What is deployed.
    pub project: Project,
    /// How.
    pub settings: Settings,
    /// Where everything is.
    pub layout: Layout,
    /// The project's `pinion.toml`, with what was given now; not written yet.
    pub store: Store,
}

impl Deployment {
    /// Recognises the project in `root` and completes its settings: from `given`, what the command
    /// line says, else from `pinion.toml`, else the defaults. Nothing is written.
    ///
    /// # Errors
    /// There is no project, or a value is not what its parameter takes.
    pub fn load(root: &Path, given: &[Given]) -> Result<Self> {
        let mut store = Store::read(root)?;
        let all: Vec<Given> = given.iter().chain(store.given()).cloned().collect();
        let choices = Choices::read(&all)?;
        let project = Project::find(root, &choices)?;
        let settings = Settings::complete(choices, &project.name)?;
        let layout = Layout::new(&project, &settings);
        store.keep(given);
        Ok(Self { project, settings, layout, store })
    }
}
