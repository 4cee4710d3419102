//! A plan as Markdown, for the comment on a pull request.
//!
//! A table of counts, then the causes in the order of a reader's interest, each folded. The whole stays
//! below the limit of a comment: what does not fit is counted, and the run has it. Every text of others is
//! escaped, so that no name and no tag can form a link, a mention or a tag of HTML.

use std::fmt::Write as _;

use super::impact;
use super::plan::tree::{Section, Tree, times};
use super::plan::{self, Counts, Detail, View, effects, takes, why};
use super::style::{Style, count, words};
use super::text::{one_line, shown};
use payctl_engine::plan::{Plan, Purpose, Refused};

/// The most characters of a comment. GitHub takes 65,536.
const LIMIT: usize = 60_000;
/// What stays free for the last lines.
const RESERVE: usize = 1_000;

/// The line by which a later run finds the comment on the plan of this environment.
pub const MARK: &str = "<!-- payctl plan ";

/// The plan as Markdown. `run` is where the whole plan can be read.
pub fn text(plan: &Plan, view: View<'_>, run: Option<&str>) -> String {
    let view = View { style: Style::PLAIN, ..view };
    let head = head(plan, view);
    let tree = Tree::of(plan);
    let mut text = String::new();
    for detail in [Detail::Full, Detail::Short] {
        let blocks = blocks(plan, &tree, View { detail, ..view });
        let whole: usize = blocks.iter().map(|block| block.chars().count()).sum();
        text.clone_from(&head);
        if head.chars().count() + whole + RESERVE <= LIMIT {
            text.extend(blocks);
            break;
        }
        if detail == Detail::Short {
            let mut free = LIMIT - RESERVE - head.chars().count().min(LIMIT - RESERVE);
            let mut left_out = 0;
            for block in blocks {
                match free.checked_sub(block.chars().count()).filter(|_| left_out == 0) {
                    Some(rest) => {
                        free = rest;
                        text.push_str(&block);
                    }
                    None => left_out += 1,
                }
            }
            let _ = writeln!(text, "\n{} more in the whole plan.", count(left_out, "part"));
        }
    }
    if let Some(run) = run {
        let _ = writeln!(text, "\n[The whole plan]({})", escaped(run));
    }
    shown(Style::PLAIN, &text)
}

/// The title, the counts, and what is refused.
fn head(plan: &Plan, view: View<'_>) -> String {
    let Counts { create, update, replace, delete, irreversible } = Counts::of(plan);
    let title = match plan.purpose {
        Purpose::Apply => "Plan for",
        Purpose::Destroy => "Plan to destroy",
    };
    let scope = &plan.scope;
    let mut text = format!(
        "{MARK}{} {} {} -->\n### {title} {}\n\n",
        mark(&scope.project),
        mark(&scope.env),
        mark(&scope.region),
        escaped(&scope.to_string())
    );
    for used in view.uses {
        let _ = writeln!(text, "- {}", escaped(&used.line()));
    }
    if !view.uses.is_empty() {
        text.push('\n');
    }
    if plan.is_empty() {
        let _ = writeln!(text, "{}", escaped(&plan::summary(plan, Style::PLAIN, None)));
        return text;
    }
    let _ = writeln!(
        text,
        "| create | change | replace | delete | lose data | refused | unchanged |\n\
         |--:|--:|--:|--:|--:|--:|--:|\n\
         | {create} | {update} | {replace} | {delete} | {irreversible} | {} | {} |\n",
        plan.refused.len(),
        plan.unchanged.len()
    );
    if let Some(estimate) = view.estimate {
        let _ = writeln!(text, "{}\n", escaped(&takes(plan, estimate, view.is_elsewhere)));
    }
    let cost = view.cost.map(|cost| impact::block(cost, Style::PLAIN)).unwrap_or_default();
    for line in cost.lines() {
        let _ = writeln!(text, "- {}", escaped(line.trim_start()));
    }
    for Refused { address, origin, reason, hint } in plan.refused.iter().take(20) {
        let _ = writeln!(
            text,
            "- **Refused:** {} ({}): {}; {}",
            code(&address.to_string()),
            code(origin),
            escaped(reason),
            escaped(hint)
        );
    }
    if let more @ 1.. = plan.refused.len().saturating_sub(20) {
        let _ = writeln!(text, "- {more} more are refused.");
    }
    text
}

/// A folded part for each cause; new and deleted resources together, by section.
fn blocks(plan: &Plan, tree: &Tree<'_>, view: View<'_>) -> Vec<String> {
    let mut blocks = Vec::new();
    for section in Section::ALL {
        let causes = tree.causes(section);
        if causes.is_empty() {
            continue;
        }
        blocks.push(format!("\n#### {} ({})\n\n", section.title(), causes.len()));
        if matches!(section, Section::Creates | Section::Deletes) {
            for (component, (number, lines)) in plan::lines(tree, &causes, view) {
                blocks.push(folded(&format!("{} ({number})", escaped(&component)), &lines));
            }
            continue;
        }
        for cause in causes {
            let change = tree.change(cause);
            let mut said = vec![code(&format!("{} {}", words(change.action).mark, change.address))];
            said.extend(why(change).map(|why| escaped(&why)));
            said.extend(
                change.irreversible.as_ref().map(|lost| format!("<b>loses {}</b>", escaped(lost))),
            );
            said.extend(
                effects(tree, &tree.with_consequences(cause), view).map(|text| escaped(&text)),
            );
            for (action, named) in tree.counted(cause) {
                let named = named.iter().map(|(name, number)| times(name, *number));
                let named = named.collect::<Vec<_>>().join(", ");
                said.push(format!("{}: {}", words(action).done, escaped(&named)));
            }
            blocks.push(folded(&said.join(" · "), &plan::cause(tree, cause, view)));
        }
    }
    for note in &plan.notes {
        blocks.push(format!(
            "\n> {}: {}; {}\n",
            code(&note.address.to_string()),
            escaped(&note.text),
            escaped(&note.hint)
        ));
    }
    blocks
}

fn folded(summary: &str, body: &str) -> String {
    // A fence is longer than every run of backticks inside.
    let longest = body.split(|letter| letter != '`').map(str::len).max().unwrap_or_default();
    let fence = "`".repeat(longest.max(2) + 1);
    format!("<details><summary>{summary}</summary>\n\n{fence}text\n{body}{fence}\n\n</details>\n")
}

/// A word for the mark, which ends the comment of HTML nowhere.
fn mark(word: &str) -> String {
    word.chars().filter(|letter| letter.is_alphanumeric() || *letter == '-').collect()
}

fn code(text: &str) -> String {
    format!("<code>{}</code>", escaped(text))
}

/// A text that Markdown and HTML take for letters alone.
fn escaped(text: &str) -> String {
    let mut safe = String::new();
    for letter in one_line(text).chars() {
        if letter.is_ascii_punctuation() && !",.:;/()-+=\"' ".contains(letter) {
            let _ = write!(safe, "&#{};", u32::from(letter));
        } else {
            safe.push(letter);
        }
    }
    // An address of the web becomes a link by itself.
    safe.replace("://", "&#58;//").replace("www.", "www&#46;")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::plan::tests::{example, view};
    use super::*;
    use payctl_engine::diff::FieldChange;
    use payctl_engine::model::address::Address;
    use payctl_engine::plan::{Action, Change};

    fn markdown(plan: &Plan) -> String {
        text(plan, view(Style::PLAIN, Detail::Short, None), Some("https://ci.example/run/1"))
    }

    #[test]
    fn a_plan_for_a_pull_request() {
        insta::assert_snapshot!(markdown(&example()));
    }

    #[test]
    fn a_long_plan_stays_below_the_limit_and_counts_the_rest() {
        let changes = (0..2_000).map(|at| Change {
            fields: vec![FieldChange {
                path: "policy".into(),
                before: Some(json!("x".repeat(400))),
                after: Some(json!("y".repeat(400))),
                unknown: false,
            }],
            ..Change::new(Address::new("sqs.queue", format!("q{at}")), Action::Update)
        });
        let text = markdown(&Plan { changes: changes.collect(), ..example() });
        assert!(text.chars().count() < LIMIT, "{}", text.chars().count());
        assert!(text.contains(" more in the whole plan."), "{}", &text[text.len() - 300..]);
        assert!(text.contains("[The whole plan]"));
    }

    #[test]
    fn texts_of_others_form_no_markup() {
        let evil = "<img src=x> @team [a](https://b) `c` | *d* www.e.com #1";
        let mut plan = example();
        plan.refused[0].reason = evil.into();
        plan.changes[0].because = Some(evil.into());
        plan.notes[0].text = format!("{evil}\n```\n# heading");
        let text = markdown(&plan);
        let outside: String = text.split("```").step_by(2).collect();
        for mark in ["<img", "@team", "](https://b", "www.e", " #1", "\n# heading", "*d*", "| *"] {
            assert!(!outside.contains(mark), "{mark}\n{outside}");
        }
    }
}
