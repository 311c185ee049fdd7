//! Directives: the table that httpd reads, and the call of a directive's handler.

use core::ffi::{CStr, c_char, c_int, c_void};
use core::marker::PhantomData;
use core::ptr::{null, null_mut, without_provenance_mut};

use crate::entry::guard;
use crate::module::{Module, server_config_mut};
use crate::pool::Pool;
use crate::server::Server;
use crate::sys;
use crate::text::{bytes, c_str};

/// How many words a directive takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arguments {
    /// The rest of the line as one word, quotes and all.
    Raw,
    /// One.
    One,
    /// Two.
    Two,
    /// One or two.
    OneOrTwo,
    /// Two or three.
    TwoOrThree,
    /// One, and the handler is called once for each of several.
    Each,
    /// `On` or `Off`; httpd refuses anything else, and the handler gets these spellings.
    Flag,
}

/// Where a directive may stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Context(c_int);

impl Context {
    /// The main server and virtual hosts (`RSRC_CONF`).
    pub const SERVER: Self = Self(sys::RSRC_CONF);
    /// `<Directory>`, `<Location>`, `<Files>` in configuration files (`ACCESS_CONF`).
    pub const PLACE: Self = Self(sys::ACCESS_CONF);
    /// Everywhere; in `.htaccess` where `AllowOverride FileInfo` holds (`OR_FILEINFO`).
    pub const FILE_INFO: Self = Self(sys::OR_FILEINFO);

    /// Places; in `.htaccess` where `AllowOverride AuthConfig` holds (`OR_AUTHCFG`).
    pub const AUTH_CONFIG: Self = Self(sys::OR_AUTHCFG);

    /// Either of two.
    #[must_use]
    pub const fn or(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

/// One directive.
pub struct Directive<M: Module> {
    /// Its name.
    pub name: &'static str,
    /// How many words it takes.
    pub arguments: Arguments,
    /// Where it may stand.
    pub context: Context,
    /// What httpd says after "NAME takes …, ".
    pub usage: &'static str,
    /// Takes the words. An error is what httpd reports, with the place, before it gives up.
    pub handler: Handler<M>,
}

impl<M: Module> Clone for Directive<M> {
    fn clone(&self) -> Self {
        *self
    }
}

// Not derived: a derived one would ask the same of `M`, of which there is no value here.
impl<M: Module> Copy for Directive<M> {}

/// What a directive does with its words.
pub type Handler<M> = fn(&mut Command<'_, M>, &[&str]) -> Result<(), String>;

/// A directive as it stands in the configuration.
pub struct Command<'c, M: Module> {
    parms: *mut sys::cmd_parms,
    dir: *mut c_void,
    directive: &'static Directive<M>,
    alive: PhantomData<&'c mut M>,
}

impl<'c, M: Module> Command<'c, M> {
    /// The directive's entry in the module's table.
    #[must_use]
    pub fn directive(&self) -> &'static Directive<M> {
        self.directive
    }

    /// The configuration of the server in whose scope it stands; `None` in `.htaccess`, which is
    /// read while the server's configuration serves requests.
    pub fn server_config(&mut self) -> Option<&mut M::Server> {
        if self.in_htaccess() {
            return None;
        }
        // SAFETY: httpd passes live parameters.
        let server = unsafe { (*self.parms).server };
        // SAFETY: the configuration of this server is being read, by this thread alone; the
        // borrow of `self` keeps other borrows of it away.
        Some(unsafe { server_config_mut::<M>(server) })
    }

    /// Whether it stands in a `.htaccess` file (httpd's own test, in `ap_check_cmd_context`).
    #[must_use]
    pub fn in_htaccess(&self) -> bool {
        // SAFETY: httpd passes live parameters.
        let pool = unsafe { (*self.parms).pool };
        // SAFETY: as above.
        pool == unsafe { (*self.parms).temp_pool }
    }

    /// The configuration of the place in whose scope it stands; outside every place, the
    /// server's defaults.
    pub fn dir_config(&mut self) -> &mut M::Dir {
        // SAFETY: httpd passes what create_dir returned; as for server_config.
        unsafe { &mut *self.dir.cast::<M::Dir>() }
    }

    /// The server in whose scope it stands.
    #[must_use]
    pub fn server(&self) -> Server<'c> {
        // SAFETY: httpd passes live parameters.
        let server = unsafe { (*self.parms).server };
        // SAFETY: the server lives as long as the configuration.
        unsafe { Server::from_raw(server) }
    }

    /// The `<Directory>`, `<Location>` or `.htaccess` folder it stands in; `None` outside.
    #[must_use]
    pub fn place(&self) -> Option<&'c CStr> {
        // SAFETY: httpd passes live parameters.
        let path = unsafe { (*self.parms).path };
        // SAFETY: the path lives in the configuration's pool.
        unsafe { c_str(path) }
    }

    /// Whether it stands inside a `<VirtualHost>`.
    #[must_use]
    pub fn in_virtual_host(&self) -> bool {
        self.server().is_virtual()
    }

    /// The file it stands in; `None` on the command line (`-c`).
    #[must_use]
    pub fn file(&self) -> Option<&'c CStr> {
        // SAFETY: directive parameters are live.
        let directive = unsafe { (*self.parms).directive };
        if directive.is_null() {
            return None;
        }
        // SAFETY: not NULL, and the tree of directives lives as long as the configuration.
        let file = unsafe { (*directive).filename };
        // SAFETY: the name lives in the configuration's pool.
        unsafe { c_str(file) }
    }

    /// Where it opens a section: the directives that stand directly in it, name and arguments of each on a line.
    #[must_use]
    pub fn section(&self) -> Vec<String> {
        // SAFETY: directive parameters are live.
        let directive = unsafe { (*self.parms).directive };
        if directive.is_null() {
            return Vec::new();
        }
        let mut lines = Vec::new();
        // SAFETY: not NULL, and the tree of directives lives as long as the configuration.
        let mut child = unsafe { (*directive).first_child };
        while !child.is_null() {
            // SAFETY: not NULL, as above.
            let inner = unsafe { &*child };
            // SAFETY: the name lives in the configuration's pool.
            let name = unsafe { bytes(inner.directive) };
            // SAFETY: as for the name.
            let arguments = unsafe { bytes(inner.args) };
            let line = [name, b" ", arguments].concat();
            lines.push(String::from_utf8_lossy(&line).into_owned());
            child = inner.next;
        }
        lines
    }

    /// The line it stands on, counted from 1; 0 on the command line.
    #[must_use]
    pub fn line(&self) -> u32 {
        // SAFETY: directive parameters are live.
        let directive = unsafe { (*self.parms).directive };
        if directive.is_null() {
            return 0;
        }
        // SAFETY: not NULL, and the tree of directives lives as long as the configuration.
        u32::try_from(unsafe { (*directive).line_num }).unwrap_or(0)
    }

    /// The configuration's pool.
    #[must_use]
    pub fn pool(&self) -> Pool<'c> {
        // SAFETY: httpd passes live parameters.
        let pool = unsafe { (*self.parms).pool };
        // SAFETY: the pool lives as long as the configuration.
        unsafe { Pool::from_raw(pool) }
    }
}

/// The table of directives in the form that httpd reads, with the entry of zeros that ends it.
#[repr(transparent)]
pub struct CommandTable<const N: usize>([sys::command_rec; N]);

// SAFETY: nobody writes to the table: httpd takes it as const.
unsafe impl<const N: usize> Sync for CommandTable<N> {}

impl<const N: usize> CommandTable<N> {
    /// Converts the module's directives; `texts` is what [`texts`] made of them.
    #[must_use]
    pub const fn new<M: Module>(texts: &'static [u8]) -> Self {
        let end = sys::command_rec {
            name: null(),
            func: sys::cmd_func { no_args: None },
            cmd_data: null_mut(),
            req_override: 0,
            args_how: sys::RAW_ARGS,
            errmsg: null(),
        };
        let mut table = [end; N];
        let mut index = 0;
        let mut rest = texts;
        while index < M::DIRECTIVES.len() {
            let directive = &M::DIRECTIVES[index];
            let name = rest.as_ptr();
            rest = rest.split_at(directive.name.len() + 1).1;
            let usage = rest.as_ptr();
            rest = rest.split_at(directive.usage.len() + 1).1;
            let (func, args_how) = function::<M>(directive.arguments);
            table[index] = sys::command_rec {
                name: name.cast(),
                func,
                cmd_data: without_provenance_mut(index),
                req_override: directive.context.0,
                args_how,
                errmsg: usage.cast(),
            };
            index += 1;
        }
        Self(table)
    }

    pub(crate) const fn as_ptr(&'static self) -> *const sys::command_rec {
        self.0.as_ptr()
    }
}

/// How many bytes [`texts`] fills.
#[must_use]
pub const fn texts_length<M: Module>(directives: &[Directive<M>]) -> usize {
    let mut length = 0;
    let mut index = 0;
    while index < directives.len() {
        length += directives[index].name.len() + directives[index].usage.len() + 2;
        index += 1;
    }
    length
}

/// The name and the usage of each directive, each followed by a NUL.
#[must_use]
pub const fn texts<M: Module, const N: usize>(directives: &[Directive<M>]) -> [u8; N] {
    let mut all = [0; N];
    let mut end = 0;
    let mut index = 0;
    while index < directives.len() {
        end = append(&mut all, end, directives[index].name.as_bytes()) + 1;
        end = append(&mut all, end, directives[index].usage.as_bytes()) + 1;
        index += 1;
    }
    all
}

const fn append(all: &mut [u8], mut end: usize, text: &[u8]) -> usize {
    let mut index = 0;
    while index < text.len() {
        assert!(text[index] != 0, "a directive's name and usage are C strings");
        all[end] = text[index];
        end += 1;
        index += 1;
    }
    end
}

/// The C function for a number of words.
const fn function<M: Module>(arguments: Arguments) -> (sys::cmd_func, sys::cmd_how) {
    match arguments {
        Arguments::Raw => (sys::cmd_func { raw_args: Some(take1::<M>) }, sys::RAW_ARGS),
        Arguments::One => (sys::cmd_func { take1: Some(take1::<M>) }, sys::TAKE1),
        Arguments::Each => (sys::cmd_func { take1: Some(take1::<M>) }, sys::ITERATE),
        Arguments::Two => (sys::cmd_func { take2: Some(take2::<M>) }, sys::TAKE2),
        Arguments::OneOrTwo => (sys::cmd_func { take2: Some(take2::<M>) }, sys::TAKE12),
        Arguments::TwoOrThree => (sys::cmd_func { take3: Some(take3::<M>) }, sys::TAKE23),
        Arguments::Flag => (sys::cmd_func { flag: Some(flag::<M>) }, sys::FLAG),
    }
}

unsafe extern "C" fn take1<M: Module>(
    parms: *mut sys::cmd_parms,
    dir: *mut c_void,
    first: *const c_char,
) -> *const c_char {
    // SAFETY: httpd passes live parameters and words.
    unsafe { run::<M>(parms, dir, [first, null(), null()]) }
}

unsafe extern "C" fn take2<M: Module>(
    parms: *mut sys::cmd_parms,
    dir: *mut c_void,
    first: *const c_char,
    second: *const c_char,
) -> *const c_char {
    // SAFETY: httpd passes live parameters and words, NULL for a word that is left out.
    unsafe { run::<M>(parms, dir, [first, second, null()]) }
}

unsafe extern "C" fn take3<M: Module>(
    parms: *mut sys::cmd_parms,
    dir: *mut c_void,
    first: *const c_char,
    second: *const c_char,
    third: *const c_char,
) -> *const c_char {
    // SAFETY: httpd passes live parameters and words, NULL for a word that is left out.
    unsafe { run::<M>(parms, dir, [first, second, third]) }
}

unsafe extern "C" fn flag<M: Module>(
    parms: *mut sys::cmd_parms,
    dir: *mut c_void,
    on: c_int,
) -> *const c_char {
    let word = if on == 0 { c"Off" } else { c"On" };
    // SAFETY: httpd passes live parameters.
    unsafe { run::<M>(parms, dir, [word.as_ptr(), null(), null()]) }
}

/// Calls the handler of the directive; the result is httpd's: NULL or an error message.
///
/// # Safety
///
/// `parms` and `dir` are what httpd passes for a directive of `M`; `words` are C strings, or NULL
/// where there are no more.
unsafe fn run<M: Module>(
    parms: *mut sys::cmd_parms,
    dir: *mut c_void,
    words: [*const c_char; 3],
) -> *const c_char {
    guard("directive", c"a bug in Pinion: see the error log".as_ptr(), || {
        // SAFETY: the caller vouches for the parameters.
        let index = unsafe { (*parms).info }.addr();
        let directive = &M::DIRECTIVES[index];
        let mut command = Command { parms, dir, directive, alive: PhantomData };
        // SAFETY: the caller vouches for the words, which live as long as the call.
        let result = match unsafe { utf8(&words) } {
            Some((words, count)) => (directive.handler)(&mut command, &words[..count]),
            None => Err(format!("{}: the line is not valid UTF-8", directive.name)),
        };
        match result {
            Ok(()) => null(),
            Err(message) => command.pool().copy_raw(message.as_bytes()),
        }
    })
}

/// The words up to the first NULL; `None` if one is not UTF-8.
///
/// # Safety
///
/// `words` are C strings that live for `'a`, or NULL.
unsafe fn utf8<'a>(words: &[*const c_char; 3]) -> Option<([&'a str; 3], usize)> {
    let mut texts = [""; 3];
    let mut count = 0;
    for word in words {
        // SAFETY: passed on from the caller.
        let Some(word) = (unsafe { c_str(*word) }) else { break };
        texts[count] = word.to_str().ok()?;
        count += 1;
    }
    Some((texts, count))
}
