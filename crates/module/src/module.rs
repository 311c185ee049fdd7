//! What httpd calls.

use std::ffi::CStr;

use pinion_httpd::{
    Answer, Authentication, Authorization, ConfigPools, Directive, Failed, Hook, Module, Order,
    Point, Pool, Rank, RealmHash, Request, Requirement, Server, export_module,
};

use crate::{
    auth, child, directives, handler, lifecycle,
    pace::{self, Pace},
    server::{Alias, Host, Section},
    translate,
};

/// The module.
pub(crate) struct Pinion;

export_module!(wsgi_module, c"mod_wsgi.c", Pinion);

impl Module for Pinion {
    type Server = Host;
    type Dir = Section;
    type Mark = Alias;
    type Kept = Pace;

    const DIRECTIVES: &'static [Directive<Self>] = &directives::table();

    const HOOKS: &'static [Hook] = &[
        Hook::at(Point::CheckConfig),
        Hook::at(Point::PostConfig),
        Hook::at(Point::ChildInit),
        Hook::at(Point::Monitor),
        // Behind mod_alias, so that an `Alias` for static files holds wherever it is written.
        Hook::ordered(
            Point::TranslateName,
            Order {
                rank: Rank::Middle,
                after: &[c"mod_alias.c"],
                before: &[c"mod_userdir.c", c"mod_vhost_alias.c"],
            },
        ),
        // Behind mod_authz_host, which needs to ask nobody.
        Hook::ordered(
            Point::AccessChecker,
            Order { rank: Rank::Middle, after: &[c"mod_authz_host.c"], before: &[] },
        ),
        Hook::at(Point::Fixups),
        Hook::at(Point::Handler),
        // Behind those that write the log: the request is over then.
        Hook::ordered(
            Point::LogTransaction,
            Order { rank: Rank::ReallyLast, after: &[], before: &[] },
        ),
    ];

    const AUTHENTICATES_AS: Option<&'static CStr> = Some(c"wsgi");
    const AUTHORIZES_AS: Option<&'static CStr> = Some(c"wsgi-group");

    fn check_config(_pools: &ConfigPools<'_>, main: Server<'_>) -> Result<(), Failed> {
        lifecycle::check_config(main)
    }

    fn post_config(_pools: &ConfigPools<'_>, main: Server<'_>) -> Result<(), Failed> {
        lifecycle::post_config(main)
    }

    fn child_init(_pool: Pool<'_>, main: Server<'_>) {
        child::init(main);
    }

    fn monitor(main: Server<'_>) {
        lifecycle::monitor(main);
    }

    fn translate_name(request: Request<'_>) -> Answer {
        translate::translate_name(request)
    }

    fn access_checker(request: Request<'_>) -> Answer {
        auth::access(request)
    }

    fn check_password(request: Request<'_>, user: &CStr, password: &CStr) -> Authentication {
        auth::check_password(request, user, password)
    }

    fn realm_hash(request: Request<'_>, user: &CStr, realm: &CStr) -> RealmHash {
        auth::realm_hash(request, user, realm)
    }

    fn authorize(request: Request<'_>, requirement: &Requirement) -> Authorization {
        auth::authorize(request, requirement)
    }

    fn fixups(request: Request<'_>) -> Answer {
        handler::prepare(request);
        Answer::Declined
    }

    fn handler(request: Request<'_>) -> Answer {
        handler::handle(request)
    }

    fn log_transaction(request: Request<'_>) {
        pace::stay(request);
    }
}
