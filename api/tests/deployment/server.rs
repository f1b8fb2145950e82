//! The program, running.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};

/// The program on a free port; killed when dropped.
pub(crate) struct Server {
    pub(crate) address: String,
    process: Child,
    _data: tempfile::TempDir,
}

impl Server {
    pub(crate) fn start(arguments: &[&str]) -> Self {
        let data = tempfile::tempdir().unwrap();
        let mut process = Command::new(env!("CARGO_BIN_EXE_shardbook"))
            .args(["serve", "--listen", "127.0.0.1:0", "--data-dir"])
            .arg(data.path())
            .args(arguments)
            .env("RUST_LOG", "error")
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut says = String::new();
        BufReader::new(process.stdout.take().unwrap())
            .read_line(&mut says)
            .unwrap();
        let address = says.trim_end().strip_prefix("listening on http://");
        Self {
            address: address.expect("it serves").to_owned(),
            process,
            _data: data,
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
