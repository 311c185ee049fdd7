//! A Django project as `django-admin startproject` makes it, with a place for static files.

use std::fs;
use std::path::Path;
use std::process::Command;

use pinion_testbed::{python, run, venv};

use crate::world::{World, fine};

const DJANGO: &str = "Django>=5.2,<5.3";

fn start_project(folder: &Path) {
    let tools = venv::ensure("django", &python::system().unwrap(), &[DJANGO]).unwrap();
    let mut admin = Command::new(tools.bin("django-admin"));
    run(admin.current_dir(folder).args(["startproject", "shop", "."])).unwrap();
    let settings = folder.join("shop/settings.py");
    let text = fs::read_to_string(&settings).unwrap();
    let text = text
        .replace("DEBUG = True", "DEBUG = False")
        .replace("ALLOWED_HOSTS = []", "ALLOWED_HOSTS = ['localhost', '127.0.0.1']")
        + "\nSTATIC_ROOT = BASE_DIR / 'static'\n";
    fs::write(settings, text).unwrap();
    fs::write(folder.join("requirements.txt"), format!("{DJANGO}\n")).unwrap();
}

#[test]
fn a_django_project_is_migrated_its_static_files_collected_and_taken_away() {
    let folder = tempfile::tempdir().unwrap();
    let project = folder.path().join("shop");
    fs::create_dir(&project).unwrap();
    start_project(&project);
    let world = World::new();
    let before = world.picture();

    let said = fine(world.deploy(&project, "shop", &[]));
    assert!(said.contains("found a Django project: project shop"), "{said}");
    assert!(said.contains("static files copied to"), "{said}");
    let page = world.get("/shop/admin/login/");
    assert_eq!(page.status, 200);
    let style = page.text().split('"').find(|part| part.ends_with(".css")).unwrap().to_owned();
    assert!(style.starts_with("/shop/static/"), "{style}");
    assert_eq!(world.get(&style).header("content-type").unwrap(), "text/css");

    // The database is written by the server's user: a wrong password is looked up, not an error.
    let database = world.root().join("x/turbogears/shop/db.sqlite3");
    assert_eq!(owner(&database), owner_of("www-data"));
    fine(world.undeploy(&project, &[]));
    assert!(database.exists(), "data stays");
    fine(world.undeploy(&project, &["--purge"]));
    assert_eq!(world.picture(), before);
}

fn owner(path: &Path) -> u32 {
    std::os::unix::fs::MetadataExt::uid(&fs::metadata(path).unwrap())
}

/// The user's number; this test's own where it may not change its user.
fn owner_of(user: &str) -> u32 {
    let number = |arguments: &[&str]| -> u32 {
        run(Command::new("id").arg("-u").args(arguments)).unwrap().trim().parse().unwrap()
    };
    if number(&[]) == 0 { number(&[user]) } else { number(&[]) }
}
