//! Load balancers of another environment: it adds rules to their listeners. The rules are its own, by their
//! tags.

use std::collections::BTreeMap;

use futures::future::try_join_all;

use super::common;
use super::listener;
use super::listener_rule;
use super::load_balancer::LoadBalancer;
use crate::aws::census::{Index, Indexed};
use crate::aws::clients::{Aws, retry_read};
use crate::aws::lent::Usable;
use crate::aws::resource::{Resource as _, Survey};
use payctl_engine::model::error::OpError;
use payctl_engine::model::permit::Permit;
use payctl_engine::model::scope::TAG_BORROWS;

const LISTENER: &[&str] = &["elasticloadbalancing:{here}:listener/app/{name}/*"];
const RULE: &[&str] = &["elasticloadbalancing:{here}:listener-rule/app/{name}/*"];

/// What one needs to add rules, and to change and delete no others.
pub(in crate::aws::kinds) const BALANCER: Usable = Usable {
    kind: LoadBalancer::META.kind,
    find: None,
    looks: &[],
    uses: &[
        Permit::create(&["elasticloadbalancing:CreateRule"], LISTENER),
        Permit::create(&["elasticloadbalancing:AddTags"], RULE).made_ours(),
        Permit::change(
            &[
                "elasticloadbalancing:AddTags",
                "elasticloadbalancing:ModifyRule",
                "elasticloadbalancing:RemoveTags",
                "elasticloadbalancing:SetRulePriorities",
            ],
            RULE,
        )
        .ours(),
        Permit::delete(&["elasticloadbalancing:DeleteRule"], RULE).ours(),
    ],
    also: &[],
};

/// The rules that other environments have on listeners of this one. The list does not lag behind as the
/// index of tags does.
pub(in crate::aws::kinds) const CLAIMS: Index = Index {
    permits: &[Permit::look(
        &[
            "elasticloadbalancing:DescribeListeners",
            "elasticloadbalancing:DescribeLoadBalancers",
            "elasticloadbalancing:DescribeRules",
            "elasticloadbalancing:DescribeTags",
        ],
        &["*"],
    )],
    ask: |aws| Box::pin(ask(aws)),
};

async fn ask(aws: &Aws) -> Result<Vec<Indexed>, OpError> {
    let wanted = BTreeMap::new();
    let own = || async {
        let cx = Survey { aws, wanted: &wanted, sweep: None };
        let listeners = listener::list(&cx).await?.into_iter();
        let listeners = listeners.filter(listener::has_rules).filter_map(|one| one.listener_arn);
        let rules = listeners.map(|arn| async move { listener_rule::arns_of(aws, &arn).await });
        let arns: Vec<String> = try_join_all(rules).await?.into_iter().flatten().collect();
        common::tags_of_all(&cx, arns.into_iter()).await
    };
    let rules = retry_read(own).await?.into_iter();
    let claims = rules.filter(|(_, tags)| tags.contains_key(TAG_BORROWS));
    Ok(claims.map(|(arn, tags)| Indexed { arn, tags }).collect())
}
