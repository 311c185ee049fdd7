//! Listening on the addresses.

use std::fs::{self, Permissions};
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

use pinion_config::Code;
use pinion_deploy::error::Advice;
use pinion_unix::listen::{self, Bound, Families};
use pinion_wire::message::http::ListenerSpec;
use thiserror::Error;

use crate::bind::{Bind, Place};
use crate::error::{Exit, Failed};
use crate::holder::{self, Holder};

mod systemd;

pub use systemd::{Inherited, VARIABLES as SYSTEMD_VARIABLES};

/// Why an address cannot be listened on.
#[derive(Debug, Error)]
pub enum SocketError {
    /// Somebody else does.
    #[error("{bind} is in use{}", by(holder.as_ref()))]
    Taken {
        /// The address.
        bind: String,
        /// Who.
        holder: Option<Holder>,
    },
    /// The system refuses.
    #[error("{bind}: {source}")]
    Refused {
        /// The address.
        bind: String,
        /// Its answer.
        source: io::Error,
    },
    /// What is at a Unix socket's path is none.
    #[error("{bind}: there is a file that is no socket")]
    NoSocket {
        /// The address.
        bind: String,
    },
    /// systemd has handed nothing over.
    #[error("fd:systemd: {0}")]
    NotInherited(String),
}

fn by(holder: Option<&Holder>) -> String {
    holder.map_or_else(String::new, |Holder { pid, name }| format!(" by process {pid} ({name})"))
}

impl Advice for SocketError {
    fn code(&self) -> Code {
        match self {
            Self::Taken { .. } => Code::AddressTaken,
            Self::Refused { .. } | Self::NoSocket { .. } => Code::AddressRefused,
            Self::NotInherited(_) => Code::SocketsNotInherited,
        }
    }

    fn hint(&self) -> String {
        match self {
            Self::Taken { holder: Some(Holder { pid, .. }), .. } => {
                format!("end it (kill {pid}), or choose another address with --bind")
            }
            Self::Taken { .. } => "end who uses it, or choose another address with --bind".to_owned(),
            Self::Refused { source, .. } => match source.kind() {
                io::ErrorKind::PermissionDenied => {
                    "a port below 1024 needs root (with --user for the application); or choose another with --bind".to_owned()
                }
                io::ErrorKind::AddrNotAvailable => {
                    "`ip address` shows this machine's addresses; --bind :PORT means all of them".to_owned()
                }
                io::ErrorKind::NotFound => "make the folder of the socket first".to_owned(),
                _ => "choose another address with --bind".to_owned(),
            },
            Self::NoSocket { .. } => "move the file away, or choose another path".to_owned(),
            Self::NotInherited(_) => {
                "start it by a systemd unit that has a .socket unit beside it, or name an address".to_owned()
            }
        }
    }
}

/// Sockets that listen; files of Unix sockets go away with this.
#[derive(Debug, Default)]
pub struct Listening {
    /// The sockets, in the order of their addresses.
    pub sockets: Vec<OwnedFd>,
    /// What the workers are told of each.
    pub specs: Vec<ListenerSpec>,
    /// How a person reaches each.
    pub addresses: Vec<String>,
    files: Vec<SocketFile>,
}

/// The file of a Unix socket, told from one that another has put in its place.
#[derive(Debug)]
struct SocketFile {
    path: PathBuf,
    inode: u64,
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        if fs::symlink_metadata(&self.path).is_ok_and(|file| file.ino() == self.inode) {
            // The next start removes what stays.
            let _ = fs::remove_file(&self.path);
        }
    }
}

impl Listening {
    /// Listens on all addresses; `inherited` is what systemd hands over.
    ///
    /// # Errors
    /// One of them is taken or refused; then none is listened on.
    pub fn on(binds: &[Bind], socket_mode: u32, inherited: &mut Inherited) -> Result<Self, Failed> {
        let mut listening = Self::default();
        for bind in binds {
            let done = listening.add(bind, socket_mode, inherited);
            done.map_err(|error| Failed::new(error, Exit::Taken))?;
        }
        Ok(listening)
    }

    /// Stops listening; what waits to be accepted is for the workers.
    pub fn close(&mut self) {
        self.sockets.clear();
        self.files.clear();
    }

    fn add(
        &mut self,
        bind: &Bind,
        socket_mode: u32,
        inherited: &mut Inherited,
    ) -> Result<(), SocketError> {
        let refused = |source: io::Error| SocketError::Refused { bind: bind.to_string(), source };
        match &bind.place {
            Place::Everywhere(port) => {
                let six = SocketAddr::new(Ipv6Addr::UNSPECIFIED.into(), *port);
                let socket = match listen::tcp(six, Families::Both) {
                    Err(error) if is_without_ipv6(&error) => {
                        let four = SocketAddr::new(Ipv4Addr::UNSPECIFIED.into(), *port);
                        listen::tcp(four, Families::Own)
                    }
                    other => other,
                };
                let socket = socket.map_err(|error| taken(bind, *port, error))?;
                self.push(bind.tls, socket, None).map(drop).map_err(refused)
            }
            Place::Host(host, port) => self.add_host(bind, host, *port),
            Place::Unix(path) => {
                let socket = unix(bind, path, socket_mode)?;
                let inode = fs::symlink_metadata(path).map_err(refused)?.ino();
                self.files.push(SocketFile { path: path.clone(), inode });
                self.push(bind.tls, socket, None).map(drop).map_err(refused)
            }
            Place::Systemd => {
                for socket in inherited.take()? {
                    let bound = listen::adopt(socket.as_fd());
                    bound.map_err(|error| SocketError::NotInherited(error.to_string()))?;
                    self.push(bind.tls, socket, None).map_err(refused)?;
                }
                Ok(())
            }
        }
    }

    /// All addresses of a host, such as both of `localhost`; with port 0 all get the one that the first gets.
    fn add_host(&mut self, bind: &Bind, host: &str, port: u16) -> Result<(), SocketError> {
        let refused = |source: io::Error| SocketError::Refused { bind: bind.to_string(), source };
        let mut addresses: Vec<SocketAddr> =
            (host, port).to_socket_addrs().map_err(refused)?.collect();
        addresses.sort_unstable_by_key(|address| address.is_ipv6());
        addresses.dedup();
        let by_name = host.parse::<IpAddr>().is_err();
        let mut port = port;
        let mut done = false;
        for mut address in addresses {
            address.set_port(port);
            match listen::tcp(address, Families::Own) {
                // A name may have an address that this machine has not, such as ::1 where there is no IPv6.
                Err(error) if by_name && done && is_without_ipv6(&error) => {}
                Err(error) => return Err(taken(bind, port, error)),
                Ok(socket) => {
                    port = self.push(bind.tls, socket, by_name.then_some(host)).map_err(refused)?;
                    done = true;
                }
            }
        }
        Ok(())
    }

    /// Adds a socket; returns its port.
    fn push(&mut self, tls: bool, socket: OwnedFd, host: Option<&str>) -> io::Result<u16> {
        let scheme = if tls { "https" } else { "http" };
        let (name, port, address) = match listen::bound(socket.as_fd())? {
            Bound::Address(address) => {
                let ip = address.ip().to_canonical();
                let shown = match (host, ip) {
                    (Some(host), _) => host.to_owned(),
                    (None, ip) if ip.is_unspecified() => "localhost".to_owned(),
                    (None, IpAddr::V6(ip)) => format!("[{ip}]"),
                    (None, ip) => ip.to_string(),
                };
                let name = host.map_or_else(|| ip.to_string(), str::to_owned);
                (name, address.port(), format!("{scheme}://{shown}:{}", address.port()))
            }
            Bound::Unix(path) => {
                let path = path.unwrap_or_default();
                (
                    "localhost".to_owned(),
                    0,
                    format!("{}unix:{}", if tls { "https+" } else { "" }, path.display()),
                )
            }
        };
        self.sockets.push(socket);
        self.specs.push(ListenerSpec { name, port, tls });
        if !self.addresses.contains(&address) {
            self.addresses.push(address);
        }
        Ok(port)
    }
}

fn is_without_ipv6(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::AddrNotAvailable | io::ErrorKind::Unsupported)
        // EAFNOSUPPORT has no kind of its own.
        || error.raw_os_error() == Some(97)
}

fn taken(bind: &Bind, port: u16, source: io::Error) -> SocketError {
    let bind = bind.to_string();
    if source.kind() == io::ErrorKind::AddrInUse {
        return SocketError::Taken { bind, holder: holder::of_port(port) };
    }
    SocketError::Refused { bind, source }
}

/// Listens on a Unix socket; a file that nobody listens on any more is removed first.
fn unix(bind: &Bind, path: &Path, mode: u32) -> Result<OwnedFd, SocketError> {
    let refused = |source: io::Error| SocketError::Refused { bind: bind.to_string(), source };
    match fs::symlink_metadata(path) {
        Ok(file) if !file.file_type().is_socket() => {
            return Err(SocketError::NoSocket { bind: bind.to_string() });
        }
        Ok(_) => match UnixStream::connect(path) {
            Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
                fs::remove_file(path).map_err(refused)?;
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Ok(_) | Err(_) => {
                let holder = holder::of_unix(path);
                return Err(SocketError::Taken { bind: bind.to_string(), holder });
            }
        },
        Err(_absent) => {}
    }
    let socket = listen::unix(path).map_err(refused)?;
    fs::set_permissions(path, Permissions::from_mode(mode)).map_err(refused)?;
    Ok(socket)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::net::UnixListener;

    fn on(texts: &[&str]) -> Result<Listening, Failed> {
        let binds: Vec<Bind> =
            texts.iter().map(|text| Bind::parse(text, Path::new("/")).unwrap()).collect();
        Listening::on(&binds, 0o660, &mut Inherited::default())
    }

    #[test]
    fn several_addresses_are_listened_on_with_their_names() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("s");
        let unix = format!("unix:{}", path.display());
        let listening = on(&["127.0.0.1:0", "https://:0", &unix]).unwrap();
        let names: Vec<_> = listening.specs.iter().map(|spec| spec.name.as_str()).collect();
        assert!(
            names == ["127.0.0.1", "::", "localhost"]
                || names == ["127.0.0.1", "0.0.0.0", "localhost"]
        );
        let tls: Vec<_> = listening.specs.iter().map(|spec| spec.tls).collect();
        assert_eq!(tls, [false, true, false]);
        let port = |at: usize| listening.specs[at].port;
        assert_eq!(listening.addresses[0], format!("http://127.0.0.1:{}", port(0)));
        assert_eq!(listening.addresses[1], format!("https://localhost:{}", port(1)));
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o660);
        drop(listening);
        assert!(!path.exists());
    }

    #[test]
    fn all_addresses_of_a_name_get_one_port() {
        let listening = on(&["localhost:0"]).unwrap();
        let ports: Vec<_> = listening.specs.iter().map(|spec| spec.port).collect();
        assert!(ports.iter().all(|port| *port == ports[0] && *port > 0), "{ports:?}");
        assert_eq!(listening.addresses, [format!("http://localhost:{}", ports[0])]);
        assert_eq!(listening.specs[0].name, "localhost");
    }

    #[test]
    fn who_has_the_port_is_named() {
        let first = on(&["127.0.0.1:0"]).unwrap();
        let port = first.specs[0].port;
        let failed = on(&[&format!("127.0.0.1:{port}")]).unwrap_err();
        assert_eq!(failed.exit, Exit::Taken);
        let own = std::process::id();
        let said = failed.to_string();
        let start = format!("PIN0902: 127.0.0.1:{port} is in use by process {own} (");
        assert!(said.starts_with(&start), "{said}");
        assert!(said.contains(&format!("hint: end it (kill {own})")), "{said}");
    }

    #[test]
    fn a_stale_unix_socket_is_replaced_and_a_living_one_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("s");
        let text = format!("unix:{}", path.display());
        drop(UnixListener::bind(&path).unwrap());
        assert!(path.exists(), "left behind");
        let living = on(&[&text]).unwrap();
        let said = on(&[&text]).unwrap_err().to_string();
        assert!(said.contains("is in use by process"), "{said}");
        assert!(path.exists(), "the living one's file stays");
        drop(living);
        fs::write(&path, "").unwrap();
        let said = on(&[&text]).unwrap_err().to_string();
        assert!(said.contains("a file that is no socket"), "{said}");
        assert!(path.exists());
    }

    #[test]
    fn a_file_that_another_has_put_there_stays() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("s");
        let listening = on(&[&format!("unix:{}", path.display())]).unwrap();
        // Kept, so that the number of its file is not used again.
        let aside = folder.path().join("aside");
        fs::rename(&path, &aside).unwrap();
        let _other = UnixListener::bind(&path).unwrap();
        drop(listening);
        assert!(path.exists() && aside.exists());
    }

    #[test]
    fn an_address_of_another_machine_is_refused() {
        let said = on(&["192.0.2.1:0"]).unwrap_err().to_string();
        assert!(said.starts_with("PIN0903: 192.0.2.1:0: "), "{said}");
        assert!(said.contains("hint: `ip address`"), "{said}");
    }
}
