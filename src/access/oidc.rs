//! Who somebody is by the word of a provider (OpenID Connect), and what that lets them do. The word was verified: its
//! signature before, here what it says.

use serde_json::{Map, Value};

use super::role::Role;
use super::secret::hash;
use crate::signals::telemetry::Nanos;

/// How far a provider's clock may be off.
const LEEWAY_SECONDS: i64 = 120;
/// Letters of a subject, by the standard.
const MAX_SUBJECT: usize = 255;
/// Groups that are read of one person.
const MAX_GROUPS: usize = 2000;

/// What a provider says of somebody, by name.
pub type Claims = Map<String, Value>;

/// What a word must say to be about this login.
#[derive(Clone, Copy, Debug)]
pub struct Expected<'e> {
    /// The configured provider, letter by letter.
    pub issuer: &'e str,
    /// Us.
    pub client_id: &'e str,
    /// What was sent along when the login began.
    pub nonce: &'e str,
    /// When it began.
    pub began: Nanos,
    /// The present.
    pub now: Nanos,
}

/// Whose groups give which role.
#[derive(Clone, Debug, Default)]
pub struct Mapping {
    /// The claim that lists groups; `realm_access.roles` looks into an object.
    pub groups_claim: String,
    /// Groups of admins.
    pub admin: Vec<String>,
    /// Groups of operators.
    pub operator: Vec<String>,
    /// Groups of viewers.
    pub viewer: Vec<String>,
    /// Domains to which verified e-mail addresses must belong; any where it is empty.
    pub domains: Vec<String>,
}

/// Somebody. The same person is the same issuer and subject, and never the same e-mail address: that one can be given
/// to another, or claimed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The provider.
    pub issuer: String,
    /// Who it is there.
    pub subject: String,
    /// To be shown: a name, else the subject.
    pub name: String,
    /// To be shown; none unless the provider verified it.
    pub email: Option<String>,
    /// As the provider lists them.
    pub groups: Vec<String>,
    /// What they may do.
    pub role: Role,
}

/// Whether a word is about this login; else the reason, as the end of a sentence.
pub fn check(claims: &Claims, expected: &Expected<'_>) -> Result<(), &'static str> {
    if text(claims, "iss") != Some(expected.issuer) {
        return Err("it is of another issuer");
    }
    match claims.get("sub").and_then(Value::as_str) {
        Some(subject) if !subject.is_empty() && subject.len() <= MAX_SUBJECT => {}
        _ => return Err("it names no subject"),
    }
    let (many, ours) = match claims.get("aud") {
        Some(Value::String(one)) => (false, one == expected.client_id),
        Some(Value::Array(all)) => (all.len() > 1, all.iter().any(|one| one == expected.client_id)),
        _ => (false, false),
    };
    if !ours {
        return Err("it is for another audience");
    }
    match claims.get("azp") {
        None if many => return Err("it is for several audiences and does not say whose it is"),
        Some(party) if party != expected.client_id => return Err("it was given to another client"),
        _ => {}
    }
    let nonce = text(claims, "nonce").ok_or("it has no nonce")?;
    // By their hashes: how long that takes says nothing of how much is right.
    if hash(nonce.as_bytes()) != hash(expected.nonce.as_bytes()) {
        return Err("its nonce is of another login");
    }
    let seconds = |name: &str| claims.get(name).and_then(Value::as_f64).map(|seconds| seconds as i64);
    let now = expected.now / 1_000_000_000;
    let (expires, issued) = (seconds("exp").ok_or("it does not say until when it holds")?, seconds("iat"));
    let issued = issued.ok_or("it does not say when it was issued")?;
    if expires.saturating_add(LEEWAY_SECONDS) <= now {
        return Err("it has expired");
    }
    if issued.saturating_sub(LEEWAY_SECONDS) > now
        || seconds("nbf").is_some_and(|begins| begins.saturating_sub(LEEWAY_SECONDS) > now)
    {
        return Err("it is of the future; one of the two clocks is wrong");
    }
    if issued.saturating_add(LEEWAY_SECONDS) < expected.began / 1_000_000_000 {
        return Err("it was issued before this login began");
    }
    Ok(())
}

/// Who it is, and what they may do; else why they may not come in, as a sentence.
pub fn identity(claims: &Claims, mapping: &Mapping) -> Result<Identity, String> {
    let (Some(issuer), Some(subject)) = (text(claims, "iss"), text(claims, "sub")) else {
        return Err("The provider does not say who it is.".into());
    };
    let email = text(claims, "email").filter(|_| is_verified(claims));
    if !mapping.domains.is_empty() {
        let domain = email.and_then(|email| email.rsplit_once('@')).map(|(_, domain)| domain);
        let is_ours = |domain: &str| mapping.domains.iter().any(|ours| ours.eq_ignore_ascii_case(domain));
        if !domain.is_some_and(is_ours) {
            return Err("Only people with a verified e-mail address of an allowed domain may log in.".into());
        }
    }
    let groups = groups(claims, &mapping.groups_claim);
    let is_in = |list: &[String]| list.iter().any(|wanted| groups.contains(wanted));
    let role =
        [(Role::Admin, &mapping.admin), (Role::Operator, &mapping.operator), (Role::Viewer, &mapping.viewer)]
            .into_iter()
            .find(|(_, list)| is_in(list))
            .map(|(role, _)| role)
            // No group is asked of those who view, and the domain was checked.
            .or((mapping.viewer.is_empty() && !mapping.domains.is_empty()).then_some(Role::Viewer));
    let role = role.ok_or_else(|| {
        let claim = &mapping.groups_claim;
        match groups.is_empty() {
            true => {
                format!("The provider names no groups (in the claim {claim}), so there is no role to give.")
            }
            false => "None of this person's groups is one that may log in.".to_owned(),
        }
    })?;
    let name = ["name", "preferred_username"].into_iter().filter_map(|name| text(claims, name));
    let name = name.chain([subject]).find(|name| !name.trim().is_empty()).unwrap_or(subject);
    Ok(Identity {
        issuer: issuer.to_owned(),
        subject: subject.to_owned(),
        name: name.to_owned(),
        email: email.map(str::to_owned),
        groups,
        role,
    })
}

/// Whether all that a role hangs on is said, one way or the other.
pub fn is_whole(claims: &Claims, mapping: &Mapping) -> bool {
    let asks_groups =
        [&mapping.admin, &mapping.operator, &mapping.viewer].iter().any(|list| !list.is_empty());
    let (groups, email) = (at(claims, &mapping.groups_claim).is_some(), claims.contains_key("email"));
    (groups || !asks_groups) && (email || mapping.domains.is_empty())
}

fn text<'c>(claims: &'c Claims, name: &str) -> Option<&'c str> {
    claims.get(name).and_then(Value::as_str)
}

/// Some providers write it as a text.
fn is_verified(claims: &Claims) -> bool {
    matches!(claims.get("email_verified"), Some(Value::Bool(true)))
        || text(claims, "email_verified") == Some("true")
}

fn groups(claims: &Claims, claim: &str) -> Vec<String> {
    match at(claims, claim) {
        Some(Value::String(one)) => vec![one.clone()],
        Some(Value::Array(all)) => {
            all.iter().filter_map(Value::as_str).take(MAX_GROUPS).map(str::to_owned).collect()
        }
        _ => Vec::new(),
    }
}

/// By its whole name, which may have dots in it, else by a path into objects.
fn at<'c>(claims: &'c Claims, claim: &str) -> Option<&'c Value> {
    let by_path = || {
        let mut parts = claim.split('.');
        let first = claims.get(parts.next()?)?;
        parts.try_fold(first, |value, part| value.get(part))
    };
    claims.get(claim).or_else(by_path)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const NOW: i64 = 1_800_000_000;

    fn claims(change: impl FnOnce(&mut Claims)) -> Claims {
        let good = json!({
            "iss": "https://idp.example", "sub": "248289761001", "aud": "seamwatch", "nonce": "n-1",
            "exp": NOW + 300, "iat": NOW - 1, "name": "Ada", "email": "ada@example.com", "email_verified": true,
            "groups": ["ops", "staff"],
        });
        let Value::Object(mut claims) = good else { unreachable!() };
        change(&mut claims);
        claims
    }

    fn with(name: &str, value: Value) -> Claims {
        claims(|claims| drop(claims.insert(name.to_owned(), value)))
    }

    fn without(name: &str) -> Claims {
        claims(|claims| drop(claims.remove(name)))
    }

    fn checked(claims: &Claims) -> Result<(), &'static str> {
        let (now, began) = (NOW * 1_000_000_000, (NOW - 30) * 1_000_000_000);
        let expected =
            Expected { issuer: "https://idp.example", client_id: "seamwatch", nonce: "n-1", began, now };
        check(claims, &expected)
    }

    fn texts(all: &[&str]) -> Vec<String> {
        all.iter().map(|text| (*text).to_owned()).collect()
    }

    fn mapping() -> Mapping {
        Mapping {
            groups_claim: "groups".into(),
            admin: texts(&["platform"]),
            operator: texts(&["ops"]),
            viewer: texts(&["staff"]),
            domains: Vec::new(),
        }
    }

    #[test]
    fn a_word_about_this_login_is_taken() {
        assert_eq!(checked(&claims(|_| {})), Ok(()));
        assert_eq!(checked(&with("aud", json!(["seamwatch"]))), Ok(()));
        assert_eq!(checked(&with("exp", json!(NOW - 60))), Ok(()), "within what clocks are off");
        let two = claims(|claims| {
            claims.insert("aud".into(), json!(["other", "seamwatch"]));
            claims.insert("azp".into(), json!("seamwatch"));
        });
        assert_eq!(checked(&two), Ok(()));
    }

    #[test]
    fn cve_2026_27197_and_cve_2026_42354_a_word_of_another_issuer_or_for_another_audience_is_not() {
        for issuer in
            ["https://idp.example/", "https://IDP.example", "https://other.example", "http://idp.example", ""]
        {
            assert_eq!(checked(&with("iss", json!(issuer))), Err("it is of another issuer"), "{issuer}");
        }
        for audience in
            [json!("other"), json!(["other"]), json!([]), json!(""), json!(null), json!({"seamwatch": 1})]
        {
            assert_eq!(
                checked(&with("aud", audience.clone())),
                Err("it is for another audience"),
                "{audience}"
            );
        }
        assert!(checked(&with("aud", json!(["seamwatch", "other"]))).is_err());
        assert_eq!(checked(&with("azp", json!("other"))), Err("it was given to another client"));
    }

    #[test]
    fn a_word_of_another_time_or_login_is_not() {
        for (word, wanted) in [
            (with("exp", json!(NOW - 120)), "it has expired"),
            (with("exp", json!("9999999999")), "it does not say until when it holds"),
            (without("exp"), "it does not say until when it holds"),
            (without("iat"), "it does not say when it was issued"),
            (with("iat", json!(NOW + 121)), "it is of the future; one of the two clocks is wrong"),
            (with("nbf", json!(NOW + 121)), "it is of the future; one of the two clocks is wrong"),
            (with("iat", json!(NOW - 151)), "it was issued before this login began"),
            (with("nonce", json!("n-2")), "its nonce is of another login"),
            (with("nonce", json!("")), "its nonce is of another login"),
            (without("nonce"), "it has no nonce"),
            (without("sub"), "it names no subject"),
            (with("sub", json!("")), "it names no subject"),
            (with("sub", json!(7)), "it names no subject"),
            (without("aud"), "it is for another audience"),
        ] {
            assert_eq!(checked(&word), Err(wanted));
        }
        for odd in [json!(1e300), json!(-1e300), json!(i64::MAX), json!(i64::MIN)] {
            for name in ["exp", "iat", "nbf"] {
                let _ = checked(&with(name, odd.clone()));
            }
        }
    }

    #[test]
    fn groups_give_the_highest_role_that_one_of_them_has() {
        let role = |groups: Value| identity(&with("groups", groups), &mapping()).map(|who| who.role);
        assert_eq!(role(json!(["staff"])), Ok(Role::Viewer));
        assert_eq!(role(json!(["staff", "ops"])), Ok(Role::Operator));
        assert_eq!(role(json!(["staff", "platform", "ops"])), Ok(Role::Admin));
        assert_eq!(role(json!("platform")), Ok(Role::Admin), "one may come as a text");
        for none in [
            json!(["Platform"]),
            json!(["platform "]),
            json!([["platform"]]),
            json!({"platform": true}),
            json!([]),
            json!(""),
        ] {
            assert!(role(none.clone()).is_err(), "{none}");
        }
        let missing = identity(&without("groups"), &mapping()).unwrap_err();
        assert!(missing.contains("names no groups (in the claim groups)"), "{missing}");
        let nested = Mapping { groups_claim: "realm_access.roles".into(), ..mapping() };
        let word = with("realm_access", json!({"roles": ["platform"]}));
        assert_eq!(identity(&word, &nested).map(|who| who.role), Ok(Role::Admin));
    }

    #[test]
    fn an_empty_list_of_groups_lets_nobody_in() {
        let nobody = Mapping { groups_claim: "groups".into(), ..Mapping::default() };
        assert!(identity(&claims(|_| {}), &nobody).is_err());
        assert!(identity(&with("groups", json!([""])), &nobody).is_err());
    }

    #[test]
    fn a_domain_counts_by_a_verified_address_only() {
        let only = Mapping { domains: texts(&["Example.com"]), viewer: Vec::new(), ..mapping() };
        assert_eq!(identity(&without("groups"), &only).map(|who| who.role), Ok(Role::Viewer));
        for other in
            ["ada@example.com.evil.net", "ada@sub.example.com", "example.com", "ada@example.com@evil.net", ""]
        {
            assert!(identity(&with("email", json!(other)), &only).is_err(), "{other}");
        }
        for not in [json!(false), json!("false"), json!(1), json!(null)] {
            assert!(identity(&with("email_verified", not), &only).is_err());
        }
        assert!(identity(&without("email_verified"), &only).is_err());
        let grouped = Mapping { domains: texts(&["example.com"]), ..mapping() };
        assert!(
            identity(&with("groups", json!(["x"])), &grouped).is_err(),
            "where groups are listed, both are asked"
        );
    }

    #[test]
    fn cve_2023_3128_somebody_with_the_e_mail_address_of_another_is_not_the_other() {
        let ada = identity(&claims(|_| {}), &mapping()).unwrap();
        let other = claims(|claims| {
            claims.insert("sub".into(), json!("666"));
            claims.insert("email_verified".into(), json!(false));
        });
        let other = identity(&other, &mapping()).unwrap();
        assert_ne!((&ada.issuer, &ada.subject), (&other.issuer, &other.subject));
        assert_eq!((ada.email.as_deref(), other.email), (Some("ada@example.com"), None), "not shown either");
    }
}
