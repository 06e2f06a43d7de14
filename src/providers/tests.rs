use std::borrow::Cow;
use std::sync::Arc;

use super::*;
use crate::signals::call::Class;
use crate::signals::observation::Direction;
use crate::signals::observe::{Observer, Rules};
use crate::signals::provider::{Citation, Provider};
use crate::signals::telemetry::{Attributes, Origin, Span, SpanKind, Status, Value};

fn shipped() -> Providers {
    load(None).unwrap_or_else(|problems| panic!("{}", problems.join("\n")))
}

/// Every citation of a vendor.
fn citations(vendor: &Provider) -> Vec<&Citation> {
    let mut all: Vec<&Citation> = vendor.hosts.iter().map(|host| &host.cited).collect();
    all.extend(vendor.status_page.iter().map(|page| &page.cited));
    all.extend(vendor.meanings.iter().map(|meaning| &meaning.cited));
    all.extend(vendor.rate_limits.iter().map(|limit| &limit.cited));
    all.extend(vendor.signature.iter().map(|signature| &signature.cited));
    all.extend(vendor.delivery.iter().map(|delivery| &delivery.cited));
    all.extend(vendor.tokens.iter().map(|token| &token.cited));
    all
}

#[test]
fn every_file_that_ships_is_in_order_and_says_where_each_fact_was_read() {
    let shipped = shipped();
    let ids: Vec<&str> = shipped.all().iter().map(|vendor| vendor.id.as_str()).collect();
    let wanted = [
        "github",
        "google",
        "hubspot",
        "klaviyo",
        "make",
        "microsoft",
        "n8n",
        "quickbooks",
        "salesforce",
        "shopify",
        "slack",
        "stripe",
        "xero",
        "zapier",
    ];
    assert_eq!(ids, wanted);
    for vendor in shipped.all() {
        assert!(!vendor.hosts.is_empty(), "{} has no host", vendor.id);
        for cited in citations(vendor) {
            assert!(cited.source.starts_with("https://"), "{}: {cited:?}", vendor.id);
            assert_eq!(cited.read.len(), "2026-11-25".len(), "{}: {cited:?}", vendor.id);
        }
    }
}

#[test]
fn every_file_of_the_folder_ships() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("providers");
    let there: Vec<String> = read(&folder).unwrap().into_iter().map(|(name, ..)| name).collect();
    let shipped: Vec<&str> = SHIPPED.iter().map(|(name, _)| *name).collect();
    assert_eq!(there, shipped, "say a new file in src/providers.rs");
}

#[test]
fn no_two_vendors_that_ship_share_a_host() {
    let shipped = shipped();
    for vendor in shipped.all() {
        for host in &vendor.hosts {
            let example = host.pattern.replace('*', "x");
            let whose = shipped.of(&example).map(|found| found.id.as_str());
            assert_eq!(whose, Some(vendor.id.as_str()), "{}", host.pattern);
        }
        let inside = |pattern: &str, other: &str| {
            pattern.strip_prefix("*.").is_some_and(|below| other.ends_with(&format!(".{below}")))
        };
        for other in shipped.all().iter().filter(|other| other.id != vendor.id) {
            for (ours, theirs) in
                vendor.hosts.iter().flat_map(|ours| other.hosts.iter().map(move |theirs| (ours, theirs)))
            {
                assert!(!inside(&ours.pattern, &theirs.pattern), "{} holds {}", ours.pattern, theirs.pattern);
            }
        }
    }
}

fn list(pairs: &[(&'static str, &str)]) -> Attributes<'static> {
    let mut list = Attributes::default();
    for (key, value) in pairs {
        let value = match value.parse() {
            Ok(number) => Value::Int(number),
            Err(_) if value.starts_with("[\"") => Value::Json(Cow::Owned((*value).to_owned())),
            Err(_) => Value::Str(Cow::Owned((*value).to_owned())),
        };
        list.push(Cow::Borrowed(*key), value);
    }
    list
}

/// The class that a call to a host gets: (host, method, what else its span says).
fn class(providers: &Arc<Providers>, host: &str, method: &str, pairs: &[(&'static str, &str)]) -> Class {
    let mut attributes =
        list(&[("http.request.method", method), ("server.address", host), ("url.template", "/x")]);
    for (key, value) in list(pairs).iter() {
        attributes.push(Cow::Owned(key.to_owned()), value.clone());
    }
    let failed = pairs.iter().any(|(key, value)| *key == STATUS && value.starts_with(['4', '5']));
    let span = Span {
        trace_id: [1; 16],
        span_id: [1; 8],
        kind: SpanKind::Client,
        start: 1_800_000_000_000_000_000,
        end: 1_800_000_000_250_000_000,
        status: if failed { Status::Error } else { Status::Unset },
        attributes,
        ..Span::default()
    };
    let (resource, scope) = (list(&[("integration.name", "shop")]), Attributes::default());
    let origin = Origin { resource_index: 0, resource: &resource, scope_name: "", scope: &scope };
    let rules = Rules { providers: providers.clone(), ..Rules::default() };
    let mut observer = Observer::new(Arc::new(rules), span.end);
    // Twice: what is remembered of a series is what was looked up.
    observer.span(&origin, &span).unwrap();
    observer.span(&origin, &span).unwrap();
    let seen = observer.finish();
    assert_eq!(seen.series[0].direction, Direction::Outbound);
    assert_eq!(seen.calls[0].class, seen.calls[1].class);
    seen.calls[0].class
}

const STATUS: &str = "http.response.status_code";
const ERROR: &str = "error.type";
const BODY: &str = "integration.payload";

/// (host, method, what else the span says, class)
type Case<'c> = (&'c str, &'c str, &'c [(&'static str, &'c str)], Class);

#[test]
fn answers_mean_what_the_vendors_documentation_says() {
    use Class::*;
    let limit_of_github: &[(&str, &str)] =
        &[(STATUS, "403"), ("http.response.header.x-ratelimit-remaining", "[\"0\"]")];
    let left_at_github: &[(&str, &str)] =
        &[(STATUS, "403"), ("http.response.header.x-ratelimit-remaining", "[\"4999\"]")];
    let secondary = r#"{"message": "You have exceeded a secondary rate limit. Please wait."}"#;
    let salesforce =
        r#"[{"message": "TotalRequests Limit exceeded.", "errorCode": "REQUEST_LIMIT_EXCEEDED"}]"#;
    let throttled = r#"{"errors": [{"message": "Throttled", "extensions": {"code": "THROTTLED"}}]}"#;
    let google = r#"{"error": {"code": 403, "errors": [{"reason": "userRateLimitExceeded"}]}}"#;
    let no_right = r#"{"error": {"code": 403, "errors": [{"reason": "insufficientPermissions"}]}}"#;
    let cases: &[Case<'_>] = &[
        ("api.github.com", "GET", limit_of_github, Throttled),
        ("api.github.com", "GET", left_at_github, Auth),
        ("api.github.com", "POST", &[(STATUS, "403"), (BODY, secondary)], Throttled),
        (
            "api.github.com",
            "POST",
            &[(STATUS, "403"), ("http.response.header.retry-after", "[\"60\"]")],
            Throttled,
        ),
        ("api.github.com", "GET", &[(STATUS, "403")], Auth),
        ("github.com", "POST", &[(STATUS, "200"), (BODY, r#"{"error": "bad_verification_code"}"#)], Auth),
        ("acme.my.salesforce.com", "GET", &[(STATUS, "403"), (BODY, salesforce)], Throttled),
        ("acme.my.salesforce.com", "GET", &[(STATUS, "403"), (ERROR, "REQUEST_LIMIT_EXCEEDED")], Throttled),
        ("acme--uat.sandbox.my.salesforce.com", "GET", &[(STATUS, "403")], Auth),
        ("acme.my.salesforce.com", "PATCH", &[(STATUS, "300")], Validation),
        ("api.hubapi.com", "POST", &[(STATUS, "207")], Partial),
        ("a.klaviyo.com", "POST", &[(STATUS, "400"), (BODY, r#"{"error": "invalid_grant_type"}"#)], Auth),
        ("acme.myshopify.com", "POST", &[(STATUS, "200"), (BODY, throttled)], Throttled),
        ("acme.myshopify.com", "POST", &[(STATUS, "200"), (ERROR, "THROTTLED")], Throttled),
        ("acme.myshopify.com", "POST", &[(STATUS, "200")], Ok),
        (
            "oauth.platform.intuit.com",
            "POST",
            &[(STATUS, "400"), (BODY, r#"{"error":"invalid_grant"}"#)],
            Auth,
        ),
        ("quickbooks.api.intuit.com", "POST", &[(STATUS, "400")], Validation),
        ("api.xero.com", "POST", &[(STATUS, "429")], Throttled),
        ("gmail.googleapis.com", "GET", &[(STATUS, "403"), (BODY, google)], Throttled),
        ("sheets.googleapis.com", "GET", &[(STATUS, "403"), (ERROR, "dailyLimitExceeded")], Throttled),
        ("sheets.googleapis.com", "GET", &[(STATUS, "403"), (BODY, no_right)], Auth),
        ("graph.microsoft.com", "GET", &[(STATUS, "509")], Throttled),
        (
            "graph.microsoft.com",
            "GET",
            &[(STATUS, "503"), (BODY, r#"{"error":{"code":"activityLimitReached"}}"#)],
            Throttled,
        ),
        ("graph.microsoft.com", "PUT", &[(STATUS, "507")], Validation),
        ("graph.microsoft.com", "GET", &[(STATUS, "503")], Server),
        ("slack.com", "POST", &[(STATUS, "200"), (BODY, r#"{"ok":false,"error":"token_revoked"}"#)], Auth),
        ("slack.com", "POST", &[(STATUS, "200"), (ERROR, "invalid_auth")], Auth),
        ("slack.com", "POST", &[(STATUS, "200"), (BODY, r#"{"ok":false,"error":"ratelimited"}"#)], Throttled),
        ("slack.com", "POST", &[(STATUS, "200"), (ERROR, "internal_error")], Server),
        ("slack.com", "POST", &[(STATUS, "200"), (ERROR, "invalid_arguments")], Validation),
        ("slack.com", "POST", &[(STATUS, "200")], Ok),
        (
            "api.stripe.com",
            "POST",
            &[(STATUS, "402"), (BODY, r#"{"error":{"code":"card_declined"}}"#)],
            AmbiguousWrite,
        ),
        ("api.stripe.com", "POST", &[(STATUS, "424")], Server),
        ("api.stripe.com", "POST", &[(STATUS, "400")], Validation),
        ("hook.eu2.make.com", "POST", &[(STATUS, "400"), (BODY, "Queue is full")], Throttled),
        ("hook.eu2.make.com", "POST", &[(STATUS, "400"), (BODY, "Bad Request")], Validation),
        ("hooks.zapier.com", "POST", &[(STATUS, "429")], Throttled),
        ("app.n8n.cloud", "POST", &[(STATUS, "500")], Server),
        // A host that nobody names is judged by HTTP alone.
        ("api.example.com", "POST", &[(STATUS, "403"), (BODY, salesforce)], Auth),
        ("api.example.com", "POST", &[(STATUS, "402")], Validation),
        ("notslack.com", "POST", &[(STATUS, "200"), (BODY, r#"{"ok":false,"error":"token_revoked"}"#)], Ok),
    ];
    let shipped = Arc::new(shipped());
    for (host, method, pairs, wanted) in cases {
        assert_eq!(class(&shipped, host, method, pairs), *wanted, "{method} {host} {pairs:?}");
    }
}

#[test]
fn the_integrations_own_word_stands_over_the_vendors() {
    let shipped = Arc::new(shipped());
    let said = &[(STATUS, "402"), ("integration.outcome", "failure")];
    assert_eq!(class(&shipped, "api.stripe.com", "POST", said), Class::Failed);
}

const CITE: &str = "source = \"https://docs.example.com/a\"\nread = 2026-11-25\n";

fn problems(text: &str) -> Vec<String> {
    let shown = text.replace("CITE\n", CITE);
    let files = [("providers/acme.toml".to_owned(), shown)];
    match of(files.into_iter()) {
        Ok(_) => Vec::new(),
        Err(found) => found.iter().map(ToString::to_string).collect(),
    }
}

#[test]
fn what_is_wrong_is_told_with_its_line() {
    let host = "name = \"Acme\"\n[[host]]\npattern = \"api.acme.com\"\nCITE\n";
    assert_eq!(problems(host), Vec::<String>::new());
    let cases: &[(&str, &str)] = &[
        (
            "nam = \"Acme\"\n[[host]]\npattern = \"api.acme.com\"\nCITE\n",
            "acme.toml:1:1 unknown key \"nam\"; did you mean \"name\"?",
        ),
        ("name = \"Acme\"\n", "acme.toml:1:1 there is no [[host]]"),
        (
            "name = \"Acme\"\n[[host]]\npattern = \"api.acme.com\"\nread = 2026-11-25\n",
            "acme.toml:2:1 source is missing",
        ),
        (
            "name = \"Acme\"\n[[host]]\npattern = \"api.acme.com\"\nsource = \"https://a.example/\"\n",
            "acme.toml:2:1 read is missing",
        ),
        (
            "name = \"Acme\"\n[[host]]\npattern = \"api.acme.com\"\nsource = \"https://a.example/\"\nread = \"today\"\n",
            "acme.toml:5:8 read: this must be a day",
        ),
        (
            "name = \"Acme\"\n[[host]]\npattern = \"api.acme.com\"\nsource = \"http://a.example/\"\nread = 2026-11-25\n",
            "acme.toml:4:10 source: \"http://a.example/\" is not an address",
        ),
        (
            "name = \"Acme\"\n[[host]]\npattern = \"api.acme.com\"\nsource = \"https://a.example/ onclick=\"\nread = 2026-11-25\n",
            "acme.toml:4:10 source:",
        ),
        ("name = \"Acme\"\n[[host]]\npattern = \"https://api.acme.com\"\nCITE\n", "acme.toml:3:11 pattern:"),
        ("name = \"Acme\"\n[[host]]\npattern = \"*\"\nCITE\n", "acme.toml:3:11 pattern:"),
        ("name = \"Acme\"\n[[host]]\npattern = \"api.*.com\"\nCITE\n", "acme.toml:3:11 pattern:"),
        (
            "name = \"Acme\"\n[[host]]\npattern = \"a.acme.com\"\nCITE\n[[host]]\npattern = \"a.acme.com\"\nCITE\n",
            "acme.toml:7:11 pattern: \"a.acme.com\" is a host of providers/acme.toml too",
        ),
    ];
    let below: &[(&str, &str)] = &[
        (
            "[[class]]\nstatus = [403]\nclass = \"throtled\"\nCITE\n",
            "class: \"throtled\" is no class of an answer; did you mean \"throttled\"?",
        ),
        (
            "[[class]]\nstatus = [403]\nclass = \"rejected\"\nCITE\n",
            "class: \"rejected\" is no class of an answer",
        ),
        ("[[class]]\nstatus = [403]\nCITE\n", "class is missing"),
        ("[[class]]\nclass = \"auth\"\nCITE\n", "this holds for every answer"),
        ("[[class]]\nstatus = [200]\nclass = \"auth\"\nCITE\n", "a good answer is judged by what is in it"),
        (
            "[[class]]\nheader = \"x-left\"\nclass = \"auth\"\nCITE\n",
            "a good answer is judged by what is in it",
        ),
        (
            "[[class]]\nstatus = [99]\nclass = \"auth\"\nCITE\n",
            "status: this must be a list of whole numbers from 100 to 599",
        ),
        ("[[class]]\nstatus = 403\nclass = \"auth\"\nCITE\n", "status: this must be a list"),
        (
            "[[class]]\nstatus = [403]\nheader = \"X-Left\"\nclass = \"auth\"\nCITE\n",
            "is no header's name in lower case",
        ),
        ("[[class]]\nstatus = [403]\nvalue = \"0\"\nclass = \"auth\"\nCITE\n", "value is the header's"),
        ("[[class]]\nstatus = [403]\nclass = \"auth\"\nnote = \"x\"\nCITE\n", "unknown key \"note\""),
        ("[[class]]\nstatus = [403]\nclass = \"auth\"\n", "source is missing"),
        ("[[rate_limit]]\nname = \"a\"\nper = \"user\"\nCITE\n", "this says nothing"),
        (
            "[[rate_limit]]\nname = \"a\"\nper = \"user\"\nreset = \"x-reset\"\nCITE\n",
            "reset and reset_is stand together",
        ),
        (
            "[[rate_limit]]\nname = \"a\"\nper = \"user\"\nreset = \"x-reset\"\nreset_is = \"ms\"\nCITE\n",
            "\"ms\" is not seconds",
        ),
        (
            "[signature]\nheader = \"x-sig\"\nalgorithm = \"md5\"\nencoding = \"hex\"\nCITE\n",
            "\"md5\" is not one of",
        ),
        ("[signature]\nalgorithm = \"hmac-sha256\"\nencoding = \"hex\"\nCITE\n", "header is missing"),
        ("[delivery]\nanswer_within = \"soon\"\nCITE\n", "\"soon\" is no length of time"),
        ("[[token]]\nkind = \"access_token\"\nCITE\n", "this says nothing"),
        ("[[token]]\nkind = \"cookie\"\nlifetime = \"1 hour\"\nCITE\n", "\"cookie\" is not one of"),
        (
            "[status_page]\nurl = \"javascript:alert(1)\"\nCITE\n",
            "url: \"javascript:alert(1)\" is not an address",
        ),
    ];
    let check = |text: &str, wanted: &str| {
        let found = problems(text);
        assert!(
            found.iter().any(|problem| problem.contains(wanted)),
            "no «{wanted}» in {found:?} of\n{text}"
        );
    };
    for (text, wanted) in cases {
        check(text, wanted);
    }
    for (more, wanted) in below {
        check(&format!("{host}{more}"), wanted);
    }
}

#[test]
fn a_folder_goes_over_what_ships_file_by_file() {
    let folder = tempfile::TempDir::new().unwrap();
    let write = |name: &str, text: &str| {
        std::fs::write(folder.path().join(name), text.replace("CITE\n", CITE)).unwrap()
    };
    write("stripe.toml", "name = \"Stripe\"\n[[host]]\npattern = \"api.stripe.com\"\nCITE\n");
    write(
        "acme.toml",
        "name = \"Acme\"\n[[host]]\npattern = \"*.acme.com\"\nCITE\n[[class]]\nstatus = [418]\nclass = \"throttled\"\nCITE\n",
    );
    let both = load(Some(folder.path())).unwrap();
    assert_eq!(both.all().len(), SHIPPED.len() + 1);
    assert_eq!(both.of("files.stripe.com"), None, "the folder's file stands for the whole shipped one");
    let both = Arc::new(both);
    assert_eq!(class(&both, "api.stripe.com", "POST", &[(STATUS, "402")]), Class::Validation);
    assert_eq!(class(&both, "eu.acme.com", "GET", &[(STATUS, "418")]), Class::Throttled);

    write("acme.toml", "name = \"Acme\"\n[[host]]\npattern = \"api.github.com\"\nCITE\n");
    let problems = load(Some(folder.path())).unwrap_err();
    let wanted = "acme.toml:3:11 pattern: \"api.github.com\" is a host of shipped/github.toml too";
    assert!(problems.len() == 1 && problems[0].ends_with(wanted), "{problems:?}");
    assert!(
        load(Some(Path::new("no/such/folder"))).unwrap_err()[0].starts_with("no/such/folder: cannot be read")
    );
}
