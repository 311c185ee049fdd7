//! `pinion undeploy`.

use clap::Args;
use pinion_deploy::{DeployError, Exit};

use crate::project::ProjectArguments;
use crate::say;

/// Options of `pinion undeploy`.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    project: ProjectArguments,
}

/// Finds the project.
pub(crate) fn run(arguments: &Arguments) -> Result<Exit, DeployError> {
    let deployment = arguments.project.load()?;
    say::line(&deployment.project);
    Ok(Exit::Done)
}
