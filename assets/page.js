// What every pane of ours does: buttons send their data to the server, the reader follows keys and clicks.
// `element`, `trigger` and `watch` are given by the page. Nothing here builds markup.
let focused = null;

const send = (target, extra) => trigger("click", Object.assign({}, target.dataset, extra || {}));

element.addEventListener("click", (event) => {
  const target = event.target.closest("[data-action]");
  if (target && element.contains(target)) {
    if (target.dataset.action === "copy") {
      const source = target.closest("section").querySelector(".lm-said");
      navigator.clipboard && navigator.clipboard.writeText(source.innerText);
      target.textContent = "Copied";
      return;
    }
    if (target.dataset.confirm && !window.confirm(target.dataset.confirm)) return;
    if (target.dataset.ask) {
      const answer = window.prompt(target.dataset.ask, target.dataset.preset || "");
      if (answer === null) return;
      send(target, { answer });
      return;
    }
    send(target);
    return;
  }
  const paragraph = event.target.closest(".lm-leaf [data-start]");
  if (paragraph && !String(window.getSelection())) {
    trigger("click", { action: "cursor", start: paragraph.dataset.start });
  }
});

// a pane is drawn anew when it changes: what had the focus gets it back
const nameOf = (node) => node.dataset.action + "|" + (node.dataset.document || node.dataset.job || "");
element.addEventListener("focusin", (event) => {
  const target = event.target.closest("[data-action]");
  focused = target ? nameOf(target) : null;
});
element.addEventListener("focusout", (event) => {
  if (event.relatedTarget) focused = null;
});

const scroller = element.closest("#lm-reader, #lm-talk");
let leaf = "";
const settle = () => {
  if (focused) {
    const again = [...element.querySelectorAll("[data-action]")].find((node) => nameOf(node) === focused);
    if (again && document.activeElement === document.body) again.focus({ preventScroll: true });
  }
  if (!scroller) return;
  const article = element.querySelector(".lm-leaf");
  if (!article) {
    scroller.scrollTop = scroller.scrollHeight; // a talk shows its end
    return;
  }
  const mark = article.querySelector("mark.cited, mark.found") || article.querySelector(".lm-goal");
  const shown = article.dataset.key || "";
  if (mark && shown !== leaf) {
    const top = mark.getBoundingClientRect().top - scroller.getBoundingClientRect().top;
    scroller.scrollTop += top - scroller.clientHeight / 3;
    if (window.innerWidth < 800) scroller.scrollIntoView({ block: "start" });
  } else if (shown !== leaf) {
    scroller.scrollTop = 0;
  }
  leaf = shown;
};
watch("value", () => requestAnimationFrame(settle));
requestAnimationFrame(settle);

if (element.closest("#lm-reader")) {
  document.addEventListener("keydown", (event) => {
    if (!element.isConnected || element.offsetParent === null) return;
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.target.closest("input, textarea, select, [contenteditable], [role=tab], [role=slider]")) return;
    const action = { ArrowRight: "next", ArrowLeft: "previous", n: "next", p: "previous" }[event.key];
    if (action) {
      event.preventDefault();
      trigger("click", { action });
    } else if (event.key === "/") {
      event.preventDefault();
      const box = document.querySelector("#lm-search input, #lm-search textarea");
      if (box) box.focus();
    }
  });
}
