//! A state as shape, word and colour: readable in black and white and to a screen reader.

use askama::Template;
use askama::filters::HtmlSafe;

/// The state's name: of an integration, an incident or a mail.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Template)]
#[template(path = "parts/state.html")]
pub struct Badge(pub &'static str);

impl HtmlSafe for Badge {}

impl Badge {
    /// `square`, `triangle`, `disc`, `ring` or `dashes`.
    fn shape(self) -> &'static str {
        match self.0 {
            "failing" | "unobserved" | "critical" | "rejected" => "square",
            "degraded" | "silent" | "warning" | "deferred" => "triangle",
            "ok" | "resolved" | "sent" => "disc",
            "written" => "ring",
            "info" => "ring",
            _ => "dashes",
        }
    }

    /// `bad`, `warn`, `ok`, `info` or `faint`.
    pub fn tone(self) -> &'static str {
        match self.shape() {
            "square" => "bad",
            "triangle" => "warn",
            "disc" => "ok",
            "ring" => "info",
            _ => "soft",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_has_its_word_and_its_shape() {
        for (state, shape) in
            [("failing", "<rect"), ("degraded", "<path d=\"M5.5"), ("ok", "<circle"), ("new", "dasharray")]
        {
            let html = Badge(state).render().unwrap();
            assert!(html.contains(state) && html.contains(shape), "{html}");
        }
    }
}
