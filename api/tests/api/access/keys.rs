//! Keys made, shown, asked for wrongly and revoked.

use std::process::Command;

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::{Reply, TestApp};

use super::{FORBIDDEN, Guarded, Holder, UNAUTHENTICATED};

#[tokio::test]
async fn a_key_may_be_shown_in_either_header() {
    let guarded = Guarded::start().await;
    let show = |name: &'static str, value: String| {
        let request = guarded.app.request(Method::GET, "/orderbook");
        Reply::of(request.header(name, value))
    };
    let admin = guarded.admin.clone();
    let mut changed = admin.clone();
    changed.replace_range(
        admin.len() - 1..,
        if admin.ends_with('0') { "1" } else { "0" },
    );
    assert_eq!(show("X-API-Key", admin.clone()).await.status, 200);
    let bearer = show("Authorization", format!("Bearer {admin}")).await;
    assert_eq!(bearer.status, 200);
    for (name, value) in [
        ("X-API-Key", changed.clone()),
        ("X-API-Key", String::new()),
        ("X-API-Key", format!("{admin}, {admin}")),
        ("Authorization", format!("Bearer {changed}")),
        ("Authorization", format!("Basic {admin}")),
        ("Authorization", admin.clone()),
    ] {
        let reply = show(name, value.clone()).await;
        assert_eq!(reply.problem(), UNAUTHENTICATED, "{name}: {value}");
    }
}

#[tokio::test]
async fn keys_outlive_a_restart_and_revoked_ones_do_not() {
    let guarded = Guarded::start().await;
    let (kept_id, kept) = guarded
        .key("trader", "alice", json!({"requests_per_second": 7}))
        .await;
    let (revoked_id, revoked) = guarded.key("reader", "eve", json!({})).await;
    let revoke = format!("/admin/keys/{revoked_id}");
    let gone = guarded.admin().ask(Method::DELETE, &revoke, None).await;
    assert_eq!(
        (gone.status, gone.text.as_str()),
        (StatusCode::NO_CONTENT, "")
    );
    let again = guarded.admin().ask(Method::DELETE, &revoke, None).await;
    assert_eq!(again.problem(), (404, "not_found"));
    let refused = guarded.holds(&revoked).get("/orderbook").await;
    assert_eq!(refused.problem(), UNAUTHENTICATED);

    let Guarded { app, admin } = guarded;
    let guarded = Guarded {
        app: app.restart().await,
        admin,
    };
    assert_eq!(guarded.holds(&kept).get("/orders").await.status, 200);
    let refused = guarded.holds(&revoked).get("/orderbook").await;
    assert_eq!(refused.problem(), UNAUTHENTICATED);
    let keys = guarded.admin().get("/admin/keys").await;
    let keys = keys.body.as_array().unwrap();
    assert_eq!(keys.len(), 2);
    assert_eq!(keys[0]["role"], "admin");
    assert_eq!(keys[0]["client_id"], Value::Null);
    assert_eq!(keys[1]["key_id"], kept_id);
    assert_eq!(keys[1]["client_id"], "alice");
    assert_eq!(keys[1]["requests_per_second"], 7);
    assert!(keys[1].get("key").is_none());
}

#[tokio::test]
async fn no_file_ever_holds_a_key() {
    let guarded = Guarded::start().await;
    let (_, key) = guarded.key("trader", "alice", json!({})).await;
    let Guarded { app, admin } = guarded;
    let directory = app.stop_and_keep().await;
    let secrets = [admin, key].map(|key| key.rsplit('_').next().unwrap().to_owned());
    let mut files = 0;
    let mut to_read = vec![directory.path().join("data")];
    while let Some(path) = to_read.pop() {
        if path.is_dir() {
            to_read.extend(path.read_dir().unwrap().map(|entry| entry.unwrap().path()));
            continue;
        }
        files += 1;
        let content = std::fs::read(&path).unwrap();
        for secret in &secrets {
            let bytes: Vec<_> = (0..secret.len() / 2)
                .map(|at| u8::from_str_radix(&secret[2 * at..2 * at + 2], 16).unwrap())
                .collect();
            for needle in [secret.as_bytes(), &bytes] {
                let found = content.windows(needle.len()).any(|part| part == needle);
                assert!(!found, "{} holds a key", path.display());
            }
        }
    }
    assert!(files > 3, "{files} files");
}

fn shardbook(arguments: &[&str], directory: &TempDir) -> (Option<i32>, String, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_shardbook"))
        .args(arguments)
        .arg("--data-dir")
        .arg(directory.path().join("data"))
        .output()
        .unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (
        output.status.code(),
        text(output.stdout),
        text(output.stderr),
    )
}

#[tokio::test]
async fn the_first_key_is_made_by_the_command_line_while_nothing_is_served() {
    let directory = tempfile::tempdir().unwrap();
    let create = ["keys", "create", "--role"];
    let (code, key, told) = shardbook(&[&create[..], &["admin"]].concat(), &directory);
    assert_eq!(code, Some(0), "{told}");
    let key = key.strip_suffix('\n').unwrap();
    assert!(
        key.starts_with("sbk_") && !key.contains(char::is_whitespace),
        "{key}"
    );
    for (wrong, expected) in [
        (
            &["root"][..],
            "setting role: \"root\" is not allowed; allowed is reader",
        ),
        (&["trader"][..], "setting client_id"),
        (&["reader"][..], "setting client_id"),
        (
            &["trader", "--client-id", "a b"][..],
            "setting client_id: \"a b\"",
        ),
        (
            &["trader", "--client-id", "binance-x"][..],
            "setting client_id",
        ),
    ] {
        let (code, printed, told) = shardbook(&[&create[..], wrong].concat(), &directory);
        assert_eq!((code, printed.as_str()), (Some(2), ""), "{told}");
        assert!(told.contains(expected), "{told}");
    }
    let app = TestApp::open(directory, "auth = 'on'").await;
    let holder = Holder { app: &app, key };
    assert_eq!(holder.get("/admin/keys").await.status, 200);
    let trader = ["trader", "--client-id", "alice"];
    let arguments = [&create[..], &trader].concat();
    let (code, printed, told) = shardbook(&arguments, app.directory());
    assert_eq!((code, printed.as_str()), (Some(2), ""), "{told}");
    assert!(told.contains("in use by another process"), "{told}");
}

#[tokio::test]
async fn a_key_that_is_asked_for_wrongly_is_not_made() {
    let guarded = Guarded::start().await;
    let admin = guarded.admin();
    let rows = [
        (json!({}), "role"),
        (json!({"role": "root", "client_id": "a"}), "role"),
        (json!({"role": "trader"}), "client_id"),
        (json!({"role": "reader", "client_id": null}), "client_id"),
        (json!({"role": "trader", "client_id": "a b"}), "client_id"),
        (json!({"role": "trader", "client_id": 1}), "client_id"),
        (
            json!({"role": "admin", "requests_per_second": 0}),
            "requests_per_second",
        ),
        (
            json!({"role": "admin", "requests_per_second": 1.5}),
            "requests_per_second",
        ),
        (
            json!({"role": "admin", "requests_per_second": "7"}),
            "requests_per_second",
        ),
    ];
    for (key, field) in rows {
        let reply = admin.post("/admin/keys", &key).await;
        assert_eq!(reply.problem(), (422, "invalid_order"), "{key}");
        assert_eq!(reply.body["errors"][0]["field"], field, "{key}");
    }
    let feeds = json!({"role": "trader", "client_id": "binance-trades"});
    assert_eq!(admin.post("/admin/keys", &feeds).await.problem(), FORBIDDEN);
    let reply = admin.ask(Method::DELETE, "/admin/keys/abc", None).await;
    assert_eq!(reply.problem(), (404, "not_found"));
    let keys = admin.get("/admin/keys").await;
    assert_eq!(keys.body.as_array().unwrap().len(), 1);
}

#[test]
fn a_data_directory_that_can_not_be_one_is_a_wrong_setting() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("data"), "a file").unwrap();
    for command in [
        &["serve", "--feed", "off"][..],
        &["keys", "create", "--role", "admin"],
    ] {
        let (code, printed, told) = shardbook(command, &directory);
        assert_eq!((code, printed.as_str()), (Some(2), ""), "{told}");
        let path = directory.path().join("data");
        let expected = format!("setting data_dir: {path:?} is not allowed; allowed is a directory");
        assert!(told.contains(&expected), "{told}");
    }
}
