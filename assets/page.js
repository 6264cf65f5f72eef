// What every pane of ours does: buttons send their data to the server, the reader follows keys and clicks.
// `element`, `trigger` and `watch` are given by the page. Nothing here builds markup.
let focused = null;
const opened = new Map();

const send = (target, extra) => trigger("click", Object.assign({}, target.dataset, extra || {}));

// browsers give a page its clipboard over https and on this machine only; elsewhere a selection can be copied
const copied = async (source) => {
  try {
    await navigator.clipboard.writeText(source.innerText);
    return true;
  } catch {
    const selection = window.getSelection();
    selection.selectAllChildren(source);
    const done = document.execCommand("copy");
    selection.removeAllRanges();
    return done;
  }
};

let looked = null;

// a phone shows the book or the talk
const turnTo = (pane) => {
  document.querySelector("#lm-desk")?.classList.toggle("lm-shows-talk", pane === "talk");
  document.querySelectorAll("#lm-panes [data-pane]").forEach((one) => {
    one.setAttribute("aria-pressed", String(one.dataset.pane === pane));
  });
};

// how the text looks is the reader's own, kept by this browser
const restyle = ({ look, by, value }) => {
  const kept = JSON.parse(localStorage.getItem("longmem-look") || "{}");
  const ranges = { "--lm-size": [1.09, 0.85, 1.8, "rem"], "--lm-width": [40, 26, 60, "rem"],
                   "--lm-lead": [1.65, 1.3, 2.2, ""] };
  if (look === "dark") {
    document.body.classList.toggle("dark", value === "1");
    localStorage.setItem("longmem-dark", value);
    return;
  }
  if (look === "reset") {
    Object.keys(kept).forEach((name) => document.documentElement.style.removeProperty(name));
    localStorage.removeItem("longmem-look");
    return;
  }
  if (by) {
    const [usual, least, most, unit] = ranges[look];
    const now = (parseFloat(kept[look]) || usual) + Number(by);
    kept[look] = Math.max(least, Math.min(most, Number(now.toFixed(2)))) + unit;
  } else {
    kept[look] = value;
  }
  document.documentElement.style.setProperty(look, kept[look]);
  localStorage.setItem("longmem-look", JSON.stringify(kept));
};

// which font and page are in use; the menu and the settings tell alike
const pressed = () => {
  const { "--lm-font": font } = JSON.parse(localStorage.getItem("longmem-look") || "{}");
  const page = document.body.classList.contains("dark") ? "1" : "0";
  element.querySelectorAll("[data-look][data-value]").forEach((one) => {
    const usual = one.parentElement.querySelector("[data-value]").dataset.value;
    const used = one.dataset.look === "dark" ? page : font || usual;
    one.setAttribute("aria-pressed", String(one.dataset.value === used));
  });
};
window.addEventListener("lm-look", pressed);
pressed();

// of marks that stand close to each other a finger means the nearest
const nearest = (line, x) => {
  const from = (one) => Math.abs(one.getBoundingClientRect().left - x);
  return [...line.children].sort((one, other) => from(one) - from(other))[0];
};

element.addEventListener("click", (event) => {
  const line = event.target.closest(".lm-line");
  const target = (line && event.detail && nearest(line, event.clientX)) || event.target.closest("[data-action]");
  if (target && element.contains(target)) {
    if (target.classList.contains("lm-token")) {
      // the first tap of a finger shows where a word was read, the second goes there
      const known = shown === target;
      show(target);
      if ((event.pointerType === "touch" && !known) || String(window.getSelection())) return;
    }
    if (target.dataset.action === "copy") {
      copied(target.closest("section").querySelector(".lm-said")).then((done) => {
        target.textContent = done ? "Copied" : "Not copied: select it";
      });
      return;
    }
    if (target.dataset.action === "step") {
      // from one place found to the next; what was looked at last is kept by its place
      const found = [...element.querySelectorAll(".lm-hit")];
      const at = found.findIndex((one) => one.dataset.from === looked);
      const next = at < 0 ? 0 : (at + Number(target.dataset.by) + found.length) % found.length;
      looked = found[next].dataset.from;
      found.forEach((one, number) => one.classList.toggle("lm-looked-at", number === next));
      found[next].scrollIntoView({ block: "nearest" });
      send(found[next]);
      return;
    }
    if (target.dataset.pane === "find") {
      const finding = document.querySelector("#lm-bench").classList.toggle("lm-finding");
      target.setAttribute("aria-expanded", String(finding));
      if (finding) document.querySelector("#lm-search :is(input, textarea)").focus();
      return;
    }
    if (target.dataset.pane) {
      turnTo(target.dataset.pane);
      return;
    }
    if (target.dataset.look) {
      restyle(target.dataset);
      window.dispatchEvent(new Event("lm-look"));
      return;
    }
    if (target.classList.contains("lm-chapter")) {
      const drawer = target.closest("details");
      drawer.open = false;
      opened.set(drawer.dataset.name, false);
    }
    if (target.classList.contains("lm-hit")) looked = target.dataset.from;
    if (target.dataset.confirm && !window.confirm(target.dataset.confirm)) return;
    if (target.dataset.ask) {
      const answer = window.prompt(target.dataset.ask, target.dataset.preset || "");
      if (answer === null) return;
      send(target, { answer });
      return;
    }
    send(target);
    // what is to be changed comes into a field of the page, where one goes on
    if (target.dataset.field) document.querySelector(target.dataset.field + " textarea")?.focus();
    return;
  }
  const answer = event.target.closest(".lm-assistant:not(.lm-live) .lm-said");
  const choose = answer && answer.closest("section").querySelector("[data-action=choose][aria-pressed=false]");
  if (choose && !String(window.getSelection())) {
    send(choose);
    return;
  }
});

// a pane is drawn anew when it changes: what had the focus gets it back
const nameOf = (node) => {
  const { action, document, job, start, position, kind, library, example, run } = node.dataset;
  return [action, document, job, start, position, kind, library, example, run].join("|");
};
element.addEventListener("focusin", (event) => {
  const target = event.target.closest("[data-action]");
  focused = target ? nameOf(target) : null;
});
element.addEventListener("focusout", (event) => {
  if (event.relatedTarget) focused = null;
});

// what a reader unfolded or folded stays so when the pane is drawn anew
element.addEventListener("click", (event) => {
  const summary = event.target.closest("summary");
  const details = summary && summary.closest("details[data-name]");
  if (details) opened.set(details.dataset.name, !details.open);
});

// words of an answer and the strip of the book: what is pointed at shows on the strip
let shown = null;
const show = (token) => {
  shown = token;
  const strip = document.querySelector("#lm-map .lm-strip");
  element.querySelectorAll(".lm-token.lm-shown").forEach((one) => one.classList.remove("lm-shown"));
  if (token) token.classList.add("lm-shown");
  if (!strip) return;
  const bars = strip.querySelectorAll(".lm-bar");
  const note = strip.querySelector(".lm-note");
  bars.forEach((bar) => bar.style.removeProperty("--t"));
  strip.classList.toggle("lm-picked", Boolean(token));
  for (const pair of token && token.dataset.bins ? token.dataset.bins.split(" ") : []) {
    const [bin, height] = pair.split(":");
    if (bars[bin]) bars[bin].style.setProperty("--t", height);
  }
  note.textContent = token ? "“" + token.textContent.trim() + "”: " + token.dataset.where : note.dataset.rest;
};
element.addEventListener("pointerover", (event) => {
  if (event.pointerType === "touch") return;
  const token = event.target.closest(".lm-token");
  if (token !== shown) show(token);
});
element.addEventListener("pointerleave", (event) => {
  if (event.pointerType !== "touch" && shown) show(null);
});
element.addEventListener("focusin", (event) => {
  const token = event.target.closest(".lm-token");
  if (token) show(token);
});
element.addEventListener("focusout", () => {
  if (shown) show(null);
});

// arrow keys lead along the words of an answer and the bars of the strip, Enter goes there
element.addEventListener("keydown", (event) => {
  const row = event.target.closest(".lm-roving");
  if (!row) return;
  const stops = [...row.querySelectorAll("[data-action]")];
  const at = stops.indexOf(document.activeElement);
  const to = { ArrowRight: at + 1, ArrowDown: at + 1, ArrowLeft: at - 1, ArrowUp: at - 1,
               Home: 0, End: stops.length - 1 }[event.key];
  if (to !== undefined) {
    event.preventDefault();
    event.stopPropagation();
    const next = stops[Math.max(0, Math.min(stops.length - 1, to))];
    if (next) next.focus();
  } else if (event.key === "Enter" && event.target.classList.contains("lm-token")) {
    event.preventDefault();
    send(event.target);
  }
});

const talk = element.closest("#lm-talk");
let messages = -1;
let atEnd = true;
// the first message that begins in sight stays at its height when what is above it is drawn anew; both panes
// of the talk know it
const said = () => [...talk.querySelectorAll(".lm-message")];
const topOf = (one) => one.getBoundingClientRect().top;
const keepRead = () => {
  const number = said().findIndex((one) => topOf(one) >= topOf(talk));
  talk.lmRead = number < 0 ? null : { number, top: topOf(said()[number]) };
};
const restoreRead = () => {
  const one = talk.lmRead && said()[talk.lmRead.number];
  if (one) talk.scrollTop += topOf(one) - talk.lmRead.top;
};
if (talk) {
  talk.addEventListener("scroll", () => {
    atEnd = talk.scrollHeight - talk.scrollTop - talk.clientHeight < 60;
    keepRead();
  });
  window.addEventListener("scroll", keepRead, { passive: true });
  new ResizeObserver(restoreRead).observe(talk);
}
const settle = () => {
  element.querySelectorAll("details[data-name]").forEach((one) => {
    if (opened.has(one.dataset.name)) one.open = opened.get(one.dataset.name);
  });
  if (focused) {
    const again = [...element.querySelectorAll("[data-action]")].find((node) => nameOf(node) === focused);
    if (again && document.activeElement === document.body) again.focus({ preventScroll: true });
  }
  if (!talk) return;
  // a talk shows what was said last from its question on, unless its reader has scrolled away
  const count = element.querySelectorAll(".lm-message").length;
  const live = Boolean(element.querySelector(".lm-live"));
  if (count !== messages ? count > messages || !live : live && atEnd) {
    const asked = [...talk.querySelectorAll(".lm-user")].pop();
    talk.scrollTop += asked ? topOf(asked) - topOf(talk) - 8 : 0;
    keepRead();
  } else {
    restoreRead();
  }
  messages = count;
};
watch("value", () => requestAnimationFrame(settle));
requestAnimationFrame(settle);

// a drawer closes when one goes on elsewhere
document.addEventListener("pointerdown", (event) => {
  element.querySelectorAll(".lm-drawer[open]").forEach((one) => {
    if (one.contains(event.target)) return;
    one.open = false;
    opened.set(one.dataset.name, false);
  });
});

if (element.closest("#lm-contents")) {
  // Escape closes the list; the place is as it was
  element.addEventListener("keydown", (event) => {
    const drawer = event.key === "Escape" && event.target.closest("details[open]");
    if (!drawer) return;
    drawer.open = false;
    opened.set(drawer.dataset.name, false);
    drawer.querySelector("summary").focus();
  });
  element.addEventListener("toggle", (event) => {
    const [list, here] = ["ol", "[aria-current]"].map((name) => event.target.querySelector(name));
    // not scrollIntoView, which moves the book as well
    if (event.target.open && here) list.scrollTop += topOf(here) - topOf(list) - list.clientHeight / 2;
  }, true);
}
