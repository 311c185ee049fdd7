//! The walk through the files of a configuration.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::conditions::{Circumstances, holds};
use super::lines::{LineKind, lines};
use super::{Known, ReadError, Reading, paths, variables};
use crate::codes::Code;
use crate::directives::{self, Args, Context, Directive};
use crate::files::Files;
use crate::finding::{Finding, Place};
use crate::model::{Met, Placed, VhostId, VirtualServer};
use crate::options::nearest;
use crate::words;

/// A file that includes itself would be read for ever; Apache's own limit is 128.
const DEEPEST: usize = 100;

pub(super) struct Reader<'a> {
    files: &'a dyn Files,
    known: &'a Known,
    root: PathBuf,
    defined: BTreeMap<String, String>,
    sections: Vec<Section>,
    vhost: VhostId,
    depth: usize,
    reading: Reading,
}

/// A section that is open.
struct Section {
    name: String,
    place: Place,
    kind: SectionKind,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum SectionKind {
    /// A condition; its lines stand where it stands.
    Condition,
    /// Its lines do not count.
    Skipped,
    /// A virtual host.
    Host,
    /// `<Directory>` and the like.
    Folder,
}

impl<'a> Reader<'a> {
    pub(super) fn new(files: &'a dyn Files, known: &'a Known) -> Self {
        let mut reading = Reading::default();
        let main = VirtualServer { name: "localhost".to_owned(), port: 0, place: None };
        reading.config.vhosts.insert(VhostId::MAIN, main);
        Self {
            files,
            known,
            root: known.root.clone(),
            defined: BTreeMap::new(),
            sections: Vec::new(),
            vhost: VhostId::MAIN,
            depth: 0,
            reading,
        }
    }

    pub(super) fn read(mut self, file: &Path) -> Result<Reading, ReadError> {
        self.file(file)?;
        Ok(self.reading)
    }

    fn file(&mut self, path: &Path) -> Result<(), ReadError> {
        let failed = |reason: String| ReadError::File { path: path.to_owned(), reason };
        if self.depth >= DEEPEST {
            return Err(failed("files include each other in a circle".to_owned()));
        }
        let text = self.files.read(path).map_err(|error| failed(error.to_string()))?;
        self.reading.files.push(path.to_owned());
        let open = self.sections.len();
        self.depth += 1;
        for line in lines(&text) {
            let place = Place::new(path.to_string_lossy(), line.number);
            match line.kind {
                LineKind::Open(name, argument) => self.open(name, &argument, place),
                LineKind::Close(name) => self.close(&name, open, place)?,
                LineKind::Directive(..) if self.is_skipped() => {}
                LineKind::Directive(name, rest) => self.directive(&name, &rest, place)?,
            }
        }
        self.depth -= 1;
        match self.sections.get(open) {
            None => Ok(()),
            Some(left) => {
                let problem = format!("<{}> is not closed in this file", left.name);
                Err(ReadError::Line { place: left.place.clone(), problem })
            }
        }
    }

    fn is_skipped(&self) -> bool {
        self.sections.iter().any(|section| section.kind == SectionKind::Skipped)
    }

    fn expand(&self, text: &str) -> String {
        let known = &self.known.variables;
        let value = |name: &str| self.defined.get(name).or_else(|| known.get(name));
        variables::expand(text, |name| value(name).map(String::as_str))
    }

    fn open(&mut self, name: String, argument: &str, place: Place) {
        let argument = self.expand(argument);
        let known = Circumstances {
            modules: &self.reading.modules,
            every_module: self.known.is_part,
            is_defined: &|name| self.defined.contains_key(name),
            exists: &|path| self.files.stat(&self.root.join(path)).is_ok(),
        };
        let kind = match holds(&name, &argument, &known) {
            _ if self.is_skipped() => SectionKind::Condition,
            Some(true) => SectionKind::Condition,
            Some(false) => SectionKind::Skipped,
            // A macro is only a text until it is used.
            None if name.eq_ignore_ascii_case("Macro") => SectionKind::Skipped,
            None if name.eq_ignore_ascii_case("VirtualHost") => {
                self.host(&argument, &place);
                SectionKind::Host
            }
            // Which interpreters it is for shows only when they run.
            None if name.eq_ignore_ascii_case("WSGIInterpreterOptions") => SectionKind::Skipped,
            None => SectionKind::Folder,
        };
        self.sections.push(Section { name, place, kind });
    }

    fn host(&mut self, addresses: &str, place: &Place) {
        self.vhost = VhostId(u32::try_from(self.reading.config.vhosts.len()).unwrap_or(u32::MAX));
        let main = &self.reading.config.vhosts[&VhostId::MAIN];
        let first = words::words(addresses).into_iter().next().unwrap_or_default();
        let port = first.rsplit_once(':').and_then(|(_, port)| port.parse().ok());
        let server = VirtualServer {
            name: main.name.clone(),
            port: port.unwrap_or(main.port),
            place: Some(place.clone()),
        };
        self.reading.config.vhosts.insert(self.vhost, server);
    }

    fn close(&mut self, name: &str, open: usize, place: Place) -> Result<(), ReadError> {
        let wrong = |problem| Err(ReadError::Line { place, problem });
        if self.sections.len() <= open {
            return wrong(format!("</{name}> closes nothing that was opened in this file"));
        }
        let Some(section) = self.sections.pop() else { return Ok(()) };
        if !section.name.eq_ignore_ascii_case(name) {
            return wrong(format!(
                "</{name}> where <{}> of {} is open",
                section.name, section.place
            ));
        }
        if section.kind == SectionKind::Host {
            self.vhost = VhostId::MAIN;
        }
        Ok(())
    }

    fn directive(&mut self, name: &str, rest: &str, place: Place) -> Result<(), ReadError> {
        let rest = self.expand(rest);
        let lower = name.to_ascii_lowercase();
        let mut all = words::words(&rest).into_iter();
        let first = all.next().unwrap_or_default();
        match lower.as_str() {
            "include" | "includeoptional" => {
                return self.include(&first, lower == "include", &place);
            }
            "serverroot" => self.root = PathBuf::from(first),
            "define" => {
                self.defined.insert(first, all.next().unwrap_or_default());
            }
            "undefine" => {
                self.defined.remove(&first);
            }
            "loadmodule" => self.module(first, all.next().unwrap_or_default()),
            "user" => self.reading.user = Some(first),
            "group" => self.reading.group = Some(first),
            "listen" => self.listen(&first),
            "servername" if !self.in_folder() => self.name(&first),
            "alias" => {
                let value = (first, self.root.join(all.next().unwrap_or_default()));
                self.reading.static_aliases.push(Placed { value, vhost: self.vhost, place });
            }
            _ if lower.starts_with("wsgi") || lower.starts_with("pinion") => {
                self.own(name, &rest, place);
            }
            _ => {}
        }
        Ok(())
    }

    fn include(&mut self, pattern: &str, required: bool, place: &Place) -> Result<(), ReadError> {
        let pattern = self.root.join(pattern);
        let found = paths::included(self.files, &pattern);
        // A pattern that matches nothing is an error in Apache too, unless it is optional.
        if found.is_empty() && required && self.files.stat(&pattern).is_err() {
            let problem = format!("Include {}: no such file", pattern.display());
            return Err(ReadError::Line { place: place.clone(), problem });
        }
        found.iter().try_for_each(|path| self.file(path))
    }

    fn module(&mut self, symbol: String, file: String) {
        if symbol == "wsgi_module" {
            self.reading.wsgi_module = Some(self.root.join(file));
        }
        self.reading.modules.insert(symbol);
    }

    fn listen(&mut self, address: &str) {
        let port = address.rsplit(':').next().and_then(|port| port.parse().ok());
        if let (Some(port), Some(main)) =
            (port, self.reading.config.vhosts.get_mut(&VhostId::MAIN).filter(|main| main.port == 0))
        {
            main.port = port;
        }
    }

    /// `ServerName [scheme://]name[:port]`.
    fn name(&mut self, given: &str) {
        let name = given.split_once("://").map_or(given, |(_, rest)| rest);
        let (name, port) = match name.rsplit_once(':') {
            Some((name, port)) => (name, port.parse().ok()),
            None => (name, None),
        };
        if let Some(server) = self.reading.config.vhosts.get_mut(&self.vhost) {
            name.clone_into(&mut server.name);
            server.port = port.unwrap_or(server.port);
        }
    }

    fn in_folder(&self) -> bool {
        self.sections.iter().any(|section| section.kind == SectionKind::Folder)
    }

    /// A directive of Pinion's.
    fn own(&mut self, name: &str, rest: &str, place: Place) {
        match self.parse(name, rest) {
            Ok((directive, value)) => {
                let met = Met { vhost: self.vhost, place, in_section: self.in_folder() };
                self.reading.config.record(directive, &value, &met);
            }
            Err(mut finding) => {
                finding.place = Some(place);
                self.reading.refused.push(*finding);
            }
        }
    }

    fn parse(
        &self,
        name: &str,
        rest: &str,
    ) -> Result<(&'static str, directives::Value), Box<Finding>> {
        let directive = directives::find(name).ok_or_else(|| unknown(name))?;
        if self.in_folder() && !directive.allows(Context::Directory) {
            let problem = "it has no meaning inside of <Directory>, <Location> or <Files>";
            return Err(refused(name, Code::ContextWrong, problem, "move it out of the section"));
        }
        let argument = match directive.args {
            Args::Raw => rest.to_owned(),
            Args::One => single(directive, rest)?,
        };
        let value = directive.parse(&argument, self.vhost != VhostId::MAIN)?;
        Ok((directive.name, value))
    }
}

fn refused(name: &str, code: Code, problem: &str, hint: impl Into<String>) -> Box<Finding> {
    let (directive, problem) = (name.to_owned(), problem.to_owned());
    let (value, hint) = (String::new(), hint.into());
    Box::new(Finding { code, place: None, directive, value, problem, hint })
}

fn unknown(name: &str) -> Box<Finding> {
    let known = directives::DIRECTIVES.iter().map(|directive| directive.name);
    let hint = nearest(name, known).map(|near| format!("did you mean {near}?"));
    let problem = "there is no such directive";
    refused(name, Code::DirectiveUnknown, problem, hint.unwrap_or_default())
}

/// The only argument of a directive, as Apache's `TAKE1` takes it.
fn single(directive: &Directive, rest: &str) -> Result<String, Box<Finding>> {
    let mut all = words::words(rest).into_iter();
    match (all.next(), all.next()) {
        (Some(one), None) => Ok(one),
        (None, _) => {
            let problem = format!("it takes {}", directive.syntax);
            Err(refused(directive.name, Code::ArgumentMissing, &problem, ""))
        }
        (Some(_), Some(_)) => {
            let hint = "put a value that holds blanks in quotes";
            let problem = "this is more than the directive takes";
            Err(refused(directive.name, Code::ArgumentUnexpected, problem, hint))
        }
    }
}
