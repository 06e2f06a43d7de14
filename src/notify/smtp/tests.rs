//! Against a relay that answers as a test says, over a real socket.

use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpListener;

use super::*;

/// What a relay does at a command: its answer, nothing at all, or the end of the connection.
#[derive(Clone, Copy)]
enum Reply {
    Says(&'static str),
    Hangs,
    Closes,
}
use Reply::{Closes, Hangs, Says};

/// A relay that answers well but for the commands named; "greeting" and "." (the end of a mail) are such too.
async fn relay(odd: &'static [(&'static str, Reply)]) -> Relay {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(serve(stream, odd));
        }
    });
    Relay { host: "127.0.0.1".into(), port, tls: Tls::None, ca_pem: None, login: None }
}

async fn serve(stream: tokio::net::TcpStream, odd: &'static [(&'static str, Reply)]) {
    let mut stream = BufReader::new(stream);
    let mut in_mail = false;
    let mut command = "greeting".to_owned();
    loop {
        let found = odd.iter().find(|(name, _)| command.starts_with(name)).map(|(_, reply)| *reply);
        let usual = match command.split([' ', ':']).next().unwrap_or_default() {
            "greeting" => "220 relay",
            "EHLO" => "250-relay\r\n250 AUTH PLAIN LOGIN",
            "AUTH" => "235 good",
            "DATA" => "354 go on",
            "QUIT" => "221 bye",
            _ => "250 ok",
        };
        match found.unwrap_or(Says(usual)) {
            Says(answer) => {
                in_mail = command == "DATA" && answer.starts_with('3');
                if stream.get_mut().write_all(format!("{answer}\r\n").as_bytes()).await.is_err() {
                    return;
                }
            }
            Hangs => std::future::pending().await,
            Closes => return,
        }
        loop {
            command.clear();
            if stream.read_line(&mut command).await.unwrap_or(0) == 0 {
                return;
            }
            command = command.trim_end().to_owned();
            if !in_mail || command == "." {
                break;
            }
        }
    }
}

async fn send_to(relay: &Relay) -> Result<String, SendError> {
    let smtp = Smtp::new(relay).unwrap().with_deadline(Duration::from_secs(5));
    let (from, to) = ("seamwatch@example.com".parse().unwrap(), "ana@example.com".parse().unwrap());
    smtp.send(&from, &to, b"Subject: x\r\n\r\ntext\r\n").await
}

async fn refusal(odd: &'static [(&'static str, Reply)]) -> (Blame, String) {
    let error = send_to(&relay(odd).await).await.unwrap_err();
    (error.blame, error.message)
}

fn with_login(relay: Relay) -> Relay {
    Relay { login: Some(("ana".into(), "wrong".into())), ..relay }
}

#[tokio::test]
async fn what_is_taken_says_what_the_relay_answered() {
    let said = send_to(&relay(&[(".", Says("250 queued as 4F2"))]).await).await.unwrap();
    assert!(said.ends_with("answered 250 queued as 4F2"), "{said}");
    let login = send_to(&with_login(relay(&[]).await)).await;
    assert!(login.is_ok(), "{login:?}");
}

#[tokio::test]
async fn a_refusal_is_laid_to_who_can_mend_it() {
    for (odd, blame, words) in [
        (&[("RCPT", Says("550 no such user"))][..], Blame::Recipient, "refuses the recipient"),
        (&[("RCPT", Says("551 moved"))], Blame::Recipient, "551"),
        (&[("RCPT", Says("450 mailbox busy"))], Blame::Busy, "450"),
        (&[("RCPT", Says("452 full"))], Blame::Busy, "452"),
        (&[("RCPT", Says("530 login first"))], Blame::Ours, "smtp.username"),
        (&[("RCPT", Says("554 relay access denied"))], Blame::Ours, "554"),
        (&[("MAIL", Says("550 who are you"))], Blame::Ours, "Check mail.from"),
        (&[("MAIL", Says("530 login first"))], Blame::Ours, "530"),
        (&[("MAIL", Says("451 later"))], Blame::Relay, "451"),
        (&[("greeting", Says("554 blocked"))], Blame::Ours, "does not want to hear from this machine"),
        (&[("greeting", Says("421 too busy"))], Blame::Relay, "421"),
        (&[("RCPT", Says("421 closing"))], Blame::Relay, "421"),
        (&[("DATA", Says("421 closing"))], Blame::Relay, "421"),
        (&[(".", Says("554 looks like spam"))], Blame::Content, "refuses what the mail says"),
        (&[(".", Says("451 later"))], Blame::Busy, "451"),
    ] {
        let (found, message) = refusal(odd).await;
        assert_eq!(found, blame, "{message}");
        assert!(message.contains(words), "{words} in {message}");
    }
}

#[tokio::test]
async fn a_login_that_is_refused_is_ours_to_mend() {
    for answer in ["535 wrong", "534 too weak", "538 not without TLS"] {
        let odd: &'static [(&'static str, Reply)] = Box::leak(Box::new([("AUTH", Says(answer))]));
        let error = send_to(&with_login(relay(odd).await)).await.unwrap_err();
        assert_eq!(error.blame, Blame::Ours, "{error:?}");
        assert!(error.message.contains("refuses the login") && error.message.contains("smtp.username"));
        assert!(!error.message.contains("wrong\""), "no password in {}", error.message);
    }
    let none: &'static [(&'static str, Reply)] = &[("EHLO", Says("250 relay"))];
    let error = send_to(&with_login(relay(none).await)).await.unwrap_err();
    assert_eq!(error.blame, Blame::Ours, "no way to log in: {error:?}");
}

#[tokio::test]
async fn a_relay_that_hangs_or_goes_away_is_left_after_our_own_deadline() {
    for step in ["greeting", "EHLO", "MAIL", "RCPT", "DATA", "."] {
        let hangs: &'static [(&'static str, Reply)] = Box::leak(Box::new([(step, Hangs)]));
        let smtp = Smtp::new(&relay(hangs).await).unwrap().with_deadline(Duration::from_millis(300));
        let (from, to) = ("a@example.com".parse().unwrap(), "b@example.com".parse().unwrap());
        let error = smtp.send(&from, &to, b"x\r\n").await.unwrap_err();
        assert_eq!(error.blame, Blame::Relay, "{step}: {error:?}");
        assert!(error.message.contains(" within 0 s."), "{step}: {error:?}");
        let closes: &'static [(&'static str, Reply)] = Box::leak(Box::new([(step, Closes)]));
        let (blame, message) = refusal(closes).await;
        assert_eq!(blame, Blame::Relay, "{step}: {message}");
    }
    let (_, message) = refusal(&[(".", Closes)]).await;
    assert!(!message.is_empty());
}

#[tokio::test]
async fn without_starttls_nothing_is_said_in_the_clear() {
    let relay = Relay { tls: Tls::Starttls, ..relay(&[]).await };
    let error = send_to(&relay).await.unwrap_err();
    assert_eq!(error.blame, Blame::Relay);
    assert!(error.message.contains("begins no TLS") && error.message.contains("implicit"), "{error:?}");
}

#[tokio::test]
async fn a_name_without_an_address_and_a_port_where_nothing_listens_are_told_apart() {
    let gone = Relay { port: 1, ..relay(&[]).await };
    let error = send_to(&gone).await.unwrap_err();
    assert!(error.message.contains("Nothing listens there: check smtp.host and smtp.port"), "{error:?}");
    let nameless = Relay { host: "relay.invalid".into(), ..gone };
    let error = send_to(&nameless).await.unwrap_err();
    assert!(error.message.starts_with("relay.invalid has no address"), "{error:?}");
}
