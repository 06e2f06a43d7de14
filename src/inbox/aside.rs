//! Requests that were acknowledged and could not be counted, by a defect of ours: kept beside the inbox, where no
//! watermark deletes them, until a version that can count them is there.
//!
//! Each is a file in the folder `aside`, written as the HTTP request that it was, so that it can be sent again as it
//! lies there: `nc 127.0.0.1 4318 < 00000000000000000042.http`. Secrets are in it as they are in the inbox, and it is
//! encrypted where that is; `seamwatch decrypt` writes what it holds.

use std::io;
use std::path::{Path, PathBuf};

use bytes::Bytes;

use super::Settings;
use super::record::{self, FileHead, Found, Record};
use super::replay::{at, first_of, key_of, path};
use crate::world::files::Files;
use crate::world::seal::Keyring;
use crate::world::sealed;

fn aside(folder: &Path) -> PathBuf {
    folder.join("aside")
}

/// How many lie there.
pub fn count(folder: &Path, files: &dyn Files) -> u64 {
    // No folder is the usual case.
    files.list(&aside(folder)).map_or(0, |found| found.len() as u64)
}

/// Copies the record of a sequence number from the inbox's files; durable when this returns.
pub fn set_aside(settings: &Settings, files: &dyn Files, sequence: u64) -> io::Result<()> {
    let (folder, keyring) = (&*settings.folder, &settings.keyring);
    let record = find(folder, files, keyring, sequence)?;
    let aside = aside(folder);
    files.make_folder(&aside).map_err(at(&aside))?;
    let path = aside.join(sealed::named(format_args!("{sequence:020}.http"), keyring));
    let bytes = sealed::sealed(keyring, message(&record))?;
    // One that a crash left unfinished.
    match files.remove(&path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(at(&path)(error)),
        _ => {}
    }
    let mut file = files.create(&path).map_err(at(&path))?;
    file.append(&bytes).and_then(|()| file.sync()).map_err(at(&path))?;
    files.sync_folder(&aside).map_err(at(&aside))?;
    files.sync_folder(folder).map_err(at(folder))
}

/// The file that holds a sequence number is the last one that starts at or below it.
fn find(folder: &Path, files: &dyn Files, keyring: &Keyring, sequence: u64) -> io::Result<Record> {
    let missing = || io::Error::new(io::ErrorKind::NotFound, format!("no record {sequence} is in the inbox"));
    let listed = files.list(folder).map_err(at(folder))?;
    let firsts = listed.iter().filter_map(|(name, _)| first_of(name)).filter(|first| *first <= sequence);
    let path = path(folder, firsts.max().ok_or_else(missing)?);
    let bytes = Bytes::from(files.read(&path, 0, u64::MAX).map_err(at(&path))?);
    let head = FileHead::decode(&bytes).ok_or_else(missing)?;
    let key = key_of(&head, keyring, &path)?;
    let mut offset = head.length();
    loop {
        match record::find(&bytes, offset, head.salt) {
            Found::Record(record) if record.sequence == sequence => {
                return record.read(key.as_ref()).ok_or_else(missing);
            }
            Found::Record(record) => offset = record.end,
            Found::End | Found::Broken => return Err(missing()),
        }
    }
}

fn message(record: &Record) -> Vec<u8> {
    let mut head = format!(
        "POST {} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n",
        percent_encoded(&record.path)
    );
    for (name, value) in
        [("content-type", &record.content_type), ("content-encoding", &record.content_encoding)]
    {
        if !value.is_empty() {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
    }
    head.push_str(&format!("content-length: {}\r\n\r\n", record.body.len()));
    [head.as_bytes(), &record.body].concat()
}

/// The inbox keeps an integration's name as it reads.
fn percent_encoded(path: &str) -> String {
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"/-._~".contains(byte);
    path.bytes()
        .map(|byte| if plain(&byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") })
        .collect()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::super::Inbox;
    use super::*;
    use crate::world::World;
    use crate::world::files::Disk;

    #[tokio::test]
    async fn a_record_is_kept_as_the_request_that_it_was() {
        let home = tempfile::TempDir::new().unwrap();
        let folder = home.path().join("inbox");
        let (deliver, _delivered) = tokio::sync::mpsc::channel(10);
        let settings = Settings::new(folder.clone());
        let (inbox, _) = Inbox::open(settings.clone(), &World::real(), deliver, 0).unwrap();
        assert_eq!(count(&folder, &Disk), 0);
        for path in ["/v1/traces", "/report/nächtlicher export", "/v1/logs"] {
            let record = Record {
                received_at: 7,
                key_id: 0,
                path: path.to_owned(),
                content_type: "application/json".to_owned(),
                content_encoding: if path == "/v1/logs" { "gzip".to_owned() } else { String::new() },
                body: Bytes::from_static(b"{}\n"),
            };
            inbox.append(record, ()).await.unwrap();
        }
        // While the inbox is open and writes on; a second time after a crash in between.
        for _ in 0..2 {
            set_aside(&settings, &Disk, 2).unwrap();
            set_aside(&settings, &Disk, 3).unwrap();
        }
        assert_eq!(count(&folder, &Disk), 2);
        let path = folder.join("aside/00000000000000000002.http");
        assert_eq!(
            std::fs::read_to_string(&path).unwrap(),
            "POST /report/n%C3%A4chtlicher%20export HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\
             content-type: application/json\r\ncontent-length: 3\r\n\r\n{}\n"
        );
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        let third = std::fs::read_to_string(folder.join("aside/00000000000000000003.http")).unwrap();
        assert!(third.contains("content-encoding: gzip\r\n"), "{third}");
        assert!(set_aside(&settings, &Disk, 4).is_err(), "there is none");
        // The folder is no file of the inbox: a next start reads past it.
        inbox.close().await;
        let (deliver, _delivered) = tokio::sync::mpsc::channel::<(u64, ())>(10);
        let (_, replay) = Inbox::open(Settings::new(folder), &World::real(), deliver, 1).unwrap();
        assert_eq!(replay.map(|item| item.unwrap().0).collect::<Vec<_>>(), [2, 3]);
    }
}
