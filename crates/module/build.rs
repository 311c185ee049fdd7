//! Links the module as Apache needs it.
#![allow(clippy::print_stdout, reason = "this is how a build script speaks to cargo")]

fn main() {
    // httpd unloads modules between two configurations, but the manager's state and callbacks,
    // which the process's own pool keeps, must stay.
    println!("cargo::rustc-cdylib-link-arg=-Wl,-z,nodelete");
    // httpd's functions only exist inside httpd; unit tests call none of them.
    println!("cargo::rustc-link-arg=-Wl,--unresolved-symbols=ignore-all");
    println!("cargo::rerun-if-changed=build.rs");
}
