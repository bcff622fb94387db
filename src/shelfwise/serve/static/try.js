"use strict";
// Everything that comes from a catalogue is shown with textContent: it is never read as mark-up.

const form = document.getElementById("product");
const answer = document.getElementById("answer");
const drop = document.getElementById("drop");
const file = document.getElementById("picture");
const shown = document.getElementById("shown");
let picture = null;

function made(kind, text, inside) {
  const element = document.createElement(kind);
  if (text !== undefined && text !== null) element.textContent = text;
  for (const child of inside || []) element.append(child);
  return element;
}

function percent(value) {
  return `${(100 * value).toFixed(1)} %`;
}

function table(heads, rows) {
  const top = made("tr", null, heads.map((head) => made("th", head)));
  const lines = rows.map((cells) =>
    made("tr", null, cells.map((cell) => (cell instanceof Node ? made("td", null, [cell]) : made("td", cell)))));
  return made("table", null, [made("thead", null, [top]), made("tbody", null, lines)]);
}

function bar(value) {
  const meter = document.createElement("meter");
  meter.max = 1;
  meter.value = Math.max(0, Math.min(1, value));
  return meter;
}

function takePicture(chosen) {
  picture = chosen || null;
  shown.hidden = !picture;
  if (picture) {
    const address = URL.createObjectURL(picture);
    shown.onload = () => URL.revokeObjectURL(address);
    shown.src = address;
  }
}

file.addEventListener("change", () => takePicture(file.files[0]));
for (const name of ["dragover", "dragenter"]) {
  document.addEventListener(name, (event) => { event.preventDefault(); drop.classList.add("over"); });
}
document.addEventListener("dragleave", () => drop.classList.remove("over"));
document.addEventListener("drop", (event) => {
  event.preventDefault();
  drop.classList.remove("over");
  if (!drop.hidden) takePicture(event.dataTransfer.files[0]);
});

function show(result) {
  const one = result.predictions[0];
  const parts = [];
  if (one.category === null) {
    parts.push(made("p", one.reason));
  } else {
    parts.push(made("h2", one.category));
    parts.push(made("p", `Confidence ${percent(one.confidence)}`));
    if (one.accepted !== null) {
      const shelf = one.shelf === null ? "no shelf keeps it" : `the deepest shelf that keeps it: ${one.shelf}`;
      parts.push(made("p", one.accepted ? "Accepted under the promise." : `Not accepted; ${shelf}.`));
    }
    if (one.reason) parts.push(made("p", one.reason));
    parts.push(table(["Candidate", "Confidence", ""],
      one.candidates.map((c) => [c.category, percent(c.confidence), bar(c.confidence)])));
    if (one.evidence) parts.push(...why(one.evidence));
  }
  parts.push(made("p", `${result.model.name}, version ${result.model.version}`));
  parts[parts.length - 1].className = "quiet";
  answer.replaceChildren(...parts);
}

function why(evidence) {
  const parts = [];
  if (evidence.words.length) {
    parts.push(made("h2", "Words that spoke for it"));
    parts.push(table(["Word", "Field", "Weight"], evidence.words.map((w) => [w.text, w.field, w.weight.toFixed(2)])));
  }
  if (evidence.neighbours.length) {
    parts.push(made("h2", "Most similar products"));
    parts.push(table(["Product", "Its shelf", "Similarity"],
      evidence.neighbours.map((n) => [n.title, n.category, percent(n.similarity)])));
  }
  if (evidence.views.length) {
    parts.push(made("h2", "What each view says"));
    parts.push(table(["View", "Its shelf", "Confidence"],
      evidence.views.map((v) => [v.view, v.category, percent(v.confidence)])));
  }
  return parts;
}

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  const button = form.querySelector("button");
  const product = {};
  for (const name of ["title", "description", "brand"]) {
    const value = document.getElementById(name).value.trim();
    if (value) product[name] = value;
  }
  product.product_id = "try"; // or the answer would say that there is none
  const asked = { products: [product], explain: true };
  const promise = document.getElementById("promise").value;
  if (promise) asked.promise = Number(promise);
  const body = new FormData();
  body.append("request", JSON.stringify(asked));
  if (picture) body.append("picture", picture);
  button.disabled = true;
  try {
    const response = await fetch("/v1/predict", { method: "POST", body });
    const result = await response.json();
    if (response.ok) show(result);
    else throw new Error(result.error.message);
  } catch (error) {
    const told = made("p", error.message);
    told.className = "refused";
    answer.replaceChildren(told);
  } finally {
    button.disabled = false;
  }
});

fetch("/v1/models").then((response) => response.json()).then(({ models }) => {
  const model = models[0];
  document.getElementById("about").textContent =
    `${model.name}: ${model.categories.toLocaleString()} categories, version ${model.version}`;
  drop.hidden = !model.pictures;
});
