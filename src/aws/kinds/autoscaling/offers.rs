//! The zones in which AWS offers the instance type of a group.

use super::group::Group;
use crate::aws::kinds::ec2::launch_template::LaunchTemplate;
use crate::aws::kinds::ec2::offers::{ASKING, available};
use crate::aws::preflight::{Check, Finding, Preflight, Subject};
use crate::aws::resource::Resource as _;
use payctl_engine::model::error::OpError;

/// Checks whether AWS offers the instance types of new groups in their zones.
pub(super) const CHECK: Check =
    Check { subject: Subject::Zones, doing: ASKING, run: |cx| Box::pin(check(cx)) };

async fn check(cx: &Preflight<'_>) -> Result<Vec<Finding>, OpError> {
    let mut findings = Vec::new();
    for planned in cx.of(Group::META.kind).filter(|planned| planned.makes("instance_type")) {
        if planned.want.is_none() {
            continue;
        }
        let template = cx.used(planned.address, LaunchTemplate::META.kind).pop_first();
        let spec = template.map(|template| &cx.resources[&template].spec);
        if let Some(wanted) = spec.and_then(|spec| spec["instance_type"].as_str()) {
            findings.extend(available(cx, planned, wanted).await?);
        }
    }
    Ok(findings)
}
