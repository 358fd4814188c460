// Each window becomes a column of a matrix; one product with that matrix is the convolution.

import { cellLook, entryOf, imageLook, sizesText, unfold } from "./arithmetic.js";
import { convolution, SHOWN } from "./convolution.js";
import { grid, make, panel, place, player, range, sentence, short, times, toolbar } from "./live_figure.js";

const COLUMNS = 16;
const ROWS = 27;

export function render({ model, el }) {
  const at = place("Column", update, (at, row, column) => `${at}: window (${row}, ${column})`);
  const walk = convolution(model, at, changed);
  const { x, filters, bias, biased, high, wide } = walk;
  const area = high * wide;
  // The whole matrix, and the first row and column of the part that is shown.
  let [whole, firstRow, firstColumn] = [[], 0, 0];

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
  const images = times(Math.min(SHOWN, x.length), walk.image);
  const weights = grid("");
  const matrix = grid("", (i, j) => {
    entry.set(firstRow + i);
    at.go(firstColumn + j);
  });
  const answer = grid("", (_, j) => at.go(firstColumn + j));
  for (const each of [weights, matrix, answer]) each.element.classList.add("cl-even");

  function changed() {
    const { padding, stride, rows, columns } = walk;
    whole = unfold(x, high, wide, padding, stride);
    const [tall, across] = [whole.length, whole[0].length];
    const [all, pixels] = [tall * across, x.length * x[0].length * x[0][0].length];
    const shape = `(${x.length}·${high}·${wide}) × (${rows}·${columns})`;
    sizes.textContent =
      `Matrix ${shape} = ${tall}×${across}: ${all} numbers, ` +
      `${short(all / pixels, 3)} times the image's ${pixels}. ` +
      `${sizesText(x, high, wide, padding, stride)}.`;
    update();
  }

  function update() {
    walk.move();
    const { filter, row: r, column: q, top, left, padding: p } = walk;
    const [c, i, j] = entryOf(entry.value, high, wide);
    const first = Math.min(Math.floor(c / SHOWN) * SHOWN, Math.max(0, x.length - SHOWN));
    images.forEach((image, slot) => {
      const look = imageLook(x[first + slot], walk);
      walk.paintImage(image, first + slot, (row, column) => {
        const cell = look(row, column);
        const picked = first + slot === c && row === top + p + i && column === left + p + j;
        return picked ? { ...cell, kind: `${cell.kind} at` } : cell;
      });
    });
    paintMatrix();
    const value = whole[entry.value][at.value];
    const [row, column] = [top + i, left + j];
    const source = x[c][row]?.[column] === undefined ? "a padding zero" : `x[${c}, ${row}, ${column}]`;
    const extra = biased ? `, plus bias ${short(bias[filter])},` : "";
    say.textContent =
      `Column ${at.value} is the window at row ${r}, column ${q}. ` +
      `Its product with filter ${filter}${extra} ` +
      `is output[${filter}, ${r}, ${q}] = ${short(walk.map[r][q])}. ` +
      `Row ${entry.value} holds ${source} = ${short(value)}, ` +
      `which is multiplied by weight[${filter}, ${c}, ${i}, ${j}] = ` +
      `${short(filters[filter][c][i][j])}.`;
  }

  // Of a large matrix, the page that holds the chosen row and column.
  function paintMatrix() {
    const { filter, map } = walk;
    const page = area <= ROWS ? Math.floor(ROWS / area) * area : ROWS;
    firstRow = Math.floor(entry.value / page) * page;
    firstColumn = Math.floor(at.value / COLUMNS) * COLUMNS;
    const tall = Math.min(page, whole.length - firstRow);
    const across = Math.min(COLUMNS, whole[0].length - firstColumn);
    const flat = filters[filter].flat(2);
    const mark = (i, j) => {
      if (firstRow + i === entry.value && firstColumn + j === at.value) return "at";
      return firstColumn + j === at.value ? "window" : "";
    };
    weights.caption.textContent = `weight[${filter}]`;
    weights.paint(tall, 1, (i) => cellLook(flat[firstRow + i], firstRow + i === entry.value ? "at" : ""));
    const part = tall < whole.length || across < whole[0].length;
    const shown = part
      ? `, rows ${firstRow} to ${firstRow + tall - 1}, columns ${firstColumn} to ${firstColumn + across - 1}`
      : "";
    matrix.caption.textContent = `matrix ${whole.length}×${whole[0].length}${shown}`;
    matrix.paint(tall, across, (i, j) => cellLook(whole[firstRow + i][firstColumn + j], mark(i, j)));
    answer.caption.textContent = `weight[${filter}] · matrix${biased ? " + bias" : ""}`;
    const outputs = map.flat();
    answer.paint(1, across, (_, j) =>
      cellLook(outputs[firstColumn + j], firstColumn + j === at.value ? "at" : ""),
    );
  }

  walk.compute();
  const row = (...parts) => make("div", { class: "cl-row-of cl-tables" }, ...parts);
  el.append(
    toolbar(at.row, player(at, say), entry.row, ...walk.controls),
    row(...images.map((image) => image.element), walk.output.element),
    say,
    row(weights.element, panel(matrix.element, answer.element)),
    sizes,
  );
}
