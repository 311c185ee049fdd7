//! What the application's own Python says of it.

use std::path::{Path, PathBuf};
use std::time::Duration;

use pinion_config::{Code, Place};
use pinion_wire::message::GroupSpec;
use serde::{Deserialize, Serialize};

use super::report::Note;
use super::run;
use crate::finding::Finding;
use crate::render::word;

/// The longest that importing the application may take.
const PATIENCE: Duration = Duration::from_secs(60);
/// The file in the library folder that asks.
const QUESTIONER: &str = "pinion_check.py";

/// What is asked.
#[derive(Debug, Clone, Default, Serialize)]
pub(super) struct Question {
    /// Files and folders of the project's code.
    pub(super) sources: Vec<PathBuf>,
    /// The script, which is run as a worker runs it.
    pub(super) script: Option<PathBuf>,
    /// The callable in it.
    pub(super) callable: String,
    /// The environ of a request that was answered with an error page and no reason.
    pub(super) replay: Option<Vec<(&'static str, String)>>,
    /// Whether the script's own words say where code and ini file are.
    pub(super) discover: bool,
    /// Folders that workers add to the path.
    pub(super) python_path: Vec<String>,
    /// Folders that are on the path should the script fail to put them there.
    pub(super) paths: Vec<PathBuf>,
    /// The ini file that the application is loaded from, and its section.
    pub(super) ini: Option<PathBuf>,
    pub(super) section: String,
    /// The package that is imported.
    pub(super) package: Option<String>,
    /// What pip calls the project.
    pub(super) distribution: Option<String>,
}

/// What is said.
#[derive(Debug, Deserialize)]
pub(super) struct Answer {
    pub(super) version: String,
    writes: Vec<(String, u32, String)>,
    ini: Option<Ini>,
    package: Option<Package>,
    django: Option<Django>,
    /// The traceback that the application kept from its server.
    pub(super) swallowed: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Ini {
    path: String,
    error: Option<String>,
    #[serde(default)]
    missing_sections: Vec<String>,
    #[serde(default)]
    unknown_eggs: Vec<(String, String, String)>,
    proxy_prefix: Option<String>,
    database: Option<Database>,
    loadapp_error: Option<String>,
    debug: Option<String>,
    #[serde(default)]
    known_secrets: Vec<String>,
}

#[derive(Debug, Deserialize)]
struct Database {
    kind: String,
    file: Option<String>,
    empty: Vec<String>,
    error: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Django {
    module: String,
    debug: bool,
    known_key: bool,
    database: Option<Database>,
}

#[derive(Debug, Deserialize)]
struct Package {
    name: String,
    editable: Option<String>,
    shadowed_by: Option<String>,
}

/// Asks the group's interpreter, as the group's user.
///
/// # Errors
/// A note that says why there is no answer.
pub(super) fn ask(
    library: &Path,
    group: &GroupSpec,
    question: &Question,
) -> Result<Answer, Box<Note>> {
    let failed = |why: String, detail: String| {
        let what = format!("{} cannot be asked about the application", group.python);
        let hint = format!("{} -c 'import sys; print(sys.version)'", group.python);
        Box::new(Note { detail, ..Note::new(Finding::new(Code::PythonFailed, what, why, hint)) })
    };
    let file = library.join(QUESTIONER);
    let input = serde_json::to_string(question).unwrap_or_default();
    let ended = run::python(group, &file.to_string_lossy(), &input, PATIENCE)
        .map_err(|error| failed(error.to_string(), String::new()))?;
    let Some(cause) = ended.cause else {
        let why = format!("importing it was not done after {} s", PATIENCE.as_secs());
        return Err(failed(why, ended.errors));
    };
    serde_json::from_str(&ended.output)
        .map_err(|_no_answer| failed(format!("it {cause}"), ended.errors))
}

/// What the checks of one application know beside its Python's answer.
pub(super) struct Around<'a> {
    /// Whether `WSGIRestrictStdout` is on.
    pub(super) restrict_stdout: bool,
    /// How many processes the application has.
    pub(super) processes: u32,
    /// The process group's name.
    pub(super) group: &'a str,
    /// Who runs it.
    pub(super) user: &'a str,
    /// Where it runs.
    pub(super) folder: &'a str,
    /// The virtualenv's interpreter.
    pub(super) python: &'a str,
}

impl Answer {
    /// The ini file that the script loads the application from, where one was found.
    pub(super) fn ini_path(&self) -> Option<PathBuf> {
        self.ini.as_ref().map(|ini| PathBuf::from(&ini.path))
    }

    /// What is wrong, by what was said. The script's own failure is left to the worker, which says more.
    pub(super) fn notes(&self, around: &Around<'_>) -> Vec<Note> {
        let mut notes: Vec<Note> = self.ini.iter().flat_map(|ini| ini.notes(around)).collect();
        notes.extend(self.package.iter().flat_map(|package| package.notes(around)));
        notes.extend(self.django.iter().flat_map(|django| django.notes(around)));
        notes.extend(self.writes.iter().map(|write| write_note(write, around)));
        notes
    }
}

impl Ini {
    fn notes(&self, around: &Around<'_>) -> Vec<Note> {
        let path = &self.path;
        let note = |code, what: String, why: &str, hint: String| {
            Note::new(Finding::new(code, what, why, hint)).at(Place::new(path, 0))
        };
        let mut notes = Vec::new();
        if let Some(error) = &self.error {
            let why = "the application cannot be loaded without it";
            let hint = format!("correct {path}");
            notes.push(note(Code::IniUnreadable, format!("{path}: {error}"), why, hint));
        }
        for section in &self.missing_sections {
            let what = format!("{path} has no section [{section}]");
            let why =
                "logging.config.fileConfig, which the WSGI script calls, fails with a KeyError";
            notes.push(note(
                Code::LoggingSections,
                what,
                why,
                format!("add [{section}] to {path}"),
            ));
        }
        for (section, value, problem) in &self.unknown_eggs {
            let what = format!("{path}: [{section}] use = {value}: {problem}");
            let why = "Paste Deploy finds applications by the metadata of installed packages; the folder on the path is not enough";
            let hint = format!("{} -m pip install PROJECT", around.python);
            notes.push(note(Code::EggUnknown, what, why, hint));
        }
        if let Some(section) = &self.proxy_prefix {
            let what = format!("{path}: [{section}] is behind proxy-prefix");
            let why =
                "that is for applications behind a proxy; the mount point would be added twice";
            notes.push(note(
                Code::ProxyPrefix,
                what,
                why,
                format!("remove filter-with = proxy-prefix from {path}"),
            ));
        }
        if let Some(error) = &self.loadapp_error {
            let what = format!("loadapp('config:{path}') fails in a process of its own");
            let loading = note(Code::LoadFailed, what, "", "mend what the traceback shows".into());
            notes.push(Note { detail: error.clone(), ..loading });
        }
        if let Some(value) = &self.debug {
            let what = format!("{path} is in development mode: debug = {value}");
            let why =
                "an error shows a debugger to anyone who visits, with which they can run code";
            notes.push(note(Code::IniDebug, what, why, format!("set debug = false in {path}")));
        }
        if !self.known_secrets.is_empty() {
            let what =
                format!("{path} has a secret that others know: {}", self.known_secrets.join(", "));
            let why = "who knows it can forge sessions and sign in as anyone";
            let hint = "openssl rand -hex 32 makes another";
            notes.push(note(Code::IniSecret, what, why, hint.to_owned()));
        }
        notes.extend(
            self.database.iter().flat_map(|database| {
                database.notes(path, &database.setup_app(path, around), around)
            }),
        );
        notes
    }
}

impl Database {
    /// `place` is the file or module that names the database, `set_up` what makes its tables and users.
    fn notes(&self, place: &str, set_up: &str, around: &Around<'_>) -> Vec<Note> {
        let file = self.file.as_deref().unwrap_or("in memory");
        let mut findings = Vec::new();
        if self.kind == "sqlite" && around.processes > 1 {
            let what = format!(
                "the database is SQLite ({file}), and group {} has {} processes",
                around.group, around.processes
            );
            let why = "one process at a time can write; the others wait, or fail with \"database is locked\"";
            let hint = format!("use a database server in {place}, or processes=1");
            findings.push(Finding::new(Code::SqliteShared, what, why, hint));
        }
        for table in &self.empty {
            let what = format!("the table {table} is empty");
            let why = "nobody can sign in; setup-app makes the users last, and dies before without alembic";
            findings.push(Finding::new(Code::UsersMissing, what, why, set_up));
        }
        if let Some(error) = &self.error {
            let what = format!("the database of {place} cannot be read: {error}");
            let why = "pages that need it will be answered 500";
            findings.push(Finding::new(Code::DatabaseUnreadable, what, why, set_up));
        }
        findings.into_iter().map(|finding| Note::new(finding).at(Place::new(place, 0))).collect()
    }
}

impl Database {
    /// What makes tables and users, and before them the folder for a database in a file.
    fn setup_app(&self, ini: &str, around: &Around<'_>) -> String {
        let file = self.file.as_deref().filter(|file| !file.is_empty());
        let folder =
            file.and_then(|file| Path::new(file).parent()).filter(|folder| !folder.exists());
        let user = word(around.user);
        let make = folder.map(|folder| {
            format!("sudo install -d -o {user} {} && ", word(&folder.to_string_lossy()))
        });
        format!(
            "{}cd {} && sudo -u {user} {} setup-app --config {}",
            make.unwrap_or_default(),
            word(around.folder),
            word(&gearbox(around.python)),
            word(ini)
        )
    }
}

fn gearbox(python: &str) -> String {
    Path::new(python).with_file_name("gearbox").display().to_string()
}

impl Django {
    fn notes(&self, around: &Around<'_>) -> Vec<Note> {
        let module = &self.module;
        let note = |what: &str, why: &str, hint: &str| {
            let what = format!("{module}: {what}");
            Note::new(Finding::new(Code::SettingsDevelopment, what, why, hint))
        };
        let mut notes = Vec::new();
        if self.debug {
            let why = "an error shows settings and code to anyone who visits";
            notes.push(note("DEBUG = True", why, "set DEBUG = False, and ALLOWED_HOSTS"));
        }
        if self.known_key {
            let why = "who knows it can forge sessions and sign in as anyone";
            let hint = "take it from the environment: env-file= of WSGIDaemonProcess";
            notes.push(note(
                "SECRET_KEY is the one that startproject made, or well known",
                why,
                hint,
            ));
        }
        let migrate = format!(
            "cd {} && sudo -u {} {} manage.py migrate",
            word(around.folder),
            word(around.user),
            word(around.python)
        );
        notes.extend(
            self.database.iter().flat_map(|database| database.notes(module, &migrate, around)),
        );
        notes
    }
}

impl Package {
    fn notes(&self, around: &Around<'_>) -> Vec<Note> {
        let mut notes = Vec::new();
        if let Some(folder) = &self.shadowed_by {
            let what = format!("{folder} hides the package {}", self.name);
            let why = "its parent folder comes first on the path, so the import finds a folder without __init__.py";
            let hint = format!("put {folder} itself on the path, not the folder above it");
            notes.push(Note::new(Finding::new(Code::PackageShadowed, what, why, hint)));
        }
        if let Some(folder) = &self.editable {
            let what = format!("{} is an editable install of {folder}", self.name);
            let why = "each change there is live at the next restart, and the site breaks when the folder goes";
            let hint =
                format!("{} -m pip install --force-reinstall --no-deps {folder}", around.python);
            notes.push(Note::new(Finding::new(Code::EditableInstall, what, why, hint)));
        }
        notes
    }
}

fn write_note((file, line, what): &(String, u32, String), around: &Around<'_>) -> Note {
    let why = if around.restrict_stdout {
        "WSGIRestrictStdout is On: it raises an exception when it runs"
    } else {
        "safe under Pinion; it raises an exception where standard output is restricted"
    };
    let finding = Finding::new(
        Code::StdoutWritten,
        format!("{what} writes to standard output"),
        why,
        "use logging, or print(…, file=sys.stderr)",
    );
    Note::new(finding).at(Place::new(file, *line))
}
