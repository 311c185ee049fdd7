//! A child process of httpd: its way to the workers.

use std::num::NonZero;
use std::sync::OnceLock;

use pinion_config::Code;
use pinion_front::{Door, Front};
use pinion_httpd::{
    Server, config_generation,
    log::{self, Level},
};

use crate::{
    accounts::SystemAccounts, house::House, lifecycle, pace::Means, permission::Homes, scoreboard,
    server,
};

/// What a child has for all its requests.
pub(crate) struct Child {
    /// The way to the workers.
    pub(crate) front: Front,
    /// Which process groups belong to which virtual host.
    pub(crate) homes: Homes,
    /// What process groups ask of scripts and answers.
    pub(crate) house: House,
    /// Its process id, written out.
    pub(crate) pid: String,
    /// What may be spent on waiting for clients.
    pub(crate) means: Means,
    /// The version of httpd, as numbers with dots.
    pub(crate) apache_version: String,
}

static CHILD: OnceLock<Child> = OnceLock::new();

/// Sets up the way to the workers in a new child.
pub(crate) fn init(main: Server<'_>) {
    // The parent's handler is of no use here, and other modules' waits expect none. What cannot fail
    // in the parent cannot here either.
    let _ = pinion_unix::signals::sleep_when_children_end();
    let Some(inheritance) = lifecycle::inherit() else {
        let code = Code::Unreachable;
        let line = format!("{code}: this process has no way to the manager");
        log::server(Some(main), Level::Critical, &line);
        return;
    };
    let generation = u32::try_from(config_generation()).unwrap_or(0);
    let pid = std::process::id();
    let config = server::collect(main);
    if scoreboard::is_wanted(&config) {
        scoreboard::tell(main, inheritance.questions);
    }
    CHILD.get_or_init(|| Child {
        front: Front::new(Door::new(inheritance.door), inheritance.board, pid, generation),
        homes: Homes::of(&config),
        house: House::of(&config, &SystemAccounts::new()),
        pid: pid.to_string(),
        means: Means {
            threads: pinion_httpd::mpm_limits().threads,
            processors: std::thread::available_parallelism().map_or(1, NonZero::get),
        },
        apache_version: pinion_httpd::version(),
    });
}

/// What this child has; `None` where the manager's channels could not be had.
pub(crate) fn get() -> Option<&'static Child> {
    CHILD.get()
}
