//! Scripts that are named by other directives than aliases.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::settings::DirSettings;

/// A script whose functions are called beside the application.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CalledScript {
    /// Its absolute path.
    pub path: PathBuf,
    /// The application group of the implicit process group in which it is loaded. Variables other than `%{GLOBAL}` stay as
    /// they are written, as in mod_wsgi.
    pub application_group: String,
}

/// `WSGIHandlerScript`: a script behind a handler's name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HandlerScript {
    /// The handler's name, for `SetHandler` and `AddHandler`.
    pub name: String,
    /// The script's absolute path.
    pub path: PathBuf,
    /// What the directive's own options set; they override those of the place.
    pub options: Box<DirSettings>,
}

/// The callable in each handler script.
pub const HANDLER_CALLABLE: &str = "handle_request";

/// Adds a script, in the place of one of the same name.
pub(crate) fn add(scripts: &mut Vec<HandlerScript>, script: HandlerScript) {
    scripts.retain(|known| known.name != script.name);
    scripts.push(script);
}

/// The scripts of an inner section over those of an outer one.
pub(crate) fn merge(base: &[HandlerScript], over: &[HandlerScript]) -> Vec<HandlerScript> {
    let mut merged = base.to_vec();
    for script in over {
        add(&mut merged, script.clone());
    }
    merged
}

#[cfg(test)]
mod tests {
    use super::*;

    fn script(name: &str, path: &str) -> HandlerScript {
        HandlerScript { name: name.into(), path: path.into(), options: Box::default() }
    }

    #[test]
    fn an_inner_script_takes_the_place_of_an_outer_one_of_its_name() {
        let outer = [script("a", "/1"), script("b", "/2")];
        let inner = [script("a", "/3"), script("c", "/4")];
        let merged = merge(&outer, &inner);
        assert_eq!(merged, [script("b", "/2"), script("a", "/3"), script("c", "/4")]);
        assert_eq!(merge(&outer, &[]), outer);
    }
}
