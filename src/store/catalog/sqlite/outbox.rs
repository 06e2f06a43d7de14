//! The outbox: mails wait here from the transition they tell of until a server took them.
//!
//! A mail is leased while it is sent, so that one that was being sent when the server died is tried again. The
//! mails of one incident to one recipient go in the order they were written.

use std::time::Duration;

use sqlx::sqlite::SqliteRow;
use sqlx::{FromRow, Row, SqliteConnection};

use super::{Catalog, fault, from_json, from_name, json, name};
use crate::signals::telemetry::Nanos;
use crate::store::Error;
use crate::store::mail::{Kind, Mail, NewMail, Own};

impl Catalog {
    /// When the oldest mail that waits was written.
    pub async fn oldest_mail_due(&self, now: Nanos) -> Result<Option<Nanos>, Error> {
        let (oldest,): (Option<i64>,) = sqlx::query_as(
            "SELECT min(created_at) FROM mails WHERE state IN ('queued', 'leased', 'deferred') AND created_at <= ?1",
        )
        .bind(now)
        .fetch_one(&self.readers)
        .await
        .map_err(fault("read the outbox"))?;
        Ok(oldest)
    }

    /// Leases mails that are due, the oldest first: none whose thread has an earlier one that is unsent, and none of a
    /// channel that is `paused`.
    pub async fn claim_mails(
        &self,
        now: Nanos,
        lease: Duration,
        limit: u32,
        paused: &[String],
    ) -> Result<Vec<Mail>, Error> {
        let until = now.saturating_add(Nanos::try_from(lease.as_nanos()).unwrap_or(Nanos::MAX));
        let rows = sqlx::query(
            "UPDATE mails SET state = 'leased', attempts = attempts + 1, next_try_at = ?2 WHERE id IN ( \
                 SELECT id FROM mails AS due \
                 WHERE state IN ('queued', 'leased', 'deferred') AND next_try_at <= ?1 \
                 AND channel NOT IN (SELECT value FROM json_each(?4)) AND NOT EXISTS ( \
                     SELECT 1 FROM mails AS earlier WHERE earlier.incident_id = due.incident_id AND due.incident_id <> '' \
                     AND earlier.recipient = due.recipient AND earlier.position < due.position \
                     AND earlier.state IN ('queued', 'leased', 'deferred')) \
                 ORDER BY position LIMIT ?3) \
             RETURNING *",
        )
        .bind(now)
        .bind(until)
        .bind(limit)
        .bind(json(&paused)?)
        .fetch_all(&self.writer)
        .await
        .map_err(fault("claim mails"))?;
        // RETURNING has no order of its own.
        let mut mails = rows
            .iter()
            .map(|row| Ok((row.try_get::<i64, _>("position")?, Found::from_row(row)?)))
            .collect::<Result<Vec<_>, sqlx::Error>>()
            .map_err(fault("read mails"))?;
        mails.sort_by_key(|(position, _)| *position);
        mails.into_iter().map(|(_, found)| found.mail()).collect()
    }

    /// A server took it; `detail` is what it answered.
    pub async fn mail_sent(&self, id: &str, now: Nanos, detail: &str) -> Result<(), Error> {
        let sql = "UPDATE mails SET state = 'sent', sent_at = ?2, detail = ?3, error = '' WHERE id = ?1";
        self.mark(sqlx::query(sql).bind(id).bind(now).bind(detail)).await
    }

    /// It failed for now and is due again at `until`. One that was sent meanwhile stays sent.
    pub async fn mail_deferred(&self, id: &str, until: Nanos, error: &str) -> Result<(), Error> {
        let sql = "UPDATE mails SET state = 'deferred', next_try_at = ?2, error = ?3 \
             WHERE id = ?1 AND state IN ('queued', 'leased', 'deferred')";
        self.mark(sqlx::query(sql).bind(id).bind(until).bind(error)).await
    }

    /// Mails, the latest first.
    pub async fn mails(&self, limit: u32) -> Result<Vec<Mail>, Error> {
        let sql = "SELECT * FROM mails ORDER BY position DESC LIMIT ?1";
        let found = sqlx::query_as(sql).bind(limit).fetch_all(&self.readers).await;
        found.map_err(fault("read mails"))?.into_iter().map(Found::mail).collect()
    }

    /// The mail of an id.
    pub async fn mail(&self, id: &str) -> Result<Option<Mail>, Error> {
        let sql = "SELECT * FROM mails WHERE id = ?1";
        let found = sqlx::query_as(sql).bind(id).fetch_optional(&self.readers).await;
        found.map_err(fault("read a mail"))?.map(Found::mail).transpose()
    }

    /// The mails of an incident, in order.
    pub async fn mails_of(&self, incident_id: &str) -> Result<Vec<Mail>, Error> {
        let sql = "SELECT * FROM mails WHERE incident_id = ?1 ORDER BY position";
        let found = sqlx::query_as(sql).bind(incident_id).fetch_all(&self.readers).await;
        found.map_err(fault("read mails"))?.into_iter().map(Found::mail).collect()
    }

    /// The Message-ID that opened the thread of an incident with a recipient.
    pub async fn first_message_id(
        &self,
        incident_id: &str,
        recipient: &str,
    ) -> Result<Option<String>, Error> {
        let sql = "SELECT message_id FROM mails WHERE incident_id = ?1 AND recipient = ?2 \
             ORDER BY position LIMIT 1";
        let query = sqlx::query_as(sql).bind(incident_id).bind(recipient);
        let row: Option<(String,)> =
            query.fetch_optional(&self.readers).await.map_err(fault("read a mail"))?;
        Ok(row.map(|(message_id,)| message_id))
    }

    async fn mark(
        &self,
        query: sqlx::query::Query<'_, sqlx::Sqlite, sqlx::sqlite::SqliteArguments>,
    ) -> Result<(), Error> {
        query.execute(&self.writer).await.map_err(fault("mark a mail"))?;
        Ok(())
    }
}

/// Puts mails in, behind all that are there. One whose id is there already is left out.
pub async fn write(write: &mut SqliteConnection, mails: &[NewMail]) -> Result<(), Error> {
    if mails.is_empty() {
        return Ok(());
    }
    let rows = mails.iter().map(|mail| Ok((mail, name(&mail.kind)?, json(&mail.headers)?)));
    let rows: Vec<_> = rows.collect::<Result<_, Error>>()?;
    sqlx::query(
        "INSERT INTO mails (id, position, incident_id, change, recipient, from_name, subject, message_id, \
             in_reply_to, body_text, body_html, created_at, state, attempts, next_try_at, error, sent_at, detail, \
             headers, channel) \
         SELECT value ->> '$[0].id', (SELECT coalesce(max(position), 0) + 1 FROM mails) + key, \
             value ->> '$[0].incident_id', value ->> 1, value ->> '$[0].recipient', value ->> '$[0].from_name', \
             value ->> '$[0].subject', value ->> '$[0].message_id', value ->> '$[0].in_reply_to', \
             value ->> '$[0].text', value ->> '$[0].html', value ->> '$[0].created_at', \
             'queued', 0, value ->> '$[0].created_at', '', NULL, '', value ->> 2, value ->> '$[0].channel' \
         FROM json_each(?1) WHERE true \
         ON CONFLICT (id) DO NOTHING",
    )
    .bind(json(&rows)?)
    .execute(write)
    .await
    .map_err(fault("write mails"))?;
    Ok(())
}

/// A row of mails with its names not read yet.
pub(super) struct Found {
    mail: Mail,
    kind: String,
    state: String,
    headers: String,
}

impl Found {
    pub(super) fn mail(self) -> Result<Mail, Error> {
        let Found { mut mail, kind, state, headers } = self;
        mail.mail.kind = from_name(kind)?;
        mail.mail.headers = from_json(&headers)?;
        mail.state = from_name(state)?;
        Ok(mail)
    }
}

impl<'r> FromRow<'r, SqliteRow> for Found {
    fn from_row(row: &'r SqliteRow) -> Result<Found, sqlx::Error> {
        let new = NewMail {
            id: row.try_get("id")?,
            incident_id: row.try_get("incident_id")?,
            kind: Kind::Own(Own::Summary),
            channel: row.try_get("channel")?,
            headers: Vec::new(),
            recipient: row.try_get("recipient")?,
            from_name: row.try_get("from_name")?,
            subject: row.try_get("subject")?,
            message_id: row.try_get("message_id")?,
            in_reply_to: row.try_get("in_reply_to")?,
            text: row.try_get("body_text")?,
            html: row.try_get("body_html")?,
            created_at: row.try_get("created_at")?,
        };
        let mail = Mail {
            mail: new,
            state: crate::store::mail::MailState::Queued,
            attempts: row.try_get("attempts")?,
            next_try_at: row.try_get("next_try_at")?,
            error: row.try_get("error")?,
            sent_at: row.try_get("sent_at")?,
            detail: row.try_get("detail")?,
        };
        let text = |name: &str| row.try_get::<String, _>(name);
        Ok(Found { mail, kind: text("change")?, state: text("state")?, headers: text("headers")? })
    }
}
