//! The loop between the editor and the thread that reads configurations.

use crate::checks::{self, Check, Checked, Pipeline};
use crate::text::Encoding;
use crate::workspace::Workspace;
use crate::{
    ServeError, Settings, completion, diagnostics, document, hover, navigation, quick_fix, symbols,
    uri,
};
use crossbeam_channel::{Receiver, Sender, select};
use lsp_server::{Connection, ErrorCode, Message, Notification, Request, Response};
use lsp_types::notification::{self as notify, Notification as _};
use lsp_types::request::{self as ask, Request as _};
use lsp_types::{
    CodeActionKind, CodeActionOptions, CodeActionProviderCapability, CompletionList,
    CompletionOptions, CompletionResponse, DidChangeWatchedFilesRegistrationOptions,
    DocumentSymbolResponse, FileSystemWatcher, GlobPattern, GotoDefinitionResponse,
    HoverProviderCapability, InitializeParams, InitializeResult, OneOf, PublishDiagnosticsParams,
    Registration, RegistrationParams, SaveOptions, ServerCapabilities, ServerInfo,
    TextDocumentPositionParams, TextDocumentSyncCapability, TextDocumentSyncKind,
    TextDocumentSyncOptions, TextDocumentSyncSaveOptions, Uri,
};
use serde_json::Value;
use std::collections::{HashMap, HashSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

/// Talks with one editor until it says goodbye; whether it did so properly.
pub(crate) fn run(connection: &Connection, settings: Settings) -> Result<bool, ServeError> {
    let (id, params) = connection.initialize_start()?;
    let params: InitializeParams = serde_json::from_value(params)?;
    let general = params.capabilities.general.as_ref();
    let offered = general.and_then(|general| general.position_encodings.as_deref());
    let encoding = Encoding::choose(offered);
    let result = InitializeResult {
        capabilities: capabilities(encoding),
        server_info: Some(ServerInfo {
            name: "shipway".to_owned(),
            version: Some(env!("CARGO_PKG_VERSION").to_owned()),
        }),
    };
    connection.initialize_finish(id, serde_json::to_value(result)?)?;

    let (checks, results) = checks::start(settings.files);
    let mut server = Server {
        connection,
        encoding,
        workspace: Workspace::new(settings.file),
        checks,
        busy: false,
        waiting: Vec::new(),
        shown: HashMap::new(),
    };
    let watches = params.capabilities.workspace.as_ref();
    let watches = watches.and_then(|workspace| workspace.did_change_watched_files.as_ref());
    if watches.and_then(|watches| watches.dynamic_registration) == Some(true) {
        server.watch_files()?;
    }
    server.serve(&results)
}

fn capabilities(encoding: Encoding) -> ServerCapabilities {
    let triggers = ["$", "{", "[", ",", " ", ".", "/"];
    ServerCapabilities {
        position_encoding: Some(encoding.kind()),
        text_document_sync: Some(TextDocumentSyncCapability::Options(
            TextDocumentSyncOptions {
                open_close: Some(true),
                change: Some(TextDocumentSyncKind::INCREMENTAL),
                save: Some(TextDocumentSyncSaveOptions::SaveOptions(SaveOptions {
                    include_text: Some(false),
                })),
                ..Default::default()
            },
        )),
        completion_provider: Some(CompletionOptions {
            trigger_characters: Some(triggers.map(str::to_owned).to_vec()),
            ..Default::default()
        }),
        hover_provider: Some(HoverProviderCapability::Simple(true)),
        definition_provider: Some(OneOf::Left(true)),
        references_provider: Some(OneOf::Left(true)),
        document_symbol_provider: Some(OneOf::Left(true)),
        code_action_provider: Some(CodeActionProviderCapability::Options(CodeActionOptions {
            code_action_kinds: Some(vec![CodeActionKind::QUICKFIX]),
            ..Default::default()
        })),
        ..Default::default()
    }
}

struct Server<'c> {
    connection: &'c Connection,
    encoding: Encoding,
    workspace: Workspace,
    checks: Sender<Check>,
    /// A check is under way; the next begins behind it, with the texts of then.
    busy: bool,
    waiting: Vec<Pipeline>,
    /// The files in which each configuration has faults that the editor shows.
    shown: HashMap<Pipeline, HashSet<PathBuf>>,
}

impl Server<'_> {
    fn serve(&mut self, results: &Receiver<Checked>) -> Result<bool, ServeError> {
        let messages = &self.connection.receiver;
        loop {
            select! {
                recv(messages) -> message => match message {
                    Ok(Message::Request(request)) => {
                        if self.connection.handle_shutdown(&request)? {
                            return Ok(true);
                        }
                        let response = self.answer(request);
                        self.send(Message::Response(response));
                    }
                    Ok(Message::Notification(told)) if told.method == notify::Exit::METHOD => {
                        return Ok(false);
                    }
                    Ok(Message::Notification(told)) => self.told(told),
                    Ok(Message::Response(_)) => {}
                    Err(_) => return Ok(false),
                },
                recv(results) -> checked => {
                    self.busy = false;
                    if let Ok(checked) = checked {
                        self.take(&checked);
                    }
                }
            }
            // What was typed meanwhile is read at once, not one check for each letter.
            if messages.is_empty() {
                self.check_next();
            }
        }
    }

    fn send(&self, message: Message) {
        // The editor is gone; the loop ends with the next message that does not come.
        self.connection.sender.send(message).ok();
    }

    fn notify<N: notify::Notification>(&self, params: N::Params) {
        let notification = Notification::new(N::METHOD.to_owned(), params);
        self.send(Message::Notification(notification));
    }

    /// Asks the editor to tell of files that change on the disk.
    fn watch_files(&self) -> Result<(), ServeError> {
        let watchers = ["**/*.yml", "**/*.yaml"].map(|pattern| FileSystemWatcher {
            glob_pattern: GlobPattern::String(pattern.to_owned()),
            kind: None,
        });
        let options = DidChangeWatchedFilesRegistrationOptions {
            watchers: watchers.to_vec(),
        };
        let params = RegistrationParams {
            registrations: vec![Registration {
                id: "files".to_owned(),
                method: notify::DidChangeWatchedFiles::METHOD.to_owned(),
                register_options: Some(serde_json::to_value(options)?),
            }],
        };
        let method = ask::RegisterCapability::METHOD.to_owned();
        let request = Request::new("files".to_owned().into(), method, params);
        self.send(Message::Request(request));
        Ok(())
    }

    // Checks.

    fn check(&mut self, pipelines: Vec<Pipeline>) {
        for pipeline in pipelines {
            if !self.waiting.contains(&pipeline) {
                self.waiting.push(pipeline);
            }
        }
    }

    fn check_next(&mut self) {
        if self.busy || self.waiting.is_empty() {
            return;
        }
        let check = Check {
            pipeline: self.waiting.remove(0),
            open: self.workspace.texts(),
        };
        self.busy = self.checks.send(check).is_ok();
    }

    fn take(&mut self, checked: &Checked) {
        self.workspace.take(checked);
        let found = diagnostics::of(checked, self.encoding);
        let faulty = |(path, list): (&PathBuf, &Vec<_>)| (!list.is_empty()).then(|| path.clone());
        let now: HashSet<PathBuf> = found.iter().filter_map(faulty).collect();
        let before = self.shown.insert(checked.pipeline.clone(), now);
        let gone = before.unwrap_or_default().into_iter();
        let gone: Vec<PathBuf> = gone.filter(|path| !found.contains_key(path)).collect();
        let gone = gone.into_iter().map(|path| (path, Vec::new()));
        for (path, diagnostics) in found.into_iter().chain(gone) {
            let Some(uri) = uri::of(&path) else {
                continue;
            };
            self.notify::<notify::PublishDiagnostics>(PublishDiagnosticsParams {
                uri,
                diagnostics,
                version: checked.open.get(&path).map(|open| open.version),
            });
        }
    }

    // What the editor tells.

    fn told(&mut self, told: Notification) {
        let params = told.params;
        match told.method.as_str() {
            notify::DidOpenTextDocument::METHOD => {
                if let Some(opened) = read::<notify::DidOpenTextDocument>(params)
                    && let Some(path) = uri::path(&opened.text_document.uri)
                {
                    let document = opened.text_document;
                    self.open(path, &document.text, document.version);
                }
            }
            notify::DidChangeTextDocument::METHOD => {
                if let Some(change) = read::<notify::DidChangeTextDocument>(params)
                    && let Some(path) = uri::path(&change.text_document.uri)
                    && let Some(before) = self.workspace.document(&path)
                {
                    let changes = change.content_changes;
                    let text = document::changed(&before.text, changes, self.encoding);
                    self.open(path, &text, change.text_document.version);
                }
            }
            notify::DidCloseTextDocument::METHOD => {
                if let Some(closed) = read::<notify::DidCloseTextDocument>(params)
                    && let Some(path) = uri::path(&closed.text_document.uri)
                {
                    let concerned = self.workspace.concerned(&path);
                    self.workspace.close(&path);
                    self.check(concerned);
                }
            }
            notify::DidSaveTextDocument::METHOD | notify::DidChangeWatchedFiles::METHOD => {
                self.check(self.workspace.all());
            }
            _ => {}
        }
    }

    fn open(&mut self, path: PathBuf, text: &str, version: i32) {
        self.workspace.open(path.clone(), text.into(), version);
        self.check(self.workspace.concerned(&path));
    }

    // What the editor asks.

    fn answer(&self, request: Request) -> Response {
        let id = request.id.clone();
        // A fault of ours must not end the conversation.
        let answered = catch_unwind(AssertUnwindSafe(|| self.result(request)));
        match answered {
            Ok(Ok(value)) => Response::new_ok(id, value),
            Ok(Err((code, text))) => Response::new_err(id, code as i32, text),
            Err(_) => {
                let text = "internal error".to_owned();
                Response::new_err(id, ErrorCode::InternalError as i32, text)
            }
        }
    }

    fn result(&self, request: Request) -> Result<Value, (ErrorCode, String)> {
        let params = request.params;
        match request.method.as_str() {
            ask::Completion::METHOD => give::<ask::Completion>(params, |params| {
                self.at(&params.text_document_position, |view, offset| {
                    let (items, is_incomplete) = completion::complete(view, offset, self.encoding);
                    CompletionResponse::List(CompletionList {
                        is_incomplete,
                        items,
                    })
                })
            }),
            ask::HoverRequest::METHOD => give::<ask::HoverRequest>(params, |params| {
                self.at(&params.text_document_position_params, |view, offset| {
                    hover::hover(view, offset, self.encoding)
                })
                .flatten()
            }),
            ask::GotoDefinition::METHOD => give::<ask::GotoDefinition>(params, |params| {
                self.at(&params.text_document_position_params, |view, offset| {
                    let found = navigation::definitions(view, offset, self.encoding);
                    GotoDefinitionResponse::Array(found)
                })
            }),
            ask::References::METHOD => give::<ask::References>(params, |params| {
                let all = params.context.include_declaration;
                self.at(&params.text_document_position, |view, offset| {
                    navigation::references(view, offset, all, self.encoding)
                })
            }),
            ask::DocumentSymbolRequest::METHOD => {
                give::<ask::DocumentSymbolRequest>(params, |params| {
                    let path = uri::path(&params.text_document.uri)?;
                    let view = self.workspace.view(&path)?;
                    let symbols = symbols::of(&view.document, self.encoding);
                    Some(DocumentSymbolResponse::Nested(symbols))
                })
            }
            ask::CodeActionRequest::METHOD => give::<ask::CodeActionRequest>(params, |params| {
                let uri: Uri = params.text_document.uri;
                Some(quick_fix::fixes(&uri, params.context.diagnostics))
            }),
            method => Err((
                ErrorCode::MethodNotFound,
                format!("`{method}` is not offered"),
            )),
        }
    }

    /// Looks at a place of an open file. Nothing is said about files that belong to no
    /// configuration.
    fn at<T>(
        &self,
        place: &TextDocumentPositionParams,
        look: impl FnOnce(&crate::workspace::View<'_>, usize) -> T,
    ) -> Option<T> {
        let path: &Path = &uri::path(&place.text_document.uri)?;
        let view = self.workspace.view(path)?;
        let offset = view.document.offset(place.position, self.encoding);
        Some(look(&view, offset))
    }
}

fn read<N: notify::Notification>(params: Value) -> Option<N::Params> {
    serde_json::from_value(params).ok()
}

fn give<R: ask::Request>(
    params: Value,
    answer: impl FnOnce(R::Params) -> R::Result,
) -> Result<Value, (ErrorCode, String)> {
    let params = serde_json::from_value(params)
        .map_err(|error| (ErrorCode::InvalidParams, error.to_string()))?;
    serde_json::to_value(answer(params))
        .map_err(|error| (ErrorCode::InternalError, error.to_string()))
}
