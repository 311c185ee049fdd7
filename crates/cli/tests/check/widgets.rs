//! The widget race: a resource that a page registers, asked for in a process that has not served the page.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::OnceLock;
use std::time::Duration;

use pinion_testbed::http::Client;
use pinion_testbed::venv::{self, Venv};
use pinion_testbed::{Site, python, wait_until};

use crate::support::{check, folder, staged, write};

const SCRIPT: &str = include_str!("race.wsgi");
const CONTROLLER: &str = "\
import tw2.core as twc


class Style(twc.CSSLink):
    modname = \"shop\"
    filename = \"static/style.css\"


class Page(twc.Widget):
    template = \"mako:shop.page\"
    resources = [Style]
";
const RESOURCE: &str = "/resources/shop/static/style.css";
/// How many workers are asked.
const WORKERS: usize = 6;

fn toscawidgets() -> &'static Venv {
    static VENV: OnceLock<Venv> = OnceLock::new();
    // tw2.core imports pkg_resources, which setuptools 82 no longer has.
    let packages = ["tw2.core==2.3.*", "mako", "setuptools<82"];
    VENV.get_or_init(|| {
        venv::ensure("toscawidgets", &python::system().unwrap(), &packages).unwrap()
    })
}

fn application(folder: &Path) -> String {
    write(folder, "shop/__init__.py", "");
    write(folder, "shop/controller.py", CONTROLLER);
    write(folder, "shop/page.mak", "<p>hello</p>\n");
    write(folder, "shop/static/style.css", "p { color: red }\n");
    write(folder, "race.wsgi", SCRIPT).display().to_string()
}

/// A site with the application at the root.
fn configuration(folder: &Path, options: &str) -> String {
    format!(
        "WSGIDaemonProcess shop processes={WORKERS} threads=2 {options} python-home={}\n\
         WSGIScriptAlias / {} process-group=shop application-group=%{{GLOBAL}}\n",
        toscawidgets().home.display(),
        application(folder)
    )
}

#[test]
fn the_race_is_named_with_its_remedy() {
    let folder = folder();
    let site = write(folder.path(), "site.conf", &configuration(folder.path(), ""));
    let found = check(&["--strict", site.to_str().unwrap()]);
    assert_eq!(found.status, "exit status: 1", "{}", found.output());
    let expected = format!(
        "PIN0806 {}:2: {RESOURCE}: not found in a new process until / was requested there\n",
        site.display()
    );
    assert!(found.stdout.contains(&expected), "{}", found.stdout);
    assert!(found.stdout.contains("  hint: add warmup=/ to WSGIDaemonProcess shop\n"));

    write(folder.path(), "site.conf", &configuration(folder.path(), "warmup=/"));
    let mended = check(&["--strict", site.to_str().unwrap()]);
    assert_eq!(mended.status, "exit status: 0", "{}", mended.output());
}

/// The statuses of requests for the resource straight after the start, until every worker has answered one.
fn statuses(options: &str) -> BTreeSet<u16> {
    let mut site = Site::new(staged()).unwrap();
    site.config(configuration(site.root(), options));
    let mut apache = site.start().unwrap();
    let (mut statuses, mut workers) = (BTreeSet::new(), BTreeSet::new());
    let all_answered = wait_until(Duration::from_secs(60), || {
        // Several at a time, so that the requests are spread over the workers.
        let asked: Vec<_> = std::thread::scope(|scope| {
            let ask = || client_status(&apache.url(RESOURCE));
            let asked: Vec<_> = (0..2 * WORKERS).map(|_| scope.spawn(ask)).collect();
            asked.into_iter().map(|one| one.join().unwrap()).collect()
        });
        for (status, worker) in asked {
            statuses.insert(status);
            workers.extend(worker);
        }
        workers.len() == WORKERS
    });
    assert!(all_answered, "only {workers:?} answered");
    apache.stop().unwrap();
    statuses
}

/// The status, and the worker's process id.
fn client_status(url: &str) -> (u16, Option<String>) {
    let answer = Client::new(Duration::from_secs(20)).get(url).unwrap();
    (answer.status, answer.header("x-worker"))
}

#[test]
fn a_resource_straight_after_the_start_is_answered_by_every_worker_that_was_warmed() {
    assert_eq!(statuses("warmup=/"), BTreeSet::from([200]));
}

#[test]
fn without_the_remedy_no_worker_has_the_resource() {
    assert_eq!(statuses(""), BTreeSet::from([404]));
}
