//! Domain names, as the config and AWS both write them.

/// Whether a name is that of a zone, or one below it.
pub fn is_within(name: &str, zone: &str) -> bool {
    name.strip_suffix(zone).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_zone_has_its_own_name_and_the_names_below() {
        assert!(is_within("example.com", "example.com"));
        assert!(is_within("api.dev.example.com", "example.com"));
        assert!(!is_within("anexample.com", "example.com"));
        assert!(!is_within("com", "example.com"));
    }
}
