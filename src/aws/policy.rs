//! The least IAM policy for a task, from the permissions that the kinds declare.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use super::census;
use super::facts;
use super::kinds::{HOLDERS, INDEXES, KINDS, LATE, USABLE};
use super::traffic;
use super::{leases, leftovers, measured, pricing, spent};
use payctl_engine::model::permit::{Only, Permit, When};
use payctl_engine::model::scope::{Scope, TAG_ENV, TAG_PROJECT};

/// What the flags of `payctl cost` need that call AWS, and `payctl prices update`.
pub const COST: [&[Permit]; 3] = [measured::PERMITS, pricing::PERMITS, spent::PERMITS];

/// How many characters AWS allows in a managed policy, white space not counted.
pub const LIMIT: usize = 6144;

/// A task with an environment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Task {
    /// Plan it, and look at it in every other way.
    Plan,
    /// Check what is deployed of it.
    Check,
    /// Create and change it, and delete objects that it no longer wants.
    Apply,
    /// Delete it.
    Destroy,
    /// Move its traffic.
    Shift,
    /// Find environments whose time has passed, and delete them; sweep what was written late.
    Gc,
    /// List all environments of the account.
    EnvList,
    /// Compare its cost with AWS's prices, measures and bills.
    Cost,
}

impl Task {
    fn needs(self, when: When) -> bool {
        match self {
            Self::Plan | Self::Shift | Self::Cost => when == When::Look,
            Self::Check => matches!(when, When::Look | When::Check),
            Self::Apply => when != When::Check,
            Self::Destroy | Self::Gc => matches!(when, When::Look | When::Watch | When::Delete),
            Self::EnvList => false,
        }
    }
}

/// The names of an environment's objects, by kind; `*` stands for whatever the naming fills in.
pub type Names = BTreeMap<String, BTreeSet<String>>;

/// The names of what an environment uses and does not own, by kind.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Uses {
    /// Of objects of other environments.
    pub lent: Names,
    /// Of objects that payctl did not create.
    pub existing: Names,
}

/// The value of each key of a request that a statement asks for.
type Condition = BTreeMap<String, BTreeSet<String>>;

/// Some actions on some resources.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statement {
    /// The actions.
    pub actions: BTreeSet<String>,
    /// The resources, as ARNs with `*`.
    pub resources: BTreeSet<String>,
    /// The conditions: the request's value of each key is one of these.
    pub condition: Condition,
}

impl Statement {
    /// As IAM writes it.
    pub fn to_json(&self) -> Value {
        let mut statement = json!({
            "Effect": "Allow",
            "Action": self.actions,
            "Resource": self.resources,
        });
        if !self.condition.is_empty() {
            let one = |(key, values): (&String, &BTreeSet<String>)| {
                let value = match values.len() {
                    1 => json!(values.first()),
                    _ => json!(values),
                };
                (key.clone(), value)
            };
            let equals: Map<String, Value> = self.condition.iter().map(one).collect();
            let all = self.condition.values().flatten();
            let operator = if all.into_iter().any(|value| value.contains('*')) {
                "StringLike"
            } else {
                "StringEquals"
            };
            statement["Condition"] = json!({ operator: equals });
        }
        statement
    }
}

/// A whole policy as IAM writes it.
pub fn document(statements: &[Statement]) -> Value {
    let statements: Vec<Value> = statements.iter().map(Statement::to_json).collect();
    json!({ "Version": "2012-10-17", "Statement": statements })
}

/// How long a policy is as AWS counts.
pub fn length(document: &Value) -> usize {
    document.to_string().chars().filter(|c| !c.is_whitespace()).count()
}

/// The policy in parts that are each no longer than AWS allows.
pub fn split(statements: &[Statement]) -> Vec<Vec<Statement>> {
    let mut parts: Vec<Vec<Statement>> = vec![Vec::new()];
    for statement in statements.iter().flat_map(halved) {
        let mut longer = parts.last().cloned().unwrap_or_default();
        longer.push(statement.clone());
        match parts.last_mut() {
            Some(last) if length(&document(&longer)) <= LIMIT => *last = longer,
            _ => parts.push(vec![statement]),
        }
    }
    parts
}

/// A statement that is too long for one policy, as several with some of its actions or resources.
fn halved(statement: &Statement) -> Vec<Statement> {
    let Statement { actions, resources, .. } = statement;
    if length(&document(std::slice::from_ref(statement))) <= LIMIT {
        return vec![statement.clone()];
    }
    let half = |all: &BTreeSet<String>| -> [BTreeSet<String>; 2] {
        let middle = all.len() / 2;
        [all.iter().take(middle).cloned().collect(), all.iter().skip(middle).cloned().collect()]
    };
    let parts = if actions.len() >= resources.len() {
        half(actions).map(|actions| Statement { actions, ..statement.clone() })
    } else {
        half(resources).map(|resources| Statement { resources, ..statement.clone() })
    };
    parts.iter().flat_map(halved).collect()
}

/// The least policy for a task. `names` has the names of the kinds that the config wants. The
/// policy allows reads of all kinds, since objects that the config no longer wants may still exist.
/// It allows changes only of the kinds in `names`. Of what is in `uses` it allows what payctl needs to find
/// and to use it.
pub fn least(task: Task, scope: &Scope, names: &Names, uses: &Uses) -> Vec<Statement> {
    let mut granted: BTreeMap<(String, String), (Condition, BTreeSet<String>)> = BTreeMap::new();
    let mut grant_on = |names: &Names, own: &str, permit: &Permit, shapes: &[&str]| {
        for action in permit.actions {
            let condition = condition_for(scope, permit.only);
            // Values of one key stand beside each other; so do their resources.
            let sort = condition.keys().map(String::as_str).collect::<Vec<_>>().join(" ");
            let entry = granted.entry(((*action).to_owned(), sort)).or_default();
            for (key, values) in condition {
                entry.0.entry(key).or_default().extend(values);
            }
            let shapes = shapes.iter();
            entry.1.extend(shapes.flat_map(|shape| resources(scope, names, own, shape)));
        }
    };
    for usable in USABLE {
        let kind = usable.kind;
        if uses.existing.contains_key(kind) {
            let all = usable.looks.iter().chain(usable.uses);
            all.filter(|permit| task.needs(permit.when))
                .for_each(|permit| grant_on(&uses.existing, kind, permit, permit.on));
            let own = KINDS.iter().map(|kind| kind.meta());
            let own =
                own.filter(|meta| names.contains_key(meta.kind)).flat_map(|meta| meta.permits);
            for permit in own.filter(|permit| task.needs(permit.when)) {
                let also = usable.also.iter().filter(|(action, _)| permit.actions == [*action]);
                also.for_each(|(_, on)| grant_on(&uses.existing, kind, permit, on));
            }
        }
        if uses.lent.contains_key(kind) {
            let all = usable.uses.iter().filter(|permit| task.needs(permit.when));
            all.for_each(|permit| grant_on(&uses.lent, kind, permit, permit.on));
        }
    }
    let metas = KINDS.iter().map(|kind| kind.meta());
    for meta in metas.filter(|meta| uses.lent.contains_key(meta.kind)) {
        let looks = meta.permits.iter().filter(|permit| permit.when == When::Look);
        looks.for_each(|permit| grant_on(&uses.lent, meta.kind, permit, permit.on));
    }
    let mut grant = |own: &str, permit: &Permit| grant_on(names, own, permit, permit.on);
    if task == Task::EnvList {
        grant("", &Permit::look(census::ACTIONS, &["*"]));
    } else {
        grant("", &Permit::look(facts::ACTIONS, &["*"]));
    }
    if matches!(task, Task::EnvList | Task::Gc) {
        let indexes = INDEXES.iter().flat_map(|index| index.permits);
        let holders = HOLDERS.iter().flat_map(|holder| holder.permits);
        indexes.chain(holders).for_each(|permit| grant("", permit));
    }
    if task == Task::Gc {
        for late in LATE {
            late.permits.iter().for_each(|permit| grant(late.kind, permit));
        }
    }
    if task == Task::Cost {
        COST.iter().copied().flatten().for_each(|permit| grant("", permit));
    }
    // A shift leaves no record.
    if !matches!(task, Task::Shift | Task::EnvList) {
        leases::LOOKS.iter().for_each(|permit| grant("", permit));
    }
    if matches!(task, Task::Apply | Task::Destroy | Task::Gc | Task::Shift) {
        leases::PERMITS.iter().for_each(|permit| grant("", permit));
    }
    // After a destroy, also by an apply of a saved plan.
    leftovers::PERMITS
        .iter()
        .filter(|permit| task.needs(permit.when))
        .for_each(|permit| grant("", permit));
    for meta in KINDS.iter().map(|kind| kind.meta()) {
        let wanted = names.contains_key(meta.kind);
        // A shift reads only what it moves and what its probe refers to.
        let is_whole = !matches!(task, Task::Shift | Task::EnvList);
        let looks = |permit: &Permit| permit.when == When::Look && is_whole;
        let needed = |permit: &&Permit| task.needs(permit.when) && (wanted || looks(permit));
        meta.permits.iter().filter(needed).for_each(|permit| grant(meta.kind, permit));
    }
    if task == Task::Shift {
        let here = |kind: &Option<&str>| kind.is_none_or(|kind| names.contains_key(kind));
        let all = traffic::PERMITS.iter().filter(|(kind, _)| here(kind));
        all.for_each(|(_, permit)| grant("", permit));
    }
    let always = |action: &str| granted.get(&(action.to_owned(), String::new()));
    let mut grouped: BTreeMap<(Condition, BTreeSet<String>), BTreeSet<String>> = BTreeMap::new();
    for ((action, sort), (condition, on)) in &granted {
        let unconditional = always(action).filter(|_| !sort.is_empty()).map(|(_, on)| on);
        let others = |one: &String| {
            let here = on.iter().filter(move |other| *other != one);
            here.chain(unconditional.into_iter().flatten()).any(|other| covers(other, one))
        };
        let on: BTreeSet<String> = on.iter().filter(|one| !others(one)).cloned().collect();
        if !on.is_empty() {
            grouped.entry((condition.clone(), on)).or_default().insert(action.clone());
        }
    }
    let statement = |((condition, resources), actions)| Statement { actions, resources, condition };
    grouped.into_iter().map(statement).collect()
}

/// The same for every environment whose name differs only in its number: `pr-7` becomes `pr-*`.
/// `None` if the name does not end in a number.
pub fn for_any_number(scope: &Scope, names: &Names) -> Option<(Scope, Names)> {
    let stem = scope.env.trim_end_matches(|c: char| c.is_ascii_digit());
    if stem.len() == scope.env.len() || stem.is_empty() {
        return None;
    }
    let any = format!("{stem}*");
    let rename = |name: &String| name.replace(&scope.env, &any);
    let names =
        names.iter().map(|(kind, names)| (kind.clone(), names.iter().map(rename).collect()));
    Some((Scope { env: any.clone(), ..scope.clone() }, names.collect()))
}

fn condition_for(scope: &Scope, only: Only) -> Condition {
    let tags = |word: &str| {
        let tag = |(key, value): (&str, &String)| {
            (format!("aws:{word}/{key}"), BTreeSet::from([value.clone()]))
        };
        [(TAG_PROJECT, &scope.project), (TAG_ENV, &scope.env)].map(tag).into()
    };
    match only {
        Only::Always => Condition::new(),
        Only::Ours => tags("ResourceTag"),
        Only::MadeOurs => tags("RequestTag"),
        Only::Equal(key, value) => {
            Condition::from([(key.to_owned(), BTreeSet::from([scope.filled(value)]))])
        }
    }
}

/// The ARNs of a shape.
fn resources(scope: &Scope, names: &Names, own: &str, shape: &str) -> BTreeSet<String> {
    if shape == "*" {
        return BTreeSet::from(["*".to_owned()]);
    }
    let arn = format!("arn:{}:{}", scope.partition, scope.filled(shape));
    let Some((before, rest)) = arn.split_once('{') else { return BTreeSet::from([arn]) };
    let Some((placeholder, after)) = rest.split_once('}') else { return BTreeSet::from([arn]) };
    let of = |kind: &str| names.get(kind).cloned().unwrap_or_default();
    let found = match placeholder {
        "name" => of(own),
        "seen" => {
            // A kind may read objects with the names of its parent.
            let marked = format!("*{}*", scope.env);
            let others = of(own).into_iter().filter(|name| !name.contains(&scope.env));
            others.chain([marked]).collect()
        }
        kind => of(kind),
    };
    // The ARN of a parameter has one slash before its name, whether the name begins with one or
    // not.
    let joined = |name: &String| {
        if before.ends_with('/') {
            format!("{before}{}{after}", name.trim_start_matches('/'))
        } else {
            format!("{before}{name}{after}")
        }
    };
    found.iter().map(joined).collect()
}

/// Whether a pattern matches everything that another matches, or a name.
pub fn covers(pattern: &str, other: &str) -> bool {
    let mut rest = other;
    let mut parts = pattern.split('*');
    let Some(tail) = rest.strip_prefix(parts.next().unwrap_or_default()) else { return false };
    rest = tail;
    let mut parts: Vec<&str> = parts.collect();
    let Some(last) = parts.pop() else { return rest.is_empty() };
    for part in parts {
        match rest.find(part) {
            Some(at) => rest = &rest[at + part.len()..],
            None => return false,
        }
    }
    rest.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scope() -> Scope {
        Scope {
            project: "payment".into(),
            env: "dev".into(),
            account: "123456789012".into(),
            region: "eu-west-1".into(),
            partition: "aws".into(),
        }
    }

    fn names() -> Names {
        let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        Names::from([
            ("sqs.queue".into(), names(&["dev-payment-queue-*", "odd"])),
            ("ssm.parameter".into(), names(&["/payment/vpc-dev"])),
            ("ec2.vpc".into(), names(&["dev-payment-vpc-*"])),
        ])
    }

    #[test]
    fn a_resource_shape_expands_to_patterns() {
        let on = |own, shape| Vec::from_iter(resources(&scope(), &names(), own, shape));
        let here = "arn:aws:sqs:eu-west-1:123456789012";
        assert_eq!(on("sqs.queue", "*"), ["*"]);
        assert_eq!(
            on("sqs.queue", "sqs:{here}:{name}"),
            [format!("{here}:dev-payment-queue-*"), format!("{here}:odd")]
        );
        assert_eq!(
            on("sqs.queue", "sqs:{here}:{seen}"),
            [format!("{here}:*dev*"), format!("{here}:odd")]
        );
        let parameter = "arn:aws:ssm:eu-west-1:123456789012:parameter/payment/vpc-dev";
        assert_eq!(on("ssm.parameter", "ssm:{here}:parameter/{name}"), [parameter]);
        assert_eq!(
            on("iam.role", "iam::{account}:role{path}*"),
            ["arn:aws:iam::123456789012:role/payctl/payment/dev/eu-west-1/*"]
        );
        assert!(on("sns.topic", "sns:{here}:{name}").is_empty());
    }

    #[test]
    fn a_pattern_covers_what_it_matches() {
        assert!(covers("*", "arn:a:*") && covers("a:*dev*", "a:dev-x-*") && covers("a", "a"));
        assert!(covers("a*c*", "abcd") && !covers("a*c", "abcd") && !covers("a:dev-*", "a:*dev*"));
        assert!(!covers("a", "ab") && !covers("ab*b", "ab"));
    }

    #[test]
    fn plan_policies_only_read_and_destroy_policies_never_create() {
        let actions = |task| -> BTreeSet<String> {
            let statements = least(task, &scope(), &names(), &Uses::default());
            statements.into_iter().flat_map(|statement| statement.actions).collect()
        };
        let reads = |action: &str| {
            let call = action.split_once(':').expect("service:Call").1;
            ["Describe", "Get", "List", "GET"].iter().any(|verb| call.starts_with(verb))
        };
        let plan = actions(Task::Plan);
        let other: Vec<_> = plan.iter().filter(|action| !reads(action)).collect();
        // The records of runs; and a key, with which Lambda shows the variables of a function whose key
        // is the customer's.
        assert_eq!(other, ["dynamodb:Query", "kms:Decrypt"]);
        assert!(!plan.contains("secretsmanager:GetSecretValue"));
        let (apply, destroy) = (actions(Task::Apply), actions(Task::Destroy));
        assert!(plan.is_subset(&destroy) && destroy.is_subset(&apply));
        assert!(apply.contains("sqs:CreateQueue") && !destroy.contains("sqs:CreateQueue"));
        assert!(destroy.contains("sqs:DeleteQueue") && !apply.contains("sns:CreateTopic"));
    }

    #[test]
    fn policy_parts_fit_the_limit_and_add_up_to_the_whole() {
        let all = names().into_iter().chain(KINDS.iter().map(|kind| {
            let kind = kind.meta().kind;
            let names = (0..40).map(|number| format!("odd-name-{number}-of-{kind}"));
            (kind.to_owned(), names.collect())
        }));
        let statements = least(Task::Apply, &scope(), &all.collect(), &Uses::default());
        let parts = split(&statements);
        assert!(parts.len() > 3);
        let pairs = |statements: &[Statement]| -> BTreeSet<(Condition, String, String)> {
            let pairs = statements.iter().flat_map(|statement| {
                statement.actions.iter().flat_map(|action| {
                    let on = statement.resources.iter();
                    on.map(|on| (statement.condition.clone(), action.clone(), on.clone()))
                })
            });
            pairs.collect()
        };
        for part in &parts {
            assert!(length(&document(part)) <= LIMIT);
        }
        assert_eq!(pairs(&parts.concat()), pairs(&statements));
    }

    #[test]
    fn one_policy_covers_every_numbered_environment() {
        assert!(for_any_number(&scope(), &names()).is_none());
        let scope = Scope { env: "pr-7".into(), ..scope() };
        let queue = BTreeSet::from(["pr-7-payment-queue-*".to_owned()]);
        let names = Names::from([("sqs.queue".into(), queue), ("ec2.vpc".into(), BTreeSet::new())]);
        let (scope, names) = for_any_number(&scope, &names).expect("a number");
        let text = document(&least(Task::Apply, &scope, &names, &Uses::default())).to_string();
        assert!(text.contains(":pr-*-payment-queue-*\"") && !text.contains("pr-7"));
        assert!(text.contains(r#""StringLike":{"aws:RequestTag/payctl:env":"pr-*""#), "{text}");
    }

    #[test]
    fn what_others_own_can_be_found_and_passed_on_and_nothing_else() {
        let named = |kind: &str, name: &str| {
            Names::from([(kind.to_owned(), BTreeSet::from([name.to_owned()]))])
        };
        let own = named("lambda.function", "dev-payment-lambda-*");
        let uses = Uses { existing: named("iam.role", "runtime"), ..Uses::default() };
        let on = "arn:aws:iam::123456789012:role/runtime";
        let about = |task| -> BTreeSet<String> {
            let statements = least(task, &scope(), &own, &uses).into_iter();
            let about = statements.filter(|one| one.resources.contains(on));
            about.flat_map(|one| one.actions).collect()
        };
        // Every plan may get any role.
        assert_eq!(about(Task::Plan), BTreeSet::new());
        assert_eq!(Vec::from_iter(about(Task::Apply)), ["iam:PassRole"]);
        let passed = least(Task::Apply, &scope(), &own, &uses).into_iter();
        let passed: Vec<Statement> =
            passed.filter(|one| one.actions.contains("iam:PassRole")).collect();
        let to = BTreeSet::from(["lambda.amazonaws.com".to_owned()]);
        assert_eq!(passed[0].condition["iam:PassedToService"], to);

        let uses = Uses { lent: named("sqs.queue", "*main*"), ..Uses::default() };
        let statements = least(Task::Plan, &scope(), &own, &uses).into_iter();
        let on = "arn:aws:sqs:eu-west-1:123456789012:*main*";
        let about = statements.filter(|one| one.resources.contains(on));
        let actions: BTreeSet<String> = about.flat_map(|one| one.actions).collect();
        assert!(actions.contains("sqs:GetQueueAttributes"), "{actions:?}");
    }

    #[test]
    fn a_statement_has_the_form_of_iam() {
        let statements = least(Task::Apply, &scope(), &names(), &Uses::default());
        let made = statements.iter().find(|one| one.actions.contains("ec2:CreateVpc"));
        assert_eq!(
            made.expect("a VPC is made").to_json(),
            json!({
                "Effect": "Allow",
                "Action": ["ec2:CreateVpc"],
                "Resource": ["arn:aws:ec2:eu-west-1:123456789012:vpc/*"],
                "Condition": { "StringEquals": {
                    "aws:RequestTag/payctl:project": "payment",
                    "aws:RequestTag/payctl:env": "dev",
                } },
            })
        );
    }
}
