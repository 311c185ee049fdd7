//! What is made for each request and hardly ever outlives it: `start_response`, `write`, `wsgi.input`, and the request that they share.
//! One that nobody else has kept serves the thread's next request.

use std::cell::RefCell;
use std::sync::Arc;

use pinion_wire::request::RequestRef;
use pyo3::prelude::*;

use crate::body::Body;
use crate::exchange::{Exchange, Peer};
use crate::input::Input;
use crate::references::has_references;
use crate::response::Response;
use crate::start_response::StartResponse;

/// Makes kits for one thread, one at a time.
#[derive(Default)]
pub(crate) struct Kits {
    /// The one that the thread's request has.
    lent: RefCell<Option<Kit>>,
    /// One that nobody has.
    spare: RefCell<Option<Kit>>,
}

struct Kit {
    exchange: Arc<Exchange>,
    /// Made when the application is about to be called.
    objects: Option<Objects>,
}

struct Objects {
    start: Py<StartResponse>,
    input: Py<Input>,
}

impl Objects {
    fn new(py: Python<'_>, exchange: &Arc<Exchange>) -> PyResult<Self> {
        let start = StartResponse::new(py, exchange)?;
        Ok(Self { start: Py::new(py, start)?, input: Py::new(py, Input::new(exchange.clone()))? })
    }

    /// Whether nobody else has any of them.
    fn are_let_go(&self, py: Python<'_>) -> bool {
        has_references(&self.start, 1, py)
            && has_references(self.start.get().write(), 1, py)
            && has_references(&self.input, 1, py)
    }
}

impl Kit {
    /// How many references to the exchange the objects have.
    const OF_OBJECTS: usize = 3;

    /// Whether no trace of its request is left, whose runner still has the exchange.
    fn is_as_new(&self, py: Python<'_>) -> bool {
        let known = 2 + if self.objects.is_some() { Self::OF_OBJECTS } else { 0 };
        self.objects.as_ref().is_none_or(|objects| objects.are_let_go(py))
            && self.exchange.is_plain()
            && self.exchange.kept.is_forgotten(py)
            && Arc::strong_count(&self.exchange) == known
    }
}

impl Kits {
    /// Begins a request, number `seq` on its connection.
    pub(crate) fn begin(&self, peer: Option<Peer>, seq: u32, response: Response) -> Arc<Exchange> {
        let kit = match self.spare.take().filter(|_| Exchange::would_be_plain()) {
            Some(kit) => {
                kit.exchange.begin_anew(peer, seq, response);
                kit
            }
            None => Kit { exchange: Exchange::new(peer, seq, response), objects: None },
        };
        let exchange = kit.exchange.clone();
        let before = self.lent.replace(Some(kit));
        drop(before);
        exchange
    }

    /// `start_response` and `wsgi.input` of the request that was begun last.
    pub(crate) fn objects<'py>(
        &self,
        py: Python<'py>,
        request: &RequestRef<'_>,
    ) -> PyResult<(Bound<'py, StartResponse>, Bound<'py, Input>)> {
        // Not borrowed while objects are made: that may run any finalizer.
        let Some(Kit { exchange, objects }) = self.lent.take() else {
            return Err(pyo3::exceptions::PyRuntimeError::new_err("no request was begun"));
        };
        let objects = match objects {
            Some(objects) => objects,
            None => Objects::new(py, &exchange)?,
        };
        if !request.body.is_none() {
            objects.input.get().set_body(py, Body::new(request.body, request.inline));
        }
        let both = (objects.start.bind(py).clone(), objects.input.bind(py).clone());
        self.lent.replace(Some(Kit { exchange, objects: Some(objects) }));
        Ok(both)
    }

    /// The request is over: what it had serves the next one if the application has kept nothing of it.
    pub(crate) fn take_back(&self, py: Python<'_>) {
        let Some(kit) = self.lent.take() else { return };
        if !kit.is_as_new(py) {
            return;
        }
        // Who waits for a request keeps no connection and no body.
        kit.exchange.let_go();
        if let Some(objects) = &kit.objects {
            objects.input.get().set_body(py, Body::none());
        }
        self.spare.replace(Some(kit));
    }
}
