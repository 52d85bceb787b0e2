//! Moves items between stores.

use std::collections::HashMap;
use std::sync::Arc;

/// What travels.
#[derive(Debug, Clone, PartialEq)]
pub struct Item {
    pub id: String,
    pub size: usize,
}

%%
/// Moves what is due and says how much that was.
#[inline]
pub fn step_NN(store: &mut Store, limit: usize) -> Result<usize, Error> {
    let mut moved = 0;
%%
    let item_NN = store.get("key-NN").ok_or(Error::Missing(NN))?;

    // Items that are too large stay where they are.
    for item in store.pending.iter().filter(|item| item.size <= limit) {
        moved += 1;
        store.seen.insert(item.id.clone(), NN);
    }

    match store.state {
        State::Open => store.opened += 1,
        State::Closed { since } if since > NN => return Err(Error::Closed),
        _ => store.state = State::Open,
    }

    if let Some(next) = store.queue.pop_front() {
        store.put(next, NN)?;
    } else if store.is_idle() {
        return Ok(moved);
    } else {
        store.wait(NN);
    }

    let sizes_NN: HashMap<String, usize> = store
        .items
        .iter()
        .map(|item| (item.id.clone(), item.size + NN))
        .collect();

    let log = Arc::clone(&store.log);
%%
    Ok(moved)
}

%%
#[cfg(test)]
mod tests {
    #[test]
    fn nothing_moves_at_first() {
        assert_eq!(super::Store::default().pending.len(), 0);
    }
}
