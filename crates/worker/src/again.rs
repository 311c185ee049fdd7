//! Long blocks that an application sends again and again, such as pages that it keeps in memory: they stay in the area, so that the
//! second answer with such a block copies nothing, and the front door sends what is in the processor's cache already.
//!
//! `bytes` never change, so the same object is the same block for as long as this holds it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use pinion_wire::area::{SHORT, SLOT};
use pyo3::prelude::*;
use pyo3::sync::MutexExt;
use pyo3::types::PyBytes;

use crate::area::{Slots, Standing};
use crate::references::references;
use crate::worker::{Stage, worker};

mod room;

use room::displaced;

/// The longest block that stays, in bytes.
const LONGEST: usize = 8 * SLOT;

/// So many blocks are remembered.
const MOST: usize = 16;

/// Who holds a block that was made for one answer: the list that it is in or the generator that yields it, and the loop that sends it.
const OWN: isize = 2;

/// The blocks that were sent last and that somebody else holds as well, the last one first.
#[derive(Debug, Default)]
pub(crate) struct Again {
    known: Mutex<Vec<Known>>,
}

#[derive(Debug)]
struct Known {
    block: Py<PyBytes>,
    /// Where it is, once it was sent a second time.
    standing: Option<Arc<Standing>>,
}

impl Again {
    fn known(&self, py: Python<'_>) -> MutexGuard<'_, Vec<Known>> {
        self.known.lock_py_attached(py).unwrap_or_else(PoisonError::into_inner)
    }

    /// Where in `slots` a block is that is about to be sent; `None` where it was not sent before, as far as is known, or there is no room.
    pub(crate) fn find(
        &self,
        block: &Bound<'_, PyBytes>,
        slots: &Arc<Slots>,
    ) -> Option<Arc<Standing>> {
        let (py, bytes) = (block.py(), block.as_bytes());
        // Of a subclass, the end of an object may run code.
        if !(SHORT + 1..=LONGEST).contains(&bytes.len()) || !block.is_exact_instance_of::<PyBytes>()
        {
            return None;
        }
        let mut known = self.known(py);
        let Some(place) = known.iter().position(|one| one.block.is(block)) else {
            if references(block.as_unbound(), py) > OWN {
                known.retain(|one| references(&one.block, py) > 1);
                known.truncate(MOST - 1);
                known.insert(0, Known { block: block.clone().unbind(), standing: None });
            }
            return None;
        };
        known[..=place].rotate_right(1);
        let (first, others) = known.split_first_mut()?;
        if !first.standing.as_ref().is_some_and(|standing| standing.is_in(slots)) {
            first.standing = None;
            let places = others.iter().map(|other| match &other.standing {
                // Who reads it still keeps it.
                Some(standing) => (standing.slots(), Arc::strong_count(standing) == 1),
                None => (0, false),
            });
            let needed = bytes.len().div_ceil(SLOT);
            let displaced = displaced(needed, slots.room_to_stand(), places)?;
            others.iter_mut().rev().take(displaced).for_each(|other| other.standing = None);
            first.standing = slots.stand(bytes).map(Arc::new);
        }
        first.standing.clone()
    }
}

/// The worker forgets what it knows of an area: nothing was sent for a while.
pub(crate) fn forget(slots: &Arc<Slots>) {
    let Some(worker) = worker() else { return };
    let stays = |one: &Known| one.standing.as_ref().is_some_and(|standing| !standing.is_in(slots));
    let known = worker.again.known.lock().unwrap_or_else(PoisonError::into_inner);
    let is_needed = !known.iter().all(stays);
    drop(known);
    // An interpreter that is being left takes all with it.
    if is_needed && worker.stage() < Stage::Ended {
        let _ = Python::try_attach(|py| worker.again.known(py).retain(stays));
    }
}
