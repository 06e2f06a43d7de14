use proptest::prelude::*;

use super::*;

fn clean(raw: &str) -> String {
    text(Cow::Borrowed(raw)).into_owned()
}

#[test]
fn secrets_go_and_the_text_around_them_stays() {
    let cases = [
        ("Authorization: Bearer abcdefgh12345678 sent", "Authorization: Bearer [redacted] sent"),
        ("used sk_live_4eC39HqLyjWDarjtT1zdp7dc here", "used [redacted] here"),
        ("ghp_abcdefghijklmnop", "[redacted]"),
        ("jwt eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl!", "jwt [redacted]!"),
        ("https://ana:hunter2@api.example/x", "https://[redacted]@api.example/x"),
        (
            "https://api.example/x?page=2&access_token=abc&y=1",
            "https://api.example/x?page=2&access_token=[redacted]&y=1",
        ),
        ("https://api.example/x?key=AIzaSy", "https://api.example/x?key=[redacted]"),
        (r#"{"password":"hunter2","name":"ana"}"#, r#"{"password":"[redacted]","name":"ana"}"#),
        (r#"{"client_secret" : "s3"}"#, r#"{"client_secret" : "[redacted]"}"#),
        ("card 4242 4242 4242 4242 declined", "card [redacted] declined"),
        ("card 4242424242424242", "card [redacted]"),
        (
            r#"POST body: "refresh_token=1//0abc&client_id=x""#,
            r#"POST body: "refresh_token=[redacted]&client_id=x""#,
        ),
        ("{access_token=abc}", "{access_token=[redacted]"),
        (r#"{\"password\":\"hunter2\",\"a\":1}"#, r#"{\"password\":\"[redacted]\",\"a\":1}"#),
        (r#"{"password":"ab\"cd","a":1}"#, r#"{"password":"[redacted]","a":1}"#),
        (r#"{"password": 12345, "a":1}"#, r#"{"password": [redacted], "a":1}"#),
        (r#"{"privateKey":"abc"}"#, r#"{"privateKey":"[redacted]"}"#),
        ("-----BEGIN PRIVATE KEY-----\nabc\n-----END PRIVATE KEY-----\nafter", "[redacted]\nafter"),
    ];
    for (raw, wanted) in cases {
        assert_eq!(clean(raw), wanted);
    }
}

#[test]
fn what_is_no_secret_stays() {
    for plain in [
        "GET /v1/charges/{id} took 120 ms",
        "4242424242424241 fails Luhn",
        "1763892720123456789",
        "order 12345678901234567890123",
        "https://api.example/x?page=2&limit=100",
        "invalid_grant: the refresh token was refused",
        "a@b.example wrote",
        r#"{"tokens_left":5,"code":12}"#,
    ] {
        assert_eq!(clean(plain), plain);
    }
}

/// Each of these would be read once from each of its bytes without a bound on what one look may read.
#[test]
fn long_runs_are_read_in_linear_time() {
    for piece in ["_", "-", "eyJ-", "4 ", "a_", "key=\"", "eyJ."] {
        let long = piece.repeat(400_000 / piece.len());
        assert!(!clean(&long).is_empty(), "{piece}");
    }
}

#[test]
fn a_secret_key_hides_its_value_and_the_vocabulary_never_does() {
    let value = || Value::Str(Cow::Borrowed("abc"));
    assert_eq!(attribute("http.request.header.authorization", value()), Value::Str(Cow::Borrowed(MARK)));
    assert_eq!(attribute("db.Password", value()), Value::Str(Cow::Borrowed(MARK)));
    assert_eq!(attribute("integration.credential.id", value()), value());
    assert_eq!(attribute("gen_ai.usage.input_tokens", Value::Int(7)), Value::Int(7));
}

#[test]
fn trees_are_cleaned_by_key_and_by_text() {
    let mut value = serde_json::json!({"a": [{"api_key": "x"}, "Bearer abcdefgh12345678"], "b": 1});
    tree(&mut value);
    assert_eq!(value, serde_json::json!({"a": [{"api_key": MARK}, "Bearer [redacted]"], "b": 1}));
}

proptest! {
    #[test]
    fn any_text_is_read_without_a_panic_and_cleaning_twice_changes_nothing(raw in ".{0,200}") {
        let once = clean(&raw);
        prop_assert_eq!(clean(&once), once);
    }
}

#[test]
fn a_scheme_does_not_end_the_value_that_it_begins() {
    for text in [
        r#"{"password": Bearer abcdefgh12345678"#,
        "authorization=Bearer abcdefgh12345678",
        "a=1&token=Basic abcdefgh12345678&b=2",
        r#"{"secret": p w, "b": 2}"#,
    ] {
        let clean = super::text(text.into());
        assert!(!clean.contains("abcdefgh") && !clean.contains("p w"), "{clean}");
        assert!(!text.contains("b=2") || clean.ends_with("&b=2"), "{clean}");
        assert!(!text.contains(r#""b""#) || clean.ends_with(r#", "b": 2}"#), "{clean}");
    }
}
