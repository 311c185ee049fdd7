//! The header of every frame on a connection between a front door and a worker.
//!
//! A frame is a header of [`Header::SIZE`] bytes and a payload. All numbers are little endian.
//!
//! | bytes | field |
//! |---|---|
//! | 0..4 | length of the payload |
//! | 4 | protocol version, [`PROTOCOL_VERSION`] |
//! | 5 | [`Kind`] |
//! | 6..8 | flags, whose meaning depends on the kind |
//! | 8..12 | sequence: the number of the request on this connection |

/// The version of everything in this crate. Front door, manager and worker are staged
/// together, so any other version is refused.
pub const PROTOCOL_VERSION: u8 = 1;

/// The longest payload that a frame may have, in bytes. A longer body travels in several frames.
pub const MAX_PAYLOAD: usize = 16 * 1024 * 1024;

/// What a frame is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Kind {
    /// Front door to worker: the head of a request, and its body when that is short ([`crate::request`]).
    Request = 1,
    /// Front door to worker: bytes of the request's body. Flags: [`BODY_LAST`]: none follow; [`IN_AREA`]: they are in the slot that
    /// was asked for ([`crate::area::Part`]).
    Body = 2,
    /// Front door to worker, instead of [`Kind::Body`]: the body ended before it was whole. The payload is a reason in UTF-8.
    BodyFailed = 3,
    /// Front door to worker, instead of [`Kind::Request`]: call functions of a script ([`crate::call`]).
    Call = 4,
    /// Worker to front door, first frame of a connection ([`crate::answer::Welcome`]).
    Welcome = 16,
    /// Worker to front door: status and headers ([`crate::answer::HeadRef`]).
    Head = 17,
    /// Worker to front door: bytes of the answer's body. Flags: [`DATA_FLUSH`]: hand them to the client now; [`IN_AREA`]: they are in
    /// the area ([`crate::area::Part`]); [`DATA_STAYS`] with that: for other answers too.
    Data = 18,
    /// Worker to front door: send this part of the attached file ([`crate::answer::FilePart`]).
    File = 19,
    /// Worker to front door: the request is done. Flags: how ([`crate::answer::End`]), and perhaps [`END_UNDER_LOAD`].
    End = 20,
    /// Worker to front door: text for the log of the request's virtual host ([`crate::answer::LogRef`]). Flags: an Apache log level
    /// (0 to 15), and perhaps [`LOG_PLACED`].
    Log = 21,
    /// Worker to front door: the application waits for at most this many bytes of the body (u32, not 0). Answered by exactly
    /// one [`Kind::Body`] with at least one byte (or [`BODY_LAST`]), or by one [`Kind::BodyFailed`]. A
    /// second `Want` may be sent before the first is answered. What goes beyond the bytes that the application
    /// is known to need is never more than 64 KiB, which a socket's buffer takes even when the worker stops receiving.
    /// Flag [`IN_AREA`]: the bytes are to be put into the area, and the payload says where ([`crate::area::Part`]).
    Want = 22,
    /// Manager to front door, in place of [`Kind::Welcome`]: no connection; the payload is a reason in UTF-8.
    Refused = 23,
    /// Worker to front door: what the functions of a [`Kind::Call`] returned, a list of [`crate::call::Returned`].
    Returned = 24,
    /// Worker to front door: the attached descriptor is the memory that flags [`IN_AREA`] mean from now on ([`crate::area`]). Only to
    /// a front door whose request said [`REQUEST_TAKES_AREA`]. No payload.
    Area = 25,
}

impl Kind {
    const ALL: [Self; 14] = [
        Self::Request,
        Self::Body,
        Self::BodyFailed,
        Self::Call,
        Self::Welcome,
        Self::Head,
        Self::Data,
        Self::File,
        Self::End,
        Self::Log,
        Self::Want,
        Self::Refused,
        Self::Returned,
        Self::Area,
    ];

    fn from_byte(byte: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| *kind as u8 == byte)
    }
}

/// Flag of [`Kind::Request`]: where the script says that it is out of date, another worker may be asked to load it anew
/// ([`crate::answer::End::Reload`]); without it, the script runs as it is.
pub const REQUEST_MAY_RELOAD: u16 = 1;

/// Flag of [`Kind::Request`]: the request is no activity for inactivity-timeout (`WSGIIgnoreActivity`).
pub const REQUEST_IS_NO_ACTIVITY: u16 = 2;

/// Flag of [`Kind::Request`]: the client asks again at once, nobody else asks, and the front door stays awake for it. A worker that does
/// so too saves the time in which a sleeping processor wakes.
pub const REQUEST_NEXT_IS_NEAR: u16 = 4;

/// Flag of [`Kind::Request`]: the front door takes memory for long blocks ([`Kind::Area`]).
pub const REQUEST_TAKES_AREA: u16 = 8;

/// Flag of [`Kind::Request`]: front doors have many requests in the hands of the worker that gets this one.
pub const REQUEST_IS_ONE_OF_MANY: u16 = 16;

/// Flag of [`Kind::Body`]: no more bytes of the body follow.
pub const BODY_LAST: u16 = 1;

/// Flag of [`Kind::Data`]: hand what came so far to the client before waiting for more.
pub const DATA_FLUSH: u16 = 1;

/// Flag of [`Kind::Body`], [`Kind::Data`] and [`Kind::Want`]: the bytes are not in the frame but in memory that both sides share.
pub const IN_AREA: u16 = 2;

/// Flag of [`Kind::Data`] with [`IN_AREA`]: other answers have the same bytes, so the slot stays the worker's. The front door reads there
/// until it sends the next request on this connection, or closes it, and does not touch the slot's word.
pub const DATA_STAYS: u16 = 4;

/// Flag of [`Kind::End`]: the worker is under load, and finds several requests each time that it wakes. So threads that it wakes do well
/// to wait for their turn, and those that wake it gain nothing if it does not.
pub const END_UNDER_LOAD: u16 = 256;

/// Flag of [`Kind::Log`]: before the text stands where in the source it was logged.
pub const LOG_PLACED: u16 = 256;

/// What can be wrong with a frame.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// The other side speaks another version.
    #[error("protocol version {0}, expected {PROTOCOL_VERSION}")]
    Version(u8),
    /// No such kind of frame.
    #[error("unknown frame kind {0}")]
    Kind(u8),
    /// The payload is longer than [`MAX_PAYLOAD`].
    #[error("frame of {0} bytes, at most {MAX_PAYLOAD} are allowed")]
    TooLong(u32),
    /// The payload ends in the middle of a field.
    #[error("frame cut short in its field {0}")]
    Short(&'static str),
    /// A field has a value that it cannot have.
    #[error("bad value in the frame's field {0}")]
    Value(&'static str),
    /// A frame that may not come here.
    #[error("unexpected frame {0:?}")]
    Unexpected(Kind),
}

/// A frame's header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// What the frame is for.
    pub kind: Kind,
    /// Flags, by kind.
    pub flags: u16,
    /// The number of the request on this connection.
    pub seq: u32,
    /// Length of the payload in bytes.
    pub len: u32,
}

impl Header {
    /// The length of an encoded header in bytes.
    pub const SIZE: usize = 12;

    /// Encodes the header.
    #[must_use]
    pub fn encode(&self) -> [u8; Self::SIZE] {
        let mut out = [0; Self::SIZE];
        out[0..4].copy_from_slice(&self.len.to_le_bytes());
        out[4] = PROTOCOL_VERSION;
        out[5] = self.kind as u8;
        out[6..8].copy_from_slice(&self.flags.to_le_bytes());
        out[8..12].copy_from_slice(&self.seq.to_le_bytes());
        out
    }

    /// Decodes a header.
    ///
    /// # Errors
    /// Another version, an unknown kind, or a length above [`MAX_PAYLOAD`].
    pub fn decode(bytes: &[u8; Self::SIZE]) -> Result<Self, FrameError> {
        let [l0, l1, l2, l3, version, kind, f0, f1, s0, s1, s2, s3] = *bytes;
        if version != PROTOCOL_VERSION {
            return Err(FrameError::Version(version));
        }
        let len = u32::from_le_bytes([l0, l1, l2, l3]);
        if len as usize > MAX_PAYLOAD {
            return Err(FrameError::TooLong(len));
        }
        Ok(Self {
            kind: Kind::from_byte(kind).ok_or(FrameError::Kind(kind))?,
            flags: u16::from_le_bytes([f0, f1]),
            seq: u32::from_le_bytes([s0, s1, s2, s3]),
            len,
        })
    }

    /// The first whole frame in `buffer`: its header, its payload, and how many bytes it takes;
    /// or `None` when more bytes are needed.
    ///
    /// # Errors
    /// As [`Header::decode`].
    pub fn split(buffer: &[u8]) -> Result<Option<Split<'_>>, FrameError> {
        let Some((head, rest)) = buffer.split_first_chunk::<{ Self::SIZE }>() else {
            return Ok(None);
        };
        let header = Self::decode(head)?;
        let len = header.len as usize;
        Ok(rest.get(..len).map(|payload| (header, payload, Self::SIZE + len)))
    }
}

/// What [`Header::split`] finds: the header, the payload, and how many bytes the frame takes.
pub type Split<'a> = (Header, &'a [u8], usize);

/// Appends a whole frame to `out`.
///
/// # Panics
/// In debug builds, when the payload is longer than [`MAX_PAYLOAD`]: the sender splits bodies.
pub fn push(out: &mut Vec<u8>, kind: Kind, flags: u16, seq: u32, payload: &[u8]) {
    debug_assert!(payload.len() <= MAX_PAYLOAD);
    let header = Header { kind, flags, seq, len: payload.len() as u32 };
    out.extend_from_slice(&header.encode());
    out.extend_from_slice(payload);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_survives_the_way() {
        for kind in Kind::ALL {
            let header = Header { kind, flags: 7, seq: 0xdead_beef, len: 42 };
            assert_eq!(Header::decode(&header.encode()), Ok(header));
        }
    }

    #[test]
    fn another_version_is_refused() {
        let mut bytes = Header { kind: Kind::End, flags: 0, seq: 1, len: 0 }.encode();
        bytes[4] = PROTOCOL_VERSION + 1;
        assert_eq!(Header::decode(&bytes), Err(FrameError::Version(PROTOCOL_VERSION + 1)));
    }

    #[test]
    fn an_unknown_kind_and_a_giant_are_refused() {
        let mut bytes = Header { kind: Kind::End, flags: 0, seq: 1, len: 0 }.encode();
        bytes[5] = 99;
        assert_eq!(Header::decode(&bytes), Err(FrameError::Kind(99)));
        let bytes = Header { kind: Kind::End, flags: 0, seq: 1, len: u32::MAX }.encode();
        assert_eq!(Header::decode(&bytes), Err(FrameError::TooLong(u32::MAX)));
    }

    #[test]
    fn a_frame_cut_anywhere_waits_for_more() {
        let mut frame = Vec::new();
        push(&mut frame, Kind::Data, DATA_FLUSH, 3, b"hello");
        for cut in 0..frame.len() {
            assert_eq!(Header::split(&frame[..cut]), Ok(None));
        }
        let (header, payload, used) = Header::split(&frame).unwrap().unwrap();
        assert_eq!((header.kind, payload, used), (Kind::Data, &b"hello"[..], frame.len()));
    }
}
