// The book in the window. Its leaves follow one another as one scrolls: those beside the one that the server
// wrote are fetched. The line at the top stays there whatever changes its size, and the server is told of it.
const BLOCK = "[data-start][data-end]:not([data-action])";
const AHEAD = 1.5; // windows of text beyond the edge of this one
const PACE = 45; // characters a second: what was on the screen for less was not read
const SKIPPED = 0.03; // of the book: so much may lie between what was read and what is read now, as a preface
const REST = 300; // milliseconds after which a line was come to
const AIMED = 3000; // milliseconds in which pictures may still move what was led to
let led = null;
let hold = null; // {at, top}: the character that stands at that height of the window
let aimed = 0; // until when the place led to is held, whatever scrolls
let fetching = false;
let dwelt = 0;
let told = "";
let resting = 0;

const frameOf = () => element.querySelector(".lm-frame");
const leafOf = () => element.querySelector(".lm-leaf");
const sheets = () => [...element.querySelectorAll(".lm-sheet")];
// between the server's drawing it anew and ours putting it in its place, what is in the window says nothing
let settled = "";
const leavesNow = () => sheets().map((one) => one.dataset.leaf).join(" ");
const isSettled = () => frameOf() && leavesNow() === settled;
const inSight = () => element.isConnected && element.offsetParent !== null && isSettled();
const bench = () => document.querySelector("#lm-bench");
const foot = () => document.querySelector("#lm-foot");
const edge = () => Math.max(0, bench().getBoundingClientRect().bottom);
const lowest = () => Math.min(window.innerHeight, foot().getBoundingClientRect().top);

// the letter of a block at an offset, as a rectangle of the window
const letterOf = (block, offset) => {
  const walker = document.createTreeWalker(block, NodeFilter.SHOW_TEXT);
  const range = document.createRange();
  let node = walker.nextNode();
  for (let rest = offset; node; node = walker.nextNode()) {
    if (rest < node.length) {
      range.setStart(node, rest);
      range.setEnd(node, rest + 1);
      return range.getBoundingClientRect();
    }
    rest -= node.length;
  }
  return block.getBoundingClientRect();
};
const firstWhere = (count, holds) => {
  let [low, high] = [0, count];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (holds(middle)) high = middle;
    else low = middle + 1;
  }
  return low;
};
// the first character whose line reaches below a height of the window; null below all text
const characterAt = (height) => {
  const blocks = [...element.querySelectorAll(BLOCK)];
  const block = blocks[firstWhere(blocks.length, (n) => blocks[n].getBoundingClientRect().bottom > height)];
  if (!block) return null;
  const [start, end] = [Number(block.dataset.start), Number(block.dataset.end)];
  if (block.getBoundingClientRect().top >= height || block.querySelector("table")) return start;
  const at = firstWhere(end - start, (n) => letterOf(block, n).bottom > height);
  return Math.min(end - 1, start + at);
};
const heightOf = (at) => {
  const blocks = [...element.querySelectorAll(BLOCK)];
  const block = blocks[firstWhere(blocks.length, (n) => Number(blocks[n].dataset.end) > at)];
  if (!block) return null;
  return letterOf(block, Math.max(0, at - Number(block.dataset.start))).top;
};

const keep = () => {
  if (!inSight() || Date.now() < aimed) return;
  const at = characterAt(edge() + 4);
  hold = at === null ? null : { at, top: heightOf(at) };
};
const restore = () => {
  if (!inSight() || !hold) return;
  if (!hold.at && Date.now() < aimed) {
    window.scrollTo(0, 0);
    return;
  }
  const top = heightOf(hold.at);
  if (top !== null && Math.abs(top - hold.top) > 1) window.scrollBy(0, top - hold.top);
};

// what the server hears of: the line at the top, and how far was read
const tell = (read) => {
  const frame = frameOf();
  if (!frame || !hold) return;
  const at = window.scrollY < 8 && Number(sheets()[0].dataset.leaf) === 0 ? 0 : hold.at;
  const news = `${at} ${read || ""}`;
  if (news === told) return;
  told = news;
  window.history.replaceState(window.history.state, "", `#book=${frame.dataset.document}&at=${at}`);
  const { document: book, led: way } = frame.dataset;
  trigger("input", { action: "scrolled", document: book, led: way, at, read: read || 0 });
  inContents(at);
};
const inContents = (at) => {
  const chapters = [...document.querySelectorAll("#lm-contents .lm-chapter")];
  const here = chapters.filter((one) => Number(one.dataset.start) <= at).pop();
  chapters.forEach((one) => {
    if (one === here) one.setAttribute("aria-current", "true");
    else one.removeAttribute("aria-current");
  });
};

// leaves before and after; each was escaped by the server as the one in the middle was
const fetched = async (number) => {
  const answer = await fetch(`lm/leaves/${frameOf().dataset.document}/${number}`).catch(() => null);
  if (!answer?.ok) return null;
  const made = document.createElement("template");
  made.innerHTML = await answer.text();
  // a page that asks one to sign in is none
  const sheet = [...made.content.children].find((one) => one.matches(".lm-sheet")) || null;
  sheet?.querySelector(`${BLOCK}[data-start="${frameOf()?.dataset.cursor}"]`)?.classList.add("lm-cursor");
  return sheet;
};
const fill = async () => {
  const frame = frameOf();
  if (fetching || !inSight()) return;
  const [first, last] = [sheets()[0], sheets().pop()];
  const under = last.getBoundingClientRect().bottom < window.innerHeight * (1 + AHEAD);
  const over = first.getBoundingClientRect().top > -window.innerHeight * AHEAD;
  const below = under && Number(last.dataset.leaf) + 1 < Number(frame.dataset.leaves);
  if (!below && !(over && Number(first.dataset.leaf) > 0)) return;
  const [before, beside] = [led, (below ? last : first).dataset.leaf];
  fetching = true;
  let sheet = null;
  try {
    sheet = await fetched(Number(beside) + (below ? 1 : -1));
    // the book may have been drawn anew meanwhile, and this leaf been put back
    if (sheet && before === led && isSettled() && !numbered(sheet.dataset.leaf)) {
      if (below) numbered(beside)?.after(sheet);
      else numbered(beside)?.before(sheet);
      remember();
      restore();
    }
  } finally {
    fetching = false;
  }
  if (sheet) fill();
};

// a pane that is drawn anew holds one leaf: those around it are put back, then fetched with what is new on
// them. The page changes what is there into what is new, so that copies are kept
let others = [];
const numbered = (leaf) => sheets().find((one) => one.dataset.leaf === leaf);
const remember = () => {
  settled = leavesNow();
  others = sheets().map((one) => one.cloneNode(true));
};
const putBack = () => {
  const fresh = sheets()[0];
  const around = others.filter((one) => !numbered(one.dataset.leaf));
  around.forEach((one) => {
    if (Number(one.dataset.leaf) < Number(fresh.dataset.leaf)) fresh.before(one);
    else leafOf().append(one);
  });
  around.forEach(async (one) => {
    const { leaf } = one.dataset;
    const again = await fetched(leaf);
    if (!again || !one.isConnected || one.dataset.leaf !== leaf || !isSettled()) return;
    one.replaceWith(again);
    others = others.map((known) => (known.dataset.leaf === leaf ? again.cloneNode(true) : known));
  });
};

const drawn = () => {
  const frame = frameOf();
  if (!frame) return;
  const key = `${frame.dataset.document} ${frame.dataset.led}`;
  if (key === led) putBack();
  remember();
  if (key === led) {
    restore();
  } else {
    const first = led === null;
    led = key;
    const at = Number(frame.dataset.at);
    const marked = Boolean(element.querySelector("mark.cited, mark.found"));
    // every place that one is led to has an address of its own, and the browser's Back leads to the one before
    const address = `#book=${frame.dataset.document}&at=${at}`;
    const there = window.location.hash.startsWith("#book=") && !first;
    if (address !== window.location.hash) {
      window.history[there ? "pushState" : "replaceState"](window.history.state, "", address);
    }
    if (marked) turnTo("book");
    const head = bench().offsetHeight;
    hold = { at, top: marked ? head + (window.innerHeight - head) / 4 : head + 8 };
    aimed = Date.now() + AIMED;
    told = "";
    dwelt = 0;
    restore();
    inContents(at);
  }
  fill();
};
watch("value", () => requestAnimationFrame(drawn));
requestAnimationFrame(drawn);

new ResizeObserver(() => {
  fit();
  restore();
  fill();
}).observe(element);
// the talk beside the book ends where the window does, also while what stands above both is in sight
const fit = () => {
  const desk = document.querySelector("#lm-desk");
  if (inSight()) desk.style.setProperty("--lm-above", `${Math.max(0, desk.getBoundingClientRect().top - 9)}px`);
};
const scrolled = () => {
  fit();
  if (!inSight() || Date.now() < aimed) return;
  keep();
  fill();
  clearTimeout(resting);
  resting = setTimeout(() => inSight() && tell(), REST);
};
window.addEventListener("scroll", scrolled, { passive: true });
["wheel", "touchmove", "keydown", "pointerdown"].forEach((name) => {
  window.addEventListener(name, () => { aimed = 0; }, { passive: true, capture: true });
});

// the last character in the window, which one may say that one has read to
const under = () => {
  const blocks = [...element.querySelectorAll(BLOCK)];
  return characterAt(lowest() - 4) ?? Number(blocks[blocks.length - 1].dataset.end);
};
window.lmUnder = () => (inSight() && element.querySelector(BLOCK) ? String(under()) : "");

// what stood on the screen long enough was read, where all before it was
setInterval(() => {
  if (!inSight() || document.hidden || !hold || !frameOf().dataset.size) return;
  const frame = frameOf();
  const position = Number(frame.dataset.read);
  const top = characterAt(edge() + 4);
  if (top === null) return;
  const end = under();
  if (top > position + SKIPPED * Number(frame.dataset.size) || end <= position) {
    dwelt = 0;
    return;
  }
  dwelt += PACE;
  if (dwelt < end - Math.max(top, position)) return;
  dwelt = 0;
  frame.dataset.read = end;
  tell(end);
}, 1000);

// by a window's height, with a line of it left to go on from
const turn = (by) => window.scrollBy({ top: by * (lowest() - edge() - 40) });

let from = null;
element.addEventListener("touchstart", (event) => {
  from = event.touches.length === 1 ? event.touches[0] : null;
}, { passive: true });
element.addEventListener("touchend", (event) => {
  const to = event.changedTouches[0];
  if (!from || String(window.getSelection())) return;
  const [right, down] = [to.clientX - from.clientX, to.clientY - from.clientY];
  if (Math.abs(right) > 80 && Math.abs(right) > 3 * Math.abs(down)) turn(right < 0 ? 1 : -1);
}, { passive: true });

element.addEventListener("click", (event) => {
  const paragraph = event.target.closest(`.lm-leaf ${BLOCK}`);
  if (!paragraph || event.target.closest("[data-action], button") || String(window.getSelection())) return;
  trigger("click", { action: "cursor", start: paragraph.dataset.start });
});

const follow = () => {
  const found = /^#book=([0-9a-f]{12,64})&at=(\d+)$/.exec(window.location.hash);
  const frame = frameOf();
  const shown = frame && `#book=${frame.dataset.document}&at=${frame.dataset.at}`;
  if (!element.isConnected || !found || shown === window.location.hash) return;
  trigger("click", { action: "address", document: found[1], at: found[2] });
};
window.addEventListener("popstate", follow);
window.addEventListener("hashchange", follow);
document.addEventListener("keydown", (event) => {
  if (!inSight() || event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.target.closest("input, textarea, select, [contenteditable], [role=tab], [role=slider], .lm-roving")) return;
  const by = { ArrowRight: 1, ArrowLeft: -1, n: 1, p: -1 }[event.key];
  if (by) {
    event.preventDefault();
    turn(by);
  } else if (event.key === "/") {
    event.preventDefault();
    document.querySelector("#lm-search input, #lm-search textarea")?.focus();
  }
});
