#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| seamwatch_fuzz::targets::next_page(data));
