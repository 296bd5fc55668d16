// The page's frame: which view the address asks for, and the steps above it.
import { h, show, note } from "./dom.js";
import { get } from "./api.js";
import { home } from "./home.js";
import { recordings } from "./recordings.js";
import { choose } from "./choose.js";
import { watch } from "./watch.js";
import { review } from "./review.js";
import { take } from "./take.js";

const main = document.getElementById("main");
let leave = null; // what the present view has to end

const steps = [
  ["recordings", "1 Recordings"], ["choose", "2 Keep"], ["watch", "3 Watch"], ["review", "4 Review"], ["take", "5 Take"],
];

function drawSteps(current, job) {
  const link = (name) => (name === "recordings" || name === "choose" ? (job ? null : `#/new/${name}`) : job ? `#/job/${job}/${name}` : null);
  const items = current ? steps.map(([name, label]) => {
    const address = link(name), here = name === current;
    return h("li", {}, address ? h("a", { href: address, "aria-current": here ? "step" : null }, label) : h("span", { class: "step" }, label));
  }) : [];
  show(document.getElementById("steps"), items.length ? h("ol", {}, items) : h("span", {}));
}

async function draw() {
  const [, where, id, name, more] = location.hash.split("/");
  if (leave) leave();
  leave = null;
  let title = "Datasets", view;
  if (where === "new") {
    view = id === "choose" ? choose : recordings;
    title = id === "choose" ? "Choose what to keep" : "Add recordings";
    drawSteps(id === "choose" ? "choose" : "recordings");
  } else if (where === "job" && id) {
    view = { review, take }[name] || watch;
    title = { review: "Review", take: "Take it" }[name] || "Watch";
    drawSteps(name || "watch", id);
  } else {
    view = home;
    drawSteps(null);
  }
  document.title = `${title} – MultiModal Data Mask`;
  const place = h("div", {});
  show(main, place);
  try {
    const job = where === "job" ? await get(`/api/jobs/${id}`) : null;
    const after = await view(place, job, more);
    if (place.isConnected) leave = after || null;
    else if (after) after();
  } catch (problem) {
    show(place, h("h1", {}, "That did not work"), note("bad", problem.message), h("p", {}, h("a", { href: "#/" }, "To the datasets")));
  }
  if (place.isConnected && document.activeElement === document.body) main.focus({ preventScroll: true });
  window.scrollTo(0, 0);
}

addEventListener("hashchange", draw);
draw();
