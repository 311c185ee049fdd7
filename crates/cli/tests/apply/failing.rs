//! Deployments that fail, are interrupted or killed: everything is as it was.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use pinion_testbed::{run, wait_until};

use crate::world::{World, fine, project};

const LIMIT: Duration = Duration::from_secs(120);

fn application(text: &str) -> String {
    format!(
        "def app(environ, start_response):\n    \
         start_response('200 OK', [('Content-Type', 'text/plain')])\n    return [b'{text}']\n"
    )
}

#[test]
fn a_failing_application_is_put_back_and_its_own_traceback_shown() {
    let folder = project(&[("hello.py", "import no_such_module\n")]);
    let (world, project) = (World::new(), folder.path());
    let before = world.picture();
    let more = ["--application", "hello:app"];

    let failed = world.deploy(project, "hello", &more);
    assert_eq!(failed.status, "exit status: 2");
    let said = failed.output();
    assert!(said.contains("PIN0716: http://localhost:"), "{said}");
    assert!(said.contains("ModuleNotFoundError: No module named 'no_such_module'"), "{said}");
    assert!(said.contains("hello.py\", line 1, in <module>"), "{said}");
    assert!(said.contains("everything is as it was before"), "{said}");
    assert_eq!(world.picture(), before);
    assert_eq!(world.get("/hello/").status, 404);

    fs::write(project.join("hello.py"), application("first")).unwrap();
    fine(world.deploy(project, "hello", &more));
    assert_eq!(world.get("/hello/").text(), "first");
    let deployed = world.picture();

    // New code that does not load: the old goes on, and the deployment fails all the same.
    fs::write(project.join("hello.py"), "raise ValueError('second')\n").unwrap();
    let failed = world.deploy(project, "hello", &more);
    assert!(!failed.success);
    assert!(failed.output().contains("ValueError: second"), "{}", failed.output());
    assert_eq!(without_times(world.picture()), without_times(deployed));
    assert_eq!(world.get("/hello/").text(), "first");

    fs::write(project.join("hello.py"), application("third")).unwrap();
    fine(world.deploy(project, "hello", &more));
    assert_eq!(world.get("/hello/").text(), "third");
    fine(world.undeploy(project, &["--purge"]));
    assert_eq!(world.picture(), before);
}

/// Compiled files come and go with what workers import.
fn without_times(
    mut picture: std::collections::BTreeMap<std::path::PathBuf, String>,
) -> std::collections::BTreeMap<std::path::PathBuf, String> {
    picture.retain(|path, _| !path.components().any(|part| part.as_os_str() == "__pycache__"));
    picture
}

/// A project whose installation waits for ever, and tells when it has begun.
fn slow_project() -> tempfile::TempDir {
    let folder = project(&[("hello.py", &application("x"))]);
    // What an installation runs is run by Apache's user.
    let open = std::os::unix::fs::PermissionsExt::from_mode(0o777);
    fs::set_permissions(folder.path(), open).unwrap();
    let started = folder.path().join("started");
    let setup = format!("import time\nopen({started:?}, 'w').close()\ntime.sleep(3600)\n");
    let backend = "[project]\nname = 'hello'\nversion = '1'\n[build-system]\nrequires = []\n\
                   build-backend = 'backend'\nbackend-path = ['.']\n";
    fs::write(folder.path().join("pyproject.toml"), backend).unwrap();
    fs::write(folder.path().join("backend.py"), setup).unwrap();
    folder
}

fn start(world: &World, project: &Path) -> std::process::Child {
    let mut command = world.deploy_command(project, "hello", &["--application", "hello:app"]);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let child = command.spawn().unwrap();
    assert!(wait_until(LIMIT, || project.join("started").exists()), "the installation never began");
    child
}

fn signal(child: &std::process::Child, name: &str) {
    run(Command::new("kill").arg(format!("-{name}")).arg(child.id().to_string())).unwrap();
}

#[test]
fn an_interruption_puts_everything_back() {
    let folder = slow_project();
    let world = World::new();
    let before = world.picture();
    let child = start(&world, folder.path());
    assert_ne!(world.picture(), before);
    signal(&child, "INT");
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2));
    assert!(said.contains("PIN0709: interrupted while `"), "{said}");
    assert!(said.contains("everything is as it was before"), "{said}");
    assert_eq!(world.picture(), before);
}

#[test]
fn a_run_that_was_killed_is_carried_on() {
    let folder = slow_project();
    let (world, project) = (World::new(), folder.path());
    let before = world.picture();
    let child = start(&world, project);
    let pip = pinion_testbed::process::descendants(i32::try_from(child.id()).unwrap());
    signal(&child, "KILL");
    child.wait_with_output().unwrap();
    pip.iter().for_each(pinion_testbed::process::Process::kill);
    assert!(world.root().join("pinion/hello.journal").exists());

    for name in ["pyproject.toml", "backend.py", "started"] {
        fs::remove_file(project.join(name)).unwrap();
    }
    let said = fine(world.deploy(project, "hello", &["--application", "hello:app"]));
    assert!(said.contains("carrying on a run that stopped in its step `virtualenv`"), "{said}");
    assert!(said.contains("as it should be  make the baseline virtualenv"), "{said}");
    assert_eq!(world.get("/hello/").text(), "x");
    assert!(!world.root().join("pinion/hello.journal").exists());
    fine(world.undeploy(project, &["--purge"]));
    assert_eq!(world.picture(), before);
}

#[test]
fn what_cannot_be_done_is_told_before_anything_is_changed() {
    let folder = project(&[("hello.py", &application("x"))]);
    let (world, project) = (World::new(), folder.path());
    let said = |more: &[&str]| {
        let failed =
            world.deploy(project, "hello", &[&["--application", "hello:app"], more].concat());
        assert_eq!(failed.status, "exit status: 2", "{}", failed.output());
        failed.stderr
    };
    let before = world.picture();
    assert!(said(&["--python", "3.99"]).contains("PIN0704: --python 3.99: no such Python"));
    assert!(said(&["--user", "nobody-here"]).contains("PIN0707: there is no user nobody-here"));
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let host = ["--server-name", "a.test", "--port", &port];
    assert!(
        said(&host).contains(&format!("PIN0714: port {port} is in use, and not by this Apache"))
    );
    assert_eq!(world.picture(), before);

    let own = world.root().join("sites-available/hello.conf");
    fs::write(&own, "# mine\n").unwrap();
    let taken = said(&["--server-name", ""]);
    assert!(taken.contains("PIN0713") && taken.contains("mv "), "{taken}");
    assert_eq!(fs::read_to_string(&own).unwrap(), "# mine\n");
    fs::remove_file(own).unwrap();

    let home = world.root().join("x/pythonenv/hello");
    fs::create_dir_all(home.join("bin")).unwrap();
    fs::write(home.join("pyvenv.cfg"), "home = /no/such/bin\nversion = 3.11.2\n").unwrap();
    std::os::unix::fs::symlink("/no/such/bin/python3", home.join("bin/python")).unwrap();
    let broken = said(&[]);
    assert!(broken.contains("/no/such/bin") && broken.contains("hint: "), "{broken}");
    let mut undeploy = world.pinion("undeploy", project);
    let unknown = pinion_testbed::run_quietly(undeploy.args(["--yes", "--name", "hello"])).unwrap();
    assert!(
        unknown.stderr.contains("PIN0717: no site hello was deployed to"),
        "{}",
        unknown.stderr
    );
}
