//! The rules of `[checks]`.

use crate::config::key_path::KeyPath;
use crate::words::checks::{CheckAuthorization, Method};

use super::Rules;

impl Rules<'_> {
    pub(super) fn checks(&mut self) {
        for (name, check) in &self.config.checks {
            let path = KeyPath::of("checks").key(name);
            let url = &*check.url;
            let fix = "remove it, and set the header `authorization`";
            self.web_address(&path.key("url"), url, "validate", fix);
            if check.authorization == CheckAuthorization::Iam {
                if url.starts_with("http://") {
                    let message = "a signed request needs https";
                    self.say(&path.key("url"), message, "write https://");
                }
                let own = |name: &&str| check.headers.keys().any(|header| &**header == *name);
                if let Some(own) = ["authorization", "x-amz-date"].into_iter().find(own) {
                    let message = format!("the signature sets the header `{own}`");
                    self.say(&path.key("headers"), message, "remove it, or `authorization`");
                }
            }
            if check.body.is_some() && matches!(check.method, Method::Get | Method::Head) {
                let message = format!("a {} request has no body", check.method.aws());
                self.say(&path.key("body"), message, "set `method = \"POST\"`, or remove `body`");
            }
            if !check.json.is_empty() && check.method == Method::Head {
                let message = "the answer to a HEAD request has no body";
                self.say(&path.key("json"), message, "set `method = \"GET\"`, or remove `json`");
            }
            if check.latency_ms.is_some_and(|most| most > check.timeout * 1000) {
                let message = "the answer may take longer than payctl waits for it";
                let fix = "lower it, or raise `timeout`";
                self.say(&path.key("latency_ms"), message, fix);
            }
        }
    }

    /// The address of a request that payctl makes. `without` says what to do instead of a password in it.
    pub(super) fn web_address(&mut self, path: &KeyPath, url: &str, page: &str, without: &str) {
        if !["http://", "https://", "${"].iter().any(|begin| url.starts_with(begin)) {
            let fix = format!("write for example `${{apis.payments.url}}/{page}`");
            self.say(path, format!("`{url}` is not an address"), fix);
        }
        // payctl shows addresses.
        let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
        if rest.split(['/', '?', '#']).next().is_some_and(|host| host.contains('@')) {
            self.say(path, "an address has no user and no password", without);
        }
    }
}
