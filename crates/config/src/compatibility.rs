//! What becomes of each of mod_wsgi 6.1's directives and daemon options, and which case shows it.
//!
//! `cargo xtask generate` makes `docs/compatibility.md` from these tables and fails where a row has no
//! case, or names one that is not there. The names are complete: a directive that enters
//! [`crate::directives::DIRECTIVES`] needs its answer here.

use Answer::{Differently, Honoured, Refused};

/// One directive or option of the original.
#[derive(Debug)]
pub struct Row {
    /// Its name, as the original writes it.
    pub name: &'static str,
    /// What Pinion does with it.
    pub answer: Answer,
    /// The compatibility cases that show it, as `area::case`.
    pub cases: &'static [&'static str],
}

/// What Pinion does with a directive or an option.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// What mod_wsgi documents.
    Honoured,
    /// It takes effect in another way; says how, lower case, no full stop.
    Differently(&'static str),
    /// A message at configtest refuses it; says why, lower case, no full stop.
    Refused(&'static str),
}

impl Answer {
    /// The word for it in the reference.
    pub fn as_str(self) -> &'static str {
        match self {
            Honoured => "honoured",
            Differently(_) => "honoured differently",
            Refused(_) => "refused",
        }
    }

    /// How, or why not; empty where there is nothing to say.
    pub fn explanation(self) -> &'static str {
        match self {
            Differently(text) | Refused(text) => text,
            Honoured => "",
        }
    }
}

const fn row(name: &'static str, answer: Answer, cases: &'static [&'static str]) -> Row {
    Row { name, answer, cases }
}

/// The 49 directives.
pub const DIRECTIVES: &[Row] = &[
    row(
        "<WSGIInterpreterOptions>",
        Honoured,
        &[
            "settings::interpreter_options_python_path",
            "settings::interpreter_options_restrict",
            "settings_refused::interpreter_options",
        ],
    ),
    row(
        "WSGIAcceptMutex",
        Differently("workers share no listening socket, so there is no lock to choose"),
        &["accepted::nothing_changes", "accepted::wrong_values"],
    ),
    row(
        "WSGIAccessScript",
        Differently("it runs in a worker of the implicit process group, not inside Apache"),
        &[
            "access_host::true_lets_in",
            "access_host::false_is_403",
            "access_host::failures_are_403",
        ],
    ),
    row(
        "WSGIApplicationGroup",
        Honoured,
        &[
            "groups::default_application_group_is_host_and_mount",
            "groups::global_application_group_is_empty",
            "groups::named_application_group",
        ],
    ),
    row(
        "WSGIAuthGroupScript",
        Differently("it runs in a worker of the implicit process group, not inside Apache"),
        &["access_groups::member_gets_in", "access_groups::failures_deny"],
    ),
    row(
        "WSGIAuthUserScript",
        Differently("it runs in a worker of the implicit process group, not inside Apache"),
        &["access_users::right_password", "access_users::digest", "access_users::failures_are_500"],
    ),
    row("WSGICallableObject", Honoured, &["mounts::callable_object_directive"]),
    row(
        "WSGICaseSensitivity",
        Honoured,
        &["case_sensitivity::on_tells_paths_apart", "case_sensitivity::off_takes_them_for_one"],
    ),
    row(
        "WSGIChunkedRequest",
        Honoured,
        &["input_daemon::chunked_with_directive", "input_daemon::chunked_without_directive_is_411"],
    ),
    row(
        "WSGIDaemonProcess",
        Honoured,
        &[
            "daemon::default_flags",
            "daemon::default_is_one_process_of_15_threads",
            "groups_refused::unknown_daemon_option",
        ],
    ),
    row(
        "WSGIDestroyInterpreter",
        Honoured,
        &["settings_alone::stop_without_destroying", "settings_refused::flags"],
    ),
    row(
        "WSGIDispatchScript",
        Honoured,
        &[
            "route_dispatch::process_group",
            "route_dispatch::application_group",
            "route_dispatch::callable_object",
            "route_dispatch_alone::a_changed_script_is_reloaded",
        ],
    ),
    row(
        "WSGIDontWriteBytecode",
        Honoured,
        &[
            "settings::dont_write_bytecode",
            "settings_alone::bytecode_default_leaves_pyc",
            "settings_alone::bytecode_off_leaves_none",
        ],
    ),
    row(
        "WSGIEnableSendfile",
        Differently(
            "the worker hands the open file to Apache in any case; Apache's own `EnableSendfile` decides how it is sent",
        ),
        &["accepted::nothing_changes", "accepted::wrong_values", "file_wrapper_daemon::large_file"],
    ),
    row(
        "WSGIErrorOverride",
        Honoured,
        &[
            "directives::error_override_replaces_error_pages",
            "directives::error_override_leaves_success_alone",
        ],
    ),
    row(
        "WSGIFreeThreading",
        Differently(
            "configtest refuses it for a Python that was built with a GIL, and applications run with one all the same",
        ),
        &[
            "settings_alone::free_threading_is_refused",
            "settings_alone::free_threading_is_of_processes",
            "free_threading::no_gil_where_it_is_on",
            "settings_refused::flags",
        ],
    ),
    row(
        "WSGIGroupAuthoritative",
        Differently("as by mod_wsgi with Apache 2.4: nothing follows from it"),
        &["access_groups::authoritative_changes_nothing"],
    ),
    row(
        "WSGIHandlerScript",
        Honoured,
        &[
            "handler_script::add_handler_runs_the_script",
            "handler_script::set_handler_with_options",
            "handler_script::missing_or_broken_script_is_500",
        ],
    ),
    row(
        "WSGIIgnoreActivity",
        Honoured,
        &["ignore_activity::ignored_requests_let_a_process_be_inactive"],
    ),
    row(
        "WSGIImportScript",
        Honoured,
        &["groups::import_script_before_any_request", "groups_refused::import_script_needs_groups"],
    ),
    row(
        "WSGIMapHEADToGET",
        Honoured,
        &["directives::map_head_to_get_on", "directives::map_head_to_get_auto_with_a_filter"],
    ),
    row(
        "WSGIPassApacheRequest",
        Refused(
            "applications run outside of Apache, where there is no `request_rec` to pass; `Off` is accepted",
        ),
        &["settings_refused::apache_request", "settings_refused::flags"],
    ),
    row(
        "WSGIPassAuthorization",
        Honoured,
        &[
            "environ_daemon::authorization_passes_with_directive",
            "environ_daemon::authorization_is_withheld",
        ],
    ),
    row(
        "WSGIPerInterpreterGIL",
        Differently("each application group is a process, and has a GIL of its own in any case"),
        &["settings::per_interpreter_gil_is_accepted", "settings_refused::flags"],
    ),
    row(
        "WSGIProcessGroup",
        Honoured,
        &["groups::process_group_by_directive", "groups::process_group_from_environment"],
    ),
    row("WSGIPythonEggs", Honoured, &["embedded::python_path_and_eggs"]),
    row("WSGIPythonHashSeed", Honoured, &["settings::hash_seed", "settings_refused::hash_seed"]),
    row("WSGIPythonHome", Honoured, &["embedded::python_home"]),
    row("WSGIPythonOptimize", Honoured, &["settings::optimize", "settings_refused::optimize"]),
    row("WSGIPythonPath", Honoured, &["embedded::python_path_and_eggs"]),
    row(
        "WSGIPythonWarnings",
        Honoured,
        &["settings::warnings_are_options", "settings::warnings_as_errors_raise"],
    ),
    row("WSGIRestrictEmbedded", Honoured, &["embedded::restrict_embedded_refuses"]),
    row(
        "WSGIRestrictProcess",
        Honoured,
        &["restrict_process::listed_groups_only", "restrict_process::inner_list_replaces"],
    ),
    row(
        "WSGIRestrictSignal",
        Honoured,
        &[
            "settings_default::signals_are_restricted",
            "settings_alone::signal_restriction_can_be_lifted",
        ],
    ),
    row("WSGIRestrictStdin", Honoured, &["output_restricted::restricted_stdin_raises"]),
    row("WSGIRestrictStdout", Honoured, &["output_restricted::restricted_stdout_raises"]),
    row(
        "WSGIScriptAlias",
        Honoured,
        &["mounts::root_mount", "mounts::sub_path", "mounts::directory_alias"],
    ),
    row(
        "WSGIScriptAliasMatch",
        Honoured,
        &["mounts::alias_match_with_capture", "mounts::alias_match_fixed_script"],
    ),
    row(
        "WSGIScriptReloading",
        Honoured,
        &[
            "reload_daemon::changed_script_is_loaded_again",
            "reload_daemon::reloading_off_keeps_the_script",
            "reload_daemon::reload_required_loads_anew",
        ],
    ),
    row(
        "WSGIServerMetrics",
        Honoured,
        &[
            "scoreboard_embedded::children_and_their_requests",
            "scoreboard_off::embedded_is_told_nothing",
        ],
    ),
    row(
        "WSGISlowRequests",
        Honoured,
        &["telemetry::slow_requests_are_told", "telemetry_refused::slow_requests"],
    ),
    row(
        "WSGISocketPrefix",
        Differently(
            "there are no socket files: Apache and the workers share inherited descriptors",
        ),
        &["groups_refused::server_only_directives_in_a_host"],
    ),
    row(
        "WSGISocketRotation",
        Differently(
            "there are no socket files: connections outlive graceful restarts whatever it says",
        ),
        &["accepted::nothing_changes", "accepted::wrong_values"],
    ),
    row(
        "WSGISwitchInterval",
        Honoured,
        &[
            "settings::switch_interval_embedded",
            "settings::switch_interval_is_for_groups_without_the_option",
            "settings_refused::switch_interval",
        ],
    ),
    row(
        "WSGITelemetryOptions",
        Honoured,
        &["telemetry::user_agent_is_told_when_asked", "telemetry_refused::options"],
    ),
    row(
        "WSGITelemetryService",
        Honoured,
        &[
            "telemetry::receiver_shows_the_workers",
            "telemetry::requests_are_counted",
            "telemetry_refused::service",
        ],
    ),
    row(
        "WSGITrustedProxies",
        Honoured,
        &[
            "proxies_daemon::chain_ends_at_the_first_unknown",
            "proxies_daemon::untrusted_peer_changes_nothing",
            "proxies_refused::networks_in_all_forms_are_taken",
        ],
    ),
    row(
        "WSGITrustedProxyHeaders",
        Differently("a header that is not in mod_wsgi's list is refused instead of ignored"),
        &[
            "proxies_daemon::all_at_once",
            "proxies_daemon::other_headers_of_the_family_are_hidden",
            "proxies_refused::unknown_header_is_refused",
        ],
    ),
    row(
        "WSGIVerboseDebugging",
        Differently("`LogLevel wsgi:debug` alone decides what is logged"),
        &["accepted::nothing_changes", "accepted::wrong_values"],
    ),
];

/// The 44 options of `WSGIDaemonProcess`.
pub const OPTIONS: &[Row] = &[
    row(
        "processes",
        Honoured,
        &["daemon::processes", "daemon::processes_1_is_multiprocess_all_the_same"],
    ),
    row(
        "threads",
        Honoured,
        &[
            "daemon::default_is_one_process_of_15_threads",
            "daemon::threads_1_is_no_multithread",
            "service::script_runs_in_the_main_thread",
        ],
    ),
    row("display-name", Honoured, &["daemon::display_name", "daemon::display_name_of_the_group"]),
    row("home", Honoured, &["daemon::home_is_folder_and_path"]),
    row("user", Honoured, &["daemon::user_and_group"]),
    row("group", Honoured, &["daemon::user_and_group"]),
    row("supplementary-groups", Honoured, &["daemon::supplementary_groups"]),
    row("umask", Honoured, &["daemon::umask"]),
    row("lang", Honoured, &["daemon::lang_and_locale"]),
    row("locale", Honoured, &["daemon::lang_and_locale"]),
    row(
        "chroot",
        Differently(
            "the interpreter is started inside, so it and Pinion's library must be there under the same paths",
        ),
        &[
            "chroot::processes_see_the_folder_as_their_root",
            "chroot::script_outside_is_refused",
            "chroot_refused::what_the_folder_lacks_is_named",
        ],
    ),
    row(
        "script-user",
        Honoured,
        &[
            "limits::script_user_must_own_the_script",
            "limits_refused::script_user_and_script_group",
        ],
    ),
    row("script-group", Honoured, &["limits::script_group_must_be_that_of_the_script"]),
    row(
        "python-home",
        Honoured,
        &["daemon::python_home_is_a_virtualenv", "daemon::python_home_is_an_executable"],
    ),
    row("python-path", Honoured, &["daemon::python_path_comes_first_with_pth"]),
    row("python-eggs", Honoured, &["daemon::python_eggs"]),
    row(
        "switch-interval",
        Honoured,
        &["settings::switch_interval_of_a_daemon", "settings_refused::switch_interval"],
    ),
    row("restart-interval", Honoured, &["daemon_limits::restart_interval_replaces_the_process"]),
    row("maximum-requests", Honoured, &["daemon_limits::maximum_requests_replaces_the_process"]),
    row("inactivity-timeout", Honoured, &["limits::inactivity_timeout_starts_the_process_anew"]),
    row(
        "request-timeout",
        Differently(
            "the client gets 504 at the deadline, and the worker is replaced before it is ended",
        ),
        &[
            "daemon_limits::request_timeout_ends_a_hung_request",
            "daemon_limits::request_timeout_is_504_in_time",
        ],
    ),
    row(
        "interrupt-timeout",
        Honoured,
        &[
            "limits_interrupt::interrupt_timeout_ends_the_request_alone",
            "limits_interrupt::interrupt_timeout_may_be_caught_and_raised_again",
            "limits_interrupt::interrupt_timeout_leaves_siblings_alone",
            "limits_interrupt::interrupt_timeout_that_is_ignored_replaces_the_process",
        ],
    ),
    row("deadlock-timeout", Honoured, &["limits::deadlock_timeout_replaces_the_process"]),
    row(
        "startup-timeout",
        Honoured,
        &["deadlines::startup_timeout_replaces_a_process_that_hangs_in_its_script"],
    ),
    row(
        "graceful-timeout",
        Honoured,
        &["deadlines::graceful_timeout_ends_a_process_that_does_not_finish"],
    ),
    row("eviction-timeout", Honoured, &["limits_signals::usr1_drains_and_replaces"]),
    row(
        "shutdown-timeout",
        Honoured,
        &["lifecycle::stop_with_a_hung_request_obeys_shutdown_timeout"],
    ),
    row("connect-timeout", Honoured, &["neighbours::full_backlog_is_503_after_connect_timeout"]),
    row("socket-timeout", Honoured, &["stalling_daemon::stalled_body_is_408"]),
    row("queue-timeout", Honoured, &["daemon_limits::queue_timeout_is_504"]),
    row("listen-backlog", Honoured, &["neighbours::full_backlog_is_503_after_connect_timeout"]),
    row(
        "socket-user",
        Differently("there is no socket file whose owner would matter; the user must exist"),
        &["limits::socket_user_can_be_given", "limits_refused::unknown_accounts"],
    ),
    row("cpu-time-limit", Honoured, &["limits::cpu_time_limit_replaces_the_process"]),
    row("cpu-priority", Honoured, &["limits::cpu_priority_is_the_nice_value"]),
    row("memory-limit", Honoured, &["limits::memory_limit_is_rlimit_data"]),
    row(
        "virtual-memory-limit",
        Differently(
            "it takes effect on Linux too, as the limit of the address space (`RLIMIT_AS`)",
        ),
        &["limits::virtual_memory_limit_is_accepted", "limits::virtual_memory_limit_is_rlimit_as"],
    ),
    row("stack-size", Honoured, &["limits::stack_size_is_that_of_the_threads"]),
    row(
        "receive-buffer-size",
        Differently("a buffer never becomes smaller than the system's own"),
        &[
            "neighbours::buffer_sizes_are_those_of_sockets",
            "limits::socket_buffers_carry_bodies_both_ways",
        ],
    ),
    row(
        "send-buffer-size",
        Differently("a buffer never becomes smaller than the system's own"),
        &[
            "neighbours::buffer_sizes_are_those_of_sockets",
            "limits::socket_buffers_carry_bodies_both_ways",
        ],
    ),
    row(
        "header-buffer-size",
        Honoured,
        &["limits::header_buffer_size_is_32768", "limits::header_buffer_size_can_be_raised"],
    ),
    row(
        "response-buffer-size",
        Differently("Apache's own filters bound what is kept of an answer (`FlushMaxThreshold`)"),
        &[
            "limits::response_options_are_accepted",
            "limits::response_buffer_size_keeps_nothing_back",
        ],
    ),
    row(
        "response-socket-timeout",
        Honoured,
        &["limits::stalled_reader_costs_response_socket_timeout"],
    ),
    row(
        "response-flush-delay",
        Differently("what an application yields is on its way at once"),
        &["limits::response_options_are_accepted"],
    ),
    row(
        "server-metrics",
        Honoured,
        &[
            "scoreboard_daemon::children_and_their_requests",
            "scoreboard_daemon::the_directive_is_not_for_daemons",
        ],
    ),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::directives;
    use crate::options::{self, Origin};

    /// Rows without an answer, and what the parser's table takes of the original without being in a row.
    fn differ(rows: &[Row], taken: &[String]) -> Vec<String> {
        let answered = |name: &str| rows.iter().any(|row| row.name == name);
        let unanswered = taken.iter().filter(|name| !answered(name)).cloned();
        let names = rows.iter().map(|row| row.name.to_owned());
        unanswered.chain(names.filter(|name| !taken.contains(name))).collect()
    }

    #[test]
    fn what_is_taken_has_an_answer_and_the_other_way_round() {
        let original = |origin| origin == Origin::ModWsgi;
        let taken: Vec<_> = directives::DIRECTIVES
            .iter()
            .filter(|directive| original(directive.origin))
            .map(directives::Directive::title)
            .collect();
        assert_eq!(differ(DIRECTIVES, &taken), Vec::<String>::new());
        let taken: Vec<_> = options::OPTIONS
            .iter()
            .filter(|option| original(option.origin))
            .map(|option| option.name.to_owned())
            .collect();
        assert_eq!(differ(OPTIONS, &taken), Vec::<String>::new());
    }

    #[test]
    fn every_name_of_the_original_is_there_once() {
        for (rows, count) in [(DIRECTIVES, 49), (OPTIONS, 44)] {
            let names: std::collections::HashSet<_> = rows.iter().map(|row| row.name).collect();
            assert_eq!((rows.len(), names.len()), (count, count));
        }
    }

    #[test]
    fn an_answer_other_than_honoured_is_explained() {
        for row in DIRECTIVES.iter().chain(OPTIONS) {
            let explained = !row.answer.explanation().is_empty();
            assert_eq!(explained, row.answer != Honoured, "{}", row.name);
            assert!(!row.answer.explanation().ends_with('.'), "{}", row.name);
            assert!(!row.cases.is_empty(), "{}", row.name);
        }
    }
}
