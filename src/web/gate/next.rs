//! Where a login leads: to a page of ours, and nowhere else.

use axum::http::Uri;

use super::{Kind, ROUTES};

/// The path of `next=` where it is one of our pages; the overview otherwise.
pub fn path(next: Option<&str>) -> &str {
    next.filter(|next| is_page(next)).unwrap_or("/")
}

fn is_page(text: &str) -> bool {
    // Browsers read `\` as `/`, take out tabs and line ends, and so see a host where we see a path.
    let is_plain = text.bytes().all(|byte| (0x21..0x7f).contains(&byte) && byte != b'\\');
    if !is_plain || !text.starts_with('/') || text.starts_with("//") || text.len() > 2000 {
        return false;
    }
    let Ok(uri) = text.parse::<Uri>() else { return false };
    if uri.authority().is_some() {
        return false;
    }
    let pages = ROUTES.iter().filter(|route| route.kind == Kind::Page && route.least.is_some());
    pages.into_iter().any(|route| is_of(route.path, uri.path()))
}

/// Whether a path is of a route's pattern.
pub fn is_of(pattern: &str, path: &str) -> bool {
    let mut parts = path.split('/');
    let same = pattern.split('/').all(|wanted| match parts.next() {
        Some(part) => {
            wanted == part || (wanted.starts_with('{') && !part.is_empty() && part != "." && part != "..")
        }
        None => false,
    });
    same && parts.next().is_none()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_login_leads_to_pages_of_ours() {
        for ours in [
            "/",
            "/incidents",
            "/integrations/stripe%20eu?range=1h&environment=production",
            "/mail/x/html",
            "/people",
        ] {
            assert_eq!(path(Some(ours)), ours);
        }
    }

    #[test]
    fn a_login_leads_nowhere_else() {
        for other in [
            "",
            "//evil.example",
            "///evil.example",
            "/\\evil.example",
            "\\\\evil.example",
            "/\\/evil.example",
            "https://evil.example",
            "http:evil.example",
            "javascript:alert(1)",
            "data:text/html,x",
            "//evil.example/incidents",
            "/%2f%2fevil.example",
            "/%5cevil.example",
            "/%09/evil.example",
            "/\t/evil.example",
            "/\n/evil.example",
            " //evil.example",
            "/incidents\r\nSet-Cookie: a=b",
            "/incidents/../../evil",
            "/integrations/..",
            "evil.example",
            "@evil.example",
            "/login",
            "/logout",
            "/api/v1/system",
            "/live",
            "/setup",
            "/a/x",
            "/no-such-page",
            "/incidents/a/b",
            "/é",
            "?next=//evil.example",
            "//evil.example@localhost",
            "/.//evil.example",
            "/;@evil.example",
            "https:/evil.example",
            "/integrations//evil.example",
        ] {
            assert_eq!(path(Some(other)), "/", "{other:?}");
        }
        assert_eq!(path(None), "/");
        assert_eq!(path(Some(&format!("/incidents?{}", "a".repeat(3000)))), "/");
    }
}
