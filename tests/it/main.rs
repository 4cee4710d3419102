//! The integration tests: one binary, because each one links every SDK crate.
#![allow(
    unreachable_pub,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "the modules are the only users of each other, and tests may say what they left out"
)]

// The rules of groups that scale.
mod autoscaling;
// Changes that must not make things anew, and repairs, on the embedded sandbox.
mod changes;
// The life of whole environments, run by run, through the real binary.
mod cli_cycle;
mod cli_edges;
// The sandbox on a port, seen by boto3 and by payctl.
mod cli_serve;
// Ctrl-C, SIGTERM and SIGKILL.
mod cli_signals;
// What people see.
mod cli_snapshots;
// The real binary in a folder of its own.
mod cli_support;
// Alarms and dashboards among those of others.
mod cloudwatch;
// Monitors of unusual costs.
mod costexplorer;
// Databases, their secrets and rotation.
mod databases;
// APIs: config, rules, deployments.
mod apis;
// The invariants of ARCHITECTURE.md, on the sources and on the table of kinds.
mod architecture;
// The docs that are made from the code, and those that must agree with it.
mod docs;
// What AWS does to tables.
mod dynamodb;
// The network: repairs, replacements and refusals.
mod ec2;
// Services on Fargate, deployed, scaled, rolled back.
mod ecs;
// Load balancers, target groups and the groups that scale behind them.
mod elb;
// Rules of EventBridge.
mod eventbridge;
// What is too new, and what nothing says whose it is.
mod fresh;
// Functions: their sources, rules, and how they go.
mod lambda;
// Properties of the engine, on a cloud in memory.
// What cannot be looked at, through the real binary.
mod looking;
// Proxies, certificates, endpoints of a special sort.
mod networks;
// What stands in for AWS there.
mod stand_in;
// Detectors of GuardDuty.
mod guardduty;
// The example configs: their lives, on the embedded sandbox and on moto.
mod examples;
// What is changed in them.
mod example_changes;
// The same, value by value.
mod example_values;
// What AWS read back of what it was asked for, as facts that every kind and the sandbox are held to.
mod facts;
// The shipped Lambda functions, tested in Python.
mod functions;
// Every kind through its whole life, on the embedded sandbox.
mod kinds;
// What AWS does to keys.
mod kms;
// Log groups among those of others.
mod logs;
// The same on moto, the second judge.
mod moto;
// The IAM actions that the calls need.
mod permissions;
// The acceptance run against a real account, rehearsed.
mod real_aws;
// The recommended platform under a scanner's rules.
// What AWS does to buckets.
mod s3;
mod sandbox;
mod scanner;
// What AWS does to secrets, topics and queues.
mod secretsmanager;
mod sns;
mod sqs;
// Calls and round trips of a plan.
mod speed;
// The same environment in two regions of one account.
mod regions;
// A fault at every API call of an apply and of a destroy.
mod sweep;
// The question for the tags of everything, answered late.
mod tagging;
// Two applies of one environment at once.
mod together;
// Whose an object is, what is protected, and what may be lost.
mod ownership;
// What several tests need: a sandbox, a blueprint, runs of the engine.
mod support;
// What every kind does: how deep a survey is, what nobody may read, which errors pass.
mod surveys;
// Environments that earlier versions made.
mod upgrade;
// Web ACLs and what they protect.
mod waf;
// A way back: what is deleted or spoilt, restored as docs/recovery.md says.
mod recovery;
