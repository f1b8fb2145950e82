//! A Markdown document as the steps that its examples ask for.

/// One thing to do. Lines count from 1.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// Start the program.
    Serve { line: usize, arguments: Vec<String> },
    /// Run a command and compare what it prints.
    Command {
        line: usize,
        command: String,
        expectation: String,
    },
    /// Hold a conversation on `/stream`.
    WebSocket { frames: Vec<Frame> },
}

/// One frame of a conversation.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Frame {
    Sent { text: String },
    Received { line: usize, text: String },
}

/// The steps of all `console` and `websocket` blocks, in order.
pub(crate) fn parse(document: &str) -> Vec<Step> {
    let mut steps = Vec::new();
    let mut lines = document.lines().zip(1..);
    while let Some((fence, _)) = lines.next() {
        let Some(language) = fence.strip_prefix("```") else {
            continue;
        };
        let block: Vec<(&str, usize)> = lines
            .by_ref()
            .take_while(|(line, _)| *line != "```")
            .collect();
        match language {
            "console" => steps.extend(console(&block)),
            "websocket" => steps.push(Step::WebSocket {
                frames: frames(&block),
            }),
            _ => {}
        }
    }
    steps
}

fn console(block: &[(&str, usize)]) -> Vec<Step> {
    let mut steps = Vec::new();
    let mut lines = block.iter().peekable();
    while let Some((text, line)) = lines.next() {
        let Some(first) = text.strip_prefix("$ ") else {
            panic!("line {line}: a console block begins with a command");
        };
        let mut command = first.to_owned();
        while goes_on(&command) {
            let (next, _) = lines
                .next()
                .expect("a command that goes on has another line");
            command.push('\n');
            command.push_str(next);
        }
        let mut expectation = String::new();
        while let Some((printed, _)) = lines.next_if(|(text, _)| !text.starts_with("$ ")) {
            expectation.push_str(printed);
            expectation.push('\n');
        }
        steps.push(match command.strip_prefix("./dev run") {
            Some(arguments) => Step::Serve {
                line: *line,
                arguments: arguments.split_whitespace().map(str::to_owned).collect(),
            },
            None => Step::Command {
                line: *line,
                command,
                expectation,
            },
        });
    }
    steps
}

/// As a shell would see it: after a backslash, or within quotes.
fn goes_on(command: &str) -> bool {
    command.ends_with('\\') || command.matches('\'').count() % 2 == 1
}

fn frames(block: &[(&str, usize)]) -> Vec<Frame> {
    let mut frames: Vec<Frame> = Vec::new();
    for (text, line) in block {
        if let Some(sent) = text.strip_prefix("> ") {
            frames.push(Frame::Sent {
                text: sent.to_owned(),
            });
        } else if let Some(received) = text.strip_prefix("< ") {
            frames.push(Frame::Received {
                line: *line,
                text: received.to_owned(),
            });
        } else {
            // A line of neither goes on with the frame before it.
            match frames.last_mut() {
                Some(Frame::Sent { text: frame } | Frame::Received { text: frame, .. }) => {
                    frame.push_str(text);
                }
                None => panic!("line {line}: a websocket block begins with > or <"),
            }
        }
    }
    frames
}

#[test]
fn blocks_become_steps_in_their_order() {
    let document = "\
text
```console
$ ./dev run --feed off
```
```sh
not run
```
```console
$ one \\
  more
printed
$ two 'a
b'
```
```websocket
> {\"op\":
   \"ping\"}
< {}
```
";
    let expected = vec![
        Step::Serve {
            line: 3,
            arguments: vec!["--feed".to_owned(), "off".to_owned()],
        },
        Step::Command {
            line: 9,
            command: "one \\\n  more".to_owned(),
            expectation: "printed\n".to_owned(),
        },
        Step::Command {
            line: 12,
            command: "two 'a\nb'".to_owned(),
            expectation: String::new(),
        },
        Step::WebSocket {
            frames: vec![
                Frame::Sent {
                    text: "{\"op\":   \"ping\"}".to_owned(),
                },
                Frame::Received {
                    line: 18,
                    text: "{}".to_owned(),
                },
            ],
        },
    ];
    assert_eq!(parse(document), expected);
}
