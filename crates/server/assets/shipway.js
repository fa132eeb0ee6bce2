// What pages gain by a script: they follow what happens. Everything works without it.

const live = document.getElementById("live");

function tell(text) {
  live.textContent = text;
  live.hidden = !text;
}

// Regions: when the server says that a page is out of date, it is fetched anew and its regions
// take the place of the old ones. What is being used is left alone.

let fetching = false;
let again = false;

async function refresh() {
  if (document.hidden || fetching) {
    again = true;
    return;
  }
  fetching = true;
  again = false;
  try {
    const answer = await fetch(location.pathname + location.search, { headers: { accept: "text/html" } });
    if (answer.ok && !answer.redirected) {
      const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
      for (const old of document.querySelectorAll("[data-region]")) {
        const next = fresh.querySelector(`[data-region="${old.dataset.region}"]`);
        const used = old.contains(document.activeElement) && document.activeElement !== document.body;
        if (!next || next.innerHTML === old.dataset.shown) continue;
        if (used || old.querySelector("details.sure[open]")) {
          again = true;
          continue;
        }
        old.dataset.shown = next.innerHTML;
        old.replaceChildren(...next.childNodes);
      }
      document.title = fresh.title;
      tell("");
    }
  } catch {
    tell("The server does not answer; what you see may be old.");
  } finally {
    fetching = false;
    tick();
  }
}

// Durations of what is running go on between two answers of the server.

function duration(seconds) {
  const two = (a, unit, b, small) => (b ? `${a} ${unit} ${b} ${small}` : `${a} ${unit}`);
  if (seconds < 60) return `${seconds} s`;
  if (seconds < 3600) return two(Math.floor(seconds / 60), "min", seconds % 60, "s");
  if (seconds < 86400) return two(Math.floor(seconds / 3600), "h", Math.floor((seconds % 3600) / 60), "min");
  return two(Math.floor(seconds / 86400), "d", Math.floor((seconds % 86400) / 3600), "h");
}

function tick() {
  for (const item of document.querySelectorAll("[data-since]")) {
    const seconds = Math.max(0, Math.floor((Date.now() - Number(item.dataset.since)) / 1000));
    item.textContent = duration(seconds);
  }
}

// A stream that is lost comes back by itself; after some failures the page asks now and then.

function listen(address, events, opened) {
  let source;
  let failures = 0;
  let timer;
  const open = () => {
    source = new EventSource(address());
    source.onopen = () => {
      failures = 0;
      clearInterval(timer);
      timer = undefined;
      tell("");
      opened?.();
    };
    source.onerror = () => {
      failures += 1;
      if (failures >= 3 && !timer) {
        tell("Live updates are interrupted; the page asks every few seconds.");
        timer = setInterval(refresh, 5000);
      }
      if (source.readyState === EventSource.CLOSED) setTimeout(open, 5000);
    };
    for (const [name, handler] of Object.entries(events)) {
      source.addEventListener(name, (event) => handler(event, () => { source.onerror = null; source.close(); }));
    }
  };
  open();
}

if (document.body.dataset.events) {
  // Nobody told of what changed between the page and its stream, or while the stream was lost.
  listen(() => document.body.dataset.events, { change: refresh }, refresh);
  setInterval(tick, 1000);
  const resume = () => { if (again && !document.hidden) refresh(); };
  document.addEventListener("visibilitychange", resume);
  document.addEventListener("focusout", () => setTimeout(resume, 300));
}

// The log of a job.

const box = document.getElementById("logbox");
const lines = document.getElementById("lines");

// Lines that a page keeps; the first ones go when there are more.
const KEPT = 20000;

function number(id) {
  const link = document.createElement("a");
  link.href = `#L${id}`;
  link.dataset.n = id;
  link.setAttribute("aria-label", `line ${id}`);
  return link;
}

// The server has escaped what the job wrote: the markup is its own, spans with classes.
function text(html) {
  const span = document.createElement("span");
  span.innerHTML = html;
  return span;
}

function innermost() {
  const open = lines.querySelectorAll("details.unended");
  return open.length ? open[open.length - 1] : null;
}

function build(steps) {
  let section = innermost();
  for (const step of steps) {
    const parent = section ?? lines;
    if (step.step === "line") {
      const line = document.createElement("div");
      line.className = "line";
      line.id = `L${step.number}`;
      line.append(number(step.number), text(step.html));
      parent.append(line);
    } else if (step.step === "open") {
      const details = document.createElement("details");
      details.className = "unended";
      details.dataset.section = step.name;
      details.open = !step.collapsed;
      const summary = document.createElement("summary");
      summary.id = `L${step.number}`;
      summary.append(number(step.number), text(step.html), document.createElement("small"));
      details.append(summary);
      parent.append(details);
      section = details;
    } else if (section) {
      section.classList.remove("unended");
      if (step.duration) section.querySelector(":scope > summary > small").textContent = step.duration;
      section = section.parentElement.closest("details.unended");
    }
  }
  for (const line of [...lines.querySelectorAll(".line")].slice(0, -KEPT)) line.remove();
}

function unfold(target) {
  for (let at = target?.closest("details"); at; at = at.parentElement.closest("details")) at.open = true;
}

function goToLine() {
  if (!/^#L\d+$/.test(location.hash)) return false;
  const target = document.getElementById(location.hash.slice(1));
  unfold(target);
  target?.scrollIntoView({ block: "center" });
  return Boolean(target);
}

if (box) {
  const button = (name) => box.querySelector(`[data-log-do="${name}"]`);
  const state = box.querySelector("[data-follow-state]");
  let following = false;
  const atEnd = () => window.innerHeight + window.scrollY >= document.documentElement.scrollHeight - 60;
  const toEnd = () => window.scrollTo({ top: document.documentElement.scrollHeight });
  const follow = (on) => {
    following = on;
    button("follow").hidden = on || !box.dataset.log;
    if (box.dataset.log) state.textContent = on ? "Following the end" : "Live";
    if (on) toEnd();
  };
  button("follow").addEventListener("click", () => follow(true));
  button("fold").addEventListener("click", () => lines.querySelectorAll("details").forEach((one) => { one.open = false; }));
  button("unfold").addEventListener("click", () => lines.querySelectorAll("details").forEach((one) => { one.open = true; }));
  const sections = () => {
    const any = Boolean(lines.querySelector("details"));
    button("fold").hidden = !any;
    button("unfold").hidden = !any;
  };
  // A link of a line inside of a heading must not fold the section.
  lines.addEventListener("click", (event) => {
    const link = event.target.closest("summary > a");
    if (link) {
      event.preventDefault();
      location.hash = link.getAttribute("href");
    }
  });
  window.addEventListener("hashchange", goToLine);
  sections();
  const linked = goToLine();
  if (box.dataset.log) {
    let last = Number(lines.dataset.next);
    follow(!linked);
    // Whoever scrolls up reads; whoever comes back to the end follows again.
    window.addEventListener("scroll", () => {
      if (following !== atEnd()) {
        following = atEnd();
        button("follow").hidden = following;
        state.textContent = following ? "Following the end" : "Live";
      }
    }, { passive: true });
    listen(() => `${box.dataset.log}?after=${last}`, {
      log: (event) => {
        last = Number(event.lastEventId);
        const stay = following;
        document.getElementById("nolog")?.remove();
        build(JSON.parse(event.data));
        sections();
        if (stay) toEnd();
      },
      end: (_, close) => {
        close();
        following = false;
        delete box.dataset.log;
        button("follow").hidden = true;
        state.textContent = "Finished";
        refresh();
      },
    });
  }
}

// Buttons that copy.

for (const button of document.querySelectorAll("[data-copy]")) {
  if (!navigator.clipboard) break;
  button.hidden = false;
  button.addEventListener("click", async () => {
    const word = button.querySelector("span:not(.unseen)");
    try {
      await navigator.clipboard.writeText(button.dataset.copy);
      word.textContent = "Copied";
    } catch {
      word.textContent = "Not copied";
    }
    setTimeout(() => { word.textContent = "Copy"; }, 2000);
  });
}

// On a phone the menu is one line: where one is, is in sight.

const place = document.querySelector(".side a[aria-current]");
if (place) {
  const menu = place.closest(".side");
  menu.scrollLeft = place.offsetLeft - menu.offsetLeft - (menu.clientWidth - place.offsetWidth) / 2;
}
