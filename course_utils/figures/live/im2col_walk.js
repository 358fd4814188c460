// Each window becomes a column of a matrix; one product with that matrix is the convolution.

import {
  cellLook,
  convolve,
  entryOf,
  imageLook,
  leastPadding,
  nearest,
  readAlong,
  shadesOf,
  sizesText,
  unfold,
} from "./arithmetic.js";
import {
  choice,
  grid,
  make,
  number,
  panel,
  place,
  player,
  range,
  sentence,
  short,
  times,
  toolbar,
} from "./live_figure.js";

const SHOWN = 3;
const COLUMNS = 16;
const ROWS = 27;

export function render({ model, el }) {
  const [x, filters, bias] = ["x", "weight", "bias"].map((key) => model.get(key));
  const [high, wide] = [filters[0][0].length, filters[0][0][0].length];
  const area = high * wide;
  const state = { filter: 0, padding: model.get("padding"), stride: model.get("stride") };
  let geometry;

  const at = place("Column", update, (at, row, column) => `${at}: window (${row}, ${column})`);
  const say = sentence();
  const sizes = make("p", { class: "cl-quiet" });
  const entry = range(
    "Row",
    {
      max: x.length * area - 1,
      value: 0,
      say: (value) => {
        const [c, i, j] = entryOf(value, high, wide);
        return `${value}: channel ${c}, (${i}, ${j})`;
      },
    },
    update,
  );
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
  const images = times(Math.min(SHOWN, x.length), () =>
    grid("", (i, j) =>
      at.go(
        nearest(i, high, state.stride, geometry.rows) * geometry.columns +
          nearest(j, wide, state.stride, geometry.columns),
      ),
    ),
  );
  const output = grid("", (i, j) => at.go(i * geometry.columns + j));
  const weights = grid("");
  const matrix = grid("", (i, j) => {
    entry.set(geometry.firstRow + i);
    at.go(geometry.firstColumn + j);
  });
  const answer = grid("", (_, j) => at.go(geometry.firstColumn + j));
  for (const each of [weights, matrix, answer]) each.element.classList.add("cl-even");

  function change(what) {
    Object.assign(state, what);
    const { padding: p, stride: s } = state;
    const map = convolve(x, filters[state.filter], bias[state.filter], p, s);
    geometry = {
      map,
      matrix: unfold(x, high, wide, p, s),
      rows: map.length,
      columns: map[0].length,
      read: { rows: readAlong(x[0].length, high, p, s), columns: readAlong(x[0][0].length, wide, p, s) },
      shades: shadesOf(x, x[0][0].length + 2 * p),
      outShades: shadesOf([map], map[0].length),
    };
    at.shape(geometry.rows, geometry.columns);
    const [tall, across] = [geometry.matrix.length, geometry.matrix[0].length];
    const [all, pixels] = [tall * across, x.length * x[0].length * x[0][0].length];
    const shape = `(${x.length}·${high}·${wide}) × (${geometry.rows}·${geometry.columns})`;
    sizes.textContent =
      `Matrix ${shape} = ${tall}×${across}: ${all} numbers, ` +
      `${short(all / pixels, 3)} times the image's ${pixels}. ` +
      `${sizesText(x, high, wide, p, s)}.`;
    update();
  }

  function update() {
    const { padding: p, stride: s } = state;
    const { map } = geometry;
    const [r, q] = [Math.floor(at.value / geometry.columns), at.value % geometry.columns];
    const [top, left] = [r * s - p, q * s - p];
    const [c, i, j] = entryOf(entry.value, high, wide);
    const first = Math.min(Math.floor(c / SHOWN) * SHOWN, Math.max(0, x.length - SHOWN));
    images.forEach((image, slot) => {
      const plane = x[first + slot];
      const look = imageLook(plane, { ...state, ...geometry, high, wide, top, left });
      image.caption.textContent = `x[${first + slot}]${p ? `, padded by ${p}` : ""}`;
      image.element.classList.toggle("cl-small", Boolean(geometry.shades));
      image.paint(plane.length + 2 * p, plane[0].length + 2 * p, (row, column) => {
        const cell = look(row, column);
        const picked = first + slot === c && row === top + p + i && column === left + p + j;
        return picked ? { ...cell, kind: `${cell.kind} at` } : cell;
      });
    });
    output.caption.textContent = `output[${state.filter}], ${map.length}×${map[0].length}`;
    output.element.classList.toggle("cl-small", Boolean(geometry.outShades));
    output.paint(map.length, map[0].length, (row, column) =>
      cellLook(map[row][column], row === r && column === q ? "at" : "", geometry.outShades),
    );
    paintMatrix();
    const value = geometry.matrix[entry.value][at.value];
    const [row, column] = [top + i, left + j];
    const source = x[c][row]?.[column] === undefined ? "a padding zero" : `x[${c}, ${row}, ${column}]`;
    const extra = model.get("biased") ? `, plus bias ${short(bias[state.filter])},` : "";
    say.textContent =
      `Column ${at.value} is the window at row ${r}, column ${q}. ` +
      `Its product with filter ${state.filter}${extra} ` +
      `is output[${state.filter}, ${r}, ${q}] = ${short(map[r][q])}. ` +
      `Row ${entry.value} holds ${source} = ${short(value)}, ` +
      `which is multiplied by weight[${state.filter}, ${c}, ${i}, ${j}] = ` +
      `${short(filters[state.filter][c][i][j])}.`;
  }

  // Of a large matrix, the page that holds the chosen row and column.
  function paintMatrix() {
    const { matrix: whole, map } = geometry;
    const page = area <= ROWS ? Math.floor(ROWS / area) * area : ROWS;
    const firstRow = Math.floor(entry.value / page) * page;
    const firstColumn = Math.floor(at.value / COLUMNS) * COLUMNS;
    Object.assign(geometry, { firstRow, firstColumn });
    const tall = Math.min(page, whole.length - firstRow);
    const across = Math.min(COLUMNS, whole[0].length - firstColumn);
    const flat = filters[state.filter].flat(2);
    const mark = (i, j) => {
      if (firstRow + i === entry.value && firstColumn + j === at.value) return "at";
      return firstColumn + j === at.value ? "window" : "";
    };
    weights.caption.textContent = `weight[${state.filter}]`;
    weights.paint(tall, 1, (i) => cellLook(flat[firstRow + i], firstRow + i === entry.value ? "at" : ""));
    const part = tall < whole.length || across < whole[0].length;
    const shown = part
      ? `, rows ${firstRow} to ${firstRow + tall - 1}, columns ${firstColumn} to ${firstColumn + across - 1}`
      : "";
    matrix.caption.textContent = `matrix ${whole.length}×${whole[0].length}${shown}`;
    matrix.paint(tall, across, (i, j) => cellLook(whole[firstRow + i][firstColumn + j], mark(i, j)));
    answer.caption.textContent = `weight[${state.filter}] · matrix${model.get("biased") ? " + bias" : ""}`;
    const outputs = map.flat();
    answer.paint(1, across, (_, j) =>
      cellLook(outputs[firstColumn + j], firstColumn + j === at.value ? "at" : ""),
    );
  }

  change({});
  const controls = [at.row, player(at, say), entry.row, padding.row, stride.row];
  if (filters.length > 1) controls.splice(3, 0, filter.row);
  el.append(
    toolbar(...controls),
    make("div", { class: "cl-row-of" }, ...images.map((image) => image.element), output.element),
    say,
    make("div", { class: "cl-row-of cl-top" }, weights.element, panel(matrix.element, answer.element)),
    sizes,
  );
}
