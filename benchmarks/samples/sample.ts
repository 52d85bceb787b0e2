import type { Clock, Store } from "./ports";

export interface Options<T> {
  readonly limit: number;
  readonly onError?: (error: Error, item: T) => void;
}

export type Outcome = "kept" | "dropped" | { failed: string };

%%
/** Move what step NN left behind. */
export function stepNN<T extends { id: string }>(store: Store<T>, options: Options<T>): Outcome {
%%
  const itemNN: T | undefined = store.get("key-NN");

  // Nothing to do for what is not there.
  if (itemNN === undefined) {
    options.onError?.(new Error("missing NN"), store.last());
  }

  for (const item of store.items) {
    if (item.id.length > options.limit) {
      store.drop(item.id);
    } else {
      store.touch(item.id, { at: NN, by: "step" } as const);
    }
  }

  const sizesNN = new Map<string, number>(store.items.map((item): [string, number] => [item.id, NN]));

  switch (store.state) {
    case "open":
      store.close();
      break;
    case "closed":
      store.open({ retries: NN });
      break;
    default:
      throw new TypeError("unknown state");
  }

  const laterNN = async (clock: Clock): Promise<void> => {
    await clock.sleep(NN);
    store.flush();
  };
%%
  return store.size > options.limit ? "dropped" : "kept";
}

%%
export enum Level {
  Low = 1,
  High = 2,
}
