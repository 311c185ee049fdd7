//! A Django project as `startproject` makes it.

use std::fs;
use std::process::Command;

use pinion_testbed::{python, run, venv};

use crate::support::{check, folder, write};

#[test]
fn a_fresh_django_project_is_in_development_mode() {
    let folder = folder();
    let root = folder.path();
    let venv = venv::ensure("django", &python::system().unwrap(), &["Django>=5.2,<5.3"]).unwrap();
    fs::create_dir(root.join("shop")).unwrap();
    let mut admin = Command::new(venv.bin("django-admin"));
    run(admin.args(["startproject", "shop"]).arg(root.join("shop"))).unwrap();
    let script = format!(
        "import os\nimport sys\n\nsys.path.insert(0, {:?})\n\
         os.environ['DJANGO_SETTINGS_MODULE'] = 'shop.settings'\n\n\
         from django.core.wsgi import get_wsgi_application\n\napplication = get_wsgi_application()\n",
        root.join("shop")
    );
    let script = write(root, "shop.wsgi", &script);
    let site = format!(
        "WSGIDaemonProcess shop processes=2 python-home={}\n\
         WSGIScriptAlias / {} process-group=shop application-group=%{{GLOBAL}}\n",
        venv.home.display(),
        script.display()
    );
    let site = write(root, "site.conf", &site);
    let found = check(&["--format", "json", site.to_str().unwrap()]);
    let json: serde_json::Value = serde_json::from_str(&found.stdout).unwrap();
    assert_eq!(json["applications"][0]["status"], 200, "{}", found.stdout);
    let said = |key: &str| -> Vec<&str> {
        json["findings"].as_array().unwrap().iter().map(|one| one[key].as_str().unwrap()).collect()
    };
    assert_eq!(said("code"), ["PIN0821", "PIN0821", "PIN0813", "PIN0820"], "{}", found.stdout);
    assert_eq!(said("what")[0], "shop.settings: DEBUG = True");
    assert!(said("what")[3].contains("shop/db.sqlite3 does not exist"), "{}", found.stdout);
    assert!(said("hint")[3].ends_with("manage.py migrate"), "{}", found.stdout);
}
