// Reading aloud by the browser's own voice, from the line at the top on, with the sentence that is said marked.
// The text never leaves the browser for that where its voice is one of this machine: others are not taken.
const SENTENCE = /[^.!?…]+(?:[.!?…]+["'”’)\]]*\s*|$)/g;
const voiceOf = (language) => {
  const own = window.speechSynthesis.getVoices().filter((one) => one.localService);
  const wanted = (language || "en").toLowerCase().slice(0, 2);
  return own.find((one) => one.lang.toLowerCase().startsWith(wanted)) || own[0] || null;
};
const aloud = { on: false, block: null, sentences: [], next: 0 };
const marked = window.Highlight && window.CSS?.highlights;

const sentencesOf = (block) => {
  const text = block.textContent;
  return [...text.matchAll(SENTENCE)].filter((one) => one[0].trim())
    .map((one) => [one.index, one.index + one[0].length]);
};
// a part of a block as a range of its letters; nothing of the text is changed to mark it
const rangeOf = (block, start, end) => {
  const range = document.createRange();
  const walker = document.createTreeWalker(block, NodeFilter.SHOW_TEXT);
  let at = 0;
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    if (start >= at && start <= at + node.length) range.setStart(node, start - at);
    if (end >= at && end <= at + node.length) {
      range.setEnd(node, end - at);
      break;
    }
    at += node.length;
  }
  return range;
};
const unmark = () => marked && window.CSS.highlights.delete("lm-aloud");
const still = () => {
  aloud.on = false;
  window.speechSynthesis.cancel();
  unmark();
  button().setAttribute("aria-pressed", "false");
  button().textContent = "Listen";
};
const button = () => element.querySelector("[data-aloud]");
const blocksNow = () => [...document.querySelectorAll("#lm-reader .lm-leaf [data-start][data-end]:not([data-action])")];

const say = () => {
  if (!aloud.on) return;
  if (!aloud.block.isConnected) {
    // the pane was drawn anew: the same paragraph is found by its place
    aloud.block = blocksNow().find((one) => one.dataset.start === aloud.block.dataset.start) || null;
    if (!aloud.block) return still();
  }
  if (aloud.next >= aloud.sentences.length) {
    const blocks = blocksNow();
    aloud.block = blocks[blocks.indexOf(aloud.block) + 1];
    if (!aloud.block) return still();
    aloud.sentences = sentencesOf(aloud.block);
    aloud.next = 0;
    return say();
  }
  const [start, end] = aloud.sentences[aloud.next];
  const range = rangeOf(aloud.block, start, end);
  if (marked) window.CSS.highlights.set("lm-aloud", new window.Highlight(range));
  const box = range.getBoundingClientRect();
  const under = document.querySelector("#lm-bench").getBoundingClientRect().bottom;
  if (box.top < under || box.bottom > document.querySelector("#lm-foot").getBoundingClientRect().top) {
    window.scrollBy(0, box.top - under - 24);
  }
  const words = new SpeechSynthesisUtterance(aloud.block.textContent.slice(start, end));
  words.voice = voiceOf(document.querySelector("#lm-reader .lm-leaf").lang);
  if (words.voice) words.lang = words.voice.lang;
  words.onend = () => {
    aloud.next += 1;
    say();
  };
  words.onerror = () => aloud.on && still();
  window.speechSynthesis.speak(words);
};
const begin = () => {
  const under = document.querySelector("#lm-bench").getBoundingClientRect().bottom;
  const chosen = document.querySelector("#lm-reader .lm-cursor");
  aloud.block = chosen || blocksNow().find((one) => one.getBoundingClientRect().bottom > under + 4);
  if (!aloud.block) return;
  if (!voiceOf("")) {
    button().textContent = "No voice here";
    return;
  }
  aloud.sentences = sentencesOf(aloud.block);
  const seen = aloud.sentences.findIndex(([start, end]) => rangeOf(aloud.block, start, end).getBoundingClientRect().bottom > under + 4);
  aloud.next = chosen ? 0 : Math.max(0, seen);
  aloud.on = true;
  button().setAttribute("aria-pressed", "true");
  button().textContent = "Stop listening";
  say();
};
if (window.speechSynthesis) {
  window.speechSynthesis.getVoices(); // browsers load them when first asked
  element.addEventListener("click", (event) => {
    if (!event.target.closest("[data-aloud]")) return;
    if (aloud.on) still();
    else begin();
  });
  window.addEventListener("pagehide", () => window.speechSynthesis.cancel());
} else {
  button().hidden = true;
}
