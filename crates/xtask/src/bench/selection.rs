//! Which loads a command measures, and for how long.

use clap::Args;

use super::workload::Workload;
use crate::failure::{Failure, Result};

/// Some of a command's loads.
#[derive(Debug, Args)]
pub(super) struct Selection {
    /// Three rounds of one second, at 32 connections and hello world at 1
    #[arg(long)]
    quick: bool,
    /// Only this workload; may be repeated
    #[arg(long, value_name = "WORKLOAD")]
    only: Vec<String>,
    /// Only this number of connections; may be repeated
    #[arg(long, value_name = "N")]
    connections: Vec<u32>,
    /// Rounds of each measurement [default: 5, or 3 with --quick]
    #[arg(long)]
    rounds: Option<u32>,
    /// Seconds of one measurement [default: 2, or 1 for serve and with --quick]
    #[arg(long)]
    seconds: Option<u32>,
}

impl Selection {
    /// Rounds of each measurement.
    pub(super) fn rounds(&self) -> u32 {
        self.rounds.unwrap_or(if self.quick { 3 } else { 5 }).max(1)
    }

    /// Seconds of one measurement; `usual` where nothing was said.
    pub(super) fn seconds(&self, usual: u32) -> u32 {
        self.seconds.unwrap_or(if self.quick { 1 } else { usual }).max(1)
    }

    /// The loads that were asked for, of these workloads and numbers of connections.
    ///
    /// # Errors
    /// A name is no workload's.
    pub(super) fn loads(
        &self,
        workloads: &[&'static Workload],
        counts: &[u32],
    ) -> Result<Vec<(&'static Workload, u32)>> {
        let known = |name: &String| workloads.iter().any(|workload| workload.name == *name);
        if let Some(name) = self.only.iter().find(|name| !known(name)) {
            let names: Vec<_> = workloads.iter().map(|workload| workload.name).collect();
            return Err(Failure::wrong(
                format!("there is no workload {name}"),
                format!("one of {}", names.join(", ")),
            ));
        }
        let counts = if self.connections.is_empty() { counts } else { &self.connections };
        let mut loads = Vec::new();
        for workload in workloads {
            if !self.only.is_empty() && !self.only.iter().any(|name| name == workload.name) {
                continue;
            }
            let quick = |count: &u32| *count == 32 || (*count == 1 && workload.name == "hello");
            let wanted = counts
                .iter()
                .filter(|count| !self.quick || !self.connections.is_empty() || quick(count));
            loads.extend(wanted.map(|count| (*workload, *count)));
        }
        Ok(loads)
    }
}

#[cfg(test)]
mod tests {
    use super::super::workload::WORKLOADS;
    use super::*;

    fn loads(quick: bool, only: &[&str], connections: &[u32]) -> Vec<(&'static str, u32)> {
        let only = only.iter().map(|name| (*name).to_owned()).collect();
        let connections = connections.to_vec();
        let selection = Selection { quick, only, connections, rounds: None, seconds: None };
        let all: Vec<_> = WORKLOADS.iter().take(2).collect();
        let loads = selection.loads(&all, &[1, 32]).unwrap();
        loads.into_iter().map(|(workload, count)| (workload.name, count)).collect()
    }

    #[test]
    fn all_loads_are_measured_unless_some_are_asked_for() {
        let all = [("hello", 1), ("hello", 32), ("python", 1), ("python", 32)];
        assert_eq!(loads(false, &[], &[]), all);
        assert_eq!(loads(true, &[], &[]), [("hello", 1), ("hello", 32), ("python", 32)]);
        assert_eq!(loads(true, &["python"], &[7]), [("python", 7)]);
    }

    #[test]
    fn an_unknown_workload_is_refused_with_those_there_are() {
        let only = vec!["helo".to_owned()];
        let selection =
            Selection { quick: false, only, connections: Vec::new(), rounds: None, seconds: None };
        let failure = selection.loads(&[&WORKLOADS[0]], &[1]).unwrap_err();
        assert_eq!(failure.to_string(), "there is no workload helo");
        assert_eq!(failure.hint(), Some("one of hello"));
    }
}
