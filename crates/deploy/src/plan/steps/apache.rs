//! What a site needs of Apache beside its own configuration: modules, a port, a test, a reload.

use std::fs;
use std::path::{Path, PathBuf};

use crate::apache::{Apache, Facts, Sites, Switch, port_owner};
use crate::error::FileError;
use crate::plan::step::Step;
use crate::plan::{Change, Part, PlanError, Run};
use crate::tool::quoted;

/// The name under which Pinion's module is enabled on Debian.
const PINION: &str = "pinion";

/// Loads modules that are absent: Pinion's own by a file that says where it is.
#[derive(Debug)]
pub struct Modules {
    /// The Apache.
    pub apache: Apache,
    /// What it was configured to do when the plan was made.
    pub facts: Facts,
    /// Modules of Apache's own that the site needs, as `alias`.
    pub needed: Vec<&'static str>,
    /// Pinion's module.
    pub pinion: PathBuf,
}

impl Modules {
    fn absent(&self) -> Vec<&'static str> {
        let loaded = |name: &&&str| self.facts.modules.contains(&format!("{name}_module"));
        self.needed.iter().filter(|name| !loaded(name)).copied().collect()
    }

    fn has_wsgi(&self) -> bool {
        self.facts.modules.contains("wsgi_module")
    }

    fn load_line(&self) -> String {
        format!("LoadModule wsgi_module \"{}\"\n", self.pinion.display())
    }

    /// Where the line that loads Pinion goes; `None` where a person has to add it.
    fn load_file(&self) -> Option<PathBuf> {
        match &self.apache.sites {
            Sites::Debian => Some(self.apache.available_file(Switch::Module, PINION)),
            // Before the sites, which come in the order of their names.
            Sites::Folder(folder) => Some(folder.join("00-pinion.conf")),
            Sites::ByHand => None,
        }
    }
}

impl Step for Modules {
    fn id(&self) -> &'static str {
        "modules"
    }

    fn title(&self) -> String {
        "load the modules that the site needs".to_owned()
    }

    fn changes(&self) -> String {
        let own = (!self.has_wsgi()).then(|| format!("wsgi ({})", self.pinion.display()));
        own.into_iter()
            .chain(self.absent().into_iter().map(str::to_owned))
            .collect::<Vec<_>>()
            .join(", ")
    }

    fn commands(&self) -> Vec<String> {
        let mut lines = Vec::new();
        if !self.has_wsgi() {
            let line = self.load_line();
            let line = quoted(line.trim_end().as_ref());
            match self.load_file() {
                Some(file) => lines.push(format!("echo {line} > {}", quoted(file.as_os_str()))),
                None => {
                    lines.push(format!("echo {line} >> {}", quoted(self.apache.config.as_os_str())))
                }
            }
            lines.extend(self.apache.enable(Switch::Module, PINION).map(|tool| tool.line()));
        }
        let enable = |name| self.apache.enable(Switch::Module, name).map(|tool| tool.line());
        lines.extend(self.absent().into_iter().filter_map(enable));
        lines
    }

    fn is_done(&self) -> Result<bool, PlanError> {
        Ok(self.has_wsgi() && self.absent().is_empty())
    }

    fn run(&self, run: &mut Run<'_>) -> Result<Vec<String>, PlanError> {
        run.configuration(Part::Server, self.facts.parent().is_some())?;
        if !self.has_wsgi() {
            let file = self.load_file().ok_or_else(|| PlanError::Left {
                what: format!(
                    "add `{}` to {}",
                    self.load_line().trim_end(),
                    self.apache.config.display()
                ),
            })?;
            run.note(Change::Shared { path: file.clone() })?;
            run.write(&file, self.load_line().as_bytes(), 0o644, None)?;
            enable(run, &self.apache, Switch::Module, PINION)?;
        }
        for name in self.absent() {
            if self.apache.sites != Sites::Debian {
                let what = format!("load {name}_module in {}", self.apache.config.display());
                return Err(PlanError::Left { what });
            }
            enable(run, &self.apache, Switch::Module, name)?;
        }
        Ok(Vec::new())
    }
}

/// Enables something by Debian's tool, where there is one.
pub(super) fn enable(
    run: &mut Run<'_>,
    apache: &Apache,
    kind: Switch,
    name: &str,
) -> Result<(), PlanError> {
    let Some(tool) = apache.enable(kind, name) else { return Ok(()) };
    if apache.enabled_link(kind, name).symlink_metadata().is_ok() {
        return Ok(());
    }
    run.note(Change::Enabled { kind, name: name.to_owned() })?;
    tool.run(run.interrupt)?;
    Ok(())
}

/// Makes Apache listen on the site's port.
#[derive(Debug)]
pub struct Port {
    /// The Apache.
    pub apache: Apache,
    /// What it was configured to do when the plan was made.
    pub facts: Facts,
    /// The site's name among Apache's.
    pub name: String,
    /// The port.
    pub port: u16,
}

impl Port {
    fn piece(&self) -> String {
        format!("{}-port", self.name)
    }

    fn file(&self) -> Option<PathBuf> {
        match &self.apache.sites {
            Sites::Debian => Some(self.apache.available_file(Switch::Conf, &self.piece())),
            Sites::Folder(folder) => Some(folder.join(format!("{}.conf", self.piece()))),
            Sites::ByHand => None,
        }
    }
}

impl Step for Port {
    fn id(&self) -> &'static str {
        "port"
    }

    fn title(&self) -> String {
        format!("let Apache listen on port {}", self.port)
    }

    fn commands(&self) -> Vec<String> {
        let file = self.file().unwrap_or_else(|| self.apache.config.clone());
        let mut lines =
            vec![format!("echo 'Listen {}' >> {}", self.port, quoted(file.as_os_str()))];
        lines.extend(self.apache.enable(Switch::Conf, &self.piece()).map(|tool| tool.line()));
        lines
    }

    fn is_done(&self) -> Result<bool, PlanError> {
        if self.facts.listens().iter().any(|listen| listen.port == self.port) {
            return Ok(true);
        }
        match port_owner(self.port) {
            Some(_taken) => Err(PlanError::PortTaken { port: self.port }),
            None => Ok(false),
        }
    }

    fn run(&self, run: &mut Run<'_>) -> Result<Vec<String>, PlanError> {
        run.configuration(Part::Site, self.facts.parent().is_some())?;
        let file = self.file().ok_or_else(|| PlanError::Left {
            what: format!("add `Listen {}` to {}", self.port, self.apache.config.display()),
        })?;
        run.write(&file, format!("Listen {}\n", self.port).as_bytes(), 0o644, None)?;
        enable(run, &self.apache, Switch::Conf, &self.piece())?;
        Ok(Vec::new())
    }
}

/// Tests the configuration.
#[derive(Debug)]
pub struct Configtest {
    /// The Apache.
    pub apache: Apache,
}

impl Step for Configtest {
    fn id(&self) -> &'static str {
        "configtest"
    }

    fn title(&self) -> String {
        "test Apache's configuration".to_owned()
    }

    fn changes(&self) -> String {
        "nothing".to_owned()
    }

    fn commands(&self) -> Vec<String> {
        vec![self.apache.configtest().line()]
    }

    fn is_done(&self) -> Result<bool, PlanError> {
        Ok(false)
    }

    fn run(&self, run: &mut Run<'_>) -> Result<Vec<String>, PlanError> {
        self.apache.test(run.interrupt)?;
        Ok(Vec::new())
    }
}

/// Lets Apache take the new configuration and workers the new code; starts Apache if it does not run.
#[derive(Debug)]
pub struct Reload {
    /// The Apache.
    pub apache: Apache,
    /// What it was configured to do when the plan was made.
    pub facts: Facts,
    /// The script, which is touched: so workers load it anew.
    pub script: PathBuf,
}

impl Step for Reload {
    fn id(&self) -> &'static str {
        "reload"
    }

    fn title(&self) -> String {
        match self.facts.parent() {
            Some(_) => "let Apache take the new configuration".to_owned(),
            None => "start Apache".to_owned(),
        }
    }

    fn changes(&self) -> String {
        match self.facts.parent() {
            Some(_) => "a graceful restart: requests that run are finished".to_owned(),
            None => String::new(),
        }
    }

    fn commands(&self) -> Vec<String> {
        let touch = format!("touch {}", quoted(self.script.as_os_str()));
        let take = match self.facts.parent() {
            Some(_) => self.apache.graceful(),
            None => self.apache.start(),
        };
        vec![touch, take.line()]
    }

    fn is_done(&self) -> Result<bool, PlanError> {
        Ok(false)
    }

    fn only_after_changes(&self) -> bool {
        true
    }

    fn run(&self, run: &mut Run<'_>) -> Result<Vec<String>, PlanError> {
        touch(&self.script)?;
        let facts = self.apache.facts()?;
        run.configuration(Part::Site, facts.parent().is_some())?;
        if facts.parent().is_some() {
            run.note(Change::Reloaded)?;
            self.apache.reload(&facts, run.interrupt)?;
        } else {
            run.note(Change::Started)?;
            self.apache.start().run(run.interrupt)?;
        }
        Ok(Vec::new())
    }
}

fn touch(path: &Path) -> Result<(), FileError> {
    let now = fs::FileTimes::new().set_modified(std::time::SystemTime::now());
    let file = fs::File::options().append(true).open(path);
    file.and_then(|file| file.set_times(now)).map_err(FileError::at("date", path))
}
