// What axe-core finds on a page. Asked of every number of every table, contrast takes nine tenths of the time; it is
// the same for all that looks alike in the same place, so that one of each kind is asked.

const CONTRAST = "color-contrast";
const LOOK = ["color", "background-color", "background-image", "opacity", "filter", "font-size", "font-weight"];

async function violations({ within, rules, onlyContrast }) {
  const ask = (where, options) => axe.run(where, { ...options, resultTypes: ["violations"] });
  const others = { ...rules, [CONTRAST]: { enabled: false } };
  const found = [];
  if (!onlyContrast) found.push(await ask(within ? { include: [[within]] } : document, { rules: others }));
  const texts = rules[CONTRAST]?.enabled === false ? [] : oneOfEachKind(within);
  if (texts.length) found.push(await ask({ include: texts }, { runOnly: [CONTRAST] }));
  return found.flatMap((each) => each.violations);
}

function oneOfEachKind(within) {
  const kinds = new Map([[null, 0]]);
  const numbers = new Map();

  // The same for parts with the same name, classes and look, in parts of the same kind.
  function kind(element) {
    if (!kinds.has(element)) {
      const style = getComputedStyle(element);
      const name = [kind(element.parentElement), element.tagName, element.getAttribute("class")];
      const key = [...name, ...LOOK.map((property) => style.getPropertyValue(property))].join();
      if (!numbers.has(key)) numbers.set(key, numbers.size + 1);
      kinds.set(element, numbers.get(key));
    }
    return kinds.get(element);
  }

  // Of the longest text: axe-core says nothing of a single letter's contrast.
  const chosen = new Map();
  for (const element of document.querySelectorAll(within ? `:is(${within}), :is(${within}) *` : "*")) {
    const [longest, length] = [chosen.get(kind(element)), textLength(element)];
    if (length > (longest ? textLength(longest) : 0) && element.checkVisibility()) chosen.set(kind(element), element);
  }
  return [...chosen.values()];
}

function textLength(element) {
  if (element.matches("input, select, textarea")) return element.value.length;
  const texts = [...element.childNodes].filter((node) => node.nodeType === Node.TEXT_NODE);
  return texts.map((node) => node.data.trim()).join("").length;
}
