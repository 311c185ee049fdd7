//! Three hosts with the application, one with the balancer, and one for clients.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use pinion_testbed::http::Client;
use pinion_testbed::{Network, Program, Server, packages, poll, wait_until, workspace_root};
use pinion_unix::signals::Signal;

/// The hosts with the application.
pub(crate) const HOSTS: [&str; 3] = ["app1", "app2", "app3"];
/// The longest that anything may take before it counts as hung.
pub(crate) const LIMIT: Duration = Duration::from_secs(60);
/// The longest silence of a host that the balancer bears, in seconds: shorter than in the example, so that tests need not wait.
const ANSWER: &str = "8";

/// The hosts, the balancer, and the files of both.
pub(crate) struct World {
    // Dropped before the network that they are in.
    balancer: Program,
    hosts: Mutex<Vec<(&'static str, Program)>>,
    pub(crate) network: Network,
    folder: tempfile::TempDir,
}

impl World {
    /// Starts all of it, and waits until the balancer has found each host well; `None` where no network can be made. The balancer's
    /// configuration is to see `defines` as defined.
    pub(crate) fn new(defines: &[&str]) -> Option<Self> {
        let network = Network::of(&["balancer", "app1", "app2", "app3", "client"]).unwrap()?;
        let folder = tempfile::Builder::new()
            .prefix("pinion-scaling-")
            .disable_cleanup(std::env::var_os("PINION_KEEP").is_some())
            .tempdir()
            .unwrap();
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
        fs::write(folder.path().join("app.py"), include_str!("app.py")).unwrap();
        let hosts = HOSTS.map(|host| (host, serve(&network, host, folder.path())));
        packages::ensure(&["apache2-bin", "media-types"]).unwrap();
        let balancer = balance(&network, folder.path(), defines);
        let mut world = Self { balancer, hosts: Mutex::new(hosts.into()), network, folder };
        for host in HOSTS {
            let is_up = || world.health(host) == Some(200);
            assert!(wait_until(LIMIT, is_up), "{}", world.logs());
            // It may have been asked before it was up, and have to pass its checks first.
            world.wait_until_in(host);
        }
        assert!(world.balancer.ended().is_none());
        Some(world)
    }

    /// The address of a path of the site.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.network.address("balancer"))
    }

    /// Runs something on a host, in a thread that is there.
    pub(crate) fn on<T: Send>(&self, host: &str, run: impl FnOnce() -> T + Send) -> T {
        std::thread::scope(|scope| {
            let thread = scope.spawn(|| {
                self.network.enter(host).unwrap();
                run()
            });
            thread.join().unwrap()
        })
    }

    /// The requests that a host has begun, as `METHOD query`.
    pub(crate) fn begun(&self, host: &str) -> Vec<String> {
        journal(self.folder.path(), host, "begin ")
    }

    /// The requests that a host has begun and not ended.
    pub(crate) fn running(&self, host: &str) -> Vec<String> {
        let ended: BTreeSet<String> =
            journal(self.folder.path(), host, "end ").into_iter().collect();
        self.begun(host).into_iter().filter(|request| !ended.contains(request)).collect()
    }

    /// Closes the gate: requests for `/held` wait until this is dropped.
    pub(crate) fn gate(&self) -> Gate {
        let path = gate(self.folder.path());
        if path.exists() {
            fs::remove_file(&path).unwrap();
        }
        Gate(path)
    }

    /// What the balancer thinks of a host, such as `Init Ok`.
    pub(crate) fn status(&self, host: &str) -> String {
        let name = format!("<httpd:name>{}</httpd:name>", member(&self.network, host));
        let page = self.on("balancer", || {
            let url = "http://127.0.0.1/balancer-manager";
            // Without a Referer it shows less.
            Client::new(LIMIT).send("GET", &format!("{url}?xml=1"), &[("referer", url)], b"")
        });
        let text = page.unwrap().text();
        let after = text.split_once(&name).map(|(_, after)| after);
        let status =
            after.and_then(|after| after.split_once("<httpd:status>")).map(|(_, after)| after);
        status.and_then(|after| after.split('<').next()).unwrap_or(&text).trim().to_owned()
    }

    /// Waits until the balancer sends requests to a host.
    pub(crate) fn wait_until_in(&self, host: &str) {
        let is_in = || self.status(host) == "Init Ok";
        assert!(wait_until(LIMIT, is_in), "{host}: {}\n{}", self.status(host), self.logs());
    }

    /// Waits until the balancer sends a host no request any more.
    pub(crate) fn wait_until_out(&self, host: &str) {
        let is_out = || self.status(host) != "Init Ok";
        assert!(wait_until(LIMIT, is_out), "{}", self.logs());
    }

    /// Sends the server on a host a signal.
    pub(crate) fn signal(&self, host: &str, signal: Signal) {
        self.with(host, |program| program.signal(signal));
    }

    /// Whether the server on a host still runs.
    pub(crate) fn is_running(&self, host: &str) -> bool {
        self.with(host, |program| program.ended().is_none())
    }

    /// Waits for the end of the server on a host.
    pub(crate) fn wait_for_end(&self, host: &str) -> ExitStatus {
        self.with(host, |program| program.wait(LIMIT).unwrap())
    }

    /// Starts the server of a host anew, after its end.
    pub(crate) fn restart(&self, host: &'static str) {
        self.with(host, |program| *program = serve(&self.network, host, self.folder.path()));
    }

    fn with<T>(&self, host: &str, act: impl FnOnce(&mut Program) -> T) -> T {
        let mut hosts = self.hosts.lock().unwrap();
        act(&mut hosts.iter_mut().find(|(name, _)| *name == host).unwrap().1)
    }

    /// What a host says itself about whether it serves: the status, or `None` where it takes no connection.
    pub(crate) fn health(&self, host: &str) -> Option<u16> {
        let url = format!("{}/health", member(&self.network, host));
        self.on("balancer", || Client::new(LIMIT).get(&url).ok().map(|answer| answer.status))
    }

    /// The ends of all logs, for messages.
    pub(crate) fn logs(&self) -> String {
        let hosts = self.hosts.lock().unwrap();
        let hosts = hosts.iter().map(|(host, program)| (*host, program.log().tail()));
        let errors = fs::read_to_string(self.folder.path().join("logs/balancer.error.log"));
        let balancer = ("balancer", errors.unwrap_or_default() + &self.balancer.log().tail());
        hosts.chain([balancer]).map(|(name, log)| format!("== {name}\n{log}")).collect()
    }
}

impl Drop for World {
    /// Lets the servers take away what they have made; those that do not end are killed afterwards.
    fn drop(&mut self) {
        let mut hosts = self.hosts.lock().unwrap_or_else(PoisonError::into_inner);
        for (_, program) in hosts.iter_mut() {
            program.signal(Signal::SIGTERM);
            // The second one ends it at once.
            program.signal(Signal::SIGINT);
        }
        for (_, program) in hosts.iter_mut() {
            let _ = program.wait(LIMIT);
        }
    }
}

/// A closed gate, which opens when it is dropped: also where a test fails, since its threads wait for those that are held.
pub(crate) struct Gate(PathBuf);

impl Drop for Gate {
    fn drop(&mut self) {
        fs::write(&self.0, "").unwrap();
    }
}

fn member(network: &Network, host: &str) -> String {
    format!("http://{}:8000", network.address(host))
}

fn gate(folder: &Path) -> PathBuf {
    folder.join("gate")
}

fn journal(folder: &Path, host: &str, word: &str) -> Vec<String> {
    let text = fs::read_to_string(folder.join(host)).unwrap_or_default();
    text.lines().filter_map(|line| line.strip_prefix(word).map(str::to_owned)).collect()
}

/// `pinion serve` as the comment in the example's site.conf has it.
fn serve(network: &Network, host: &str, folder: &Path) -> Program {
    let module = Server::pinion().unwrap().module().to_owned();
    let pinion = module.ancestors().nth(2).unwrap().join("bin/pinion");
    let mut command = network.command(host, &pinion);
    let bind = format!("{}:8000", network.address(host));
    command.args([
        "serve",
        "app:application",
        "--bind",
        &bind,
        "--processes",
        "2",
        "--threads",
        "8",
    ]);
    command.args(["--health", "/health", "--graceful-timeout", "20", "--drain-delay", "3"]);
    command.args(["--trusted-proxies", &network.address("balancer").to_string()]);
    command.args(["--trusted-proxy-headers", "X-Forwarded-For X-Forwarded-Proto X-Forwarded-Host"]);
    command.env("HOST_NAME", host).env("JOURNAL", folder.join(host)).env("GATE", gate(folder));
    command.current_dir(folder);
    Program::start(&mut command, &folder.join(format!("{host}.log"))).unwrap()
}

/// Apache with the example's configuration; only places, addresses and times are others.
fn balance(network: &Network, folder: &Path, defines: &[&str]) -> Program {
    let example = workspace_root().join("examples/balancer");
    let place = |name: &str| folder.join(name).display().to_string();
    fs::create_dir(folder.join("run")).unwrap();
    fs::create_dir(folder.join("logs")).unwrap();
    let apps = HOSTS.map(|host| member(network, host));
    for (file, values) in [
        (
            "apache2.conf",
            vec![("BALANCER", place("")), ("RUN", place("run")), ("LOGS", place("logs"))],
        ),
        (
            "site.conf",
            vec![
                ("APP_1", apps[0].clone()),
                ("APP_2", apps[1].clone()),
                ("APP_3", apps[2].clone()),
                ("ANSWER", ANSWER.to_owned()),
                ("CHECK", "1".to_owned()),
            ],
        ),
    ] {
        let text = fs::read_to_string(example.join(file)).unwrap();
        fs::write(folder.join(file), defined(&text, &values)).unwrap();
    }
    let mut command = network.command("balancer", Path::new("/usr/sbin/apache2"));
    command.arg("-f").arg(folder.join("apache2.conf")).arg("-DFOREGROUND");
    command.args(defines.iter().map(|name| format!("-D{name}")));
    command.current_dir("/");
    let program = Program::start(&mut command, &folder.join("balancer.log")).unwrap();
    let url = format!("http://{}/balancer-manager", network.address("balancer"));
    let answered = poll(LIMIT, || {
        std::thread::scope(|scope| {
            let ask = scope.spawn(|| {
                network.enter("client").unwrap();
                Client::new(LIMIT).get(&url).ok()
            });
            ask.join().unwrap()
        })
    });
    assert!(answered.is_some(), "{}", program.log().tail());
    program
}

/// A configuration with other values for what it defines.
fn defined(text: &str, values: &[(&str, String)]) -> String {
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    for (name, value) in values {
        let begin = format!("Define {name} ");
        let line = lines.iter_mut().find(|line| line.starts_with(&begin));
        *line.unwrap_or_else(|| panic!("the example defines no {name}")) =
            format!("{begin}{value}");
    }
    lines.join("\n") + "\n"
}
