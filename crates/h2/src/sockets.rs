//! All sockets of the thread, for who must know them: a child that the application forks has its own copies of all descriptors, and is
//! to let go of these.

use std::os::fd::{AsFd, BorrowedFd};
use std::sync::{Arc, Mutex, MutexGuard};

use crate::locked;
use crate::socket::Socket;

/// All sockets of the thread.
#[derive(Debug, Default)]
pub(crate) struct Sockets(Mutex<Places>);

#[derive(Debug, Default)]
struct Places {
    all: Vec<Option<Arc<Socket>>>,
    free: Vec<usize>,
}

/// A socket that is among them as long as this is.
#[derive(Debug)]
pub(crate) struct Known {
    socket: Arc<Socket>,
    place: usize,
    sockets: Arc<Sockets>,
}

/// All sockets, while none comes and none goes.
#[derive(Debug)]
pub struct Held<'a>(MutexGuard<'a, Places>);

impl Sockets {
    /// Adds a socket.
    pub(crate) fn add(self: &Arc<Self>, socket: Socket) -> Known {
        let socket = Arc::new(socket);
        let mut places = locked(&self.0);
        let place = places.free.pop().unwrap_or_else(|| {
            places.all.push(None);
            places.all.len() - 1
        });
        places.all[place] = Some(socket.clone());
        Known { socket, place, sockets: self.clone() }
    }

    /// Keeps others from adding and taking away.
    pub(crate) fn hold(&self) -> Held<'_> {
        Held(locked(&self.0))
    }
}

impl Known {
    /// The socket.
    pub(crate) fn socket(&self) -> &Arc<Socket> {
        &self.socket
    }
}

impl Drop for Known {
    fn drop(&mut self) {
        let mut places = locked(&self.sockets.0);
        // It is closed behind the lock, so none that is listed is closed already.
        let gone = places.all[self.place].take();
        places.free.push(self.place);
        drop(places);
        drop(gone);
    }
}

impl Held<'_> {
    /// Calls `f` with each socket. Allocates nothing, and waits for nobody.
    pub fn each(&self, f: impl Fn(BorrowedFd<'_>)) {
        self.0.all.iter().flatten().for_each(|socket| f(socket.as_fd()));
    }
}
