// Step 4: every clip beside its recording, what was measured, and what can be changed about it.
import { h, show, button, note, say } from "./dom.js";
import { get, post, getForm } from "./api.js";
import { player } from "./player.js";
import { timeline, weakest } from "./timeline.js";
import { motionEditor } from "./motion.js";
import { contexts as words, treatments } from "./words.js";

const percent = (value) => `${Math.round(100 * value)} %`;

/** One line in plain words of what was measured for a context. */
function measured(name, m) {
  if (m.before !== undefined && m.after !== undefined) {
    const frames = m.agree_frames !== undefined ? `, the same in ${m.agree_frames} of ${m.frames} frames looked at` : "";
    return `${m.before ?? "?"} → ${m.after ?? "?"}${frames}`;
  }
  if (typeof m.error === "object" && m.error) return `off by ${Object.entries(m.error).map(([axis, value]) => `${axis} ${value.toFixed(1)}°`).join(", ")}`;
  if (typeof m.error === "number") return `off by ${m.error.toFixed(1)}°${m.zone_agreement !== undefined && m.zone_agreement !== null ? `, zone the same in ${percent(m.zone_agreement)}` : ""}`;
  if (m.blinks !== undefined) return `${m.blinks} blinks before, ${m.blinks_after} after`;
  if (m.correlation !== undefined && m.correlation !== null) return `follows the recording by ${m.correlation.toFixed(2)} (1 is exactly)`;
  if (m.lips === "still") return "still, before and after";
  return "no figure";
}

function risk(person) {
  return Object.entries(person.reidentification || {}).map(([judge, r]) =>
    h("li", {}, `${judge}: recognised in ${r.match_frames} of ${r.frames} frames looked at`, r.decides ? h("strong", {}, " (decides)") : null));
}

function personCard(job, id, person, data, form, changed) {
  const evidence = (data.evidence?.persons || []).find((p) => p.id === person.id), covered = person.action === "cover";
  const address = `/api/jobs/${job.id}/persons/${person.id}`;
  const single = job.options.identity === "per-clip";
  const picture = `/api/jobs/${job.id}/standins/${person.id}${single ? `?clip=${id}` : ""}`;
  const edit = async (change, text) => { await post(address, { ...change, ...(single ? { clip: id } : {}) }); say(text); await changed(); };
  const looks = ["age", "gender", "race", "glasses"].map((name) => {
    const context = form.contexts.find((c) => c.name === name), now = name === "glasses" ? (person.standin.glasses ? "yes" : "no") : person.standin[name];
    return h("label", { class: "field" }, h("span", {}, words[name][0]), h("select", { name }, context.values.map((v) => h("option", { value: v, selected: v === now }, v.replaceAll("_", " ")))));
  });
  const rows = Object.entries(evidence?.contexts || {}).map(([name, m]) => h("tr", {}, h("th", { scope: "row" }, words[name]?.[0] || name), h("td", {}, treatments[m.treatment]?.[0] || m.treatment), h("td", {}, measured(name, m)), h("td", {}, h("small", {}, m.judge, m.independent ? "" : " (took part in the making)"))));
  const form_ = h("form", { onsubmit: (e) => e.preventDefault() }, h("div", { class: "row" }, looks), button("Use this description", async () => {
    const standin = Object.fromEntries([...form_.querySelectorAll("select")].map((s) => [s.name, s.name === "glasses" ? s.value === "yes" : s.value]));
    await edit({ standin }, "The description is changed.");
  }));
  return h("section", { class: "card", "aria-label": person.id }, h("div", { class: "person" },
    covered ? h("p", { class: "tag warn" }, "covered") : h("img", { src: picture, alt: `The stand-in of ${person.id}: ${person.standin.gender}, ${person.standin.age}`, onerror: (e) => { e.target.replaceWith(h("p", { class: "quiet" }, "no picture")); } }),
    h("div", {}, h("h2", {}, person.id),
      h("p", {}, covered ? "The face is covered instead of replaced." : `Replaced by a person who does not exist: ${person.standin.gender}, ${person.standin.age}, ${person.standin.race.replaceAll("_", " ")}${person.standin.glasses ? ", with glasses" : ""}.`),
      evidence ? h("p", { class: "quiet" }, `${evidence.frames.face} frames with this face: ${evidence.frames.replaced} replaced, ${evidence.frames.covered} covered, ${evidence.frames.none} neither.`) : null,
      evidence ? h("ul", {}, risk(evidence)) : null,
      h("div", { class: "row" }, covered ? button("Replace this person", () => edit({ action: "replace" }, "Will be replaced.")) : [button("Draw another stand-in", () => edit({ again: true }, "Another stand-in will be drawn.")), button("Cover this person instead", () => edit({ action: "cover" }, "Will be covered."))]))),
    rows.length ? h("details", {}, h("summary", {}, "What was measured"), h("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": "Measurements" }, h("table", {}, h("thead", {}, h("tr", {}, ["Context", "Treatment", "Measured", "By"].map((t) => h("th", { scope: "col" }, t)))), h("tbody", {}, rows)))) : null,
    covered ? null : h("details", {}, h("summary", {}, "Change the stand-in’s description"), form_),
    person.notes?.length ? h("details", {}, h("summary", {}, "Good to know"), h("ul", {}, person.notes.map((n) => h("li", {}, n)))) : null);
}

/** Rectangles that are covered in every frame: drawn with a pointer or written as numbers. */
function regions(job, data, screen, overlay, changed) {
  const list = structuredClone(data.cover || []), rows = h("div", {});
  let from = null, drawing = false;
  overlay.setAttribute("viewBox", `0 0 ${screen.width} ${screen.height}`);
  const drawOverlay = () => show(overlay, list.map(([x, y, width, height]) => h("rect", { x, y, width, height })));
  const at = (e) => {
    const box = overlay.getBoundingClientRect(), clamp = (v, high) => Math.max(0, Math.min(high, Math.round(v)));
    return [clamp(((e.clientX - box.left) / box.width) * screen.width, screen.width), clamp(((e.clientY - box.top) / box.height) * screen.height, screen.height)];
  };
  overlay.addEventListener("pointerdown", (e) => { if (drawing) { from = at(e); list.push([...from, 1, 1]); overlay.setPointerCapture(e.pointerId); } });
  overlay.addEventListener("pointermove", (e) => {
    if (!from) return;
    const [x, y] = at(e);
    list[list.length - 1] = [Math.min(x, from[0]), Math.min(y, from[1]), Math.max(1, Math.abs(x - from[0])), Math.max(1, Math.abs(y - from[1]))];
    drawOverlay();
  });
  overlay.addEventListener("pointerup", () => { from = null; draw(); });
  const toggle = button("Draw a region on the picture", () => {
    drawing = !drawing;
    overlay.classList.toggle("drawing", drawing);
    toggle.setAttribute("aria-pressed", String(drawing));
  }, { "aria-pressed": "false" });
  function draw() {
    drawOverlay();
    show(rows, list.map((region, i) => h("div", { class: "row" }, ["from the left", "from the top", "wide", "high"].map((text, k) => h("label", {}, `${text} `, h("input", { type: "number", min: k < 2 ? 0 : 1, value: region[k], "aria-label": `Region ${i + 1}: ${text}`, onchange: (e) => { region[k] = Math.max(k < 2 ? 0 : 1, Math.round(+e.target.value) || 0); drawOverlay(); } }))),
      button("Remove", () => { list.splice(i, 1); draw(); }, { class: "small", "aria-label": `Remove region ${i + 1}` }))));
  }
  draw();
  return h("div", {}, h("p", { class: "quiet" }, "A region is covered in every frame of every clip of this dataset, in pixels of the picture."), rows,
    h("div", { class: "row" }, toggle, button("Add a region by numbers", () => { list.push([0, 0, Math.round(screen.width / 4), Math.round(screen.height / 4)]); draw(); }),
      button("Keep these regions", async () => { await post(`/api/jobs/${job.id}/cover`, { rectangles: list }); say("Kept."); await changed(); }, { class: "main" })));
}

export async function review(place, job, wanted) {
  const form = await getForm();
  const clips = job.clips;
  const id = clips.some((c) => c.id === wanted) ? wanted : clips.find((c) => !c.decision)?.id || clips[0]?.id;
  const waiting = h("div", {}), status = h("div", {});
  if (job.state === "finished" || !id) {
    show(place, h("h1", {}, "Review"), note("", job.state === "finished" ? "This dataset is finished: the working files are gone." : "There is nothing to review yet. ", job.state === "finished" ? null : h("a", { href: `#/job/${job.id}/watch` }, "Watch")));
    return null;
  }
  if (job.state === "running") {
    show(place, h("h1", {}, "Review"), note("", "The work still goes on; review what is there when it is done. ", h("a", { href: `#/job/${job.id}/watch` }, "Watch")));
    return null;
  }
  const data = await get(`/api/jobs/${job.id}/clips/${id}`).catch((problem) => ({ problem }));
  const row = (clip) => {
    const tag = clip.decision === "approved" ? ["approved", "good"] : clip.decision === "rejected" ? ["rejected", "bad"] : clip.pass === true ? ["passed its checks", ""] : clip.pass === false ? ["held back", "warn"] : ["failed", "bad"];
    return h("li", {}, h("a", { href: `#/job/${job.id}/review/${clip.id}`, "aria-current": clip.id === id ? "true" : null }, clip.name || clip.id), " ", h("span", { class: `tag ${tag[1]}` }, tag[0]));
  };
  const list = h("ul", { class: "plain row" });
  const current = () => job.clips.find((c) => c.id === id);

  function drawStatus() {
    const clip = current();
    show(list, job.clips.map(row));
    const decide = (decision, text) => async () => {
      await post(`/api/jobs/${job.id}/clips/${id}/decide`, { decision });
      say(text);
      await changed();
      const next = job.clips.find((c) => !c.decision && c.pass !== null && c.id !== id);
      if (decision && next) location.hash = `#/job/${job.id}/review/${next.id}`;
    };
    show(status,
      clip.pass === false ? note("warn", h("strong", {}, "Held back: this clip did not pass its checks."), h("ul", {}, (clip.reasons || []).map((r) => h("li", {}, r.text)))) : null,
      clip.state === "failed" ? note("bad", clip.message) : null,
      h("div", { class: "row" },
        clip.pass ? button("Approve", decide("approved", "Approved."), { class: clip.decision === "approved" ? "" : "main", "aria-pressed": String(clip.decision === "approved") }) : null,
        button("Reject", decide("rejected", "Rejected: it will not be in the dataset."), { class: "danger", "aria-pressed": String(clip.decision === "rejected") }),
        clip.decision ? button("Undecided", decide("", "Taken back."), { class: "small" }) : null));
  }

  function drawWaiting() {
    const open = job.clips.filter((c) => c.pass && !c.decision).length;
    show(waiting, job.changed
      ? h("div", { class: "note warn" }, h("div", { class: "row spread" }, h("span", {}, "There are changes that are not made yet. Only the stages they concern are done again."), button("Make the changes", async () => {
        await post(`/api/jobs/${job.id}/start`);
        location.hash = `#/job/${job.id}/watch`;
      }, { class: "main" })))
      : !open ? h("div", { class: "note good" }, "Every clip is decided. ", h("a", { href: `#/job/${job.id}/take` }, "Take the dataset")) : null);
  }

  async function changed() {
    Object.assign(job, await get(`/api/jobs/${job.id}`));
    drawStatus();
    drawWaiting();
  }

  drawStatus();
  drawWaiting();
  const head = [h("h1", {}, "Review"), waiting, clips.length > 1 ? h("nav", { class: "card", "aria-label": "Clips" }, list) : null];
  if (data.problem) {
    show(place, head, status, note("bad", data.problem.message));
    return null;
  }
  const overlay = h("svg", { class: "overlay", "aria-hidden": "true" });
  let line, editor;
  const screen = player(job.id, id, data.clip, overlay, (frame) => { line?.move(frame); editor?.move(); });
  line = timeline(data, screen.last);
  const weak = weakest(data), motionPlace = h("div", {});
  const motion = h("details", { class: "card", ontoggle: async () => {
    if (!motion.open || editor) return;
    editor = { move() {} };
    try { editor = await motionEditor(motionPlace, `/api/jobs/${job.id}/clips/${id}/motion`, screen, changed); } catch (problem) { show(motionPlace, note("warn", problem.code === 404 ? "No face of this clip is replaced." : problem.message)); }
  } }, h("summary", {}, "Edit the motion"), motionPlace);
  screen.element.append(line.element);
  show(place, head, h("h2", {}, current().name || id), status, screen.element,
    h("section", { class: "card" }, h("h2", {}, "Weakest frames first"),
      weak.length ? h("ol", {}, weak.map((w) => h("li", {}, button(w.first === w.last ? `Frame ${w.first}` : `Frames ${w.first} to ${w.last}`, () => { screen.seek(w.first); screen.element.scrollIntoView({ block: "nearest" }); }, { class: "small" }), " ", w.text)))
        : h("p", { class: "quiet" }, "None: every face was seen and replaced in every frame, and no detector found one that was left.")),
    data.persons.map((person) => personCard(job, id, person, data, form, changed)),
    data.persons.length ? null : note("", "No person was found in this clip."),
    h("details", { class: "card" }, h("summary", {}, "Cover a region in all frames"), regions(job, data, screen, overlay, changed)),
    data.clip.kind === "video" ? motion : null);
  return () => screen.stop();
}
