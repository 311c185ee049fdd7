//! Which process groups a request may use.

use std::collections::HashMap;

use pinion_config::{Code, Config, VhostId};
use pinion_httpd::Request;

use crate::module::Pinion;

/// The groups that are declared inside of virtual hosts, with the `ServerName` of theirs.
#[derive(Debug, Default)]
pub(crate) struct Homes(HashMap<String, String>);

/// Why a group cannot be used.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Denied {
    /// `WSGIRestrictEmbedded`.
    #[error("Embedded mode of mod_wsgi disabled by runtime configuration.")]
    Embedded,
    /// The group belongs to a virtual host of another name (mod_wsgi's documentation of
    /// `WSGIProcessGroup`).
    #[error(
        "Daemon process called '{group}' cannot be accessed by this WSGI application. It is declared in the virtual host '{home}' and can be used in hosts of that name only."
    )]
    Elsewhere {
        /// The group.
        group: String,
        /// The virtual host's `ServerName`.
        home: String,
    },
}

impl Denied {
    /// The code of the condition.
    pub(crate) fn code(&self) -> Code {
        match self {
            Self::Embedded => Code::EmbeddedRestricted,
            Self::Elsewhere { .. } => Code::GroupElsewhere,
        }
    }
}

impl Homes {
    /// The homes of the groups of a configuration.
    pub(crate) fn of(config: &Config) -> Self {
        let inside = config.groups.iter().filter(|group| group.vhost != VhostId::MAIN);
        Self(
            inside
                .filter_map(|group| {
                    let home = config.vhosts.get(&group.vhost)?.name.clone();
                    Some((group.value.name.as_str().to_owned(), home))
                })
                .collect(),
        )
    }

    /// Whether a request may be run by a process group.
    ///
    /// # Errors
    /// Says why not.
    pub(crate) fn check(&self, request: Request<'_>, group: &str) -> Result<(), Denied> {
        let restricted = request.server_config::<Pinion>().settings().restrict_embedded;
        let server = request.server().name().map(|name| name.to_bytes()).unwrap_or_default();
        self.decide(group, restricted, server)
    }

    fn decide(&self, group: &str, restrict_embedded: bool, server: &[u8]) -> Result<(), Denied> {
        if group.is_empty() {
            return if restrict_embedded { Err(Denied::Embedded) } else { Ok(()) };
        }
        match self.0.get(group) {
            Some(home) if home.as_bytes() != server => {
                Err(Denied::Elsewhere { group: group.to_owned(), home: home.clone() })
            }
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_of_a_virtual_host_is_for_hosts_of_its_name() {
        let homes = Homes(HashMap::from([("shop".to_owned(), "a.test".to_owned())]));
        assert_eq!(homes.decide("shop", false, b"a.test"), Ok(()));
        assert_eq!(homes.decide("main", false, b"b.test"), Ok(()));
        let denied = homes.decide("shop", false, b"b.test").unwrap_err().to_string();
        let expected = "Daemon process called 'shop' cannot be accessed by this WSGI application.";
        assert!(denied.starts_with(expected), "{denied}");
    }

    #[test]
    fn embedded_applications_can_be_switched_off() {
        let homes = Homes::default();
        assert_eq!(homes.decide("", false, b"a.test"), Ok(()));
        assert_eq!(homes.decide("", true, b"a.test"), Err(Denied::Embedded));
        assert_eq!(homes.decide("shop", true, b"a.test"), Ok(()));
    }
}
