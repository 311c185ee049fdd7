//! How the parts of an answer leave.

use std::io::IoSlice;
use std::os::fd::BorrowedFd;
use std::sync::Arc;

use pinion_wire::Kind;
use pinion_wire::answer::FilePart;
use pinion_wire::area::SHORT;
use pinion_wire::frame::{self, DATA_FLUSH, DATA_STAYS, IN_AREA};
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use super::{Exchange, Gone, NotSent, Peer};
use crate::area::Slots;
use crate::connection::Connection;
use crate::fork;
use crate::http::Client;
use crate::long::{self, Block};
use crate::metrics::Way;
use crate::response::{Response, SHORT_DATA};
use crate::worker::worker;

impl Exchange {
    /// Sends a block of the body, the head before it; waits until the system has taken it.
    pub(crate) fn send(&self, py: Python<'_>, block: &[u8], flush: bool) -> Result<(), NotSent> {
        let mut state = self.state(py);
        let response = &mut state.response;
        let admitted = response.admit(block.len())?;
        self.note_write(admitted as u64);
        let block = &block[..admitted];
        if block.len() <= SHORT_DATA {
            response.push_data(block, flush);
            return Ok(self.flush(py, response)?);
        }
        if let Some((before, behind)) = response.around(block.len()) {
            let waiting = std::mem::take(&mut response.frames);
            let parts = [&waiting[..], &before, block, behind].map(IoSlice::new);
            return Ok(self.send_parts(py, &mut { parts })?);
        }
        let block = Block { bytes: block, seq: response.seq, flush, may_wait: false };
        Ok(self.send_long(py, &mut response.frames, block)?)
    }

    /// Sends the last block of the body, but what of it can wait for the end of the answer waits.
    pub(crate) fn send_last(&self, py: Python<'_>, block: &[u8]) -> Result<(), NotSent> {
        if block.len() <= SHORT || !self.is_of_front_door() {
            return self.send(py, block, false);
        }
        let mut state = self.state(py);
        let response = &mut state.response;
        let admitted = response.admit(block.len())?;
        self.note_write(admitted as u64);
        let (bytes, seq) = (&block[..admitted], response.seq);
        let block = Block { bytes, seq, flush: false, may_wait: true };
        Ok(self.send_long(py, &mut response.frames, block)?)
    }

    /// Tells the front door of a long block that was sent before, and stays where it reads it; false where it is none, and nothing was
    /// done. What waits is sent with it, unless all that `may_wait`.
    pub(crate) fn send_again(
        &self,
        block: &Bound<'_, PyBytes>,
        flush: bool,
        may_wait: bool,
    ) -> Result<bool, NotSent> {
        let py = block.py();
        if block.as_bytes().len() <= SHORT
            || fork::is_child()
            || self.response(py, |response| response.is_bodiless())
        {
            return Ok(false);
        }
        let (Some(Peer::Front(peer)), Some(worker)) = (self.peer(), worker()) else {
            return Ok(false);
        };
        let Some(area) = peer.known_area().filter(|area| worker.bank.is_current(area)) else {
            return Ok(false);
        };
        let Some(standing) = worker.again.find(block, &area) else { return Ok(false) };
        let mut state = self.state(py);
        if self.is_gone() {
            return Err(NotSent::Gone);
        }
        // Another thread of the application's may have sent a new one meanwhile.
        if !peer.known_area().is_some_and(|area| standing.is_in(&area)) {
            return Ok(false);
        }
        let response = &mut state.response;
        let admitted = response.admit(block.as_bytes().len())?;
        self.note_write(admitted as u64);
        for (part, is_last) in standing.parts(admitted) {
            let flags = IN_AREA | DATA_STAYS | if flush && is_last { DATA_FLUSH } else { 0 };
            frame::push(&mut response.frames, Kind::Data, flags, response.seq, &part.encode());
        }
        peer.lend_standing(standing);
        if !may_wait {
            self.flush(py, response)?;
        }
        Ok(true)
    }

    /// Sends what waits and a long block to a front door.
    fn send_long(
        &self,
        py: Python<'_>,
        frames: &mut Vec<u8>,
        block: Block<'_>,
    ) -> Result<(), Gone> {
        let Some(Peer::Front(peer)) = self.peer() else { return Ok(()) };
        if self.is_gone() {
            return Err(Gone);
        }
        let sent = self.detached(py, Way::Output, || {
            let area = area_of(&peer, block.seq, block.bytes.len() as u64, frames)?;
            let is_full = long::send(&peer, area.as_deref(), frames, block)?;
            if let (true, Some(area), Some(worker)) = (is_full, area, worker()) {
                worker.bank.look_for_lost(&area, |number| worker.connection(number).is_some());
            }
            Ok::<_, std::io::Error>(())
        });
        sent.map_err(|_| {
            frames.clear();
            self.lose()
        })
    }

    /// The area that a part of the body of `length` bytes is to come by, where it is long; `None` where it comes by the socket.
    pub(crate) fn area(
        &self,
        py: Python<'_>,
        peer: &Connection,
        length: u64,
    ) -> Result<Option<Arc<Slots>>, Gone> {
        if length <= SHORT as u64 {
            return Ok(None);
        }
        let mut state = self.state(py);
        let seq = state.response.seq;
        let frames = &mut state.response.frames;
        let area = py.detach(|| area_of(peer, seq, length, frames));
        drop(state);
        area.map_err(|_| self.lose())
    }

    /// Adds a short block of the body, the head before it, to what is sent next.
    pub(crate) fn queue(&self, py: Python<'_>, block: &[u8]) -> Result<(), NotSent> {
        let mut state = self.state(py);
        let admitted = state.response.admit(block.len())?;
        self.note_write(admitted as u64);
        state.response.push_data(&block[..admitted], false);
        Ok(())
    }

    /// As [`Exchange::queue`], for a block that is the whole body.
    pub(crate) fn queue_whole(&self, py: Python<'_>, block: &[u8]) -> Result<(), NotSent> {
        let mut state = self.state(py);
        state.response.know_length(block.len() as u64);
        let admitted = state.response.admit(block.len())?;
        self.note_write(admitted as u64);
        state.response.push_data(&block[..admitted], false);
        Ok(())
    }

    /// Sends a file from `offset` on, of which `left` bytes are left there; the head before it.
    pub(crate) fn send_file(
        &self,
        py: Python<'_>,
        file: BorrowedFd<'_>,
        offset: u64,
        left: u64,
    ) -> Result<(), NotSent> {
        let mut state = self.state(py);
        let response = &mut state.response;
        let length = response.admit_file(left)?;
        self.note_write(length);
        self.flush(py, response)?;
        let peer = match self.peer().filter(|_| length > 0) {
            Some(Peer::Front(peer)) => peer,
            Some(Peer::Client(client)) => {
                let around = response.around(usize::try_from(length).unwrap_or(usize::MAX));
                let (before, behind) = around.unwrap_or_default();
                let sent = self.detached(py, Way::Output, || {
                    client.send_some_of(&before)?;
                    client.send_file(file.try_clone_to_owned()?, offset, length)?;
                    client.send_some_of(behind)
                });
                return Ok(sent.map_err(|_| self.lose())?);
            }
            None => return Ok(()),
        };
        let mut bytes = Vec::new();
        let part = FilePart { offset, length }.encode();
        frame::push(&mut bytes, Kind::File, 0, response.seq, &part);
        let sent = self.detached(py, Way::Output, || peer.send_with(&bytes, file));
        Ok(sent.map_err(|_| self.lose())?)
    }

    /// Sends what waits.
    pub(super) fn flush(&self, py: Python<'_>, response: &mut Response) -> Result<(), Gone> {
        let sent = self.send_short(py, &response.frames);
        response.frames.clear();
        sent
    }

    /// Sends frames without giving up the GIL, as long as there is room for them: that costs less than getting it back.
    fn send_short(&self, py: Python<'_>, mut frames: &[u8]) -> Result<(), Gone> {
        if self.is_gone() {
            return Err(Gone);
        }
        if let Some(Peer::Front(peer)) = self.peer().filter(|_| !frames.is_empty()) {
            let sent = peer.send_now(frames).map_err(|_| self.lose())?;
            frames = &frames[sent..];
        }
        if frames.is_empty() {
            return Ok(());
        }
        self.send_parts(py, &mut [IoSlice::new(frames)])
    }

    fn note_write(&self, bytes: u64) {
        if let Some(meter) = self.meter() {
            meter.note_write(bytes);
        }
    }

    fn send_parts(&self, py: Python<'_>, parts: &mut [IoSlice<'_>]) -> Result<(), Gone> {
        let Some(peer) = self.peer() else { return Ok(()) };
        if self.is_gone() {
            return Err(Gone);
        }
        let sent = match peer {
            Peer::Front(peer) => self.detached(py, Way::Output, || peer.send(parts)),
            Peer::Client(client) => self.send_to(py, &client, parts),
        };
        sent.map_err(|_| self.lose())
    }

    /// Sends to a client, which may take it slowly.
    fn send_to(
        &self,
        py: Python<'_>,
        client: &Client,
        parts: &[IoSlice<'_>],
    ) -> std::io::Result<()> {
        // Who leads has nobody to give the GIL to.
        let keeps = worker().is_some_and(|worker| worker.seat.is_led());
        let is_full = if keeps {
            client.send(parts)
        } else {
            self.detached(py, Way::Output, || client.send(parts))
        }?;
        if !is_full {
            return Ok(());
        }
        let patience = worker().and_then(|worker| worker.door.as_ref());
        let patience = patience.map_or(0, |door| door.spec.times.body);
        self.detached(py, Way::Output, || client.wait_for_room(patience))
    }

    /// Sends bytes that are no part of the answer, behind what waits.
    pub(crate) fn send_frame(&self, py: Python<'_>, frame: &[u8]) -> Result<(), Gone> {
        let mut state = self.state(py);
        state.response.frames.extend_from_slice(frame);
        self.flush(py, &mut state.response)
    }

    /// Sends the last frames, which [`Exchange::finish`] returned, at once. `connection` is the request's.
    pub(crate) fn send_rest(&self, py: Python<'_>, connection: &Connection, frames: &mut Vec<u8>) {
        let mut parts = [IoSlice::new(frames)];
        if self.detached(py, Way::Output, || connection.send(&mut parts)).is_err() {
            connection.close();
        }
        frames.clear();
    }
}

/// The area for a block of `length` bytes, where it is long. A child that the application has forked has none.
fn area_of(
    peer: &Connection,
    seq: u32,
    length: u64,
    frames: &mut Vec<u8>,
) -> std::io::Result<Option<Arc<Slots>>> {
    match worker().filter(|_| length > SHORT as u64 && !fork::is_child()) {
        Some(worker) => peer.area(&worker.bank, seq, frames),
        None => Ok(None),
    }
}
