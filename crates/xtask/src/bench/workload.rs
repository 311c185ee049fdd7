//! What is asked of the servers.

/// One application of `apps/bench.wsgi`.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Workload {
    /// Its path, without the slash; also its name on the command line.
    pub(super) name: &'static str,
    /// What it does, for tables.
    pub(super) title: &'static str,
    /// Bytes that each request sends.
    pub(super) upload: Option<u32>,
}

/// All workloads, in the order of the tables.
pub(super) const WORKLOADS: &[Workload] = &[
    Workload { name: "hello", title: "hello world", upload: None },
    Workload { name: "python", title: "133 µs of pure Python", upload: None },
    Workload { name: "sleep", title: "a sleep of 2 ms", upload: None },
    Workload { name: "json", title: "10 KB of JSON", upload: None },
    Workload { name: "download", title: "a response of 1 MB", upload: None },
    Workload { name: "anew", title: "1 MB made for each request", upload: None },
    Workload { name: "upload", title: "an upload of 1 MB", upload: Some(1 << 20) },
    Workload { name: "stream", title: "streaming, 16 pieces of 1 KB", upload: None },
];

/// Connections at a time.
pub(super) const CONNECTIONS: &[u32] = &[1, 32, 128];

/// More connections than a server has threads, or descriptors for `select`.
pub(super) const MANY: u32 = 1000;
