//! Memory of an idle server, and the time from its start to the first answer, beside those of the bare interpreter.

use std::io::Read;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use super::super::selection::Selection;
use super::super::usage;
use super::subject::{Entrant, Subject};
use crate::failure::{Failure, Result};

/// What a server may still do behind its first answer.
const SETTLE: Duration = Duration::from_millis(300);

/// Says when it is there, then when it has loaded the application; stays until its input ends.
const PROGRAM: &str = "import sys
sys.stdout.write('a'); sys.stdout.flush()
import bench
sys.stdout.write('b'); sys.stdout.flush()
sys.stdin.read()
";

/// Memory in megabytes, one value a round.
#[derive(Debug, Default)]
pub(super) struct Memory {
    /// Shared pages count in parts.
    pub(super) pss: Vec<f64>,
    /// Shared pages count in each process.
    pub(super) rss: Vec<f64>,
}

impl Memory {
    fn add(&mut self, pids: &[i32]) {
        let (pss, rss) = usage::memory_of(pids);
        self.pss.push(megabytes(pss));
        self.rss.push(megabytes(rss));
    }
}

/// What was measured of a server.
#[derive(Debug)]
pub(super) struct Lifespan {
    /// Who.
    pub(super) subject: Subject,
    /// All its processes, idle behind a first answer.
    pub(super) memory: Memory,
    /// Milliseconds from the start to the first answer.
    pub(super) starts: Vec<f64>,
}

/// What was measured of the interpreter.
#[derive(Debug, Default)]
pub(super) struct Interpreter {
    /// With the application loaded.
    pub(super) memory: Memory,
    /// Milliseconds from the start to the first line of Python.
    pub(super) starts: Vec<f64>,
    /// The same, with the application loaded.
    pub(super) loads: Vec<f64>,
}

/// Starts each alone, in interleaved rounds.
///
/// # Errors
/// One does not start.
pub(super) fn measure(
    entrants: &[Entrant<'_>],
    venv: &Path,
    folder: &Path,
    selection: &Selection,
) -> Result<(Vec<Lifespan>, Interpreter)> {
    let empty = |entrant: &Entrant<'_>| Lifespan {
        subject: entrant.subject,
        memory: Memory::default(),
        starts: Vec::new(),
    };
    let mut lifespans: Vec<_> = entrants.iter().map(empty).collect();
    let mut interpreter = Interpreter::default();
    // The first start of each reads files that the others find in memory: it does not count.
    for round in 0..=selection.rounds() {
        if round > 0 {
            interpreter.round(venv, folder)?;
        }
        for (lifespan, entrant) in lifespans.iter_mut().zip(entrants) {
            let running = entrant.start(None)?;
            if round > 0 {
                lifespan.starts.push(running.start.as_secs_f64() * 1e3);
                std::thread::sleep(SETTLE);
                lifespan.memory.add(&running.pids());
            }
        }
    }
    Ok((lifespans, interpreter))
}

impl Interpreter {
    fn round(&mut self, venv: &Path, folder: &Path) -> Result<()> {
        let program = venv.join("bin/python");
        let begin = Instant::now();
        let mut child = Command::new(&program)
            .args(["-c", PROGRAM])
            .current_dir(folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|source| Failure::Start { program: program.display().to_string(), source })?;
        let mut said = [0];
        for times in [&mut self.starts, &mut self.loads] {
            let output = child.stdout.as_mut();
            if output.is_none_or(|output| output.read_exact(&mut said).is_err()) {
                let _ = child.kill();
                let _ = child.wait();
                return Err(Failure::wrong("the interpreter ended", "see its words above"));
            }
            times.push(begin.elapsed().as_secs_f64() * 1e3);
        }
        std::thread::sleep(SETTLE);
        self.memory.add(&[i32::try_from(child.id()).unwrap_or(i32::MAX)]);
        // Its input ends, and so does it.
        drop(child.stdin.take());
        child.wait().map(drop).map_err(Failure::file(&program))
    }
}

fn megabytes(bytes: u64) -> f64 {
    f64::from(u32::try_from(bytes / 1024).unwrap_or(u32::MAX)) / 1024.0
}
