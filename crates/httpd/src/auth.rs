//! What a module says about who asks and what they may see: providers for mod_auth_basic, mod_auth_digest and
//! mod_authz_core (mod_auth.h).

use core::ffi::{CStr, c_char, c_void};
use core::marker::PhantomData;
use core::ptr::null;

use crate::entry::guard;
use crate::module::Module;
use crate::pool::Pool;
use crate::request::Request;
use crate::sys;
use crate::text::c_str;

/// What becomes of a name and a password (`authn_status`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Authentication {
    /// They belong together.
    Granted,
    /// They do not.
    Denied,
    /// Nobody has this name: the next provider is asked.
    UserNotFound,
    /// It could not be found out: 500.
    Failed,
}

/// What becomes of a name in a realm (`authn_status`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RealmHash {
    /// The hash of user, realm and password.
    Found(Vec<u8>),
    /// Nobody has this name: the next provider is asked.
    UserNotFound,
    /// It could not be found out: 500.
    Failed,
}

/// Whether a `Require` line lets a user through (`authz_status`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Authorization {
    /// It does.
    Granted,
    /// It does not.
    Denied,
    /// It does not, and one that negates it does not either: 500 there. For what could not be found out.
    Failed,
    /// Nobody has logged in: mod_authz_core asks for that first.
    NoUser,
}

/// The rest of a `Require` line.
#[derive(Debug)]
pub struct Requirement {
    /// What follows the provider's name, as written.
    pub line: Vec<u8>,
    /// Whether "denied" may be turned into something better: by `not`, by `<RequireNone>`, or at the place that names an
    /// alias for it.
    may_be_negated: bool,
}

/// Registers the module's providers, where it has any. They are asked for each sub-request, since their answer may depend
/// on its URL.
pub(crate) fn register<M: Module>(pool: Pool<'_>) {
    if let Some(name) = M::AUTHENTICATES_AS {
        let provider = (&raw const *Providers::<M>::AUTHENTICATION).cast();
        provide(pool, sys::AUTHN_PROVIDER_GROUP, name, provider);
    }
    if let Some(name) = M::AUTHORIZES_AS {
        let provider = (&raw const *Providers::<M>::AUTHORIZATION).cast();
        provide(pool, sys::AUTHZ_PROVIDER_GROUP, name, provider);
    }
}

/// `group` ends with a NUL, as bindgen gives C's string constants.
fn provide(pool: Pool<'_>, group: &'static [u8], name: &'static CStr, provider: *const c_void) {
    // Both groups have the same version, "0" (mod_auth.h).
    let version = sys::AUTHN_PROVIDER_VERSION.as_ptr().cast();
    let how = sys::AP_AUTH_INTERNAL_PER_URI;
    // SAFETY: the strings and the provider are static, and the provider is of the group's type.
    unsafe {
        sys::ap_register_auth_provider(
            pool.as_ptr(),
            group.as_ptr().cast(),
            name.as_ptr(),
            version,
            provider,
            how,
        )
    };
}

/// The tables of functions that httpd calls.
struct Providers<M>(PhantomData<M>);

impl<M: Module> Providers<M> {
    const AUTHENTICATION: &'static sys::authn_provider = &sys::authn_provider {
        check_password: Some(check_password::<M>),
        get_realm_hash: Some(get_realm_hash::<M>),
    };
    const AUTHORIZATION: &'static sys::authz_provider = &sys::authz_provider {
        check_authorization: Some(check_authorization::<M>),
        parse_require_line: Some(parse_require_line),
    };
}

/// # Safety
///
/// `text` is NULL or a string that lives for `'a`.
unsafe fn text<'a>(text: *const c_char) -> &'a CStr {
    // SAFETY: passed on from the caller.
    unsafe { c_str(text) }.unwrap_or_default()
}

unsafe extern "C" fn check_password<M: Module>(
    request: *mut sys::request_rec,
    user: *const c_char,
    password: *const c_char,
) -> sys::authn_status {
    guard("check_password", sys::AUTH_GENERAL_ERROR, || {
        // SAFETY: httpd passes a live request to a provider, on the thread that has it.
        let request = unsafe { Request::from_raw(request) };
        // SAFETY: httpd passes strings of the request's pool, both of them.
        let [user, password] = [user, password].map(|raw| unsafe { text(raw) });
        match M::check_password(request, user, password) {
            Authentication::Granted => sys::AUTH_GRANTED,
            Authentication::Denied => sys::AUTH_DENIED,
            Authentication::UserNotFound => sys::AUTH_USER_NOT_FOUND,
            Authentication::Failed => sys::AUTH_GENERAL_ERROR,
        }
    })
}

unsafe extern "C" fn get_realm_hash<M: Module>(
    request: *mut sys::request_rec,
    user: *const c_char,
    realm: *const c_char,
    hash: *mut *mut c_char,
) -> sys::authn_status {
    guard("get_realm_hash", sys::AUTH_GENERAL_ERROR, || {
        // SAFETY: httpd passes a live request to a provider, on the thread that has it.
        let request = unsafe { Request::from_raw(request) };
        // SAFETY: httpd passes strings of the request's pool, both of them.
        let [user, realm] = [user, realm].map(|raw| unsafe { text(raw) });
        match M::realm_hash(request, user, realm) {
            RealmHash::Found(found) => {
                // SAFETY: httpd passes the place for a string that lives in the request's pool.
                unsafe { *hash = request.pool().copy_raw(&found) };
                sys::AUTH_USER_FOUND
            }
            RealmHash::UserNotFound => sys::AUTH_USER_NOT_FOUND,
            RealmHash::Failed => sys::AUTH_GENERAL_ERROR,
        }
    })
}

unsafe extern "C" fn check_authorization<M: Module>(
    request: *mut sys::request_rec,
    _line: *const c_char,
    parsed: *const c_void,
) -> sys::authz_status {
    guard("check_authorization", sys::AUTHZ_GENERAL_ERROR, || {
        // SAFETY: httpd passes a live request to a provider, on the thread that has it.
        let request = unsafe { Request::from_raw(request) };
        // SAFETY: httpd passes what parse_require_line stored, which lives as long as the configuration.
        let Some(requirement) = (unsafe { parsed.cast::<Requirement>().as_ref() }) else {
            return sys::AUTHZ_GENERAL_ERROR;
        };
        match M::authorize(request, requirement) {
            Authorization::Granted => sys::AUTHZ_GRANTED,
            Authorization::Failed if requirement.may_be_negated => sys::AUTHZ_GENERAL_ERROR,
            Authorization::Denied | Authorization::Failed => sys::AUTHZ_DENIED,
            Authorization::NoUser => sys::AUTHZ_DENIED_NO_USER,
        }
    })
}

unsafe extern "C" fn parse_require_line(
    command: *mut sys::cmd_parms,
    line: *const c_char,
    parsed: *mut *const c_void,
) -> *const c_char {
    let failure = c"a bug in Pinion: the line was not taken over".as_ptr();
    guard("parse_require_line", failure, || {
        // SAFETY: httpd passes the words of the line.
        let line = unsafe { text(line) }.to_bytes().to_vec();
        // SAFETY: httpd passes live parameters.
        let directive = unsafe { (*command).directive };
        // SAFETY: the tree of directives is live while it is read.
        let may_be_negated = unsafe { may_be_negated(directive) };
        let requirement = Requirement { line, may_be_negated };
        // SAFETY: httpd passes live parameters.
        let pool = unsafe { (*command).pool };
        // SAFETY: the pool lives as long as the configuration, or as the request that reads `.htaccess`.
        let pool = unsafe { Pool::from_raw(pool) };
        let stored = pool.own(requirement);
        // SAFETY: httpd passes the place for it.
        unsafe { *parsed = stored.as_ptr().cast_const().cast() };
        null()
    })
}

/// # Safety
///
/// `directive` is NULL or in a live tree of directives.
unsafe fn may_be_negated(mut directive: *const sys::ap_directive_t) -> bool {
    let mut innermost = true;
    // SAFETY: passed on from the caller, as is each parent.
    while let Some(here) = unsafe { directive.as_ref() } {
        // SAFETY: the tree's strings live as long as it.
        let [name, words] = [here.directive, here.args].map(|raw| unsafe { text(raw) });
        let (name, words) = (name.to_bytes(), words.to_bytes().trim_ascii_start());
        let first = words.split(u8::is_ascii_whitespace).next().unwrap_or_default();
        if innermost
            && (!name.eq_ignore_ascii_case(b"Require") || first.eq_ignore_ascii_case(b"not"))
        {
            return true;
        }
        if name.eq_ignore_ascii_case(b"<RequireNone") {
            return true;
        }
        innermost = false;
        directive = here.parent;
    }
    innermost
}
