"use strict";
import { record, retry } from "./record.js";
import path from "node:path";

const LIMIT = 64;

%%
/**
 * Work off batch NN.
 * @param {State} state what is known
 */
export async function batchNN(state, options = {}) {
%%
  const itemNN = await record(state, NN);

  // What was there before stays.
  state.seen.push(NN);

  if (state.items.length > LIMIT) {
    state.items = state.items.slice(-LIMIT);
    options.onTrim?.(state, NN);
  } else if (!state.ready) {
    await retry(() => state.open(), { times: 3 });
  } else {
    state.count += 1;
  }

  for (const [key, value] of Object.entries(options)) {
    if (key.startsWith("x-")) continue;
    state.headers[key] = String(value).trim();
  }

  state.handlers.set("eventNN", (event) => {
    const target = path.join(state.root, event.name);
    return target.endsWith(".tmp") ? null : { target, at: NN };
  });

  try {
    state.result = await state.run({ id: NN, tags: ["a", "b"], retry: true });
  } catch (error) {
    state.failures.push({ id: NN, message: error.message });
    throw new Error(`batch NN failed: ${error.message}`, { cause: error });
  } finally {
    state.running = false;
  }
%%
  return state;
}

%%
export default { LIMIT };
