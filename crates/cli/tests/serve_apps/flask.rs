//! Flask: sessions, flashed messages, a file of some megabytes, an answer in pieces.

use pinion_testbed::frameworks::frameworks;

use crate::served::{Example, Served, cookies, location};

#[test]
fn flask_serves_its_pages_as_a_project_and_below_the_validator() {
    let example = Example::copy("flask");
    let python = frameworks().unwrap().home.display().to_string();
    let options = ["--no-setup", "--python", &python];
    visit(example.serve(&options));
    visit(example.serve_validated("from app import app as made", &options));
}

fn visit(served: Served) {
    assert!(served.get("/").text().contains("Sign in"));
    let file = ("file", "big.bin", "application/octet-stream", &vec![7; 3_000_000][..]);
    assert_eq!(served.upload("/fingerprint", &[], file).status, 403);

    assert_eq!(location(&served.post("/sign-in", &[("name", " ")])), "/");
    assert!(served.get("/").text().contains("Say who you are."));
    let signed_in = served.post("/sign-in", &[("name", "Ann")]);
    assert_eq!((signed_in.status, location(&signed_in)), (302, "/".to_owned()));
    assert_eq!(cookies(&signed_in), ["last", "session"]);
    assert!(served.get("/").text().contains("Hello, Ann."));

    // sha256sum of three million bytes of 7.
    let digest = "892f2fe04ec507da2fe21530851fc8c60ae8a0d9b126b61d7168fd5dbb209a1b";
    let taken = served.upload("/fingerprint", &[], file).text();
    assert!(taken.contains("big.bin, 3000000 bytes") && taken.contains(digest), "{taken}");

    let counted = served.get("/count").text();
    assert_eq!(counted.lines().count(), 1000);
    assert!(counted.ends_with("\n1000\n"));
    assert_eq!(served.ask("HEAD", "/", &[]).body, b"");
    assert_eq!(served.get("/nothing").status, 404);
    served.has_style("/static/style.css");

    served.post("/sign-out", &[]);
    let page = served.get("/").text();
    assert!(page.contains("value=\"Ann\"") && page.contains("Sign in"), "{page}");
    served.end();
}
