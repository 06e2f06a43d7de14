// Keeps the page true: when the server says that something changed, the page is fetched again and only what differs is put in
// place, so that scroll, focus and selection stay. Times are shown in the viewer's zone. Without this script a reload does.
"use strict";

const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
const clock = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit" });
const day = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short" });

function localise(root) {
  const today = day.format(new Date());
  for (const node of root.querySelectorAll("time[datetime]")) {
    const at = new Date(node.getAttribute("datetime"));
    if (isNaN(at)) continue;
    const date = day.format(at);
    node.textContent = (date === today ? "" : date + " ") + clock.format(at);
  }
  for (const node of root.querySelectorAll("[data-zone]")) node.textContent = zone || "UTC";
  for (const field of root.querySelectorAll("svg[data-from]")) ticks(field);
}

// The server puts ticks at round times of UTC; here they move to round times of the viewer's zone.
function ticks(field) {
  const [from, to] = [new Date(field.dataset.from), new Date(field.dataset.to)];
  const minutes = (to - from) / 60000;
  const step = [1, 5, 10, 15, 30, 60, 120, 180, 240, 360, 720, 1440, 2880, 10080, 43200].find((n) => minutes / n <= 5);
  const group = field.querySelector("g");
  if (!step || !group || !(minutes > 0)) return;
  group.querySelectorAll(".tick").forEach((tick) => tick.remove());
  // Counted from a local midnight, so that the day on which the clocks change has round times too.
  const at = new Date(from.getFullYear(), from.getMonth(), from.getDate());
  for (let n = 0; at <= to && n < 3000; n++) {
    if (at >= from) {
      const text = document.createElementNS("http://www.w3.org/2000/svg", "text");
      text.setAttribute("class", "tick");
      text.setAttribute("x", (100 * (at - from)) / (to - from) + "%");
      text.setAttribute("y", field.dataset.axis);
      text.setAttribute("text-anchor", "middle");
      const midnight = at.getHours() === 0 && at.getMinutes() === 0;
      text.textContent = step >= 1440 || midnight ? day.format(at) : clock.format(at);
      group.append(text);
    }
    if (step >= 1440) at.setDate(at.getDate() + step / 1440);
    else at.setMinutes(at.getMinutes() + step);
  }
}

// Arrow keys, j and k move from row to row: a row is one link.
document.addEventListener("keydown", (event) => {
  const by = { ArrowDown: 1, j: 1, ArrowUp: -1, k: -1 }[event.key];
  if (!by || event.ctrlKey || event.metaKey || event.altKey || event.target.closest("input, textarea, select")) return;
  const rows = [...document.querySelectorAll("main .cover")];
  const here = rows.indexOf(document.activeElement);
  // Without a row in focus the arrows go on scrolling the page.
  if (!rows.length || (here < 0 && event.key.startsWith("Arrow"))) return;
  const next = rows[here < 0 ? 0 : here + by];
  if (!next) return;
  next.focus();
  event.preventDefault();
});

// Makes `old` like `fresh`, touching only what differs.
function settle(old, fresh) {
  if (old.nodeType !== fresh.nodeType || old.nodeName !== fresh.nodeName) return void old.replaceWith(fresh);
  if (old.nodeType !== Node.ELEMENT_NODE) {
    if (old.data !== fresh.data) old.data = fresh.data;
    return;
  }
  if (old.nodeName === "IFRAME") return;
  for (const { name } of [...old.attributes]) if (!fresh.hasAttribute(name)) old.removeAttribute(name);
  for (const { name, value } of fresh.attributes) if (old.getAttribute(name) !== value) old.setAttribute(name, value);
  const [before, after] = [[...old.childNodes], [...fresh.childNodes]];
  after.forEach((node, at) => (at < before.length ? settle(before[at], node) : old.append(node)));
  before.slice(after.length).forEach((node) => node.remove());
}

function lamp(root, on, lost) {
  for (const node of root.querySelectorAll("[data-live]")) {
    node.hidden = !on;
    node.classList.toggle("lost", lost);
    node.textContent = lost ? "Reconnecting" : "Live";
  }
}

let due = 0, busy = false;
async function refresh() {
  due = 0;
  if (busy || document.hidden) return void later();
  busy = true;
  try {
    const answer = await fetch(location.href, { headers: { accept: "text/html" } });
    if (!answer.ok) return;
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
    localise(fresh);
    lamp(fresh, true, false);
    document.title = fresh.title;
    for (const part of ["main", ".frame > nav", ".banners"]) {
      const [old, next] = [document.querySelector(part), fresh.querySelector(part)];
      if (old && next) settle(old, next);
      else if (old) old.remove();
      else if (next) document.querySelector(".content").prepend(next);
    }
  } catch {
    // The stream says when the server is back.
  } finally {
    busy = false;
  }
}

// At most once in two seconds, and not in a tab that nobody sees.
function later() {
  if (!due && !document.hidden) due = setTimeout(refresh, 2000);
}

localise(document);
if (document.querySelector("[data-live]")) {
  const stream = new EventSource("/live");
  let first = true;
  stream.addEventListener("open", () => { lamp(document, true, false); if (!first) later(); first = false; });
  stream.addEventListener("error", () => lamp(document, true, true));
  stream.addEventListener("change", later);
  document.addEventListener("visibilitychange", later);
}
