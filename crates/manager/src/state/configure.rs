//! What a configuration changes.

use std::rc::Rc;

use pinion_config::Code;
use pinion_wire::message::{GroupSpec, Settings};

use super::pair::Leaving;
use super::replace::graceful_time;
use super::{Core, PairId, Sight};

/// Whether workers of both would be the same. In which server a group is declared is only of interest for the log.
fn same(one: &GroupSpec, other: &GroupSpec) -> bool {
    *one == GroupSpec { server: one.server, ..other.clone() }
}

impl Core {
    pub(super) fn configured(&mut self, settings: Settings, sight: &dyn Sight) {
        if self.stopping.is_some() || self.draining {
            return;
        }
        let anew = !self.settings.library.is_empty() && self.settings.library != settings.library;
        let first = self.settings.library.is_empty();
        self.settings = settings;
        let pairs: Vec<_> = self.pairs.keys().copied().collect();
        for pair in pairs {
            self.configure_pair(pair, anew);
        }
        if !first {
            let text = format!("configuration {} taken over", self.settings.generation);
            self.log(None, Code::ConfigurationTaken, None, text);
        }
        for mount in self.settings.preload.clone() {
            match self.mount_for(&mount, sight) {
                Ok((pair, _)) => {
                    if let Some(pair) = self.pairs.get_mut(&pair) {
                        (pair.preloaded, pair.asleep) = (true, false);
                    }
                }
                Err(_) => {
                    let script = String::from_utf8_lossy(&mount.script).into_owned();
                    let text = format!(
                        "no place left to start {script} with the server; it starts with its first request"
                    );
                    self.log(None, Code::Internal, None, text);
                }
            }
        }
        self.reconcile_all(sight);
    }

    fn configure_pair(&mut self, id: PairId, anew: bool) {
        let serving = self.has_ready(id);
        let Some(pair) = self.pairs.get_mut(&id) else { return };
        let name = &pair.key.process_group;
        let Some(spec) = self.settings.groups.iter().find(|group| group.name == *name) else {
            if !matches!(pair.leaving, Some(Leaving::Removed { .. })) {
                let by = self.now + graceful_time(&pair.spec);
                pair.leaving = Some(Leaving::Removed { generation: self.settings.generation, by });
            }
            return;
        };
        // An evicted pair stays so; one whose group is back goes on.
        if matches!(pair.leaving, Some(Leaving::Removed { .. })) {
            pair.leaving = None;
        }
        pair.preloaded = false;
        let unchanged = !anew && same(&pair.configured, spec);
        let was_reverted = !same(&pair.spec, &pair.configured) && pair.fallback.is_none();
        pair.configured = Rc::new(spec.clone());
        if !unchanged || (was_reverted && serving) {
            self.begin_set(id, None);
        }
        self.retry_now(id);
    }
}
