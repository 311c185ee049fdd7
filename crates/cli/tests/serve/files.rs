//! Static folders, as they are named on the command line.

use crate::world::Project;

#[test]
fn static_folders_and_files_are_served_without_the_application() {
    let project = Project::hello();
    project.write("css/a.css", "body {}");
    project.write("logo.svg", "<svg/>");
    let mut serving = project.serve(&["--static", "/static=css", "--static", "/logo.svg=logo.svg"]);
    let sheet = serving.get("/static/a.css");
    assert_eq!((sheet.status, sheet.text().as_str()), (200, "body {}"));
    assert_eq!(sheet.header("Content-Type").as_deref(), Some("text/css; charset=utf-8"));
    assert_eq!(serving.get("/logo.svg").text(), "<svg/>");
    assert_eq!(serving.get("/static/none").status, 404);
    assert_eq!(serving.get("/other").text(), "hello");
    serving.stop();
}
