//! Where it listens: Unix sockets, sockets of systemd, several addresses.

use std::net::{TcpListener, TcpStream};
use std::os::fd::AsFd as _;
use std::os::unix::fs::{FileTypeExt as _, PermissionsExt as _};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::process::Command;

use crate::world::{Project, program};

fn ask(mut stream: impl std::io::Read + std::io::Write) -> String {
    stream.write_all(b"GET / HTTP/1.0\r\n\r\n").unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    text
}

fn ask_unix(path: &Path) -> String {
    ask(UnixStream::connect(path).unwrap())
}

#[test]
fn a_unix_socket_is_made_served_and_removed() {
    let project = Project::hello();
    let path = project.path("run/s");
    std::fs::create_dir(project.path("run")).unwrap();
    // What a server that was killed has left.
    drop(UnixListener::bind(&path).unwrap());
    let mut serving = project.serve(&["--bind", "unix:run/s", "--socket-mode", "600"]);
    assert!(serving.log().contains(&format!(" on unix:{} by ", path.display())));
    let file = std::fs::metadata(&path).unwrap();
    assert!(file.file_type().is_socket());
    assert_eq!(file.permissions().mode() & 0o777, 0o600);
    let text = ask_unix(&path);
    assert!(text.starts_with("HTTP/1.1 200 OK\r\n") && text.ends_with("hello"), "{text}");
    let said = project.said(&["--bind", "unix:run/s"]);
    let pid = serving.pid();
    assert_eq!(
        said,
        format!(
            "pinion: PIN0902: unix:/FOLDER/run/s is in use by process {pid} (pinion)\n\
             hint: end it (kill {pid}), or choose another address with --bind\nexit status: 4\n"
        )
    );
    assert!(ask_unix(&path).ends_with("hello"), "the first one serves on");
    serving.stop();
    assert!(!path.exists());
}

#[test]
fn several_addresses_are_served_at_once() {
    let project = Project::hello();
    let mut serving =
        project.serve(&["-b", "127.0.0.1:0", "-b", "localhost:0", "-b", "unix:s", "-b", ":0"]);
    assert_eq!(serving.get("/").text(), "hello");
    assert!(ask_unix(&project.path("s")).ends_with("hello"));
    let log = serving.log();
    let ports: Vec<u16> = log
        .split("http://localhost:")
        .skip(1)
        .map(|rest| rest[..rest.find('/').unwrap()].parse().unwrap())
        .collect();
    assert_eq!(ports.len(), 2, "{log}");
    for port in ports {
        assert!(ask(TcpStream::connect(("127.0.0.1", port)).unwrap()).ends_with("hello"));
    }
    serving.stop();
}

/// Runs `pinion serve` as systemd does: with a listening socket as descriptor 3, and its own number in `LISTEN_PID`.
fn activated(project: &Project, listener: &TcpListener, pid: &str) -> Command {
    let script = format!("exec 3<&0 </dev/null; LISTEN_FDS=1 LISTEN_PID={pid} exec \"$@\"");
    let mut command = Command::new("/bin/sh");
    let template = project.command(&["--bind", "fd:systemd"]);
    command.arg("-c").arg(script).arg("sh").arg(program()).args(template.get_args());
    command.current_dir(project.path("")).stdin(listener.as_fd().try_clone_to_owned().unwrap());
    command
}

#[test]
fn sockets_of_systemd_are_served() {
    let project = Project::new(&[(
        "app.wsgi",
        "import os\ndef application(environ, start_response):\n    start_response('200 OK', [])\n    \
         return [str([name for name in os.environ if name.startswith('LISTEN_')]).encode()]\n",
    )]);
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    let mut command = activated(&project, &listener, "$$");
    let log = project.path("log");
    let mut child = command.stderr(std::fs::File::create(&log).unwrap()).spawn().unwrap();
    // It is queued until the worker takes it.
    let text = ask(TcpStream::connect(("127.0.0.1", port)).unwrap());
    assert!(text.ends_with("[]"), "the application is told nothing of them: {text}");
    pinion_unix::process::kill(child.id(), pinion_unix::signals::Signal::SIGTERM).unwrap();
    assert!(child.wait().unwrap().success());
    let waiting = TcpStream::connect(("127.0.0.1", port));
    assert!(waiting.is_ok(), "systemd's socket listens on");
}

#[test]
fn sockets_that_are_another_processs_are_not_taken() {
    let project = Project::hello();
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let output = activated(&project, &listener, "1").output().unwrap();
    let mut said = String::from_utf8(output.stderr).unwrap();
    said.push_str(&output.status.to_string());
    assert!(
        said.starts_with("pinion: PIN0904: fd:systemd: LISTEN_PID is 1, and this process is "),
        "{said}"
    );
    assert!(said.ends_with("exit status: 4"), "{said}");
    assert_eq!(
        project.said(&["--bind", "fd:systemd"]),
        "pinion: PIN0904: fd:systemd: systemd has handed no socket over\n\
         hint: start it by a systemd unit that has a .socket unit beside it, or name an address\nexit status: 4\n"
    );
}
