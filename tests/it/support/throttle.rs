//! A process that gets only a share of its time: stopped and continued many times a second. It needs no rights and no
//! control group, so it is the same on every machine.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

/// It runs for a quarter of the time, so on two cores it has half of one at most.
const RUNS: Duration = Duration::from_millis(20);
const STANDS: Duration = Duration::from_millis(60);

pub struct Throttle {
    end: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Throttle {
    /// Holds a process back until this is dropped.
    pub fn hold(pid: u32) -> Throttle {
        let end = Arc::new(AtomicBool::new(false));
        let ended = end.clone();
        let pid = Pid::from_raw(i32::try_from(pid).expect("a pid is an i32")).expect("a pid is not 0");
        let thread = std::thread::spawn(move || {
            while !ended.load(Ordering::Relaxed) {
                // One that has ended takes no signals, which its own test will notice.
                let _ = kill_process(pid, Signal::STOP);
                std::thread::sleep(STANDS);
                let _ = kill_process(pid, Signal::CONT);
                std::thread::sleep(RUNS);
            }
        });
        Throttle { end, thread: Some(thread) }
    }
}

impl Drop for Throttle {
    fn drop(&mut self) {
        self.end.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
