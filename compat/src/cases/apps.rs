//! Real applications from PyPI: Flask, Django's admin, Pyramid, and a TurboGears quickstart.

use crate::context::{SOON, json};
use crate::suite::Outcome;
use crate::{Context, Suite};
use libtest_mimic::Failed;
use pinion_testbed::http::{Answer, Client};
use pinion_testbed::{Site, frameworks, python, run, venv};
use serde_json::json as literal;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

pub(super) fn suites() -> Vec<Suite> {
    let frameworks = Suite::new("apps", frameworks)
        .case("flask_pages_and_urls", flask_pages)
        .case("flask_sign_in_with_several_cookies", flask_sign_in)
        .case("flask_upload", flask_upload)
        .case("flask_streams_and_fails", flask_streams_and_fails)
        .case("pyramid_pages_and_json", pyramid_pages)
        .case("pyramid_sign_in", pyramid_sign_in)
        .case("django_admin_redirects_to_login", django_login_page)
        .case("django_admin_sign_in", django_sign_in)
        .case("django_admin_refuses_a_wrong_password", django_wrong_password)
        .case("django_admin_adds_a_user", django_adds_a_user);
    let turbogears = Suite::new("turbogears", turbogears)
        .case("pages_at_the_root", tg_pages_at_the_root)
        .case("pages_at_a_mount_point", tg_pages_at_a_mount)
        .case("static_files", tg_static_files)
        .case("sign_in_keeps_all_cookies", tg_sign_in)
        .case("wrong_password", tg_wrong_password)
        .case("data_is_written", tg_data_is_written);
    vec![frameworks, turbogears]
}

fn open_folder(path: &Path) -> Outcome {
    Ok(std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o777))?)
}

fn open_file(path: &Path) -> Outcome {
    Ok(std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o666))?)
}

fn frameworks(site: &mut Site) -> Outcome {
    let venv = frameworks::frameworks()?;
    let flask = super::app(site, "flask_app.wsgi")?;
    let pyramid = super::app(site, "pyramid_app.wsgi")?;
    let django = super::app(site, "django_site/django_app.wsgi")?;
    for name in ["compat_settings.py", "compat_urls.py"] {
        super::app(site, &format!("django_site/{name}"))?;
    }
    let project = site.root().join("apps/django_site");
    open_folder(&site.folder("apps/django_site/data")?)?;
    for arguments in [&["migrate", "--verbosity", "0"][..], &["createsuperuser", "--noinput"]] {
        let mut command = Command::new(venv.python());
        command.args(["-B", "-m", "django"]).args(arguments).current_dir(&project);
        command.env("DJANGO_SETTINGS_MODULE", "compat_settings").env("PYTHONPATH", &project);
        command.env("DJANGO_SUPERUSER_USERNAME", "manager");
        command.env("DJANGO_SUPERUSER_PASSWORD", "managepass");
        command.env("DJANGO_SUPERUSER_EMAIL", "manager@example.test");
        run(&mut command)?;
    }
    open_file(&project.join("data/compat.db"))?;
    for (name, script) in [("flask", &flask), ("pyramid", &pyramid), ("django", &django)] {
        site.config(format!(
            "WSGIDaemonProcess {name} processes=2 threads=3 python-home={} python-path={}\n\
             WSGIScriptAlias /{name} {} process-group={name} application-group=%{{GLOBAL}}",
            venv.home.display(),
            project.display(),
            script.display()
        ));
    }
    Ok(())
}

fn turbogears(site: &mut Site) -> Outcome {
    let interpreter = python::system()?;
    let baseline = venv::ensure("compat-plain", &interpreter, &[])?;
    let venv = frameworks::turbogears()?;
    let folder = site.folder("tg")?;
    run(Command::new(venv.bin("gearbox"))
        .args(["quickstart", "-a", "-s", "myapp"])
        .current_dir(&folder))?;
    let project = folder.join("myapp");
    // Its metadata is needed to find `egg:myapp`; a folder of its own shows what python-path does.
    let target = folder.join("site");
    run(Command::new(venv.python())
        .args(["-m", "pip", "install", "--quiet", "--no-deps", "--no-build-isolation", "--target"])
        .args([&target, &project]))?;
    let development = std::fs::read_to_string(project.join("development.ini"))?;
    let ini = folder.join("production.ini");
    std::fs::write(
        &ini,
        development
            .replace("debug = true", "debug = false")
            .replace("%(here)s/devdata.db", "%(here)s/data/myapp.db"),
    )?;
    let data = site.writable_folder("tg/data")?;
    run(Command::new(venv.bin("gearbox"))
        .args(["setup-app", "--config"])
        .arg(&ini)
        .current_dir(&project)
        .env("PYTHONPATH", &target))?;
    for entry in std::fs::read_dir(&data)? {
        let path = entry?.path();
        if path.is_dir() { open_folder(&path)? } else { open_file(&path)? }
    }
    let script = super::app(site, "turbogears.wsgi")?;
    let script = script.display();
    site.config(format!(
        "WSGIDaemonProcess tg processes=2 threads=5 python-home={} python-path={}:{}\n\
         WSGIProcessGroup tg\nWSGIApplicationGroup %{{GLOBAL}}\n\
         WSGIScriptAlias /myapp {script}\nWSGIScriptAlias / {script}",
        baseline.home.display(),
        venv.site_packages().display(),
        target.display()
    ));
    Ok(())
}

fn get(context: &Context, client: &Client, path: &str) -> Result<Answer, Failed> {
    Ok(client.get(&context.apache.url(path))?)
}

fn post(
    context: &Context,
    client: &Client,
    path: &str,
    fields: &[(&str, &str)],
) -> Result<Answer, Failed> {
    Ok(client.post_form(&context.apache.url(path), fields)?)
}

/// A page with that status that shows that text.
fn shows(answer: &Answer, status: u16, text: &str) -> Outcome {
    assert_eq!(answer.status, status, "{}", answer.text());
    assert!(answer.text().contains(text), "`{text}` is not in: {}", answer.text());
    Ok(())
}

/// A redirect to that path, with or without the host before it.
fn redirects(answer: &Answer, path: &str) -> Outcome {
    assert_eq!(answer.status, 302, "{}", answer.text());
    let to = answer.header("Location").unwrap_or_default();
    let local = to.strip_prefix("http://").and_then(|rest| rest.split_once('/'));
    let local = local.map_or(to.clone(), |(_, rest)| format!("/{rest}"));
    assert_eq!(local, path);
    Ok(())
}

fn flask_pages(context: &Context) -> Outcome {
    shows(&context.get("/flask/")?, 200, "flask at /flask/")?;
    assert_eq!(context.status("/flask/none")?, 404);
    assert_eq!(context.ask("HEAD", "/flask/", &[], b"")?.status, 200);
    assert_eq!(context.status("/flask/login")?, 405);
    Ok(())
}

fn flask_sign_in(context: &Context) -> Outcome {
    let client = Client::default();
    assert_eq!(get(context, &client, "/flask/profile")?.status, 403);
    let answer = post(context, &client, "/flask/login", &[("user", "J\u{f6}rg & co")])?;
    redirects(&answer, "/flask/profile")?;
    assert_eq!(answer.header_all("Set-Cookie").len(), 3, "{:?}", answer.headers);
    shows(&get(context, &client, "/flask/profile")?, 200, "J\u{f6}rg & co: welcome")
}

fn flask_upload(context: &Context) -> Outcome {
    let content = "x".repeat(700_000);
    let body = format!(
        "--sep\r\nContent-Disposition: form-data; name=\"note\"\r\n\r\nhello\r\n\
         --sep\r\nContent-Disposition: form-data; name=\"file\"; filename=\"big.txt\"\r\n\r\n\
         {content}\r\n--sep--\r\n"
    );
    let length = format!("Content-Length: {}", body.len());
    let headers = ["Content-Type: multipart/form-data; boundary=sep", &length];
    let answer = context.ask("POST", "/flask/upload", &headers, body.as_bytes())?;
    assert_eq!(json(&answer)?, literal!({"name": "big.txt", "size": 700_000, "note": "hello"}));
    Ok(())
}

fn flask_streams_and_fails(context: &Context) -> Outcome {
    assert_eq!(context.get("/flask/stream")?.text(), "line 0\nline 1\nline 2\n");
    let from = context.log().size();
    assert_eq!(context.status("/flask/fail")?, 500);
    context.log().wait_for_from(from, "RuntimeError: compat: flask failed", SOON)?;
    Ok(())
}

fn pyramid_pages(context: &Context) -> Outcome {
    shows(&context.get("/pyramid/")?, 200, "pyramid at /pyramid/")?;
    let item = context.json("/pyramid/item/caf%C3%A9?a=1&b=%20")?;
    assert_eq!(
        item,
        literal!({"name": "caf\u{e9}", "query": {"a": "1", "b": " "}, "method": "GET"})
    );
    assert_eq!(context.status("/pyramid/none")?, 404);
    Ok(())
}

fn pyramid_sign_in(context: &Context) -> Outcome {
    let client = Client::default();
    assert_eq!(get(context, &client, "/pyramid/profile")?.status, 403);
    let answer = post(context, &client, "/pyramid/login", &[("user", "ann")])?;
    redirects(&answer, "/pyramid/profile")?;
    shows(&get(context, &client, "/pyramid/profile")?, 200, "hello ann")
}

fn django_login_page(context: &Context) -> Outcome {
    redirects(&context.get("/django/admin/")?, "/django/admin/login/?next=/django/admin/")?;
    shows(&context.get("/django/admin/login/")?, 200, "Django administration")
}

/// Fills the admin's login form.
fn django_login(context: &Context, client: &Client, password: &str) -> Result<Answer, Failed> {
    let page = get(context, client, "/django/admin/login/")?;
    let token = token(&page)?;
    let fields = [
        ("csrfmiddlewaretoken", token.as_str()),
        ("username", "manager"),
        ("password", password),
        ("next", "/django/admin/"),
    ];
    post(context, client, "/django/admin/login/", &fields)
}

fn token(page: &Answer) -> Result<String, Failed> {
    let text = page.text();
    let (_, rest) =
        text.split_once("csrfmiddlewaretoken\" value=\"").ok_or("no token in the page")?;
    Ok(rest.split('"').next().unwrap_or_default().to_owned())
}

fn django_sign_in(context: &Context) -> Outcome {
    let client = Client::default();
    let answer = django_login(context, &client, "managepass")?;
    redirects(&answer, "/django/admin/")?;
    let cookies = answer.header_all("Set-Cookie");
    for name in ["sessionid=", "csrftoken="] {
        assert!(cookies.iter().any(|cookie| cookie.starts_with(name)), "{name} in {cookies:?}");
    }
    for _ in 0..4 {
        shows(&get(context, &client, "/django/admin/")?, 200, "Site administration")?;
    }
    Ok(())
}

fn django_wrong_password(context: &Context) -> Outcome {
    let answer = django_login(context, &Client::default(), "wrong")?;
    shows(&answer, 200, "Please enter the correct username")
}

fn django_adds_a_user(context: &Context) -> Outcome {
    let client = Client::default();
    redirects(&django_login(context, &client, "managepass")?, "/django/admin/")?;
    let page = get(context, &client, "/django/admin/auth/user/add/")?;
    let token = token(&page)?;
    let fields = [
        ("csrfmiddlewaretoken", token.as_str()),
        ("username", "caf\u{e9}"),
        ("usable_password", "true"),
        ("password1", "long and odd 1"),
        ("password2", "long and odd 1"),
    ];
    let answer = post(context, &client, "/django/admin/auth/user/add/", &fields)?;
    assert_eq!(answer.status, 302, "{}", answer.text());
    shows(&get(context, &client, "/django/admin/auth/user/")?, 200, "caf\u{e9}")
}

fn tg_pages(context: &Context, mount: &str) -> Outcome {
    redirects(&context.get(&format!("{mount}/"))?, &format!("{mount}/demo"))?;
    // Two whole pages and a fragment, each with a link that must carry the mount point.
    for (page, link) in
        [("demo", "css/style.css"), ("login", "css/style.css"), ("demo/todos", "demo/add")]
    {
        let answer = context.get(&format!("{mount}/{page}"))?;
        assert_eq!(answer.status, 200, "{mount}/{page}: {}", answer.text());
        let link = format!("\"{mount}/{link}\"");
        assert!(answer.text().contains(&link), "{mount}/{page} does not link {link}");
    }
    let to =
        context.get(&format!("{mount}/demo/protected"))?.header("Location").unwrap_or_default();
    assert!(to.contains(&format!("{mount}/login?came_from=")), "{to}");
    Ok(())
}

fn tg_pages_at_the_root(context: &Context) -> Outcome {
    tg_pages(context, "")
}

fn tg_pages_at_a_mount(context: &Context) -> Outcome {
    tg_pages(context, "/myapp")
}

fn tg_static_files(context: &Context) -> Outcome {
    for path in
        ["/css/style.css", "/img/turbogears_logo.png", "/favicon.ico", "/myapp/css/style.css"]
    {
        let answer = context.get(path)?;
        assert!(answer.status == 200 && !answer.body.is_empty(), "{path}: {}", answer.status);
    }
    Ok(())
}

fn tg_login(
    context: &Context,
    client: &Client,
    mount: &str,
    password: &str,
) -> Result<Answer, Failed> {
    let path = format!("{mount}/login_handler?__logins=0&came_from={mount}/demo/protected");
    post(context, client, &path, &[("login", "manager"), ("password", password)])
}

fn tg_sign_in(context: &Context) -> Outcome {
    for mount in ["", "/myapp"] {
        let client = Client::default();
        let answer = tg_login(context, &client, mount, "managepass")?;
        assert_eq!(answer.status, 302, "{}", answer.text());
        let cookies = answer.header_all("Set-Cookie");
        let tickets = cookies.iter().filter(|cookie| cookie.starts_with("authtkt=")).count();
        assert_eq!(tickets, 3, "{cookies:?}");
        let page = get(context, &client, &format!("{mount}/demo/protected"))?;
        assert_eq!(page.status, 200, "{mount}");
    }
    Ok(())
}

fn tg_wrong_password(context: &Context) -> Outcome {
    let answer = tg_login(context, &Client::default(), "", "wrong")?;
    assert_eq!(answer.status, 302);
    let to = answer.header("Location").unwrap_or_default();
    assert!(to.contains("failure=invalid-password"), "{to}");
    Ok(())
}

fn tg_data_is_written(context: &Context) -> Outcome {
    let client = Client::default();
    let before = get(context, &client, "/demo/todos")?;
    assert_eq!(before.status, 200);
    let answer = post(context, &client, "/demo/add", &[("title", "compat wrote this")])?;
    assert!(matches!(answer.status, 200 | 302), "{}: {}", answer.status, answer.text());
    shows(&get(context, &client, "/demo/todos")?, 200, "compat wrote this")
}
