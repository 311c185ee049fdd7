//! The servers side by side: installed, started, loaded in interleaved rounds.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use pinion_testbed::http::Client;
use pinion_testbed::{packages, python, venv};
use tempfile::TempDir;

use super::super::selection::Selection;
use super::super::table::{Sample, Table};
use super::super::usage::{self, Machine};
use super::super::workload::Workload;
use super::super::{calibrate, progress, wrk};
use super::canned::Canned;
use super::lifespan::{self, Interpreter, Lifespan};
use super::served;
use super::servers::Server;
use super::subject::{Entrant, Running, Subject};
use crate::failure::{Failure, Result};
use crate::random::Random;
use crate::{dist, say};

/// Seconds of one measurement: a whole run takes about half an hour.
pub(super) const SECONDS: u32 = 1;

/// How often each server answers each workload before it is measured.
const WARM: u32 = 20;
/// On how many connections it is asked for a second before that.
const WARM_CONNECTIONS: u32 = 32;

/// The workload beside which it is measured what the client takes.
pub(super) const CANNED: &str = "hello";

const APPLICATION: &str = include_str!("../../../apps/bench.wsgi");

/// The servers, installed.
#[derive(Debug)]
pub(super) struct Contest {
    folder: TempDir,
    pinion: PathBuf,
    /// The virtualenv in which nothing is installed.
    plain: PathBuf,
    installed: Vec<(&'static Server, PathBuf)>,
    skipped: Vec<Skipped>,
}

/// A server that is not measured.
#[derive(Debug)]
pub(super) struct Skipped {
    /// Its name.
    pub(super) name: &'static str,
    /// Why.
    pub(super) reason: String,
}

/// What one run measured.
#[derive(Debug)]
pub(super) struct Measured {
    /// Under load.
    pub(super) table: Table<Subject>,
    /// Idle, and as they start.
    pub(super) lifespans: Vec<Lifespan>,
    /// What those are compared with.
    pub(super) interpreter: Interpreter,
    /// What the client takes from a server that has nothing to do.
    pub(super) ceilings: Vec<Ceiling>,
    /// Who is missing.
    pub(super) skipped: Vec<Skipped>,
}

/// Hello world that is ready before it is asked for ([`Canned`]).
#[derive(Debug)]
pub(super) struct Ceiling {
    /// At how many connections.
    pub(super) connections: u32,
    /// Answers a second, in each round.
    pub(super) answers: Vec<f64>,
}

impl Contest {
    /// Installs the servers, each in a virtualenv of its own; builds Pinion, unless `PINION_DIST` names a staged one. One that
    /// cannot be installed is skipped.
    ///
    /// # Errors
    /// Pinion cannot be built, or no virtualenv be made.
    pub(super) fn prepare(servers: &[&'static Server]) -> Result<Self> {
        let rounds = calibrate::rounds()?;
        let folder = TempDir::new().map_err(Failure::file(std::env::temp_dir()))?;
        for (name, text) in [("bench.py", APPLICATION), ("loops.txt", &rounds.0.to_string())] {
            let file = folder.path().join(name);
            fs::write(&file, text).map_err(Failure::file(&file))?;
        }
        let interpreter = python::system()?;
        let plain = venv::ensure("serve-plain", &interpreter, &[])?.home;
        let tree = match std::env::var_os("PINION_DIST") {
            Some(tree) => PathBuf::from(tree),
            None => dist::build()?,
        };
        let (mut installed, mut skipped) = (Vec::new(), Vec::new());
        for server in servers {
            let Some(requirement) = server.requirement else {
                installed.push((*server, plain.clone()));
                continue;
            };
            let name = format!("serve-{}", server.name);
            let venv = packages::ensure(server.packages)
                .and_then(|_| venv::ensure(&name, &interpreter, &[requirement]));
            match venv {
                Ok(venv) => installed.push((*server, venv.home)),
                Err(error) => skip(&mut skipped, server, &error),
            }
        }
        Ok(Self { folder, pinion: tree.join("bin/pinion"), plain, installed, skipped })
    }

    /// Measures everything.
    ///
    /// # Errors
    /// Pinion does not start, a server ends or answers something else, or wrk fails.
    pub(super) fn measure(
        mut self,
        loads: &[(&'static Workload, u32)],
        selection: &Selection,
    ) -> Result<Measured> {
        let (table, ceilings) = self.load(loads, selection)?;
        say::step("memory of idle servers, start to first answer");
        let (lifespans, interpreter) =
            lifespan::measure(&self.entrants(), &self.plain, self.folder.path(), selection)?;
        Ok(Measured { table, lifespans, interpreter, ceilings, skipped: self.skipped })
    }

    fn entrants(&self) -> Vec<Entrant<'_>> {
        let entrant = |server, venv, threads| Entrant {
            subject: Subject { server, threads },
            pinion: &self.pinion,
            venv,
            folder: self.folder.path(),
        };
        let mut entrants: Vec<_> = self
            .installed
            .iter()
            .flat_map(|(server, venv)| {
                server.threads.iter().map(move |threads| entrant(*server, venv, *threads))
            })
            .collect();
        // Equals stand beside each other in the tables.
        entrants.sort_by_key(|entrant| entrant.subject.threads);
        entrants
    }

    /// Measures each load in each round.
    fn load(
        &mut self,
        loads: &[(&'static Workload, u32)],
        selection: &Selection,
    ) -> Result<(Table<Subject>, Vec<Ceiling>)> {
        let canned = Canned::start().map_err(Failure::file("127.0.0.1"))?;
        let (mut table, mut ceilings) = (Table::default(), Vec::new());
        let mut random = Random::new(Random::seed());
        for round in 1..=selection.rounds() {
            say::step(format_args!("round {round} of {}", selection.rounds()));
            // Anew in each round: where its memory happens to lie makes a process quicker or slower by a tenth as long as it lives.
            let running = self.start(round)?;
            warm(&running, loads)?;
            let mut order: Vec<_> = running.iter().enumerate().collect();
            for (workload, connections) in loads {
                let seconds = selection.seconds(SECONDS);
                if workload.name == CANNED {
                    Machine::settle();
                    let seen = wrk::load(&canned.url(), workload, *connections, seconds)?;
                    Ceiling::add(&mut ceilings, *connections, seen.rate());
                }
                // What one leaves behind is not always the same one's to bear.
                random.shuffle(&mut order);
                let mut samples = Vec::new();
                for (place, server) in &order {
                    let sample = sample(server, workload, *connections, seconds)?;
                    samples.push((*place, server.subject, sample));
                }
                samples.sort_by_key(|(place, ..)| *place);
                for (_, subject, sample) in samples {
                    table.add(workload, *connections, subject, sample);
                }
                progress(&table, workload, *connections);
            }
        }
        Ok((table, ceilings))
    }

    /// Starts everybody. Strings have the same hash values in all of them, and others in each round. Who cannot be started in the first
    /// round is skipped, but for Pinion.
    fn start(&mut self, round: u32) -> Result<Vec<Running>> {
        let (mut running, mut failed) = (Vec::new(), Vec::new());
        for entrant in self.entrants() {
            match entrant.start(Some(round)) {
                Ok(server) => running.push(server),
                Err(failure) if round > 1 || entrant.subject.server.requirement.is_none() => {
                    return Err(failure);
                }
                Err(failure) => failed.push((entrant.subject.server, failure)),
            }
        }
        for (server, failure) in failed {
            self.installed.retain(|(other, _)| other.name != server.name);
            running.retain(|running| running.subject.server.name != server.name);
            skip(&mut self.skipped, server, &failure);
        }
        Ok(running)
    }
}

impl Ceiling {
    fn add(ceilings: &mut Vec<Self>, connections: u32, rate: f64) {
        match ceilings.iter_mut().find(|it| it.connections == connections) {
            Some(ceiling) => ceiling.answers.push(rate),
            None => ceilings.push(Self { connections, answers: vec![rate] }),
        }
    }
}

/// Has each answer what it will be asked, and many at once, often enough for the interpreter to have settled.
fn warm(running: &[Running], loads: &[(&'static Workload, u32)]) -> Result<()> {
    if let Some((workload, _)) = loads.first() {
        for server in running {
            wrk::load(&server.url(), workload, WARM_CONNECTIONS, 1)?;
        }
    }
    for (number, (workload, _)) in loads.iter().enumerate() {
        if loads[..number].iter().any(|(earlier, _)| earlier == workload) {
            continue;
        }
        for server in running {
            for _ in 0..WARM {
                check(server, workload)?;
            }
        }
    }
    Ok(())
}

fn skip(skipped: &mut Vec<Skipped>, server: &Server, error: &dyn std::fmt::Display) {
    let reason = error.to_string();
    say::line(format_args!("{} is skipped: {reason}", server.name));
    let first = reason.lines().next().unwrap_or_default().to_owned();
    skipped.push(Skipped { name: server.name, reason: first });
}

/// Fails where a server does not answer as the application says.
fn check(running: &Running, workload: &Workload) -> Result<()> {
    let url = format!("{}/{}", running.url(), workload.name);
    let client = Client::new(Duration::from_secs(30));
    let answer = match workload.upload {
        Some(bytes) => client.send("POST", &url, &[], &vec![b'x'; bytes as usize])?,
        None => client.get(&url)?,
    };
    let wanted = workload.upload.map(|bytes| format!("{bytes}\n"));
    if answer.status == 200 && wanted.is_none_or(|wanted| answer.text() == wanted) {
        return Ok(());
    }
    let what = format!("{} answered {}: {}", running.subject, answer.status, answer.text());
    Err(Failure::wrong(what, format!("is that the benchmark's application? {url}")))
}

fn sample(
    running: &Running,
    workload: &Workload,
    connections: u32,
    seconds: u32,
) -> Result<Sample> {
    running.finish()?;
    Machine::settle();
    let (machine, before) = (Machine::now(), usage::cpu_of(&running.pids()));
    let (seen, unanswered) = std::thread::scope(|scope| {
        let unanswered = scope.spawn(|| served::unanswered(running.port(), seconds));
        let seen = wrk::load(&running.url(), workload, connections, seconds);
        (seen, unanswered.join())
    });
    let unanswered = unanswered.unwrap_or_else(|panic| std::panic::resume_unwind(panic))?;
    let cpu = usage::cpu_of(&running.pids()).saturating_sub(before);
    Ok(Sample { seen: seen?, cpu, others: machine.used_by_others(cpu), unanswered })
}
