//! A worker process, driven over real sockets with each Python of this machine.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics")]

mod cases;
mod suite;

use std::path::Path;

use libtest_mimic::{Arguments, Trial};

fn main() {
    let arguments = Arguments::from_args();
    let survey = pinion_testbed::python::survey().expect("looking for Pythons");
    let mut trials = Vec::new();
    for python in survey.found {
        for (name, case) in cases::ALL {
            let path = python.path.clone();
            let run = move || {
                case(Path::new(&path));
                Ok(())
            };
            trials.push(Trial::test(format!("python{}::{name}", python.version), run));
        }
    }
    for version in survey.missing {
        // Shown as ignored, so that nobody takes a machine without it for a proof.
        let absent = Trial::test(format!("python{version}::absent"), || Ok(()));
        trials.push(absent.with_ignored_flag(true));
    }
    libtest_mimic::run(&arguments, trials).exit();
}
