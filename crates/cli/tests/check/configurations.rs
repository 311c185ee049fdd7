//! Configurations that are pointed at.

use crate::support::{check, folder, settled, write};

const SITE: &str = "\
WSGIDaemonProcess shop processes=2 threads=3 user=www-data group=www-data
WSGIScriptAlias /shop FOLDER/shop.wsgi process-group=shop application-group=%{GLOBAL}
WSGIScriptAlias /broken FOLDER/broken.wsgi process-group=shop application-group=b
WSGIScriptAlias /gone FOLDER/gone.wsgi process-group=shop
<VirtualHost *:8080>
    ServerName other.test
    WSGIScriptAlias / FOLDER/failing.wsgi process-group=nobody
    WSGIDaemonProcess shop
</VirtualHost>
";

const GOOD: &str = "def application(environ, start_response):\n    start_response('200 OK', [])\n    return [b'hello']\n";

/// A folder with the site and its scripts.
fn site() -> tempfile::TempDir {
    let folder = folder();
    let root = folder.path().display().to_string();
    write(folder.path(), "site.conf", &SITE.replace("FOLDER", &root));
    write(
        folder.path(),
        "shop.wsgi",
        &format!("import sys\nprint('loading')\nsys.stdout.write('x')\n{GOOD}"),
    );
    write(folder.path(), "broken.wsgi", "import sys\nfrom no_such_package import thing\n");
    folder
}

#[test]
fn the_whole_table_of_a_broken_site() {
    let folder = site();
    let found = check(&[folder.path().join("site.conf").to_str().unwrap()]);
    let expected = include_str!("broken_site.txt");
    assert_eq!(settled(&found.stdout, folder.path()), expected, "{}", found.stderr);
    assert_eq!(found.status, "exit status: 2");
}

#[test]
fn machines_get_the_same_as_json() {
    let folder = site();
    let found = check(&["--format", "json", folder.path().join("site.conf").to_str().unwrap()]);
    assert_eq!(settled(&found.stdout, folder.path()), include_str!("broken_site.json"));
    assert_eq!(found.status, "exit status: 2");
}

#[test]
fn warnings_count_when_they_are_asked_to() {
    let folder = folder();
    let script = write(folder.path(), "a.wsgi", &format!("{GOOD}print('x')\n"));
    let site = format!("WSGIScriptAlias / {}\n", script.display());
    let site = write(folder.path(), "a.conf", &site);
    let site = site.to_str().unwrap();
    assert_eq!(check(&[site]).status, "exit status: 0");
    let strict = check(&["--strict", site]);
    assert_eq!(strict.status, "exit status: 1", "{}", strict.output());
    write(folder.path(), "a.wsgi", GOOD);
    assert_eq!(check(&["--strict", site]).status, "exit status: 0");
}

#[test]
fn a_server_is_read_as_a_whole() {
    let folder = folder();
    let script = write(folder.path(), "a.wsgi", GOOD);
    write(
        folder.path(),
        "apache2.conf",
        "LoadModule wsgi_module /none.so\nUser www-data\nIncludeOptional sites-enabled/*.conf\n",
    );
    for (name, port) in [("one", 81), ("two", 82)] {
        let site = format!(
            "<VirtualHost *:{port}>\nServerName {name}.test\nWSGIDaemonProcess same\n\
             WSGIScriptAlias / {} process-group=same application-group=%{{GLOBAL}}\n</VirtualHost>\n",
            script.display()
        );
        write(folder.path(), &format!("sites-enabled/{name}.conf"), &site);
    }
    let found = check(&[folder.path().to_str().unwrap()]);
    let text = settled(&found.stdout, folder.path());
    assert!(
        text.contains("error   PIN0101   /FOLDER/sites-enabled/two.conf:3: WSGIDaemonProcess same: the name is already used at /FOLDER/sites-enabled/one.conf:3"),
        "{text}"
    );
}

#[test]
fn bad_subjects_are_named() {
    let folder = folder();
    write(folder.path(), "bad.conf", "<Directory /x>\nRequire all granted\n");
    let root = folder.path().display().to_string();
    let said = |name: &str| {
        let found = check(&[&format!("{root}/{name}")]);
        assert_eq!((found.status.as_str(), found.stdout.as_str()), ("exit status: 2", ""));
        settled(&found.stderr, folder.path())
    };
    assert_eq!(
        said("none"),
        "pinion: PIN0801: /FOLDER/none does not exist\nhint: check the path\n"
    );
    assert_eq!(
        said("bad.conf"),
        "pinion: PIN0802: /FOLDER/bad.conf:1: <Directory> is not closed in this file\n\
         hint: apachectl configtest says the same\n"
    );
    assert!(said("").starts_with("pinion: PIN0501: no project in /FOLDER"), "{}", said(""));
}

#[test]
fn writes_to_standard_output_are_found_by_file_and_line() {
    let folder = folder();
    let code = "\
import sys
from sys import stdout as out

def view():
    print('one')
    print('two', file=sys.stderr)
    sys.stdout.write('three')
    sys.stdout.buffer.write(b'four')
    out.writelines(['five'])
    print('six', file=out)
    sys.stderr.write('seven')
    '''print('eight')'''

if __name__ == '__main__':
    print('nine')
";
    write(folder.path(), "lib/shop/views.py", code);
    write(folder.path(), "lib/shop/tests/test_views.py", "print('x')\n");
    write(folder.path(), "lib/venv/pyvenv.cfg", "");
    write(folder.path(), "lib/venv/x.py", "print('x')\n");
    let script = write(folder.path(), "a.wsgi", GOOD);
    let site = format!(
        "WSGIRestrictStdout On\nWSGIDaemonProcess a python-path={}/lib\n\
         WSGIScriptAlias / {} process-group=a application-group=%{{GLOBAL}}\n",
        folder.path().display(),
        script.display()
    );
    let site = write(folder.path(), "a.conf", &site);
    let found = check(&["--format", "json", site.to_str().unwrap()]);
    let json: serde_json::Value = serde_json::from_str(&found.stdout).unwrap();
    let findings = json["findings"].as_array().unwrap();
    let lines: Vec<_> = findings.iter().map(|one| one["line"].as_u64().unwrap()).collect();
    assert_eq!(lines, [5, 7, 8, 9, 10], "{}", found.stdout);
    for one in findings {
        assert!(one["file"].as_str().unwrap().ends_with("/lib/shop/views.py"));
        assert!(one["why"].as_str().unwrap().starts_with("WSGIRestrictStdout is On"));
    }
}

#[test]
fn help_shows_each_option() {
    assert_eq!(check(&["--help"]).stdout, include_str!("help.txt"));
}
