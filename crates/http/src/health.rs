//! The health path: how a balancer or an orchestrator learns whether a worker serves.
//!
//! The answer says that the worker takes requests, no more: the application is not asked. A worker that drains
//! says so with 503, to whoever still has a connection to it, so that nothing new is sent there.
//! These requests are not in the access log, where probes every few seconds would drown the others.

use crate::plan::Plan;

/// The answer at the health path.
#[must_use]
pub fn answer<F>(method: &[u8], draining: bool) -> Plan<F> {
    let head = method == b"HEAD";
    if !head && method != b"GET" {
        return Plan::status(405, false).with("Allow", "GET, HEAD");
    }
    let plan =
        if draining { Plan::text(503, "draining\n", head) } else { Plan::text(200, "ok\n", head) };
    plan.with("Cache-Control", "no-store")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::Body;

    #[test]
    fn it_says_whether_the_worker_serves() {
        for (method, draining, status, body) in [
            ("GET", false, 200, Body::Text("ok\n".into())),
            ("HEAD", false, 200, Body::Nothing),
            ("GET", true, 503, Body::Text("draining\n".into())),
            ("HEAD", true, 503, Body::Nothing),
        ] {
            let plan: Plan<()> = answer(method.as_bytes(), draining);
            assert_eq!((plan.status, &plan.body), (status, &body), "{method} {draining}");
            assert_eq!(plan.value("cache-control"), Some("no-store"));
            let length = if draining { "9" } else { "3" };
            assert_eq!(plan.value("content-length"), Some(length));
        }
    }

    #[test]
    fn nothing_else_can_be_asked_there() {
        for method in ["POST", "OPTIONS", "get", ""] {
            let plan: Plan<()> = answer(method.as_bytes(), false);
            assert_eq!((plan.status, plan.value("allow")), (405, Some("GET, HEAD")), "{method}");
        }
    }
}
