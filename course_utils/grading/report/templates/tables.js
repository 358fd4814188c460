// Sorts tables by column and filters the students; without this script the tables are plain and complete.

const collator = new Intl.Collator(undefined, { numeric: true, sensitivity: "base" });

function sort(head) {
  const table = head.closest("table");
  const turn = head.getAttribute("aria-sort") === "ascending" ? -1 : 1;
  for (const other of head.parentElement.cells) other.removeAttribute("aria-sort");
  head.setAttribute("aria-sort", turn > 0 ? "ascending" : "descending");
  const keyed = [...table.tBodies[0].rows].map((row) => {
    const cell = row.cells[head.cellIndex];
    return { row, key: cell.dataset.sort ?? cell.textContent.trim() };
  });
  // Empty cells stay last; texts that are no numbers have no difference.
  keyed.sort((a, b) => !a.key - !b.key || turn * (a.key - b.key || collator.compare(a.key, b.key)));
  table.tBodies[0].append(...keyed.map(({ row }) => row));
}

function plain(text) {
  return text.normalize("NFKD").replace(/\p{M}/gu, "").toLowerCase();
}

function filter(form) {
  const rows = [...document.getElementById(form.dataset.table).tBodies[0].rows];
  const texts = rows.map((row) => plain(row.textContent));
  const { text, show, count } = form.elements;
  const refresh = () => {
    const words = plain(text.value).split(/\s+/);
    let shown = 0;
    for (const [i, row] of rows.entries()) {
      row.hidden =
        (show.value && !row.classList.contains(show.value)) || !words.every((w) => texts[i].includes(w));
      if (!row.hidden) shown += 1;
    }
    count.value = `${shown} of ${rows.length}`;
  };
  form.addEventListener("input", refresh);
  form.addEventListener("submit", (event) => event.preventDefault());
  for (const link of document.querySelectorAll("a[data-show]")) {
    link.addEventListener("click", () => {
      show.value = link.dataset.show;
      refresh();
    });
  }
  form.hidden = false;
  refresh();
}

for (const head of document.querySelectorAll("table.sortable thead th")) {
  const button = document.createElement("button");
  button.type = "button";
  button.append(...head.childNodes);
  button.addEventListener("click", () => sort(head));
  head.append(button);
}
for (const form of document.querySelectorAll("form.filter")) filter(form);
