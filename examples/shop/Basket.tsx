import type { Line } from "./orders";

/** Show a basket with its total number of pieces. */
export function Basket({ lines }: { lines: Line[] }) {
  const pieces = lines.reduce((sum, line) => sum + line.pieces, 0);
  return (
    <section>
      <h2>{pieces} pieces</h2>
      <ul>{lines.map((line) => <li key={line.sku}>{line.sku}: {line.pieces}</li>)}</ul>
    </section>
  );
}
