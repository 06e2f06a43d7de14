use super::read;
use crate::support::home::Home;
use crate::support::person::{PASSWORD, Person, make, send};

#[test]
fn who_signs_in_goes_on_and_who_signs_out_is_out() {
    let home = Home::new();
    make(&home, "quentin", "admin");
    let server = home.start();
    let asked = server.get("/incidents?state=open");
    assert_eq!((asked.status, asked.header("location")), (303, "/login?next=%2Fincidents%3Fstate%3Dopen"));
    let fields = [("name", "Quentin"), ("password", PASSWORD), ("next", "/incidents?state=open")];
    let answer = send(&server, "/login", "", &fields);
    assert_eq!(
        (answer.status, answer.header("location")),
        (303, "/incidents?state=open"),
        "{}",
        answer.text()
    );
    for flag in ["Path=/", "HttpOnly", "Secure", "SameSite=Lax"] {
        assert!(answer.header("set-cookie").contains(flag), "{}", answer.header("set-cookie"));
    }
    let quentin = Person::of(&answer);
    let page = quentin.get(&server, "/incidents").text();
    assert!(page.contains("<b>quentin</b>") && page.contains("Sign out"), "{page}");
    let out = quentin.send(&server, "/", "/logout", &[]);
    assert_eq!((out.status, out.header("location")), (303, "/login"));
    assert!(out.header("set-cookie").contains("Max-Age=0"));
    assert_eq!(
        quentin.get(&server, "/").header("location"),
        "/login",
        "the session is over, not the cookie alone"
    );
}

#[test]
fn sentry_2336_the_login_page_says_nothing_of_anybody() {
    let home = Home::new();
    make(&home, "quentin", "admin");
    let server = home.start();
    let page = server.get("/login");
    let html = page.text();
    for secret in ["quentin", env!("CARGO_PKG_VERSION"), "admin", "script", "integration"] {
        assert!(!html.contains(secret), "{secret} in {html}");
    }
    assert!(page.header("server").is_empty());
    assert_eq!(read(&server, "/login").matches("Sign in").count(), 3, "title, heading, button");
}

#[test]
fn the_same_answer_whatever_was_wrong() {
    let home = Home::new();
    make(&home, "quentin", "admin");
    make(&home, "gone", "viewer");
    let (done, said) = crate::support::person::users(&home, &["disable", "gone"], "");
    assert!(done, "{said}");
    let server = home.start();
    let wrong = |name: &str, password: &str| {
        let answer = Person::login(&server, name, password);
        (answer.status, answer.text().replace(name, "NAME"))
    };
    let first = wrong("quentin", "not the right words");
    assert_eq!(first.0, 401);
    assert!(first.1.contains("Name or password is wrong."), "{}", first.1);
    for (name, password) in [("nobody", PASSWORD), ("gone", PASSWORD), ("quentin", ""), ("nobody", "")] {
        assert_eq!(wrong(name, password), first, "{name} {password}");
    }
}

#[test]
fn who_guesses_waits_and_is_told_how_long() {
    let home = Home::new();
    make(&home, "quentin", "admin");
    let server = home.start();
    let quentin = Person::sign_in(&server, "quentin");
    let tries: Vec<u16> =
        (0..6).map(|_| Person::login(&server, "bob", "a wrong guess at it").status).collect();
    assert_eq!(tries, [401, 401, 401, 401, 401, 429]);
    let answer = Person::login(&server, "bob", "a wrong guess at it");
    let seconds: u64 = answer.header("retry-after").parse().expect("it says when");
    assert!((1..=900).contains(&seconds), "{seconds}");
    assert_eq!(quentin.get(&server, "/").status, 200, "who is signed in stays so");
    // From one network twenty, whoever is tried.
    let many: Vec<u16> =
        (0..20).map(|n| Person::login(&server, &format!("user{n}"), "guess").status).collect();
    assert_eq!(many.last(), Some(&429), "{many:?}");
}

#[test]
fn a_login_leads_to_no_other_site() {
    let home = Home::new();
    make(&home, "quentin", "admin");
    let server = home.start();
    for next in ["//evil.example", "https://evil.example/", "/\\evil.example"] {
        let fields = [("name", "quentin"), ("password", PASSWORD), ("next", next)];
        let answer = send(&server, "/login", "", &fields);
        assert_eq!((answer.status, answer.header("location")), (303, "/"), "{next}");
    }
}

/// Coming back from a provider needs no account: whoever does it a thousand times fills no log and keeps nobody waiting.
#[test]
fn logins_elsewhere_that_come_to_nothing_are_written_down_a_few_times_only() {
    let home = Home::new();
    make(&home, "ada", "admin");
    home.configure(
        "[server]\npublic_url = \"https://seam.example\"\n[oidc]\nissuer = \"https://idp.example\"\nclient_id = \"x\"\n\
         viewer_groups = [\"all\"]\n",
    );
    let server = home.start();
    for _ in 0..30 {
        assert_eq!(server.get("/login/oidc/callback?state=x&code=y").status, 403);
    }
    let ada = Person::sign_in(&server, "ada");
    let csv =
        ada.send(&server, "/audit", "/audit/export", &[("format", "csv"), ("q", "login.failed")]).text();
    assert_eq!(csv.matches("\"-\",\"login.failed\"").count(), 5, "{csv}");
}
