// The list of datasets made here.
import { h, show, button } from "./dom.js";
import { get, remove } from "./api.js";
import { states } from "./words.js";

export async function home(place) {
  const { jobs } = await get("/api/jobs");
  jobs.sort((a, b) => b.created.localeCompare(a.created));
  const row = (job) => {
    const [label, kind] = states[job.state];
    const next = { running: "watch", stopped: "watch", done: "review", finished: "take" }[job.state];
    return h("li", {},
      h("span", { class: `tag ${kind}` }, label),
      h("span", {}, h("a", { class: "name", href: `#/job/${job.id}/${next}` }, job.name),
        h("br"), h("small", { class: "quiet" }, `${new Date(job.created).toLocaleString()} · ${job.inputs.length === 1 ? job.inputs[0] : `${job.inputs.length} recordings`}`)),
      job.state === "running" ? h("span") : button("Delete", async () => {
        if (!confirm(`Delete “${job.name}” with its dataset, its working files and the recordings uploaded for it?`)) return;
        await remove(`/api/jobs/${job.id}`);
        await home(place);
      }, { class: "small danger", "aria-label": `Delete ${job.name}` }));
  };
  show(place,
    h("div", { class: "row spread" }, h("h1", {}, "Datasets"), h("a", { class: "button main", href: "#/new/recordings" }, "New dataset")),
    jobs.length ? h("div", { class: "card" }, h("ul", { class: "plain items" }, jobs.map(row)))
      : h("div", { class: "card" },
        h("h2", {}, "Recordings of people in, a dataset that can be shared out"),
        h("p", {}, "Every person is replaced by one who does not exist. What you choose to keep about them – where they look, how they move, what they say – is kept and measured; everything else is drawn anew."),
        h("p", {}, "Five steps: add recordings, choose what to keep, watch, review, take the dataset."),
        h("a", { class: "button main", href: "#/new/recordings" }, "Add recordings")));
}
