//! Collections that know what was changed in them, so that the store keeps only that.
//!
//! A service's state is made of shelves. [`kept!`](crate::shelf::kept) says which fields of a state
//! the store keeps, and the compiler sees that none is forgotten.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, btree_map};
use std::fmt;
use std::ops::{Deref, DerefMut};
use std::rc::Rc;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// Objects by name. It reads like a map. Whatever may change an object or the choice of objects
/// notes the object's name.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Shelf<T> {
    items: BTreeMap<String, T>,
    #[serde(skip)]
    touched: BTreeSet<String>,
}

impl<T> Default for Shelf<T> {
    fn default() -> Self {
        Self::from(BTreeMap::new())
    }
}

/// All objects count as changed: the store does not know them yet.
impl<T> From<BTreeMap<String, T>> for Shelf<T> {
    fn from(items: BTreeMap<String, T>) -> Self {
        let touched = items.keys().cloned().collect();
        Self { items, touched }
    }
}

impl<T> Deref for Shelf<T> {
    type Target = BTreeMap<String, T>;

    fn deref(&self) -> &Self::Target {
        &self.items
    }
}

impl<'a, T> IntoIterator for &'a Shelf<T> {
    type Item = (&'a String, &'a T);
    type IntoIter = btree_map::Iter<'a, String, T>;

    fn into_iter(self) -> Self::IntoIter {
        self.items.iter()
    }
}

impl<T> Shelf<T> {
    /// An object that is about to change.
    pub(crate) fn get_mut(&mut self, name: &str) -> Option<&mut T> {
        let item = self.items.get_mut(name)?;
        self.touched.insert(name.to_owned());
        Some(item)
    }

    /// Puts an object under a name, and returns the one that was there.
    pub(crate) fn insert(&mut self, name: String, item: T) -> Option<T> {
        self.touched.insert(name.clone());
        self.items.insert(name, item)
    }

    /// Takes an object away.
    pub(crate) fn remove(&mut self, name: &str) -> Option<T> {
        let item = self.items.remove(name)?;
        self.touched.insert(name.to_owned());
        Some(item)
    }

    /// The place of an object that is about to change.
    pub(crate) fn entry(&mut self, name: String) -> btree_map::Entry<'_, String, T> {
        self.touched.insert(name.clone());
        self.items.entry(name)
    }

    /// All objects. Those that the caller changes count as changed, and no others.
    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = (&String, Touch<'_, '_, T>)> {
        let touched = Rc::new(RefCell::new(&mut self.touched));
        self.items.iter_mut().map(move |(name, item)| {
            let touch = Touch { name, item, touched: Rc::clone(&touched) };
            (name, touch)
        })
    }

    /// The same without names.
    pub(crate) fn values_mut(&mut self) -> impl Iterator<Item = Touch<'_, '_, T>> {
        self.iter_mut().map(|(_, item)| item)
    }

    /// Takes away the objects that are not to stay.
    pub(crate) fn retain(&mut self, mut stays: impl FnMut(&String, &mut Touch<'_, '_, T>) -> bool) {
        let touched = Rc::new(RefCell::new(&mut self.touched));
        self.items.retain(|name, item| {
            let mut touch = Touch { name, item, touched: Rc::clone(&touched) };
            let stays = stays(name, &mut touch);
            if !stays {
                touch.note();
            }
            stays
        });
    }
}

/// An object in a walk over a shelf. It counts as changed once it is borrowed to be changed.
pub(crate) struct Touch<'a, 's, T> {
    name: &'a str,
    item: &'a mut T,
    touched: Rc<RefCell<&'s mut BTreeSet<String>>>,
}

impl<'a, T> Touch<'a, '_, T> {
    /// The object, about to change, for longer than the walk.
    pub(crate) fn into_mut(self) -> &'a mut T {
        self.note();
        self.item
    }

    fn note(&self) {
        self.touched.borrow_mut().insert(self.name.to_owned());
    }
}

impl<T> Deref for Touch<'_, '_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        self.item
    }
}

impl<T> DerefMut for Touch<'_, '_, T> {
    fn deref_mut(&mut self) -> &mut T {
        self.note();
        self.item
    }
}

/// Where something stands in the world: `sqs/queues`.
#[derive(Clone, Copy)]
pub(crate) struct Place<'a> {
    above: Option<&'a Place<'a>>,
    name: &'a str,
}

impl<'a> Place<'a> {
    /// The place of the world itself.
    pub(crate) const TOP: Self = Self { above: None, name: "" };

    /// The place of a name below another place.
    pub(crate) fn below(above: &'a Place<'a>, name: &'a str) -> Self {
        Self { above: Some(above), name }
    }
}

impl fmt::Display for Place<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.above {
            Some(above) if above.above.is_some() => write!(f, "{above}/{}", self.name),
            Some(_) | None => f.write_str(self.name),
        }
    }
}

/// What is told each piece of a state and its place.
pub(crate) type Visit<'v> = dyn FnMut(&Place<'_>, &mut dyn Piece) + 'v;

/// A part of the world that the store keeps.
pub(crate) trait Kept {
    /// Shows every piece.
    fn each(&mut self, place: &Place<'_>, visit: &mut Visit<'_>);

    /// The piece at a path below. There is none if another version of the sandbox wrote it.
    fn reach(&mut self, path: &[&str]) -> Option<&mut dyn Piece>;
}

/// A name and the JSON text of what it stands for now. Nothing stands for a name that is gone.
pub(crate) type Changed = (String, Option<String>);

/// The store's view of a shelf, or of a single value.
pub(crate) trait Piece {
    /// What may have changed since it was last saved.
    fn changes(&self) -> serde_json::Result<Vec<Changed>>;
    /// Notes that everything is saved.
    fn saved(&mut self);
    /// Notes that nothing is saved.
    fn unsaved(&mut self);
    /// Takes in what another process wrote.
    fn set(&mut self, name: &str, text: Option<&str>) -> serde_json::Result<()>;
    /// Forgets everything.
    fn clear(&mut self);
}

impl<T: Serialize + DeserializeOwned> Kept for Shelf<T> {
    fn each(&mut self, place: &Place<'_>, visit: &mut Visit<'_>) {
        visit(place, self);
    }

    fn reach(&mut self, path: &[&str]) -> Option<&mut dyn Piece> {
        path.is_empty().then_some(self)
    }
}

impl<T: Serialize + DeserializeOwned> Piece for Shelf<T> {
    fn changes(&self) -> serde_json::Result<Vec<Changed>> {
        let text = |name: &String| {
            let text = self.items.get(name).map(serde_json::to_string).transpose()?;
            Ok((name.clone(), text))
        };
        self.touched.iter().map(text).collect()
    }

    fn saved(&mut self) {
        self.touched.clear();
    }

    fn unsaved(&mut self) {
        self.touched.extend(self.items.keys().cloned());
    }

    fn set(&mut self, name: &str, text: Option<&str>) -> serde_json::Result<()> {
        self.touched.remove(name);
        match text {
            Some(text) => self.items.insert(name.to_owned(), serde_json::from_str(text)?),
            None => self.items.remove(name),
        };
        Ok(())
    }

    fn clear(&mut self) {
        *self = Self::default();
    }
}

/// Parts of the world by name: the regions of a service.
impl<T: Kept + Default> Kept for BTreeMap<String, T> {
    fn each(&mut self, place: &Place<'_>, visit: &mut Visit<'_>) {
        for (name, part) in self {
            part.each(&Place::below(place, name), visit);
        }
    }

    fn reach(&mut self, path: &[&str]) -> Option<&mut dyn Piece> {
        let (name, below) = path.split_first()?;
        self.entry((*name).to_owned()).or_default().reach(below)
    }
}

/// Says which fields of a state the store keeps: all of them, except those after `not`.
macro_rules! kept {
    ($state:ty { $($field:ident),+ $(,)? } $(not { $($skipped:ident),+ })?) => {
        impl $crate::shelf::Kept for $state {
            fn each(
                &mut self,
                place: &$crate::shelf::Place<'_>,
                visit: &mut $crate::shelf::Visit<'_>,
            ) {
                let Self { $($field,)+ $($($skipped: _,)+)? } = self;
                $({
                    let place = $crate::shelf::Place::below(place, stringify!($field));
                    $crate::shelf::Kept::each($field, &place, visit);
                })+
            }

            fn reach(&mut self, path: &[&str]) -> Option<&mut dyn $crate::shelf::Piece> {
                let (name, below) = path.split_first()?;
                match *name {
                    $(stringify!($field) => $crate::shelf::Kept::reach(&mut self.$field, below),)+
                    _ => None,
                }
            }
        }
    };
}
pub(crate) use kept;

/// Says that the store keeps a type as one value.
macro_rules! kept_whole {
    ($value:ty) => {
        impl $crate::shelf::Kept for $value {
            fn each(
                &mut self,
                place: &$crate::shelf::Place<'_>,
                visit: &mut $crate::shelf::Visit<'_>,
            ) {
                visit(place, self);
            }

            fn reach(&mut self, path: &[&str]) -> Option<&mut dyn $crate::shelf::Piece> {
                path.is_empty().then_some(self)
            }
        }

        impl $crate::shelf::Piece for $value {
            fn changes(&self) -> serde_json::Result<Vec<$crate::shelf::Changed>> {
                Ok(vec![(String::new(), Some(serde_json::to_string(self)?))])
            }

            fn saved(&mut self) {}

            fn unsaved(&mut self) {}

            fn set(&mut self, _: &str, text: Option<&str>) -> serde_json::Result<()> {
                *self = text.map(serde_json::from_str).transpose()?.unwrap_or_default();
                Ok(())
            }

            fn clear(&mut self) {
                *self = Self::default();
            }
        }
    };
}
pub(crate) use kept_whole;

kept_whole!(u32);

#[cfg(test)]
mod tests {
    use super::*;

    fn saved(items: &[(&str, u32)]) -> Shelf<u32> {
        let items = items.iter().map(|(name, number)| ((*name).to_owned(), *number));
        let mut shelf = Shelf::from(items.collect::<BTreeMap<_, _>>());
        shelf.saved();
        shelf
    }

    fn changes(shelf: &Shelf<u32>) -> Vec<(String, Option<String>)> {
        shelf.changes().unwrap()
    }

    fn change(name: &str, text: Option<&str>) -> Changed {
        (name.to_owned(), text.map(str::to_owned))
    }

    #[test]
    fn a_shelf_names_what_was_changed_and_nothing_else() {
        let mut shelf = saved(&[("a", 1), ("b", 2), ("c", 3)]);
        assert_eq!(shelf.get("a"), Some(&1));
        assert_eq!(shelf.get_mut("x"), None);
        assert_eq!(shelf.remove("x"), None);
        assert_eq!(changes(&shelf), []);
        *shelf.get_mut("a").unwrap() = 7;
        shelf.remove("b");
        shelf.insert("d".into(), 4);
        *shelf.entry("e".into()).or_default() += 1;
        let all = [
            change("a", Some("7")),
            change("b", None),
            change("d", Some("4")),
            change("e", Some("1")),
        ];
        assert_eq!(changes(&shelf), all);
        shelf.saved();
        assert_eq!(changes(&shelf), []);
    }

    #[test]
    fn a_walk_touches_what_it_changes() {
        let mut shelf = saved(&[("a", 1), ("b", 2), ("c", 3)]);
        for (name, mut number) in shelf.iter_mut() {
            if name == "b" && *number == 2 {
                *number = 20;
            }
        }
        assert_eq!(changes(&shelf), [change("b", Some("20"))]);
        shelf.saved();
        *shelf.values_mut().find(|number| **number == 3).unwrap().into_mut() = 30;
        assert_eq!(changes(&shelf), [change("c", Some("30"))]);
        shelf.saved();
        shelf.retain(|name, number| {
            if **number == 20 {
                **number = 21;
            }
            name != "c"
        });
        assert_eq!(changes(&shelf), [change("b", Some("21")), change("c", None)]);
    }

    #[test]
    fn what_another_process_wrote_needs_no_saving() {
        let mut shelf = saved(&[("a", 1), ("b", 2)]);
        *shelf.get_mut("a").unwrap() = 5;
        shelf.set("a", Some("6")).unwrap();
        shelf.set("b", None).unwrap();
        shelf.set("c", Some("8")).unwrap();
        assert_eq!(*shelf, BTreeMap::from([("a".to_owned(), 6), ("c".to_owned(), 8)]));
        assert_eq!(changes(&shelf), []);
        assert!(shelf.set("c", Some("no number")).is_err());
    }
}
