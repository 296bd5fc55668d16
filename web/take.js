// Step 5: the report, the card, the dataset.
import { h, show, button, note, say } from "./dom.js";
import { post, remove, getForm } from "./api.js";

/** The command for another tool's format; a shell takes the path whatever is in it. */
function otherFormats(job, formats) {
  const command = h("pre", {}), folder = job.dataset.replace(/\/dataset$/, "");
  const tell = (name) => { command.textContent = `mmdm export '${folder.replaceAll("'", "'\\''")}' --format ${name} -o FOLDER`; };
  tell(formats[0].name);
  return h("section", { class: "card" }, h("h2", {}, "In the format of another tool"),
    h("label", { class: "field" }, h("span", {}, "Format"), h("select", { onchange: (e) => tell(e.target.value) }, formats.map((f) => h("option", { value: f.name }, `${f.name}: ${f.what}`)))),
    h("p", { class: "quiet" }, "On the command line, into a folder of your choice:"), command);
}

export async function take(place, job) {
  const { formats } = await getForm();
  const r = job.result;
  const open = job.clips.filter((clip) => clip.pass && !clip.decision);
  const link = (name, label) => h("a", { class: "button", href: `/api/jobs/${job.id}/files/${name}`, target: "_blank", rel: "noopener" }, label);
  show(place, h("h1", {}, job.name),
    job.state === "running" ? note("", "The work still goes on. ", h("a", { href: `#/job/${job.id}/watch` }, "Watch it")) : null,
    job.changed ? note("warn", "There are changes that the dataset does not have yet. ", h("a", { href: `#/job/${job.id}/review` }, "Make them first.")) : null,
    job.state === "done" && open.length ? note("", `${open.length === 1 ? "One clip was" : `${open.length} clips were`} not looked at yet. `, h("a", { href: `#/job/${job.id}/review` }, "Review")) : null,
    job.dataset ? [
      h("section", { class: "card" }, h("h2", {}, "The dataset"),
        r ? h("p", {}, `${r.delivered} of ${r.clips} ${r.clips === 1 ? "clip" : "clips"} in it${r.quarantined ? `, ${r.quarantined} held back` : ""}${r.failed ? `, ${r.failed} failed` : ""}.`) : null,
        h("div", { class: "row" }, h("a", { class: "button main", href: `/api/jobs/${job.id}/download`, download: "dataset.zip" }, "Download as ZIP"), link("report", "Report"), link("card", "Data card")),
        h("p", { class: "quiet" }, "Or use the folder:"), h("pre", { id: "folder" }, job.dataset),
        button("Copy the path", async () => { await navigator.clipboard.writeText(job.dataset); say("Copied."); }, { class: "small" })),
      h("section", { class: "card" }, h("h2", {}, "Use it"), h("pre", {}, `from datasets import load_dataset\ndata = load_dataset("videofolder", data_dir="${job.dataset}")`)),
      otherFormats(job, formats),
    ] : note("warn", job.state === "running" ? "There is no dataset yet." : "No clip passed its checks, so there is no dataset. The review says why."),
    h("section", { class: "card" }, h("h2", {}, "Tidy up"),
      h("p", {}, job.state === "finished" ? "The working files and uploaded copies are gone." : "Working files show the recorded persons. When you are done, let them be wiped, with the recordings uploaded for this dataset; the dataset stays. Recordings in your own folders are never touched."),
      h("div", { class: "row" },
        job.state === "finished" || job.state === "running" ? null : button("Finish and wipe the working files", async () => {
          if (!confirm("Wipe the working files and the uploaded copies? Nothing can be changed after that.")) return;
          await post(`/api/jobs/${job.id}/finish`);
          location.reload();
        }),
        job.state === "running" ? null : button("Delete everything", async () => {
          if (!confirm(`Delete “${job.name}” with its dataset?`)) return;
          await remove(`/api/jobs/${job.id}`);
          location.hash = "#/";
        }, { class: "danger" }))));
}
