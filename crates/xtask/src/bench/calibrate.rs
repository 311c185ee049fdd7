//! How many rounds of the pure-Python application make 133 µs on this machine.

use std::process::Command;

use pinion_testbed::{python, run};

use crate::failure::{Failure, Result};

/// Rounds of the loop in `apps/bench.wsgi`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rounds(pub(super) u32);

/// The loop of the application, timed; the best of some tries is the one that was not disturbed.
const PROGRAM: &str = "
import time
def compute(rounds):
    total = 0
    for number in range(rounds):
        total += number % 7
    return total
best = 1.0
for _ in range(300):
    start = time.perf_counter()
    compute(2000)
    best = min(best, time.perf_counter() - start)
print(round(133e-6 / best * 2000))
";

/// Measures with the Python that the applications run on.
pub(super) fn rounds() -> Result<Rounds> {
    let python = python::system()?.path;
    let said = run(Command::new(python).args(["-I", "-c", PROGRAM]))?;
    let rounds = said.trim().parse().map_err(|_| {
        Failure::wrong(format!("calibration said {said:?}"), "try it again on an idle machine")
    })?;
    Ok(Rounds(rounds))
}
