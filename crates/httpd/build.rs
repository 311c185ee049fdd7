//! Links the example module as a module has to be linked.
#![allow(clippy::print_stdout, reason = "this is how a build script speaks to cargo")]

fn main() {
    // For every target, because cargo has no way to say it of an example library alone.
    // httpd unloads modules between two configurations; callbacks and statics must stay.
    println!("cargo::rustc-link-arg=-Wl,-z,nodelete");
    println!("cargo::rerun-if-changed=build.rs");
}
