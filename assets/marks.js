// The bar beside words that are selected in the book, or marked there already. It sends what is selected as
// characters of the document; the server looks the words up, so that a count that is off by some is mended.
const bar = element.closest("#lm-bar") || element;
const TEXT = "[data-start][data-end]:not([data-action])";
let chosen = null;

const letters = (words) => [...words].length;
const edge = (block, node, offset) => {
  const range = document.createRange();
  range.selectNodeContents(block);
  range.setEnd(node, offset);
  return Number(block.dataset.start) + letters(range.toString());
};

const selected = () => {
  const selection = window.getSelection();
  const leaf = document.querySelector("#lm-reader .lm-leaf");
  if (!leaf || !selection.rangeCount || selection.isCollapsed) return null;
  const range = selection.getRangeAt(0);
  if (!leaf.contains(range.commonAncestorContainer)) return null;
  const blocks = [...leaf.querySelectorAll(TEXT)].filter((block) => range.intersectsNode(block));
  if (!blocks.length || !String(selection).trim()) return null;
  const [first, last] = [blocks[0], blocks[blocks.length - 1]];
  const start = first.contains(range.startContainer)
    ? edge(first, range.startContainer, range.startOffset) : Number(first.dataset.start);
  const end = last.contains(range.endContainer)
    ? edge(last, range.endContainer, range.endOffset) : Number(last.dataset.end);
  return { start, end, words: String(selection), at: range.getBoundingClientRect(), known: false };
};

const hide = () => {
  chosen = null;
  bar.classList.remove("lm-on");
};
const place = (found) => {
  chosen = found;
  bar.classList.toggle("lm-is-known", found.known);
  bar.classList.add("lm-on");
  // a finger's own menu stands above what it selects: there the bar stays at the foot of the screen
  if (matchMedia("(pointer: coarse)").matches) return;
  const box = bar.getBoundingClientRect();
  const left = Math.max(8, Math.min(window.innerWidth - box.width - 8, found.at.left));
  const above = found.at.top - box.height - 8;
  bar.style.left = left + "px";
  const lowest = window.innerHeight - box.height - 8;
  bar.style.top = Math.min(lowest, above > 8 ? above : found.at.bottom + 8) + "px";
};

let waiting = 0;
document.addEventListener("selectionchange", () => {
  clearTimeout(waiting);
  waiting = setTimeout(() => {
    if (!element.isConnected) return;
    const found = selected();
    if (found) place(found);
    else if (chosen && !chosen.known) hide();
  }, 250);
});
document.addEventListener("pointerdown", (event) => {
  if (chosen && chosen.known && !bar.contains(event.target)) hide();
});
document.addEventListener("click", (event) => {
  const mark = event.target.closest("#lm-reader .lm-leaf mark.lm-mark");
  const block = mark && mark.closest(TEXT);
  if (!block || !element.isConnected || String(window.getSelection())) return;
  const start = edge(block, mark, 0);
  const words = mark.textContent;
  place({ start, end: start + letters(words), words, at: mark.getBoundingClientRect(), known: true });
}, true);
document.addEventListener("keydown", (event) => {
  if (event.key === "Escape" && chosen) {
    window.getSelection().removeAllRanges();
    hide();
  }
});
// the selection stays while one presses a button of the bar
bar.addEventListener("pointerdown", (event) => event.preventDefault());
bar.addEventListener("click", (event) => {
  const target = event.target.closest("[data-action]");
  if (!target || !chosen) return;
  const { start, end, words } = chosen;
  const extra = { start, end, words };
  if (target.dataset.ask) {
    extra.answer = window.prompt(target.dataset.ask, "");
    if (extra.answer === null) return;
  }
  trigger("click", Object.assign({}, target.dataset, extra));
  window.getSelection().removeAllRanges();
  hide();
  // where the talk stands behind the book
  if (target.dataset.field) document.querySelector("#lm-panes [data-pane=talk]")?.click();
  if (target.dataset.field) document.querySelector(target.dataset.field + " textarea")?.focus();
});
