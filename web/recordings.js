// Step 1: recordings, sent in pieces that can be paused and gone on with, or picked from folders of the machine.
import { h, show, button, note, bytes, seconds, say } from "./dom.js";
import { get, post, remove, sendPiece, draft } from "./api.js";

const sending = new Map(); // upload id -> AbortController
let pieceSize = 8 << 20;

const pause = (ms) => new Promise((done) => { setTimeout(done, ms); });

/** Sends a file from where the server has it. A lost connection is tried again for as long as the page is open. */
async function send(file, upload, moved) {
  const control = new AbortController();
  sending.set(upload.id, control);
  let offset = upload.received;
  try {
    while (offset < file.size && !control.signal.aborted) {
      try {
        const state = await sendPiece(upload.id, offset, file.slice(offset, offset + pieceSize), control.signal);
        offset = state.received;
        moved(state);
        if (state.state !== "coming") return;
      } catch (problem) {
        if (control.signal.aborted) return;
        if (problem.code === 409 && problem.value.received !== undefined) offset = problem.value.received;
        else if (problem.code && problem.code !== 422 && problem.code !== 409) throw problem;
        else { moved({ waiting: true }); await pause(2000); }
      }
    }
  } finally {
    sending.delete(upload.id);
    moved({});
  }
}

/** Files of what was dropped, folders gone through. */
async function dropped(items) {
  const files = [];
  async function walk(entry) {
    if (entry.isFile) files.push(await new Promise((good, bad) => entry.file(good, bad)));
    else if (entry.isDirectory) {
      const reader = entry.createReader();
      for (;;) {
        const more = await new Promise((good, bad) => reader.readEntries(good, bad));
        if (!more.length) break;
        for (const inner of more) await walk(inner);
      }
    }
  }
  for (const entry of [...items].map((item) => item.webkitGetAsEntry && item.webkitGetAsEntry()).filter(Boolean)) await walk(entry);
  return files;
}

function folderPicker(roots, chosen, changed) {
  const place = h("div", {});
  async function open(id, name) {
    const { entries, parent, cut } = await get(`/api/folders/${id}`);
    const row = (entry) => h("li", {}, h("span"),
      entry.folder ? button(`${entry.name} /`, () => open(entry.id, entry.name), { class: "small start", "aria-label": `Open folder ${entry.name}` })
        : h("span", { class: "name" }, entry.name, " ", h("small", { class: "quiet" }, bytes(entry.size))),
      button(chosen.some((c) => c.id === entry.id) ? "Added" : entry.folder ? "Add the folder" : "Add", () => {
        if (!chosen.some((c) => c.id === entry.id)) chosen.push({ id: entry.id, name: entry.name, folder: entry.folder });
        changed();
        return open(id, name);
      }, { class: "small", "aria-label": `Add ${entry.name}` }));
    show(place, h("div", { class: "row" }, h("h3", {}, name), parent ? button("Up", () => open(parent, "Folder"), { class: "small" }) : button("All folders", top, { class: "small" })),
      h("ul", { class: "plain items" }, entries.map(row)), entries.length ? null : h("p", { class: "quiet" }, "No recordings and no folders in here."),
      cut ? h("p", { class: "quiet" }, "Only the first 5000 are shown.") : null);
  }
  function top() {
    show(place, h("ul", { class: "plain items" }, roots.map((root) => h("li", { class: "row" }, button(`${root.name} /`, () => open(root.id, root.name), { class: "small" })))));
  }
  top();
  return place;
}

export async function recordings(place) {
  const { roots } = await get("/api/roots");
  const state = draft.load();
  const files = new Map(); // upload id -> File
  const list = h("ul", { class: "plain items" }), problems = h("div", {}), next = h("div", { class: "end" });
  let uploads = [];

  function keep() {
    draft.save(state);
    drawList();
  }

  function drawList() {
    const row = (upload) => {
      const share = upload.size ? upload.received / upload.size : 0;
      const going = sending.has(upload.id);
      const words = upload.state === "refused" ? h("span", { class: "tag bad" }, `Not taken: ${upload.problem}`)
        : upload.state === "ready" ? h("span", { class: "quiet" }, upload.kind === "picture" ? `picture, ${upload.width} × ${upload.height}` : `${seconds(upload.seconds)}, ${upload.width} × ${upload.height}, ${bytes(upload.size)}`)
          : h("span", {}, h("progress", { max: 1, value: share, "aria-label": `${upload.name} sent` }), h("small", { class: "quiet" },
            upload.waiting ? "The connection is lost; trying again …" : `${bytes(upload.received)} of ${bytes(upload.size)}${going ? "" : files.has(upload.id) ? ", paused" : ": choose the same file again to go on"}`));
      return h("li", {}, upload.state === "ready" ? h("img", { src: `/api/uploads/${upload.id}/picture`, alt: "", loading: "lazy" }) : h("span"),
        h("div", {}, h("div", { class: "name" }, upload.name), words),
        h("div", { class: "row" },
          going ? button("Pause", () => { sending.get(upload.id)?.abort(); }, { class: "small", "aria-label": `Pause ${upload.name}` })
            : upload.state === "coming" && files.has(upload.id) ? button("Go on", () => { start(upload); }, { class: "small", "aria-label": `Go on with ${upload.name}` }) : null,
          button("Remove", async () => {
            sending.get(upload.id)?.abort();
            await pause(100);
            await remove(`/api/uploads/${upload.id}`);
            uploads = uploads.filter((u) => u !== upload);
            drawList();
          }, { class: "small", "aria-label": `Remove ${upload.name}` })));
    };
    const picked = (entry) => h("li", {}, h("span", { class: "tag" }, entry.folder ? "folder" : "file"), h("span", { class: "name" }, entry.name),
      button("Remove", () => { state.entries = state.entries.filter((e) => e !== entry); keep(); }, { class: "small", "aria-label": `Remove ${entry.name}` }));
    show(list, state.entries.map(picked), uploads.map(row), uploads.length + state.entries.length ? null : h("li", { class: "row quiet" }, "None yet."));
    const ready = uploads.filter((u) => u.state === "ready").length + state.entries.length, coming = uploads.filter((u) => u.state === "coming").length;
    show(next, h("button", { type: "button", class: "main", disabled: !ready || coming > 0, onclick: () => { location.hash = "#/new/choose"; } }, "Next: choose what to keep"),
      h("span", { class: "quiet" }, !ready ? "Add at least one recording." : coming ? `${coming} still on the way.` : `${ready === 1 ? "One recording or folder" : `${ready} recordings or folders`} ready.`));
  }

  async function start(upload) {
    drawList();
    await send(files.get(upload.id), upload, (change) => {
      Object.assign(upload, { waiting: false }, change);
      drawList();
    }).catch((problem) => say(problem.message));
  }

  async function add(found) {
    const wrong = [], begun = [];
    for (const file of found) {
      if (file.name.startsWith(".")) continue;
      try {
        const upload = await post("/api/uploads", { name: file.name, size: file.size, modified: Math.round(file.lastModified) });
        const known = uploads.find((u) => u.id === upload.id);
        if (known && sending.has(known.id)) continue;
        if (known) Object.assign(known, upload);
        else uploads.push(upload);
        const own = known || upload;
        files.set(own.id, file);
        begun.push(own);
      } catch (problem) { wrong.push(problem.message); }
    }
    show(problems, wrong.length ? note("bad", h("ul", {}, wrong.map((w) => h("li", {}, w)))) : null);
    for (const upload of begun) await start(upload); // one after the other: the disk and the line are shared anyway
  }

  const chooseFiles = h("input", { type: "file", multiple: true, class: "hidden", tabindex: -1, "aria-hidden": "true", id: "files", accept: "video/*,image/*,.mkv,.avi,.mxf,.mts,.ts", onchange: (e) => { add([...e.target.files]); } });
  const chooseFolder = h("input", { type: "file", multiple: true, webkitdirectory: true, class: "hidden", tabindex: -1, "aria-hidden": "true", onchange: (e) => { add([...e.target.files]); } });
  const drop = h("div", { class: "drop",
    ondragover: (e) => { e.preventDefault(); drop.classList.add("over"); }, ondragleave: () => drop.classList.remove("over"),
    ondrop: async (e) => { e.preventDefault(); drop.classList.remove("over"); add(await dropped(e.dataTransfer.items)); } },
    h("p", {}, h("strong", {}, "Drop videos, pictures or whole folders here"), h("br"), "or"),
    h("div", { class: "row" }, button("Choose files", () => chooseFiles.click(), { class: "main" }), button("Choose a folder", () => chooseFolder.click())),
    h("p", { class: "quiet" }, "They are copied into a folder that only you can open, on the machine that runs this page."), chooseFiles, chooseFolder);
  show(place, h("h1", {}, "Add recordings"), h("p", { class: "quiet" }, "Videos or pictures of people. Nothing is sent anywhere else."), drop, problems,
    roots.length ? h("details", { class: "card" }, h("summary", {}, "Pick from this machine’s folders, without copying"), folderPicker(roots, state.entries, keep)) : null,
    h("section", { class: "card", "aria-label": "Recordings" }, h("h2", {}, "Recordings"), list), next);
  const known = await get("/api/uploads");
  uploads = known.uploads;
  pieceSize = known.piece;
  drawList();
  return () => { for (const control of sending.values()) control.abort(); };
}
