//! Why an application failed, as Apache's error log tells it.

use pinion_config::Code;

/// The last traceback in a log, without what Apache writes before each line; else the last lines
/// that tell of the site's script or of an error of Pinion's or mod_wsgi's.
pub(super) fn cause(log: &str, script: &str) -> Option<String> {
    let lines: Vec<&str> = log.lines().map(message).collect();
    traceback(&lines).or_else(|| told(&lines, script))
}

/// How the new code of a process group fares, of which the old goes on while it loads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum NewCode {
    /// None was to be loaded, or it was loaded.
    Fine,
    /// It is being loaded.
    Loading,
    /// It does not load, and this is why.
    Fails(String),
}

/// What a log tells of the process group's last change of code.
pub(super) fn new_code(log: &str, group: &str) -> NewCode {
    let group = format!("process group '{group}'");
    let lines: Vec<&str> = log.lines().map(message).collect();
    let last = |code: Code| {
        let id = code.as_str();
        lines.iter().rposition(|line| line.starts_with(id) && line.contains(&group))
    };
    let Some(changed) = last(Code::ScriptChanged) else { return NewCode::Fine };
    match (last(Code::ReloadFailed), last(Code::WorkerStarted)) {
        (Some(failed), _) if failed > changed => {
            NewCode::Fails(traceback(&lines[failed..]).unwrap_or_else(|| lines[failed].to_owned()))
        }
        (_, Some(started)) if started > changed => NewCode::Fine,
        _ => NewCode::Loading,
    }
}

/// What follows `[time] [module:level] [pid …] [client …]`.
fn message(line: &str) -> &str {
    let mut rest = line;
    while rest.starts_with('[') && !rest.starts_with("[Errno") {
        // A message may begin with a bracket of its own, as one of a list.
        let Some(end) = rest.find("] ") else { break };
        let inside = &rest[1..end];
        let apaches = ["pid ", "client ", "remote "].iter().any(|word| inside.starts_with(word))
            || inside.contains(':');
        if !apaches {
            break;
        }
        rest = &rest[end + 2..];
    }
    rest
}

const BEGIN: &str = "Traceback (most recent call last):";
/// Between the parts of a traceback with several exceptions.
const LINKS: [&str; 2] = [
    "The above exception was the direct cause of the following exception:",
    "During handling of the above exception, another exception occurred:",
];

fn traceback(lines: &[&str]) -> Option<String> {
    let last = lines.iter().rposition(|line| line.contains(BEGIN))?;
    let begin = first_part(lines, last);
    let end = end_of_part(lines, last);
    let text: Vec<&str> = lines[begin..end].iter().map(|line| bare(line)).collect();
    Some(text.join("\n"))
}

/// Where a chain of exceptions begins that ends with the part at `last`.
fn first_part(lines: &[&str], last: usize) -> usize {
    let mut begin = last;
    while let Some(earlier) = lines[..begin].iter().rposition(|line| line.contains(BEGIN)) {
        let between = &lines[earlier..begin];
        if !between.iter().any(|line| LINKS.iter().any(|link| line.contains(link))) {
            break;
        }
        begin = earlier;
    }
    begin
}

/// Behind the line of the exception, which is the first one that is not indented, and what it
/// continues with.
fn end_of_part(lines: &[&str], begin: usize) -> usize {
    let after = &lines[begin + 1..];
    let stack = after.iter().take_while(|line| bare(line).starts_with(' ')).count();
    (begin + 1 + stack + 1).min(lines.len())
}

/// A line of a traceback without the words that a server puts before each.
fn bare(line: &str) -> &str {
    if let Some(at) = line.find(BEGIN) {
        return &line[at..];
    }
    let inside = line.strip_prefix("[script ").and_then(|rest| rest.split_once("] "));
    inside.map_or(line, |(_, text)| text)
}

fn told(lines: &[&str], script: &str) -> Option<String> {
    // Events of every start; "AH0163" begins Apache's own refusals of access.
    let usual = [Code::WorkerStarted, Code::ScriptChanged, Code::ConfigurationTaken];
    let tells = |line: &&&str| {
        let known = [script, "PIN0", "WSGI0", "AH0163"].iter().any(|word| line.contains(word));
        known && !usual.iter().any(|code| line.starts_with(code.as_str()))
    };
    let found: Vec<&str> = lines.iter().filter(tells).copied().collect();
    let last = &found[found.len().saturating_sub(6)..];
    (!last.is_empty()).then(|| last.join("\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const PREFIX: &str = "[Sun Nov 22 22:02:56.782129 2026] [wsgi:error] [pid 19763:tid 19763] \
                          [client 127.0.0.1:5000] ";

    fn log(lines: &[&str]) -> String {
        lines.iter().map(|line| format!("{PREFIX}{line}\n")).collect()
    }

    #[test]
    fn the_last_traceback_is_found_with_all_its_causes() {
        let traceback = [
            "Traceback (most recent call last):",
            "  File \"/d/myapp.wsgi\", line 3, in <module>",
            "KeyError: 'formatters'",
            "",
            "During handling of the above exception, another exception occurred:",
            "",
            "Traceback (most recent call last):",
            "  File \"/d/myapp.wsgi\", line 9, in <module>",
            "    import nothing",
            "ModuleNotFoundError: No module named 'nothing'",
        ];
        let mut lines = vec![
            "Traceback (most recent call last):",
            "  File \"/other\", line 1",
            "ValueError: of another site",
            "Target WSGI script '/d/myapp.wsgi' cannot be loaded.",
        ];
        lines.extend(traceback);
        lines.push("resuming normal operations");
        assert_eq!(cause(&log(&lines), "/d/myapp.wsgi").unwrap(), traceback.join("\n"));
    }

    #[test]
    fn a_traceback_is_shown_without_the_script_that_each_line_names() {
        let lines = [
            "Traceback (most recent call last):",
            "  File \"/d/myapp.wsgi\", line 36, in <module>",
            "ModuleNotFoundError: No module named 'nothing'",
        ];
        let logged = lines.map(|line| format!("[script /d/myapp.wsgi] {line}"));
        let logged = log(&logged.each_ref().map(String::as_str));
        assert_eq!(cause(&logged, "/d/myapp.wsgi").unwrap(), lines.join("\n"));
    }

    #[test]
    fn new_code_that_does_not_load_is_noticed_while_the_old_goes_on() {
        let changed = "PIN0207: /d/x.wsgi has changed, new workers of process group 'x', application \
                       group '' load it";
        let failed = "PIN0208: process group 'x', application group '' failed to load anew, the \
                      workers of before go on: Exception";
        let ready =
            "PIN0200: worker 2 of process group 'x', application group '' ready, Python 3.11.2";
        let traceback =
            ["Traceback (most recent call last):", "  File \"/d/x.wsgi\"", "ValueError: x"];
        let of = |lines: &[&str]| new_code(&log(lines), "x");
        assert_eq!(of(&[ready]), NewCode::Fine);
        assert_eq!(of(&[ready, changed]), NewCode::Loading);
        assert_eq!(of(&[changed, ready]), NewCode::Fine);
        let lines = [&[ready, changed, failed], &traceback[..]].concat();
        assert_eq!(of(&lines), NewCode::Fails(traceback.join("\n")));
        assert_eq!(new_code(&log(&lines), "other"), NewCode::Fine);
    }

    #[test]
    fn without_a_traceback_what_tells_of_the_script_counts() {
        let denied = "AH01630: client denied by server configuration: /d/myapp.wsgi";
        let text = log(&["AH00489: Apache configured", denied]);
        assert_eq!(cause(&text, "/d/myapp.wsgi").unwrap(), denied);
        assert_eq!(cause(&log(&["AH00489: Apache configured"]), "/d/x.wsgi"), None);
    }
}
