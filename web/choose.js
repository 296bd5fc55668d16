// Step 2: what to keep. The form is the options table; the command that does the same stands below it.
import { h, show, note, say, button } from "./dom.js";
import { get, post, getForm, draft } from "./api.js";
import { contexts, treatments, values, options as labels } from "./words.js";

const lists = { keep: "keep", coarsen: "coarsen", remove: "remove" };
const shownBefore = ["plates", "text", "words", "voice", "metadata", "mode", "identity"];

/** {context: treatment} of a preset. */
function ofPreset(preset, form) {
  const chosen = Object.fromEntries(form.contexts.map((c) => [c.name, "redraw"]));
  for (const list of ["keep", "coarsen"]) for (const name of preset[list].split(",").filter(Boolean)) chosen[name] = list;
  return chosen;
}

/** The options as the server takes them; what is as usual is left out. */
function collect(state, form) {
  const out = {};
  const preset = form.presets.find((p) => p.name === state.preset);
  const base = preset ? ofPreset(preset, form) : ofPreset({ keep: "", coarsen: "" }, form);
  if (preset) out.preset = preset.name;
  const changed = Object.entries(state.contexts).filter(([name, how]) => base[name] !== how);
  for (const how of ["keep", "coarsen", "redraw", "remove"]) {
    const names = changed.filter(([, value]) => value === how).map(([name]) => name);
    if (names.length) out[how] = names.join(",");
  }
  for (const option of form.options) {
    const value = state.values[option.name];
    if (value === undefined || value === "" || value === option.fallback || lists[option.name] || option.name === "redraw" || option.name === "preset") continue;
    out[option.name] = option.kind === "rectangle" ? value.split(";").map((v) => v.trim()).filter(Boolean) : value;
  }
  return out;
}

function field(option, state, changed) {
  const value = state.values[option.name] ?? option.fallback;
  const set = (e) => { state.values[option.name] = e.target.type === "checkbox" ? String(e.target.checked) : e.target.value.trim(); changed(); };
  let input;
  if (option.values) input = h("select", { onchange: set }, option.values.split("|").map((v) => h("option", { value: v, selected: v === value }, values[v] || v)));
  else if (option.kind === "flag") input = h("input", { type: "checkbox", checked: value === "true", onchange: set });
  else input = h("input", { type: "text", value, placeholder: option.argument, inputmode: option.kind === "whole" ? "numeric" : null, onchange: set, autocomplete: "off" });
  input.name = option.name;
  return h("label", { class: "field" }, h("span", {}, labels[option.name] || option.name), input, h("small", {}, option.help));
}

export async function choose(place) {
  const [form, { uploads }] = await Promise.all([getForm(), get("/api/uploads")]);
  const state = draft.load();
  const ready = uploads.filter((u) => u.state === "ready");
  const names = [...state.entries.map((e) => e.name), ...ready.map((u) => u.name)];
  if (!names.length) {
    show(place, h("h1", {}, "Choose what to keep"), note("warn", "There are no recordings yet. ", h("a", { href: "#/new/recordings" }, "Add some first.")));
    return;
  }
  state.values ??= {};
  if (!state.contexts) {
    const usual = form.presets.find((p) => p.name === "driver-monitoring") || form.presets[0];
    state.preset = usual.name;
    state.contexts = ofPreset(usual, form);
  }
  const command = h("pre", {}), problem = h("div", {}), start = button("Start", begin, { class: "main" });
  const rows = h("tbody", {});
  let turn = 0;

  async function changed() {
    draft.save(state);
    const mine = ++turn;
    try {
      const { command: text } = await post("/api/command", { options: collect(state, form), inputs: names });
      if (mine !== turn) return;
      command.textContent = text;
      show(problem);
      start.disabled = false;
    } catch (error) {
      if (mine !== turn) return;
      show(problem, note("bad", error.message));
      start.disabled = true;
    }
  }

  function drawRows() {
    show(rows, form.contexts.map((context) => {
      const [title, what, measured] = contexts[context.name] || [context.name, "", ""];
      const id = `context-${context.name}`;
      return h("tr", {}, h("th", { scope: "row" }, h("label", { for: id }, title)),
        h("td", {}, h("select", { id, onchange: (e) => { state.contexts[context.name] = e.target.value; changed(); } },
          Object.entries(treatments).filter(([how]) => how !== "coarsen" || context.coarse).map(([how, [label]]) => h("option", { value: how, selected: state.contexts[context.name] === how }, label)))),
        h("td", {}, what, h("br"), h("small", {}, measured ? `Measured: ${measured}.` : "Not measured.")));
    }));
  }

  async function begin() {
    if (!state.name.trim()) { nameField.focus(); throw new Error("Give the dataset a name first."); }
    const inputs = [...state.entries.map((e) => ({ entry: e.id })), ...ready.map((u) => ({ upload: u.id }))];
    const { id } = await post("/api/jobs", { name: state.name.trim(), options: collect(state, form), inputs });
    draft.clear();
    say("Started.");
    location.hash = `#/job/${id}/watch`;
  }

  const presets = h("fieldset", { class: "card" }, h("legend", {}, "Start from"), h("div", { class: "presets" }, form.presets.map((preset) =>
    h("label", {}, h("input", { type: "radio", name: "preset", value: preset.name, checked: state.preset === preset.name, onchange: () => {
      state.preset = preset.name;
      state.contexts = ofPreset(preset, form);
      drawRows();
      changed();
    } }), h("strong", {}, preset.name.replaceAll("-", " ").replace(/^./, (c) => c.toUpperCase())), h("small", {}, preset.help)))));
  const byName = (name) => form.options.find((o) => o.name === name);
  const more = form.options.filter((o) => !shownBefore.includes(o.name) && !lists[o.name] && o.name !== "redraw" && o.name !== "preset");
  const nameField = h("input", { type: "text", value: state.name, maxlength: 100, required: true, autocomplete: "off", oninput: (e) => { state.name = e.target.value; draft.save(state); } });
  drawRows();
  show(place, h("h1", {}, "Choose what to keep"),
    h("p", { class: "quiet" }, `Of ${names.length === 1 ? names[0] : `${names.length} recordings`}. Whatever is not kept is drawn anew.`),
    presets,
    h("section", { class: "card" }, h("h2", {}, "About the persons"), h("table", { class: "stack" }, h("thead", {}, h("tr", {}, h("th", { scope: "col" }, "Context"), h("th", { scope: "col" }, "What happens to it"), h("th", { scope: "col" }, "What that means"))), rows)),
    h("div", { class: "columns" },
      h("section", { class: "card" }, h("h2", {}, "Picture, sound and files"), ["plates", "text", "words", "voice", "metadata"].map((n) => field(byName(n), state, changed))),
      h("section", { class: "card" }, h("h2", {}, "Result"), h("label", { class: "field" }, h("span", {}, "Name of the dataset"), nameField), ["mode", "identity"].map((n) => field(byName(n), state, changed)))),
    h("details", { class: "card" }, h("summary", {}, "More options"), h("div", { class: "columns" }, more.map((o) => field(o, state, changed)))),
    h("details", { class: "card" }, h("summary", {}, "The same on the command line"), command),
    problem, h("div", { class: "end" }, start, h("a", { href: "#/new/recordings" }, "Back to the recordings")));
  await changed();
}
