//! The memory that a worker shares with its front doors.

use std::sync::atomic::Ordering;

use pinion_unix::area::{Area, Layout};
use pinion_wire::area::{Part, SLOT, SLOTS};
use pinion_wire::frame::{self, BODY_LAST, IN_AREA, REQUEST_TAKES_AREA};
use pinion_wire::{Header, Kind};

use super::Front;

/// What a front door has of a worker's areas.
#[derive(Default)]
pub(crate) struct Shared {
    area: Option<Area>,
    /// How many areas it was given.
    pub(crate) offers: usize,
    /// Whether slots are not let go of.
    pub(crate) keeps: bool,
    kept: Vec<u32>,
}

impl Front {
    /// From now on, areas are taken.
    pub(crate) fn take_areas(&mut self) {
        self.flags |= REQUEST_TAKES_AREA;
    }

    /// Takes the area that has come.
    pub(super) fn adopt(&mut self) {
        let fd = self.files.remove(0);
        let area = Area::from_fd(&fd, Layout { slots: SLOTS, size: SLOT }).unwrap();
        self.shared.area = Some(area);
        self.shared.offers += 1;
    }

    /// Appends what is in the area, and lets go of the slot.
    pub(crate) fn fetch(&mut self, payload: &[u8], out: &mut Vec<u8>) -> usize {
        let part = Part::decode(payload).unwrap();
        self.read(part, out);
        self.shared.kept.push(part.slot);
        if !self.shared.keeps {
            self.let_go();
        }
        part.length as usize
    }

    /// Appends what is in the area.
    pub(crate) fn read(&self, Part { length, slot }: Part, out: &mut Vec<u8>) {
        let area = self.shared.area.as_ref().unwrap();
        area.slot(slot as usize, length as usize).unwrap().append_to(out);
        assert_ne!(area.word(slot as usize).unwrap().load(Ordering::SeqCst), 0);
    }

    /// How many slots are not free.
    pub(crate) fn taken(&self) -> usize {
        let words = self.shared.area.as_ref().unwrap().words().iter();
        words.filter(|word| word.load(Ordering::SeqCst) != 0).count()
    }

    /// Lets go of all slots that it has.
    pub(crate) fn let_go(&mut self) {
        for slot in self.shared.kept.drain(..) {
            let word = self.shared.area.as_ref().unwrap().word(slot as usize).unwrap();
            word.store(0, Ordering::SeqCst);
        }
    }

    /// Answers a Want for bytes in the area with one frame.
    pub(super) fn give_in_area(
        &self,
        header: Header,
        payload: &[u8],
        body: &mut Vec<(Kind, u16, Vec<u8>)>,
    ) {
        let want = Part::decode(payload).unwrap();
        let (kind, flags, bytes) = body.pop().unwrap_or((Kind::Body, BODY_LAST, Vec::new()));
        let (now, later) = bytes.split_at(bytes.len().min(want.length as usize));
        if !later.is_empty() {
            body.push((kind, flags, later.to_vec()));
        }
        let (mut out, flags) = (Vec::new(), if later.is_empty() { flags } else { 0 });
        if kind == Kind::BodyFailed || now.is_empty() {
            frame::push(&mut out, kind, flags, header.seq, now);
        } else {
            let room = self.shared.area.as_ref().unwrap().slot(want.slot as usize, now.len());
            room.unwrap().fill(0, now);
            let part = Part { length: now.len() as u32, ..want };
            frame::push(&mut out, kind, flags | IN_AREA, header.seq, &part.encode());
        }
        self.send_bytes(&out);
    }
}
