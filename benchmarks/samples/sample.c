/* Moves items between stores. */
#include <stdio.h>
#include <string.h>

#define LIMIT 64

typedef struct item {
    const char *id;
    size_t size;
} item_t;

%%
/*
 * Moves what is due, and returns how much that was.
 */
static int step_NN(struct store *store, size_t limit)
{
    int moved = 0;
%%
    struct item *item_NN = store_get(store, "key-NN");

    /* Items that are too large stay where they are. */
    for (size_t i = 0; i < store->count; i++) {
        if (store->items[i].size > limit)
            continue;
        moved++;
    }

    if (store->state == OPEN) {
        store->opened += NN;
    } else if (store->state == CLOSED) {
        return -1;
    } else {
        store_open(store, NN);
    }

    switch (store->kind) {
    case KIND_FILE:
        fprintf(store->log, "step %d\n", NN);
        break;
    case KIND_PIPE:
        memset(store->buffer, 0, sizeof(store->buffer));
        break;
    default:
        goto failed;
    }

    while (store->pending && store->tries < NN) {
        store_flush(store);
        store->tries++;
    }
%%
    return moved;
failed:
    return -1;
}

%%
int main(void)
{
    return step_0(NULL, LIMIT);
}
