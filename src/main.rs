//! `seamwatch`: parse the command line, run one command, exit code.

use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use seamwatch::cli::{self, Command};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// What still runs after a command has ended is not waited for longer than this.
const LINGER: Duration = Duration::from_millis(500);

fn main() -> ExitCode {
    // One provider for every TLS connection; with none installed the first handshake would panic.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let runtime = match tokio::runtime::Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("seamwatch: the runtime cannot be started: {error}");
            return ExitCode::FAILURE;
        }
    };
    let outcome = runtime.block_on(async {
        match cli::Cli::parse().command {
            Command::Serve(args) => cli::serve::run(args).await,
            Command::Demo(args) => cli::demo::run::run(args).await,
            Command::Check(args) => cli::check::run(args),
            Command::Test(args) => cli::test::run(args),
            Command::RedactTest(args) => cli::redact_test::run(args),
            Command::Decrypt(args) => cli::decrypt::run(args),
            Command::Users(args) => cli::users::run(args).await,
            Command::Keys(args) => cli::keys::run(args).await,
            Command::SendTest(args) => cli::send_test::run(args).await,
            Command::Audit(args) => cli::audit::run(args).await,
        }
    });
    runtime.shutdown_timeout(LINGER);
    match outcome {
        Ok(code) => code,
        Err(error) => {
            eprintln!("seamwatch: {error:#}");
            ExitCode::FAILURE
        }
    }
}
