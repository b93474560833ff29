/** How many pairs lie between neighbouring thresholds, put into equal bins for drawing. */
function histogram(counts, bins) {
  const { thresholds } = data;
  const first = thresholds[0], span = thresholds.at(-1) - first || 1;
  const heights = new Array(bins).fill(0);
  counts.forEach((count, place) => {
    const bin = Math.min(bins - 1, Math.floor((bins * (thresholds[place] - first)) / span));
    heights[bin] += (count - (place ? counts[place - 1] : 0)) / counts.at(-1);
  });
  return heights;
}

const svg = document.getElementById("distances");
const place = (threshold) => {
  const { thresholds } = data;
  return (1000 * (threshold - thresholds[0])) / (thresholds.at(-1) - thresholds[0] || 1);
};

function shape(name, attributes) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  return svg.appendChild(made);
}

function drawDistances() {
  const bins = 60, curves = [histogram(data.different, bins), histogram(data.same, bins)];
  const highest = Math.max(...curves.flat()) || 1;
  shape("rect", { class: "undecided-band", x: place(data.accept_within), y: 0, height: 100, width: Math.max(0, place(data.reject_beyond) - place(data.accept_within)) });
  curves.forEach((heights, kind) => {
    const steps = heights.map((height, bin) => `V${100 - (96 * height) / highest}H${(1000 * (bin + 1)) / bins}`);
    shape("path", { class: ["different-area", "same-area"][kind], d: `M0,100${steps.join("")}V100Z` });
  });
}

const slider = document.getElementById("slider");
const show = (id, text) => (document.getElementById(id).textContent = text);
const count = (number) => number.toLocaleString("en");

function moveThreshold() {
  const at = Number(slider.value), same = data.same.at(-1), different = data.different.at(-1);
  const right = data.same[at], wrong = data.different[at], threshold = data.thresholds[at];
  line.setAttribute("x1", place(threshold));
  line.setAttribute("x2", place(threshold));
  slider.setAttribute("aria-valuetext", threshold.toFixed(3));
  show("threshold-value", threshold.toFixed(3));
  show("false-acceptance", percent(wrong / different));
  show("false-acceptance-count", `${count(wrong)} of ${count(different)}`);
  show("false-rejection", percent((same - right) / same));
  show("false-rejection-count", `${count(same - right)} of ${count(same)}`);
  show("precision", right + wrong ? percent(right / (right + wrong)) : "–");
  show("precision-count", `${count(right)} of ${count(right + wrong)}`);
}

function goTo(mark) {
  slider.value = data.thresholds.indexOf(data[mark]);
  moveThreshold();
}

/** Sort the rows by a column: numbers by data-value, blanks last; a second time the other way. */
function sortBy(heading) {
  const table = heading.closest("table"), body = table.tBodies[0];
  const column = heading.cellIndex, was = heading.getAttribute("aria-sort");
  const isNumber = heading.classList.contains("number");
  const isDown = was === "none" ? isNumber : was === "ascending";
  for (const other of table.tHead.rows[0].cells) other.setAttribute("aria-sort", "none");
  heading.setAttribute("aria-sort", isDown ? "descending" : "ascending");
  const value = (row) => {
    const cell = row.cells[column];
    return isNumber ? (cell.dataset.value === "" ? NaN : Number(cell.dataset.value)) : cell.textContent;
  };
  const compare = (a, b) => {
    const [x, y] = [value(a), value(b)];
    if (!isNumber) return (isDown ? -1 : 1) * x.localeCompare(y);
    return Number.isNaN(x) - Number.isNaN(y) || (isDown ? y - x : x - y) || 0;
  };
  body.append(...[...body.rows].sort(compare));
}

drawDistances();
const line = shape("line", { class: "threshold-line", y1: 0, y2: 100 });
slider.addEventListener("input", moveThreshold);
document.querySelectorAll("[data-mark]").forEach((button) => button.addEventListener("click", () => goTo(button.dataset.mark)));
document.querySelectorAll("#artists th button").forEach((button) => button.addEventListener("click", () => sortBy(button.closest("th"))));
goTo("threshold");
