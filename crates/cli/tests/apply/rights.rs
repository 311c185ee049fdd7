//! Who may not write where a deployment does is told so, and nothing is changed.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;

use pinion_testbed::{Finished, run, run_quietly};

use crate::world::{World, project};

const APPLICATION: &str = "def app(environ, start_response):\n    \
    start_response('200 OK', [])\n    return [b'here']\n";

/// The command as a user who owns nothing; who runs the tests is one, if it is not root.
fn unprivileged(command: &Command) -> Finished {
    let root = run(Command::new("id").arg("-u")).unwrap().trim() == "0";
    let mut plain = Command::new(if root { "setpriv" } else { "env" });
    if root {
        plain.args(["--reuid=65534", "--regid=65534", "--clear-groups"]);
    }
    run_quietly(plain.arg(command.get_program()).args(command.get_args())).unwrap()
}

fn mode(folder: &Path, mode: u32) {
    fs::set_permissions(folder, fs::Permissions::from_mode(mode)).unwrap();
}

#[test]
fn without_rights_nothing_is_deployed_or_generated() {
    let folder = project(&[("hello.py", APPLICATION)]);
    let (world, project) = (World::new(), folder.path());
    let place = world.root().join("x");
    fs::create_dir(&place).unwrap();
    mode(&place, 0o555);
    mode(project, 0o555);
    let before = (world.picture(), crate::world::picture_of(project));

    let more = ["--application", "hello:app"];
    let denied = unprivileged(&world.deploy_command(project, "hello", &more));
    assert_eq!(denied.status, "exit status: 2", "{}", denied.output());
    let place = place.display();
    assert!(
        denied.stderr.contains(&format!("PIN0712: {place} cannot be written by ")),
        "{denied:?}"
    );
    assert!(denied.stderr.contains("hint: run the same command with sudo"), "{}", denied.stderr);

    let mut generate = world.pinion("deploy", project);
    let denied = unprivileged(generate.args(["--name", "hello"]).args(more));
    assert_eq!(denied.status, "exit status: 2", "{}", denied.output());
    let file = project.join("apache");
    assert!(denied.stderr.contains(&file.display().to_string()), "{}", denied.stderr);
    assert!(denied.stderr.contains("Permission denied"), "{}", denied.stderr);
    assert!(denied.stderr.contains("hint: "), "{}", denied.stderr);

    assert_eq!((world.picture(), crate::world::picture_of(project)), before);
    mode(project, 0o755);
}
