//! The disk fails under the running server, and comes back: what is answered meanwhile, what goes on, what the
//! dashboard says, and that nothing acknowledged is lost or counted twice.

use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::support::disk::Faults;
use crate::support::home::Home;
use crate::support::ledger::Ledger;
use crate::support::server::Server;
use crate::support::{SOON, faulty, story, wait_until};

/// What the server says is wrong; waits until something is.
fn trouble(server: &Server) -> String {
    let sentence = wait_until("a trouble on the dashboard", SOON, || {
        let system = server.json("/api/v1/system");
        Some(system["troubles"].as_array()?.first()?["sentence"].as_str()?.to_owned())
    });
    for page in ["/", "/system"] {
        let html = server.get(page).text();
        assert!(html.contains("<p class=\"banner warn\" role=\"status\"><b>Since "), "no banner on {page}");
    }
    sentence
}

/// Waits until nothing is wrong, with no request's help.
fn well(server: &Server) {
    wait_until("no trouble on the dashboard", SOON, || {
        let system = server.json("/api/v1/system");
        system["troubles"].as_array().expect("a list").is_empty().then_some(())
    });
    assert!(!server.get("/").text().contains("<b>Since "), "a banner stays");
}

/// After an orderly stop everything agrees.
fn agrees(home: &Home, mut server: Server, ledger: &mut Ledger) {
    ledger.settle(&server);
    server.signal("TERM");
    assert!(server.wait(SOON).success());
    ledger.agrees(&faulty::audit(home));
}

/// Nothing can be taken while the inbox cannot write; all else goes on.
#[test]
fn while_the_inbox_cannot_write_senders_are_told_to_come_again() {
    for fault in ["write /inbox/ ENOSPC", "sync /inbox/ EIO", "write /inbox/ EROFS\ncreate /inbox/ EROFS"] {
        let home = Home::new();
        let faults = Faults::new(&home);
        let server = faults.start(&home);
        let mut ledger = Ledger::new("shop", "a");
        assert_eq!(ledger.send_new(&server, 10), Some(200), "{fault}");
        faults.set(fault);
        for _ in 0..20 {
            assert_eq!(ledger.send_new(&server, 3), Some(503), "{fault}");
        }
        let sentence = trouble(&server);
        assert!(sentence.contains("Nothing new is taken in"), "{fault}: {sentence}");
        assert_eq!(server.get("/readyz").status, 503, "{fault}");
        // What was taken is counted and kept meanwhile.
        server.counted("shop", &ledger.endpoint, 10);
        faults.set("");
        well(&server);
        assert_eq!(server.get("/readyz").status, 200, "{fault}");
        assert_eq!(ledger.send_new(&server, 7), Some(200), "{fault}");
        let said = server.said();
        assert_eq!(said.matches("the inbox takes nothing").count(), 1, "{fault}: said once:\n{said}");
        agrees(&home, server, &mut ledger);
    }
}

/// Somebody moves the folder away, and back.
#[test]
fn an_inbox_whose_folder_is_gone_is_said_and_comes_back() {
    let home = Home::new();
    let server = home.start();
    let (inbox, away) = (home.data().join("inbox"), home.data().join("away"));
    std::fs::rename(&inbox, &away).expect("a folder can be moved");
    let mut ledger = Ledger::new("shop", "a");
    assert_eq!(ledger.send_new(&server, 5), Some(503));
    assert!(trouble(&server).contains("No such file"));
    assert_eq!(server.get("/readyz").status, 503);
    std::fs::rename(&away, &inbox).expect("a folder can be moved");
    well(&server);
    assert_eq!(server.get("/readyz").status, 200);
    agrees(&home, server, &mut ledger);
}

/// Requests are acknowledged as long as the inbox writes; what the store could not take is there once it can.
#[test]
fn while_segments_or_catalog_cannot_write_requests_are_still_acknowledged() {
    for fault in [
        "write /segments/ ENOSPC",
        "create /segments/ EROFS",
        "sync /segments/ EIO",
        "write catalog.db ENOSPC",
        "write catalog.db EROFS",
        "write catalog.db EIO",
        "sync catalog.db EIO",
    ] {
        let home = Home::new();
        let faults = Faults::new(&home);
        let server = faults.start(&home);
        let mut ledger = Ledger::new("shop", "a");
        assert_eq!(ledger.send_new(&server, 10), Some(200), "{fault}");
        server.counted("shop", &ledger.endpoint, 10);
        faults.set(fault);
        assert_eq!(ledger.send_new(&server, 5), Some(200), "{fault}");
        let sentence = trouble(&server);
        assert!(sentence.contains("Requests are still acknowledged"), "{fault}: {sentence}");
        assert_eq!(server.get("/readyz").status, 200, "{fault}");
        assert_eq!(ledger.send_new(&server, 5), Some(200), "{fault}");
        server.counted("shop", &ledger.endpoint, 20);
        faults.set("");
        well(&server);
        assert_eq!(ledger.send_new(&server, 7), Some(200), "{fault}");
        println!("disk: {fault}: {sentence}");
        agrees(&home, server, &mut ledger);
    }
}

/// A full disk is not made fuller: what the failed flush wrote is used by the next.
#[test]
fn while_the_catalog_cannot_write_segments_do_not_pile_up() {
    let home = Home::new();
    let faults = Faults::new(&home);
    let server = faults.start(&home);
    let mut ledger = Ledger::new("shop", "a");
    faults.set("write catalog.db ENOSPC");
    assert_eq!(ledger.send_new(&server, 10), Some(200));
    wait_until("the third failed flush", SOON, || {
        let system = server.json("/api/v1/system");
        (system["counters"]["flush_failures"].as_u64()? >= 3).then_some(())
    });
    assert_eq!(segments(&home.data().join("segments/l0/spans")), 1);
    faults.set("");
    well(&server);
    agrees(&home, server, &mut ledger);
}

fn segments(folder: &Path) -> usize {
    let entries = std::fs::read_dir(folder).expect("the folder can be read");
    let paths = entries.map(|entry| entry.expect("the folder can be read").path());
    paths.map(|path| if path.is_dir() { segments(&path) } else { 1 }).sum()
}

/// The process ends while the disk fails: by a signal in time, or by SIGKILL. The next one has everything.
#[test]
fn a_server_that_ends_while_the_disk_fails_loses_nothing() {
    for signal in ["TERM", "KILL"] {
        for fault in [
            "write catalog.db ENOSPC",
            "sync catalog.db EIO",
            "write /segments/ ENOSPC\nwrite catalog.db EIO",
        ] {
            let home = Home::new();
            let faults = Faults::new(&home);
            let mut server = faults.start(&home);
            let mut ledger = Ledger::new("shop", "a");
            assert_eq!(ledger.send_new(&server, 10), Some(200));
            faults.set(fault);
            assert_eq!(ledger.send_new(&server, 10), Some(200));
            trouble(&server);
            assert_eq!(ledger.send_new(&server, 10), Some(200));
            server.signal(signal);
            let ended = server.wait(SOON);
            assert!(ended.success() || ended.signal() == Some(9), "{signal} {fault}: {ended:?}");
            faults.set("");
            let server = home.start();
            ledger.check(&server);
            agrees(&home, server, &mut ledger);
        }
    }
}

/// A second for each sync, of everything: slow, and right.
#[test]
fn a_slow_disk_only_slows() {
    let home = Home::new();
    let faults = Faults::new(&home);
    let server = faults.start(&home);
    faults.set("sync / 1000");
    let ledgers = Ledger::several("shop", 8);
    std::thread::scope(|scope| {
        for ledger in &ledgers {
            scope.spawn(|| {
                let mut ledger = ledger.lock().expect("one sender a ledger");
                for _ in 0..3 {
                    assert_eq!(ledger.send_new(&server, 5), Some(200));
                }
            });
        }
        // The dashboard answers meanwhile.
        assert_eq!(server.get("/").status, 200);
        assert_eq!(server.get("/readyz").status, 200);
    });
    for ledger in &ledgers {
        ledger.lock().expect("no sender panicked").settle(&server);
    }
    well(&server);
    let mut server = server;
    server.signal("TERM");
    assert!(server.wait(SOON).success());
    let audit = faulty::audit(&home);
    ledgers.iter().for_each(|ledger| ledger.lock().expect("no sender panicked").agrees(&audit));
}

/// Rules are judged and mails go out of what is kept, while nothing new can be taken.
#[test]
fn alerts_go_on_while_the_inbox_cannot_write() {
    let home = story::quick_home();
    let faults = Faults::new(&home);
    let mut ledger = Ledger::new("shop", "a").answered(500);
    let server = faulty::start(&home, &[]).expect("nothing ends it");
    assert_eq!(ledger.send_new(&server, 30), Some(200));
    drop(server);
    faults.set("create /inbox/ ENOSPC");
    // Two minutes later on its clock those calls are judged.
    let server = Server::run(faults.around(&mut faulty::serve(&home, &["--ahead", "120"])))
        .unwrap_or_else(|(status, said)| panic!("{status:?}\n{said}"));
    assert_eq!(ledger.send_new(&server, 5), Some(503));
    wait_until("a mail", SOON, || {
        let mut files = std::fs::read_dir(home.data().join("mail")).ok()?.flatten();
        files.any(|file| file.file_name().to_string_lossy().contains("-fired-")).then_some(())
    });
    assert!(trouble(&server).contains("Nothing new is taken in"));
    faults.set("");
    well(&server);
    ledger.settle(&server);
}

/// A small file system of its own, unmounted when dropped.
struct Small(PathBuf);

impl Small {
    /// None where this user may not mount.
    fn mount(folder: &Path, megabytes: u32) -> Option<Small> {
        std::fs::create_dir_all(folder).expect("a folder can be made");
        let size = format!("size={megabytes}m,mode=0700");
        let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", &size, "tmpfs"]).arg(folder).output();
        mounted.is_ok_and(|mounted| mounted.status.success()).then(|| Small(folder.to_owned()))
    }

    fn remount(&self, how: &str) {
        let done = Command::new("mount").args(["-o", &format!("remount,{how}")]).arg(&self.0).status();
        assert!(done.is_ok_and(|status| status.success()), "remount,{how}");
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        // Lazily: a server that a failing test leaves may still be on it.
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

/// The same on a real file system: filled by something else, and freed again; three times.
#[test]
fn a_real_disk_fills_and_is_freed() {
    let home = Home::new();
    let Some(_small) = Small::mount(home.data(), 24) else {
        println!("disk: SKIPPED: this user may not mount a tmpfs, so no real disk was filled");
        return;
    };
    let server = home.start();
    let mut ledger = Ledger::new("shop", "a");
    assert_eq!(ledger.send_new(&server, 30), Some(200));
    for round in 0..3 {
        let ballast = home.data().join("ballast");
        fill(&ballast);
        wait_until("a refusal", SOON, || (ledger.send_new(&server, 30)? == 503).then_some(()));
        println!("disk: round {round}: {}", trouble(&server));
        std::fs::remove_file(&ballast).expect("the ballast can go");
        well(&server);
        ledger.settle(&server);
    }
    // Full once more, and killed: the next one waits for room, or starts, but loses nothing.
    let ballast = home.data().join("ballast");
    fill(&ballast);
    wait_until("a refusal", SOON, || (ledger.send_new(&server, 30)? == 503).then_some(()));
    server.signal("KILL");
    drop(server);
    std::fs::remove_file(&ballast).expect("the ballast can go");
    let server = home.start();
    ledger.check(&server);
    agrees(&home, server, &mut ledger);
}

/// Read-only, as the kernel makes a file system with errors.
#[test]
fn a_real_disk_that_becomes_read_only_and_writable_again() {
    let home = Home::new();
    let Some(small) = Small::mount(home.data(), 24) else {
        println!("disk: SKIPPED: this user may not mount a tmpfs, so none became read-only");
        return;
    };
    let faults = Faults::new(&home);
    let server = faults.start(&home);
    let mut ledger = Ledger::new("shop", "a");
    assert_eq!(ledger.send_new(&server, 30), Some(200));
    // The kernel refuses to remount while files are open for writing, so they are refused one by one.
    faults.set("write /data/ EROFS\ncreate /data/ EROFS\nremove /data/ EROFS");
    assert_eq!(ledger.send_new(&server, 30), Some(503));
    trouble(&server);
    server.signal("KILL");
    drop(server);
    small.remount("ro");
    let (_, said) =
        Server::run(&mut crate::support::server::serve(&home)).err().expect("nothing can be written");
    assert!(said.contains("Read-only"), "{said}");
    small.remount("rw");
    let server = home.start();
    ledger.check(&server);
    agrees(&home, server, &mut ledger);
}

/// Takes all the room that is left.
fn fill(ballast: &Path) {
    use std::io::Write;
    let mut file = std::fs::File::create(ballast).expect("a file can be made");
    for size in [1 << 20, 1 << 12, 1 << 8] {
        while file.write_all(&vec![0; size]).is_ok() {}
    }
}
