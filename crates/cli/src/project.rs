//! The options with which each deployment command finds its project.

use std::path::PathBuf;

use clap::Args;
use pinion_deploy::{DeployError, Deployment};

use crate::parameters::Parameters;

/// Which project, and its parameters.
#[derive(Debug, Args)]
pub(crate) struct ProjectArguments {
    /// The project's folder
    #[arg(value_name = "PROJECT", default_value = ".")]
    pub(crate) folder: PathBuf,
    #[command(flatten)]
    pub(crate) parameters: Parameters,
}

impl ProjectArguments {
    /// The project with its settings and paths.
    pub(crate) fn load(&self) -> Result<Deployment, DeployError> {
        Deployment::load(&self.folder, &self.parameters.0)
    }
}
