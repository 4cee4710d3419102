//! How many vCPUs an instance has, by its type. AWS names types by family and size.

use payctl_money::Decimal;

/// The vCPUs of a type of instances, `t4g.micro` or `r6g.2xlarge`; none if its name does not tell.
pub(crate) fn vcpus(instance_type: &str) -> Option<Decimal> {
    let (family, size) = instance_type.split_once('.')?;
    let is_burstable = family.starts_with('t');
    let count = match size {
        "nano" | "micro" | "small" if is_burstable => 2,
        "medium" if is_burstable => 2,
        "medium" => 1,
        "large" => 2,
        "xlarge" => 4,
        size => size.strip_suffix("xlarge")?.parse::<u32>().ok()?.checked_mul(4)?,
    };
    Some(Decimal::from(count))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_type_tells_its_vcpus() {
        for (name, count) in [
            ("t4g.nano", 2),
            ("t3.medium", 2),
            ("c7g.medium", 1),
            ("m6g.large", 2),
            ("r7g.xlarge", 4),
            ("r6g.4xlarge", 16),
        ] {
            assert_eq!(vcpus(name), Some(Decimal::from(count)), "{name}");
        }
        for name in ["m7g.metal", "m7g", "m7g.fastxlarge"] {
            assert_eq!(vcpus(name), None, "{name}");
        }
    }
}
