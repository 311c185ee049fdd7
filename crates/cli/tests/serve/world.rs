//! The staged program, projects in folders of their own, and servers that run.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::OnceLock;
use std::time::Duration;

use pinion_testbed::http::{self, Answer};
use pinion_testbed::process::Process;
use pinion_testbed::{Finished, Server, poll, process, run_quietly, wait_until};
use pinion_unix::process::kill;
use pinion_unix::signals::Signal;

/// How long anything may take before the test has failed.
pub(crate) const LIMIT: Duration = Duration::from_secs(60);

/// An application of one file that answers with what it was asked.
pub(crate) const HELLO: &str = r#"
def application(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"hello"]
"#;

/// The staged program.
pub(crate) fn program() -> &'static Path {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    PROGRAM.get_or_init(|| {
        let staged = Server::pinion().unwrap();
        staged.module().ancestors().nth(2).unwrap().join("bin/pinion")
    })
}

/// A folder with files, and the environment in which `pinion serve` runs there.
pub(crate) struct Project {
    folder: tempfile::TempDir,
    env: Vec<(String, String)>,
}

impl Project {
    /// A folder with these files.
    pub(crate) fn new(files: &[(&str, &str)]) -> Self {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::Builder::new().prefix("pinion-test-").tempdir().unwrap();
        // Workers of other users load from it.
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let project = Self { folder, env: Vec::new() };
        for (name, text) in files {
            project.write(name, text);
        }
        project
    }

    /// One with `app.wsgi`, which says hello.
    pub(crate) fn hello() -> Self {
        Self::new(&[("app.wsgi", HELLO)])
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        path
    }

    pub(crate) fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap_or_default()
    }

    /// Sets a variable for what is run.
    pub(crate) fn env(mut self, name: &str, value: &str) -> Self {
        self.env.push((name.to_owned(), value.to_owned()));
        self
    }

    /// `pinion serve` in the folder, without what the environment of the test says.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(program());
        command.arg("serve").args(arguments).current_dir(self.folder.path());
        let own = |name: &str| name.starts_with("PINION_") || name.starts_with("CARGO");
        for (name, _) in std::env::vars().filter(|(name, _)| own(name)) {
            command.env_remove(name);
        }
        command.env_remove("VIRTUAL_ENV").env("TMPDIR", self.temp());
        command.envs(self.env.iter().map(|(name, value)| (name, value)));
        command
    }

    /// The folder for temporary files of what is run, in which nothing may be left.
    pub(crate) fn temp(&self) -> PathBuf {
        let temp = self.path(".tmp");
        fs::create_dir_all(&temp).unwrap();
        temp
    }

    pub(crate) fn litter(&self) -> Vec<PathBuf> {
        fs::read_dir(self.temp()).unwrap().map(|entry| entry.unwrap().path()).collect()
    }

    /// Runs it to its end.
    pub(crate) fn run(&self, arguments: &[&str]) -> Finished {
        run_quietly(&mut self.command(arguments)).unwrap()
    }

    /// All that it says and how it ends, with what differs from machine to machine replaced.
    pub(crate) fn said(&self, arguments: &[&str]) -> String {
        let finished = self.run(arguments);
        assert_eq!(finished.stdout, "", "nothing is said on standard output");
        assert_eq!(self.litter(), Vec::<PathBuf>::new());
        let text = format!("{}{}\n", finished.stderr, finished.status);
        self.settled(&text)
    }

    /// The text with the folder, the interpreter and its version replaced.
    pub(crate) fn settled(&self, text: &str) -> String {
        let python = pinion_testbed::python::system().unwrap();
        let text = text
            .replace(&self.folder.path().display().to_string(), "/FOLDER")
            .replace(&format!("Python {}", python.version), "Python 3.N");
        // The script that is made has a name of its own each time.
        let mut parts = text.split("/FOLDER/.tmp/pinion-run-");
        let first = parts.next().unwrap_or_default().to_owned();
        parts.fold(first, |all, part| {
            let end = part.find('"').unwrap_or(0);
            format!("{all}/MADE.wsgi{}", &part[end..])
        })
    }

    /// Starts a server on a free port, unless the arguments name an address, and waits until it serves.
    pub(crate) fn serve(&self, arguments: &[&str]) -> Serving {
        let serving = self.start(arguments);
        serving.wait_for("serving ");
        serving
    }

    /// Starts a server.
    pub(crate) fn start(&self, arguments: &[&str]) -> Serving {
        let named = arguments.iter().any(|word| ["-b", "--bind"].contains(word));
        let bind: &[&str] = if named { &[] } else { &["--bind", "127.0.0.1:0"] };
        self.start_command(self.command(&[arguments, bind].concat()))
    }

    /// Starts a server with a command line of the test's own.
    pub(crate) fn start_command(&self, mut command: Command) -> Serving {
        static COUNT: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);
        let number = COUNT.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let log = self.path(&format!(".log-{number}"));
        let child = command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(File::create(&log).unwrap())
            .spawn()
            .unwrap();
        Serving { child, log }
    }
}

/// A server that runs; it is killed when it is let go.
pub(crate) struct Serving {
    child: Child,
    log: PathBuf,
}

impl Serving {
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// What it has said.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap()
    }

    /// Waits until it has said something.
    #[track_caller]
    pub(crate) fn wait_for(&self, text: &str) {
        self.wait_for_times(text, 1);
    }

    /// Waits until it has said something so many times.
    #[track_caller]
    pub(crate) fn wait_for_times(&self, text: &str, times: usize) {
        let said = || self.log().matches(text).count() >= times;
        assert!(wait_until(LIMIT, said), "{text:?} was not said {times} times:\n{}", self.log());
    }

    /// The port that the line of the start tells.
    pub(crate) fn port(&self) -> u16 {
        let log = self.log();
        let rest = log.split("http://127.0.0.1:").nth(1).unwrap_or_else(|| panic!("{log}"));
        rest[..rest.find('/').unwrap()].parse().unwrap()
    }

    pub(crate) fn get(&self, path: &str) -> Answer {
        http::get(&format!("http://127.0.0.1:{}{path}", self.port())).unwrap()
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill(self.pid(), signal).unwrap();
    }

    /// Its workers.
    pub(crate) fn workers(&self) -> Vec<Process> {
        process::descendants(i32::try_from(self.pid()).unwrap())
    }

    /// Waits for its end.
    #[track_caller]
    pub(crate) fn ended(&mut self) -> ExitStatus {
        let status = poll(LIMIT, || self.child.try_wait().unwrap());
        status.unwrap_or_else(|| panic!("it runs on:\n{}", self.log()))
    }

    /// Ends it by SIGTERM and waits; its exit status must be 0.
    #[track_caller]
    pub(crate) fn stop(&mut self) {
        self.signal(Signal::SIGTERM);
        let status = self.ended();
        assert!(status.success(), "{status}:\n{}", self.log());
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        // One that has ended is not there to be killed.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
