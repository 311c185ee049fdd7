//! Pyramid: a ticket in the cookies, a token against forgery, an upload.

use pinion_testbed::frameworks::frameworks;

use crate::served::{Example, Served, cookies, hidden, location};

#[test]
fn pyramid_serves_its_pages_as_a_project_and_below_the_validator() {
    let example = Example::copy("pyramid");
    let python = frameworks().unwrap().home.display().to_string();
    let options = ["--no-setup", "--python", &python];
    visit(example.serve(&options));
    let made = "from pyramid.paster import get_app, setup_logging\n\n\
                setup_logging('development.ini')\nmade = get_app('development.ini')";
    visit(example.serve_validated(made, &options));
}

fn visit(served: Served) {
    let page = served.get("/");
    assert_eq!(cookies(&page), ["csrf_token"]);
    let token = hidden(&page, "csrf_token");
    let track = ("track", "track.txt", "text/plain", &b"100\n150\n120.5\n180\n"[..]);
    assert_eq!(served.upload("/measure", &[("csrf_token", &token)], track).status, 403);
    assert_eq!(served.post("/sign-in", &[("name", "Zoë")]).status, 400, "no token");

    let signed_in = served.post("/sign-in", &[("name", "Zoë"), ("csrf_token", &token)]);
    assert_eq!((signed_in.status, location(&signed_in)), (302, "/".to_owned()));
    assert_eq!(cookies(&signed_in), ["auth_tkt", "csrf_token"]);
    let page = served.get("/");
    assert!(page.text().contains("Hello, Zoë."), "{}", page.text());
    let token = hidden(&page, "csrf_token");
    let measured = served.upload("/measure", &[("csrf_token", &token)], track).text();
    assert!(measured.contains("4 points, 109.5 m climbed"), "{measured}");

    let missing = served.get("/nothing");
    assert_eq!(missing.status, 404);
    assert!(missing.text().contains("There is no such page."));
    assert_eq!(served.ask("HEAD", "/", &[]).body, b"");
    served.has_style("/static/style.css");
    served.get("/sign-out");
    assert!(served.get("/").text().contains("Sign in"));
    served.end();
}
