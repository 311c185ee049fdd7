//! Decodes any bytes as each message of the door, the control channel and the reins.

#![no_main]

use libfuzzer_sys::fuzz_target;
use pinion_wire::{
    call::{Call, Returned},
    message::{AcquireReply, Bit, Control, Door, HelloReply, InquireReply, Rein, decode},
};

fuzz_target!(|bytes: &[u8]| {
    let _ = decode::<Control>(bytes);
    let _ = decode::<Door>(bytes);
    let _ = decode::<HelloReply>(bytes);
    let _ = decode::<AcquireReply>(bytes);
    let _ = decode::<InquireReply>(bytes);
    let _ = decode::<Rein>(bytes);
    let _ = decode::<Bit>(bytes);
    let _ = decode::<Call>(bytes);
    let _ = decode::<Vec<Returned>>(bytes);
});
