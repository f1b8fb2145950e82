//! Who may do what, and how much.

mod keys;
mod limits;
mod roles;

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use shardbook_api::app::create_key;
use shardbook_api::settings::KeyArguments;
use tempfile::TempDir;

use crate::support::{Reply, TestApp, order_of};

/// An exchange that asks for keys, and its administrator's.
struct Guarded {
    app: TestApp,
    admin: String,
}

/// Someone who holds a key.
struct Holder<'a> {
    app: &'a TestApp,
    key: &'a str,
}

impl Guarded {
    async fn start() -> Self {
        Self::start_with("auth = 'on'").await
    }

    async fn start_with(settings: &'static str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let admin = key_made_by_hand(&directory, "admin", None);
        let app = TestApp::open(directory, settings).await;
        Self { app, admin }
    }

    fn admin(&self) -> Holder<'_> {
        self.holds(&self.admin)
    }

    fn holds<'a>(&'a self, key: &'a str) -> Holder<'a> {
        Holder {
            app: &self.app,
            key,
        }
    }

    /// Makes a key, and returns its id and its text.
    async fn key(&self, role: &str, client: &str, more: Value) -> (String, String) {
        let mut key = json!({"role": role, "client_id": client});
        key.as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        let made = self.admin().post("/admin/keys", &key).await;
        assert_eq!(made.status, StatusCode::CREATED, "{}", made.text);
        let text = |field: &str| made.body[field].as_str().unwrap().to_owned();
        (text("key_id"), text("key"))
    }
}

fn key_made_by_hand(directory: &TempDir, role: &str, client_id: Option<&str>) -> String {
    let arguments = KeyArguments {
        role: role.to_owned(),
        client_id: client_id.map(str::to_owned),
        data_dir: directory.path().join("data"),
    };
    create_key(&arguments).unwrap().reveal()
}

impl Holder<'_> {
    async fn ask(&self, method: Method, path: &str, body: Option<&Value>) -> Reply {
        let request = self.app.request(method, path).header("X-API-Key", self.key);
        Reply::of(match body {
            Some(body) => request.json(body),
            None => request,
        })
        .await
    }

    async fn get(&self, path: &str) -> Reply {
        self.ask(Method::GET, path, None).await
    }

    /// Reads what the database has, once it has taken it in.
    async fn get_projected(&self, path: &str) -> Reply {
        loop {
            let reply = self.get(path).await;
            if reply.problem() != (503, "database_unavailable") {
                return reply;
            }
        }
    }

    async fn post(&self, path: &str, body: &Value) -> Reply {
        self.ask(Method::POST, path, Some(body)).await
    }

    async fn place(&self, order: &str) -> Reply {
        self.post("/orders", &order_of(order, json!({}))).await
    }
}

const FORBIDDEN: (u16, &str) = (403, "forbidden");
const NOT_FOUND: (u16, &str) = (404, "order_not_found");
const UNAUTHENTICATED: (u16, &str) = (401, "unauthenticated");
