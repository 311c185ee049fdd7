//! The worker core that the virtualenv's Python imports: `_pinion`.
//!
//! `python/pinion_worker.py` is what the manager execs; it calls the functions below in their order.
//!
//! - [`worker`], [`settings`]: what the process was told to be; [`control`]: the thread that listens to the manager.
//! - [`desk`], [`serve`]: the serving threads, between requests and with one; [`seat`]: which of them wait.
//! - [`posts`]: which thread runs which request. [`request`]: one request; [`call`]: functions that a front door calls; [`environ`] (often made of one of the [`shapes`] before), [`input`], [`start_response`], [`streams`], [`files`]: its Python objects.
//! - [`area`]: memory shared with front doors, [`long`]: blocks of answers that go by it, [`again`]: those that stay there, [`target`]: where a request's body goes; [`bytes`]: Python's bytes made in place.
//! - [`http`]: the front door that the worker opens itself.
//! - [`scripts`]: loading applications. [`interrupt`]: `RequestTimeout`, and how a thread gets it.
//! - [`metrics`]: what is counted of requests; [`telemetry`]: the thread that reports it, and what the garbage [`collector`] does; [`report`]: the same for applications; [`scoreboard`]: Apache's own.
//! - [`events`], [`measure`], [`kept`]: for applications that want to know what happens.
//! - Without I/O and Python: [`turn`], [`inbox`], [`lines`], [`head`], [`response`], [`reply`], [`body`], [`retry`],
//!   [`text`], and the `room` for blocks that are sent again; `tests/rules.rs` runs their tests.
//!
//! Unsafe code is for Python's C API where PyO3 has no safe call (or a slow one), and for forks.

mod again;
mod area;
mod body;
mod bytes;
mod call;
mod collector;
mod connection;
mod control;
mod desk;
mod environ;
mod events;
mod exchange;
mod files;
mod fork;
mod head;
mod http;
mod inbox;
mod input;
mod interrupt;
mod kept;
mod kit;
mod latin1;
mod lines;
mod load;
mod long;
mod measure;
mod metrics;
mod module;
mod monitor;
mod posts;
mod quick;
mod references;
mod reply;
mod report;
mod request;
mod response;
mod retry;
mod rush;
mod scoreboard;
mod scripts;
mod seat;
mod serve;
mod settings;
mod shapes;
mod ssl;
mod start_response;
mod streams;
mod target;
mod telemetry;
mod text;
mod trouble;
mod turn;
mod worker;
