//! The real load and the real costs of an environment, for `payctl cost`.

use std::collections::{BTreeMap, BTreeSet};

use payctl_money::actual;
use payctl_money::bill::Bill;
use payctl_money::load::{Assumptions, Driver};
use payctl_money::{Decimal, HOURS};
use time::{Date, Duration, OffsetDateTime};

use super::error::{CliError, ErrorKind};
use super::session::Session;
use super::{Context, cost};
use crate::aws::census;
use crate::aws::clients::Aws;
use crate::aws::costs;
use crate::aws::measured::{self, Gauge, Object, Reading, Window};
use crate::aws::spent::{self, Allocation, KEYS};
use crate::ui::environments;
use crate::ui::spending::{Actual, Driven, Gap, Measured};
use crate::ui::style::count;
use payctl_engine::model::address::Address;
use payctl_engine::model::error::ErrorClass;
use payctl_engine::model::live::{Live, Owner};
use payctl_engine::plan::Purpose;

/// A number of days: `30d`.
pub(super) fn days(text: &str) -> Result<u16, String> {
    const FORM: &str = "write a number of days from 1d to 365d, such as 30d";
    let days: Option<i64> = text.strip_suffix('d').and_then(|number| number.parse().ok());
    match days {
        Some(0) => Err(format!("a time of 0 days has nothing in it: {FORM}")),
        Some(..0) => {
            Err(format!("this time lies in the future, and only the past is known: {FORM}"))
        }
        Some(days) => {
            u16::try_from(days).ok().filter(|days| *days <= 365).ok_or_else(|| FORM.to_owned())
        }
        None => Err(FORM.to_owned()),
    }
}

/// Reads the load that CloudWatch measured, and puts it in the place of the assumptions.
pub(super) async fn measure(
    cx: &Context,
    session: &Session,
    assume: &Assumptions,
    assumed: &Bill,
    days: u16,
) -> Result<(Assumptions, Measured), CliError> {
    let snapshot = session.survey(Purpose::Apply).await?;
    let resources = cost::specs(&session.blueprint);
    let found = snapshot.values().flatten();
    let found = found.filter(|found| matches!(found.owner, Owner::Ours | Owner::Shared));
    let live: BTreeMap<&Address, &Live> =
        found.map(|found| (&found.address, &found.live)).collect();
    let is_live = |address: &&Address| live.contains_key(*address);
    let (here, absent): (Vec<&Address>, Vec<&Address>) = resources.keys().partition(is_live);
    let ids = here.into_iter().map(|address| (address.clone(), live[address].id.clone())).collect();
    let objects: Vec<Object> = costs::gauges(&resources, assume, &ids)
        .into_iter()
        .map(|(address, gauges)| {
            let created = live.get(&address).and_then(|live| environments::created(&live.tags));
            Object { address, created, gauges }
        })
        .collect();
    let absent = absent.into_iter().map(|address| (address.clone(), String::new())).collect();
    let missed = costs::gauges(&resources, assume, &absent);
    if objects.is_empty() && !missed.is_empty() {
        return Err(undeployed(session, !live.is_empty()));
    }
    let window = Window::of(OffsetDateTime::now_utc(), days);
    let read = measured::read(session.provider.aws(), &objects, window).await;
    let (readings, metrics) =
        read.map_err(|error| CliError::cloud("read measures from CloudWatch", &error))?;
    let loads = costs::loads(&resources, assume);
    let assumed_of = |address: &Address, driver: Driver, instead: &[Driver]| {
        let load = loads.get(address);
        let of = |driver: &Driver| load.and_then(|load| load.known(*driver));
        let own: Vec<Decimal> = std::iter::once(&driver).chain(instead).filter_map(of).collect();
        // Of these, `[usage]` says the same for all resources. Any other load that nothing brings is 0.
        let is_for_all = matches!(driver, Driver::Milliseconds | Driver::StoredGb);
        (!own.is_empty() || !is_for_all).then(|| own.into_iter().sum::<Decimal>())
    };
    let driven = |reading: &Reading| Driven {
        address: reading.address.to_string(),
        driver: reading.driver.to_string(),
        assumed: assumed_of(&reading.address, reading.driver, reading.instead),
        measured: reading.quantity,
        has_values: reading.has_values,
    };
    let unread: BTreeSet<&str> = snapshot.unseen.iter().map(|unseen| &*unseen.kind).collect();
    let gap = |address: &Address, gauge: &Gauge| Gap {
        address: address.to_string(),
        driver: gauge.driver.to_string(),
        assumed: assumed_of(address, gauge.driver, gauge.instead),
        why: if unread.contains(&*address.kind) { "cannot be read" } else { "not deployed" },
    };
    let gaps = missed.iter().flat_map(|(address, gauges)| {
        gauges.iter().map(move |gauge| (address, gauge)).collect::<Vec<_>>()
    });
    let measured = Measured {
        from: window.from,
        until: window.until,
        metrics,
        drivers: readings.iter().map(driven).collect(),
        gaps: gaps.map(|(address, gauge)| gap(address, gauge)).collect(),
        assumed: assumed.clone(),
    };
    let mut measured_load = measured::applied(assume, &readings);
    // What is not measured keeps its load, also where what brings it is measured.
    for (address, gauges) in &missed {
        let drivers = gauges
            .iter()
            .flat_map(|gauge| [gauge.driver].into_iter().chain(gauge.instead.iter().copied()));
        let known = drivers.filter_map(|driver| Some((driver, loads.get(address)?.known(driver)?)));
        measured_load.resources.entry(address.to_string()).or_default().extend(known);
    }
    session.explain_calls(cx);
    Ok((measured_load, measured))
}

/// The error where there is nothing to measure.
fn undeployed(session: &Session, is_there_anything: bool) -> CliError {
    let scope = &session.blueprint.scope;
    let title = match is_there_anything {
        true => format!("nothing of {scope} that CloudWatch measures is deployed"),
        false => format!("{scope} is not deployed, so there is nothing to measure"),
    };
    CliError::new(ErrorKind::User, title)
        .hinted(format!("deploy it with `payctl apply --env {}`", scope.env))
        .hinted("or leave out --measured: then the cost follows the assumptions in [usage]")
}

/// Reads what the environment cost, and puts it beside the estimate.
pub(super) async fn actual(
    cx: &Context,
    session: &Session,
    bill: &Bill,
    days: u16,
) -> Result<Actual, CliError> {
    let aws = session.provider.aws();
    cx.note("Cost Explorer is asked at least twice; AWS charges 0.01 USD for each request.");
    let mut notes = Vec::new();
    let since = active(aws, &mut notes).await?;
    let today = OffsetDateTime::now_utc().date();
    let asked = today - Duration::days(days.into());
    let created = created(aws, &mut notes).await?;
    let from = [since, created].into_iter().flatten().fold(asked, Ord::max);
    if from >= today {
        let title = "Cost Explorer has no whole day of this environment yet";
        return Err(CliError::new(ErrorKind::User, title)
            .because(format!("its costs are known from {from} on, and today does not count"))
            .hinted("try again tomorrow"));
    }
    if from > asked {
        notes.push(format!(
            "Not all of the {days} days: costs are known from {from} on, when the environment had been created and \
             its tags were active."
        ));
    }
    let found = spent::by_usage(aws, from, today).await;
    let (spent, pages) =
        found.map_err(|error| CliError::cloud("read costs from Cost Explorer", &error))?;
    let part = Decimal::from((today - from).whole_days()) * Decimal::from(24) / HOURS;
    let lines = actual::lines(bill, &spent, part);
    let is_complete = bill.unpriced.is_empty();
    if !is_complete {
        let missing = count(bill.unpriced.len(), "item");
        notes.push(format!("The estimate is incomplete: {missing} without a price."));
    }
    if spent.is_empty() {
        notes.push("Cost Explorer has no cost with the tags of this environment.".to_owned());
    }
    notes.push(
        "Costs come up to a day late. What AWS does not tag, such as alarms, dashboards and data to the \
         internet, is not in the actual cost."
            .to_owned(),
    );
    let requests = pages + 1;
    let (number, cents) = (requests, Decimal::new(i64::try_from(requests).unwrap_or(0), 2));
    notes.push(format!("Cost Explorer was asked {number} times, for {cents} USD."));
    session.explain_calls(cx);
    Ok(Actual { from, until: today, requests, lines, is_complete, notes })
}

/// Since when costs are known by the tags of environments. Tags that are not active are an error.
async fn active(aws: &Aws, notes: &mut Vec<String>) -> Result<Option<Date>, CliError> {
    match spent::allocation(aws).await {
        Ok(Allocation::Active(since)) => Ok(since),
        Ok(Allocation::Inactive(keys)) => {
            let status: Vec<String> =
                keys.iter().map(|key| format!("TagKey={key},Status=Active")).collect();
            let title = "Cost Explorer does not tell the costs of environments apart";
            Err(CliError::new(ErrorKind::User, title)
                .because(format!("these cost allocation tags are not active: {}", keys.join(", ")))
                .hinted(format!(
                    "activate them in the account that pays: aws ce \
                     update-cost-allocation-tags-status --cost-allocation-tags-status {}",
                    status.join(" ")
                ))
                .hinted("costs are known by them from then on, after up to a day"))
        }
        // An account that another one pays for may not see the tags.
        Err(error) if error.class == ErrorClass::Denied => {
            notes.push(format!(
                "Not verified: whether the cost allocation tags {} are active ({}). Without them nothing \
                 is in the actual cost.",
                KEYS.join(", "),
                error.code
            ));
            Ok(None)
        }
        Err(error) => Err(CliError::cloud("read the cost allocation tags", &error)),
    }
}

/// The day on which the oldest object of the environment was created, as far as tags say so.
async fn created(aws: &Aws, notes: &mut Vec<String>) -> Result<Option<Date>, CliError> {
    let listed = census::listed(aws).await;
    let listed =
        listed.map_err(|error| CliError::cloud("read the tags of the environment", &error))?;
    let times = listed.iter().filter_map(|one| environments::created(&one.tags));
    let created = times.min().map(|time| time.to_offset(time::UtcOffset::UTC).date());
    if created.is_none() {
        notes.push(
            "Not verified: since when the environment exists. The estimate is for all of the time."
                .to_owned(),
        );
    }
    Ok(created)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_a_number_of_days() {
        assert_eq!(days("30d"), Ok(30));
        for wrong in ["30", "366d", "99999999d", "d", "30h", ""] {
            assert!(days(wrong).is_err_and(|why| why.starts_with("write a number")), "{wrong}");
        }
        assert!(days("0d").is_err_and(|why| why.starts_with("a time of 0 days")));
        assert!(days("-30d").is_err_and(|why| why.starts_with("this time lies in the future")));
    }
}
