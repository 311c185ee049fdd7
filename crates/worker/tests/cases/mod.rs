//! The cases; each is run with each Python.

use std::path::Path;

mod access_log;
mod again;
mod answers;
mod areas;
mod bodies;
mod calls;
mod door;
mod h2;
mod hostile;
mod hostile_bytes;
mod hostile_flow;
mod hostile_h2;
mod hostile_hyper;
mod hostile_life;
mod hostile_limits;
mod hostile_pace;
mod hostile_ways;
mod http;
mod https;
mod lead;
mod life;
mod lying;
mod near;
mod output;
mod reload;

/// A case: it is given an interpreter.
pub(crate) type Case = fn(&Path);

/// All cases, by name.
pub(crate) const ALL: &[(&str, Case)] = &[
    ("hello", answers::hello),
    ("environ", answers::environ),
    ("process", answers::process),
    ("lock", answers::lock),
    ("many_at_once", answers::many_at_once),
    ("start_response_errors", answers::start_response_errors),
    ("blocks", answers::blocks),
    ("replaced_and_reraised_heads", answers::heads),
    ("content_length", answers::content_length),
    ("files", answers::files),
    ("exceptions", answers::exceptions),
    ("closing", answers::closing),
    ("after_the_request", answers::after_the_request),
    ("profiler_forks_and_signals", answers::profiler_forks_and_signals),
    ("answers_by_shared_memory", areas::answers),
    ("answers_by_shared_memory_without_room", areas::without_room),
    ("slots_lost_to_front_doors_that_die", areas::lost),
    ("bodies_by_shared_memory", areas::bodies),
    ("bodies_by_shared_memory_that_fail", areas::failing_bodies),
    ("death_of_a_worker_that_shares_memory", areas::death),
    ("blocks_that_stay_in_shared_memory", again::answers),
    ("more_blocks_that_stay_than_there_is_room_for", again::many),
    ("blocks_that_stay_are_let_go_of", again::let_go),
    ("blocks_that_stay_where_connections_are_idle", again::idle),
    ("blocks_that_stay_for_nobody", again::nobody),
    ("blocks_that_stay_in_memory_that_is_replaced", again::replaced),
    ("inline_bodies", bodies::inline),
    ("bodies_in_pieces", bodies::pieces),
    ("long_bodies", bodies::long),
    ("chunked_bodies", bodies::chunked),
    ("bodies_that_fail", bodies::failing),
    ("bodies_that_nobody_reads", bodies::unread),
    ("bodies_that_are_read_beyond_the_end", bodies::read_beyond_the_end),
    ("frames_cut_and_garbled", bodies::garbled),
    ("calls_return_values", calls::values),
    ("calls_that_fail", calls::failures),
    ("http_hello", http::hello),
    ("http_environ", http::environ),
    ("http_environs_in_a_row", http::environs_in_a_row),
    ("http_bodies", http::bodies),
    ("http_bodies_that_nobody_reads", http::unread_bodies),
    ("http_bodies_that_lie_in_their_sockets", lying::whole),
    ("http_bodies_that_come_slowly", lying::slow),
    ("http_bodies_that_drip", lying::dripping),
    ("http_bodies_that_are_here_and_nobody_reads", lying::unread),
    ("http_bodies_that_end_early", lying::ended),
    ("http_many_bodies_at_once", lying::many),
    ("http_continuation", http::continuation),
    ("http_answers", http::answers),
    ("http_answers_that_are_not_whole", http::truncated_answers),
    ("http_pipelining", http::pipelining),
    ("http_refusals", http::refusals),
    ("http_slow_clients", http::slow_clients),
    ("http_one_thread", http::one_thread),
    ("http_drain", http::drain),
    ("http_watched_files", http::watched_files),
    ("http_files", door::files),
    ("http_files_that_the_client_has", door::conditions),
    ("http_parts_of_files", door::parts),
    ("http_compressed_copies", door::copies),
    ("http_paths_that_lead_elsewhere", door::elsewhere),
    ("http_folders_made_anew", door::made_anew),
    ("http_files_beside_the_application", door::beside),
    ("http_many_files_at_once", door::many),
    ("http_files_for_slow_clients", door::slow),
    ("https_files", door::files_by_tls),
    ("http_health", door::health),
    ("http_leaving", door::leaving),
    ("http_proxies", door::proxies),
    ("http_access_log", access_log::formats),
    ("http_access_log_of_hostile_clients", access_log::hostile_clients),
    ("http_access_log_that_nobody_reads", access_log::unread_log),
    ("http_access_log_of_clients_that_have_gone", access_log::gone_clients),
    ("https_hello", https::hello),
    ("https_bodies", https::bodies),
    ("https_pipelining", https::pipelining),
    ("https_answers_that_are_not_whole", https::truncated_answers),
    ("https_slow_readers", https::slow_readers),
    ("https_clients_that_speak_no_tls", https::no_tls),
    ("https_clients_that_stall_or_vanish", https::stalled),
    ("https_bad_pairs", https::bad_pairs),
    ("https_drain", https::drain),
    (
        "hostile_a_long_pipeline_is_served_to_its_end",
        hostile_flow::a_long_pipeline_is_served_to_its_end,
    ),
    (
        "hostile_a_pipeline_keeps_nobody_from_being_served",
        hostile_flow::a_pipeline_keeps_nobody_from_being_served,
    ),
    (
        "hostile_a_pipeline_without_a_gap_takes_no_memory",
        hostile_flow::a_pipeline_without_a_gap_takes_no_memory,
    ),
    (
        "hostile_who_does_not_read_is_not_served_on",
        hostile_flow::who_does_not_read_is_not_served_on,
    ),
    (
        "hostile_who_does_not_read_gets_no_time_by_sending",
        hostile_flow::who_does_not_read_gets_no_time_by_sending,
    ),
    (
        "hostile_what_was_yielded_is_sent_when_there_is_room",
        hostile_flow::what_was_yielded_is_sent_when_there_is_room,
    ),
    (
        "hostile_the_end_comes_right_behind_a_long_answer",
        hostile_flow::the_end_comes_right_behind_a_long_answer,
    ),
    (
        "hostile_half_closed_clients_get_their_answers",
        hostile_flow::half_closed_clients_get_their_answers,
    ),
    (
        "hostile_nothing_continues_in_the_middle_of_an_answer",
        hostile_flow::nothing_continues_in_the_middle_of_an_answer,
    ),
    (
        "hostile_a_file_behind_other_output_is_framed",
        hostile_flow::a_file_behind_other_output_is_framed,
    ),
    ("hostile_late_readers_get_nothing", hostile_flow::late_readers_get_nothing),
    (
        "hostile_who_waits_for_a_thread_is_not_too_slow",
        hostile_flow::who_waits_for_a_thread_is_not_too_slow,
    ),
    ("hostile_endless_bodies_end", hostile_flow::endless_bodies_end),
    ("hostile_nothing_is_smuggled", hostile_bytes::nothing_is_smuggled),
    ("hostile_what_is_served_is_what_was_asked", hostile_bytes::what_is_served_is_what_was_asked),
    ("hostile_what_is_too_long_is_refused", hostile_bytes::what_is_too_long_is_refused),
    ("hostile_pipelines_are_served_in_order", hostile_bytes::pipelines_are_served_in_order),
    (
        "hostile_expectations_are_met_in_every_order",
        hostile_bytes::expectations_are_met_in_every_order,
    ),
    ("hostile_slow_senders_are_ended", hostile_life::slow_senders_are_ended),
    ("hostile_resets_leave_nothing_behind", hostile_life::resets_leave_nothing_behind),
    ("hostile_stuck_requests_are_answered", hostile_life::stuck_requests_are_answered),
    ("hostile_kept_requests_keep_no_connections", hostile_life::kept_requests_keep_no_connections),
    ("hostile_children_hold_no_sockets", hostile_life::children_hold_no_sockets),
    (
        "hostile_ten_thousand_idle_connections_are_kept",
        hostile_limits::ten_thousand_idle_connections_are_kept,
    ),
    (
        "hostile_connections_beyond_the_limit_wait",
        hostile_limits::connections_beyond_the_limit_wait,
    ),
    ("hostile_without_descriptors_clients_wait", hostile_limits::without_descriptors_clients_wait),
    (
        "hostile_readers_that_only_stay_alive_are_ended",
        hostile_pace::readers_that_only_stay_alive_are_ended,
    ),
    (
        "hostile_readers_of_what_is_left_are_ended_too",
        hostile_pace::readers_of_what_is_left_are_ended_too,
    ),
    (
        "hostile_without_a_rate_slow_readers_get_all",
        hostile_pace::without_a_rate_slow_readers_get_all,
    ),
    (
        "hostile_senders_by_http2_that_only_stay_alive_are_ended",
        hostile_pace::senders_by_http2_that_only_stay_alive_are_ended,
    ),
    ("hostile_by_all_ways_nothing_is_smuggled", hostile_ways::nothing_is_smuggled),
    ("hostile_by_all_ways_slow_senders_are_ended", hostile_ways::slow_senders_are_ended),
    ("hostile_by_all_ways_resets_leave_nothing_behind", hostile_ways::resets_leave_nothing_behind),
    (
        "hostile_by_all_ways_half_closed_clients_get_their_answers",
        hostile_ways::half_closed_clients_get_their_answers,
    ),
    (
        "hostile_by_all_ways_expectations_are_met_however_requests_are_cut",
        hostile_ways::expectations_are_met_however_requests_are_cut,
    ),
    ("hostile_by_all_ways_nobody_gets_anothers_answer", hostile_ways::nobody_gets_anothers_answer),
    (
        "hostile_by_all_ways_idle_connections_cost_little",
        hostile_ways::idle_connections_cost_little,
    ),
    (
        "hostile_by_all_ways_without_descriptors_clients_wait",
        hostile_ways::without_descriptors_clients_wait,
    ),
    ("hostile_by_http2_what_is_no_http2_is_refused", hostile_h2::what_is_no_http2_is_refused),
    ("hostile_by_http2_frames_may_be_cut_anywhere", hostile_h2::frames_may_be_cut_anywhere),
    ("hostile_by_http2_floods_are_borne_or_ended", hostile_h2::floods_are_borne_or_ended),
    ("hostile_by_http2_long_heads_cost_no_memory", hostile_h2::long_heads_cost_no_memory),
    ("hostile_by_http2_windows_of_nothing_keep_nobody", hostile_h2::windows_of_nothing_keep_nobody),
    ("hostile_by_http2_slow_senders_are_ended", hostile_h2::slow_senders_are_ended),
    ("hostile_by_http2_resets_leave_nothing_behind", hostile_h2::resets_leave_nothing_behind),
    ("hostile_clients_see_the_same_as_elsewhere", hostile_hyper::clients_see_the_same_as_elsewhere),
    ("h2_hello", h2::hello),
    ("h2_bodies", h2::bodies),
    ("h2_streaming_both_ways", h2::streaming),
    ("h2_many_streams", h2::many_streams),
    ("h2_resets", h2::resets),
    ("h2_answers_that_are_not_whole", h2::truncated_answers),
    ("h2_slow_readers", h2::slow_readers),
    ("h2_refusals", h2::refusals),
    ("h2_slow_clients", h2::slow_clients),
    ("h2_requests_that_are_taken_back_are_logged", h2::taken_back),
    ("h2_drain", h2::drain),
    ("h2_forked_children", h2::forked_children),
    ("h2_announced_end", h2::announced_end),
    ("h2_files_health_proxies_and_the_access_log", h2::own_answers),
    ("logs", output::logs),
    ("logs_outside_of_requests", output::outside),
    ("restricted_streams", output::restricted),
    ("errors_begin_anew", output::errors_begin_anew),
    ("kept_errors_are_over", output::kept_errors_are_over),
    ("untouched_errors_serve_again", output::untouched_errors_serve_again),
    ("what_a_request_was_lent_serves_again", output::what_a_request_was_lent_serves_again),
    ("finalizers_leave_nothing_to_the_next_request", output::finalizers_leave_nothing),
    ("near_connections_are_watched_again", near::is_watched_again),
    ("near_requests_may_come_in_parts", near::parts_are_awaited),
    ("near_front_doors_may_go_away", near::ends_are_noticed),
    ("near_front_doors_keep_nobody_from_others", near::others_are_served),
    ("memory_is_kept_for_the_next_body", near::memory_is_kept),
    ("lead_requests_that_wait_keep_nobody_from_others", lead::requests_that_wait),
    ("lead_under_load_its_thread_waits_for_turns", lead::scheduling),
    ("lead_answers_leave_whatever_comes_behind_them", lead::answers_leave),
    ("lead_bodies_that_do_not_come_keep_nobody_from_others", lead::a_body_that_does_not_come),
    ("python_path", life::python_path),
    ("start_message_of_another_build", life::another_build),
    ("load_failure", life::load_failure),
    ("missing_callable", life::missing_callable),
    ("late_load_and_its_failure", life::late_load),
    ("scripts_that_want_to_be_loaded_anew", reload::wishes),
    ("warmup", life::warmup),
    ("concurrent_requests_and_the_status_page", life::concurrent),
    ("one_thread_many_connections", life::one_thread),
    ("expired_requests", life::expired),
    ("maximum_requests", life::maximum_requests),
    ("stop_while_busy", life::stop_while_busy),
    ("stop_while_loading", life::stop_while_loading),
    ("death_of_the_manager", life::manager_dies),
    ("death_of_the_manager_with_a_stubborn_request", life::manager_dies_stubborn),
    ("interrupted_requests", life::interrupted),
    ("stacks", life::stacks),
    ("stacks_of_running_threads", life::stacks_while_running),
    ("stacks_without_the_lock", life::stacks_without_the_lock),
    ("signals", life::signals),
    ("disconnect", life::disconnect),
    ("abandoned_in_the_queue", life::abandoned_in_the_queue),
];
