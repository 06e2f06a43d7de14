//! Tokens whose maker is known by how they begin.
//!
//! Sources: each maker's own documentation of its token formats (GitHub "Behind GitHub's new authentication token
//! formats" and its secret scanning patterns, GitLab "Token overview", Slack "Token types", Stripe "API keys",
//! Shopify "Access tokens", HubSpot "Private apps", AWS "Unique ID prefixes", …), and the rules of gitleaks
//! (gitleaks/gitleaks, `config/gitleaks.toml`), which collect the lengths. Publishable keys (`pk_live_`) are none.

/// Which bytes a token has behind its prefix.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Tail {
    /// Letters and digits.
    Word,
    /// Letters, digits, `_` and `-`.
    Url,
    /// Letters, digits, `_`, `-` and `.`.
    Dotted,
    /// Capitals and digits.
    Capital,
    /// Hexadecimal digits.
    Hex,
    /// Letters, digits and what base64 has besides, `$` and `|`.
    Base64,
}

impl Tail {
    fn has(self, byte: u8) -> bool {
        match self {
            Tail::Word => byte.is_ascii_alphanumeric(),
            Tail::Url => byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'),
            Tail::Dotted => byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.'),
            Tail::Capital => byte.is_ascii_uppercase() || byte.is_ascii_digit(),
            Tail::Hex => byte.is_ascii_hexdigit(),
            Tail::Base64 => byte.is_ascii_alphanumeric() || b"+/=_-.$|".contains(&byte),
        }
    }
}

/// (beginning, what follows it, at least so many of that), by first byte.
const MAKERS: [(&str, Tail, usize); 119] = [
    ("00D", Tail::Base64, 12), // Salesforce session id: 00D…!…, see `find`
    ("1//0", Tail::Url, 20),   // Google refresh token
    ("ABIA", Tail::Capital, 16),
    ("ACCA", Tail::Capital, 16),
    ("AGE-SECRET-KEY-1", Tail::Capital, 40),
    ("AIza", Tail::Url, 35),     // Google API key
    ("AKIA", Tail::Capital, 16), // AWS access key
    ("ASIA", Tail::Capital, 16),
    ("ATATT3", Tail::Base64, 20), // Atlassian
    ("ATBB", Tail::Word, 28),     // Bitbucket
    ("ATCTT3", Tail::Base64, 20),
    ("AccountKey=", Tail::Base64, 40),
    ("CFPAT-", Tail::Url, 40), // Contentful
    ("EAAA", Tail::Url, 56),   // Square
    ("EAAC", Tail::Word, 80),  // Meta
    ("EAAG", Tail::Word, 80),
    ("EAAM", Tail::Word, 80),
    ("EZAK", Tail::Word, 54), // EasyPost
    ("EZTK", Tail::Word, 54),
    ("FLWSECK-", Tail::Url, 20), // Flutterwave
    ("FLWSECK_TEST-", Tail::Url, 12),
    ("GOCSPX-", Tail::Url, 20),   // Google client secret
    ("GR1348941", Tail::Url, 20), // GitLab runner registration
    ("HRKU-", Tail::Url, 30),     // Heroku
    ("LTAI", Tail::Word, 20),     // Alibaba
    ("NRAK-", Tail::Capital, 27), // New Relic
    ("NRII-", Tail::Url, 32),
    ("PMAK-", Tail::Url, 40),               // Postman
    ("SG.", Tail::Dotted, 40),              // SendGrid
    ("SK", Tail::Hex, 32),                  // Twilio API key
    ("access-development-", Tail::Url, 30), // Plaid
    ("access-production-", Tail::Url, 30),
    ("access-sandbox-", Tail::Url, 30),
    ("access_token$production$", Tail::Base64, 40), // Braintree
    ("access_token$sandbox$", Tail::Base64, 40),
    ("amzn.mws.", Tail::Url, 36), // Amazon marketplace
    ("dapi", Tail::Hex, 32),      // Databricks
    ("dckr_oat_", Tail::Url, 20), // Docker
    ("dckr_pat_", Tail::Url, 20),
    ("doo_v1_", Tail::Hex, 64), // DigitalOcean
    ("dop_v1_", Tail::Hex, 64),
    ("dor_v1_", Tail::Hex, 64),
    ("dp.ct.", Tail::Word, 40), // Doppler
    ("dp.pt.", Tail::Word, 40),
    ("dp.st.", Tail::Dotted, 40),
    ("dt0c01.", Tail::Dotted, 80), // Dynatrace
    ("duffel_live_", Tail::Url, 40),
    ("duffel_test_", Tail::Url, 40),
    ("figd_", Tail::Url, 36), // Figma
    ("figo_", Tail::Url, 36),
    ("fio-u-", Tail::Url, 60), // Frame.io
    ("fo1_", Tail::Url, 40),   // Fly.io
    ("ghb_", Tail::Word, 16),  // GitHub
    ("gho_", Tail::Word, 16),
    ("ghp_", Tail::Word, 16),
    ("ghr_", Tail::Word, 16),
    ("ghs_", Tail::Url, 16),
    ("ghu_", Tail::Word, 16),
    ("github_pat_", Tail::Url, 20),
    ("glagent-", Tail::Url, 20), // GitLab
    ("glc_", Tail::Base64, 30),  // Grafana Cloud
    ("glcbt-", Tail::Dotted, 20),
    ("gldt-", Tail::Url, 20),
    ("glffct-", Tail::Url, 20),
    ("glft-", Tail::Url, 20),
    ("glimt-", Tail::Url, 20),
    ("gloas-", Tail::Url, 20),
    ("glpat-", Tail::Dotted, 20),
    ("glptt-", Tail::Url, 20),
    ("glrt-", Tail::Dotted, 20),
    ("glsa_", Tail::Url, 30), // Grafana
    ("glsoat-", Tail::Url, 20),
    ("gsk_", Tail::Word, 40), // Groq
    ("hf_", Tail::Word, 30),  // Hugging Face
    ("hvb.", Tail::Url, 60),  // HashiCorp Vault
    ("hvr.", Tail::Url, 60),
    ("hvs.", Tail::Url, 60),
    ("key-", Tail::Hex, 32),      // Mailgun
    ("lin_api_", Tail::Word, 32), // Linear
    ("lin_oauth_", Tail::Word, 32),
    ("live_", Tail::Word, 30), // Mollie, Lob
    ("nfp_", Tail::Word, 36),  // Netlify
    ("npm_", Tail::Word, 30),
    ("ntn_", Tail::Word, 40),         // Notion
    ("ops_eyJ", Tail::Base64, 100),   // 1Password
    ("pat-", Tail::Url, 30),          // HubSpot: pat-na1-…, see `find`
    ("patA", Tail::Dotted, 70),       // Airtable
    ("pk_", Tail::Hex, 34),           // Klaviyo's private key
    ("pscale_pw_", Tail::Dotted, 30), // PlanetScale
    ("pscale_tkn_", Tail::Dotted, 30),
    ("pul-", Tail::Hex, 40), // Pulumi
    ("pypi-AgE", Tail::Url, 50),
    ("r8_", Tail::Word, 36),     // Replicate
    ("rk_live_", Tail::Url, 10), // Stripe
    ("rk_test_", Tail::Url, 10),
    ("rubygems_", Tail::Hex, 40),
    ("sbp_", Tail::Hex, 40),     // Supabase
    ("secret_", Tail::Word, 43), // Notion
    ("shippo_live_", Tail::Hex, 40),
    ("shippo_test_", Tail::Hex, 40),
    ("shpat_", Tail::Word, 20), // Shopify
    ("shpca_", Tail::Word, 20),
    ("shppa_", Tail::Word, 20),
    ("shpss_", Tail::Word, 20),
    ("sk-", Tail::Url, 32),      // OpenAI, Anthropic (sk-ant-…) and their like
    ("sk_live_", Tail::Url, 10), // Stripe
    ("sk_test_", Tail::Url, 10),
    ("sl.", Tail::Url, 100),       // Dropbox
    ("sntrys_", Tail::Base64, 40), // Sentry
    ("sntryu_", Tail::Hex, 40),
    ("sq0atp-", Tail::Url, 20), // Square
    ("sq0csp-", Tail::Url, 40),
    ("tfp_", Tail::Url, 40),      // Typeform
    ("whsec_", Tail::Base64, 16), // Stripe, Svix: webhook secret
    ("xapp-", Tail::Url, 20),     // Slack
    ("xkeysib-", Tail::Url, 60),  // Brevo
    ("xox", Tail::Dotted, 12),    // Slack: xoxb-…, see `find`
    ("xsmtpsib-", Tail::Url, 60), // Brevo
    ("ya29.", Tail::Url, 20),     // Google access token
];

/// So much of a token shows whether it is one.
const ENOUGH: usize = 256;

/// By first byte: the makers' places in the list, from and to.
const BUCKETS: [(u8, u8); 128] = {
    let mut buckets = [(0, 0); 128];
    let mut at = 0;
    while at < MAKERS.len() {
        let first = MAKERS[at].0.as_bytes()[0] as usize;
        if buckets[first].1 == 0 {
            buckets[first].0 = at as u8;
        }
        buckets[first].1 = at as u8 + 1;
        at += 1;
    }
    buckets
};

/// The length of the token that begins here; it ends where a person would end it.
pub fn find(text: &[u8]) -> Option<usize> {
    let (first, second) = (*text.first()?, *text.get(1)?);
    let (from, to) = *BUCKETS.get(usize::from(first))?;
    for (prefix, tail, least) in MAKERS.get(usize::from(from)..usize::from(to))? {
        if prefix.as_bytes().get(1) != Some(&second) || !text.starts_with(prefix.as_bytes()) {
            continue;
        }
        let rest = text.get(prefix.len()..)?;
        let length = rest.iter().take(ENOUGH).take_while(|byte| tail.has(**byte)).count();
        let body = rest.get(..length)?;
        let ends = body.iter().rev().take_while(|byte| matches!(byte, b'.' | b'-' | b'/')).count();
        let is_token = length - ends >= *least
            && match *prefix {
                "00D" => return salesforce(text),
                "xox" => body.get(1).is_some_and(|byte| matches!(byte, b'-' | b'.')),
                "pat-" => body.get(3) == Some(&b'-') && body.get(2).is_some_and(u8::is_ascii_digit),
                // Where the prefix is a word or two letters, only letters and digits mixed are a token.
                "SK" | "secret_" | "live_" | "sk-" | "hf_" => body.iter().any(u8::is_ascii_digit),
                _ => true,
            };
        if is_token {
            let more =
                rest.iter().skip(length).take_while(|byte| length == ENOUGH && tail.has(**byte)).count();
            return Some(prefix.len() + length + more - if more == 0 { ends } else { 0 });
        }
    }
    None
}

/// `00D` and 12 or 15 characters more are the organisation, `!` and more make it a session.
fn salesforce(text: &[u8]) -> Option<usize> {
    let organisation = text.iter().take_while(|byte| byte.is_ascii_alphanumeric()).count();
    if !matches!(organisation, 15 | 18) || text.get(organisation) != Some(&b'!') {
        return None;
    }
    let rest = text.get(organisation + 1..)?;
    let length = rest.iter().take_while(|byte| Tail::Dotted.has(**byte)).count();
    (length >= 20).then_some(organisation + 1 + length)
}

/// Mailchimp's keys are known by their end: 32 hexadecimal digits, `-us` and a number.
pub fn mailchimp(word: &[u8], rest: &[u8]) -> Option<usize> {
    let digits = rest.strip_prefix(b"-us")?.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let is_key = word.len() == 32 && word.iter().all(u8::is_ascii_hexdigit) && (1..=2).contains(&digits);
    is_key.then_some(word.len() + 3 + digits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_is_in_order_so_that_its_buckets_are_whole() {
        assert!(MAKERS.is_sorted_by(|a, b| a.0.as_bytes()[0] <= b.0.as_bytes()[0]));
        for (prefix, tail, least) in MAKERS.iter().filter(|maker| !["00D", "xox", "pat-"].contains(&maker.0))
        {
            let byte = if *tail == Tail::Capital { "A" } else { "7" };
            let token = format!("{prefix}{}", byte.repeat(*least));
            assert_eq!(find(token.as_bytes()), Some(token.len()), "{token}");
            assert_eq!(find(&token.as_bytes()[..token.len() - 1]), None, "{token} less one");
        }
    }

    #[test]
    fn a_token_ends_where_its_letters_do() {
        let found = |text: &str| find(text.as_bytes()).map(|length| text[..length].to_owned());
        let slack = concat!("xoxb-", "123456789012-abcDEF");
        assert_eq!(found(&format!("{slack}. Next")).as_deref(), Some(slack));
        assert_eq!(found("pat-na1-11111111-2222-3333-4444-555555555555,").map(|text| text.len()), Some(44));
        for no in [
            "pat-terns-of-a-long-kind-of-sentence-here",
            "xoxo, yours",
            "sk-learn-is-a-library-of-python-for-all",
            "SKU-1",
        ] {
            assert_eq!(found(no), None, "{no}");
        }
        assert_eq!(mailchimp(b"0123456789abcdef0123456789abcdef", b"-us12 x"), Some(37));
        assert_eq!(mailchimp(b"0123456789abcdef0123456789abcdef", b"-user"), None);
    }
}
