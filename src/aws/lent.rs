//! What an environment uses and does not own: objects of other environments of the project, found live by
//! their ownership tags, and objects that payctl did not create, found by what a config says of them.
//! payctl only reads them.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use futures::future::{BoxFuture, try_join_all};

use super::clients::{Aws, retry_read};
use super::kinds::USABLE;
use super::provider::AwsProvider;
use payctl_engine::model::address::Address;
use payctl_engine::model::error::{ErrorClass, OpError};
use payctl_engine::model::live::{Found, Live, Owner, Phase, Tags};
use payctl_engine::model::permit::Permit;
use payctl_engine::provider::Provider as _;

/// Something to look for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Asked {
    /// The objects of a kind that another environment of the project owns.
    Env {
        /// The environment.
        env: String,
        /// The kind.
        kind: String,
    },
    /// The objects of a kind of which a config says so much. payctl did not create them.
    Others {
        /// The kind.
        kind: String,
        /// What the config says.
        by: By,
    },
}

/// What a config says of objects of other owners.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum By {
    /// Their ids, or ARNs where a kind's ids are ARNs.
    Ids(BTreeSet<String>),
    /// The name of the only one.
    Name(String),
    /// Tags that they have.
    Tags(Tags),
}

impl By {
    /// The names, for policies: of an ARN the part after the first slash, and `*` if a config does not tell
    /// them.
    pub fn names(&self) -> BTreeSet<String> {
        let named = |text: &&str| match text.split_once('/') {
            Some((before, name)) if before.starts_with("arn:") => name.to_owned(),
            _ => (*text).to_owned(),
        };
        let texts = self.texts().unwrap_or_else(|| vec!["*"]);
        texts.iter().map(named).collect()
    }

    /// The single texts that name objects, if they are not named by tags.
    pub(super) fn texts(&self) -> Option<Vec<&str>> {
        match self {
            Self::Ids(ids) => Some(ids.iter().map(String::as_str).collect()),
            Self::Name(name) => Some(vec![name]),
            Self::Tags(_) => None,
        }
    }
}

impl fmt::Display for By {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (word, all) = match self {
            Self::Ids(ids) => ("the id", ids.iter().cloned().collect::<Vec<_>>()),
            Self::Name(name) => ("the name", vec![name.clone()]),
            Self::Tags(tags) => {
                let pairs = tags.iter().map(|(key, value)| format!("{key} = {value}"));
                (if tags.len() == 1 { "the tag" } else { "the tags" }, pairs.collect())
            }
        };
        write!(f, "{word} {}", all.join(", "))
    }
}

/// A kind of which an environment may use objects that it does not own.
#[derive(Clone, Copy)]
pub struct Usable {
    /// The kind.
    pub kind: &'static str,
    /// Finds objects that payctl did not create; none if a config cannot name them.
    pub find: Option<Finder>,
    /// The permissions to find those. `{name}` is what the config says.
    pub looks: &'static [Permit],
    /// The permissions to use one, besides those for own objects.
    pub uses: &'static [Permit],
    /// Actions that the kinds of an environment need on its own objects of this kind, and on these as well.
    pub also: &'static [(&'static str, &'static [&'static str])],
}

/// Finds objects of other owners.
pub type Finder = for<'a> fn(&'a Aws, &'a By) -> BoxFuture<'a, Result<Vec<Live>, OpError>>;

/// The objects behind each question, without those that AWS is deleting.
pub async fn find(
    aws: &Aws,
    asked: &BTreeSet<Asked>,
) -> Result<BTreeMap<Asked, Vec<Found>>, OpError> {
    let answers = asked.iter().map(|asked| async move {
        let mut found = match asked {
            Asked::Env { env, kind } => of_env(aws, env, kind).await?,
            Asked::Others { kind, by } => of_others(aws, kind, by).await?,
        };
        found.retain(|found| !matches!(found.live.phase, Phase::Deleting(_)));
        Ok((asked.clone(), found))
    });
    Ok(try_join_all(answers).await?.into_iter().collect())
}

async fn of_env(aws: &Aws, env: &str, kind: &str) -> Result<Vec<Found>, OpError> {
    let (provider, none) = (of(aws, env), BTreeMap::new());
    let mut found = retry_read(|| provider.survey(kind, &none, None)).await?;
    found.retain(|found| found.owner == Owner::Ours);
    Ok(found)
}

async fn of_others(aws: &Aws, kind: &str, by: &By) -> Result<Vec<Found>, OpError> {
    let usable = USABLE.iter().find(|usable| usable.kind == kind);
    let Some(find) = usable.and_then(|usable| usable.find) else {
        let message = format!("this version of payctl cannot find a {kind} of another owner");
        return Err(OpError::new(kind, ErrorClass::Bug, "UnknownKind", message));
    };
    let found = retry_read(|| find(aws, by)).await?.into_iter();
    let owner = || Owner::Foreign("its owner".to_owned());
    let found = found.map(|live| Found {
        address: Address::new(kind, live.id.as_str()),
        owner: owner(),
        live,
    });
    Ok(found.collect())
}

/// The cloud as another environment of the project sees it.
pub fn of(aws: &Aws, env: &str) -> AwsProvider {
    AwsProvider::new(aws.of(&aws.scope.project, env))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_looked_for_is_said_in_words() {
        let tags = |pairs: &[(&str, &str)]| {
            let pairs = pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
            By::Tags(pairs.collect())
        };
        assert_eq!(By::Name("logs".into()).to_string(), "the name logs");
        assert_eq!(tags(&[("Name", "shared")]).to_string(), "the tag Name = shared");
        let two = tags(&[("Name", "shared"), ("Tier", "private")]);
        assert_eq!(two.to_string(), "the tags Name = shared, Tier = private");
        let ids = By::Ids(BTreeSet::from(["vpc-1".into()]));
        assert_eq!(ids.to_string(), "the id vpc-1");
        assert_eq!(ids.names(), BTreeSet::from(["vpc-1".to_owned()]));
        let arn = By::Name("arn:aws:iam::123456789012:role/team/app".into());
        assert_eq!(arn.names(), BTreeSet::from(["team/app".to_owned()]));
        assert_eq!(two.names(), BTreeSet::from(["*".to_owned()]));
    }
}
