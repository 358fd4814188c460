// Curves to pick an epoch from, a confusion matrix to pick a cell from, and the images of that cell.

import {
  button,
  clamp,
  count,
  draw,
  grid,
  make,
  place,
  range,
  sentence,
  short,
  times,
  toolbar,
} from "./live_figure.js";

const percent = (share, digits = 1) => `${(100 * share).toFixed(digits)} %`;

// Ticks of an axis: 1, 2, 5 × powers of ten on a logarithmic one if there are three, even steps otherwise.
function marks(low, high, log) {
  if (!log) {
    const rough = (high - low) / 5;
    const unit = 10 ** Math.floor(Math.log10(rough));
    const step = unit * [1, 2, 5, 10].find((each) => each * unit >= rough);
    return times(Math.floor(high / step + 1e-9) + 1, (i) => i * step);
  }
  const found = [];
  for (let power = Math.floor(Math.log10(low)); power <= Math.log10(high); power++) {
    for (const lead of [1, 2, 5]) {
      const value = lead * 10 ** power;
      if (value >= low * 0.999 && value <= high * 1.001) found.push(value);
    }
  }
  if (found.length < 3) return marks(low, high).filter((value) => value >= low);
  return found.length > 6
    ? found.filter((value) => Math.abs(Math.log10(value) - Math.round(Math.log10(value))) < 1e-6)
    : found;
}

// One plot: lines of { values, colour, dash, mark, label } over the epochs, and a vertical line at each step
// of the learning rate.
function plot({ title, unit, epochs, lines, log, level, steps }) {
  const [wide, high, left, right, top, bottom] = [430, 236, 48, 12, 32, 34];
  const svg = draw("svg", { viewBox: `0 0 ${wide} ${high}`, width: wide, height: high, role: "img" });
  const numbers = lines
    .flatMap(({ values }) => values)
    .filter((value) => value !== null && (!log || value > 0));
  if (level) numbers.push(level.value);
  let [low, most] = log
    ? [Math.min(...numbers), Math.max(...numbers) * 1.3]
    : [0, Math.max(...numbers) * 1.08 || 1];
  if (log) low /= 1.2;
  const scale = log ? Math.log : Number;
  const [first, last] = [epochs[0], epochs[epochs.length - 1]];
  const x = (epoch) => left + ((wide - left - right) * (epoch - first + 0.5)) / (last - first + 1);
  const y = (value) => {
    const share = (scale(Math.max(value, low)) - scale(low)) / (scale(most) - scale(low));
    return high - bottom - (high - top - bottom) * share;
  };
  const line = (x1, y1, x2, y2, more) =>
    svg.append(draw("line", { x1, y1, x2, y2, stroke: "var(--cl-rule)", ...more }));
  const write = (text, at, down, more = {}) => svg.append(draw("text", { x: at, y: down, ...more }, text));
  write(title, left, 12, { "font-weight": 600 });
  for (const value of marks(low, most, log)) {
    line(left, y(value), wide - right, y(value), { "stroke-width": 0.6 });
    write(short(value, 3), left - 5, y(value) + 4, { "text-anchor": "end" });
  }
  line(left, high - bottom, wide - right, high - bottom);
  const every = Math.ceil(epochs.length / 10);
  for (const epoch of epochs.filter((_, i) => i % every === 0)) {
    write(String(epoch), x(epoch), high - bottom + 14, { "text-anchor": "middle" });
  }
  write("epoch", (left + wide - right) / 2, high - 4, { "text-anchor": "middle" });
  write(unit, wide - right, 12, { "text-anchor": "end" });
  for (const epoch of steps)
    line(x(epoch - 0.5), top, x(epoch - 0.5), high - bottom, {
      "stroke-dasharray": "2 3",
      stroke: "var(--cl-ink)",
    });
  if (level) {
    line(left, y(level.value), wide - right, y(level.value), {
      "stroke-dasharray": "8 4",
      stroke: "var(--cl-ink)",
    });
  }
  const followed = [];
  lines.forEach(({ values, colour, dash, mark, label }, index) => {
    const path = values.map((value, i) =>
      value === null ? "" : `${i && values[i - 1] !== null ? "L" : "M"}${x(epochs[i])} ${y(value)}`,
    );
    svg.append(
      draw("path", {
        d: path.join(""),
        fill: "none",
        stroke: colour,
        "stroke-width": 2,
        "stroke-dasharray": dash,
      }),
    );
    const dot =
      mark === "round"
        ? draw("circle", { r: 4.5, fill: colour })
        : draw("rect", { x: -4.5, y: -4.5, width: 9, height: 9, fill: colour });
    svg.append(dot);
    followed.push([dot, values]);
    if (!label) return;
    const at = left + 110 + index * 90;
    svg.append(
      draw("line", {
        x1: at - 26,
        x2: at - 6,
        y1: 8,
        y2: 8,
        stroke: colour,
        "stroke-width": 2,
        "stroke-dasharray": dash,
      }),
    );
    write(label, at, 12);
  });
  const hair = draw("line", { y1: top, y2: high - bottom, stroke: "var(--cl-ink)", "stroke-width": 1 });
  svg.append(hair);
  // Drawn last, with a rim of paper, because curves and lines pass behind it.
  const rim = { "paint-order": "stroke", stroke: "var(--cl-paper)", "stroke-width": 4 };
  if (level) write(level.label, (left + wide) / 2, y(level.value) - 5, { "text-anchor": "middle", ...rim });
  return {
    svg,
    epochAt: (place) => Math.round(((place - left) / (wide - left - right)) * (last - first + 1) - 0.5),
    choose(index) {
      hair.setAttribute("x1", x(epochs[index]));
      hair.setAttribute("x2", x(epochs[index]));
      for (const [dot, values] of followed) {
        dot.setAttribute("visibility", values[index] === null ? "hidden" : "visible");
        if (values[index] !== null)
          dot.setAttribute("transform", `translate(${x(epochs[index])} ${y(values[index])})`);
      }
    },
  };
}

// Epochs that start with a new learning rate; if the rate changes all the time, none is worth a line.
function rateSteps(rows) {
  const found = rows.filter((row, i) => i && row[1] !== rows[i - 1][1]).map(([epoch]) => epoch);
  return found.length <= Math.max(1, rows.length / 2) ? found : [];
}

// Cells of the matrix with wrong answers, the most frequent first.
function confusions(matrix) {
  const cells = matrix.flatMap((row, i) => row.map((size, j) => ({ i, j, size })));
  return cells
    .filter(({ i, j, size }) => i !== j && size)
    .sort((a, b) => b.size - a.size || a.i - b.i || a.j - b.j);
}

function curves(model) {
  const rows = model.get("epochs");
  const plateau = model.get("plateau");
  const many = Math.round(Math.exp(plateau));
  const epochs = rows.map(([epoch]) => epoch);
  const column = (index, scale = 1) => rows.map((row) => (row[index] === null ? null : row[index] * scale));
  const steps = rateSteps(rows);
  const blue = { colour: "var(--cl-blue)", mark: "round" };
  const orange = { colour: "var(--cl-orange)", dash: "6 3", mark: "square" };
  const plots = [
    plot({
      title: "Loss",
      unit: "cross-entropy, nats (log scale)",
      epochs,
      steps,
      log: true,
      level: { value: plateau, label: `ln ${many} = ${plateau.toFixed(3)}: guessing` },
      lines: [{ values: column(2), ...blue }],
    }),
    plot({
      title: "Error",
      unit: "wrong answers, %",
      epochs,
      steps,
      lines: [
        { values: column(3, 100), label: "training", ...blue },
        { values: column(4, 100), label: "test", ...orange },
      ],
    }),
  ];
  const said = sentence();
  const say = (index) => `${epochs[index]} of ${epochs[epochs.length - 1]}`;
  const show = (index) => {
    const [epoch, rate, loss, train, test] = rows[index];
    for (const each of plots) each.choose(index);
    const guess = loss !== null && Math.abs(loss - plateau) < 0.02 ? " (still guessing)" : "";
    said.textContent =
      `Epoch ${epoch}: learning rate ${short(rate)}; ` +
      `loss ${loss === null ? "not a number" : short(loss)}${guess}; ` +
      `error: training ${percent(train, 2)}, test ${percent(test, 2)}.`;
  };
  const slider = range("Epoch", { max: rows.length - 1, value: rows.length - 1, say }, show);
  for (const { svg, epochAt } of plots) {
    const follow = (event) => {
      const box = svg.getBoundingClientRect();
      slider.set(clamp(epochAt(((event.clientX - box.left) / box.width) * 430), 0, rows.length - 1));
      show(slider.value);
    };
    svg.addEventListener("pointerdown", follow);
    svg.addEventListener("pointermove", (event) => event.buttons === 1 && follow(event));
  }
  const final = rows[rows.length - 1];
  plots[0].svg.setAttribute(
    "aria-label",
    `Loss over ${rows.length} epochs, from ${short(rows[0][2] ?? NaN)} to ${short(final[2] ?? NaN)}`,
  );
  plots[1].svg.setAttribute(
    "aria-label",
    `Error over ${rows.length} epochs: ` +
      `training ${percent(final[3], 2)}, test ${percent(final[4], 2)} at the end`,
  );
  show(rows.length - 1);
  const legend = steps.length
    ? `Dotted lines: the learning rate changes (${steps.map((epoch) => `epoch ${epoch}`).join(", ")}).`
    : "";
  const drawn = make("div", { class: "cl-curves" }, ...plots.map(({ svg }) => svg));
  if (rows.length === 1) return [drawn, said];
  return [drawn, toolbar(slider.row, make("span", { class: "cl-quiet" }, legend)), said];
}

function gallery(model) {
  const names = model.get("classes");
  const matrix = model.get("matrix");
  const sheet = model.get("sheet");
  const tiles = model
    .get("tiles")
    .map(([truth, taken, image, sure], at) => ({ truth, taken, image, sure, at }));
  const totals = matrix.map((row) => row.reduce((sum, size) => sum + size, 0));
  const ranked = confusions(matrix);
  const said = sentence();
  const list = make("ul", {
    class: "cl-tiles",
    "aria-label": "Images of the chosen cell, most confident first",
  });
  let [row, column] = ranked.length ? [ranked[0].i, ranked[0].j] : [0, 0];

  const chosen = (at) => {
    [row, column] = [Math.floor(at / names.length), at % names.length];
    show();
  };
  const cell = place("Cell", chosen, (_, i, j) => `true ${names[i]}, answer ${names[j]}`);
  cell.shape(names.length, names.length);
  const choose = (i, j) => i && j && cell.go((i - 1) * names.length + j - 1);
  const tag = (i, j) => (Boolean(i) === Boolean(j) ? "td" : "th");
  const table = grid("Confusion matrix: rows are true classes, columns are answers", choose, tag);
  table.element.classList.add("cl-confusion");
  if (Math.max(...names.map((name) => name.length)) > 4) table.element.classList.add("cl-wordy");

  // A whole number of screen pixels for each image pixel, about 64 across.
  const scale = sheet ? Math.max(1, Math.round(64 / sheet.width)) : 1;
  const [wide, high] = sheet ? [sheet.width * scale, sheet.height * scale] : [];

  function picture({ truth, taken, at, sure, image }) {
    const label = `${names[truth]} taken for ${names[taken]}`;
    const look = make("span", { role: "img", "aria-label": label });
    Object.assign(look.style, {
      width: `${wide}px`,
      height: `${high}px`,
      backgroundImage: `url(${sheet.source})`,
      backgroundSize: `${sheet.columns * wide}px auto`,
      backgroundPosition: `-${(at % sheet.columns) * wide}px -${Math.floor(at / sheet.columns) * high}px`,
    });
    return make("li", {}, look, make("div", {}, percent(sure)), make("div", {}, `no. ${image}`));
  }

  function show() {
    const look = (i, j) => {
      if (!i && !j) return { kind: "top" };
      if (!i) return { kind: "top", text: names[j - 1] };
      if (!j) return { kind: "head", text: names[i - 1] };
      const [size, total] = [matrix[i - 1][j - 1], totals[i - 1]];
      const kind = [i === j ? "right" : "wrong", i - 1 === row && j - 1 === column ? "at" : ""]
        .join(" ")
        .trim();
      // The square root makes rare mistakes visible beside a diagonal near 1.
      const shade = total ? Math.sqrt(size / total).toFixed(2) : 0;
      return { kind, text: size ? String(size) : "·", say: String(size), shade };
    };
    table.paint(names.length + 1, names.length + 1, look);
    const size = matrix[row][column];
    const found = row === column ? [] : tiles.filter(({ truth, taken }) => truth === row && taken === column);
    found.sort((a, b) => b.sure - a.sure);
    list.replaceChildren(...found.map(picture));
    const share = totals[row] ? ` (${percent(size / totals[row])})` : "";
    const part = `${count(size)} of ${count(totals[row])} image${totals[row] === 1 ? "" : "s"}`;
    said.textContent =
      row === column
        ? `${names[row]}: ${part} right${share}. Only wrong answers are shown as images.`
        : `True ${names[row]}, answer ${names[column]}: ${part}${share}.${sheet && size ? shown(found) : ""}`;
  }

  function shown(found) {
    if (found.length) return ` Shown: ${found.length}, the most confident first.`;
    return " This figure holds none of these images.";
  }

  const next = button("Next most frequent mistake", () => {
    const at = ranked.findIndex(({ i, j }) => i === row && j === column);
    const { i, j } = ranked[(at + 1) % ranked.length];
    cell.go(i * names.length + j);
  });
  next.disabled = !ranked.length;
  cell.set(row * names.length + column);
  show();
  return [
    toolbar(cell.row, next),
    said,
    make("div", { class: "cl-row-of cl-top" }, make("div", { class: "cl-scroll" }, table.element), list),
  ];
}

export function render({ model, el }) {
  const title = make("p", { class: "cl-title" }, model.get("title"));
  const origin = make("p", { class: "cl-quiet" }, `Data: ${model.get("place")}`);
  el.append(title, origin, ...curves(model), ...(model.get("classes").length ? gallery(model) : []));
}
