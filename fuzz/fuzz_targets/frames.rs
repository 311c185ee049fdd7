//! Reads a stream of frames as both sides do: nothing that the other side sends may panic.

#![no_main]

use libfuzzer_sys::fuzz_target;
use pinion_wire::{
    Header, Kind,
    answer::{End, FilePart, HeadRef, Welcome, decode_want},
    area::Part,
    frame::IN_AREA,
    request::RequestRef,
};

fuzz_target!(|stream: &[u8]| {
    let mut rest = stream;
    while let Ok(Some((header, payload, used))) = Header::split(rest) {
        if header.flags & IN_AREA != 0 {
            drop(Part::decode(payload));
        }
        match header.kind {
            Kind::Request | Kind::Call => {
                if let Ok(request) = RequestRef::decode(payload) {
                    assert_eq!(request.environ().count(), usize::from(request.entries));
                }
            }
            Kind::Head => {
                if let Ok(head) = HeadRef::decode(payload) {
                    let _ = head.headers().count();
                }
            }
            Kind::Welcome => drop(Welcome::decode(payload)),
            Kind::File => drop(FilePart::decode(payload)),
            Kind::Want => drop(decode_want(payload)),
            Kind::End => drop(End::from_flags(header.flags)),
            Kind::Area | Kind::Body | Kind::BodyFailed | Kind::Data | Kind::Log | Kind::Refused | Kind::Returned => {}
        }
        rest = &rest[used..];
    }
});
