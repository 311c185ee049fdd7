//! A quickstarted TurboGears project: virtualenvs, code, configuration, database.
//!
//! It is kept between demos. Each step is skipped where its result exists, and a result is renamed
//! into place, so that an interrupted step is done again.

use std::fs::{self, File, Permissions};
use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use nix::unistd::{Uid, User};
use pinion_testbed::{python, run, testbed_dir};

use super::{ini, site};
use crate::failure::{Failure, Result};
use crate::say;

/// What the quickstart needs, and what the project needs but does not declare: PasteDeploy loads
/// it, gearbox sets it up, and without alembic `setup-app` makes no users.
const PACKAGES: [&str; 6] =
    ["tg.devtools>=2.5,<2.6", "PasteDeploy", "gearbox", "alembic", "SQLAlchemy", "kajiki"];

/// A project that is ready to be served.
#[derive(Debug)]
pub(super) struct Project {
    /// Holds the project, its virtualenv, its configuration and its data.
    pub(super) folder: PathBuf,
    /// The account that Apache serves as, where this process may choose it.
    account: Option<User>,
    _lock: File,
}

impl Project {
    /// Makes what is missing; with `fresh`, everything but the virtualenvs.
    pub(super) fn prepare(fresh: bool) -> Result<Self> {
        let folder = testbed_dir()?.join("demo");
        make(&folder)?;
        let lock_file = folder.join("lock");
        let lock = File::create(&lock_file).map_err(Failure::file(&lock_file))?;
        if lock.try_lock().is_err() {
            say::line("waiting for another demo to end");
            lock.lock().map_err(Failure::file(&lock_file))?;
        }
        let project = Self { folder, account: account()?, _lock: lock };
        if fresh {
            project.remove()?;
        }
        project.virtualenvs()?;
        project.quickstart()?;
        project.configure()?;
        project.database()?;
        Ok(project)
    }

    /// The virtualenv's site-packages.
    pub(super) fn site_packages(&self) -> Result<PathBuf> {
        let version = python::system()?.version;
        Ok(self.folder.join(format!("venv/lib/python{version}/site-packages")))
    }

    fn remove(&self) -> Result<()> {
        for name in ["myapp", "data"] {
            let path = self.folder.join(name);
            if path.exists() {
                fs::remove_dir_all(&path).map_err(Failure::file(&path))?;
            }
        }
        Ok(())
    }

    fn virtualenvs(&self) -> Result<()> {
        let python = python::system()?.path;
        for (name, packages) in [("baseline", &[][..]), ("venv", &PACKAGES[..])] {
            let (home, done) = (self.folder.join(name), self.folder.join(format!("{name}.done")));
            if fs::read_to_string(&done).is_ok_and(|made| made == packages.join("\n")) {
                continue;
            }
            say::step(format_args!("virtualenv {}", home.display()));
            run(Command::new(&python).args(["-m", "venv", "--clear"]).arg(&home))?;
            if !packages.is_empty() {
                run(pip(&home).arg("--upgrade").args(packages))?;
            }
            write(&done, &packages.join("\n"))?;
        }
        Ok(())
    }

    fn quickstart(&self) -> Result<()> {
        let (project, made) = (self.folder.join("myapp"), self.folder.join("new"));
        if !project.exists() {
            say::step(format_args!("TurboGears project {}", project.display()));
            if made.exists() {
                fs::remove_dir_all(&made).map_err(Failure::file(&made))?;
            }
            make(&made)?;
            run(self.gearbox().current_dir(&made).args(["quickstart", "-a", "-s", "myapp"]))?;
            fs::rename(made.join("myapp"), &project).map_err(Failure::file(&project))?;
        }
        // Its metadata has to be installed, or `egg:myapp` is not found; being on the path is not enough.
        if run(Command::new(self.python()).args(["-c", "import myapp.config.application"])).is_err()
        {
            run(pip(&self.folder.join("venv")).arg("--editable").arg(&project))?;
        }
        Ok(())
    }

    fn configure(&self) -> Result<()> {
        make(&self.folder.join("apache"))?;
        let file = self.folder.join("production.ini");
        write(&self.folder.join("apache/myapp.wsgi"), &site::script(&self.folder))?;
        let data = self.folder.join("data");
        if data.exists() && file.exists() {
            return Ok(());
        }
        let development = self.folder.join("myapp/development.ini");
        let text = fs::read_to_string(&development).map_err(Failure::file(&development))?;
        write(&file, &ini::production(&text, &secret()?, &data))?;
        // It holds secrets: for the server's group to read, for nobody else.
        fs::set_permissions(&file, Permissions::from_mode(0o640)).map_err(Failure::file(&file))?;
        if let Some(account) = &self.account {
            let gid = Some(account.gid.as_raw());
            std::os::unix::fs::chown(&file, None, gid).map_err(Failure::file(&file))?;
        }
        Ok(())
    }

    /// As the server's user, or the database would be root's and each POST would fail; from the
    /// project's folder, where alembic finds `migration`.
    fn database(&self) -> Result<()> {
        let (data, database) = (self.folder.join("data"), self.folder.join("data/myapp.db"));
        if self.folder.join("data/.done").exists() {
            return Ok(());
        }
        say::step(format_args!("database {}", database.display()));
        if data.exists() {
            fs::remove_dir_all(&data).map_err(Failure::file(&data))?;
        }
        for folder in ["data", "data/cache", "data/eggs"] {
            make(&self.folder.join(folder))?;
            self.give(&self.folder.join(folder))?;
        }
        let mut setup = self.gearbox();
        setup.args(["setup-app", "--config"]).arg(self.folder.join("production.ini"));
        if let Some(account) = &self.account {
            setup.uid(account.uid.as_raw()).gid(account.gid.as_raw());
        }
        run(setup.current_dir(self.folder.join("myapp")).env("PYTHONDONTWRITEBYTECODE", "1"))?;
        write(&self.folder.join("data/.done"), "")
    }

    fn give(&self, path: &Path) -> Result<()> {
        let Some(account) = &self.account else { return Ok(()) };
        let (uid, gid) = (Some(account.uid.as_raw()), Some(account.gid.as_raw()));
        std::os::unix::fs::chown(path, uid, gid).map_err(Failure::file(path))
    }

    fn python(&self) -> PathBuf {
        self.folder.join("venv/bin/python")
    }

    fn gearbox(&self) -> Command {
        Command::new(self.folder.join("venv/bin/gearbox"))
    }
}

fn pip(home: &Path) -> Command {
    let mut pip = Command::new(home.join("bin/python"));
    pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check"]);
    pip
}

/// Debian's account for Apache, when this process is root's; otherwise all runs as this user.
fn account() -> Result<Option<User>> {
    if !Uid::effective().is_root() {
        return Ok(None);
    }
    let found = User::from_name("www-data").ok().flatten();
    found.map(Some).ok_or_else(|| {
        Failure::wrong("there is no account www-data", "run it without root, or add the account")
    })
}

fn secret() -> Result<String> {
    let mut bytes = [0; 24];
    let source = Path::new("/dev/urandom");
    let mut random = File::open(source).map_err(Failure::file(source))?;
    random.read_exact(&mut bytes).map_err(Failure::file(source))?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

fn make(folder: &Path) -> Result<()> {
    fs::create_dir_all(folder).map_err(Failure::file(folder))
}

fn write(file: &Path, text: &str) -> Result<()> {
    fs::write(file, text).map_err(Failure::file(file))
}
