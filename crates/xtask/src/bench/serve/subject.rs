//! What is measured: a server with a number of threads, in one process.

use std::fmt;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use pinion_testbed::{Error, Port, Program};

use super::servers::{Place, Server};
use crate::failure::Result;

/// A server that has not answered by then has failed.
const LIMIT: Duration = Duration::from_secs(60);
/// Between two attempts to connect to a server that starts.
const STEP: Duration = Duration::from_micros(200);

/// A server with a number of threads.
#[derive(Clone, Copy, Debug)]
pub(super) struct Subject {
    /// The server.
    pub(super) server: &'static Server,
    /// How many threads run the application.
    pub(super) threads: u8,
}

impl PartialEq for Subject {
    fn eq(&self, other: &Self) -> bool {
        self.server.name == other.server.name && self.threads == other.threads
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} 1×{}", self.server.name, self.threads)
    }
}

/// A subject with all that its command needs.
#[derive(Debug)]
pub(super) struct Entrant<'a> {
    /// The subject.
    pub(super) subject: Subject,
    /// The program `pinion`.
    pub(super) pinion: &'a Path,
    /// The virtualenv in which the server is installed.
    pub(super) venv: &'a Path,
    /// The folder of the application, and of what servers write.
    pub(super) folder: &'a Path,
}

/// A server that answers.
#[derive(Debug)]
pub(super) struct Running {
    /// Who.
    pub(super) subject: Subject,
    program: Program,
    port: Port,
    /// From the start of its process to the application's first answer.
    pub(super) start: Duration,
}

impl Entrant<'_> {
    /// Starts the server, with `seed` for the hash values of strings, and waits for its first answer.
    ///
    /// # Errors
    /// It cannot be started, ends, or does not answer within a minute.
    pub(super) fn start(&self, seed: Option<u32>) -> Result<Running> {
        let port = Port::take()?;
        let place = Place {
            pinion: self.pinion,
            venv: self.venv,
            port: port.number(),
            threads: self.subject.threads,
        };
        let words = place.fill(self.subject.server);
        let (name, arguments) = words.split_at(1);
        let mut command = Command::new(&name[0]);
        command.args(arguments).current_dir(self.folder);
        command.envs(seed.map(|seed| ("PYTHONHASHSEED", seed.to_string())));
        let log = format!("{}-{}.log", self.subject.server.name, self.subject.threads);
        let begin = Instant::now();
        let program = Program::start(&mut command, &self.folder.join(log))?;
        let mut running = Running { subject: self.subject, program, port, start: Duration::ZERO };
        running.answered()?;
        running.start = begin.elapsed();
        Ok(running)
    }
}

impl Running {
    /// Where it listens.
    pub(super) fn port(&self) -> u16 {
        self.port.number()
    }

    /// Where it answers.
    pub(super) fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port.number())
    }

    /// Its processes.
    pub(super) fn pids(&self) -> Vec<i32> {
        let started = self.program.processes().into_iter().map(|process| process.pid);
        started.chain([self.program.pid()]).collect()
    }

    /// Waits for an answer: a client that goes leaves its requests, and where they are served in their order, the first of the next
    /// client would wait for two seconds behind a thousand that sleep for 2 ms each.
    ///
    /// # Errors
    /// It does not answer within a minute.
    pub(super) fn finish(&self) -> Result<()> {
        let begin = Instant::now();
        while !ask(self.port.number()).unwrap_or(false) {
            if begin.elapsed() > LIMIT {
                return Err(self.silent(begin.elapsed()).into());
            }
            std::thread::sleep(STEP);
        }
        Ok(())
    }

    fn answered(&mut self) -> Result<()> {
        let begin = Instant::now();
        loop {
            match ask(self.port.number()) {
                Ok(true) => return Ok(()),
                Ok(false) | Err(_) if begin.elapsed() < LIMIT && self.program.ended().is_none() => {
                    std::thread::sleep(STEP);
                }
                _ => break,
            }
        }
        Err(self.silent(begin.elapsed()).into())
    }

    fn silent(&self, after: Duration) -> Error {
        let what = format!("an answer of {}", self.subject);
        Error::Timeout { what, after, context: self.program.log().tail() }
    }
}

/// Asks for hello world, once; whether the application has answered.
fn ask(port: u16) -> std::io::Result<bool> {
    let mut stream = TcpStream::connect(("127.0.0.1", port))?;
    stream.set_read_timeout(Some(LIMIT))?;
    stream.write_all(b"GET /hello HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")?;
    let mut answer = Vec::new();
    let mut part = [0; 1024];
    while !answer.ends_with(b"Hello world!\n") {
        match stream.read(&mut part)? {
            0 => return Ok(false),
            count => answer.extend_from_slice(&part[..count]),
        }
    }
    Ok(true)
}
