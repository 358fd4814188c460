// The search, which works from disk: what is searched is a script, and is loaded when it is first needed.
(() => {
  const contents = document.querySelector(".contents");
  if (contents) contents.open = matchMedia("(min-width: 70rem)").matches;

  const box = document.querySelector(".search");
  const input = box.querySelector("input");
  const list = box.querySelector("ul");
  const said = box.querySelector("p");
  let chosen = -1;
  box.hidden = false;

  function load() {
    if (document.querySelector("#sections")) return;
    const script = document.createElement("script");
    script.id = "sections";
    script.src = "search.js";
    script.onload = search;
    document.head.append(script);
  }

  // Every word must be there; what is in a heading comes first.
  function found(words) {
    const rated = [];
    for (const [page, title, heading, anchor, text] of window.courseSections) {
      const [above, all] = [heading.toLowerCase(), `${heading} ${title} ${text}`.toLowerCase()];
      if (!words.every((word) => all.includes(word))) continue;
      const score = words.filter((word) => above.includes(word)).length;
      rated.push({ score, href: `${page}#${encodeURIComponent(anchor)}`, title, heading, text });
    }
    return rated.sort((one, other) => other.score - one.score).slice(0, 12);
  }

  function excerpt(text, words) {
    const at = Math.max(0, text.toLowerCase().indexOf(words[0]) - 40);
    return `${at ? "…" : ""}${text.slice(at, at + 110)}…`;
  }

  function option({ href, title, heading, text }, index, words) {
    const item = document.createElement("li");
    Object.assign(item, { id: `result-${index}`, role: "option" });
    item.dataset.href = href;
    for (const [tag, words_] of [
      ["strong", heading === title ? title : `${heading} · ${title.split(" · ")[0]}`],
      ["span", excerpt(text, words)],
    ]) {
      const part = document.createElement(tag);
      part.textContent = words_;
      item.append(part);
    }
    return item;
  }

  function choose(index) {
    chosen = index;
    const items = [...list.children];
    for (const [i, item] of items.entries()) item.setAttribute("aria-selected", i === chosen);
    items[chosen]?.scrollIntoView({ block: "nearest" });
    if (chosen < 0) input.removeAttribute("aria-activedescendant");
    else input.setAttribute("aria-activedescendant", items[chosen].id);
  }

  function show(open) {
    list.hidden = !open;
    input.setAttribute("aria-expanded", open);
  }

  function search() {
    const words = input.value.toLowerCase().split(/\s+/).filter(Boolean);
    const results = words.length && window.courseSections ? found(words) : [];
    list.replaceChildren(...results.map((each, index) => option(each, index, words)));
    show(results.length > 0);
    choose(results.length ? 0 : -1);
    if (!words.length) said.textContent = "";
    else
      said.textContent = results.length
        ? `${results.length} result${results.length > 1 ? "s" : ""}`
        : "Nothing found";
  }

  function open(item) {
    if (!item) return;
    show(false);
    location.href = item.dataset.href;
  }

  input.addEventListener("focus", load);
  input.addEventListener("input", search);
  input.addEventListener("keydown", (event) => {
    const count = list.children.length;
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step && count) choose((chosen + step + count) % count);
    else if (event.key === "Enter") open(list.children[chosen]);
    else if (event.key === "Escape") show(false);
    else return;
    event.preventDefault();
  });
  list.addEventListener("click", (event) => open(event.target.closest("li")));
  document.addEventListener("click", (event) => box.contains(event.target) || show(false));
  document.addEventListener("keydown", (event) => {
    if (event.key !== "/" || event.target.closest("input, select, textarea")) return;
    event.preventDefault();
    input.focus();
    input.select();
  });
})();
