import assert from "node:assert/strict";
import { test } from "node:test";

import { fakeNode, host, loadExtension, screen } from "./stage.mjs";

const movement = await loadExtension("movement_box.js");
const clarity = await loadExtension("clarity_curves.js");
const player = await loadExtension("hand_player.js");

const RESULT = { thorax: [48, 64], canvas: [96, 128], box: [38, 58, 58, 70] };

/** The panel is 192 x 256 CSS pixels at (100, 50) on the screen: two for each pixel of a 96 x 128 picture. */
const at = (x, y) => ({ clientX: 100 + 2 * x, clientY: 50 + 2 * y });

function movementNode({ box = "", wired = false } = {}) {
  const node = fakeNode("CyberHostMovementMap", { widgets: { width: 0.25, height: 0.1, box }, inputs: { box: wired } });
  movement.nodeCreated(node);
  return node;
}

const ran = (node, result = RESULT) => {
  node.onExecuted({ cyberhost_movement: [result] });
  screen();
  return node;
};

const boxOf = (node) => node.widgets.find((widget) => widget.name === "box");

function drag(node, from, to) {
  const canvas = node.panel.findTag("canvas");
  canvas.dispatch("pointerdown", at(...from));
  canvas.dispatch("pointermove", at(...to));
  canvas.dispatch("pointerup", at(...to));
  screen();
}

const painted = (node, what) => node.panel.findTag("canvas").painted.filter(([name]) => name === what).at(-1);

for (const [extension, nodeId, widgets, testid] of [
  [movement, "CyberHostMovementMap", { box: "" }, "cyberhost-movement-box"],
  [clarity, "CyberHostHandClarity", {}, "cyberhost-clarity-curves"],
  [player, "CyberHostAlignHands", {}, "cyberhost-hand-player"],
])
  test(`the panel of ${nodeId} is in no workflow and no prompt, has a type of its own and a test id`, () => {
    const node = fakeNode(nodeId, { widgets });
    extension.nodeCreated(node);
    screen();
    const widget = node.widgets.at(-1);
    assert.equal(widget.serialize, false);
    assert.equal(widget.options.serialize, false);
    assert.match(widget.type, /^cyberhost_/);
    assert.equal(node.panel.dataset.testid, testid);
    assert.equal(node.panel.dataset.ready, "false");
    assert.ok(node.size[1] >= 300, "the node makes room");
  });

test("before a run nothing can be drawn, for the size of the picture is not known", () => {
  const node = movementNode();
  screen();
  drag(node, [10, 10], [50, 60]);
  assert.equal(boxOf(node).value, "");
});

test("a drag over the picture writes a box in its pixels, and tells the host", () => {
  const node = ran(movementNode());
  const told = [];
  boxOf(node).callback = (value) => told.push(value);
  drag(node, [70, 90], [20, 100]);
  assert.equal(boxOf(node).value, "20,90,70,100");
  assert.deepEqual(told, ["20,90,70,100"]);
  assert.equal(node.panel.dataset.box, "20,90,70,100");
});

test("the sliders' box can be dragged, and is a drawn one from then on", () => {
  const node = ran(movementNode());
  assert.deepEqual(painted(node, "strokeRect").slice(1).map(Math.round), [36, 58, 24, 13]);
  drag(node, [48, 64], [58, 54]);
  assert.equal(boxOf(node).value, "46,47.6,70,60.4");
});

test("a click leaves all as it was", () => {
  const node = ran(movementNode({ box: "1,2,30,40" }));
  drag(node, [80, 100], [80, 100]);
  assert.equal(boxOf(node).value, "1,2,30,40");
});

test("the button gives the word back to the sliders", () => {
  const node = ran(movementNode({ box: "1,2,30,40" }));
  node.panel.find("cyberhost-movement-box-clear").dispatch("click");
  assert.equal(boxOf(node).value, "");
});

test("after a reload the box and the picture's size are there without a run", () => {
  const node = movementNode({ box: "10,20,40,60" });
  node.properties = JSON.parse(JSON.stringify(ran(movementNode()).properties)); // as a saved workflow brings them
  node.onConfigure();
  screen();
  assert.deepEqual(painted(node, "strokeRect"), ["strokeRect", 10, 20, 30, 40]);
  assert.equal(node.panel.dataset.ready, "true");
});

test("a box that comes over a wire is shown, not drawn", () => {
  const node = ran(movementNode({ wired: true }));
  drag(node, [10, 10], [50, 60]);
  assert.equal(boxOf(node).value, "");
  assert.deepEqual(painted(node, "strokeRect"), ["strokeRect", 38, 58, 20, 12]);
});

test("the portrait upstream lies under the box, cropped as the scaler crops it", () => {
  const node = movementNode();
  const portrait = { ...fakeNode("LoadImage", { widgets: { image: "a b.png" } }), getInputNode: () => null };
  node.inputs.push({ name: "pose", link: 1 });
  node.getInputNode = (slot) => (slot === 1 ? portrait : null);
  ran(node);
  const image = host.images.at(-1);
  assert.equal(image.src, "/api/view?filename=a+b.png&subfolder=&type=input");
  image.onload();
  screen();
  assert.deepEqual(painted(node, "drawImage").slice(2), [62.5, 0, 75, 100, 0, 0, 96, 128]);
});

test("an unseen thorax is no error", () => {
  const node = ran(movementNode(), { ...RESULT, thorax: null });
  assert.deepEqual(painted(node, "strokeRect"), ["strokeRect", 38, 58, 20, 12]);
});

test("clarity curves name both hands with their range and mean", () => {
  const node = fakeNode("CyberHostHandClarity");
  clarity.nodeCreated(node);
  node.onExecuted({ cyberhost_clarity: [{ left: [2, 4, 6], right: [8, null, 8] }] });
  screen();
  const captions = node.panel.children[1].children.map((child) => child.textContent);
  assert.deepEqual(captions, ["left hand 2.0 – 6.0, ⌀ 4.0", "right hand 8.0 – 8.0, ⌀ 8.0"]);
});

function playerNode() {
  const node = fakeNode("CyberHostHandTrackFromFile");
  player.nodeCreated(node);
  const frames = Array.from({ length: 50 }, () => Array(84).fill(10));
  node.onExecuted({ cyberhost_hand_track: [{ fps: 25, canvas: [96, 128], frames }] });
  screen();
  return { node, button: node.panel.find("cyberhost-hand-player-play") };
}

test("a track plays at its own frame rate, and pauses", () => {
  const { node, button } = playerNode();
  assert.equal(node.panel.dataset.frame, "0");
  button.dispatch("click");
  screen({ count: 26, seconds: 0.04 });
  assert.equal(node.panel.dataset.playing, "true");
  assert.ok(Math.abs(Number(node.panel.dataset.frame) - 25) <= 1, node.panel.dataset.frame);
  button.dispatch("click");
  screen();
  const stopped = node.panel.dataset.frame;
  screen({ count: 20 });
  assert.equal(node.panel.dataset.frame, stopped);
  assert.equal(node.panel.dataset.playing, "false");
});

test("the voice of Load Audio plays along, and the hands follow it", () => {
  host.app.rootGraph.nodes = [{ type: "LoadAudio", mode: 0, widgets: [{ name: "audio", value: "voice.wav" }] }];
  const { node, button } = playerNode();
  button.dispatch("click");
  const voice = host.audio.at(-1);
  assert.match(voice.source, /filename=voice.wav/);
  assert.equal(voice.paused, false);
  voice.currentTime = 1.2;
  screen();
  assert.equal(node.panel.dataset.frame, "30");
  button.dispatch("click");
  assert.equal(voice.paused, true);
  host.app.rootGraph.nodes = [];
});

test("a removed node stops playing", () => {
  const { node, button } = playerNode();
  button.dispatch("click");
  screen();
  const stopped = node.panel.dataset.frame;
  node.onRemoved();
  screen({ count: 20 });
  assert.equal(button.textContent, "Play");
  assert.equal(node.panel.dataset.frame, stopped);
});

test("a broken track is refused in silence", () => {
  const node = fakeNode("CyberHostAlignHands");
  player.nodeCreated(node);
  node.onExecuted({ cyberhost_hand_track: [{ fps: 0 }] });
  screen();
  assert.equal(node.panel.dataset.ready, "false");
  assert.equal(node.panel.find("cyberhost-hand-player-play").disabled, true);
});
