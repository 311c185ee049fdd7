//! The process that starts Apache, and hands it signals.

use std::fs;
use std::io::{self, Write as _};
use std::os::fd::AsFd;
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use pinion_config::{Code, Principal};
use pinion_deploy::error::{Advice, FileError};
use pinion_front::accounts;
use pinion_unix::process::{self, ExitCause, Spawn, SpawnError};
use pinion_unix::signals::{self, Signal, Signals};
use pinion_unix::sockets;
use pinion_unix::users;
use pinion_wire::message::Identity;
use pinion_wire::message::http::ListenerSpec;
use thiserror::Error;

use super::configuration::{self, Parts};
use super::installed::Installed;
use crate::bind::Place;
use crate::error::{Exit, Failed, Result};
use crate::folder::Folder;
use crate::holder;
use crate::installation;
use crate::parent::{remark, say};
use crate::plan::{Plan, Request, Wanted};
use crate::script::{self, Script};
use crate::setup;
use crate::sockets::{Inherited, Listening};

/// How often it is looked whether Apache listens.
const LOOK: Duration = Duration::from_millis(10);
/// The longest that Apache may take to listen.
const PATIENCE: Duration = Duration::from_secs(60);

/// Apache cannot be started, or does not go on.
#[derive(Debug, Error)]
pub enum ApacheError {
    /// It refuses the configuration.
    #[error("Apache refuses its configuration:\n{0}")]
    Refused(String),
    /// It cannot be started.
    #[error("Apache cannot be started: {0}")]
    Start(String),
    /// It has ended.
    #[error("Apache has {0}")]
    Ended(ExitCause),
    /// Nothing that it could listen on.
    #[error("no address is left that Apache could listen on")]
    NoAddress,
}

impl Advice for ApacheError {
    fn code(&self) -> Code {
        match self {
            Self::Refused(_) => Code::ApacheRefuses,
            Self::NoAddress => Code::SettingInvalid,
            Self::Start(_) | Self::Ended(_) => Code::ServerFailed,
        }
    }

    fn hint(&self) -> String {
        match self {
            Self::Refused(_) => "`pinion serve --apache --print-config` shows it".to_owned(),
            Self::Start(_) => "run `apachectl -V` by hand, and see whether Apache works".to_owned(),
            Self::Ended(_) => "see its words above".to_owned(),
            Self::NoAddress => "name one with its port, such as --bind 127.0.0.1:8000".to_owned(),
        }
    }
}

impl From<SpawnError> for ApacheError {
    fn from(error: SpawnError) -> Self {
        Self::Start(error.to_string())
    }
}

/// A private Apache, not started yet.
struct Site {
    plan: Plan,
    apache: Installed,
    tree: PathBuf,
    root: Folder,
    script: Script,
    listeners: Vec<ListenerSpec>,
    addresses: Vec<String>,
    account: Option<(String, String)>,
}

/// Shows the configuration, and the script where one is made for it.
///
/// # Errors
/// Something is not in order.
pub fn print(wanted: Wanted) -> Result<Exit> {
    let site = Site::of(Plan::of(wanted)?)?;
    let mut text = site.configuration()?;
    if site.script.is_made() {
        text.push_str(&format!("\n# {}, as comments:\n#\n", site.script.path.display()));
        text.extend(script::text(&site.plan.found)?.lines().map(|line| format!("# {line}\n")));
    }
    // Whoever does not read it to its end wants no more.
    let _ = io::stdout().write_all(text.as_bytes());
    Ok(Exit::Done)
}

/// Serves by a private Apache until it is told to end.
///
/// # Errors
/// Something is not in order, or Apache ends by itself.
pub fn serve(request: &Request, wanted: Wanted) -> Result<Exit> {
    if wanted.settings.setup {
        setup::ensure(&wanted, |text| say(format_args!("{text}")))?;
    }
    let mut site = Site::of(Plan::of(wanted)?)?;
    site.write()?;
    site.test()?;
    let broken =
        |error: io::Error| Failed::new(ApacheError::Start(error.to_string()), Exit::Broken);
    let taken = [Signal::SIGTERM, Signal::SIGINT, Signal::SIGHUP, Signal::SIGUSR2, Signal::SIGCHLD];
    signals::block(&taken).map_err(broken)?;
    let signals = Signals::new(&taken).map_err(broken)?;
    let pid = site.start().map_err(|error| Failed::new(error, Exit::Broken))?;
    let mut running = Running { request, site, pid, announced: false, ending: false };
    let until = Instant::now() + PATIENCE;
    loop {
        let pause = (!running.announced && Instant::now() < until).then_some(LOOK);
        if sockets::readable(signals.as_fd(), pause).map_err(broken)? {
            while let Ok(Some(signal)) = signals.next() {
                if let Some(exit) = running.signal(signal)? {
                    return Ok(exit);
                }
            }
        }
        running.announce();
    }
}

struct Running<'a> {
    request: &'a Request,
    site: Site,
    pid: u32,
    announced: bool,
    ending: bool,
}

impl Running<'_> {
    fn signal(&mut self, signal: Signal) -> Result<Option<Exit>> {
        let tell = |signal| {
            let told = process::kill(self.pid, signal);
            told.map_err(|error| Failed::new(ApacheError::Start(error.to_string()), Exit::Broken))
        };
        match signal {
            Signal::SIGCHLD => {
                let Ok(Some((_, cause))) = process::reap(Some(self.pid)) else { return Ok(None) };
                if self.ending {
                    return Ok(Some(Exit::Done));
                }
                return Err(Failed::new(ApacheError::Ended(cause), Exit::Broken));
            }
            Signal::SIGHUP => self.reload(),
            Signal::SIGUSR2 => self.dump_stacks(),
            // Graceful first; who asks again does not want to wait.
            _ if !std::mem::replace(&mut self.ending, true) => tell(Signal::SIGWINCH)?,
            _ => tell(Signal::SIGTERM)?,
        }
        Ok(None)
    }

    /// Has the manager, which Apache has started, ask the workers.
    fn dump_stacks(&self) {
        match holder::child_of(self.pid, "pinion") {
            Some(manager) if process::kill(manager, Signal::SIGUSR2).is_ok() => say(format_args!(
                "the Python stacks of all workers follow, but for threads without a request"
            )),
            _ => say(format_args!("Apache has no manager of workers at this moment")),
        }
    }

    /// Takes over what has changed; what is not in order leaves all as it was.
    fn reload(&mut self) {
        if let Err(failed) = self.renew() {
            say(format_args!("pinion: {failed}"));
            say(format_args!(
                "pinion: {}: the reload is refused, all goes on as before",
                Code::ReloadRefused
            ));
            say(format_args!("hint: mend that, and send SIGHUP again"));
        }
    }

    fn renew(&mut self) -> Result<()> {
        let plan = Plan::make(self.request)?;
        let old = std::mem::replace(&mut self.site.plan, plan);
        let renewed = self.site.renew();
        if renewed.is_err() {
            self.site.plan = old;
            self.site.write()?;
            return renewed;
        }
        process::kill(self.pid, Signal::SIGUSR1)
            .map_err(|error| Failed::new(ApacheError::Start(error.to_string()), Exit::Broken))
    }

    /// Says once where the application is, when Apache listens.
    fn announce(&mut self) {
        let mut ports = self.site.listeners.iter().map(|listener| listener.port);
        // Nobody connects to see: a connection to a port that is not listened on yet may find itself.
        if self.announced || !ports.all(holder::is_held) {
            return;
        }
        self.announced = true;
        let plan = &self.site.plan;
        let mount = plan.settings.mount.as_ref().map_or("/", |mount| mount.as_str());
        let addresses: Vec<_> =
            self.site.addresses.iter().map(|address| format!("{address}{mount}")).collect();
        let title = plan.found.title();
        say(format_args!("serving {title} on {} by Apache, {}", addresses.join(", "), plan.python));
    }
}

impl Site {
    fn of(plan: Plan) -> Result<Self> {
        let apache = Installed::find()?;
        let remarks = configuration::remarks(&plan.settings, &apache);
        plan.remarks.iter().chain(&remarks).for_each(remark);
        let tree = installation::with_module()?;
        let (listeners, addresses) = addresses(&plan)?;
        let (account, identity) = account(&plan, apache.account);
        // Its children pass through it.
        let root = Folder::make(0o755)?;
        let script = Script::of(&plan.found, &plan.settings.callable, identity.as_ref())?;
        Ok(Self { plan, apache, tree, root, script, listeners, addresses, account })
    }

    fn configuration(&self) -> Result<String> {
        let module = installation::module_in(&self.tree);
        configuration::text(&Parts {
            plan: &self.plan,
            script: &self.script,
            apache: &self.apache,
            module: &module,
            program: &installation::program_in(&self.tree),
            root: self.root.path(),
            listeners: &self.listeners,
            account: self.account.clone(),
        })
    }

    fn file(&self) -> PathBuf {
        self.root.path().join("httpd.conf")
    }

    fn write(&mut self) -> Result<()> {
        self.root.restore()?;
        let empty = self.root.path().join(configuration::EMPTY);
        fs::create_dir_all(&empty).map_err(FileError::at("make", &empty))?;
        let file = self.file();
        Ok(fs::write(&file, self.configuration()?).map_err(FileError::at("write", &file))?)
    }

    /// Makes all anew for a plan that has changed, but for the addresses.
    fn renew(&mut self) -> Result<()> {
        let (_, identity) = account(&self.plan, self.apache.account);
        self.script.renew(&self.plan.found, &self.plan.settings.callable, identity.as_ref())?;
        self.write()?;
        self.test()
    }

    /// Lets Apache look at the configuration.
    fn test(&self) -> Result<(), Failed> {
        let mut command = Command::new(&self.apache.program);
        command.arg("-t").arg("-d").arg(self.root.path()).arg("-f").arg(self.file());
        command.env_clear().envs(self.plan.env.iter().map(|(name, value)| (name, value)));
        let tested = command.output();
        let tested = tested.map_err(|error| ApacheError::Start(error.to_string()))?;
        if tested.status.success() {
            return Ok(());
        }
        let said = String::from_utf8_lossy(&tested.stderr).trim().to_owned();
        Err(ApacheError::Refused(said).into())
    }

    /// Starts Apache, which ends with this process.
    fn start(&mut self) -> Result<u32, ApacheError> {
        let mut spawn = Spawn::new(&self.apache.program);
        spawn.arg("-d").arg(self.root.path()).arg("-f").arg(self.file()).arg("-DFOREGROUND");
        for (name, value) in &self.plan.env {
            spawn.env(name, value);
        }
        let (output, errors) = (io::stdout(), io::stderr());
        spawn
            .descriptor(1, errors.as_fd())
            .descriptor(2, errors.as_fd())
            .descriptor(configuration::OUTPUT, output.as_fd());
        // Ctrl-C is for this process, which then lets Apache finish what it has.
        spawn.new_session().end_with_parent();
        Ok(spawn.spawn()?.pid)
    }
}

/// The addresses that Apache listens on. They are listened on here first, so that one that is taken is told as elsewhere.
fn addresses(plan: &Plan) -> Result<(Vec<ListenerSpec>, Vec<String>)> {
    let known = |place: &Place| matches!(place, Place::Host(..) | Place::Everywhere(_));
    let binds: Vec<_> =
        plan.settings.bind.iter().filter(|bind| known(&bind.place)).cloned().collect();
    if binds.is_empty() {
        return Err(ApacheError::NoAddress.into());
    }
    let listening = Listening::on(&binds, plan.settings.socket_mode, &mut Inherited::default())?;
    Ok((listening.specs.clone(), listening.addresses.clone()))
}

/// Whose rights the workers have where root starts Apache: those that were named, else those of Apache's children.
fn account(plan: &Plan, usual: &str) -> (Option<(String, String)>, Option<Identity>) {
    if users::effective_uid() != 0 {
        return (None, None);
    }
    let settings = &plan.settings;
    let user = settings.user.clone().unwrap_or_else(|| Principal::Name(usual.to_owned()));
    let Some(found) = accounts::user(&user) else { return (None, None) };
    let gid = settings.group.as_ref().and_then(accounts::group).unwrap_or(found.gid);
    let group = settings.group.clone().unwrap_or(Principal::Id(gid));
    let identity = Identity { uid: found.uid, gid, groups: found.groups };
    (Some((user.to_string(), group.to_string())), Some(identity))
}
