// The window that one unit sees on the image, and the feature maps of its layer.

import {
  choice,
  clamp,
  draw,
  make,
  panel,
  place,
  player,
  sentence,
  short,
  times,
  toolbar,
} from "./live_figure.js";

const VIEW = 360;
const LEVELS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
const LAST = LEVELS.length - 1;

function decoded(text) {
  return Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
}

// One image as a data URL: `levels(i, j)` gives red, green and blue from 0 to 255.
function painted(high, wide, levels) {
  const canvas = make("canvas", { width: wide, height: high });
  const context = canvas.getContext("2d");
  const picture = context.createImageData(wide, high);
  for (let at = 0; at < high * wide; at++) {
    picture.data.set([...levels(Math.floor(at / wide), at % wide), 255], 4 * at);
  }
  context.putImageData(picture, 0, 0);
  return canvas.toDataURL();
}

// What a unit sees along one axis, the padding's overhang included.
function span([step, first, last], unit) {
  return [step * unit + first, step * unit + last];
}

// The part of it that is image, or null if all of it is padding.
function seen([step, first, last, least, most], unit) {
  const cut = [Math.max(least, step * unit + first), Math.min(most, step * unit + last)];
  return cut[0] <= cut[1] ? cut : null;
}

// The unit whose window is centred nearest to a pixel.
function unitAt([step, first, last], pixel, units) {
  return step ? clamp(Math.round((pixel - (first + last) / 2) / step), 0, units - 1) : 0;
}

export function render({ model, el }) {
  const image = model.get("image");
  const layers = model.get("layers").map((layer) => ({
    ...layer,
    levels: Array.from(layer.maps, (letter) => LEVELS.indexOf(letter)),
    urls: [],
  }));
  const [depth, height, width] = image.shape;
  const pixels = decoded(image.pixels);
  // `map` is an index into the maps that are shown.
  const state = {};

  const say = sentence();
  const [imageTitle, mapTitle, stripTitle] = times(3, () => make("p", { class: "cl-title" }));
  const names = layers.map((layer, index) => `${index + 1}. ${layer.name}: ${layer.shape.join("×")}`);
  const picker = choice("Layer", names, 0, open);
  const channel = choice("Channel", [], 0, (value) => change({ map: value }));
  const at = place("Unit", update);

  // The margin fits the largest overhang, so that the picture keeps its size.
  const margin = Math.max(
    1,
    ...layers.flatMap(({ field, size }) =>
      field.flatMap((axis, d) => {
        const units = axis[0] ? size[d] : 1;
        return [-span(axis, 0)[0], span(axis, units - 1)[1] - (d ? width : height) + 1];
      }),
    ),
  );
  const pad = margin + 0.5;
  const all = [width + 2 * pad, height + 2 * pad];
  const scene = svg("The image with the window that the unit sees", -pad, -pad, ...all);
  const source = painted(height, width, (i, j) =>
    times(3, (c) => pixels[(depth === 3 ? c : 0) * height * width + i * width + j]),
  );
  const overhang = draw("rect", { class: "cl-overhang" });
  const frame = [draw("rect", { class: "cl-halo" }), draw("rect", { class: "cl-frame" })];
  scene.append(
    draw("rect", {
      class: "cl-outside",
      x: -margin,
      y: -margin,
      width: width + 2 * margin,
      height: height + 2 * margin,
    }),
    overhang,
    draw("image", { href: source, width, height, class: "cl-pixels" }),
    ...frame,
  );
  const map = svg("The feature map with the unit", 0, 0, 1, 1);
  const mapImage = draw("image", { class: "cl-pixels" });
  const unit = [draw("rect", { class: "cl-halo" }), draw("rect", { class: "cl-frame" })];
  map.append(mapImage, ...unit);
  // A shortcut for the mouse to what the list of channels does.
  const strip = make("div", { class: "cl-strip", "aria-hidden": "true" });
  listen(scene, (x, y) => {
    const { field, size } = layers[state.layer];
    at.go(unitAt(field[0], Math.floor(y), size[0]) * size[1] + unitAt(field[1], Math.floor(x), size[1]));
  });
  listen(map, (x, y) => {
    const [high, wide] = layers[state.layer].size;
    at.go(clamp(Math.floor(y), 0, high - 1) * wide + clamp(Math.floor(x), 0, wide - 1));
  });

  function svg(label, x, y, wide, high) {
    const scale = VIEW / Math.max(wide, high);
    const size = { width: wide * scale, height: high * scale };
    return draw("svg", { ...size, viewBox: `${x} ${y} ${wide} ${high}`, role: "img", "aria-label": label });
  }

  function listen(element, picked) {
    const report = (event) => {
      const point = new DOMPoint(event.clientX, event.clientY).matrixTransform(
        element.getScreenCTM().inverse(),
      );
      picked(point.x, point.y);
    };
    element.addEventListener("pointerdown", report);
    element.addEventListener("pointermove", (event) => event.buttons === 1 && report(event));
  }

  function url(layer, index) {
    const [high, wide] = layer.size;
    const grey = (i, j) => Math.round((layer.levels[(index * high + i) * wide + j] / LAST) * 255);
    layer.urls[index] ??= painted(high, wide, (i, j) => times(3, () => grey(i, j)));
    return layer.urls[index];
  }

  function open(layer) {
    change({ layer, map: layers[layer].clearest });
  }

  function change(what) {
    Object.assign(state, what);
    const layer = layers[state.layer];
    const [high, wide] = layer.size;
    const maps = layer.channels.length;
    channel.offer(layer.channels.map(String));
    channel.set(state.map);
    at.shape(high, wide);
    if (what.layer !== undefined) at.set(Math.floor(high / 2) * wide + Math.floor(wide / 2));
    const scale = VIEW / 1.6 / Math.max(high, wide);
    setAll(map, { viewBox: `0 0 ${wide} ${high}`, width: wide * scale, height: high * scale });
    setAll(mapImage, { href: url(layer, state.map), width: wide, height: high });
    const thumbnail = (index) => ({
      alt: "",
      src: url(layer, index),
      class: index === state.map ? "cl-pixels chosen" : "cl-pixels",
      onclick: () => change({ map: index }),
    });
    strip.replaceChildren(...times(maps, (index) => make("img", thumbnail(index))));
    const [low, most] = layer.ranges[state.map];
    const ends = `from ${short(low, 3)} (black) to ${short(most, 3)} (white)`;
    if (layer.shape.length === 3) {
      const all = layer.shape[0];
      mapTitle.textContent = `Feature map of channel ${layer.channels[state.map]}, ${ends}`;
      stripTitle.textContent =
        maps === all ? `All ${all} feature maps` : `The ${maps} of ${all} feature maps with most contrast`;
    } else {
      const all = layer.shape.reduce((a, b) => a * b);
      const units = high * wide === all ? `All ${all}` : `The first ${high * wide} of ${all}`;
      mapTitle.textContent = `${units} units, row by row, ${ends}`;
    }
    for (const each of [stripTitle, strip]) each.hidden = layer.shape.length !== 3;
    update();
  }

  function update() {
    const layer = layers[state.layer];
    const [high, wide] = layer.size;
    const [r, q] = [Math.floor(at.value / wide), at.value % wide];
    const [rows, columns] = [span(layer.field[0], r), span(layer.field[1], q)];
    const box = boxOf(rows, columns);
    const [down, across] = [seen(layer.field[0], r), seen(layer.field[1], q)];
    setAll(overhang, box);
    for (const each of frame) setAll(each, down && across ? boxOf(down, across) : { width: 0, height: 0 });
    for (const each of unit) setAll(each, { x: q, y: r, width: 1, height: 1 });
    const [low, most] = layer.ranges[state.map];
    const level = layer.levels[(state.map * high + r) * wide + q];
    const value = short(low + ((most - low) * level) / LAST, 3);
    const places = box.height * box.width;
    const name =
      layer.shape.length === 3
        ? `The unit in channel ${layer.channels[state.map]}, row ${r}, column ${q}`
        : `Unit ${at.value}`;
    const read = down && across ? (down[1] - down[0] + 1) * (across[1] - across[0] + 1) : 0;
    const where = read
      ? `rows ${down.join(" to ")} and columns ${across.join(" to ")} of the image`
      : "none of the image";
    const rest = places - read;
    const size = `${box.height}×${box.width}`;
    imageTitle.textContent = `Image ${image.shape.join("×")} with the unit's window, ${size}`;
    say.textContent =
      `${name} of layer ${state.layer + 1} (${layer.name}; about ${value}) ` +
      `sees ${size} pixels: ${where}` +
      `${rest ? `; ${rest} of the ${places} are padding` : ""}.`;
  }

  function boxOf([top, bottom], [left, right]) {
    return { x: left, y: top, width: right - left + 1, height: bottom - top + 1 };
  }

  function setAll(element, attributes) {
    for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  }

  open(0);
  const controls = toolbar(picker.row, channel.row, at.row, player(at, say));
  const pictures = [panel(imageTitle, scene), panel(mapTitle, map, stripTitle, strip)];
  el.append(controls, make("div", { class: "cl-row-of cl-top" }, ...pictures), say);
}
