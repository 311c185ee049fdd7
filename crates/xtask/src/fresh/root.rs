//! A Debian of its own, below a temporary folder.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use nix::unistd::Uid;
use pinion_testbed::run;
use tempfile::TempDir;

use crate::failure::{Failure, Result};
use crate::{paths, say};

/// The release that the README names.
const RELEASE: &str = "bookworm";
/// Python, what Rust links with, and certificates for both.
const INCLUDED: &str = "python3,python3-venv,gcc,libc6-dev,ca-certificates";
/// Where the checkout is in it.
const CHECKOUT: &str = "/home/pinion";
/// Where cargo looks for what it has downloaded.
const DOWNLOADS: &str = "/root/.cargo/registry";
/// The certificates that programs trust.
const CERTIFICATES: &str = "/etc/ssl/certs/ca-certificates.crt";
/// What `/etc/hosts` says.
const HOSTS: &str = "127.0.0.1 localhost\n::1 localhost ip6-localhost ip6-loopback\n";
/// Beginnings of variables that tell pip and cargo how to reach their registries.
const REACHING: [&str; 7] =
    ["PIP_CERT", "PIP_INDEX_URL", "SSL_CERT", "CARGO_HTTP", "CARGO_NET", "http", "HTTP"];

/// The folder, with Debian, this toolchain and the committed state of the checkout in it.
pub(super) struct Root {
    folder: TempDir,
    toolchain: PathBuf,
    /// What cargo has downloaded; nothing else of its folder is shown to the root.
    downloads: PathBuf,
}

impl Root {
    /// Makes one.
    pub(super) fn make() -> Result<Self> {
        if !Uid::effective().is_root() {
            return Err(Failure::wrong("only root can make another root", "run it as root"));
        }
        let folder = tempfile::Builder::new().prefix("pinion-fresh-").tempdir_in("/var/tmp");
        let root = Self {
            folder: folder.map_err(Failure::file("/var/tmp"))?,
            toolchain: toolchain()?,
            downloads: downloads()?,
        };
        say::step(format_args!("Debian {RELEASE} in {}", root.path("").display()));
        let mut debootstrap = Command::new("debootstrap");
        debootstrap.args(["--variant=minbase", &format!("--include={INCLUDED}"), RELEASE]);
        run(debootstrap.arg(root.path("")))?;
        for file in [CERTIFICATES, "/etc/resolv.conf"] {
            // Where this machine reaches registries by its own ways, so does the root.
            let to = root.path(file);
            fs::copy(file, &to).map_err(Failure::file(&to))?;
        }
        // A machine has one, which its installer writes.
        let hosts = root.path("/etc/hosts");
        fs::write(&hosts, HOSTS).map_err(Failure::file(&hosts))?;
        root.check_out()?;
        Ok(root)
    }

    /// A command line that runs in the checkout, by a shell in a namespace of its own: all of it ends with the command.
    pub(super) fn command(&self, line: &str) -> Command {
        let folder = self.path("");
        let at = |path: &str| self.path(path).display().to_string();
        let mounts = [
            // Network namespaces need a root that is a mount of its own. Here /proc is mounted over what the first mount hides.
            format!("mount --bind {0} {0}", folder.display()),
            format!("mount -t proc proc {}", at("/proc")),
            format!("mount --bind {} {}", self.toolchain.display(), at("/opt/rust")),
            format!("mount --bind {} {}", self.downloads.display(), at(DOWNLOADS)),
            format!("mount --rbind /dev {}", at("/dev")),
        ];
        let script = format!(
            "{} && exec chroot {} /bin/sh -c 'cd {CHECKOUT} && exec {line}'",
            mounts.join(" && "),
            folder.display()
        );
        let mut command = Command::new("unshare");
        command.args(["--mount", "--pid", "--fork", "--kill-child"]);
        command.arg(format!("--mount-proc={}", at("/proc"))).args(["sh", "-c", &script]);
        let reaching = |name: &str| REACHING.iter().any(|begin| name.starts_with(begin));
        let kept = std::env::vars().filter(|(name, _)| reaching(name));
        command.env_clear().envs(kept).env("HOME", "/root");
        command.env(
            "PATH",
            "/opt/rust/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        );
        command
    }

    /// Where a path of the root is.
    fn path(&self, path: &str) -> PathBuf {
        self.folder.path().join(path.trim_start_matches('/'))
    }

    /// The committed state, as a clone has it.
    fn check_out(&self) -> Result<()> {
        for folder in [CHECKOUT, "/opt/rust", DOWNLOADS] {
            let path = self.path(folder);
            fs::create_dir_all(&path).map_err(Failure::file(&path))?;
        }
        let archive = self.path("/tmp/checkout.tar");
        let mut git = Command::new("git");
        git.arg("-C").arg(paths::root()).args(["archive", "--output"]).arg(&archive);
        run(git.arg("HEAD"))?;
        let mut tar = Command::new("tar");
        run(tar.arg("-xf").arg(&archive).arg("-C").arg(self.path(CHECKOUT)))?;
        fs::remove_file(&archive).map_err(Failure::file(&archive))
    }
}

/// The folder of the toolchain that runs this.
fn toolchain() -> Result<PathBuf> {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    Ok(PathBuf::from(run(Command::new(rustc).args(["--print", "sysroot"]))?.trim()))
}

/// Where cargo keeps what it has downloaded: the build of this very program has made it.
fn downloads() -> Result<PathBuf> {
    let home = std::env::var_os("CARGO_HOME").map(PathBuf::from);
    let home = home.or_else(|| std::env::home_dir().map(|home| home.join(".cargo")));
    home.map(|home| home.join("registry"))
        .filter(|folder| folder.is_dir())
        .ok_or_else(|| Failure::wrong("cargo has downloaded nothing", "run `cargo fetch` before"))
}
