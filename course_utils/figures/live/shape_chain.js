// The rules are those of torch.nn.functional; a shape starts with a batch of one image.

import { button, clamp, count, draw, make, number, sentence, times, toolbar } from "./live_figure.js";

class Refusal extends Error {}

function refuse(text) {
  throw new Refusal(text);
}

function windows(size, { kernel, stride, padding, dilation, ceil }, side) {
  const [k, s, p, d] = [kernel[side], stride[side], padding[side], dilation[side]];
  const room = size + 2 * p - d * (k - 1) - 1;
  if (!ceil) return Math.floor(room / s) + 1;
  const count = Math.floor((room + s - 1) / s) + 1;
  // The last window must start inside the image or its left padding.
  return (count - 1) * s >= size + p ? count - 1 : count;
}

const product = (sizes) => sizes.reduce((all, size) => all * size, 1);

const RULES = {
  input: (box) => box.shape,
  conv(box, [[rows, , high, wide]]) {
    const padded = [high + 2 * box.padding[0], wide + 2 * box.padding[1]];
    const reach = box.kernel.map((k, side) => box.dilation[side] * (k - 1) + 1);
    if (reach[0] > padded[0] || reach[1] > padded[1]) {
      refuse(
        `Calculated padded input size per channel: (${padded.join(" x ")}). ` +
          `Kernel size: (${reach.join(" x ")}). ` +
          "Kernel size can't be greater than actual input size",
      );
    }
    return [rows, box.out, windows(high, box, 0), windows(wide, box, 1)];
  },
  pool(box, [[rows, channels, high, wide]]) {
    for (const side of [0, 1]) {
      const [k, p, d] = [box.kernel[side], box.padding[side], box.dilation[side]];
      if (p > Math.floor((d * (k - 1) + 1) / 2)) {
        refuse(
          "pad should be at most half of effective kernel size, " +
            `but got pad=${p}, kernel_size=${k} and dilation=${d}`,
        );
      }
    }
    const [[kh, kw], [ph, pw]] = [box.kernel, box.padding];
    if (pw > Math.floor(kw / 2) || ph > Math.floor(kh / 2)) {
      refuse(
        "pad should be smaller than or equal to half of kernel size, " +
          `but got padW = ${pw}, padH = ${ph}, kW = ${kw}, kH = ${kh}`,
      );
    }
    const out = [windows(high, box, 0), windows(wide, box, 1)];
    if (Math.min(...out) < 1) {
      refuse(
        `Given input size: (${channels}x${high}x${wide}). ` +
          `Calculated output size: (${channels}x${out.join("x")}). Output size is too small`,
      );
    }
    return [rows, channels, ...out];
  },
  adaptive: (box, [[rows, channels]]) => [rows, channels, ...box.size],
  linear(box, [[rows, given]]) {
    if (given !== box.in) {
      refuse(`mat1 and mat2 shapes cannot be multiplied (${rows}x${given} and ${box.in}x${box.out})`);
    }
    return [rows, box.out];
  },
  view(box, [shape]) {
    const [size, known] = [product(shape), product(box.sizes.filter((each) => each !== -1))];
    const open = box.sizes.includes(-1);
    if (open ? size % known : size !== known) {
      refuse(`shape '[${box.sizes.join(", ")}]' is invalid for input of size ${size}`);
    }
    return box.sizes.map((each) => (each === -1 ? size / known : each));
  },
  flatten: (_, [shape]) => [shape[0], product(shape.slice(1))],
  pad(box, [shape]) {
    const out = [...shape];
    for (let i = 0; 2 * i < box.pads.length; i++)
      out[shape.length - 1 - i] += box.pads[2 * i] + box.pads[2 * i + 1];
    return out;
  },
  reduce: (box, [shape]) =>
    box.keep
      ? shape.map((size, i) => (box.dims.includes(i) ? 1 : size))
      : shape.filter((_, i) => !box.dims.includes(i)),
  add(_, [first, second]) {
    const rank = Math.max(first.length, second.length);
    const [a, b] = [first, second].map((shape) => [...Array(rank - shape.length).fill(1), ...shape]);
    for (let i = rank - 1; i >= 0; i--) {
      if (a[i] === b[i] || a[i] === 1 || b[i] === 1) continue;
      refuse(
        `The size of tensor a (${a[i]}) must match the size of tensor b (${b[i]}) ` +
          `at non-singleton dimension ${i}`,
      );
    }
    return a.map((size, i) => (size === 1 ? b[i] : size));
  },
  cat(box, shapes) {
    const out = [...shapes[0]];
    shapes.slice(1).forEach((shape, index) => {
      shape.forEach((size, i) => {
        if (i === box.dim || size === out[i]) return;
        refuse(
          `Sizes of tensors must match except in dimension ${box.dim}. ` +
            `Expected size ${out[i]} but got size ${size} for tensor number ${index + 1} in the list.`,
        );
      });
      out[box.dim] += shape[box.dim];
    });
    return out;
  },
  fixed(box, shapes) {
    if (String(shapes) === String(box.in)) return box.shape;
    refuse(`this figure has no rule for ${box.label} on other shapes: run the model to find out`);
  },
};

// { shape, parameters } of every box, { problem } where PyTorch stops, and {} after that.
function follow(boxes) {
  let stopped = false;
  const found = [];
  for (const box of boxes) {
    if (stopped) {
      found.push({});
      continue;
    }
    try {
      const given = box.from.map((index) => found[index].shape);
      found.push({ shape: RULES[box.kind](box, given), parameters: weights(box, given) });
    } catch (problem) {
      if (!(problem instanceof Refusal)) throw problem;
      stopped = true;
      found.push({ problem: problem.message });
    }
  }
  return found;
}

function weights(box, [given]) {
  if (!box.weighs) return box.more;
  const bias = box.bias ? box.out : 0;
  if (box.kind === "linear") return box.in * box.out + bias + box.more;
  return (box.out * given[1] * product(box.kernel)) / box.groups + bias + box.more;
}

const SETTINGS = { conv: ["kernel", "padding", "stride"], pool: ["kernel", "padding", "stride"] };
const LEAST = { kernel: 1, padding: 0, stride: 1 };
const written = (shape) => (shape[0] === 1 ? shape.slice(1) : shape).map(count).join("×");
const pair = ([high, wide]) => (high === wide ? `${high}×${high}` : `${high}×${wide}`);

// A block as wide and high as its map, and as deep as the logarithm of its channels.
function block(shape, largest) {
  const picture = draw("svg", { viewBox: "0 0 112 38", width: 112, height: 38, "aria-hidden": "true" });
  const style = { fill: "rgba(var(--cl-tint),.25)", stroke: "var(--cl-ink)", "stroke-width": 1 };
  if (shape?.length !== 4) {
    const long = shape ? clamp(9 * Math.log2(product(shape.slice(1))), 4, 108) : 0;
    if (long) picture.append(draw("rect", { x: 1, y: 15, width: long, height: 8, ...style }));
    return picture;
  }
  const [high, wide] = shape.slice(2).map((size) => Math.max(2, (26 * size) / largest));
  const deep = 1 + 7 * Math.log2(shape[1]) * 0.7;
  const rise = Math.min(8, deep / 3);
  const [x, y] = [1, 36 - high];
  const faces = [
    `M${x} ${y}h${wide}v${high}h${-wide}z`,
    `M${x} ${y}l${deep} ${-rise}h${wide}l${-deep} ${rise}z`,
    `M${x + wide} ${y}l${deep} ${-rise}v${high}l${-deep} ${rise}z`,
  ];
  for (const d of faces) picture.append(draw("path", { d, "stroke-linejoin": "round", ...style }));
  return picture;
}

function operation(box) {
  const also = box.also.length ? `, ${[...new Set(box.also)].join(", ")}` : "";
  // A box that is named after its operation does not say it twice.
  const kind = box.name === box.label ? "" : box.label;
  const what = {
    conv: () =>
      `conv ${pair(box.kernel)}, ${box.out} filters${box.groups > 1 ? `, ${box.groups} groups` : ""}`,
    pool: () => `${kind} ${pair(box.kernel)}${box.ceil ? ", rounded up" : ""}`,
    adaptive: () => `${kind} to ${pair(box.size)}`,
    linear: () => `linear ${count(box.in)} → ${count(box.out)}`,
    view: () => `view(${box.sizes.join(", ")})`,
    input: () => "one image",
  }[box.kind];
  return ((what ? what() : kind) + also).replace(/^, /, "");
}

export function render({ model, el }) {
  const asGiven = model.get("boxes");
  const unused = model.get("unused");
  const first = follow(asGiven);
  const status = sentence();
  const fault = make("p", { class: "cl-fault" });
  let boxes;
  let views;

  const list = make("ol", { class: "cl-chain", "aria-label": "The layers in order" });

  // One field for height and width while they agree, two otherwise.
  function field(box, name, pairs, most) {
    const together = pairs[0] === pairs[1];
    return times(together ? 1 : 2, (side) => {
      const label = together ? name : `${name} ${["↓", "→"][side]}`;
      const control = number(label, { min: LEAST[name] ?? 1, max: most, value: pairs[side] }, (value) => {
        pairs[side] = value;
        if (together) pairs[1] = value;
        show(box);
      });
      control.input.setAttribute(
        "aria-label",
        `${name}${together ? "" : [" height", " width"][side]} of ${box.name}`,
      );
      return control.row;
    });
  }

  function viewed(box) {
    const parts = {
      operation: make("div", { class: "cl-op" }),
      picture: make("div", { class: "cl-look" }),
      shape: make("div", { class: "cl-shape" }),
      count: make("div", { class: "cl-count" }),
    };
    const fields = (SETTINGS[box.kind] || []).flatMap((name) => field(box, name, box[name], 99));
    if (box.kind === "input") {
      const sides = ["height", "width"].map((name, side) => {
        const control = number(name, { min: 1, max: 999, value: box.shape[2 + side] }, (value) => {
          box.shape[2 + side] = value;
          show(box);
        });
        control.input.setAttribute("aria-label", `${name} of the image`);
        return control.row;
      });
      fields.push(...sides);
    }
    const back = box.from.filter((index) => boxes[index] !== boxes[boxes.indexOf(box) - 1]);
    const apart = back.length === box.from.length && back.length > 0;
    const reads = `${apart ? "reads" : "also reads"} ${back.map((i) => boxes[i].name).join(", ")}`;
    if (back.length) fields.unshift(make("div", { class: "cl-count" }, reads));
    const title = make("div", { class: "cl-name" }, box.name);
    const element = make(
      "li",
      { "data-apart": apart },
      title,
      parts.operation,
      ...fields,
      parts.picture,
      parts.shape,
      parts.count,
    );
    return { ...parts, element };
  }

  function show(changed) {
    const found = follow(boxes);
    const sides = found.flatMap(({ shape }) => (shape?.length === 4 ? shape.slice(2) : []));
    const largest = Math.max(1, ...sides);
    boxes.forEach((box, index) => {
      const [view, { shape, problem, parameters }] = [views[index], found[index]];
      const differs = shape && String(shape) !== String(first[index].shape);
      view.element.className = problem ? "cl-stop" : shape ? (differs ? "cl-changed" : "") : "cl-after";
      view.operation.textContent = operation(box);
      view.picture.replaceChildren(block(shape, largest));
      view.shape.textContent = problem ? "✗ does not fit" : shape ? written(shape) : "not reached";
      view.count.textContent = parameters ? `${count(parameters)} parameters` : "";
    });
    const stop = found.findIndex(({ problem }) => problem);
    fault.style.visibility = stop < 0 ? "hidden" : "visible";
    const lead = changed ? `${changed.name} ${told(found[boxes.indexOf(changed)])}. ` : "";
    if (stop >= 0) {
      const { name, from } = boxes[stop];
      const given = from.map((index) => written(found[index].shape)).join(" and ");
      fault.replaceChildren(make("code", {}, `RuntimeError: ${found[stop].problem}`));
      status.textContent = `${lead}${name} receives ${given}, which does not fit. PyTorch says:`;
      return;
    }
    const total = found.reduce((sum, { parameters }) => sum + parameters, unused);
    const last = found[found.length - 1].shape;
    const flat = last[0] === 1 && last.length === 2;
    const many = last[0] === 1 ? "" : ` One image became ${last[0]} rows.`;
    const output = `${written(last)}${flat ? " values" : ""}`;
    status.textContent = `${lead}Output: ${output}; ${count(total)} parameters.${many}`;
  }

  const told = ({ shape, problem }) =>
    problem ? "does not fit" : shape ? `gives ${written(shape)}` : "is not reached";

  function begin() {
    boxes = structuredClone(asGiven);
    views = boxes.map(viewed);
    list.replaceChildren(...views.map(({ element }) => element));
    show();
  }

  begin();
  const title = make("p", { class: "cl-title" }, `${model.get("title")}, layer by layer`);
  const help = make(
    "span",
    { class: "cl-quiet" },
    "Change a size, and the shapes that follow are recomputed. " +
      "Shapes are channels×height×width; changed shapes are underlined.",
  );
  el.append(title, toolbar(button("Start again", begin), help), status, fault, list);
}
