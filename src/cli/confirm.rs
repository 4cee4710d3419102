//! Confirmation: which plans need it, and what the user has to type.

use super::error::{CliError, ErrorKind};
use crate::ui::screen::Screen;
use payctl_engine::model::desired::Blueprint;
use payctl_engine::model::scope::is_disposable;
use payctl_engine::plan::{Change, Plan, Purpose};

/// What the flags allow, and what the environment forbids.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Consent<'a> {
    /// `--auto-approve`.
    pub(super) auto_approve: bool,
    /// `--allow-data-loss`.
    pub(super) allow_data_loss: bool,
    /// `--over-budget`: why the environment may cost more than its budget.
    pub(super) over_budget: Option<&'a str>,
    /// `protect = true` in the environment's config.
    pub(super) protect: bool,
    /// `disposable = true` in the environment's config.
    pub(super) disposable: bool,
    /// Whether a person can answer a question.
    pub(super) answers: bool,
}

/// What the user has to type before anything happens.
#[derive(Debug, PartialEq, Eq)]
enum Question<'a> {
    /// Nothing.
    None,
    /// `yes`.
    Yes,
    /// The environment's name.
    Name(&'a str),
}

const UNPROTECT: &str =
    "set `protect = false` in its config and apply first; no flag lifts this guard";
/// A hint for a destroy whose flags do not cover data loss.
const UNMARKED: &str =
    "resources that an apply marked as `disposable = true` do not need that flag";

/// Refuses to destroy a protected environment before payctl reads anything.
pub(super) fn check_destroyable(blueprint: &Blueprint) -> Result<(), CliError> {
    let env = &blueprint.scope.env;
    if blueprint.protect {
        let title = format!("{env} is protected and cannot be destroyed");
        Err(CliError::new(ErrorKind::User, title).hinted(UNPROTECT))
    } else {
        Ok(())
    }
}

/// Returns once the plan may be carried out.
pub(super) async fn confirm(
    plan: &Plan,
    consent: Consent<'_>,
    screen: Screen,
) -> Result<(), CliError> {
    let (question, word) = match question(plan, consent)? {
        Question::None => return Ok(()),
        Question::Yes => ("Type yes to go on: ".to_owned(), "yes"),
        Question::Name(env) => {
            (format!("This cannot be undone. Type the environment's name, {env}, to go on: "), env)
        }
    };
    ask(screen, question, word).await
}

/// Asks a question, to which only one word is consent.
pub(super) async fn ask(screen: Screen, question: String, word: &str) -> Result<(), CliError> {
    // On a thread of its own, so that a signal ends the command while it waits for the answer.
    let answer = tokio::task::spawn_blocking(move || screen.ask(&question)).await;
    if answer.map_err(std::io::Error::from)?? == word {
        Ok(())
    } else {
        Err(CliError::new(ErrorKind::User, "not confirmed; nothing was changed"))
    }
}

fn question<'p>(plan: &'p Plan, consent: Consent<'_>) -> Result<Question<'p>, CliError> {
    let losses: Vec<&Change> =
        plan.changes.iter().filter(|change| change.irreversible.is_some()).collect();
    let env = plan.scope.env.as_str();
    if plan.changes.is_empty() {
        return Ok(Question::None);
    }
    let destroys = plan.purpose == Purpose::Destroy;
    if consent.protect && (destroys || !losses.is_empty()) {
        let verb = if destroys { "be destroyed" } else { "lose data" };
        return Err(
            explain(format!("{env} is protected and cannot {verb}"), &losses).hinted(UNPROTECT)
        );
    }
    // Disposable resources do not need a flag of their own. A destroy reads only the live tags,
    // since it may have no config; an apply also needs the config to say so.
    let is_meant = |change: &&Change| {
        let is_marked = change.live.as_ref().is_some_and(|live| is_disposable(&live.tags));
        is_marked && (destroys || consent.disposable)
    };
    let guarded: Vec<&Change> = losses.iter().copied().filter(|change| !is_meant(change)).collect();
    let hinted = |error: CliError| {
        if destroys && !guarded.is_empty() { error.hinted(UNMARKED) } else { error }
    };
    match (consent.auto_approve, consent.answers) {
        (true, _) if !guarded.is_empty() && !consent.allow_data_loss => {
            let error = explain(format!("this plan loses data in {env} for good"), &guarded)
                .hinted("--auto-approve does not cover data loss: add --allow-data-loss");
            Err(hinted(error))
        }
        (true, _) => Ok(Question::None),
        (false, true) if !losses.is_empty() || destroys => Ok(Question::Name(env)),
        (false, true) => Ok(Question::Yes),
        (false, false) => {
            let flags = if guarded.is_empty() {
                "--auto-approve"
            } else {
                "--auto-approve --allow-data-loss"
            };
            let error = explain("cannot ask for confirmation: not a terminal".to_owned(), &losses)
                .hinted(format!("run it in a terminal, or with {flags}"));
            Err(hinted(error))
        }
    }
}

fn explain(title: String, losses: &[&Change]) -> CliError {
    let error = CliError::new(ErrorKind::User, title);
    let lines: Vec<String> = losses
        .iter()
        .map(|change| {
            format!("{}: {}", change.address, change.irreversible.as_deref().unwrap_or_default())
        })
        .collect();
    if lines.is_empty() { error } else { error.because(lines.join("\n")) }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde_json::Value;

    use super::*;
    use payctl_engine::model::address::Address;
    use payctl_engine::model::live::{Live, Phase, Tags};
    use payctl_engine::model::scope::{Scope, TAG_DISPOSABLE, TAG_SET};
    use payctl_engine::model::text::Outputs;
    use payctl_engine::plan::{Action, FORMAT};

    fn plan(purpose: Purpose, loses: bool) -> Plan {
        let change = Change {
            irreversible: loses.then(|| "the items in the table".to_owned()),
            ..Change::new(Address::new("dynamodb.table", "transactions"), Action::Replace)
        };
        Plan {
            format: FORMAT,
            scope: Scope {
                project: "payment".into(),
                env: "dev".into(),
                account: "1".into(),
                region: "us-east-1".into(),
                partition: "aws".into(),
            },
            purpose,
            targets: Vec::new(),
            changes: vec![change],
            unchanged: Vec::new(),
            refused: Vec::new(),
            notes: Vec::new(),
            unseen: Vec::new(),
            left_alone: Vec::new(),
            beyond: Vec::new(),
            staying: BTreeMap::new(),
            outputs: BTreeMap::new(),
        }
    }

    const NOTHING: Consent<'static> = Consent {
        auto_approve: false,
        allow_data_loss: false,
        over_budget: None,
        protect: false,
        disposable: false,
        answers: false,
    };
    const TERMINAL: Consent<'static> = Consent { answers: true, ..NOTHING };
    const AUTO: Consent<'static> = Consent { auto_approve: true, ..NOTHING };

    fn refused(plan: &Plan, consent: Consent<'_>) -> bool {
        question(plan, consent).is_err()
    }

    #[test]
    fn a_terminal_is_prompted_and_data_loss_needs_the_name() {
        let check = |purpose, loses, expected| {
            assert_eq!(question(&plan(purpose, loses), TERMINAL).unwrap(), expected);
        };
        check(Purpose::Apply, false, Question::Yes);
        check(Purpose::Apply, true, Question::Name("dev"));
        check(Purpose::Destroy, false, Question::Name("dev"));
    }

    #[test]
    fn a_run_without_a_terminal_needs_a_flag() {
        assert!(refused(&plan(Purpose::Apply, false), NOTHING));
        assert_eq!(question(&plan(Purpose::Apply, false), AUTO).unwrap(), Question::None);
    }

    #[test]
    fn auto_approve_does_not_permit_data_loss() {
        let both = Consent { allow_data_loss: true, ..AUTO };
        assert!(refused(&plan(Purpose::Apply, true), AUTO));
        assert_eq!(question(&plan(Purpose::Apply, true), both).unwrap(), Question::None);
    }

    /// The plan, with the disposable tag on what it would lose.
    fn marked(purpose: Purpose) -> Plan {
        let mut lossy = plan(purpose, true);
        let tags = Tags::from([(TAG_DISPOSABLE.to_owned(), TAG_SET.to_owned())]);
        let (id, outputs) = ("transactions".to_owned(), Outputs::new());
        let live = Live { id, spec: Value::Null, outputs, tags, phase: Phase::Ready };
        lossy.changes[0].live = Some(live);
        lossy
    }

    /// What has to be typed, for each purpose, for what is lost, and for what the config and the flags
    /// say: nobody can answer, then somebody can.
    #[test]
    fn every_combination_of_flags_has_its_consent() {
        let mut table = String::new();
        let plans = |purpose| {
            [
                ("no data", plan(purpose, false)),
                ("data", plan(purpose, true)),
                ("marked", marked(purpose)),
            ]
        };
        let answer = |plan: &Plan, consent: Consent<'_>| match question(plan, consent) {
            Ok(Question::None) => "goes on",
            Ok(Question::Yes) => "asks yes",
            Ok(Question::Name(_)) => "asks the name",
            Err(_) => "refuses",
        };
        for purpose in [Purpose::Apply, Purpose::Destroy] {
            for (what, plan) in plans(purpose) {
                for (says, disposable) in [("", false), ("disposable", true)] {
                    for (flags, auto_approve, allow_data_loss) in [
                        ("", false, false),
                        ("--allow-data-loss", false, true),
                        ("--auto-approve", true, false),
                        ("--auto-approve --allow-data-loss", true, true),
                    ] {
                        let consent =
                            Consent { auto_approve, allow_data_loss, disposable, ..NOTHING };
                        let alone = answer(&plan, consent);
                        let answered = answer(&plan, Consent { answers: true, ..consent });
                        let row = format!("{purpose:?} {what:8} {says:10} {flags:32}");
                        table += &format!("{row} {alone:8} {answered}\n");
                    }
                }
            }
        }
        insta::assert_snapshot!(table, @"
        Apply no data                                              refuses  asks yes
        Apply no data             --allow-data-loss                refuses  asks yes
        Apply no data             --auto-approve                   goes on  goes on
        Apply no data             --auto-approve --allow-data-loss goes on  goes on
        Apply no data  disposable                                  refuses  asks yes
        Apply no data  disposable --allow-data-loss                refuses  asks yes
        Apply no data  disposable --auto-approve                   goes on  goes on
        Apply no data  disposable --auto-approve --allow-data-loss goes on  goes on
        Apply data                                                 refuses  asks the name
        Apply data                --allow-data-loss                refuses  asks the name
        Apply data                --auto-approve                   refuses  refuses
        Apply data                --auto-approve --allow-data-loss goes on  goes on
        Apply data     disposable                                  refuses  asks the name
        Apply data     disposable --allow-data-loss                refuses  asks the name
        Apply data     disposable --auto-approve                   refuses  refuses
        Apply data     disposable --auto-approve --allow-data-loss goes on  goes on
        Apply marked                                               refuses  asks the name
        Apply marked              --allow-data-loss                refuses  asks the name
        Apply marked              --auto-approve                   refuses  refuses
        Apply marked              --auto-approve --allow-data-loss goes on  goes on
        Apply marked   disposable                                  refuses  asks the name
        Apply marked   disposable --allow-data-loss                refuses  asks the name
        Apply marked   disposable --auto-approve                   goes on  goes on
        Apply marked   disposable --auto-approve --allow-data-loss goes on  goes on
        Destroy no data                                              refuses  asks the name
        Destroy no data             --allow-data-loss                refuses  asks the name
        Destroy no data             --auto-approve                   goes on  goes on
        Destroy no data             --auto-approve --allow-data-loss goes on  goes on
        Destroy no data  disposable                                  refuses  asks the name
        Destroy no data  disposable --allow-data-loss                refuses  asks the name
        Destroy no data  disposable --auto-approve                   goes on  goes on
        Destroy no data  disposable --auto-approve --allow-data-loss goes on  goes on
        Destroy data                                                 refuses  asks the name
        Destroy data                --allow-data-loss                refuses  asks the name
        Destroy data                --auto-approve                   refuses  refuses
        Destroy data                --auto-approve --allow-data-loss goes on  goes on
        Destroy data     disposable                                  refuses  asks the name
        Destroy data     disposable --allow-data-loss                refuses  asks the name
        Destroy data     disposable --auto-approve                   refuses  refuses
        Destroy data     disposable --auto-approve --allow-data-loss goes on  goes on
        Destroy marked                                               refuses  asks the name
        Destroy marked              --allow-data-loss                refuses  asks the name
        Destroy marked              --auto-approve                   goes on  goes on
        Destroy marked              --auto-approve --allow-data-loss goes on  goes on
        Destroy marked   disposable                                  refuses  asks the name
        Destroy marked   disposable --allow-data-loss                refuses  asks the name
        Destroy marked   disposable --auto-approve                   goes on  goes on
        Destroy marked   disposable --auto-approve --allow-data-loss goes on  goes on
        ");
    }

    #[test]
    fn flags_do_not_lift_protection() {
        let all = Consent {
            auto_approve: true,
            allow_data_loss: true,
            over_budget: Some("a reason"),
            protect: true,
            disposable: true,
            answers: true,
        };
        assert!(refused(&plan(Purpose::Apply, true), all));
        assert!(refused(&plan(Purpose::Destroy, false), all));
        assert!(!refused(&plan(Purpose::Apply, false), all));
    }

    #[test]
    fn an_empty_plan_needs_no_consent() {
        let empty = Plan { changes: Vec::new(), ..plan(Purpose::Destroy, false) };
        assert_eq!(question(&empty, NOTHING).unwrap(), Question::None);
    }
}
