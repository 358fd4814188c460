// What all live figures share: elements, labelled controls, grids of numbers, and the way into the page.
// A figure's own script exports `render({ model, el })`, so that a widget host could call it too. A page gets
// all scripts of a figure as one function, without imports, indentation and comment lines: no string may run
// over several lines.

export const QUIET = { "data-lm-suppress-shortcuts": "true" };

export function make(tag, attributes = {}, ...children) {
  return filled(document.createElement(tag), attributes, children);
}

export function draw(tag, attributes = {}, ...children) {
  return filled(document.createElementNS("http://www.w3.org/2000/svg", tag), attributes, children);
}

function filled(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (value === true) element.setAttribute(name, "");
    else if (value !== false && value != null) element.setAttribute(name, value);
  }
  element.append(...children);
  return element;
}

// At most `digits` significant digits, whole numbers without a decimal point: as Python's `number_text`.
export function short(value, digits = 4) {
  if (!Number.isFinite(value)) return String(value);
  if (Number.isInteger(value) && Math.abs(value) < 1e9) return String(value).replace("-", "−");
  const size = Math.floor(Math.log10(Math.abs(value) || 1));
  const text = size < -4 || size >= digits ? value.toExponential(digits - 1) : value.toPrecision(digits);
  const [mantissa, power] = text.split("e");
  const cut = mantissa.includes(".") ? mantissa.replace(/\.?0+$/, "") : mantissa;
  return (power === undefined ? cut : `${cut}e${power}`).replace(/-/g, "−");
}

// A whole number with commas between thousands.
export function count(whole) {
  return whole.toLocaleString("en-US");
}

export function clamp(value, least, most) {
  return Math.min(Math.max(value, least), most);
}

export function times(count, each) {
  return Array.from({ length: count }, (_, index) => each(index));
}

// Controls. Each is { row, input, value, set(value) }: `row` goes into the page, `changed` is called when the
// user changes the value, and `set` changes it without calling `changed`.

// The name is given twice: a label's text would include the list's options and the slider's words.
function labelled(label, input, ...more) {
  input.setAttribute("aria-label", label);
  return make("label", { class: "cl-control" }, make("span", {}, label), input, ...more);
}

// `say` puts the value into words, shown beside the slider and read out by screen readers.
export function range(label, { min = 0, max, value, say = String }, changed) {
  const input = make("input", { type: "range", min, max, step: 1, ...QUIET });
  const words = make("output", { "aria-hidden": "true" });
  const control = {
    input,
    row: labelled(label, input, words),
    get value() {
      return Number(input.value);
    },
    set(next) {
      input.value = next;
      words.textContent = say(control.value);
      input.setAttribute("aria-valuetext", words.textContent);
    },
  };
  input.addEventListener("input", () => {
    control.set(control.value);
    changed(control.value);
  });
  control.set(value);
  return control;
}

// A number outside the limits counts as the nearest limit, and is corrected when the field loses focus.
export function number(label, { min, max, value }, changed) {
  const input = make("input", { type: "number", min, max, step: 1, ...QUIET });
  const control = {
    input,
    row: labelled(label, input),
    value,
    set(next) {
      control.value = next;
      input.value = next;
    },
  };
  input.addEventListener("input", () => {
    if (input.value === "" || !Number.isFinite(input.valueAsNumber)) return;
    const next = clamp(Math.round(input.valueAsNumber), min, max);
    if (next === control.value) return;
    control.value = next;
    changed(next);
  });
  input.addEventListener("change", () => control.set(control.value));
  control.set(value);
  return control;
}

// `options` are strings; the value is the index of the chosen one.
export function choice(label, options, value, changed) {
  const input = make("select", QUIET);
  const control = {
    input,
    row: labelled(label, input),
    get value() {
      return input.selectedIndex;
    },
    set(next) {
      input.selectedIndex = next;
    },
    offer(texts) {
      input.replaceChildren(...texts.map((text) => make("option", {}, text)));
    },
  };
  input.addEventListener("change", () => changed(control.value));
  control.offer(options);
  control.set(value);
  return control;
}

export function tick(label, value, changed) {
  const input = make("input", { type: "checkbox", ...QUIET });
  const control = {
    input,
    row: make("label", { class: "cl-control" }, input, make("span", {}, label)),
    get value() {
      return input.checked;
    },
    set(next) {
      input.checked = next;
    },
  };
  input.addEventListener("change", () => changed(control.value));
  control.set(value);
  return control;
}

export function button(label, clicked) {
  return make("button", { type: "button", onclick: clicked, ...QUIET }, label);
}

// A button that opens and closes a part of the figure, which starts closed. `changed` is called after either.
export function opener(label, part, changed) {
  part.hidden = true;
  const press = button(label, () => {
    part.hidden = !part.hidden;
    press.setAttribute("aria-expanded", !part.hidden);
    changed();
  });
  press.setAttribute("aria-expanded", "false");
  return press;
}

// A place in a matrix: one slider in reading order; the up and down arrows move by a row. Its value is an
// index; `shape(rows, columns)` fits it to another matrix and keeps row and column if it can.
export function place(label, changed, words = (_, row, column) => `row ${row}, column ${column}`) {
  let rows = 1;
  let columns = 1;
  const say = (at) => words(at, Math.floor(at / columns), at % columns);
  const control = range(label, { max: 0, value: 0, say }, changed);
  control.shape = (high, wide) => {
    const [row, column] = [Math.floor(control.value / columns), control.value % columns];
    [rows, columns] = [high, wide];
    control.input.max = rows * columns - 1;
    control.set(Math.min(row, rows - 1) * columns + Math.min(column, columns - 1));
  };
  control.go = (at) => {
    if (at < 0 || at >= rows * columns) return;
    control.set(at);
    changed(at);
  };
  control.input.addEventListener("keydown", (event) => {
    const step = { ArrowUp: -columns, ArrowDown: columns }[event.key];
    if (!step) return;
    event.preventDefault();
    control.go(control.value + step);
  });
  control.input.title = "Left and right move by one cell, up and down by one row";
  return control;
}

// A button that steps a `place` from cell to cell until it is pressed again; `line` stays silent meanwhile.
export function player(control, line) {
  let timer = null;
  const stop = () => {
    clearInterval(timer);
    timer = null;
    press.textContent = "Play";
    line.setAttribute("aria-live", "polite");
  };
  const press = button("Play", () => {
    if (timer) return stop();
    press.textContent = "Pause";
    line.setAttribute("aria-live", "off");
    timer = setInterval(() => {
      if (!press.isConnected) return stop();
      control.go(control.value < Number(control.input.max) ? control.value + 1 : 0);
    }, 600);
  });
  return press;
}

// What a cell's look means.
const MEANS = {
  window: "in the window",
  pad: "padding",
  unread: "in no window",
  at: "chosen",
  ring: "the largest",
  same: "unchanged",
};

// A cell for those who cannot see its look.
function spoken(text, kind) {
  const words = kind.split(" ").flatMap((each) => MEANS[each] ?? []);
  return [text, ...words].filter(Boolean).join(", ");
}

// A matrix as a table. `paint(rows, columns, cell)` asks `cell(i, j)` for { text, kind, shade, title, say }
// and touches only what changed; `kind` lists classes of the style sheets, `shade` from 0 to 1 tints, `say`
// is read out in place of `text`.
// `picked(i, j)` is called for presses and drags with the mouse, a shortcut to what a control does too.
// `tag(i, j)` is what a cell is made of.
export function grid(name, picked, tag = () => "td") {
  const caption = make("caption", {}, name);
  const body = make("tbody");
  const element = make("table", { class: "cl-nums" }, caption, body);
  const cells = [];
  // Existing cells are kept: new nodes cost more than new numbers.
  const fit = (list, length, add) => {
    for (const gone of list.splice(length)) (gone.node ?? body.lastElementChild).remove();
    while (list.length < length) list.push(add());
  };
  const report = (event) => {
    const cell = event.target.closest("td");
    if (cell && body.contains(cell)) picked(cell.parentNode.rowIndex, cell.cellIndex);
  };
  if (picked) {
    element.classList.add("cl-pick");
    body.addEventListener("pointerdown", report);
    body.addEventListener("pointerover", (event) => event.buttons === 1 && report(event));
  }
  return {
    element,
    caption,
    paint(rows, columns, look) {
      fit(cells, rows, () => body.insertRow() && []);
      for (const [i, row] of cells.entries()) {
        fit(row, columns, () => {
          const node = make(tag(i, row.length));
          body.rows[i].append(node);
          return { node };
        });
      }
      for (let i = 0; i < rows; i++) {
        for (let j = 0; j < columns; j++) {
          const { text = "", kind = "", shade, title, say = text || title } = look(i, j);
          const old = cells[i][j];
          if (old.text !== text) {
            // Changing a text node costs half as much as replacing it.
            if (old.node.firstChild) old.node.firstChild.data = text;
            else old.node.textContent = text;
          }
          if (old.kind !== kind) old.node.className = kind;
          if (old.shade !== shade) old.node.style.setProperty("--cl-shade", shade ?? 0);
          if (old.title !== title) old.node.title = title ?? "";
          if (old.kind !== kind || old.say !== say) {
            const label = spoken(say, kind);
            old.node.ariaLabel = label === text ? null : label;
          }
          Object.assign(old, { text, kind, shade, title, say });
        }
      }
    },
  };
}

// The line that says in words what the picture shows; screen readers read it out after each change.
export function sentence() {
  return make("p", { class: "cl-say", role: "status", "aria-live": "polite" });
}

export function toolbar(...rows) {
  return make("div", { class: "cl-controls" }, ...rows);
}

export function panel(...children) {
  return make("div", { class: "cl-panel" }, ...children);
}

// A part that scrolls sideways is a stop for the tab key, so that arrow keys can scroll it; others are none.
function reachable(el) {
  const parts = [...el.querySelectorAll(".cl-row-of, .cl-scroll")];
  const stop = { tabindex: 0, role: "group", "aria-label": "Scrolls sideways" };
  const watch = new ResizeObserver(() => {
    for (const part of parts) {
      if (part.scrollWidth > part.clientWidth) filled(part, stop, []);
      else for (const name in stop) part.removeAttribute(name);
    }
  });
  for (const part of parts) for (const each of [part, ...part.children]) watch.observe(each);
}

// Replaces the still picture by the figure; if anything goes wrong, the picture stays. Classic Notebook runs
// the script outside the figure: there, the figure is one with this id that has not started yet.
export function start(script, id, render) {
  const root = script?.closest(".cl-live") ?? document.querySelector(`#${id}:not(:has(.cl-stage))`);
  const data = JSON.parse(root.querySelector('script[type="application/json"]').textContent);
  const model = { get: (key) => data[key] };
  const el = make("div", { class: "cl-stage", ...QUIET });
  render({ model, el });
  const still = root.querySelector(".cl-still");
  // A page saved from the browser already holds a figure; it is older than this one.
  root.querySelector(".cl-stage")?.remove();
  still.hidden = true;
  still.after(el);
  reachable(el);
}
