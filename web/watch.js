// Step 3: what is done at this moment, from the job's events. Closing the page changes nothing: the events are read again from their start.
import { h, show, button, note, seconds, say } from "./dom.js";
import { post, get, getForm } from "./api.js";
import { stages as words } from "./words.js";

export async function watch(place, job) {
  const form = await getForm();
  const clips = new Map(); // id -> {stage: {state, fraction, seconds}}
  const names = new Map(job.clips.map((clip) => [clip.id, clip.name]));
  let expected = 0, frame = 0, source, lines = [];
  const bar = h("progress", { max: 1, "aria-label": "All of it" }), left = h("p", { class: "quiet" }), list = h("div", {}), said = h("div", {}), log = h("pre", {}), end = h("div", { class: "end" });
  show(place, h("h1", {}, job.name), said, h("section", { class: "card" }, bar, left, end), list, h("details", { class: "card" }, h("summary", {}, "What it says"), log));

  const weight = (name) => form.stages.find((s) => s.name === name)?.weight ?? 0;
  const all = form.stages.reduce((sum, s) => sum + s.weight, 0);

  function timeLeft() {
    let done = 0, spent = 0, active = 0, counted = 0;
    for (const clip of clips.values()) {
      for (const [name, stage] of Object.entries(clip)) {
        if (stage.state === "done" || stage.state === "failed") { done += weight(name); if (stage.seconds) { spent += stage.seconds; counted += weight(name); } }
        else { done += weight(name) * stage.fraction; active += 1; if (stage.fraction > 0.05) { spent += stage.seconds; counted += weight(name) * stage.fraction; } }
      }
    }
    const total = Math.max(expected, clips.size, 1) * all;
    bar.value = Math.min(1, done / total);
    const rest = counted > 0 ? ((total - done) * spent / counted) / Math.max(1, active) : NaN;
    left.textContent = isFinite(rest) ? `${Math.round(100 * bar.value)} %, about ${seconds(rest)} left` : "Beginning …";
  }

  function chips(clip) {
    return h("ul", { class: "stages" }, form.stages.map(({ name }) => {
      const stage = clip[name], state = stage ? (stage.state === "done" ? "done" : stage.state === "failed" ? "failed" : "running") : "";
      const label = state === "running" ? `${words[name]} ${Math.round(100 * stage.fraction)} %` : words[name] || name;
      return h("li", { class: state }, state === "done" ? "✓ " : state === "failed" ? "✗ " : "", label, h("span", { class: "hidden" }, { done: " done", failed: " failed", running: " under way" }[state] || " to come"));
    }));
  }

  const rows = new Map();
  function drawClips() {
    frame = 0;
    timeLeft();
    for (const [id, clip] of [...clips].sort((a, b) => a[0].localeCompare(b[0]))) {
      let row = rows.get(id);
      if (!row) {
        row = { picture: h("div", {}), chips: h("div", {}), element: null, painted: false };
        row.element = h("section", { class: "card clip", "aria-label": id }, row.picture, h("div", {}, h("h2", {}, names.get(id) ? `${names.get(id)} ` : "", h("small", { class: "quiet" }, id)), row.chips));
        rows.set(id, row);
        list.append(row.element);
      }
      show(row.chips, chips(clip));
      const painted = clip.compose?.state === "done";
      if (painted !== row.painted) {
        row.painted = painted;
        show(row.picture, painted ? h("video", { src: `/api/jobs/${job.id}/clips/${id}/media/masked#t=0.5`, preload: "metadata", muted: true, tabindex: -1, "aria-label": `Result of ${id}`, onerror: (e) => {
          e.target.replaceWith(h("img", { src: `/api/jobs/${job.id}/clips/${id}/media/still`, alt: `Result of ${id}` }));
        } }) : null);
      }
    }
  }
  const later = () => { frame ||= requestAnimationFrame(drawClips); };

  function take(event) {
    if (event.event === "clips") expected = event.count;
    else if (event.event === "stage") {
      const clip = clips.get(event.clip) || {};
      clips.set(event.clip, clip);
      const over = event.state === "done" || event.state === "failed";
      const before = over && !event.seconds ? clip[event.stage]?.seconds : 0;
      clip[event.stage] = { state: event.state, fraction: over ? 1 : event.fraction, seconds: event.seconds || before || 0 };
      const at = form.stages.findIndex((s) => s.name === event.stage);
      if (event.state === "started") for (const later of form.stages.slice(at + 1)) delete clip[later.name]; // another try
      for (const earlier of form.stages.slice(0, at)) clip[earlier.name] ??= { state: "done", fraction: 1, seconds: 0 }; // by a run before this one
    } else if (event.event === "log") {
      lines = [...lines.slice(-199), event.level === "info" ? event.text : `${event.level}: ${event.text}`];
      log.textContent = lines.join("\n");
    }
    later();
  }

  async function ended() {
    const now = await get(`/api/jobs/${job.id}`);
    drawClips();
    const r = now.result;
    if (now.state === "done" || now.state === "finished") {
      bar.value = 1;
      left.textContent = `Done: ${r ? `${r.delivered} of ${r.clips} passed` : ""}${r?.quarantined ? `, ${r.quarantined} held back` : ""}${r?.failed ? `, ${r.failed} failed` : ""}.`;
      show(end, now.state === "done" ? h("a", { class: "button main", href: `#/job/${job.id}/review` }, "Review") : h("a", { class: "button main", href: `#/job/${job.id}/take` }, "Take the dataset"));
      const failed = now.clips.filter((clip) => clip.state === "failed");
      show(said, failed.map((clip) => note("bad", `${clip.name}: ${clip.message}`)));
      say("Done.");
    } else if (now.state === "stopped") {
      left.textContent = "Stopped. Nothing that was finished is lost.";
      show(said, now.problem ? note("warn", now.problem) : null);
      show(end, button("Go on", async () => { await post(`/api/jobs/${job.id}/start`); await watchAgain(); }, { class: "main" }));
    }
  }

  async function watchAgain() {
    clips.clear();
    rows.clear();
    show(list);
    show(said);
    follow();
  }

  function follow() {
    show(end, button("Stop", async () => { await post(`/api/jobs/${job.id}/cancel`); say("Stopping after what is under way …"); }),
      h("span", { class: "quiet" }, "You can close this page; the work goes on."));
    source = new EventSource(`/api/jobs/${job.id}/events`);
    source.onmessage = (e) => { try { take(JSON.parse(e.data)); } catch { /* a torn line */ } };
    source.addEventListener("end", () => { source.close(); ended().catch((problem) => say(problem.message)); });
    source.onerror = () => { left.textContent = "The connection is lost; trying again …"; };
  }
  follow();
  return () => { source.close(); cancelAnimationFrame(frame); };
}
