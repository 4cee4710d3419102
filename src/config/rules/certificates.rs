//! The rules of `[certificates]`, and of domain names that need one.

use super::Rules;
use crate::config::key_path::KeyPath;
use crate::config::problem::suggest;
use crate::config::schema::certificates::Certificate;
use crate::config::schema::text::{DomainName, ItemName};
use crate::words::domains::is_within;

/// The longest first name: it is the common name of the certificate.
const LONGEST: usize = 64;

impl Rules<'_> {
    pub(super) fn certificates(&mut self) {
        for (name, config) in &self.config.certificates {
            let path = KeyPath::of("certificates").key(name);
            let length = config.domain.len();
            if length > LONGEST {
                let message = format!("too long: {length} characters, at most {LONGEST}");
                let fix = "make a shorter name the first, and list this one in `names`";
                self.say(&path.key("domain"), message, fix);
            }
            if config.names.contains(&config.domain) {
                let message = format!("`{}` is the first name already", config.domain.0);
                self.say(&path.key("names"), message, "remove it here");
            }
            let zone = self.config.zone_for(config.zone.as_ref());
            for own in config.all_names() {
                let key = if *own == config.domain { "domain" } else { "names" };
                self.in_zone(&path.key(key), own.trim_start_matches("*."), zone);
            }
        }
    }

    /// A name must be in the zone that its record is written into.
    pub(super) fn in_zone(&mut self, path: &KeyPath, name: &str, zone: Option<&DomainName>) {
        if let Some(zone) = zone
            && !is_within(name, zone)
        {
            let message = format!("`{name}` is not in the zone {}", zone.0);
            self.say(path, message, "use a name below the zone, or set `zone` beside it");
        }
    }

    /// The certificate of this config that a value names, if it names one.
    pub(super) fn certificate_of(&self, given: &str) -> Option<&Certificate> {
        self.config.certificates.get(&ItemName(given.to_owned()))
    }

    /// A certificate, by its name in this config or by its ARN.
    pub(super) fn certificate(&mut self, path: &KeyPath, given: &str) {
        let names = self.loaded.names("certificates");
        if given.starts_with("${") || names.contains(&given) {
            return;
        }
        let parts: Vec<&str> = given.split(':').collect();
        match parts.as_slice() {
            ["arn", _, "acm", region, _, name] if name.starts_with("certificate/") => {
                if *region != self.config.region.0 {
                    let message = format!("this certificate is in {region}");
                    let fix = format!("use a certificate in {}", self.config.region.0);
                    self.say(path, message, fix);
                }
            }
            ["arn", ..] => {
                let fix = "arn:aws:acm:REGION:ACCOUNT:certificate/ID";
                self.say(path, "this is not the ARN of an ACM certificate", fix);
            }
            _ => {
                let message = format!(
                    "[certificates] has no `{given}`, and this is not the ARN of an ACM certificate"
                );
                let fix = suggest(given, names.iter().copied(), "names in [certificates]");
                self.say(path, message, fix);
            }
        }
    }

    /// A certificate of this config must stand for the name that it is used for.
    pub(super) fn covers(&mut self, path: &KeyPath, certificate: &str, name: &str) {
        let Some(found) = self.certificate_of(certificate) else { return };
        if !found.covers(name) {
            let message = format!("the certificate `{certificate}` does not stand for `{name}`");
            let fix = format!("add it to `names` of [certificates.{certificate}]");
            self.say(path, message, fix);
        }
    }
}
