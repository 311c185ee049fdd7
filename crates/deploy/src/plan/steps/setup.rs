//! Setting the application's database up, as the application's user.

use std::fs;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::account::Account;
use crate::error::FileError;
use crate::plan::run::lacks;
use crate::plan::step::Step;
use crate::plan::{Change, PlanError, Run};
use crate::tool::Tool;

/// How a kind of project is set up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SetupKind {
    /// TurboGears: `gearbox setup-app`, once.
    Gearbox {
        /// The ini file.
        ini: PathBuf,
    },
    /// Pyramid with SQLAlchemy, as its cookiecutter makes it: migrations, then the project's own
    /// script, once.
    Pyramid {
        /// The ini file.
        ini: PathBuf,
        /// The script, such as `initialize_myapp_db`.
        script: String,
        /// Whether the ini file has a section for Alembic.
        alembic: bool,
    },
    /// Django: migrations, and static files where there is a place for them; each time.
    Django {
        /// The module of its settings.
        settings: String,
    },
}

/// Sets the application's database up.
#[derive(Debug)]
pub struct Setup {
    /// How.
    pub kind: SetupKind,
    /// The application's virtualenv.
    pub virtualenv: PathBuf,
    /// The deployed application's folder.
    pub folder: PathBuf,
    /// The application's user.
    pub account: Account,
    /// Database files that are known before the application is asked.
    pub databases: Vec<PathBuf>,
    /// Whether an earlier run did it.
    pub done: bool,
}

/// What Django's settings tell.
#[derive(Debug, Default, Deserialize)]
struct Told {
    databases: Vec<PathBuf>,
    static_root: Option<PathBuf>,
    media_root: Option<PathBuf>,
}

/// Begins the line of the answer, since settings may print too.
const MARK: &str = "pinion-settings:";

const ASK_DJANGO: &str = "\
import json, os, sys
sys.path.insert(0, os.getcwd())
from django.conf import settings
path = lambda value: os.path.abspath(str(value)) if value else None
print('pinion-settings:' + json.dumps({
    'databases': [path(one['NAME']) for one in settings.DATABASES.values()
                  if one.get('ENGINE', '').endswith('sqlite3') and str(one['NAME']) != ':memory:'],
    'static_root': path(settings.STATIC_ROOT),
    'media_root': path(settings.MEDIA_ROOT),
}))";

impl Setup {
    /// A command of the virtualenv, run as the application's user from its folder.
    fn tool(&self, program: &str) -> Tool {
        Tool::new(self.virtualenv.join("bin").join(program))
            .within(&self.folder)
            .run_as(&self.account)
            .quietly("PYTHONDONTWRITEBYTECODE", "1")
    }

    fn manage(&self, arguments: &[&str]) -> Tool {
        self.tool("python").arg("manage.py").args(arguments)
    }

    fn tools(&self) -> Vec<Tool> {
        match &self.kind {
            SetupKind::Gearbox { ini } => {
                vec![self.tool("gearbox").args(["setup-app", "--config"]).arg(ini)]
            }
            SetupKind::Pyramid { ini, script, alembic } => {
                let migrate = || self.tool("alembic").arg("-c").arg(ini).args(["upgrade", "head"]);
                let set_up = self.tool(script).arg(ini);
                alembic.then(migrate).into_iter().chain([set_up]).collect()
            }
            SetupKind::Django { .. } => {
                vec![self.manage(&["migrate", "--noinput"])]
            }
        }
    }

    fn collect(&self) -> Tool {
        self.manage(&["collectstatic", "--noinput"])
    }

    fn ask_django(&self, settings: &str, run: &Run<'_>) -> Result<Told, PlanError> {
        let ask = self.tool("python").args(["-c", ASK_DJANGO]);
        let output = ask.quietly("DJANGO_SETTINGS_MODULE", settings).run(run.interrupt)?;
        let line = output.lines().find_map(|line| line.strip_prefix(MARK));
        // Without the line, Django's own commands will say what is wrong.
        Ok(line.and_then(|line| serde_json::from_str(line).ok()).unwrap_or_default())
    }

    /// Lets the application's user write a database file, which needs its folder too, and keeps the
    /// file as it is now for an undoing.
    fn prepare_database(&self, run: &mut Run<'_>, file: &Path) -> Result<(), PlanError> {
        let Some(folder) = file.parent() else { return Ok(()) };
        run.way_to(file)?;
        run.provide(folder, &self.account, 0o755, &self.folder)?;
        if file.symlink_metadata().is_ok() {
            lacks(file, &self.account, &self.folder)?;
            run.note(Change::Data { path: file.to_owned() })?;
            run.claim(file)?;
            return run.provide(file, &self.account, 0o640, &self.folder);
        }
        run.note(Change::Data { path: file.to_owned() })?;
        run.note(Change::Made { path: file.to_owned() })
    }

    /// A folder that the settings name. They are the application's word, not root's: what is
    /// another's is not given to it.
    fn prepare_folder(&self, run: &mut Run<'_>, folder: &Path) -> Result<(), PlanError> {
        if folder.is_dir() {
            return run.provide(folder, &self.account, 0o755, &self.folder);
        }
        run.folder(folder, &self.account, 0o755)
    }

    fn set_up_django(&self, run: &mut Run<'_>, settings: &str) -> Result<Vec<String>, PlanError> {
        let told = self.ask_django(settings, run)?;
        for file in &told.databases {
            self.prepare_database(run, file)?;
        }
        if let Some(folder) = &told.media_root {
            if !folder.exists() {
                run.note(Change::Data { path: folder.clone() })?;
            }
            self.prepare_folder(run, folder)?;
        }
        self.manage(&["migrate", "--noinput"]).run(run.interrupt)?;
        let Some(folder) = &told.static_root else {
            return Ok(vec!["STATIC_ROOT is not set: no static files collected".to_owned()]);
        };
        self.prepare_folder(run, folder)?;
        let output = self.collect().run(run.interrupt)?;
        Ok(output
            .lines()
            .rfind(|line| line.contains("static file"))
            .map(str::to_owned)
            .into_iter()
            .collect())
    }
}

impl Step for Setup {
    fn id(&self) -> &'static str {
        "setup"
    }

    fn title(&self) -> String {
        match &self.kind {
            SetupKind::Django { .. } => "migrate the database and collect static files".to_owned(),
            _ => "set the database up".to_owned(),
        }
    }

    fn changes(&self) -> String {
        let files: Vec<_> = self.databases.iter().map(|file| file.display().to_string()).collect();
        match &self.kind {
            SetupKind::Django { .. } => {
                "what the settings name: DATABASES, STATIC_ROOT, MEDIA_ROOT".to_owned()
            }
            _ if files.is_empty() => "what the ini file names".to_owned(),
            _ => files.join(", "),
        }
    }

    fn commands(&self) -> Vec<String> {
        let collect = matches!(self.kind, SetupKind::Django { .. }).then(|| self.collect());
        self.tools().iter().chain(&collect).map(Tool::line).collect()
    }

    fn is_done(&self) -> Result<bool, PlanError> {
        if matches!(self.kind, SetupKind::Django { .. }) {
            // Each deployment may bring migrations and static files; both commands do only what is new.
            return Ok(false);
        }
        let filled = |file: &PathBuf| fs::metadata(file).is_ok_and(|meta| meta.len() > 0);
        Ok(self.done || (!self.databases.is_empty() && self.databases.iter().all(filled)))
    }

    fn run(&self, run: &mut Run<'_>) -> Result<Vec<String>, PlanError> {
        if let SetupKind::Django { settings } = &self.kind {
            return self.set_up_django(run, settings);
        }
        for file in &self.databases {
            self.prepare_database(run, file)?;
        }
        for tool in self.tools() {
            tool.run(run.interrupt)?;
        }
        if let Some(file) = self.databases.iter().find(|file| !file.exists()) {
            return Err(FileError::at("find", file)(std::io::ErrorKind::NotFound.into()).into());
        }
        run.note(Change::SetUp)?;
        Ok(Vec::new())
    }
}
