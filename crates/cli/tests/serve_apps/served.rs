//! An example that is served from a folder of its own.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use pinion_testbed::http::{Answer, Client};
use pinion_testbed::{Port, Program, Server, poll, run, workspace_root};

/// The longest that a start or an answer may take before it counts as hung; a start may install packages.
const LIMIT: Duration = Duration::from_secs(240);

/// A copy of an example, to be served from.
pub(crate) struct Example {
    folder: tempfile::TempDir,
    name: &'static str,
}

impl Example {
    /// Copies `examples/NAME`, without what it may have been set up with.
    pub(crate) fn copy(name: &'static str) -> Self {
        let folder = tempfile::Builder::new().prefix("pinion-example-").tempdir().unwrap();
        let example = workspace_root().join("examples").join(name);
        run(Command::new("cp").arg("-r").arg(example).arg(folder.path())).unwrap();
        let copy = Self { folder, name };
        for made in [".venv", "data"] {
            let _ = fs::remove_dir_all(copy.root().join(made));
        }
        copy
    }

    /// The project's folder.
    pub(crate) fn root(&self) -> PathBuf {
        self.folder.path().join(self.name)
    }

    /// Serves the folder as a project.
    pub(crate) fn serve(&self, options: &[&str]) -> Served {
        let mut command = pinion();
        command.arg("serve").arg(self.root()).args(options);
        Served::start(command, &self.folder.path().join("log"))
    }

    /// Serves the application `made` by some lines of Python, with the standard library's validator around it: what a server or an
    /// application does against PEP 3333 raises an error.
    pub(crate) fn serve_validated(&self, made: &str, options: &[&str]) -> Served {
        let text = format!(
            "from wsgiref.validate import validator\n\n{made}\n\napplication = validator(made)\n"
        );
        fs::write(self.root().join("validated.py"), text).unwrap();
        let mut command = pinion();
        command.args(["serve", "validated:application"]).args(options).current_dir(self.root());
        Served::start(command, &self.folder.path().join("validated.log"))
    }
}

fn pinion() -> Command {
    let module = Server::pinion().unwrap().module().to_owned();
    Command::new(module.ancestors().nth(2).unwrap().join("bin/pinion"))
}

/// A running `pinion serve`.
pub(crate) struct Served {
    program: Program,
    port: Port,
    pub(crate) client: Client,
}

impl Served {
    fn start(mut command: Command, log: &Path) -> Self {
        let port = Port::take().unwrap();
        command.args(["--bind", &format!("127.0.0.1:{}", port.number()), "--processes", "2"]);
        // As for somebody who has none activated.
        command.env_remove("VIRTUAL_ENV");
        let program = Program::start(&mut command, log).unwrap();
        let mut served = Self { program, port, client: Client::new(LIMIT) };
        let url = served.url("/");
        let answered = poll(LIMIT, || {
            let ended = served.program.ended();
            assert!(ended.is_none(), "{ended:?}\n{}", served.log());
            Client::new(LIMIT).get(&url).ok()
        });
        assert!(answered.is_some(), "{}", served.log());
        served
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port.number())
    }

    pub(crate) fn get(&self, path: &str) -> Answer {
        self.client.get(&self.url(path)).unwrap()
    }

    pub(crate) fn ask(&self, method: &str, path: &str, headers: &[(&str, &str)]) -> Answer {
        self.client.send(method, &self.url(path), headers, b"").unwrap()
    }

    pub(crate) fn post(&self, path: &str, fields: &[(&str, &str)]) -> Answer {
        self.client.post_form(&self.url(path), fields).unwrap()
    }

    /// Posts a form with a file, as a browser does.
    pub(crate) fn upload(
        &self,
        path: &str,
        fields: &[(&str, &str)],
        file: (&str, &str, &str, &[u8]),
    ) -> Answer {
        const BOUNDARY: &str = "a-boundary-that-no-file-holds";
        let mut body = Vec::new();
        for (name, value) in fields {
            let part = format!("Content-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}");
            body.extend(format!("--{BOUNDARY}\r\n{part}\r\n").bytes());
        }
        let (name, filename, kind, content) = file;
        let part =
            format!("Content-Disposition: form-data; name=\"{name}\"; filename=\"{filename}\"");
        body.extend(format!("--{BOUNDARY}\r\n{part}\r\nContent-Type: {kind}\r\n\r\n").bytes());
        body.extend(content);
        body.extend(format!("\r\n--{BOUNDARY}--\r\n").bytes());
        let kind = format!("multipart/form-data; boundary={BOUNDARY}");
        self.client.send("POST", &self.url(path), &[("content-type", &kind)], &body).unwrap()
    }

    /// A static file comes whole, in part, and not at all where the client has it.
    pub(crate) fn has_style(&self, path: &str) {
        let whole = self.get(path);
        assert_eq!(whole.status, 200, "{}", self.log());
        assert!(whole.header("content-type").unwrap().starts_with("text/css"), "{whole:?}");
        assert!(whole.text().contains("body {"));
        let tag = whole.header("etag").expect("a static file has an ETag");
        let again = self.ask("GET", path, &[("if-none-match", &tag)]);
        assert_eq!((again.status, again.body.len()), (304, 0));
        let part = self.ask("GET", path, &[("range", "bytes=0-3")]);
        assert_eq!((part.status, part.text()), (206, "body".to_owned()));
        assert_eq!(self.ask("HEAD", path, &[]).body, b"");
    }

    /// Ends it as an operator does, and looks for complaints in what it and the application wrote.
    pub(crate) fn end(mut self) {
        self.program.signal(pinion_unix::signals::Signal::SIGTERM);
        let status = self.program.wait(LIMIT).unwrap();
        assert!(status.success(), "{status}\n{}", self.log());
        let log = self.log();
        for complaint in ["Traceback", "AssertionError", "WSGIWarning", "without being closed"] {
            assert!(!log.contains(complaint), "{log}");
        }
    }

    pub(crate) fn log(&self) -> String {
        self.program.log().text()
    }
}

/// The value of the field of a form that is to come back, such as a token against forgery.
pub(crate) fn hidden(page: &Answer, name: &str) -> String {
    let text = page.text();
    let field = text.split_once(&format!("name=\"{name}\" value=\"")).map(|(_, rest)| rest);
    field.and_then(|rest| rest.split('"').next()).unwrap_or_else(|| panic!("{text}")).to_owned()
}

/// The names of the cookies that an answer sets.
pub(crate) fn cookies(answer: &Answer) -> Vec<String> {
    let lines = answer.header_all("set-cookie");
    let names =
        lines.iter().filter_map(|line| line.split_once('=').map(|(name, _)| name.to_owned()));
    let mut names: Vec<String> = names.collect();
    names.sort();
    names
}

/// Where an answer leads, without the host.
pub(crate) fn location(answer: &Answer) -> String {
    let location = answer.header("location").unwrap_or_else(|| panic!("{answer:?}"));
    match location.split_once("://").and_then(|(_, rest)| rest.split_once('/')) {
        Some((_, path)) => format!("/{path}"),
        None => location,
    }
}

/// Something that begins as a PNG does.
pub(crate) fn picture(length: usize) -> Vec<u8> {
    let content = (0..length).map(|at| u8::try_from(at % 251).unwrap());
    b"\x89PNG\r\n\x1a\n".iter().copied().chain(content).collect()
}
