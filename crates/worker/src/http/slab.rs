//! Clients by number: a place and how often the place was used, so that an event that comes late meets nobody else.

use std::sync::Arc;

use super::Client;

/// Bits of the place; those above count its uses.
const PLACE_BITS: u32 = 24;

/// All clients.
#[derive(Debug, Default)]
pub(super) struct Slab {
    places: Vec<Place>,
    free: Vec<u32>,
}

#[derive(Debug, Default)]
struct Place {
    uses: u32,
    client: Option<Arc<Client>>,
}

fn key(place: u32, uses: u32) -> u64 {
    u64::from(uses) << PLACE_BITS | u64::from(place)
}

impl Slab {
    /// Takes a place for the client that `make` makes for a key; `None` when there is none left.
    pub(super) fn insert(&mut self, make: impl FnOnce(u64) -> Client) -> Option<Arc<Client>> {
        let place = match self.free.pop() {
            Some(place) => place,
            None => {
                let place = u32::try_from(self.places.len()).ok();
                let place = place.filter(|place| *place < 1 << PLACE_BITS)?;
                self.places.push(Place::default());
                place
            }
        };
        let entry = self.places.get_mut(place as usize)?;
        entry.uses = entry.uses.wrapping_add(1);
        let client = Arc::new(make(key(place, entry.uses)));
        entry.client = Some(client.clone());
        Some(client)
    }

    fn place(&mut self, key: u64) -> Option<(u32, &mut Place)> {
        let place = (key & ((1 << PLACE_BITS) - 1)) as u32;
        let entry = self.places.get_mut(place as usize)?;
        let is_it = entry.client.as_ref().is_some_and(|client| client.key == key);
        is_it.then_some((place, entry))
    }

    /// The client of a key.
    pub(super) fn get(&mut self, key: u64) -> Option<Arc<Client>> {
        self.place(key)?.1.client.clone()
    }

    /// Gives a place back; false when it was given back already.
    pub(super) fn remove(&mut self, key: u64) -> bool {
        let Some((place, entry)) = self.place(key) else { return false };
        entry.client = None;
        self.free.push(place);
        true
    }

    /// All clients.
    pub(super) fn all(&self) -> Vec<Arc<Client>> {
        self.places.iter().filter_map(|place| place.client.clone()).collect()
    }

    /// Clients whose awaited bodies may be left in their sockets.
    pub(super) fn lying(&self) -> Vec<Arc<Client>> {
        let clients = self.places.iter().filter_map(|place| place.client.as_ref());
        clients.filter(|client| client.is_lying()).cloned().collect()
    }

    /// Calls `f` with each client.
    pub(super) fn each(&self, f: impl Fn(&Client)) {
        self.places.iter().filter_map(|place| place.client.as_deref()).for_each(f);
    }

    /// Calls `f` with each client whose time has come at `now`.
    pub(super) fn due(&self, now: u64) -> Vec<Arc<Client>> {
        let clients = self.places.iter().filter_map(|place| place.client.as_ref());
        clients.filter(|client| client.is_due(now)).cloned().collect()
    }
}
