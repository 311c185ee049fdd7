//! Django: its users and their sign-in, its admin, a form with a picture.

use std::process::Command;

use pinion_testbed::frameworks::frameworks;
use pinion_testbed::run;

use crate::served::{Example, Served, cookies, hidden, location, picture};

#[test]
fn django_serves_its_pages_and_its_admin_as_a_project_and_below_the_validator() {
    let example = Example::copy("django");
    let venv = frameworks().unwrap();
    let mut prepare = Command::new(venv.python());
    run(prepare.args(["-B", "manage.py", "prepare"]).current_dir(example.root())).unwrap();
    let python = venv.home.display().to_string();
    let options = ["--no-setup", "--python", &python];
    visit(example.serve(&options), "first");
    let made = "from guestbook.wsgi import application as made";
    visit(example.serve_validated(made, &options), "second");
}

fn visit(served: Served, words: &str) {
    assert!(served.get("/").text().contains("Sign in"));
    assert_eq!(location(&served.get("/sign/")), "/login/?next=/sign/");
    sign_in(&served);

    // A form, and a picture that comes back as it was.
    let token = hidden(&served.get("/"), "csrfmiddlewaretoken");
    let content = picture(400_000);
    let fields = [("csrfmiddlewaretoken", token.as_str()), ("text", words)];
    let signed = served.upload("/sign/", &fields, file(&content));
    assert_eq!((signed.status, location(&signed)), (302, "/".to_owned()), "{}", signed.text());
    let page = served.get("/").text();
    assert!(page.contains("Thank you for signing.") && page.contains(words), "{page}");
    let address = page.split("src=\"").nth(1).and_then(|rest| rest.split('"').next()).unwrap();
    let shown = served.get(address);
    assert_eq!(shown.header("content-type").as_deref(), Some("image/png"));
    assert_eq!(shown.body, content);
    let refused = served.upload("/sign/", &fields, file(b"no picture"));
    assert!(refused.text().contains("A PNG, JPEG or GIF"), "{}", refused.text());
    assert_eq!(served.upload("/sign/", &fields[1..], file(&content)).status, 403, "no token");

    admin(&served, words);
    served.has_style("/static/guestbook/style.css");
    assert_eq!(served.get("/nothing/").status, 404);
    assert_eq!(served.ask("HEAD", "/", &[]).body, b"");
    served.end();
}

fn file(content: &[u8]) -> (&str, &str, &str, &[u8]) {
    ("upload", "a.png", "image/png", content)
}

fn sign_in(served: &Served) {
    let token = hidden(&served.get("/login/"), "csrfmiddlewaretoken");
    let form = |password| {
        [
            ("csrfmiddlewaretoken", token.as_str()),
            ("username", "manager"),
            ("password", password),
            ("next", "/sign/"),
        ]
    };
    let refused = served.post("/login/", &form("wrong"));
    assert_eq!(refused.status, 200);
    assert!(refused.text().contains("Please enter a correct username"));
    let signed_in = served.post("/login/", &form("managepass"));
    assert_eq!((signed_in.status, location(&signed_in)), (302, "/sign/".to_owned()));
    assert_eq!(cookies(&signed_in), ["csrftoken", "sessionid"]);
    assert!(served.get("/").text().contains("Sign out"));
}

/// The admin lists, adds, changes and deletes.
fn admin(served: &Served, words: &str) {
    let list = "/admin/guestbook/entry/";
    let page = served.get("/admin/");
    assert!(page.text().contains("Entries"), "{}", page.text());
    let token = hidden(&served.get("/admin/guestbook/entry/add/"), "csrfmiddlewaretoken");
    let text = format!("by the admin, {words}");
    let fields = [("csrfmiddlewaretoken", token.as_str()), ("author", "1"), ("text", &text)];
    let added = served.post("/admin/guestbook/entry/add/", &fields);
    assert_eq!((added.status, location(&added)), (302, list.to_owned()), "{}", added.text());

    let found = served.get(&format!("{list}?q=by+the+admin")).text();
    assert!(found.contains(&text) && found.contains("was added successfully"), "{found}");
    let entry = found.split(list).find_map(number).unwrap();
    let deleted = served.post(
        &format!("{list}{entry}/delete/"),
        &[("csrfmiddlewaretoken", token.as_str()), ("post", "yes")],
    );
    assert_eq!((deleted.status, location(&deleted)), (302, list.to_owned()));
    assert!(served.get(list).text().contains("was deleted successfully"));
    assert!(!served.get("/").text().contains(&text));
}

/// `17` of `17/change/...`.
fn number(text: &str) -> Option<u32> {
    text.split_once("/change/")?.0.parse().ok()
}
