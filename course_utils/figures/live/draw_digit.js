// A pad for strokes, and the small image that the network sees. The drawing reaches the kernel through a
// widget's hidden text field further down the page. Strokes are lists of points in units of the pad's side.

import { button, clamp, make, panel, QUIET, sentence, tick, toolbar } from "./live_figure.js";

const PEN = 2.6 / 28;
const NO_KERNEL =
  "The network answers only while its kernel is running: run this cell in a notebook. You can still draw.";
const LATE =
  "has not answered yet: its kernel is busy or has stopped. If nothing changes, run this cell again.";

function paintStrokes(canvas, strokes, place, pen) {
  const brush = canvas.getContext("2d", { willReadFrequently: true });
  brush.fillStyle = "#000";
  brush.fillRect(0, 0, canvas.width, canvas.height);
  Object.assign(brush, { strokeStyle: "#fff", lineCap: "round", lineJoin: "round", lineWidth: pen });
  for (const stroke of strokes) {
    brush.beginPath();
    brush.moveTo(...place(stroke[0]));
    for (const point of stroke.slice(1)) brush.lineTo(...place(point));
    // A single point has no length and would leave no mark.
    if (stroke.length === 1) brush.lineTo(...place(stroke[0]).map((at) => at + 0.01));
    brush.stroke();
  }
  return brush;
}

// As in MNIST (LeCun et al., 1998): the longer side spans 20 of 28 pixels, the centre of mass is the middle.
function fitted(canvas, strokes) {
  const size = canvas.width;
  const points = strokes.flat();
  const [low, high] = [Math.min, Math.max].map((pick) =>
    [0, 1].map((axis) => pick(...points.map((point) => point[axis]))),
  );
  const pen = PEN * size;
  const longest = Math.max(high[0] - low[0], high[1] - low[1]);
  const scale = Math.min(((20 / 28) * size - pen) / Math.max(longest, 1e-6), 4 * size);
  const at = (shift) => (point) =>
    point.map((value, axis) => (value - (low[axis] + high[axis]) / 2) * scale + size / 2 + shift[axis]);
  const ink = grey(paintStrokes(canvas, strokes, at([0, 0]), pen));
  let [sum, x, y] = [0, 0, 0];
  ink.forEach((value, index) => {
    sum += value;
    x += value * ((index % size) + 0.5);
    y += value * (Math.floor(index / size) + 0.5);
  });
  if (!sum) return ink;
  return grey(paintStrokes(canvas, strokes, at([size / 2 - x / sum, size / 2 - y / sum]), pen));
}

function grey(brush) {
  const { data } = brush.getImageData(0, 0, brush.canvas.width, brush.canvas.height);
  return Uint8Array.from({ length: data.length / 4 }, (_, index) => data[4 * index]);
}

// The first field after this pad and before the next one.
function fieldOf(pad) {
  const after = (first, second) => first.compareDocumentPosition(second) & Node.DOCUMENT_POSITION_FOLLOWING;
  const pads = [...document.querySelectorAll(".cl-pad")].filter((other) => after(pad, other));
  const fields = [...document.querySelectorAll(".cl-draw-field textarea")];
  return fields.find((field) => after(pad, field) && !pads.some((other) => after(other, field)));
}

export function render({ model, el }) {
  const size = model.get("size");
  const name = model.get("model");
  const strokes = [];
  const status = sentence();
  const side = 448;
  let open = null;
  let cursor = [0.5, 0.25];
  let [sent, watcher, timer] = [0, null, null];

  const pad = make("canvas", {
    class: "cl-pad",
    width: side,
    height: side,
    tabindex: 0,
    role: "application",
    "aria-label":
      "Drawing pad: arrow keys move, space lowers or lifts the pen, backspace undoes, delete clears",
    ...QUIET,
  });
  const sees = make("canvas", {
    class: "cl-sees",
    width: size,
    height: size,
    role: "img",
    "aria-label": "The image that the network sees",
  });
  const fit = tick("Size and centre as in MNIST", true, () => settle());

  function show() {
    const brush = paintStrokes(pad, strokes, ([x, y]) => [x * side, y * side], PEN * side);
    if (document.activeElement !== pad || !pad.matches(":focus-visible")) return;
    Object.assign(brush, { strokeStyle: open ? "#f0b03c" : "#6cc0f5", lineWidth: 4 });
    brush.beginPath();
    brush.arc(cursor[0] * side, cursor[1] * side, (PEN * side) / 2 + 3, 0, 7);
    brush.stroke();
  }

  function seen() {
    if (fit.value && strokes.length) return fitted(sees, strokes);
    return grey(paintStrokes(sees, strokes, ([x, y]) => [x * size, y * size], PEN * size));
  }

  // After every stroke: the small image, and the network's answer.
  function settle() {
    show();
    const pixels = seen();
    clearTimeout(timer);
    if (!strokes.length) {
      status.textContent = "Draw a digit, large and in the middle.";
      return;
    }
    const field = fieldOf(pad);
    if (!field) return alone();
    sent += 1;
    listen(field.closest(".cl-draw-field").parentNode.querySelector(".cl-draw-answer"));
    field.value = `${sent}:${btoa(String.fromCharCode(...pixels))}`;
    for (const kind of ["input", "change"]) field.dispatchEvent(new Event(kind, { bubbles: true }));
    timer = setTimeout(() => {
      status.textContent = `${name} ${LATE}`;
    }, 3000);
  }

  // A reopened notebook shows an error in place of a widget that is gone; the pad says it in better words.
  function alone() {
    status.textContent = NO_KERNEL;
    for (const output of el.closest(".jp-OutputArea")?.querySelectorAll(".jp-OutputArea-child") ?? []) {
      if (output.textContent.startsWith("Error displaying widget")) output.hidden = true;
    }
  }

  function listen(answer) {
    if (watcher && watcher.answer === answer) return;
    if (watcher) watcher.observer.disconnect();
    const observer = new MutationObserver(() => {
      const says = answer.querySelector(`[data-number="${sent}"] .cl-says`);
      if (!says) return;
      clearTimeout(timer);
      status.textContent = says.textContent;
    });
    observer.observe(answer, { childList: true, subtree: true });
    watcher = { answer, observer };
  }

  const point = (event) => {
    const box = pad.getBoundingClientRect();
    return [
      clamp((event.clientX - box.left) / box.width, 0, 1),
      clamp((event.clientY - box.top) / box.height, 0, 1),
    ];
  };
  pad.addEventListener("pointerdown", (event) => {
    if (event.button) return;
    pad.setPointerCapture(event.pointerId);
    open = [point(event)];
    strokes.push(open);
    show();
  });
  pad.addEventListener("pointermove", (event) => {
    if (!open || !pad.hasPointerCapture(event.pointerId)) return;
    open.push(point(event));
    show();
  });
  for (const kind of ["pointerup", "pointercancel"]) {
    pad.addEventListener(kind, (event) => {
      if (!open || !pad.hasPointerCapture(event.pointerId)) return;
      open = null;
      settle();
    });
  }

  const moves = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
  pad.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const move = moves[event.key];
    if (move) {
      cursor = cursor.map((at, axis) => clamp(at + move[axis] / 28, 0, 1));
      if (open) open.push(cursor);
      show();
      if (!open) status.textContent = `Pen lifted, ${spot()}.`;
    } else if (event.key === " ") {
      lower();
    } else if (event.key === "Backspace") undo();
    else if (event.key === "Delete") clear();
    else return;
    event.preventDefault();
    event.stopPropagation();
  });
  pad.addEventListener("focus", show);
  pad.addEventListener("blur", () => {
    if (open) lower();
    show();
  });

  const spot = () =>
    `${Math.round(100 * cursor[0])} % from the left, ${Math.round(100 * cursor[1])} % from the top`;

  function lower() {
    if (open) {
      open = null;
      settle();
      return;
    }
    open = [cursor];
    strokes.push(open);
    show();
    status.textContent = `Pen down, ${spot()}. Arrow keys draw, space lifts the pen.`;
  }

  function undo() {
    open = null;
    strokes.pop();
    settle();
  }

  function clear() {
    open = null;
    strokes.length = 0;
    settle();
  }

  const help = make(
    "p",
    { class: "cl-quiet" },
    "Draw with mouse, finger or keyboard: arrow keys move, space lowers and lifts the pen.",
  );
  const small = panel(make("p", { class: "cl-quiet" }, `${name} sees (${size}×${size})`), sees);
  el.append(
    make("p", { class: "cl-title" }, `Draw a digit for ${name}`),
    help,
    make("div", { class: "cl-row-of cl-top" }, pad, small),
    toolbar(button("Undo", undo), button("Clear", clear), fit.row),
    status,
  );
  settle();
  // The widget enters the page after the pad.
  timer = setTimeout(() => strokes.length || fieldOf(pad) || alone(), 2000);
}
