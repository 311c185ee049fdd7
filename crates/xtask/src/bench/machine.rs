//! The machine and the versions that a measurement belongs to.

use std::fmt::Write as _;
use std::fs;
use std::process::Command;

use pinion_testbed::{MOD_WSGI, run};

/// A list for the page: what each figure depends on.
pub(crate) fn describe() -> String {
    list(&[("Apache", apache()), ("mod_wsgi", MOD_WSGI.to_owned())])
}

/// The list with these entries before Pinion's.
pub(super) fn list(more: &[(&str, String)]) -> String {
    let mut text = String::new();
    let machine = [
        ("Date", said(Command::new("date").args(["-u", "+%Y-%m-%d %H:%M UTC"]))),
        ("Processor", processor()),
        ("Memory", memory()),
        ("Kernel", said(Command::new("uname").args(["-sr"]))),
        ("Python", said(Command::new("/usr/bin/python3").arg("--version"))),
    ];
    let own = [("Pinion", pinion()), ("Compiler", said(Command::new("rustc").arg("--version")))];
    for (what, value) in machine.iter().chain(more).chain(&own) {
        let _ = writeln!(text, "- {what}: {value}");
    }
    text
}

fn processor() -> String {
    let info = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = info.lines().find_map(|line| line.strip_prefix("model name")?.split(": ").nth(1));
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    format!("{}, {cores} cores", model.unwrap_or("unknown"))
}

fn memory() -> String {
    let info = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let kilobytes = info.lines().find_map(|line| {
        line.strip_prefix("MemTotal:")?.split_whitespace().next()?.parse::<u64>().ok()
    });
    format!("{} GB", kilobytes.unwrap_or(0) / 1_000_000)
}

fn apache() -> String {
    let version = said(Command::new("/usr/sbin/apache2").arg("-v"));
    let first = version.lines().next().unwrap_or_default();
    format!("{}, event MPM", first.trim_start_matches("Server version: "))
}

fn pinion() -> String {
    let commit = said(Command::new("git").args(["rev-parse", "--short", "HEAD"]));
    format!("{} at {commit}", env!("CARGO_PKG_VERSION"))
}

/// What a command says; a question that cannot be answered does not stop a measurement.
fn said(command: &mut Command) -> String {
    run(command).map_or_else(|_| "unknown".to_owned(), |said| said.trim().to_owned())
}
