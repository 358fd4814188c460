// One filter moves over the image, window by window.

import { bracketed, cellLook, patch, products, sizesText, total } from "./arithmetic.js";
import { convolution, SHOWN } from "./convolution.js";
import { choice, grid, make, panel, place, player, sentence, short, times, toolbar } from "./live_figure.js";

export function render({ model, el }) {
  const at = place("Window", update);
  const walk = convolution(model, at, changed);
  const { x, filters, bias, biased, high, wide } = walk;
  const say = sentence();
  const sizes = make("p", { class: "cl-quiet" });
  let first = 0;
  const groups = times(Math.ceil(x.length / SHOWN), (g) => {
    const last = Math.min(x.length, (g + 1) * SHOWN) - 1;
    return last > g * SHOWN ? `${g * SHOWN} to ${last}` : `${last}`;
  });
  const channels = choice("Channels", groups, 0, (value) => {
    first = value * SHOWN;
    update();
  });
  const rows = times(Math.min(SHOWN, x.length), channelRow);

  function channelRow() {
    const parts = {
      image: walk.image(),
      patch: grid("window"),
      filter: grid(""),
      products: grid("products"),
      sum: make("span", { class: "cl-sign" }),
    };
    const sign = (text) => make("span", { class: "cl-sign" }, text);
    const pieces = [parts.patch.element, sign("×"), parts.filter.element, sign("="), parts.products.element];
    const work = make("div", { class: "cl-work" }, ...pieces, parts.sum);
    parts.element = make("div", { class: "cl-row-of" }, parts.image.element, work);
    return parts;
  }

  function changed() {
    const { padding, stride, read } = walk;
    const count = (flags) => flags.filter(Boolean).length;
    const pixels = x[0].length * x[0][0].length;
    const unread = pixels - count(read.rows) * count(read.columns);
    const words = unread
      ? ` Hatched: the ${unread} of ${pixels} pixels per channel that are in no window.`
      : "";
    sizes.textContent = `${sizesText(x, high, wide, padding, stride)}.${words}`;
    update();
  }

  function update() {
    walk.move();
    const { filter, row: r, column: q, top, left } = walk;
    const weight = filters[filter];
    const part = patch(x, top, left, high, wide);
    const made = products(part, weight);
    const sums = made.map(total);
    rows.forEach((row, slot) => {
      const c = first + slot;
      row.element.hidden = c >= x.length;
      if (c >= x.length) return;
      walk.paintImage(row.image, c);
      row.filter.caption.textContent = `weight[${filter}, ${c}]`;
      const inside = (i, j) => x[c][top + i]?.[left + j] !== undefined;
      row.patch.paint(high, wide, (i, j) => cellLook(part[c][i][j], inside(i, j) ? "patch" : "pad patch"));
      row.filter.paint(high, wide, (i, j) => cellLook(weight[c][i][j], ""));
      row.products.paint(high, wide, (i, j) => cellLook(made[c][i][j], ""));
      row.sum.textContent = `Σ = ${short(sums[c])}`;
    });
    const ends = [...(sums.length <= 4 ? sums : [sums.reduce((a, b) => a + b)])];
    if (biased) ends.push(bias[filter]);
    const names = [sums.length > 1 ? `${sums.length} channel sums` : `${high * wide} products`];
    if (biased) names.push("bias");
    const sum = ends.length > 1 ? `${ends.map(bracketed).join(" + ")} = ` : "";
    say.textContent =
      `output[${filter}, ${r}, ${q}] is the sum of ${names.join(" and ")}: ` +
      `${sum}${short(walk.map[r][q])}`;
  }

  walk.compute();
  const controls = [at.row, player(at, say), ...walk.controls];
  if (groups.length > 1) controls.push(channels.row);
  const images = panel(...rows.map((row) => row.element));
  el.append(
    toolbar(...controls),
    make("div", { class: "cl-row-of" }, images, panel(walk.output.element)),
    say,
    sizes,
  );
}
