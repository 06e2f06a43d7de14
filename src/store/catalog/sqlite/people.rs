//! People: users, and the link that makes the first one. Whatever changes what somebody may do ends their sessions and
//! is in the audit log, in one transaction.

use sqlx::sqlite::{Sqlite, SqlitePool, SqliteRow};
use sqlx::{Row, SqliteConnection, Transaction};

use super::audit::append;
use super::{Catalog, damaged, fault};
use crate::access::audit::{Actor, Entry};
use crate::access::person::{Change, NewUser, User};
use crate::access::role::Role;
use crate::access::secret::Hash;
use crate::signals::telemetry::Nanos;
use crate::store::{Access, Error};

/// What the catalog knows of people: a handle that is cheap to clone. The command line opens it beside a server that
/// runs.
#[derive(Clone, Debug)]
pub struct People {
    pub(super) writer: SqlitePool,
    pub(super) readers: SqlitePool,
}

impl Catalog {
    /// What it knows of people.
    pub fn people(&self) -> People {
        People { writer: self.writer.clone(), readers: self.readers.clone() }
    }
}

impl People {
    /// What there is to let somebody in, and the number of its state.
    pub async fn access(&self) -> Result<Access, Error> {
        let sql = "SELECT (SELECT value FROM meta WHERE name = 'access_version'), \
             EXISTS (SELECT 1 FROM ingest_keys), EXISTS (SELECT 1 FROM users)";
        let row = sqlx::query_as(sql).fetch_one(&self.readers).await;
        let (version, keys, users) = row.map_err(fault("read who may do what"))?;
        Ok(Access { version, keys, users })
    }

    /// The random bytes that links and forms are signed with, made at the first call.
    pub async fn signing_secret(&self, fresh: &[u8]) -> Result<Vec<u8>, Error> {
        let mut write = self.write().await?;
        let keep = sqlx::query("INSERT OR IGNORE INTO signing (id, secret) VALUES ('links', ?1)").bind(fresh);
        keep.execute(&mut *write).await.map_err(fault("keep the signing secret"))?;
        let kept = sqlx::query_scalar("SELECT secret FROM signing WHERE id = 'links'");
        let kept: Vec<u8> = kept.fetch_one(&mut *write).await.map_err(fault("read the signing secret"))?;
        write.commit().await.map_err(fault("keep the signing secret"))?;
        (kept.len() >= 32).then_some(kept).ok_or_else(|| damaged("the signing secret is cut"))
    }

    /// All users, by name.
    pub async fn users(&self) -> Result<Vec<User>, Error> {
        let rows = sqlx::query("SELECT * FROM users ORDER BY name").fetch_all(&self.readers).await;
        rows.map_err(fault("read the users"))?.iter().map(|row| user(row, "")).collect()
    }

    /// A user by number.
    pub async fn user(&self, id: i64) -> Result<Option<User>, Error> {
        let row =
            sqlx::query("SELECT * FROM users WHERE id = ?1").bind(id).fetch_optional(&self.readers).await;
        row.map_err(fault("read a user"))?.map(|row| user(&row, "")).transpose()
    }

    /// A user by login name, whatever its case.
    pub async fn user_named(&self, name: &str) -> Result<Option<User>, Error> {
        let row =
            sqlx::query("SELECT * FROM users WHERE name = ?1").bind(name).fetch_optional(&self.readers).await;
        row.map_err(fault("read a user"))?.map(|row| user(&row, "")).transpose()
    }

    /// A user by who vouches for them.
    pub async fn user_vouched(&self, issuer: &str, subject: &str) -> Result<Option<User>, Error> {
        let sql = "SELECT * FROM users WHERE issuer = ?1 AND subject = ?2";
        let row = sqlx::query(sql).bind(issuer).bind(subject).fetch_optional(&self.readers).await;
        row.map_err(fault("read a user"))?.map(|row| user(&row, "")).transpose()
    }

    /// Makes a user, whose role is at most `most`, the maker's.
    pub async fn add_user(&self, new: &NewUser, by: &Actor, most: Role, now: Nanos) -> Result<User, Error> {
        if new.role > most {
            let sentence = format!(
                "Nobody can make a user who may do more than they may: {} is no {}.",
                by.name, new.role
            );
            return Err(Error::Unfit(sentence));
        }
        let mut write = self.write().await?;
        let made = insert(&mut write, new, by, now).await?;
        append(&mut write, &by.did(now, "user.made", made.name.clone(), format!("As {}.", made.role)))
            .await?;
        write.commit().await.map_err(fault("make a user"))?;
        Ok(made)
    }

    /// Changes what a user may do or know, and ends all their sessions and API tokens. A role is at most `most`, the changer's. With an
    /// edition, only if the user is that still: who uses a link twice is refused.
    pub async fn change_user(
        &self,
        id: i64,
        edition: Option<i64>,
        change: &Change,
        by: &Actor,
        most: Role,
        now: Nanos,
    ) -> Result<User, Error> {
        let mut write = self.write().await?;
        let before =
            one(&mut write, id).await?.filter(|user| edition.is_none_or(|edition| edition == user.version));
        let Some(before) = before else {
            return Err(Error::Unfit("This was changed or used meanwhile. Look at it again.".into()));
        };
        if edition.is_some() && before.disabled_at.is_some() {
            return Err(Error::Unfit(format!("{} may not sign in any more.", before.name)));
        }
        let (action, detail) = match change {
            Change::Role(role) if *role > most => {
                return Err(Error::Unfit("Nobody can give a role that is above their own.".into()));
            }
            Change::Role(role) => ("user.role", format!("From {} to {role}.", before.role)),
            Change::PasswordByLink(_) => ("user.password", "By a link.".to_owned()),
            Change::Password(_) => ("user.password", String::new()),
            Change::Disabled => ("user.disabled", String::new()),
            Change::Enabled => ("user.enabled", String::new()),
        };
        let query = match change {
            Change::Role(role) => {
                sqlx::query("UPDATE users SET version = version + 1, role = ?2 WHERE id = ?1")
                    .bind(id)
                    .bind(role.name())
            }
            Change::Password(hash) | Change::PasswordByLink(hash) => {
                sqlx::query("UPDATE users SET version = version + 1, password = ?2 WHERE id = ?1")
                    .bind(id)
                    .bind(hash)
            }
            Change::Disabled => {
                sqlx::query("UPDATE users SET version = version + 1, disabled_at = ?2 WHERE id = ?1")
                    .bind(id)
                    .bind(now)
            }
            Change::Enabled => {
                sqlx::query("UPDATE users SET version = version + 1, disabled_at = NULL WHERE id = ?1")
                    .bind(id)
            }
        };
        query.execute(&mut *write).await.map_err(fault("change a user"))?;
        let admins =
            sqlx::query_scalar("SELECT COUNT(*) FROM users WHERE role = 'admin' AND disabled_at IS NULL");
        let admins: i64 = admins.fetch_one(&mut *write).await.map_err(fault("count the admins"))?;
        if admins == 0 && before.role == Role::Admin {
            return Err(Error::Unfit("This is the last admin; make another one first.".into()));
        }
        let end = sqlx::query("DELETE FROM sessions WHERE user = ?1").bind(id);
        end.execute(&mut *write).await.map_err(fault("end sessions"))?;
        let tokens =
            sqlx::query("UPDATE api_tokens SET revoked_at = ?2 WHERE user = ?1 AND revoked_at IS NULL");
        let tokens = tokens.bind(id).bind(now).execute(&mut *write).await;
        let detail = match tokens.map_err(fault("end tokens"))?.rows_affected() {
            0 => detail,
            1 => format!("{detail} An API token has ended."),
            ended => format!("{detail} {ended} API tokens have ended."),
        };
        append(&mut write, &by.did(now, action, before.name.clone(), detail.trim().to_owned())).await?;
        let after = one(&mut write, id).await?.ok_or_else(|| damaged("a user vanished"))?;
        write.commit().await.map_err(fault("change a user"))?;
        Ok(after)
    }

    /// Writes an entry of the audit log that belongs to no change here.
    pub async fn note(&self, entry: &Entry) -> Result<(), Error> {
        let mut write = self.write().await?;
        append(&mut write, entry).await?;
        write.commit().await.map_err(fault("write the audit log"))
    }

    /// Offers to make the first admin to whoever has the secret; an earlier offer ends.
    pub async fn offer_setup(
        &self,
        hash: &Hash,
        expires_at: Nanos,
        tries: i64,
        entry: &Entry,
    ) -> Result<(), Error> {
        let mut write = self.write().await?;
        if has_users(&mut write).await? {
            return Err(Error::Unfit("There is a user already, who can make others.".into()));
        }
        let sql =
            "INSERT OR REPLACE INTO setup (id, hash, expires_at, tries_left) VALUES ('setup', ?1, ?2, ?3)";
        let offer = sqlx::query(sql).bind(hash.as_slice()).bind(expires_at).bind(tries);
        offer.execute(&mut *write).await.map_err(fault("offer the setup"))?;
        append(&mut write, entry).await?;
        write.commit().await.map_err(fault("offer the setup"))
    }

    /// Whether the first admin can be made by a link now.
    pub async fn is_setup_open(&self, now: Nanos) -> Result<bool, Error> {
        let sql = "SELECT NOT EXISTS (SELECT 1 FROM users) \
             AND EXISTS (SELECT 1 FROM setup WHERE expires_at > ?1 AND tries_left > 0)";
        let open = sqlx::query_scalar(sql).bind(now).fetch_one(&self.readers).await;
        open.map_err(fault("look for the setup"))
    }

    /// Whether the secret is the one of the setup. A wrong one is a try less.
    pub async fn try_setup(&self, hash: &Hash, now: Nanos) -> Result<bool, Error> {
        let mut write = self.write().await?;
        let right = take_try(&mut write, hash, now).await?;
        write.commit().await.map_err(fault("try the setup"))?;
        Ok(right)
    }

    /// Makes the first admin. None for a wrong secret, and when there is a user meanwhile: of many who come at once, one
    /// is the first.
    pub async fn set_up(
        &self,
        hash: &Hash,
        new: &NewUser,
        address: &str,
        now: Nanos,
    ) -> Result<Option<User>, Error> {
        let mut write = self.write().await?;
        if has_users(&mut write).await? || !take_try(&mut write, hash, now).await? {
            write.commit().await.map_err(fault("try the setup"))?;
            return Ok(None);
        }
        let by = Actor { name: new.name.clone(), address: address.into() };
        let made = insert(&mut write, &NewUser { role: Role::Admin, ..new.clone() }, &by, now).await?;
        sqlx::query("DELETE FROM setup").execute(&mut *write).await.map_err(fault("end the setup"))?;
        append(
            &mut write,
            &by.did(now, "user.made", made.name.clone(), "The first admin, by the setup link.".into()),
        )
        .await?;
        write.commit().await.map_err(fault("set up"))?;
        Ok(Some(made))
    }

    /// A write transaction, alone from its first statement on.
    pub(super) async fn write(&self) -> Result<Transaction<'static, Sqlite>, Error> {
        self.writer.begin_with("BEGIN IMMEDIATE").await.map_err(fault("begin a write"))
    }
}

async fn has_users(write: &mut SqliteConnection) -> Result<bool, Error> {
    let any = sqlx::query_scalar("SELECT EXISTS (SELECT 1 FROM users)").fetch_one(write).await;
    any.map_err(fault("look for users"))
}

async fn take_try(write: &mut SqliteConnection, hash: &Hash, now: Nanos) -> Result<bool, Error> {
    let sql = "SELECT hash FROM setup WHERE expires_at > ?1 AND tries_left > 0";
    let offered: Option<Vec<u8>> = sqlx::query_scalar(sql)
        .bind(now)
        .fetch_optional(&mut *write)
        .await
        .map_err(fault("try the setup"))?;
    let Some(offered) = offered else { return Ok(false) };
    // Of hashes, so that what a comparison takes says nothing of the secret.
    if offered == hash.as_slice() {
        return Ok(true);
    }
    let less = sqlx::query("UPDATE setup SET tries_left = tries_left - 1");
    less.execute(write).await.map_err(fault("try the setup"))?;
    Ok(false)
}

async fn insert(write: &mut SqliteConnection, new: &NewUser, by: &Actor, now: Nanos) -> Result<User, Error> {
    let taken = sqlx::query_scalar("SELECT EXISTS (SELECT 1 FROM users WHERE name = ?1)").bind(&new.name);
    if taken.fetch_one(&mut *write).await.map_err(fault("look for a user"))? {
        return Err(Error::Unfit(format!("There is a user named {} already.", new.name)));
    }
    let (issuer, subject) = new.vouched.clone().unzip();
    let row = sqlx::query(
        "INSERT INTO users (name, display, role, password, issuer, subject, made_at, made_by) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) RETURNING *",
    )
    .bind(&new.name)
    .bind(&new.display)
    .bind(new.role.name())
    .bind(&new.password)
    .bind(issuer)
    .bind(subject)
    .bind(now)
    .bind(&by.name)
    .fetch_one(write)
    .await
    .map_err(fault("make a user"))?;
    user(&row, "")
}

async fn one(write: &mut SqliteConnection, id: i64) -> Result<Option<User>, Error> {
    let row = sqlx::query("SELECT * FROM users WHERE id = ?1").bind(id).fetch_optional(write).await;
    row.map_err(fault("read a user"))?.map(|row| user(&row, "")).transpose()
}

/// A user from a row; `of` goes before the names of the columns, where two tables are read at once.
pub(super) fn user(row: &SqliteRow, of: &str) -> Result<User, Error> {
    let column = |name: &str| format!("{of}{name}");
    let read = || -> Result<(User, String), sqlx::Error> {
        let issuer: Option<String> = row.try_get(&*column("issuer"))?;
        let user = User {
            id: row.try_get(&*column("id"))?,
            name: row.try_get(&*column("name"))?,
            display: row.try_get(&*column("display"))?,
            role: Role::Viewer,
            password: row.try_get(&*column("password"))?,
            vouched: issuer.zip(row.try_get(&*column("subject"))?),
            version: row.try_get(&*column("version"))?,
            made_at: row.try_get(&*column("made_at"))?,
            made_by: row.try_get(&*column("made_by"))?,
            disabled_at: row.try_get(&*column("disabled_at"))?,
        };
        Ok((user, row.try_get(&*column("role"))?))
    };
    let (user, role) = read().map_err(fault("read a user"))?;
    Ok(User { role: parsed(&role)?, ..user })
}

/// A role by its name.
pub(super) fn parsed(role: &str) -> Result<Role, Error> {
    role.parse().map_err(|said: String| damaged(said.trim_end_matches('.')))
}
