// Where faces were replaced, covered or not found, and the frames that deserve a look first.
import { h } from "./dom.js";

const kinds = { none: ["neither replaced nor covered", 3], covered: ["covered instead of replaced", 2], filled: ["not seen here, followed from the frames around", 1] };

/** [{track, first, last, kind}] of the clip, each a stretch of frames. */
function stretches(data) {
  const list = [];
  const add = (track, first, states, of) => {
    let from = 0;
    for (let i = 1; i <= states.length; i += 1) {
      if (states[i] === states[from]) continue;
      const kind = of(states[from]);
      if (kind) list.push({ track, first: first + from, last: first + i - 1, kind });
      from = i;
    }
  };
  for (const track of data.composed || []) add(track.id, track.first, track.state, (state) => state);
  for (const track of data.tracks || []) add(track.id, track.first, track.state, (state) => (state === "filled" ? "filled" : null));
  return list;
}

/** The weakest first: [{first, last, text, kind}]. */
export function weakest(data) {
  const list = stretches(data).filter((s) => kinds[s.kind]).map((s) => ({ ...s, text: kinds[s.kind][0], weight: kinds[s.kind][1] }));
  for (const reason of data.evidence?.reasons || []) for (const [first, last] of reason.stretches || []) list.push({ first, last, text: reason.text, kind: "none", weight: 5 });
  for (const frame of data.evidence?.uncovered?.examples || []) if (Number.isInteger(frame)) list.push({ first: frame, last: frame, text: "another detector sees a face nobody treated", kind: "none", weight: 6 });
  for (const person of data.evidence?.persons || []) for (const near of person.nearest_frames || []) list.push({ first: near.frame, last: near.frame, text: `${person.id} looks most like the recording here (${near.judge}: ${near.value.toFixed(2)})`, kind: "near", weight: 0.5 });
  return list.sort((a, b) => b.weight - a.weight || (b.last - b.first) - (a.last - a.first)).slice(0, 40);
}

export function timeline(data, last) {
  const all = stretches(data), tracks = [...new Set(all.map((s) => s.track))], rows = Math.max(1, tracks.length);
  const colour = { replaced: "var(--replaced)", covered: "var(--covered)", none: "var(--none)", filled: "var(--edge)" };
  const bars = all.map((s) => h("rect", { x: s.first, width: s.last - s.first + 1, y: (tracks.indexOf(s.track) + (s.kind === "filled" ? 0.72 : 0.1)) / rows, height: (s.kind === "filled" ? 0.2 : 0.6) / rows, fill: colour[s.kind] }));
  const head = h("rect", { class: "head", x: 0, y: 0, width: Math.max(1, last / 300), height: 1, fill: "var(--ink)" });
  const element = h("svg", { class: "timeline", viewBox: `0 0 ${last + 1} 1`, preserveAspectRatio: "none", role: "img", "aria-label": "Replaced, covered and untreated stretches of every face" }, bars, head);
  const legend = h("div", { class: "legend" }, [["replaced", "replaced"], ["covered", "covered"], ["none", "neither"], ["filled", "followed, not seen"]].map(([kind, text]) =>
    h("span", {}, h("svg", { class: "swatch", viewBox: "0 0 1 1", "aria-hidden": "true" }, h("rect", { width: 1, height: 1, fill: colour[kind] })), text)));
  return { element: h("div", {}, element, legend), move: (frame) => head.setAttribute("x", frame) };
}
