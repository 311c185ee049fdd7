//! `pinion deploy`.

use std::io::IsTerminal as _;
use std::path::{Path, PathBuf};

use clap::Args;
use pinion_deploy::generation::{Generation, MadeConfig, Report};
use pinion_deploy::settings::ServerAccount;
use pinion_deploy::sight::Sight;
use pinion_deploy::write::Written;
use pinion_deploy::{DeployError, Deployment, Exit};

use crate::apply::Apply;
use crate::project::ProjectArguments;
use crate::say;

/// Options of `pinion deploy`.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    project: ProjectArguments,
    /// Make the ini file from development.ini: debug off, fresh secrets, data outside of the project
    #[arg(long)]
    make_config: bool,
    /// Replace generated files that were edited without asking
    #[arg(long)]
    overwrite: bool,
    /// Write nothing; say what would be written
    #[arg(long, alias = "simulate", short = 'n')]
    dry_run: bool,
    #[command(flatten)]
    apply: Apply,
}

/// Generates the folder, and says what is missing.
pub(crate) fn run(arguments: &Arguments) -> Result<Exit, DeployError> {
    let mut deployment = arguments.project.load()?;
    let mut sight = Sight::system();
    if let Ok(apache) = arguments.apply.apache.find() {
        deployment.settings.server = ServerAccount::of(&apache);
        sight.apache = apache.root;
    }
    introduce(&deployment);
    if arguments.apply.apply {
        let may_replace = |path: &Path, diff: &str| arguments.may_replace(path, diff);
        return crate::apply::run(&arguments.apply, deployment, arguments.dry_run, may_replace);
    }
    let config = arguments.make_config.then(|| MadeConfig::plan(&deployment)).transpose()?;
    let generation = Generation::plan(&deployment, &sight)?;
    if arguments.dry_run {
        for file in generation.files() {
            say::line(format_args!("would write {}", file.path.display()));
        }
        return Ok(Exit::Done);
    }
    let made = config
        .map(|config| {
            config.write(&deployment, &sight, |path, diff| arguments.may_replace(path, diff))
        })
        .transpose()?;
    // With the ini file there, less is missing.
    let generation =
        if made.is_some() { Generation::plan(&deployment, &sight)? } else { generation };
    let mut report = generation.write(|path, diff| arguments.may_replace(path, diff))?;
    report.files.extend(made);
    conclude(&deployment, &report);
    Ok(if report.left_any() { Exit::Attention } else { Exit::Done })
}

impl Arguments {
    /// Shows the difference and, on a terminal, asks.
    fn may_replace(&self, path: &Path, diff: &str) -> bool {
        if self.overwrite {
            return true;
        }
        say::line(diff.trim_end());
        let ask = std::io::stdin().is_terminal() && std::io::stderr().is_terminal();
        let question = format!("{} was edited. Replace it?", path.display());
        ask && dialoguer::Confirm::new()
            .with_prompt(question)
            .default(false)
            .interact_opt()
            .is_ok_and(|answer| answer == Some(true))
    }
}

/// What was found, with the names that are easily confused told apart.
fn introduce(deployment: &Deployment) {
    let layout = &deployment.layout;
    say::line(&deployment.project);
    let none = || PathBuf::from("none");
    for (name, path) in [
        ("deployed application", layout.deployed.clone()),
        ("its virtualenv", layout.virtualenv.clone().unwrap_or_else(none)),
        ("baseline below it", layout.baseline.clone().unwrap_or_else(none)),
    ] {
        say::line(format_args!("  {name:<21} {}", path.display()));
    }
}

fn conclude(deployment: &Deployment, report: &Report) {
    for (path, written) in &report.files {
        let path = path.display();
        match written {
            Written::Made => say::line(format_args!("wrote {path}")),
            Written::Replaced => say::line(format_args!("wrote {path} anew")),
            Written::Same => say::line(format_args!("{path} is up to date")),
            Written::Left => say::line(format_args!(
                "warning PIN0508: {path} was edited, and is left as it is\n  hint: take the difference over, or run pinion deploy --overwrite"
            )),
        }
    }
    for finding in &report.findings {
        say::line(finding);
    }
    let readme = deployment.layout.output.join(&deployment.layout.files.readme);
    say::line(format_args!("the steps that are left: {}", readme.display()));
}
