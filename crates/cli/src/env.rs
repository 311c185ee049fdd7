//! `pinion env`.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand, ValueEnum};
use pinion_deploy::account::{self, Account};
use pinion_deploy::env::{Installation, Installer, Interpreter, Requirements, undeclared};
use pinion_deploy::error::FileError;
use pinion_deploy::interrupt::Interrupt;
use pinion_deploy::plan::steps::{Application, Baseline, Folder, Folders};
use pinion_deploy::plan::{Failure, Options, PlanError, Step, apply_alone, python};
use pinion_deploy::settings::{DEFAULT_ACCOUNT, DEFAULT_VIRTUALENVS};
use pinion_deploy::{DeployError, Deployment, Exit};

use crate::progress::Steps;
use crate::say;

/// Options of `pinion env`.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Make the empty virtualenv that WSGIPythonHome names, the clean environment of all sites
    Baseline(BaselineArguments),
    /// Make an application's virtualenv and install the project into it
    Create(CreateArguments),
}

#[derive(Debug, Args)]
struct BaselineArguments {
    /// Where it goes
    #[arg(long, value_name = "FOLDER", default_value = "/usr/local/pythonenv/BASELINE")]
    path: PathBuf,
    /// What it is made from: a path, or a version such as 3.12 [default: the system's python3]
    #[arg(long)]
    python: Option<String>,
    #[command(flatten)]
    owner: Owner,
}

#[derive(Debug, Args)]
struct CreateArguments {
    /// The site's name [default: the project's]
    name: Option<String>,
    /// The project's folder
    #[arg(long, value_name = "FOLDER", default_value = ".")]
    project: PathBuf,
    /// Where the virtualenv goes [default: /usr/local/pythonenv/NAME]
    #[arg(long, value_name = "FOLDER")]
    path: Option<PathBuf>,
    /// Where zipped eggs are unpacked [default: python-eggs in the deployed application]
    #[arg(long, value_name = "FOLDER")]
    egg_cache: Option<PathBuf>,
    #[command(flatten)]
    install: Install,
    #[command(flatten)]
    owner: Owner,
}

/// Whom what is made belongs to.
#[derive(Debug, Args)]
struct Owner {
    /// The user that it belongs to [default: www-data; without root, who runs this]
    #[arg(long)]
    user: Option<String>,
    /// The group that it belongs to [default: the user's]
    #[arg(long)]
    group: Option<String>,
}

/// How packages are installed.
#[derive(Debug, Args)]
pub(crate) struct Install {
    /// What the virtualenv is made from: a path, or a version such as 3.12 [default: the baseline's, else the system's python3]
    #[arg(long, help_heading = "Packages")]
    python: Option<String>,
    /// What installs packages [default: uv where it is installed and the project has uv.lock or pylock.toml, else pip]
    #[arg(long, value_enum, help_heading = "Packages")]
    installer: Option<InstallerName>,
    /// A file of requirements; may be repeated [default: a lock file or requirements.txt of the project]
    #[arg(long, value_name = "FILE", help_heading = "Packages")]
    requirement: Vec<PathBuf>,
    /// Another package to install; may be repeated
    #[arg(long, value_name = "REQUIREMENT", help_heading = "Packages")]
    package: Vec<String>,
    /// A folder of wheels to take packages from; may be repeated
    #[arg(long, value_name = "FOLDER", help_heading = "Packages")]
    find_links: Vec<PathBuf>,
    /// Take packages from nowhere else
    #[arg(long, help_heading = "Packages")]
    no_index: bool,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum InstallerName {
    Pip,
    Uv,
}

impl Install {
    /// As the plan takes it; paths become absolute.
    pub(crate) fn options(&self) -> Result<Options, DeployError> {
        let absolute =
            |path: &PathBuf| std::path::absolute(path).map_err(FileError::at("find", path));
        let all = |paths: &[PathBuf]| paths.iter().map(absolute).collect::<Result<Vec<_>, _>>();
        Ok(Options {
            python: self.python.clone(),
            installer: self.installer.map(|name| match name {
                InstallerName::Pip => "pip".to_owned(),
                InstallerName::Uv => "uv".to_owned(),
            }),
            requirements: all(&self.requirement)?,
            packages: self.package.clone(),
            find_links: all(&self.find_links)?,
            no_index: self.no_index,
            no_setup: false,
        })
    }
}

impl Owner {
    fn account(&self) -> Result<Account, PlanError> {
        if !account::is_root() {
            return Ok(Account::current());
        }
        let user = self.user.as_deref().unwrap_or(DEFAULT_ACCOUNT);
        Ok(Account::find(user, self.group.as_deref())?)
    }
}

/// Makes what was asked for.
pub(crate) fn run(arguments: &Arguments) -> Result<Exit, DeployError> {
    let steps = match &arguments.command {
        Command::Baseline(arguments) => baseline(arguments)?,
        Command::Create(arguments) => create(arguments)?,
    };
    let interrupt = Interrupt::install().map_err(FileError::at("watch", Path::new("signals")))?;
    Ok(ended(apply_alone(steps, &interrupt, &mut Steps::new())))
}

/// Prints why a run failed.
pub(crate) fn ended(result: Result<(), Failure>) -> Exit {
    match result {
        Ok(()) => Exit::Done,
        Err(failure) => {
            say::error(failure.message());
            if failure.is_put_back() {
                say::error("everything is as it was before");
            }
            let left = matches!(*failure.error, PlanError::Left { .. });
            if left { Exit::Attention } else { Exit::Failed }
        }
    }
}

fn baseline(arguments: &BaselineArguments) -> Result<Vec<Box<dyn Step>>, DeployError> {
    let account = arguments.owner.account()?;
    let python = Interpreter::find(arguments.python.as_deref())?;
    python.usable_by(&account)?;
    let home =
        std::path::absolute(&arguments.path).map_err(FileError::at("find", &arguments.path))?;
    // A baseline that is not empty is no error of a deployment, but it is of this command.
    pinion_deploy::env::baseline_is_there(&home, &python)?;
    Ok(vec![Box::new(Baseline { home, python, account })])
}

fn create(arguments: &CreateArguments) -> Result<Vec<Box<dyn Step>>, DeployError> {
    let account = arguments.owner.account()?;
    let options = arguments.install.options()?;
    let deployment = Deployment::load(&arguments.project, &[])?;
    let project = deployment.layout.project.clone();
    let own = || arguments.name.as_ref().map(|name| Path::new(DEFAULT_VIRTUALENVS).join(name));
    let default = || Path::new(DEFAULT_VIRTUALENVS).join(deployment.settings.name.as_str());
    let home = arguments.path.clone().or_else(own).or(deployment.layout.virtualenv.clone());
    let home = home.unwrap_or_else(default);
    let home = std::path::absolute(&home).map_err(FileError::at("find", &home))?;
    let python = python(&deployment.layout, options.python.as_deref())?;
    python.usable_by(&account)?;
    let installer = Installer::choose(options.installer.as_deref(), Some(&project))?;
    let requirements = Requirements::of(&project, &options.requirements, installer.is_uv())?;
    let mut packages = undeclared(&deployment.project, &requirements);
    packages.extend(options.packages);
    let output = deployment.layout.output.strip_prefix(&project).ok().map(Path::to_owned);
    let installation = Installation {
        home,
        python,
        left_out: output,
        project: Some(project),
        requirements,
        packages,
        find_links: options.find_links,
        no_index: options.no_index,
        installer,
    };
    let eggs = arguments.egg_cache.clone().unwrap_or(deployment.layout.egg_cache);
    let folders = vec![Folder { path: eggs, mode: 0o755, data: false }];
    Ok(vec![
        Box::new(Application { installation, account: account.clone() }),
        Box::new(Folders { folders, account, home: deployment.layout.deployed }),
    ])
}
