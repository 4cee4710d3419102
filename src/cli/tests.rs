//! The command line: help texts, flags and their conflicts.

use clap::CommandFactory as _;
use clap::ValueEnum as _;

use super::*;

fn parse(line: &str) -> Result<Cli, clap::Error> {
    Cli::try_parse_from(line.split(' '))
}

#[test]
fn the_command_line_is_consistent() {
    Cli::command().debug_assert();
}

#[test]
fn the_help_lists_commands_and_global_flags() {
    let help = Cli::command().term_width(100).render_help().to_string();
    insta::assert_snapshot!(help, @"
    Creates, changes and deletes payment infrastructure on AWS. It has no state file: the live cloud is
    the only record

    Usage: payctl [OPTIONS] <COMMAND>

    Commands:
      plan         Show what an apply would do, without changing anything
      apply        Make the environment match its config
      destroy      Delete everything that belongs to the environment
      validate     Check the config, without calling AWS
      history      Show who applied and destroyed the environment, when, and what that changed
      outputs      Show the environment's outputs
      status       Show what exists and whether it is healthy
      check        Test what is deployed
      diagram      Draw the architecture of an environment, without calling AWS
      cost         Show what the environment costs
      prices       Work with the prices that costs are computed from
      graph        Draw the resources and their dependencies, without calling AWS
      explain      Explain a kind of resource
      policy       Print the least IAM policy for a task
      comment      Write a plan into a comment on the pull request of a CI job
      schema       Print the JSON Schema of the config files, for editors
      completions  Print the completion script of a shell
      env          Show the environments of the account, or those of the config
      gc           Destroy every environment whose time has passed
      secret       Set the value of a secret
      shift        Move traffic step by step, watch it, and take it back
      sandbox      Manage the embedded AWS that --sandbox uses
      help         Print this message or the help of the given subcommand(s)

    Options:
      -h, --help     Print help
      -V, --version  Print version

    Global options:
      -e, --env <NAME>           The environment; the default is PAYCTL_ENV, or `pr-<number>` in the CI
                                 job of a pull request
          --config-dir <DIR>     The directory of the config files [default: config]
          --region <REGION>      The AWS region; overrides the config
          --profile <PROFILE>    The profile in the AWS config files
          --assume-role <ARN>    The ARN of a role to assume
          --endpoint-url <URL>   The endpoint for all AWS services; AWS_ENDPOINT_URL works too
          --sandbox              Use the embedded AWS in .payctl/sandbox instead of the real one
          --sandbox-pace <PACE>  The sandbox's pace: `fast`, or `real` as in AWS [default: fast]
          --sandbox-speed <N>    The speed of the real pace, as a multiple of AWS's [default: 1]
          --json                 Write one JSON object per line to stdout
          --no-color             No colours; NO_COLOR and CLICOLOR=0 work too
      -v, --verbose...           Say more: -v shows every field of new resources and counts the API
                                 calls, -vv logs what payctl does, -vvv also logs the SDK
          --parallelism <N>      How many resources payctl changes at the same time [default: 16]
          --target <ADDRESS>     Only this resource and its dependencies; may be repeated
    ");
}

#[test]
fn completions_exist_for_every_shell() {
    for shell in clap_complete::Shell::value_variants() {
        assert!(completions::script(*shell).contains("payctl"), "{shell}");
    }
}

#[test]
fn global_flags_stand_before_or_after_the_command() {
    for line in ["payctl --env dev --sandbox plan", "payctl plan --env dev --sandbox"] {
        let global = parse(line).unwrap().global;
        assert_eq!((global.env.as_deref(), global.sandbox), (Some("dev"), true));
        assert_eq!((global.parallelism, global.config_dir), (16, "config".into()));
    }
}

#[test]
fn usage_errors_exit_with_1_and_help_with_0() {
    for line in ["payctl", "payctl plna", "payctl plan --sandbox --profile x", "payctl plan -x"] {
        let error = parse(line).unwrap_err();
        assert!(!matches!(error.kind(), Usage::DisplayHelp | Usage::DisplayVersion), "{line}");
    }
    for line in ["payctl --help", "payctl --version", "payctl plan --help"] {
        let error = parse(line).unwrap_err();
        assert!(matches!(error.kind(), Usage::DisplayHelp | Usage::DisplayVersion), "{line}");
    }
}
