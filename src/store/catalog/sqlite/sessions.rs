//! How people are known again: sessions of browsers, and API tokens. Of both only the hash is here.

use sqlx::Row;
use sqlx::sqlite::SqliteRow;

use super::audit::append;
use super::people::{People, parsed, user};
use super::{damaged, fault};
use crate::access::audit::Entry;
use crate::access::person::{Session, Token, User};
use crate::access::role::Role;
use crate::access::secret::Hash;
use crate::signals::telemetry::Nanos;
use crate::store::Error;

/// Tokens of one user; more are refused, since nobody knows what the fiftieth was for.
const MOST_TOKENS: i64 = 50;

/// The user's columns beside those of a session or a token.
const USER: &str = "u.id AS u_id, u.name AS u_name, u.display AS u_display, u.role AS u_role, u.password AS u_password, \
     u.issuer AS u_issuer, u.subject AS u_subject, u.version AS u_version, u.made_at AS u_made_at, \
     u.made_by AS u_made_by, u.disabled_at AS u_disabled_at";

impl People {
    /// Begins a session of a user who is that still and is not disabled; the one that the browser had before ends.
    pub async fn open_session(
        &self,
        new: &Session,
        edition: i64,
        before: Option<&Hash>,
        entry: &Entry,
    ) -> Result<(), Error> {
        let mut write = self.write().await?;
        let sql = "DELETE FROM sessions WHERE hash = ?1 OR ends_at <= ?2";
        let end = sqlx::query(sql).bind(before.map(Hash::as_slice)).bind(new.made_at);
        end.execute(&mut *write).await.map_err(fault("end a session"))?;
        let begun = sqlx::query(
            "INSERT INTO sessions (hash, user, made_at, seen_at, ends_at, address, agent) \
             SELECT ?1, id, ?3, ?4, ?5, ?6, ?7 FROM users WHERE id = ?2 AND version = ?8 AND disabled_at IS NULL",
        )
        .bind(new.hash.as_slice())
        .bind(new.user)
        .bind(new.made_at)
        .bind(new.seen_at)
        .bind(new.ends_at)
        .bind(&new.address)
        .bind(&new.agent)
        .bind(edition)
        .execute(&mut *write)
        .await
        .map_err(fault("begin a session"))?;
        if begun.rows_affected() == 0 {
            return Err(Error::Unfit("This account was changed while you signed in. Sign in again.".into()));
        }
        append(&mut write, entry).await?;
        write.commit().await.map_err(fault("begin a session"))
    }

    /// A session and whose it is, over or not.
    pub async fn session(&self, hash: &Hash) -> Result<Option<(Session, User)>, Error> {
        let sql = sqlx::AssertSqlSafe(format!(
            "SELECT s.*, {USER} FROM sessions s JOIN users u ON u.id = s.user WHERE s.hash = ?1"
        ));
        let row = sqlx::query(sql).bind(hash.as_slice()).fetch_optional(&self.readers).await;
        let row = row.map_err(fault("read a session"))?;
        row.map(|row| Ok((session(&row)?, user(&row, "u_")?))).transpose()
    }

    /// It was used.
    pub async fn session_seen(&self, hash: &Hash, now: Nanos) -> Result<(), Error> {
        let sql = "UPDATE sessions SET seen_at = ?2 WHERE hash = ?1 AND seen_at < ?2";
        let seen = sqlx::query(sql).bind(hash.as_slice()).bind(now).execute(&self.writer).await;
        seen.map(drop).map_err(fault("note a session"))
    }

    /// All sessions of a user, the latest used first.
    pub async fn sessions_of(&self, user: i64) -> Result<Vec<Session>, Error> {
        let sql = "SELECT * FROM sessions WHERE user = ?1 ORDER BY seen_at DESC";
        let rows = sqlx::query(sql).bind(user).fetch_all(&self.readers).await;
        rows.map_err(fault("read sessions"))?.iter().map(session).collect()
    }

    /// Ends one session.
    pub async fn end_session(&self, hash: &Hash, entry: &Entry) -> Result<(), Error> {
        self.end(sqlx::query("DELETE FROM sessions WHERE hash = ?1").bind(hash.as_slice()), entry).await
    }

    /// Ends all sessions of a user.
    pub async fn end_sessions(&self, user: i64, entry: &Entry) -> Result<(), Error> {
        self.end(sqlx::query("DELETE FROM sessions WHERE user = ?1").bind(user), entry).await
    }

    async fn end<'q>(
        &self,
        query: sqlx::query::Query<'q, sqlx::Sqlite, sqlx::sqlite::SqliteArguments>,
        entry: &Entry,
    ) -> Result<(), Error> {
        let mut write = self.write().await?;
        query.execute(&mut *write).await.map_err(fault("end a session"))?;
        append(&mut write, entry).await?;
        write.commit().await.map_err(fault("end a session"))
    }

    /// Makes a token of a user who is that still; its role is at most its owner's.
    pub async fn add_token(
        &self,
        new: &Token,
        edition: i64,
        hash: &Hash,
        entry: &Entry,
    ) -> Result<(), Error> {
        let mut write = self.write().await?;
        let owner = "SELECT role FROM users WHERE id = ?1 AND version = ?2 AND disabled_at IS NULL";
        let owner: Option<String> = sqlx::query_scalar(owner)
            .bind(new.user)
            .bind(edition)
            .fetch_optional(&mut *write)
            .await
            .map_err(fault("read a user"))?;
        let owner = owner.map(|role| parsed(&role)).transpose()?;
        if owner.is_none_or(|owner| new.role > owner) {
            return Err(Error::Unfit("A token may do no more than the one whose it is.".into()));
        }
        let sql = "SELECT COUNT(*) FROM api_tokens WHERE user = ?1 AND revoked_at IS NULL";
        let has: i64 = sqlx::query_scalar(sql)
            .bind(new.user)
            .fetch_one(&mut *write)
            .await
            .map_err(fault("count tokens"))?;
        if has >= MOST_TOKENS {
            return Err(Error::Unfit(format!(
                "You have {MOST_TOKENS} tokens; revoke those that nobody uses."
            )));
        }
        sqlx::query(
            "INSERT INTO api_tokens (user, name, hash, tail, role, made_at, expires_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        )
        .bind(new.user)
        .bind(&new.name)
        .bind(hash.as_slice())
        .bind(&new.tail)
        .bind(new.role.name())
        .bind(new.made_at)
        .bind(new.expires_at)
        .execute(&mut *write)
        .await
        .map_err(fault("make a token"))?;
        append(&mut write, entry).await?;
        write.commit().await.map_err(fault("make a token"))
    }

    /// A token and whose it is, good or not.
    pub async fn token(&self, hash: &Hash) -> Result<Option<(Token, User)>, Error> {
        let sql = sqlx::AssertSqlSafe(format!(
            "SELECT t.*, {USER} FROM api_tokens t JOIN users u ON u.id = t.user WHERE t.hash = ?1"
        ));
        let row = sqlx::query(sql).bind(hash.as_slice()).fetch_optional(&self.readers).await;
        let row = row.map_err(fault("read a token"))?;
        row.map(|row| Ok((token(&row)?, user(&row, "u_")?))).transpose()
    }

    /// It was used.
    pub async fn token_used(&self, id: i64, now: Nanos) -> Result<(), Error> {
        let sql = "UPDATE api_tokens SET last_used_at = ?2 WHERE id = ?1 AND COALESCE(last_used_at, 0) < ?2";
        let used = sqlx::query(sql).bind(id).bind(now).execute(&self.writer).await;
        used.map(drop).map_err(fault("note a token"))
    }

    /// The tokens of a user that were not revoked, the latest first.
    pub async fn tokens_of(&self, user: i64) -> Result<Vec<Token>, Error> {
        let sql = "SELECT * FROM api_tokens WHERE user = ?1 AND revoked_at IS NULL ORDER BY id DESC";
        let rows = sqlx::query(sql).bind(user).fetch_all(&self.readers).await;
        rows.map_err(fault("read tokens"))?.iter().map(token).collect()
    }

    /// Revokes a token of a user; whether there was such a one.
    pub async fn revoke_token(&self, owner: i64, id: i64, entry: &Entry) -> Result<bool, Error> {
        let mut write = self.write().await?;
        let sql = "UPDATE api_tokens SET revoked_at = ?3 WHERE id = ?1 AND user = ?2 AND revoked_at IS NULL";
        let revoke = sqlx::query(sql).bind(id).bind(owner).bind(entry.at).execute(&mut *write).await;
        if revoke.map_err(fault("revoke a token"))?.rows_affected() == 0 {
            return Ok(false);
        }
        append(&mut write, entry).await?;
        write.commit().await.map_err(fault("revoke a token"))?;
        Ok(true)
    }
}

fn session(row: &SqliteRow) -> Result<Session, Error> {
    let hash: Vec<u8> = row.try_get("hash").map_err(fault("read a session"))?;
    let hash = hash.try_into().map_err(|_| damaged("a session's hash is cut"))?;
    let read = || -> Result<Session, sqlx::Error> {
        Ok(Session {
            hash,
            user: row.try_get("user")?,
            made_at: row.try_get("made_at")?,
            seen_at: row.try_get("seen_at")?,
            ends_at: row.try_get("ends_at")?,
            address: row.try_get("address")?,
            agent: row.try_get("agent")?,
        })
    };
    read().map_err(fault("read a session"))
}

fn token(row: &SqliteRow) -> Result<Token, Error> {
    let read = || -> Result<(Token, String), sqlx::Error> {
        let token = Token {
            id: row.try_get("id")?,
            user: row.try_get("user")?,
            name: row.try_get("name")?,
            tail: row.try_get("tail")?,
            role: Role::Viewer,
            made_at: row.try_get("made_at")?,
            expires_at: row.try_get("expires_at")?,
            last_used_at: row.try_get("last_used_at")?,
            revoked_at: row.try_get("revoked_at")?,
        };
        Ok((token, row.try_get("role")?))
    };
    let (token, role) = read().map_err(fault("read a token"))?;
    Ok(Token { role: parsed(&role)?, ..token })
}
