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
    script.onerror = () => say("The search needs search.js beside this page");
    document.head.append(script);
  }

  function say(text) {
    said.textContent = text;
    said.className = list.hidden && text ? "none" : "said";
  }

  // 3x3 finds 3×3, and American spelling British: all is compared in one spelling.
  const plain = (text) =>
    text
      .toLowerCase()
      .replaceAll("×", "x")
      .replace(/iz(?=[aei])/g, "is")
      .replaceAll("colour", "color");

  // Every word must be there; what is in a heading comes first, and what is one at the top.
  function found(words) {
    const rated = [];
    for (const [page, title, heading, anchor, text] of window.courseSections) {
      const [above, all] = [plain(heading), plain(`${heading} ${title} ${text}`)];
      if (!words.every((word) => all.includes(word))) continue;
      const score = words.filter((word) => above.includes(word)).length + (above === words.join(" "));
      rated.push({ score, href: `${page}#${encodeURIComponent(anchor)}`, title, heading, text });
    }
    return rated.sort((one, other) => other.score - one.score);
  }

  function excerpt(text, words) {
    const near = Math.max(0, plain(text).indexOf(words[0]) - 40);
    const at = near && text.indexOf(" ", near) + 1;
    const shown = text.slice(at, at + 110).replace(/\s\S*$/, "");
    return text && `${at ? "…" : ""}${text.length > at + 110 ? `${shown} …` : text.slice(at)}`;
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
    if (!window.courseSections) return;
    const words = plain(input.value.replace(/["“”]/g, " ")).split(/\s+/).filter(Boolean);
    const results = words.length ? found(words) : [];
    const shown = results.slice(0, 12);
    list.replaceChildren(...shown.map((each, index) => option(each, index, words)));
    show(shown.length > 0);
    choose(shown.length ? 0 : -1);
    const count = `${results.length} result${results.length > 1 ? "s" : ""}`;
    if (!words.length) say("");
    else if (!results.length) say("Nothing found");
    else say(results.length > shown.length ? `${count}, the first ${shown.length} here` : count);
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
    else if (event.key === "Escape") {
      if (list.hidden) input.value = "";
      show(false);
      say("");
    } else return;
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
