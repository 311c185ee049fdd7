//! What the proxies in front of the server say about a request, where they are trusted.

use std::ffi::{CStr, CString};

use pinion_config::proxies::{Rewrite, Trust};
use pinion_httpd::Request;
use pinion_wire::request::RequestWriter;

/// Looks at the headers as `subprocess_env` shows them, where `SetEnvIf` and mod_remoteip may have had a word too.
pub(crate) fn rewrite<'r>(request: Request<'r>, trust: Trust<'_>) -> Rewrite<'r> {
    let env = request.subprocess_env();
    let peer = env.get(c"REMOTE_ADDR").map_or(&b""[..], CStr::to_bytes);
    trust.rewrite(peer, |variable| {
        let name = CString::new(variable).ok()?;
        env.get(&name).map(CStr::to_bytes)
    })
}

/// Writes what is shown instead; the entries replace earlier ones.
pub(crate) fn write(rewrite: &Rewrite<'_>, out: &mut RequestWriter<'_>) {
    for (name, value) in &rewrite.set {
        out.entry(name.as_bytes(), value);
    }
    if let Some(mount) = rewrite.mount {
        out.entry(b"mod_wsgi.mount_point", mount);
    }
}
