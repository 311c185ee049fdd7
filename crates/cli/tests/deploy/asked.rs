//! The question about an edited file, on a terminal.

use std::fs;
use std::io::{Read as _, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};

use crate::support::{flask, folder, pinion};

/// Runs `pinion deploy` on a terminal, answers its question with a key, and returns all that was
/// shown and whether it succeeded.
fn on_a_terminal(project: &Path, key: &str) -> (String, bool) {
    let mut terminal = Command::new("script");
    let line = format!("{} deploy --threads 5", env!("CARGO_BIN_EXE_pinion"));
    terminal.args(["--quiet", "--return", "--command", &line, "/dev/null"]).current_dir(project);
    terminal.env("TERM", "xterm").stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = terminal.spawn().unwrap();
    let (mut keys, mut screen) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
    let (mut shown, mut piece, mut asked) = (Vec::new(), [0; 4096], false);
    loop {
        let read = screen.read(&mut piece).unwrap();
        if read == 0 {
            break;
        }
        shown.extend_from_slice(&piece[..read]);
        if !asked && String::from_utf8_lossy(&shown).contains("was edited. Replace it?") {
            keys.write_all(key.as_bytes()).unwrap();
            asked = true;
        }
    }
    let success = child.wait().unwrap().success();
    (String::from_utf8_lossy(&shown).into_owned(), success)
}

#[test]
fn an_edited_file_is_replaced_after_a_yes_and_only_then() {
    let folder = folder();
    let project = flask(folder.path());
    assert!(pinion(&project, &["deploy"]).success);
    let configuration = project.join("apache/hello");
    let text = fs::read_to_string(&configuration).unwrap();
    let edited = text.replace("threads=10", "threads=7");
    fs::write(&configuration, &edited).unwrap();
    let now = || fs::read_to_string(&configuration).unwrap();

    for no in ["n", "\r", "\u{1b}"] {
        let (shown, success) = on_a_terminal(&project, no);
        assert!(shown.contains("threads=7") && shown.contains("threads=5"), "{shown}");
        assert!(!success && shown.contains("PIN0508"), "{no:?}: {shown}");
        assert_eq!(now(), edited, "{no:?}: {shown}");
    }
    let (shown, success) = on_a_terminal(&project, "y");
    assert!(success && shown.contains("anew"), "{shown}");
    assert!(now().contains("threads=5") && !now().contains("threads=7"), "{}", now());
    assert!(pinion(&project, &["deploy"]).stdout.contains("hello is up to date"));
}
