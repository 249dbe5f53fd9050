"use strict";
// Sorting, filtering and plots of the page. Everything it shows is in the page; texts are set as text, never as HTML.
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const one = (selector, within = document) => within.querySelector(selector);
  const all = (selector, within = document) => [...within.querySelectorAll(selector)];
  const colours = ["#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000"]; // of processes
  const measures = new Map(data.measures.map((measure) => [measure.name, measure]));
  const usual = { s: [1e3, "ms"], B: [1e-6, "MB"] }; // what a reader means such a quantity in
  const factor = (name) => (usual[measures.get(name)?.unit] ?? [1])[0];
  const style = (name) => (factor(name) === 1 && name !== "latency_ratio" ? "s" : "r"); // prefixes are for counts
  const label = (name) => {
    const { label: text, unit } = measures.get(name);
    return text + (unit ? ` [${(usual[unit] ?? [1, unit])[1]}]` : "");
  };
  // plotly reads a little HTML in its texts: what comes from a file must not be any
  const safe = (text) => String(text).replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;");
  const look = (operator) => {
    const [color, symbol] = data.looks[operator] ?? ["#6b6b6b", "circle"];
    return { color, symbol };
  };

  // the table
  let kept = null; // numbers of the cases that the filter lets through, null for all
  for (const table of all("table.results")) {
    all("thead th", table).forEach((heading, column) => {
      one("button", heading).addEventListener("click", () => {
        const down = heading.getAttribute("aria-sort") === "ascending";
        all("th", table).forEach((other) => other.removeAttribute("aria-sort"));
        heading.setAttribute("aria-sort", down ? "descending" : "ascending");
        const body = one("tbody", table);
        const key = (row) => {
          const cell = row.cells[column];
          if ("value" in cell.dataset) return Number(cell.dataset.value);
          return heading.classList.contains("number") || !cell.textContent ? null : cell.textContent;
        };
        const rows = all("tr", body).map((row) => [key(row), row]);
        rows.sort(([a], [b]) => {
          if (a === null || b === null) return (a === null) - (b === null); // unknown ones stay last
          const order = typeof a === "number" ? a - b : a.localeCompare(b, "en", { numeric: true });
          return down ? -order : order;
        });
        body.append(...rows.map(([, row]) => row));
      });
    });
  }
  const filter = () => {
    const words = one("#filter").value.toLowerCase().split(/\s+/).filter(Boolean);
    kept = words.length ? new Set() : null;
    let shown = 0;
    const rows = all("table.results tbody tr");
    for (const row of rows) {
      const text = `${row.textContent} ${row.dataset.words}`.toLowerCase();
      row.hidden = !words.every((word) => text.includes(word));
      if (!row.hidden) shown += 1;
      if (!row.hidden && kept) kept.add(Number(row.dataset.case));
    }
    one("#count").textContent = `${shown} of ${rows.length} cases`;
    draw();
  };

  // the plots
  const option = (select, value, text) => {
    const made = document.createElement("option");
    made.value = value;
    made.textContent = text;
    select.append(made);
  };
  const layout = (more) => ({
    font: { family: "system-ui, DejaVu Sans, sans-serif", size: 12, color: "#222" },
    margin: { l: 10, r: 10, t: 30, b: 10 },
    hovermode: "closest",
    showlegend: false,
    ...more,
  });
  // plotly's own button sends the data to its makers: nothing of this page leaves it
  const settings = {
    displaylogo: false,
    responsive: true,
    showSendToCloud: false,
    plotlyServerURL: "",
    modeBarButtonsToRemove: ["sendChartToCloud", "sendDataToCloud", "lasso2d", "select2d"],
  };
  const axis = (title, more) => ({ title: { text: title, standoff: 10 }, automargin: true, gridcolor: "#d5d5d5", zeroline: false, ...more });
  // numbers at 1, 2 and 5, along many decades at powers of ten
  const logarithmic = (values) => ({ type: "log", tickformat: "~r", dtick: Math.max(...values) > 300 * Math.min(...values) ? 1 : "D2" });
  const open = (event) => {
    const point = event.points && event.points[0];
    if (point && point.customdata !== undefined) location.hash = `case-${point.customdata}`;
  };
  const plot = (place, traces, more) => {
    const node = one(place);
    node.hidden = !traces.length;
    if (!traces.length) return;
    Plotly.react(node, traces, layout(more), settings);
    node.removeAllListeners("plotly_click");
    node.on("plotly_click", open);
  };
  const rowsNow = () => {
    const load = data.workloads[Number(one("#workload").value) || 0];
    return load ? load.rows.filter((row) => kept === null || kept.has(row.case_number)) : [];
  };
  const costs = (rows) => {
    const [across, up] = [one("#across").value, one("#up").value];
    const known = rows.filter((row) => row[across] > 0 && row[up] > 0).sort((a, b) => a[across] - b[across]);
    const spread = (name) => {
      if (!known.some((row) => `${name}_low` in row)) return undefined;
      const high = known.map((row) => factor(name) * ((row[`${name}_high`] ?? row[name]) - row[name]));
      const low = known.map((row) => factor(name) * (row[name] - (row[`${name}_low`] ?? row[name])));
      return { type: "data", symmetric: false, array: high, arrayminus: low, thickness: 1, width: 2, color: "#999" };
    };
    const marks = known.map((row) => look(row.operator));
    const trace = {
      type: "scatter",
      mode: known.length <= 20 ? "markers+text" : "markers",
      x: known.map((row) => factor(across) * row[across]),
      y: known.map((row) => factor(up) * row[up]),
      error_x: spread(across),
      error_y: spread(up),
      text: known.map((row) => safe(row.name)),
      textposition: marks.map((_, index) => (index % 2 ? "bottom right" : "top left")),
      textfont: { size: 11 },
      hovertemplate: `%{text}<br>${label(across)} %{x:.4${style(across)}}<br>${label(up)} %{y:.4${style(up)}}<extra></extra>`,
      customdata: known.map((row) => row.case_number),
      marker: { size: 9, color: marks.map((mark) => mark.color), symbol: marks.map((mark) => mark.symbol) },
    };
    const scale = (name) => {
      const values = known.flatMap((row) => [name, `${name}_low`, `${name}_high`].map((end) => row[end] ?? row[name]));
      const narrow = measures.get(name).unit === "dB" || Math.max(...values) < 3 * Math.min(...values); // no 1, 2 or 5 in it
      return axis(label(name), narrow ? { tickformat: `~${style(name)}` } : { ...logarithmic(values), tickformat: `~${style(name)}` });
    };
    plot("#costs", known.length ? [trace] : [], { height: 460, xaxis: scale(across), yaxis: scale(up) });
  };
  const latency = (rows) => {
    const known = rows.filter((row) => row.latency > 0).sort((a, b) => b.latency - a.latency);
    const places = known.map((_, index) => index);
    const marks = known.map((row) => look(row.operator));
    const traces = [
      {
        type: "scatter",
        mode: "markers",
        x: known.map((row) => 1e3 * row.latency),
        y: places,
        error_x: {
          type: "data",
          symmetric: false,
          array: known.map((row) => 1e3 * ((row.latency_high ?? row.latency) - row.latency)),
          arrayminus: known.map((row) => 1e3 * (row.latency - (row.latency_low ?? row.latency))),
          thickness: 1.5,
        },
        text: known.map((row) => safe(row.name)),
        hovertemplate: "%{text}<br>%{x:.4r} ms<extra></extra>",
        customdata: known.map((row) => row.case_number),
        marker: { size: 8, color: marks.map((mark) => mark.color), symbol: marks.map((mark) => mark.symbol) },
      },
    ];
    const ends = known.flatMap((row) => [row.latency, row.latency_low, row.latency_high, row.floor]);
    const shown = ends.filter((value) => value > 0);
    if (known.some((row) => row.floor > 0)) {
      traces.push({
        type: "scatter",
        mode: "markers",
        x: known.map((row) => (row.floor > 0 ? 1e3 * row.floor : null)),
        y: places,
        text: known.map((row) => safe(row.name)),
        hovertemplate: "%{text}<br>speed of light %{x:.4r} ms<extra></extra>",
        marker: { size: 10, symbol: "line-ns-open", color: "#6b6b6b" },
      });
    }
    const names = { tickvals: places, ticktext: known.map((row) => safe(row.name)), range: [-0.7, known.length - 0.3] };
    plot("#latency", known.length ? traces : [], {
      height: 90 + 20 * known.length,
      xaxis: axis("latency with its interval; grey: speed of light [ms]", logarithmic(shown)),
      yaxis: axis("", names),
    });
  };
  const memory = (rows) => {
    const known = rows.filter((row) => row.peak_memory > 0).sort((a, b) => b.peak_memory - a.peak_memory);
    const places = known.map((_, index) => index);
    const bar = (name, values, color, base) => ({
      type: "bar",
      orientation: "h",
      name,
      x: values.map((value) => 1e-6 * value),
      y: places,
      base,
      text: known.map((row) => safe(row.name)),
      textposition: "none",
      hovertemplate: `%{text}<br>${name} %{x:.4r} MB<extra></extra>`,
      customdata: known.map((row) => row.case_number),
      marker: { color },
    });
    const split = known.length && known.every((row) => row.output_memory > 0);
    const output = known.map((row) => row.output_memory);
    const traces = split
      ? [bar("output", output, "#56B4E9"), bar("workspace", known.map((row) => row.peak_memory - row.output_memory), "#0072B2")]
      : [bar("peak", known.map((row) => row.peak_memory), "#0072B2")];
    const names = { tickvals: places, ticktext: known.map((row) => safe(row.name)), range: [-0.7, known.length - 0.3] };
    plot("#memory", known.length ? traces : [], {
      height: 110 + 20 * known.length,
      barmode: "stack",
      showlegend: true,
      legend: { orientation: "h", y: 1, yanchor: "bottom" },
      xaxis: axis("peak memory above the inputs [MB]"),
      yaxis: axis("", names),
    });
  };
  const draw = () => {
    if (one("#plots").hidden) return;
    const rows = rowsNow();
    costs(rows);
    latency(rows);
    memory(rows);
  };
  if (data.workloads.length && measures.has("latency")) {
    one("#plots").hidden = false;
    data.workloads.forEach((load, index) => option(one("#workload"), index, load.title));
    for (const name of measures.keys()) {
      if (/_(low|high)$/.test(name)) continue;
      option(one("#across"), name, label(name));
      option(one("#up"), name, label(name));
    }
    one("#across").value = measures.has("latency_ratio") ? "latency_ratio" : "latency";
    one("#up").value = ["peak_memory", "macs", "params"].find((name) => measures.has(name)) ?? "latency";
    all(".choices select").forEach((select) => select.addEventListener("change", draw));
  }

  // the raw samples of a case, drawn when it is opened
  for (const details of all("details.case")) {
    details.addEventListener("toggle", () => {
      const place = one(".samples", details);
      const rounds = data.samples[Number(details.dataset.case)] ?? [];
      if (!details.open || place.childElementCount || !rounds.length) return;
      const times = rounds.flatMap(([process, round, list]) => list.map((time) => [process, round, time]));
      const trace = {
        type: "scatter",
        mode: "markers",
        x: times.map((_, index) => index),
        y: times.map(([, , time]) => 1e3 * time),
        text: times.map(([process, round]) => `process ${process}, round ${round}`),
        hovertemplate: "%{text}<br>%{y:.4r} ms<extra></extra>",
        marker: { size: 5, color: times.map(([process]) => colours[process % colours.length]) },
      };
      const yaxis = axis("latency [ms]");
      const more = { height: 240, xaxis: axis("sample in the order of the file; a colour a process"), yaxis };
      Plotly.newPlot(place, [trace], layout(more), settings);
    });
  }
  const follow = () => {
    const target = /^#case-\d+$/.test(location.hash) && one(location.hash);
    if (!target) return;
    target.open = true;
    target.scrollIntoView();
  };
  window.addEventListener("hashchange", follow);
  one("#filter").addEventListener("input", filter);
  filter();
  follow();
  document.body.dataset.ready = "yes";
})();
