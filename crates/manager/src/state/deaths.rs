//! What is remembered of workers that have died, and what children are told about their requests.

use std::collections::VecDeque;

use pinion_wire::message::{Death, InquireReply};
use pinion_wire::status::Begun;

use super::worker::{Doubt, Worker, WorkerState};
use super::{Action, Core, Exit, Millis, Sight, WaiterId, WorkerId};

/// How many dead workers are remembered.
const REMEMBERED: usize = 256;
/// How long an answer about a connection that ended waits for its worker's death, in milliseconds.
const PATIENCE: Millis = 1_000;

/// A question about a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Inquiry {
    /// Whom to answer.
    pub waiter: WaiterId,
    /// The worker's slot.
    pub slot: u32,
    /// The worker's epoch.
    pub epoch: u32,
    /// The connection's number.
    pub connection: u32,
    /// The request's sequence.
    pub seq: u32,
    /// Whether the connection has ended.
    pub ended: bool,
}

/// A dead worker.
#[derive(Clone, Debug)]
struct Dead {
    slot: usize,
    epoch: u32,
    pid: u32,
    group: String,
    cause: String,
    stack: String,
    begun: Vec<Begun>,
    at_ns: u64,
}

/// The dead, and the questions that wait for a death.
#[derive(Debug, Default)]
pub struct Deaths {
    dead: VecDeque<Dead>,
    waiting: Vec<(Inquiry, Millis)>,
}

impl Deaths {
    fn remember(&mut self, dead: Dead) {
        if self.dead.len() == REMEMBERED {
            self.dead.pop_front();
        }
        self.dead.push_back(dead);
    }

    fn find(&self, inquiry: &Inquiry) -> Option<InquireReply> {
        let same = |dead: &&Dead| {
            u32::try_from(dead.slot) == Ok(inquiry.slot) && dead.epoch == inquiry.epoch
        };
        let dead = self.dead.iter().rev().find(same)?;
        Some(InquireReply::Dead(Box::new(Death {
            pid: dead.pid,
            group: dead.group.clone(),
            cause: dead.cause.clone(),
            begun_ms: begun_for(&dead.begun, inquiry, dead.at_ns),
            stack: dead.stack.clone(),
        })))
    }

    /// When a question is to be answered though the worker lives.
    pub(super) fn next_deadline(&self) -> Option<Millis> {
        self.waiting.iter().map(|(_, by)| *by).min()
    }
}

fn begun_for(begun: &[Begun], inquiry: &Inquiry, now_ns: u64) -> Option<u64> {
    begun
        .iter()
        .find(|each| each.connection == inquiry.connection && each.seq == inquiry.seq)
        .map(|each| now_ns.saturating_sub(each.since_ns) / 1_000_000)
}

/// The part of a dead worker's output that is about its death: from what faulthandler writes, where it wrote.
fn stack_in(output: &str) -> &str {
    output.rfind("Fatal Python error").map_or(output, |at| &output[at..])
}

impl Core {
    pub(super) fn inquired(&mut self, inquiry: Inquiry, sight: &dyn Sight) {
        if inquiry.ended && self.holder(&inquiry).is_some() {
            self.deaths.waiting.push((inquiry, self.now + PATIENCE));
        } else {
            self.answer_inquiry(&inquiry, sight);
        }
    }

    fn is_ready(&self, id: WorkerId) -> bool {
        self.workers.get(&id).is_some_and(|worker| worker.state() == WorkerState::Ready)
    }

    fn holder(&self, inquiry: &Inquiry) -> Option<WorkerId> {
        let id = self.slots.worker(inquiry.slot)?;
        let worker = self.workers.get(&id)?;
        (worker.epoch == inquiry.epoch && worker.state() != WorkerState::Starting).then_some(id)
    }

    fn answer_inquiry(&mut self, inquiry: &Inquiry, sight: &dyn Sight) {
        if let Some(id) = self.holder(inquiry)
            && !inquiry.ended
            && self.is_ready(id)
            && sight.begun(id).is_empty()
        {
            self.suspect(id, Doubt::Unbegun, sight);
        }
        let reply = match self.holder(inquiry) {
            Some(id) => match begun_for(&sight.begun(id), inquiry, self.now * 1_000_000) {
                Some(since_ms) => InquireReply::Running { since_ms },
                None => InquireReply::Waiting,
            },
            None => self.deaths.find(inquiry).unwrap_or(InquireReply::Unknown),
        };
        self.actions.push(Action::ReplyInquire(inquiry.waiter, reply));
    }

    pub(super) fn remember_death(&mut self, worker: &Worker, exit: &Exit, sight: &dyn Sight) {
        if worker.epoch == 0 {
            return;
        }
        self.deaths.remember(Dead {
            slot: worker.slot,
            epoch: worker.epoch,
            pid: worker.pid.unwrap_or(0),
            group: worker.spec.name.clone(),
            cause: worker.doom.clone().unwrap_or_else(|| exit.cause.clone()),
            stack: stack_in(&exit.output).to_owned(),
            begun: exit.begun.clone(),
            at_ns: self.now * 1_000_000,
        });
        let (slot, epoch) = (worker.slot, worker.epoch);
        self.answer_waiting(sight, |inquiry, _| {
            usize::try_from(inquiry.slot) == Ok(slot) && inquiry.epoch == epoch
        });
    }

    /// Answers the questions for which no death came in time.
    pub(super) fn answer_patient(&mut self, sight: &dyn Sight) {
        let now = self.now;
        self.answer_waiting(sight, |_, by| now >= by);
    }

    fn answer_waiting(&mut self, sight: &dyn Sight, due: impl Fn(&Inquiry, Millis) -> bool) {
        let waiting = std::mem::take(&mut self.deaths.waiting);
        let (answer, rest): (Vec<_>, _) =
            waiting.into_iter().partition(|(inquiry, by)| due(inquiry, *by));
        self.deaths.waiting = rest;
        for (inquiry, _) in answer {
            self.answer_inquiry(&inquiry, sight);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stack_begins_where_faulthandler_wrote() {
        assert_eq!(stack_in("hello\nFatal Python error: x\n"), "Fatal Python error: x\n");
        assert_eq!(stack_in("hello"), "hello");
    }

    #[test]
    fn the_oldest_death_is_forgotten_first() {
        let mut deaths = Deaths::default();
        for epoch in 1..=300 {
            deaths.remember(Dead {
                slot: 4,
                epoch,
                pid: epoch,
                group: "g".into(),
                cause: "killed by SIGKILL".into(),
                stack: String::new(),
                begun: vec![Begun {
                    connection: 1,
                    seq: 2,
                    since_ns: 5_000_000,
                    line: "GET /".into(),
                }],
                at_ns: 9_000_000,
            });
        }
        let ask = |epoch, seq| {
            let waiter = WaiterId(1);
            deaths.find(&Inquiry { waiter, slot: 4, epoch, connection: 1, seq, ended: true })
        };
        assert_eq!(ask(44, 2), None);
        let Some(InquireReply::Dead(death)) = ask(45, 2) else { panic!("forgotten too soon") };
        assert_eq!((death.pid, death.begun_ms), (45, Some(4)));
        let Some(InquireReply::Dead(death)) = ask(300, 3) else { panic!("forgotten") };
        assert_eq!(death.begun_ms, None);
    }
}
