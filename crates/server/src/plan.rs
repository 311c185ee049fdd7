//! All that a server is started or reloaded with: options, application, Python, account, environment, certificate. Nothing is
//! changed by making a plan.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use pinion_config::files::{Files, SystemFiles};
use pinion_config::{Code, Principal, env_file};
use pinion_deploy::error::{Advice, FileError};
use pinion_deploy::project::Kind;
use pinion_front::accounts;
use pinion_unix::users;
use pinion_wire::message::Identity;
use pinion_wire::message::http::TlsSpec;
use thiserror::Error;

use crate::bind::{Bind, Place};
use crate::error::Result;
use crate::given::{self, Given};
use crate::python::{self, Python, Surroundings};
use crate::settings::Settings;
use crate::setup;
use crate::sockets::SYSTEMD_VARIABLES;
use crate::target::{Found, Target};
use crate::tls;

/// Environment variables.
pub type Variables = Vec<(String, String)>;

/// What was asked for.
#[derive(Debug, Clone)]
pub struct Request {
    /// What to serve; `None` for the current folder.
    pub target: Option<String>,
    /// What the command line gives.
    pub given: Vec<Given>,
    /// The current folder.
    pub current: PathBuf,
}

/// Options that do not go together, or name what is not there.
#[derive(Debug, Error)]
pub enum PlanError {
    /// An option that needs another one.
    #[error("{given} is given, but no {needed}")]
    Needs {
        /// What was given.
        given: String,
        /// What it needs.
        needed: &'static str,
    },
    /// A folder that is not there.
    #[error("--{option} {}: no such {}", path.display(), if *option == "static" { "folder or file" } else { "folder" })]
    NoFolder {
        /// The option.
        option: &'static str,
        /// The folder.
        path: PathBuf,
    },
    /// An account that the system does not know.
    #[error("--{option} {name}: the system knows no such {option}")]
    NoAccount {
        /// The option.
        option: &'static str,
        /// The account.
        name: String,
    },
    /// Another user's rights, and this is not root.
    #[error("--{option} {name} needs root")]
    NotRoot {
        /// The option.
        option: &'static str,
        /// The account.
        name: String,
    },
    /// A file of variables that is not understood.
    #[error("--env-file {}: {problem}", file.display())]
    EnvFile {
        /// The file.
        file: PathBuf,
        /// The line, and what is wrong there.
        problem: String,
    },
}

impl Advice for PlanError {
    fn code(&self) -> Code {
        match self {
            Self::NoAccount { .. } => Code::AccountUnknown,
            Self::EnvFile { .. } => Code::FileRefused,
            _ => Code::SettingInvalid,
        }
    }

    fn hint(&self) -> String {
        match self {
            Self::Needs { needed, .. } => format!("add {needed}"),
            Self::NoFolder { .. } => "make it, or correct the path".to_owned(),
            Self::NoAccount { option, .. } => {
                let database = if *option == "user" { "passwd" } else { "group" };
                format!("`getent {database}` lists them; a number is written #1000")
            }
            Self::NotRoot { .. } => "start it by root, or leave the option out".to_owned(),
            Self::EnvFile { .. } => "write NAME=VALUE on each line".to_owned(),
        }
    }
}

/// Something that works, but probably not as meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remark {
    /// Its code.
    pub code: Code,
    /// What it is about, in one line.
    pub text: String,
    /// What to do.
    pub hint: String,
}

/// What was asked for, read but not looked into.
#[derive(Debug)]
pub struct Wanted {
    /// The folder whose `pinion.toml` and virtualenv count.
    pub root: PathBuf,
    /// What the options say.
    pub settings: Settings,
    /// What is served.
    pub found: Found,
    /// The switches that were set to off, rather than not set at all.
    pub off: Vec<&'static str>,
}

impl Wanted {
    /// Reads the options and recognises the project.
    ///
    /// # Errors
    /// An option is not understood, or there is nothing to serve.
    pub fn read(request: &Request) -> Result<Self> {
        let target = Target::parse(request.target.as_deref(), &request.current)?;
        let root = target.root(&request.current);
        let (settings, off) = settings(request, &root)?;
        let found = target.find(&request.current)?;
        Ok(Self { root, settings, found, off })
    }

    /// Which Python runs it: with `setup`, that of the project's own virtualenv.
    ///
    /// # Errors
    /// It is not there, or cannot be used.
    pub fn python(&self) -> Result<Python> {
        let around = Surroundings::of_process();
        if self.settings.setup {
            let around = Surroundings { virtual_env: Some(setup::home(&self.root)), ..around };
            return python::find(None, &self.root, &around);
        }
        python::find(self.settings.python.as_deref(), &self.root, &around)
    }

    /// Whose rights the workers get, and their environment.
    ///
    /// # Errors
    /// An account is unknown or not for this user, or a file of variables is not understood.
    pub fn account(&self) -> Result<(Option<Identity>, Variables)> {
        let (identity, account) = identity(&self.settings)?;
        Ok((identity, environment(&self.settings, account)?))
    }
}

/// All that a server is started or reloaded with.
#[derive(Debug)]
pub struct Plan {
    /// What the options say.
    pub settings: Settings,
    /// What is served.
    pub found: Found,
    /// By which Python.
    pub python: Python,
    /// Folders that come first in `sys.path`, where the script does not see to that.
    pub python_path: Vec<PathBuf>,
    /// Whose rights workers get; `None` for this process's own.
    pub identity: Option<Identity>,
    /// Their working folder.
    pub home: PathBuf,
    /// Their environment.
    pub env: Variables,
    /// The certificate.
    pub tls: Option<TlsSpec>,
    /// What to say about it.
    pub remarks: Vec<Remark>,
}

impl Plan {
    /// Looks at everything that was asked for.
    ///
    /// # Errors
    /// The first thing that is not in order.
    pub fn make(request: &Request) -> Result<Self> {
        Self::of(Wanted::read(request)?)
    }

    /// Looks at the rest of what was asked for.
    ///
    /// # Errors
    /// The first thing that is not in order.
    pub fn of(wanted: Wanted) -> Result<Self> {
        let python = wanted.python()?;
        let (identity, env) = wanted.account()?;
        let Wanted { root, settings, found, off } = wanted;
        check_folders(&settings)?;
        let tls = certificate(&settings)?;
        let script = matches!(found.project.kind, Kind::Script(_));
        Ok(Self {
            remarks: remarks(&settings, &off),
            home: settings.home.clone().unwrap_or_else(|| root.clone()),
            python_path: if script { found.sources() } else { Vec::new() },
            settings,
            found,
            python,
            identity,
            env,
            tls,
        })
    }
}

/// The settings, with the addresses that hold where none is given, and the switches that were set to off.
fn settings(request: &Request, root: &Path) -> Result<(Settings, Vec<&'static str>)> {
    let mut given = request.given.clone();
    given.extend(given::environment(|name| std::env::var(name).ok())?);
    given.extend(given::file(root)?);
    let mut settings = given::settings(&given, &request.current)?;
    if settings.bind.is_empty() {
        let tls = settings.certificate.is_some();
        let port = if tls { 8443 } else { 8000 };
        settings.bind.push(Bind { tls, place: Place::Host("127.0.0.1".to_owned(), port) });
    }
    let is_off = |given: &&Given| given.values == ["false"];
    let off = given.iter().filter(is_off).map(|given| given.option.name).collect();
    Ok((settings, off))
}

fn check_folders(settings: &Settings) -> Result<(), PlanError> {
    let home = settings.home.iter().map(|path| ("home", path));
    let statics = settings.statics.iter().map(|alias| ("static", &alias.path));
    let watched = settings.watch.iter().map(|path| ("watch", path));
    let is_there =
        |(option, path): &(_, &PathBuf)| path.is_dir() || (*option == "static" && path.exists());
    match home.chain(statics).chain(watched).find(|place| !is_there(place)) {
        Some((option, path)) => Err(PlanError::NoFolder { option, path: path.clone() }),
        None => Ok(()),
    }
}

/// Whose rights the workers get, and the account's variables.
fn identity(settings: &Settings) -> Result<(Option<Identity>, Variables), PlanError> {
    let absent = |option, who: &Principal| PlanError::NoAccount { option, name: who.to_string() };
    let group = match &settings.group {
        Some(who) => Some(accounts::group(who).ok_or_else(|| absent("group", who))?),
        None => None,
    };
    let (option, named) = match (&settings.user, &settings.group) {
        (Some(user), _) => ("user", user),
        (None, Some(group)) => ("group", group),
        (None, None) => return Ok((None, Vec::new())),
    };
    let own = users::effective_uid();
    let user = match &settings.user {
        Some(who) => accounts::user(who).ok_or_else(|| absent("user", who))?,
        None => accounts::user(&Principal::Id(own)).ok_or_else(|| absent("user", named))?,
    };
    if own != 0 && (user.uid != own || group.is_some_and(|gid| gid != user.gid)) {
        return Err(PlanError::NotRoot { option, name: named.to_string() });
    }
    let home = user.home.map(|home| ("HOME".to_owned(), home.to_string_lossy().into_owned()));
    let names = user
        .name
        .into_iter()
        .flat_map(|name| ["USER", "LOGNAME"].map(|variable| (variable.to_owned(), name.clone())));
    let variables = home.into_iter().chain(names).collect();
    if own != 0 {
        return Ok((None, variables));
    }
    let gid = group.unwrap_or(user.gid);
    let mut groups = user.groups;
    if !groups.contains(&gid) {
        groups.push(gid);
    }
    Ok((Some(Identity { uid: user.uid, gid, groups }), variables))
}

fn certificate(settings: &Settings) -> Result<Option<TlsSpec>> {
    let tls = settings.bind.iter().find(|bind| bind.tls);
    match (&settings.certificate, tls) {
        (None, Some(bind)) => {
            let needs =
                PlanError::Needs { given: format!("--bind {bind}"), needed: "--certificate" };
            Err(needs.into())
        }
        (None, None) if settings.key.is_some() => {
            Err(PlanError::Needs { given: "--key".to_owned(), needed: "--certificate" }.into())
        }
        (None, None) => Ok(None),
        (Some(file), _) => {
            let key = settings.key.as_ref().unwrap_or(file);
            tls::read(file, key).map(|spec| tls.map(|_| spec))
        }
    }
}

/// Variables that workers do not get: they would give each Python the library of another one, or tell of descriptors that only
/// this process has.
const NOT_PASSED_ON: &[&str] =
    &["PYTHONHOME", "PYTHONEXECUTABLE", "PYTHONINSPECT", "__PYVENV_LAUNCHER__", "NOTIFY_SOCKET"];

/// This process's environment, then who the workers are, then the files, then single variables.
fn environment(settings: &Settings, account: Variables) -> Result<Variables> {
    let text = |(name, value): (std::ffi::OsString, std::ffi::OsString)| {
        Some((name.into_string().ok()?, value.into_string().ok()?))
    };
    let hidden = |name: &str| NOT_PASSED_ON.contains(&name) || SYSTEMD_VARIABLES.contains(&name);
    let mut env: BTreeMap<String, String> = std::env::vars_os()
        .filter_map(text)
        .filter(|(name, _)| !hidden(name))
        .chain(account)
        .collect();
    for file in &settings.env_files {
        let text = SystemFiles.read(file).map_err(FileError::at("read", file))?;
        let pairs = env_file::parse(&text).map_err(|error| PlanError::EnvFile {
            file: file.clone(),
            problem: error.to_string(),
        })?;
        env.extend(pairs.into_iter().map(|pair| (pair.name, pair.value)));
    }
    env.extend(settings.env.iter().map(|pair| (pair.name.clone(), pair.value.clone())));
    Ok(env.into_iter().collect())
}

fn remarks(settings: &Settings, off: &[&str]) -> Vec<Remark> {
    let mut remarks = Vec::new();
    let mut say = |text: &str, hint: &str| {
        let (text, hint) = (text.to_owned(), hint.to_owned());
        remarks.push(Remark { code: Code::OptionWithoutEffect, text, hint });
    };
    if settings.certificate.is_some() && !settings.bind.iter().any(|bind| bind.tls) {
        say("--certificate is given, but no address speaks TLS", "write --bind https://HOST:PORT");
    }
    if !settings.trusted_proxies.is_empty() && settings.trusted_proxy_headers.is_empty() {
        say(
            "--trusted-proxies is given, but no header of theirs is trusted",
            "add --trusted-proxy-headers, such as X-Forwarded-For",
        );
    }
    // Who switches something off for once does not want to be told to switch it on.
    if !settings.watch.is_empty() && !settings.reload && !off.contains(&"reload") {
        say("--watch is given without --reload", "add --reload");
    }
    if settings.setup_command.is_some() && !settings.setup && !off.contains(&"setup") {
        say("--setup-command is given without --setup", "add --setup");
    }
    remarks
}
