// One filter moves over the image, window by window.

import {
  bracketed,
  cellLook,
  convolve,
  imageLook,
  leastPadding,
  nearest,
  patch,
  products,
  readAlong,
  shadesOf,
  sizesText,
  total,
} from "./arithmetic.js";
import {
  choice,
  grid,
  make,
  number,
  panel,
  place,
  player,
  sentence,
  short,
  times,
  toolbar,
} from "./live_figure.js";

const SHOWN = 3;

export function render({ model, el }) {
  const [x, filters, bias] = ["x", "weight", "bias"].map((key) => model.get(key));
  const [high, wide] = [filters[0][0].length, filters[0][0][0].length];
  const state = { filter: 0, first: 0, padding: model.get("padding"), stride: model.get("stride") };

  const at = place("Window", update);
  const say = sentence();
  const sizes = make("p", { class: "cl-quiet" });
  const filter = choice(
    "Filter",
    filters.map((_, f) => `${f}`),
    0,
    (value) => change({ filter: value }),
  );
  const padding = number(
    "Padding",
    { min: leastPadding(x, high, wide), max: Math.max(3, state.padding), value: state.padding },
    (value) => change({ padding: value }),
  );
  const stride = number("Stride", { min: 1, max: Math.max(4, state.stride), value: state.stride }, (value) =>
    change({ stride: value }),
  );
  const groups = times(Math.ceil(x.length / SHOWN), (g) => {
    const last = Math.min(x.length, (g + 1) * SHOWN) - 1;
    return last > g * SHOWN ? `${g * SHOWN} to ${last}` : `${last}`;
  });
  const channels = choice("Channels", groups, 0, (value) => change({ first: value * SHOWN }));
  const output = grid("", (i, j) => at.go(i * geometry.columns + j));
  const rows = times(Math.min(SHOWN, x.length), channelRow);
  let geometry;

  function channelRow() {
    const parts = {
      image: grid("", (i, j) =>
        at.go(
          nearest(i, high, state.stride, geometry.rows) * geometry.columns +
            nearest(j, wide, state.stride, geometry.columns),
        ),
      ),
      patch: grid(""),
      filter: grid(""),
      products: grid(""),
      sum: make("span", { class: "cl-sign" }),
    };
    const sign = (text) => make("span", { class: "cl-sign" }, text);
    const pieces = [parts.patch.element, sign("×"), parts.filter.element, sign("="), parts.products.element];
    const work = make("div", { class: "cl-work" }, ...pieces, parts.sum);
    parts.element = make("div", { class: "cl-row-of" }, parts.image.element, work);
    return parts;
  }

  function change(what) {
    Object.assign(state, what);
    const { padding: p, stride: s } = state;
    const map = convolve(x, filters[state.filter], bias[state.filter], p, s);
    geometry = {
      map,
      rows: map.length,
      columns: map[0].length,
      read: {
        rows: readAlong(x[0].length, high, p, s),
        columns: readAlong(x[0][0].length, wide, p, s),
      },
      shades: shadesOf(x, x[0][0].length + 2 * p),
      outShades: shadesOf([map], map[0].length),
    };
    at.shape(geometry.rows, geometry.columns);
    const { read } = geometry;
    const count = (flags) => flags.filter(Boolean).length;
    const pixels = x[0].length * x[0][0].length;
    const unread = pixels - count(read.rows) * count(read.columns);
    const words = unread
      ? ` Hatched: the ${unread} of ${pixels} pixels per channel that are in no window.`
      : "";
    sizes.textContent = `${sizesText(x, high, wide, p, s)}.${words}`;
    update();
  }

  function update() {
    const { padding: p, stride: s } = state;
    const [r, q] = [Math.floor(at.value / geometry.columns), at.value % geometry.columns];
    const [top, left] = [r * s - p, q * s - p];
    const weight = filters[state.filter];
    const part = patch(x, top, left, high, wide);
    const made = products(part, weight);
    const sums = made.map(total);
    rows.forEach((row, slot) => {
      const c = state.first + slot;
      row.element.hidden = c >= x.length;
      if (c >= x.length) return;
      row.image.caption.textContent = `x[${c}]${p ? `, padded by ${p}` : ""}`;
      row.patch.caption.textContent = "window";
      row.filter.caption.textContent = `weight[${state.filter}, ${c}]`;
      row.products.caption.textContent = "products";
      const look = { ...state, ...geometry, high, wide, top, left };
      row.image.element.classList.toggle("cl-small", Boolean(geometry.shades));
      row.image.paint(x[c].length + 2 * p, x[c][0].length + 2 * p, imageLook(x[c], look));
      const inside = (i, j) => x[c][top + i]?.[left + j] !== undefined;
      row.patch.paint(high, wide, (i, j) => cellLook(part[c][i][j], inside(i, j) ? "window" : "pad window"));
      row.filter.paint(high, wide, (i, j) => cellLook(weight[c][i][j], ""));
      row.products.paint(high, wide, (i, j) => cellLook(made[c][i][j], ""));
      row.sum.textContent = `Σ = ${short(sums[c])}`;
    });
    const { map } = geometry;
    output.caption.textContent = `output[${state.filter}], ${map.length}×${map[0].length}`;
    output.element.classList.toggle("cl-small", Boolean(geometry.outShades));
    output.paint(map.length, map[0].length, (i, j) =>
      cellLook(map[i][j], i === r && j === q ? "at" : "", geometry.outShades),
    );
    const ends = [...(sums.length <= 4 ? sums : [sums.reduce((a, b) => a + b)])];
    if (model.get("biased")) ends.push(bias[state.filter]);
    const names = [sums.length > 1 ? `${sums.length} channel sums` : `${high * wide} products`];
    if (model.get("biased")) names.push("bias");
    const sum = ends.length > 1 ? `${ends.map(bracketed).join(" + ")} = ` : "";
    say.textContent =
      `output[${state.filter}, ${r}, ${q}] is the sum of ${names.join(" and ")}: ` +
      `${sum}${short(map[r][q])}`;
  }

  change({});
  const controls = [at.row, player(at, say), padding.row, stride.row];
  if (filters.length > 1) controls.splice(2, 0, filter.row);
  if (groups.length > 1) controls.push(channels.row);
  el.append(
    toolbar(...controls),
    make("div", { class: "cl-row-of" }, panel(...rows.map((row) => row.element)), panel(output.element)),
    say,
    sizes,
  );
}
