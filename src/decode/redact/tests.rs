use proptest::prelude::*;

use super::*;

#[path = "../../../tests/it/secrets/corpus.rs"]
mod corpus;

fn clean(raw: &str) -> String {
    Redactor::usual().text(Cow::Borrowed(raw)).into_owned()
}

fn with(settings: Settings) -> Redactor {
    Redactor::new(settings)
}

/// What is left of a text is said exactly: that nothing else goes is half of it.
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
        (r#"{"token": 12345, "secret": null}"#, r#"{"token": 12345, "secret": null}"#),
        (r#"{"privateKey":"abc"}"#, r#"{"privateKey":"[redacted]"}"#),
        (r#"{"credentials":{"a":["b]}"]},"n":1}"#, r#"{"credentials":[redacted],"n":1}"#),
        ("-----BEGIN PRIVATE KEY-----\nabc\n-----END PRIVATE KEY-----\nafter", "[redacted]\nafter"),
        ("-----BEGIN RSA PRIVATE KEY-----\nabc", "[redacted]"),
        ("password=\"two words\" next=1", "password=\"[redacted]\" next=1"),
        ("password = hunter2\nport = 1", "password = [redacted]\nport = 1"),
        ("{'token': 'abc', 'n': 1}", "{'token': '[redacted]', 'n': 1}"),
        ("Cookie: a=1; b=2\nAccept: x", "Cookie: [redacted]\nAccept: x"),
        ("-H 'Cookie: a=1; b=2' -v", "-H 'Cookie: [redacted]' -v"),
        ("<Password>x y</Password><n>1</n>", "<Password>[redacted]</Password><n>1</n>"),
        ("--token abc --n 1", "--token [redacted] --n 1"),
        ("--token Bearer abc --n 1", "--token Bearer [redacted] --n 1"),
        ("a@b.example wrote", "[email] wrote"),
        ("GB29 NWBK 6016 1331 9268 19 is it", "[redacted] is it"),
        (
            "hooks: https://hooks.slack.com/services/T1/B2/x3 ok",
            "hooks: https://hooks.slack.com/services/[redacted] ok",
        ),
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
        r#"{"tokens_left":5,"code":12}"#,
        "authorization: required",
        "a == b, token == x, c != d",
        "12:30:45 password reset for 3 users",
        "WWW-Authenticate: Bearer realm=\"api\", error=\"invalid_token\"",
        "call +49 151 12345678",
        "",
        "ü",
    ] {
        assert_eq!(clean(plain), plain);
    }
}

/// Every shape, many times, by itself.
#[test]
fn the_corpus_is_told_apart() {
    for case in corpus::cases(7, 40) {
        let clean = clean(&case.text);
        for canary in &case.canaries {
            assert_eq!(
                clean.contains(canary),
                !case.secret,
                "{}: {:?} became {clean:?}",
                case.kind,
                case.text
            );
        }
        assert!(case.secret || clean == case.text, "{:?} became {clean:?}", case.text);
    }
}

/// What is counted is what it was.
#[test]
fn kinds_are_counted_and_switched() {
    for case in corpus::cases(11, 1).into_iter().filter(|case| case.secret) {
        let kind = Kind::from_name(&case.kind).unwrap_or_else(|| panic!("{} is no kind", case.kind));
        let redactor = with(Settings::default());
        redactor.text(Cow::Borrowed(&case.text));
        let taken =
            |of: &Redactor, kind: Kind| of.taken().find(|(known, _)| *known == kind).map_or(0, |(_, n)| n);
        assert!(taken(&redactor, kind) > 0, "{kind:?}: {}", case.text);
        let without = with(Settings { kinds: Kinds::USUAL.without(kind), ..Settings::default() });
        without.text(Cow::Borrowed(&case.text));
        assert_eq!(taken(&without, kind), 0, "{kind:?}: {}", case.text);
    }
    let phones = with(Settings { kinds: Kinds::USUAL.with(Kind::Phone), ..Settings::default() });
    assert_eq!(phones.text("call +49 151 12345678 now".into()), "call [redacted] now");
}

/// Each of these would be read once from each of its bytes without a bound on what one look may read.
#[test]
fn long_runs_are_read_in_linear_time() {
    for piece in [
        "_",
        "-",
        "eyJ-",
        "4 ",
        "a_",
        "key=\"",
        "eyJ.",
        "a@",
        "a%40",
        "://",
        "a:",
        "<a",
        "token%3D&",
        "a\\",
        "\\n",
        "--a ",
        "Basic ",
        "4242 ",
        "DE89 ",
        "eyJaaaaaaaaaaaaaaaa-",
        "sk-",
        "00D",
        "password: not ",
        "token: x ",
        "token:",
        "eyJaaaaaaaaaaaaaaaa/",
        "xoxo-",
        "Cookie: \n",
        "hook.x.make.com",
    ] {
        let long = piece.repeat(200_000 / piece.len());
        assert!(!clean(&long).is_empty(), "{piece}");
    }
}

#[test]
fn a_secret_key_hides_its_value_and_the_vocabulary_never_does() {
    let value = || Value::Str(Cow::Borrowed("abc"));
    let hidden = Value::Str(Cow::Borrowed(MARK));
    let attribute = |key, value| Redactor::usual().attribute(key, value);
    assert_eq!(attribute("http.request.header.authorization", value()), hidden);
    assert_eq!(attribute("db.Password", value()), hidden);
    assert_eq!(attribute("db.password", Value::Int(1)), hidden);
    assert_eq!(attribute("http.request.header.cookie", Value::Json(r#"["a=1"]"#.into())), hidden);
    assert_eq!(attribute("integration.credential.id", value()), value());
    assert_eq!(attribute("gen_ai.usage.input_tokens", Value::Int(7)), Value::Int(7));
    assert_eq!(attribute("token", Value::Int(7)), Value::Int(7));
    assert_eq!(attribute("password", Value::Bool(true)), Value::Bool(true));
    let address = || Value::Str(Cow::Borrowed("ana@example.com"));
    assert_eq!(attribute("integration.owner.name", address()), address());
    assert_eq!(attribute("enduser.id", address()), Value::Str("[email]".into()));
}

#[test]
fn numbers_and_bytes_hide_nothing() {
    let attribute = |value| Redactor::usual().attribute("note", value);
    let hidden = Value::Str(Cow::Borrowed(MARK));
    assert_eq!(attribute(Value::Int(4_242_424_242_424_242)), hidden);
    assert_eq!(attribute(Value::Double(4_242_424_242_424_242.0)), hidden);
    assert_eq!(attribute(Value::Int(1_763_892_720_123_456_789)), Value::Int(1_763_892_720_123_456_789));
    assert_eq!(
        attribute(Value::Bytes(b"token=abc".as_slice().into())),
        Value::Str("token=[redacted]".into())
    );
    let mixed = attribute(Value::Bytes(b"\xff\0token=abc".as_slice().into()));
    assert_eq!(mixed, Value::Str("\u{fffd}\0token=[redacted]".into()));
    assert_eq!(
        attribute(Value::Bytes(b"\xff\0".as_slice().into())),
        Value::Bytes(b"\xff\0".as_slice().into())
    );
}

#[test]
fn trees_are_cleaned_by_key_and_by_text() {
    let mut value = serde_json::json!({
        "a": [{"api_key": "x"}, "Bearer abcdefgh12345678"], "b": 1, "card": 4_242_424_242_424_242u64,
        "ana@example.com": true, "password": 12, "token": 12, "secret": null, "auth": {"x": 1},
    });
    Redactor::usual().tree(&mut value);
    let wanted = serde_json::json!({
        "a": [{"api_key": MARK}, "Bearer [redacted]"], "b": 1, "card": MARK, "[email]": true, "password": MARK,
        "token": 12, "secret": null, "auth": MARK,
    });
    assert_eq!(value, wanted);
}

#[test]
fn the_operator_has_the_last_word() {
    let redactor = with(Settings {
        keys: vec!["customer ref".into()],
        leave: vec!["shop.token".into()],
        patterns: vec![Regex::new(r"CUST-(\d{4})").unwrap(), Regex::new(r"\bzz\w+").unwrap()],
        ..Settings::default()
    });
    let text = |raw: &str| redactor.text(Cow::Borrowed(raw)).into_owned();
    assert_eq!(text("CUST-1234 and CUST-5678, zzTop"), "CUST-[redacted] and CUST-[redacted], [redacted]");
    assert_eq!(text("customerRef=12&a=1"), "customerRef=[redacted]&a=1");
    assert_eq!(text("token=abc CUST-1234"), "token=[redacted] CUST-[redacted]");
    let left = Value::Str(Cow::Borrowed("sk_live_4eC39HqLyjWDarjtT1zdp7dc"));
    assert_eq!(redactor.attribute("shop.token", left.clone()), left);
    assert!(!redactor.is_clean("zzz") && redactor.is_clean("yyy"));
    assert!(!format!("{redactor:?}").contains("Key("), "{redactor:?}");
}

#[test]
fn one_address_is_one_mark() {
    let redactor = with(Settings { email_key: Some([7; 32]), ..Settings::default() });
    let said = redactor.text("from ana@example.com, again ANA@example.com, other bob@example.com".into());
    let marks: Vec<&str> = said.match_indices("[email ").map(|(at, _)| &said[at..at + 18]).collect();
    assert_eq!((marks.len(), marks[0] == marks[1], marks[0] == marks[2]), (3, true, false), "{said}");
}

#[test]
fn a_scheme_does_not_end_the_value_that_it_begins() {
    for text in [
        r#"{"password": Bearer abcdefgh12345678"#,
        "authorization=Bearer abcdefgh12345678",
        "a=1&token=Basic abcdefgh12345678&b=2",
        r#"{"secret": p w, "b": 2}"#,
    ] {
        let clean = clean(text);
        assert!(!clean.contains("abcdefgh") && !clean.contains("p w"), "{clean}");
        assert!(!text.contains("b=2") || clean.ends_with("&b=2"), "{clean}");
        assert!(!text.contains(r#""b""#) || clean.ends_with(r#", "b": 2}"#), "{clean}");
    }
}

/// Texts of the pieces that secrets are made of, in any order.
fn pieces() -> impl Strategy<Value = String> {
    let words = prop::sample::select(vec![
        "password",
        "token",
        "=",
        ":",
        " ",
        "\"",
        "'",
        "\\",
        "{",
        "}",
        "[",
        "]",
        ",",
        "&",
        "?",
        "@",
        "%40",
        "%3D",
        "a.de",
        "ana",
        "Bearer ",
        "Basic ",
        "abcdefgh12345678",
        "://",
        "-----BEGIN ",
        "-----END ",
        "-----",
        "--",
        "<",
        ">",
        "</",
        "sk_live_",
        "4242424242424242",
        "DE89370400440532013000",
        "\n",
        "ü",
        MARK,
        "[email]",
        "Cookie",
        "authorization",
        "eyJ",
        ".",
        "_",
        "+49 151",
        "key",
        "=>",
        "Some(",
        "null",
        "1",
        "//",
        "hooks.slack.com/services/",
        "not",
    ]);
    prop::collection::vec(words, 0..24).prop_map(|words| words.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn any_text_is_read_without_a_panic_and_cleaning_twice_changes_nothing(raw in ".{0,200}") {
        let once = clean(&raw);
        prop_assert_eq!(clean(&once), once);
    }

    /// Such a text may change once more, since what was taken out no longer parts what stands around it; then it rests.
    #[test]
    fn a_text_of_the_pieces_of_secrets_comes_to_rest(raw in pieces()) {
        let twice = clean(&clean(&raw));
        prop_assert_eq!(clean(&twice), twice);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    /// Whatever stands before a secret, it goes: what the fuzz target asks, in every run.
    #[test]
    fn a_secret_behind_anything_goes(before in pieces()) {
        let token = ["7Q", &"x9".repeat(17)].concat();
        for planted in [
            format!("{before} Bearer {token}"),
            format!("{before} sk_live_{token}"),
            format!("{before}\n{{\"password\": \"{token}\"}}"),
            format!("{before}\nhttps://api.example/?a=1&token={token}"),
            format!("{before}\nX-Api-Key: {token}"),
            format!("{before}\npostgres://app:{token}@db.example/x"),
        ] {
            let clean = clean(&planted);
            prop_assert!(!clean.contains(&token), "{:?} became {:?}", planted, clean);
        }
    }
}
