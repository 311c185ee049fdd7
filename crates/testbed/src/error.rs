//! What can go wrong while a server or an environment is set up.

use std::path::PathBuf;
use std::time::Duration;

/// A failure of the testbed, with what was attempted.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file or a socket could not be used.
    #[error("{what}: {source}")]
    Io {
        /// What was attempted, with the path or address.
        what: String,
        /// The operating system's answer.
        source: std::io::Error,
    },
    /// A command could not be run, or said no.
    #[error("`{command}` failed ({status}):\n{output}")]
    Command {
        /// The command line.
        command: String,
        /// Its exit status in words.
        status: String,
        /// Standard output and standard error.
        output: String,
    },
    /// Debian packages are absent and this user may not install them.
    #[error(
        "missing Debian packages: {packages}\nhint: run `apt-get install -y {packages}` as root"
    )]
    MissingPackages {
        /// The packages' names, separated by a space.
        packages: String,
    },
    /// No interpreter of that version on this machine.
    #[error("no Python {version} found (looked for Debian's and pyenv's)")]
    NoPython {
        /// Major and minor version, as `3.12`.
        version: String,
    },
    /// The staged tree lacks a file.
    #[error("{} is missing\nhint: run `cargo xtask dist`, or let PINION_DIST name a staged tree", path.display())]
    NotStaged {
        /// The file looked for.
        path: PathBuf,
    },
    /// No port of the testbed's range is free.
    #[error("no free port between {first} and {last} on 127.0.0.1")]
    NoPort {
        /// First port tried.
        first: u16,
        /// Last port tried.
        last: u16,
    },
    /// Something did not happen in time.
    #[error("timed out after {after:?} waiting for {what}\n{context}")]
    Timeout {
        /// What was waited for.
        what: String,
        /// How long.
        after: Duration,
        /// What was there instead: mostly the end of the error log.
        context: String,
    },
    /// The server ended instead of answering.
    #[error("apache2 exited ({status}) before it answered:\n{log}")]
    Exited {
        /// Its exit status in words.
        status: String,
        /// What it wrote.
        log: String,
    },
    /// An HTTP exchange failed.
    #[error("{what}: {reason}")]
    Http {
        /// Method and address.
        what: String,
        /// The reason in words.
        reason: String,
    },
}

impl Error {
    /// Wraps an operating system's error; use as `.map_err(Error::io("reading x"))`.
    pub fn io(what: impl Into<String>) -> impl FnOnce(std::io::Error) -> Self {
        let what = what.into();
        move |source| Self::Io { what, source }
    }

    /// An HTTP failure, from what was asked and why it failed.
    pub fn http(what: impl Into<String>, reason: impl ToString) -> Self {
        Self::Http { what: what.into(), reason: reason.to_string() }
    }
}
