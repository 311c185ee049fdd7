//! Checks on the module before it is staged: no Python inside, one symbol outside.

use std::path::Path;
use std::process::Command;

use crate::failure::{Failure, Result};
use pinion_testbed::run;

/// The only symbol that the module may export: Apache looks it up by this name.
const SYMBOL: &str = "wsgi_module";

/// Checks the module at `file`.
pub(super) fn module(file: &Path) -> Result<()> {
    let libraries = run(Command::new("ldd").arg(file))?;
    let symbols = run(Command::new("nm").args(["-D", "--defined-only"]).arg(file))?;
    no_python(&libraries)?;
    one_symbol(&symbols)
}

fn no_python(ldd: &str) -> Result<()> {
    match ldd.lines().find(|line| line.contains("libpython")) {
        None => Ok(()),
        Some(line) => Err(Failure::wrong(
            format!("the module is linked to Python: {}", line.trim()),
            "no Python inside Apache: find the dependency that links it",
        )),
    }
}

fn one_symbol(nm: &str) -> Result<()> {
    let symbols: Vec<&str> = nm
        .lines()
        .filter_map(|line| line.split_whitespace().last())
        .map(|symbol| symbol.split('@').next().unwrap_or(symbol))
        .collect();
    if symbols == [SYMBOL] {
        return Ok(());
    }
    Err(Failure::wrong(
        format!("the module exports {symbols:?}, and should export {SYMBOL} alone"),
        "a second #[unsafe(no_mangle)], or the version script is not in use",
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_module_linked_to_python_is_refused() {
        assert!(no_python("\tlibc.so.6 => /lib/libc.so.6 (0x1)\n").is_ok());
        assert!(no_python("\tlibpython3.11.so.1.0 => /usr/lib/x (0x1)\n").is_err());
    }

    #[test]
    fn exactly_the_module_symbol_is_exported() {
        assert!(one_symbol("0000000000004000 D wsgi_module\n").is_ok());
        assert!(one_symbol("0000000000004000 D wsgi_module@@PINION\n").is_ok());
        assert!(one_symbol("").is_err());
        assert!(one_symbol("0 D wsgi_module\n0 T rust_eh_personality\n").is_err());
    }
}
