//! A network of a run's own: a namespace that holds nothing but a loopback device with 10.77.0.0/16 on it. Foreign clients
//! need it because some believe in no neighbour at 127.0.0.0/8, and it keeps whatever they do on this machine: no
//! packet leaves it, and all their ports are gone with the last process.
//!
//! It is made by `unshare` and `ip`, before anything else is done: the process becomes itself again inside.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::Path;
use std::process::{Command, Stdio};

use crate::net::loopback::PRIVATE_NETWORK;

/// Set inside, so that a network that does not turn out as it should is not made again and again.
const MARK: &str = "MINIBIT_PRIVATE_NETWORK";

/// An address of the whole prefix only.
const FAR_END: Ipv4Addr = Ipv4Addr::new(10, 77, 254, 254);

/// Whether this process is in such a network, whoever made it.
pub fn is_private() -> bool {
    let devices = fs::read_to_string("/proc/net/dev").unwrap_or_default();
    let mut names = devices.lines().filter_map(|line| line.split_once(':')).map(|(name, _)| name.trim());
    names.all(|name| name == "lo") && TcpListener::bind(SocketAddr::from((FAR_END, 0))).is_ok()
}

/// Becomes `program` with `arguments` in a private network: returns only where there is none.
///
/// # Errors
///
/// Why not, and what to do about it.
pub fn enter(program: &Path, arguments: &[std::ffi::OsString]) -> String {
    if std::env::var_os(MARK).is_some() {
        return format!("the private network was made, and yet {} is not in it", PRIVATE_NETWORK.0);
    }
    let mut told = String::new();
    for flags in [&["--net"][..], &["--net", "--map-root-user"]] {
        match in_network(&Command::new("true"), flags).stdin(Stdio::null()).output() {
            Ok(output) if output.status.success() => {
                let mut again = in_network(Command::new(program).args(arguments), flags);
                again.env(MARK, "1");
                return become_another(again);
            }
            Ok(output) => told = String::from_utf8_lossy(&output.stderr).trim().to_owned(),
            Err(error) => told = format!("unshare: {error}"),
        }
    }
    format!(
        "other clients run in a private network, and this machine makes none ({told}). It takes `unshare` (package \
         util-linux), `ip` (package iproute2), and either root or user namespaces: \
         sysctl -w user.max_user_namespaces=10000, and on Debian and Ubuntu \
         kernel.unprivileged_userns_clone=1 or kernel.apparmor_restrict_unprivileged_userns=0. In a container: \
         --cap-add SYS_ADMIN, or run the whole container so"
    )
}

/// The same command, inside a new network.
fn in_network(inner: &Command, flags: &[&str]) -> Command {
    let (address, prefix) = PRIVATE_NETWORK;
    // On a loopback device every address of the prefix is the machine's own.
    let script = format!("ip link set lo up && ip address add {address}/{prefix} dev lo && exec \"$@\"");
    let mut command = Command::new("unshare");
    command
        .args(flags)
        .args(["sh", "-c", &script, "minibit"])
        .arg(inner.get_program())
        .args(inner.get_args());
    command
}

#[cfg(unix)]
fn become_another(mut command: Command) -> String {
    use std::os::unix::process::CommandExt;
    format!("unshare: {}", command.exec())
}

#[cfg(not(unix))]
fn become_another(_: Command) -> String {
    "other clients need Linux".to_owned()
}
