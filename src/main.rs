//! `seamwatch`: parse the command line, run one command, exit code.

use std::process::ExitCode;

use clap::Parser;
use seamwatch::cli::{self, Command};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[tokio::main]
async fn main() -> ExitCode {
    // One provider for every TLS connection; with none installed the first handshake would panic.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let outcome = match cli::Cli::parse().command {
        Command::Serve(args) => cli::serve::run(args).await,
        Command::Demo(args) => cli::demo::run::run(args).await,
        Command::Check(args) => cli::check::run(args),
        Command::Test(args) => cli::test::run(args),
    };
    match outcome {
        Ok(code) => code,
        Err(error) => {
            eprintln!("seamwatch: {error:#}");
            ExitCode::FAILURE
        }
    }
}
