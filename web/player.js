// Before and after in step: one clock for both videos, by frames of the clip.
import { h, show, button } from "./dom.js";

/** Times of the frames in seconds from the first. */
function frameTimes(clip) {
  const video = clip.video, pts = video.pts, scale = video.time_base[0] / video.time_base[1];
  return pts.map((value) => (value - pts[0]) * scale);
}

/** A player of one clip. `moved(frame)` is called whenever another frame is shown. */
export function player(job, id, clip, overlay, moved) {
  const base = `/api/jobs/${job}/clips/${id}/media`, still = clip.kind === "still";
  const times = still ? [0] : frameTimes(clip), start = clip.source.start || 0, last = times.length - 1;
  const stamp = Date.now(); // another run is another video
  let frame = 0, original = null, timer = 0;
  const masked = still ? h("img", { src: `${base}/still?v=${stamp}`, alt: "The result" })
    : h("video", { src: `${base}/masked?v=${stamp}`, preload: "auto", playsinline: true, "aria-label": "The result", tabindex: -1 });
  const first = h("figure", { class: "screen" }, masked, overlay, h("figcaption", {}, h("strong", {}, "After")));
  const second = h("figure", { class: "screen" });
  const screens = h("div", { class: "screens" }, first);
  const slider = h("input", { type: "range", min: 0, max: last, step: 1, value: 0, "aria-label": "Frame", oninput: () => seek(+slider.value) });
  const label = h("span", { class: "quiet" });

  function tell() {
    slider.value = frame;
    slider.setAttribute("aria-valuetext", `Frame ${frame} of ${last}, ${times[frame].toFixed(2)} seconds`);
    label.textContent = `frame ${frame} of ${last} · ${times[frame].toFixed(2)} s`;
    moved(frame);
  }

  function middle(n) { // between this frame and the next: rounding then cannot show its neighbour
    return times[n] + ((times[n + 1] ?? times[n] + 0.02) - times[n]) / 2;
  }

  function seek(n) {
    frame = Math.max(0, Math.min(last, n));
    if (!still) {
      masked.pause();
      masked.currentTime = middle(frame);
      if (original) { original.pause(); original.currentTime = start + middle(frame); }
      playing();
    }
    tell();
  }

  function follow() {
    cancelAnimationFrame(timer);
    const now = masked.currentTime;
    let n = frame;
    while (n < last && times[n + 1] <= now) n += 1;
    while (n > 0 && times[n] > now) n -= 1;
    if (n !== frame) { frame = n; tell(); }
    if (original && !original.seeking && Math.abs(original.currentTime - start - now) > 0.06) original.currentTime = start + now;
    if (!masked.paused) timer = requestAnimationFrame(follow);
  }

  const play = button("Play", () => {
    if (masked.paused) { if (frame === last) seek(0); masked.play(); original?.play(); } else { masked.pause(); original?.pause(); seek(frame); }
    playing();
  }, { class: "small" });
  function playing() { play.textContent = masked.paused ? "Play" : "Pause"; }
  if (!still) {
    masked.addEventListener("play", () => { playing(); follow(); });
    masked.addEventListener("ended", () => { original?.pause(); playing(); });
    masked.addEventListener("loadeddata", () => { if (!masked.currentTime) masked.currentTime = middle(frame); }, { once: true });
  }

  const showOriginal = button("Show the original", () => {
    if (original) {
      original = null;
      screens.classList.remove("two");
      second.remove();
    } else {
      original = still ? h("img", { src: `${base}/source`, alt: "The recording, unprotected", class: "unprotected" })
        : h("video", { src: `${base}/source`, preload: "auto", muted: true, playsinline: true, class: "unprotected", "aria-label": "The recording, unprotected", tabindex: -1 });
      original.addEventListener("error", () => show(second, h("p", { class: "quiet" }, "This browser cannot play the recording’s format. The private report has still pictures of it.")));
      if (!still) original.addEventListener("loadeddata", () => { if (original) original.currentTime = start + middle(frame); }, { once: true });
      show(second, original, h("figcaption", {}, h("strong", {}, "Before"), " ", h("span", { class: "tag bad" }, "unprotected: shows the recorded persons")));
      screens.append(second);
      screens.classList.add("two");
    }
    showOriginal.textContent = original ? "Hide the original" : "Show the original";
    showOriginal.setAttribute("aria-pressed", String(Boolean(original)));
  }, { class: "small", "aria-pressed": "false" });

  const step = (by, text, name) => button(text, () => seek(frame + by), { class: "small", "aria-label": name });
  const controls = h("div", { class: "row" }, still ? null : [step(-1, "‹", "A frame back"), play, step(1, "›", "A frame on")], showOriginal, label);
  const element = h("div", { class: "card" }, screens, still ? null : slider, controls);
  element.addEventListener("keydown", (e) => {
    if (still || e.target.matches("input, select")) return;
    const by = { ",": -1, ".": 1 }[e.key];
    if (by) { seek(frame + by); e.preventDefault(); }
  });
  tell();
  return { element, seek, frame: () => frame, last, times, width: clip.video.width, height: clip.video.height, stop: () => { cancelAnimationFrame(timer); if (!still) masked.pause(); } };
}
