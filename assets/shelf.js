// The shelf is searched, sorted and narrowed down here, among the cards that are there; the browser keeps how.
const tools = () => document.querySelector(".lm-shelf-tools");
const LOOK = "longmem-shelf";

const plainly = (words) => words.normalize("NFKD").replace(/\p{M}/gu, "").toLowerCase();
const ORDERS = {
  recent: (one, other) => Number(other.dataset.recent) - Number(one.dataset.recent),
  added: (one, other) => Number(other.dataset.added) - Number(one.dataset.added),
  title: (one, other) => one.dataset.title.localeCompare(other.dataset.title),
  author: (one, other) => one.dataset.author.localeCompare(other.dataset.author),
  length: (one, other) => Number(other.dataset.length) - Number(one.dataset.length),
};
const SHOWN = {
  all: () => true,
  reading: (card) => Number(card.dataset.read) > 0 && Number(card.dataset.read) < 0.98,
  fresh: (card) => Number(card.dataset.read) === 0,
  read: (card) => Number(card.dataset.read) >= 0.98,
};

// a book that has pictures may have no cover among them: the drawn one is seen then
const bare = (image) => image.matches(".lm-cover img") && image.remove();
element.addEventListener("error", (event) => bare(event.target), true);
const arrange = () => {
  element.querySelectorAll(".lm-cover img").forEach((one) => one.complete && !one.naturalWidth && bare(one));
  const row = tools();
  const list = element.querySelector(".lm-cards");
  if (!row) return;
  row.hidden = !list;
  if (!list) return;
  const [query, order, shown, form] = ["query", "order", "shown", "form"].map((name) => row.querySelector(`[name=${name}]`));
  const cards = [...list.children];
  const tags = [...new Set(cards.flatMap((card) => card.dataset.tags.split("\n")).filter(Boolean))].sort();
  const wanted = shown.value;
  shown.querySelectorAll("option[data-tag]").forEach((one) => one.remove());
  tags.forEach((tag) => {
    const option = new Option(`Tag: ${tag}`, `tag ${tag}`);
    option.dataset.tag = "1";
    shown.add(option);
  });
  shown.value = [...shown.options].some((one) => one.value === wanted) ? wanted : "all";
  const keeps = SHOWN[shown.value] || ((card) => card.dataset.tags.split("\n").includes(shown.value.slice(4)));
  const words = plainly(query.value).split(/\s+/).filter(Boolean);
  let count = 0;
  cards.forEach((card) => {
    const said = plainly([card.dataset.title, card.dataset.author, card.dataset.tags].join(" "));
    card.hidden = !keeps(card) || !words.every((word) => said.includes(word));
    count += card.hidden ? 0 : 1;
  });
  const sorted = [...cards].sort(ORDERS[order.value] || ORDERS.recent);
  if (sorted.some((card, at) => card !== cards[at])) list.append(...sorted);
  list.classList.toggle("lm-as-list", form.value === "list");
  row.querySelector("[role=status]").textContent = count === cards.length ? "" : `${count} of ${cards.length} books`;
};
const listen = () => {
  const row = tools();
  if (!row || row.dataset.ready) return;
  row.dataset.ready = "1";
  const kept = JSON.parse(localStorage.getItem(LOOK) || "{}");
  // a tag that was chosen stands on the list once the cards are there
  if (kept.shown?.startsWith("tag ")) {
    const option = new Option(kept.shown, kept.shown);
    option.dataset.tag = "1";
    row.querySelector("[name=shown]").add(option);
  }
  row.querySelectorAll("select").forEach((one) => {
    if ([...one.options].some((option) => option.value === kept[one.name])) one.value = kept[one.name];
  });
  row.addEventListener("input", () => {
    const now = Object.fromEntries([...row.querySelectorAll("select")].map((one) => [one.name, one.value]));
    localStorage.setItem(LOOK, JSON.stringify(now));
    arrange();
  });
};
const shelve = () => {
  listen();
  arrange();
};
watch("value", () => requestAnimationFrame(shelve));
requestAnimationFrame(shelve);
