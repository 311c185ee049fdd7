//! What Apache's and APR's headers define as macros: bindgen cannot see these.

use core::ffi::{CStr, c_char, c_int, c_ulong, c_void};
use core::mem::offset_of;
use core::ptr::{addr_of_mut, null, null_mut};

use crate::bindings::*;

/// `APR_EAGAIN`: on Linux APR passes errno on as it is.
pub const APR_EAGAIN: apr_status_t = 11;

/// The lowest minor module magic number that has everything the bindings use
/// (2.4.25 and later report at least 67).
pub const MINIMUM_MODULE_MAGIC_MINOR: c_int = 67;

/// The beginning of `apr_sockaddr_t`, which is all that is read of it. The rest holds the system's own
/// address structures; so a value is only ever reached through a pointer, never made or copied.
#[repr(C)]
#[allow(non_camel_case_types, missing_docs, reason = "named as in apr_network_io.h")]
pub struct apr_sockaddr_t {
    pub pool: *mut apr_pool_t,
    pub hostname: *mut c_char,
    pub servname: *mut c_char,
    pub port: apr_port_t,
}

/// A `module` as `STANDARD20_MODULE_STUFF` starts one: the version numbers, the cookie and the
/// name are set, everything that a module fills in is null.
///
/// `name` is what `<IfModule NAME>` compares with.
pub const fn standard20_module(name: &'static CStr) -> module {
    module {
        version: MODULE_MAGIC_NUMBER_MAJOR,
        minor_version: MINIMUM_MODULE_MAGIC_MINOR,
        module_index: -1,
        name: name.as_ptr(),
        dynamic_load_handle: null_mut(),
        next: null_mut(),
        magic: MODULE_MAGIC_COOKIE as c_ulong,
        rewrite_args: None,
        create_dir_config: None,
        merge_dir_config: None,
        create_server_config: None,
        merge_server_config: None,
        cmds: null(),
        register_hooks: None,
        flags: 0,
    }
}

/// `ap_get_module_config`: the module's structure in a configuration vector.
///
/// # Safety
///
/// `vector` is a live vector of httpd's with a slot for `index`, which is the `module_index` that
/// httpd assigned.
pub unsafe fn ap_get_module_config(vector: *const ap_conf_vector_t, index: c_int) -> *mut c_void {
    let slot = vector.cast::<*mut c_void>().wrapping_offset(index as isize);
    // SAFETY: a configuration vector is an array of pointers, one per module (http_config.h), and
    // the caller vouches for the index.
    unsafe { *slot }
}

/// `ap_set_module_config`: stores the module's structure in a configuration vector.
///
/// # Safety
///
/// As [`ap_get_module_config`]; no one else may be using the slot.
pub unsafe fn ap_set_module_config(
    vector: *mut ap_conf_vector_t,
    index: c_int,
    value: *mut c_void,
) {
    let slot = vector.cast::<*mut c_void>().wrapping_offset(index as isize);
    // SAFETY: see ap_get_module_config.
    unsafe { *slot = value };
}

/// `APR_BRIGADE_SENTINEL`: the pseudo bucket at which a walk over a brigade ends.
///
/// # Safety
///
/// `brigade` is a live brigade.
pub unsafe fn apr_brigade_sentinel(brigade: *mut apr_bucket_brigade) -> *mut apr_bucket {
    // SAFETY: the caller vouches for the brigade.
    let list = unsafe { addr_of_mut!((*brigade).list) };
    // The ring's head stands in for a bucket's `link`; only that field of it is ever touched.
    list.cast::<u8>().wrapping_sub(offset_of!(apr_bucket, link)).cast()
}

/// `APR_BRIGADE_FIRST`.
///
/// # Safety
///
/// `brigade` is a live brigade.
pub unsafe fn apr_brigade_first(brigade: *mut apr_bucket_brigade) -> *mut apr_bucket {
    // SAFETY: the caller vouches for the brigade.
    unsafe { (*brigade).list.next }
}

/// `APR_BRIGADE_INSERT_TAIL`: the brigade takes the bucket over.
///
/// # Safety
///
/// `brigade` is live; `bucket` is live and in no ring.
pub unsafe fn apr_brigade_insert_tail(brigade: *mut apr_bucket_brigade, bucket: *mut apr_bucket) {
    // SAFETY: the caller vouches for the brigade.
    let sentinel = unsafe { apr_brigade_sentinel(brigade) };
    // SAFETY: as above; the sentinel's link is the ring's head, which lives in the brigade.
    let last = unsafe { (*sentinel).link.prev };
    // SAFETY: the caller vouches for the bucket; nobody else holds a reference to it.
    unsafe { (*bucket).link.next = sentinel };
    // SAFETY: as above.
    unsafe { (*bucket).link.prev = last };
    // SAFETY: `last` is the brigade's last bucket, or the sentinel of an empty brigade.
    unsafe { (*last).link.next = bucket };
    // SAFETY: the sentinel's link is the ring's head.
    unsafe { (*sentinel).link.prev = bucket };
}

/// `APR_BUCKET_REMOVE`: takes a bucket out of its ring.
///
/// # Safety
///
/// `bucket` is live and in a ring; the caller owns it afterwards.
pub unsafe fn apr_bucket_remove(bucket: *mut apr_bucket) {
    // SAFETY: the caller vouches for the bucket.
    let prev = unsafe { (*bucket).link.prev };
    // SAFETY: as above.
    let next = unsafe { (*bucket).link.next };
    // SAFETY: a ring's neighbours live as long as the bucket is in the ring.
    unsafe { (*prev).link.next = next };
    // SAFETY: as above.
    unsafe { (*next).link.prev = prev };
}

/// `apr_bucket_delete`: takes a bucket out of its ring and frees it.
///
/// # Safety
///
/// `bucket` is live and in a ring; it must not be used afterwards.
pub unsafe fn apr_bucket_delete(bucket: *mut apr_bucket) {
    // SAFETY: passed on from the caller.
    unsafe { apr_bucket_remove(bucket) };
    // SAFETY: the caller vouches for the bucket.
    let kind = unsafe { (*bucket).type_ };
    // SAFETY: as above.
    let data = unsafe { (*bucket).data };
    // SAFETY: a bucket's type is a static of the library that made the bucket.
    if let Some(destroy) = unsafe { (*kind).destroy } {
        // SAFETY: the bucket's own type destroys its own data, as apr_bucket_destroy does.
        unsafe { destroy(data) };
    }
    // SAFETY: a bucket knows the function that frees it; it is in no ring any more.
    let free = unsafe { (*bucket).free };
    if let Some(free) = free {
        // SAFETY: as above.
        unsafe { free(bucket.cast()) };
    }
}

/// `apr_bucket_read`.
///
/// # Safety
///
/// `bucket` is live and in a brigade. The data that is handed out lives until the bucket is
/// changed or destroyed.
pub unsafe fn apr_bucket_read(
    bucket: *mut apr_bucket,
    data: &mut *const c_char,
    length: &mut apr_size_t,
    block: apr_read_type_e,
) -> apr_status_t {
    // SAFETY: the caller vouches for the bucket.
    let kind = unsafe { (*bucket).type_ };
    // SAFETY: a bucket's type is a static of the library that made the bucket.
    match unsafe { (*kind).read } {
        // SAFETY: the bucket's own type reads its own data.
        Some(read) => unsafe { read(bucket, data, length, block) },
        None => APR_EGENERAL,
    }
}
