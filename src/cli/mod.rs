//! The command line: one file per command, shared flags, exit codes.
//!
//! A command consists of its `Args`, whose doc comments are the help text, and a `run`. Its results
//! are data for `ui`; its changes go through `engine`.

use std::cell::{Cell, RefCell};
use std::fmt;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::SystemTime;

use clap::Parser;
use clap::error::ErrorKind as Usage;
use serde_json::Value;

use crate::ui::json;
use crate::ui::plan::Detail;
use crate::ui::screen::{Log, Screen};
use error::{CliError, ErrorKind};
use signals::Signals;

mod advice;
mod apply;
mod budget;
mod check;
mod comment;
mod completions;
mod confirm;
mod cost;
mod destroy;
mod diagram;
mod env;
mod environment;
mod error;
mod execute;
pub mod exit;
mod expiry;
mod explain;
mod fleet;
mod forecast;
mod gc;
mod graph;
mod history;
mod learned;
mod lease;
mod lenders;
mod outputs;
mod plan;
mod policy;
mod preflight;
mod prices;
mod receipt;
mod restores;
#[cfg(feature = "sandbox")]
mod sandbox;
mod saved;
mod schema;
mod secret;
mod session;
mod shift;
mod signals;
mod spending;
mod status;
mod sweep;
mod usage;
mod validate;

/// Creates, changes and deletes payment infrastructure on AWS. It has no state file: the live cloud
/// is the only record.
#[derive(Debug, Parser)]
#[command(name = "payctl", version, propagate_version = false, max_term_width = 100)]
struct Cli {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: Command,
}

/// Flags that every command takes.
#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "Global options")]
struct Global {
    /// The environment; the default is PAYCTL_ENV, or `pr-<number>` in the CI job of a pull request
    #[arg(long, short, global = true, value_name = "NAME")]
    env: Option<String>,
    /// The directory of the config files
    #[arg(long, global = true, value_name = "DIR", default_value = "config")]
    config_dir: PathBuf,
    /// The AWS region; overrides the config
    #[arg(long, global = true)]
    region: Option<String>,
    /// The profile in the AWS config files
    #[arg(long, global = true)]
    profile: Option<String>,
    /// The ARN of a role to assume
    #[arg(long, global = true, value_name = "ARN")]
    assume_role: Option<String>,
    /// The endpoint for all AWS services; AWS_ENDPOINT_URL works too
    #[arg(long, global = true, value_name = "URL")]
    endpoint_url: Option<String>,
    /// Use the embedded AWS in .payctl/sandbox instead of the real one
    #[arg(
        long,
        global = true,
        conflicts_with_all = ["profile", "assume_role", "endpoint_url"]
    )]
    sandbox: bool,
    /// The sandbox's pace: `fast`, or `real` as in AWS
    #[cfg(feature = "sandbox")]
    #[arg(
        long,
        global = true,
        value_enum,
        value_name = "PACE",
        default_value_t,
        hide_possible_values = true
    )]
    sandbox_pace: SandboxPace,
    /// The speed of the real pace, as a multiple of AWS's
    #[cfg(feature = "sandbox")]
    #[arg(
        long,
        global = true,
        value_name = "N",
        default_value_t = 1,
        value_parser = clap::value_parser!(u16).range(1..=3600)
    )]
    sandbox_speed: u16,
    /// Write one JSON object per line to stdout
    #[arg(long, global = true)]
    json: bool,
    /// No colours; NO_COLOR and CLICOLOR=0 work too
    #[arg(long, global = true)]
    no_color: bool,
    /// Say more: -v shows every field of new resources and counts the API calls, -vv logs what
    /// payctl does, -vvv also logs the SDK
    #[arg(long, short, global = true, action = clap::ArgAction::Count)]
    verbose: u8,
    /// How many resources payctl changes at the same time
    #[arg(
        long,
        global = true,
        value_name = "N",
        default_value_t = 16,
        value_parser = clap::value_parser!(u16).range(1..=256)
    )]
    parallelism: u16,
    /// Only this resource and its dependencies; may be repeated
    #[arg(long = "target", global = true, value_name = "ADDRESS")]
    targets: Vec<String>,
}

impl Global {
    /// Refuses the sandbox's flags without `--sandbox`, so that they never lead to the real AWS.
    fn wants_no_sandbox(&self) -> Result<(), CliError> {
        #[cfg(feature = "sandbox")]
        if self.sandbox_pace != SandboxPace::default() || self.sandbox_speed != 1 {
            return Err(CliError::new(
                ErrorKind::User,
                "--sandbox-pace and --sandbox-speed need --sandbox",
            )
            .hinted("add --sandbox, or remove these flags"));
        }
        Ok(())
    }
}

/// The pace of the embedded AWS.
#[cfg(feature = "sandbox")]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
enum SandboxPace {
    #[default]
    Fast,
    Real,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    Plan(plan::Args),
    Apply(apply::Args),
    Destroy(destroy::Args),
    Validate(validate::Args),
    History(history::Args),
    Outputs(outputs::Args),
    Status(status::Args),
    Check(check::Args),
    Diagram(diagram::Args),
    Cost(cost::Args),
    Prices(prices::Args),
    Graph(graph::Args),
    Explain(explain::Args),
    Policy(policy::Args),
    Comment(comment::Args),
    Schema(schema::Args),
    Completions(completions::Args),
    Env(env::Args),
    Gc(gc::Args),
    Secret(secret::Args),
    Shift(shift::Args),
    #[cfg(feature = "sandbox")]
    Sandbox(sandbox::Args),
}

/// The context that every command gets.
struct Context {
    global: Global,
    screen: Screen,
    stage: Cell<Stage>,
    /// Whether a lease has to be given back before the process ends: signals then belong to the code
    /// that does so.
    is_leased: Cell<bool>,
    /// Whether a signal came while a lease was given back: whoever works on several environments begins no
    /// other one.
    is_stopped: Cell<bool>,
    /// What a command that works on several environments has done, and what is left.
    so_far: RefCell<Option<String>>,
}

/// The stage of a command; it decides what a signal does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// Nothing was changed; a signal ends the command.
    Looking,
    /// payctl is changing things; the code that does so handles the signal.
    Changing,
    /// Changes were made; a signal ends the command.
    Changed,
}

/// Runs the command line of this process.
pub fn run() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(usage) => return ExitCode::from(explain_usage(&usage)),
    };
    let Cli { global, command } = cli;
    trace(global.verbose);
    let screen = Screen::open(global.json, global.no_color);
    let cx = Context {
        global,
        screen,
        stage: Cell::new(Stage::Looking),
        is_leased: Cell::new(false),
        is_stopped: Cell::new(false),
        so_far: RefCell::default(),
    };
    match dispatch(&command, &cx) {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            cx.complain(&error);
            ExitCode::from(error.exit_code(cx.stage.get()))
        }
    }
}

fn dispatch(command: &Command, cx: &Context) -> Result<u8, CliError> {
    match command {
        Command::Plan(args) => wait(stoppable(cx, plan::run(cx, args))),
        Command::Apply(args) => wait(stoppable(cx, apply::run(cx, args))),
        Command::Destroy(args) => wait(stoppable(cx, destroy::run(cx, args))),
        Command::Validate(args) => validate::run(cx, args),
        Command::History(args) => wait(stoppable(cx, history::run(cx, args))),
        Command::Outputs(args) => wait(stoppable(cx, outputs::run(cx, args))),
        Command::Status(args) => wait(stoppable(cx, status::run(cx, args))),
        Command::Check(args) => wait(stoppable(cx, check::run(cx, args))),
        Command::Diagram(args) => diagram::run(cx, args),
        Command::Cost(args) => wait(stoppable(cx, cost::run(cx, args))),
        Command::Prices(args) => wait(stoppable(cx, prices::run(cx, args))),
        Command::Graph(args) => graph::run(cx, args),
        Command::Explain(args) => explain::run(cx, args),
        Command::Policy(args) => policy::run(cx, args),
        Command::Comment(args) => wait(stoppable(cx, comment::run(cx, args))),
        Command::Schema(args) => schema::run(cx, args),
        Command::Completions(args) => completions::run(cx, args),
        Command::Env(args) => wait(stoppable(cx, env::run(cx, args))),
        Command::Gc(args) => wait(stoppable(cx, gc::run(cx, args))),
        Command::Secret(args) => wait(stoppable(cx, secret::run(cx, args))),
        Command::Shift(args) => wait(stoppable(cx, shift::run(cx, args))),
        #[cfg(feature = "sandbox")]
        Command::Sandbox(args) => sandbox::run(cx, args),
    }
}

/// Runs a command that calls the cloud. payctl builds its async runtime only here, so that other
/// commands start at once.
fn wait(task: impl Future<Output = Result<u8, CliError>>) -> Result<u8, CliError> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let runtime = runtime.map_err(|error| {
        CliError::new(ErrorKind::Bug, "cannot start the async runtime").because(error)
    })?;
    let result = runtime.block_on(Box::pin(task));
    // After a second Ctrl-C nothing may delay the end of the process.
    runtime.shutdown_background();
    result
}

/// Ends a command at the first signal, unless it is making changes.
async fn stoppable(
    cx: &Context,
    task: impl Future<Output = Result<u8, CliError>>,
) -> Result<u8, CliError> {
    ended_by_signals(cx, task, || !cx.is_leased.get()).await
}

/// The same, for signals that belong to the caller.
async fn ended_by_signals(
    cx: &Context,
    task: impl Future<Output = Result<u8, CliError>>,
    are_mine: impl Fn() -> bool,
) -> Result<u8, CliError> {
    let mut signals = Signals::take()?;
    let mut task = Box::pin(task);
    loop {
        tokio::select! {
            result = &mut task => return result,
            () = signals.next() => {}
        }
        if !are_mine() {
            continue;
        }
        let so_far = cx.so_far.borrow().clone();
        let title = match (cx.stage.get(), &so_far) {
            (Stage::Looking, _) => "stopped; nothing was changed",
            (Stage::Changing, _) => continue,
            (Stage::Changed, None) => "stopped while reading the result; all changes were made",
            (Stage::Changed, Some(_)) => "stopped; what was begun is complete",
        };
        if cx.screen.redraws {
            // The terminal shows ^C at the end of a line.
            cx.note("");
        }
        let error = CliError::new(ErrorKind::Interrupted, title);
        return Err(match so_far {
            Some(so_far) => error.because(so_far),
            None => error,
        });
    }
}

/// A variable of the process's environment.
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

impl Context {
    /// The environment's name.
    fn env(&self) -> Result<String, CliError> {
        environment::choose(self.global.env.as_deref(), variable, &self.global.config_dir)
    }

    /// Shows a result on stdout: a JSON line or a text.
    fn show(
        &self,
        kind: &str,
        body: impl FnOnce() -> Value,
        text: impl FnOnce() -> String,
    ) -> Result<(), CliError> {
        if self.screen.json {
            self.screen.data(&json::line(SystemTime::now(), kind, &body()))?;
        } else {
            self.screen.text(&text())?;
        }
        Ok(())
    }

    /// How much of a plan to show.
    fn detail(&self) -> Detail {
        match self.global.verbose {
            0 => Detail::Short,
            _ => Detail::Full,
        }
    }

    /// Says something on stderr, unless a program is listening.
    fn note(&self, text: impl fmt::Display) {
        if !self.screen.json {
            self.screen.note(&format!("{text}\n"));
        }
    }

    /// Shows an error on stderr, and as a JSON line on stdout.
    fn complain(&self, error: &CliError) {
        let Some(block) = &error.source else { return };
        self.screen.note(&block.text(self.screen.err));
        if self.screen.json {
            let line = json::line(SystemTime::now(), "error", &json::block(block));
            // The error was shown on stderr; a reader of stdout that left misses nothing.
            drop(self.screen.data(&line));
        }
    }
}

/// Shows a usage error, the help or the version.
fn explain_usage(usage: &clap::Error) -> u8 {
    // payctl cannot report a closed stream anywhere.
    drop(usage.print());
    match usage.kind() {
        Usage::DisplayHelp | Usage::DisplayVersion => exit::SUCCESS,
        _ => exit::ERROR,
    }
}

fn trace(verbose: u8) {
    let filter = match verbose {
        0 | 1 => return,
        2 => "payctl=debug",
        _ => "debug",
    };
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(|| Log).init();
}

#[cfg(test)]
mod tests;
