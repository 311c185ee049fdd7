//! Child processes of httpd's parent that are not httpd's own.

use core::ffi::{c_int, c_void};
use core::ptr::{NonNull, null_mut};

use crate::entry::guard;
use crate::pool::Pool;
use crate::sys;

/// What httpd tells about a child process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChildEvent {
    /// It has died and is no longer watched. httpd tells its exit status or the number of the
    /// signal that killed it, and not which of the two.
    Died(i32),
    /// It is gone and somebody else reaped it; no longer watched.
    Lost,
    /// httpd is restarting; the process lives.
    Restart,
    /// The pool ends, and the watch with it. Children of httpd say so too, as they exit: they have
    /// inherited the pool.
    Unwatched,
}

/// One watched process. httpd keeps the address of it as its name for the process.
struct Watch {
    process: sys::apr_proc_t,
    pid: u32,
    tell: fn(u32, ChildEvent),
}

/// Has httpd's parent watch its child `pid`, which must not be reaped by anyone else: `tell(pid,
/// event)` is called from the parent's main loop, or from what destroys `pool`.
///
/// With the process's pool ([`Server::process_pool`](crate::Server::process_pool)), the watch
/// survives restarts.
pub fn watch_child(pool: Pool<'_>, pid: u32, tell: fn(u32, ChildEvent)) {
    let process = sys::apr_proc_t {
        pid: i32::try_from(pid).unwrap_or(-1),
        in_: null_mut(),
        out: null_mut(),
        err: null_mut(),
    };
    let watch = pool.own(Watch { process, pid, tell });
    let process = watch.as_ptr().wrapping_byte_add(core::mem::offset_of!(Watch, process));
    // SAFETY: the watch lives in the pool, and the registration, which is a cleanup of the same
    // pool that was registered later, ends before it.
    unsafe {
        sys::apr_proc_other_child_register(
            process.cast(),
            Some(maintain),
            watch.as_ptr().cast(),
            null_mut(),
            pool.as_ptr(),
        );
    }
}

unsafe extern "C" fn maintain(reason: c_int, data: *mut c_void, status: c_int) {
    guard("child maintenance", (), || {
        let Some(watch) = NonNull::new(data.cast::<Watch>()) else { return };
        // SAFETY: `watch_child` registered this address, and the watch outlives its registration.
        let Watch { pid, tell, .. } = *unsafe { watch.as_ref() };
        let event = match reason {
            sys::APR_OC_REASON_DEATH => ChildEvent::Died(status),
            sys::APR_OC_REASON_LOST => ChildEvent::Lost,
            sys::APR_OC_REASON_RESTART => ChildEvent::Restart,
            sys::APR_OC_REASON_UNREGISTER => ChildEvent::Unwatched,
            _ => return,
        };
        if matches!(event, ChildEvent::Died(_) | ChildEvent::Lost) {
            forget(data);
        }
        tell(pid, event);
    });
}

/// Takes a process that is no more off httpd's list, which would ask for it again and again.
fn forget(data: *mut c_void) {
    // APR calls `maintain` once more for this, as "unwatched"; the event already told is enough.
    let silent: fn(u32, ChildEvent) = |_, _| {};
    // SAFETY: as in `maintain`; nothing else refers to the watch meanwhile.
    unsafe { (*data.cast::<Watch>()).tell = silent };
    // SAFETY: the address is that of a registration.
    unsafe { sys::apr_proc_other_child_unregister(data) };
}
