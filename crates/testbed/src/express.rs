//! An Apache that PyPI's `mod_wsgi-express setup-server` configured, with the server under test in
//! place of the module that express names.

use crate::place::{SERVER_USER, is_root};
use crate::{Error, Log, MOD_WSGI, Port, Server, command, process, python, venv, wait};
use nix::sys::signal::Signal;
use std::fs::File;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use tempfile::TempDir;

/// Carried in the environment of Apache, to find what it leaves behind.
const MARK: &str = "PINION_TESTBED";
/// The longest that a start or a stop may take before it counts as hung.
const LIMIT: Duration = Duration::from_secs(60);
/// What express needs for `--enable-telemetry`.
const TELEMETRY: &str = "mod-wsgi-telemetry==1.1.0";

/// A server that express is to configure.
#[derive(Debug)]
pub struct Express {
    folder: TempDir,
    port: Port,
    server: Server,
    options: Vec<String>,
}

impl Express {
    /// A folder for the application, and a port.
    ///
    /// # Errors
    /// No temporary folder or no port could be had.
    pub fn new(server: &Server) -> Result<Self, Error> {
        let mut builder = tempfile::Builder::new();
        builder
            .prefix("pinion-express-")
            .disable_cleanup(std::env::var_os("PINION_KEEP").is_some());
        let folder = builder.tempdir().map_err(Error::io("making a temporary folder"))?;
        std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o755))
            .map_err(Error::io("opening a temporary folder"))?;
        Ok(Self { folder, port: Port::take()?, server: server.clone(), options: Vec::new() })
    }

    /// The folder of the application, which is also the one that its processes work in.
    pub fn root(&self) -> &Path {
        self.folder.path()
    }

    /// The port of 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port.number()
    }

    /// Writes a file into the folder.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn write(&self, name: &str, text: &str) -> Result<PathBuf, Error> {
        let path = self.root().join(name);
        std::fs::write(&path, text).map_err(Error::io(format!("writing {}", path.display())))?;
        Ok(path)
    }

    /// Adds options of express.
    pub fn options<const N: usize>(&mut self, words: [&str; N]) -> &mut Self {
        self.options.extend(words.map(str::to_owned));
        self
    }

    /// Has express write its configuration for `script`, points its LoadModule line at the server under
    /// test, starts Apache by express's own `apachectl`, and waits until it answers.
    ///
    /// # Errors
    /// express refuses its options, or Apache does not start.
    pub fn start(self, script: &Path) -> Result<Running, Error> {
        let venv =
            venv::ensure("express", &python::system()?, &["--no-cache-dir", MOD_WSGI, TELEMETRY])?;
        let place = self.root().join("server");
        // With --enable-telemetry, a process of Apache's user makes a socket in it.
        std::fs::create_dir(&place)
            .and_then(|()| std::fs::set_permissions(&place, std::fs::Permissions::from_mode(0o777)))
            .map_err(Error::io("making express's folder"))?;
        let mut setup = Command::new(venv.bin("mod_wsgi-express"));
        setup.arg("setup-server").arg(script).arg("--server-root").arg(&place);
        setup.args(["--host", "127.0.0.1", "--port", &self.port().to_string()]);
        setup.arg("--working-directory").arg(self.root());
        if is_root() {
            setup.args(["--user", SERVER_USER, "--group", SERVER_USER]);
        }
        command::run(setup.args(&self.options))?;
        let file = place.join("httpd.conf");
        let text = std::fs::read_to_string(&file).map_err(Error::io("reading httpd.conf"))?;
        std::fs::write(&file, with_module(&text, self.server.module()))
            .map_err(Error::io("writing httpd.conf"))?;
        let mark = format!("{}-{}", std::process::id(), self.port());
        let child = spawn(&place, &mark)?;
        let mut running = Running { express: self, child, mark };
        running.wait_until_answering()?;
        Ok(running)
    }
}

/// The configuration with another module as `wsgi_module`.
fn with_module(text: &str, module: &Path) -> String {
    let line = |line: &str| match line.starts_with("LoadModule wsgi_module ") {
        true => format!("LoadModule wsgi_module '{}'\n", module.display()),
        false => format!("{line}\n"),
    };
    text.lines().map(line).collect()
}

fn spawn(place: &Path, mark: &str) -> Result<Child, Error> {
    let console = place.join("console.log");
    let open = || File::create(&console).map_err(Error::io("making console.log"));
    let mut command = Command::new(place.join("apachectl"));
    command.arg("-DFOREGROUND").env(MARK, mark).process_group(0);
    command.stdin(Stdio::null()).stdout(open()?).stderr(open()?);
    command.spawn().map_err(Error::io("starting apachectl"))
}

/// A running Apache that express configured; stopped, with all its processes, when dropped.
#[derive(Debug)]
pub struct Running {
    express: Express,
    child: Child,
    mark: String,
}

impl Running {
    /// The port of 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.express.port()
    }

    /// The folder of the application.
    pub fn root(&self) -> &Path {
        self.express.root()
    }

    /// The address of a path that begins with `/`.
    pub fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port())
    }

    /// The error log.
    pub fn log(&self) -> Log {
        Log::at(self.root().join("server/error_log"))
    }

    fn wait_until_answering(&mut self) -> Result<(), Error> {
        let (port, console) = (self.port(), self.root().join("server/console.log"));
        let context = |log: &Log| format!("{}{}", Log::at(console.clone()).tail(), log.tail());
        let answered = wait::poll(LIMIT, || match self.child.try_wait() {
            Ok(Some(status)) => Some(Err(status)),
            _ => crate::apache::answers(port).then_some(Ok(())),
        });
        match answered {
            Some(Ok(())) => Ok(()),
            Some(Err(status)) => {
                Err(Error::Exited { status: status.to_string(), log: context(&self.log()) })
            }
            None => Err(Error::Timeout {
                what: "apache2's first answer".to_owned(),
                after: LIMIT,
                context: context(&self.log()),
            }),
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let root = i32::try_from(self.child.id()).unwrap_or(i32::MAX);
        let mut tree = process::descendants(root);
        if let Some(parent) = process::Process::find(root) {
            parent.signal(Signal::SIGTERM);
        }
        wait::wait_until(Duration::from_secs(10), || matches!(self.child.try_wait(), Ok(Some(_))));
        tree.extend(process::with_environment(MARK, &self.mark));
        for process in tree {
            process.kill();
        }
        // Its own child, which has ended by now or is to.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
