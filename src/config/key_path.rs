//! Paths of keys into a config: what a rule walks along, and where its problems stand.

/// A path of keys, from the top level of the config down: `tables`, `orders`, `indexes`.
#[derive(Clone, Debug)]
pub struct KeyPath(Vec<String>);

impl KeyPath {
    /// The path of a key of the top level, usually a section.
    pub fn of(section: &str) -> Self {
        Self(vec![section.to_owned()])
    }

    /// The path of a key of the table at this path.
    pub fn key(&self, key: &str) -> Self {
        let mut keys = self.0.clone();
        keys.push(key.to_owned());
        Self(keys)
    }

    /// The path of an item of the list at this path, counted from 0.
    pub fn item(&self, number: usize) -> Self {
        self.key(&number.to_string())
    }

    /// The keys, from the top level down.
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }

    /// The key of the top level.
    pub fn section(&self) -> &str {
        self.0.first().map_or("", String::as_str)
    }
}
