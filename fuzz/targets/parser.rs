//! The YAML parser underneath panics on some broken documents. The language knows: it catches
//! that and tells a fault. The fuzzer would end at any panic, caught or not.

use std::panic;

/// Lets panics of the parser pass to where they are caught. All others stay faults.
pub fn tolerate_the_parser() {
    let fault = panic::take_hook();
    panic::set_hook(Box::new(move |info| {
        let place = info.location().map_or("", |place| place.file());
        if !place.contains("libyaml-safer") {
            fault(info);
        }
    }));
}
