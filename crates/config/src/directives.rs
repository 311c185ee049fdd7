//! The table of directives, and the parsers that it names.
//!
//! A parser is pure: it takes the argument string that Apache read (or the whole of the line's
//! arguments, for [`Args::Raw`]) and returns a typed [`Value`]. To add a directive is to add an
//! entry.

use std::path::PathBuf;

use crate::error::{ConfigError, Problem};
use crate::finding::Finding;
use crate::group::DaemonGroup;
use crate::interpreter::{self, InterpreterProblem, InterpreterSetting, LayerSetting};
use crate::model::{AliasSource, ImportScript, ScriptAlias};
use crate::names::NameTemplate;
use crate::options::{self, Origin, nearest};
use crate::proxies::{self, Header, Networks};
use crate::scripts::{CalledScript, HandlerScript};
use crate::settings::{DirSetting, DirSettings, MapHead, ServerSetting};
use crate::telemetry;
use crate::words;

/// One directive.
#[derive(Debug)]
pub struct Directive {
    /// Its name.
    pub name: &'static str,
    /// Where it may stand.
    pub contexts: &'static [Context],
    /// How Apache hands its arguments over.
    pub args: Args,
    /// Its arguments, for the reference.
    pub syntax: &'static str,
    /// What holds without it; empty when nothing does.
    pub default: &'static str,
    /// What it does, in one line.
    pub help: &'static str,
    /// Whose directive it is.
    pub origin: Origin,
    /// Whether it takes effect.
    pub status: Status,
    parse: fn(&str) -> Result<Value, ConfigError>,
}

/// Where a directive may stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Context {
    /// The main configuration, outside of virtual hosts and sections.
    Server,
    /// A virtual host, outside of sections.
    VirtualHost,
    /// A section such as `<Directory>` or `<Location>`.
    Directory,
    /// A `.htaccess` file where `AllowOverride` includes `FileInfo`.
    Htaccess,
    /// A `.htaccess` file where `AllowOverride` includes `AuthConfig`.
    HtaccessAuth,
}

impl Context {
    /// Its name in the reference.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Server => "server config",
            Self::VirtualHost => "virtual host",
            Self::Directory => "directory",
            Self::Htaccess | Self::HtaccessAuth => ".htaccess",
        }
    }
}

/// How Apache hands arguments over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Args {
    /// One argument, quotes resolved (`TAKE1`).
    One,
    /// The rest of the line as it is written (`RAW_ARGS`).
    Raw,
}

/// Whether a directive takes effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// It does what it says.
    Honoured,
    /// It is accepted so that a configuration loads, and Pinion has no need of it.
    NotNeeded,
}

/// What a directive says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// `WSGIDaemonProcess`.
    DaemonGroup(Box<DaemonGroup>),
    /// `WSGIScriptAlias` or `WSGIScriptAliasMatch`.
    ScriptAlias(Box<ScriptAlias>),
    /// `WSGIImportScript`.
    ImportScript(ImportScript),
    /// A setting of the whole server.
    Server(ServerSetting),
    /// A setting of a folder.
    Dir(DirSetting),
}

use Context::{Directory as D, Htaccess as H, Server as S, VirtualHost as V};

const SERVER: &[Context] = &[S];
const HOSTS: &[Context] = &[S, V];
const SECTIONS: &[Context] = &[S, V, D];
const EVERYWHERE: &[Context] = &[S, V, D, H];
const ACCESS: &[Context] = &[D, Context::HtaccessAuth];

/// All directives, in the order of the reference.
pub const DIRECTIVES: &[Directive] = &[
    Directive {
        name: "WSGIScriptAlias",
        contexts: HOSTS,
        args: Args::Raw,
        syntax: "URL-path script|folder [process-group=name] [application-group=name] \
                 [callable-object=name] [pass-authorization=On|Off]",
        default: "",
        help: "Mounts a script, or a folder of scripts, at a path.",
        origin: Origin::ModWsgi,
        status: Status::Honoured,
        parse: |args| script_alias(args, AliasSource::Path),
    },
    Directive {
        name: "WSGIScriptAliasMatch",
        contexts: HOSTS,
        args: Args::Raw,
        syntax: "regex script|folder [options as for WSGIScriptAlias]",
        default: "",
        help: "Mounts scripts where a regular expression matches the path.",
        origin: Origin::ModWsgi,
        status: Status::Honoured,
        parse: |args| script_alias(args, AliasSource::Regex),
    },
    Directive {
        name: "WSGIDaemonProcess",
        contexts: HOSTS,
        args: Args::Raw,
        syntax: "name [option=value …]",
        default: "",
        help: "Declares a process group; the options are listed below.",
        origin: Origin::ModWsgi,
        status: Status::Honoured,
        parse: |args| options::parse_group(args).map(Box::new).map(Value::DaemonGroup),
    },
    Directive {
        name: "WSGIProcessGroup",
        contexts: SECTIONS,
        args: Args::One,
        syntax: "name|%{GLOBAL}|%{ENV:variable}|%{SERVER}|%{RESOURCE}",
        default: "%{GLOBAL}",
        help: "The process group that runs the applications here.",
        origin: Origin::ModWsgi,
        status: Status::Honoured,
        parse: |arg| dir_name(arg, DirSetting::ProcessGroup),
    },
    Directive {
        name: "WSGIApplicationGroup",
        contexts: SECTIONS,
        args: Args::One,
        syntax: "name|%{GLOBAL}|%{SERVER}|%{RESOURCE}|%{HOST}|%{ENV:variable}",
        default: "%{RESOURCE}",
        help: "The application group: applications of the same one share processes.",
        origin: Origin::ModWsgi,
        status: Status::Honoured,
        parse: |arg| dir_name(arg, DirSetting::ApplicationGroup),
    },
    Directive {
        name: "WSGICallableObject",
        contexts: EVERYWHERE,
        args: Args::One,
        syntax: "name|%{ENV:variable}",
        default: "application",
        help: "The name of the application in its script.",
        origin: Origin::ModWsgi,
        status: Status::Honoured,
        parse: |arg| dir_name(arg, DirSetting::CallableObject),
    },
    Directive {
        name: "WSGIDispatchScript",
        contexts: SECTIONS,
        args: Args::Raw,
        syntax: "script [application-group=name]",
        default: "",
        help: "A script whose functions choose the groups and the callable for each request.",
        origin: Origin::ModWsgi,
        status: Status::Honoured,
        parse: |args| called_script(args).map(DirSetting::DispatchScript).map(Value::Dir),
    },
    Directive {
        name: "WSGIHandlerScript",
        contexts: SECTIONS,
        args: Args::Raw,
        syntax: "handler-name script [process-group=name] [application-group=name] \
                 [pass-authorization=On|Off]",
        default: "",
        help: "Has `handle_request` of a script answer where SetHandler or AddHandler name the handler.",
        origin: Origin::ModWsgi,
        status: Status::Honoured,
        parse: |args| handler_script(args).map(DirSetting::HandlerScript).map(Value::Dir),
    },
    Directive {
        name: "WSGIRestrictProcess",
        contexts: SECTIONS,
        args: Args::Raw,
        syntax: "name|%{GLOBAL} …",
        default: "all",
        help: "The only process groups that may be used here; requests for others are answered 500.",
        origin: Origin::ModWsgi,
        status: Status::Honoured,
        parse: |args| Ok(Value::Dir(DirSetting::RestrictProcess(group_names(args)))),
    },
    Directive {
        name: "WSGIIgnoreActivity",
        contexts: EVERYWHERE,
        args: Args::One,
        syntax: "On|Off",
        default: "Off",
        help: "Requests here are no activity for the group's inactivity-timeout.",
        origin: Origin::ModWsgi,
        status: Status::Honoured,
        parse: |arg| dir_flag(arg, DirSetting::IgnoreActivity),
    },
    Directive {
        name: "WSGIImportScript",
        contexts: HOSTS,
        args: Args::Raw,
        syntax: "script process-group=name application-group=name",
        default: "",
        help: "Loads a script when a process of the group starts.",
        origin: Origin::ModWsgi,
        status: Status::Honoured,
        parse: import_script,
    },
    Directive {
        name: "WSGIPythonHome",
        contexts: SERVER,
        args: Args::One,
        syntax: "path",
        default: "the system's python3",
        help: "The virtualenv or Python of embedded applications, and of groups without python-home.",
        origin: Origin::ModWsgi,
        status: Status::Honoured,
        parse: python_home,
    },
    Directive {
        name: "WSGIPythonPath",
        contexts: SERVER,
        args: Args::One,
        syntax: "folder[:folder …]",
        default: "",
        help: "python-path for embedded applications.",
        origin: Origin::ModWsgi,
        status: Status::Honoured,
        parse: |arg| Ok(Value::Server(ServerSetting::PythonPath(options::paths(arg)))),
    },
    Directive {
        name: "WSGIPythonEggs",
        contexts: SERVER,
        args: Args::One,
        syntax: "folder",
        default: "",
        help: "python-eggs for embedded applications.",
        origin: Origin::ModWsgi,
        status: Status::Honoured,
        parse: |arg| server_path(arg, ServerSetting::PythonEggs),
    },
    Directive {
        name: "WSGIPassAuthorization",
        contexts: EVERYWHERE,
        args: Args::One,
        syntax: "On|Off",
        default: "Off",
        help: "Shows the Authorization header to the application.",
        origin: Origin::ModWsgi,
        status: Status::Honoured,
        parse: |arg| dir_flag(arg, DirSetting::PassAuthorization),
    },
    Directive {
        name: "WSGIAccessScript",
        contexts: ACCESS,
        args: Args::Raw,
        syntax: "script [application-group=name]",
        default: "",
        help: "A script whose allow_access() decides by the client's machine.",
        origin: Origin::ModWsgi,
        status: Status::Honoured,
        parse: |args| called_script(args).map(DirSetting::AccessScript).map(Value::Dir),
    },
    Directive {
        name: "WSGIAuthUserScript",
        contexts: ACCESS,
        args: Args::Raw,
        syntax: "script [application-group=name]",
        default: "",
        help: "A script that knows users, for AuthBasicProvider wsgi and AuthDigestProvider wsgi.",
        origin: Origin::ModWsgi,
        status: Status::Honoured,
        parse: |args| called_script(args).map(DirSetting::AuthUserScript).map(Value::Dir),
    },
    Directive {
        name: "WSGIAuthGroupScript",
        contexts: ACCESS,
        args: Args::Raw,
        syntax: "script [application-group=name]",
        default: "",
        help: "A script that knows the groups of users, for Require wsgi-group.",
        origin: Origin::ModWsgi,
        status: Status::Honoured,
        parse: |args| called_script(args).map(DirSetting::AuthGroupScript).map(Value::Dir),
    },
    Directive {
        name: "WSGIGroupAuthoritative",
        contexts: ACCESS,
        args: Args::One,
        syntax: "On|Off",
        default: "On",
        help: "Accepted; in Apache 2.4 the sections around Require decide what a refusal means.",
        origin: Origin::ModWsgi,
        status: Status::NotNeeded,
        parse: |arg| flag(arg).map(|_| Value::Dir(DirSetting::Nothing)),
    },
    Directive {
        name: "WSGITrustedProxies",
        contexts: EVERYWHERE,
        args: Args::Raw,
        syntax: "address|network …",
        default: "every peer",
        help: "The proxies whose WSGITrustedProxyHeaders are believed.",
        origin: Origin::ModWsgi,
        status: Status::Honoured,
        parse: trusted_proxies,
    },
    Directive {
        name: "WSGITrustedProxyHeaders",
        contexts: EVERYWHERE,
        args: Args::Raw,
        syntax: "header …",
        default: "none",
        help: "The headers by which proxies tell the client's address, scheme, host, port and mount point.",
        origin: Origin::ModWsgi,
        status: Status::Honoured,
        parse: trusted_headers,
    },
    Directive {
        name: "WSGIScriptReloading",
        contexts: EVERYWHERE,
        args: Args::One,
        syntax: "On|Off",
        default: "On",
        help: "Reloads an application when its script has changed.",
        origin: Origin::ModWsgi,
        status: Status::Honoured,
        parse: |arg| dir_flag(arg, DirSetting::ScriptReloading),
    },
    Directive {
        name: "WSGIChunkedRequest",
        contexts: EVERYWHERE,
        args: Args::One,
        syntax: "On|Off",
        default: "Off",
        help: "Takes request bodies that are sent in chunks; they are answered 411 otherwise.",
        origin: Origin::ModWsgi,
        status: Status::Honoured,
        parse: |arg| dir_flag(arg, DirSetting::ChunkedRequest),
    },
    Directive {
        name: "WSGIErrorOverride",
        contexts: EVERYWHERE,
        args: Args::One,
        syntax: "On|Off",
        default: "Off",
        help: "Replaces the application's error pages by Apache's error documents.",
        origin: Origin::ModWsgi,
        status: Status::Honoured,
        parse: |arg| dir_flag(arg, DirSetting::ErrorOverride),
    },
    Directive {
        name: "WSGIEnableSendfile",
        contexts: EVERYWHERE,
        args: Args::One,
        syntax: "On|Off",
        default: "Off",
        help: "Accepted; workers hand the files of wsgi.file_wrapper to Apache, whose EnableSendfile decides.",
        origin: Origin::ModWsgi,
        status: Status::NotNeeded,
        parse: |arg| dir_flag(arg, |_on| DirSetting::Nothing),
    },
    Directive {
        name: "WSGIMapHEADToGET",
        contexts: EVERYWHERE,
        args: Args::One,
        syntax: "On|Off|Auto",
        default: "Auto",
        help: "Shows HEAD as GET to the application, always or when an output filter needs the body.",
        origin: Origin::ModWsgi,
        status: Status::Honoured,
        parse: map_head,
    },
    Directive {
        name: "WSGICaseSensitivity",
        contexts: SERVER,
        args: Args::One,
        syntax: "On|Off",
        default: "On",
        help: "Off: paths that differ in upper and lower case name the same script, which is loaded once.",
        origin: Origin::ModWsgi,
        status: Status::Honoured,
        parse: |arg| server_flag(arg, ServerSetting::CaseSensitivity),
    },
    Directive {
        name: "WSGIRestrictEmbedded",
        contexts: SERVER,
        args: Args::One,
        syntax: "On|Off",
        default: "Off",
        help: "Refuses to run applications without a process group.",
        origin: Origin::ModWsgi,
        status: Status::Honoured,
        parse: |arg| server_flag(arg, ServerSetting::RestrictEmbedded),
    },
    Directive {
        name: "WSGIRestrictStdin",
        contexts: SERVER,
        args: Args::One,
        syntax: "On|Off",
        default: "Off",
        help: "Raises an exception in applications that read sys.stdin.",
        origin: Origin::ModWsgi,
        status: Status::Honoured,
        parse: |arg| server_flag(arg, ServerSetting::RestrictStdin),
    },
    Directive {
        name: "WSGIRestrictStdout",
        contexts: SERVER,
        args: Args::One,
        syntax: "On|Off",
        default: "Off",
        help: "Raises an exception in applications that write to sys.stdout.",
        origin: Origin::ModWsgi,
        status: Status::Honoured,
        parse: |arg| server_flag(arg, ServerSetting::RestrictStdout),
    },
    Directive {
        name: "WSGISocketPrefix",
        contexts: SERVER,
        args: Args::One,
        syntax: "path",
        default: "",
        help: "Accepted; Pinion's sockets are inherited and have no files.",
        origin: Origin::ModWsgi,
        status: Status::NotNeeded,
        parse: |arg| Ok(Value::Server(ServerSetting::SocketPrefix(PathBuf::from(arg)))),
    },
    Directive {
        name: "WSGISocketRotation",
        contexts: SERVER,
        args: Args::One,
        syntax: "On|Off",
        default: "On",
        help: "Accepted; there are no socket files, and connections outlive graceful restarts.",
        origin: Origin::ModWsgi,
        status: Status::NotNeeded,
        parse: |arg| server_flag(arg, |_on| ServerSetting::Nothing),
    },
    Directive {
        name: "WSGIAcceptMutex",
        contexts: SERVER,
        args: Args::One,
        syntax: "default|method",
        default: "default",
        help: "Accepted; workers share no listening socket, so nothing has to be locked.",
        origin: Origin::ModWsgi,
        status: Status::NotNeeded,
        parse: accept_mutex,
    },
    Directive {
        name: "WSGIVerboseDebugging",
        contexts: SERVER,
        args: Args::One,
        syntax: "On|Off",
        default: "Off",
        help: "Accepted; `LogLevel wsgi:debug` shows all that Pinion can say.",
        origin: Origin::ModWsgi,
        status: Status::NotNeeded,
        parse: |arg| server_flag(arg, |_on| ServerSetting::Nothing),
    },
    Directive {
        name: "WSGIServerMetrics",
        contexts: SERVER,
        args: Args::One,
        syntax: "On|Off",
        default: "Off",
        help: "Lets embedded applications look at Apache's scoreboard by mod_wsgi.server_metrics().",
        origin: Origin::ModWsgi,
        status: Status::Honoured,
        parse: |arg| server_flag(arg, ServerSetting::ServerMetrics),
    },
    Directive {
        name: "WSGIRestrictSignal",
        contexts: SERVER,
        args: Args::One,
        syntax: "On|Off",
        default: "On",
        help: "Ignores signal.signal() in applications, with a line in the log.",
        origin: Origin::ModWsgi,
        status: Status::Honoured,
        parse: |arg| layer_flag(arg, LayerSetting::RestrictSignal),
    },
    Directive {
        name: "WSGIPythonWarnings",
        contexts: SERVER,
        args: Args::One,
        syntax: "action:message:category:module:lineno",
        default: "",
        help: "Adds a filter of warnings, as Python's -W does; may be repeated.",
        origin: Origin::ModWsgi,
        status: Status::Honoured,
        parse: |arg| Ok(interpreter_setting(InterpreterSetting::Warnings(arg.to_owned()))),
    },
    Directive {
        name: "WSGIPythonOptimize",
        contexts: SERVER,
        args: Args::One,
        syntax: "0|1|2",
        default: "0",
        help: "Python's level of optimisation, as -O and -OO set it.",
        origin: Origin::ModWsgi,
        status: Status::Honoured,
        parse: python_optimize,
    },
    Directive {
        name: "WSGIPythonHashSeed",
        contexts: SERVER,
        args: Args::One,
        syntax: "random|number",
        default: "random",
        help: "The seed of Python's hashes.",
        origin: Origin::ModWsgi,
        status: Status::Honoured,
        parse: |arg| interpreter::hash_seed(arg).map(interpreter_setting),
    },
    Directive {
        name: "WSGIDontWriteBytecode",
        contexts: SERVER,
        args: Args::One,
        syntax: "On|Off",
        default: "Off",
        help: "Keeps Python from writing .pyc files.",
        origin: Origin::ModWsgi,
        status: Status::Honoured,
        parse: |arg| Ok(interpreter_setting(InterpreterSetting::DontWriteBytecode(flag(arg)?))),
    },
    Directive {
        name: "WSGIDestroyInterpreter",
        contexts: SERVER,
        args: Args::One,
        syntax: "On|Off",
        default: "On",
        help: "Finalizes Python when a process ends.",
        origin: Origin::ModWsgi,
        status: Status::Honoured,
        parse: |arg| Ok(interpreter_setting(InterpreterSetting::Destroy(flag(arg)?))),
    },
    Directive {
        name: "WSGISwitchInterval",
        contexts: SERVER,
        args: Args::One,
        syntax: "seconds",
        default: "0.005",
        help: "How long a thread may keep the GIL while others wait, where no option of a group says it.",
        origin: Origin::ModWsgi,
        status: Status::Honoured,
        parse: |arg| {
            interpreter::switch_interval(arg).map(LayerSetting::SwitchInterval).map(layer_setting)
        },
    },
    Directive {
        name: "WSGIPerInterpreterGIL",
        contexts: SERVER,
        args: Args::One,
        syntax: "On|Off",
        default: "Off",
        help: "Accepted; each application group has a process, and so a GIL, of its own.",
        origin: Origin::ModWsgi,
        status: Status::NotNeeded,
        parse: |arg| layer_flag(arg, LayerSetting::OwnGil),
    },
    Directive {
        name: "WSGIFreeThreading",
        contexts: SERVER,
        args: Args::One,
        syntax: "On|Off",
        default: "Off",
        help: "Runs a Python that was built for it without a GIL.",
        origin: Origin::ModWsgi,
        status: Status::Honoured,
        parse: |arg| layer_flag(arg, LayerSetting::FreeThreading),
    },
    Directive {
        name: "<WSGIInterpreterOptions",
        contexts: SERVER,
        args: Args::Raw,
        syntax: "[process-group=name] [application-group=name]",
        default: "",
        help: "A section of settings for the interpreters that it selects.",
        origin: Origin::ModWsgi,
        status: Status::Honoured,
        parse: |text| interpreter::section(text).map(interpreter_setting),
    },
    Directive {
        name: "WSGIPassApacheRequest",
        contexts: EVERYWHERE,
        args: Args::One,
        syntax: "Off",
        default: "Off",
        help: "Refused when On: applications run outside of Apache and cannot use its request_rec.",
        origin: Origin::ModWsgi,
        status: Status::NotNeeded,
        parse: pass_apache_request,
    },
    Directive {
        name: "WSGITelemetryService",
        contexts: SERVER,
        args: Args::Raw,
        syntax: "unix:/path [interval=seconds]",
        default: "",
        help: "Has each worker send samples to a mod_wsgi-telemetry receiver.",
        origin: Origin::ModWsgi,
        status: Status::Honoured,
        parse: |args| telemetry::service(args).map(telemetry_setting),
    },
    Directive {
        name: "WSGITelemetryOptions",
        contexts: SERVER,
        args: Args::Raw,
        syntax: "[+|-]CaptureUserAgent …|All|None",
        default: "None",
        help: "What records of slow requests tell beyond method, path and status.",
        origin: Origin::ModWsgi,
        status: Status::Honoured,
        parse: |args| telemetry::options(args).map(telemetry_setting),
    },
    Directive {
        name: "WSGISlowRequests",
        contexts: SERVER,
        args: Args::One,
        syntax: "seconds",
        default: "",
        help: "Reports requests that run longer one by one, through WSGITelemetryService.",
        origin: Origin::ModWsgi,
        status: Status::Honoured,
        parse: |arg| telemetry::slow_requests(arg).map(telemetry_setting),
    },
    Directive {
        name: "PinionPrefix",
        contexts: SERVER,
        args: Args::One,
        syntax: "folder",
        default: "found beside the module",
        help: "The folder that holds Pinion's bin and lib.",
        origin: Origin::Pinion,
        status: Status::Honoured,
        parse: |arg| server_path(arg, ServerSetting::Prefix),
    },
];

/// The directive with this name; Apache does not mind upper and lower case.
pub fn find(name: &str) -> Option<&'static Directive> {
    DIRECTIVES.iter().find(|directive| directive.name.eq_ignore_ascii_case(name))
}

impl Directive {
    /// Its name as references show it: Apache's tables know a section by its name without the closing bracket.
    pub fn title(&self) -> String {
        closed(self.name, "")
    }

    /// How it is written, with its arguments.
    pub fn usage(&self) -> String {
        closed(self.name, self.syntax)
    }

    /// Whether it may stand here.
    pub fn allows(&self, context: Context) -> bool {
        self.contexts.contains(&context)
    }

    /// Reads the arguments. `in_virtual_host` says where it stands, which Apache's own table of
    /// contexts does not tell apart.
    ///
    /// # Errors
    /// A finding, without its place, which Apache's own message gives.
    pub fn parse(&self, args: &str, in_virtual_host: bool) -> Result<Value, Box<Finding>> {
        // What may stand in a section may stand in one of a virtual host; outside of sections, Apache refuses it.
        let fits = self.allows(Context::VirtualHost) || self.allows(Context::Directory);
        if in_virtual_host && !fits {
            return Err(Box::new(self.misplaced()));
        }
        (self.parse)(args).map_err(|ConfigError { value, problem }| {
            Box::new(Finding {
                code: problem.code(),
                place: None,
                directive: self.name.to_owned(),
                value,
                problem: problem.to_string(),
                hint: problem.hint(),
            })
        })
    }

    fn misplaced(&self) -> Finding {
        Finding {
            code: crate::Code::ContextWrong,
            place: None,
            directive: self.name.to_owned(),
            value: String::new(),
            problem: "this holds for the whole server and cannot stand in a virtual host".into(),
            hint: "move it out of <VirtualHost>".into(),
        }
    }
}

fn closed(name: &str, arguments: &str) -> String {
    let blank = if arguments.is_empty() { "" } else { " " };
    let end = if name.starts_with('<') { ">" } else { "" };
    format!("{name}{blank}{arguments}{end}")
}

pub(crate) fn flag(arg: &str) -> Result<bool, ConfigError> {
    match () {
        () if arg.eq_ignore_ascii_case("on") => Ok(true),
        () if arg.eq_ignore_ascii_case("off") => Ok(false),
        () => Err(ConfigError::new(arg, Problem::NotOneOf(&["On", "Off"]))),
    }
}

fn dir_flag(arg: &str, setting: fn(bool) -> DirSetting) -> Result<Value, ConfigError> {
    flag(arg).map(|on| Value::Dir(setting(on)))
}

fn interpreter_setting(setting: InterpreterSetting) -> Value {
    Value::Server(ServerSetting::Interpreter(setting))
}

fn layer_setting(setting: LayerSetting) -> Value {
    interpreter_setting(InterpreterSetting::Base(setting))
}

fn layer_flag(arg: &str, setting: fn(bool) -> LayerSetting) -> Result<Value, ConfigError> {
    flag(arg).map(|on| layer_setting(setting(on)))
}

fn python_optimize(arg: &str) -> Result<Value, ConfigError> {
    let level = ["0", "1", "2"].iter().position(|level| *level == arg);
    let level = level.and_then(|level| u8::try_from(level).ok());
    let level = level.ok_or(Problem::NotOneOf(&["0", "1", "2"]));
    let level = level.map_err(|problem| ConfigError::new(arg, problem))?;
    Ok(interpreter_setting(InterpreterSetting::Optimize(level)))
}

fn pass_apache_request(arg: &str) -> Result<Value, ConfigError> {
    if flag(arg)? {
        return Err(ConfigError::new(arg, InterpreterProblem::NoRequestRecord.into()));
    }
    Ok(Value::Server(ServerSetting::Nothing))
}

fn server_flag(arg: &str, setting: fn(bool) -> ServerSetting) -> Result<Value, ConfigError> {
    flag(arg).map(|on| Value::Server(setting(on)))
}

fn telemetry_setting(setting: telemetry::TelemetrySetting) -> Value {
    Value::Server(ServerSetting::Telemetry(setting))
}

/// The methods of Apache's own `Mutex` that can guard an accept.
const MUTEXES: &[&str] = &["default", "flock", "fcntl", "sysvsem", "posixsem", "pthread"];

fn accept_mutex(arg: &str) -> Result<Value, ConfigError> {
    if MUTEXES.iter().any(|known| arg.eq_ignore_ascii_case(known)) {
        return Ok(Value::Server(ServerSetting::Nothing));
    }
    Err(ConfigError::new(arg, Problem::NotOneOf(MUTEXES)))
}

fn map_head(arg: &str) -> Result<Value, ConfigError> {
    let how = if arg.eq_ignore_ascii_case("auto") {
        MapHead::Auto
    } else {
        match flag(arg) {
            Ok(true) => MapHead::On,
            Ok(false) => MapHead::Off,
            Err(_) => {
                return Err(ConfigError::new(arg, Problem::NotOneOf(&["On", "Off", "Auto"])));
            }
        }
    };
    Ok(Value::Dir(DirSetting::MapHeadToGet(how)))
}

/// At least one word, each read by `read`; the first that is refused is named.
fn each_word<T>(
    args: &str,
    what: &'static str,
    mut read: impl FnMut(&str) -> Result<T, Problem>,
) -> Result<Vec<T>, ConfigError> {
    let words = words::words(args);
    if words.is_empty() {
        return Err(ConfigError::new("", Problem::Missing(what)));
    }
    let read = |word: &String| read(word).map_err(|problem| ConfigError::new(word, problem));
    words.iter().map(read).collect()
}

fn trusted_proxies(args: &str) -> Result<Value, ConfigError> {
    let mut all = Networks::default();
    for networks in each_word(args, "the address", |word| Ok(Networks::parse(word)?))? {
        all.extend(networks);
    }
    Ok(Value::Dir(DirSetting::TrustedProxies(all)))
}

fn trusted_headers(args: &str) -> Result<Value, ConfigError> {
    let unknown = Problem::NotOneOf(proxies::NAMES);
    let headers = each_word(args, "the header", |word| Header::find(word).ok_or(unknown.clone()))?;
    Ok(Value::Dir(DirSetting::TrustedProxyHeaders(headers)))
}

fn dir_name(arg: &str, setting: fn(NameTemplate) -> DirSetting) -> Result<Value, ConfigError> {
    name(arg).map(|name| Value::Dir(setting(name)))
}

fn name(arg: &str) -> Result<NameTemplate, ConfigError> {
    if arg.is_empty() {
        return Err(ConfigError::new(arg, Problem::Missing("the name")));
    }
    Ok(NameTemplate::parse(arg))
}

fn path(arg: &str) -> Result<PathBuf, ConfigError> {
    options::absolute(arg).map_err(|problem| ConfigError::new(arg, problem))
}

fn server_path(arg: &str, setting: fn(PathBuf) -> ServerSetting) -> Result<Value, ConfigError> {
    path(arg).map(|path| Value::Server(setting(path)))
}

/// mod_wsgi also takes `prefix:exec_prefix`; the interpreter knows its own exec_prefix.
fn python_home(arg: &str) -> Result<Value, ConfigError> {
    server_path(arg.split(':').next().unwrap_or_default(), ServerSetting::PythonHome)
}

fn script_alias(args: &str, source: fn(String) -> AliasSource) -> Result<Value, ConfigError> {
    let missing = |what| move || ConfigError::new("", Problem::Missing(what));
    let (matched, rest) = words::next_word(args).ok_or_else(missing("the URL path"))?;
    let (target, rest) = words::next_word(rest).ok_or_else(missing("the script"))?;
    path(&target)?;
    let mut options = DirSettings::default();
    for_options(rest, ALIAS_OPTIONS, |option, value| {
        options.set(match option {
            "process-group" => DirSetting::ProcessGroup(name(value)?),
            "application-group" => DirSetting::ApplicationGroup(name(value)?),
            "callable-object" => DirSetting::CallableObject(name(value)?),
            _ => DirSetting::PassAuthorization(flag(value)?),
        });
        Ok(())
    })?;
    Ok(Value::ScriptAlias(Box::new(ScriptAlias { source: source(matched), target, options })))
}

const ALIAS_OPTIONS: &[&str] =
    &["process-group", "application-group", "callable-object", "pass-authorization"];

fn import_script(args: &str) -> Result<Value, ConfigError> {
    let missing = |what| move || ConfigError::new("", Problem::Missing(what));
    let (script, rest) = words::next_word(args).ok_or_else(missing("the script"))?;
    let script = path(&script)?;
    let (mut process_group, mut application_group) = (None, None);
    for_options(rest, &ALIAS_OPTIONS[..2], |option, value| {
        match option {
            "process-group" => process_group = Some(name(value)?),
            _ => application_group = Some(name(value)?),
        }
        Ok(())
    })?;
    Ok(Value::ImportScript(ImportScript {
        script,
        process_group: process_group.ok_or_else(missing("process-group="))?,
        application_group: application_group.ok_or_else(missing("application-group="))?,
    }))
}

/// A script behind a handler's name, with the options of an alias but for the callable, which is given.
fn handler_script(args: &str) -> Result<HandlerScript, ConfigError> {
    let missing = |what| move || ConfigError::new("", Problem::Missing(what));
    let (handler, rest) = words::next_word(args).ok_or_else(missing("the handler's name"))?;
    let (script, rest) = words::next_word(rest).ok_or_else(missing("the script"))?;
    let (path, mut options) = (path(&script)?, Box::<DirSettings>::default());
    for_options(rest, HANDLER_OPTIONS, |option, value| {
        options.set(match option {
            "process-group" => DirSetting::ProcessGroup(name(value)?),
            "application-group" => DirSetting::ApplicationGroup(name(value)?),
            _ => DirSetting::PassAuthorization(flag(value)?),
        });
        Ok(())
    })?;
    Ok(HandlerScript { name: handler, path, options })
}

const HANDLER_OPTIONS: &[&str] = &["process-group", "application-group", "pass-authorization"];

/// Names of process groups; the implicit one's is empty.
fn group_names(args: &str) -> Vec<String> {
    let names = words::words(args).into_iter();
    names.map(|name| if name == "%{GLOBAL}" { String::new() } else { name }).collect()
}

/// A script with the application group that it is loaded in.
fn called_script(args: &str) -> Result<CalledScript, ConfigError> {
    let (script, rest) = words::next_word(args)
        .ok_or_else(|| ConfigError::new("", Problem::Missing("the script")))?;
    let mut called = CalledScript { path: path(&script)?, application_group: String::new() };
    for_options(rest, &ALIAS_OPTIONS[1..2], |_, value| {
        called.application_group = if value == "%{GLOBAL}" { "" } else { value }.to_owned();
        Ok(())
    })?;
    Ok(called)
}

/// Gives each `name=value` of `rest` to `take`, if its name is one of `known`.
fn for_options(
    mut rest: &str,
    known: &'static [&'static str],
    mut take: impl FnMut(&'static str, &str) -> Result<(), ConfigError>,
) -> Result<(), ConfigError> {
    while let Some((raw, after)) = words::next_option(rest) {
        rest = after;
        let Some(option) = known.iter().find(|name| **name == raw.name) else {
            let problem = match raw.value {
                None => Problem::Unexpected,
                Some(_) => {
                    Problem::UnknownOption { nearest: nearest(raw.name, known.iter().copied()) }
                }
            };
            return Err(ConfigError::new(raw.name, problem));
        };
        match raw.value {
            Some(value) if !value.is_empty() => take(option, &value)
                .map_err(|error| ConfigError::new(format!("{option}={value}"), error.problem))?,
            _ => return Err(ConfigError::new(*option, Problem::NoValue)),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
