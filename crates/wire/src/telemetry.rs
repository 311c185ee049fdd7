//! The datagrams that PyPI's `mod-wsgi-telemetry` (1.1) receives, version 1 of its format.
//!
//! | field | size |
//! |---|---|
//! | `WSGI` | 4 |
//! | version | u8 |
//! | [`Kind`] | u8 |
//! | flags, none so far | u16 |
//! | process id | u32 |
//! | number of the datagram in its process, from 1 | u32 |
//! | when it was made, seconds since 1970 | f64 |
//! | records up to the end: [`Field`], type, value; little endian | |

/// The version of the format.
const VERSION: u8 = 1;

/// What a datagram tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Kind {
    /// The requests and resources of an interval.
    Request = 2,
    /// One request that takes or took long.
    SlowRequest = 4,
    /// The process begins.
    Started = 5,
    /// The process was told to end.
    Stopping = 6,
    /// The process ends.
    Stopped = 7,
    /// The state of the garbage collector.
    GcSnapshot = 8,
    /// One pass of the garbage collector.
    GcEvent = 9,
}

/// A value's type.
#[derive(Clone, Copy)]
#[repr(u8)]
enum Type {
    U64 = 1,
    F64 = 2,
    Bytes = 4,
    I32s = 5,
    F64s = 6,
}

/// What a record tells; times are seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u16)]
#[expect(missing_docs, reason = "the names are those of the format's own description")]
pub enum Field {
    ModWsgiVersion = 1,
    PythonVersion = 2,
    ApacheVersion = 3,
    MpmName = 4,
    Hostname = 5,
    ProcessGroup = 6,
    ProcessParentPid = 7,
    InterpreterName = 8,
    SamplePeriod = 10,
    TelemetryInterval = 11,
    SlowRequestsThreshold = 12,
    SwitchInterval = 13,
    RequestCount = 20,
    RequestThroughput = 21,
    CapacityUtilization = 22,
    CpuUserUtilization = 30,
    CpuSystemUtilization = 31,
    CpuUtilization = 32,
    MemoryRss = 40,
    MemoryMaxRss = 41,
    RequestThreadsMaximum = 50,
    RequestThreadsStarted = 51,
    RequestThreadsActive = 52,
    /// The first of the mean times of the eight phases.
    ServerTime = 60,
    /// The first of the shortest times.
    ServerTimeMin = 70,
    /// The first of the longest times.
    ServerTimeMax = 80,
    /// The first of the histograms.
    ServerTimeBuckets = 90,
    InputBytesTotal = 100,
    InputReadsTotal = 101,
    OutputBytesTotal = 102,
    OutputWritesTotal = 103,
    RequestThreadsCompleted = 110,
    RequestThreadsBusyTime = 111,
    RequestThreadsCpuTime = 112,
    RequestThreadsCurrentElapsed = 113,
    RequestThreadsMaxDuration = 114,
    /// The first of the counts of the five classes of statuses.
    Status1xxTotal = 120,
    ShutdownReason = 130,
    ProcessUptime = 131,
    LifetimeRequestCount = 132,
    ActiveRequestsAtDecision = 133,
    ActiveRequestsAtExit = 134,
    GracefulDrain = 135,
    SlowRecordState = 200,
    SlowStartStamp = 201,
    SlowDuration = 202,
    SlowThreadId = 203,
    SlowLogId = 204,
    SlowServerPid = 205,
    SlowMethod = 210,
    SlowScheme = 211,
    SlowHostname = 212,
    SlowScriptName = 213,
    SlowPathInfo = 214,
    SlowProtocol = 215,
    SlowPeerIp = 216,
    SlowUserAgent = 217,
    SlowServerTime = 220,
    SlowQueueTime = 221,
    SlowDaemonTime = 222,
    SlowApplicationTime = 223,
    SlowGilWaitTime = 224,
    SlowGilWaitCount = 225,
    SlowInputBytes = 230,
    SlowInputReads = 231,
    SlowOutputBytes = 232,
    SlowOutputWrites = 233,
    SlowInputReadTime = 234,
    SlowOutputWriteTime = 235,
    SlowStatus = 240,
    SlowCpuUserTime = 250,
    SlowCpuSystemTime = 251,
    SlowActiveAtStart = 260,
    SlowActiveAtCompletion = 261,
    /// The first of the collector's counts, thresholds, collections, collected and uncollectable
    /// objects: three generations each.
    GcCount0 = 300,
    GcIsEnabled = 315,
    GcFreezeCount = 316,
    GcDroppedEvents = 317,
    GcEventStartStamp = 320,
    GcEventDuration = 321,
    GcEventGeneration = 322,
    GcEventCollected = 323,
    GcEventUncollectable = 324,
}

/// Writes one datagram, record by record.
#[derive(Debug)]
pub struct Datagram {
    bytes: Vec<u8>,
}

impl Datagram {
    /// The most bytes that the receiver takes at once.
    pub const LONGEST: usize = 65_536;

    /// A datagram without records.
    #[must_use]
    pub fn new(kind: Kind, pid: u32, number: u32, stamp: f64) -> Self {
        let mut bytes = Vec::with_capacity(4096);
        bytes.extend_from_slice(b"WSGI");
        bytes.extend_from_slice(&[VERSION, kind as u8, 0, 0]);
        bytes.extend_from_slice(&pid.to_le_bytes());
        bytes.extend_from_slice(&number.to_le_bytes());
        bytes.extend_from_slice(&stamp.to_le_bytes());
        Self { bytes }
    }

    fn record(&mut self, id: u16, kind: Type, value: &[u8]) {
        self.bytes.extend_from_slice(&id.to_le_bytes());
        self.bytes.push(kind as u8);
        self.bytes.extend_from_slice(value);
    }

    /// A whole number.
    pub fn count(&mut self, field: Field, value: u64) {
        self.nth_count(field, 0, value);
    }

    /// A whole number, of the field `nth` places behind `first`.
    pub fn nth_count(&mut self, first: Field, nth: u16, value: u64) {
        self.record(first as u16 + nth, Type::U64, &value.to_le_bytes());
    }

    /// A number with a fraction.
    pub fn number(&mut self, field: Field, value: f64) {
        self.nth_number(field, 0, value);
    }

    /// A number with a fraction, of the field `nth` places behind `first`.
    pub fn nth_number(&mut self, first: Field, nth: u16, value: f64) {
        self.record(first as u16 + nth, Type::F64, &value.to_le_bytes());
    }

    /// Text, cut where it is too long for its length field.
    pub fn text(&mut self, field: Field, value: &[u8]) {
        let value = &value[..value.len().min(4096)];
        self.record(field as u16, Type::Bytes, &(value.len() as u16).to_le_bytes());
        self.bytes.extend_from_slice(value);
    }

    /// Counts, one after the other, of the field `nth` places behind `first`.
    pub fn nth_counts(&mut self, first: Field, nth: u16, values: &[u32]) {
        let length = u16::try_from(values.len()).unwrap_or(u16::MAX);
        self.record(first as u16 + nth, Type::I32s, &length.to_le_bytes());
        for value in &values[..length.into()] {
            let value = i32::try_from(*value).unwrap_or(i32::MAX);
            self.bytes.extend_from_slice(&value.to_le_bytes());
        }
    }

    /// Numbers with fractions.
    pub fn numbers(&mut self, field: Field, values: impl ExactSizeIterator<Item = f64>) {
        let length = u16::try_from(values.len()).unwrap_or(u16::MAX);
        self.record(field as u16, Type::F64s, &length.to_le_bytes());
        for value in values.take(length.into()) {
            self.bytes.extend_from_slice(&value.to_le_bytes());
        }
    }

    /// What is to be sent.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_datagram_is_a_head_and_records() {
        let mut datagram = Datagram::new(Kind::Started, 7, 3, 1.5);
        datagram.count(Field::ProcessParentPid, 9);
        datagram.nth_number(Field::ServerTime, 4, 0.25);
        datagram.text(Field::Hostname, b"here");
        datagram.nth_counts(Field::RequestThreadsCompleted, 0, &[1, u32::MAX]);
        datagram.numbers(Field::RequestThreadsBusyTime, [0.5].into_iter());
        let mut expected = b"WSGI\x01\x05\0\0\x07\0\0\0\x03\0\0\0".to_vec();
        expected.extend_from_slice(&1.5_f64.to_le_bytes());
        expected.extend_from_slice(b"\x07\0\x01\x09\0\0\0\0\0\0\0");
        expected.extend_from_slice(b"\x40\0\x02");
        expected.extend_from_slice(&0.25_f64.to_le_bytes());
        expected.extend_from_slice(b"\x05\0\x04\x04\0here");
        expected.extend_from_slice(b"\x6e\0\x05\x02\0\x01\0\0\0\xff\xff\xff\x7f");
        expected.extend_from_slice(b"\x6f\0\x06\x01\0");
        expected.extend_from_slice(&0.5_f64.to_le_bytes());
        assert_eq!(datagram.bytes(), expected);
    }

    #[test]
    fn long_text_is_cut() {
        let mut datagram = Datagram::new(Kind::SlowRequest, 1, 1, 0.0);
        datagram.text(Field::SlowPathInfo, &[b'x'; 100_000]);
        assert_eq!(datagram.bytes().len(), 24 + 5 + 4096);
    }
}
