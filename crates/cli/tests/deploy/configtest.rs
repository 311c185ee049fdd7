//! `apachectl configtest` on generated configurations, by both servers.

use std::fs;
use std::path::Path;

use pinion_testbed::{Server, Site};

use crate::support::{flask, folder, linked_virtualenv, pinion, write};

/// Names of folders, each of which some rule of Apache's or Python's would take for something else.
const NAMES: &[&str] = &[
    "plain",
    "with space",
    "it's",
    "a \"quoted\" name",
    "100% %{GLOBAL} %h",
    "$HOME $(id) `id`",
    "back\\slash\\",
    "Größe-日本",
    "[a-z]*?",
    "#hash ;semi <angle> & more",
];

/// Deploys a Flask project below a folder, and returns the generated configuration.
fn configuration(folder: &Path, more: &[&str]) -> String {
    let project = flask(folder);
    let text = |name: &str| folder.join(name).display().to_string();
    let (apps, own, baseline) = (text("apps"), text("env/own"), text("env/BASELINE"));
    for home in ["env/own", "env/BASELINE"] {
        linked_virtualenv(&folder.join(home));
    }
    // What is deployed is only looked at.
    for name in ["hello", "other"] {
        write(folder, &format!("apps/{name}/apache/{name}.wsgi"), "");
        write(folder, &format!("apps/{name}/apache/test.wsgi"), "");
        fs::create_dir_all(folder.join(format!("apps/{name}/static"))).unwrap();
    }
    let mut arguments = vec!["deploy", "--deployment-location", &apps, "--virtualenv", &own];
    arguments.extend(["--baseline", &baseline]);
    arguments.extend(more);
    let generated = pinion(&project, &arguments);
    assert!(generated.success, "{}", generated.output());
    let name = if more.contains(&"other") { "other" } else { "hello" };
    fs::read_to_string(project.join("apache").join(name)).unwrap()
}

#[track_caller]
fn accepted(server: &Server, configuration: &str) {
    let mut site = Site::new(server).unwrap();
    site.module("ssl").config(configuration.replace("#WSGI", "WSGI"));
    let tested = site.configtest().unwrap();
    assert!(tested.success, "{}: {}\n{configuration}", server.name(), tested.output());
    let said = tested.output();
    for complaint in ["AH00111", "warn", "PIN"] {
        assert!(!said.contains(complaint), "{}: {said}\n{configuration}", server.name());
    }
}

#[test]
fn names_that_need_quoting() {
    let servers = [Server::pinion().unwrap(), Server::mod_wsgi().unwrap()];
    for name in NAMES {
        let outer = folder();
        let inner = outer.path().join(name);
        fs::create_dir(&inner).unwrap();
        let configuration = configuration(&inner, &[]);
        for server in &servers {
            accepted(server, &configuration);
        }
    }
}

#[test]
fn every_form() {
    let folder = folder();
    let certificate =
        write(folder.path(), "site.pem", "looked at when it starts").display().to_string();
    let forms: &[&[&str]] = &[
        &[],
        &["--mount-point", "/"],
        &["--mount-point", "/a/b", "--warmup", "", "--no-test", "--no-logging"],
        &[
            "--server-name",
            "shop.test",
            "--server-alias",
            "www.shop.test",
            "--server-alias",
            "*.shop.test",
        ],
        &[
            "--server-name",
            "shop.test",
            "--port",
            "8443",
            "--certificate",
            &certificate,
            "--certificate-key",
            &certificate,
        ],
        &["--user", "www-data", "--group", "#33", "--processes", "1", "--threads", "1"],
        &[
            "--static",
            "/a=static",
            "--static",
            "/b.ico=static/style.css",
            "--egg-cache",
            "/var/tmp",
        ],
        &["--name", "other", "--baseline", ""],
    ];
    for server in [Server::pinion().unwrap(), Server::mod_wsgi().unwrap()] {
        for form in forms {
            // What one form keeps in pinion.toml is not for the next.
            let _absent = fs::remove_dir_all(folder.path().join("hello"));
            accepted(&server, &configuration(folder.path(), form));
        }
    }
}
