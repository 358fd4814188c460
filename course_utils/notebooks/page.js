// What scrolls sideways is a stop for the tab key, so that arrow keys can scroll it; the rest is none.
(() => {
  const stop = { tabindex: 0, role: "group", "aria-label": "Scrolls sideways" };
  const watch = new ResizeObserver((entries) => {
    for (const { target } of entries) {
      const scrolls = target.scrollWidth > target.clientWidth;
      for (const name in stop) {
        if (scrolls) target.setAttribute(name, stop[name]);
        else target.removeAttribute(name);
      }
    }
  });
  for (const each of document.querySelectorAll(".output_subarea, .wide")) watch.observe(each);
})();
