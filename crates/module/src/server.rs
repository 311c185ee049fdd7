//! What directives have said, for each virtual host and each place.

use std::ffi::{CString, NulError};
use std::sync::Arc;

use pinion_config::{
    AliasSource, Code, Config, DirSettings, Met, Place, ScriptAlias, ServerSettings, VhostId,
    VirtualServer, directives::Value,
};
use pinion_httpd::{Configuration, Regex, RegexError, Server};

use crate::module::Pinion;

/// A directive as it was met.
#[derive(Clone)]
pub(crate) struct Said {
    pub(crate) directive: &'static str,
    pub(crate) value: Value,
    pub(crate) place: Place,
    /// Whether it stands in a section such as `<Directory>`.
    pub(crate) in_section: bool,
}

/// The configuration of a virtual host or the main server.
#[derive(Default)]
pub(crate) struct Host {
    /// What its own directives have said, not those of the main server.
    said: Vec<Said>,
    /// The aliases in the order in which they are tried: its own, then the main server's.
    aliases: Vec<Arc<Alias>>,
    /// What holds for the whole server, which only the main server's directives say.
    settings: ServerSettings,
}

impl Host {
    /// Takes over what a directive says.
    pub(crate) fn add(&mut self, said: Said) {
        if let Value::Server(setting) = &said.value {
            self.settings.set(setting.clone());
        }
        self.said.push(said);
    }

    /// Takes over an alias.
    pub(crate) fn add_alias(&mut self, alias: Alias) {
        self.aliases.push(Arc::new(alias));
    }

    /// The aliases in the order in which they are tried.
    pub(crate) fn aliases(&self) -> impl Iterator<Item = &Alias> {
        self.aliases.iter().map(Arc::as_ref)
    }

    /// What holds for the whole server.
    pub(crate) fn settings(&self) -> &ServerSettings {
        &self.settings
    }
}

impl Configuration for Host {
    fn merged_with(&self, inner: &Self) -> Self {
        Self {
            said: inner.said.clone(),
            aliases: inner.aliases.iter().chain(&self.aliases).cloned().collect(),
            settings: self.settings.clone(),
        }
    }
}

/// The configuration of a place.
#[derive(Default)]
pub(crate) struct Section {
    pub(crate) settings: DirSettings,
}

impl Configuration for Section {
    fn merged_with(&self, inner: &Self) -> Self {
        Self { settings: DirSettings::merge(&self.settings, &inner.settings) }
    }
}

/// An alias, ready to be tried on a request.
pub(crate) struct Alias {
    pub(crate) script: ScriptAlias,
    /// Whether the target was a single file when the configuration was read, so that what follows
    /// in a path is PATH_INFO and httpd need not look for it.
    pub(crate) is_file: bool,
    pub(crate) matcher: Matcher,
}

/// How an alias is tried.
pub(crate) enum Matcher {
    /// The beginning of the path.
    Path,
    /// An expression, and the target into which its groups are put.
    Regex(Regex, CString),
}

/// An alias that cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AliasError {
    /// The expression does not compile.
    #[error("{REGEX}: WSGIScriptAliasMatch: {source}; hint: {hint}", hint = REGEX.entry().action)]
    Regex {
        /// What is wrong with it.
        #[from]
        source: RegexError,
    },
    /// httpd's strings cannot hold the target.
    #[error("{REGEX}: WSGIScriptAliasMatch: the target holds a NUL; hint: remove it")]
    Nul {
        /// Where it is.
        #[from]
        source: NulError,
    },
}

const REGEX: Code = Code::RegexInvalid;

impl Alias {
    /// Prepares an alias; compiles its expression.
    pub(crate) fn new(alias: &ScriptAlias) -> Result<Self, AliasError> {
        let matcher = match &alias.source {
            AliasSource::Path(_) => Matcher::Path,
            AliasSource::Regex(pattern) => {
                Matcher::Regex(Regex::compile(pattern)?, CString::new(alias.target.as_str())?)
            }
        };
        let is_file = std::fs::metadata(&alias.target).is_ok_and(|found| found.is_file());
        Ok(Self { script: alias.clone(), is_file, matcher })
    }
}

/// All that the directives have said, with the virtual hosts numbered in httpd's order.
pub(crate) fn collect(main: Server<'_>) -> Config {
    let mut config = Config::default();
    for (number, server) in (0..).zip(main.and_following()) {
        let vhost = VhostId(number);
        config.vhosts.insert(vhost, virtual_server(server));
        let host = server.config::<Pinion>();
        // httpd gives the main server's configuration to virtual hosts without directives of the module.
        if vhost != VhostId::MAIN && std::ptr::eq(host, main.config::<Pinion>()) {
            continue;
        }
        for said in &host.said {
            let met = Met { vhost, place: said.place.clone(), in_section: said.in_section };
            config.record(said.directive, &said.value, &met);
        }
    }
    config
}

fn virtual_server(server: Server<'_>) -> VirtualServer {
    let text = |string: &std::ffi::CStr| string.to_string_lossy().into_owned();
    let port = Some(server.port()).filter(|port| *port != 0);
    VirtualServer {
        name: server.name().map(text).unwrap_or_default(),
        port: port.unwrap_or_else(|| server.address_port()),
        place: server.defined_in().map(|file| Place::new(text(file), server.defined_at_line())),
    }
}
