//! Names that are kept for good because something is known of each: bounded like connections and credentials.

use std::sync::Arc;

use crate::signals::fact::Said;
use crate::signals::observation::Numbered;

/// Kind and name.
pub type Name = (Arc<str>, Arc<str>);

/// What an event makes a state of; none for one that makes none.
pub fn of(said: &Said) -> Option<Name> {
    let (kind, name) = match said {
        Said::ConnectionClosed { connection } => ("(closed)", connection),
        Said::Shape(shape) => ("(shape)", &shape.endpoint),
        Said::Missing(missing) => ("(missing)", &missing.run_id),
        Said::Announced { endpoint, .. } => ("(announced)", endpoint),
        _ => return None,
    };
    Some((kind.into(), name.clone()))
}

/// The process that sends numbered batches.
pub fn of_sender(batch: &Numbered) -> Name {
    ("(sender)".into(), format!("{:016x}", batch.sender).into())
}
