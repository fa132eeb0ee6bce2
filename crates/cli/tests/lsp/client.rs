//! An editor without a screen: it starts the real binary and talks to it as editors do.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use serde_json::{Value, json};

/// How long an answer may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(300);

pub(crate) struct Editor {
    child: Child,
    stdin: Option<ChildStdin>,
    messages: Receiver<Value>,
    next_id: i64,
    root: PathBuf,
    /// What was read and not yet asked for.
    kept: Vec<Value>,
    pub(crate) capabilities: Value,
}

impl Editor {
    /// Starts the server for a project, with nothing said about positions.
    pub(crate) fn start(root: &Path, args: &[&str]) -> Self {
        Self::start_with(root, args, json!({}))
    }

    pub(crate) fn start_with(root: &Path, args: &[&str], capabilities: Value) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_shipway"))
            .arg("lsp")
            .args(args)
            .current_dir(root)
            .env("HOME", root)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut out = BufReader::new(child.stdout.take().unwrap());
        let (sender, messages) = channel();
        std::thread::spawn(move || {
            while let Some(message) = read(&mut out) {
                if sender.send(message).is_err() {
                    return;
                }
            }
        });
        let mut editor = Self {
            stdin: child.stdin.take(),
            child,
            messages,
            next_id: 0,
            root: root.canonicalize().unwrap(),
            kept: Vec::new(),
            capabilities: Value::Null,
        };
        let params = json!({ "processId": null, "rootUri": null, "capabilities": capabilities });
        editor.capabilities = editor.ask("initialize", params)["capabilities"].take();
        editor.tell("initialized", json!({}));
        editor
    }

    pub(crate) fn uri(&self, name: &str) -> String {
        format!("file://{}/{name}", self.root.display())
    }

    fn send(&mut self, message: &Value) {
        let text = message.to_string();
        let stdin = self.stdin.as_mut().unwrap();
        write!(stdin, "Content-Length: {}\r\n\r\n{text}", text.len()).unwrap();
        stdin.flush().unwrap();
    }

    pub(crate) fn tell(&mut self, method: &str, params: Value) {
        self.send(&json!({ "jsonrpc": "2.0", "method": method, "params": params }));
    }

    /// The result of a request.
    pub(crate) fn ask(&mut self, method: &str, params: Value) -> Value {
        let answer = self.answer(method, params);
        assert!(answer.get("error").is_none(), "{method}: {answer}");
        answer["result"].clone()
    }

    /// The whole answer to a request.
    pub(crate) fn answer(&mut self, method: &str, params: Value) -> Value {
        self.next_id += 1;
        let id = self.next_id;
        self.send(&json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params }));
        self.wait(|message| message["id"] == json!(id) && message.get("method").is_none())
    }

    /// Takes no notice of what has come so far.
    pub(crate) fn forget(&mut self) {
        self.kept.clear();
    }

    /// The newest message that fits of those that came, or the next one.
    pub(crate) fn wait(&mut self, fits: impl Fn(&Value) -> bool) -> Value {
        if let Some(at) = self.kept.iter().rposition(&fits) {
            return self.kept.remove(at);
        }
        loop {
            let message = self.messages.recv_timeout(PATIENCE).expect("an answer");
            if fits(&message) {
                return message;
            }
            self.kept.push(message);
        }
    }

    pub(crate) fn open(&mut self, name: &str, text: &str) {
        let document = json!({
            "uri": self.uri(name), "languageId": "yaml", "version": 1, "text": text
        });
        self.tell("textDocument/didOpen", json!({ "textDocument": document }));
    }

    /// Replaces the whole text.
    pub(crate) fn change(&mut self, name: &str, version: i32, text: &str) {
        self.edit(name, version, json!([{ "text": text }]));
    }

    pub(crate) fn edit(&mut self, name: &str, version: i32, changes: Value) {
        let document = json!({ "uri": self.uri(name), "version": version });
        let params = json!({ "textDocument": document, "contentChanges": changes });
        self.tell("textDocument/didChange", params);
    }

    /// The faults of a file at a version of its text; `None` for one that is not open.
    pub(crate) fn faults(&mut self, name: &str, version: Option<i32>) -> Vec<Value> {
        let uri = self.uri(name);
        let message = self.wait(|message| {
            let params = &message["params"];
            message["method"] == "textDocument/publishDiagnostics"
                && params["uri"] == json!(uri)
                && params.get("version").unwrap_or(&Value::Null) == &json!(version)
        });
        message["params"]["diagnostics"].as_array().unwrap().clone()
    }

    fn at(&self, name: &str, line: u32, character: u32) -> Value {
        json!({
            "textDocument": { "uri": self.uri(name) },
            "position": { "line": line, "character": character },
            "context": { "includeDeclaration": true }
        })
    }

    /// The labels of the proposals at a place.
    pub(crate) fn proposals(&mut self, name: &str, line: u32, character: u32) -> Vec<String> {
        let mut params = self.at(name, line, character);
        params["context"] = json!({ "triggerKind": 1 });
        let found = self.ask("textDocument/completion", params);
        let Some(items) = found["items"].as_array() else {
            return Vec::new();
        };
        let label = |item: &Value| item["label"].as_str().unwrap().to_owned();
        items.iter().map(label).collect()
    }

    /// What is shown over a place.
    pub(crate) fn hover(&mut self, name: &str, line: u32, character: u32) -> String {
        let params = self.at(name, line, character);
        let found = self.ask("textDocument/hover", params);
        let text = found["contents"]["value"].as_str();
        text.unwrap_or_default().to_owned()
    }

    /// Places as `file:line:character`, from a request for them.
    pub(crate) fn places(&mut self, method: &str, name: &str, line: u32, at: u32) -> Vec<String> {
        let params = self.at(name, line, at);
        let found = self.ask(&format!("textDocument/{method}"), params);
        let base = self.uri("");
        let place = |location: &Value| {
            let start = &location["range"]["start"];
            let file = location["uri"].as_str().unwrap();
            let file = file.strip_prefix(&base).unwrap_or(file);
            format!("{file}:{}:{}", start["line"], start["character"])
        };
        found.as_array().unwrap().iter().map(place).collect()
    }

    /// Says goodbye; the exit code.
    pub(crate) fn end(mut self) -> i32 {
        self.ask("shutdown", Value::Null);
        self.tell("exit", Value::Null);
        self.child.wait().unwrap().code().unwrap()
    }

    /// Goes away without a word; the exit code.
    pub(crate) fn vanish(mut self) -> i32 {
        drop(self.stdin.take());
        self.child.wait().unwrap().code().unwrap()
    }
}

impl Drop for Editor {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

fn read(out: &mut impl BufRead) -> Option<Value> {
    let mut length = 0;
    loop {
        let mut line = String::new();
        if out.read_line(&mut line).ok()? == 0 {
            return None;
        }
        match line.trim_end().split_once(": ") {
            Some(("Content-Length", number)) => length = number.parse().unwrap(),
            Some(_) => {}
            None => break,
        }
    }
    let mut body = vec![0; length];
    out.read_exact(&mut body).ok()?;
    Some(serde_json::from_slice(&body).unwrap())
}
