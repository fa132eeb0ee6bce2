//! Files of our own that pages use: a style sheet, a module, a picture. They are part of the
//! program; their addresses change with their content, so that a browser may keep them for ever.

use std::sync::LazyLock;

use axum::extract::Path;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use sha2::{Digest, Sha256};

/// A file.
struct Asset {
    name: &'static str,
    kind: &'static str,
    content: &'static str,
}

const ASSETS: [Asset; 3] = [
    Asset {
        name: "shipway.css",
        kind: "text/css; charset=utf-8",
        content: include_str!("../../assets/shipway.css"),
    },
    Asset {
        name: "shipway.js",
        kind: "text/javascript; charset=utf-8",
        content: include_str!("../../assets/shipway.js"),
    },
    Asset {
        name: "shipway.svg",
        kind: "image/svg+xml",
        content: include_str!("../../assets/shipway.svg"),
    },
];

/// The addresses, in the order of [`ASSETS`].
static ADDRESSES: LazyLock<Vec<String>> = LazyLock::new(|| {
    let address = |asset: &Asset| {
        let digest = Sha256::digest(asset.content);
        let short: String = digest
            .iter()
            .take(8)
            .map(|byte| format!("{byte:02x}"))
            .collect();
        format!("/-/assets/{short}/{}", asset.name)
    };
    ASSETS.iter().map(address).collect()
});

/// The address of a file below the server's root.
pub(super) fn address(name: &str) -> &'static str {
    let index = ASSETS.iter().position(|asset| asset.name == name);
    debug_assert!(index.is_some(), "no file is called {name}");
    index.map_or("", |index| ADDRESSES[index].as_str())
}

/// `GET /-/assets/{digest}/{name}`. A file of another version is answered as the one of this
/// version, but is not to be kept.
pub(super) async fn serve(Path((digest, name)): Path<(String, String)>) -> Response {
    let Some(asset) = ASSETS.iter().find(|asset| asset.name == name) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let current = address(asset.name).contains(&format!("/{digest}/"));
    let keep = match current {
        true => "public, max-age=31536000, immutable",
        false => "no-store",
    };
    let headers = [
        (header::CONTENT_TYPE, asset.kind),
        (header::CACHE_CONTROL, keep),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ];
    (headers, asset.content).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn files_may_be_kept_under_their_own_address_only() {
        let own = address("shipway.css").split('/').nth(3).unwrap().to_owned();
        for (digest, name, status, keep) in [
            (
                own.as_str(),
                "shipway.css",
                StatusCode::OK,
                Some("public, max-age=31536000, immutable"),
            ),
            ("0", "shipway.css", StatusCode::OK, Some("no-store")),
            (own.as_str(), "../Cargo.toml", StatusCode::NOT_FOUND, None),
        ] {
            let answer = serve(Path((digest.to_owned(), name.to_owned()))).await;
            assert_eq!(answer.status(), status, "{digest} {name}");
            let found = answer.headers().get(header::CACHE_CONTROL);
            assert_eq!(found.map(|value| value.to_str().unwrap()), keep);
        }
    }

    #[test]
    fn nothing_comes_from_other_hosts() {
        for asset in ASSETS {
            let own = asset.content.replace("http://www.w3.org/2000/svg", "");
            assert!(
                !own.contains("http://") && !own.contains("https://"),
                "{}",
                asset.name
            );
            assert!(!own.contains("@import"), "{}", asset.name);
        }
    }
}
