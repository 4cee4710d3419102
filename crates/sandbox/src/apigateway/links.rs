//! VPC links of API Gateway v2.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::super::toolbox::{Tags, at, here, iso, map, now, text, texts};
use super::super::{Answer, Call, Refusal, World, ec2};
use super::{State, bad, gone, need, new_id, tag};

/// A VPC link.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Link {
    name: String,
    subnets: Vec<String>,
    groups: Vec<String>,
    created: f64,
    /// When the link is available.
    ready: f64,
    /// When the link is gone, if a call has deleted it.
    gone: Option<f64>,
    status: String,
    pub tags: Tags,
}

/// How many seconds a strict sandbox takes to create a link.
const MAKING: f64 = 150.0;
/// The same to delete one.
const DELETING: f64 = 60.0;

impl Link {
    pub(super) fn is_available(&self) -> bool {
        self.status == "AVAILABLE"
    }

    fn view(&self, id: &str) -> Value {
        json!({
            "vpcLinkId": id,
            "name": self.name,
            "subnetIds": self.subnets,
            "securityGroupIds": self.groups,
            "createdDate": iso(self.created),
            "vpcLinkStatus": self.status,
            "vpcLinkVersion": "V2",
            "tags": self.tags,
        })
    }
}

/// Brings links to the state of this moment.
pub(super) fn settle(world: &mut World) {
    let today = now(&world.base);
    let links = &mut world.apigateway.links;
    links.retain(|_, link| link.gone.is_none_or(|gone| gone > today));
    for mut link in links.values_mut().filter(|link| link.gone.is_none() && link.ready <= today) {
        link.status = "AVAILABLE".into();
    }
}

pub(super) fn call(
    world: &mut World,
    operation: &str,
    region: &str,
    input: &Value,
) -> Option<Answer> {
    Some(match operation {
        "CreateVpcLink" => create(world, region, input),
        "GetVpcLinks" => {
            let links = here(&world.apigateway.links, region);
            let links: Vec<Value> = links.map(|(id, link)| link.view(id)).collect();
            Ok(json!({ "items": links }))
        }
        "GetVpcLink" => find(&mut world.apigateway, region, input).map(|(id, link)| link.view(id)),
        "UpdateVpcLink" => find(&mut world.apigateway, region, input).map(|(id, link)| {
            link.name = text(input, "name").unwrap_or(&link.name).to_owned();
            link.view(id)
        }),
        "DeleteVpcLink" => delete(world, region, input),
        _ => return None,
    })
}

fn find<'a, 'b>(
    state: &'a mut State,
    region: &str,
    input: &'b Value,
) -> Result<(&'b str, &'a mut Link), Refusal> {
    let id = need(input, "link")?;
    let link = state.links.get_mut(&at(region, id));
    link.map(|link| (id, link)).ok_or_else(|| gone(format!("Unable to find VPC link {id}")))
}

fn create(world: &mut World, region: &str, input: &Value) -> Answer {
    let (subnets, groups) = (texts(input, "subnetIds"), texts(input, "securityGroupIds"));
    if subnets.is_empty() {
        return Err(bad("At least one subnet is required"));
    }
    exist(world, region, "DescribeSubnets", json!({ "SubnetId": subnets }))?;
    if !groups.is_empty() {
        exist(world, region, "DescribeSecurityGroups", json!({ "GroupId": groups }))?;
    }
    let today = now(&world.base);
    let mut link = Link {
        name: need(input, "name")?.to_owned(),
        subnets,
        groups,
        created: today,
        ready: today + if world.base.strict { MAKING } else { 0.0 },
        gone: None,
        status: "PENDING".into(),
        tags: Tags::new(),
    };
    tag(&mut link.tags, map(input, "tags"))?;
    let id = new_id(&mut world.base);
    let view = link.view(&id);
    world.apigateway.links.insert(at(region, &id), link);
    Ok(view)
}

fn exist(world: &mut World, region: &str, operation: &str, input: Value) -> Result<(), Refusal> {
    let call =
        Call { service: "ec2".into(), operation: operation.into(), input, region: region.into() };
    ec2::call(world, &call).map(drop).map_err(|refusal| bad(refusal.message))
}

fn delete(world: &mut World, region: &str, input: &Value) -> Answer {
    let (strict, today) = (world.base.strict, now(&world.base));
    let state = &mut world.apigateway;
    let (id, _) = find(state, region, input)?;
    let used = here(&state.apis, region).any(|(_, api)| {
        let methods = api.resources.values().flat_map(|one| one.methods.values());
        let mut links =
            methods.filter_map(|method| text(&method["methodIntegration"], "connectionId"));
        links.any(|link| link == id) || api.deployments.values().any(|one| one.links.contains(id))
    });
    if used {
        return Err(bad(format!(
            "Cannot delete vpc link. Vpc link '{id}', is referenced in an API"
        )));
    }
    let (_, link) = find(state, region, input)?;
    link.status = "DELETING".into();
    link.gone = Some(today + if strict { DELETING } else { 0.0 });
    settle(world);
    Ok(json!({}))
}
