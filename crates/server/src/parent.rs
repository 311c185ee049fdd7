//! The process around the manager: it starts all, says what there is to say, and does what signals ask for.

use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use pinion_config::Code;
use pinion_deploy::error::FileError;
use pinion_unix::signals::{self, Signal, Signals};
use pinion_unix::sockets;
use pinion_wire::message::{AcquireReply, Control};

use crate::apache;
use crate::error::{Exit, Failed, Result};
use crate::failure::{self, LoadError};
use crate::installation;
use crate::manager::{Manager, ManagerError};
use crate::pid_file::PidFile;
use crate::plan::{Plan, Remark, Request, Wanted};
use crate::script::Script;
use crate::settings::{LogTarget, Settings};
use crate::setup;
use crate::sockets::{Inherited, Listening};
use crate::spec;

mod watch;

use watch::Snapshot;

/// The signals that are read from a descriptor.
const TAKEN: [Signal; 4] = [Signal::SIGTERM, Signal::SIGINT, Signal::SIGHUP, Signal::SIGUSR2];
/// How often files are looked at while nothing of the application runs.
const LOOK: Duration = Duration::from_millis(250);
/// How much later than the manager tries again it is asked what came of it.
const LATER: Duration = Duration::from_millis(100);

/// Serves until it is told to end. What there is to say is said on standard error.
pub fn serve(request: &Request) -> Exit {
    let served = Wanted::read(request).and_then(|wanted| {
        let Settings { apache, print_config, .. } = wanted.settings;
        match (print_config, apache) {
            (true, _) => apache::print(wanted),
            (false, true) => apache::serve(request, wanted),
            (false, false) => run(request, wanted),
        }
    });
    served.unwrap_or_else(|failed| {
        say(format_args!("pinion: {failed}"));
        failed.exit
    })
}

fn run(request: &Request, wanted: Wanted) -> Result<Exit> {
    let mut inherited = Inherited::of_process();
    if wanted.settings.setup {
        setup::ensure(&wanted, |text| say(format_args!("{text}")))?;
    }
    let plan = Plan::of(wanted)?;
    plan.remarks.iter().for_each(remark);
    let library = installation::library()?;
    let listening = Listening::on(&plan.settings.bind, plan.settings.socket_mode, &mut inherited)?;
    let pid_file = plan.settings.pid_file.as_deref().map(PidFile::write).transpose()?;
    let broken = |error: io::Error| Failed::new(ManagerError::Start(error), Exit::Broken);
    // Blocked before any thread starts, so that no thread is ever interrupted or ended by them.
    signals::block(&[Signal::SIGCHLD]).map_err(broken)?;
    let signals = Signals::new(&TAKEN).map_err(broken)?;
    let script = Script::of(&plan.found, &plan.settings.callable, plan.identity.as_ref())?;
    let manager = Manager::start().map_err(ended)?;
    let mut parent = Parent {
        request,
        plan,
        library,
        listening,
        script,
        manager,
        signals,
        generation: 0,
        phase: Phase::Serving,
        asked: None,
        announced: false,
    };
    parent.configure()?;
    parent.ask()?;
    let exit = parent.wait();
    // The file must not outlive the server, nor go away before its workers have.
    drop(parent);
    drop(pid_file);
    exit
}

/// What the server is at.
#[derive(Debug)]
enum Phase {
    /// Loading, or serving.
    Serving,
    /// The application does not load; a change is waited for.
    Failed(Waiting),
    /// Serving, and saying that this will end: until then.
    Leaving(Instant),
    /// Finishing what was begun.
    Draining,
    /// Ending whatever there is.
    Stopping(Exit),
}

/// Waiting for a change that lets the application load.
#[derive(Debug)]
struct Waiting {
    files: Snapshot,
    /// What was said last about it.
    said: String,
    /// When the manager tries again.
    again: Instant,
}

struct Parent<'a> {
    request: &'a Request,
    plan: Plan,
    library: PathBuf,
    listening: Listening,
    script: Script,
    manager: Manager,
    signals: Signals,
    generation: u32,
    phase: Phase,
    /// Where the manager answers whether the application is served.
    asked: Option<OwnedFd>,
    announced: bool,
}

impl Parent<'_> {
    /// Hands the plan to the manager, as a new generation.
    fn configure(&mut self) -> Result<()> {
        let settings = &self.plan.settings;
        let log = open_log(settings)?;
        let access = open_access_log(settings)?;
        self.generation += 1;
        let specs = &self.listening.specs;
        let wire = spec::settings(&self.plan, &self.script, &self.library, self.generation, specs);
        let mut descriptors: Vec<BorrowedFd<'_>> = vec![log.as_fd()];
        descriptors.extend(self.listening.sockets.iter().map(AsFd::as_fd));
        descriptors.extend(access.as_ref().map(AsFd::as_fd));
        self.manager.configure(wire, &descriptors).map_err(ended)
    }

    fn ask(&mut self) -> Result<()> {
        let mount = spec::mount(&self.plan, &self.script);
        self.asked = Some(self.manager.ask(&mount).map_err(ended)?);
        Ok(())
    }

    /// Does what comes, until the manager has ended.
    fn wait(&mut self) -> Result<Exit> {
        loop {
            let manager = self.manager.as_fd();
            let asked = self.asked.as_ref().map_or(manager, AsFd::as_fd);
            let pause = match self.phase {
                Phase::Failed(_) => Some(LOOK),
                Phase::Leaving(until) => Some(until.saturating_duration_since(Instant::now())),
                _ => None,
            };
            let [signalled, ended_now, answered] =
                sockets::poll_readable([self.signals.as_fd(), manager, asked], pause)
                    .map_err(|error| ended(ManagerError::Send(error)))?;
            if ended_now {
                return self.end();
            }
            if answered && self.asked.is_some() {
                self.answered()?;
            }
            while signalled && let Ok(Some(signal)) = self.signals.next() {
                self.signal(signal)?;
            }
            self.look()?;
        }
    }

    /// Whether it has been told to end.
    fn is_ending(&self) -> bool {
        matches!(self.phase, Phase::Leaving(_) | Phase::Draining | Phase::Stopping(_))
    }

    /// The manager has ended.
    fn end(&mut self) -> Result<Exit> {
        self.manager.join().map_err(ended)?;
        match self.phase {
            Phase::Draining => Ok(Exit::Done),
            Phase::Stopping(exit) => Ok(exit),
            Phase::Serving | Phase::Failed(_) | Phase::Leaving(_) => Err(ended(ManagerError::Gone)),
        }
    }

    fn answered(&mut self) -> Result<()> {
        let Some(socket) = self.asked.take() else { return Ok(()) };
        let reply = Manager::answer(&socket).map_err(ended)?;
        match reply {
            Some(AcquireReply::Mounted(_)) => {
                if !self.is_ending() {
                    self.phase = Phase::Serving;
                    self.announce();
                }
                Ok(())
            }
            Some(AcquireReply::Failed { detail, retry_ms }) => {
                self.load_failed(&detail.unwrap_or_default(), Duration::from_millis(retry_ms))
            }
            // It is ending.
            _ => Ok(()),
        }
    }

    fn load_failed(&mut self, traceback: &str, retry: Duration) -> Result<()> {
        if self.is_ending() {
            return Ok(());
        }
        let summary = failure::last_line(traceback).to_owned();
        let again = Instant::now() + retry + LATER;
        if let Phase::Failed(waiting) = &mut self.phase
            && waiting.said == summary
        {
            waiting.again = again;
            return Ok(());
        }
        let shown = failure::shown(traceback);
        if !shown.is_empty() {
            say(format_args!("{shown}"));
        }
        let error = Failed::new(LoadError::of(&self.plan, traceback), Exit::NotLoaded);
        say(format_args!("pinion: {error}"));
        if !self.plan.settings.reload {
            return self.stop(Exit::NotLoaded);
        }
        say(format_args!("waiting for a change"));
        let files = Snapshot::of(&self.plan);
        self.phase = Phase::Failed(Waiting { files, said: summary, again });
        Ok(())
    }

    /// Looks for a change that lets the application load.
    fn look(&mut self) -> Result<()> {
        if let Phase::Leaving(until) = self.phase
            && Instant::now() >= until
        {
            return self.drain();
        }
        let Phase::Failed(waiting) = &self.phase else { return Ok(()) };
        if waiting.files != Snapshot::of(&self.plan) {
            return self.load_again();
        }
        if self.asked.is_none() && Instant::now() >= waiting.again {
            return self.ask();
        }
        Ok(())
    }

    fn load_again(&mut self) -> Result<()> {
        let files = Snapshot::of(&self.plan);
        match self.renew() {
            Ok(()) => {
                self.phase = Phase::Serving;
                self.ask()
            }
            Err(failed) => {
                say(format_args!("pinion: {failed}"));
                if let Phase::Failed(waiting) = &mut self.phase {
                    waiting.files = files;
                }
                Ok(())
            }
        }
    }

    fn signal(&mut self, signal: Signal) -> Result<()> {
        match (signal, &self.phase) {
            (Signal::SIGTERM | Signal::SIGINT, Phase::Serving) => self.leave(),
            (Signal::SIGTERM | Signal::SIGINT, Phase::Failed(_)) => self.drain(),
            (Signal::SIGTERM | Signal::SIGINT, Phase::Leaving(_) | Phase::Draining) => {
                self.stop(Exit::Done)
            }
            (Signal::SIGHUP, Phase::Serving | Phase::Failed(_)) => {
                self.reload();
                Ok(())
            }
            (Signal::SIGUSR2, _) => {
                say(format_args!(
                    "the Python stacks of all workers follow, but for threads without a request"
                ));
                self.manager.tell(&Control::DumpStacks).map_err(ended)
            }
            _ => Ok(()),
        }
    }

    /// Lets balancers notice that this server will end, for as long as that is asked for; then drains.
    fn leave(&mut self) -> Result<()> {
        let delay = self.plan.settings.times.delay;
        if delay == 0 || !self.announced {
            return self.drain();
        }
        self.phase = Phase::Leaving(Instant::now() + Duration::from_millis(delay));
        self.manager.tell(&Control::Leave).map_err(ended)
    }

    fn drain(&mut self) -> Result<()> {
        self.phase = Phase::Draining;
        self.listening.close();
        self.manager.tell(&Control::Drain).map_err(ended)
    }

    fn stop(&mut self, exit: Exit) -> Result<()> {
        self.phase = Phase::Stopping(exit);
        self.listening.close();
        self.manager.tell(&Control::Stop).map_err(ended)
    }

    /// Takes over what has changed; what is not in order leaves all as it was.
    fn reload(&mut self) {
        if let Err(failed) = self.renew() {
            say(format_args!("pinion: {failed}"));
            let text = "the reload is refused, all goes on as before".to_owned();
            let hint = "mend that, and send SIGHUP again".to_owned();
            remark(&Remark { code: Code::ReloadRefused, text, hint });
        } else if let Phase::Failed(_) = self.phase
            && self.ask().is_ok()
        {
            self.phase = Phase::Serving;
        }
    }

    fn renew(&mut self) -> Result<()> {
        let mut plan = Plan::make(self.request)?;
        // Both can be opened, or nothing is changed.
        open_log(&plan.settings)?;
        open_access_log(&plan.settings)?;
        self.script.renew(&plan.found, &plan.settings.callable, plan.identity.as_ref())?;
        plan.remarks.iter().for_each(remark);
        for name in fixed(&self.plan.settings, &mut plan.settings) {
            let text = format!("--{name} has changed, which takes effect with a new start");
            let hint = "restart pinion serve".to_owned();
            remark(&Remark { code: Code::StartNeeded, text, hint });
        }
        self.plan = plan;
        self.configure()
    }

    /// Says once where the application is.
    fn announce(&mut self) {
        if std::mem::replace(&mut self.announced, true) {
            return;
        }
        let settings = &self.plan.settings;
        let mount = settings.mount.as_ref().map_or("/", |mount| mount.as_str());
        let addresses: Vec<String> = self
            .listening
            .addresses
            .iter()
            .map(|address| {
                if address.contains("unix:") {
                    address.clone()
                } else {
                    format!("{address}{mount}")
                }
            })
            .collect();
        let plural = |number: u32, one: &str, many: &str| {
            format!("{number} {}", if number == 1 { one } else { many })
        };
        say(format_args!(
            "serving {} on {} by {}, {} of {}",
            self.plan.found.title(),
            addresses.join(", "),
            self.plan.python,
            plural(settings.processes.get(), "process", "processes"),
            plural(settings.threads.get(), "thread", "threads"),
        ));
        // From here on it waits.
        pinion_unix::program::rest();
    }
}

/// The names of options that have changed and are only looked at when the server starts; they stay as they were.
fn fixed(old: &Settings, new: &mut Settings) -> Vec<&'static str> {
    let mut changed = Vec::new();
    if old.bind != new.bind {
        changed.push("bind");
        new.bind.clone_from(&old.bind);
    }
    if old.pid_file != new.pid_file {
        changed.push("pid-file");
        new.pid_file.clone_from(&old.pid_file);
    }
    changed
}

fn ended(error: ManagerError) -> Failed {
    Failed::new(error, Exit::Broken)
}

/// Where errors go.
fn open_log(settings: &Settings) -> Result<OwnedFd> {
    match &settings.log {
        Some(path) => Ok(append(path)?.into()),
        None => pinion_front::no_log().map_err(|error| ended(ManagerError::Start(error))),
    }
}

fn open_access_log(settings: &Settings) -> Result<Option<OwnedFd>> {
    match &settings.access_log {
        Some(LogTarget::File(path)) => Ok(Some(append(path)?.into())),
        Some(LogTarget::Output) => {
            let output = io::stdout().as_fd().try_clone_to_owned();
            output.map(Some).map_err(|error| ended(ManagerError::Start(error)))
        }
        None => Ok(None),
    }
}

fn append(path: &Path) -> Result<File, FileError> {
    let opened = OpenOptions::new().append(true).create(true).mode(0o640).open(path);
    opened.map_err(FileError::at("write", path))
}

pub(crate) fn remark(remark: &Remark) {
    let Remark { code, text, hint } = remark;
    say(format_args!("pinion: {code}: {text}\nhint: {hint}"));
}

/// Says something to who has started the server. Who has closed standard error wants to hear nothing.
pub(crate) fn say(text: std::fmt::Arguments<'_>) {
    let _ = writeln!(io::stderr(), "{text}");
}
