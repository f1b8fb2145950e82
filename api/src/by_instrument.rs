//! What there is one of for each instrument.

use parking_lot::RwLock;

use shardbook_engine::id::InstrumentId;

/// One `T` for each instrument, found by its number: no hashing on an order's way. Numbers are
/// given out one after another, so that there are no holes to speak of.
#[derive(Debug)]
pub struct ByInstrument<T>(RwLock<Vec<Option<T>>>);

impl<T> Default for ByInstrument<T> {
    fn default() -> Self {
        Self(RwLock::default())
    }
}

impl<T> ByInstrument<T> {
    /// What `look` makes of the instrument's; `None` while there is none. Others can look at the
    /// same time, but nothing can be inserted: it must be quick.
    pub fn with<R>(&self, instrument: InstrumentId, look: impl FnOnce(&T) -> R) -> Option<R> {
        self.0.read().get(place_of(instrument))?.as_ref().map(look)
    }

    /// Sets the instrument's.
    pub fn insert(&self, instrument: InstrumentId, value: T) {
        let place = place_of(instrument);
        let mut all = self.0.write();
        if all.len() <= place {
            all.resize_with(place.saturating_add(1), || None);
        }
        if let Some(own) = all.get_mut(place) {
            *own = Some(value);
        }
    }
}

fn place_of(instrument: InstrumentId) -> usize {
    usize::try_from(instrument.get()).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_instrument_has_its_own_and_one_without_has_none() {
        let [first, second, third] = [0, 1, 2].map(InstrumentId::new);
        let all = ByInstrument::default();
        all.insert(third, "third");
        all.insert(first, "once");
        all.insert(first, "first");
        let found = [first, second, third, InstrumentId::new(3)].map(|id| all.with(id, |own| *own));
        assert_eq!(found, [Some("first"), None, Some("third"), None]);
    }
}
