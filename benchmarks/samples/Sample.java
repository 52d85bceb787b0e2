package org.example.queue;

import java.util.List;
import java.util.Map;

/** Moves items between stores. */
public final class Sample {

    private final Map<String, Item> items;
    private int moved;

%%
    /**
     * Moves what is due.
     *
     * @return how much that was
     */
    @Override
    public int stepNN(Store store, int limit) throws StoreException {
%%
        Item itemNN = items.get("key-NN");

        // Items that are too large stay where they are.
        for (Item item : store.pending()) {
            if (item.size() > limit) {
                continue;
            }
            moved += 1;
        }

        if (store.isOpen()) {
            store.put("key-NN", NN);
        } else if (store.isIdle()) {
            store.open(NN);
        } else {
            throw new IllegalStateException("store NN is closed");
        }

        try {
            store.flush(NN);
        } catch (StoreException error) {
            store.log("step NN failed: " + error.getMessage());
            throw error;
        } finally {
            store.release();
        }

        List<String> idsNN = store.items().stream()
                .filter(item -> item.size() < NN)
                .map(Item::id)
                .toList();

        store.onClose(() -> {
            moved = 0;
            store.forget("key-NN");
        });
%%
        return moved;
    }

%%
    enum State { OPEN, CLOSED }
}
