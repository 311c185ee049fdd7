//! `pinion deploy --apply`.

use std::path::{Path, PathBuf};

use clap::Args;
use pinion_deploy::apache::{self, Apache};
use pinion_deploy::error::FileError;
use pinion_deploy::generation::{Generation, MadeConfig};
use pinion_deploy::interrupt::Interrupt;
use pinion_deploy::keep::{State, compare, sealed};
use pinion_deploy::plan::{Options, PlanError, Store, Target, apply, deploy_plan, show};
use pinion_deploy::sight::Sight;
use pinion_deploy::{DeployError, Deployment, Exit, write};

use crate::env::{Install, ended};
use crate::progress::Steps;
use crate::say;

/// Options of `--apply`.
#[derive(Debug, Args)]
pub(crate) struct Apply {
    /// Do the steps too: show the plan, do it, ask for the first page; with --dry-run, only show it
    #[arg(long)]
    pub(crate) apply: bool,
    #[command(flatten)]
    pub(crate) apache: ApacheArgument,
    /// Leave the database as it is: no setup-app, no migrations
    #[arg(long, help_heading = "With --apply")]
    no_setup: bool,
    #[command(flatten)]
    install: Install,
}

/// Which Apache is meant.
#[derive(Debug, Args)]
pub(crate) struct ApacheArgument {
    /// The Apache to deploy to: the folder of its configuration, or its main file [default: the system's]
    #[arg(long, value_name = "PATH", help_heading = "Apache")]
    apache_config: Option<PathBuf>,
}

impl ApacheArgument {
    /// The Apache that is meant.
    pub(crate) fn find(&self) -> Result<Apache, PlanError> {
        Ok(apache::find(self.apache_config.as_deref())?)
    }
}

/// Shows the plan and, unless this is a dry run, does it.
pub(crate) fn run(
    arguments: &Apply,
    deployment: Deployment,
    dry_run: bool,
    may_replace: impl Fn(&Path, &str) -> bool,
) -> Result<Exit, DeployError> {
    let apache = arguments.apache.find()?;
    let sight = Sight { apache: apache.root.clone(), ..Sight::system() };
    let generation = Generation::plan(&deployment, &sight)?;
    let files = texts(&generation, dry_run, &may_replace)?;
    let ini = production_ini(&deployment)?;
    let options = Options { no_setup: arguments.no_setup, ..arguments.install.options()? };
    let module =
        sight.module.clone().unwrap_or_else(|| "/usr/lib/apache2/modules/mod_pinion.so".into());
    let target = Target { deployment, apache, files, ini, module, options };
    let folder = target.apache.state_folder();
    let plan = deploy_plan(&target, Store::peek(&folder, &target.site())?.as_ref())?;
    say::line(show(&plan)?);
    if dry_run {
        return Ok(Exit::Done);
    }
    generation.write(&may_replace)?;
    let interrupt = Interrupt::install().map_err(FileError::at("watch", Path::new("signals")))?;
    let store = Store::open(&folder, &target.site())?;
    let exit = ended(apply(&plan, &store, &interrupt, &mut Steps::new()));
    store.close();
    // With all that done, the README has fewer steps left.
    Generation::plan(&target.deployment, &sight)?.write(|_, _| false)?;
    Ok(exit)
}

/// The generated files' texts: as they would be written, or as a person left them.
fn texts(
    generation: &Generation,
    dry_run: bool,
    may_replace: impl Fn(&Path, &str) -> bool,
) -> Result<Vec<(String, String)>, DeployError> {
    let mut texts = Vec::new();
    for file in generation.files() {
        let name = file.path.file_name().map(|name| name.to_string_lossy().into_owned());
        // The README is for the project's folder: what is left to do there changes.
        let Some(name) = name.filter(|name| name != "README.txt") else { continue };
        let present = write::read(&file.path)?;
        let text = match (compare(present.as_deref(), file), present) {
            (State::Edited { diff }, Some(present))
                if dry_run || !may_replace(&file.path, &diff) =>
            {
                present
            }
            _ => sealed(&file.text),
        };
        texts.push((name, text));
    }
    Ok(texts)
}

/// The ini file for production, where neither the project nor the deployed application has one.
fn production_ini(deployment: &Deployment) -> Result<Option<(PathBuf, String)>, DeployError> {
    let layout = &deployment.layout;
    let own = layout.project.join(&deployment.settings.ini);
    let development = layout.project.join("development.ini");
    let needed = deployment.project.kind.paste().is_some() && !own.exists() && !layout.ini.exists();
    if !needed || !development.exists() {
        return Ok(None);
    }
    let made = MadeConfig::plan(deployment)?;
    Ok(Some((development, made.text().to_owned())))
}
