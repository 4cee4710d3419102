//! How long steps took in earlier runs, in the user's cache.
//!
//! Only estimates use it. payctl never needs the file: without it, or with one that it cannot read, the
//! estimates come from the facts of the kinds. You may delete it at any time.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::{Global, variable};
use payctl_engine::apply::Report;
use payctl_engine::event::Verb;
use payctl_engine::outlook::Learned;

/// How many runs count.
const RUNS: usize = 9;

/// By place, then by kind and step: the seconds of the last runs, the newest last.
type Runs = BTreeMap<String, BTreeMap<String, Vec<f64>>>;

/// Where durations are learnt and used.
pub(super) struct Memory {
    file: Option<PathBuf>,
    /// The cloud that they hold for; `None` for an endpoint that has a pace of its own.
    place: Option<String>,
    /// How much faster than AWS its clock runs.
    pub(super) speed: u32,
}

impl Memory {
    /// The memory for the cloud that a command works on.
    pub(super) fn of(global: &Global) -> Self {
        let cache = variable("XDG_CACHE_HOME").map(PathBuf::from);
        let cache = cache.or_else(|| Some(PathBuf::from(variable("HOME")?).join(".cache")));
        let file = cache.map(|cache| cache.join("payctl").join("durations.json"));
        let (place, speed) = place(global);
        Self { file, place, speed }
    }

    /// Whether estimates hold for this cloud: the embedded AWS at its fast pace, say, is no measure.
    pub(super) fn is_measure(&self) -> bool {
        self.place.is_some()
    }

    /// What earlier runs have taught: the middle of the last ones.
    pub(super) fn recall(&self) -> Learned {
        let Some((file, place)) = self.file.as_deref().zip(self.place.as_deref()) else {
            return Learned::new();
        };
        let runs = read(file).remove(place).unwrap_or_default();
        let middle = |(step, mut seconds): (String, Vec<f64>)| {
            let (kind, word) = step.split_once(' ')?;
            let verb = VERBS.into_iter().find(|verb| self::word(*verb) == word)?;
            seconds.sort_by(f64::total_cmp);
            let middle = Duration::try_from_secs_f64(*seconds.get(seconds.len() / 2)?).ok()?;
            Some(((kind.to_owned(), verb), middle))
        };
        runs.into_iter().filter_map(middle).collect()
    }

    /// Keeps what a run took. What cannot be written is forgotten.
    pub(super) fn learn(&self, report: &Report) {
        let Some((file, place)) = self.file.as_deref().zip(self.place.as_ref()) else { return };
        let mut all = read(file);
        let runs = all.entry(place.clone()).or_default();
        for (address, verb, took) in &report.took {
            let seconds = runs.entry(format!("{} {}", address.kind, word(*verb))).or_default();
            seconds.push((took.as_secs_f64() * 10.0).round() / 10.0);
            seconds.drain(..seconds.len().saturating_sub(RUNS));
        }
        let Ok(text) = serde_json::to_string(&all) else { return };
        let new = file.with_extension(format!("{}.new", std::process::id()));
        let folder = file.parent().map(fs::create_dir_all);
        if matches!(folder, Some(Ok(()))) && fs::write(&new, text).is_ok() {
            drop(fs::rename(&new, file));
        }
    }
}

const VERBS: [Verb; 3] = [Verb::Create, Verb::Update, Verb::Delete];

fn word(verb: Verb) -> &'static str {
    match verb {
        Verb::Create => "create",
        Verb::Update => "change",
        Verb::Delete => "delete",
    }
}

fn read(file: &Path) -> Runs {
    let text = fs::read_to_string(file).unwrap_or_default();
    serde_json::from_str(&text).unwrap_or_default()
}

/// The cloud that durations hold for, and its speed.
fn place(global: &Global) -> (Option<String>, u32) {
    #[cfg(feature = "sandbox")]
    if global.sandbox {
        let speed = u32::from(global.sandbox_speed);
        return match global.sandbox_pace {
            super::SandboxPace::Real => (Some(format!("sandbox x {speed}")), speed),
            super::SandboxPace::Fast => (None, 1),
        };
    }
    let is_elsewhere = global.endpoint_url.is_some() || variable("AWS_ENDPOINT_URL").is_some();
    ((!is_elsewhere).then(|| "aws".to_owned()), 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use payctl_engine::model::address::Address;

    #[test]
    fn the_middle_of_the_last_runs_is_recalled_and_a_broken_file_is_forgotten() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("payctl").join("durations.json");
        let memory = Memory { file: Some(file.clone()), place: Some("aws".into()), speed: 1 };
        let nat = Address::new("ec2.nat_gateway", "nat-1");
        assert!(memory.recall().is_empty());
        for seconds in [300, 100, 90, 110] {
            let took = vec![(nat.clone(), Verb::Create, Duration::from_secs(seconds))];
            memory.learn(&Report { took, ..Report::default() });
        }
        let known = memory.recall();
        assert_eq!(known[&(nat.kind.clone(), Verb::Create)], Duration::from_secs(110));
        // Another cloud has a pace of its own.
        let other = Memory { place: Some("sandbox x 1".into()), ..memory };
        assert!(other.recall().is_empty());
        fs::write(&file, "{").unwrap();
        assert!(Memory { place: Some("aws".into()), ..other }.recall().is_empty());
    }
}
