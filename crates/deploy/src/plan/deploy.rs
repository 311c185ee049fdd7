//! The plan that deploys a site.

use std::fs;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use super::journal::{Record, Store};
use super::step::Step;
use super::steps::{
    Address, Application, Baseline, Configtest, CopyProject, Folder, Folders, Generated, MakeIni,
    Modules, Port, Reload, Setup, SetupKind, Site, Visit, Watch,
};
use super::writable::{self, Writable};
use super::{Plan, PlanError, preflight};
use crate::Deployment;
use crate::account::{self, Account};
use crate::apache::{Apache, Facts};
use crate::env::{self, Installation, Installer, Interpreter, Requirements, State};
use crate::error::FileError;
use crate::layout::Layout;
use crate::project::Kind;

/// How the site's packages are installed, and what is left out.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// `--python`.
    pub python: Option<String>,
    /// `--installer`.
    pub installer: Option<String>,
    /// `--requirement`.
    pub requirements: Vec<PathBuf>,
    /// `--package`.
    pub packages: Vec<String>,
    /// `--find-links`.
    pub find_links: Vec<PathBuf>,
    /// `--no-index`.
    pub no_index: bool,
    /// `--no-setup`.
    pub no_setup: bool,
}

/// What is deployed where.
#[derive(Debug)]
pub struct Target {
    /// The project with its settings.
    pub deployment: Deployment,
    /// The Apache.
    pub apache: Apache,
    /// The generated files: names and texts.
    pub files: Vec<(String, String)>,
    /// The ini file for production, if it is to be made from another.
    pub ini: Option<(PathBuf, String)>,
    /// Pinion's module for Apache.
    pub module: PathBuf,
    /// How packages are installed.
    pub options: Options,
}

impl Target {
    /// The account that the application runs as: the one that was set, else Apache's own.
    ///
    /// # Errors
    /// The system does not know it.
    pub fn account(&self, facts: &Facts) -> Result<Account, PlanError> {
        if !account::is_root() {
            return Ok(Account::current());
        }
        let settings = &self.deployment.settings;
        let usual = self.apache.usual_account().to_owned();
        let user = settings.user.as_ref().map(ToString::to_string);
        let group = settings.group.as_ref().map(ToString::to_string);
        let own_group = if user.is_none() { facts.group.clone() } else { None };
        let user = user.or_else(|| facts.user.clone()).unwrap_or(usual);
        Ok(Account::find(&user, group.or(own_group).as_deref())?)
    }

    /// The application's virtualenv with all that goes into it; `None` when there is to be none.
    ///
    /// # Errors
    /// The interpreter cannot be used.
    pub fn installation(&self, account: &Account) -> Result<Option<Installation>, PlanError> {
        let layout = &self.deployment.layout;
        let Some(home) = layout.virtualenv.clone() else { return Ok(None) };
        let python = python(layout, self.options.python.as_deref())?;
        python.usable_by(account)?;
        let options = &self.options;
        let installer = Installer::choose(options.installer.as_deref(), Some(&layout.project))?;
        let found = Requirements::of(&layout.project, &options.requirements, installer.is_uv())?;
        let mut packages = env::undeclared(&self.deployment.project, &found);
        packages.extend(options.packages.iter().cloned());
        Ok(Some(Installation {
            home,
            python,
            project: Some(layout.project.clone()),
            left_out: self.output(),
            requirements: found,
            packages,
            find_links: options.find_links.clone(),
            no_index: options.no_index,
            installer,
        }))
    }

    /// The name among Apache's sites.
    pub fn site(&self) -> String {
        self.deployment.settings.name.plain()
    }

    /// The generated files' folder, relative to the project, if it is there.
    fn output(&self) -> Option<PathBuf> {
        let layout = &self.deployment.layout;
        layout.output.strip_prefix(&layout.project).ok().map(Path::to_owned)
    }

    /// The generated configuration's text.
    fn configuration(&self) -> &str {
        let name = &self.deployment.layout.files.configuration;
        self.files.iter().find(|(file, _)| file == name).map_or("", |(_, text)| text)
    }

    fn writable(&self) -> Result<Writable, FileError> {
        let layout = &self.deployment.layout;
        if self.deployment.project.kind.paste().is_none() {
            return Ok(Writable::default());
        }
        let here = layout.ini.parent().unwrap_or(&layout.deployed);
        let text = match (fs::read_to_string(&layout.ini), &self.ini) {
            (Ok(text), _) => text,
            (Err(_), Some((_, text))) => text.clone(),
            (Err(_), None) => {
                let own = layout.project.join(&self.deployment.settings.ini);
                fs::read_to_string(&own).map_err(FileError::at("read", &own))?
            }
        };
        Ok(writable::of_ini(&text, here))
    }

    fn setup_kind(&self) -> Option<SetupKind> {
        let layout = &self.deployment.layout;
        let ini = layout.ini.clone();
        match &self.deployment.project.kind {
            Kind::TurboGears(_) => Some(SetupKind::Gearbox { ini }),
            Kind::Pyramid(paste) => {
                let package = self.deployment.project.package.as_ref()?;
                let script = format!("initialize_{package}_db");
                let declared = ["setup.py", "pyproject.toml", "setup.cfg"].iter().any(|name| {
                    let text = fs::read_to_string(layout.project.join(name));
                    text.is_ok_and(|text| text.contains(&script))
                });
                let text = fs::read_to_string(&paste.file).unwrap_or_default();
                let alembic = text.contains("[alembic]");
                declared.then_some(SetupKind::Pyramid { ini, script, alembic })
            }
            Kind::Django { settings, .. } => Some(SetupKind::Django { settings: settings.clone() }),
            _ => None,
        }
    }

    /// Where the site is asked for.
    fn address(&self, facts: &Facts) -> Result<Address, PlanError> {
        let settings = &self.deployment.settings;
        let warmup = settings.warmup.as_ref().map_or("", |path| path.as_str());
        let mount = settings.mount_point.as_str().trim_end_matches('/');
        let path = format!("{mount}{warmup}");
        let path = if path.is_empty() { "/".to_owned() } else { path };
        let listens = facts.listens();
        if let Some(host) = &settings.host {
            let port = host.port.get();
            let ip = listens.iter().find(|listen| listen.port == port).map(|listen| listen.reach());
            let ip = ip.unwrap_or(IpAddr::from([127, 0, 0, 1]));
            let host_name = host.name.as_str().to_owned();
            return Ok(Address { tls: host.tls.is_some(), host: host_name, port, ip, path });
        }
        let plain = listens.iter().find(|listen| listen.port != 443).or_else(|| listens.first());
        let listen = plain.ok_or(PlanError::NoPort)?;
        let (tls, host) = (listen.port == 443, "localhost".to_owned());
        Ok(Address { tls, host, port: listen.port, ip: listen.reach(), path })
    }
}

/// The Python that was asked for; else that of a virtualenv that is there, so that baseline and
/// application agree; else the system's.
///
/// # Errors
/// It cannot be used, or a virtualenv that is there is broken.
pub fn python(layout: &Layout, named: Option<&str>) -> Result<Interpreter, PlanError> {
    if named.is_none() {
        for home in [&layout.baseline, &layout.virtualenv].into_iter().flatten() {
            if let State::Works { python, .. } = env::state(home)? {
                return Ok(env::base_of(&python)?);
            }
        }
    }
    Ok(Interpreter::find(named)?)
}

/// The plan, after a look at all that would stop it.
///
/// # Errors
/// What would stop it; nothing was changed.
pub fn deploy_plan(target: &Target, record: Option<&Record>) -> Result<Plan, PlanError> {
    let facts = target.apache.facts()?;
    let account = target.account(&facts)?;
    let layout = &target.deployment.layout;
    let installation = target.installation(&account)?;
    let baseline = layout.baseline.clone().zip(installation.as_ref().map(|i| i.python.clone()));
    let address = target.address(&facts)?;
    let mut steps: Vec<Box<dyn Step>> = Vec::new();
    if let Some((home, python)) = baseline {
        steps.push(Box::new(Baseline { home, python, account: account.clone() }));
    }
    if !layout.in_place() {
        let (from, to) = (layout.project.clone(), layout.deployed.clone());
        let left_out = target.output();
        steps.push(Box::new(CopyProject { from, to, left_out, account: account.clone() }));
    }
    let virtualenv = installation.as_ref().map(|installation| installation.home.clone());
    if let Some(installation) = installation {
        steps.push(Box::new(Application { installation, account: account.clone() }));
    }
    steps.extend(own_files(target, &account, virtualenv, record)?);
    steps.extend(in_apache(target, &facts, address, record)?);
    for step in &steps {
        // What is there and broken is told before anything is changed.
        step.is_done()?;
    }
    let written =
        [&layout.deployed, &layout.egg_cache, &target.apache.root, &target.apache.state_folder()];
    let written: Vec<PathBuf> = written.into_iter().chain(&layout.virtualenv).cloned().collect();
    preflight::rights(&written)?;
    Ok(Plan {
        site: target.site(),
        project: layout.project.clone(),
        apache: target.apache.clone(),
        steps,
    })
}

/// The application's files: generated ones, ini file, folders, database.
fn own_files(
    target: &Target,
    account: &Account,
    virtualenv: Option<PathBuf>,
    record: Option<&Record>,
) -> Result<Vec<Box<dyn Step>>, PlanError> {
    let layout = &target.deployment.layout;
    let mut steps: Vec<Box<dyn Step>> = Vec::new();
    if let Some((from, text)) = &target.ini {
        let (to, from, text) = (layout.ini.clone(), from.clone(), text.clone());
        steps.push(Box::new(MakeIni { to, from, text, account: account.clone() }));
    }
    steps.push(Box::new(Generated {
        folder: layout.apache.clone(),
        files: target.files.clone(),
        command: format!("pinion deploy {}", crate::tool::quoted(layout.project.as_os_str())),
    }));
    let Writable { databases, folders } = target.writable()?;
    let eggs = Folder { path: layout.egg_cache.clone(), mode: 0o755, data: false };
    let below = |path: PathBuf| {
        let data = !path.starts_with(&layout.deployed);
        Folder { path, mode: 0o750, data }
    };
    let mut all: Vec<Folder> = folders.into_iter().map(below).collect();
    let base = databases.iter().filter_map(|file| file.parent()).map(|path| Folder {
        path: path.to_owned(),
        mode: if path == layout.deployed { 0o755 } else { 0o750 },
        data: path != layout.deployed,
    });
    all.extend(base);
    all.push(eggs);
    all.sort_by(|one, other| one.path.cmp(&other.path));
    all.dedup_by(|one, other| one.path == other.path);
    let home = layout.deployed.clone();
    steps.push(Box::new(Folders { folders: all, account: account.clone(), home }));
    let kind = target.setup_kind().filter(|_| !target.options.no_setup);
    if let Some((kind, virtualenv)) = kind.zip(virtualenv) {
        let done = record.is_some_and(Record::is_set_up);
        let folder = layout.deployed.clone();
        let account = account.clone();
        steps.push(Box::new(Setup { kind, virtualenv, folder, account, databases, done }));
    }
    Ok(steps)
}

/// What is done to Apache, and the first request.
fn in_apache(
    target: &Target,
    facts: &Facts,
    address: Address,
    record: Option<&Record>,
) -> Result<Vec<Box<dyn Step>>, PlanError> {
    let layout = &target.deployment.layout;
    let (apache, name) = (target.apache.clone(), target.site());
    let mut needed = vec!["alias", "authz_core"];
    needed.extend(address.tls.then_some("ssl"));
    let pinion = target.module.clone();
    if !facts.modules.contains("wsgi_module") && !pinion.exists() {
        return Err(PlanError::NoModule(pinion));
    }
    let site_file = apache.site_file(&name);
    let ours = |path: &PathBuf| record.is_some_and(|record| record.made(path));
    let script = layout.script();
    let source = layout.apache.join(&layout.files.configuration);
    let (facts, text) = (facts.clone(), target.configuration().to_owned());
    let watch = Watch::on(facts.error_log.clone());
    Ok(vec![
        Box::new(Modules { apache: apache.clone(), facts: facts.clone(), needed, pinion }),
        Box::new(Port {
            apache: apache.clone(),
            facts: facts.clone(),
            name: name.clone(),
            port: address.port,
        }),
        Box::new(Site {
            ours: site_file.as_ref().is_some_and(ours),
            apache: apache.clone(),
            facts: facts.clone(),
            name,
            source,
            text,
        }),
        Box::new(Configtest { apache: apache.clone() }),
        Box::new(Reload { apache, facts, script: script.clone() }),
        Box::new(Visit { address, script, group: target.site(), watch }),
    ])
}

impl Store {
    /// What is known of the site, read without keeping other runs out.
    ///
    /// # Errors
    /// The record cannot be read.
    pub fn peek(folder: &Path, site: &str) -> Result<Option<Record>, PlanError> {
        super::journal::read_record(&folder.join(format!("{site}.json")))
    }
}
