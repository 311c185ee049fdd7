//! Which places an ini file makes an application write to.

use std::path::{Path, PathBuf};

/// What an application writes to, as its ini file tells.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Writable {
    /// Database files of SQLite.
    pub databases: Vec<PathBuf>,
    /// Folders: of caches, sessions, locks, log files.
    pub folders: Vec<PathBuf>,
}

/// Reads the places out of an ini file that stands in the folder `here`.
pub(super) fn of_ini(text: &str, here: &Path) -> Writable {
    let mut found = Writable::default();
    let settings = text.lines().filter(|line| !line.starts_with(['#', ';', '[', ' ', '\t']));
    for (key, value) in settings.filter_map(|line| line.split_once('=')) {
        let (key, value) =
            (key.trim(), value.trim().replace("%(here)s", &here.display().to_string()));
        if key.ends_with("url") {
            found.databases.extend(database(&value));
        } else if ["cache_dir", "cache.dir", "data_dir", "lock_dir"]
            .iter()
            .any(|end| key.ends_with(end))
        {
            found.folders.push(here.join(value));
        } else if key == "args" {
            found.folders.extend(log_folder(&value));
        }
    }
    found.databases.dedup();
    found.folders.sort();
    found.folders.dedup();
    found
}

/// The file of `sqlite:////srv/app.db?timeout=5`; `None` for other databases, and in memory.
fn database(url: &str) -> Option<PathBuf> {
    let (scheme, path) = url.split_once(":///")?;
    let path = path.split('?').next()?;
    let is_sqlite = scheme == "sqlite" || scheme.starts_with("sqlite+");
    (is_sqlite && path.starts_with('/')).then(|| PathBuf::from(path))
}

/// The folder of the file in a handler's `args = ('/var/log/app/app.log', 'a')`.
fn log_folder(args: &str) -> Option<PathBuf> {
    let inside = args.trim_start_matches('(').trim_start();
    let quote = inside.chars().next().filter(|c| "'\"".contains(*c))?;
    let path = inside[1..].split(quote).next()?;
    let folder = Path::new(path).parent()?;
    path.starts_with('/').then(|| folder.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn databases_caches_and_logs_are_found() {
        let text = "[app:main]\n# cache_dir = /no\ncache_dir = /var/local/x/cache\n\
                    beaker.session.data_dir = %(here)s/sessions\n\
                    sqlalchemy.url = sqlite:////var/local/x/x.db?timeout=5\nother.url = http://a/b\n\
                    [handler_file]\nargs = ('/var/log/x/x.log', 'a')\n[handler_console]\nargs = (sys.stderr,)\n";
        let found = of_ini(text, Path::new("/d/x"));
        assert_eq!(found.databases, [PathBuf::from("/var/local/x/x.db")]);
        let folders = ["/d/x/sessions", "/var/local/x/cache", "/var/log/x"];
        assert_eq!(found.folders, folders.map(PathBuf::from));
    }

    #[test]
    fn other_databases_are_no_files() {
        for url in ["postgresql:///x", "sqlite://", "sqlite:///:memory:", "sqlite:///relative.db"] {
            assert_eq!(database(url), None, "{url}");
        }
        assert_eq!(database("sqlite+pysqlite:////x.db"), Some("/x.db".into()));
    }
}
