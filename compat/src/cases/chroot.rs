//! `chroot`: processes whose root is a folder with nothing but what they need.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::context::SOON;
use crate::suite::Outcome;
use crate::{Context, Suite};
use libtest_mimic::Failed;
use pinion_testbed::{Server, Site, python};

const APPLICATION: &str = "
import json, os


def application(environ, start_response):
    root = sorted(os.listdir('/'))
    body = json.dumps({'root': root, 'file': __file__, 'pid': os.getpid()}).encode()
    start_response('200 OK', [('Content-Length', str(len(body)))])
    return [body]
";

pub(super) fn suites() -> Vec<Suite> {
    if !super::is_root() {
        // Only root may change the root of a process.
        return Vec::new();
    }
    vec![
        Suite::new("chroot", site)
            .case("processes_see_the_folder_as_their_root", inside)
            .case("script_outside_is_refused", outside)
            .case("folder_that_goes_is_told", gone),
        Suite::alone("chroot_refused")
            .solo("what_the_folder_lacks_is_named", lacking)
            .only_pinion("mod_wsgi's configtest looks at no files"),
    ]
}

fn site(site: &mut Site) -> Outcome {
    let script = site.write("jail/srv/app.wsgi", APPLICATION)?;
    let other = site.write("outside/app.wsgi", APPLICATION)?;
    let jail = site.root().join("jail");
    furnish(&jail, site.server().ok_or("no server")?)?;
    let link = site.root().join("link");
    std::os::unix::fs::symlink(&jail, &link)?;
    site.config(format!(
        "WSGIDaemonProcess jailed threads=1 chroot={}\n\
         WSGIScriptAlias /in {} process-group=jailed application-group=%{{GLOBAL}}\n\
         WSGIScriptAlias /out {} process-group=jailed application-group=%{{GLOBAL}}\n\
         WSGIDaemonProcess fading threads=1 chroot={link}\n\
         WSGIScriptAlias /fading {link}/srv/app.wsgi process-group=fading application-group=%{{GLOBAL}}",
        jail.display(),
        script.display(),
        other.display(),
        link = link.display()
    ));
    Ok(())
}

/// Copies an interpreter into the folder, its modules and libraries, and what Pinion's workers read.
fn furnish(jail: &Path, server: &Server) -> Outcome {
    let python = python::system()?;
    let modules = PathBuf::from(format!("/usr/lib/python{}", python.version));
    let mut programs = vec![python.path.clone()];
    copy(jail, "--archive", &[modules])?;
    if let Some(library) = library(server) {
        copy(jail, "--archive", std::slice::from_ref(&library))?;
        programs.push(library.join("_pinion.abi3.so"));
    }
    let mut needed = vec![python.path];
    for program in programs {
        let listed = pinion_testbed::run(Command::new("ldd").arg(program))?;
        let paths = listed.split_whitespace().filter(|word| word.starts_with('/'));
        needed.extend(paths.map(PathBuf::from));
    }
    needed.sort();
    needed.dedup();
    copy(jail, "--dereference", &needed)
}

/// Copies files or folders to the same paths below `jail`.
fn copy(jail: &Path, how: &str, paths: &[PathBuf]) -> Outcome {
    let mut copying = Command::new("cp");
    // From the root, by relative names: with absolute ones cp looks for the folders on the way in the wrong place.
    let relative = paths.iter().map(|path| path.strip_prefix("/").unwrap_or(path));
    copying.current_dir("/").args([how, "--parents"]).args(relative).arg(jail);
    Ok(pinion_testbed::run(&mut copying).map(drop)?)
}

/// The folder of what Pinion's workers read; the original's processes have all of it in Apache.
fn library(server: &Server) -> Option<PathBuf> {
    let tree = server.module().parent().and_then(Path::parent);
    tree.filter(|_| server.is_pinion()).map(|tree| tree.join("lib/pinion"))
}

fn inside(context: &Context) -> Outcome {
    let seen = context.json("/in")?;
    assert_eq!(seen["file"], "/srv/app.wsgi");
    let root = seen["root"].as_array().ok_or("no list")?;
    let has = |name: &str| root.iter().any(|entry| entry == name);
    assert!(has("srv") && has("usr") && !has("proc") && !has("etc"), "{root:?}");
    Ok(())
}

fn outside(context: &Context) -> Outcome {
    let from = context.log().size();
    // The original's daemon closes the connection without an answer.
    let expected = if context.server.is_pinion() { 500 } else { 502 };
    assert_eq!(context.status("/out")?, expected);
    let line = context.log().wait_for_from(from, "is not located within chroot directory", SOON)?;
    assert!(line.contains("WSGI0081: "), "{line}");
    Ok(())
}

/// The folder has gone when a process is to be replaced.
fn gone(context: &Context) -> Outcome {
    let pid = context.json("/fading")?["pid"].to_string();
    let from = context.log().size();
    std::fs::remove_file(context.path("link"))?;
    pinion_testbed::run(Command::new("kill").args(["-s", "KILL", &pid]))?;
    let said = "WSGI0003: Unable to change root directory to '";
    let line = context.log().wait_for_from(from, said, SOON)?;
    assert!(line.contains("/link'"), "{line}");
    Ok(())
}

fn lacking(server: &Server) -> Result<(), Failed> {
    let mut site = Site::new(server)?;
    let jail = site.write("jail/srv/app.wsgi", APPLICATION)?;
    let jail = jail.ancestors().nth(2).ok_or("no folder")?;
    site.config(format!("WSGIDaemonProcess jailed chroot={}", jail.display()));
    let tested = site.configtest()?;
    assert!(!tested.success, "{}", tested.output());
    for missing in ["/usr/bin/python3 is not in it", "_pinion.abi3.so is not in it"] {
        assert!(tested.output().contains(missing), "{missing}: {}", tested.output());
    }
    let gone = jail.join("gone");
    super::refused(server, &format!("WSGIDaemonProcess x chroot={}", gone.display()), "chroot=")
}
