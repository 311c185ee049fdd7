//! Runs the cases on the servers that `PINION_COMPAT_ON` names: `mod_wsgi`, `pinion` (if unset) or
//! `both`. A trial is named `<server>::<area>::<case>`.

use libtest_mimic::Arguments;
use std::process::ExitCode;

fn main() -> Result<ExitCode, String> {
    let arguments = Arguments::from_args();
    let chosen = std::env::var("PINION_COMPAT_ON").unwrap_or_else(|_unset| "pinion".to_owned());
    let trials = pinion_compat::trials(&chosen, arguments.list)?;
    Ok(libtest_mimic::run(&arguments, trials).exit_code())
}
