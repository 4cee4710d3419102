//! `payctl policy`.

use std::fs;
use std::path::{Path, PathBuf};

use super::error::{CliError, ErrorKind};
use super::{Context, exit, session};
use crate::aws::policy::{LIMIT, Statement, Task, document, for_any_number, least, length, split};

/// Print the least IAM policy for a task
///
/// The policy allows a role to do this with the environment, and nothing else. It lists
/// actions, limits them to the names of the config, and adds conditions that AWS knows in every
/// call. This command does not call AWS. A plan reads every kind of resource; only the kinds that
/// the config uses are created, changed and deleted.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The task of the role
    #[arg(long = "for", value_name = "TASK", value_enum)]
    task: For,
    /// The account, if the config does not name one
    #[arg(long, value_name = "ID", value_parser = account)]
    account: Option<String>,
    /// Cover every environment that differs from this one only in its number: pr-1, pr-2 ...
    #[arg(long)]
    any_number: bool,
    /// Write the policy to numbered files in this directory, each within the limit of a managed
    /// policy
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

/// The task of a role.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum For {
    /// Plan, status and outputs
    Plan,
    /// Check, and all that plan needs
    Check,
    /// Apply, and all that plan needs
    Apply,
    /// Destroy, and all that plan needs
    Destroy,
    /// Shift, shift status and shift back
    Shift,
    /// Gc for environments with names like this one, with --any-number for all of a template
    Gc,
    /// Env list
    EnvList,
    /// Cost with --live-prices, --measured or --actual, prices update, and all that plan needs
    Cost,
}

/// The id of an account.
fn account(text: &str) -> Result<String, String> {
    if text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit()) {
        Ok(text.to_owned())
    } else {
        Err("an account id has 12 digits".to_owned())
    }
}

pub(super) fn run(cx: &Context, args: &Args) -> Result<u8, CliError> {
    let env = cx.env()?;
    let (scope, names, uses) = session::names(&cx.global, &env, args.account.as_deref())?;
    let (scope, names) = if args.any_number {
        for_any_number(&scope, &names).ok_or_else(|| {
            CliError::new(ErrorKind::User, format!("the name `{env}` does not end in a number"))
                .hinted("--any-number is for environments like pr-1 and pr-2")
        })?
    } else {
        (scope, names)
    };
    let (task, word) = match args.task {
        For::Plan => (Task::Plan, "plan"),
        For::Check => (Task::Check, "check"),
        For::Apply => (Task::Apply, "apply"),
        For::Destroy => (Task::Destroy, "destroy"),
        For::Shift => (Task::Shift, "shift"),
        For::Gc => (Task::Gc, "gc"),
        For::EnvList => (Task::EnvList, "env-list"),
        For::Cost => (Task::Cost, "cost"),
    };
    let statements = least(task, &scope, &names, &uses);
    if let Some(dir) = &args.out {
        return write(
            cx,
            dir,
            &format!("payctl-{}-{word}", scope.env.replace('*', "n")),
            &statements,
        );
    }
    let whole = document(&statements);
    // The output is the same with --json: a policy is JSON, and AWS reads it as a whole.
    cx.screen.data(&format!("{whole:#}\n"))?;
    let size = length(&whole);
    if size > LIMIT {
        cx.note(format_args!(
            "The policy has {size} characters; a managed policy has at most {LIMIT}. --out DIR \
             writes it in {} parts: attach all of them to the role.",
            split(&statements).len()
        ));
    }
    Ok(exit::SUCCESS)
}

/// Writes each part to its own file, and prints the path.
fn write(cx: &Context, dir: &Path, stem: &str, statements: &[Statement]) -> Result<u8, CliError> {
    let failed = |path: &Path, error: std::io::Error| {
        let title = format!("cannot write {}", path.display());
        CliError::new(ErrorKind::User, title).because(error)
    };
    fs::create_dir_all(dir).map_err(|error| failed(dir, error))?;
    for (number, part) in split(statements).iter().enumerate() {
        let path = dir.join(format!("{stem}-{}.json", number + 1));
        let text = format!("{:#}\n", document(part));
        fs::write(&path, text).map_err(|error| failed(&path, error))?;
        cx.screen.data(&format!("{}\n", path.display()))?;
    }
    Ok(exit::SUCCESS)
}
