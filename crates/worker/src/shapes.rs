//! Environs of requests before. The next request nearly always has the same names as one of them and few other values, so
//! its environ is a copy of that one, which Python makes at once, with what differs set.

use arrayvec::ArrayVec;
use pinion_wire::request::{Places, RequestRef};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString};

use crate::environ::{Kind, set};

/// How many are kept: clients of one kind send the same names in the same order, and most sites know few kinds.
const MOST: usize = 6;
/// The longest entries that are kept, names and values.
const LONGEST: usize = 16 * 1024;
/// The most values that are set in an environ of before.
const MOST_CHANGES: usize = 16;

/// A value that differs: the place among the entries, and what it is now.
type Changes<'r> = ArrayVec<(usize, &'r [u8]), MOST_CHANGES>;

/// The environs, the one that was used last first.
#[derive(Default)]
pub(crate) struct Shapes(Vec<Shape>);

/// The environ of a request, without what is made for each.
struct Shape {
    /// Names and values, as they came, and where each is.
    entries: Vec<u8>,
    places: Places,
    names: Vec<(Py<PyString>, Kind)>,
    dict: Py<PyDict>,
}

impl Shapes {
    /// A dict for a request that has the same names as one before.
    pub(crate) fn find<'py>(
        &mut self,
        py: Python<'py>,
        request: &RequestRef<'_>,
    ) -> PyResult<Option<Bound<'py, PyDict>>> {
        let found = self
            .0
            .iter()
            .enumerate()
            .find_map(|(place, shape)| shape.changes(request).map(|changes| (place, changes)));
        let Some((place, changes)) = found else { return Ok(None) };
        let renewed = self.0[place].renew(py, request, &changes);
        if renewed.is_err() {
            self.0.remove(place);
        } else {
            self.0[..=place].rotate_right(1);
        }
        renewed.map(Some)
    }

    /// Keeps a copy of a dict that was made of `names` and a request's values.
    pub(crate) fn keep(
        &mut self,
        request: &RequestRef<'_>,
        names: Vec<(Py<PyString>, Kind)>,
        dict: &Bound<'_, PyDict>,
    ) -> PyResult<()> {
        if request.raw_environ().len() > LONGEST || has_twice(request) {
            return Ok(());
        }
        let (entries, dict) = (request.raw_environ().to_vec(), dict.copy()?.unbind());
        let places = Places::of(&entries);
        self.0.truncate(MOST - 1);
        self.0.insert(0, Shape { entries, places, names, dict });
        Ok(())
    }
}

/// Whether a name comes twice: of its values the last one counts, whichever of them changes.
fn has_twice(request: &RequestRef<'_>) -> bool {
    let mut names: Vec<_> = request.environ().map(|(name, _)| name).collect();
    names.sort_unstable();
    names.windows(2).any(|two| two[0] == two[1])
}

impl Shape {
    /// What differs in a request's values, if its names are the same and little does.
    fn changes<'r>(&self, request: &RequestRef<'r>) -> Option<Changes<'r>> {
        let mut changes = Changes::new();
        let has_room = |change| changes.try_push(change).is_ok();
        let alike = self.places.compare(&self.entries, request.raw_environ(), has_room);
        alike.then_some(changes)
    }

    fn renew<'py>(
        &mut self,
        py: Python<'py>,
        request: &RequestRef<'_>,
        changes: &Changes<'_>,
    ) -> PyResult<Bound<'py, PyDict>> {
        let dict = self.dict.bind(py);
        for (place, value) in changes {
            let Some((name, kind)) = self.names.get(*place) else { continue };
            set(dict, name.bind(py), &kind.value(py, value)?)?;
        }
        if !changes.is_empty() {
            self.entries.clear();
            self.entries.extend_from_slice(request.raw_environ());
            if !changes.iter().all(|change| self.places.stay(*change)) {
                self.places.renew(&self.entries);
            }
        }
        dict.copy()
    }
}
