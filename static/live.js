// Keeps the page true: when the server says that something changed, the page is fetched again and only what differs is put in
// place, so that scroll, focus and selection stay. Times are shown in the viewer's zone. Without this script a reload does.
"use strict";

const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
const clock = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit" });
const day = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short" });

function localise(root) {
  const today = day.format(new Date());
  for (const node of root.querySelectorAll("time[datetime], [data-time]")) {
    const at = new Date(node.dataset.time || node.getAttribute("datetime"));
    if (isNaN(at)) continue;
    const date = day.format(at);
    node.textContent = (date === today ? "" : date + " ") + clock.format(at);
  }
  for (const node of root.querySelectorAll("[data-zone]")) node.textContent = zone || "UTC";
}

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
