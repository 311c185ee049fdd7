//! The Python stacks that faulthandler writes, without those of threads that wait for requests.
//!
//! A worker has many threads, and most of them do nothing when one of them crashes or hangs. What they do
//! not do would fill the log, and push the stack that matters out of what is kept of a worker's output.

/// The worker's Python file; a thread whose innermost frame is in it runs no application.
const OWN_FILE: &str = "pinion_worker.py\"";

/// Takes out the stacks of idle threads, line by line.
#[derive(Debug, Default)]
pub(super) struct Stacks {
    /// The head of a thread's stack whose first frame has not come.
    head: Option<String>,
    /// The frames that come belong to an idle thread.
    skipping: bool,
}

impl Stacks {
    /// What of these whole lines is worth keeping.
    pub(super) fn filter(&mut self, lines: &str) -> String {
        let mut out = String::with_capacity(lines.len());
        for line in lines.split_inclusive('\n') {
            let is_frame = line.starts_with("  File ");
            if let Some(head) = self.head.take() {
                if is_writer(&head, line) {
                    continue;
                }
                self.skipping = is_frame && is_idle(line) && !is_current(&head);
                if !self.skipping {
                    out.push_str(&head);
                }
            }
            self.skipping &= is_frame;
            if is_head(line) {
                self.head = Some(line.to_owned());
            } else if !self.skipping {
                out.push_str(line);
            }
        }
        out
    }

    /// What was held back when no more lines come.
    pub(super) fn rest(&mut self) -> String {
        self.head.take().unwrap_or_default()
    }
}

fn is_head(line: &str) -> bool {
    (line.starts_with("Thread 0x") || is_current(line))
        && line.trim_end().ends_with("(most recent call first):")
}

/// The thread that crashed, or that writes the stacks.
fn is_current(head: &str) -> bool {
    head.starts_with("Current thread 0x")
}

/// The thread that writes the stacks because the manager asked runs no Python itself.
fn is_writer(head: &str, line: &str) -> bool {
    is_current(head) && line.trim() == "<no Python frame>"
}

fn is_idle(line: &str) -> bool {
    let line = line.trim_end();
    line.contains(OWN_FILE) && (line.ends_with(" in serve") || line.ends_with(" in main"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const DUMP: &str = r#"before
Fatal Python error: Segmentation fault

Current thread 0x1 (most recent call first):
  File "/lib/pinion_worker.py", line 169 in serve
  File "/usr/lib/python3.11/threading.py", line 975 in run

Thread 0x2 (most recent call first):
  File "/lib/pinion_worker.py", line 169 in serve
  File "/usr/lib/python3.11/threading.py", line 975 in run

Thread 0x3 (most recent call first):
  File "/srv/app.wsgi", line 7 in application
  File "/lib/pinion_worker.py", line 169 in serve
Thread 0x4 (most recent call first):
  File "/lib/pinion_worker.py", line 35 in main
  File "/lib/pinion_worker.py", line 183 in <module>
after
"#;

    const KEPT: &str = r#"before
Fatal Python error: Segmentation fault

Current thread 0x1 (most recent call first):
  File "/lib/pinion_worker.py", line 169 in serve
  File "/usr/lib/python3.11/threading.py", line 975 in run


Thread 0x3 (most recent call first):
  File "/srv/app.wsgi", line 7 in application
  File "/lib/pinion_worker.py", line 169 in serve
after
"#;

    #[test]
    fn idle_threads_are_left_out_however_the_lines_come() {
        assert_eq!(Stacks::default().filter(DUMP), KEPT);
        let mut stacks = Stacks::default();
        let by_line: String = DUMP.split_inclusive('\n').map(|line| stacks.filter(line)).collect();
        assert_eq!(by_line, KEPT);
    }

    #[test]
    fn the_writer_of_the_stacks_is_left_out() {
        let head = "Current thread 0x7 [pinion-monitor] (most recent call first):\n";
        assert_eq!(
            Stacks::default().filter(&format!("{head}  <no Python frame>\n\nrest\n")),
            "\nrest\n"
        );
        assert_eq!(
            Stacks::default().filter(&format!("{head}  File \"a\"\n")),
            format!("{head}  File \"a\"\n")
        );
    }

    #[test]
    fn a_head_without_frames_is_kept() {
        let mut stacks = Stacks::default();
        let head = "Thread 0x2 (most recent call first):\n";
        assert_eq!(stacks.filter(head), "");
        assert_eq!(stacks.rest(), head);
        assert_eq!(stacks.filter(head), "");
        let line = "  <no Python frame>\n";
        assert_eq!(stacks.filter(line), format!("{head}{line}"));
    }
}
