// Convolution as PyTorch defines it, on nested lists: x[channel][row][column].

import { clamp, short, times } from "./live_figure.js";

// floor((n + 2p - f) / s + 1)
function outputSize(n, f, padding, stride) {
  return Math.floor((n + 2 * padding - f) / stride) + 1;
}

// The pixel at a row and column, which may be in the padding.
function pixel(plane, i, j) {
  return plane[i]?.[j] ?? 0;
}

// What a window with this top left corner reads, channel by channel.
export function patch(x, top, left, high, wide) {
  return x.map((plane) => times(high, (i) => times(wide, (j) => pixel(plane, top + i, left + j))));
}

// The products of a patch and a filter, channel by channel.
export function products(part, filter) {
  return part.map((plane, c) => plane.map((row, i) => row.map((value, j) => value * filter[c][i][j])));
}

export function total(plane) {
  return plane.flat().reduce((sum, value) => sum + value, 0);
}

// One filter's activation map.
export function convolve(x, filter, bias, padding, stride) {
  const [high, wide] = [filter[0].length, filter[0][0].length];
  return times(outputSize(x[0].length, high, padding, stride), (r) =>
    times(outputSize(x[0][0].length, wide, padding, stride), (q) => {
      const part = patch(x, r * stride - padding, q * stride - padding, high, wide);
      return products(part, filter).reduce((sum, plane) => sum + total(plane), bias);
    }),
  );
}

// Which of the n positions on an axis any window reads.
export function readAlong(n, f, padding, stride) {
  const read = times(n, () => false);
  for (let at = 0; at < outputSize(n, f, padding, stride); at++) {
    for (let k = 0; k < f; k++) {
      const i = at * stride - padding + k;
      if (i >= 0 && i < n) read[i] = true;
    }
  }
  return read;
}

// The matrix whose columns are the patches, in the order of torch.nn.functional.unfold.
export function unfold(x, high, wide, padding, stride) {
  const rows = outputSize(x[0].length, high, padding, stride);
  const columns = outputSize(x[0][0].length, wide, padding, stride);
  return times(x.length * high * wide, (entry) => {
    const [c, i, j] = entryOf(entry, high, wide);
    return times(rows * columns, (at) => {
      const top = Math.floor(at / columns) * stride - padding;
      return pixel(x[c], top + i, (at % columns) * stride - padding + j);
    });
  });
}

// Channel, row and column of a patch's entry in reading order.
export function entryOf(entry, high, wide) {
  return [Math.floor(entry / (high * wide)), Math.floor(entry / wide) % high, entry % wide];
}

// The smallest padding with which a filter fits.
export function leastPadding(x, high, wide) {
  return Math.max(0, Math.ceil((high - x[0].length) / 2), Math.ceil((wide - x[0][0].length) / 2));
}

// The output whose window is centred nearest to a pixel of the padded image.
export function nearest(i, f, stride, outputs) {
  return clamp(Math.round((i - (f - 1) / 2) / stride), 0, outputs - 1);
}

// How the cells of a padded image look: read by the window, in the padding, never read, or plain.
export function imageLook(plane, { padding, high, wide, top, left, read, shades }) {
  return (i, j) => {
    const [row, column] = [i - padding, j - padding];
    const value = pixel(plane, row, column);
    const inside = row >= 0 && row < plane.length && column >= 0 && column < plane[0].length;
    const marks = [];
    if (!inside) marks.push("pad");
    else if (!(read.rows[row] && read.columns[column])) marks.push("unread");
    if (row >= top && row < top + high && column >= left && column < left + wide) marks.push("window");
    return cellLook(value, marks.join(" "), inside ? shades : null);
  };
}

// Numbers where there is room, tints elsewhere (`shades` is then the smallest and largest value).
export function cellLook(value, kind, shades) {
  if (!shades) return { text: short(value, 3), kind };
  const [least, most] = shades;
  return { kind, title: short(value), shade: ((value - least) / (most - least || 1)).toFixed(3) };
}

// A term of a sum.
export function bracketed(value) {
  return value < 0 ? `(${short(value)})` : short(value);
}

export const MOST_NUMBERS = 14;

// Null if a matrix with this many columns has room for numbers, otherwise its smallest and largest value.
export function shadesOf(planes, columns) {
  if (columns <= MOST_NUMBERS) return null;
  const all = planes.flat(2);
  return [Math.min(...all), Math.max(...all)];
}

// The floor formula with its numbers.
function sizeText(what, n, f, padding, stride) {
  return `${what} ⌊(${n} + 2·${padding} − ${f}) / ${stride} + 1⌋ = ${outputSize(n, f, padding, stride)}`;
}

export function sizesText(x, high, wide, padding, stride) {
  const [rows, columns] = [x[0].length, x[0][0].length];
  if (rows === columns && high === wide)
    return sizeText("Output height and width", rows, high, padding, stride);
  const words = [sizeText("Output height", rows, high, padding, stride)];
  return [...words, sizeText("width", columns, wide, padding, stride)].join(", ");
}
