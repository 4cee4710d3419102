//! The integration tests. They are one binary, because each binary links every SDK crate. Each file
//! says in its first lines what it tests.
#![allow(
    unreachable_pub,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "the modules are the only users of each other, and tests may say what they left out"
)]

mod accounts;
mod advice;
mod aliases;
mod apis;
mod architecture;
mod autoscaling;
mod borrowers;
mod borrowing;
mod certificates;
mod changes;
mod checks;
mod cli_cycle;
mod cli_edges;
mod cli_serve;
mod cli_signals;
mod cli_snapshots;
mod cli_support;
mod cloudwatch;
mod comment;
mod cost;
mod costexplorer;
mod databases;
mod diagram;
mod docs;
mod dynamodb;
mod ec2;
mod ecs;
mod elb;
mod environments;
mod eventbridge;
mod everyday;
mod example_changes;
mod example_values;
mod examples;
mod facts;
mod fleet;
mod fresh;
mod functions;
mod guardduty;
mod hostile;
mod hostile_answers;
mod hostile_tags;
mod kinds;
mod kms;
mod lambda;
mod late;
mod leases;
mod lenders;
mod logs;
mod looking;
mod money;
mod moto;
mod networks;
mod others;
mod ownership;
mod permissions;
mod real_aws;
mod recovery;
mod regions;
mod s3;
mod sandbox;
mod scanner;
mod secretsmanager;
mod shift;
mod sns;
mod speed;
mod spending;
mod sqs;
mod stand_in;
mod support;
mod surveys;
mod sweep;
mod tagging;
mod together;
mod upgrade;
mod waf;
