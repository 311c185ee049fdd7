//! The memory that workers share with this front door for long blocks of bodies.

use std::{
    io,
    os::fd::{AsFd, OwnedFd},
    sync::{
        Arc, Mutex, PoisonError, Weak,
        atomic::{AtomicBool, Ordering},
    },
};

use pinion_unix::area::{Area, Identity, Layout};
use pinion_wire::area::{SLOT, SLOTS};

/// What every area is made of.
const LAYOUT: Layout = Layout { slots: SLOTS, size: SLOT };

/// A worker: its slot on the board, and the epoch of that.
type Owner = (usize, u32);

/// The areas that this process has mapped, each once, however many connections use it.
#[derive(Debug, Default)]
pub(crate) struct Areas {
    known: Mutex<Vec<Known>>,
    /// This process has no room for more.
    full: AtomicBool,
}

#[derive(Debug)]
struct Known {
    owner: Owner,
    identity: Identity,
    area: Weak<Area>,
}

impl Areas {
    /// Whether workers may offer areas.
    pub(crate) fn are_taken(&self) -> bool {
        !self.full.load(Ordering::Relaxed)
    }

    /// The area that a worker has sent a descriptor of; unmapped when the last connection that uses it is closed.
    ///
    /// # Errors
    /// When it is no area, or cannot be mapped: then no worker is asked for one again.
    pub(crate) fn adopt(&self, owner: Owner, fd: &OwnedFd) -> io::Result<Arc<Area>> {
        let identity = Identity::of(fd.as_fd())?;
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.retain(|one| one.area.strong_count() > 0);
        // The number of a file may come back when it is gone; while this process has it mapped, it is not.
        let same = known.iter().find(|one| one.owner == owner && one.identity == identity);
        if let Some(area) = same.and_then(|one| one.area.upgrade()) {
            return Ok(area);
        }
        let area = Area::from_fd(fd, LAYOUT).inspect_err(|error| {
            if error.kind() != io::ErrorKind::InvalidData {
                self.full.store(true, Ordering::Relaxed);
            }
        })?;
        let area = Arc::new(area);
        known.push(Known { owner, identity, area: Arc::downgrade(&area) });
        Ok(area)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_area_is_mapped_once_for_each_worker_and_forgotten_when_unused() {
        let areas = Areas::default();
        let (_, fd) = Area::create(c"test", LAYOUT).unwrap();
        let first = areas.adopt((1, 5), &fd).unwrap();
        assert!(Arc::ptr_eq(&first, &areas.adopt((1, 5), &fd).unwrap()));
        let other = areas.adopt((1, 6), &fd).unwrap();
        assert!(!Arc::ptr_eq(&first, &other));
        drop(first);
        areas.adopt((2, 1), &fd).unwrap();
        assert_eq!(areas.known.lock().unwrap().len(), 2, "the other one, and the last");
        drop(other);
    }

    #[test]
    fn what_is_no_area_is_refused_and_others_are_taken() {
        let areas = Areas::default();
        let small = Layout { slots: 1, size: SLOT };
        let (_, fd) = Area::create(c"test", small).unwrap();
        assert!(areas.adopt((1, 1), &fd).is_err());
        assert!(areas.adopt((1, 1), &tempfile::tempfile().unwrap().into()).is_err());
        assert!(areas.are_taken());
    }
}
