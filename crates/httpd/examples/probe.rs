//! A module that answers with what the wrappers see, for `tests/in_apache.rs`.

use std::ffi::CStr;
use std::fmt::Write as _;
use std::fs::File;
use std::os::unix::ffi::OsStrExt as _;
use std::process::Command as Process;
use std::sync::atomic::{AtomicU32, Ordering};

use pinion_httpd::Point::{
    CheckConfig, ChildInit, Handler, LogTransaction, PostConfig, TranslateName,
};
use pinion_httpd::log::{self, Level};
use pinion_httpd::{
    Answer, Arguments, Blocking, Brigade, ChildEvent, Command, ConfigPools, Configuration, Context,
    Directive, Failed, FileKind, Hook, Module, Order, Phase, Piece, Pool, Rank, Regex, Request,
    SentFile, Server, config_generation, export_module, library_at, main_server, mpm_limits, phase,
    watch_child,
};

struct Probe;

export_module!(probe_module, c"mod_probe.c", Probe);

/// What `ProbeWords` and its like have collected, outer scopes first.
#[derive(Default, Clone)]
struct Words(Vec<String>);

impl Configuration for Words {
    fn merged_with(&self, inner: &Self) -> Self {
        Self(self.0.iter().chain(&inner.0).cloned().collect())
    }
}

/// Survives restarts if the library stays loaded.
static CONFIGURATIONS: AtomicU32 = AtomicU32::new(0);

impl Module for Probe {
    type Server = Words;
    type Dir = Words;
    type Mark = Words;
    type Kept = ();

    const DIRECTIVES: &'static [Directive<Self>] = &[
        Directive {
            name: "ProbeWords",
            arguments: Arguments::OneOrTwo,
            context: Context::SERVER,
            usage: "words",
            handler: server_words,
        },
        Directive {
            name: "ProbePlace",
            arguments: Arguments::One,
            context: Context::FILE_INFO,
            usage: "a word",
            handler: place_words,
        },
        Directive {
            name: "ProbeFlag",
            arguments: Arguments::Flag,
            context: Context::SERVER,
            usage: "On or Off",
            handler: server_words,
        },
        Directive {
            name: "ProbeRaw",
            arguments: Arguments::Raw,
            context: Context::SERVER,
            usage: "anything",
            handler: server_words,
        },
        Directive {
            name: "ProbeRefuse",
            arguments: Arguments::One,
            context: Context::SERVER,
            usage: "a word",
            handler: |command, words| {
                Err(format!("{} does not like {}", command.directive().name, words[0]))
            },
        },
    ];

    const HOOKS: &'static [Hook] = &[
        Hook::at(CheckConfig),
        Hook::at(PostConfig),
        Hook::at(ChildInit),
        Hook::at(LogTransaction),
        Hook::at(Handler),
        Hook::ordered(
            TranslateName,
            Order { rank: Rank::Middle, after: &[c"mod_alias.c"], before: &[] },
        ),
    ];

    fn check_config(_pools: &ConfigPools<'_>, main: Server<'_>) -> Result<(), Failed> {
        if main.config::<Self>().0.iter().any(|word| word.ends_with("=fail")) {
            log::startup(Some(main), Level::Error, "probe: told to fail, 100%s");
            return Err(Failed);
        }
        Ok(())
    }

    fn post_config(_pools: &ConfigPools<'_>, main: Server<'_>) -> Result<(), Failed> {
        if phase() == Phase::FirstReading {
            return Ok(());
        }
        let count = CONFIGURATIONS.fetch_add(1, Ordering::Relaxed) + 1;
        let generation = config_generation();
        let library = library_at(&raw const CONFIGURATIONS as usize);
        let library = library.is_some_and(|path| path.ends_with("libprobe.so"));
        let line = format!("probe: configuration {count}, generation {generation}, {library}");
        log::server(Some(main), Level::Notice, &line);
        if count == 1 {
            let child = Process::new("/bin/true").spawn().map_err(|_| Failed)?;
            watch_child(main.process_pool(), child.id(), told);
        }
        Ok(())
    }

    fn child_init(_pool: Pool<'_>, main: Server<'_>) {
        let limits = mpm_limits();
        log::server(Some(main), Level::Notice, &format!("probe: child of {limits:?}"));
    }

    fn translate_name(request: Request<'_>) -> Answer {
        let Some(uri) = request.uri() else { return Answer::Declined };
        let mapped = Regex::compile("^/mapped/([a-z]+)").expect("the expression is right");
        let Some(groups) = mapped.find(uri) else { return Answer::Declined };
        let name = groups.substitute(request.pool(), c"/etc/$1", uri).expect("it is short");
        request.set_filename(name.to_bytes());
        request.set_path_info(&uri.to_bytes()[groups.end()..]);
        request.set_handler(c"probe");
        request.mark::<Self>(request.server_config::<Self>());
        Answer::Ok
    }

    fn handler(request: Request<'_>) -> Answer {
        if request.handler() != Some(c"probe") {
            return Answer::Declined;
        }
        match request.uri().map(CStr::to_bytes) {
            Some(b"/panic") => panic!("the probe was told to"),
            Some(b"/echo") => echo(request),
            Some(b"/broken") => broken(request),
            Some(b"/file") => file(request),
            Some(b"/status") => status(request),
            Some(b"/more") => more(request),
            _ => describe(request),
        }
    }

    fn log_transaction(request: Request<'_>) {
        log::request(request, Level::Info, "probe: the response has left, 100%n");
    }
}

fn server_words(command: &mut Command<'_, Probe>, words: &[&str]) -> Result<(), String> {
    let line = command.line();
    let words = format!("{}:{line}={}", command.directive().name, words.join("|"));
    let config = command.server_config().ok_or("not in .htaccess")?;
    config.0.push(words);
    Ok(())
}

fn place_words(command: &mut Command<'_, Probe>, words: &[&str]) -> Result<(), String> {
    let place = command.place().map_or_else(String::new, |p| p.to_string_lossy().into_owned());
    command.dir_config().0.push(format!("{}@{place}", words[0]));
    Ok(())
}

fn told(_pid: u32, event: ChildEvent) {
    if event != ChildEvent::Unwatched {
        log::server(main_server(), Level::Notice, &format!("probe: child process: {event:?}"));
    }
}

/// Sends everything that the accessors give, a line each.
fn describe(request: Request<'_>) -> Answer {
    let mut text = String::new();
    let mut line = |name: &str, value: &dyn std::fmt::Debug| {
        writeln!(text, "{name}: {value:?}").expect("a String takes all text");
    };
    line("uri", &request.uri());
    line("filename", &request.filename());
    line("path_info", &request.path_info());
    line("args", &request.args());
    line("method", &request.method());
    line("head", &request.header_only());
    line("missing", &(request.file_kind() == FileKind::Missing));
    line("initial", &request.is_initial());
    line("execute", &request.may_execute());
    line("filters", &request.has_content_filters());
    line("limit", &request.body_limit());
    line("server", &request.server().name());
    line("virtual", &request.server().is_virtual());
    line("words", &request.server_config::<Probe>().0);
    line("place", &request.dir_config::<Probe>().0);
    line("log", &request.server().error_log().is_some());
    line("marked", &request.marked::<Probe>().map(|mark| mark.0.len()));
    line("hung up", &request.connection().has_hung_up());
    line("debug", &log::is_wanted(request, Level::Debug));
    request.add_common_vars();
    request.add_cgi_vars();
    for (name, value) in request.subprocess_env() {
        let (name, value) = (String::from_utf8_lossy(name), String::from_utf8_lossy(value));
        line(&format!("env {name}"), &value);
    }
    request.set_content_type(b"text/plain");
    request.headers_out().add(b"Set-Cookie", b"a=1");
    request.headers_out().add(b"Set-Cookie", b"b=2");
    send(request, &[Piece::Copied(text.as_bytes()), Piece::End])
}

/// Says whether another request is here.
fn more(request: Request<'_>) -> Answer {
    let has_input = request.connection().has_input(request);
    send(request, &[Piece::Copied(if has_input { b"yes" } else { b"no" }), Piece::End])
}

fn echo(request: Request<'_>) -> Answer {
    if let Err(answer) = request.prepare_body(true) {
        return answer;
    }
    let mut input = Brigade::new(request);
    let mut output = Brigade::new(request);
    let mut seen = Vec::new();
    loop {
        let take = |data: &[u8]| seen.extend_from_slice(data);
        match request.read_body(&mut input, 65536, Blocking::Yes, take) {
            Ok(filled) if filled.ended => break,
            Ok(_) => {}
            Err(error) => return error.answer,
        }
        if output.pass(&[Piece::Bytes(&seen), Piece::Flush]).is_err() {
            return Answer::Ok;
        }
        seen.clear();
    }
    output.push_copied(&seen);
    send_with(&mut output, &[Piece::End])
}

fn broken(request: Request<'_>) -> Answer {
    send(request, &[Piece::Bytes(b"begun"), Piece::Flush, Piece::Broken, Piece::End])
}

fn file(request: Request<'_>) -> Answer {
    let path = request.headers_in().get(c"X-File").map_or(&b""[..], CStr::to_bytes);
    let Ok(file) = File::open(std::ffi::OsStr::from_bytes(path)) else { return Answer::Http(404) };
    let length = file.metadata().map_or(0, |found| found.len());
    let Ok(file) = SentFile::adopt(request, file.into(), true) else { return Answer::Http(500) };
    request.set_content_length(length - 2);
    send(request, &[Piece::File { file, offset: 2, length: length - 2 }, Piece::End])
}

fn status(request: Request<'_>) -> Answer {
    request.set_status(404, Some(b"404 Never Here"));
    request.set_content_encoding(b"identity");
    send(request, &[Piece::Copied(b"no"), Piece::End])
}

fn send(request: Request<'_>, pieces: &[Piece<'_, '_>]) -> Answer {
    let mut brigade = Brigade::new(request);
    match brigade.pass(pieces) {
        Ok(()) => Answer::Ok,
        Err(_) if request.connection().is_aborted() => Answer::Ok,
        Err(_) => Answer::Http(500),
    }
}

fn send_with<'r>(brigade: &mut Brigade<'r>, pieces: &[Piece<'_, 'r>]) -> Answer {
    if brigade.pass(pieces).is_ok() { Answer::Ok } else { Answer::Http(500) }
}
