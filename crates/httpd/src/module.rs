//! What a module is: its record, its configuration, and the trait that ties them together.

use core::cell::UnsafeCell;
use core::ffi::{CStr, c_char, c_int, c_void};

use crate::auth::{self, Authentication, Authorization, RealmHash, Requirement};
use crate::conf::{CommandTable, Directive};
use crate::entry::guard;
use crate::hooks::{self, ConfigPools, Hook};
use crate::pool::Pool;
use crate::request::Request;
use crate::server::Server;
use crate::status::{Answer, Failed};
use crate::{log, sys};

/// A module's configuration for a server or a place. Its default is what holds where nothing is
/// configured.
pub trait Configuration: Default + 'static {
    /// What holds where `self` is inherited and `inner` is said in addition.
    #[must_use]
    fn merged_with(&self, inner: &Self) -> Self;
}

/// The record that [`export_module!`](crate::export_module) makes.
pub trait Exported {
    /// The record, known to httpd.
    fn record() -> &'static ModuleRecord;
}

/// An Apache module.
///
/// Only the hooks that [`HOOKS`](Self::HOOKS) lists are called. Where a hook's default says
/// "declined", implementing it is of no use without listing it.
pub trait Module: Exported + Sized + 'static {
    /// The configuration of a virtual host or the main server.
    type Server: Configuration;
    /// The configuration of a place: `<Directory>`, `<Location>`, `.htaccess`.
    type Dir: Configuration;
    /// What one hook leaves for later hooks of the same request ([`Request::mark`]).
    type Mark: 'static;
    /// What the module keeps for each client's connection ([`Connection::kept`](crate::Connection::kept)). A connection goes from
    /// thread to thread between requests.
    type Kept: Default + Send + 'static;

    /// The directives, in no particular order.
    const DIRECTIVES: &'static [Directive<Self>];
    /// Which hooks are called, and when in relation to other modules.
    const HOOKS: &'static [Hook];
    /// The name by which `AuthBasicProvider` and `AuthDigestProvider` ask the module.
    const AUTHENTICATES_AS: Option<&'static CStr> = None;
    /// The name by which `Require` asks the module.
    const AUTHORIZES_AS: Option<&'static CStr> = None;

    /// Before the configuration is read.
    fn pre_config(_pools: &ConfigPools<'_>) -> Result<(), Failed> {
        Ok(())
    }

    /// After the configuration is read, before anything is made from it.
    fn check_config(_pools: &ConfigPools<'_>, _main: Server<'_>) -> Result<(), Failed> {
        Ok(())
    }

    /// `httpd -t` found no error so far.
    fn test_config(_main: Server<'_>) {}

    /// Before log files are opened.
    fn open_logs(_pools: &ConfigPools<'_>, _main: Server<'_>) -> Result<(), Failed> {
        Ok(())
    }

    /// The configuration is in force. At start-up, httpd calls this twice.
    fn post_config(_pools: &ConfigPools<'_>, _main: Server<'_>) -> Result<(), Failed> {
        Ok(())
    }

    /// In a new child process, before it serves requests.
    fn child_init(_pool: Pool<'_>, _main: Server<'_>) {}

    /// Every ten seconds or so, in the parent process.
    fn monitor(_main: Server<'_>) {}

    /// Maps the URL to a file.
    fn translate_name(_request: Request<'_>) -> Answer {
        Answer::Declined
    }

    /// Decides how the file is looked at: before httpd's directory walk.
    fn map_to_storage(_request: Request<'_>) -> Answer {
        Answer::Declined
    }

    /// Decides by the client's machine whether it may see what it asks for; called for each sub-request too.
    fn access_checker(_request: Request<'_>) -> Answer {
        Answer::Declined
    }

    /// Decides whether a name and a password belong together, for
    /// [`AUTHENTICATES_AS`](Self::AUTHENTICATES_AS).
    fn check_password(_request: Request<'_>, _user: &CStr, _password: &CStr) -> Authentication {
        Authentication::Failed
    }

    /// Finds the hash of a user in a realm, for [`AUTHENTICATES_AS`](Self::AUTHENTICATES_AS).
    fn realm_hash(_request: Request<'_>, _user: &CStr, _realm: &CStr) -> RealmHash {
        RealmHash::Failed
    }

    /// Decides whether the user may see what is asked for, for [`AUTHORIZES_AS`](Self::AUTHORIZES_AS).
    fn authorize(_request: Request<'_>, _requirement: &Requirement) -> Authorization {
        Authorization::Failed
    }

    /// Finds the handler and the media type.
    fn type_checker(_request: Request<'_>) -> Answer {
        Answer::Declined
    }

    /// The last chance before the handler.
    fn fixups(_request: Request<'_>) -> Answer {
        Answer::Declined
    }

    /// Answers the request. Called for every request that no other module has answered.
    fn handler(_request: Request<'_>) -> Answer {
        Answer::Declined
    }

    /// The response has left.
    fn log_transaction(_request: Request<'_>) {}
}

/// The structure by which httpd knows a module. httpd links and numbers it while it loads the
/// configuration; then it stays as it is.
#[repr(transparent)]
pub struct ModuleRecord(UnsafeCell<sys::module>);

// SAFETY: httpd writes to the record only while a single thread loads the configuration.
unsafe impl Sync for ModuleRecord {}

impl ModuleRecord {
    /// The record of module `M`, for [`export_module!`](crate::export_module).
    #[must_use]
    pub const fn new<M: Module, const N: usize>(
        file_name: &'static CStr,
        commands: &'static CommandTable<N>,
    ) -> Self {
        let mut module = sys::standard20_module(file_name);
        module.create_dir_config = Some(create_dir::<M>);
        module.merge_dir_config = Some(merge::<M::Dir>);
        module.create_server_config = Some(create_server::<M>);
        module.merge_server_config = Some(merge::<M::Server>);
        module.cmds = commands.as_ptr();
        module.register_hooks = Some(register_hooks::<M>);
        Self(UnsafeCell::new(module))
    }

    /// The number under which httpd keeps the module's configuration.
    fn index(&self) -> c_int {
        // SAFETY: httpd writes this field while it loads the module, before it calls into it.
        unsafe { (*self.0.get()).module_index }
    }
}

/// Makes the symbol `$symbol` that `LoadModule` looks for, for the module `$module`; `$file_name`
/// is the name that `<IfModule>` compares with.
#[macro_export]
macro_rules! export_module {
    ($symbol:ident, $file_name:expr, $module:ty) => {
        const _: () = {
            use $crate::{CommandTable, Module, ModuleRecord};
            const COMMANDS: usize = <$module as Module>::DIRECTIVES.len() + 1;
            const TEXTS: usize = $crate::texts_length(<$module as Module>::DIRECTIVES);
            static TEXT: [u8; TEXTS] = $crate::texts(<$module as Module>::DIRECTIVES);
            static TABLE: CommandTable<COMMANDS> = CommandTable::new::<$module>(&TEXT);

            #[allow(non_upper_case_globals, reason = "LoadModule names the symbol")]
            #[unsafe(no_mangle)]
            pub static $symbol: ModuleRecord =
                ModuleRecord::new::<$module, COMMANDS>($file_name, &TABLE);

            impl $crate::Exported for $module {
                fn record() -> &'static ModuleRecord {
                    &$symbol
                }
            }
        };
    };
}

impl<'s> Server<'s> {
    /// The module's configuration of this server.
    #[must_use]
    pub fn config<M: Module>(self) -> &'s M::Server {
        // SAFETY: the server is live.
        let vector = unsafe { (*self.as_ptr()).module_config };
        // SAFETY: httpd fills the vector with what create_server and merge return.
        let config = unsafe { sys::ap_get_module_config(vector, M::record().index()) };
        // SAFETY: as above: a boxed M::Server that lives as long as the configuration.
        unsafe { &*config.cast::<M::Server>() }
    }
}

/// The module's configuration in a per-place vector.
///
/// # Safety
///
/// `vector` is a per-place vector of httpd's that lives for `'a`.
pub(crate) unsafe fn dir_config<'a, M: Module>(vector: *mut sys::ap_conf_vector_t) -> &'a M::Dir {
    // SAFETY: the caller vouches for the vector.
    let config = unsafe { sys::ap_get_module_config(vector, M::record().index()) };
    // SAFETY: httpd fills the vector with what create_dir and merge return: a boxed M::Dir.
    unsafe { &*config.cast::<M::Dir>() }
}

/// Stores a mark in a request's vector.
///
/// # Safety
///
/// `vector` is the configuration vector of a live request.
pub(crate) unsafe fn set_mark<M: Module>(vector: *mut sys::ap_conf_vector_t, mark: &M::Mark) {
    let mark = core::ptr::from_ref(mark).cast_mut().cast();
    // SAFETY: passed on from the caller.
    unsafe { sys::ap_set_module_config(vector, M::record().index(), mark) };
}

/// The mark in a request's vector.
///
/// # Safety
///
/// `vector` is the configuration vector of a request that lives for `'r`, in which only
/// `set_mark` writes to the module's slot, and only what lives for `'r`.
pub(crate) unsafe fn mark<'r, M: Module>(
    vector: *mut sys::ap_conf_vector_t,
) -> Option<&'r M::Mark> {
    // SAFETY: passed on from the caller.
    let mark = unsafe { sys::ap_get_module_config(vector, M::record().index()) };
    // SAFETY: the slot holds NULL or what set_mark stored.
    unsafe { mark.cast::<M::Mark>().as_ref() }
}

/// What is kept in a connection's vector; made and put there when nothing is.
///
/// # Safety
///
/// `vector` is the configuration vector of a connection that lives for `'c`, whose pool is `pool`, and only this function
/// writes to the module's slot in it.
pub(crate) unsafe fn kept<'c, M: Module>(
    vector: *mut sys::ap_conf_vector_t,
    pool: Pool<'c>,
) -> &'c M::Kept {
    let index = M::record().index();
    // SAFETY: passed on from the caller.
    let kept = unsafe { sys::ap_get_module_config(vector, index) };
    // SAFETY: the slot holds NULL or what the lines below stored, which lives as long as the connection.
    if let Some(kept) = unsafe { kept.cast::<M::Kept>().as_ref() } {
        return kept;
    }
    let made = pool.own(M::Kept::default());
    // SAFETY: passed on from the caller.
    unsafe { sys::ap_set_module_config(vector, index, made.as_ptr().cast()) };
    // SAFETY: the pool has just taken it over and lives as long as the connection.
    unsafe { made.as_ref() }
}

/// The module's configuration of a server, to be changed by a directive's handler.
///
/// # Safety
///
/// `server` is a server whose configuration is being read, and nothing else refers to the
/// module's part of it.
pub(crate) unsafe fn server_config_mut<'a, M: Module>(
    server: *mut sys::server_rec,
) -> &'a mut M::Server {
    // SAFETY: the caller vouches for the server.
    let vector = unsafe { (*server).module_config };
    // SAFETY: httpd calls create_server before it hands a directive to the module.
    let config = unsafe { sys::ap_get_module_config(vector, M::record().index()) };
    // SAFETY: the caller vouches that nobody else refers to it.
    unsafe { &mut *config.cast::<M::Server>() }
}

unsafe extern "C" fn create_dir<M: Module>(
    pool: *mut sys::apr_pool_t,
    _place: *mut c_char,
) -> *mut c_void {
    // SAFETY: httpd passes the pool of the configuration being read.
    unsafe { create::<M::Dir>(pool) }
}

unsafe extern "C" fn create_server<M: Module>(
    pool: *mut sys::apr_pool_t,
    _server: *mut sys::server_rec,
) -> *mut c_void {
    // SAFETY: httpd passes the pool of the configuration being read.
    unsafe { create::<M::Server>(pool) }
}

/// # Safety
///
/// `pool` is live.
unsafe fn create<C: Configuration>(pool: *mut sys::apr_pool_t) -> *mut c_void {
    guard("configuration", core::ptr::null_mut(), || {
        // SAFETY: passed on from the caller.
        unsafe { Pool::from_raw(pool) }.own(C::default()).as_ptr().cast()
    })
}

unsafe extern "C" fn merge<C: Configuration>(
    pool: *mut sys::apr_pool_t,
    outer: *mut c_void,
    inner: *mut c_void,
) -> *mut c_void {
    guard("configuration merge", outer, || {
        // SAFETY: httpd passes what create or merge returned.
        let outer = unsafe { &*outer.cast::<C>() };
        // SAFETY: as above.
        let inner = unsafe { &*inner.cast::<C>() };
        // SAFETY: httpd passes the pool in which the result is to live: of the configuration, or
        // of a request.
        let pool = unsafe { Pool::from_raw(pool) };
        pool.own(outer.merged_with(inner)).as_ptr().cast()
    })
}

unsafe extern "C" fn register_hooks<M: Module>(pool: *mut sys::apr_pool_t) {
    guard("hook registration", (), || {
        log::set_module_index(M::record().index());
        // SAFETY: httpd passes the pool of the configuration.
        let pool = unsafe { Pool::from_raw(pool) };
        for hook in M::HOOKS {
            hooks::register::<M>(pool, hook);
        }
        auth::register::<M>(pool);
    });
}
