//! The Apache module: hook table, directive table, request relay.
//!
//! Written so far, to be tied together: `relay` (front::Client over httpd), `outcome` (what an end means),
//! `resolve` (configuration → manager's settings), `accounts`, `effective` (settings of a request).
//! Being written by the architect right now: `environ`, `handler`, `target`.
//! To be written by the author of httpd: `directives`, `server` (configs and merge), `translate`, `lifecycle`, `child`
//! (`child::front() -> Option<&'static pinion_front::Front>` in each child; `translate::alias_of(request) -> Option<&ScriptAlias>`).
