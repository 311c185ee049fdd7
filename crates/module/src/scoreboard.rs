//! Telling workers that may look at it what stands on Apache's scoreboard (`WSGIServerMetrics`, `server-metrics=`).
//!
//! Workers are no children of Apache and do not see its memory, so each child of Apache has a thread that answers them. One
//! queue serves all: whichever child is first takes a question. Without the directives there is no such thread.

use std::io::{self, IoSlice};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use pinion_config::{Code, Config};
use pinion_httpd::log::{self, Level};
use pinion_httpd::{ProcessScore, Server, ThreadScore};
use pinion_unix::{signals, sockets};
use pinion_wire::message;
use pinion_wire::scoreboard::{Process, Scoreboard, Thread};

/// How long a worker may leave its answer unread.
const PATIENCE: Duration = Duration::from_secs(1);

/// Whether any process group may look at the scoreboard.
pub(crate) fn is_wanted(config: &Config) -> bool {
    config.server.server_metrics || config.groups.iter().any(|group| group.value.server_metrics)
}

/// Answers questions from now on, for as long as this process lives.
pub(crate) fn tell(main: Server<'_>, questions: OwnedFd) {
    let started = signals::spawn_without("pinion-score", move || answer_all(questions.as_fd()));
    if let Err(error) = started {
        let line = format!("{}: workers are not told the scoreboard: {error}", Code::Internal);
        log::server(Some(main), Level::Error, &line);
    }
}

fn answer_all(questions: BorrowedFd<'_>) {
    let mut question = Vec::new();
    loop {
        match sockets::recv_message(questions, &mut question, None) {
            Ok(_) if question.is_empty() => return,
            Ok(descriptors) => {
                // A worker that has gone, or does not read, has only itself to blame.
                descriptors.iter().for_each(|asker| drop(answer(asker.as_fd())));
            }
            // Another child was quicker.
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(_) => return,
        }
    }
}

fn answer(asker: BorrowedFd<'_>) -> io::Result<()> {
    let Some(seen) = look() else { return Ok(()) };
    let bytes = message::encode(&seen).map_err(io::Error::other)?;
    sockets::set_timeouts(asker, None, Some(PATIENCE))?;
    sockets::send_all(asker, &mut [IoSlice::new(&bytes)])
}

/// All of the scoreboard; `None` where httpd has none.
fn look() -> Option<Scoreboard> {
    let board = pinion_httpd::scoreboard()?;
    let threads = |process| {
        (0..board.thread_limit)
            .filter_map(move |thread| board.thread(process, thread))
            .map(thread_of)
    };
    let processes = (0..board.server_limit).filter_map(|number| {
        let ProcessScore { pid, generation, quiescing } = board.process(number)?;
        Some(Process { pid, generation, quiescing, threads: threads(number).collect() })
    });
    Some(Scoreboard {
        server_limit: board.server_limit,
        thread_limit: board.thread_limit,
        generation: board.generation,
        restart_time: board.restart_time,
        processes: processes.collect(),
    })
}

fn thread_of(score: ThreadScore) -> Thread {
    Thread {
        number: score.number,
        generation: score.generation,
        state: score.status,
        requests: score.requests,
        bytes: score.bytes,
        started: score.started,
        stopped: score.stopped,
        last_used: score.last_used,
        client: score.client,
        request: score.request,
        vhost: score.vhost,
    }
}
