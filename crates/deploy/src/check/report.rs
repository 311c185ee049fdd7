//! What a check has found, as a table and as JSON.

use std::fmt;

use pinion_config::{Place, Severity};
use serde_json::{Value, json};

use crate::error::Exit;
use crate::finding::Finding;

/// A finding of a check, with where it is and what belongs to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    /// What, why, and what to do.
    pub finding: Finding,
    /// The file and the line; line 0 is the file as a whole.
    pub place: Option<Place>,
    /// Output or a traceback, many lines; often empty.
    pub detail: String,
}

impl Note {
    /// A note without a place.
    pub fn new(finding: Finding) -> Self {
        Self { finding, place: None, detail: String::new() }
    }

    /// The same at a place.
    #[must_use]
    pub fn at(self, place: Place) -> Self {
        Self { place: Some(place), ..self }
    }

    /// The same with output or a traceback, whose exception is the reason unless another is given.
    #[must_use]
    pub fn explained(mut self, detail: &str) -> Self {
        if let Some(exception) = exception(detail).filter(|_| self.finding.why.is_empty()) {
            exception.clone_into(&mut self.finding.why);
        }
        detail.trim_end().clone_into(&mut self.detail);
        self
    }

    fn place(&self) -> Option<String> {
        self.place.as_ref().map(|place| match place.line {
            0 => place.file.clone(),
            _ => place.to_string(),
        })
    }

    /// The place, unless the text names it.
    fn headline(&self) -> String {
        match self.place() {
            Some(place) if !self.finding.what.contains(&place) => {
                format!("{place}: {}", self.finding.what)
            }
            _ => self.finding.what.clone(),
        }
    }
}

/// What the last traceback in a text ends with: the first line behind it that is not indented.
fn exception(text: &str) -> Option<&str> {
    let (_, last) = text.rsplit_once("Traceback (most recent call last):")?;
    last.lines().skip(1).find(|line| !line.starts_with(' ') && !line.is_empty())
}

/// An application that was tried in a worker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tried {
    /// Where it is mounted.
    pub url: String,
    /// Its script.
    pub script: String,
    /// Its process group; empty for embedded applications.
    pub group: String,
    /// Who it ran as.
    pub user: String,
    /// Its interpreter, with the version where it said one.
    pub python: String,
    /// What its first page was answered with.
    pub status: Option<u16>,
    /// What it wrote to its log and its standard output.
    pub output: String,
}

/// All that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// What was examined.
    pub subject: String,
    /// The applications in it.
    pub tried: Vec<Tried>,
    /// What is wrong, the worst first.
    pub notes: Vec<Note>,
}

impl Report {
    /// Sorts the notes: errors first, then warnings, both as they were found; what was found twice counts once.
    #[must_use]
    pub fn new(subject: String, tried: Vec<Tried>, notes: Vec<Note>) -> Self {
        let mut kept: Vec<Note> = Vec::new();
        for note in notes {
            if !kept.contains(&note) {
                kept.push(note);
            }
        }
        // Stable: what was found first may be why the rest is so.
        kept.sort_by_key(|note| std::cmp::Reverse(note.finding.severity()));
        Self { subject, tried, notes: kept }
    }

    fn count(&self, severity: Severity) -> usize {
        self.notes.iter().filter(|note| note.finding.severity() == severity).count()
    }

    /// 0 when all is well, 1 for warnings where they count, 2 for errors.
    pub fn exit(&self, strict: bool) -> Exit {
        match (self.count(Severity::Error), self.count(Severity::Warning)) {
            (0, 0) => Exit::Done,
            (0, _) if strict => Exit::Attention,
            (0, _) => Exit::Done,
            _ => Exit::Failed,
        }
    }

    /// For machines: one object.
    pub fn json(&self) -> Value {
        let note = |note: &Note| {
            let Finding { code, what, why, hint } = &note.finding;
            let place = note.place.as_ref();
            json!({
                "severity": note.finding.severity().as_str(),
                "code": code.as_str(),
                "file": place.map(|place| &place.file),
                "line": place.map(|place| place.line).filter(|line| *line > 0),
                "what": what,
                "why": why,
                "hint": hint,
                "detail": note.detail,
            })
        };
        let tried = |tried: &Tried| {
            json!({
                "url": tried.url,
                "script": tried.script,
                "process_group": tried.group,
                "user": tried.user,
                "python": tried.python,
                "status": tried.status,
                "output": tried.output,
            })
        };
        json!({
            "subject": self.subject,
            "applications": self.tried.iter().map(tried).collect::<Vec<_>>(),
            "findings": self.notes.iter().map(note).collect::<Vec<_>>(),
            "errors": self.count(Severity::Error),
            "warnings": self.count(Severity::Warning),
        })
    }
}

/// The table, then what each line of it means and what mends it, then the sum.
impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}\n", self.subject)?;
        for row in rows(self) {
            writeln!(f, "{row}")?;
        }
        for note in self.notes.iter().filter(|note| note.finding.severity() >= Severity::Warning) {
            writeln!(f)?;
            detail(f, note)?;
        }
        for tried in self.tried.iter().filter(|tried| !tried.output.is_empty()) {
            writeln!(f, "\noutput of {}:", tried.script)?;
            indented(f, &tried.output)?;
        }
        let counted = |count: usize, word: &str| match count {
            1 => format!("1 {word}"),
            _ => format!("{count} {word}s"),
        };
        let errors = counted(self.count(Severity::Error), "error");
        write!(f, "\n{errors}, {}", counted(self.count(Severity::Warning), "warning"))
    }
}

fn rows(report: &Report) -> Vec<String> {
    let mut cells: Vec<[String; 3]> = Vec::new();
    for tried in report.tried.iter().filter(|tried| tried.status.is_some_and(|status| status < 500))
    {
        let status = tried.status.unwrap_or_default();
        let what =
            format!("{} answers {status} as {} with {}", tried.url, tried.user, tried.python);
        cells.push(["ok".to_owned(), String::new(), what]);
    }
    for note in &report.notes {
        let Finding { code, .. } = note.finding;
        let what = one_line(&note.headline());
        cells.push([note.finding.severity().as_str().to_owned(), code.to_string(), what]);
    }
    if cells.is_empty() {
        cells.push([
            "ok".to_owned(),
            String::new(),
            "no application is configured here".to_owned(),
        ]);
    }
    cells.insert(0, ["RESULT", "CODE", "WHAT"].map(str::to_owned));
    let width = |column: usize| cells.iter().map(|row| row[column].chars().count()).max();
    let (first, second) = (width(0).unwrap_or(0), width(1).unwrap_or(0));
    cells.iter().map(|[a, b, c]| format!("{a:first$}  {b:second$}  {c}")).collect()
}

fn one_line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

fn detail(f: &mut fmt::Formatter<'_>, note: &Note) -> fmt::Result {
    let Finding { code, why, hint, .. } = &note.finding;
    writeln!(f, "{code} {}", one_line(&note.headline()))?;
    if !why.is_empty() {
        writeln!(f, "  why:  {why}")?;
    }
    if !hint.is_empty() {
        writeln!(f, "  hint: {hint}")?;
    }
    indented(f, &note.detail)
}

fn indented(f: &mut fmt::Formatter<'_>, text: &str) -> fmt::Result {
    text.trim_end().lines().try_for_each(|line| writeln!(f, "    {}", one_line(line)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use pinion_config::Code;

    fn report() -> Report {
        let print = Finding::new(
            Code::StdoutWritten,
            "print() writes to standard output",
            "w",
            "use logging",
        );
        let load = Finding::new(
            Code::LoadFailed,
            "/a.wsgi does not load",
            "",
            "mend what the traceback shows",
        );
        let traceback = "Traceback:\n  File \"x\"\nValueError: broken\n".to_owned();
        let tried = Tried {
            url: "/shop/".into(),
            script: "/b.wsgi".into(),
            group: "shop".into(),
            user: "www-data".into(),
            python: "Python 3.11 (/venv)".into(),
            status: Some(302),
            output: "hello\n".into(),
        };
        let print = Note::new(print).at(Place::new("/b.py", 7));
        let notes = vec![
            print.clone(),
            Note { detail: traceback, ..Note::new(load) }.at(Place::new("/etc/site.conf", 0)),
            print,
        ];
        Report::new("shop in /etc/site.conf".into(), vec![tried], notes)
    }

    #[test]
    fn the_table_shows_all_and_the_sum() {
        let expected = "\
shop in /etc/site.conf

RESULT   CODE     WHAT
ok                /shop/ answers 302 as www-data with Python 3.11 (/venv)
error    PIN0204  /etc/site.conf: /a.wsgi does not load
warning  PIN0805  /b.py:7: print() writes to standard output

PIN0204 /etc/site.conf: /a.wsgi does not load
  hint: mend what the traceback shows
    Traceback:
      File \"x\"
    ValueError: broken

PIN0805 /b.py:7: print() writes to standard output
  why:  w
  hint: use logging

output of /b.wsgi:
    hello

1 error, 1 warning";
        assert_eq!(report().to_string(), expected);
    }

    #[test]
    fn the_exception_of_a_traceback_is_the_reason() {
        let chain = "Traceback (most recent call last):\n  File \"a\"\nKeyError: 1\n\nThe above\n\n\
                     Traceback (most recent call last):\n  File \"b\"\n    x\n     ^\n\
                     ValueError: two\nlines\n";
        let note = Note::new(Finding::new(Code::RequestFailed, "what", "", "")).explained(chain);
        assert_eq!(note.finding.why, "ValueError: two");
        assert_eq!(note.detail, chain.trim_end());
        assert_eq!(exception("no traceback"), None);
    }

    #[test]
    fn machines_get_each_field_by_itself() {
        let json = report().json();
        assert_eq!(json["errors"], 1);
        assert_eq!(json["findings"][1]["line"], 7);
        assert_eq!(json["findings"][0]["line"], Value::Null);
        assert_eq!(json["findings"][0]["code"], "PIN0204");
        assert_eq!(json["applications"][0]["status"], 302);
    }

    #[test]
    fn warnings_count_where_they_are_asked_to() {
        let mut report = report();
        assert_eq!(report.exit(false), Exit::Failed);
        report.notes.remove(0);
        assert_eq!((report.exit(false), report.exit(true)), (Exit::Done, Exit::Attention));
        report.notes.clear();
        assert_eq!(report.exit(true), Exit::Done);
    }
}
