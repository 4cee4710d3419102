//! `docs/kinds`: a page for each kind, from the table of kinds.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;

use payctl::aws::facts::ACTIONS;
use payctl::aws::kinds::KINDS;
use payctl::aws::resource::AnyKind;
use payctl::ui::kind::facts;
use payctl_engine::model::meta::Replace;

use super::{GENERATED, expect_file, root};

fn kind_page(kind: &dyn AnyKind) -> String {
    let meta = kind.meta();
    let mut page = format!("{GENERATED}# {}\n\n{}\n", meta.kind, meta.summary);
    for (title, rows) in facts(meta) {
        let rows: String = rows.into_iter().map(|row| format!("- {row}\n")).collect();
        let _ = write!(page, "\n## {title}\n\n{rows}");
    }
    let sample = kind.sample();
    let _ = write!(page, "\n## Spec, by example\n\n```json\n{sample:#}\n```\n");
    page
}

#[test]
fn the_pages_of_the_kinds_are_up_to_date() {
    let always: Vec<String> = ACTIONS.iter().map(|action| format!("`{action}`")).collect();
    let mut index = format!(
        "{GENERATED}# Kinds\n\nThe kinds of resources that payctl knows. `payctl explain KIND` \
         shows the same in the terminal. Every command reads all kinds, and also needs these IAM \
         actions: {}.\n\n| kind | what it is | replacement |\n|---|---|---|\n",
        always.join(", ")
    );
    let mut pages = BTreeSet::from(["README.md".to_owned()]);
    for kind in KINDS {
        let meta = kind.meta();
        let file = format!("{}.md", meta.kind);
        expect_file(&format!("docs/kinds/{file}"), &kind_page(*kind));
        let replace = match meta.replace {
            Replace::CreateFirst => "new one first",
            Replace::DeleteFirst => "old one first",
            Replace::Forbidden => "refused",
        };
        let _ = writeln!(index, "| [{}]({file}) | {} | {replace} |", meta.kind, meta.summary);
        pages.insert(file);
    }
    expect_file("docs/kinds/README.md", &index);
    let found: BTreeSet<String> = fs::read_dir(root().join("docs/kinds"))
        .expect("the folder of the pages")
        .map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned())
        .collect();
    assert_eq!(found, pages, "docs/kinds holds a page of no kind");
}
