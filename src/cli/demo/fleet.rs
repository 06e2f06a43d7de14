//! Who the six integrations are: their systems, endpoints, latencies and how busy they are through a day.

use std::time::Duration;

use seamwatch_exporter::error::Error;
use seamwatch_exporter::exporter::{Exporter, Tier};
use seamwatch_exporter::integration::Integration;

/// All members say that they are production: the demo's faults shall be mailed.
pub const ENVIRONMENT: &str = "production";

/// One endpoint's traffic.
#[derive(Clone, Copy, Debug)]
pub struct Endpoint {
    /// HTTP method.
    pub method: &'static str,
    /// Host; empty for a webhook that the integration answers.
    pub peer: &'static str,
    /// Path without values.
    pub template: &'static str,
    /// Its share of the integration's calls; shares of an integration add up to 1.
    pub share: f64,
    /// Median latency in milliseconds.
    pub median_ms: f64,
    /// Deviation of the latency's logarithm.
    pub sigma: f64,
    /// The credential slot it uses; empty for none.
    pub credential: &'static str,
}

/// When it works.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// With its users: a long day, a quiet night.
    Day,
    /// All day the same.
    Flat,
    /// Mostly from 02:00 to 02:25.
    Nightly,
}

impl Shape {
    /// How busy it is, compared with its own busiest minute. Minutes count from local midnight.
    pub fn weight(self, minute_of_day: u32) -> f64 {
        match self {
            Shape::Flat => 1.0,
            Shape::Nightly if (120..145).contains(&minute_of_day) => 1.0,
            Shape::Nightly => 0.02,
            Shape::Day => {
                // Lowest at 03:00, highest at 15:00.
                let angle = f64::from(minute_of_day) / 1_440.0 - 0.125;
                0.2 + 0.4 * (1.0 - (std::f64::consts::TAU * angle).cos())
            }
        }
    }
}

/// One integration of the fleet.
#[derive(Clone, Copy, Debug)]
pub struct Member {
    /// `integration.name`.
    pub name: &'static str,
    /// Where data comes from.
    pub source: &'static str,
    /// Where it goes.
    pub destination: &'static str,
    /// The team.
    pub owner: &'static str,
    /// How much it matters.
    pub tier: Tier,
    /// `service.version`.
    pub version: &'static str,
    /// When it works.
    pub shape: Shape,
    /// Calls in a day.
    pub per_day: f64,
    /// Its queue; empty for none.
    pub queue: &'static str,
    /// Its traffic.
    pub endpoints: &'static [Endpoint],
}

/// What the endpoint that the story lets fail is called at least, so that the rule has enough to judge at night too.
const LEAST_OF_HUBSPOT: f64 = 0.5;

impl Member {
    /// Calls a second at a minute of the day: as many in the story as in the history before it.
    pub fn per_second(&self, minute_of_day: u32) -> f64 {
        let day: f64 = (0..1_440).map(|minute| self.shape.weight(minute)).sum();
        let rate = self.per_day * self.shape.weight(minute_of_day) / day / 60.0;
        if self.name == HUBSPOT.name { rate.max(LEAST_OF_HUBSPOT) } else { rate }
    }

    /// Starts its own exporter. Flush and shut it down inside `spawn_blocking`.
    pub fn start(&self, endpoint: String) -> Result<Integration, Error> {
        Exporter::builder(self.name)
            .endpoint(endpoint)
            .environment(ENVIRONMENT)
            .source(self.source)
            .destination(self.destination)
            .owner(self.owner)
            .tier(self.tier)
            .version(self.version)
            .instance("demo")
            // A tick judges a minute 20 s after it closed: all of it must have arrived by then.
            .interval(Duration::from_secs(5))
            .build()
    }
}

const fn call(
    method: &'static str,
    peer: &'static str,
    template: &'static str,
    share: f64,
    median_ms: f64,
    credential: &'static str,
) -> Endpoint {
    Endpoint { method, peer, template, share, median_ms, sigma: 0.38, credential }
}

/// Stripe's charges into the books.
pub const STRIPE: Member = Member {
    name: "stripe-accounting",
    source: "Stripe",
    destination: "Xero",
    owner: "finance-systems",
    tier: Tier::Critical,
    version: "2.14.0",
    shape: Shape::Day,
    per_day: 9_000.0,
    queue: "",
    endpoints: &[
        call("GET", "api.stripe.com", "/v1/charges/{id}", 0.4, 110.0, "stripe-restricted-key"),
        call("GET", "api.stripe.com", "/v1/balance_transactions", 0.2, 180.0, "stripe-restricted-key"),
        call("POST", "api.xero.com", "/api.xro/2.0/Invoices", 0.25, 310.0, "xero-oauth"),
        call("PUT", "api.xero.com", "/api.xro/2.0/Payments", 0.15, 260.0, "xero-oauth"),
    ],
};

/// Contacts, both ways.
pub const HUBSPOT: Member = Member {
    name: "hubspot-crm",
    source: "HubSpot, CRM",
    destination: "HubSpot, CRM",
    owner: "revenue-operations",
    tier: Tier::Critical,
    version: "5.3.1",
    shape: Shape::Day,
    per_day: 30_000.0,
    queue: "",
    endpoints: &[
        call("PATCH", "api.hubapi.com", "/crm/v3/objects/contacts/{id}", 0.45, 140.0, "hubspot-oauth"),
        call("GET", "api.hubapi.com", "/crm/v3/objects/contacts", 0.3, 95.0, "hubspot-oauth"),
        call("POST", "crm.example.com", "/api/contacts/batch", 0.25, 70.0, "crm-service-account"),
    ],
};

/// Orders that arrive as webhooks and are written into the warehouse.
pub const SHOPIFY: Member = Member {
    name: "shopify-orders",
    source: "Shopify",
    destination: "Warehouse",
    owner: "fulfilment",
    tier: Tier::Critical,
    version: "3.8.2",
    shape: Shape::Day,
    per_day: 7_000.0,
    queue: "orders",
    endpoints: &[call("POST", "", "/webhooks/orders", 1.0, 45.0, "")],
};

/// What the warehouse is asked to do for each order.
pub const WAREHOUSE_WRITE: Endpoint =
    call("POST", "warehouse.example.com", "/v2/orders", 1.0, 85.0, "warehouse-api-key");

/// The nightly copy into the data mart.
pub const SALESFORCE: Member = Member {
    name: "salesforce-nightly",
    source: "Salesforce",
    destination: "Data mart",
    owner: "data-platform",
    tier: Tier::Standard,
    version: "1.9.0",
    shape: Shape::Nightly,
    per_day: 4_000.0,
    queue: "",
    endpoints: &[
        call("GET", "acme.my.salesforce.com", "/services/data/v62.0/jobs/query/{id}", 0.35, 120.0, "svc-etl"),
        call("GET", "acme.my.salesforce.com", "/services/data/v62.0/query", 0.65, 420.0, "svc-etl"),
    ],
};

/// The shop's profiles and events for mailings.
pub const KLAVIYO: Member = Member {
    name: "klaviyo-push",
    source: "Shop",
    destination: "Klaviyo",
    owner: "marketing-systems",
    tier: Tier::Standard,
    version: "0.22.4",
    shape: Shape::Day,
    per_day: 7_000.0,
    queue: "push",
    endpoints: &[
        call("POST", "a.klaviyo.com", "/api/events", 0.7, 130.0, "klaviyo-private-key"),
        call("PATCH", "a.klaviyo.com", "/api/profiles/{id}", 0.3, 150.0, "klaviyo-private-key"),
    ],
};

/// Reports into a spreadsheet.
pub const SHEETS: Member = Member {
    name: "sheets-export",
    source: "Reports",
    destination: "Google Sheets",
    owner: "controlling",
    tier: Tier::Simple,
    version: "1.2.0",
    shape: Shape::Flat,
    per_day: 3_000.0,
    queue: "",
    endpoints: &[
        call(
            "POST",
            "sheets.googleapis.com",
            "/v4/spreadsheets/{id}/values:batchUpdate",
            0.8,
            380.0,
            "sheets-oauth",
        ),
        call("GET", "sheets.googleapis.com", "/v4/spreadsheets/{id}", 0.2, 210.0, "sheets-oauth"),
    ],
};

/// All six.
pub const FLEET: [Member; 6] = [STRIPE, HUBSPOT, SHOPIFY, SALESFORCE, KLAVIYO, SHEETS];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_add_up_and_nights_are_quieter_than_days() {
        for member in FLEET {
            let sum: f64 = member.endpoints.iter().map(|endpoint| endpoint.share).sum();
            assert!((sum - 1.0).abs() < 1e-9, "{}: {sum}", member.name);
        }
        assert!(Shape::Day.weight(15 * 60) > 4.0 * Shape::Day.weight(3 * 60));
        for member in FLEET {
            let day: f64 = (0..1_440).map(|minute| member.per_second(minute) * 60.0).sum();
            assert!(day >= member.per_day * 0.999 && day < member.per_day * 1.6, "{}: {day}", member.name);
        }
        assert!(Shape::Nightly.weight(121) > 10.0 * Shape::Nightly.weight(600));
    }
}
