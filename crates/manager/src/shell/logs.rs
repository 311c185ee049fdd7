//! The servers' log files, written in the format of Apache's own lines.

use std::{
    fs::File,
    io::Write,
    os::fd::{AsFd, OwnedFd},
};

use pinion_config::{Code, Severity};
use pinion_unix::{clock::LocalTime, sockets};
use pinion_wire::message::{ServerLog, Settings};

use crate::state::LogLine;

/// The longest line that is written whole; a pipe takes as much at once.
const LONGEST: usize = 3500;
/// The same where lines are the application's own, such as JSON that must not be cut.
const LONGEST_PLAIN: usize = 64 * 1024;

/// Where a server logs.
#[derive(Clone, Copy, Debug)]
struct Place {
    /// Which file.
    file: usize,
    /// The last level that is written there.
    level: u8,
    /// Whether what workers say is written as they say it.
    plain: bool,
}

/// The logs that the configuration names. Before there is one, lines go to standard error, which is the main
/// server's log.
#[derive(Debug, Default)]
pub(super) struct Logs {
    files: Vec<File>,
    /// For each server, where it logs.
    servers: Vec<Place>,
    /// Lines that could not be written.
    lost: u64,
}

impl Logs {
    /// Takes over the descriptors of a configuration.
    pub(super) fn replace(&mut self, descriptors: Vec<OwnedFd>, settings: &Settings) {
        self.files = descriptors.into_iter().map(File::from).collect();
        let place = |server: &ServerLog| Place {
            file: server.log as usize,
            level: server.level,
            plain: server.plain,
        };
        self.servers = settings.servers.iter().map(place).collect();
    }

    /// Writes a line of the manager's own, with its code and what to do about it.
    pub(super) fn line(&mut self, line: &LogLine) {
        let entry = line.code.entry();
        let hint = match entry.severity {
            Severity::Warning | Severity::Error => format!("\nhint: {}", entry.action),
            Severity::Debug | Severity::Notice => String::new(),
        };
        let level = match entry.severity {
            Severity::Warning => "warn",
            other => other.as_str(),
        };
        let text = line.text.trim_end();
        self.write(line.server, level, line.pid, &format!("{}: {text}{hint}", line.code));
    }

    fn of(&self, server: Option<u32>) -> Option<Place> {
        server.and_then(|server| self.servers.get(server as usize)).copied()
    }

    /// Writes what a worker says, as far as the server's LogLevel lets it through.
    pub(super) fn say(&mut self, server: Option<u32>, number: u8, pid: Option<u32>, text: &str) {
        let limit = self.of(server).map_or(NOTICE, |place| place.level.max(NOTICE));
        if number <= limit {
            self.output(server, level(number), pid, text);
        }
    }

    /// Writes each line of what a worker has written.
    pub(super) fn output(
        &mut self,
        server: Option<u32>,
        level: &str,
        pid: Option<u32>,
        text: &str,
    ) {
        if !self.of(server).is_some_and(|place| place.plain) {
            return self.write(server, level, pid, text);
        }
        for line in text.lines() {
            let whole = format!("{}\n", escape(line, LONGEST_PLAIN));
            self.put(server, &whole);
        }
    }

    /// Writes each line of `text`.
    pub(super) fn write(&mut self, server: Option<u32>, level: &str, pid: Option<u32>, text: &str) {
        let pid = pid.unwrap_or_else(std::process::id);
        for line in text.lines().filter(|line| !line.trim_end().is_empty()) {
            let line = escape(line, LONGEST);
            let whole = format!("[{}] [wsgi:{level}] [pid {pid}] {line}\n", LocalTime::now());
            self.put(server, &whole);
        }
    }

    fn put(&mut self, server: Option<u32>, line: &str) {
        let written = self.try_put(server, line);
        if !written {
            self.lost += 1;
        } else if self.lost > 0 {
            let code = Code::LogWriteFailed;
            let lost = std::mem::take(&mut self.lost);
            let text = format!("{code}: {lost} lines could not be written to a log");
            self.write(server, "error", None, &text);
        }
    }

    /// Writes without ever waiting: a log that is a pipe to a program that hangs must not hang the manager.
    fn try_put(&mut self, server: Option<u32>, line: &str) -> bool {
        let place = self.of(server).map_or(0, |place| place.file);
        let Some(file) = self.files.get_mut(place) else {
            return std::io::stderr().write_all(line.as_bytes()).is_ok();
        };
        sockets::writable_now(file.as_fd()) && file.write_all(line.as_bytes()).is_ok()
    }
}

/// A line without control characters, cut to so many bytes or a few more.
fn escape(line: &str, longest: usize) -> String {
    let mut out = String::with_capacity(line.len());
    for char in line.chars() {
        if out.len() >= longest {
            break;
        }
        if char.is_control() && char != '\t' {
            out.extend(char.escape_default());
        } else {
            out.push(char);
        }
    }
    out
}

/// The last level that Apache always writes to files (its documentation of LogLevel).
const NOTICE: u8 = 5;

/// The name of one of Apache's levels, for a number of its scale.
fn level(number: u8) -> &'static str {
    const NAMES: [&str; 8] = ["emerg", "alert", "crit", "error", "warn", "notice", "info", "debug"];
    NAMES.get(usize::from(number)).copied().unwrap_or("debug")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read;

    fn logs() -> (Logs, File) {
        let (reader, writer) = sockets::pipe().unwrap();
        let settings = Settings {
            servers: vec![ServerLog { name: "a".into(), log: 0, level: 4, plain: false }],
            ..Settings::default()
        };
        let mut logs = Logs::default();
        logs.replace(vec![writer], &settings);
        (logs, File::from(reader))
    }

    fn read(mut reader: File) -> String {
        let mut text = Vec::new();
        // The pipe does not block: reading ends with an error where it is empty.
        let _ = reader.read_to_end(&mut text);
        String::from_utf8(text).unwrap()
    }

    #[test]
    fn lines_look_like_apaches() {
        let (mut logs, reader) = logs();
        let text = "it died\n  a stack\x1b[m".to_owned();
        logs.line(&LogLine { server: Some(0), code: Code::WorkerKilled, pid: Some(7), text });
        let text = read(reader);
        let lines: Vec<_> = text.lines().collect();
        assert!(lines[0].starts_with('['), "{text}");
        assert!(lines[0].ends_with("] [wsgi:error] [pid 7] PIN0201: it died"), "{text}");
        assert!(lines[1].ends_with("[pid 7]   a stack\\u{1b}[m"), "{text}");
        assert!(lines[2].contains("[pid 7] hint: Look at the signal"), "{text}");
        assert_eq!(lines.len(), 3);
    }

    #[test]
    fn log_level_lets_through_what_it_names() {
        let (mut logs, reader) = logs();
        for (number, text) in [(3, "error"), (5, "notice"), (6, "info"), (7, "debug")] {
            logs.say(Some(0), number, None, text);
        }
        logs.servers[0].level = 6;
        logs.say(Some(0), 6, None, "info then");
        let text = read(reader);
        let said: Vec<_> = text.lines().filter_map(|line| line.split("] ").last()).collect();
        assert_eq!(said, ["error", "notice", "info then"]);
    }

    #[test]
    fn what_workers_write_is_left_as_it_is_where_that_is_wanted() {
        let (mut logs, reader) = logs();
        logs.servers[0].plain = true;
        let long = format!("{{\"text\": \"{}\"}}", "x".repeat(5_000));
        logs.say(Some(0), 3, Some(7), &format!("{long}\n\nred\x1b[m"));
        logs.output(Some(0), "error", Some(7), "print\n");
        let text = "it died".to_owned();
        logs.line(&LogLine { server: Some(0), code: Code::WorkerKilled, pid: Some(7), text });
        let text = read(reader);
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(lines[..4], [long.as_str(), "", "red\\u{1b}[m", "print"]);
        assert!(lines[4].ends_with("[wsgi:error] [pid 7] PIN0201: it died"), "{text}");
    }

    #[test]
    fn a_full_log_loses_lines_and_says_so() {
        let (mut logs, reader) = logs();
        for _ in 0..1000 {
            logs.write(None, "error", None, &"x".repeat(1000));
        }
        assert!(logs.lost > 0);
        let lost = format!("PIN0405: {} lines could not", logs.lost);
        (&reader).read_exact(&mut [0; 32 * 1024]).unwrap();
        logs.write(None, "error", None, "again");
        let text = read(reader);
        assert!(text.contains("again") && text.contains(&lost), "{text}");
        assert_eq!(logs.lost, 0);
    }
}
