//! `wsgi.file_wrapper`.

use crate::context::SOON;
use crate::suite::Outcome;
use crate::{Context, Suite};
use pinion_testbed::Site;
use pinion_testbed::raw::Connection;

pub(super) fn suites() -> Vec<Suite> {
    vec![
        common(Suite::new("file_wrapper_daemon", daemon)),
        common(Suite::new("file_wrapper_embedded", embedded)),
    ]
}

fn common(suite: Suite) -> Suite {
    suite
        .case("whole_file_gets_a_length", whole)
        .case("starts_at_the_current_offset", offset)
        .case("obeys_a_given_length", given_length)
        .case("empty_and_exhausted_files", empty)
        .case("large_file", large)
        .case("large_file_with_head", large_with_head)
        .case("object_without_descriptor", without_descriptor)
        .case("descriptor_that_is_no_file", pipe)
        .case("text_file_sends_its_bytes", text_file)
        .case("file_is_closed_at_the_end", closed_at_the_end)
        .case("file_is_closed_after_a_disconnect", closed_after_a_disconnect)
        .case("wrapper_can_be_iterated", iterated)
        .case("after_write", after_write)
        .case("with_304", with_304)
        .case("closed_file_is_500", closed_file)
        .case("object_without_read_is_500", without_read)
        .case("length_over_the_file_shows_no_memory", length_over_the_file)
        .only_pinion("mod_wsgi fills the rest with whatever the mapped page holds")
}

fn daemon(site: &mut Site) -> Outcome {
    site.config("WSGIDaemonProcess wrapper threads=4\nWSGIProcessGroup wrapper");
    embedded(site)
}

fn embedded(site: &mut Site) -> Outcome {
    let script = super::app(site, "wrapper.wsgi")?;
    site.write("apps/digits.txt", "0123456789")?;
    site.write("apps/empty.txt", "")?;
    site.write("apps/large.bin", vec![b'L'; 5_000_000])?;
    site.config(format!(
        "WSGIApplicationGroup %{{GLOBAL}}\nWSGIScriptAlias / {}",
        script.display()
    ));
    Ok(())
}

/// The body, and the Content-Length if there is one.
fn sends(context: &Context, path: &str, body: &str, length: Option<&str>) -> Outcome {
    let answer = context.get(path)?;
    assert_eq!((answer.status, answer.text().as_str()), (200, body), "{path}");
    if length.is_some() {
        assert_eq!(answer.header("Content-Length").as_deref(), length, "{path}");
    }
    Ok(())
}

fn whole(context: &Context) -> Outcome {
    sends(context, "/whole", "0123456789", Some("10"))?;
    sends(context, "/block", "0123456789", Some("10"))
}

fn offset(context: &Context) -> Outcome {
    sends(context, "/offset", "456789", Some("6"))?;
    sends(context, "/read_offset", "456789", Some("6"))
}

fn given_length(context: &Context) -> Outcome {
    sends(context, "/length", "01234", Some("5"))?;
    sends(context, "/length_offset", "23456", Some("5"))
}

fn empty(context: &Context) -> Outcome {
    sends(context, "/empty", "", None)?;
    sends(context, "/at_end", "", None)?;
    sends(context, "/devnull", "", None)
}

fn large(context: &Context) -> Outcome {
    let answer = context.get("/large")?;
    assert_eq!(answer.header("Content-Length").as_deref(), Some("5000000"));
    assert!(answer.body.len() == 5_000_000 && answer.body.iter().all(|byte| *byte == b'L'));
    Ok(())
}

fn large_with_head(context: &Context) -> Outcome {
    let mut connection = Connection::open(context.apache.port())?;
    let request = |method: &str| format!("{method} /large HTTP/1.1\r\nHost: localhost\r\n\r\n");
    connection.send(format!("{}{}", request("HEAD"), request("GET")))?;
    assert_eq!(connection.answer("HEAD")?.header("Content-Length").as_deref(), Some("5000000"));
    assert_eq!(connection.answer("GET")?.body.len(), 5_000_000);
    Ok(())
}

fn without_descriptor(context: &Context) -> Outcome {
    sends(context, "/bytesio", "from memory", None)?;
    let from = context.log().size();
    sends(context, "/noisy", "noisy", None)?;
    context.log().wait_for_from(from, "compat: closed the noisy file", SOON)?;
    Ok(())
}

fn pipe(context: &Context) -> Outcome {
    sends(context, "/pipe", "through a pipe", None)
}

fn text_file(context: &Context) -> Outcome {
    sends(context, "/text_file", "0123456789", Some("10"))
}

fn closed_at_the_end(context: &Context) -> Outcome {
    let from = context.log().size();
    sends(context, "/noisy_file", "0123456789", Some("10"))?;
    context.log().wait_for_from(from, "compat: closed the real file", SOON)?;
    Ok(())
}

fn closed_after_a_disconnect(context: &Context) -> Outcome {
    for _ in 0..5 {
        context.send("GET", "/large", &[], b"")?.reset()?;
    }
    sends(context, "/whole", "0123456789", Some("10"))
}

fn iterated(context: &Context) -> Outcome {
    sends(context, "/iterated", "0123456789", None)?;
    sends(context, "/generator", "SHOUTED", None)
}

fn after_write(context: &Context) -> Outcome {
    sends(context, "/after_write", "written,0123456789", None)
}

fn with_304(context: &Context) -> Outcome {
    let answer = context.get("/not_modified")?;
    assert_eq!((answer.status, answer.body.len()), (304, 0));
    Ok(())
}

fn closed_file(context: &Context) -> Outcome {
    assert_eq!(context.status("/closed")?, 500);
    Ok(())
}

fn without_read(context: &Context) -> Outcome {
    assert_eq!(context.status("/no_read")?, 500);
    Ok(())
}

fn length_over_the_file(context: &Context) -> Outcome {
    let mut connection = context.send("GET", "/length_too_long", &[], b"")?;
    connection.head("GET")?;
    assert_eq!(connection.rest(), b"0123456789");
    Ok(())
}
