//! What goes wrong when: the plot as plain data, in story minutes.

use super::traffic::Faults;

/// What happens at a story minute.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Beat {
    /// An endpoint starts to fail.
    ContactsFail,
    /// An API key is ten minutes from its end.
    TokenNears,
    /// A queue's worker stops.
    QueueStalls,
    /// A reconciliation comes up short.
    OrdersShort,
    /// The endpoint is well again.
    ContactsHeal,
    /// The queue is drained.
    QueueDrains,
    /// The lost orders were written.
    OrdersComplete,
    /// A new key was issued.
    TokenRenewed,
}

/// The plot: story minute and beat, ascending.
pub const BEATS: [(u32, Beat); 8] = [
    (1, Beat::ContactsFail),
    (2, Beat::TokenNears),
    (3, Beat::QueueStalls),
    (4, Beat::OrdersShort),
    (8, Beat::ContactsHeal),
    (9, Beat::QueueDrains),
    (10, Beat::OrdersComplete),
    (11, Beat::TokenRenewed),
];

impl Beat {
    /// Its story minute.
    pub fn minute(self) -> u32 {
        BEATS.iter().find(|(_, beat)| *beat == self).map_or(0, |(minute, _)| *minute)
    }

    /// What to look at.
    pub fn line(self) -> &'static str {
        match self {
            Beat::ContactsFail => {
                "hubspot-crm: a third of PATCH /crm/v3/objects/contacts/{id} is answered 500. Look at its endpoints."
            }
            Beat::TokenNears => {
                "salesforce-nightly: the API key svc-etl has under 10 minutes left, and nobody renews it."
            }
            Beat::QueueStalls => {
                "klaviyo-push: the queue push backs up; its oldest item gets older by the second."
            }
            Beat::OrdersShort => {
                "shopify-orders: 857 of 1,071 orders are in the warehouse, although every answer was a 2xx."
            }
            Beat::ContactsHeal => "hubspot-crm is well again.",
            Beat::QueueDrains => "klaviyo-push: the queue is drained.",
            Beat::OrdersComplete => "shopify-orders: the same window again, all 1,071 orders are there.",
            Beat::TokenRenewed => "salesforce-nightly: svc-etl was renewed. All is well from here on.",
        }
    }
}

/// What is wrong at a story minute, an expired token apart.
pub fn faults(minute: f64) -> Faults {
    let between =
        |from: Beat, to: Beat| minute >= f64::from(from.minute()) && minute < f64::from(to.minute());
    Faults {
        contacts_fail: between(Beat::ContactsFail, Beat::ContactsHeal),
        token_expired: false,
        queue_stalled: between(Beat::QueueStalls, Beat::QueueDrains),
        orders_lost: minute < f64::from(Beat::OrdersComplete.minute()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_fault_has_its_minutes_and_all_of_them_end() {
        assert_eq!(faults(0.5), Faults { orders_lost: true, ..Faults::default() });
        assert!(faults(1.0).contacts_fail && !faults(8.0).contacts_fail);
        assert!(!faults(2.9).queue_stalled && faults(3.0).queue_stalled && !faults(9.0).queue_stalled);
        assert_eq!(faults(11.0), Faults::default());
        assert!(BEATS.windows(2).all(|pair| pair[0].0 < pair[1].0));
    }
}
