/** One line of a basket. */
export interface Line {
  sku: string;
  pieces: number;
}

export type Reservation = { sku: string; pieces: number; until: Date };

/** Reserve every line or none of them: a customer is never charged for half an order. */
export function reserve(basket: Line[], stock: Map<string, number>, minutes = 15): Reservation[] {
  const short = basket.filter((line) => (stock.get(line.sku) ?? 0) < line.pieces);
  if (short.length > 0) {
    throw new Error(`not enough stock for ${short.map((line) => line.sku).join(", ")}`);
  }
  const until = new Date(Date.now() + minutes * 60_000);
  return basket.map((line) => {
    stock.set(line.sku, stock.get(line.sku)! - line.pieces);
    return { ...line, until };
  });
}
