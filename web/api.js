// The server's interface. Problems come back as Error with the server's own words.

async function answer(response) {
  let value = {};
  try { value = await response.json(); } catch { /* not JSON: the code says enough */ }
  if (!response.ok) {
    const problem = new Error(value.problem || `The server answered ${response.status}.`);
    problem.code = response.status;
    problem.value = value;
    throw problem;
  }
  return value;
}

async function ask(address, options) {
  let response;
  try { response = await fetch(address, options); } catch { throw new Error("The server cannot be reached. Is mmdm serve still running?"); }
  return answer(response);
}

export const get = (address) => ask(address);
export const post = (address, value = {}) =>
  ask(address, { method: "POST", headers: { "Content-Type": "application/json", "X-Mmdm": "1" }, body: JSON.stringify(value) });
export const remove = (address) => ask(address, { method: "DELETE", headers: { "X-Mmdm": "1" } });

export async function sendPiece(upload, offset, piece, signal) {
  const sum = new Uint8Array(await crypto.subtle.digest("SHA-256", await piece.arrayBuffer()));
  const hex = [...sum].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  const headers = { "Content-Type": "application/octet-stream", "X-Mmdm": "1", "X-Sha256": hex };
  return answer(await fetch(`/api/uploads/${upload}?offset=${offset}`, { method: "PUT", headers, body: piece, signal }));
}

let form;
/** The options table, contexts, presets and stages; asked for once. */
export async function getForm() {
  form ??= await get("/api/form");
  return form;
}

const KEY = "mmdm-draft";
/** What was chosen for a dataset that is not made yet; kept by the browser's tab over a reload. */
export const draft = {
  load: () => JSON.parse(sessionStorage.getItem(KEY) || '{"entries": [], "options": null, "name": "", "preset": ""}'),
  save: (value) => sessionStorage.setItem(KEY, JSON.stringify(value)),
  clear: () => sessionStorage.removeItem(KEY),
};
