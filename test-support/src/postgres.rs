//! A PostgreSQL server of a test's own: in a directory and on a port of its own, run as an
//! ordinary user, gone with the value that stands for it, or with the process if that is killed.

use std::net::TcpListener;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use tempfile::TempDir;

/// Waits until its input ends, which it does however this process ends, and takes the server in
/// directory `$1` and the directory with it. It stands in a group of its own, so that what is
/// sent to this process's group does not end it first.
const GUARD: &str = r#"
read -r _
pid=$(head -n 1 "$1/data/postmaster.pid" 2>/dev/null)
if [ -n "$pid" ] && grep -q "$1" "/proc/$pid/cmdline" 2>/dev/null; then
    kill -CONT "$pid" $(cat "/proc/$pid/task/$pid/children") 2>/dev/null
    kill -QUIT "$pid"
    while [ -e "$1/data/postmaster.pid" ] && [ -d "/proc/$pid" ]; do sleep 0.1; done
fi
rm -rf "$1"
"#;

/// A running server, or a stopped one that can be started again.
pub struct Postgres {
    programs: PathBuf,
    /// The user it runs as, when that is not the one who runs the tests.
    user: Option<String>,
    directory: TempDir,
    port: u16,
    databases: AtomicU32,
    guard: Child,
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
            guard: guard(directory.path()),
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
        must(
            "pg_ctl stop",
            self.command("pg_ctl")
                .args(["stop", "--wait", "--silent", "--mode=immediate", "--pgdata"])
                .arg(self.data())
                .output(),
        );
    }

    /// Holds all its processes still, as a machine that hangs would: connections stay, and
    /// nobody answers.
    pub fn freeze(&self) {
        self.signal("-STOP");
    }

    /// Lets it go on.
    pub fn thaw(&self) {
        self.signal("-CONT");
    }

    /// Starts it as one that lets nobody in.
    pub fn refuse(&self) {
        self.admit("reject");
    }

    /// Starts it as one that lets everybody in, as it is at first.
    pub fn accept(&self) {
        self.admit("trust");
    }

    /// Has it talk to nobody without TLS from its next start on, under a certificate for its
    /// address that nobody vouches for; says where that stands.
    pub fn encrypt(&self) -> PathBuf {
        let (key, certificate) = (
            self.data().join("server.key"),
            self.data().join("server.crt"),
        );
        must(
            "openssl",
            self.as_its_user("openssl".as_ref())
                .args(["req", "-x509", "-newkey", "ec", "-pkeyopt"])
                .args(["ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"])
                .args(["-subj", "/CN=shardbook", "-addext"])
                .args(["subjectAltName=IP:127.0.0.1", "-addext"])
                .args(["basicConstraints=critical,CA:FALSE", "-keyout"])
                .arg(&key)
                .arg("-out")
                .arg(&certificate)
                .output(),
        );
        let settings = self.data().join("postgresql.auto.conf");
        std::fs::write(settings, "ssl = on\n").expect("its settings can be written");
        let rules = "hostssl all all 127.0.0.1/32 trust\n";
        std::fs::write(self.data().join("pg_hba.conf"), rules).expect("its rules can be written");
        certificate
    }

    fn admit(&self, method: &str) {
        let rule = format!("host all all 127.0.0.1/32 {method}\n");
        std::fs::write(self.data().join("pg_hba.conf"), rule).expect("its rules can be written");
        self.resume();
    }

    fn signal(&self, signal: &str) {
        let id = self.first_process();
        // The first process first: it starts the others.
        must("kill", Command::new("kill").args([signal, &id]).output());
        for child in children(&id) {
            // One that has just ended needs no signal.
            let _ = Command::new("kill").args([signal, &child]).output();
        }
    }

    /// The ids of its processes.
    pub fn processes(&self) -> Vec<String> {
        let id = self.first_process();
        let mut processes = children(&id);
        processes.push(id);
        processes
    }

    fn first_process(&self) -> String {
        let id = std::fs::read_to_string(self.data().join("postmaster.pid"));
        id.expect("it runs").lines().next().unwrap_or("").to_owned()
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

    fn command(&self, program: &str) -> Command {
        self.as_its_user(&self.programs.join(program))
    }

    fn as_its_user(&self, program: &Path) -> Command {
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
        // What the guard does is done either way; it may have been stopped before, too.
        drop(self.guard.stdin.take());
        let _ = self.guard.wait();
    }
}

fn children(id: &str) -> Vec<String> {
    let children = std::fs::read_to_string(format!("/proc/{id}/task/{id}/children"));
    let children = children.expect("it has children");
    children.split_whitespace().map(str::to_owned).collect()
}

fn guard(directory: &Path) -> Child {
    Command::new("sh")
        .args(["-c", GUARD, "guard"])
        .arg(directory)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .process_group(0)
        .spawn()
        .expect("a shell")
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
