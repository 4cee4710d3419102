//! Plain SSM parameters, such as the live ids that a platform publishes.
//!
//! AWS quirks: only DescribeParameters returns the description, and it is slow, throttled and lags
//! behind. Only GetParameters returns the value, ten at a time. An overwrite does not take tags. A
//! deleted name should rest for 30 seconds.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use aws_sdk_ssm::types::{self, ParameterType, ResourceTypeForTagging};
use futures::future::{try_join, try_join_all};
use serde::{Deserialize, Serialize};

use crate::aws::clients::Aws;
use crate::aws::error::{Gone, op};
use crate::aws::resource::{Cx, Resource, Survey};
use payctl_engine::model::drawn::Drawn;
use payctl_engine::model::error::{ErrorClass, OpError};
use payctl_engine::model::live::{Found, Live, Phase, Tags};
use payctl_engine::model::meta::{Meta, Pricing, Replace, Typical};
use payctl_engine::model::permit::Permit;
use payctl_engine::model::scope::{Scope, TAG_ENV, TAG_PROJECT};
use payctl_engine::model::size::SizeLimit;
use payctl_engine::model::text::{Output, Outputs, Text};

/// See the module.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Parameter {
    /// The name, `/payment/vpc-id-dev`.
    pub name: String,
    /// The value.
    pub value: Text,
    /// Whether the value is a comma-separated list.
    pub list: bool,
    /// Its description, if any.
    #[serde(default)]
    pub description: Option<String>,
}

impl Resource for Parameter {
    const META: Meta = Meta {
        drawn: Drawn::badge("parameter", "parameter", &["value"]),
        notes: &[
            "Every change of the value creates a version; AWS keeps the last 100.",
            "A value has at most 4096 characters and cannot contain `{{`.",
        ],
        immutable: &["name", "list"],
        replace: Replace::DeleteFirst,
        deadline: Duration::from_secs(120),
        read_lag: Duration::from_secs(20),
        gone_at_once: true,
        permits: &[
            Permit::look(&["ssm:DescribeParameters"], &["*"]),
            Permit::look(
                &["ssm:GetParameters", "ssm:ListTagsForResource"],
                &["ssm:{here}:parameter/{seen}"],
            ),
            Permit::set(
                &["ssm:AddTagsToResource", "ssm:PutParameter"],
                &["ssm:{here}:parameter/{name}"],
            ),
            Permit::change(&["ssm:RemoveTagsFromResource"], &["ssm:{here}:parameter/{name}"]),
            Permit::delete(&["ssm:DeleteParameter"], &["ssm:{here}:parameter/{name}"]),
        ],
        sizes: &[SizeLimit::policy("value", "value", 4096)],
        section: "parameters",
        predicted: &[(Output::Name, "{name}")],
        asked: &["value"],
        typical: Typical::seconds(1, 1, 1),
        pricing: Pricing::Free("AWS charges nothing for standard parameters."),
        types: &["ssm:parameter"],
        ..Meta::new("ssm.parameter", "ssm", "A plain SSM parameter.")
    };

    fn sample() -> Self {
        Self {
            name: "/sample/parameter".into(),
            value: "one".into(),
            list: false,
            description: Some("What the sample publishes.".into()),
        }
    }

    fn variants() -> Vec<Self> {
        vec![
            Self { value: "two".into(), ..Self::sample() },
            Self { description: Some("Another purpose.".into()), ..Self::sample() },
            Self { description: None, ..Self::sample() },
            Self::sample(),
        ]
    }

    async fn survey(cx: &Survey<'_>) -> Result<Vec<Found<Self>>, OpError> {
        let scope = &cx.aws.scope;
        let mut owned = vec![filter(&format!("tag:{TAG_PROJECT}"), [scope.project.clone()])];
        if !cx.aws.is_shared {
            owned.push(filter(&format!("tag:{TAG_ENV}"), [scope.env.clone()]));
        }
        let mut descriptions = descriptions_of(cx.aws, owned).await?;
        let mut parameters = Vec::new();
        let mut open: BTreeSet<String> = cx.wanted.keys().cloned().collect();
        if cx.aws.is_shared {
            // Ten values of several environments travel in one call.
            let listed = descriptions.keys().cloned().collect();
            descriptions.retain(|name, _| cx.is_candidate(name));
            match values(cx.aws, &listed).await {
                Ok(all) => {
                    open.retain(|name| !listed.contains(name));
                    let is_own = |name: &str| cx.is_candidate(name);
                    parameters.extend(all.into_iter().filter(|one| one.name().is_some_and(is_own)));
                }
                // The caller may read the parameters of its environments alone.
                Err(error) if error.class == ErrorClass::Denied => {
                    open.extend(descriptions.keys().cloned());
                }
                Err(error) => return Err(error),
            }
        } else {
            open.extend(descriptions.keys().cloned());
        }
        parameters.extend(values(cx.aws, &open).await?);
        let lives = describe(cx.aws, parameters, descriptions, Some(cx)).await?;
        let found = lives.into_iter().filter_map(|live| {
            let (address, owner) = cx.claim(&live.id, &live.tags)?;
            Some(Found { address, owner, live })
        });
        Ok(found.collect())
    }

    async fn read(cx: &Cx<'_>) -> Result<Option<Live<Self>>, OpError> {
        let aws = cx.aws.clone();
        let ask = |names: Vec<String>| async move {
            let parameters = values(&aws, &names.into_iter().collect()).await?;
            describe(&aws, parameters, BTreeMap::new(), None).await
        };
        let found = cx.aws.together.ask("ssm:GetParameters", cx.id().to_owned(), ask).await?;
        Ok(found.iter().find(|live| live.id == cx.id()).cloned())
    }

    async fn create(&self, cx: &Cx<'_>) -> Result<String, OpError> {
        cx.aws
            .ssm
            .put_parameter()
            .name(&self.name)
            .value(self.value.known())
            .r#type(self.parameter_type())
            .set_description(self.description.clone())
            .overwrite(false)
            .set_tags(Some(to_tags(cx.tags)))
            .send()
            .await
            .map_err(op("PutParameter"))?;
        Ok(self.name.clone())
    }

    async fn update(&self, cx: &Cx<'_>, live: &Live<Self>) -> Result<(), OpError> {
        // Sent even if empty, which removes the description.
        let description = self.description.clone().unwrap_or_default();
        cx.aws
            .ssm
            .put_parameter()
            .name(&live.id)
            .value(self.value.known())
            .r#type(self.parameter_type())
            .description(description)
            .overwrite(true)
            .send()
            .await
            .map_err(op("PutParameter"))
            .map(drop)
    }

    async fn tag(cx: &Cx<'_>, live: &Live<Self>, set: &Tags) -> Result<(), OpError> {
        let parameter = ResourceTypeForTagging::Parameter;
        let call = cx
            .aws
            .ssm
            .add_tags_to_resource()
            .resource_type(parameter)
            .resource_id(&live.id)
            .set_tags(Some(to_tags(set)));
        call.send().await.map_err(op("AddTagsToResource")).map(drop)
    }

    async fn untag(cx: &Cx<'_>, live: &Live<Self>, unset: &[String]) -> Result<(), OpError> {
        let parameter = ResourceTypeForTagging::Parameter;
        let call = cx
            .aws
            .ssm
            .remove_tags_from_resource()
            .resource_type(parameter)
            .resource_id(&live.id)
            .set_tag_keys(Some(unset.to_vec()));
        call.send().await.map_err(op("RemoveTagsFromResource")).map(drop)
    }

    async fn delete(cx: &Cx<'_>, live: &Live<Self>) -> Result<(), OpError> {
        let send = cx.aws.ssm.delete_parameter().name(&live.id).send();
        send.await.map_err(op("DeleteParameter")).or_gone().map(drop)
    }
}

impl Parameter {
    fn parameter_type(&self) -> ParameterType {
        if self.list { ParameterType::StringList } else { ParameterType::String }
    }
}

/// The descriptions of all parameters that pass the filters.
async fn descriptions_of(
    aws: &Aws,
    filters: Vec<types::ParameterStringFilter>,
) -> Result<BTreeMap<String, String>, OpError> {
    let call = aws.ssm.describe_parameters().max_results(50).set_parameter_filters(Some(filters));
    let mut pages = call.into_paginator().send();
    let mut descriptions = BTreeMap::new();
    while let Some(page) = pages.next().await {
        let parameters = page.map_err(op("DescribeParameters"))?.parameters.unwrap_or_default();
        let named = parameters.into_iter().filter_map(|parameter| {
            Some((parameter.name?, parameter.description.unwrap_or_default()))
        });
        descriptions.extend(named);
    }
    Ok(descriptions)
}

/// These parameters with their tags. Descriptions that are not known yet are looked up.
async fn describe(
    aws: &Aws,
    parameters: Vec<types::Parameter>,
    mut known: BTreeMap<String, String>,
    survey: Option<&Survey<'_>>,
) -> Result<Vec<Live<Parameter>>, OpError> {
    let names = || parameters.iter().filter_map(|parameter| parameter.name.as_ref());
    let unknown: Vec<&String> = names().filter(|name| !known.contains_key(*name)).collect();
    let looked_up = unknown.chunks(50).map(|names| {
        descriptions_of(aws, vec![filter("Name", names.iter().map(|name| (*name).clone()))])
    });
    let Scope { partition, region, account, .. } = &aws.scope;
    let tagged = names().map(|name| async move {
        let arn = format!("arn:{partition}:ssm:{region}:{account}:parameter{name}");
        let tags = match survey {
            Some(survey) => survey.tags(&arn, tags_of(aws, name)).await?,
            None => tags_of(aws, name).await?,
        };
        Ok(tags.map(|tags| (name.clone(), tags)))
    });
    let (looked_up, tagged) = try_join(try_join_all(looked_up), try_join_all(tagged)).await?;
    known.extend(looked_up.into_iter().flatten());
    let mut tagged: Tagged = tagged.into_iter().flatten().collect();
    let live =
        parameters.into_iter().filter_map(|parameter| to_live(parameter, &known, &mut tagged));
    Ok(live.collect())
}

/// Tags by parameter.
type Tagged = BTreeMap<String, Tags>;

/// Those of the named parameters that exist.
async fn values(aws: &Aws, names: &BTreeSet<String>) -> Result<Vec<types::Parameter>, OpError> {
    let names: Vec<String> = names.iter().cloned().collect();
    let batches = names.chunks(10).map(|names| async move {
        let send = aws.ssm.get_parameters().set_names(Some(names.to_vec())).send();
        Ok(send.await.map_err(op("GetParameters"))?.parameters.unwrap_or_default())
    });
    Ok(try_join_all(batches).await?.into_iter().flatten().collect())
}

async fn tags_of(aws: &Aws, name: &str) -> Result<Option<Tags>, OpError> {
    let call = aws.ssm.list_tags_for_resource().resource_type(ResourceTypeForTagging::Parameter);
    let answer = call.resource_id(name).send().await.map_err(op("ListTagsForResource"));
    let Some(answer) = answer.or_gone()? else { return Ok(None) };
    let tags = answer.tag_list.unwrap_or_default().into_iter();
    let tags = tags.filter(|tag| !tag.key.starts_with("aws:")).map(|tag| (tag.key, tag.value));
    Ok(Some(tags.collect()))
}

/// `None` if it was deleted while it was read.
fn to_live(
    parameter: types::Parameter,
    descriptions: &BTreeMap<String, String>,
    tagged: &mut Tagged,
) -> Option<Live<Parameter>> {
    let name = parameter.name?;
    let tags = tagged.remove(&name)?;
    // Somebody else's secret: not even its encrypted value is of interest.
    let secret = parameter.r#type == Some(ParameterType::SecureString);
    let value = parameter.value.filter(|_| !secret).unwrap_or_default();
    Some(Live {
        id: name.clone(),
        outputs: Outputs::from([
            (Output::Arn, parameter.arn.unwrap_or_default()),
            (Output::Name, name.clone()),
            (Output::Version, parameter.version.to_string()),
        ]),
        tags,
        phase: Phase::Ready,
        spec: Parameter {
            value: value.into(),
            list: parameter.r#type == Some(ParameterType::StringList),
            description: descriptions.get(&name).filter(|text| !text.is_empty()).cloned(),
            name,
        },
    })
}

fn filter(key: &str, values: impl IntoIterator<Item = String>) -> types::ParameterStringFilter {
    let filter = types::ParameterStringFilter::builder().key(key).option("Equals");
    let filter = filter.set_values(Some(values.into_iter().collect()));
    filter.build().expect("a filter has a key")
}

/// Tags as SSM takes them.
fn to_tags(tags: &Tags) -> Vec<types::Tag> {
    let tag = |(key, value): (&String, &String)| {
        types::Tag::builder().key(key).value(value).build().expect("a tag has a key and a value")
    };
    tags.iter().map(tag).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_back(of: ParameterType) -> Option<Live<Parameter>> {
        let parameter = types::Parameter::builder().name("/p").value("v").version(3).r#type(of);
        let described = BTreeMap::from([("/p".into(), "d".into())]);
        let mut tagged = BTreeMap::from([("/p".into(), Tags::new())]);
        to_live(parameter.build(), &described, &mut tagged)
    }

    #[test]
    fn a_parameter_is_read_from_three_calls() {
        let live = read_back(ParameterType::StringList).unwrap();
        assert!(live.spec.list);
        assert_eq!(live.spec.value, Text::from("v"));
        assert_eq!(live.spec.description.as_deref(), Some("d"));
        assert_eq!(live.outputs[&Output::Version], "3");
    }

    #[test]
    fn an_encrypted_value_is_never_stored() {
        assert_eq!(read_back(ParameterType::SecureString).unwrap().spec.value, Text::from(""));
    }

    #[test]
    fn a_parameter_without_tag_answer_is_gone() {
        let parameter = types::Parameter::builder().name("/p").build();
        assert!(to_live(parameter, &BTreeMap::new(), &mut BTreeMap::new()).is_none());
    }
}
