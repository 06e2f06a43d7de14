//! `seamwatch send-test`: sends one mail by the configured way, and says what is wrong with it in a sentence.

use std::process::ExitCode;
use std::sync::Arc;

use clap::Args;

use super::FilesArgs;
use crate::notify::mailer::Mailer;
use crate::notify::smtp::Blame;
use crate::server::settings;
use crate::store::mail::{Kind, NewMail, Own};
use crate::world::files::Disk;
use crate::world::files::Files;

/// To whom.
#[derive(Clone, Debug, Args)]
pub struct SendTestArgs {
    /// Which files to read.
    #[command(flatten)]
    pub files: FilesArgs,
    /// Address; more than one may be given [default: those that the configuration names].
    #[arg(long, value_name = "ADDRESS")]
    pub to: Vec<String>,
}

/// Sends to each address; the exit code is 1 when one was not taken.
pub async fn run(args: SendTestArgs) -> anyhow::Result<ExitCode> {
    let config = args.files.read()?;
    let (mailer, _) = settings::mailer(&config)?;
    let to = if args.to.is_empty() { config.mail.to.clone() } else { args.to };
    if let Mailer::File(folder) = &*mailer {
        println!(
            "No SMTP server is configured, so mails are files in {} and reach nobody. Set [smtp] host, or \
             SEAMWATCH_SMTP_HOST.",
            folder.display()
        );
    }
    let files: Arc<dyn Files> = Arc::new(Disk);
    let mut code = ExitCode::SUCCESS;
    for address in to {
        match mailer.send(&mail(&address), &config.mail.from, &files).await {
            Ok(answer) => println!("{address}: taken. {answer}."),
            Err(error) => {
                code = ExitCode::FAILURE;
                let whose = match error.blame {
                    Blame::Ours => "The configuration is to be mended.",
                    Blame::Recipient | Blame::Busy => "The relay works; it does not take this recipient.",
                    Blame::Content => "The relay works; it does not take what the mail says.",
                    Blame::Relay => "The relay, or the way to it, does not work.",
                };
                println!("{address}: not taken. {} {whose}", error.message);
            }
        }
    }
    Ok(code)
}

fn mail(to: &str) -> NewMail {
    let id = uuid::Uuid::now_v7().to_string();
    let said =
        "This is a test that somebody asked for with seamwatch send-test. Alerts reach you by the same way.";
    NewMail {
        message_id: format!("<test.{id}@seamwatch>"),
        id,
        incident_id: String::new(),
        kind: Kind::Own(Own::Test),
        channel: String::new(),
        recipient: to.to_owned(),
        from_name: "Seamwatch test".into(),
        subject: "Seamwatch can reach you".into(),
        in_reply_to: None,
        headers: vec![("X-Seamwatch-State".into(), "test".into())],
        text: format!("{said}\n"),
        html: format!(
            "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"color-scheme\" content=\"light dark\"><title>Seamwatch can reach you</title></head><body><p>{said}</p></body></html>"
        ),
        created_at: crate::clock::system()(),
    }
}
