//! Which environment of which project, where.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::address::Address;
use super::live::Tags;

/// Ownership tag: the project.
pub const TAG_PROJECT: &str = "payctl:project";
/// Ownership tag: the environment.
pub const TAG_ENV: &str = "payctl:env";
/// Ownership tag: the region. Some objects belong to the account and are seen in every region.
pub const TAG_REGION: &str = "payctl:region";
/// Ownership tag: the address.
pub const TAG_ADDRESS: &str = "payctl:address";
/// The keys of the user's tags that payctl keeps up to date, separated by spaces.
pub const TAG_KEYS: &str = "payctl:tags";

/// The path above those of all environments in IAM.
pub const ROOT: &str = "/payctl/";

/// On what holds data of a protected environment: while it is there, nothing deletes the object.
pub const TAG_PROTECT: &str = "payctl:protect";
/// On what holds data of an environment that may be lost: a destroy takes it along unasked.
pub const TAG_DISPOSABLE: &str = "payctl:disposable";
/// When an environment may be collected: the latest such time among its objects counts.
pub const TAG_EXPIRES: &str = "payctl:expires";
/// When an object of such an environment was created.
pub const TAG_CREATED: &str = "payctl:created";
/// The environments that an object's environment uses something of, separated by spaces.
pub const TAG_BORROWS: &str = "payctl:borrows";
/// The value of a mark: of protection and of disposability.
pub const TAG_SET: &str = "true";

/// Whether an object may not be deleted. Whoever put the tag there, and with whatever value, meant that.
pub fn is_protected(tags: &Tags) -> bool {
    tags.contains_key(TAG_PROTECT)
}

/// Whether an object was made to be lost. Protection wins.
pub fn is_disposable(tags: &Tags) -> bool {
    !is_protected(tags) && tags.get(TAG_DISPOSABLE).is_some_and(|value| value == TAG_SET)
}

/// Where an environment lives and what it is called.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Scope {
    /// The project.
    pub project: String,
    /// The environment.
    pub env: String,
    /// The AWS account id.
    pub account: String,
    /// The region.
    pub region: String,
    /// The partition (`aws`, `aws-cn`, `aws-us-gov`).
    pub partition: String,
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { project, env, account, region, .. } = self;
        write!(f, "{project} {env} (account {account}, {region})")
    }
}

impl Scope {
    /// The four tags that make an object ours.
    pub fn ownership(&self, address: &Address) -> Tags {
        Tags::from([
            (TAG_PROJECT.to_owned(), self.project.clone()),
            (TAG_ENV.to_owned(), self.env.clone()),
            (TAG_REGION.to_owned(), self.region.clone()),
            (TAG_ADDRESS.to_owned(), address.to_string()),
        ])
    }

    /// The address that an object's tags claim, if they are this environment's in this region. That
    /// alone makes it ours only where there is no name: see `Survey::ours`, which every list goes
    /// through. Whoever has an object's id from there asks here whether it is ours still.
    pub fn owned(&self, tags: &Tags) -> Option<Address> {
        let is = |key, value: &String| tags.get(key) == Some(value);
        let here = is(TAG_ENV, &self.env) && is(TAG_REGION, &self.region);
        if is(TAG_PROJECT, &self.project) && here {
            tags.get(TAG_ADDRESS)?.parse().ok()
        } else {
            None
        }
    }

    /// Names the owner of an object that is not ours, from its tags.
    pub fn describe_owner(tags: &Tags) -> String {
        let keys = [TAG_PROJECT, TAG_ENV, TAG_REGION, TAG_ADDRESS];
        match keys.map(|key| tags.get(key)) {
            [Some(project), Some(env), Some(region), Some(address)] => {
                format!("payctl project {project}, environment {env} in {region}, {address}")
            }
            _ if tags.contains_key("aws:cloudformation:stack-name") => {
                format!("CloudFormation stack {}", tags["aws:cloudformation:stack-name"])
            }
            _ if tags.is_empty() => "somebody else (it has no tags)".to_owned(),
            _ => "somebody else (it has no payctl tags)".to_owned(),
        }
    }

    /// The path of every IAM role and instance profile of this environment in this region: one list
    /// call by path prefix finds them all.
    pub fn iam_path(&self) -> String {
        format!("{ROOT}{}/{}/{}/", self.project, self.env, self.region)
    }

    /// A text with what the scope tells: `{here}` (region and account, as ARNs have them), `{region}`,
    /// `{account}`, `{partition}`, `{dns}` (the domain of AWS's hosts) and `{path}` (of IAM).
    pub fn filled(&self, text: &str) -> String {
        let Self { account, region, partition, .. } = self;
        text.replace("{here}", &format!("{region}:{account}"))
            .replace("{region}", region)
            .replace("{account}", account)
            .replace("{partition}", partition)
            .replace("{dns}", self.dns())
            .replace("{path}", &self.iam_path())
    }

    /// The domain of AWS's hosts in this partition.
    pub fn dns(&self) -> &'static str {
        if self.partition == "aws-cn" { "amazonaws.com.cn" } else { "amazonaws.com" }
    }

    /// Whether a physical name carries this environment's name as a whole word, as every name that
    /// payctl gives does. Lists that cannot filter by tag are narrowed with it, and what has another
    /// name is not ours, whatever its tags say. An empty name says nothing.
    pub fn in_name(&self, name: &str) -> bool {
        name.match_indices(&self.env).any(|(at, _)| {
            let before = name[..at].chars().next_back();
            let after = name[at + self.env.len()..].chars().next();
            !before.is_some_and(char::is_alphanumeric) && !after.is_some_and(char::is_alphanumeric)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scope() -> Scope {
        Scope {
            project: "payment".into(),
            env: "pr-12".into(),
            account: "123456789012".into(),
            region: "us-east-1".into(),
            partition: "aws".into(),
        }
    }

    #[test]
    fn names_of_other_environments_are_not_ours() {
        assert!(scope().in_name("pr-12-payment-queue"));
        assert!(scope().in_name("/payment/vpc-id-pr-12"));
        assert!(!scope().in_name("pr-123-payment-queue"));
        assert!(!scope().in_name("xpr-12"));
    }

    #[test]
    fn protection_wins_over_disposability() {
        let tags = |pairs: &[(&str, &str)]| {
            pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
        };
        let check = |pairs: &[(&str, &str)], protected, disposable| {
            let tags: Tags = tags(pairs);
            assert_eq!((is_protected(&tags), is_disposable(&tags)), (protected, disposable));
        };
        check(&[], false, false);
        check(&[(TAG_PROTECT, "true")], true, false);
        check(&[(TAG_PROTECT, "no")], true, false);
        check(&[(TAG_DISPOSABLE, "true")], false, true);
        check(&[(TAG_DISPOSABLE, "no")], false, false);
        check(&[(TAG_DISPOSABLE, "true"), (TAG_PROTECT, "true")], true, false);
    }

    #[test]
    fn ownership_needs_project_and_environment() {
        let address = Address::new("sqs.queue", "jobs");
        let mut tags = scope().ownership(&address);
        assert_eq!(scope().owned(&tags), Some(address));
        tags.insert(TAG_PROJECT.into(), "other".into());
        assert_eq!(scope().owned(&tags), None);
    }

    #[test]
    fn objects_of_another_region_are_not_ours() {
        let elsewhere = Scope { region: "eu-west-1".into(), ..scope() };
        let tags = scope().ownership(&Address::new("iam.role", "orders"));
        assert_eq!(elsewhere.owned(&tags), None);
        let owner = "payctl project payment, environment pr-12 in us-east-1, iam.role/orders";
        assert_eq!(Scope::describe_owner(&tags), owner);
        assert_ne!(elsewhere.iam_path(), scope().iam_path());
    }
}
