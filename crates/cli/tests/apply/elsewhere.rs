//! An Apache that is not laid out as Debian's.

use crate::world::{World, fine, project};

const APPLICATION: &str = "def app(environ, start_response):\n    \
    start_response('200 OK', [])\n    return [b'here']\n";

#[test]
fn where_no_folder_is_for_sites_a_person_is_told_what_to_add_and_to_take_out() {
    let folder = project(&[("hello.py", APPLICATION)]);
    let (mut world, project) = (World::without_sites(), folder.path());
    let before = world.picture();
    let more = ["--application", "hello:app"];
    let file = world.root().join("x/turbogears/hello/apache/hello");
    let include = format!("Include \"{}\"", file.display());

    let left = world.deploy(project, "hello", &more);
    assert_eq!(left.status, "exit status: 1");
    let add = format!("PIN0719: one step is left to you: add `{include}` to ");
    assert!(left.stderr.contains(&add), "{}", left.stderr);
    assert!(file.exists(), "all else is done");

    let plain = std::fs::read_to_string(world.root().join("httpd.conf")).unwrap();
    world.apache.site_mut().config(&include);
    world.apache.site().write_configuration().unwrap();
    world.apache.graceful().unwrap();
    fine(world.deploy(project, "hello", &more));
    assert_eq!(world.get("/hello/").text(), "here");

    let left = world.undeploy(project, &["--purge"]);
    assert!(left.stderr.contains(&format!("take `{include}` out of ")), "{}", left.stderr);
    assert!(file.exists());
    std::fs::write(world.root().join("httpd.conf"), plain).unwrap();
    fine(world.undeploy(project, &["--purge"]));
    assert_eq!(world.picture(), before);
    assert_eq!(world.workers(), [""; 0]);
}
