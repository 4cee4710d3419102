//! The content of a security group rule, in EC2's three shapes.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::super::toolbox::text;
use super::super::{ACCOUNT, Refusal};
use super::cidr::{Cidr, canonical_v6};
use super::input::{items, missing_parameter};
use super::{Cx, Region, endpoints, found, invalid, missing};

/// A permission: one protocol, one range of ports, one peer.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Permission {
    protocol: String,
    /// The first and the last port, or none for all.
    ports: Option<(i32, i32)>,
    pub peer: Peer,
    pub description: Option<String>,
}

/// The other side.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Peer {
    V4(String),
    V6(String),
    Group(String),
    PrefixList(String),
}

impl Permission {
    /// The rule that allows all egress.
    pub(super) fn everywhere() -> Self {
        Self::all(Peer::V4("0.0.0.0/0".to_owned()))
    }

    /// All traffic from or to that peer.
    pub(super) fn all(peer: Peer) -> Self {
        Self { protocol: "-1".to_owned(), ports: None, peer, description: None }
    }

    /// Whether AWS considers both the same rule. Descriptions do not count.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        (&self.protocol, self.ports, &self.peer) == (&other.protocol, other.ports, &other.peer)
    }

    /// The words for it in AWS's messages.
    pub(super) fn words(&self) -> String {
        let (Peer::V4(peer) | Peer::V6(peer) | Peer::Group(peer) | Peer::PrefixList(peer)) =
            &self.peer;
        let protocol = match self.protocol.as_str() {
            "-1" => "ALL".to_owned(),
            other => other.to_uppercase(),
        };
        match self.ports {
            None => format!("peer: {peer}, {protocol}, ALLOW"),
            Some((from, to)) => {
                format!("peer: {peer}, {protocol}, from port: {from}, to port: {to}, ALLOW")
            }
        }
    }

    /// The shape of DescribeSecurityGroupRules.
    pub(super) fn render(&self, here: &Region) -> Value {
        let (from, to) = self.ports.unwrap_or((-1, -1));
        let mut rule = json!({
            "ipProtocol": self.protocol,
            "fromPort": from,
            "toPort": to,
            "description": self.description,
        });
        match &self.peer {
            Peer::V4(cidr) => rule["cidrIpv4"] = json!(cidr),
            Peer::V6(cidr) => rule["cidrIpv6"] = json!(cidr),
            Peer::PrefixList(id) => rule["prefixListId"] = json!(id),
            Peer::Group(id) => {
                let vpc = here.groups.get(id).map(|group| group.vpc.as_str());
                let info = json!({ "groupId": id, "userId": ACCOUNT, "vpcId": vpc });
                rule["referencedGroupInfo"] = info;
            }
        }
        rule
    }
}

/// The shape of DescribeSecurityGroups: peers are merged by protocol and ports.
pub(super) fn merged<'p>(permissions: impl Iterator<Item = &'p Permission>) -> Vec<Value> {
    let mut by_ports: BTreeMap<_, Vec<&Permission>> = BTreeMap::new();
    for one in permissions {
        by_ports.entry((one.protocol.as_str(), one.ports)).or_default().push(one);
    }
    let mut all = Vec::new();
    for ((protocol, ports), permissions) in by_ports {
        let (from, to) = ports.unzip();
        let mut sets: [Vec<Value>; 4] = Default::default();
        for one in permissions {
            let about = &one.description;
            match &one.peer {
                Peer::V4(cidr) => sets[0].push(json!({ "cidrIp": cidr, "description": about })),
                Peer::V6(cidr) => sets[1].push(json!({ "cidrIpv6": cidr, "description": about })),
                Peer::Group(id) => {
                    sets[2].push(json!({ "groupId": id, "userId": ACCOUNT, "description": about }));
                }
                Peer::PrefixList(id) => {
                    sets[3].push(json!({ "prefixListId": id, "description": about }));
                }
            }
        }
        let [v4, v6, groups, lists] = sets;
        all.push(json!({
            "ipProtocol": protocol,
            "fromPort": from,
            "toPort": to,
            "ipRanges": v4,
            "ipv6Ranges": v6,
            "groups": groups,
            "prefixListIds": lists,
        }));
    }
    all
}

impl Cx<'_> {
    /// The permissions of an Authorize, Revoke or Update call.
    pub(super) fn permissions(&self) -> Result<Vec<Permission>, Refusal> {
        let mut all = Vec::new();
        for one in self.items("IpPermissions") {
            let lists = [
                ("IpRanges", "CidrIp", "CidrIpv4"),
                ("Ipv6Ranges", "CidrIpv6", "CidrIpv6"),
                ("Groups", "GroupId", "ReferencedGroupId"),
                ("PrefixListIds", "PrefixListId", "PrefixListId"),
            ];
            for (list, member, name) in lists {
                for peer in items(one, list) {
                    let value = text(peer, member).ok_or_else(|| missing_parameter(member))?;
                    let mut flat = one.as_object().cloned().unwrap_or_default();
                    flat.insert(name.to_owned(), json!(value));
                    flat.insert("Description".to_owned(), json!(text(peer, "Description")));
                    all.push(self.permission(&Value::Object(flat))?);
                }
            }
        }
        // The old shape, with one permission at the top of the request.
        if self.has("CidrIp") {
            let members = ["IpProtocol", "FromPort", "ToPort"].iter();
            let given =
                members.filter_map(|name| Some(((*name).to_owned(), json!(self.text(name)?))));
            let mut flat: Map<String, Value> = given.collect();
            flat.insert("CidrIpv4".to_owned(), json!(self.text("CidrIp")));
            all.push(self.permission(&Value::Object(flat))?);
        }
        for (at, one) in all.iter().enumerate() {
            if all[..at].iter().any(|earlier| earlier.is_same(one)) {
                return Err(invalid("The same permission must not appear multiple times"));
            }
        }
        Ok(all)
    }

    /// The permission in the flat shape of ModifySecurityGroupRules.
    pub(super) fn permission(&self, value: &Value) -> Result<Permission, Refusal> {
        let protocol = match text(value, "IpProtocol") {
            None => return Err(missing_parameter("ipProtocol")),
            Some("6") => "tcp".to_owned(),
            Some("17") => "udp".to_owned(),
            Some("1") => "icmp".to_owned(),
            Some("58") => "icmpv6".to_owned(),
            Some("all") => "-1".to_owned(),
            Some(other) => other.to_lowercase(),
        };
        let number: Option<i32> = protocol.parse().ok();
        let named = ["tcp", "udp", "icmp", "icmpv6"].contains(&protocol.as_str());
        if !named && !number.is_some_and(|number| (-1..=255).contains(&number)) {
            return Err(invalid(format!("Invalid value '{protocol}' for IP protocol.")));
        }
        let description = text(value, "Description").filter(|text| !text.is_empty());
        if let Some(text) = description {
            check_words("description", text)?;
        }
        let ports = if named { Some(port_range(&protocol, value)?) } else { None };
        let description = description.map(str::to_owned);
        Ok(Permission { protocol, ports, peer: self.peer(value)?, description })
    }

    fn peer(&self, value: &Value) -> Result<Peer, Refusal> {
        let malformed = |cidr: &str| invalid(format!("CIDR block {cidr} is malformed"));
        if let Some(cidr) = text(value, "CidrIpv4") {
            let canonical = Cidr::parse(cidr).ok_or_else(|| malformed(cidr))?;
            Ok(Peer::V4(canonical.to_string()))
        } else if let Some(cidr) = text(value, "CidrIpv6") {
            canonical_v6(cidr).map(Peer::V6).ok_or_else(|| malformed(cidr))
        } else if let Some(id) = text(value, "ReferencedGroupId") {
            found(&self.here.groups, "sg", id)?;
            Ok(Peer::Group(id.to_owned()))
        } else if let Some(id) = text(value, "PrefixListId") {
            if endpoints::is_prefix_list(id) {
                Ok(Peer::PrefixList(id.to_owned()))
            } else {
                Err(missing("pl", id))
            }
        } else {
            Err(missing_parameter("CidrIpv4"))
        }
    }
}

/// The ports (or ICMP type and code), which named protocols must have.
fn port_range(protocol: &str, value: &Value) -> Result<(i32, i32), Refusal> {
    let port = |name| text(value, name).map(str::parse::<i32>).transpose();
    let wrong = |why: &str| invalid(format!("Invalid value '{why}' for portRange."));
    let (Ok(from), Ok(to)) = (port("FromPort"), port("ToPort")) else {
        return Err(wrong("Must be a number."));
    };
    if protocol.starts_with("icmp") {
        return Ok((from.unwrap_or(-1), to.unwrap_or(-1)));
    }
    let (Some(from), Some(to)) = (from, to) else {
        return Err(wrong("Must specify both from and to ports with TCP/UDP."));
    };
    if 0 <= from && from <= to && to <= 65535 {
        Ok((from, to))
    } else {
        Err(invalid(format!("Invalid TCP/UDP port range ({from}:{to})")))
    }
}

/// Refuses characters that AWS does not allow in names and descriptions.
pub(super) fn check_words(name: &str, text: &str) -> Result<(), Refusal> {
    let fits = |c: char| c.is_ascii_alphanumeric() || " ._-:/()#,@[]+=&;{}!$*".contains(c);
    if text.len() > 255 || !text.chars().all(fits) {
        return Err(invalid(format!(
            "Value ({text}) for parameter {name} is invalid. Valid characters are a-z, A-Z, 0-9, \
             spaces and ._-:/()#,@[]+=&;{{}}!$*, at most 255 of them."
        )));
    }
    Ok(())
}
