// Max and average pooling, where their gradients go, and what changes when the image moves.

import { cellLook, MOST_NUMBERS, shadesOf } from "./arithmetic.js";
import {
  choice,
  clamp,
  grid,
  make,
  number,
  opener,
  place,
  player,
  sentence,
  short,
  tick,
  times,
  toolbar,
} from "./live_figure.js";

// The number of windows along an axis, as PyTorch counts them; the last one must start inside the image.
function poolSize(n, size, stride, ceil) {
  if (!ceil) return Math.floor((n - size) / stride) + 1;
  const outputs = Math.ceil((n - size) / stride) + 1;
  return (outputs - 1) * stride >= n ? outputs - 1 : outputs;
}

// The window of an output cell: where its pixels are, their values, and where the first maximum is.
function poolWindow(plane, r, q, size, stride) {
  const inside = [];
  for (let i = r * stride; i < Math.min(r * stride + size, plane.length); i++) {
    for (let j = q * stride; j < Math.min(q * stride + size, plane[0].length); j++) inside.push([i, j]);
  }
  const values = inside.map(([i, j]) => plane[i][j]);
  return { inside, values, largest: inside[values.indexOf(Math.max(...values))] };
}

function pool(plane, size, stride, ceil, average) {
  return times(poolSize(plane.length, size, stride, ceil), (r) =>
    times(poolSize(plane[0].length, size, stride, ceil), (q) => {
      const { values } = poolWindow(plane, r, q, size, stride);
      return average ? values.reduce((a, b) => a + b) / values.length : Math.max(...values);
    }),
  );
}

// The gradient of the image when each output cell receives a gradient of 1.
function poolGradient(plane, size, stride, ceil, average) {
  const gradient = plane.map((row) => row.map(() => 0));
  for (let r = 0; r < poolSize(plane.length, size, stride, ceil); r++) {
    for (let q = 0; q < poolSize(plane[0].length, size, stride, ceil); q++) {
      const { inside, largest } = poolWindow(plane, r, q, size, stride);
      if (average) for (const [i, j] of inside) gradient[i][j] += 1 / inside.length;
      else gradient[largest[0]][largest[1]] += 1;
    }
  }
  return gradient;
}

// The image moved to the right; what leaves comes back on the left, as in torch.roll.
function rolled(plane, shift) {
  return plane.map((row) => row.map((_, j) => row[(j - shift + shift * row.length) % row.length]));
}

function equalCells(first, second) {
  return first.flatMap((row, i) => row.filter((value, j) => value === second[i][j])).length;
}

export function render({ model, el }) {
  const x = model.get("x");
  const [height, width] = [x[0].length, x[0][0].length];
  const state = { channel: 0, average: false, size: model.get("size"), stride: model.get("stride") };
  Object.assign(state, { ceil: false, shift: Math.min(1, width - 1) });
  let now;

  const at = place("Window", update);
  const say = sentence();
  const sizes = make("p", { class: "cl-quiet" });
  const moved = make("p", { class: "cl-quiet" });
  const kind = choice("Pooling", ["max", "average"], 0, (value) => change({ average: value === 1 }));
  const channel = choice(
    "Channel",
    x.map((_, c) => `${c}`),
    0,
    (value) => change({ channel: value }),
  );
  const size = number("Size", { min: 1, max: Math.min(height, width), value: state.size }, (value) => {
    if (state.stride === state.size) stride.set(value);
    change({ size: value, stride: stride.value });
  });
  const most = Math.max(height, width, state.stride);
  const stride = number("Stride", { min: 1, max: most, value: state.stride }, (value) =>
    change({ stride: value }),
  );
  const ceil = tick("ceil mode", false, (value) => change({ ceil: value }));
  const shift = number("Shift", { min: 0, max: width - 1, value: state.shift }, (value) =>
    change({ shift: value }),
  );
  const pick = (i, j) =>
    at.go(
      clamp(Math.floor(i / state.stride), 0, now.map.length - 1) * now.map[0].length +
        clamp(Math.floor(j / state.stride), 0, now.map[0].length - 1),
    );
  const jump = (i, j) => at.go(i * now.map[0].length + j);
  const [image, gradient, shifted] = times(3, () => grid("", pick));
  const [output, after] = times(2, () => grid("", jump));

  function change(what) {
    Object.assign(state, what);
    const { size: f, stride: s, ceil: up, average, channel: c } = state;
    const plane = x[c];
    const there = rolled(plane, state.shift);
    now = { plane, there, map: pool(plane, f, s, up, average), moved: pool(there, f, s, up, average) };
    now.gradient = poolGradient(plane, f, s, up, average);
    const reach = (n, outputs) => Math.max(n, (outputs - 1) * s + f);
    now.drawn = [reach(height, now.map.length), reach(width, now.map[0].length)];
    const read = (n, outputs) =>
      times(n, (i) => times(outputs, (r) => i - r * s).some((k) => k >= 0 && k < f));
    now.read = [read(height, now.map.length), read(width, now.map[0].length)];
    now.shades = shadesOf(x, now.drawn[1]);
    at.shape(now.map.length, now.map[0].length);
    const bracket = up ? ["⌈", "⌉"] : ["⌊", "⌋"];
    const formula = (n, outputs) => `${bracket[0]}(${n} − ${f}) / ${s} + 1${bracket[1]} = ${outputs}`;
    const unread =
      height * width - now.read.map((flags) => flags.filter(Boolean).length).reduce((a, b) => a * b);
    const dropped =
      Math.ceil((height - f) / s) + 1 > now.map.length || Math.ceil((width - f) / s) + 1 > now.map[0].length;
    sizes.textContent =
      (height === width
        ? `Output height and width ${formula(height, now.map.length)}.`
        : `Output height ${formula(height, now.map.length)}, width ${formula(width, now.map[0].length)}.`) +
      (up && dropped ? " A window that would start outside the image is left out." : "") +
      (unread ? ` Hatched: the ${unread} of ${height * width} pixels that are in no window.` : "");
    const outputs = now.map.length * now.map[0].length;
    const [kept, before] = [equalCells(now.map, now.moved), equalCells(plane, there)];
    moved.textContent =
      `Moved right by ${state.shift} (what leaves on the right comes back on the left): ` +
      `${kept} of ${outputs} outputs (underlined) ` +
      `and ${before} of the image's ${height * width} pixels keep their values.`;
    update();
  }

  function update() {
    const { map } = now;
    const { size: f, stride: s, average } = state;
    const [r, q] = [Math.floor(at.value / map[0].length), at.value % map[0].length];
    const within = (i, j) => i >= r * s && i < r * s + f && j >= q * s && j < q * s + f;
    const there = poolWindow(now.there, r, q, f, s);
    const here = poolWindow(now.plane, r, q, f, s);
    paintImage(image, `x[${state.channel}]`, now.plane, here);
    paintImage(shifted, `x[${state.channel}] moved right by ${state.shift}`, now.there, there);
    const look = (values, other) => (i, j) => {
      const marks = [i === r && j === q ? "at" : "", other && values[i][j] === other[i][j] ? "same" : ""];
      return cellLook(values[i][j], marks.join(" ").trim(), now.shades && shadesOf([map], MOST_NUMBERS + 1));
    };
    for (const [each, name, values, other] of [
      [output, `output, ${map.length}×${map[0].length}`, map],
      [after, "output, moved image", now.moved, map],
    ]) {
      each.caption.textContent = name;
      each.element.classList.toggle("cl-small", Boolean(now.shades));
      each.paint(map.length, map[0].length, look(values, other));
    }
    gradient.caption.textContent = "gradient of x if each output receives 1";
    gradient.element.classList.toggle("cl-small", Boolean(now.shades));
    const ends = now.shades && shadesOf([now.gradient], MOST_NUMBERS + 1);
    gradient.paint(height, width, (i, j) =>
      cellLook(now.gradient[i][j], within(i, j) ? "window" : now.gradient[i][j] ? "" : "faint", ends),
    );
    const list = here.values.length <= 9 ? ` of ${here.values.map((value) => short(value)).join(", ")}` : "";
    const [row, column] = here.largest;
    const what = average ? "average" : "largest";
    say.textContent = `output[${state.channel}, ${r}, ${q}] is the ${what}${list}: ${short(map[r][q])}.`;
    if (!back.hidden) {
      say.textContent += average
        ? ` Each of its ${here.values.length} pixels receives 1/${here.values.length} of the gradient.`
        : ` Only the ringed pixel, row ${row}, column ${column}, receives the gradient.`;
    }

    function paintImage(table, name, plane, window) {
      table.caption.textContent = name;
      table.element.classList.toggle("cl-small", Boolean(now.shades));
      table.paint(...now.drawn, (i, j) => {
        if (i >= height || j >= width) return { kind: within(i, j) ? "pad window" : "pad" };
        const marks = [];
        if (!(now.read[0][i] && now.read[1][j])) marks.push("unread");
        if (within(i, j)) marks.push("window");
        if (!average && i === window.largest[0] && j === window.largest[1]) marks.push("ring");
        return cellLook(plane[i][j], marks.join(" "), now.shades);
      });
    }
  }

  const row = (...parts) => make("div", { class: "cl-row-of" }, ...parts);
  const back = row(gradient.element);
  const aside = make("div", {}, toolbar(shift.row), row(shifted.element, after.element), moved);
  const controls = [at.row, player(at, say), kind.row, size.row, stride.row, ceil.row];
  if (x.length > 1) controls.splice(2, 0, channel.row);
  el.append(
    toolbar(...controls),
    row(image.element, output.element),
    say,
    sizes,
    toolbar(opener("Gradient", back, update)),
    back,
    toolbar(opener("Moved image", aside, update)),
    aside,
  );
  change({});
}
