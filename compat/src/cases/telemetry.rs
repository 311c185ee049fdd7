//! What workers report to PyPI's mod-wsgi-telemetry.

use crate::Suite;
use crate::suite::Outcome;
use pinion_testbed::Server;

pub(super) fn suites() -> Vec<Suite> {
    let refused = Suite::alone("telemetry_refused")
        .solo("service", service)
        .solo("options", options)
        .solo("slow_requests", slow_requests)
        .solo("in_a_virtual_host", in_a_virtual_host);
    vec![refused]
}

fn each(server: &Server, name: &str, wrong: &[&str]) -> Outcome {
    wrong
        .iter()
        .try_for_each(|arguments| super::refused(server, &format!("{name} {arguments}"), name))
}

fn service(server: &Server) -> Outcome {
    let wrong = [
        "",
        "udp:localhost:9999",
        "/run/telemetry.sock",
        "unix:/run/t.sock interval=0.4",
        "unix:/run/t.sock interval=0",
        "unix:/run/t.sock interval=-1",
        "unix:/run/t.sock interval=often",
        "unix:/run/t.sock often",
    ];
    each(server, "WSGITelemetryService", &wrong)
}

fn options(server: &Server) -> Outcome {
    let wrong = ["+", "-", "+Everything", "All +CaptureUserAgent", "+CaptureUserAgent None"];
    each(server, "WSGITelemetryOptions", &wrong)
}

fn slow_requests(server: &Server) -> Outcome {
    each(server, "WSGISlowRequests", &["", "-1"])?;
    // The original reads what is no number as 0, which reports every request.
    each(server, "WSGISlowRequests", if server.is_pinion() { &["soon", "1s"] } else { &[] })
}

fn in_a_virtual_host(server: &Server) -> Outcome {
    for line in
        ["WSGITelemetryService unix:/run/t.sock", "WSGITelemetryOptions All", "WSGISlowRequests 1"]
    {
        let name = line.split(' ').next().unwrap_or(line);
        super::refused(server, &format!("<VirtualHost *:80>\n{line}\n</VirtualHost>"), name)?;
    }
    Ok(())
}
