//! Somebody at a browser: a name, a password, a cookie, and the tokens of forms.

use std::io::Write;
use std::process::Stdio;

use super::home::Home;
use super::server::{Answer, Server, seamwatch};

pub const PASSWORD: &str = "four plain words here";

/// Makes a user by the command line, beside a server that may run.
pub fn make(home: &Home, name: &str, role: &str) {
    let (done, said) = users(home, &["add", name, "--role", role], PASSWORD);
    assert!(done, "{said}");
}

/// `seamwatch users …` with a line on its standard input: whether it succeeded, and what it said.
pub fn users(home: &Home, arguments: &[&str], line: &str) -> (bool, String) {
    let mut command = seamwatch();
    command.arg("users").args(arguments).arg("--data").arg(home.data()).arg("--config").arg(home.config());
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("the binary can be started");
    // It may end without reading it.
    let _ = writeln!(child.stdin.take().expect("stdin is a pipe"), "{line}");
    let output = child.wait_with_output().expect("it ends");
    let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    (output.status.success(), said)
}

/// The link in what a command printed.
pub fn link(said: &str) -> String {
    let at = said.find("http://").unwrap_or_else(|| panic!("no link in {said}"));
    let link = said[at..].split_whitespace().next().expect("a link is a word");
    let path = link.splitn(4, '/').nth(3).expect("a link has a path");
    format!("/{path}")
}

#[derive(Clone)]
pub struct Person {
    pub cookie: String,
}

impl Person {
    /// Signs in.
    pub fn sign_in(server: &Server, name: &str) -> Person {
        let answer = Person::login(server, name, PASSWORD);
        assert_eq!(answer.status, 303, "{}", answer.text());
        Person::of(&answer)
    }

    /// Whoever an answer signs in.
    pub fn of(answer: &Answer) -> Person {
        let cookie = answer.header("set-cookie").split(';').next().expect("a cookie has a value");
        assert!(cookie.starts_with("__Host-seamwatch=sw_ses_"), "{cookie}");
        Person { cookie: cookie.to_owned() }
    }

    pub fn login(server: &Server, name: &str, password: &str) -> Answer {
        send(server, "/login", "", &[("name", name), ("password", password)])
    }

    pub fn get(&self, server: &Server, path: &str) -> Answer {
        server.ask("GET", path, &[("cookie", &self.cookie)], String::new())
    }

    /// Sends a form as the page that holds it would.
    pub fn send(&self, server: &Server, page: &str, path: &str, fields: &[(&str, &str)]) -> Answer {
        let html = self.get(server, page).text();
        let mark = "name=\"token\" value=\"";
        let at = html.find(mark).unwrap_or_else(|| panic!("no form on {page}: {html}")) + mark.len();
        let token = html[at..].split('"').next().unwrap_or("");
        let mut all = vec![("token", token)];
        all.extend_from_slice(fields);
        send(server, path, &self.cookie, &all)
    }
}

/// Sends a form from a page of the server.
pub fn send(server: &Server, path: &str, cookie: &str, fields: &[(&str, &str)]) -> Answer {
    let pair = |(name, value): &(&str, &str)| format!("{name}={}", encoded(value));
    let body = fields.iter().map(pair).collect::<Vec<_>>().join("&");
    let origin = format!("http://{}", server.web);
    let headers = [
        ("content-type", "application/x-www-form-urlencoded"),
        ("origin", origin.as_str()),
        ("cookie", cookie),
    ];
    server.ask("POST", path, &headers, body)
}

fn encoded(text: &str) -> String {
    text.bytes()
        .map(
            |byte| {
                if byte.is_ascii_alphanumeric() {
                    char::from(byte).to_string()
                } else {
                    format!("%{byte:02X}")
                }
            },
        )
        .collect()
}
