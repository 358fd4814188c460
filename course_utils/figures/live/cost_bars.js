// Sortable tables with a bar beside each number.

import { button, choice, count, make, sentence, toolbar } from "./live_figure.js";

const percent = (share) => (share > 0 && share < 0.001 ? "< 0.1 %" : `${(100 * share).toFixed(1)} %`);

// Rows in a new order; rows that tie keep the network's order.
function sorted(rows, key, down) {
  const sign = down ? -1 : 1;
  const order = (a, b) =>
    typeof a[key] === "number" ? a[key] - b[key] : a[key].localeCompare(b[key], "en", { numeric: true });
  return [...rows].sort((a, b) => sign * order(a, b) || a.at - b.at);
}

function listed(networks, chosen) {
  if (chosen === 0) {
    return networks.map(({ name, input, runs, parameters, work }, at) => ({
      at,
      name,
      input,
      runs,
      parameters,
      work,
    }));
  }
  return networks[chosen - 1].layers.map(([name, kind, output, parameters, work], at) => ({
    at,
    name,
    kind,
    output,
    parameters,
    work,
  }));
}

const COLUMNS = {
  all: { at: "order", name: "network", input: "input", runs: "weight layers" },
  one: { at: "order", name: "layer", kind: "kind", output: "output" },
};

export function render({ model, el }) {
  const networks = model.get("networks");
  const status = sentence();
  const head = make("thead");
  const body = make("tbody");
  const caption = make("caption");
  let key = "at";
  let down = false;

  const pick = choice("Network", ["all networks", ...networks.map(({ name }) => name)], 0, () => open());
  const names = { at: "order", parameters: "parameters", work: "multiply-adds" };
  const keys = Object.keys(names);
  const order = choice("Sort by", Object.values(names), 0, (index) => sort(keys[index], index > 0));

  function open() {
    if (!(key in names)) [key, down] = ["at", false];
    show();
  }

  function sort(next, descending) {
    [key, down] = [next, descending];
    show();
  }

  function header(rows, columns) {
    const cells = Object.entries({ ...columns, parameters: "parameters", work: "multiply-adds" }).map(
      ([name, label]) => {
        const press = button(label, () => {
          const heavy = typeof rows[0][name] === "number" && name !== "at";
          sort(name, name === key ? !down : heavy);
          [...head.querySelectorAll("button")].find((each) => each.dataset.key === name).focus();
        });
        press.dataset.key = name;
        if (name === key) press.append(make("span", { "aria-hidden": "true" }, down ? " ▼" : " ▲"));
        return make(
          "th",
          { scope: "col", "aria-sort": name === key ? (down ? "descending" : "ascending") : "none" },
          press,
        );
      },
    );
    head.replaceChildren(make("tr", {}, ...cells));
  }

  function bar(value, most, total, kind) {
    const fill = make("i");
    fill.style.width = `${most ? (100 * value) / most : 0}%`;
    const share = pick.value ? [make("span", { class: "cl-share" }, percent(total ? value / total : 0))] : [];
    return make(
      "td",
      { class: "cl-much" },
      `${count(value)} `,
      ...share,
      make("span", { class: `cl-bar ${kind}`, "aria-hidden": "true" }, fill),
    );
  }

  function show() {
    const [one, rows] = [pick.value > 0, listed(networks, pick.value)];
    const columns = one ? COLUMNS.one : COLUMNS.all;
    const most = (name) => Math.max(0, ...rows.map((row) => row[name]));
    const total = (name) => rows.reduce((sum, row) => sum + row[name], 0);
    const [heaviest, busiest, weights, work] = [
      most("parameters"),
      most("work"),
      total("parameters"),
      total("work"),
    ];
    const ordered = sorted(rows, key, down);
    header(rows, columns);
    body.replaceChildren(
      ...ordered.map((row) => {
        const first = one
          ? row.name
          : button(row.name, () => {
              pick.set(row.at + 1);
              open();
              pick.input.focus();
            });
        const cells = Object.keys(columns).map((name) => {
          if (name === "name") return make("th", { scope: "row" }, first);
          return make("td", {}, name === "at" ? String(row.at + 1) : String(row[name]));
        });
        return make(
          "tr",
          {},
          ...cells,
          bar(row.parameters, heaviest, weights, ""),
          bar(row.work, busiest, work, "cl-work"),
        );
      }),
    );
    order.set(keys.indexOf(key));
    const by = (name) => rows.reduce((best, row) => (row[name] > best[name] ? row : best));
    const [largest, slowest] = [by("parameters"), by("work")];
    if (one) {
      const { name, input, parameters } = networks[pick.value - 1];
      caption.textContent = `${name}, one image of ${input}; batch norm is counted with its layer`;
      status.textContent =
        `${name}: ${count(parameters)} parameters, ` +
        `${percent(largest.parameters / weights)} of them in layer ${largest.name}; ` +
        `${count(work)} multiply-adds, ${percent(slowest.work / work)} of them in layer ${slowest.name}.`;
    } else {
      caption.textContent = "For one image; choose a network to see its layers";
      status.textContent =
        `Most parameters: ${largest.name}, ${count(largest.parameters)}. ` +
        `Most multiply-adds: ${slowest.name}, ${count(slowest.work)}. ` +
        `First in this order: ${ordered[0].name}.`;
    }
    if (one && key !== "at") status.textContent += ` First in this order: ${ordered[0].name}.`;
  }

  show();
  const scroll = make(
    "div",
    { class: "cl-long", tabindex: 0, role: "region", "aria-label": "Table of costs" },
    make("table", { class: "cl-costs" }, caption, head, body),
  );
  el.append(
    make("p", { class: "cl-title" }, "Parameters and multiply-adds"),
    toolbar(pick.row, order.row),
    status,
    scroll,
  );
}
