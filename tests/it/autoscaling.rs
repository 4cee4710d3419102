//! The rules of Auto Scaling groups.

use crate::elb::{check, crowd};

#[test]
fn fleets_that_aws_would_refuse_are_refused() {
    let fleet = |rest: &str| {
        format!(
            "[fleets.a]\ninstance_type = \"t4g.micro\"\nsecurity_groups = [\"workers\"]\n{rest}\n"
        )
    };
    check(&fleet("min = 2\nmax = 1"), "`min` (2) is more than `max` (1)");
    check(&fleet("min = 1\nmax = 2\ndesired = 3"), "3 instances are not between 1 and 2");
    let sized = |rest: &str| fleet(&format!("min = 1\nmax = 2\n{rest}"));
    check(&sized("subnets = \"isolated\""), "the network has no isolated subnets");
    check(&sized("scaling = { cpu = 0 }"), "0 is out of range (use 1 to 100)");
    check(&sized("agent = false\nscaling = { memory = 80 }"), "no agent publishes the memory use");
    check(&sized("scaling = { scale_in = true }"), "the group has no scaling target");
    check(&sized("image_parameter = \"/x/amd64\""), "t4g.micro instances run only arm64 images");
    check(
        &sized("image = \"ami-12345678\"\nimage_parameter = \"/x/arm64\""),
        "`image` and `image_parameter` cannot be used together",
    );
    check(&sized("image = \"x\""), "an image looks like ami-");
    check(&sized("user_data = \"#!/bin/sh\""), "must not begin with `#!`");
    check(&sized("volume = { device = \"xvda1\" }"), "a device must begin with /dev/");
    check(&sized("health_check = \"elb\""), "no target group checks these instances");
    check(&sized("target_groups = [\"t\"]\n[target_groups.t]"), "targets of `t` are not instances");
    let role = "role = \"r\"\n[roles.r]\nservices = \"ec2.amazonaws.com\"";
    check(&sized(role), "the role `r` has no instance profile");
    let bare = "[fleets.a]\ninstance_type = \"t3.micro\"\nmin = 1\nmax = 1\nsecurity_groups = []";
    check(bare, "a fleet needs a security group");
    check(&bare.replace("security_groups = []", &crowd()), "too many security groups");
}
