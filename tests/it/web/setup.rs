use super::not_found;
use crate::support::home::Home;
use crate::support::person::{PASSWORD, Person, link, make, send, users};
use crate::support::server::seamwatch;
use crate::support::{SOON, wait_until};

fn secret(path: &str) -> String {
    path.strip_prefix("/setup?token=").expect("the link leads to the setup").to_owned()
}

#[test]
fn of_a_hundred_who_come_at_once_one_is_the_first_admin() {
    let home = Home::new();
    let server = home.start();
    assert!(server.get("/").text().contains("Open to everyone on this machine"));
    not_found(&server, "/setup");
    let (done, said) = users(&home, &["invite"], "");
    assert!(done, "{said}");
    let path = link(&said);
    assert_eq!(server.get(&path).status, 200);
    let (secret, server) = (secret(&path), &server);
    let answers: Vec<u16> = std::thread::scope(|scope| {
        let one = |n: usize| {
            let (name, secret) = (format!("admin{n}"), secret.clone());
            move || {
                send(server, "/setup", "", &[("secret", &secret), ("name", &name), ("password", PASSWORD)])
                    .status
            }
        };
        let all: Vec<_> = (0..100).map(|n| scope.spawn(one(n))).collect();
        all.into_iter().map(|thread| thread.join().expect("no thread panics")).collect()
    });
    assert_eq!(answers.iter().filter(|status| **status == 303).count(), 1, "{answers:?}");
    assert!(answers.iter().all(|status| [303, 404, 503].contains(status)), "{answers:?}");
    let (_, listed) = users(&home, &["list"], "");
    assert_eq!(listed.lines().count(), 1, "{listed}");
    not_found(server, &path);
    assert_eq!(server.get("/").header("location"), "/login", "the door is closed");
    let (done, said) = users(&home, &["invite"], "");
    assert!(!done && said.contains("There is a user already"), "{said}");
}

#[test]
fn five_wrong_links_and_there_is_no_setup() {
    let home = Home::new();
    let server = home.start();
    let path = link(&users(&home, &["invite"], "").1);
    // The later link is the one that counts; a whole secret that is not it is a try.
    let right = link(&users(&home, &["invite"], "").1);
    assert_ne!(path, right);
    for _ in 0..5 {
        not_found(&server, &path);
    }
    not_found(&server, &right);
}

#[test]
fn a_weak_password_is_told_and_tried_again() {
    let home = Home::new();
    let server = home.start();
    let secret = secret(&link(&users(&home, &["invite"], "").1));
    let weak =
        send(&server, "/setup", "", &[("secret", &secret), ("name", "ada"), ("password", "password1234")]);
    assert_eq!(weak.status, 422);
    assert!(weak.text().contains("among the first that are guessed"), "{}", weak.text());
    let right = send(&server, "/setup", "", &[("secret", &secret), ("name", "ada"), ("password", PASSWORD)]);
    assert_eq!(Person::of(&right).get(&server, "/people").status, 200);
}

#[test]
fn a_closed_door_without_users_prints_the_link() {
    let home = Home::new();
    let mut add = seamwatch();
    add.args(["keys", "add", "shop", "--integration", "shop", "--data"]).arg(home.data());
    let added = add.output().expect("the binary can be started");
    assert!(added.status.success(), "{}", String::from_utf8_lossy(&added.stderr));
    let server = home.start();
    assert_eq!(server.get("/").header("location"), "/login", "the first key closes the door");
    assert!(server.get("/login").text().contains("No user exists yet."));
    let path = wait_until("the link", SOON, || {
        let said = server.said();
        said.contains("/setup?token=").then(|| link(&said))
    });
    assert_eq!(server.get(&path).status, 200);
    make(&home, "ada", "admin");
    not_found(&server, &path);
    drop(server);
    let server = home.start();
    assert_eq!(server.get("/login").status, 200);
    assert!(!server.said().contains("/setup?token="), "there is a user: {}", server.said());
}
