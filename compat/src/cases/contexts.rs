//! Where directives may stand: those of the original's table of contexts and override classes.

use crate::suite::Outcome;
use crate::{Context, Suite};
use pinion_testbed::{Server, Site};

pub(super) fn suites() -> Vec<Suite> {
    let files = Suite::new("contexts_htaccess", site)
        .case("file_info_allows_these", allowed)
        .case("file_info_refuses_the_others", not_allowed)
        .case("another_class_refuses_all", another_class);
    let tests = Suite::alone("contexts")
        .solo("sections_take_these", sections)
        .solo("sections_refuse_the_others", not_in_sections)
        .solo("virtual_hosts_take_these", hosts);
    vec![files, tests]
}

/// Directives for `.htaccess` files where `AllowOverride` says `FileInfo`, with arguments.
const EVERYWHERE: [&str; 8] = [
    "WSGICallableObject application",
    "WSGIPassAuthorization On",
    "WSGIScriptReloading On",
    "WSGIErrorOverride Off",
    "WSGIChunkedRequest On",
    "WSGIMapHEADToGET Auto",
    "WSGIIgnoreActivity On",
    "WSGIEnableSendfile On",
];

/// Directives for sections, but not for `.htaccess` files.
const SECTIONS: [&str; 5] = [
    "WSGIProcessGroup %{GLOBAL}",
    "WSGIApplicationGroup %{GLOBAL}",
    "WSGIRestrictProcess %{GLOBAL}",
    "WSGIHandlerScript compat-name /etc/hostname",
    "WSGIDispatchScript /etc/hostname",
];

/// Directives for servers and virtual hosts.
const HOSTS: [&str; 4] = [
    "WSGIScriptAlias /x /etc/hostname",
    "WSGIScriptAliasMatch ^/x /etc/hostname",
    "WSGIDaemonProcess compat-group",
    "WSGIImportScript /etc/hostname process-group=%{GLOBAL} application-group=x",
];

/// Directives for the main server alone.
const SERVER: [&str; 3] =
    ["WSGICaseSensitivity On", "WSGIRestrictEmbedded Off", "WSGIRestrictStdin Off"];

fn site(site: &mut Site) -> Outcome {
    let all = EVERYWHERE.iter().chain(&SECTIONS).chain(&HOSTS).chain(&SERVER);
    for line in all {
        let name = name(line);
        for folder in ["info", "auth"] {
            site.write(&format!("htdocs/{folder}/{name}/.htaccess"), format!("{line}\n"))?;
            site.write(&format!("htdocs/{folder}/{name}/file.txt"), "here")?;
        }
    }
    let root = site.root().display().to_string();
    site.config(format!(
        "<Directory {root}/htdocs/info>\nAllowOverride FileInfo\n</Directory>\n\
         <Directory {root}/htdocs/auth>\nAllowOverride AuthConfig Indexes Limit\n</Directory>"
    ));
    Ok(())
}

fn name(line: &str) -> &str {
    line.split(' ').next().unwrap_or(line)
}

fn answered<'a>(
    context: &Context,
    folder: &str,
    lines: impl IntoIterator<Item = &'a &'a str>,
    status: u16,
) -> Outcome {
    for line in lines {
        let path = format!("/{folder}/{}/file.txt", name(line));
        assert_eq!(context.status(&path)?, status, "{path}");
    }
    Ok(())
}

fn allowed(context: &Context) -> Outcome {
    answered(context, "info", &EVERYWHERE, 200)
}

fn not_allowed(context: &Context) -> Outcome {
    answered(context, "info", SECTIONS.iter().chain(&HOSTS).chain(&SERVER), 500)
}

fn another_class(context: &Context) -> Outcome {
    answered(context, "auth", EVERYWHERE.iter().chain(&SECTIONS).chain(&HOSTS), 500)
}

/// Whether the configuration test takes each line within `<section>`.
fn tested<'a>(
    server: &Server,
    section: (&str, &str),
    lines: impl IntoIterator<Item = &'a &'a str>,
    expected: bool,
) -> Outcome {
    for line in lines {
        let mut site = Site::new(server)?;
        site.config(format!("{}\n{line}\n{}", section.0, section.1));
        let tested = site.configtest()?;
        assert_eq!(tested.success, expected, "{line} in {}: {}", section.0, tested.output());
    }
    Ok(())
}

fn sections(server: &Server) -> Outcome {
    tested(server, ("<Directory /srv>", "</Directory>"), EVERYWHERE.iter().chain(&SECTIONS), true)?;
    let location = ("<Location /x>", "</Location>");
    tested(server, location, EVERYWHERE.iter().chain(&SECTIONS).take(3), true)?;
    tested(server, ("<Files x>", "</Files>"), SECTIONS.iter().take(2), true)
}

fn not_in_sections(server: &Server) -> Outcome {
    let directory = ("<Directory /srv>", "</Directory>");
    tested(server, directory, HOSTS.iter().chain(&SERVER), false)
}

fn hosts(server: &Server) -> Outcome {
    let host = ("<VirtualHost *:80>\nServerName x.test", "</VirtualHost>");
    tested(server, host, HOSTS.iter().take(3).chain(&EVERYWHERE[..3]).chain(&SECTIONS), true)?;
    tested(server, host, &SERVER, false)
}
