//! The examples of the README and of the page on operations, each run from its top to its bottom
//! against the real program.
//!
//! - A `console` block holds commands after `$ `, each followed by what it prints. `./dev run` starts
//!   the program (one that runs already is killed, as by `kill -9`); its data stays from one start
//!   to the next, in a folder of the test's own.
//! - A `websocket` block is one connection to `/stream`: `> ` is sent, `< ` is received, among
//!   whatever else comes.
//!
//! Output that is JSON is compared as JSON, else line by line. `…` stands for what may differ: a
//! value, an object's other fields (`"…": "…"`), an array's other items, a part of a line, or, alone
//! on a line, any lines.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use futures::{SinkExt as _, StreamExt as _};
use shardbook_engine::time::{Clock as _, SystemClock};
use tokio_tungstenite::tungstenite::Message;

use crate::PATIENCE;
use crate::expectation::Expectation;
use crate::root;
use crate::script::{Frame, Step};

/// What the README says; replaced by where the program under test listens.
const PUBLIC_ADDRESS: &str = "127.0.0.1:8080";

#[tokio::test]
async fn the_readme_tells_what_happens() {
    tells_what_happens("README.md").await;
}

#[tokio::test]
async fn the_page_on_operations_tells_what_happens() {
    tells_what_happens("docs/operations.md").await;
}

/// Some examples tell of today. Those that midnight fell into are run again: on the day that has
/// begun they must do.
async fn tells_what_happens(document: &'static str) {
    let text = fs::read_to_string(root().join(document)).unwrap();
    let steps = crate::script::parse(&text);
    assert!(!steps.is_empty(), "{document} has no example");
    loop {
        let day = SystemClock.now().day();
        match tell(document, &steps).await {
            Ok(()) => return,
            Err(difference) if SystemClock.now().day() == day => panic!("{difference}"),
            Err(_) => {}
        }
    }
}

/// Takes all steps, or says where something else happens.
async fn tell(document: &'static str, steps: &[Step]) -> Result<(), String> {
    let mut exchange = Exchange::new(document);
    for step in steps {
        match step {
            Step::Serve { line, arguments } => exchange.serve(*line, arguments),
            Step::Command {
                line,
                command,
                expectation,
            } => {
                let output = exchange.run(command);
                let checked = Expectation::new(expectation).check(&output);
                checked.map_err(|difference| {
                    format!("{document}:{line}: {command}\n{difference}\nit printed:\n{output}")
                })?;
            }
            Step::WebSocket { frames } => exchange.talk(frames).await,
        }
    }
    Ok(())
}

/// The program as a reader of the README has it: built, and in a folder with its data beside it.
pub(crate) struct Exchange {
    /// What tells of it.
    document: &'static str,
    folder: tempfile::TempDir,
    pub(crate) address: String,
    server: Option<Child>,
}

impl Exchange {
    pub(crate) fn new(document: &'static str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        for shared in ["fixtures", "docs"] {
            symlink(root().join(shared), folder.path().join(shared)).unwrap();
        }
        let built = folder.path().join("target/release");
        fs::create_dir_all(&built).unwrap();
        symlink(env!("CARGO_BIN_EXE_shardbook"), built.join("shardbook")).unwrap();
        Self {
            document,
            folder,
            address: String::new(),
            server: None,
        }
    }

    pub(crate) fn serve(&mut self, line: usize, arguments: &[String]) {
        self.kill();
        let mut server = Command::new(env!("CARGO_BIN_EXE_shardbook"))
            .args(["serve", "--listen", "127.0.0.1:0"])
            .args(arguments)
            .current_dir(self.folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(fs::File::create(self.log()).unwrap())
            .spawn()
            .unwrap();
        let mut says = String::new();
        BufReader::new(server.stdout.take().unwrap())
            .read_line(&mut says)
            .unwrap();
        self.server = Some(server);
        let address = says.trim_end().strip_prefix("listening on http://");
        self.address = address.map(str::to_owned).unwrap_or_else(|| {
            let log = fs::read_to_string(self.log()).unwrap();
            let document = self.document;
            panic!("{document}:{line}: it does not serve, and says {says:?}:\n{log}")
        });
    }

    pub(crate) fn run(&self, command: &str) -> String {
        let output = Command::new("bash")
            .args(["-c", &command.replace(PUBLIC_ADDRESS, &self.address)])
            .current_dir(self.folder.path())
            .stdin(Stdio::null())
            .output()
            .unwrap();
        let mut printed = String::from_utf8_lossy(&output.stdout).into_owned();
        printed.push_str(&String::from_utf8_lossy(&output.stderr));
        if self.address.is_empty() {
            return printed;
        }
        printed.replace(&self.address, PUBLIC_ADDRESS)
    }

    /// Frames that were expected may come in any order and among others.
    async fn talk(&self, frames: &[Frame]) {
        let url = format!("ws://{}/stream", self.address);
        let (mut socket, _) = tokio_tungstenite::connect_async(url).await.unwrap();
        let mut received: Vec<String> = Vec::new();
        for frame in frames {
            match frame {
                Frame::Sent { text } => socket.send(Message::text(text.as_str())).await.unwrap(),
                Frame::Received { line, text } => {
                    let expected = Expectation::new(text);
                    while !received.iter().any(|one| expected.check(one).is_ok()) {
                        let next = tokio::time::timeout(PATIENCE, socket.next()).await;
                        let Ok(Some(Ok(message))) = next else {
                            panic!(
                                "{}:{line}: {text}\nnever came; these did: {received:#?}",
                                self.document
                            );
                        };
                        if let Message::Text(text) = message {
                            received.push(text.to_string());
                        }
                    }
                    let came = received.iter().position(|one| expected.check(one).is_ok());
                    received.remove(came.unwrap());
                }
            }
        }
    }

    fn kill(&mut self) {
        if let Some(mut server) = self.server.take() {
            server.kill().unwrap();
            server.wait().unwrap();
        }
    }

    fn log(&self) -> PathBuf {
        self.folder.path().join("log")
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        self.kill();
    }
}
