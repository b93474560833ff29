const count = data.x.length;
const artistOf = (idx) => data.artists[data.artist[idx]] || "unknown artist";
const titleOf = (idx) => data.title[idx] || data.file_name[idx].split("/").pop();
const nameOf = (idx) => `${titleOf(idx)}, by ${artistOf(idx)}`;
const doubtful = new Set(data.doubtful);

// ---------------------------------------------------------------- thumbnails

const { folder, side, across, per_sheet: perSheet } = data.thumbnails;
const KEPT_SHEETS = 24, SHEETS_IN_VIEW = 12;
const sheets = new Map(); // by number, the last used at the end
const sheetOf = (idx) => Math.floor(data.place[idx] / perSheet);

/** The sheet with this number, which may still be loading; `whenLoaded` is called once it is. */
function sheet(number, whenLoaded) {
  let image = sheets.get(number);
  sheets.delete(number);
  if (!image) {
    image = new Image();
    image.src = `${folder}/sheet-${number}.jpg`;
  }
  sheets.set(number, image);
  if (sheets.size > KEPT_SHEETS) sheets.delete(sheets.keys().next().value);
  if (!image.complete && whenLoaded) image.addEventListener("load", whenLoaded, { once: true });
  return image;
}

function drawThumbnail(context, image, idx, x, y, size) {
  const inside = data.place[idx] % perSheet;
  context.drawImage(image, (inside % across) * side, Math.floor(inside / across) * side, side, side, x, y, size, size);
}

/** A picture as an element of its own; `text` is its alternative text. */
function picture(idx, text = nameOf(idx)) {
  const canvas = element("canvas", { className: "picture", width: side, height: side });
  canvas.setAttribute("role", "img");
  canvas.setAttribute("aria-label", text);
  const draw = () => drawThumbnail(canvas.getContext("2d"), image, idx, 0, 0, side);
  const image = sheet(sheetOf(idx), draw);
  if (image.complete) draw();
  return canvas;
}

// ---------------------------------------------------------------- the map

const map = document.getElementById("map");
const context = map.getContext("2d");
const byPlace = Array.from({ length: count }, (_, idx) => idx).sort((a, b) => data.place[a] - data.place[b]);
const view = { x: 0.5, y: 0.5, scale: 1 }; // the middle, and pixels for the whole map's side
let width = 0, height = 0, smallest = 1, chosen = -1, matches = null, drawing = 0;

const dark = matchMedia("(prefers-color-scheme: dark)");
const colours = () => data.artists.map((_, artist) => `hsl(${(artist * 137.508) % 360} 55% ${dark.matches ? 66 : 42}%)`);
let colour = colours();

const screenX = (idx) => width / 2 + (data.x[idx] - view.x) * view.scale;
const screenY = (idx) => height / 2 + (data.y[idx] - view.y) * view.scale;
const isMatch = (idx) => !matches || matches.has(idx);
const thumbnailSize = () => Math.min(side, Math.max(34, 34 * Math.sqrt(view.scale / smallest)));

function resize() {
  const box = map.getBoundingClientRect(), ratio = devicePixelRatio || 1, was = smallest;
  [width, height] = [box.width, box.height];
  map.width = Math.round(width * ratio);
  map.height = Math.round(height * ratio);
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  smallest = Math.max(1, Math.min(width, height) * 0.9);
  view.scale *= smallest / was;
  drawSoon();
}

function drawSoon() {
  drawing ||= requestAnimationFrame(() => {
    drawing = 0;
    draw();
  });
}

/** Pictures in view that do not cover each other, those that stand for a region first. */
function uncovered(size) {
  const cells = new Map(), shown = [];
  for (const idx of byPlace) {
    if (!isMatch(idx)) continue;
    const x = screenX(idx), y = screenY(idx);
    if (x < -size || y < -size || x > width + size || y > height + size) continue;
    const column = Math.floor(x / size), row = Math.floor(y / size);
    let isFree = true;
    for (let c = column - 1; isFree && c <= column + 1; c++)
      for (let r = row - 1; isFree && r <= row + 1; r++) {
        const other = cells.get(c * 65536 + r);
        if (other !== undefined && Math.abs(screenX(other) - x) < size && Math.abs(screenY(other) - y) < size) isFree = false;
      }
    if (!isFree) continue;
    cells.set(column * 65536 + row, idx);
    shown.push(idx);
  }
  return shown;
}

/** The pictures whose thumbnails are drawn: from few sheets, as each must be read and decoded. */
function pictured(size) {
  const shown = uncovered(size + 3), wanted = new Map();
  for (const idx of shown) wanted.set(sheetOf(idx), (wanted.get(sheetOf(idx)) || 0) + 1);
  const most = [...wanted].sort((a, b) => b[1] - a[1] || a[0] - b[0]).slice(0, SHEETS_IN_VIEW);
  const loaded = new Map(most.map(([number]) => [number, sheet(number, drawSoon)]));
  return shown.flatMap((idx) => {
    const image = loaded.get(sheetOf(idx));
    return image?.complete && image.naturalWidth ? [[idx, image]] : [];
  });
}

function draw() {
  context.clearRect(0, 0, width, height);
  const dot = Math.min(7, Math.max(2.5, 2.5 * Math.sqrt(view.scale / smallest)));
  for (const hits of matches ? [false, true] : [true]) {
    context.globalAlpha = hits ? 0.85 : 0.12;
    for (let idx = 0; idx < count; idx++) {
      if (isMatch(idx) !== hits) continue;
      const x = screenX(idx), y = screenY(idx);
      if (x < 0 || y < 0 || x > width || y > height) continue;
      context.fillStyle = colour[data.artist[idx]];
      context.fillRect(x - dot / 2, y - dot / 2, dot, dot);
    }
  }
  context.globalAlpha = 1;
  const size = thumbnailSize(), style = getComputedStyle(document.documentElement);
  for (const [idx, image] of pictured(size)) {
    drawThumbnail(context, image, idx, screenX(idx) - size / 2, screenY(idx) - size / 2, size);
    frame(idx, size, colour[data.artist[idx]], 1.5);
  }
  if (chosen >= 0) drawChosen(size, style);
  if (document.activeElement === map) {
    context.strokeStyle = style.getPropertyValue("--focus");
    context.lineWidth = 1.5;
    context.strokeRect(width / 2 - 9, height / 2 - 9, 18, 18);
  }
}

function frame(idx, size, stroke, lineWidth) {
  context.strokeStyle = stroke;
  context.lineWidth = lineWidth;
  context.strokeRect(screenX(idx) - size / 2, screenY(idx) - size / 2, size, size);
}

function drawChosen(size, style) {
  context.strokeStyle = style.getPropertyValue("--accent");
  context.lineWidth = 1.5;
  for (const [idx] of data.neighbours[chosen]) {
    context.beginPath();
    context.moveTo(screenX(chosen), screenY(chosen));
    context.lineTo(screenX(idx), screenY(idx));
    context.stroke();
  }
  for (const idx of [...data.neighbours[chosen].map(([idx]) => idx), chosen]) {
    const image = sheet(sheetOf(idx), drawSoon);
    if (image.complete && image.naturalWidth) drawThumbnail(context, image, idx, screenX(idx) - size / 2, screenY(idx) - size / 2, size);
    frame(idx, size, style.getPropertyValue("--accent"), idx === chosen ? 4 : 2);
  }
}

function zoom(factor, x = width / 2, y = height / 2) {
  const scale = Math.min(smallest * 400, Math.max(smallest * 0.8, view.scale * factor));
  view.x += (x - width / 2) * (1 / view.scale - 1 / scale);
  view.y += (y - height / 2) * (1 / view.scale - 1 / scale);
  view.scale = scale;
  drawSoon();
}

function pan(x, y) {
  view.x = Math.min(1.2, Math.max(-0.2, view.x + x / view.scale));
  view.y = Math.min(1.2, Math.max(-0.2, view.y + y / view.scale));
  drawSoon();
}

function showAll() {
  Object.assign(view, { x: 0.5, y: 0.5, scale: smallest });
  drawSoon();
}

/** The picture at a point: one that is drawn there, or else the nearest of all. */
function pictureAt(x, y, reach) {
  const half = thumbnailSize() / 2;
  const drawn = pictured(2 * half).find(([idx]) => Math.abs(screenX(idx) - x) <= half && Math.abs(screenY(idx) - y) <= half);
  if (drawn) return drawn[0];
  let best = -1, least = reach ** 2;
  for (let idx = 0; idx < count; idx++) {
    const gap = (screenX(idx) - x) ** 2 + (screenY(idx) - y) ** 2;
    if (isMatch(idx) && gap < least) [best, least] = [idx, gap];
  }
  return best;
}

const pointers = new Map();
let moved = 0;
map.addEventListener("pointerdown", (event) => {
  map.setPointerCapture(event.pointerId);
  pointers.set(event.pointerId, event);
  if (pointers.size === 1) moved = 0;
});
map.addEventListener("pointermove", (event) => {
  const before = pointers.get(event.pointerId);
  if (!before) return;
  const [x, y] = [event.clientX - before.clientX, event.clientY - before.clientY];
  moved += Math.abs(x) + Math.abs(y);
  const other = [...pointers.values()].find((each) => each.pointerId !== event.pointerId);
  pan(-x / pointers.size, -y / pointers.size);
  if (other) {
    const apart = (one) => Math.hypot(one.clientX - other.clientX, one.clientY - other.clientY);
    const box = map.getBoundingClientRect();
    zoom(apart(event) / (apart(before) || 1), (event.clientX + other.clientX) / 2 - box.left, (event.clientY + other.clientY) / 2 - box.top);
  }
  pointers.set(event.pointerId, event);
});
for (const end of ["pointerup", "pointercancel"])
  map.addEventListener(end, (event) => {
    pointers.delete(event.pointerId);
    if (end === "pointerup" && moved < 6 && !pointers.size) choose(pictureAt(event.offsetX, event.offsetY, 24));
  });
map.addEventListener("wheel", (event) => {
  event.preventDefault();
  zoom(Math.exp(-Math.sign(event.deltaY) * Math.min(0.5, Math.abs(event.deltaY) / 400)), event.offsetX, event.offsetY);
}, { passive: false });
const keys = {
  ArrowLeft: () => pan(-60, 0), ArrowRight: () => pan(60, 0), ArrowUp: () => pan(0, -60), ArrowDown: () => pan(0, 60),
  "+": () => zoom(1.5), "=": () => zoom(1.5), "-": () => zoom(1 / 1.5), 0: showAll,
  Enter: () => choose(pictureAt(width / 2, height / 2, Infinity)),
};
map.addEventListener("keydown", (event) => {
  if (!(event.key in keys) || event.ctrlKey || event.metaKey || event.altKey) return;
  event.preventDefault();
  keys[event.key]();
});
for (const event of ["focus", "blur"]) map.addEventListener(event, drawSoon);

// ---------------------------------------------------------------- panel, search and lists

function pictureButton(idx, ...words) {
  const button = element("button", { type: "button", className: "picture-button", onclick: () => goTo(idx) });
  button.append(picture(idx), ...words);
  return button;
}

const word = (className, textContent) => element("span", { className, textContent });
const neighbour = ([idx, distance]) => pictureButton(idx, word("name small", artistOf(idx)), word("file", distance.toFixed(3)));

function bars(idx) {
  const list = element("ul", { className: "bars" });
  for (const [artist, share] of data.attribution[idx])
    list.append(element("li", {}, word("", data.artists[artist]), element("meter", { min: 0, max: 1, value: share, ariaHidden: "true" }), word("", percent(share))));
  return list;
}

function choose(idx) {
  if (idx < 0) return;
  chosen = idx;
  const parts = [
    picture(idx),
    element("h2", { textContent: titleOf(idx), className: "title" }),
    word("name", artistOf(idx)),
    word("file", data.file_name[idx]),
  ];
  if (data.split[idx]) parts.push(word("badge", data.split[idx]));
  if (doubtful.has(idx)) parts.push(word("badge doubtful", "doubtful attribution"));
  if (data.attribution[idx].length) parts.push(element("h3", { textContent: "Could be by" }), bars(idx));
  if (data.neighbours[idx].length) parts.push(element("h3", { textContent: "Most alike" }), element("div", { className: "grid" }, ...data.neighbours[idx].map(neighbour)));
  document.getElementById("chosen").replaceChildren(...parts);
  drawSoon();
}

/** Choose a picture and move the map to it. */
function goTo(idx) {
  Object.assign(view, { x: data.x[idx], y: data.y[idx], scale: Math.max(view.scale, smallest * 6) });
  choose(idx);
  map.scrollIntoView({ block: "nearest" });
}

const folded = (text) => text.normalize("NFD").replace(/\p{M}/gu, "").toLowerCase();
let haystack;
function search() {
  const words = folded(document.getElementById("query").value).split(/\s+/).filter(Boolean);
  if (words.length) haystack ||= data.file_name.map((name, idx) => folded(`${artistOf(idx)} ${data.title[idx]} ${name}`));
  const found = words.length ? byPlace.filter((idx) => words.every((each) => haystack[idx].includes(each))) : [];
  matches = words.length ? new Set(found) : null;
  const all = `${count.toLocaleString("en")} ${count === 1 ? "picture" : "pictures"}`;
  document.getElementById("found").textContent = words.length ? `${found.length.toLocaleString("en")} of ${all}` : all;
  document.getElementById("results").replaceChildren(...found.slice(0, 30).map((idx) => {
    const button = element("button", { type: "button", className: "row", onclick: () => goTo(idx) });
    button.append(picture(idx), element("span", {}, word("title", titleOf(idx)), word("name small", artistOf(idx))));
    return element("li", {}, button);
  }));
  drawSoon();
}

function doubtfulCard(idx) {
  const words = element("div", {}, word("title", titleOf(idx)), word("name", `catalogued as ${artistOf(idx)}`), word("file", data.file_name[idx]), element("p", { className: "small faint", textContent: "Could be by" }), bars(idx));
  const head = element("div", { className: "head" }, pictureButton(idx), words);
  return element("article", { className: "card" }, head, element("div", { className: "near" }, ...data.neighbours[idx].slice(0, 5).map(neighbour)));
}

function duplicateCard([first, second, reason]) {
  const inPage = (idx) => pictureButton(idx, word("title", titleOf(idx)), word("name", artistOf(idx)), word("file", data.file_name[idx]));
  const leftOut = (name) => element("div", { className: "left-out" }, word("faint small", "not in the atlas"), word("file", name));
  const two = [first, second].map((each) => (typeof each === "number" ? inPage(each) : leftOut(each)));
  return element("article", { className: "card" }, element("div", { className: "two" }, ...two), element("p", { className: "small faint", textContent: reason }));
}

/** Fill a section's list, some at a time; without any, the section is left out. */
function list(name, items, card) {
  const target = document.getElementById(name), more = document.getElementById(`more-${name}`);
  document.getElementById(`${name}-section`).hidden = !items.length;
  document.getElementById(`${name}-count`).textContent = items.length.toLocaleString("en");
  const add = () => {
    target.append(...items.slice(target.childElementCount, target.childElementCount + 12).map(card));
    more.hidden = target.childElementCount >= items.length;
  };
  more.addEventListener("click", add);
  add();
}

document.getElementById("query").addEventListener("input", search);
document.getElementById("search").addEventListener("submit", (event) => event.preventDefault());
document.getElementById("zoom-in").addEventListener("click", () => zoom(1.5));
document.getElementById("zoom-out").addEventListener("click", () => zoom(1 / 1.5));
document.getElementById("zoom-all").addEventListener("click", showAll);
dark.addEventListener("change", () => {
  colour = colours();
  drawSoon();
});
new ResizeObserver(resize).observe(map);
resize();
search();
requestAnimationFrame(() => {
  list("doubtful", data.doubtful, doubtfulCard);
  list("duplicates", data.duplicates, duplicateCard);
});
