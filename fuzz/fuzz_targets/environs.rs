//! A path with escapes: it is decoded once, holds no zero byte, and what is below a mount point is a part of it.
#![no_main]

use libfuzzer_sys::fuzz_target;
use pinion_http::environ::{below, decode_path};

fuzz_target!(|data: &str| {
    let mut memory = Vec::new();
    let Ok(decoded) = decode_path(data, &mut memory) else {
        assert!(data.contains('%'));
        return;
    };
    let escapes = data.bytes().filter(|byte| *byte == b'%').count();
    assert!(decoded.len() + 2 * escapes >= data.len());
    assert!(escapes == 0 || !decoded.contains(&0) || data.contains('\0'));
    for mount in ["", "/app", "/app/x"] {
        if let Some(rest) = below(mount, decoded) {
            assert_eq!([mount.as_bytes(), rest].concat(), decoded);
            assert!(mount.is_empty() || rest.is_empty() || rest[0] == b'/');
        }
    }
});
