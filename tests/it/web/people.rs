use super::text;
use crate::support::home::Home;
use crate::support::person::{PASSWORD, Person, link, make, send};

#[test]
fn an_admin_lets_somebody_in_and_shuts_them_out() {
    let home = Home::new();
    make(&home, "ada", "admin");
    let server = home.start();
    let ada = Person::sign_in(&server, "ada");
    let fields = [("name", "vera"), ("display", "Vera <b>L</b>"), ("role", "viewer")];
    let page = ada.send(&server, "/people", "/people", &fields);
    assert_eq!(page.status, 200, "{}", page.text());
    let path = link(&text(&page.text()));
    let joined = send(&server, &path, "", &[("password", PASSWORD)]);
    assert_eq!(joined.status, 303, "{}", joined.text());
    let vera = Person::of(&joined);
    assert_eq!((vera.get(&server, "/").status, vera.get(&server, "/people").status), (200, 403));
    let people = ada.get(&server, "/people").text();
    assert!(people.contains("Vera &#60;b&#62;L") || people.contains("Vera &lt;b&gt;L"), "{people}");
    let again = ada.send(&server, "/people", "/people", &fields);
    assert!(
        again.status == 422 && again.text().contains("There is a user named vera already."),
        "{}",
        again.text()
    );

    assert_eq!(
        ada.send(&server, "/people", "/people/2", &[("do", "role"), ("role", "operator")]).status,
        303
    );
    assert_eq!(vera.get(&server, "/").status, 303, "another role, another session");
    let vera = Person::sign_in(&server, "vera");
    assert_eq!(ada.send(&server, "/people", "/people/2", &[("do", "disable")]).status, 303);
    assert_eq!(vera.get(&server, "/").status, 303);
    assert!(text(&ada.get(&server, "/people").text()).contains("disabled"));
    let last = ada.send(&server, "/people", "/people/1", &[("do", "disable")]);
    assert!(last.status == 409 && last.text().contains("last admin"), "{}", last.text());
    assert_eq!(ada.send(&server, "/people", "/people/99", &[("do", "disable")]).status, 404);
}
