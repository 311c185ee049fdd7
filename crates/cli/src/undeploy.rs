//! `pinion undeploy`.

use std::io::IsTerminal as _;
use std::path::PathBuf;

use clap::Args;
use pinion_deploy::plan::{PlanError, Removal, Store, undeploy};
use pinion_deploy::values::SiteName;
use pinion_deploy::{DeployError, Deployment, Exit};

use crate::apply::ApacheArgument;
use crate::say;

/// Options of `pinion undeploy`.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// The project's folder
    #[arg(value_name = "PROJECT", default_value = ".")]
    folder: PathBuf,
    /// The site's name, where the project's folder is gone
    #[arg(long, value_name = "NAME", value_parser = site_name)]
    name: Option<SiteName>,
    /// Remove data too: the database, uploads, logs
    #[arg(long)]
    purge: bool,
    /// Do not ask
    #[arg(long, short)]
    yes: bool,
    /// Change nothing; say what would be removed
    #[arg(long, short = 'n')]
    dry_run: bool,
    #[command(flatten)]
    apache: ApacheArgument,
}

fn site_name(text: &str) -> Result<SiteName, String> {
    SiteName::parse(text).map_err(|expected| format!("expected {}", expected.0))
}

/// Takes a site away.
pub(crate) fn run(arguments: &Arguments) -> Result<Exit, DeployError> {
    let site = match &arguments.name {
        Some(name) => name.plain(),
        None => Deployment::load(&arguments.folder, &[])?.settings.name.plain(),
    };
    let apache = arguments.apache.find()?;
    let folder = apache.state_folder();
    if !folder.is_dir() {
        return Err(PlanError::NotDeployed { site, folder }.into());
    }
    let store = Store::open(&folder, &site)?;
    let removal = Removal::of(&store, &site, &apache)?;
    let purge =
        arguments.purge || (!removal.data.is_empty() && arguments.asks() && ask_data(&removal));
    for line in removal.lines(purge) {
        say::line(line);
    }
    let go = !arguments.dry_run && (!arguments.asks() || ask(&format!("Take {site} away?")));
    if go {
        undeploy(&removal, &store, &apache, purge)?;
        say::line(format_args!("{site} is taken away"));
    }
    store.close();
    Ok(Exit::Done)
}

impl Arguments {
    fn asks(&self) -> bool {
        let terminal = std::io::stdin().is_terminal() && std::io::stderr().is_terminal();
        terminal && !self.yes && !self.dry_run
    }
}

fn ask_data(removal: &Removal) -> bool {
    for path in &removal.data {
        say::line(format_args!("data: {}", path.display()));
    }
    ask("Remove the data too? It cannot be brought back.")
}

fn ask(question: &str) -> bool {
    let confirm = dialoguer::Confirm::new().with_prompt(question).default(false);
    confirm.interact_opt().is_ok_and(|answer| answer == Some(true))
}
