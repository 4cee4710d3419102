//! The real load and the real costs of an environment, for `payctl cost`.

use std::collections::BTreeMap;

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
use crate::aws::measured::{self, Object, Reading, Window};
use crate::aws::spent::{self, Allocation, KEYS};
use crate::ui::environments;
use crate::ui::spending::{Actual, Driven, Measured};
use payctl_engine::model::address::Address;
use payctl_engine::model::error::ErrorClass;
use payctl_engine::model::live::{Live, Owner};
use payctl_engine::plan::Purpose;

/// A number of days: `30d`.
pub(super) fn days(text: &str) -> Result<u16, String> {
    let days = text.strip_suffix('d').and_then(|number| number.parse().ok());
    days.filter(|days| (1..=365).contains(days))
        .ok_or_else(|| "write a number of days from 1d to 365d, such as 30d".to_owned())
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
    let here = resources.keys().filter_map(|address| Some((address, *live.get(address)?)));
    let ids = here.map(|(address, live)| (address.clone(), live.id.clone())).collect();
    let objects: Vec<Object> = costs::gauges(&resources, assume, &ids)
        .into_iter()
        .map(|(address, gauges)| {
            let created = live.get(&address).and_then(|live| environments::created(&live.tags));
            Object { address, created, gauges }
        })
        .collect();
    let window = Window::of(OffsetDateTime::now_utc(), days);
    let read = measured::read(session.provider.aws(), &objects, window).await;
    let (readings, metrics) =
        read.map_err(|error| CliError::cloud("read measures from CloudWatch", &error))?;
    let loads = costs::loads(&resources, assume);
    let driven = |reading: &Reading| {
        let Reading { address, driver, quantity, has_values, instead } = reading;
        let load = loads.get(address);
        let of = |driver: &Driver| load.and_then(|load| load.known(*driver));
        let own: Vec<Decimal> = std::iter::once(driver).chain(*instead).filter_map(of).collect();
        // Of these, `[usage]` says the same for all resources. Any other load that nothing brings is 0.
        let is_for_all = matches!(driver, Driver::Milliseconds | Driver::StoredGb);
        Driven {
            address: address.to_string(),
            driver: driver.to_string(),
            assumed: (!own.is_empty() || !is_for_all).then(|| own.into_iter().sum()),
            measured: *quantity,
            has_values: *has_values,
        }
    };
    let absent = resources.keys().filter(|address| !live.contains_key(address));
    let measured = Measured {
        from: window.from,
        until: window.until,
        metrics,
        drivers: readings.iter().map(driven).collect(),
        absent: absent.map(ToString::to_string).collect(),
        assumed: assumed.clone(),
    };
    session.explain_calls(cx);
    Ok((measured::applied(assume, &readings), measured))
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
            "Not {days} days: costs are known from {from} on, when the environment had been created and \
             its tags were active."
        ));
    }
    let found = spent::by_usage(aws, from, today).await;
    let (spent, pages) =
        found.map_err(|error| CliError::cloud("read costs from Cost Explorer", &error))?;
    let part = Decimal::from((today - from).whole_days()) * Decimal::from(24) / HOURS;
    let lines = actual::lines(bill, &spent, part);
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
    Ok(Actual { from, until: today, requests, lines, notes })
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
        for wrong in ["30", "0d", "366d", "d", "30h", "-1d"] {
            assert!(days(wrong).is_err(), "{wrong}");
        }
    }
}
