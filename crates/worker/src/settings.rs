//! What holds for this worker's interpreter: its group's settings, and those of its application group over them.

use pinion_wire::message::{Layer, StartSpec};

/// The settings that may differ between the application groups of a process group.
#[derive(Debug, PartialEq)]
pub(crate) struct Own {
    /// Folders to add to `sys.path`: each list goes before those ahead of it.
    pub(crate) python_paths: Vec<Vec<String>>,
    /// What to give `sys.setswitchinterval`, in seconds.
    pub(crate) switch_interval: Option<f64>,
    pub(crate) restrict_stdin: bool,
    pub(crate) restrict_stdout: bool,
    pub(crate) restrict_signal: bool,
}

impl Own {
    /// The settings of the worker that is started so.
    pub(crate) fn of(spec: &StartSpec) -> Self {
        let group = &spec.group;
        let mut own = Self {
            python_paths: Vec::new(),
            switch_interval: None,
            restrict_stdin: group.restrict_stdin,
            restrict_stdout: group.restrict_stdout,
            restrict_signal: true,
        };
        let selects = |layer: &&Layer| {
            layer.application_group.as_ref().is_none_or(|wanted| *wanted == spec.application_group)
        };
        for layer in group.interpreter.layers.iter().filter(selects) {
            own.lay(layer);
        }
        own
    }

    fn lay(&mut self, layer: &Layer) {
        if !layer.python_path.is_empty() {
            self.python_paths.push(layer.python_path.clone());
        }
        let micros = layer.switch_interval_us.map(|micros| micros as f64 / 1e6);
        self.switch_interval = micros.or(self.switch_interval);
        let over = |mine: &mut bool, theirs: Option<bool>| *mine = theirs.unwrap_or(*mine);
        over(&mut self.restrict_stdin, layer.restrict_stdin);
        over(&mut self.restrict_stdout, layer.restrict_stdout);
        over(&mut self.restrict_signal, layer.restrict_signal);
    }
}
