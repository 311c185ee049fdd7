//! A worker process, driven over real sockets with each Python of this machine.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics")]

mod cases;
mod suite;

use std::path::Path;

use libtest_mimic::{Arguments, Trial};
use pinion_testbed::free_threaded;
use pinion_testbed::python::Interpreter;
use suite::FREE_THREADED;

fn main() {
    let arguments = Arguments::from_args();
    let survey = pinion_testbed::python::survey().expect("looking for Pythons");
    let mut trials = Vec::new();
    for python in survey.found {
        trials.extend(of(&format!("python{}", python.version), &python.path));
    }
    trials.extend(free_threaded(arguments.list));
    for version in survey.missing {
        // Shown as ignored, so that nobody takes a machine without it for a proof.
        let absent = Trial::test(format!("python{version}::absent"), || Ok(()));
        trials.push(absent.with_ignored_flag(true));
    }
    libtest_mimic::run(&arguments, trials).exit();
}

/// All cases with one interpreter.
fn of(name: &str, python: &Path) -> Vec<Trial> {
    let trial = |(case_name, case): &(&str, fn(&Path))| {
        let (path, case) = (python.to_owned(), *case);
        Trial::test(format!("{name}::{case_name}"), move || {
            case(&path);
            Ok(())
        })
    };
    cases::ALL.iter().map(trial).collect()
}

/// All cases with each free-threaded interpreter, whose GIL is off.
fn free_threaded(listing: bool) -> Vec<Trial> {
    let found = free_threaded::interpreters();
    if found.is_empty() {
        return vec![Trial::test("free_threaded::absent", || Ok(())).with_ignored_flag(true)];
    }
    let core = |python: &Interpreter| {
        free_threaded::build_core(python, false).expect("building the worker core")
    };
    if !listing {
        let cores = found.iter().map(|python| (python.path.clone(), core(python)));
        let _ = FREE_THREADED.set(cores.collect());
    }
    found
        .iter()
        .flat_map(|python| of(&format!("python{}t", python.version), &python.path))
        .collect()
}
