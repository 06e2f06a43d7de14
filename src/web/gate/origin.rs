//! Whether a request comes from our own pages: what browsers say of it, which no page can make them say otherwise.

use axum::http::{HeaderMap, header};

/// Whether what changes something may be done: the browser says that a page of ours asks for it. A request that says
/// nothing of the kind comes from no browser of this decade and is refused too.
pub fn is_ours(headers: &HeaderMap, public_host: &str) -> bool {
    let text = |name: &str| headers.get(name).map(|value| value.to_str().unwrap_or_default());
    let host = text(header::HOST.as_str()).unwrap_or_default();
    // With the port, so that another server on this machine is another site. A proxy may have put its own name into
    // Host; then the public one is what the browser saw.
    let of_ours = |origin: &str| {
        let authority = origin.strip_prefix("https://").or_else(|| origin.strip_prefix("http://"));
        authority.is_some_and(|authority| {
            !authority.is_empty()
                && (authority.eq_ignore_ascii_case(host) || authority.eq_ignore_ascii_case(public_host))
        })
    };
    match (text("sec-fetch-site"), text(header::ORIGIN.as_str())) {
        (Some(site), Some(origin)) => site == "same-origin" && of_ours(origin),
        (Some(site), None) => site == "same-origin",
        (None, Some(origin)) => of_ours(origin),
        (None, None) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(said: &[(&'static str, &'static str)]) -> bool {
        let mut headers = HeaderMap::new();
        headers.insert("host", "seam.example:4380".parse().unwrap());
        for (name, value) in said {
            headers.insert(*name, value.parse().unwrap());
        }
        is_ours(&headers, "public.example")
    }

    #[test]
    fn cve_2023_49805_another_origin_changes_nothing() {
        assert!(asked(&[("origin", "https://seam.example:4380")]));
        assert!(asked(&[("origin", "http://seam.example:4380"), ("sec-fetch-site", "same-origin")]));
        assert!(asked(&[("sec-fetch-site", "same-origin")]));
        assert!(asked(&[("origin", "https://public.example")]), "a proxy changed Host");
        for bad in [
            "https://evil.example",
            "null",
            "",
            "https://",
            "https://seam.example",
            "https://seam.example:4381",
            "https://seam.example:4380.evil.example",
            "https://evil.example#seam.example:4380",
            "seam.example:4380",
            "ftp://seam.example:4380",
        ] {
            assert!(!asked(&[("origin", bad)]), "{bad}");
            assert!(!asked(&[("origin", bad), ("sec-fetch-site", "cross-site")]), "{bad}");
        }
        for site in ["cross-site", "same-site", "none", ""] {
            assert!(!asked(&[("sec-fetch-site", site)]), "{site}");
            assert!(!asked(&[("sec-fetch-site", site), ("origin", "https://seam.example:4380")]), "{site}");
        }
        assert!(!asked(&[]), "no browser says nothing");
        assert!(!asked(&[("referer", "https://seam.example:4380/")]));
    }

    #[test]
    fn no_public_name_is_not_an_empty_one() {
        let headers = HeaderMap::from_iter([(header::ORIGIN, "https://".parse().unwrap())]);
        assert!(!is_ours(&headers, ""));
    }
}
