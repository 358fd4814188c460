// What conv_walk and im2col_walk share: a convolution, its controls, and the grids of its image and output.

import { cellLook, convolve, imageLook, leastPadding, nearest, readAlong, shadesOf } from "./arithmetic.js";
import { choice, grid, number } from "./live_figure.js";

// The most channels that are shown at once.
export const SHOWN = 3;

// `at` is the place in the output; `changed` is called when the filter, the padding or the stride changes.
export function convolution(model, at, changed) {
  const [x, filters, bias] = ["x", "weight", "bias"].map((key) => model.get(key));
  const [high, wide] = [filters[0][0].length, filters[0][0][0].length];
  const walk = { x, filters, bias, high, wide, filter: 0 };
  for (const key of ["padding", "stride", "biased"]) walk[key] = model.get(key);

  const set = (key) => (value) => {
    walk[key] = value;
    walk.compute();
  };
  const names = filters.map((_, f) => `${f}`);
  const paddings = { min: leastPadding(x, high, wide), max: Math.max(3, walk.padding), value: walk.padding };
  const strides = { min: 1, max: Math.max(4, walk.stride), value: walk.stride };
  walk.controls = [
    choice("Filter", names, 0, set("filter")).row,
    number("Padding", paddings, set("padding")).row,
    number("Stride", strides, set("stride")).row,
  ].slice(filters.length > 1 ? 0 : 1);
  walk.output = grid("", (i, j) => at.go(i * walk.columns + j));

  walk.image = () =>
    grid("", (i, j) => {
      const row = nearest(i, high, walk.stride, walk.rows);
      at.go(row * walk.columns + nearest(j, wide, walk.stride, walk.columns));
    });

  walk.compute = () => {
    const { filter: f, padding: p, stride: s } = walk;
    walk.map = convolve(x, filters[f], bias[f], p, s);
    [walk.rows, walk.columns] = [walk.map.length, walk.map[0].length];
    walk.read = {
      rows: readAlong(x[0].length, high, p, s),
      columns: readAlong(x[0][0].length, wide, p, s),
    };
    walk.shades = shadesOf(x, x[0][0].length + 2 * p);
    walk.outShades = shadesOf([walk.map], walk.columns);
    at.shape(walk.rows, walk.columns);
    changed();
  };

  // Finds the window and paints the output.
  walk.move = () => {
    const { map, filter, padding: p, stride: s } = walk;
    [walk.row, walk.column] = [Math.floor(at.value / walk.columns), at.value % walk.columns];
    [walk.top, walk.left] = [walk.row * s - p, walk.column * s - p];
    walk.output.caption.textContent = `output[${filter}], ${walk.rows}×${walk.columns}`;
    walk.output.element.classList.toggle("cl-small", Boolean(walk.outShades));
    walk.output.paint(walk.rows, walk.columns, (i, j) =>
      cellLook(map[i][j], i === walk.row && j === walk.column ? "at" : "", walk.outShades),
    );
  };

  walk.paintImage = (table, channel, look = imageLook(x[channel], walk)) => {
    const { padding: p } = walk;
    table.caption.textContent = `x[${channel}]${p ? `, padded by ${p}` : ""}`;
    table.element.classList.toggle("cl-small", Boolean(walk.shades));
    table.paint(x[channel].length + 2 * p, x[channel][0].length + 2 * p, look);
  };

  return walk;
}
