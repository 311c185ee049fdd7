//! Applications that fail: exceptions, wrong types and exits, at each point of a response.

use super::response::{ends_early, is_500, logs};
use crate::context::{SOON, eventually};
use crate::suite::Outcome;
use crate::{Context, Suite};
use libtest_mimic::Failed;

/// Adds these cases to a suite that serves `response.wsgi` at the root.
pub(super) fn cases(suite: Suite) -> Suite {
    suite
        .case("raise_before_start_response_is_500", raise_before)
        .case("raise_after_start_response_is_500", raise_between)
        .case("raise_before_the_first_item_is_500", raise_in_generator)
        .case("raise_after_an_item_ends_the_body", raise_after_item)
        .case("raise_with_length_ends_the_connection", raise_after_length)
        .case("chained_exceptions_are_logged_whole", chained_exceptions)
        .case("no_start_response_is_500", no_start_response)
        .case("items_must_be_bytes", items_must_be_bytes)
        .case("result_must_be_iterable", result_must_be_iterable)
        .case("sys_exit_is_500_and_the_process_lives", sys_exit)
        .case("sys_exit_after_an_item", sys_exit_after_item)
        .case("keyboard_interrupt_is_500", keyboard_interrupt)
}

/// A chunked body that the application broke off must not end as if it were whole.
pub(super) fn broken_off_body_is_cut(context: &Context) -> Outcome {
    for path in ["/raises_after_chunk", "/sys_exit_later", "/closes_on_error"] {
        let answer = context.get(path);
        assert!(answer.is_err(), "{path} looks whole: {answer:?}");
    }
    Ok(())
}

fn raise_before(context: &Context) -> Outcome {
    let answer = logs(context, "/raises_before", "ValueError: raised before start_response")??;
    assert_eq!(answer.status, 500);
    Ok(())
}

fn raise_between(context: &Context) -> Outcome {
    let answer = logs(context, "/raises_between", "ValueError: raised after start_response")??;
    assert_eq!(answer.status, 500);
    assert!(!answer.text().contains("raised"));
    Ok(())
}

fn raise_in_generator(context: &Context) -> Outcome {
    let path = "/raises_in_generator";
    let answer = logs(context, path, "ValueError: raised before the first chunk")??;
    assert_eq!(answer.status, 500);
    Ok(())
}

fn raise_after_item(context: &Context) -> Outcome {
    let from = context.log().size();
    let mut connection = context.send("GET", "/raises_after_chunk", &[], b"")?;
    let mut head = connection.head("GET")?;
    assert_eq!(head.status, 200);
    assert_eq!(connection.piece(&mut head.framing)?.as_deref(), Some(&b"chunk"[..]));
    context.log().wait_for_from(from, "ValueError: raised after a chunk", SOON)?;
    Ok(())
}

fn raise_after_length(context: &Context) -> Outcome {
    ends_early(context, "/raises_after_length", b"chunk")
}

fn chained_exceptions(context: &Context) -> Outcome {
    let from = context.log().size();
    assert_eq!(context.get("/raises_with_chain")?.status, 500);
    for part in [
        "ValueError: the cause",
        "direct cause of the following exception",
        "RuntimeError: the effect",
        "Traceback (most recent call last):",
    ] {
        context.log().wait_for_from(from, part, SOON)?;
    }
    Ok(())
}

fn no_start_response(context: &Context) -> Outcome {
    is_500(context, "/no_start")
}

fn items_must_be_bytes(context: &Context) -> Outcome {
    for kind in [
        "text",
        "list_of_text",
        "bytes",
        "list_of_none",
        "bytearray",
        "memoryview",
        "empty_text",
        "list_of_int",
    ] {
        is_500(context, &format!("/returns?{kind}"))?;
    }
    Ok(())
}

fn result_must_be_iterable(context: &Context) -> Outcome {
    is_500(context, "/returns?none")?;
    is_500(context, "/returns?int")
}

fn sys_exit(context: &Context) -> Outcome {
    let before = process(context)?;
    assert_eq!(context.get("/sys_exit")?.status, 500);
    eventually("the same process again", || Ok((process(context)? == before).then_some(())))
}

fn process(context: &Context) -> Result<String, Failed> {
    Ok(context.get("/pid")?.text())
}

fn sys_exit_after_item(context: &Context) -> Outcome {
    let mut connection = context.send("GET", "/sys_exit_later", &[], b"")?;
    let mut head = connection.head("GET")?;
    assert_eq!(head.status, 200);
    assert_eq!(connection.piece(&mut head.framing)?.as_deref(), Some(&b"before"[..]));
    assert_eq!(context.get("/plain")?.status, 200);
    Ok(())
}

fn keyboard_interrupt(context: &Context) -> Outcome {
    assert_eq!(context.get("/keyboard_interrupt")?.status, 500);
    assert_eq!(context.get("/plain")?.status, 200);
    Ok(())
}
