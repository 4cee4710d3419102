//! `payctl prices`, and prices from AWS's list for other commands.

use std::path::{Path, PathBuf};

use payctl_money::list::said;
use payctl_money::prices::{Price, Prices};
use serde_json::json;

use super::error::{CliError, ErrorKind};
use super::{Context, exit, saved, session, variable};
use crate::aws::clients::Aws;
use crate::aws::pricing::{self, Listed};
use crate::ui::style::count;

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
/// Writes a file for --prices. It has the date and the source of each price. Prices that payctl does not
/// find in the list are named, and the figures in payctl stay.
#[derive(Debug, clap::Args)]
struct Update {
    /// Write the file instead of showing it
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

pub(super) async fn run(cx: &Context, args: &Args) -> Result<u8, CliError> {
    let Command::Update(Update { out }) = &args.command;
    let aws = session::account(cx).await?;
    let region = aws.scope.region.clone();
    let Listed { prices, missing } = listed(cx, &aws, &region).await?;
    let shipped = Prices::shipped(&region).unwrap_or_else(|| Prices::none(&region));
    let changed: Vec<(&str, Option<&Price>, &Price)> = prices
        .iter()
        .map(|(meter, price)| (meter, shipped.get(meter), price))
        .filter(|(_, before, price)| before.is_none_or(|before| before.tiers != price.tiers))
        .collect();
    let text = format!(
        "# From AWS's price list by `payctl prices update`: list prices on demand.\n\n{}",
        prices.text()
    );
    if let Some(path) = out {
        saved::put(path, &text, "the prices", "--out")?;
    }
    let body = || {
        let row = |(meter, price): (&str, &Price)| {
            let Price { tiers, date, source, verified } = price;
            json!({ "meter": meter, "tiers": tiers, "date": date, "source": source, "verified": verified })
        };
        let change = |(meter, before, after): &(&str, Option<&Price>, &Price)| {
            let before = before.map(|before| &before.tiers);
            json!({ "meter": meter, "before": before, "after": after.tiers })
        };
        json!({
            "region": region,
            "file": out,
            "prices": prices.iter().map(row).collect::<Vec<_>>(),
            "changed": changed.iter().map(change).collect::<Vec<_>>(),
            "missing": missing,
        })
    };
    cx.show("prices", body, || if out.is_some() { String::new() } else { text.clone() })?;
    let number = count(prices.iter().count(), "price");
    cx.note(format_args!("{number} of {region}; {} differ from those in payctl.", changed.len()));
    for (meter, before, after) in &changed {
        let before = before.map_or_else(|| "none".to_owned(), |before| said(&before.tiers));
        cx.note(format_args!("  {meter}: {before} -> {}", said(&after.tiers)));
    }
    if let Some(path) = out {
        let path = path.display();
        cx.note(format_args!("Written to {path}. Use it with: payctl cost --prices {path}"));
    }
    session::explain_calls(cx, &aws);
    Ok(exit::SUCCESS)
}

/// The prices of AWS's list, for a command that computes with them.
pub(super) async fn live(cx: &Context, aws: &Aws, region: &str) -> Result<Prices, CliError> {
    Ok(listed(cx, aws, region).await?.prices)
}

async fn listed(cx: &Context, aws: &Aws, region: &str) -> Result<Listed, CliError> {
    let listed = pricing::listed(aws, region).await;
    let listed = listed.map_err(|error| CliError::cloud("read AWS's price list", &error))?;
    if !listed.missing.is_empty() {
        cx.screen.note(&format!(
            "warning: not in AWS's price list of {region}, so the figures in payctl stay: {}\n",
            listed.missing.join(", ")
        ));
    }
    match is_elsewhere(cx) {
        true => Ok(Listed { prices: marked(&listed.prices, region), ..listed }),
        false => Ok(listed),
    }
}

/// Reads a file of prices for a region.
pub(super) fn read(path: &Path, region: &str) -> Result<Prices, CliError> {
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
            .because(format!("they are of {}, and the environment is in {region}", prices.region))
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
