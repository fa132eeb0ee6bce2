//! Somebody with a browser, without scripts.

use reqwest::{Method, RequestBuilder, Response};

use crate::html;
use crate::site::{PASSWORD, Site};

/// A browser with or without a session.
pub(crate) struct Browser<'a> {
    site: &'a Site,
    cookie: Option<String>,
}

/// What a browser got.
pub(crate) struct Page {
    pub(crate) status: u16,
    pub(crate) location: String,
    pub(crate) text: String,
}

impl<'a> Browser<'a> {
    pub(crate) fn anonymous(site: &'a Site) -> Self {
        Self { site, cookie: None }
    }

    /// Signed in by the form.
    pub(crate) async fn sign_in(site: &'a Site, name: &str) -> Self {
        let form = [("user[login]", name), ("user[password]", PASSWORD)];
        let answer = site.request(Method::POST, "/users/sign_in");
        let answer = with_form(answer, &form).send().await.unwrap();
        assert_eq!(answer.status(), 303, "{name} cannot sign in");
        let cookie = answer.headers()["set-cookie"].to_str().unwrap();
        Self {
            site,
            cookie: Some(cookie.split(';').next().unwrap().to_owned()),
        }
    }

    pub(crate) async fn fetch(&self, path: &str) -> Response {
        let mut request = self.site.request(Method::GET, path);
        if let Some(cookie) = &self.cookie {
            request = request.header("cookie", cookie);
        }
        request.send().await.unwrap()
    }

    /// A page; one of HTML is well-formed.
    pub(crate) async fn get(&self, path: &str) -> Page {
        page(self.fetch(path).await).await
    }

    /// A page that is there.
    pub(crate) async fn see(&self, path: &str) -> String {
        let page = self.get(path).await;
        assert_eq!(page.status, 200, "{path}: {}", page.text);
        page.text
    }

    /// Sends a form of the page at `from`, with the token that the page has.
    pub(crate) async fn submit(&self, from: &str, to: &str, fields: &[(&str, &str)]) -> Page {
        let token = self.token(from).await;
        let mut fields = fields.to_vec();
        fields.push(("authenticity_token", &token));
        self.post(to, &fields).await
    }

    /// The token that the forms of a page have.
    pub(crate) async fn token(&self, from: &str) -> String {
        let page = self.see(from).await;
        let token = html::after(&page, "name=\"authenticity_token\" value=\"");
        token.expect("the page has no form").to_owned()
    }

    /// Sends a body as it is.
    pub(crate) async fn send(
        &self,
        method: Method,
        to: &str,
        kind: &str,
        body: Vec<u8>,
    ) -> Response {
        let mut request = self.site.request(method, to).header("content-type", kind);
        if let Some(cookie) = &self.cookie {
            request = request.header("cookie", cookie);
        }
        request.body(body).send().await.unwrap()
    }

    /// Sends a form as it is.
    pub(crate) async fn post(&self, to: &str, fields: &[(&str, &str)]) -> Page {
        let mut request = with_form(self.site.request(Method::POST, to), fields);
        if let Some(cookie) = &self.cookie {
            request = request.header("cookie", cookie);
        }
        page(request.send().await.unwrap()).await
    }
}

fn with_form(request: RequestBuilder, fields: &[(&str, &str)]) -> RequestBuilder {
    let encode = |text: &str| -> String {
        let escape = |byte: u8| match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' => char::from(byte).to_string(),
            other => format!("%{other:02X}"),
        };
        text.bytes().map(escape).collect()
    };
    let pairs = (fields.iter()).map(|(name, value)| format!("{}={}", encode(name), encode(value)));
    request
        .header("content-type", "application/x-www-form-urlencoded")
        .body(pairs.collect::<Vec<_>>().join("&"))
}

async fn page(answer: Response) -> Page {
    let header = |name: &str| {
        let value = answer.headers().get(name);
        value.map_or_else(String::new, |value| value.to_str().unwrap().to_owned())
    };
    let (location, kind) = (header("location"), header("content-type"));
    let status = answer.status().as_u16();
    let policy = header("content-security-policy");
    assert!(policy.contains("default-src"), "no policy: {policy}");
    let text = answer.text().await.unwrap();
    if kind.starts_with("text/html") {
        html::check(&text);
    }
    Page {
        status,
        location,
        text,
    }
}
