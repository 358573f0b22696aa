//! The requests that have no answer yet, and the locations that wait for it.

use crate::batch::answer::KeyInfo;
use crate::batch::entry::Location;
use crate::batch::known::Fingerprint;
use std::collections::HashMap;

/// The number of distinct requests that are read ahead, to alternate between accounts.
const MAX_REQUESTS: usize = 1_024;

/// The number of locations that are read ahead: a list may repeat one request a million times.
const MAX_LOCATIONS: usize = 64 * 1_024;

/// The requests without an answer.
#[derive(Default)]
pub(super) struct WaitingRequests {
    requests: HashMap<Fingerprint, (KeyInfo, Vec<Location>)>,
    /// The number of all locations.
    locations: usize,
}

impl WaitingRequests {
    pub fn is_empty(&self) -> bool {
        self.requests.is_empty()
    }

    /// Whether further entries may be read.
    pub fn has_room(&self) -> bool {
        self.requests.len() < MAX_REQUESTS && self.locations < MAX_LOCATIONS
    }

    /// Adds a request.
    pub fn insert(&mut self, id: Fingerprint, key: KeyInfo, location: Location) {
        self.requests.insert(id, (key, vec![location]));
        self.locations += 1;
    }

    /// Adds a location to a request that waits. Returns the location if there is no such request.
    pub fn join(&mut self, id: &Fingerprint, location: Location) -> Option<Location> {
        let Some((_, locations)) = self.requests.get_mut(id) else { return Some(location) };
        locations.push(location);
        self.locations += 1;
        None
    }

    /// Removes a request. Returns its key and its locations.
    pub fn remove(&mut self, id: &Fingerprint) -> Option<(KeyInfo, Vec<Location>)> {
        let (key, locations) = self.requests.remove(id)?;
        self.locations -= locations.len();
        Some((key, locations))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_of_one_request_is_not_read_ahead_without_limit() {
        let (mut waiting, id, location) =
            (WaitingRequests::default(), Fingerprint::default(), Location::line(0, 1));
        waiting.insert(id, KeyInfo::none(), location.clone());
        while waiting.has_room() {
            assert!(waiting.join(&id, location.clone()).is_none());
        }
        assert_eq!(waiting.remove(&id).unwrap().1.len(), MAX_LOCATIONS);
        assert!(waiting.has_room() && waiting.is_empty());
    }

    #[test]
    fn a_limited_number_of_requests_is_read_ahead() {
        let mut waiting = WaitingRequests::default();
        for number in 0..MAX_REQUESTS {
            assert!(waiting.has_room());
            let mut id = Fingerprint::default();
            id[..8].copy_from_slice(&number.to_be_bytes());
            assert!(waiting.join(&id, Location::line(0, 1)).is_some());
            waiting.insert(id, KeyInfo::none(), Location::line(0, 1));
        }
        assert!(!waiting.has_room());
    }
}
