//! Hooks: how httpd calls a module at each point of its life and of a request's.

use core::ffi::{CStr, c_char, c_int};
use core::ptr::null;

use crate::entry::guard;
use crate::module::Module;
use crate::pool::Pool;
use crate::request::Request;
use crate::server::Server;
use crate::status::{Answer, Failed};
use crate::sys;

/// The pools that httpd passes while it starts.
pub struct ConfigPools<'p> {
    /// Lives as long as the configuration.
    pub config: Pool<'p>,
    /// Lives as long as the configuration's log files.
    pub log: Pool<'p>,
    /// Is cleared when httpd has started.
    pub temporary: Pool<'p>,
}

/// A point at which httpd calls the module.
pub struct Hook {
    /// Which.
    pub point: Point,
    /// When, in relation to other modules.
    pub order: Order,
}

impl Hook {
    /// In the middle of the modules, in no particular order.
    #[must_use]
    pub const fn at(point: Point) -> Self {
        Self { point, order: Order { rank: Rank::Middle, after: &[], before: &[] } }
    }

    /// In the given order.
    #[must_use]
    pub const fn ordered(point: Point, order: Order) -> Self {
        Self { point, order }
    }
}

/// The hooks that [`Module`] has methods for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Point {
    /// [`Module::pre_config`].
    PreConfig,
    /// [`Module::check_config`].
    CheckConfig,
    /// [`Module::test_config`].
    TestConfig,
    /// [`Module::open_logs`].
    OpenLogs,
    /// [`Module::post_config`].
    PostConfig,
    /// [`Module::child_init`].
    ChildInit,
    /// [`Module::monitor`].
    Monitor,
    /// [`Module::translate_name`].
    TranslateName,
    /// [`Module::map_to_storage`].
    MapToStorage,
    /// [`Module::access_checker`].
    AccessChecker,
    /// [`Module::type_checker`].
    TypeChecker,
    /// [`Module::fixups`].
    Fixups,
    /// [`Module::handler`].
    Handler,
    /// [`Module::log_transaction`].
    LogTransaction,
}

/// When a hook is called in relation to other modules.
#[derive(Clone, Copy)]
pub struct Order {
    /// The coarse place.
    pub rank: Rank,
    /// Modules (`c"mod_alias.c"`) that are called before this one.
    pub after: &'static [&'static CStr],
    /// Modules that are called after this one.
    pub before: &'static [&'static CStr],
}

/// The coarse place of a hook among those of other modules.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rank {
    /// Before everyone.
    ReallyFirst,
    /// Early.
    First,
    /// Where it does not matter.
    Middle,
    /// Late.
    Last,
    /// After everyone.
    ReallyLast,
}

impl Rank {
    fn code(self) -> c_int {
        match self {
            Self::ReallyFirst => sys::APR_HOOK_REALLY_FIRST,
            Self::First => sys::APR_HOOK_FIRST,
            Self::Middle => sys::APR_HOOK_MIDDLE,
            Self::Last => sys::APR_HOOK_LAST,
            Self::ReallyLast => sys::APR_HOOK_REALLY_LAST,
        }
    }
}

/// A NULL-terminated list of names that lives as long as the configuration; NULL for none.
fn names(pool: Pool<'_>, modules: &'static [&'static CStr]) -> *const *const c_char {
    if modules.is_empty() {
        return null();
    }
    let list: Vec<*const c_char> =
        modules.iter().map(|name| name.as_ptr()).chain([null()]).collect();
    let start = list.as_ptr();
    // A Vec's elements stay where they are when the Vec itself moves.
    pool.own(list);
    start
}

/// Registers one hook of module `M` with httpd.
pub(crate) fn register<M: Module>(pool: Pool<'_>, hook: &Hook) {
    let after = names(pool, hook.order.after);
    let before = names(pool, hook.order.before);
    let rank = hook.order.rank.code();
    macro_rules! with {
        ($register:ident, $function:ident) => {
            // SAFETY: the function has the signature of this hook, and the lists live in the
            // configuration's pool, with which the registration ends.
            unsafe { sys::$register(Some($function::<M>), after, before, rank) }
        };
    }
    match hook.point {
        Point::PreConfig => with!(ap_hook_pre_config, pre_config),
        Point::CheckConfig => with!(ap_hook_check_config, check_config),
        Point::TestConfig => with!(ap_hook_test_config, test_config),
        Point::OpenLogs => with!(ap_hook_open_logs, open_logs),
        Point::PostConfig => with!(ap_hook_post_config, post_config),
        Point::ChildInit => with!(ap_hook_child_init, child_init),
        Point::Monitor => with!(ap_hook_monitor, monitor),
        Point::TranslateName => with!(ap_hook_translate_name, translate_name),
        Point::MapToStorage => with!(ap_hook_map_to_storage, map_to_storage),
        Point::AccessChecker => with!(ap_hook_access_checker, access_checker),
        Point::TypeChecker => with!(ap_hook_type_checker, type_checker),
        Point::Fixups => with!(ap_hook_fixups, fixups),
        Point::Handler => with!(ap_hook_handler, handler),
        Point::LogTransaction => with!(ap_hook_log_transaction, log_transaction),
    }
}

fn config_code(result: Result<(), Failed>) -> c_int {
    match result {
        Ok(()) => sys::OK,
        Err(Failed) => sys::HTTP_INTERNAL_SERVER_ERROR,
    }
}

/// # Safety
///
/// The pools are live for `'p`.
unsafe fn pools<'p>(
    config: *mut sys::apr_pool_t,
    log: *mut sys::apr_pool_t,
    temporary: *mut sys::apr_pool_t,
) -> ConfigPools<'p> {
    // SAFETY: passed on from the caller, for each of the three.
    let [config, log, temporary] =
        [config, log, temporary].map(|raw| unsafe { Pool::from_raw(raw) });
    ConfigPools { config, log, temporary }
}

unsafe extern "C" fn pre_config<M: Module>(
    config: *mut sys::apr_pool_t,
    log: *mut sys::apr_pool_t,
    temporary: *mut sys::apr_pool_t,
) -> c_int {
    guard("pre_config", sys::HTTP_INTERNAL_SERVER_ERROR, || {
        // SAFETY: httpd passes live pools to this hook.
        config_code(M::pre_config(&unsafe { pools(config, log, temporary) }))
    })
}

/// Hooks that get three pools and the main server, and may stop httpd from starting.
macro_rules! config_hooks {
    ($($hook:ident)*) => {$(
        unsafe extern "C" fn $hook<M: Module>(
            config: *mut sys::apr_pool_t,
            log: *mut sys::apr_pool_t,
            temporary: *mut sys::apr_pool_t,
            main: *mut sys::server_rec,
        ) -> c_int {
            guard(stringify!($hook), sys::HTTP_INTERNAL_SERVER_ERROR, || {
                // SAFETY: httpd passes live pools to this hook.
                let pools = unsafe { pools(config, log, temporary) };
                // SAFETY: httpd passes the main server to this hook.
                let main = unsafe { Server::from_raw(main) };
                config_code(M::$hook(&pools, main))
            })
        }
    )*};
}

config_hooks! { check_config open_logs post_config }

unsafe extern "C" fn test_config<M: Module>(
    _config: *mut sys::apr_pool_t,
    main: *mut sys::server_rec,
) {
    guard("test_config", (), || {
        // SAFETY: httpd passes the main server to this hook.
        M::test_config(unsafe { Server::from_raw(main) });
    });
}

unsafe extern "C" fn child_init<M: Module>(pool: *mut sys::apr_pool_t, main: *mut sys::server_rec) {
    guard("child_init", (), || {
        // SAFETY: httpd passes the child's pool to this hook.
        let pool = unsafe { Pool::from_raw(pool) };
        // SAFETY: httpd passes the main server to this hook.
        M::child_init(pool, unsafe { Server::from_raw(main) });
    });
}

unsafe extern "C" fn monitor<M: Module>(
    _pool: *mut sys::apr_pool_t,
    main: *mut sys::server_rec,
) -> c_int {
    guard("monitor", sys::DECLINED, || {
        // SAFETY: httpd passes the main server to this hook.
        M::monitor(unsafe { Server::from_raw(main) });
        sys::DECLINED
    })
}

/// Hooks that get a request and answer for it.
macro_rules! request_hooks {
    ($($hook:ident)*) => {$(
        unsafe extern "C" fn $hook<M: Module>(request: *mut sys::request_rec) -> c_int {
            let failure = Answer::Http(500).code();
            guard(stringify!($hook), failure, || {
                // SAFETY: httpd passes a live request to this hook, on the thread that has it.
                M::$hook(unsafe { Request::from_raw(request) }).code()
            })
        }
    )*};
}

request_hooks! { translate_name map_to_storage access_checker type_checker fixups handler }

unsafe extern "C" fn log_transaction<M: Module>(request: *mut sys::request_rec) -> c_int {
    guard("log_transaction", sys::DECLINED, || {
        // SAFETY: httpd passes a live request to this hook, on the thread that has it.
        M::log_transaction(unsafe { Request::from_raw(request) });
        sys::DECLINED
    })
}
