//! The payctl program.

use std::process::ExitCode;

fn main() -> ExitCode {
    payctl::cli::run()
}
