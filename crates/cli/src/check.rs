//! `pinion check`.

use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use pinion_deploy::apache;
use pinion_deploy::check::{self, Report, Subject};
use pinion_deploy::{DeployError, Deployment, Exit};

use crate::parameters::Parameters;
use crate::say;

/// Options of `pinion check`.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// A project's folder, an Apache configuration file, or the folder of Apache's configuration
    #[arg(value_name = "WHAT", default_value = ".")]
    what: PathBuf,
    /// The configuration of the Apache that a project is deployed to: its folder or main file [default: the system's]
    #[arg(long, value_name = "PATH")]
    apache_config: Option<PathBuf>,
    /// How the result is written
    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,
    /// End with status 1 when there are warnings
    #[arg(long)]
    strict: bool,
    #[command(flatten)]
    parameters: Parameters,
}

/// How the result is written.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum Format {
    /// For people
    Table,
    /// One object, for machines
    Json,
}

/// Examines what was named.
pub(crate) fn run(arguments: &Arguments) -> Result<Exit, DeployError> {
    let report = check::examine(&subject(arguments)?)?;
    print(&report, arguments.format);
    Ok(report.exit(arguments.strict))
}

/// A folder with a configuration of Apache's is one; any other is a project's.
fn subject(arguments: &Arguments) -> Result<Subject, DeployError> {
    let path: &Path = &arguments.what;
    if !path.is_dir() || check::is_apache(path) {
        return check::configuration(path);
    }
    let deployment = Deployment::load(path, &arguments.parameters.0)?;
    let apache = match &arguments.apache_config {
        Some(named) => Some(apache::find(Some(named))?),
        // Without one, the project itself is examined; that Apache is missing is among the warnings.
        None => apache::find(None).ok(),
    };
    check::deployment(deployment, apache.as_ref())
}

fn print(report: &Report, format: Format) {
    match format {
        Format::Table => say::line(report),
        Format::Json => say::line(format_args!("{:#}", report.json())),
    }
}
