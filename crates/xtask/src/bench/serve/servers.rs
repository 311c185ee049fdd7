//! The servers that are measured: what pip installs, and the command that serves.

use std::path::Path;

use crate::failure::{Failure, Result};

/// The one that the others are compared with.
pub(super) const PINION: &str = "Pinion";

/// A server, with the command that gives its best figures in one process.
#[derive(Debug)]
pub(super) struct Server {
    /// Its name in tables and on the command line.
    pub(super) name: &'static str,
    /// What pip installs; nothing for Pinion.
    pub(super) requirement: Option<&'static str>,
    /// Debian packages without which pip cannot build it.
    pub(super) packages: &'static [&'static str],
    /// With how many threads it is measured.
    pub(super) threads: &'static [u8],
    /// The command; [`Place::fill`] replaces what stands in braces.
    pub(super) command: &'static [&'static str],
}

/// Pinion, then the others in the order of the tables.
///
/// Several limits are raised for 1,000 connections: waitress takes 100 and waits by select, gunicorn takes 1,000. uWSGI's
/// http11-socket is the only one of its front doors that keeps connections without a second process; each keeps a thread
/// for as long as it is open.
pub(super) const SERVERS: &[Server] = &[
    Server {
        name: PINION,
        requirement: None,
        packages: &[],
        threads: &[1, 4],
        command: &[
            "{pinion}",
            "serve",
            "bench:application",
            "--bind",
            "127.0.0.1:{port}",
            "--processes",
            "1",
            "--threads",
            "{threads}",
            "--python",
            "{venv}",
        ],
    },
    Server {
        name: "bjoern",
        requirement: Some("bjoern==3.2.2"),
        packages: &["libev-dev", "gcc", "python3-dev"],
        threads: &[1],
        command: &[
            "{venv}/bin/python",
            "-c",
            "import bench, bjoern; bjoern.run(bench.application, '127.0.0.1', {port})",
        ],
    },
    Server {
        name: "granian",
        requirement: Some("granian==2.8.9"),
        packages: &[],
        threads: &[1, 4],
        command: &[
            "{venv}/bin/granian",
            "--interface",
            "wsgi",
            "--host",
            "127.0.0.1",
            "--port",
            "{port}",
            "--workers",
            "1",
            "--blocking-threads",
            "{threads}",
            "--http",
            "1",
            "--no-ws",
            "--log-level",
            "warning",
            "bench:application",
        ],
    },
    Server {
        name: "gunicorn",
        requirement: Some("gunicorn==27.0.1"),
        packages: &[],
        threads: &[4],
        command: &[
            "{venv}/bin/gunicorn",
            "--worker-class",
            "gthread",
            "--workers",
            "1",
            "--threads",
            "{threads}",
            "--worker-connections",
            "2000",
            "--keep-alive",
            "75",
            "--log-level",
            "warning",
            "--bind",
            "127.0.0.1:{port}",
            "bench:application",
        ],
    },
    Server {
        name: "uWSGI",
        requirement: Some("uWSGI==2.0.31"),
        packages: &["gcc", "python3-dev"],
        threads: &[4],
        command: &[
            "{venv}/bin/uwsgi",
            "--http11-socket",
            "127.0.0.1:{port}",
            "--listen",
            "1024",
            "--processes",
            "1",
            "--threads",
            "{threads}",
            "--disable-logging",
            "--virtualenv",
            "{venv}",
            "--module",
            "bench:application",
        ],
    },
    Server {
        name: "waitress",
        requirement: Some("waitress==3.0.2"),
        packages: &[],
        threads: &[4],
        command: &[
            "{venv}/bin/waitress-serve",
            "--listen",
            "127.0.0.1:{port}",
            "--threads",
            "{threads}",
            "--connection-limit",
            "2000",
            "--asyncore-use-poll",
            "bench:application",
        ],
    },
    Server {
        name: "cheroot",
        requirement: Some("cheroot==11.1.2"),
        packages: &[],
        threads: &[4],
        command: &[
            "{venv}/bin/python",
            "-c",
            "import bench, cheroot.wsgi as w; w.Server(('127.0.0.1', {port}), bench.application, \
             numthreads={threads}, max={threads}, request_queue_size=1024).start()",
        ],
    },
];

/// Pinion and the servers of these names, or all if there is no name.
///
/// # Errors
/// A name is no server's.
pub(super) fn chosen(names: &[String]) -> Result<Vec<&'static Server>> {
    let is = |server: &Server, name: &String| server.name.eq_ignore_ascii_case(name);
    if let Some(name) = names.iter().find(|name| !SERVERS.iter().any(|server| is(server, name))) {
        let known: Vec<_> = SERVERS.iter().map(|server| server.name).collect();
        return Err(Failure::wrong(
            format!("there is no server {name} here"),
            format!("one of {}", known.join(", ")),
        ));
    }
    let wanted = |server: &&Server| {
        names.is_empty() || server.name == PINION || names.iter().any(|name| is(server, name))
    };
    Ok(SERVERS.iter().filter(wanted).collect())
}

/// What a command depends on.
#[derive(Debug)]
pub(super) struct Place<'a> {
    /// The program `pinion`.
    pub(super) pinion: &'a Path,
    /// The virtualenv in which the server is installed.
    pub(super) venv: &'a Path,
    /// Where to listen, on 127.0.0.1.
    pub(super) port: u16,
    /// How many threads run the application.
    pub(super) threads: u8,
}

impl Place<'_> {
    /// A server's command for this place.
    pub(super) fn fill(&self, server: &Server) -> Vec<String> {
        let fill = |word: &&str| {
            word.replace("{pinion}", &self.pinion.to_string_lossy())
                .replace("{venv}", &self.venv.to_string_lossy())
                .replace("{port}", &self.port.to_string())
                .replace("{threads}", &self.threads.to_string())
        };
        server.command.iter().map(fill).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_command_says_where_to_listen_and_on_how_many_threads() {
        let place =
            Place { pinion: Path::new("/p"), venv: Path::new("/v"), port: 4711, threads: 37 };
        for server in SERVERS {
            let line = place.fill(server).join(" ");
            assert!(line.contains("4711") && line.contains("bench"), "{line}");
            assert!(!line.contains(['{', '}']), "{line}");
            assert_eq!(line.contains("37"), server.threads != [1], "{line}");
        }
    }

    #[test]
    fn what_pip_installs_is_pinned() {
        for server in &SERVERS[1..] {
            assert!(server.requirement.is_some_and(|it| it.contains("==")), "{}", server.name);
        }
    }

    #[test]
    fn pinion_is_always_among_the_chosen() {
        let names = |list: &[&str]| {
            let list: Vec<_> = list.iter().map(|name| (*name).to_owned()).collect();
            chosen(&list).map(|some| some.iter().map(|server| server.name).collect::<Vec<_>>())
        };
        assert_eq!(names(&[]).unwrap().len(), SERVERS.len());
        assert_eq!(names(&["uwsgi"]).unwrap(), ["Pinion", "uWSGI"]);
        assert!(names(&["apache"]).unwrap_err().hint().unwrap().starts_with("one of Pinion, bj"));
    }
}
