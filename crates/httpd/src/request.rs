//! A request that httpd is processing.

use core::ffi::{CStr, c_char};
use core::marker::PhantomData;
use core::ptr::NonNull;

use crate::connection::Connection;
use crate::module::Module;
use crate::pool::Pool;
use crate::server::Server;
use crate::sys;
use crate::table::Table;
use crate::text::c_str;

/// A request, live for `'r`: until its response and its log lines are written.
#[derive(Clone, Copy)]
pub struct Request<'r> {
    raw: NonNull<sys::request_rec>,
    alive: PhantomData<&'r ()>,
}

/// What `r->filename` names, as the directory walk found it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileKind {
    /// Nothing is there (or the walk did not look).
    Missing,
    /// A regular file.
    Regular,
    /// A folder.
    Folder,
    /// A device, a socket, a link that leads nowhere.
    Other,
}

/// What `AcceptPathInfo` says about a path that goes on behind the script's own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PathInfo {
    /// The handler's own default.
    Default,
    /// `On`.
    Accept,
    /// `Off`: the request is for something that does not exist.
    Reject,
}

/// String fields of `request_rec`: `/// doc`, then `accessor => field`.
macro_rules! strings {
    ($($(#[$doc:meta])* $accessor:ident => $field:ident;)*) => {$(
        $(#[$doc])*
        #[must_use]
        pub fn $accessor(self) -> Option<&'r CStr> {
            // SAFETY: the request is live.
            let text = unsafe { (*self.as_ptr()).$field };
            // SAFETY: the string lives in the request's pool or in one that outlives it.
            unsafe { c_str(text) }
        }
    )*};
}

/// Table fields of `request_rec`.
macro_rules! tables {
    ($($(#[$doc:meta])* $accessor:ident => $field:ident;)*) => {$(
        $(#[$doc])*
        #[must_use]
        pub fn $accessor(self) -> Table<'r> {
            // SAFETY: the request is live.
            let table = unsafe { (*self.as_ptr()).$field };
            // SAFETY: httpd makes these tables in the request's pool before any hook runs.
            unsafe { Table::from_raw(table, self.pool()) }
                .expect("httpd makes this table together with the request")
        }
    )*};
}

/// Flags of `request_rec`, kept there as integers.
macro_rules! flags {
    ($($(#[$doc:meta])* $accessor:ident => $field:ident;)*) => {$(
        $(#[$doc])*
        #[must_use]
        pub fn $accessor(self) -> bool {
            // SAFETY: the request is live.
            unsafe { (*self.as_ptr()).$field != 0 }
        }
    )*};
}

impl<'r> Request<'r> {
    /// # Safety
    ///
    /// `raw` is a request that lives for `'r`, processed by this thread alone.
    pub(crate) unsafe fn from_raw(raw: *mut sys::request_rec) -> Self {
        debug_assert!(!raw.is_null());
        // SAFETY: a live request is not NULL.
        Self { raw: unsafe { NonNull::new_unchecked(raw) }, alive: PhantomData }
    }

    pub(crate) fn as_ptr(self) -> *mut sys::request_rec {
        self.raw.as_ptr()
    }

    strings! {
        /// The decoded path of the URL.
        uri => uri;
        /// The path and query string as the client sent them.
        unparsed_uri => unparsed_uri;
        /// The file that translate_name mapped the path to.
        filename => filename;
        /// What of the path is left behind [`filename`](Self::filename).
        path_info => path_info;
        /// The query string.
        args => args;
        /// The method's name as sent.
        method => method;
        /// The protocol as sent, for example `HTTP/1.1`.
        protocol => protocol;
        /// The request's first line as sent.
        request_line => the_request;
        /// The host that the client asks for, without a port.
        hostname => hostname;
        /// The name of the handler that is configured for the request.
        handler => handler;
        /// The media type of the response.
        content_type => content_type;
        /// The name that an authentication module accepted.
        user => user;
        /// The authentication scheme that accepted it.
        auth_type => ap_auth_type;
        /// The client's address, behind proxies if mod_remoteip is told to look there.
        client_ip => useragent_ip;
        /// The identifier that error log lines of this request carry (`%L`), once there is one.
        log_id => log_id;
    }

    tables! {
        /// The request's headers.
        headers_in => headers_in;
        /// The response's headers, if it succeeds.
        headers_out => headers_out;
        /// Headers that are sent with error pages and across internal redirects too.
        err_headers_out => err_headers_out;
        /// The environment for CGI programs and their like; `SetEnv` writes here.
        subprocess_env => subprocess_env;
        /// What modules leave for one another.
        notes => notes;
    }

    flags! {
        /// Whether the response has no body because the request is a HEAD.
        header_only => header_only;
        /// Whether the client waits for `100 Continue`, which reading the body sends.
        expects_continue => expecting_100;
        /// Whether the request is one of HTTP/0.9, answered without headers.
        is_simple => assbackwards;
        /// Whether the request's body comes in chunks, as
        /// [`prepare_body`](Self::prepare_body) found.
        is_chunked => read_chunked;
    }

    /// [`log_id`](Self::log_id), which is made if there is none yet.
    #[must_use]
    pub fn ensure_log_id(self) -> Option<&'r CStr> {
        if self.log_id().is_none() {
            let request = self.as_ptr();
            // SAFETY: the request is live, and so is its connection.
            let connection = unsafe { (*request).connection };
            // SAFETY: the request is live; nobody else uses it now.
            let place = unsafe { &raw mut (*request).log_id };
            // SAFETY: httpd writes a string of the request's pool to the place, or leaves it.
            unsafe { sys::ap_run_generate_log_id(connection, request, place) };
        }
        self.log_id()
    }

    /// The pool that lives as long as the request.
    #[must_use]
    pub fn pool(self) -> Pool<'r> {
        // SAFETY: the request is live.
        let pool = unsafe { (*self.as_ptr()).pool };
        // SAFETY: a request lives in its pool.
        unsafe { Pool::from_raw(pool) }
    }

    /// The virtual host that serves the request.
    #[must_use]
    pub fn server(self) -> Server<'r> {
        // SAFETY: the request is live.
        let server = unsafe { (*self.as_ptr()).server };
        // SAFETY: httpd keeps a configuration while requests of its generation run.
        unsafe { Server::from_raw(server) }
    }

    /// The connection on which it came.
    #[must_use]
    pub fn connection(self) -> Connection<'r> {
        // SAFETY: the request is live.
        let connection = unsafe { (*self.as_ptr()).connection };
        // SAFETY: a connection outlives its requests.
        unsafe { Connection::from_raw(connection) }
    }

    /// When it was received, in microseconds since 1970.
    #[must_use]
    pub fn request_time_micros(self) -> i64 {
        // SAFETY: the request is live.
        unsafe { (*self.as_ptr()).request_time }
    }

    /// The method's number; HEAD has GET's (`M_GET`).
    #[must_use]
    pub fn method_number(self) -> i32 {
        // SAFETY: the request is live.
        unsafe { (*self.as_ptr()).method_number }
    }

    /// The response's status as it stands.
    #[must_use]
    pub fn status(self) -> i32 {
        // SAFETY: the request is live.
        unsafe { (*self.as_ptr()).status }
    }

    /// How many bytes of body have been passed to the client's side of the filters.
    #[must_use]
    pub fn bytes_sent(self) -> i64 {
        // SAFETY: the request is live.
        unsafe { (*self.as_ptr()).bytes_sent }
    }

    /// What [`filename`](Self::filename) names, as httpd's own look at it found.
    #[must_use]
    pub fn file_kind(self) -> FileKind {
        // SAFETY: the request is live.
        match unsafe { (*self.as_ptr()).finfo.filetype } {
            sys::APR_NOFILE => FileKind::Missing,
            sys::APR_REG => FileKind::Regular,
            sys::APR_DIR => FileKind::Folder,
            _ => FileKind::Other,
        }
    }

    /// When that file was last changed, in microseconds since 1970; `None` if it was not found.
    #[must_use]
    pub fn file_mtime_micros(self) -> Option<i64> {
        if self.file_kind() == FileKind::Missing {
            return None;
        }
        // SAFETY: the request is live.
        Some(unsafe { (*self.as_ptr()).finfo.mtime })
    }

    /// `AcceptPathInfo` for this request.
    #[must_use]
    pub fn path_info_rule(self) -> PathInfo {
        // SAFETY: the request is live.
        match unsafe { (*self.as_ptr()).used_path_info } {
            sys::AP_REQ_ACCEPT_PATH_INFO => PathInfo::Accept,
            sys::AP_REQ_REJECT_PATH_INFO => PathInfo::Reject,
            _ => PathInfo::Default,
        }
    }

    /// Whether `Options ExecCGI` holds here.
    #[must_use]
    pub fn may_execute(self) -> bool {
        // SAFETY: the request is live.
        unsafe { sys::ap_allow_options(self.as_ptr()) & sys::OPT_EXECCGI != 0 }
    }

    /// Whether the client asked for this itself: no subrequest, no internal redirect.
    #[must_use]
    pub fn is_initial(self) -> bool {
        // SAFETY: the request is live.
        unsafe { sys::ap_is_initial_req(self.as_ptr()) != 0 }
    }

    /// The request that this is a subrequest of.
    #[must_use]
    pub fn main(self) -> Option<Self> {
        // SAFETY: the request is live.
        let main = unsafe { (*self.as_ptr()).main };
        // SAFETY: a main request outlives its subrequests.
        (!main.is_null()).then(|| unsafe { Self::from_raw(main) })
    }

    /// The request that was redirected to this one within httpd.
    #[must_use]
    pub fn previous(self) -> Option<Self> {
        // SAFETY: the request is live.
        let previous = unsafe { (*self.as_ptr()).prev };
        // SAFETY: the redirected request lives in the same pool.
        (!previous.is_null()).then(|| unsafe { Self::from_raw(previous) })
    }

    /// The name of the server as URLs should have it, by `UseCanonicalName`.
    #[must_use]
    pub fn server_name(self) -> Option<&'r CStr> {
        // SAFETY: the request is live.
        let name = unsafe { sys::ap_get_server_name(self.as_ptr()) };
        // SAFETY: the name lives in the request's or the configuration's pool.
        unsafe { c_str(name) }
    }

    /// The port of the server as URLs should have it, by `UseCanonicalPhysicalPort`.
    #[must_use]
    pub fn server_port(self) -> u16 {
        // SAFETY: the request is live.
        unsafe { sys::ap_get_server_port(self.as_ptr()) }
    }

    /// `http` or `https` (or what a module says).
    #[must_use]
    pub fn scheme(self) -> Option<&'r CStr> {
        // SAFETY: the request is live.
        let scheme = unsafe { sys::ap_run_http_scheme(self.as_ptr()) };
        // SAFETY: modules return static or configured strings.
        unsafe { c_str(scheme) }
    }

    /// Whether a filter below protocol level is first to see the response's body: one that may
    /// need the body even if the client does not get it.
    #[must_use]
    pub fn has_content_filters(self) -> bool {
        // SAFETY: the request is live.
        let filter = unsafe { (*self.as_ptr()).output_filters };
        if filter.is_null() {
            return false;
        }
        // SAFETY: filters of a live request are live.
        let record = unsafe { (*filter).frec };
        // SAFETY: filter records are registered for the life of the configuration.
        unsafe { (*record).ftype < sys::AP_FTYPE_PROTOCOL }
    }

    /// `LimitRequestBody`, in bytes; `None` when unlimited.
    #[must_use]
    pub fn body_limit(self) -> Option<u64> {
        // SAFETY: the request is live.
        let limit = unsafe { sys::ap_get_limit_req_body(self.as_ptr()) };
        u64::try_from(limit).ok().filter(|limit| *limit > 0)
    }

    /// The module's configuration for the request's virtual host.
    #[must_use]
    pub fn server_config<M: Module>(self) -> &'r M::Server {
        self.server().config::<M>()
    }

    /// The module's configuration for the request's place (`<Directory>`, `<Location>`, …).
    #[must_use]
    pub fn dir_config<M: Module>(self) -> &'r M::Dir {
        // SAFETY: the request is live.
        let vector = unsafe { (*self.as_ptr()).per_dir_config };
        // SAFETY: httpd fills the vector with what the module's own callbacks return, and keeps
        // it while the request lives.
        unsafe { crate::module::dir_config::<M>(vector) }
    }

    /// Leaves something for later hooks of this request, such as a part of the configuration.
    pub fn mark<M: Module>(self, mark: &'r M::Mark) {
        // SAFETY: the request is live.
        let vector = unsafe { (*self.as_ptr()).request_config };
        // SAFETY: the vector has a slot for every module, which is this module's own.
        unsafe { crate::module::set_mark::<M>(vector, mark) };
    }

    /// What [`mark`](Self::mark) has left.
    #[must_use]
    pub fn marked<M: Module>(self) -> Option<&'r M::Mark> {
        // SAFETY: the request is live.
        let vector = unsafe { (*self.as_ptr()).request_config };
        // SAFETY: only `mark` writes to the module's slot of this request's vector.
        unsafe { crate::module::mark::<M>(vector) }
    }

    /// The variables that depend on headers and server alone, as [`add_common_vars`](Self::add_common_vars) makes them, in a
    /// table of their own: without what `SetEnv` and other modules have said.
    #[must_use]
    pub fn fresh_common_vars(self) -> Table<'r> {
        let pool = self.pool();
        // SAFETY: the pool is live.
        let fresh = unsafe { sys::apr_table_make(pool.as_ptr(), 40) };
        // SAFETY: the request is live and processed by this thread alone.
        let own = unsafe { core::mem::replace(&mut (*self.as_ptr()).subprocess_env, fresh) };
        self.add_common_vars();
        // SAFETY: as above. The function may have replaced the table by a larger one.
        let fresh = unsafe { core::mem::replace(&mut (*self.as_ptr()).subprocess_env, own) };
        // SAFETY: the table lives in the request's pool.
        unsafe { Table::from_raw(fresh, pool) }.expect("httpd makes no table NULL")
    }

    /// The client's host name where `HostnameLookups` asks for it, else its address; behind proxies if mod_remoteip is
    /// told to look there.
    #[must_use]
    pub fn client_host(self) -> Option<&'r CStr> {
        let how = sys::REMOTE_HOST;
        // SAFETY: the request is live; the last argument may be NULL.
        let host = unsafe { sys::ap_get_useragent_host(self.as_ptr(), how, core::ptr::null_mut()) };
        // SAFETY: the string lives in the request's pool or the connection's.
        unsafe { c_str(host) }.or_else(|| self.client_ip())
    }

    /// Whether a denied host can still be let in by a password: `Satisfy Any`, and something asks for a user.
    #[must_use]
    pub fn password_may_do(self) -> bool {
        // SAFETY: the request is live.
        let any = unsafe { sys::ap_satisfies(self.as_ptr()) } == sys::SATISFY_ANY;
        // Not its successor, which runs the hooks that this is asked from.
        // SAFETY: as above.
        any && unsafe { sys::ap_some_auth_required(self.as_ptr()) } != 0
    }

    /// Says who has logged in: what [`user`](Self::user) returns from now on.
    pub fn set_user(self, name: &[u8]) {
        self.put(name, |r, text| r.user = text);
    }

    /// Adds the variables that depend on headers and server to
    /// [`subprocess_env`](Self::subprocess_env) (`ap_add_common_vars`).
    pub fn add_common_vars(self) {
        // SAFETY: the request is live.
        unsafe { sys::ap_add_common_vars(self.as_ptr()) };
    }

    /// Adds the variables that CGI defines (`ap_add_cgi_vars`).
    pub fn add_cgi_vars(self) {
        // SAFETY: the request is live.
        unsafe { sys::ap_add_cgi_vars(self.as_ptr()) };
    }

    /// Maps the request to a file: translate_name's result.
    pub fn set_filename(self, path: &[u8]) {
        self.put(path, |r, text| r.filename = text);
    }

    /// Names the handler.
    pub fn set_handler(self, name: &'static CStr) {
        // SAFETY: the request is live.
        unsafe { (*self.as_ptr()).handler = name.as_ptr() };
    }

    /// Sets what is left of the path behind the file.
    pub fn set_path_info(self, path: &[u8]) {
        self.put(path, |r, text| r.path_info = text);
    }

    /// Sets the response's status and, if given, the whole line (`"404 Not here"`).
    pub fn set_status(self, status: u16, line: Option<&[u8]>) {
        // SAFETY: the request is live.
        unsafe { (*self.as_ptr()).status = i32::from(status) };
        if let Some(line) = line {
            self.put(line, |r, text| r.status_line = text);
        }
    }

    /// Sets the response's media type; filters by type are added with it.
    pub fn set_content_type(self, media_type: &[u8]) {
        let text = self.pool().copy_raw(media_type);
        // SAFETY: the request is live and the text lives in its pool.
        unsafe { sys::ap_set_content_type(self.as_ptr(), text) };
    }

    /// Sets the encoding of the response's content.
    pub fn set_content_encoding(self, encoding: &[u8]) {
        self.put(encoding, |r, text| r.content_encoding = text);
    }

    /// Sets the length of the response's body, in bytes.
    pub fn set_content_length(self, length: u64) {
        let length = i64::try_from(length).unwrap_or(i64::MAX);
        // SAFETY: the request is live.
        unsafe { sys::ap_set_content_length(self.as_ptr(), length) };
    }

    /// Serves another path of this server instead, as a GET without a body.
    pub fn redirect_within(self, uri: &[u8]) {
        let uri = self.pool().copy_raw(uri);
        // Before its length is forgotten: what is left of a body would be taken for the next request.
        // SAFETY: the request is live and this thread alone processes it.
        if unsafe { sys::ap_discard_request_body(self.as_ptr()) } != sys::OK {
            self.connection().close_after();
        }
        self.headers_in().unset(c"Content-Length");
        self.headers_in().unset(c"Transfer-Encoding");
        self.put(b"GET", |request, method| {
            (request.method, request.method_number) = (method, sys::M_GET);
        });
        // SAFETY: the request is live and the text lives in its pool.
        unsafe { sys::ap_internal_redirect(uri, self.as_ptr()) };
    }

    /// Copies `text` into the request's pool and stores it in a field.
    fn put(self, text: &[u8], store: impl FnOnce(&mut sys::request_rec, *mut c_char)) {
        let text = self.pool().copy_raw(text);
        // SAFETY: the request is live, this thread alone processes it, and the reference ends
        // before any other function of httpd runs.
        store(unsafe { &mut *self.as_ptr() }, text);
    }
}
