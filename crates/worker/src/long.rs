//! Long blocks of an answer's body on their way to a front door.

use std::io::{self, IoSlice};

use pinion_wire::Kind;
use pinion_wire::area::{SHORT, SLOT};
use pinion_wire::frame::{self, DATA_FLUSH, IN_AREA};

use crate::area::Slots;
use crate::connection::Connection;
use crate::response::data_frames;

/// A block and what its frames say.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Block<'a> {
    /// The block.
    pub(crate) bytes: &'a [u8],
    /// The request's number on its connection.
    pub(crate) seq: u32,
    /// Whether the client shall have it now.
    pub(crate) flush: bool,
    /// Whether its last frames may wait, because more comes at once.
    pub(crate) may_wait: bool,
}

/// Sends the frames that wait, and behind them a block, as much of it as possible by the area. What may wait, and does, is left in
/// `frames`. True when there was no room for all.
///
/// Each piece is told of at once, so that the front door passes one on while the next is copied.
///
/// # Errors
/// As [`Connection::send`].
pub(crate) fn send(
    connection: &Connection,
    area: Option<&Slots>,
    frames: &mut Vec<u8>,
    block: Block<'_>,
) -> io::Result<bool> {
    let Block { bytes: mut rest, seq, flush, may_wait } = block;
    while let Some(area) = area.filter(|_| rest.len() > SHORT) {
        let (piece, behind) = rest.split_at(rest.len().min(SLOT));
        let Some(part) = area.put(connection.number, piece) else { break };
        rest = behind;
        let flags = IN_AREA | if flush && rest.is_empty() { DATA_FLUSH } else { 0 };
        frame::push(frames, Kind::Data, flags, seq, &part.encode());
        if rest.is_empty() && may_wait {
            return Ok(false);
        }
        connection.send(&mut [IoSlice::new(frames)])?;
        frames.clear();
    }
    let pieces = data_frames(rest, seq, flush).collect::<Vec<_>>();
    let mut parts = vec![IoSlice::new(frames)];
    for (header, part) in &pieces {
        parts.extend([IoSlice::new(header), IoSlice::new(part)]);
    }
    connection.send(&mut parts)?;
    frames.clear();
    Ok(area.is_some() && rest.len() > SHORT)
}
