//! Regional web ACLs of WAFv2, for load balancers and API stages.
//!
//! AWS quirks: every write needs the lock token of a fresh read and replaces the whole ACL. payctl
//! sends back unmanaged parts (rules of Shield, captcha and token settings ...) as it read them.
//! Every call takes name and id, so the ARN, which has both, is the id here. AWS may refuse to
//! delete the ACL for a while after its association was removed (`WAFAssociatedItemException`).

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use aws_sdk_wafv2::operation::get_web_acl::GetWebAclOutput;
use aws_sdk_wafv2::types::{Scope, Tag, WebAcl as AwsAcl, WebAclSummary};
use futures::future::{join3, try_join_all};
use serde::{Deserialize, Serialize};

use crate::aws::clients::Aws;
use crate::aws::costs::{Costs, to};
use crate::aws::error::{Gone, op};
use crate::aws::kinds::logs::delivery::delivery;
use crate::aws::measured::Gauge;
use crate::aws::resource::{Cx, Resource, Survey};
use crate::words::firewalls::Verdict;
use payctl_engine::model::address::Address;
use payctl_engine::model::drawn::{Drawn, Lane};
use payctl_engine::model::error::{ErrorClass, OpError};
use payctl_engine::model::live::{Found, Live, Phase, Tags};
use payctl_engine::model::meta::{Meta, Pricing, Replace, Typical};
use payctl_engine::model::naming::NameRule;
use payctl_engine::model::permit::Permit;
use payctl_engine::model::text::{Output, Outputs, Text};
use payctl_money::Decimal;
use payctl_money::bill::Charge;
use payctl_money::load::{Driver, Passed, gb};

mod convert;
mod logging;

use convert::{default_action, is_foreign, visibility};
pub(crate) use logging::Logging;

/// A web ACL.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct WebAcl {
    /// The name.
    pub name: String,
    /// Its description.
    pub description: Option<String>,
    /// The action for requests that no rule decides.
    pub default_action: Verdict,
    /// The metrics of all requests.
    pub measure: Measure,
    /// The rules by name.
    pub rules: BTreeMap<String, Rule>,
    /// The log of requests.
    pub logging: Option<Logging>,
}

/// The metrics of requests.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Measure {
    /// The name of the metric.
    pub metric: String,
    /// Whether CloudWatch gets it.
    pub metrics: bool,
    /// Whether WAF keeps samples of requests.
    pub samples: bool,
}

/// A rule.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Rule {
    /// Rules are tried in the order of these numbers.
    pub priority: i32,
    /// The action for requests that match: `allow`, `block`, `count`, `captcha`, `challenge`; of a
    /// managed group `none` (its rules decide) or `count`.
    pub action: String,
    /// Which requests match.
    pub matches: Match,
    /// The metrics of the rule.
    pub measure: Measure,
}

/// Which requests a rule matches.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Match {
    /// Those of an address that sends too many.
    RateLimit {
        /// How many are allowed.
        limit: i64,
        /// In how many seconds.
        window: i64,
    },
    /// Those with SQL in one of the parts.
    SqlInjection {
        /// The inspected part.
        parts: BTreeSet<Part>,
        /// The transformations of the parts, in order.
        transformations: Vec<String>,
        /// `LOW` or `HIGH`.
        sensitivity: String,
    },
    /// Those with scripts in one of the parts.
    CrossSiteScripting {
        /// The inspected part.
        parts: BTreeSet<Part>,
        /// The transformations of the parts, in order.
        transformations: Vec<String>,
    },
    /// Those that a group of rules of AWS or a vendor matches.
    Managed {
        /// The vendor of the group.
        vendor: String,
        /// Which group.
        group: String,
        /// The version; the vendor's default if none.
        version: Option<String>,
        /// Rules of the group with another action than their own.
        overrides: BTreeMap<String, String>,
    },
    /// One that payctl cannot express; only live objects have it.
    Other(String),
}

/// A part of a request.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Part {
    /// The body; beyond WAF's limit `CONTINUE`, `MATCH` or `NO_MATCH`.
    Body(String),
    /// All headers; beyond WAF's limit the same.
    Headers(String),
    /// All cookies; beyond WAF's limit the same.
    Cookies(String),
    /// The query string.
    QueryString,
    /// The path.
    Uri,
    /// One that payctl cannot express; only live objects have it.
    Other(String),
}

impl WebAcl {
    /// The rule groups that cost extra. AWS charges for those against bots, and a vendor for its own.
    fn paid_groups(&self, cx: &Costs<'_>) -> [Charge; 3] {
        let groups = || {
            self.rules.values().filter_map(|rule| match &rule.matches {
                Match::Managed { vendor, group, .. } => Some((vendor.as_str(), group.as_str())),
                _ => None,
            })
        };
        let of_bots =
            groups().filter(|group| *group == ("AWS", "AWSManagedRulesBotControlRuleSet"));
        let bots = Decimal::from(of_bots.count());
        let vendors = Decimal::from(groups().filter(|(vendor, _)| *vendor != "AWS").count());
        [
            Charge::fixed("Bot Control", "waf.bot_control", bots * cx.share()),
            Charge::usage(
                "requests to Bot Control",
                "waf.bot_control_requests",
                bots * cx.load(Driver::Requests),
            ),
            Charge::fixed("rule groups of vendors", "waf.vendor", vendors * cx.share()),
        ]
    }
}

impl Resource for WebAcl {
    const META: Meta = Meta {
        drawn: Drawn::a_box(Lane::Entry, "firewall", "firewall"),
        notes: &[
            "payctl keeps rules that Shield Advanced or Firewall Manager added to the ACL, and \
             removes all other rules that the config does not name.",
            "A change takes up to a few minutes to take effect everywhere.",
            "WAF may refuse to delete the ACL for some minutes after its association was removed; \
             payctl waits.",
            "WAF adds a resource policy to write its log; an account may have ten such policies \
             per region.",
        ],
        immutable: &["name"],
        replace: Replace::CreateFirst,
        use_blocks_delete: true,
        deadline: Duration::from_secs(600),
        read_lag: Duration::from_secs(60),
        transient: &[("WAFServiceLinkedRoleErrorException", "")],
        gone_at_once: true,
        permits: &[
            Permit::look(&["wafv2:ListWebACLs"], &["*"]),
            Permit::look(
                &["wafv2:GetWebACL", "wafv2:ListTagsForResource"],
                &["wafv2:{here}:regional/webacl/{seen}/*"],
            ),
            Permit::look(
                &["wafv2:GetLoggingConfiguration"],
                &["wafv2:{here}:regional/webacl/{seen}/*"],
            ),
            Permit::create(&["wafv2:CreateWebACL"], &["wafv2:{here}:regional/webacl/{name}/*"]),
            Permit::set(&["wafv2:TagResource"], &["wafv2:{here}:regional/webacl/{name}/*"]),
            Permit::set(
                &["wafv2:CreateWebACL", "wafv2:UpdateWebACL"],
                &["wafv2:{here}:regional/managedruleset/*"],
            ),
            Permit::change(
                &["wafv2:UntagResource", "wafv2:UpdateWebACL"],
                &["wafv2:{here}:regional/webacl/{name}/*"],
            ),
            Permit::delete(
                &["wafv2:DeleteLoggingConfiguration", "wafv2:DeleteWebACL"],
                &["wafv2:{here}:regional/webacl/{name}/*"],
            ),
            Permit::delete(&["logs:DeleteLogDelivery"], &["*"]),
            Permit::change(
                &["wafv2:DeleteLoggingConfiguration", "wafv2:PutLoggingConfiguration"],
                &["wafv2:{here}:regional/webacl/{name}/*"],
            ),
            Permit::change(
                &[
                    "logs:CreateLogDelivery",
                    "logs:DeleteLogDelivery",
                    "logs:DescribeLogGroups",
                    "logs:DescribeResourcePolicies",
                    "logs:PutResourcePolicy",
                ],
                &["*"],
            ),
            Permit::change(
                &["iam:CreateServiceLinkedRole"],
                &["iam::{account}:role/aws-service-role/wafv2.amazonaws.com/*"],
            )
            .where_equal("iam:AWSServiceName", "wafv2.amazonaws.com"),
        ],
        names: Some(NameRule::new(
            "firewall",
            128,
            r"^[A-Za-z0-9_-]{1,128}$",
            "a web ACL's name is 1 to 128 letters, digits, _ and -",
        )),
        section: "firewalls",
        predicted: &[(Output::Name, "{name}")],
        asked: &["default_action"],
        typical: Typical::seconds(10, 10, 10).calls(4, 6, 3),
        serves: true,
        pricing: Pricing::Charged(
            "AWS charges for the web ACL and each rule by the month, for requests, and for \
             the log of them.",
        ),
        types: &["wafv2:regional"],
        ..Meta::new("waf.web_acl", "wafv2", "A web ACL, which allows or blocks requests.")
    };

    fn sample() -> Self {
        let limit = Rule {
            priority: 1,
            action: "block".into(),
            matches: Match::RateLimit { limit: 2000, window: 300 },
            measure: Measure::of("RateLimitRule"),
        };
        let sql = Rule {
            priority: 2,
            action: "block".into(),
            matches: Match::SqlInjection {
                parts: BTreeSet::from([Part::Body("CONTINUE".into())]),
                transformations: vec!["URL_DECODE".into()],
                sensitivity: "LOW".into(),
            },
            measure: Measure::of("SQLInjectionRule"),
        };
        Self {
            name: "sample-firewall".into(),
            description: Some("What reaches the API".into()),
            default_action: Verdict::Allow,
            measure: Measure::of("SampleWAF"),
            rules: [("RateLimitRule", limit), ("SQLInjectionRule", sql)]
                .map(|(name, rule)| (name.to_owned(), rule))
                .into(),
            logging: None,
        }
    }

    fn variants() -> Vec<Self> {
        let sample = Self::sample();
        let parts = || {
            let oversize = "MATCH".to_owned();
            let sized = [Part::Body, Part::Headers, Part::Cookies].map(|of| of(oversize.clone()));
            sized.into_iter().chain([Part::QueryString, Part::Uri]).collect()
        };
        let transformations = vec!["URL_DECODE".to_owned(), "LOWERCASE".to_owned()];
        let rule = |name: &str, priority, action: &str, matches| {
            let measure = Measure { samples: false, ..Measure::of(name) };
            (name.to_owned(), Rule { priority, action: action.into(), matches, measure })
        };
        let sql = Match::SqlInjection {
            parts: parts(),
            transformations: transformations.clone(),
            sensitivity: "HIGH".into(),
        };
        let scripts = Match::CrossSiteScripting { parts: parts(), transformations };
        let managed = |version: Option<&str>| Match::Managed {
            vendor: "AWS".into(),
            group: "AWSManagedRulesCommonRuleSet".into(),
            version: version.map(str::to_owned),
            overrides: BTreeMap::from([("SizeRestrictions_BODY".to_owned(), "count".to_owned())]),
        };
        let group = Address::new("logs.log_group", "sample-waf");
        let logging = |redacted: &[&str]| Logging {
            destination: Text::reference(group.clone(), Output::Arn),
            redacted: redacted.iter().map(|name| (*name).to_owned()).collect(),
            other: None,
        };
        vec![
            Self {
                description: None,
                default_action: Verdict::Block,
                measure: Measure { metrics: false, ..Measure::of("Other") },
                rules: BTreeMap::new(),
                logging: Some(logging(&["authorization", "cookie"])),
                ..sample.clone()
            },
            Self {
                rules: BTreeMap::from([
                    rule("Limit", 5, "count", Match::RateLimit { limit: 10, window: 60 }),
                    rule("Sql", 4, "block", sql),
                    rule("Scripts", 3, "captcha", scripts),
                    rule("Common", 2, "none", managed(None)),
                    rule("Observed", 1, "count", managed(Some("Version_1.0"))),
                ]),
                logging: Some(logging(&[])),
                ..sample.clone()
            },
            sample,
        ]
    }

    fn passes(&self, cx: &Costs<'_>) -> Vec<Passed<Address>> {
        let logged = gb(cx.load(Driver::Requests) * cx.assume.log_kb);
        let log = self.logging.iter();
        log.flat_map(|log| to(&log.destination, Driver::DeliveredGb, logged)).collect()
    }

    fn charges(&self, cx: &Costs<'_>) -> Vec<Charge> {
        let requests = cx.load(Driver::Requests);
        let rules = Decimal::from(self.rules.len()) * cx.share();
        let mut charges = vec![
            Charge::fixed("web ACL", "waf.acl", cx.share()),
            Charge::fixed("rules", "waf.rule", rules),
            Charge::usage("requests", "waf.requests", requests),
        ];
        charges.extend(self.paid_groups(cx));
        if let Some(log) = &self.logging {
            let logged = gb(requests * cx.assume.log_kb);
            charges.push(Charge::usage("log", delivery(&log.destination, cx), logged));
        }
        charges
    }

    fn gauges(&self, id: &str, _: &Costs<'_>) -> Vec<Gauge> {
        let region = id.split(':').nth(3).unwrap_or_default().to_owned();
        let name = self.measure.metric.clone();
        let dimensions = vec![("WebACL", name), ("Region", region), ("Rule", "ALL".to_owned())];
        let metrics = &["AllowedRequests", "BlockedRequests"];
        let gauge = Gauge::sum(Driver::Requests, "AWS/WAFV2", metrics, dimensions);
        if self.measure.metrics { vec![gauge] } else { Vec::new() }
    }

    async fn survey(cx: &Survey<'_>) -> Result<Vec<Found<Self>>, OpError> {
        let listed = candidates(cx).await?;
        let found = listed.iter().map(|acl| async move {
            let (name, arn) = (acl.name().unwrap_or_default(), acl.arn().unwrap_or_default());
            let tags = cx.tags(arn, tags_of(cx.aws, arn));
            let asked = join3(tags, get(cx.aws, arn), logging::get(cx.aws, arn));
            let (tags, acl, log) = Box::pin(asked).await;
            let Some(tags) = cx.if_permitted(name, tags)? else { return Ok(None) };
            let Some((address, owner)) = cx.claim(name, &tags) else { return Ok(None) };
            let (acl, log) = (acl?.and_then(|found| found.web_acl), log?);
            Ok(acl.map(|acl| Found { address, owner, live: to_live(&acl, log, tags) }))
        });
        Ok(try_join_all(found).await?.into_iter().flatten().collect())
    }

    async fn read(cx: &Cx<'_>) -> Result<Option<Live<Self>>, OpError> {
        let (aws, id) = (cx.aws, cx.id());
        let (tags, acl, log) = join3(tags_of(aws, id), get(aws, id), logging::get(aws, id)).await;
        let (Some(tags), Some(GetWebAclOutput { web_acl: Some(acl), .. })) = (tags?, acl?) else {
            return Ok(None);
        };
        Ok(Some(to_live(&acl, log?, tags)))
    }

    async fn glance(cx: &Cx<'_>, planned: Live<Self>) -> Result<Option<Live<Self>>, OpError> {
        Ok(tags_of(cx.aws, cx.id()).await?.map(|tags| Live { tags, ..planned }))
    }

    async fn create(&self, cx: &Cx<'_>) -> Result<String, OpError> {
        let made = cx
            .aws
            .wafv2
            .create_web_acl()
            .name(&self.name)
            .scope(Scope::Regional)
            .set_description(self.description.clone())
            .default_action(default_action(self.default_action))
            .visibility_config(visibility(&self.measure))
            .set_rules(Some(self.rules_to_aws()?))
            .set_tags(Some(cx.tags.iter().map(to_tag).collect()))
            .send()
            .await
            .map_err(op("CreateWebACL"))?;
        made.summary.and_then(|summary| summary.arn).ok_or_else(|| {
            OpError::new("CreateWebACL", ErrorClass::Service, "NoArn", "AWS did not return an ARN")
        })
    }

    async fn update(&self, cx: &Cx<'_>, live: &Live<Self>) -> Result<(), OpError> {
        if self.logging != live.spec.logging {
            logging::put(cx.aws, &live.id, self.logging.as_ref()).await?;
        }
        if (Self { logging: live.spec.logging.clone(), ..self.clone() }) == live.spec {
            return Ok(());
        }
        let fresh = get(cx.aws, &live.id).await?;
        let Some(GetWebAclOutput { web_acl: Some(acl), lock_token, .. }) = fresh else {
            let message = "the web ACL no longer exists";
            return Err(OpError::new("UpdateWebACL", ErrorClass::NotFound, "Gone", message));
        };
        let mut rules = self.rules_to_aws()?;
        rules.extend(acl.rules.unwrap_or_default().into_iter().filter(is_foreign));
        cx.aws
            .wafv2
            .update_web_acl()
            .name(&self.name)
            .id(acl.id)
            .scope(Scope::Regional)
            .set_lock_token(lock_token)
            .set_description(self.description.clone())
            .default_action(default_action(self.default_action))
            .visibility_config(visibility(&self.measure))
            .set_rules(Some(rules))
            .set_data_protection_config(acl.data_protection_config)
            .set_custom_response_bodies(acl.custom_response_bodies)
            .set_captcha_config(acl.captcha_config)
            .set_challenge_config(acl.challenge_config)
            .set_token_domains(acl.token_domains)
            .set_association_config(acl.association_config)
            .set_on_source_d_do_s_protection_config(acl.on_source_d_do_s_protection_config)
            .set_application_config(acl.application_config)
            .set_monetization_config(acl.monetization_config)
            .send()
            .await
            .map_err(op("UpdateWebACL"))?;
        Ok(())
    }

    async fn tag(cx: &Cx<'_>, live: &Live<Self>, set: &Tags) -> Result<(), OpError> {
        let call = cx
            .aws
            .wafv2
            .tag_resource()
            .resource_arn(&live.id)
            .set_tags(Some(set.iter().map(to_tag).collect()));
        call.send().await.map_err(op("TagResource")).map(drop)
    }

    async fn untag(cx: &Cx<'_>, live: &Live<Self>, unset: &[String]) -> Result<(), OpError> {
        let call =
            cx.aws.wafv2.untag_resource().resource_arn(&live.id).set_tag_keys(Some(unset.to_vec()));
        call.send().await.map_err(op("UntagResource")).map(drop)
    }

    async fn delete(cx: &Cx<'_>, live: &Live<Self>) -> Result<(), OpError> {
        if live.spec.logging.is_some() {
            logging::put(cx.aws, &live.id, None).await?;
        }
        let Some(fresh) = get(cx.aws, &live.id).await? else { return Ok(()) };
        let (name, id) = name_and_id(&live.id);
        cx.aws
            .wafv2
            .delete_web_acl()
            .name(name)
            .id(id)
            .scope(Scope::Regional)
            .set_lock_token(fresh.lock_token)
            .send()
            .await
            .map_err(op("DeleteWebACL"))
            .or_gone()
            .map(drop)
    }
}

/// Name and id from the end of an ARN, `.../webacl/NAME/ID`.
fn name_and_id(arn: &str) -> (&str, &str) {
    let mut parts = arn.rsplit('/');
    let id = parts.next().unwrap_or_default();
    (parts.next().unwrap_or_default(), id)
}

fn to_tag((key, value): (&String, &String)) -> Tag {
    Tag::builder().key(key).value(value).build().expect("a tag with key and value is complete")
}

/// The web ACLs whose names may belong to the environment.
pub(super) async fn candidates(cx: &Survey<'_>) -> Result<Vec<WebAclSummary>, OpError> {
    let all = cx.once("wafv2:ListWebACLs", Box::pin(list(cx.aws))).await?;
    let ours = |acl: &&WebAclSummary| cx.is_candidate(acl.name().unwrap_or_default());
    Ok(all.iter().filter(ours).cloned().collect())
}

async fn list(aws: &Aws) -> Result<Vec<WebAclSummary>, OpError> {
    let (mut found, mut marker) = (Vec::new(), None);
    loop {
        let call = aws.wafv2.list_web_acls().scope(Scope::Regional).limit(100);
        let page = call.set_next_marker(marker).send().await.map_err(op("ListWebACLs"))?;
        let acls = page.web_acls.unwrap_or_default();
        marker = page.next_marker.filter(|_| !acls.is_empty());
        found.extend(acls);
        if marker.is_none() {
            return Ok(found);
        }
    }
}

pub(super) async fn tags_of(aws: &Aws, arn: &str) -> Result<Option<Tags>, OpError> {
    let send = aws.wafv2.list_tags_for_resource().resource_arn(arn).send();
    let answer = send.await.map_err(op("ListTagsForResource")).or_gone()?;
    let tags = answer.and_then(|answer| answer.tag_info_for_resource).map(|info| {
        let pairs = info.tag_list.unwrap_or_default().into_iter().map(|tag| (tag.key, tag.value));
        pairs.collect()
    });
    Ok(tags)
}

async fn get(aws: &Aws, arn: &str) -> Result<Option<GetWebAclOutput>, OpError> {
    let (name, id) = name_and_id(arn);
    let send = aws.wafv2.get_web_acl().name(name).id(id).scope(Scope::Regional).send();
    send.await.map_err(op("GetWebACL")).or_gone()
}

fn to_live(acl: &AwsAcl, logging: Option<Logging>, tags: Tags) -> Live<WebAcl> {
    let text = |text: &str| text.to_owned();
    Live {
        id: text(&acl.arn),
        spec: WebAcl { logging, ..WebAcl::from_aws(acl) },
        outputs: Outputs::from([
            (Output::Arn, text(&acl.arn)),
            (Output::Id, text(&acl.id)),
            (Output::Name, text(&acl.name)),
        ]),
        tags,
        phase: Phase::Ready,
    }
}
