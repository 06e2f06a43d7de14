//! The heartbeat: somebody outside is called while the server does its work, and a place that may not be called is
//! refused at the start.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::mpsc;

use crate::support::home::Home;
use crate::support::server::Server;
use crate::support::{SOON, wait_until};

/// Answers 200 to whoever comes, and tells what was asked for.
fn listener() -> (u16, mpsc::Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let (told, heard) = mpsc::channel();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { continue };
            let mut asked = [0; 1024];
            let read = stream.read(&mut asked).unwrap_or(0);
            let line = String::from_utf8_lossy(&asked[..read]).lines().next().unwrap_or_default().to_owned();
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nOK");
            if told.send(line).is_err() {
                return;
            }
        }
    });
    (port, heard)
}

fn home(port: u16, allowed: bool) -> Home {
    let home = Home::new();
    let allow = if allowed { "allow = [\"127.0.0.1\"]\n" } else { "" };
    home.configure(&format!(
        "[heartbeat]\nurl = \"http://127.0.0.1:{port}/ping/abc\"\nevery_seconds = 15\n\n\
         [outgoing]\n{allow}in_the_clear = [\"127.0.0.1\"]\nports = [{port}]\n"
    ));
    home
}

#[test]
fn who_waits_outside_is_called_while_all_is_well() {
    let (port, heard) = listener();
    let _server = home(port, true).start();
    let line = wait_until("a call", SOON, || heard.try_recv().ok());
    assert!(line.starts_with("GET /ping/abc "), "{line}");
    let again = wait_until("another call", SOON, || heard.try_recv().ok());
    assert_eq!(again, line);
}

#[test]
fn a_private_address_that_nobody_allowed_is_refused_at_the_start() {
    let (port, heard) = listener();
    let home = home(port, false);
    let started = Server::run(&mut crate::support::server::serve(&home));
    let (_, said) = started.err().expect("it does not start");
    assert!(said.contains("[heartbeat] url may not be called"), "{said}");
    assert!(heard.try_recv().is_err(), "nobody was called");
}
