// The motion editor: measured curves, changes drawn over them, and a sketch of the face that follows.
import { h, show, button, note, say } from "./dom.js";
import { get, post } from "./api.js";
import { curves as words } from "./words.js";

/** Straight between points, nothing outside: as the program takes them. */
export function valueAt(points, frame) {
  for (let i = 0; i + 1 < points.length; i += 1) {
    const [a, x] = points[i], [b, y] = points[i + 1];
    if (frame >= a && frame <= b) return x + ((frame - a) / (b - a)) * (y - x);
  }
  return points.length === 1 && points[0][0] === frame ? points[0][1] : 0;
}

export async function motionEditor(place, address, screen, saved) {
  const data = await get(address);
  if (!data.tracks.length) { show(place, h("p", { class: "quiet" }, "No face of this clip is replaced.")); return { move() {} }; }
  const edit = new Map(data.tracks.map((t) => [t.id, {}]));
  for (const track of data.edit?.tracks || []) if (edit.has(track.id)) edit.set(track.id, structuredClone(track.curves));
  let track = data.tracks[0], curve = "mouth", drag = -1;
  const graph = h("svg", { class: "graph", preserveAspectRatio: "none", "aria-label": "Measured and changed curve; the table beside it holds the same numbers", role: "img" });
  const sketch = h("svg", { class: "sketch", viewBox: "-60 -75 120 150", role: "img", "aria-label": "Sketch of the face at this frame" });
  const table = h("tbody", {}), unit = h("span", { class: "quiet" });

  const points = () => (edit.get(track.id)[curve] ??= []);
  const measured = (name, frame) => track.curves[name].values[Math.round((frame - track.first) / track.step)] ?? 0;
  const changed = (name, frame) => measured(name, frame) + (name === "blink" ? (1 - measured(name, frame)) * valueAt(edit.get(track.id)[name] || [], frame) : valueAt(edit.get(track.id)[name] || [], frame));
  const limit = () => track.curves[curve].limit;

  function range() {
    const values = track.curves[curve].values.flatMap((v, i) => (v === null ? [] : [v, changed(curve, track.first + i * track.step)]));
    const low = Math.min(...values, 0), high = Math.max(...values, 0), room = curve === "blink" ? 0.15 : limit() * 0.4;
    return [low - room, high + room];
  }

  function path(value) {
    let text = "";
    const [low, high] = range();
    for (let i = 0; i < track.curves[curve].values.length; i += 1) {
      const frame = track.first + i * track.step, y = 1 - (value(frame) - low) / (high - low);
      text += `${text ? "L" : "M"}${frame} ${y.toFixed(4)}`;
    }
    return text;
  }

  function drawGraph() {
    const [low, high] = range(), frame = screen.frame(), y = (v) => 1 - (v - low) / (high - low), wide = track.frames || 1;
    graph.setAttribute("viewBox", `${track.first} 0 ${wide} 1`);
    show(graph, h("line", { class: "zero", x1: track.first, x2: track.first + wide, y1: y(0), y2: y(0) }), h("path", { class: "measured", d: path((f) => measured(curve, f)) }), h("path", { class: "changed", d: path((f) => changed(curve, f)) }),
      points().map(([at]) => h("ellipse", { cx: at, cy: y(changed(curve, at)), rx: wide / 130, ry: 0.03, fill: "var(--accent)" })),
      h("line", { class: "head", x1: frame, x2: frame, y1: 0, y2: 1 }));
  }

  function drawSketch() {
    const f = Math.max(track.first, Math.min(track.first + track.frames - 1, screen.frame()));
    const now = Object.fromEntries(Object.keys(track.curves).map((name) => [name, changed(name, f)]));
    const dx = now.yaw / 2.2, dy = now.pitch / 2.2, open = Math.max(0, now.mouth) * 7, lid = Math.max(0, 7 * (1 - now.blink));
    const eye = (x) => [h("ellipse", { cx: x + dx, cy: -14 + dy, rx: 10, ry: Math.max(0.5, lid) }), lid > 1.5 ? h("circle", { class: "iris", cx: x + dx + now.gaze_x * 40, cy: -14 + dy + now.gaze_y * 40, r: Math.min(4, lid) }) : null];
    show(sketch, h("g", { transform: `rotate(${now.roll.toFixed(1)})` }, h("ellipse", { cx: 0, cy: 0, rx: 45, ry: 60 }), eye(-18), eye(18), h("path", { d: `M${dx} ${-8 + dy} l${3 + dx / 4} 16 l-6 0` }), h("ellipse", { cx: dx, cy: 30 + dy, rx: 16, ry: Math.max(0.7, open) })));
  }

  function drawTable() {
    unit.textContent = `${words[curve][1]}, at most ${limit()} either way`;
    show(table, points().map((point, i) => {
      const set = (k) => (e) => {
        const value = Number(e.target.value);
        if (!Number.isFinite(value)) return;
        point[k] = k ? Math.max(-limit(), Math.min(limit(), value)) : Math.max(0, Math.round(value));
        tidy();
        draw();
      };
      return h("tr", {}, h("td", {}, h("input", { type: "number", value: point[0], min: track.first, max: track.first + track.frames - 1, "aria-label": `Point ${i + 1}: frame`, onchange: set(0) })),
        h("td", {}, h("input", { type: "number", value: +point[1].toFixed(3), step: limit() / 20, "aria-label": `Point ${i + 1}: change`, onchange: set(1) })),
        h("td", {}, button("Remove", () => { points().splice(i, 1); draw(); }, { class: "small", "aria-label": `Remove point ${i + 1}` })));
    }), points().length ? null : h("tr", {}, h("td", { colspan: 3, class: "quiet" }, "No changes: the curve is as measured. Click into it, or add a point.")));
  }

  function tidy() { // frames rise, one point each
    const list = points();
    list.sort((a, b) => a[0] - b[0]);
    for (let i = list.length - 1; i > 0; i -= 1) if (list[i][0] === list[i - 1][0]) list.splice(i, 1);
  }

  function draw() { drawGraph(); drawTable(); drawSketch(); }

  function put(frame, value) {
    const at = Math.max(track.first, Math.min(track.first + track.frames - 1, Math.round(frame)));
    const found = points().find((p) => p[0] === at);
    if (found) found[1] = value; else points().push([at, value]);
    tidy();
    return points().findIndex((p) => p[0] === at);
  }

  /** A bump around the present frame: nothing a little before and after. */
  function bump(value, around) {
    const frame = screen.frame(), list = points();
    for (let i = list.length - 1; i >= 0; i -= 1) if (Math.abs(list[i][0] - frame) <= around) list.splice(i, 1);
    if (frame - around >= track.first) put(frame - around, 0);
    put(frame + around, 0);
    put(frame, value);
    draw();
  }

  function pointed(e) {
    const box = graph.getBoundingClientRect(), [low, high] = range();
    const frame = Math.round(track.first + ((e.clientX - box.left) / box.width) * track.frames);
    const target = low + (1 - (e.clientY - box.top) / box.height) * (high - low), own = measured(curve, frame);
    const value = curve === "blink" ? (target - own) / Math.max(0.05, 1 - own) : target - own;
    return [frame, Math.max(-limit(), Math.min(limit(), value))];
  }
  graph.addEventListener("pointerdown", (e) => {
    const [frame, value] = pointed(e), near = points().findIndex((p) => Math.abs(p[0] - frame) < track.frames / 60);
    drag = near >= 0 ? near : put(frame, value);
    graph.setPointerCapture(e.pointerId);
    screen.seek(points()[drag][0]);
    draw();
  });
  graph.addEventListener("pointermove", (e) => {
    if (drag < 0) return;
    const [, value] = pointed(e);
    points()[drag][1] = value;
    draw();
  });
  graph.addEventListener("pointerup", () => { drag = -1; });

  const what = () => place.querySelector("select.what");
  const select = (label, values, chosen, set) => h("label", { class: "field" }, h("span", {}, label), h("select", { class: label === "What moves" ? "what" : null, onchange: (e) => { set(e.target.value); draw(); } }, values.map(([value, text]) => h("option", { value, selected: value === chosen }, text))));
  show(place, h("p", { class: "quiet" }, "The grey line is measured, the blue one is what will be played. Changes are added; before the first and after the last point nothing changes. The video itself follows when the changes are made."),
    h("div", { class: "row" }, data.tracks.length > 1 ? select("Face", data.tracks.map((t) => [t.id, `Face ${t.id}`]), track.id, (v) => { track = data.tracks.find((t) => t.id === +v); }) : null,
      select("What moves", Object.keys(track.curves).map((name) => [name, words[name]?.[0] || name]), curve, (v) => { curve = v; }), unit),
    h("div", { class: "editor" }, graph, sketch),
    h("div", { class: "row" }, button("Add a point at this frame", () => { put(screen.frame(), limit() / 4); draw(); }, { class: "small" }), button("Blink here", () => { curve = "blink"; what().value = curve; bump(1, 4); }, { class: "small" }), button("Clear this curve", () => { edit.get(track.id)[curve] = []; draw(); }, { class: "small" })),
    h("table", { class: "points" }, h("thead", {}, h("tr", {}, h("th", { scope: "col" }, "Frame"), h("th", { scope: "col" }, "Change"), h("th", { scope: "col" }, h("span", { class: "hidden" }, "Remove")))), table),
    button("Keep these changes", async () => {
      const tracks = [...edit].map(([id, curves]) => ({ id, curves: Object.fromEntries(Object.entries(curves).filter(([, list]) => list.length)) }));
      await post(address, { tracks });
      say("Kept. “Make the changes” paints the clip again.");
      saved();
    }, { class: "main" }));
  draw();
  return { move() { if (place.isConnected) { drawGraph(); drawSketch(); } } };
}
