//! TurboGears: what the README's first command does, then the same below the validator.

use std::fs;

use crate::served::{Example, Served, cookies, location, picture};

/// As the script that Paste Deploy's projects get: logging, then the application.
const VALIDATED: &str = "import os
from logging.config import fileConfig

from paste.deploy import loadapp

ini = os.path.join(os.path.dirname(os.path.abspath(__file__)), 'development.ini')
fileConfig(ini, disable_existing_loggers=False)
made = loadapp('config:' + ini)";

#[test]
fn turbogears_sets_itself_up_and_serves_its_pages_as_a_project_and_below_the_validator() {
    let example = Example::copy("turbogears");
    let served = example.serve(&[]);
    assert!(served.log().contains("made the user manager"), "{}", served.log());
    visit(served, "Kingfisher");
    assert!(example.root().join("data/sightings.db").exists());

    // A second start finds all set up, and the data of the first.
    let log = fs::read_to_string(example.root().join("../log")).unwrap().len();
    let served = example.serve(&[]);
    assert!(!served.log()[log..].contains("pip"), "{}", served.log());
    assert!(served.get("/").text().contains("Kingfisher"));
    served.end();

    visit(example.serve_validated(VALIDATED, &["--no-setup"]), "Blackbird");
    // Below a mount point each link and redirect carries it.
    mounted(example.serve_validated(VALIDATED, &["--no-setup", "--mount", "/birds"]));
}

fn visit(served: Served, species: &str) {
    let page = served.get("/").text();
    assert!(page.contains("You have been here 1 time."), "{page}");
    assert!(served.get("/").text().contains("You have been here 2 times."));
    assert_eq!(location(&served.get("/members")), "/login?came_from=%2Fmembers");
    sign_in(&served, "");

    let members = served.get("/members").text();
    assert!(members.contains("You are manager"), "{members}");
    let refused = served.post("/add", &[("species", ""), ("place", "x"), ("number", "0")]).text();
    assert!(refused.contains("Say which bird it was."), "{refused}");
    assert!(refused.contains("A number from 1 on."), "{refused}");

    let content = picture(400_000);
    let fields = [("species", species), ("place", "Zürich & around"), ("number", "2")];
    let added = served.upload("/add", &fields, ("picture", "a.png", "image/png", &content));
    assert_eq!((added.status, location(&added)), (302, "/".to_owned()), "{}", added.text());
    assert_eq!(cookies(&added), ["sightings", "webflash"]);
    let page = served.get("/").text();
    let expected = ["Zürich &amp; around".to_owned(), format!("Added: {species}.")];
    assert!(expected.iter().all(|part| page.contains(part)), "{page}");
    let address = page.split("src=\"/picture").nth(1).and_then(|rest| rest.split('"').next());
    let shown = served.get(&format!("/picture{}", address.unwrap()));
    assert_eq!(shown.header("content-type").as_deref(), Some("image/png"));
    assert_eq!(shown.body, content);
    let list = served.get("/list");
    assert!(list.header("content-type").unwrap().starts_with("application/json"));
    assert!(list.text().contains(species), "{}", list.text());

    let missing = served.get("/nothing");
    assert_eq!(missing.status, 404);
    assert!(missing.text().contains("There is no such page."));
    assert_eq!(served.ask("HEAD", "/", &[]).body, b"");
    served.has_style("/css/style.css");
    let kind = served.get("/img/feather.svg").header("content-type").unwrap();
    assert!(kind.starts_with("image/svg+xml"), "{kind}");

    assert_eq!(location(&served.get("/logout_handler")), "/signed_out?came_from=%2F");
    served.get("/signed_out");
    assert_eq!(served.get("/members").status, 302);
    served.end();
}

/// Signs in; each of the three tickets is a header of its own, and the session goes on with them.
fn sign_in(served: &Served, mount: &str) {
    let handler = format!("{mount}/login_handler?came_from={mount}/members");
    let form = |password| [("login", "manager"), ("password", password)];
    let wrong = served.post(&handler, &form("wrong"));
    assert_eq!(location(&wrong), format!("{mount}/login?failure=wrong&login=manager"));
    assert!(served.get(&location(&wrong)).text().contains("do not belong together"));
    let right = served.post(&handler, &form("managepass"));
    assert_eq!(cookies(&right), ["authtkt"; 3], "{right:?}");
    let welcome = served.get(&location(&right));
    assert_eq!(location(&welcome), format!("{mount}/members"));
    assert!(served.get(&location(&welcome)).text().contains("Welcome, manager."));
}

fn mounted(served: Served) {
    assert_eq!(served.get("/members").status, 404);
    sign_in(&served, "/birds");
    let page = served.get("/birds/").text();
    for link in ["href=\"/birds/css/style.css\"", "action=\"/birds/add\"", "src=\"/birds/picture/"]
    {
        assert!(page.contains(link), "{page}");
    }
    assert_eq!(served.get("/birds/css/style.css").status, 200);
    served.end();
}
