//! Connections to the serving threads that wait for the next request.

use std::io;
use std::sync::{Arc, Mutex};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::backend::Backend;
use crate::locked;
use crate::site::Site;
use crate::sockets::Sockets;

/// How many requests are with the serving threads at once, at most; more wait here.
const MOST: usize = 512;

/// Connections to the serving threads.
#[derive(Debug)]
pub(crate) struct Pool<S> {
    site: Arc<S>,
    idle: Mutex<Vec<Backend>>,
    /// How many idle ones are kept.
    spare: usize,
    room: Arc<Semaphore>,
    sockets: Arc<Sockets>,
}

/// A connection for one request. It is closed when it is dropped: so the serving thread learns that nobody waits for the answer.
#[derive(Debug)]
pub(crate) struct Lease<S: Site> {
    backend: Option<Backend>,
    pool: Arc<Pool<S>>,
    _room: OwnedSemaphorePermit,
}

impl<S: Site> Pool<S> {
    /// Of connections of which `spare` idle ones are kept.
    pub(crate) fn new(site: Arc<S>, spare: usize, sockets: Arc<Sockets>) -> Arc<Self> {
        let room = Arc::new(Semaphore::new(MOST));
        Arc::new(Self { site, idle: Mutex::default(), spare, room, sockets })
    }

    /// A connection for one request, as soon as there is room.
    ///
    /// # Errors
    /// None can be made.
    pub(crate) async fn lease(self: &Arc<Self>) -> io::Result<Lease<S>> {
        let room = self.room.clone().acquire_owned().await.map_err(io::Error::other)?;
        let idle = locked(&self.idle).pop();
        let backend = match idle {
            Some(backend) => backend,
            None => Backend::new(self.site.connect()?, &self.sockets)?,
        };
        Ok(Lease { backend: Some(backend), pool: self.clone(), _room: room })
    }
}

impl<S: Site> Lease<S> {
    /// The connection.
    pub(crate) fn backend(&mut self) -> io::Result<&mut Backend> {
        self.backend.as_mut().ok_or_else(|| io::Error::from(io::ErrorKind::NotConnected))
    }

    /// The worker.
    pub(crate) fn site(&self) -> &S {
        &self.pool.site
    }

    /// The request is done: the connection may serve another.
    pub(crate) fn give_back(mut self) {
        let mut idle = locked(&self.pool.idle);
        if idle.len() < self.pool.spare
            && let Some(backend) = self.backend.take_if(|backend| backend.is_clean())
        {
            idle.push(backend);
        }
    }
}

impl<S: Site> Drop for Lease<S> {
    fn drop(&mut self) {
        if let Some(backend) = &self.backend {
            backend.close();
        }
    }
}
