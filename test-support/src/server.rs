//! The program as a child process, to be killed.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// A served exchange. Killed when dropped.
pub struct Server {
    child: Child,
    /// Where it answers, as `http://127.0.0.1:…`.
    pub base: String,
}

impl Server {
    /// Has `program` serve `data_dir` on a free port of the loopback address.
    #[must_use]
    pub fn start(program: &str, data_dir: &Path, more: &[&str]) -> Self {
        let mut child = Command::new(program)
            .args(["serve", "--listen", "127.0.0.1:0", "--data-dir"])
            .arg(data_dir)
            .args(more)
            .env_remove("DATABASE_URL")
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("the binary starts");
        let stdout = child.stdout.take().expect("standard output is piped");
        let mut lines = BufReader::new(stdout).lines();
        let base = loop {
            let line = lines
                .next()
                .expect("it says where it listens")
                .expect("it prints text");
            if let Some(address) = line.strip_prefix("listening on ") {
                break address.trim().to_owned();
            }
        };
        // Whatever else it prints must not fill the pipe.
        std::thread::spawn(move || lines.for_each(drop));
        Self { child, base }
    }

    /// `kill -9`: nothing is finished, nothing is flushed.
    pub fn kill(mut self) {
        self.child.kill().expect("it can be killed");
        self.child.wait().expect("it ends");
    }

    /// `SIGUSR1`: checkpoints now.
    pub fn ask_for_checkpoints(&self) {
        self.signal("-USR1");
    }

    fn signal(&self, signal: &str) {
        let pid = self.child.id().to_string();
        let sent = Command::new("kill").args([signal, &pid]).status();
        assert!(sent.expect("kill runs").success());
    }

    /// `SIGTERM`, and its exit code.
    pub fn terminate(self) -> Option<i32> {
        self.end_by("-TERM")
    }

    /// A signal that ends it, and its exit code.
    pub fn end_by(mut self, signal: &str) -> Option<i32> {
        self.signal(signal);
        let patience = Instant::now() + Duration::from_secs(60);
        loop {
            if let Some(status) = self.child.try_wait().expect("it can be waited for") {
                return status.code();
            }
            assert!(Instant::now() < patience, "it does not end");
            std::thread::yield_now();
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
