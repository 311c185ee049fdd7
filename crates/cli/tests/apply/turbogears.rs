//! A quickstarted TurboGears project with a database and sign-in.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use pinion_testbed::http::{Answer, Client};
use pinion_testbed::{python, run, testbed_dir, venv};

use crate::world::{World, client, fine};

/// What quickstarts a project, and, where the index is not asked, all that one needs.
const PACKAGES: [&str; 7] =
    ["tg.devtools>=2.5,<2.6", "PasteDeploy", "gearbox", "alembic", "SQLAlchemy", "kajiki", "wheel"];

/// A new project, and a folder of wheels with all that it needs, which is kept between runs.
fn quickstart() -> (tempfile::TempDir, PathBuf) {
    let tools = venv::ensure("turbogears", &python::system().unwrap(), &PACKAGES).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let mut gearbox = Command::new(tools.bin("gearbox"));
    run(gearbox.current_dir(folder.path()).args(["quickstart", "-a", "-s", "myapp"])).unwrap();
    let wheels = testbed_dir().unwrap().join("wheels-turbogears");
    if !wheels.exists() {
        let part = tempfile::tempdir_in(testbed_dir().unwrap()).unwrap();
        let copy = folder.path().join("copy");
        run(Command::new("cp").arg("-r").arg(folder.path().join("myapp")).arg(&copy)).unwrap();
        let mut pip = Command::new(tools.python());
        pip.args(["-m", "pip", "wheel", "--quiet", "--wheel-dir"]).arg(part.path());
        run(pip.args(["setuptools>=61", "wheel", "PasteDeploy", "gearbox", "alembic"]).arg(&copy))
            .unwrap();
        fs::remove_dir_all(&copy).unwrap();
        // Another run may have been faster; then its wheels are as good.
        let _ = fs::rename(part.keep(), &wheels);
    }
    (folder, wheels)
}

#[test]
fn a_turbogears_project_is_deployed_moved_to_a_host_of_its_own_and_taken_away() {
    let (folder, wheels) = quickstart();
    let project = folder.path().join("myapp");
    let checkout = names(&project);
    let world = World::new();
    let before = world.picture();
    let wheels = wheels.to_str().unwrap();
    let packages = ["--no-index", "--find-links", wheels];

    let said = fine(world.deploy(&project, "myapp", &packages));
    assert!(said.contains("found a TurboGears project: project myapp, package myapp"), "{said}");
    let answers = format!("{} answers 302", url(&world, "localhost", "/myapp/"));
    assert!(said.contains(&answers), "{said}");
    visit(&world, "localhost", "/myapp");
    let made = names(&project);
    let new: Vec<_> = made.iter().filter(|name| !checkout.contains(name)).collect();
    assert_eq!(new, ["apache", "pinion.toml"], "the checkout stays as it was but for these");

    // All is as it should be: nothing is done twice.
    let said = fine(world.deploy(&project, "myapp", &packages));
    let done: Vec<_> = said.lines().filter(|line| line.trim_start().starts_with("done ")).collect();
    assert_eq!(done.len(), 2, "a test of the configuration, and a request: {done:?}");

    let port = world.apache.port().to_string();
    let host = ["--mount-point", "/", "--server-name", "www.pinion.test", "--port", &port];
    let said = fine(world.deploy(&project, "myapp", &[&host[..], &packages].concat()));
    assert!(
        said.contains(&format!("{} answers 302", url(&world, "www.pinion.test", "/"))),
        "{said}"
    );
    visit(&world, "www.pinion.test", "");

    // Data stays, until it is to go too.
    let database = world.root().join("x/local/myapp/myapp.db");
    let said = fine(world.undeploy(&project, &[]));
    assert!(said.contains(&format!("keep {} (data)", database.display())), "{said}");
    assert!(database.exists() && !world.root().join("x/turbogears").exists());
    assert_eq!(world.get_as("www.pinion.test", "/login").status, 404);
    assert_eq!(world.workers(), [""; 0]);
    fine(world.undeploy(&project, &["--purge"]));
    assert_eq!(world.picture(), before);
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    let mut names: Vec<_> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

fn url(world: &World, host: &str, path: &str) -> String {
    format!("http://{host}:{}{path}", world.apache.port())
}

/// The pages of the quickstarted project, signed in too.
fn visit(world: &World, host: &str, mount: &str) {
    let port = world.apache.port();
    let host = format!("{host}:{port}");
    let client = client();
    let get = |path: &str| ask(&client, world, "GET", &host, &format!("{mount}{path}"), "");
    let post = |path: &str, form: &str| {
        ask(&client, world, "POST", &host, &format!("{mount}{path}"), form)
    };
    assert!(get("/").header("location").unwrap().ends_with(&format!("{mount}/demo")));
    let demo = get("/demo");
    assert_eq!(demo.status, 200);
    assert!(demo.text().contains(&format!("\"{mount}/css/style.css\"")), "{}", demo.text());
    for (path, kind) in [("/css/style.css", "text/css"), ("/img/turbogears_logo.png", "image/png")]
    {
        let answer = get(path);
        assert_eq!((answer.status, answer.header("content-type")), (200, Some(kind.to_owned())));
    }
    assert_eq!(post("/demo/add", "title=Fly").status, 200);
    assert!(get("/demo/todos").text().contains("Fly"));

    let protected = get("/demo/protected");
    assert_eq!(protected.status, 302);
    assert!(protected.header("location").unwrap().contains("/login?came_from="));
    let wrong = post("/login_handler", "login=manager&password=wrong");
    assert!(wrong.header("location").unwrap().contains("failure=invalid-password"));
    let right = post("/login_handler", "login=manager&password=managepass");
    let cookies = right.header_all("set-cookie");
    let tickets = cookies.iter().filter(|cookie| cookie.starts_with("authtkt=")).count();
    assert_eq!(tickets, 3, "{cookies:?}");
    let ticket = cookies[0].split(';').next().unwrap().to_owned();
    let url = world.apache.url(&format!("{mount}/demo/protected"));
    let headers = [("host", host.as_str()), ("cookie", ticket.as_str())];
    let signed_in = crate::world::client().send("GET", &url, &headers, b"").unwrap();
    assert_eq!(signed_in.status, 200);
}

fn ask(client: &Client, world: &World, method: &str, host: &str, path: &str, form: &str) -> Answer {
    let kind = "application/x-www-form-urlencoded";
    let headers = [("host", host), ("content-type", kind)];
    client.send(method, &world.apache.url(path), &headers, form.as_bytes()).unwrap()
}
