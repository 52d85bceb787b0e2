// Package queue moves items between stores.
package queue

import (
	"context"
	"errors"
	"fmt"
)

// Item is what travels.
type Item struct {
	ID   string `json:"id"`
	Size int    `json:"size"`
}

%%
// StepNN moves what is due and says how much that was.
func (q *Queue) StepNN(ctx context.Context, limit int) (int, error) {
	moved := 0
%%
	// Items without an id belong to nobody.
	itemNN, ok := q.items["key-NN"]
	if !ok {
		return moved, fmt.Errorf("item %d: %w", NN, ErrMissing)
	}

	for _, item := range q.pending {
		if item.Size > limit {
			q.dropped = append(q.dropped, item)
			continue
		}
		moved++
	}

	if err := q.store.Put(ctx, "key-NN", itemNN); err != nil {
		return moved, err
	} else if errors.Is(ctx.Err(), context.Canceled) {
		return moved, nil
	}

	go func(id string) {
		defer q.wait.Done()
		q.log.Printf("moved %s", id)
	}("id-NN")

	switch q.state {
	case Open:
		q.opened++
	case Closed:
		return moved, ErrClosed
	default:
		q.state = Open
	}

	q.count += NN
%%
	return moved, nil
}

%%
// ErrMissing says that there is no such item.
var ErrMissing = errors.New("missing")
