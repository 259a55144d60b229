import assert from "node:assert/strict";
import { test } from "node:test";

import { isLinked, pictureUrl, upstreamPicture, viewPath, voiceFile } from "../../js/lib/graph.js";

/** A node of a stand-in graph: widgets by name, inputs by name with the node they come from (null: unwired). */
function node(type, widgets = {}, inputs = {}) {
  const sources = Object.values(inputs);
  return {
    type,
    mode: 0,
    widgets: Object.entries(widgets).map(([name, value]) => ({ name, value })),
    inputs: Object.entries(inputs).map(([name, from]) => ({ name, link: from ? 1 : null })),
    getInputNode: (slot) => sources[slot] ?? null,
  };
}

const portrait = node("LoadImage", { image: "portrait.png" });
const movementMapOf = (image) => node("CyberHostMovementMap", {}, { pose: node("CyberHostDWPose", {}, { image }) });

test("the picture is found behind the detector, in its own size", () => {
  assert.deepEqual(upstreamPicture(movementMapOf(portrait)), { file: "portrait.png", size: "own" });
});

test("a scaler with typed-in numbers decides the size", () => {
  const scaled = node("ImageScale", { width: 96, height: 128 }, { image: portrait, width: null, height: null });
  assert.deepEqual(upstreamPicture(movementMapOf(scaled)), { file: "portrait.png", size: [96, 128] });
});

test("a scaler fed by wires leaves the size open", () => {
  const load = node("CyberHostLoad");
  const scaled = node("ImageScale", { width: 512, height: 512 }, { image: portrait, width: load, height: load });
  assert.deepEqual(upstreamPicture(movementMapOf(scaled)), { file: "portrait.png", size: null });
});

test("the last scaler counts, not one before it", () => {
  const first = node("ImageScale", { width: 640, height: 640 }, { image: portrait });
  const last = node("ImageScale", { width: 96, height: 128 }, { image: first });
  assert.deepEqual(upstreamPicture(movementMapOf(last)).size, [96, 128]);
});

test("no picture and no wires are no error", () => {
  assert.equal(upstreamPicture(movementMapOf(null)), null);
  assert.equal(upstreamPicture({ type: "CyberHostMovementMap" }), null);
});

test("a bundled portrait is a picture, too, and comes from beside our scripts", () => {
  const example = node("CyberHostExample", { portrait: "puppet 0.png" });
  assert.deepEqual(upstreamPicture(movementMapOf(example)), { portrait: "puppet 0.png", size: "own" });
  const page = { apiURL: (path) => `/api${path}`, here: "http://host/comfy/extensions/any-name/movement_box.js" };
  const url = pictureUrl({ portrait: "puppet 0.png" }, page);
  assert.equal(url, "http://host/comfy/extensions/cyberhost-portraits/puppet%200.png");
  assert.match(pictureUrl({ file: "a.png [temp]" }, page), /^\/api\/view\?filename=a.png&subfolder=&type=temp$/);
});

test("a ring of wires ends", () => {
  const ring = node("A", {}, { image: null });
  ring.getInputNode = () => ring;
  assert.equal(upstreamPicture(ring), null);
});

test("a voice is the file of a Load Audio that is not muted or bypassed", () => {
  const muted = { ...node("LoadAudio", { audio: "old.wav" }), mode: 2 };
  const bypassed = { ...node("LoadAudio", { audio: "older.wav" }), mode: 4 };
  const voice = node("LoadAudio", { audio: "voice.wav" });
  assert.equal(voiceFile([portrait, muted, bypassed, voice]), "voice.wav");
  assert.equal(voiceFile([portrait, node("LoadAudio", { audio: "" })]), null);
});

test("an input is linked when a wire feeds it", () => {
  const some = node("A", {}, { box: portrait, pose: null });
  assert.deepEqual([isLinked(some, "box"), isLinked(some, "pose"), isLinked(some, "none")], [true, false, false]);
});

for (const [file, folder, name, type] of [
  ["voice.wav", "", "voice.wav", "input"],
  ["clips/new/voice.wav", "clips/new", "voice.wav", "input"],
  ["voice 1&2.wav [output]", "", "voice 1&2.wav", "output"],
  ["take [2].wav", "", "take [2].wav", "input"],
])
  test(`the host finds ${file}`, () => {
    const url = new URL(viewPath(file), "http://host");
    assert.equal(url.pathname, "/view");
    assert.deepEqual(Object.fromEntries(url.searchParams), { filename: name, subfolder: folder, type });
  });
