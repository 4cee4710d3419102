//! `payctl prices`, and prices from AWS's list for other commands.

use std::path::{Path, PathBuf};

use payctl_money::prices::{Origin, Price, Prices};
use serde_json::json;
use time::{Date, Duration};

use super::error::{CliError, ErrorKind};
use super::{Context, exit, saved, session, variable};
use crate::aws::clients::Aws;
use crate::aws::pricing::{self, Listed};
use crate::ui::prices::Changed;
use crate::ui::style::count;

/// After so many days, payctl warns that a file of prices is old.
const OLD_DAYS: i64 = 180;
/// How many missing prices a warning names.
const NAMED: usize = 20;

/// Work with the prices that costs are computed from
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    Update(Update),
}

/// Take the prices of a region from AWS's price list
///
/// Writes a file for --prices. It has the date and the source of each price. payctl says what differs from the
/// file that is there, else from the prices in payctl, and writes nothing if nothing differs. Prices that payctl
/// does not find in the list are named, and the figures in payctl stay.
#[derive(Debug, clap::Args)]
struct Update {
    /// Write the file instead of showing it
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Show what would change in the file, and write nothing
    #[arg(long, requires = "out")]
    dry_run: bool,
}

pub(super) async fn run(cx: &Context, args: &Args) -> Result<u8, CliError> {
    let Command::Update(Update { out, dry_run }) = &args.command;
    let aws = session::account(cx).await?;
    let region = aws.scope.region.clone();
    // A file that payctl cannot read is not its own to replace.
    let there = out.as_deref().filter(|path| path.exists());
    let there = there.map(|path| load(path, &region)).transpose()?;
    let Listed { prices, missing } = listed(cx, &aws, &region).await?;
    let shipped = || Prices::shipped(&region).unwrap_or_else(|| Prices::none(&region));
    let compared_with = if there.is_some() { "the file" } else { "payctl" };
    let is_new = there.is_none();
    let is_same = there.as_ref() == Some(&prices);
    let mut change = Changed::of(&there.unwrap_or_else(shipped), &prices);
    if is_new {
        // The figures in payctl stay.
        change.gone.clear();
    }
    let text = format!(
        "# From AWS's price list by `payctl prices update`: list prices on demand.\n\n{}",
        prices.text()
    );
    let written = out.as_deref().filter(|_| !dry_run && !is_same);
    if let Some(path) = written {
        saved::put(path, &text, "the prices", "--out")?;
    }
    let body = || {
        let row = |(meter, price): (&str, &Price)| {
            let Price { tiers, date, source, verified, .. } = price;
            json!({ "meter": meter, "tiers": tiers, "date": date, "source": source, "verified": verified })
        };
        let mut body = json!({
            "region": region,
            "file": out,
            "is_written": written.is_some(),
            "compared_with": if is_new { "payctl" } else { "file" },
            "prices": prices.iter().map(row).collect::<Vec<_>>(),
            "missing": missing,
        });
        for (key, value) in change.json() {
            body[key] = value;
        }
        body
    };
    cx.show("prices", body, || if out.is_some() { String::new() } else { text.clone() })?;
    let number = count(prices.iter().count(), "price");
    cx.note(format_args!(
        "{number} of {region}. Compared with {compared_with}: {}.",
        change.counts()
    ));
    for line in change.lines() {
        cx.note(format_args!("  {line}"));
    }
    if let Some(path) = out {
        let path = path.display();
        let use_it = format!("Use it with: payctl cost --prices {path}");
        match (is_same, dry_run) {
            (true, _) => {
                cx.note(format_args!("{path} says the same already. Nothing was written."));
            }
            (false, true) => cx.note(format_args!("Nothing was written, because of --dry-run.")),
            (false, false) => cx.note(format_args!("Written to {path}. {use_it}")),
        }
    }
    session::explain_calls(cx, &aws);
    Ok(exit::SUCCESS)
}

/// The prices of AWS's list, for a command that computes with them.
pub(super) async fn live(cx: &Context, aws: &Aws, region: &str) -> Result<Prices, CliError> {
    Ok(listed(cx, aws, region).await?.prices.named("AWS's price list"))
}

async fn listed(cx: &Context, aws: &Aws, region: &str) -> Result<Listed, CliError> {
    let listed = pricing::listed(aws, region).await;
    let listed = listed.map_err(|error| CliError::cloud("read AWS's price list", &error))?;
    if !listed.missing.is_empty() {
        cx.screen.note(&format!("warning: {}\n", lacking(&listed.missing, region)));
    }
    match is_elsewhere(cx) {
        true => Ok(Listed { prices: marked(&listed.prices, region), ..listed }),
        false => Ok(listed),
    }
}

/// Which prices AWS's list does not have.
fn lacking(missing: &[String], region: &str) -> String {
    let mut named: Vec<&str> = missing.iter().take(NAMED).map(String::as_str).collect();
    let more = format!("{} more, which --json names", missing.len().saturating_sub(NAMED));
    if missing.len() > NAMED {
        named.push(&more);
    }
    let stays = match Prices::shipped(region) {
        Some(_) => "what payctl knows of them stays",
        None => "they stay unknown",
    };
    let number = count(missing.len(), "price");
    format!("AWS's price list of {region} does not have {number}, so {stays}: {}", named.join(", "))
}

/// Reads a file of prices for a region, and warns of days that cannot be right.
pub(super) fn read(cx: &Context, path: &Path, region: &str) -> Result<Prices, CliError> {
    let name = path.display().to_string();
    let prices = load(path, region)?.named(&name);
    let today = time::OffsetDateTime::now_utc().date();
    if let Some(warning) = prices.origins.iter().find_map(|origin| doubtful(origin, today)) {
        cx.screen.note(&format!("warning: {warning}\n"));
    }
    Ok(prices)
}

/// Why the days of a file of prices are doubtful.
fn doubtful(origin: &Origin, today: Date) -> Option<String> {
    let Origin { name, oldest, newest } = origin;
    let first = today - Duration::days(OLD_DAYS);
    if *newest > today.to_string() {
        return Some(format!(
            "{name} has a price of {newest}, which is in the future: correct its `date`"
        ));
    }
    let is_old = !oldest.is_empty() && *oldest < first.to_string();
    is_old.then(|| {
        format!(
            "{name} has a price of {oldest}, which is more than {OLD_DAYS} days old: compare it with your \
             agreement, or take the prices from AWS again with `payctl prices update`"
        )
    })
}

/// The same without a word about days.
fn load(path: &Path, region: &str) -> Result<Prices, CliError> {
    let wrong = |why: String| {
        CliError::new(ErrorKind::User, format!("cannot use the prices in {}", path.display()))
            .because(why)
            .hinted("docs/cost.md shows the form of the file")
    };
    let text = std::fs::read_to_string(path).map_err(|error| wrong(error.to_string()))?;
    let prices = Prices::read(&text, &path.display().to_string()).map_err(wrong)?;
    if prices.region != region {
        let title = format!("cannot use the prices in {}", path.display());
        return Err(CliError::new(ErrorKind::User, title)
            .because(format!("they are of {}, and the region is {region}", prices.region))
            .hinted(format!("name a file with region = \"{region}\"")));
    }
    Ok(prices)
}

/// Whether prices come from something else than AWS, such as the sandbox.
fn is_elsewhere(cx: &Context) -> bool {
    let names = ["AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_PRICING"];
    let named = names.into_iter().any(|name| variable(name).is_some());
    cx.global.sandbox || cx.global.endpoint_url.is_some() || named
}

/// Marks prices that AWS did not state. The sandbox answers from payctl's table, so a price is as
/// verified as the one in it.
fn marked(listed: &Prices, region: &str) -> Prices {
    let shipped = Prices::shipped(region).unwrap_or_else(|| Prices::none(region));
    let mut marked = Prices::none(region);
    for (meter, price) in listed.iter() {
        let verified =
            shipped.get(meter).is_some_and(|known| known.verified && known.tiers == price.tiers);
        let source = format!("{}, not from AWS itself", price.source);
        marked.set(meter, Price { source, verified, ..price.clone() });
    }
    marked
}

/// The prices of a region: those in payctl, and in their place those of others, the last first.
pub(super) fn of(region: &str, others: &[Prices]) -> Prices {
    let shipped = Prices::shipped(region).unwrap_or_else(|| Prices::none(region));
    let others = others.iter().filter(|others| others.region == region);
    others.fold(shipped, |prices, others| prices.with(others.clone()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_that_cannot_be_right_are_named() {
        let today = time::macros::date!(2026 - 12 - 01);
        let said = |oldest: &str, newest: &str| {
            let [name, oldest, newest] = ["own.toml", oldest, newest].map(str::to_owned);
            doubtful(&Origin { name, oldest, newest }, today)
        };
        assert_eq!(said("", ""), None);
        // 180 days before.
        assert_eq!(said("2026-06-04", "2026-12-01"), None);
        let old = said("2026-06-03", "2026-12-01").expect("a warning");
        assert!(old.starts_with("own.toml has a price of 2026-06-03, which is more than 180 days"));
        let ahead = said("2020-01-01", "2026-12-02").expect("a warning");
        assert!(ahead.starts_with("own.toml has a price of 2026-12-02, which is in the future"));
    }

    #[test]
    fn prices_of_the_sandbox_keep_the_mark_of_the_table() {
        let shipped = Prices::shipped("us-west-2").expect("a table");
        let mut listed = Prices::none("us-west-2");
        for (meter, price) in shipped.iter() {
            listed.set(meter, Price { verified: true, ..price.clone() });
        }
        let marked = marked(&listed, "us-west-2");
        let doubts = |prices: &Prices| prices.iter().filter(|(_, price)| !price.verified).count();
        assert!(doubts(&marked) > 0);
        assert_eq!(doubts(&marked), doubts(&shipped));
        let read = Prices::read(&marked.text(), "").expect("a table");
        assert_eq!(doubts(&read), doubts(&shipped), "the file keeps it");
        assert!(marked.iter().all(|(_, price)| price.source.ends_with("not from AWS itself")));
    }
}
