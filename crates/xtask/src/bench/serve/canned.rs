//! What the client can take: answers from a thread that has them ready and does not look at what it is asked.

use std::collections::HashMap;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::os::fd::AsFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use pinion_unix::epoll::{Epoll, Trigger};

/// As long as what servers answer.
const ANSWER: &[u8] =
    b"HTTP/1.1 200 OK\r\nServer: Canned\r\nDate: Thu, 01 Jan 1970 00:00:00 GMT\r\n\
    Content-Type: text/plain\r\nContent-Length: 13\r\n\r\nHello world!\n";
/// The token of the listening socket.
const LISTENER: u64 = u64::MAX;
/// How often it is looked whether it is to end.
const STEP: Duration = Duration::from_millis(50);

/// A thread that answers everything with hello world, until this is dropped.
#[derive(Debug)]
pub(super) struct Canned {
    port: u16,
    ends: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Canned {
    /// Starts it.
    ///
    /// # Errors
    /// What the system refuses.
    pub(super) fn start() -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        listener.set_nonblocking(true)?;
        let (port, ends) = (listener.local_addr()?.port(), Arc::new(AtomicBool::new(false)));
        let epoll = Epoll::new()?;
        epoll.add(listener.as_fd(), LISTENER, Trigger::Level)?;
        let is_over = ends.clone();
        let thread = std::thread::spawn(move || {
            // Where it fails, clients are not answered, and the measurement says so.
            let _ = answer(&listener, &epoll, &is_over);
        });
        Ok(Self { port, ends, thread: Some(thread) })
    }

    /// Where it answers.
    pub(super) fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }
}

impl Drop for Canned {
    fn drop(&mut self) {
        self.ends.store(true, Ordering::Relaxed);
        // A thread that has panicked has ended too.
        self.thread.take().map(JoinHandle::join);
    }
}

fn answer(listener: &TcpListener, epoll: &Epoll, ends: &AtomicBool) -> io::Result<()> {
    let (mut clients, mut next): (HashMap<u64, TcpStream>, _) = (HashMap::new(), 0);
    let (mut events, mut asked) = (Vec::new(), [0; 8192]);
    while !ends.load(Ordering::Relaxed) {
        epoll.wait(&mut events, Some(STEP))?;
        for event in &events {
            if event.token == LISTENER {
                let (client, _) = listener.accept()?;
                client.set_nonblocking(true)?;
                client.set_nodelay(true)?;
                epoll.add(client.as_fd(), next, Trigger::Edge)?;
                clients.insert(next, client);
                next += 1;
                continue;
            }
            let Some(client) = clients.get_mut(&event.token) else { continue };
            match client.read(&mut asked) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Ok(1..) if client.write_all(ANSWER).is_ok() => {}
                _ => drop(clients.remove(&event.token)),
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use pinion_testbed::http::Client;

    #[test]
    fn whatever_is_asked_is_answered_and_dropping_it_ends_it() {
        let canned = Canned::start().unwrap();
        let url = canned.url();
        let client = Client::new(Duration::from_secs(30));
        for path in ["/hello", "/other"] {
            let answer = client.get(&format!("{url}{path}")).unwrap();
            assert_eq!((answer.status, answer.text().as_str()), (200, "Hello world!\n"));
        }
        let port = canned.port;
        drop(canned);
        assert!(TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err());
    }
}
