//! What a private Apache is to serve: its folder, configuration and virtual hosts.

use crate::command::Finished;
use crate::place::{SERVER_USER, is_root};
use crate::port::Port;
use crate::{Apache, Error, Server, command};
use std::fmt::Write as _;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use tempfile::TempDir;

/// Debian's server program.
pub(crate) const HTTPD: &str = "/usr/sbin/apache2";
/// Debian's folder of modules.
const MODULES: &str = "/usr/lib/apache2/modules";
/// Modules that Debian enables by default and sites rely on, the MPM aside.
const DEFAULT_MODULES: &[&str] = &["alias", "authz_core", "authz_host", "dir", "env", "mime"];

/// How Apache serves connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Mpm {
    /// Threads with a listener that parks idle connections; Debian's default.
    #[default]
    Event,
    /// A thread for each connection.
    Worker,
    /// A process for each connection.
    Prefork,
}

impl Mpm {
    /// The module's name, as in `mpm_event_module`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Event => "mpm_event",
            Self::Worker => "mpm_worker",
            Self::Prefork => "mpm_prefork",
        }
    }

    /// Few processes, so that tests start and stop quickly; later directives override these.
    fn sizing(self) -> &'static str {
        match self {
            Self::Event | Self::Worker => {
                "StartServers 1\nMinSpareThreads 1\nMaxSpareThreads 150\nThreadsPerChild 25\n\
                 MaxRequestWorkers 150\n"
            }
            Self::Prefork => {
                "StartServers 4\nMinSpareServers 1\nMaxSpareServers 64\nMaxRequestWorkers 64\n"
            }
        }
    }
}

/// A name-based virtual host, with an error log of its own at `logs/NAME.error.log`.
#[derive(Debug, Clone)]
pub struct VirtualHost {
    /// Its ServerName.
    pub name: String,
    /// The directives inside it.
    pub config: String,
}

/// A private Apache that is not started yet; see the crate's example.
#[derive(Debug)]
pub struct Site {
    root: TempDir,
    port: Port,
    server: Option<Server>,
    mpm: Mpm,
    log_level: String,
    modules: Vec<String>,
    config: String,
    hosts: Vec<VirtualHost>,
    environment: Vec<(String, String)>,
}

impl Site {
    /// A site whose Apache loads `server` as `wsgi_module`.
    ///
    /// # Errors
    /// No temporary folder or no port could be had.
    pub fn new(server: &Server) -> Result<Self, Error> {
        let mut site = Self::bare()?;
        site.server = Some(server.clone());
        Ok(site)
    }

    /// A site without a server under test: the web server alone.
    ///
    /// # Errors
    /// No temporary folder or no port could be had.
    pub fn bare() -> Result<Self, Error> {
        let mut builder = tempfile::Builder::new();
        builder.prefix("pinion-").disable_cleanup(std::env::var_os("PINION_KEEP").is_some());
        let root = builder.tempdir().map_err(Error::io("making a temporary folder"))?;
        let site = Self {
            root,
            port: Port::take()?,
            server: None,
            mpm: Mpm::default(),
            log_level: "warn".to_owned(),
            modules: DEFAULT_MODULES.iter().map(|name| (*name).to_owned()).collect(),
            config: String::new(),
            hosts: Vec::new(),
            environment: vec![
                ("PATH".to_owned(), "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin".to_owned()),
                ("LANG".to_owned(), "C".to_owned()),
            ],
        };
        open_mode(site.root(), 0o755)?;
        for folder in ["logs", "run", "htdocs"] {
            site.folder(folder)?;
        }
        Ok(site)
    }

    /// The server root: all files of the site are below it. Set `PINION_KEEP` to keep it.
    pub fn root(&self) -> &Path {
        self.root.path()
    }

    /// The server under test, if it loads one.
    pub fn server(&self) -> Option<&Server> {
        self.server.as_ref()
    }

    /// The port of 127.0.0.1 that it will listen on.
    pub fn port(&self) -> u16 {
        self.port.number()
    }

    /// Makes a folder below the root.
    ///
    /// # Errors
    /// It cannot be made.
    pub fn folder(&self, name: &str) -> Result<PathBuf, Error> {
        let path = self.root().join(name);
        std::fs::create_dir_all(&path).map_err(Error::io(format!("making {}", path.display())))?;
        Ok(path)
    }

    /// Makes a folder below the root that Apache's user may write to.
    ///
    /// # Errors
    /// It cannot be made.
    pub fn writable_folder(&self, name: &str) -> Result<PathBuf, Error> {
        let path = self.folder(name)?;
        open_mode(&path, 0o777)?;
        Ok(path)
    }

    /// Writes a file below the root, with its folders.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn write(&self, name: &str, content: impl AsRef<[u8]>) -> Result<PathBuf, Error> {
        let path = self.root().join(name);
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder)
                .map_err(Error::io(format!("making {}", folder.display())))?;
        }
        std::fs::write(&path, content).map_err(Error::io(format!("writing {}", path.display())))?;
        Ok(path)
    }

    /// Chooses the MPM; event if never called.
    pub fn mpm(&mut self, mpm: Mpm) -> &mut Self {
        self.mpm = mpm;
        self
    }

    /// The MPM that it will run under.
    pub fn chosen_mpm(&self) -> Mpm {
        self.mpm
    }

    /// Lets Apache have one child process only, so that embedded applications keep their state
    /// between requests.
    pub fn one_child(&mut self) -> &mut Self {
        let limits = match self.mpm {
            Mpm::Event | Mpm::Worker => "MaxSpareThreads 25\nMaxRequestWorkers 25",
            Mpm::Prefork => "MaxSpareServers 1\nMaxRequestWorkers 1",
        };
        self.config(format!("StartServers 1\n{limits}"))
    }

    /// Sets LogLevel; `warn` if never called.
    pub fn log_level(&mut self, level: &str) -> &mut Self {
        level.clone_into(&mut self.log_level);
        self
    }

    /// Loads one more of Debian's modules, named as in `mod_NAME.so`.
    pub fn module(&mut self, name: &str) -> &mut Self {
        if !self.modules.iter().any(|known| known == name) {
            self.modules.push(name.to_owned());
        }
        self
    }

    /// Adds directives to the main server, after all modules are loaded.
    pub fn config(&mut self, text: impl AsRef<str>) -> &mut Self {
        self.config.push_str(text.as_ref());
        self.config.push('\n');
        self
    }

    /// Adds a name-based virtual host; the first one also answers unknown names.
    pub fn host(&mut self, name: &str, config: impl Into<String>) -> &mut Self {
        self.hosts.push(VirtualHost { name: name.to_owned(), config: config.into() });
        self
    }

    /// Sets a variable in the environment that Apache starts with (else only PATH and LANG=C).
    pub fn environment(&mut self, name: &str, value: &str) -> &mut Self {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    /// What `apache2 -t` says of this site.
    ///
    /// # Errors
    /// The configuration cannot be written, or apache2 cannot be run.
    pub fn configtest(&self) -> Result<Finished, Error> {
        self.write_configuration()?;
        command::run_quietly(self.httpd().arg("-t"))
    }

    /// Starts Apache and waits until it answers.
    ///
    /// # Errors
    /// It refuses the configuration, ends, or does not answer in time; the error has its log.
    pub fn start(self) -> Result<Apache, Error> {
        self.write_configuration()?;
        Apache::start(self)
    }

    /// Writes the configuration again, as it stands now, for a later [`Apache::graceful`].
    ///
    /// # Errors
    /// It cannot be written.
    pub fn write_configuration(&self) -> Result<(), Error> {
        self.write("httpd.conf", self.configuration()).map(drop)
    }

    /// The server's command for this site, without an action.
    pub(crate) fn httpd(&self) -> Command {
        let mut command = Command::new(HTTPD);
        // Where the init system starts it too; without a home of their own, daemons stay there.
        command.current_dir("/").env_clear().envs(self.environment.iter().map(|(k, v)| (k, v)));
        command.arg("-d").arg(self.root()).arg("-f").arg(self.root().join("httpd.conf"));
        command
    }

    /// The whole configuration file.
    fn configuration(&self) -> String {
        let (root, port) = (self.root().display(), self.port());
        let mut text = format!(
            "ServerRoot {root}\nPidFile {root}/run/httpd.pid\nDefaultRuntimeDir {root}/run\n\
             Listen 127.0.0.1:{port}\nServerName localhost:{port}\n\
             ErrorLog {root}/logs/error.log\nLogLevel {level}\n",
            level = self.log_level
        );
        let mpm = std::iter::once(self.mpm.name());
        for name in mpm.chain(self.modules.iter().map(String::as_str)) {
            let _ = writeln!(text, "LoadModule {name}_module {MODULES}/mod_{name}.so");
        }
        if let Some(server) = &self.server {
            let _ = writeln!(text, "LoadModule wsgi_module \"{}\"", server.module().display());
            let _ = writeln!(text, "WSGISocketPrefix {root}/run/wsgi");
        }
        if is_root() {
            let _ = writeln!(text, "User {SERVER_USER}\nGroup {SERVER_USER}");
        }
        text.push_str(self.mpm.sizing());
        let _ = writeln!(
            text,
            "DocumentRoot {root}/htdocs\nTypesConfig /etc/mime.types\n<Directory />\n\
             AllowOverride None\nOptions FollowSymLinks\nRequire all granted\n</Directory>\n"
        );
        text.push_str(&self.config);
        for host in &self.hosts {
            let _ = writeln!(
                text,
                "<VirtualHost 127.0.0.1:{port}>\nServerName {name}\n\
                 ErrorLog {root}/logs/{name}.error.log\n{config}\n</VirtualHost>",
                name = host.name,
                config = host.config
            );
        }
        text
    }
}

fn open_mode(path: &Path, mode: u32) -> Result<(), Error> {
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode))
        .map_err(Error::io(format!("changing the mode of {}", path.display())))
}
