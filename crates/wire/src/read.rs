//! Reading fields out of a payload.

use crate::frame::FrameError;

/// A payload being read from its start.
pub(crate) struct Fields<'a>(pub(crate) &'a [u8]);

impl<'a> Fields<'a> {
    #[inline]
    pub(crate) fn bytes(&mut self, len: usize, what: &'static str) -> Result<&'a [u8], FrameError> {
        let (head, rest) = self.0.split_at_checked(len).ok_or(FrameError::Short(what))?;
        self.0 = rest;
        Ok(head)
    }

    #[inline]
    fn array<const N: usize>(&mut self, what: &'static str) -> Result<[u8; N], FrameError> {
        let (head, rest) = self.0.split_first_chunk().ok_or(FrameError::Short(what))?;
        self.0 = rest;
        Ok(*head)
    }

    #[inline]
    pub(crate) fn u16(&mut self, what: &'static str) -> Result<u16, FrameError> {
        self.array(what).map(u16::from_le_bytes)
    }

    #[inline]
    pub(crate) fn u32(&mut self, what: &'static str) -> Result<u32, FrameError> {
        self.array(what).map(u32::from_le_bytes)
    }

    #[inline]
    pub(crate) fn u64(&mut self, what: &'static str) -> Result<u64, FrameError> {
        self.array(what).map(u64::from_le_bytes)
    }

    /// Bytes behind their length as u16.
    #[inline]
    pub(crate) fn short(&mut self, what: &'static str) -> Result<&'a [u8], FrameError> {
        let len = self.u16(what)?;
        self.bytes(len.into(), what)
    }

    /// Bytes behind their length as u32.
    #[inline]
    pub(crate) fn long(&mut self, what: &'static str) -> Result<&'a [u8], FrameError> {
        let len = self.u32(what)?;
        self.bytes(len as usize, what)
    }
}
