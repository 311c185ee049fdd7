//! What the examples say to `pinion serve` and about it.

use std::fs;
use std::process::Command;

use pinion_testbed::{python, run, venv, workspace_root};

fn example(name: &str) -> String {
    fs::read_to_string(workspace_root().join("examples").join(name)).unwrap()
}

/// The number behind some words.
fn number(text: &str, before: &str) -> u32 {
    let (_, rest) = text.split_once(before).unwrap_or_else(|| panic!("no {before:?}"));
    let digits: String =
        rest.trim_start_matches([' ', '=', '"']).chars().take_while(char::is_ascii_digit).collect();
    digits.parse().unwrap()
}

#[test]
fn the_examples_use_options_that_there_are() {
    let help = run(Command::new(env!("CARGO_BIN_EXE_pinion")).args(["serve", "--help"])).unwrap();
    for name in [
        "kubernetes/sightings.yaml",
        "kubernetes/Dockerfile",
        "balancer/pinion.service",
        "balancer/site.conf",
    ] {
        let text = example(name);
        let words = text.split(|c: char| c.is_whitespace() || "=\",".contains(c));
        let options: Vec<_> =
            words.filter(|word| word.starts_with("--") && !word.ends_with('-')).collect();
        // Those of other programs, and one that takes a switch back.
        let others = ["--no-install-recommends", "--no-cache-dir", "--no-setup"];
        for option in options.iter().filter(|option| !others.contains(option)) {
            assert!(help.contains(&format!("{option} ")), "{name}: {option}");
        }
    }
}

#[test]
fn kubernetes_knows_all_that_the_manifest_says() {
    let schemas = ["kubernetes-validate==1.37.*"];
    let tools = venv::ensure("kubernetes", &python::system().unwrap(), &schemas).unwrap();
    let manifest = workspace_root().join("examples/kubernetes/sightings.yaml");
    let mut validate = Command::new(tools.bin("kubernetes-validate"));
    // It only warns of kinds and versions that it does not know.
    let said = run(validate.args(["--strict", "--quiet"]).arg(&manifest)).unwrap();
    assert_eq!(said, "");
}

#[test]
fn the_orchestrators_wait_longer_than_a_drain_takes() {
    let text = example("kubernetes/sightings.yaml");
    let ends = number(&text, "\"sleep\", ")
        + number(&text, "--graceful-timeout")
        + number(&text, "--shutdown-timeout");
    assert!(number(&text, "terminationGracePeriodSeconds: ") > ends);
    assert_eq!(text.matches("path: /health").count(), 3);
    assert!(text.contains("--health=/health"));

    let text = example("balancer/pinion.service");
    let delay = number(&text, "--drain-delay");
    let graceful = number(&text, "--graceful-timeout");
    assert!(
        number(&text, "TimeoutStopSec") > delay + graceful + number(&text, "--shutdown-timeout")
    );
    let runs = number(&text, "--request-timeout");
    let site = example("balancer/site.conf");
    assert!(graceful >= runs && number(&site, "Define ANSWER ") > runs);
    assert!(delay > 2 * number(&site, "Define CHECK "));
}
