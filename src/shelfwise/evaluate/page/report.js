// Draws the figures of the report and makes its tables searchable. Plain functions on the JSON that the page carries.
"use strict";
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const byId = (id) => document.getElementById(id);
  const narrow = () => window.innerWidth < 720;

  // -- names: the tree is sent as one name and one parent for each node ------------------------------------------
  const levels = (node) => {
    const path = [];
    for (; node >= 0; node = data.parent[node]) path.unshift(data.node[node]);
    return path;
  };
  const clip = (text, most) => (text.length > most ? text.slice(0, most - 1) + "…" : text);
  const escaped = (text) => text.replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;");
  // A category is a node, or a text of its own (an unseen label, or one of several labels that share a path).
  const pathOf = (category) => (typeof category === "number" ? levels(category) : [category]);

  function pathElement(path) {
    const span = document.createElement("span");
    span.className = "path";
    span.title = path.join(" › ");
    if (path.length > 1) {
      const above = document.createElement("span");
      above.className = "above";
      above.textContent = path.slice(0, -1).map((name) => clip(name, 34)).join(" › ");
      span.append(above);
    }
    span.append(clip(path[path.length - 1], 60));
    return span;
  }

  // -- figures ---------------------------------------------------------------------------------------------------
  // Colours are names of CSS variables, so that one figure serves light, dark and print.
  function coloured(value, style) {
    if (typeof value === "string") {
      return value.startsWith("var(--") ? style.getPropertyValue(value.slice(4, -1)).trim() : value;
    }
    if (Array.isArray(value)) {
      // Arrays of anything but objects are data, and hold no colours, save for a colour scale's pairs.
      return value.length > 64 && typeof value[0] !== "object" ? value : value.map((item) => coloured(item, style));
    }
    if (value && typeof value === "object") {
      return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, coloured(item, style)]));
    }
    return value;
  }

  function draw(id, figure) {
    const place = byId(id);
    if (!place || !figure) return;
    const style = getComputedStyle(document.documentElement);
    const { data: traces, layout } = coloured(figure, style);
    layout.font.family = getComputedStyle(document.body).fontFamily;
    layout.dragmode = layout.dragmode || false;
    const config = { responsive: true, displaylogo: false, displayModeBar: layout.dragmode ? "hover" : false,
      modeBarButtons: [["toImage", "zoom2d", "pan2d", "zoomIn2d", "zoomOut2d", "resetScale2d"]] };
    return Plotly.react(place, traces, layout, config);
  }

  // -- the confusion matrix --------------------------------------------------------------------------------------
  // Names on an axis must differ; zero-width spaces tell apart what reads the same.
  function axisNames(nodes) {
    const seen = new Map();
    return nodes.map((node) => {
      const name = escaped(clip(data.node[node], 26));
      seen.set(name, (seen.get(name) || 0) + 1);
      return name + "\u200b".repeat(seen.get(name) - 1);
    });
  }

  function heat(cells, nodes, names, right) {
    const size = nodes.length;
    const grid = () => Array.from({ length: size }, () => new Array(size).fill(null));
    const z = grid(), hover = grid();
    let most = 1;
    for (let i = 0; i < cells.length; i += 3) {
      const [t, a, rows] = [cells[i], cells[i + 1], cells[i + 2]];
      if ((t === a) !== right) continue;
      z[t][a] = Math.log10(rows);
      most = Math.max(most, rows);
      const products = rows === 1 ? "1 product" : `${rows} products`;
      hover[t][a] = right
        ? `<b>${products} right</b><br>${escaped(levels(nodes[t]).join(" › "))}`
        : `<b>${products} wrong</b><br>given: ${escaped(levels(nodes[t]).join(" › "))}<br>predicted: ${escaped(levels(nodes[a]).join(" › "))}`;
    }
    const ticks = [1, 3, 10, 30, 100, 300, 1000, 3000, 10000, 100000].filter((tick) => tick <= most);
    const colour = right ? "right" : "wrong";
    return {
      type: "heatmap", x: names, y: names, z, customdata: hover, hoverongaps: false, xgap: size < 60 ? 1 : 0, ygap: size < 60 ? 1 : 0,
      hovertemplate: "%{customdata}<extra></extra>", zmin: 0, zmax: Math.max(Math.log10(most), 0.3),
      colorscale: [[0, `var(--${colour}-low)`], [0.5, `var(--${colour})`], [1, `var(--${colour}-high)`]],
      showscale: !narrow(),
      colorbar: { title: { text: colour, side: "top", font: { size: 13 } }, tickvals: ticks.map(Math.log10), ticktext: ticks.map(String), thickness: 12,
        len: 0.46, x: 1.01, y: right ? 1 : 0.5, yanchor: "top", outlinewidth: 0 },
    };
  }

  // Lines where one department ends and the next begins.
  function borders(nodes, department) {
    const root = (node) => { while (data.parent[node] >= 0) node = data.parent[node]; return node; };
    // Inside a department the others are one category each: only its own edges are drawn.
    const top = nodes.map((node) => (department === null ? root(node) : root(node) === department));
    const line = { color: "var(--line)", width: 1 };
    const shapes = [];
    for (let i = 1; i < nodes.length; i++) {
      if (top[i] === top[i - 1]) continue;
      shapes.push({ type: "line", x0: i - 0.5, x1: i - 0.5, yref: "paper", y0: 0, y1: 1, line });
      shapes.push({ type: "line", y0: i - 0.5, y1: i - 0.5, xref: "paper", x0: 0, x1: 1, line });
    }
    return shapes;
  }

  function matrixFigure(matrix) {
    const names = axisNames(matrix.nodes);
    const axis = { type: "category", showgrid: false, zeroline: false, automargin: false, tickfont: { size: 10.5 },
      showticklabels: !narrow(), ticks: "", range: [-0.5, names.length - 0.5], constrain: "domain" };
    return {
      data: [heat(matrix.cells, matrix.nodes, names, true), heat(matrix.cells, matrix.nodes, names, false)],
      layout: {
        ...data.figures.shared, height: narrow() ? 430 : 780, dragmode: "zoom", shapes: matrix.depth > 1 ? borders(matrix.nodes, matrix.department) : [],
        margin: narrow() ? { l: 28, r: 8, t: 8, b: 30 } : { l: 190, r: 70, t: 12, b: 160 },
        xaxis: { ...axis, title: { text: "predicted", standoff: 4, font: { size: 13 } }, tickangle: -55 },
        yaxis: { ...axis, title: { text: "given", standoff: 4, font: { size: 13 } }, range: [names.length - 0.5, -0.5] },
      },
    };
  }

  function drawMatrix() {
    if (!data.matrices.length) return;
    const depth = Number(byId("matrix-level").value);
    const choice = byId("matrix-department");
    choice.disabled = depth === 1;
    const department = depth === 1 || choice.value === "" ? null : Number(choice.value);
    const matrix = data.matrices.find((one) => one.depth === depth && one.department === department);
    const share = matrix.shown === matrix.errors ? "all" : matrix.shown.toLocaleString("en") + " of";
    byId("matrix-note").textContent =
      `${matrix.nodes.length} categories; ${share} ${matrix.errors.toLocaleString("en")} wrong answers shown`;
    return draw("matrix", matrixFigure(matrix));
  }

  function drawAll() {
    for (const [id, figure] of Object.entries(data.figures)) if (id !== "shared") draw("figure-" + id, figure);
    drawMatrix();
  }

  // -- the table of categories ------------------------------------------------------------------------------------
  const table = { column: "support", down: true, shown: 12 };

  function wanted() {
    const words = byId("category-search").value.toLocaleLowerCase().split(/\s+/).filter(Boolean);
    const rows = data.categories.name.map((_, i) => i).filter((i) => {
      data.categories.text ||= data.categories.name.map((name) => pathOf(name).join(" › ").toLocaleLowerCase());
      return words.every((word) => data.categories.text[i].includes(word));
    });
    const column = table.column === "name" ? data.categories.text : data.categories[table.column];
    const sign = table.down ? -1 : 1;
    const compare = (a, b) => (a < b ? -1 : a > b ? 1 : 0);
    return rows.sort((i, j) => sign * compare(column[i], column[j]) || i - j);
  }

  function fillTable() {
    const rows = wanted(), all = data.categories, body = byId("category-rows");
    const percent = (value) => (100 * value).toFixed(0) + " %";
    body.replaceChildren(...rows.slice(0, table.shown).map((i) => {
      const row = document.createElement("tr");
      const cell = (content, kind) => {
        const td = document.createElement("td");
        td.className = kind;
        td.append(content);
        row.append(td);
      };
      cell(pathElement(pathOf(all.name[i])), "");
      cell(all.support[i].toLocaleString("en"), "n");
      if (all.learned) cell(all.learned[i].toLocaleString("en"), "n");
      for (const score of ["precision", "recall", "f1"]) cell(percent(all[score][i]), "n");
      const mistake = document.createElement("span");
      if (all.mistaken_rows[i]) {
        mistake.append(pathElement(pathOf(all.mistaken_for[i])));
        mistake.firstChild.append(` × ${all.mistaken_rows[i]}`);
      }
      cell(mistake, "");
      return row;
    }));
    byId("category-count").textContent = `${rows.length.toLocaleString("en")} categories`;
    byId("category-more").hidden = rows.length <= table.shown;
    for (const head of document.querySelectorAll("#category-table th[data-column]")) {
      const sorted = head.dataset.column === table.column;
      head.setAttribute("aria-sort", sorted ? (table.down ? "descending" : "ascending") : "none");
    }
  }

  function openTarget() {
    const target = location.hash && byId(decodeURIComponent(location.hash.slice(1)));
    if (target && target.tagName === "DETAILS") target.open = true;
  }

  // -- begin -----------------------------------------------------------------------------------------------------
  byId("category-search").addEventListener("input", () => { table.shown = 12; fillTable(); });
  byId("category-more").addEventListener("click", () => { table.shown += 100; fillTable(); });
  for (const head of document.querySelectorAll("#category-table th[data-column]")) {
    head.querySelector("button").addEventListener("click", () => {
      table.down = table.column === head.dataset.column ? !table.down : head.dataset.column !== "name";
      table.column = head.dataset.column;
      fillTable();
    });
  }
  for (const id of ["matrix-level", "matrix-department"]) byId(id)?.addEventListener("change", drawMatrix);
  window.addEventListener("hashchange", openTarget);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", drawAll);
  for (const [event, printing] of [["beforeprint", true], ["afterprint", false]]) {
    window.addEventListener(event, () => { document.documentElement.classList.toggle("printing", printing); drawAll(); });
  }
  fillTable();
  drawAll();
  openTarget();
})();
