//! A PostgreSQL server of a test's own: in a directory and on a port of its own, run as an
//! ordinary user, gone with the value that stands for it.

use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Command, Output};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use tempfile::TempDir;

/// A running server, or a stopped one that can be started again.
pub struct Postgres {
    programs: PathBuf,
    /// The user it runs as, when that is not the one who runs the tests.
    user: Option<String>,
    directory: TempDir,
    port: u16,
    databases: AtomicU32,
}

static SHARED: Mutex<Weak<Postgres>> = Mutex::new(Weak::new());

impl Postgres {
    /// A server that all tests of a process share while any of them holds it.
    pub fn shared() -> Arc<Self> {
        let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
        shared.upgrade().unwrap_or_else(|| {
            let server = Arc::new(Self::start());
            *shared = Arc::downgrade(&server);
            server
        })
    }

    /// A server that only its owner knows, running.
    pub fn start() -> Self {
        let server = Self::stopped();
        server.resume();
        server
    }

    /// A server that only its owner knows, not yet running.
    pub fn stopped() -> Self {
        let programs = programs();
        let directory = tempfile::tempdir().expect("a temporary directory");
        let user = ordinary_user();
        if let Some(user) = &user {
            let path = directory.path().to_str().expect("a path in UTF-8");
            must("chown", Command::new("chown").arg(user).arg(path).output());
        }
        let server = Self {
            programs,
            user,
            directory,
            port: free_port(),
            databases: AtomicU32::new(0),
        };
        must(
            "initdb",
            server
                .command("initdb")
                .args(["--auth=trust", "--username=shardbook", "--encoding=UTF8"])
                .args(["--no-locale", "--no-sync", "--pgdata"])
                .arg(server.data())
                .output(),
        );
        server
    }

    /// Starts it, and returns once it takes connections.
    pub fn resume(&self) {
        let options = format!(
            "-p {} -c listen_addresses=127.0.0.1 -c unix_socket_directories='{}'",
            self.port,
            self.directory.path().display()
        );
        must(
            "pg_ctl start",
            self.command("pg_ctl")
                .args([
                    "start",
                    "--wait",
                    "--silent",
                    "--options",
                    &options,
                    "--log",
                ])
                .arg(self.directory.path().join("log"))
                .arg("--pgdata")
                .arg(self.data())
                .output(),
        );
    }

    /// Stops it at once, as a crash of the machine would, but for what its disk holds.
    pub fn stop(&self) {
        must("pg_ctl stop", self.stop_command().output());
    }

    /// The address of a new, empty database on it.
    pub fn database(&self) -> String {
        let name = format!("test_{}", self.databases.fetch_add(1, Ordering::Relaxed));
        must(
            "createdb",
            self.command("createdb")
                .args(["--host=127.0.0.1", "--username=shardbook", "--port"])
                .arg(self.port.to_string())
                .arg(&name)
                .output(),
        );
        self.address(&name)
    }

    /// The address of the database that every server has.
    pub fn default_database(&self) -> String {
        self.address("postgres")
    }

    fn address(&self, database: &str) -> String {
        format!("postgres://shardbook@127.0.0.1:{}/{database}", self.port)
    }

    fn data(&self) -> PathBuf {
        self.directory.path().join("data")
    }

    fn stop_command(&self) -> Command {
        let mut command = self.command("pg_ctl");
        command
            .args(["stop", "--wait", "--silent", "--mode=immediate", "--pgdata"])
            .arg(self.data());
        command
    }

    fn command(&self, program: &str) -> Command {
        let program = self.programs.join(program);
        let mut command = match &self.user {
            None => Command::new(program),
            Some(user) => {
                let mut command = Command::new("runuser");
                command.args(["-u", user, "--"]).arg(program);
                command
            }
        };
        command.current_dir(self.directory.path());
        command
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        // It may have been stopped before; then there is nothing to do.
        let _ = self.stop_command().output();
    }
}

/// Where `initdb` and the others stand: in the path, or where Debian puts them.
fn programs() -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut places: Vec<PathBuf> = std::env::split_paths(&path).collect();
    let mut versions: Vec<_> = std::fs::read_dir("/usr/lib/postgresql")
        .map(|entries| {
            entries
                .flatten()
                .map(|entry| entry.path().join("bin"))
                .collect()
        })
        .unwrap_or_default();
    versions.sort();
    places.extend(versions.into_iter().rev());
    let complete = |place: &PathBuf| {
        ["initdb", "pg_ctl", "postgres", "createdb"]
            .iter()
            .all(|program| place.join(program).is_file())
    };
    places.into_iter().find(complete).expect(
        "these tests start a PostgreSQL server: initdb, pg_ctl, postgres and createdb must \
         stand in one directory of PATH or in /usr/lib/postgresql/*/bin \
         (Debian and Ubuntu: apt-get install postgresql)",
    )
}

/// Whom to run it as: it refuses to be run by root.
fn ordinary_user() -> Option<String> {
    let id = must("id", Command::new("id").arg("-u").output());
    if String::from_utf8_lossy(&id.stdout).trim() != "0" {
        return None;
    }
    let exists = |user: &&str| {
        Command::new("id")
            .args(["-u", user])
            .output()
            .is_ok_and(|output| output.status.success())
    };
    let user = ["postgres", "nobody"].into_iter().find(exists);
    Some(
        user.expect("a user postgres or nobody to run PostgreSQL as")
            .to_owned(),
    )
}

fn free_port() -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
    listener.local_addr().expect("its address").port()
}

fn must(what: &str, output: std::io::Result<Output>) -> Output {
    let output = output.unwrap_or_else(|error| panic!("{what}: {error}"));
    assert!(
        output.status.success(),
        "{what}: {}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    output
}
