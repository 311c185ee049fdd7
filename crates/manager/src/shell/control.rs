//! The channel to Apache's parent.

use std::{
    io,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
};

use pinion_unix::sockets::{self, Wait};
use pinion_wire::message::{self, Control, MessageError};

/// The longest message that is taken, in bytes: a configuration of many thousand groups.
const LONGEST: usize = 64 * 1024 * 1024;
/// How much is received at once.
const PIECE: usize = 64 * 1024;

/// What can be wrong with the channel.
#[derive(Debug, thiserror::Error)]
pub(super) enum ControlError {
    /// It is broken.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// A message that cannot be read.
    #[error("{0}")]
    Message(#[from] MessageError),
    /// A message that is too long.
    #[error("a message of {0} bytes")]
    TooLong(usize),
}

/// What one look at the channel brought.
pub(super) enum Received {
    /// No whole message yet.
    Nothing,
    /// A message with its descriptors.
    Message(Control, Vec<OwnedFd>),
    /// The parent has gone.
    End,
}

/// The channel, with what has come of the next message.
pub(super) struct Channel {
    socket: OwnedFd,
    buffer: Vec<u8>,
    descriptors: Vec<OwnedFd>,
}

impl Channel {
    pub(super) fn new(socket: OwnedFd) -> Self {
        Self { socket, buffer: Vec::new(), descriptors: Vec::new() }
    }

    /// Receives what is there of one message; never more than that, so that the next one's descriptors
    /// do not come with it.
    pub(super) fn receive(&mut self) -> Result<Received, ControlError> {
        loop {
            match self.receive_piece()? {
                Some(received) => return Ok(received),
                None if self.missing()? > 0 || self.buffer.len() <= size_of::<u32>() => {}
                None => break,
            }
        }
        let message = message::decode(&self.buffer[size_of::<u32>()..])?;
        self.buffer.clear();
        Ok(Received::Message(message, std::mem::take(&mut self.descriptors)))
    }

    /// Receives once; tells what ends the attempt.
    fn receive_piece(&mut self) -> Result<Option<Received>, ControlError> {
        let room = self.missing()?.min(PIECE);
        match sockets::recv_append_fds(self.socket.as_fd(), &mut self.buffer, room, Wait::No) {
            Ok((0, _)) => Ok(Some(Received::End)),
            Ok((_, descriptors)) => {
                self.descriptors.extend(descriptors);
                Ok(None)
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(Some(Received::Nothing)),
            Err(error) => Err(error.into()),
        }
    }

    /// How many bytes are missing: of the length, or of the message behind it.
    fn missing(&self) -> Result<usize, ControlError> {
        let Some((length, rest)) = self.buffer.split_first_chunk() else {
            return Ok(size_of::<u32>() - self.buffer.len());
        };
        let length = u32::from_le_bytes(*length) as usize;
        if length > LONGEST { Err(ControlError::TooLong(length)) } else { Ok(length - rest.len()) }
    }
}

impl AsFd for Channel {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use pinion_wire::message::Settings;
    use std::io::IoSlice;

    fn until_message(channel: &mut Channel) -> (Control, usize) {
        match channel.receive().unwrap() {
            Received::Message(message, descriptors) => (message, descriptors.len()),
            _ => panic!("no message"),
        }
    }

    #[test]
    fn messages_come_whole_and_one_by_one() {
        let (ours, theirs) = sockets::stream_pair().unwrap();
        let mut channel = Channel::new(theirs);
        assert!(matches!(channel.receive(), Ok(Received::Nothing)));
        let settings = Settings { library: "x".repeat(100_000), ..Settings::default() };
        let configure = Control::Configure(Box::new(settings));
        for message in [&configure, &Control::Stop] {
            let bytes = message::encode(message).unwrap();
            let length = (bytes.len() as u32).to_le_bytes();
            sockets::send_with_fds(ours.as_fd(), &length, &[ours.as_fd(), ours.as_fd()]).unwrap();
            sockets::send_all(ours.as_fd(), &mut [IoSlice::new(&bytes)]).unwrap();
        }
        assert_eq!(until_message(&mut channel), (configure, 2));
        assert_eq!(until_message(&mut channel), (Control::Stop, 2));
        drop(ours);
        assert!(matches!(channel.receive(), Ok(Received::End)));
    }

    #[test]
    fn an_absurd_length_is_refused() {
        let (ours, theirs) = sockets::stream_pair().unwrap();
        sockets::send_all(ours.as_fd(), &mut [IoSlice::new(&u32::MAX.to_le_bytes())]).unwrap();
        let mut channel = Channel::new(theirs);
        assert!(matches!(channel.receive(), Err(ControlError::TooLong(_))));
    }
}
