//! Compares the bindings with the headers of Apache and APR that are installed.
//!
//! A C program prints the size of every structure, the offset of every field and the value of
//! every constant that the wrappers use; the same names are evaluated in Rust.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::PathBuf;
use std::process::Command;

use libtest_mimic::{Arguments, Failed, Trial};
use pinion_httpd_sys::*;

/// What the bindings say: the C expression and its value.
#[derive(Default)]
struct Expectations(BTreeMap<String, i128>);

/// A name as C spells it: bindgen appends `_` to those that are Rust's keywords.
fn c_name(rust_name: &str) -> &str {
    rust_name.trim_end_matches('_')
}

macro_rules! structures {
    ($into:ident; $($structure:ident $fields:tt)*) => {$(
        $into.0.insert(
            concat!("sizeof(", stringify!($structure), ")").to_owned(),
            size_of::<$structure>() as i128,
        );
        offsets! { $into; $structure $fields }
    )*};
}

macro_rules! offsets {
    ($into:ident; $($structure:ident { $($field:ident),* $(,)? })*) => {$(
        let name = stringify!($structure);
        $(
            let field = c_name(stringify!($field));
            let offset = core::mem::offset_of!($structure, $field);
            $into.0.insert(format!("offsetof({name}, {field})"), offset as i128);
        )*
    )*};
}

macro_rules! constants {
    ($into:ident; $($constant:ident)*) => {
        $($into.0.insert(stringify!($constant).to_owned(), i128::from($constant));)*
    };
}

fn structures(into: &mut Expectations) {
    structures! { into;
        module {
            version, minor_version, module_index, name, dynamic_load_handle, next, magic,
            rewrite_args, create_dir_config, merge_dir_config, create_server_config,
            merge_server_config, cmds, register_hooks, flags,
        }
        command_rec { name, func, cmd_data, req_override, args_how, errmsg }
        cmd_parms {
            info, override_, override_opts, override_list, limited, limited_xmethods, xlimited,
            config_file, directive, pool, temp_pool, server, path, cmd, context, err_directive,
        }
        ap_directive_t {
            directive, args, next, first_child, parent, data, filename, line_num, last,
        }
        request_rec {
            pool, connection, server, next, prev, main, the_request, assbackwards, proxyreq,
            header_only, proto_num, protocol, hostname, request_time, status_line, status,
            method_number, method, allowed, sent_bodyct, bytes_sent, mtime, range, clength, chunked,
            read_body, read_chunked, expecting_100, remaining, read_length, headers_in,
            headers_out, err_headers_out, subprocess_env, notes, content_type, handler,
            content_encoding, user, ap_auth_type, unparsed_uri, uri, filename, canonical_filename,
            path_info, args, used_path_info, eos_sent, per_dir_config, request_config, log, log_id,
            output_filters, input_filters, proto_output_filters, proto_input_filters, no_cache,
            no_local_copy, finfo, useragent_addr, useragent_ip,
        }
        server_rec {
            process, next, error_fname, error_log, log, module_config, lookup_defaults,
            server_admin, server_hostname, addrs, timeout, keep_alive_timeout, port, is_virtual,
            names, wild_names, path, pathlen, server_scheme, defn_name, defn_line_number,
        }
        server_addr_rec { next, virthost, host_addr, host_port }
        conn_rec {
            pool, base_server, local_addr, client_addr, client_ip, local_ip, id, conn_config,
            notes, input_filters, output_filters, sbh, bucket_alloc, cs, data_in_input_filters,
            aborted, keepalive, keepalives, log, log_id,
        }
        process_rec { pool, pconf, short_name, argv, argc }
        apr_finfo_t { valid, protection, filetype, user, group, inode, device, size, mtime }
        apr_table_entry_t { key, val, key_checksum }
        apr_array_header_t { pool, elt_size, nelts, nalloc, elts }
        apr_bucket { link, type_, length, start, data, free, list }
        apr_bucket_type_t { name, num_func, is_metadata, destroy, read, setaside, split, copy }
        apr_bucket_brigade { p, list, bucket_alloc }
        apr_proc_t { pid, in_, out, err }
        ap_filter_t { frec, ctx, next, r, c }
        ap_filter_rec_t { name, filter_func, filter_init_func, next, ftype }
        ap_regex_t { re_pcre, re_nsub, re_erroffset }
        ap_version_t { major, minor, patch, add_string }
        ap_regmatch_t { rm_so, rm_eo }
        authn_provider { check_password, get_realm_hash }
        authz_provider { check_authorization, parse_require_line }
        unixd_config_rec { user_name, user_id, group_id, suexec_enabled, chroot_dir }
    }
}

/// Structures of which only the beginning is bound.
fn beginnings(into: &mut Expectations) {
    let port = core::mem::offset_of!(apr_sockaddr_t, port);
    into.0.insert("offsetof(apr_sockaddr_t, port)".to_owned(), port as i128);
    offsets! { into;
        global_score { server_limit, thread_limit, running_generation, restart_time }
        process_score { pid, generation, quiescing }
        worker_score {
            tid, thread_num, pid, generation, status, conn_count, conn_bytes, access_count,
            bytes_served, my_access_count, my_bytes_served, start_time, stop_time, last_used,
            times, client, request, vhost,
        }
    }
}

fn constants(into: &mut Expectations) {
    constants! { into;
        MODULE_MAGIC_NUMBER_MAJOR MODULE_MAGIC_COOKIE
        OK DECLINED DONE SUSPENDED AP_FILTER_ERROR AP_NOBODY_WROTE AP_NOBODY_READ
        OR_FILEINFO OR_LIMIT OR_OPTIONS OR_AUTHCFG OR_INDEXES OR_ALL ACCESS_CONF RSRC_CONF
        EXEC_ON_READ GLOBAL_ONLY NOT_IN_DIR_CONTEXT OPT_EXECCGI
        RAW_ARGS TAKE1 TAKE2 ITERATE ITERATE2 FLAG NO_ARGS TAKE12 TAKE3 TAKE23 TAKE123 TAKE13
        APLOG_EMERG APLOG_ALERT APLOG_CRIT APLOG_ERR APLOG_WARNING APLOG_NOTICE APLOG_INFO
        APLOG_DEBUG APLOG_TRACE1 APLOG_TRACE8 APLOG_STARTUP APLOG_NOERRNO APLOG_NO_MODULE
        APR_HOOK_REALLY_FIRST APR_HOOK_FIRST APR_HOOK_MIDDLE APR_HOOK_LAST APR_HOOK_REALLY_LAST
        APR_SUCCESS APR_EOF APR_EAGAIN APR_TIMEUP APR_EGENERAL APR_EINIT APR_INCOMPLETE
        APR_BLOCK_READ APR_NONBLOCK_READ AP_MODE_READBYTES
        APR_NOFILE APR_REG APR_DIR APR_LNK
        APR_OC_REASON_DEATH APR_OC_REASON_RESTART APR_OC_REASON_UNREGISTER APR_OC_REASON_LOST
        APR_FOPEN_NOCLEANUP APR_FOPEN_SENDFILE_ENABLED APR_FOPEN_LARGEFILE APR_FOPEN_READ
        AP_SQ_MAIN_STATE AP_SQ_RUN_MODE AP_SQ_CONFIG_GEN
        AP_SQ_MS_CREATE_PRE_CONFIG AP_SQ_MS_CREATE_CONFIG AP_SQ_MS_EXITING
        AP_SQ_RM_NORMAL AP_SQ_RM_CONFIG_TEST AP_SQ_RM_CONFIG_DUMP
        AP_MPMQ_IS_THREADED AP_MPMQ_MAX_THREADS AP_MPMQ_MAX_DAEMONS AP_MPMQ_HARD_LIMIT_DAEMONS
        AP_MPMQ_HARD_LIMIT_THREADS AP_MPMQ_NOT_SUPPORTED
        AP_REQ_ACCEPT_PATH_INFO AP_REQ_REJECT_PATH_INFO AP_REQ_DEFAULT_PATH_INFO
        AP_FTYPE_RESOURCE AP_FTYPE_CONTENT_SET AP_FTYPE_PROTOCOL AP_FTYPE_TRANSCODE
        M_GET M_POST M_PUT M_OPTIONS AP_REG_ICASE AP_REG_EXTENDED AP_MAX_REG_MATCH
        REQUEST_NO_BODY REQUEST_CHUNKED_ERROR REQUEST_CHUNKED_DECHUNK
        AUTH_DENIED AUTH_GRANTED AUTH_USER_FOUND AUTH_USER_NOT_FOUND AUTH_GENERAL_ERROR
        AUTHZ_DENIED AUTHZ_GRANTED AUTHZ_NEUTRAL AUTHZ_GENERAL_ERROR AUTHZ_DENIED_NO_USER
        AP_AUTH_INTERNAL_PER_URI AP_AUTH_INTERNAL_PER_CONF SATISFY_ANY REMOTE_HOST
        HTTP_OK HTTP_NOT_MODIFIED HTTP_FORBIDDEN HTTP_NOT_FOUND HTTP_INTERNAL_SERVER_ERROR
    }
}

/// Where the headers are: asked of apxs and apr-1-config, else Debian's places.
fn include_paths() -> Vec<PathBuf> {
    let ask = |program: &str, arguments: &[&str]| -> Option<String> {
        let output = Command::new(program).args(arguments).output().ok()?;
        let text = String::from_utf8(output.stdout).ok()?.trim().to_owned();
        (output.status.success() && !text.is_empty()).then_some(text)
    };
    let httpd = ask("apxs", &["-q", "INCLUDEDIR"]).or_else(|| ask("apxs2", &["-q", "INCLUDEDIR"]));
    let apr = ask("apr-1-config", &["--includedir"]);
    vec![
        httpd.unwrap_or_else(|| "/usr/include/apache2".to_owned()).into(),
        apr.unwrap_or_else(|| "/usr/include/apr-1.0".to_owned()).into(),
    ]
}

fn program(expectations: &Expectations) -> String {
    let mut text = include_str!("../bindings/wrapper.h").to_owned();
    text.push_str(
        "#include <errno.h>\n#include <stddef.h>\n#include <stdio.h>\nint main(void) {\n",
    );
    for expression in expectations.0.keys() {
        writeln!(text, "  printf(\"%s=%lld\\n\", \"{expression}\", (long long)({expression}));")
            .expect("a String takes all text");
    }
    text.push_str("  return 0;\n}\n");
    text
}

/// What the headers say, as the compiled program prints it.
fn ask_the_headers(expectations: &Expectations) -> Result<BTreeMap<String, i128>, Failed> {
    let folder = tempfile::tempdir()?;
    let source = folder.path().join("layout.c");
    let binary = folder.path().join("layout");
    std::fs::write(&source, program(expectations))?;
    let mut compiler = Command::new("cc");
    compiler.args(["-D_GNU_SOURCE", "-Werror=implicit-function-declaration", "-o"]);
    compiler.arg(&binary).arg(&source);
    for path in include_paths() {
        compiler.arg("-I").arg(path);
    }
    let compiled = compiler.output()?;
    if !compiled.status.success() {
        return Err(format!("cc: {}", String::from_utf8_lossy(&compiled.stderr)).into());
    }
    let printed = String::from_utf8(Command::new(&binary).output()?.stdout)?;
    let values = printed.lines().filter_map(|line| line.rsplit_once('='));
    values.map(|(name, value)| Ok((name.to_owned(), value.parse()?))).collect()
}

fn bindings_agree_with_the_headers() -> Result<(), Failed> {
    let mut expectations = Expectations::default();
    structures(&mut expectations);
    beginnings(&mut expectations);
    constants(&mut expectations);
    let real = ask_the_headers(&expectations)?;
    let mut wrong = String::new();
    for (name, ours) in &expectations.0 {
        let theirs = real.get(name);
        if theirs != Some(ours) {
            writeln!(wrong, "{name}: bindings {ours}, headers {theirs:?}")?;
        }
    }
    if wrong.is_empty() { Ok(()) } else { Err(wrong.into()) }
}

fn main() {
    let missing = include_paths()
        .iter()
        .zip(["httpd.h", "apr.h"])
        .map(|(folder, header)| folder.join(header))
        .find(|header| !header.exists());
    let name = match &missing {
        Some(header) => format!("bindings_agree_with_the_headers (no {})", header.display()),
        None => "bindings_agree_with_the_headers".to_owned(),
    };
    let trial = Trial::test(name, bindings_agree_with_the_headers);
    libtest_mimic::run(&Arguments::from_args(), vec![trial.with_ignored_flag(missing.is_some())])
        .exit();
}
