// Keeps a page current, and keeps what somebody is writing. Everything here is beside the page: without it all works.
"use strict";

(() => {
  const drafts = window.sessionStorage;

  // What was written of a reason survives a step-up at the sign-in page and a reload; it goes when it has been sent.
  function keepDrafts(root) {
    for (const area of root.querySelectorAll("textarea[data-draft]")) {
      const name = "draft/" + area.dataset.draft;
      const kept = drafts.getItem(name);
      if (!area.value && kept) area.value = kept;
      area.addEventListener("input", () => drafts.setItem(name, area.value));
    }
  }
  function forgetDrafts() {
    if (!document.querySelector(".receipt")) return;
    for (const name of Object.keys(drafts)) if (name.startsWith("draft/")) drafts.removeItem(name);
  }

  // The reader's own time stands beside ours.
  function tellLocally(root) {
    for (const one of root.querySelectorAll("time[datetime*='T']")) {
      const at = new Date(one.dateTime);
      if (!Number.isNaN(at.valueOf())) one.title = at.toLocaleString(document.documentElement.lang, { dateStyle: "medium", timeStyle: "long" });
    }
  }

  function busy(part) {
    if (part.contains(document.activeElement) && document.activeElement !== document.body) return true;
    return [...part.querySelectorAll("textarea, input:not([type=hidden])")].some((one) => one.value !== one.defaultValue);
  }

  // Parts of the page are taken anew; a part in which somebody is writing stays, and says that things have moved on.
  const shown = new WeakMap();
  async function refresh() {
    const text = await fetch(location.href, { headers: { Accept: "text/html" }, cache: "no-store" })
      .then((answer) => (answer.ok && !answer.redirected ? answer.text() : null))
      .catch(() => null);
    if (text === null) return;
    const fresh = new DOMParser().parseFromString(text, "text/html");
    for (const part of document.querySelectorAll("[data-fresh]")) {
      const other = fresh.getElementById(part.id);
      if (!other || other.innerHTML === shown.get(part)) continue;
      if (busy(part)) {
        const moved = part.querySelector("#moved");
        if (moved) moved.hidden = false;
        continue;
      }
      const open = [...part.querySelectorAll("details")].map((one) => one.open);
      shown.set(part, other.innerHTML);
      part.replaceChildren(...other.childNodes);
      part.className = other.className;
      part.querySelectorAll("details").forEach((one, at) => { one.open = open[at] || false; });
      keepDrafts(part);
      tellLocally(part);
    }
  }

  // A browser has few connections to one host: a page that nobody sees lets go of its own.
  let source = null;
  let waiting = 0;
  function listen() {
    const address = document.body.dataset.live;
    if (!address || !window.EventSource || source || document.hidden) return;
    source = new EventSource(address);
    source.addEventListener("changed", () => {
      window.clearTimeout(waiting);
      waiting = window.setTimeout(refresh, 150);
    });
  }
  function leave() {
    source?.close();
    source = null;
  }
  document.addEventListener("visibilitychange", () => {
    if (document.hidden) leave();
    else if (document.body.dataset.live) {
      refresh();
      listen();
    }
  });
  window.addEventListener("pagehide", leave);

  document.addEventListener("DOMContentLoaded", () => {
    for (const part of document.querySelectorAll("[data-fresh]")) shown.set(part, part.innerHTML);
    listen();
    forgetDrafts();
    keepDrafts(document);
    tellLocally(document);
    document.getElementById("problem")?.focus();
  });
  document.addEventListener("htmx:afterSettle", (event) => tellLocally(event.target));
})();
