//! Sockets on which clients connect.
//!
//! They do not block, since several processes may accept from one: whoever comes too late must not sleep.

use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::sys::socket::{
    self, AddressFamily, Backlog, SockFlag, SockType, SockaddrLike, SockaddrStorage, UnixAddr,
    sockopt,
};

/// Which families a socket of all IPv6 addresses serves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Families {
    /// Its own.
    Own,
    /// IPv4 too, whose clients' addresses look like `::ffff:10.0.0.1`.
    Both,
}

/// Where a listening socket is bound.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Bound {
    /// An address with its port.
    Address(SocketAddr),
    /// A file, or a name that is none.
    Unix(Option<PathBuf>),
}

/// How many connections may wait to be accepted; the system allows `net.core.somaxconn` at most.
const BACKLOG: i32 = 4096;

/// Listens on an address. Connections of before that are not quite gone do not stand in the way.
///
/// # Errors
/// The address is taken, is none of this machine's, or is not for this user.
pub fn tcp(address: SocketAddr, families: Families) -> io::Result<OwnedFd> {
    let family = if address.is_ipv6() { AddressFamily::Inet6 } else { AddressFamily::Inet };
    let listener = stream(family)?;
    socket::setsockopt(&listener, sockopt::ReuseAddr, &true)?;
    if address.is_ipv6() {
        socket::setsockopt(&listener, sockopt::Ipv6V6Only, &(families == Families::Own))?;
    }
    socket::bind(listener.as_raw_fd(), &SockaddrStorage::from(address))?;
    listen(&listener)?;
    Ok(listener)
}

/// Listens on a Unix socket, whose file is made with the process's umask.
///
/// # Errors
/// The path is taken or too long, or its folder refuses.
pub fn unix(path: &Path) -> io::Result<OwnedFd> {
    let listener = stream(AddressFamily::Unix)?;
    socket::bind(listener.as_raw_fd(), &UnixAddr::new(path)?)?;
    listen(&listener)?;
    Ok(listener)
}

fn stream(family: AddressFamily) -> io::Result<OwnedFd> {
    let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
    Ok(socket::socket(family, SockType::Stream, flags, None)?)
}

fn listen(listener: &OwnedFd) -> io::Result<()> {
    Ok(socket::listen(listener, Backlog::new(BACKLOG)?)?)
}

/// Makes ready a listening socket that somebody else has made; says where it is bound.
///
/// # Errors
/// It is no socket that listens for streams.
pub fn adopt(listener: BorrowedFd<'_>) -> io::Result<Bound> {
    let is_stream = socket::getsockopt(&listener, sockopt::SockType)? == SockType::Stream;
    if !is_stream || !socket::getsockopt(&listener, sockopt::AcceptConn)? {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "it does not listen for streams"));
    }
    let flags = OFlag::from_bits_retain(fcntl(listener, FcntlArg::F_GETFL)?);
    fcntl(listener, FcntlArg::F_SETFL(flags | OFlag::O_NONBLOCK))?;
    bound(listener)
}

/// Where a socket is bound.
///
/// # Errors
/// It is of another family.
pub fn bound(listener: BorrowedFd<'_>) -> io::Result<Bound> {
    let name: SockaddrStorage = socket::getsockname(listener.as_fd().as_raw_fd())?;
    if let Some(address) = name.as_sockaddr_in() {
        return Ok(Bound::Address(SocketAddr::V4((*address).into())));
    }
    if let Some(address) = name.as_sockaddr_in6() {
        return Ok(Bound::Address(SocketAddr::V6((*address).into())));
    }
    match name.family() {
        Some(AddressFamily::Unix) => {
            let path = name.as_unix_addr().and_then(|address| address.path().map(Path::to_owned));
            Ok(Bound::Unix(path))
        }
        _ => Err(io::Error::from(io::ErrorKind::Unsupported)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::{Ipv4Addr, Ipv6Addr, TcpListener, TcpStream};
    use std::os::unix::net::UnixStream;

    fn port(listener: &OwnedFd) -> u16 {
        match bound(listener.as_fd()).unwrap() {
            Bound::Address(address) => address.port(),
            Bound::Unix(path) => panic!("{path:?}"),
        }
    }

    #[test]
    fn an_address_is_listened_on_and_taken_then() {
        let listener = tcp((Ipv4Addr::LOCALHOST, 0).into(), Families::Own).unwrap();
        let address = (Ipv4Addr::LOCALHOST, port(&listener)).into();
        let error = tcp(address, Families::Own).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::AddrInUse);
        let client = TcpStream::connect(address).unwrap();
        let listener = TcpListener::from(listener);
        assert_eq!(listener.accept().unwrap().1, client.local_addr().unwrap());
        assert_eq!(listener.accept().unwrap_err().kind(), io::ErrorKind::WouldBlock);
    }

    #[test]
    fn all_addresses_of_ipv6_are_those_of_ipv4_too_where_that_is_wanted() {
        let Ok(both) = tcp((Ipv6Addr::UNSPECIFIED, 0).into(), Families::Both) else {
            // A machine without IPv6.
            assert!(TcpListener::bind((Ipv6Addr::LOCALHOST, 0)).is_err());
            return;
        };
        assert!(TcpStream::connect((Ipv4Addr::LOCALHOST, port(&both))).is_ok());
        let own = tcp((Ipv6Addr::UNSPECIFIED, 0).into(), Families::Own).unwrap();
        assert!(TcpStream::connect((Ipv4Addr::LOCALHOST, port(&own))).is_err());
        assert!(TcpStream::connect((Ipv6Addr::LOCALHOST, port(&own))).is_ok());
    }

    #[test]
    fn a_unix_socket_is_a_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("socket");
        let listener = unix(&path).unwrap();
        assert_eq!(bound(listener.as_fd()).unwrap(), Bound::Unix(Some(path.clone())));
        assert!(UnixStream::connect(&path).is_ok());
        assert_eq!(unix(&path).unwrap_err().kind(), io::ErrorKind::AddrInUse);
    }

    #[test]
    fn what_others_made_is_adopted_if_it_listens() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        assert_eq!(adopt(listener.as_fd()).unwrap(), Bound::Address(address));
        assert_eq!(listener.accept().unwrap_err().kind(), io::ErrorKind::WouldBlock);
        let (one, _other) = crate::sockets::stream_pair().unwrap();
        assert!(adopt(one.as_fd()).is_err());
        assert!(adopt(std::fs::File::open("/dev/null").unwrap().as_fd()).is_err());
    }
}
