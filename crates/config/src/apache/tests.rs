use super::*;
use crate::codes::Code;
use crate::files::memory::MemoryFiles;
use crate::model::VhostId;

fn known() -> Known {
    let variables = [("APACHE_RUN_USER".to_owned(), "www-data".to_owned())].into();
    Known { root: "/etc/apache2".into(), variables, is_part: false }
}

fn debian(site: &str) -> MemoryFiles {
    MemoryFiles::new()
        .file(
            "/etc/apache2/apache2.conf",
            "User ${APACHE_RUN_USER}\nIncludeOptional mods-enabled/*.load\nInclude ports.conf\n\
             IncludeOptional sites-enabled/*.conf\nIncludeOptional none/*.conf\n",
        )
        .file(
            "/etc/apache2/ports.conf",
            "Listen 80\n<IfModule ssl_module>\nListen 443\n</IfModule>\n",
        )
        .file(
            "/etc/apache2/mods-enabled/wsgi.load",
            "LoadModule wsgi_module /usr/lib/mod_wsgi.so\n",
        )
        .file("/etc/apache2/sites-available/shop.conf", site)
        .link("/etc/apache2/sites-enabled/shop.conf", "../sites-available/shop.conf")
        .file("/etc/apache2/sites-enabled/README", "not a configuration")
}

fn read_debian(site: &str) -> Result<Reading, ReadError> {
    read(&debian(site), Path::new("/etc/apache2/apache2.conf"), &known())
}

#[test]
fn a_whole_server_is_read_with_what_it_includes() {
    let reading = read_debian(
        "Define SHOP /srv/shop\n<IfModule wsgi_module>\n\
         WSGIDaemonProcess shop processes=2 \\\n  threads=3\n</IfModule>\n\
         <IfModule mod_php.c>\nWSGIDaemonProcess never\n</IfModule>\n\
         <VirtualHost *:8080>\nServerName https://shop.example:443\nAlias /css ${SHOP}/css\n\
         WSGIScriptAlias / ${SHOP}/shop.wsgi\n<Directory ${SHOP}>\nWSGIProcessGroup shop\n\
         </Directory>\n</VirtualHost>\n",
    )
    .unwrap();
    assert!(reading.refused.is_empty(), "{:?}", reading.refused);
    assert_eq!(reading.user.as_deref(), Some("www-data"));
    assert_eq!(reading.wsgi_module.as_deref(), Some(Path::new("/usr/lib/mod_wsgi.so")));
    let config = &reading.config;
    let [group] = &config.groups[..] else { panic!("{:?}", config.groups) };
    assert_eq!((group.value.name.as_str(), group.value.threads), ("shop", 3));
    assert_eq!(group.place, Place::new("/etc/apache2/sites-enabled/shop.conf", 3));
    let [alias] = &config.aliases[..] else { panic!("{:?}", config.aliases) };
    assert_eq!((alias.value.target.as_str(), alias.vhost), ("/srv/shop/shop.wsgi", VhostId(1)));
    assert!(config.group_uses[0].value.in_section);
    let host = &config.vhosts[&VhostId(1)];
    assert_eq!((host.name.as_str(), host.port), ("shop.example", 443));
    assert_eq!(config.vhosts[&VhostId::MAIN].port, 80);
    let (url, target) = &reading.static_aliases[0].value;
    assert_eq!((url.as_str(), target.as_path()), ("/css", Path::new("/srv/shop/css")));
    assert_eq!(reading.files.len(), 4);
}

#[test]
fn a_part_of_a_configuration_takes_modules_for_loaded() {
    let files = MemoryFiles::new()
        .file("/srv/a", "<IfModule mod_wsgi.c>\nWSGIDaemonProcess a\n</IfModule>\n");
    let known = Known { is_part: true, ..known() };
    let reading = read(&files, Path::new("/srv/a"), &known).unwrap();
    assert_eq!(reading.config.groups.len(), 1);
}

#[test]
fn refused_directives_are_found_with_their_lines() {
    let reading = read_debian(
        "WSGIDaemonProces a\nWSGIDaemonProcess b processes=3x\nWSGIPythonHome\n\
         WSGIScriptReloading On Off\n<Directory /srv>\nWSGIDaemonProcess c\n</Directory>\n\
         <VirtualHost *>\nWSGIPythonHome /x\n</VirtualHost>\n",
    )
    .unwrap();
    let found: Vec<_> = reading
        .refused
        .iter()
        .map(|finding| (finding.place.as_ref().unwrap().line, finding.code))
        .collect();
    assert_eq!(
        found,
        [
            (1, Code::DirectiveUnknown),
            (2, Code::OptionValue),
            (3, Code::ArgumentMissing),
            (4, Code::ArgumentUnexpected),
            (6, Code::ContextWrong),
            (9, Code::ContextWrong),
        ]
    );
    assert_eq!(reading.refused[0].hint, "did you mean WSGIDaemonProcess?");
}

#[test]
fn what_cannot_be_read_is_named_with_its_line() {
    let message = |site: &str| read_debian(site).unwrap_err().to_string();
    let file = "/etc/apache2/sites-enabled/shop.conf";
    assert_eq!(
        message("<Directory /x>\n"),
        format!("{file}:1: <Directory> is not closed in this file")
    );
    assert_eq!(
        message("\n</Directory>"),
        format!("{file}:2: </Directory> closes nothing that was opened in this file")
    );
    assert_eq!(
        message("<Directory /x>\n</Files>"),
        format!("{file}:2: </Files> where <Directory> of {file}:1 is open")
    );
    assert_eq!(
        message("Include gone.conf"),
        format!("{file}:1: Include /etc/apache2/gone.conf: no such file")
    );
    assert_eq!(
        message("Include sites-enabled/*.conf"),
        format!("{file}: files include each other in a circle")
    );
    let missing = read(&MemoryFiles::new(), Path::new("/none"), &known()).unwrap_err().to_string();
    assert!(missing.starts_with("/none: "), "{missing}");
}

#[test]
fn options_that_only_pinion_takes_come_in_by_a_variable() {
    let reading = read_debian(
        "<IfDirective PinionPrefix>\nDefine shop_warmup \"warmup=\\\"/\\\"\"\n</IfDirective>\n\
         <IfDirective !PinionPrefix>\nDefine shop_warmup \" \"\n</IfDirective>\n\
         WSGIDaemonProcess shop threads=2 ${shop_warmup}\n",
    )
    .unwrap();
    assert!(reading.refused.is_empty(), "{:?}", reading.refused);
    assert_eq!(reading.config.groups[0].value.warmup, ["/"]);
}
