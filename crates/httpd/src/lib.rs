//! Safe access to Apache 2.4 for a module: pools, requests, brigades, tables, logging, hooks.
//!
//! A module implements [`Module`] and writes [`export_module!`]; it needs no `unsafe` of its own.
//! httpd calls every hook, directive handler and configuration callback through one boundary
//! (`entry`) that catches panics, logs them and gives httpd that callback's failure value.
//!
//! Lifetimes stand for pools: a [`Request<'r>`](Request) and all that is read from it live as
//! long as the request's pool, which httpd keeps until the handler and the loggers are done.
//! Strings in pools are never freed or changed in place before that, so they are handed out as
//! plain references.

mod auth;
mod body;
mod brigade;
mod conf;
mod connection;
mod entry;
mod filters;
mod hooks;
pub mod log;
mod module;
mod other_child;
mod pool;
mod process;
mod regex;
mod request;
mod scoreboard;
mod server;
mod ssl;
mod status;
mod table;
mod text;

pub use auth::{Authentication, Authorization, RealmHash, Requirement};
pub use body::{BodyError, Filled};
pub use brigade::{Blocking, Brigade, Piece, SentFile};
pub use conf::{Arguments, Command, CommandTable, Context, Directive, Handler};
#[doc(hidden)]
pub use conf::{texts, texts_length};
pub use connection::Connection;
pub use hooks::{ConfigPools, Hook, Order, Point, Rank};
pub use module::{Configuration, Exported, Module, ModuleRecord};
pub use other_child::{ChildEvent, watch_child};
pub use pool::Pool;
pub use process::{MpmLimits, Phase, RunMode, ServerIdentity};
pub use process::{
    build_date, config_generation, define_exists, description, identity, is_stopping, library_at,
    main_server, mpm_limits, mpm_name, phase, run_mode, server_root_relative, version,
};
pub use regex::{Captures, Regex, RegexError};
pub use request::{FileKind, PathInfo, Request};
pub use scoreboard::{ProcessScore, Scoreboard, ThreadScore, scoreboard};
pub use server::{Server, Servers};
pub use ssl::Ssl;
pub use status::{Answer, Failed, Status};
pub use table::{Table, TableIter};

#[doc(hidden)]
pub use pinion_httpd_sys as sys;
