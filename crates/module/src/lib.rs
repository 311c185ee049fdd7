//! The Apache module: hook table, directive table, request relay.
//!
//! `mod_pinion.so` exports one symbol, `wsgi_module`, whose file name for `<IfModule>` is
//! `mod_wsgi.c`. It runs no Python: it maps requests to scripts, builds their environ, and relays
//! between the client and a worker.
//!
//! - At start: `directives` → `server` (what was said where) → `lifecycle` (checks, resolved
//!   settings, supervisor of the manager).
//! - In a child: `child`.
//! - For a request: `translate` (alias → script) → `handler` (may it run, `body`, `names`, `dispatch`) →
//!   `environ` → `relay` → `outcome`; `call` is the way of hooks that ask a script.
//! - Between requests: `pace` (threads that stay with a client), `sleepers` (and are called off).
//! - Beside requests: `scoreboard`, for workers that may look at Apache's.

mod accounts;
mod auth;
mod body;
mod call;
mod child;
mod directives;
mod dispatch;
mod effective;
mod environ;
mod handler;
mod house;
mod lifecycle;
mod module;
mod names;
mod outcome;
mod pace;
mod path;
mod permission;
mod proxies;
mod relay;
mod say;
mod scoreboard;
mod server;
mod sleepers;
mod stripped;
mod translate;
