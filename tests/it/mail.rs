//! An alert by e-mail, to a real mail server over STARTTLS, as its reader gets it.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Stdio};
use std::sync::mpsc::{Receiver, channel};

use mail_parser::{Message, MessageParser};
use serde_json::Value;

use crate::support::server::{Server, seamwatch};
use crate::support::{A_TICK, SOON, clients, story, wait_until};

const FROM: &str = "seamwatch@example.com";
const TO: &str = "on-call@example.com";

/// A mail server that takes nothing without TLS.
struct Relay {
    implicit: bool,
    child: Child,
    // It ends when this closes.
    _stdin: ChildStdin,
    lines: Receiver<Value>,
    folder: PathBuf,
    port: u64,
}

impl Relay {
    fn start(folder: &Path) -> Relay {
        Relay::with(folder, &[])
    }

    fn with(folder: &Path, options: &[&str]) -> Relay {
        let mut child = clients::python("smtp.py")
            .arg(folder)
            .args(options)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the mail server can be started");
        let (_stdin, stdout) = (child.stdin.take().expect("a pipe"), child.stdout.take().expect("a pipe"));
        let (tell, lines) = channel();
        std::thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                let line = serde_json::from_str(&line).expect("the mail server prints JSON");
                if tell.send(line).is_err() {
                    return;
                }
            }
        });
        let ready: Value = lines.recv_timeout(SOON).expect("the mail server says its port");
        let port = ready["port"].as_u64().expect("a port");
        let implicit = options.contains(&"implicit");
        Relay { implicit, child, _stdin, lines, folder: folder.to_owned(), port }
    }

    /// All of the configuration that speaks of mail.
    fn configuration(&self) -> String {
        format!("[mail]\nfrom = \"{FROM}\"\nto = [\"{TO}\"]\n\n{}", self.section())
    }

    /// The section of the relay.
    fn section(&self) -> String {
        let ca = self.folder.join("ca.pem");
        let tls = if self.implicit { "implicit" } else { "starttls" };
        format!(
            "[smtp]\nhost = \"localhost\"\nport = {}\ntls = \"{tls}\"\nca_file = \"{}\"\n",
            self.port,
            ca.display()
        )
    }

    /// The configuration with a login, whose password is in a file.
    fn with_login(&self, mail: &str, password: &str) -> String {
        let file = self.folder.join("password");
        std::fs::write(&file, password).expect("the password can be written");
        format!("{mail}{}username = \"ana\"\npassword_file = \"{}\"\n", self.section(), file.display())
    }

    /// To whom the next mail came, and the mail.
    fn next_to(&self) -> (String, Vec<u8>) {
        let line = self.lines.recv_timeout(A_TICK).expect("a mail comes");
        assert_eq!(line["tls"], true, "{line}");
        let to = line["recipients"][0].as_str().expect("a recipient").to_owned();
        let bytes = std::fs::read(self.folder.join(format!("{}.eml", line["mail"])));
        (to, bytes.expect("the mail server kept it"))
    }

    /// The next mail, as bytes; it came by TLS and for one reader.
    fn next(&self) -> Vec<u8> {
        let line = self.lines.recv_timeout(A_TICK).expect("a mail comes");
        assert_eq!(line["tls"], true, "{line}");
        assert_eq!(line["recipients"], serde_json::json!([TO]), "{line}");
        assert_eq!(line["sender"], FROM, "{line}");
        std::fs::read(self.folder.join(format!("{}.eml", line["mail"]))).expect("the mail server kept it")
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn parse(bytes: &[u8]) -> Message<'_> {
    MessageParser::default().parse(bytes).expect("a mail reader can parse it")
}

/// What a reader sees: a space is a space, however narrow, and where a line breaks does not matter.
fn plain(text: &str) -> String {
    let text =
        text.replace("&nbsp;", " ").replace("&#8239;", " ").replace("&amp;", "&").replace("&#38;", "&");
    text.split(|c: char| c.is_whitespace() || c == '\u{202f}')
        .filter(|word| !word.is_empty())
        .collect::<Vec<_>>()
        .join(" ")
}

/// Both parts, the text first.
fn parts(mail: &Message<'_>) -> [String; 2] {
    assert_eq!((mail.text_body.len(), mail.html_body.len()), (1, 1), "one text and one HTML part");
    let text = mail.body_text(0).expect("a text part").into_owned();
    let html = mail.body_html(0).expect("an HTML part").into_owned();
    assert!(!text.contains("</") && html.contains("</"), "each part in its own form");
    [plain(&text), plain(&html)]
}

fn links(part: &str) -> BTreeSet<String> {
    let ends = |c: char| c.is_whitespace() || ['"', '<', '>', ')', '\''].contains(&c);
    part.match_indices("http")
        .filter(|(at, _)| part[*at..].starts_with("http://") || part[*at..].starts_with("https://"))
        .map(|(at, _)| part[at..].split(ends).next().unwrap_or("").trim_end_matches(['.', ',']).to_owned())
        .collect()
}

/// Where the failing peer's vendor tells of outages: the one link that leads elsewhere.
const VENDOR_STATUS: &str = "https://status.stripe.com/";

/// Every other link is of this server and leads somewhere; among them are the runbook and the integration.
fn links_resolve(server: &Server, part: &str) {
    let base = format!("http://{}", server.web);
    let links = links(part);
    for link in links.iter().filter(|link| **link != VENDOR_STATUS) {
        let path = link.strip_prefix(&base).unwrap_or_else(|| panic!("{link} does not lead to {base}"));
        let answer = server.get(if path.is_empty() { "/" } else { path });
        assert_eq!(answer.status, 200, "{link}: {}", answer.text());
    }
    for wanted in ["/runbooks/", "/integrations/", "/incidents/"] {
        assert!(links.iter().any(|link| link.contains(wanted)), "no link to {wanted} in {links:?}");
    }
}

#[test]
fn a_failing_endpoint_is_mailed_over_starttls_and_so_is_its_end() {
    let home = story::quick_home();
    let relay = Relay::start(&home.path().join("relay"));
    home.configure(&relay.configuration());
    let server = home.start();
    story::fail(&server);

    let bytes = relay.next();
    let firing = parse(&bytes);
    let incident = story::incident(&server, "open");
    let since = incident["since"].as_str().and_then(|since| since.get(11..16)).expect("since is a time");
    let subject = firing.subject().expect("a subject");
    assert!(subject.contains(story::INTEGRATION) || subject.contains(story::ENDPOINT), "{subject}");
    for part in parts(&firing) {
        for wanted in ["60 %", "95 %", since, story::INTEGRATION, story::ENDPOINT, "40"] {
            assert!(part.contains(wanted), "no {wanted} in:\n{part}");
        }
        assert!(part.contains("read which class fails"), "no first step of the runbook in:\n{part}");
        assert!(part.contains(VENDOR_STATUS), "no link to the vendor's status in:\n{part}");
        links_resolve(&server, &part);
    }
    let id = firing.message_id().expect("a Message-ID").to_owned();
    assert!(firing.date().is_some(), "a Date");
    let all = server.get("/mail").text();
    assert!(all.contains(story::ENDPOINT), "the mail page does not list it");

    story::heal(&server);
    let bytes = relay.next();
    let resolved = parse(&bytes);
    let answers: Vec<&str> =
        resolved.in_reply_to().as_text_list().unwrap_or_default().iter().map(|id| &**id).collect();
    assert_eq!(answers, [id.as_str()], "the end belongs to the thread of the beginning");
    assert_ne!(resolved.message_id(), Some(id.as_str()));
    for part in parts(&resolved) {
        for wanted in [story::INTEGRATION, story::ENDPOINT, "95 %", since] {
            assert!(part.contains(wanted), "no {wanted} in:\n{part}");
        }
        links_resolve(&server, &part);
    }
    let closed = story::incident(&server, "resolved");
    assert_eq!(closed["code"], incident["code"]);
    assert!(closed["resolved_at"].is_string(), "{closed}");
    assert_eq!(server.json("/api/v1/incidents?state=open")["items"], serde_json::json!([]));
}

#[test]
fn a_relay_whose_certificate_nobody_vouches_for_gets_nothing_and_the_mail_waits() {
    let home = story::quick_home();
    let relay = Relay::start(&home.path().join("relay"));
    let trusting = relay.configuration();
    let wary: Vec<&str> = trusting.lines().filter(|line| !line.starts_with("ca_file")).collect();
    home.configure(&wary.join("\n"));
    let server = home.start();
    story::fail(&server);
    story::incident(&server, "open");
    let page = wait_until("the mail page says why the mail waits", A_TICK, || {
        let page = server.get("/mail").text();
        page.contains("deferred").then_some(page)
    });
    assert!(page.to_lowercase().contains("certificate"), "{page}");
    assert!(relay.lines.try_recv().is_err(), "a mail went to a relay that nobody vouches for");

    // It is sent as soon as the operator says whom to trust, in another life of the server too.
    drop(server);
    home.configure(&trusting);
    let _server = home.start();
    let bytes = relay.next();
    assert!(parse(&bytes).subject().is_some_and(|subject| subject.contains(story::ENDPOINT)));
}

const THREE: &str = "[mail]\nfrom = \"seamwatch@example.com\"\nto = [\"ana@example.com\", \"gone@example.com\", \"bo@example.com\"]\n\
    escalate_to = [\"lead@example.com\"]\n\n";

#[test]
fn over_implicit_tls_and_a_login_one_of_three_is_refused_and_another_gets_it_with_the_reason() {
    let home = story::quick_home();
    let relay = Relay::with(&home.path().join("relay"), &["implicit", "login", "refuse=gone@example.com"]);
    home.configure(&relay.with_login(THREE, "secret"));
    let server = home.start();
    story::fail(&server);
    let mails: Vec<(String, Vec<u8>)> = (0..3).map(|_| relay.next_to()).collect();
    let to: Vec<&str> = mails.iter().map(|(to, _)| to.as_str()).collect();
    assert_eq!(to, ["ana@example.com", "bo@example.com", "lead@example.com"]);
    let instead = parse(&mails[2].1);
    for part in parts(&instead) {
        assert!(part.contains("the mail to gone@example.com was refused"), "{part}");
        assert!(part.contains("550") && part.contains("60 %"), "{part}");
    }
    for wanted in
        ["X-Seamwatch-Rule", "X-Seamwatch-Severity", "X-Seamwatch-State", "X-Seamwatch-Incident", "List-Id"]
    {
        assert!(instead.header_raw(wanted).is_some_and(|value| !value.trim().is_empty()), "no {wanted}");
    }
    let page = server.get("/mail").text();
    assert!(page.contains("rejected") && page.contains("refuses the recipient"), "{page}");
}

#[test]
fn a_password_that_is_wrong_pauses_the_relay_on_every_page_and_loses_nothing() {
    let home = story::quick_home();
    let relay = Relay::with(&home.path().join("relay"), &["login"]);
    let mail = format!("[mail]\nfrom = \"{FROM}\"\nto = [\"{TO}\"]\n\n");
    home.configure(&relay.with_login(&mail, "wrong"));
    let server = home.start();
    story::fail(&server);
    let page = wait_until("every page says so", A_TICK, || {
        let page = plain(&server.get("/runbooks").text());
        page.contains("No mail leaves").then_some(page)
    });
    assert!(page.contains("refuses the login") && page.contains("smtp.password_file"), "{page}");
    drop(server);
    home.configure(&relay.with_login(&mail, "secret"));
    let _server = home.start();
    assert!(parse(&relay.next()).subject().is_some_and(|subject| subject.contains(story::ENDPOINT)));
}

#[test]
fn send_test_proves_the_way_or_says_what_is_wrong_with_it() {
    let home = story::quick_home();
    let relay = Relay::with(&home.path().join("relay"), &["login", "refuse=gone@example.com"]);
    let run = |configuration: &str, to: &str| {
        home.configure(configuration);
        let mut command = seamwatch();
        command.args(["send-test", "--to", to, "--config"]).arg(home.config());
        let output = command.output().expect("it runs");
        let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        (output.status.success(), said)
    };
    let good = relay.with_login("", "secret");
    let (done, said) = run(&good, "ana@example.com");
    assert!(done && said.starts_with("ana@example.com: taken. localhost:"), "{said}");
    let (to, bytes) = relay.next_to();
    assert_eq!((to.as_str(), parse(&bytes).subject()), ("ana@example.com", Some("Seamwatch can reach you")));
    for (configuration, to, words) in [
        (good.clone(), "gone@example.com", "refuses the recipient"),
        (
            good.replace(&format!("port = {}", relay.port), "port = 1"),
            "ana@example.com",
            "Nothing listens there",
        ),
        (good.replace("\"localhost\"", "\"relay.invalid\""), "ana@example.com", "has no address"),
        (good.replace("\"starttls\"", "\"implicit\""), "ana@example.com", "cannot be reached"),
        (
            good.lines().filter(|line| !line.starts_with("ca_file")).collect::<Vec<_>>().join("\n"),
            "ana@example.com",
            "smtp.ca_file",
        ),
    ] {
        let (done, said) = run(&configuration, to);
        assert!(!done && said.contains(words), "{words} in {said}");
    }
    let (done, said) = run(&relay.with_login("", "wrong"), "ana@example.com");
    assert!(!done && said.contains("refuses the login") && said.contains("smtp.username"), "{said}");
    let (done, said) = run("", "ana@example.com");
    assert!(done && said.contains("No SMTP server is configured"), "{said}");
}
