//! Runs the tests of what needs no Python. The library itself finds Python's functions only in the process that
//! imports it, so a program made of it cannot be linked.

#![allow(dead_code, unused_imports, reason = "only the tests in these files are of interest here")]

#[path = "../src/area.rs"]
mod area;
#[path = "../src/http/batch.rs"]
mod batch;
#[path = "../src/body.rs"]
mod body;
#[path = "../src/head.rs"]
mod head;
#[path = "../src/inbox.rs"]
mod inbox;
#[path = "../src/http/least.rs"]
mod least;
#[path = "../src/lines.rs"]
mod lines;
#[path = "../src/reply.rs"]
mod reply;
#[path = "../src/response.rs"]
mod response;
#[path = "../src/retry.rs"]
mod retry;
#[path = "../src/again/room.rs"]
mod room;
#[path = "../src/seat.rs"]
mod seat;
#[path = "../src/http/site.rs"]
mod site;
#[path = "../src/target.rs"]
mod target;
#[path = "../src/text.rs"]
mod text;
#[path = "../src/turn.rs"]
mod turn;
