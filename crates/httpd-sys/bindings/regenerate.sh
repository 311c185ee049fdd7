#!/bin/sh
# Writes ../src/bindings.rs anew from the installed headers.
#
#   apt-get install apache2-dev libclang-dev && cargo install bindgen-cli
#   sh crates/httpd-sys/bindings/regenerate.sh
#
# Extend the lists below with what a wrapper needs, never with more: each item is one that the
# layout test has to answer for. The result is the same for x86_64 and aarch64 Linux, which share
# sizes and alignments (LP64); tests/layout.rs compares it with the headers where it runs.
set -eu
cd "$(dirname "$0")"

functions='ap_hook_(access_checker|check_config|child_init|fixups|handler|monitor|open_logs|post_config|pre_config|translate_name|type_checker|map_to_storage|test_config|log_transaction)
ap_log_(error|rerror|cerror)_
ap_get_(request|server)_module_loglevel
ap_add_(common_vars|cgi_vars)
ap_(get_brigade|pass_brigade)
ap_(setup_client_block|map_http_request_error)
ap_set_(content_type|content_length)
ap_get_(server_built|server_description|server_name|server_revision|server_port|limit_req_body|conn_socket)
ap_run_(generate_log_id|http_scheme)
ap_(register_auth_provider|get_useragent_host|some_auth_required|satisfies)
ap_show_mpm
ap_(discard_request_body|internal_redirect|is_initial_req|allow_options)
ap_(regcomp|regfree|regexec|regerror|pregsub)
ap_(server_root_relative|state_query|mpm_query|exists_config_define)
ap_bucket_error_create
apr_dynamic_fn_retrieve
apr_strerror
apr_pstrmemdup
apr_pool_cleanup_(register|null)
apr_table_(make|get|setn|addn|unset|elts)
apr_brigade_(create|destroy|cleanup|insert_file)
apr_bucket_(eos|flush|heap|transient)_create
apr_bucket_file_enable_mmap
apr_os_(file_get|file_put|sock_get)
apr_socket_timeout_(get|set)
apr_proc_other_child_(register|unregister)'

variables='MODULE_MAGIC_(COOKIE|NUMBER_MAJOR|NUMBER_MINOR)
OR_.*|RSRC_CONF|ACCESS_CONF|EXEC_ON_READ|GLOBAL_ONLY|NOT_IN_.*
APLOG_(EMERG|ALERT|CRIT|ERR|WARNING|NOTICE|INFO|DEBUG|TRACE[1-8]|STARTUP|NOERRNO|TOCLIENT|LEVELMASK|NO_MODULE)
HTTP_[A-Z_]+|OK|DECLINED|DONE|SUSPENDED|M_[A-Z]+|AP_METHOD_BIT
AP_(NOBODY_WROTE|NOBODY_READ|FILTER_ERROR|SQ_.*|MPMQ_.*|MPM_.*|REQ_.*|MAX_REG_MATCH|REG_.*|FTYPE.*|DEFAULT_LIMIT_REQ_BODY|LIMIT_UNSET|REQ_ACCEPT_PATH_INFO|REQ_DEFAULT_PATH_INFO|REQ_REJECT_PATH_INFO)
OPT_(NONE|INDEXES|INCLUDES|SYM_LINKS|EXECCGI|UNSET|ALL)
REQUEST_(NO_BODY|CHUNKED_ERROR|CHUNKED_DECHUNK)
APR_HOOK_(REALLY_FIRST|FIRST|MIDDLE|LAST|REALLY_LAST)
APR_(SUCCESS|OS_START_STATUS|EOF|EGENERAL|TIMEUP|INCOMPLETE|EINIT|OS_START_ERROR)
APR_OC_REASON_.*|APR_(READ|WRITE|CREATE|APPEND|FOPEN_.*|FPROT_.*)
APR_(BUCKET_BUFF_SIZE|NONBLOCK_READ|BLOCK_READ)
ap_server_conf|ap_unixd_config
AUTH[NZ]_PROVIDER_(GROUP|VERSION)|AP_AUTH_INTERNAL_PER_(URI|CONF)|SATISFY_ANY|REMOTE_HOST
apr_bucket_type_eos'

types='authn_(provider|status)|authz_(provider|status)
module|command_rec|cmd_parms|cmd_func|cmd_how|ap_directive_t
request_rec|server_rec|conn_rec|process_rec|server_addr_rec|ap_conf_vector_t
apr_bucket|apr_bucket_brigade|apr_bucket_type_t|apr_table_t|apr_table_entry_t|apr_array_header_t
ap_filter_t|ap_filter_rec_t|ap_input_mode_t|apr_read_type_e|ap_filter_type
apr_finfo_t|apr_filetype_e|apr_exit_why_e|apr_wait_t|apr_proc_t|apr_os_file_t
ap_regex_t|ap_regmatch_t|ap_version_t|unixd_config_rec|apr_pool_t|apr_status_t'

join() { printf '%s' "$1" | tr '\n' '|'; }

bindgen wrapper.h --output ../src/bindings.rs \
    --allowlist-function "$(join "$functions")" \
    --allowlist-var "$(join "$variables")" \
    --allowlist-type "$(join "$types")" \
    --raw-line '// Written by bindings/regenerate.sh; not to be edited.' \
    --default-macro-constant-type signed \
    --blocklist-type 'apr_sockaddr_t|hostent' \
    --raw-line 'pub use crate::macros::apr_sockaddr_t;' \
    --raw-line 'pub type hostent = ::core::ffi::c_void;' \
    --no-prepend-enum-name --no-doc-comments --no-layout-tests --use-core --merge-extern-blocks --sort-semantically \
    --rust-edition 2024 --rust-target 1.88 \
    -- $(apr-1-config --cppflags --includes) -I"$(apxs -q INCLUDEDIR)"
# The crate's own allow (in lib.rs) covers these and gives its reason.
sed -i '/#\[allow(unnecessary_transmutes)\]/d' ../src/bindings.rs
rustfmt --edition 2024 ../src/bindings.rs
