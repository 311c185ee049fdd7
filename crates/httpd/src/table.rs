//! Tables: ordered, case-insensitive lists of pairs, as headers and environments are kept.

use core::ffi::CStr;
use core::marker::PhantomData;
use core::ptr::NonNull;

use crate::pool::Pool;
use crate::sys;
use crate::text::c_str;

/// An APR table that lives for `'p`, with the pool its entries are to live in.
#[derive(Clone, Copy)]
pub struct Table<'p> {
    raw: NonNull<sys::apr_table_t>,
    pool: Pool<'p>,
}

impl<'p> Table<'p> {
    /// `None` for NULL.
    ///
    /// # Safety
    ///
    /// `raw` is NULL or a table that lives for `'p`, made in `pool` or in a pool that outlives it,
    /// used by this thread alone.
    pub(crate) unsafe fn from_raw(raw: *mut sys::apr_table_t, pool: Pool<'p>) -> Option<Self> {
        NonNull::new(raw).map(|raw| Self { raw, pool })
    }

    /// The first value of `key`.
    #[must_use]
    pub fn get(self, key: &CStr) -> Option<&'p CStr> {
        // SAFETY: the table is live and the key NUL-terminated.
        let value = unsafe { sys::apr_table_get(self.raw.as_ptr(), key.as_ptr()) };
        // SAFETY: values live in a pool that lives for 'p.
        unsafe { c_str(value) }
    }

    /// Replaces every value of `key` by one.
    pub fn set(self, key: &CStr, value: &[u8]) {
        let value = self.pool.copy_raw(value);
        let key = self.pool.copy_raw(key.to_bytes());
        // SAFETY: the table is live; both strings live in its pool.
        unsafe { sys::apr_table_setn(self.raw.as_ptr(), key, value) };
    }

    /// Adds a value, beside those that the key has.
    pub fn add(self, key: &[u8], value: &[u8]) {
        let value = self.pool.copy_raw(value);
        let key = self.pool.copy_raw(key);
        // SAFETY: the table is live; both strings live in its pool.
        unsafe { sys::apr_table_addn(self.raw.as_ptr(), key, value) };
    }

    /// Removes every value of `key`.
    pub fn unset(self, key: &CStr) {
        // SAFETY: the table is live and the key NUL-terminated.
        unsafe { sys::apr_table_unset(self.raw.as_ptr(), key.as_ptr()) };
    }

    /// The pairs in their order, without copying. Changes made meanwhile may or may not be seen.
    #[must_use]
    pub fn iter(self) -> TableIter<'p> {
        // SAFETY: the table is live.
        let array = unsafe { sys::apr_table_elts(self.raw.as_ptr()) };
        // SAFETY: apr_table_elts returns the table's own array, never NULL.
        let first = unsafe { (*array).elts };
        // SAFETY: as above.
        let count = unsafe { (*array).nelts };
        TableIter {
            next: first.cast(),
            left: usize::try_from(count).unwrap_or(0),
            alive: PhantomData,
        }
    }
}

impl<'p> IntoIterator for Table<'p> {
    type Item = (&'p [u8], &'p [u8]);
    type IntoIter = TableIter<'p>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

/// Walks the pairs of a [`Table`].
///
/// A table that grows moves to a new array, but pools free nothing, so the array that this walks
/// stays readable.
pub struct TableIter<'p> {
    next: *const sys::apr_table_entry_t,
    left: usize,
    alive: PhantomData<&'p ()>,
}

impl<'p> Iterator for TableIter<'p> {
    type Item = (&'p [u8], &'p [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        while self.left > 0 {
            // SAFETY: `left` entries remain from here in the array, which its pool keeps.
            let entry = unsafe { &*self.next };
            self.next = self.next.wrapping_add(1);
            self.left -= 1;
            // SAFETY: keys live in a pool that lives for 'p.
            let key = unsafe { c_str(entry.key) };
            // SAFETY: so do values.
            let value = unsafe { c_str(entry.val) };
            if let (Some(key), Some(value)) = (key, value) {
                return Some((key.to_bytes(), value.to_bytes()));
            }
        }
        None
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (0, Some(self.left))
    }
}
