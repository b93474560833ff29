"use strict";

/** What the page was written with. */
const data = JSON.parse(document.getElementById("data").textContent);

const percent = (share) => `${(100 * share).toFixed(1)}\u00a0%`;

/** A new element: properties such as textContent, then children; texts are never parsed as HTML. */
function element(name, properties = {}, ...children) {
  const made = Object.assign(document.createElement(name), properties);
  made.append(...children);
  return made;
}
