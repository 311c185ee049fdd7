//! The model of Pinion's configuration: what each directive and each `WSGIDaemonProcess` option
//! means, what a whole configuration says, and what is wrong with it.
//!
//! The module feeds the strings that Apache read to [`directives`]; what comes back is typed and
//! is collected in a [`Config`], which goes to the manager as it is. [`checks`] finds what parsing
//! alone cannot: it looks at files and accounts through two small traits.

#![forbid(unsafe_code)]

pub mod access;
pub mod accounts;
pub mod apache;
pub mod checks;
pub mod codes;
pub mod compatibility;
pub mod directives;
pub mod env_file;
mod error;
pub mod files;
mod finding;
mod group;
pub mod interpreter;
pub mod limits;
mod model;
pub mod names;
pub mod options;
pub mod proxies;
pub mod python_home;
pub mod scripts;
mod settings;
pub mod telemetry;
pub mod words;

pub use accounts::{Accounts, Principal, User};
pub use codes::{Code, Severity};
pub use error::ConfigError;
pub use finding::{Finding, Place};
pub use group::{DaemonGroup, EnvPair, ScriptOwner};
pub use model::{
    AliasSource, Config, GroupDefinition, GroupUse, ImportScript, Met, NamedScript, Placed,
    ScriptAlias, StaticMount, VhostId, VirtualServer,
};
pub use names::{GroupName, NameTemplate};
pub use scripts::{CalledScript, HANDLER_CALLABLE, HandlerScript};
pub use settings::{
    DEFAULT_CALLABLE, DirSetting, DirSettings, MapHead, ServerSetting, ServerSettings,
};
