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
    insta::assert_snapshot!(help, @"");
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
