//! The registry of message codes. It also makes the reference page `docs/errors.md`.
//!
//! Codes never change their meaning and are never used again. `PIN00..` are refused directives,
//! `PIN01..` what a check of the configuration finds, `PIN02..` events of workers, `PIN03..` of
//! requests, `PIN04..` of the manager, `PIN05..` what the deployment commands refuse, `PIN06..` what
//! they find missing, `PIN07..` what goes wrong while they do it, `PIN08..` what `pinion check` finds,
//! `PIN09..` what `pinion serve` meets.
//! A condition that mod_wsgi documents has mod_wsgi's code.

mod never;

use std::fmt;

use serde::{Deserialize, Serialize};

pub use never::{NEVER, Never};

/// How much a condition matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Of use when looking for something.
    Debug,
    /// A normal event.
    Notice,
    /// Works, but probably not as meant.
    Warning,
    /// Something fails; in a configuration, Apache is not started.
    Error,
}

impl Severity {
    /// The word for it, which is also the name of Apache's log level.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Debug => "debug",
            Self::Notice => "notice",
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }
}

/// What the reference says about a code.
#[derive(Debug)]
pub struct Entry {
    /// The code it belongs to.
    pub code: Code,
    /// The code as it is written in logs.
    pub id: &'static str,
    /// How much it matters.
    pub severity: Severity,
    /// The condition in a few words.
    pub title: &'static str,
    /// Why it happens.
    pub cause: &'static str,
    /// What follows from it.
    pub outcome: &'static str,
    /// What to do.
    pub action: &'static str,
}

macro_rules! registry {
    ($($name:ident = $id:literal, $severity:ident, $title:literal, $cause:literal, $outcome:literal, $action:literal;)*) => {
        /// The code of a condition.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        pub enum Code {
            $(#[doc = $title] $name,)*
        }

        /// All codes, in the order of the reference.
        pub const REGISTRY: &[Entry] = &[
            $(Entry {
                code: Code::$name,
                id: $id,
                severity: Severity::$severity,
                title: $title,
                cause: $cause,
                outcome: $outcome,
                action: $action,
            },)*
        ];
    };
}

impl Code {
    /// The code as it is written in logs.
    pub fn as_str(self) -> &'static str {
        self.entry().id
    }

    /// What the reference says about it.
    pub fn entry(self) -> &'static Entry {
        // The macro lists variants and entries in the same order.
        &REGISTRY[self as usize]
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

registry! {
    ArgumentMissing = "PIN0001", Error,
        "argument missing",
        "A directive was written without an argument that it needs.",
        "Apache is not started.",
        "Add the argument; `docs/directives.md` shows what each directive takes.";
    ArgumentUnexpected = "PIN0002", Error,
        "argument not expected",
        "A directive was given more arguments than it takes, often because a value with blanks has no quotes.",
        "Apache is not started.",
        "Put the value in quotes, or remove what is too much.";
    NotOneOf = "PIN0003", Error,
        "value not understood",
        "A directive takes one of a few words, and none of them was written.",
        "Apache is not started.",
        "Write one of the words that the message lists.";
    ContextWrong = "PIN0004", Error,
        "directive in a place where it has no meaning",
        "A directive of the whole server stands in a virtual host.",
        "Apache is not started.",
        "Move it out of `<VirtualHost>`.";
    DirectiveUnknown = "PIN0005", Error,
        "directive unknown",
        "A configuration names a directive that neither mod_wsgi nor Pinion has, or one of mod_wsgi's that this version of Pinion lacks.",
        "Apache is not started.",
        "Correct the name; the message proposes the nearest one.";
    GroupName = "PIN0010", Error,
        "process group's name not valid",
        "`WSGIDaemonProcess` was given a name that is empty, holds blanks, or is a variable.",
        "Apache is not started.",
        "Choose a name of letters, digits, dots, dashes and underscores.";
    OptionUnknown = "PIN0011", Error,
        "option unknown",
        "A directive was given an option that it does not have.",
        "Apache is not started.",
        "Correct the name; the message proposes the nearest one.";
    OptionValue = "PIN0012", Error,
        "option's value not valid",
        "An option was given a value of another kind, or outside its range. mod_wsgi reads `processes=3x` as 3; Pinion refuses it.",
        "Apache is not started.",
        "Give a value as the hint says.";
    GilNeeded = "WSGI0200", Error,
        "free threading not possible",
        "`WSGIFreeThreading On` holds for a process group whose Python was built with a GIL.",
        "A configuration test fails; the group's applications run with a GIL.",
        "Take the directive away, or name a Python that was built with `--disable-gil`. `processes` use several processors, too.";
    GilOfApplicationGroup = "WSGI0201", Warning,
        "free threading of an application group",
        "`WSGIFreeThreading` stands in a `<WSGIInterpreterOptions>` with `application-group=`; a process has a GIL or has none.",
        "It is ignored there.",
        "Select a process group alone.";
    CoreMissing = "PIN0133", Error,
        "no worker core for a free-threaded Python",
        "A process group's Python is free-threaded, such as `python3.14t`. Such a Python needs a worker core that was built for its version, and the installation has none.",
        "A configuration test fails; the group's workers cannot be started.",
        "Build Pinion on a machine that has that Python (`cargo xtask dist` finds those of 3.14 and newer), or name a Python with a GIL.";
    GilOwn = "PIN0042", Notice,
        "each application group has a GIL of its own",
        "`WSGIPerInterpreterGIL On` asks for what Pinion always does: each application group runs in processes of its own.",
        "Nothing changes.",
        "Remove the directive, or leave it.";
    RegexInvalid = "PIN0014", Error,
        "regular expression not valid",
        "The pattern of `WSGIScriptAliasMatch` could not be compiled.",
        "Apache is not started.",
        "Correct the pattern; it is a Perl-compatible regular expression.";

    NetworkInvalid = "PIN0040", Error,
        "address of a proxy not valid",
        "`WSGITrustedProxies` was given something that is no IP address and no network.",
        "Apache is not started.",
        "Write addresses or networks such as `10.0.0.5`, `10.0.0.0/8` or `2001:db8::/32`, with blanks between them.";

    GroupDuplicate = "PIN0101", Error,
        "process group declared twice",
        "Two `WSGIDaemonProcess` directives give the same name. Names are unique in the whole server, over all virtual hosts.",
        "Apache is not started.",
        "Rename one of them, or remove it and use the other.";
    PythonHomeInvalid = "PIN0102", Error,
        "no Python at python-home",
        "`python-home` or `WSGIPythonHome` names a folder that holds neither a virtualenv nor a Python.",
        "Apache is not started.",
        "Name the virtualenv's folder, its `bin/python`, or a Python's prefix.";
    PythonHomeMissing = "WSGI0100", Error,
        "python-home does not exist",
        "Nothing is found at the path of `python-home` or `WSGIPythonHome`.",
        "Apache is not started.",
        "Correct the path, or make the virtualenv.";
    PythonHomeNoFolder = "WSGI0101", Error,
        "python-home is no folder",
        "`python-home` or `WSGIPythonHome` names a file that is not a Python's `bin/python`.",
        "Apache is not started: the workers could not either.",
        "Name a virtualenv's folder, its `bin/python`, or a Python's prefix.";
    PythonHomeUnreadable = "WSGI0102", Error,
        "python-home not accessible",
        "The user that the group runs as may not pass or read a component of the path; the message names it.",
        "Apache is not started: the workers could not either.",
        "Give the user access to the component that the message names, such as by `chmod o+x`.";
    PythonTooOld = "PIN0103", Error,
        "Python too old",
        "`python-home` holds a Python older than 3.9.",
        "Apache is not started.",
        "Make the virtualenv with Python 3.9 or newer.";
    PythonBaseGone = "PIN0104", Error,
        "virtualenv without its Python",
        "The Python that the virtualenv was made from, `home` in its pyvenv.cfg, is no longer there.",
        "Apache is not started: the virtualenv's interpreter cannot run.",
        "Make the virtualenv anew with a Python that is installed.";
    ScriptMissing = "WSGI0135", Error,
        "script not found",
        "The file or folder that a `WSGIScriptAlias` or a `WSGIImportScript` names does not exist, or a script of access control or dispatch has gone.",
        "A configuration test fails; a request is answered 404. Without its script, access control denies, and dispatch leaves what the directives say.",
        "Correct the path, or put the script there.";
    ExecutionOff = "WSGI0134", Error,
        "scripts may not run in this folder",
        "A request reaches a script by `SetHandler wsgi-script` or `AddHandler`, and the folder's `Options` lack `ExecCGI`.",
        "The request is answered 403.",
        "Add `Options +ExecCGI`, or mount the script by `WSGIScriptAlias`, which needs none.";
    ScriptIsFolder = "WSGI0136", Error,
        "folder asked for as a script",
        "The path of a request leads to a folder, or to something else that is no file.",
        "The request is answered 403.",
        "Correct the path of the alias or of the request.";
    PathInfoRefused = "WSGI0137", Error,
        "path behind the script not allowed",
        "The request's path goes on behind the script, and `AcceptPathInfo` is Off here.",
        "The request is answered 404.",
        "Set `AcceptPathInfo On` if the application is to see such paths.";
    ScriptUnreadable = "PIN0106", Error,
        "script not accessible",
        "The user that the group runs as may not pass or read a component of the script's path; the message names it.",
        "A configuration test fails; a request is answered 500.",
        "Give the user access to the component that the message names.";
    GroupUnknown = "WSGI0150", Error,
        "process group unknown",
        "`WSGIProcessGroup`, an alias or `WSGIImportScript` names a process group that no `WSGIDaemonProcess` declares.",
        "A configuration test fails; where the name is only known at a request, the request is answered 500.",
        "Correct the name, or declare the group.";
    ProcessRestricted = "WSGI0149", Error,
        "process group not allowed here",
        "`WSGIRestrictProcess` lists the process groups that may be used, and the application's is another one.",
        "The request is answered 500.",
        "Add the group to the list, or choose one of it.";
    GroupNotDeclared = "WSGI0151", Error,
        "process group of a request unknown",
        "The name of the process group became known with the request, such as from `%{ENV:name}`, and no `WSGIDaemonProcess` declares it.",
        "The request is answered 500.",
        "Correct what sets the name, or declare the group.";
    GroupElsewhere = "WSGI0152", Error,
        "process group of another virtual host",
        "A group that is declared in a virtual host is used in one with another `ServerName`.",
        "A configuration test fails; a request is answered 500.",
        "Declare the group outside of the virtual hosts, or give both the same `ServerName`.";
    UserUnknown = "PIN0109", Error,
        "user or group unknown",
        "`user=`, `group=` or `supplementary-groups=` names somebody whom the system does not know.",
        "Apache is not started.",
        "Correct the name, or make the account.";
    UserRoot = "PIN0110", Error,
        "workers would run as root",
        "`user=` names root. mod_wsgi refuses that, and so does Pinion.",
        "Apache is not started.",
        "Name a user without privileges.";
    PathMissing = "PIN0111", Warning,
        "python-path folder missing",
        "A folder of `python-path` or `WSGIPythonPath` does not exist or is no folder.",
        "Apache starts; the folder is not added, and imports from it fail.",
        "Correct the path, or remove it.";
    PathUnreadable = "PIN0112", Warning,
        "python-path folder not accessible",
        "The user that the group runs as may not pass or read a component of the path; the message names it.",
        "Apache starts; imports from the folder fail.",
        "Give the user access to the component that the message names.";
    PathOtherVersion = "PIN0113", Warning,
        "python-path holds packages for another Python",
        "A folder of `python-path` belongs to another Python version than the group's.",
        "Apache starts; packages with compiled parts cannot be imported.",
        "Name the folder of the version that the message says, or change `python-home`.";
    EggsNotWritable = "PIN0114", Warning,
        "egg cache not writable",
        "The folder of `python-eggs` does not exist, or the group's user may not write there.",
        "Apache starts; packages in zipped eggs with compiled parts cannot be imported.",
        "Make the folder and give it to the group's user.";
    EnvFileMissing = "PIN0115", Error,
        "env-file not readable",
        "The file that `env-file=` names cannot be read.",
        "Apache is not started.",
        "Correct the path. The file is read by the manager, before it gives up its privileges.";
    EnvFileInvalid = "PIN0116", Error,
        "env-file not understood",
        "A line of the file is no comment, no `NAME=VALUE`, or a quote in it is not closed.",
        "Apache is not started.",
        "Correct the line that the message names.";
    HomeMissing = "PIN0117", Error,
        "working folder missing",
        "`home=` names a folder that does not exist or that the group's user may not enter.",
        "Apache is not started: the workers could not either.",
        "Correct the path, or make the folder.";
    JailLacks = "PIN0132", Error,
        "chroot lacks what a worker needs",
        "`chroot` names no folder, or one without the group's interpreter, the interpreter's modules or Pinion's library under the paths that they have outside.",
        "A configuration test fails; the group's workers cannot be started.",
        "Copy what the message names into the folder.";
    EmbeddedRestricted = "WSGI0143", Warning,
        "embedded mode switched off",
        "`WSGIRestrictEmbedded` is On, and an application has no process group.",
        "A configuration test fails for an alias that can only be embedded; a request is answered 500.",
        "Give the application a process group.";
    PrefixInvalid = "PIN0119", Error,
        "Pinion's files not found",
        "The program `pinion` or the worker core is not where the module looks for it.",
        "Apache is not started.",
        "Name the folder that Pinion is installed in with `PinionPrefix`.";

    ProxiesNotNamed = "PIN0130", Warning,
        "headers of proxies trusted from everybody",
        "`WSGITrustedProxyHeaders` stands without `WSGITrustedProxies`; then, as in mod_wsgi, each peer counts as a trusted proxy.",
        "Any client that reaches Apache can choose what applications take for its address, host and scheme.",
        "Name the proxies with `WSGITrustedProxies`.";

    ProxyHeadersNotNamed = "PIN0131", Warning,
        "proxies without trusted headers",
        "`WSGITrustedProxies` stands without `WSGITrustedProxyHeaders`.",
        "Nothing is believed of what the proxies say; applications see the proxy as the client.",
        "Name the headers that the proxies always set, one for each purpose.";

    WorkerStarted = "PIN0200", Notice,
        "worker ready",
        "A worker has loaded its application.",
        "It takes requests.",
        "Nothing.";
    WorkerKilled = "PIN0201", Error,
        "worker killed by a signal",
        "A worker process died of a signal: a fault in a C extension, the kernel's out-of-memory killer, or somebody's `kill`.",
        "Its running requests are answered 502, apart from those that can safely run again; a new worker is started.",
        "Look at the signal, the request and the Python stack in the message. SIGKILL: look for the out-of-memory killer in the kernel's log.";
    WorkerExited = "PIN0202", Error,
        "worker exited",
        "A worker process ended by itself, such as by `os._exit()`.",
        "Its running requests are answered 502, apart from those that can safely run again; a new worker is started.",
        "Find what ends the process; the message names the request that it was serving.";
    WorkerStartFailed = "PIN0203", Error,
        "worker could not be started",
        "The interpreter of `python-home` could not be run, or not as the group's user.",
        "Requests are answered 500 until an attempt succeeds.",
        "The message says what failed; run `apachectl configtest`.";
    RootNotChanged = "WSGI0003", Error,
        "root folder not taken",
        "The system did not let a new worker take the folder of `chroot` as its root: it has gone, or Apache lacks the right.",
        "The worker is not started; requests are answered 500 until an attempt succeeds.",
        "Make the folder, or see which rights Apache was started with.";
    GroupNotTaken = "WSGI0004", Error,
        "group not taken",
        "The system did not let a new worker become a member of its group: Apache lacks the right.",
        "The worker is not started; requests are answered 500 until an attempt succeeds.",
        "See which rights Apache was started with.";
    GroupsNotTaken = "WSGI0005", Error,
        "supplementary groups not taken",
        "The system did not let a new worker become a member of its supplementary groups: there are too many, or Apache lacks the right.",
        "The worker is not started; requests are answered 500 until an attempt succeeds.",
        "See which rights Apache was started with, and how many groups the user has.";
    UserNotTaken = "WSGI0007", Error,
        "user not taken",
        "The system did not let a new worker become its user: that user runs too many processes, or Apache lacks the right.",
        "The worker is not started; requests are answered 500 until an attempt succeeds.",
        "See which rights Apache was started with, and the limit of the user's processes.";
    HomeNotEntered = "WSGI0009", Error,
        "working folder not entered",
        "A new worker could not enter the folder of `home=`: it has gone, or the group's user may not pass one of the folders above it.",
        "The worker is not started; requests are answered 500 until an attempt succeeds.",
        "Make the folder, or give the user access.";
    UserHomeNotEntered = "WSGI0010", Error,
        "user's folder not entered",
        "A new worker has no `home=` and could not enter the home of its user, who may not pass one of the folders above it.",
        "The worker is not started; requests are answered 500 until an attempt succeeds.",
        "Give `home=`, or give the user access.";
    LoadFailed = "PIN0204", Error,
        "application failed to load",
        "The script raised an exception, or does not define the callable.",
        "Requests are answered 500; the load is tried again after a pause, or when the script has changed.",
        "Mend what the traceback shows.";
    LocaleUnknown = "WSGI0079", Warning,
        "locale not known",
        "`locale=` names a locale that the system does not have.",
        "The worker runs with the locale that it has by its environment.",
        "Install the locale, or choose one that `locale -a` lists, such as C.UTF-8.";
    SiteFolderFailed = "WSGI0091", Error,
        "folder of python-path not added",
        "Something raised an exception while a folder of `python-path` or `WSGIPythonPath` was added to `sys.path`: most often a line of a `.pth` file in it.",
        "The worker goes on; this folder and those behind it may be missing in `sys.path`.",
        "Mend what the traceback shows.";
    InitialisationRaised = "WSGI0188", Error,
        "exception before scripts are loaded",
        "An exception came out of what prepares the interpreter; the message before this one says of what.",
        "The worker goes on.",
        "Mend what the traceback shows.";
    InitialisationExited = "WSGI0189", Error,
        "SystemExit before scripts are loaded",
        "Something that prepares the interpreter called `sys.exit()`; the message before this one says what.",
        "It is ignored.",
        "Mend what the traceback shows.";
    EventRaised = "WSGI0112", Error,
        "exception in a subscriber",
        "A function that was given to `mod_wsgi.subscribe_events`, `subscribe_shutdown` or `subscribe_signals` raised an exception.",
        "The other subscribers are called; the request goes on.",
        "Mend what the traceback shows.";
    EventExited = "WSGI0190", Error,
        "SystemExit in a subscriber",
        "A function that was given to `mod_wsgi.subscribe_events`, `subscribe_shutdown` or `subscribe_signals` called `sys.exit()`.",
        "It is ignored; the request goes on.",
        "Take the call away.";
    CloseNotFound = "WSGI0194", Error,
        "close of an answer not found",
        "The application returned an object that raised another exception than AttributeError when it was asked for its `close`.",
        "The answer was sent; what `close` would have done is not done.",
        "Mend what the traceback shows.";
    SwitchIntervalEmbedded = "WSGI0203", Warning,
        "switch interval without a GIL",
        "`WSGISwitchInterval` holds for applications without a process group that run without a GIL.",
        "It has no effect.",
        "Remove it, or leave it.";
    SwitchIntervalNoGil = "WSGI0204", Warning,
        "switch interval without a GIL",
        "`WSGISwitchInterval` or `switch-interval=` holds for a process group that runs without a GIL.",
        "It has no effect.",
        "Remove it, or leave it.";
    LoadBackOff = "PIN0205", Warning,
        "load not tried again yet",
        "The application failed to load several times in a row.",
        "Requests are answered 500 until the pause is over; the message repeats the first traceback.",
        "Mend the application; touching the script ends the pause at once.";
    StartupTimeout = "PIN0206", Error,
        "application took too long to load",
        "The application was not loaded within `startup-timeout`.",
        "The worker is killed and the load is tried again after a pause.",
        "Find what blocks the load in the Python stack, or raise `startup-timeout`.";
    ScriptChanged = "PIN0207", Notice,
        "script changed",
        "The script's modification time is another than when it was loaded.",
        "New workers load it while the old ones serve; then the old ones finish and stop.",
        "Nothing; `WSGIScriptReloading Off` switches it off.";
    ReloadFailed = "PIN0208", Error,
        "changed application failed to load",
        "The script has changed, and what it is now does not load.",
        "The old workers keep serving the old code.",
        "Mend what the traceback shows; the next change is tried again.";
    WorkerRetired = "PIN0209", Notice,
        "worker replaced as configured",
        "`maximum-requests` or `restart-interval` was reached.",
        "A new worker takes over; the old one finishes its requests and stops.",
        "Nothing.";
    DrainTimeout = "PIN0210", Warning,
        "worker killed while it finished its requests",
        "A worker that was to stop still ran requests when its time was over.",
        "The worker is killed; its requests are answered 502.",
        "Find out why the requests that the message names take so long, or raise `graceful-timeout` and `shutdown-timeout`.";
    WarmupFailed = "PIN0211", Error,
        "warm-up failed",
        "A request of `warmup=` raised an exception or was answered with a status of 500 or more.",
        "It counts as a failed load: old workers go on serving; where there are none, requests get 500 until an attempt succeeds.",
        "Mend what the traceback shows, or correct the path.";
    Deadlock = "PIN0230", Error,
        "Python cannot run in a worker",
        "No thread of the worker could have Python's lock for `deadlock-timeout`: an extension module keeps it while it waits or computes.",
        "Its stacks are logged, a new worker takes over and the old one is killed.",
        "Find the extension module in the stacks, or raise `deadlock-timeout`.";
    WorkerWedged = "PIN0231", Error,
        "worker does not begin requests",
        "Requests wait for a worker that runs none and gives no sign of life: it is stopped, or something in it keeps Python's lock.",
        "Its stacks are logged, a new worker takes over and the old one is killed; requests that it has not begun go to others.",
        "Find out what has stopped it: a debugger, SIGSTOP, or an extension module in the stacks.";
    RequestInterrupted = "PIN0232", Warning,
        "request interrupted",
        "A request ran longer than `request-timeout × (1 + ln threads)`, and `interrupt-timeout` is set.",
        "`mod_wsgi.RequestTimeout` is raised in it, and its client gets 504; if it goes on for `interrupt-timeout` all the same, the worker is replaced.",
        "Find what takes long in the stack, or raise `request-timeout`.";
    ServiceEnded = "PIN0233", Notice,
        "script of a group without threads ended",
        "The script of a process group with `threads=0` has ended, or the program that it had become.",
        "It is started again.",
        "Nothing, if it was meant to end.";
    PriorityNotSet = "WSGI0075", Warning,
        "cpu-priority not set",
        "The system refused the priority of `cpu-priority`, most often because Apache was not started by root.",
        "The worker runs with the priority that Apache was started with.",
        "Start Apache as root, or give a priority that is not more favourable than its own.";
    CpuLimitNotSet = "WSGI0076", Warning,
        "cpu-time-limit not set",
        "The system refused the limit of `cpu-time-limit`.",
        "The worker runs without it.",
        "Give a limit that is not above the one that Apache was started with.";
    MemoryLimitNotSet = "WSGI0077", Warning,
        "memory-limit not set",
        "The system refused the limit of `memory-limit`.",
        "The worker runs without it.",
        "Give a limit that is not above the one that Apache was started with.";
    VirtualLimitNotSet = "WSGI0078", Warning,
        "virtual-memory-limit not set",
        "The system refused the limit of `virtual-memory-limit`.",
        "The worker runs without it.",
        "Give a limit that is not above the one that Apache was started with.";
    TelemetryLost = "PIN0216", Warning,
        "telemetry does not reach its receiver",
        "The socket of `WSGITelemetryService` is not there, nobody listens on it, or the group's user may not write to it.",
        "Reports are lost; requests are served.",
        "Start the receiver; let the users of all groups write to its socket (`mod_wsgi-telemetry serve --socket-group`).";
    TelemetryNotOpen = "WSGI0132", Warning,
        "telemetry has no socket",
        "A worker could not make a socket to report from.",
        "It reports nothing; requests are served.",
        "Look at the limit of open files of the group's user.";
    TelemetryNoThread = "WSGI0133", Warning,
        "telemetry has no thread",
        "A worker could not start the thread that reports.",
        "It reports nothing; requests are served.",
        "Look at the limit of processes of the group's user.";

    Unreachable = "PIN0301", Error,
        "no worker could be reached",
        "No worker of the group took a connection within `connect-timeout`.",
        "The request is answered 503.",
        "See in the log why the workers do not start; raise `processes` or `connect-timeout` if they are only late.";
    BacklogFull = "WSGI0116", Error,
        "too many connections wait",
        "The workers of the group have more connections waiting than `listen-backlog` allows.",
        "The request is answered 503.",
        "Raise `processes`, `threads` or `listen-backlog`, or find what blocks the application.";
    QueueTimeout = "WSGI0084", Error,
        "request waited too long for a thread",
        "All threads of the group were busy for `queue-timeout`.",
        "The request is answered 504; the application never saw it.",
        "Raise `processes` or `threads`, or find what blocks the application.";
    RequestTimeout = "PIN0304", Error,
        "request took too long",
        "A request ran longer than `request-timeout × (1 + ln threads)`.",
        "It is answered 504; the worker's Python stack is logged, a new worker takes over and the old one is stopped.",
        "Find what blocks in the stack, or raise `request-timeout`.";
    NoThreads = "PIN0330", Error,
        "request for a group without threads",
        "A request is routed to a process group with `threads=0`, which runs a script of its own and no requests.",
        "It is answered 504.",
        "Route it to a group with threads, or give this one some.";
    HeaderTooLong = "WSGI0144", Error,
        "header of an answer too long",
        "An application has answered with a header that is longer than `header-buffer-size`, 32768 bytes unless set.",
        "The request is answered 500.",
        "Raise `header-buffer-size`, or find out why the header is so long.";
    ScriptElsewhere = "WSGI0081", Error,
        "script outside of chroot",
        "The script of a request is not below the folder that `chroot` names.",
        "The request is answered 500.",
        "Put the script below that folder.";
    ScriptGroupWrong = "WSGI0155", Error,
        "script has another group",
        "The script has not the group that `script-group` names, or cannot be looked at.",
        "The request is answered 403.",
        "Give the script and its folder to that group, and take the right to write from others.";
    ScriptOfGroupOpen = "WSGI0157", Error,
        "script writable to everybody",
        "`script-group` is given, and everybody may write to the script.",
        "The request is answered 403.",
        "Give the script and its folder to that group, and take the right to write from others.";
    FolderGroupWrong = "WSGI0160", Error,
        "script's folder has another group",
        "The folder of the script has not the group that `script-group` names, or cannot be looked at.",
        "The request is answered 403.",
        "Give the script and its folder to that group, and take the right to write from others.";
    FolderOfGroupOpen = "WSGI0161", Error,
        "script's folder writable to everybody",
        "`script-group` is given, and everybody may write in the folder of the script.",
        "The request is answered 403.",
        "Give the script and its folder to that group, and take the right to write from others.";
    ScriptUserWrong = "WSGI0164", Error,
        "script has another owner",
        "The script does not belong to the user that `script-user` names, or cannot be looked at.",
        "The request is answered 403.",
        "Give the script and its folder to that user, and take the right to write from others.";
    ScriptOpenToGroup = "WSGI0166", Error,
        "script writable to its group",
        "`script-user` is given, and the group of the script may write to it.",
        "The request is answered 403.",
        "Give the script and its folder to that user, and take the right to write from others.";
    ScriptOfUserOpen = "WSGI0168", Error,
        "script writable to everybody",
        "`script-user` is given, and everybody may write to the script.",
        "The request is answered 403.",
        "Give the script and its folder to that user, and take the right to write from others.";
    FolderUserWrong = "WSGI0171", Error,
        "script's folder has another owner",
        "The folder of the script does not belong to the user that `script-user` names, or cannot be looked at.",
        "The request is answered 403.",
        "Give the script and its folder to that user, and take the right to write from others.";
    FolderOfUserOpen = "WSGI0172", Error,
        "script's folder writable to everybody",
        "`script-user` is given, and everybody may write in the folder of the script.",
        "The request is answered 403.",
        "Give the script and its folder to that user, and take the right to write from others.";
    FolderOpenToGroup = "WSGI0173", Error,
        "script's folder writable to its group",
        "`script-user` is given, and the group of the script's folder may write in it.",
        "The request is answered 403.",
        "Give the script and its folder to that user, and take the right to write from others.";
    HeadersTimeout = "WSGI0145", Error,
        "worker silent before its answer began",
        "The application did not begin to answer within `socket-timeout`.",
        "The request is answered 504; the application goes on.",
        "Find what blocks the application, or raise `socket-timeout` or Apache's `Timeout`.";
    WorkerClosed = "WSGI0146", Error,
        "worker gone before its answer began",
        "The worker died or closed the connection while it had the request; another message says how it died.",
        "The request is answered 502.",
        "See the message about the worker itself.";
    AnswerBroken = "WSGI0119", Error,
        "answer broken off",
        "The worker died, closed the connection or sent nothing for `socket-timeout` after its answer had begun.",
        "The client's connection is cut, so that it can see that the answer is not whole.",
        "See the message about the worker itself; find what blocks the application, or raise `socket-timeout` or Apache's `Timeout`.";
    ClientSlowToRead = "WSGI0118", Error,
        "client does not read its answer",
        "What had come of the answer was to be sent before more was waited for, and the client took nothing for `response-socket-timeout`.",
        "The client's connection is cut.",
        "Nothing, for a single client; raise `response-socket-timeout` where it happens often.";
    ClientSlowToTake = "WSGI0120", Error,
        "client does not take its answer",
        "The client took nothing of a long answer for `response-socket-timeout`.",
        "The client's connection is cut.",
        "Nothing, for a single client; raise `response-socket-timeout` where it happens often.";
    BodyNotRead = "WSGI0126", Error,
        "request's body cannot be read",
        "The client sent no more of the body for Apache's `Timeout`, or something that is no body. That it went away is told at level debug.",
        "The application's read raises an exception; if it does not catch that, the request is answered 400.",
        "Nothing, for a single client; look at its network, or at `RequestReadTimeout`, where it happens often.";
    ApplicationRaised = "WSGI0174", Error,
        "application raised an exception",
        "An exception left the application.",
        "The request is answered 500, or its connection is cut when the answer had begun.",
        "Mend what the traceback shows.";
    ApplicationExited = "WSGI0175", Error,
        "application called sys.exit()",
        "`SystemExit` left the application, or its script while it was loaded.",
        "The request is answered 500, or its connection is cut when the answer had begun; the process goes on.",
        "Do not call `sys.exit()` in an application; look at the traceback for who does.";
    CallableMissing = "WSGI0089", Error,
        "script without the callable",
        "The script was loaded and does not define the name that `WSGICallableObject` says, `application` unless set.",
        "The request is answered 404.",
        "Correct the name in the script or in the configuration.";
    ScriptNotCompiled = "WSGI0105", Error,
        "script not read or compiled for a request",
        "The script cannot be read, or is no valid Python.",
        "The application is not loaded; requests are answered 500, or by the code of before.",
        "Mend what the message behind it shows.";
    ScriptNotCompiledEarly = "WSGI0106", Error,
        "script not read or compiled before any request",
        "The script cannot be read, or is no valid Python.",
        "The application is not loaded; requests are answered 500, or by the code of before.",
        "Mend what the message behind it shows.";
    ScriptExits = "WSGI0107", Error,
        "script called sys.exit() when it was loaded for a request",
        "`SystemExit` was raised while the script was loaded.",
        "The application is not loaded; requests are answered 500, or by the code of before.",
        "Look at the traceback for who exits.";
    ScriptExitsEarly = "WSGI0108", Error,
        "script called sys.exit() when it was loaded before any request",
        "`SystemExit` was raised while the script was loaded.",
        "The application is not loaded; requests are answered 500, or by the code of before.",
        "Look at the traceback for who exits.";
    ScriptRaises = "WSGI0109", Error,
        "script raised an exception when it was loaded for a request",
        "An exception left the script while it was loaded.",
        "The application is not loaded; requests are answered 500, or by the code of before.",
        "Mend what the traceback shows.";
    ScriptRaisesEarly = "WSGI0110", Error,
        "script raised an exception when it was loaded before any request",
        "An exception left the script while it was loaded.",
        "The application is not loaded; requests are answered 500, or by the code of before.",
        "Mend what the traceback shows.";
    HeaderInvalid = "PIN0312", Error,
        "response header not valid",
        "`start_response` was given headers that are no list of pairs of strings, or a name or value with characters that HTTP does not allow, such as line ends.",
        "The call raises an exception; the request is answered 500.",
        "Correct the header that the message names. If it comes from a client, this was an attempt to split the response.";
    TransferEncodingUnknown = "WSGI0138", Error,
        "transfer coding unknown",
        "The request has a Transfer-Encoding other than `chunked`.",
        "The request is answered 501; the application does not see it.",
        "Nothing: the client must change.";
    ChunkedRefused = "WSGI0139", Error,
        "chunked request refused",
        "The request's body is chunked, and `WSGIChunkedRequest` is Off.",
        "The request is answered 411; the application does not see it.",
        "Set `WSGIChunkedRequest On` if the application reads until the end of `wsgi.input`.";
    LengthInvalid = "WSGI0141", Error,
        "Content-Length not valid",
        "The request's Content-Length is no number.",
        "The request is answered 400; the application does not see it.",
        "Nothing: the client must change.";
    BodyTooLarge = "PIN0319", Notice,
        "request body over the limit",
        "The request's body is longer than `LimitRequestBody` allows.",
        "The request is answered 413; with a Content-Length, the application does not see it.",
        "Raise Apache's `LimitRequestBody` for this location if such bodies are wanted.";
    ClientGone = "PIN0320", Debug,
        "client went away",
        "The client closed its connection before it had the whole answer.",
        "The rest of the answer is discarded.",
        "Nothing.";
    AuthorizationStripped = "PIN0321", Warning,
        "Authorization header not passed on",
        "The application answered 401 to a request whose Authorization header it was not shown.",
        "Nothing else; said once for each application.",
        "Set `WSGIPassAuthorization On` if the application itself checks passwords or tokens.";
    DispatchValue = "PIN0340", Error,
        "what a dispatch script returned is no name",
        "A function of the WSGIDispatchScript returned something that is neither text nor None, or text beyond Latin-1.",
        "The request is answered 500.",
        "Return the name as a string, or None for what the directives say.";

    AuthBasicNoScript = "WSGI0041", Error,
        "no script for passwords",
        "`AuthBasicProvider wsgi` stands where no `WSGIAuthUserScript` does.",
        "The request is answered 500.",
        "Name the script with `WSGIAuthUserScript` at the same place.";
    AuthBasicNoFunction = "WSGI0043", Error,
        "script without check_password",
        "The script of `WSGIAuthUserScript` does not define `check_password(environ, user, password)`.",
        "The request is answered 500.",
        "Define the function, or ask another provider.";
    AuthDigestNoScript = "WSGI0044", Error,
        "no script for digests",
        "`AuthDigestProvider wsgi` stands where no `WSGIAuthUserScript` does.",
        "The request is answered 500.",
        "Name the script with `WSGIAuthUserScript` at the same place.";
    AuthDigestNoFunction = "WSGI0046", Error,
        "script without get_realm_hash",
        "The script of `WSGIAuthUserScript` does not define `get_realm_hash(environ, user, realm)`.",
        "The request is answered 500.",
        "Define the function, or use `AuthType Basic`.";
    GroupText = "WSGI0049", Error,
        "group beyond Latin-1",
        "`groups_for_user` gave a group as text with characters that Latin-1 does not have.",
        "The user counts as a member of no group.",
        "Return the group's name as bytes.";
    GroupType = "WSGI0050", Error,
        "group that is no text",
        "`groups_for_user` gave an item that is neither text nor bytes.",
        "The user counts as a member of no group.",
        "Return a list of names.";
    GroupsType = "WSGI0051", Error,
        "groups that are no list",
        "`groups_for_user` returned something that has no items.",
        "The user counts as a member of no group.",
        "Return a list of names; an empty one for a user without groups.";
    GroupsNoFunction = "WSGI0052", Error,
        "script without groups_for_user",
        "The script of `WSGIAuthGroupScript` does not define `groups_for_user(environ, user)`.",
        "The user counts as a member of no group.",
        "Define the function.";
    AccessType = "WSGI0055", Error,
        "answer about a host that is no answer",
        "`allow_access` returned neither True, False nor None.",
        "The request is answered 403.",
        "Return True or False.";
    AccessNoFunction = "WSGI0056", Error,
        "script without allow_access",
        "The script of `WSGIAccessScript` does not define `allow_access(environ, host)`.",
        "The request is answered 403.",
        "Define the function.";
    AccessDenied = "WSGI0057", Error,
        "host not let in",
        "`allow_access` returned False, or nothing could be found out; in that case the log says why before this.",
        "The request is answered 403.",
        "Nothing, if the client is not meant to get in.";
    GroupNoScript = "WSGI0058", Error,
        "no script for groups",
        "`Require wsgi-group` stands where no `WSGIAuthGroupScript` does.",
        "The user counts as a member of no group.",
        "Name the script with `WSGIAuthGroupScript` at the same place.";
    GroupNone = "WSGI0059", Error,
        "user without groups",
        "`groups_for_user` returned no group for the user.",
        "The `Require` line does not let the user in.",
        "Nothing, if the user is not meant to get in.";
    GroupOther = "WSGI0060", Error,
        "user of other groups",
        "The groups of the user are not those of the `Require` line.",
        "The `Require` line does not let the user in.",
        "Nothing, if the user is not meant to get in.";
    AuthBasicEmpty = "WSGI0176", Error,
        "user with an empty name",
        "`check_password` returned an empty text, which is nobody's name.",
        "The request is answered 500.",
        "Return True, False, None or the user's name.";
    AuthBasicType = "WSGI0177", Error,
        "answer about a password that is no answer",
        "`check_password` returned something else than True, False, None or a name; a name with a NUL is none.",
        "The request is answered 500.",
        "Return True, False, None or the user's name.";
    AuthDigestEmpty = "WSGI0178", Error,
        "empty hash of a password",
        "`get_realm_hash` returned an empty text, or one with a NUL.",
        "The request is answered 500.",
        "Return the MD5 of user:realm:password in hexadecimal digits, or None where there is no such user.";
    AuthDigestType = "WSGI0179", Error,
        "hash of a password that is no text",
        "`get_realm_hash` returned something else than None, text of Latin-1 or bytes.",
        "The request is answered 500.",
        "Return the MD5 of user:realm:password in hexadecimal digits, or None where there is no such user.";

    ProtocolVersion = "PIN0401", Error,
        "parts of Pinion do not match",
        "The module, the manager and the worker core speak different versions of the protocol: an update was only half installed.",
        "The connection is refused.",
        "Install all parts of the same version and restart Apache.";
    ManagerDied = "PIN0402", Error,
        "manager died and was started again",
        "The manager process ended without having been told to.",
        "Apache starts another one; the old workers finish their requests and stop, new ones take over.",
        "Look at the signal in the message. If it happens again, report it with the log.";
    ManagerStartFailed = "PIN0403", Error,
        "manager could not be started",
        "The program `pinion` could not be run.",
        "Apache does not start, or serves no application.",
        "The message names the path and the system's reason; see `PinionPrefix`.";
    FrameInvalid = "PIN0404", Error,
        "message not understood",
        "A message between Apache, the manager and a worker was cut short or malformed.",
        "The connection is closed; the request is answered 502.",
        "Install all parts of the same version; if they are, report it with the log.";
    LogWriteFailed = "PIN0405", Error,
        "log could not be written",
        "A line of an application's output could not be written, such as because the disk is full.",
        "The line is lost; requests are served.",
        "Make room on the disk.";
    ConfigurationTaken = "PIN0406", Notice,
        "configuration taken over",
        "Apache handed the manager a new configuration.",
        "Groups that are unchanged keep running; the others are replaced.",
        "Nothing.";
    StoppedHard = "PIN0407", Warning,
        "workers killed at stop",
        "Workers had not stopped within `shutdown-timeout`.",
        "They are killed.",
        "Find what blocks at exit, such as threads that are not daemons, or raise `shutdown-timeout`.";
    Internal = "PIN0499", Error,
        "internal error",
        "Pinion found itself in a state that should not be possible.",
        "The request is answered 500; Apache keeps running.",
        "Report it with the message.";

    ProjectMissing = "PIN0501", Error,
        "no project here",
        "The folder holds nothing that says what application it is: no ini file with an application, no manage.py, no Flask application, no .wsgi file.",
        "Nothing is written.",
        "Run the command in the project's folder, or name the application with `--application`.";
    ProjectAmbiguous = "PIN0502", Error,
        "several projects here",
        "Several files could be the application's; the message names them.",
        "Nothing is written.",
        "Say which one is meant, with the option that the message names.";
    ProjectBroken = "PIN0503", Error,
        "file of the project not understood",
        "An ini file, pyproject.toml or manage.py cannot be read or parsed; the message names the line.",
        "Nothing is written.",
        "Correct the file.";
    SettingInvalid = "PIN0504", Error,
        "setting not valid",
        "An option, or a value in pinion.toml, is not what the parameter takes, or needs another one.",
        "Nothing is written.",
        "Give a value as the message says.";
    SettingsFileBroken = "PIN0505", Error,
        "pinion.toml not understood",
        "The project's pinion.toml is no TOML, or its `[deploy]` table holds a key or a value that is unknown.",
        "Nothing is written.",
        "Correct the line that the message names.";
    FileRefused = "PIN0506", Error,
        "file cannot be read or written",
        "The system refuses to read or write a file or a folder.",
        "The command stops; files are written whole or not at all.",
        "Give the permission, or run the command as a user who has it.";
    NameUnquotable = "PIN0507", Error,
        "name cannot be written",
        "A name or path holds a line break, a NUL or another character that the generated file has no way to quote.",
        "Nothing is written.",
        "Choose another name.";
    FileEdited = "PIN0508", Warning,
        "generated file edited",
        "A person has edited a generated file, so that it does not match its fingerprint any more.",
        "The file is left as it is, unless it may be replaced.",
        "Take the difference that is shown over by hand, or run `pinion deploy --overwrite`.";
    ConfigMissing = "PIN0509", Error,
        "no development.ini to make the configuration from",
        "`--make-config` was given, and the project has no ini file of a Paste Deploy application.",
        "Nothing is written.",
        "Run it in the project's folder.";

    ApacheMissing = "PIN0601", Warning,
        "Apache not installed",
        "None of the usual programs of Apache 2.4 is there.",
        "The site cannot be enabled.",
        "Install Apache; on Debian, `apt install apache2`.";
    ModuleMissing = "PIN0602", Warning,
        "module of Apache not loaded",
        "The generated configuration uses directives of a module that Apache does not load.",
        "`apachectl configtest` refuses the configuration.",
        "Enable the module, as the message says.";
    BaselineMissing = "PIN0603", Warning,
        "no baseline virtualenv",
        "The empty virtualenv that the application's is layered on is not there.",
        "The application's processes cannot start.",
        "Make it with `pinion env baseline`.";
    VirtualenvMissing = "PIN0604", Warning,
        "no virtualenv",
        "The application's virtualenv is not there.",
        "The application cannot be imported.",
        "Make it with `pinion env create`.";
    VirtualenvBroken = "PIN0605", Error,
        "virtualenv cannot be used",
        "The folder is no virtualenv, its base Python is gone, or it is for another architecture.",
        "No process can run with it.",
        "Make it anew, with a Python of this machine.";
    VersionsDiffer = "PIN0606", Warning,
        "baseline and virtualenv of two Python versions",
        "The packages of one version cannot be layered on another.",
        "The WSGI script fails with a message that names both.",
        "Make one of them anew with the other's Python.";
    NotDeployed = "PIN0607", Warning,
        "project not at its deployment location",
        "The project or its generated files are not where Apache is told to find them.",
        "Apache answers 404.",
        "Copy the project there, as the message says.";
    IniMissing = "PIN0608", Warning,
        "no ini file",
        "The ini file that the WSGI script loads is not at the deployment location.",
        "The application does not load.",
        "Make one with `pinion deploy --make-config`, and install it there.";
    IniBroken = "PIN0609", Error,
        "ini file not understood",
        "The deployed ini file has a line that Python's configparser refuses.",
        "The application does not load.",
        "Correct the line that the message names.";
    IniDebug = "PIN0610", Warning,
        "ini file in development mode",
        "`debug` is on in `[DEFAULT]`, or set in the application's section.",
        "An error shows a debugger to anyone who visits, with which they can run code.",
        "Switch it off.";
    IniSecret = "PIN0611", Warning,
        "secret that others know",
        "A secret of the ini file is development.ini's, or one that documentation shows.",
        "Who knows it can forge sessions and sign in as anyone.",
        "Put a fresh one in its place; `pinion deploy --make-config` does.";
    PackageMissing = "PIN0614", Warning,
        "package missing in the virtualenv",
        "The project declares or imports a package that its virtualenv does not have. TurboGears' tools do not install a project's own dependencies.",
        "The application does not load, or fails later.",
        "Install it, and declare it in the project's metadata.";
    PathRefused = "PIN0615", Warning,
        "path closed to the application's user",
        "The user may not pass or read a component of a path that the application needs; the message names it.",
        "The application does not load.",
        "Give the user access to the component.";
    EggCacheRefused = "PIN0616", Warning,
        "egg cache not writable",
        "The folder of the egg cache does not exist, or the application's user may not write there.",
        "Packages in zipped eggs with compiled parts cannot be imported.",
        "Make the folder and give it to the user.";
    DatabaseRefused = "PIN0617", Warning,
        "database file not writable",
        "The SQLite file or its folder does not belong to the application's user.",
        "Pages show, but each change is answered 500.",
        "Give both to the user.";

    CheckNothing = "PIN0801", Error,
        "nothing to check here",
        "The path that `pinion check` was given is neither a project, nor a configuration file, nor the folder of Apache's configuration.",
        "Nothing is examined.",
        "Name one of these.";
    ConfigurationUnreadable = "PIN0802", Error,
        "configuration not understood",
        "A file of Apache's configuration cannot be read, or its sections do not end where they should.",
        "Nothing is examined.",
        "Correct the line that the message names.";
    RequestFailed = "PIN0803", Error,
        "application does not answer",
        "The application was loaded, and its first page is answered with a status of 500 or more, or not at all.",
        "Visitors see an error page.",
        "Mend what the traceback shows.";
    PageMissing = "PIN0804", Warning,
        "first page not found",
        "The application runs and answers its own mount point with 404.",
        "Visitors of the mount point see an error page.",
        "Compare the application's routes with the mount point.";
    StdoutWritten = "PIN0805", Warning,
        "application writes to standard output",
        "The project's code calls `print` or writes to `sys.stdout`.",
        "Under Pinion it goes to the log; it raises an exception where `WSGIRestrictStdout` is On, as old versions of mod_wsgi had it.",
        "Use `logging`, or write to `sys.stderr`.";
    ResourceRace = "PIN0806", Warning,
        "resources exist only after the first page",
        "The application registers a page's resources (ToscaWidgets does) when the page is served, so a process that has not served it answers 404.",
        "With several processes, pages now and then lack scripts and styles.",
        "Let each process serve the page before it gets traffic: `warmup=/`.";
    LoggingSections = "PIN0807", Error,
        "sections for logging missing",
        "The ini file names loggers, handlers or formatters that have no section in it.",
        "The WSGI script ends with `KeyError` when it sets up logging.",
        "Add the section that the message names.";
    EggUnknown = "PIN0808", Error,
        "package of the ini file unknown",
        "`use = egg:NAME` names a package whose metadata is not installed, or an entry point that it does not have.",
        "The application cannot be loaded.",
        "Install the project into the virtualenv with pip.";
    PackageShadowed = "PIN0809", Error,
        "folder hides the package",
        "The parent of the project's folder comes first on the path, so that the folder is imported in place of the package in it.",
        "Imports fail, or find an empty namespace.",
        "Put the project's folder itself on the path.";
    IniExposed = "PIN0810", Warning,
        "ini file readable by all",
        "The ini file's mode lets every user of the machine read it.",
        "They have the site's secrets.",
        "`chmod 640`, with the server's group as its group.";
    IniTracked = "PIN0811", Warning,
        "ini file tracked by git",
        "The ini file with the site's secrets is in the repository.",
        "Everybody with the repository has them.",
        "Remove it from the repository and choose new secrets.";
    ProxyPrefix = "PIN0812", Warning,
        "proxy-prefix without a proxy",
        "The ini file puts the application behind PasteDeploy's proxy-prefix filter.",
        "The mount point is added twice to links.",
        "Remove the filter.";
    SqliteShared = "PIN0813", Warning,
        "SQLite with several processes",
        "The application's database is SQLite, and its process group has more than one process.",
        "Writers wait for each other, and fail after a while.",
        "Use a database server, or one process.";
    UsersMissing = "PIN0814", Warning,
        "no users in the database",
        "The tables have been made, and the one for users is empty: `setup-app` did not come to its end.",
        "Nobody can sign in.",
        "Run `setup-app` as the server's user, from the project's folder, with alembic installed.";
    EditableInstall = "PIN0815", Warning,
        "editable install in production",
        "The project is installed with `pip install -e`.",
        "What is changed in its folder is live at the next restart.",
        "Install it without `-e`.";
    MigrationMissing = "PIN0816", Warning,
        "migration folder missing",
        "The deployed TurboGears project has a model and no `migration` folder.",
        "`setup-app` makes the tables and dies before it makes the users.",
        "Copy the folder from the project.";
    NotAsUser = "PIN0817", Notice,
        "checked as another user",
        "`pinion check` was not run by root.",
        "Applications were run as this user, who may have other rights than the one that they will run as.",
        "Run it as root.";
    PythonFailed = "PIN0818", Error,
        "interpreter gives no answer",
        "The application's Python could not be run, died, or did not come to an end.",
        "Less is examined.",
        "Run the interpreter by hand, as the message shows.";
    IniUnreadable = "PIN0819", Error,
        "ini file not readable for the application",
        "The application's user cannot read the ini file, or Python cannot parse it.",
        "The application cannot be loaded; Python says `KeyError: 'formatters'`.",
        "Correct the file or its permissions.";
    DatabaseUnreadable = "PIN0820", Warning,
        "database not readable",
        "The application's database cannot be reached with what the ini file says.",
        "Pages that need it are answered 500.",
        "Correct the ini file, or start the database.";
    SettingsDevelopment = "PIN0821", Warning,
        "Django's settings in development mode",
        "`DEBUG` is True, or `SECRET_KEY` is the one that `startproject` made.",
        "Errors show the code to visitors; sessions can be forged.",
        "Set `DEBUG = False`, `ALLOWED_HOSTS`, and a key of the site's own.";
    NoApache = "PIN0701", Error,
        "no Apache here",
        "Apache is not installed in any of the usual places, or what `--apache-config` names holds no configuration.",
        "Nothing is changed.",
        "Install Apache, or name the folder of its configuration.";
    ApacheRefuses = "PIN0702", Error,
        "Apache refuses its configuration",
        "`apachectl configtest` says no; the message shows what it says.",
        "What was changed is put back; a running Apache goes on with the configuration it has.",
        "Mend the line that Apache names.";
    ApacheNotReloaded = "PIN0703", Error,
        "Apache did not take its new configuration",
        "After the reload, its error log did not say that it serves again.",
        "What was changed is put back.",
        "Look at the end of Apache's error log.";
    PythonUnusable = "PIN0704", Error,
        "Python cannot be used",
        "The interpreter is not there, does not run, is too old, cannot make virtualenvs, or the application's user may not reach it.",
        "Nothing is changed.",
        "Name another one with `--python`, or do what the message says.";
    VirtualenvUnusable = "PIN0705", Error,
        "virtualenv cannot be used",
        "It was made for another architecture or version, its base Python is gone, or something else stands in its place.",
        "Nothing is changed.",
        "Remove it, and it is made anew.";
    InstallFailed = "PIN0706", Error,
        "packages cannot be installed",
        "pip or uv failed; the message shows what it said.",
        "What was changed is put back.",
        "Mend the requirements, or give a folder of wheels with `--find-links`.";
    AccountUnknown = "PIN0707", Error,
        "account unknown",
        "The user or group that the application is to run as does not exist.",
        "Nothing is changed.",
        "Add it, or choose another with `--user` and `--group`.";
    CommandFailed = "PIN0708", Error,
        "command failed",
        "A command that a step runs could not be started, or said no; the message shows what it wrote.",
        "What was changed is put back.",
        "Mend what the command says, and deploy again.";
    Interrupted = "PIN0709", Error,
        "interrupted",
        "Ctrl-C was pressed, or the command was told to end.",
        "What was changed is put back.",
        "Run the same command again.";
    AnotherRun = "PIN0710", Error,
        "another run is at work",
        "Another `pinion` is deploying to the same Apache, or taking a site away.",
        "Nothing is changed.",
        "Wait until it ends.";
    RecordBroken = "PIN0711", Error,
        "record cannot be understood",
        "The record of a deployed site, or the journal of a run, was changed by something else or written by a newer version.",
        "Nothing is changed.",
        "Move the file away if what it records is gone.";
    NoRights = "PIN0712", Error,
        "no rights for what is to be done",
        "A folder that has to be written belongs to somebody else.",
        "Nothing is changed.",
        "Run the command with sudo.";
    SiteTaken = "PIN0713", Error,
        "another configuration has that name",
        "Among Apache's sites there is a file of that name that differs and that `pinion deploy` did not make.",
        "Nothing is changed.",
        "Move it away, or choose another name with `--name`.";
    PortTaken = "PIN0714", Error,
        "port is not this Apache's",
        "Another program listens on the site's port, or Apache listens on none.",
        "Nothing is changed.",
        "Stop the other program, or choose another port.";
    NoModule = "PIN0715", Error,
        "no module to serve with",
        "Apache loads no `wsgi_module`, and Pinion's is not where the command expects it.",
        "Nothing is changed.",
        "Install all of Pinion, or load mod_wsgi.";
    SiteFails = "PIN0716", Error,
        "the deployed site does not answer as it should",
        "The first request to the mount point failed; the message shows the application's own traceback from Apache's error log.",
        "What was changed is put back.",
        "Mend the application, and deploy again.";
    NoSuchSite = "PIN0717", Error,
        "no such site was deployed",
        "There is no record of a site of that name.",
        "Nothing is changed.",
        "Check the name, and which Apache is meant.";
    NotUndone = "PIN0718", Error,
        "not all could be put back",
        "While changes were undone, some of it failed; the message has a line for each.",
        "The rest is put back; the journal stays.",
        "Do by hand what the lines name, or run the command again.";
    StepLeft = "PIN0719", Warning,
        "one step is left for a person",
        "This Apache has no folder whose files it reads as sites, so nobody but its administrator can say where the site belongs.",
        "All else is done; the site is not served yet.",
        "Add the line that the message shows, and deploy again.";
    PlaceAnothers = "PIN0720", Error,
        "application writes to a place that is another's",
        "The application's settings name a folder or file that is there, in use, outside of the application's own folder, and not writable by its user, such as a log file right in `/var/log`.",
        "Nothing is given away; what was changed is put back.",
        "Name a folder of the application's own in its settings, or give that place to its user yourself.";

    TargetUnknown = "PIN0901", Error,
        "nothing to serve",
        "What `pinion serve` was given is no folder, no `.wsgi` script, no `module:callable` and no `config:` with an ini file.",
        "Nothing is served.",
        "Name one of these, or run it in the project's folder.";
    AddressTaken = "PIN0902", Error,
        "address in use",
        "Another process listens on the address, or on the Unix socket's path; the message names it where the system tells.",
        "Nothing is served.",
        "End the other process, or choose another address with `--bind`.";
    AddressRefused = "PIN0903", Error,
        "address cannot be listened on",
        "The address is none of this machine's, its port is below 1024 and the user is not root, or the folder of a Unix socket refuses.",
        "Nothing is served.",
        "Choose another address with `--bind`; a port below 1024 needs root, with `--user` for the application.";
    SocketsNotInherited = "PIN0904", Error,
        "no sockets from systemd",
        "`--bind fd:systemd` was given, and LISTEN_PID and LISTEN_FDS do not name listening sockets for this process.",
        "Nothing is served.",
        "Start it by a systemd unit that has a `.socket` unit beside it.";
    CertificateInvalid = "PIN0905", Error,
        "certificate or key not usable",
        "The file holds no certificate or no private key, or the two do not belong together.",
        "Nothing is served; at a reload, the certificate of before stays.",
        "Give the PEM files that belong together, the certificate with its chain.";
    ImportMissing = "PIN0906", Error,
        "module missing",
        "The application imports a module that its Python does not have.",
        "Nothing is served; with `--reload`, it is tried again when a file changes.",
        "Install the package into that Python, or name another one with `--python`.";
    ApplicationFails = "PIN0907", Error,
        "application does not load",
        "The application raised an exception while it was loaded, ended its process, or has no callable of that name; the traceback stands above.",
        "Nothing is served; with `--reload`, it is tried again when a file changes.",
        "Mend what the traceback names.";
    PidFileHeld = "PIN0908", Error,
        "pid file is another's",
        "The process that the pid file names is alive.",
        "Nothing is served.",
        "End that process, or choose another pid file.";
    LibraryMissing = "PIN0909", Error,
        "Pinion's files not found",
        "The worker core is not in `../lib/pinion` beside the `pinion` program, and could not be built there.",
        "Nothing is served.",
        "Install the whole tree that `cargo xtask dist` stages, or run it by `cargo run --release -- serve`.";
    ReloadRefused = "PIN0910", Error,
        "reload refused",
        "SIGHUP asked for a reload, and the options, the certificate or the project are not in order; the message before it names what.",
        "All goes on as before.",
        "Mend what the message names, and send SIGHUP again.";
    StartNeeded = "PIN0911", Warning,
        "change needs a new start",
        "SIGHUP asked for a reload, and an option has changed that is only looked at when the server starts.",
        "That option stays as it was; the rest is taken over.",
        "Restart `pinion serve`.";
    OptionWithoutEffect = "PIN0912", Warning,
        "option without effect",
        "An option was given that does nothing together with the others, or that Apache cannot be told.",
        "It is left out.",
        "Leave it out, or change the others as the message says.";
    ServerFailed = "PIN0913", Error,
        "server cannot go on",
        "The system refuses what the server needs, such as descriptors or memory.",
        "The server ends.",
        "Look at the system's limits, as the message says.";
    SetupFailed = "PIN0914", Error,
        "project cannot be set up",
        "A command that makes the project's virtualenv, installs into it, or is named by `--setup-command`, failed; its words stand above.",
        "Nothing is served; the next start tries again.",
        "Mend what the command says.";
    FewFiles = "PIN0915", Warning,
        "too few open files for limit-connections",
        "A worker may open fewer files than `limit-connections` asks for, with some left for the application.",
        "It takes as many connections as the message says; others wait in the socket's queue.",
        "Raise the hard limit of open files (`ulimit -Hn`; `LimitNOFILE=` of a systemd unit), or lower `limit-connections`.";
    ConnectionsWait = "PIN0916", Warning,
        "connections wait for others to end",
        "As many connections are open as `limit-connections` or the limit of open files allows, or the application has opened all files that it may.",
        "New connections wait in the socket's queue, and are taken when others end; it is said again after a minute at the earliest.",
        "Raise `limit-connections`, or the limit of open files (`ulimit -n`); lower `idle-timeout`; look for files that the application does not close.";
    TimeRounded = "PIN0917", Warning,
        "time rounded up for Apache",
        "With `--apache`, a time with a fraction of a second was given that Apache takes in whole seconds.",
        "The next whole second holds.",
        "Give whole seconds, or serve without `--apache`.";
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn every_code_finds_its_own_entry_and_no_id_is_used_twice() {
        let mut seen = HashSet::new();
        for entry in REGISTRY {
            assert_eq!(entry.code.entry().id, entry.id);
            assert!(seen.insert(entry.id), "{} twice", entry.id);
            let (prefix, digits) = entry.id.split_at(entry.id.len() - 4);
            assert!(prefix == "PIN" || prefix == "WSGI", "{}", entry.id);
            assert!(digits.bytes().all(|b| b.is_ascii_digit()), "{}", entry.id);
        }
    }

    #[test]
    fn every_entry_says_everything() {
        for entry in REGISTRY {
            for text in [entry.cause, entry.outcome, entry.action] {
                assert!(text.ends_with('.'), "{}: {text}", entry.id);
            }
            assert!(!entry.title.ends_with('.'), "{}", entry.id);
        }
    }
}
