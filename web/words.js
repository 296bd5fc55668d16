// Plain words for the names that files and options use.

export const contexts = {
  age: ["Age", "The stand-in is of the same age group.", "age group by a network that did not make the face"],
  gender: ["Gender", "The stand-in has the same apparent gender.", "apparent gender, before and after"],
  race: ["Race", "The stand-in has the same apparent race.", "apparent race, before and after"],
  expression: ["Expression", "Smiles, frowns and surprise stay as they are.", "expression frame by frame"],
  gaze: ["Gaze", "The eyes look where they looked.", "direction in degrees, and the zone looked at"],
  head_pose: ["Head pose", "The head turns as it turned.", "angles in degrees"],
  eyes: ["Blinks and closed eyes", "Eyes close and open at the same moments.", "blinks found again, time closed"],
  mouth: ["Mouth", "The mouth opens and closes as it did.", "how the opening follows the recording"],
  glasses: ["Glasses", "Whoever wears glasses keeps some.", "seen before and after"],
  speech: ["Words", "What is said stays, in a masked voice.", "words lost to a speech recogniser"],
  voice: ["Voice itself", "The voice stays recognisable: keep it only with consent.", "pitch and timbre"],
  prosody: ["Melody of speech", "Pace and melody of speech stay.", ""],
  scene: ["Scene", "What is around the faces stays.", "pixels that nobody painted are compared"],
};

export const treatments = {
  redraw: ["Draw anew", "drawn at random, without looking at the person"],
  keep: ["Keep", "as recorded, and measured"],
  coarsen: ["Only roughly", "the rough group only"],
  remove: ["Remove", "neutral, and not written down"],
};

export const stages = {
  ingest: "Open", find: "Find faces and text", describe: "Describe", transcribe: "Write down words", portrait: "Make stand-ins",
  animate: "Move them", compose: "Paint", verify: "Check",
};

export const values = {
  blur: "Blur", mosaic: "Mosaic", fill: "One colour", keep: "Leave as it is", silence: "Silence", tone: "A tone", mask: "Mask", remove: "Remove",
  strip: "Take out all", "keep-timing": "Keep times only", scene: "In the scene: only faces change", portrait: "A square portrait of the stand-in",
  "per-person": "One stand-in for a person in all clips", "per-clip": "Another stand-in in every clip",
};

export const options = {
  plates: "Number plates", text: "Text in the picture", words: "Spoken personal data", voice: "Voice", metadata: "Data in the files",
  cover: "Always cover", "exclude-person": "Cover instead of replace", mode: "Kind of result", identity: "Stand-ins", seed: "Seed",
  start: "Leave out before", end: "Leave out after", segment: "Cut into parts of", attempts: "Tries for a stand-in", title: "Title", licence: "Licence",
  jobs: "Clips at a time", memory: "Memory a clip (MiB)", draw: "Also a private video with boxes", describe: "Describe by", transcribe: "Write down by",
  portrait: "Pictures by", animate: "Movement by",
};

export const states = {
  running: ["running", ""], done: ["ready for review", "good"], stopped: ["stopped", "warn"], finished: ["finished", "good"],
  delivered: ["passed", "good"], quarantined: ["held back", "warn"], failed: ["failed", "bad"],
};

export const curves = {
  mouth: ["Mouth", "cm further open"], blink: ["Eyelids", "share closed: 1 is shut"], gaze_x: ["Gaze, left and right", "eye widths to the right"],
  gaze_y: ["Gaze, up and down", "eye widths down"], yaw: ["Head, left and right", "degrees to the right"], pitch: ["Head, up and down", "degrees down"],
  roll: ["Head, tilt", "degrees clockwise"],
};
